"""Where a program is, and which bytes it is."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagewright.files import write_atomically
from imagewright.model.findings import ToolIdentity
from imagewright.reference import Digest
from imagewright.tools import cache, process

SETTLED_SECONDS = 2.0
"""How long a file must have been left alone before its times are taken to tell of every change."""


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


def remembered_sha256(file: Path, *, now: float | None = None) -> Digest:
    """The digest of a file's bytes as an earlier run read them, while nothing the file system says of it has changed.

    It names a large file in a key or a record. What is about to be started is read again: ``sha256``.
    """
    real = file.resolve()
    seen = _status(real)
    place = cache.folder() / "hashes.json"
    known = _hashes(place)
    with contextlib.suppress(KeyError, TypeError, ValueError):
        *status, digest = known[str(real)]
        if status == seen:
            return Digest.parse(digest)
    digest = sha256(real)
    # A change within the same tick of the clock leaves the same times: what is that young is read again next time.
    settled = max(seen[-2:]) / 1e9 < (time.time() if now is None else now) - SETTLED_SECONDS
    if settled and _status(real) == seen:
        with contextlib.suppress(OSError):
            there = {path: value for path, value in known.items() if os.path.exists(path)}
            write_atomically(place, json.dumps({**there, str(real): [*seen, str(digest)]}, indent=1).encode())
    return digest


def _status(file: Path) -> list[int]:
    status = file.stat()
    return [status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def _hashes(place: Path) -> dict[str, Any]:
    try:
        known = json.loads(place.read_bytes())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


@functools.lru_cache(maxsize=64)
def _sha256(file: Path, _size: int, _mtime_ns: int) -> Digest:
    with file.open("rb") as stream:
        return Digest(hashlib.file_digest(stream, "sha256").hexdigest())
