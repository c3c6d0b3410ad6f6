"""Gather what an image is made from, as its build sees it: Dockerfile, context, sources, workflows, git."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from imagewright import dockerfile, ignore
from imagewright.facts.context import is_worth_reading, read_context
from imagewright.facts.locks import FILES
from imagewright.facts.recipe import read_recipe
from imagewright.facts.sources import SOURCES, actions, read_sources
from imagewright.model.definition import ImageDefinition
from imagewright.model.findings import NotChecked
from imagewright.model.repository import Inputs, RepositoryFacts
from imagewright.tools import git

LARGEST_TEXT = 8_000_000
"""Bytes of a source or lock file that is still read."""
_WORKFLOWS = ".github/workflows"


def gather(root: Path, image: ImageDefinition) -> Inputs:
    """The inputs of one image now; nothing is changed, and nothing outside of the repository ``root`` is read."""
    text = _read(root / image.dockerfile)
    recipe = dockerfile.parse(text)
    file = _ignore_file(root, image)
    rules = ignore.parse(_read(root / file)) if file else ignore.Ignore()
    files = {path: _text(root / image.context / path, path) for path in _let_in(root / image.context, rules)}
    return Inputs(
        dockerfile=read_recipe(recipe, image),
        context=read_context(image.context, file, rules, files),
        sources=read_sources(files, (text, recipe), image),
        actions=actions({path.relative_to(root).as_posix(): _read(path) for path in _workflows(root)}),
        repository=_repository(root, image, file),
    )


def _ignore_file(root: Path, image: ImageDefinition) -> str:
    """The ignore file BuildKit takes: the Dockerfile's own, else the context's."""
    candidates = (f"{image.dockerfile}.dockerignore", f"{image.context}/.dockerignore")
    return next((path for path in candidates if (root / path).is_file()), "")


def _let_in(context: Path, rules: ignore.Ignore) -> Iterator[str]:
    for folder, folders, names in os.walk(context):
        here = Path(folder).relative_to(context)
        folders[:] = sorted(name for name in folders if rules.may_let_in_below((here / name).as_posix()))
        yield from (path for name in sorted(names) if not rules.keeps_out(path := (here / name).as_posix()))


def _text(file: Path, path: str) -> str:
    """The text of a file that is looked into; empty for any other."""
    wanted = path.endswith(SOURCES) or FILES.fullmatch(path) or is_worth_reading(path)
    return _read(file) if wanted and file.is_file() and file.stat().st_size <= LARGEST_TEXT else ""


def _read(file: Path) -> str:
    return file.read_text("utf-8", "replace")


def _workflows(root: Path) -> list[Path]:
    return sorted(path for path in (root / _WORKFLOWS).glob("*.y*ml") if path.is_file())


def _repository(root: Path, image: ImageDefinition, ignore_file: str) -> RepositoryFacts | NotChecked:
    if not git.is_work_tree(root):
        return NotChecked("the project is in no git repository")
    return RepositoryFacts(
        ignore_tracked=bool(ignore_file and git.tracked(root, ignore_file)),
        ignore_ignored=bool(ignore_file and git.ignores(root, ignore_file)),
        public_tracked=len(git.tracked(root, f"{image.context}/public")),
    )
