"""Which commit is each image's own: the last that touched what the image is made from. Pure.

All images are looked up in one pass over the history, newest first, that ends when the last one is found.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from imagewright.ignore import Ignore
from imagewright.model.definition import LOCK_FILE, ImageDefinition
from imagewright.model.records import Source


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit: its date in Unix seconds, and the files it touched."""

    id: str
    epoch: int
    names: tuple[str, ...]


class Owners:
    """Whose input a file of the repository is.

    An image's own are its definition, Dockerfile, ignore files, what of its context is let in, and the locked bases.
    ``images`` come after their needs; what is an image's own counts for every image that needs it.
    """

    def __init__(self, images: Iterable[tuple[ImageDefinition, Ignore]]) -> None:
        self._exact: dict[str, set[str]] = {LOCK_FILE: set()}
        self._contexts: dict[str, list[tuple[str, Ignore]]] = {}
        self._users: dict[str, set[str]] = {}
        self._known: dict[str, tuple[tuple[int, str, Ignore], ...]] = {}
        for image, rules in images:
            ignore_files = (f"{image.dockerfile}.dockerignore", posixpath.join(image.context, ".dockerignore"))
            for path in (LOCK_FILE, image.file, image.dockerfile, *ignore_files):
                self._exact.setdefault(posixpath.normpath(path), set()).add(image.name)
            self._contexts.setdefault(posixpath.normpath(image.context), []).append((image.name, rules))
            self._users[image.name] = {image.name}
            for need in image.needs:
                self._users[need].add(image.name)

    @property
    def names(self) -> frozenset[str]:
        """All images."""
        return frozenset(self._users)

    @property
    def folders(self) -> tuple[str, ...]:
        """The top folders and files that hold all inputs, so that no other history is read."""
        return tuple(sorted({path.partition("/")[0] for path in (*self._exact, *self._contexts)}))

    def users(self, names: Iterable[str]) -> frozenset[str]:
        """The images named, and all that need one of them."""
        found: set[str] = set()
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += self._users[name]
        return frozenset(found)

    def touched(self, paths: Iterable[str], among: frozenset[str]) -> frozenset[str]:
        """The images ``among`` these whose own input one of the files is."""
        found: set[str] = set()
        settled: set[str] = set()
        for path in paths:
            if path in self._exact:
                found |= self._exact[path] & among
            folder = path.rpartition("/")[0]
            if folder in settled:
                continue
            waiting = [one for one in self._above(folder) if one[1] in among and one[1] not in found]
            users = [name for start, name, rules in waiting if not rules.keeps_out(path[start:].rstrip("/"))]
            found.update(users)
            if len(users) == len(waiting):
                settled.add(folder)
        return frozenset(found)

    def _above(self, folder: str) -> tuple[tuple[int, str, Ignore], ...]:
        """The contexts that a folder lies in: where names within them begin, whose they are, and what they let in."""
        if folder not in self._known:
            here = (len(folder) + 1 if folder else 0, folder or ".")
            own = tuple((here[0], name, rules) for name, rules in self._contexts.get(here[1], ()))
            self._known[folder] = own + (self._above(folder.rpartition("/")[0]) if folder else ())
        return self._known[folder]


def last_commits(owners: Owners, commits: Iterable[Commit]) -> dict[str, Commit]:
    """The last commit of each image that has one; of ``commits``, newest first, no more are read than that takes."""
    found: dict[str, Commit] = {}
    waiting = owners.names
    for commit in commits:
        touched = owners.users(owners.touched(commit.names, waiting)) & waiting
        found |= dict.fromkeys(touched, commit)
        waiting = waiting - touched
        if not waiting:
            break
    return found


def sources(owners: Owners, last: Mapping[str, Commit], changed: Iterable[str], *, url: str) -> dict[str, Source]:
    """Where the inputs of each image stand: at its last commit, or not quite, for the files that ``changed`` since."""
    dirty = owners.users(owners.touched(changed, owners.names))
    return {name: _source(last.get(name), name in dirty, url) for name in owners.names}


def _source(commit: Commit | None, dirty: bool, url: str) -> Source:
    if commit is None:
        return Source("unknown", 0, dirty=True, url=url)
    return Source(f"{commit.id}-dirty" if dirty else commit.id, commit.epoch, dirty, url)
