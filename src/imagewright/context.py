"""The files a build may see, and their digest: what is in them, their names and modes; never their times.

https://docs.docker.com/build/cache/invalidation/: a file's time is no part of BuildKit's cache key either.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from imagewright.reference import Digest


def digest(root: Path, paths: Iterable[str]) -> Digest:
    """The digest of files and folders below ``root``, wherever the checkout lies; a missing path counts as missing.

    Folders are taken whole: a file that an ignore file keeps from the build may cost a rebuild, and none that
    reaches it is ever overlooked.
    """
    total = hashlib.sha256()
    for path in sorted(set(paths)):
        for name, described in _entries(root, path):
            total.update(f"{len(os.fsencode(name))} ".encode() + os.fsencode(name) + described)
    return Digest(total.hexdigest())


def _entries(root: Path, path: str) -> Iterator[tuple[str, bytes]]:
    place = root / path
    try:
        status = place.lstat()
    except FileNotFoundError:
        yield path, b" missing\n"
        return
    mode = f" {stat.S_IMODE(status.st_mode):o} ".encode()
    if stat.S_ISLNK(status.st_mode):
        yield path, b" link " + Digest.of(os.fsencode(os.readlink(place))).hex.encode() + b"\n"
    elif stat.S_ISDIR(status.st_mode):
        yield path, b" folder" + mode + b"\n"
        for child in sorted(os.listdir(place)):
            yield from _entries(root, f"{path}/{child}")
    elif stat.S_ISREG(status.st_mode):
        with place.open("rb") as file:
            yield path, b" file" + mode + hashlib.file_digest(file, "sha256").hexdigest().encode() + b"\n"
    else:
        yield path, b" other" + mode + b"\n"
