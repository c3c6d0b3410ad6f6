"""Unit tests see no setting of the machine they run on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

FOREIGN = ("IMAGEWRIGHT_", "DOCKER_", "BUILDX_", "BUILDKIT_", "TRIVY_", "GITHUB_", "GIT_", "SSL_CERT_")
ALONE = (
    "NO_COLOR",
    "FORCE_COLOR",
    "COLUMNS",
    "LINES",
    "TERM",
    "TTY_COMPATIBLE",
    "TTY_INTERACTIVE",
    "SOURCE_DATE_EPOCH",
)


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in tuple(os.environ):
        if name.startswith(FOREIGN) or name in ALONE or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
