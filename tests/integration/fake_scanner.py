"""A stand-in for the scanner that does what a test tells it."""

from __future__ import annotations

import os
from pathlib import Path

from imagewright.model.findings import ToolIdentity
from imagewright.tools.binary import Program


def script(folder: Path, body: str) -> Program:
    """A stand-in for the scanner, written in bash."""
    path = folder / f"fake-{len(os.listdir(folder))}"
    path.write_text(f"#!/bin/bash\n{body}\n")
    path.chmod(0o755)
    return Program(path, ToolIdentity("trivy", "0"))
