"""Where a program is, and which bytes it is."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from imagewright import evidence
from imagewright.filehash import MARGIN_NS
from imagewright.model.findings import ToolIdentity
from imagewright.reference import Digest
from imagewright.tools import cache, process

_KIND = "hashes"
Status = tuple[int, ...]
"""What the file system says of a file: device, inode, size, and the times of the last changes in nanoseconds."""


@dataclass(frozen=True, slots=True)
class Program:
    """An outside program that was found, and what it is."""

    path: Path
    identity: ToolIdentity


def locate(name: str, *, hint: str) -> Path:
    """The program beside the running Python (where pip puts it), else on PATH; raises ToolMissing."""
    places = (str(Path(sys.prefix) / "bin"), os.environ.get("PATH", os.defpath))
    return process.find(name, path=os.pathsep.join(places), hint=hint)


@dataclass(frozen=True, slots=True)
class Hashes:
    """The digests of large files by path, each with the file's status when it was read."""

    files: tuple[tuple[str, Status, Digest], ...] = ()


def sha256(file: Path) -> Digest:
    """The digest of a file's bytes, computed once per process while nothing the file system says of it changes."""
    real = file.resolve()
    return _sha256(real, _status(real))


def remembered_sha256(file: Path, *, now: int | None = None) -> Digest:
    """The digest of a file's bytes as an earlier run read them, while nothing the file system says of it has changed.

    It names a large file in a key or a record. What is about to be started is read again: ``sha256``. ``now`` is in
    nanoseconds.
    """
    real = file.resolve()
    seen = _status(real)
    # A change within the same tick of the clock leaves the same times, and a clock set back may give them again.
    settled = max(seen[-2:]) < (time.time_ns() if now is None else now) - MARGIN_NS
    place = cache.folder() / "digests.json"
    noted = evidence.recall(Hashes, place, _KIND) or Hashes()
    known = {path: (status, digest) for path, status, digest in noted.files}
    status, digest = known.get(str(real), ((), None))
    if settled and digest and status == seen:
        return digest
    digest = sha256(real)
    if settled and _status(real) == seen:
        there = {path: value for path, value in known.items() if os.path.exists(path)} | {str(real): (seen, digest)}
        with contextlib.suppress(OSError):
            evidence.remember(place, _KIND, Hashes(tuple((path, *there[path]) for path in sorted(there))))
    return digest


def _status(file: Path) -> Status:
    status = file.stat()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


@functools.lru_cache(maxsize=64)
def _sha256(file: Path, _status: Status) -> Digest:
    with file.open("rb") as stream:
        return Digest(hashlib.file_digest(stream, "sha256").hexdigest())
