"""What a checkout holds: the files that builds receive, the workflows, and what git says of all that."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from imagewright import context
from imagewright.filehash import FileHashes
from imagewright.files import write_atomically
from imagewright.flow import revisions
from imagewright.flow.workspace import Workspace
from imagewright.inputkey import Part
from imagewright.model.definition import ImageDefinition
from imagewright.model.findings import NotChecked
from imagewright.model.records import Source
from imagewright.model.repository import RepositoryFacts
from imagewright.reference import Digest
from imagewright.tools import git

_WORKFLOWS = ".github/workflows"
Files = tuple[Part, ...]
"""What the build of one image receives of the repository, as parts of its key."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of each image, by name: where its inputs stand in git, git's word on it, and its files."""

    sources: Mapping[str, Source]
    repositories: Mapping[str, RepositoryFacts | NotChecked]
    received: Mapping[str, Files]


def look(workspace: Workspace, images: tuple[ImageDefinition, ...], *, remember: bool = True) -> Seen:
    """Look at all that the images are made from; git is asked while the files are read.

    Files that did not change are not read; ``remember`` says whether to write down what was found in the others.
    """
    with ThreadPoolExecutor(max_workers=2) as pool:
        sources = pool.submit(revisions.sources, workspace, [image.name for image in images])
        said = pool.submit(repositories, workspace.project.root, images)
        files = received(workspace, images, remember=remember)
        return Seen(sources.result(), said.result(), files)


def received(workspace: Workspace, images: Iterable[ImageDefinition], *, remember: bool = True) -> dict[str, Files]:
    """The files of each image by its name; ``remember`` as ``look`` has it."""
    return {image.name: _files(workspace, image, remember=remember) for image in images}


def _files(workspace: Workspace, image: ImageDefinition, *, remember: bool) -> Files:
    memory = workspace.out / "cache" / "files" / image.name
    try:
        hashes = FileHashes(memory.read_bytes())
    except OSError:
        hashes = FileHashes()
    parts = context.files(workspace.project.root, image.dockerfile, image.context, hashes)
    if remember and (known := hashes.dump()) is not None:
        write_atomically(memory, known)
    return parts


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
