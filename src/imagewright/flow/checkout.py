"""What git and the workflows say of a checkout."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from imagewright import context
from imagewright.model.definition import ImageDefinition
from imagewright.model.findings import NotChecked
from imagewright.model.repository import RepositoryFacts
from imagewright.reference import Digest
from imagewright.tools import git

_WORKFLOWS = ".github/workflows"


def workflow_files(root: Path) -> list[Path]:
    """The workflow files of the repository by name."""
    return sorted(path for path in (root / _WORKFLOWS).glob("*.y*ml") if path.is_file())


def workflows(root: Path) -> Iterator[tuple[str, str]]:
    """The workflows of the repository as parts of a key."""
    for path in workflow_files(root):
        yield f"workflow {path.relative_to(root).as_posix()}", str(Digest.of(path.read_bytes()))


def repositories(root: Path, images: Iterable[ImageDefinition]) -> dict[str, RepositoryFacts | NotChecked]:
    """What git says of each image's ignore file and public folder, all of them in two questions."""
    chosen = tuple(images)
    if not git.is_work_tree(root):
        return {image.name: NotChecked("the project is in no git repository") for image in chosen}
    files = {image.name: context.ignore_file(root, image.dockerfile, image.context) for image in chosen}
    folders = {image.name: posixpath.normpath(f"{image.context}/public") for image in chosen}
    wanted = sorted({*filter(None, files.values())})
    # Git compares each of its files with each path it is asked for: asked for few, it is done in no time.
    tops = {path.partition("/")[0] for path in (*wanted, *folders.values())}
    tracked = [path for path in git.tracked(root, sorted(tops)) if "public/" in path or path.endswith(".dockerignore")]
    ignored = git.ignored(root, wanted)
    public = Counter(above for path in tracked for above in _above(path))
    known = frozenset(tracked)
    return {
        image.name: RepositoryFacts(
            ignore_tracked=files[image.name] in known,
            ignore_ignored=files[image.name] in ignored,
            public_tracked=public[folders[image.name]],
        )
        for image in chosen
    }


def _above(path: str) -> Iterator[str]:
    while path := posixpath.dirname(path):
        yield path
