"""What declarations can have wrong beyond their types: each check yields Problems, none raises."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from imagewright import schema
from imagewright.errors import Problem
from imagewright.model.definition import BASES_FILE, LOCK_FILE, BaseDefinition, ImageDefinition, LockedBase
from imagewright.reference import Reference

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_ADDRESS = re.compile(r"[^/]*[.:][^/]*(/.*)?|localhost(/.*)?")


def of_registry(registry: str) -> Iterator[Problem]:
    """A first part without dot or port is a Docker Hub name to every docker client, not a host."""
    if registry != "local" and not _ADDRESS.fullmatch(registry):
        message = f'{registry!r} must be "local" or host[:port][/prefix]; a bare name would mean Docker Hub'
        yield Problem("settings", "registry", message)


def of_bases(bases: Iterable[BaseDefinition], locked: Iterable[LockedBase]) -> Iterator[Problem]:
    """Names declared or locked twice, and a bootstrap that does not say of which suite."""
    names: set[str] = set()
    for index, base in enumerate(bases):
        if base.name in names:
            yield Problem(BASES_FILE, f"base[{index}].name", f"{base.name!r} is declared twice")
        if base.source == "bootstrap" and not base.suite:
            yield Problem(BASES_FILE, f"base[{index}].suite", "is required by a bootstrap")
        names.add(base.name)
    seen: set[object] = set()
    for index, entry in enumerate(locked):
        if (entry.name, entry.platform) in seen:
            yield Problem(LOCK_FILE, f"base[{index}]", f"{entry.name!r} is locked twice for {entry.platform}")
        seen.add((entry.name, entry.platform))


def of_image(root: Path, image: ImageDefinition) -> Iterator[Problem]:
    """What one definition can have wrong beyond its types."""
    folder = PurePosixPath(image.file).parent.name
    if not _NAME.fullmatch(image.name):
        yield Problem(image.file, "name", "must be lower-case letters, digits and dashes")
    elif image.name != folder:
        yield Problem(image.file, "name", f"must be the folder's name, {folder!r}, not {image.name!r}")
    if not image.platforms:
        yield Problem(image.file, "platforms", "must name at least one platform")
    if image.run.port is not None and not 1 <= image.run.port <= 65535:
        yield Problem(image.file, "run.port", "must be from 1 to 65535")
    try:
        Reference("localhost", image.repository)
    except ValueError as error:
        yield Problem(image.file, "repository", str(error))
    top = root.resolve()
    for key, value in (("dockerfile", image.dockerfile), ("context", image.context)):
        try:
            place = (root / value).resolve()
            if not place.is_relative_to(top):
                yield Problem(image.file, key, f"{value!r} leads out of the repository")
            elif not (place.is_file() if key == "dockerfile" else place.is_dir()):
                yield Problem(image.file, key, f"{value!r} does not exist")
        except (OSError, ValueError, RuntimeError) as error:  # too long, a NUL in it, a circle of links
            yield Problem(image.file, key, f"is no path: {error}")


def across(images: Iterable[ImageDefinition], broken: set[str]) -> Iterator[Problem]:
    """What the definitions can have wrong together; ``broken`` ones were reported already."""
    by_name: dict[str, ImageDefinition] = {}
    by_repository: dict[str, ImageDefinition] = {}
    for image in images:
        for key, seen in (("name", by_name), ("repository", by_repository)):
            value = getattr(image, key)
            if value in seen:
                yield Problem(image.file, key, f"{value!r} is also the {key} in {seen[value].file}")
            seen.setdefault(value, image)
    for image in images:
        for index, need in enumerate(image.needs):
            if need not in by_name and need not in broken:
                yield Problem(image.file, f"needs[{index}]", f"no image {need!r}{schema.near(need, list(by_name))}")
    yield from _cycles(by_name)


def _cycles(images: Mapping[str, ImageDefinition]) -> Iterator[Problem]:
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> Iterator[Problem]:
        if name in trail:
            circle = (*trail[trail.index(name) :], name)
            yield Problem(images[name].file, "needs", f"a cycle: {' → '.join(circle)}")
        elif name in images and name not in done:
            for need in images[name].needs:
                yield from visit(need, (*trail, name))
            done.add(name)

    for name in sorted(images):
        yield from visit(name, ())
