"""What a build receives: the Dockerfile, and the files of the context that the ignore file lets in.

Names, contents, modes and links count; times, owners and extended attributes do not, as in BuildKit's own cache:
https://docs.docker.com/build/cache/invalidation/
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from imagewright import ignore
from imagewright.errors import ConfigurationError, Problem
from imagewright.filehash import FileHashes
from imagewright.ignore import Ignore, Place

_REVISION = "1"
"""Changes when a walk finds something else in the same files, so that nothing found earlier stands for it."""


def ignore_file(root: Path, dockerfile: str, context: str) -> str:
    """The ignore file BuildKit takes: the Dockerfile's own, else the context's; empty when there is none."""
    candidates = (f"{dockerfile}.dockerignore", f"{context}/.dockerignore")
    return next((path for path in candidates if (root / path).is_file()), "")


def rules(root: Path, file: str) -> Ignore:
    """The patterns of an ignore file; those of no file keep nothing out."""
    return ignore.parse((root / file).read_text("utf-8", "replace")) if file else Ignore()


def files(root: Path, dockerfile: str, context: str, hashes: FileHashes) -> tuple[tuple[str, str], ...]:
    """Each input of a build as a named part, by its path in the repository, wherever that lies.

    Dockerfile and ignore file always count. Raises ConfigurationError for a file that cannot be read.
    """
    try:
        ignored = ignore_file(root, dockerfile, context)
        question = "\n".join((_REVISION, dockerfile, ignored, context))
        if before := hashes.found(question, f"{root}/"):
            return before
        walk = _Walk(rules(root, ignored), hashes)
        for kind, path in (("Dockerfile", dockerfile), ("ignore file", ignored)):
            if path:
                walk.found.append((_named(kind, path), _followed(str(root / path), path, hashes)))
        top, shown = str(root / context), "" if context == "." else f"{context}/"
        hashes.looked_at(os.stat(top), called=shown)
        _walk(top, shown, "", ignore.TOP, walk)
    except OSError as error:
        problem = Problem(os.path.relpath(error.filename or root, root), "", f"cannot be read: {error.strerror}")
        raise ConfigurationError([problem], hint="let it be read, or name it in the ignore file") from error
    found = tuple(sorted((*walk.found, *walk.hard_links())))
    hashes.keep(question, found)
    return found


@dataclass(frozen=True, slots=True)
class _Walk:
    """What a walk through a context goes by, and what it has found."""

    rules: Ignore
    hashes: FileHashes
    found: list[tuple[str, str]] = field(default_factory=list)
    linked: dict[tuple[int, int], list[str]] = field(default_factory=dict)

    def hard_links(self) -> Iterator[tuple[str, str]]:
        """Files that are one within the context: each with the first name it has, as it will stand in the layer."""
        for first, *others in map(sorted, self.linked.values()):
            yield from ((_named("hard link", name), _text(first)) for name in others)


def _followed(file: str, shown: str, hashes: FileHashes) -> str:
    """The digest of what a name leads to."""
    status = os.lstat(file)
    if stat.S_ISLNK(status.st_mode):
        file = os.path.realpath(file)
        # NOTE: remembered by a name that is nowhere, so that each run finds out anew where the links lead.
        return hashes.of(file, os.stat(file), called=f"{shown}/.")
    return hashes.of(file, status, called=shown)


def _walk(folder: str, shown: str, above: str, place: Place, walk: _Walk) -> None:
    """Find what is let in of a folder: ``above`` is its name within the context, ``shown`` in the repository."""
    rules, found = walk.rules, walk.found
    with os.scandir(folder) as entries:
        for entry in entries:
            name = entry.name
            here = rules.enter(place, above + name)
            if entry.is_dir(follow_symlinks=False):
                path, before = above + name, len(found)
                if here.out and not rules.reaches_below(path):
                    continue
                status = entry.stat(follow_symlinks=False)
                walk.hashes.looked_at(status, called=f"{shown}{name}/")
                _walk(entry.path, f"{shown}{name}/", f"{path}/", here, walk)
                # A folder that is kept out comes along when something in it is let in.
                if not here.out or len(found) > before:
                    found.append((_named("folder", shown + name), _mode(status)))
            elif not here.out:
                found.append(_entry(entry, shown + name, walk))


def _entry(entry: os.DirEntry[str], shown: str, walk: _Walk) -> tuple[str, str]:
    status = entry.stat(follow_symlinks=False)
    if entry.is_file(follow_symlinks=False):
        if status.st_nlink > 1:
            walk.linked.setdefault((status.st_dev, status.st_ino), []).append(shown)
        digest = walk.hashes.of(entry.path, status, called=shown)
        return _named("file", shown), f"{_mode(status)} {digest}"
    walk.hashes.looked_at(status, called=shown)
    if entry.is_symlink():
        return _named("link", shown), _text(os.readlink(entry.path))
    return _named("special file", shown), f"{status.st_mode:o} {status.st_rdev}"


def _mode(status: os.stat_result) -> str:
    return f"{status.st_mode & 0o7777:o}"


def _named(kind: str, path: str) -> str:
    return f"{kind} {path if path.isascii() else _text(path)}"


def _text(name: str) -> str:
    """A file's name as text; one that is no UTF-8 is told apart from every name that is."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return f"in bytes: {os.fsencode(name).hex()}"
    return name
