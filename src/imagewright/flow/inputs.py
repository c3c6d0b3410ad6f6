"""Gather what an image is made from, as its build sees it: Dockerfile, context, sources, workflows, git."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from imagewright import context, dockerfile, ignore
from imagewright.facts.context import is_worth_reading, read_context
from imagewright.facts.locks import FILES
from imagewright.facts.recipe import read_recipe
from imagewright.facts.sources import SOURCES, actions, read_sources
from imagewright.flow import checkout
from imagewright.model.definition import ImageDefinition
from imagewright.model.findings import NotChecked
from imagewright.model.repository import Inputs, RepositoryFacts

LARGEST_TEXT = 8_000_000
"""Bytes of a source or lock file that is still read."""


def gather(root: Path, image: ImageDefinition, repository: RepositoryFacts | NotChecked | None = None) -> Inputs:
    """The inputs of one image now; nothing is changed, and nothing outside of the repository ``root`` is read.

    ``repository`` is what ``checkout.repositories`` says of the image, when it was asked already.
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
        actions=actions({path.relative_to(root).as_posix(): _read(path) for path in checkout.workflow_files(root)}),
        repository=repository or checkout.repositories(root, (image,))[image.name],
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
