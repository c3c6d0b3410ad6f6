"""Where a program is, and which bytes it is."""

from __future__ import annotations

import functools
import hashlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from imagewright.model.findings import ToolIdentity
from imagewright.reference import Digest
from imagewright.tools import process


@dataclass(frozen=True, slots=True)
class Program:
    """An outside program that was found, and what it is."""

    path: Path
    identity: ToolIdentity


def locate(name: str, *, hint: str) -> Path:
    """The program beside the running Python (where pip puts it), else on PATH; raises ToolMissing."""
    places = (str(Path(sys.prefix) / "bin"), os.environ.get("PATH", os.defpath))
    return process.find(name, path=os.pathsep.join(places), hint=hint)


def sha256(file: Path) -> Digest:
    """The digest of a file's bytes, computed once per process while size and time stay the same."""
    real = file.resolve()
    status = real.stat()
    return _sha256(real, status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=64)
def _sha256(file: Path, _size: int, _mtime_ns: int) -> Digest:
    with file.open("rb") as stream:
        return Digest(hashlib.file_digest(stream, "sha256").hexdigest())
