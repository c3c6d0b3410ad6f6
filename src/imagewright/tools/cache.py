"""The user's cache folder."""

from __future__ import annotations

import os
from pathlib import Path


def folder() -> Path:
    """``$IMAGEWRIGHT_CACHE``, else ``imagewright`` below ``$XDG_CACHE_HOME`` or ``~/.cache``; absolute."""
    if chosen := os.environ.get("IMAGEWRIGHT_CACHE"):
        return Path(chosen).absolute()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache").absolute() / "imagewright"
