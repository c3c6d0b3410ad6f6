"""The digests of files, found again without reading the files while nothing about them changed.

A digest is remembered together with size, times, inode, device and mode. That alone is not safe: within one tick of
the file system's clock a file can be read, changed, and look the same. So only what had been left alone for a while
before it was read is remembered, as git does with its index:
https://git-scm.com/docs/racy-git. A program can set a file's mtime back, and not its ctime.

The same holds for a folder and the names in it: making, renaming or removing any of them changes the folder's times. So
while every file, link and folder that was looked at is as it was, all that was found is as it was, and nobody looks for
it again.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from imagewright.reference import Digest

MARGIN_NS = 3_000_000_000
"""How long a file must have been left alone: more than the coarsest clock of a file system, two seconds (FAT)."""

Pairs = tuple[tuple[str, str], ...]

_MAGIC = b"imagewright/filehash/v2 "
_CHUNK = 1 << 18
_HEX = 64


class FileHashes:
    """The digests of one set of files, and what was found in it: ``remembered`` is an earlier run's ``dump``, or not.

    ``clock`` is the time in nanoseconds. A time in the future of it is believed no more than one just past: the
    clock was set back, and may come by that time again.
    """

    def __init__(self, remembered: bytes = b"", *, clock: Callable[[], int] = time.time_ns) -> None:
        self._before = _Memory.read(remembered)
        self._now = _Memory({}, "", ())
        self._whole = True
        self._settled_before = clock() - MARGIN_NS

    def found(self, question: str, top: str) -> Pairs | None:
        """What was ``keep``-t for this question, while nothing that was looked at below ``top`` has changed since."""
        if not question or question != self._before.question:
            return None
        try:
            if not self._unchanged(top):
                return None
        except OSError:
            return None
        self._now = self._before
        return self._before.found

    def _unchanged(self, top: str) -> bool:
        """Whether every place below ``top`` is as it was; raises OSError for one that is gone."""
        settled_before, lstat = self._settled_before, os.lstat
        # From a folder that is open the way to each place is shorter.
        folder = os.open(top, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for name, known in self._before.places.items():
                status = lstat(name, dir_fd=folder) if name else lstat(top)
                modified, changed = status.st_mtime_ns, status.st_ctime_ns
                if modified >= settled_before or changed >= settled_before or not known.startswith(_mark(status)):
                    return False
        finally:
            os.close(folder)
        return True

    def keep(self, question: str, found: Pairs) -> None:
        """Remember what was found, unless something that was looked at could have changed since without a trace."""
        if self._whole:
            self._now = _Memory(self._now.places, question, found)

    def of(self, path: str, status: os.stat_result, *, called: str) -> str:
        """The digest (hexadecimal) of a regular file's bytes.

        ``status`` is its lstat, ``called`` the name under which it is remembered.
        Raises OSError when the file cannot be read. What changes while it is read is not remembered.
        """
        mark, settled = _mark(status), self._is_settled(status)
        known = self._before.places.get(called, "")
        if settled and known.startswith(mark):
            self._now.places[called] = known
            return known[-_HEX:]
        found, same = _read(path, mark)
        if settled and same:
            self._now.places[called] = mark + found
        else:
            self._whole = False
        return found

    def looked_at(self, status: os.stat_result, *, called: str) -> None:
        """A folder's names were read, or where a link leads; ``status`` is the lstat from before."""
        if self._is_settled(status):
            self._now.places[called] = _mark(status)
        else:
            self._whole = False

    def dump(self) -> bytes | None:
        """What to remember of what was asked for; None when it is what was remembered before."""
        return None if self._now == self._before else self._now.written()

    def _is_settled(self, status: os.stat_result) -> bool:
        before = self._settled_before
        return status.st_mtime_ns < before and status.st_ctime_ns < before


@dataclass(frozen=True, slots=True)
class _Memory:
    """The places that were looked at, with mark and digest, and what was found there by asking which question."""

    places: dict[str, str]
    question: str
    found: Pairs

    @classmethod
    def read(cls, remembered: bytes) -> _Memory:
        """What ``written`` gave; nothing of what is damaged, or of another version."""
        head, _, body = remembered.partition(b"\n")
        if head != _MAGIC + Digest.of(body).hex.encode() or not body:
            return cls({}, "", ())
        question, places, *texts = os.fsdecode(body).split("\0")
        middle = 2 * int(places)
        return cls(dict(_pairs(texts[:middle])), question, tuple(_pairs(texts[middle:])))

    def written(self) -> bytes:
        pairs = (*sorted(self.places.items()), *self.found)
        body = os.fsencode("\0".join((self.question, str(len(self.places)), *itertools.chain.from_iterable(pairs))))
        return _MAGIC + Digest.of(body).hex.encode() + b"\n" + body


def _pairs(texts: list[str]) -> Iterator[tuple[str, str]]:
    return zip(texts[::2], texts[1::2], strict=True)


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
