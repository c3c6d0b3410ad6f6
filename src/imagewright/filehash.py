"""The digests of files, found again without reading the files while nothing about them changed.

A digest is remembered together with size, times, inode, device and mode. That alone is not safe: within one tick of
the file system's clock a file can be read, changed, and look the same. So only what had been left alone for a while
before it was read is remembered, as git does with its index:
https://git-scm.com/docs/racy-git. A program can set a file's mtime back, and not its ctime.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable

from imagewright.reference import Digest

MARGIN_NS = 3_000_000_000
"""How long a file must have been left alone: more than the coarsest clock of a file system, two seconds (FAT)."""

_MAGIC = b"imagewright/filehash/v1 "
_CHUNK = 1 << 18
_HEX = 64


class FileHashes:
    """The digests of one set of files: ``remembered`` is what an earlier run's ``dump`` gave, or anything else.

    ``clock`` is the time in nanoseconds. A time in the future of it is believed no more than one just past: the
    clock was set back, and may come by that time again.
    """

    def __init__(self, remembered: bytes = b"", *, clock: Callable[[], int] = time.time_ns) -> None:
        self._known = _lines(remembered)
        self._seen: dict[str, str] = {}
        self._settled_before = clock() - MARGIN_NS

    def of(self, path: str, status: os.stat_result, *, called: str) -> str:
        """The digest (hexadecimal) of a regular file's bytes.

        ``status`` is its lstat, ``called`` the name under which it is remembered.
        Raises OSError when the file cannot be read. What changes while it is read is not remembered.
        """
        mark = _mark(status)
        settled = status.st_mtime_ns < self._settled_before and status.st_ctime_ns < self._settled_before
        line = self._known.get(called, "")
        if settled and line.startswith(mark):
            self._seen[called] = line
            return line[len(mark) : len(mark) + _HEX]
        found, same = _read(path, mark)
        if settled and same:
            self._seen[called] = f"{mark}{found} {called}"
        return found

    def dump(self) -> bytes | None:
        """What to remember of the files that were asked for; None when it is what was remembered before."""
        if self._seen == self._known:
            return None
        body = os.fsencode("\0".join(self._seen[name] for name in sorted(self._seen)))
        return _MAGIC + Digest.of(body).hex.encode() + b"\n" + body


def _lines(remembered: bytes) -> dict[str, str]:
    """The remembered lines by file name; none of a damaged dump, or of another version."""
    head, _, body = remembered.partition(b"\n")
    if head != _MAGIC + Digest.of(body).hex.encode() or not body:
        return {}
    return {line.split(" ", 7)[7]: line for line in os.fsdecode(body).split("\0")}


def _mark(status: os.stat_result) -> str:
    return (
        f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino} {status.st_dev} {status.st_mode} "
    )


def _read(path: str, mark: str) -> tuple[str, bool]:
    """A file's digest, and whether it was the same file before and after the reading."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        before = _mark(os.fstat(descriptor))
        total = hashlib.sha256()
        while data := os.read(descriptor, _CHUNK):
            total.update(data)
        return total.hexdigest(), before == mark == _mark(os.fstat(descriptor))
    finally:
        os.close(descriptor)
