"""The repository's files → a Project: every mistake at once, with file, dotted path and the near-miss name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from imagewright import schema
from imagewright.annotations import Before, StrictBool
from imagewright.config import checks
from imagewright.errors import ConfigurationError, Problem
from imagewright.model.definition import (
    BASES_FILE,
    LOCK_FILE,
    BaseDefinition,
    Budget,
    EnvVariable,
    ImageDefinition,
    LockedBase,
    Project,
    RunContract,
    Settings,
)
from imagewright.reference import Platform

SETTINGS_FILE = "pyproject.toml"

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(B|kB|MB|GB|KiB|MiB|GiB)")
_UNITS = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


def parse_size(text: object) -> int:
    """``"60 MB"`` → bytes (decimal and binary units); raises ValueError."""
    match = _SIZE.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError('must be a size such as "60 MB"')
    return int(float(match[1]) * _UNITS[match[2]])


Size = Annotated[int, Before(parse_size)]


@dataclass(frozen=True, slots=True)
class _BudgetTable:
    compressed: Size | None = None
    uncompressed: Size | None = None


@dataclass(frozen=True, slots=True)
class _EnvTable:
    required: StrictBool = False
    secret: StrictBool = False
    when: Literal["build", "run"] = "run"
    description: str = ""


@dataclass(frozen=True, slots=True)
class _ImageFile:
    name: str
    title: str
    repository: str
    run: RunContract
    description: str = ""
    licenses: str = ""
    dockerfile: str = ""
    target: str = ""
    context: str = ""
    platforms: tuple[Platform, ...] = (Platform("linux", "amd64"),)
    needs: tuple[str, ...] = ()
    args: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    budget: _BudgetTable = _BudgetTable()
    env: dict[str, _EnvTable] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _BasesFile:
    base: tuple[BaseDefinition, ...] = ()


@dataclass(frozen=True, slots=True)
class _LockFile:
    base: tuple[LockedBase, ...] = ()


def load(root: Path, environ: Mapping[str, str]) -> Project:
    """Read every definition below ``root``; raises ConfigurationError with all the mistakes."""
    problems: list[Problem] = []
    settings = _settings(root, environ, problems)
    files = sorted(root.glob("images/*/image.toml"))
    images = [image for path in files if (image := _image(root, path, problems)) is not None]
    bases = schema.parse(_BasesFile, _table(root, BASES_FILE, problems), file=BASES_FILE, problems=problems)
    lock = schema.parse(_LockFile, _table(root, LOCK_FILE, problems), file=LOCK_FILE, problems=problems)
    declared = tuple(image.name for image in images)
    broken = {path.parent.name for path in files} - set(declared)
    problems.extend(checks.across(images, broken))
    problems.extend(checks.of_bases(bases.base if bases else (), lock.base if lock else ()))
    if problems:
        raise ConfigurationError(problems, hint="mend what is named above; ./inv build --plan checks it again")
    ordered = tuple(sorted(images, key=lambda image: image.name))
    return Project(root, settings, ordered, bases.base if bases else (), lock.base if lock else ())


def _table(root: Path, name: str, problems: list[Problem]) -> dict[str, Any]:
    path = root / name
    if not path.exists():
        return {}
    try:
        return schema.load_toml(path.read_text("utf-8"), file=name, problems=problems)
    except (OSError, UnicodeDecodeError) as error:
        problems.append(Problem(name, "", f"cannot be read: {error}"))
        return {}


def _settings(root: Path, environ: Mapping[str, str], problems: list[Problem]) -> Settings:
    overlay: dict[str, Any] = {
        name: environ[f"IMAGEWRIGHT_{name.upper()}"]
        for name in ("registry", "profile", "engine", "source_url", "ca_bundle")
        if environ.get(f"IMAGEWRIGHT_{name.upper()}")
    }
    if insecure := environ.get("IMAGEWRIGHT_INSECURE"):
        overlay["insecure"] = [name for part in insecure.split(",") if (name := part.strip())]
    if database := environ.get("IMAGEWRIGHT_DATABASE"):
        overlay["scan"] = {"database": database}
    wrong: list[Problem] = []
    schema.parse(Settings, overlay, file="environment", problems=wrong)
    problems.extend(Problem(item.file, f"IMAGEWRIGHT_{item.path.upper()}", item.message) for item in wrong)
    tools = _table(root, SETTINGS_FILE, problems).get("tool", {})
    table = tools.get("imagewright", {}) if isinstance(tools, dict) else {}
    declared = schema.parse(Settings, table, file=SETTINGS_FILE, at="tool.imagewright", problems=problems)
    merged = {**table, **overlay, "scan": {**table.get("scan", {}), **overlay.get("scan", {})}} if declared else {}
    settings = schema.parse(Settings, merged, file="environment", problems=[]) or Settings()
    problems.extend(checks.of_registry(settings.registry))
    return settings


def _image(root: Path, path: Path, problems: list[Problem]) -> ImageDefinition | None:
    name = path.relative_to(root).as_posix()
    before = len(problems)
    table = _table(root, name, problems)
    if len(problems) > before:
        return None
    image = parse_image(table, file=name, problems=problems)
    if image is None:
        return None
    found = list(checks.of_image(root, image))
    problems.extend(found)
    return image if not found else None


def parse_image(table: Mapping[str, Any], *, file: str, problems: list[Problem]) -> ImageDefinition | None:
    """One image.toml as a definition, with every mistake in its keys and types; what it names is not looked for."""
    parsed = schema.parse(_ImageFile, table, file=file, problems=problems)
    return _definition(parsed, file) if parsed else None


def _definition(parsed: _ImageFile, file: str) -> ImageDefinition:
    return ImageDefinition(
        name=parsed.name,
        title=parsed.title,
        description=parsed.description,
        repository=parsed.repository,
        licenses=parsed.licenses,
        file=file,
        dockerfile=parsed.dockerfile or f"dockerfiles/{parsed.name}.Dockerfile",
        target=parsed.target,
        context=parsed.context or str(PurePosixPath(file).parent),
        platforms=parsed.platforms,
        needs=parsed.needs,
        args=tuple(sorted(parsed.args.items())),
        labels=tuple(sorted(parsed.labels.items())),
        budget=Budget(parsed.budget.compressed, parsed.budget.uncompressed),
        run=parsed.run,
        env=tuple(
            EnvVariable(key, value.required, value.secret, value.when, value.description)
            for key, value in sorted(parsed.env.items())
        ),
    )
