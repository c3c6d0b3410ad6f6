"""Read the folders of ``policies/fixtures/mistakes/``: what each declares, shows its build, and expects."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from imagewright.config import parse_image
from imagewright.errors import ConfigurationError, Problem
from imagewright.flow.inputs import gather
from imagewright.mistakes import FOLDER, Expected, Mistake
from imagewright.schema import load_toml, parse


def read(root: Path) -> tuple[Mistake, ...]:
    """Every folder that has an expect.toml, by name; raises ConfigurationError with every mistake in these files."""
    problems: list[Problem] = []
    folders = sorted(path.parent for path in (root / FOLDER).glob("*/expect.toml"))
    found = [_read(root, folder, problems) for folder in folders]
    if problems:
        raise ConfigurationError(problems)
    return tuple(mistake for mistake in found if mistake)


def _read(root: Path, folder: Path, problems: list[Problem]) -> Mistake | None:
    files = [folder / name for name in ("expect.toml", "image.toml", "Dockerfile")]
    names = [path.relative_to(root).as_posix() for path in files]
    missing = [name for path, name in zip(files, names, strict=True) if not path.is_file()]
    if missing:
        problems.extend(Problem(name, "", "is missing") for name in missing)
        return None
    tables = [
        load_toml(path.read_text("utf-8", "replace"), file=name, problems=problems)
        for path, name in zip(files[:2], names, strict=False)
    ]
    expected = parse(Expected, tables[0], file=names[0], problems=problems)
    definition = parse_image(tables[1], file=names[1], problems=problems)
    if expected is None or definition is None:
        return None
    if definition.name != folder.name:
        problems.append(Problem(names[1], "name", f"must be the folder's name, {folder.name!r}"))
    # An image of the project has its Dockerfile elsewhere; here everything lies together.
    placed = replace(definition, dockerfile=names[2])
    return Mistake(placed, gather(root, placed), expected)
