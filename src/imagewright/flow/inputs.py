"""Gather what an image is made from, as its build sees it: Dockerfile, context, sources, workflows, git."""

from __future__ import annotations

import os
import posixpath
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from imagewright import context, dockerfile, ignore
from imagewright.facts.context import is_worth_reading, read_context
from imagewright.facts.locks import FILES
from imagewright.facts.recipe import read_recipe
from imagewright.facts.sources import SOURCES, actions, read_sources
from imagewright.model.definition import ImageDefinition
from imagewright.model.findings import NotChecked
from imagewright.model.repository import Inputs, RepositoryFacts
from imagewright.reference import Digest
from imagewright.tools import git

LARGEST_TEXT = 8_000_000
"""Bytes of a source or lock file that is still read."""
_WORKFLOWS = ".github/workflows"


def gather(root: Path, image: ImageDefinition, repository: RepositoryFacts | NotChecked | None = None) -> Inputs:
    """The inputs of one image now; nothing is changed, and nothing outside of the repository ``root`` is read.

    ``repository`` is what ``repositories`` says of the image, when it was asked already.
    """
    text = _read(root / image.dockerfile)
    recipe = dockerfile.parse(text)
    file = context.ignore_file(root, image.dockerfile, image.context)
    rules = context.rules(root, file)
    files = {path: _text(root / image.context / path, path) for path in _let_in(root / image.context, rules)}
    return Inputs(
        dockerfile=read_recipe(recipe, image),
        context=read_context(image.context, file, rules, files),
        sources=read_sources(files, (text, recipe), image),
        actions=actions({path.relative_to(root).as_posix(): _read(path) for path in _workflows(root)}),
        repository=repository or repositories(root, (image,))[image.name],
    )


def _let_in(top: Path, rules: ignore.Ignore) -> Iterator[str]:
    for folder, folders, names in os.walk(top):
        here = Path(folder).relative_to(top)
        folders[:] = sorted(name for name in folders if rules.may_let_in_below((here / name).as_posix()))
        yield from (path for name in sorted(names) if not rules.keeps_out(path := (here / name).as_posix()))


def _text(file: Path, path: str) -> str:
    """The text of a file that is looked into; empty for any other."""
    wanted = path.endswith(SOURCES) or FILES.fullmatch(path) or is_worth_reading(path)
    # The build receives a link, not what it leads to.
    there = wanted and file.is_file() and not file.is_symlink()
    return _read(file) if there and file.stat().st_size <= LARGEST_TEXT else ""


def _read(file: Path) -> str:
    return file.read_text("utf-8", "replace")


def _workflows(root: Path) -> list[Path]:
    return sorted(path for path in (root / _WORKFLOWS).glob("*.y*ml") if path.is_file())


def workflows(root: Path) -> Iterator[tuple[str, str]]:
    """The workflows of the repository as parts of a key."""
    for path in _workflows(root):
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
