"""Pure: definitions, sources and bases → the order of work and the bake file of one solve.

The bake file format: https://docs.docker.com/build/bake/reference/ (JSON form).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from imagewright import dockerfile, schema
from imagewright.errors import ConfigurationError, NothingSelected, Problem
from imagewright.model.definition import ImageDefinition, Project
from imagewright.model.records import Source, UsedBase

_LAYOUT = "type=oci,dest={},tar=false,oci-mediatypes=true"


@dataclass(frozen=True, slots=True)
class Context:
    """A named context of a solve: the base as recorded, and where BuildKit finds it."""

    base: UsedBase
    location: str


@dataclass(frozen=True, slots=True)
class Target:
    """One image of a solve: its definition, where its inputs stand, and the outside bases it names."""

    image: ImageDefinition
    source: Source
    bases: tuple[Context, ...]


def select(project: Project, names: Iterable[str]) -> tuple[ImageDefinition, ...]:
    """The named images (all when none is named) and everything they need, each after its needs.

    Raises NothingSelected for an unknown name and for a repository without images.
    """
    known = {image.name: image for image in project.images}
    wanted = tuple(names)
    for name in wanted:
        if name not in known:
            raise NothingSelected(f"there is no image {name!r}{schema.near(name, list(known))}")
    if not known:
        raise NothingSelected("there are no images", hint="add images/<name>/image.toml; README.md shows one")
    ordered: dict[str, ImageDefinition] = {}

    def visit(name: str) -> None:
        if name not in ordered:
            for need in known[name].needs:
                visit(need)
            ordered[name] = known[name]

    for name in wanted or sorted(known):
        visit(name)
    return tuple(ordered.values())


def dependents(images: Iterable[ImageDefinition], broken: Iterable[str]) -> frozenset[str]:
    """The broken images and every image that needs one of them; ``images`` come after their needs."""
    lost = set(broken)
    for image in images:
        if lost.intersection(image.needs):
            lost.add(image.name)
    return frozenset(lost)


def outside_names(text: str) -> tuple[str, ...]:
    """The image names a Dockerfile takes from outside itself: FROM, COPY --from and mounts, in order.

    A ``# syntax=`` line names an image too: the one that would read the rest of the file.
    """
    return tuple(dict.fromkeys(outside.name for outside in dockerfile.parse(text).outside))


def standing_on(image: ImageDefinition, text: str) -> str:
    """The name of the image that an image's layers begin with, as its Dockerfile has it; empty when there is none."""
    recipe = dockerfile.parse(text)
    final = recipe.final(image.target)
    return recipe.lineage(final)[0].base if final else ""


def check_bases(image: ImageDefinition, names: Iterable[str], project: Project) -> tuple[str, ...]:
    """The declared outside bases among ``names``; raises ConfigurationError for one nobody declared."""
    declared = [base.name for base in project.bases]
    outside = [name for name in names if name not in image.needs]
    problems = [
        Problem(image.dockerfile, "FROM", f"{name!r} is neither in needs nor declared in images/bases.toml")
        for name in outside
        if name not in declared
    ]
    if problems:
        raise ConfigurationError(problems, hint=f"declare it in images/bases.toml, or name the image in {image.file}")
    return tuple(outside)


def labels(target: Target) -> dict[str, str]:
    """The OCI annotations every image carries, over its own labels.

    https://github.com/opencontainers/image-spec/blob/main/annotations.md
    """
    image, source = target.image, target.source
    standard = {
        "title": image.title,
        "description": image.description,
        "licenses": image.licenses,
        "revision": source.revision,
        "version": source.revision[:12] + ("-dirty" if source.dirty else ""),
        "created": rfc3339(source.epoch),
        "source": source.url,
    }
    if target.bases:
        base = target.bases[0].base
        standard |= {"base.name": base.name, "base.digest": str(base.digest)}
    prefixed = {f"org.opencontainers.image.{key}": value for key, value in standard.items() if value}
    return {**dict(image.labels), **prefixed}


def bake_document(
    root: Path,
    targets: Iterable[Target],
    outputs: Mapping[str, Path],
    *,
    ca_bundle: Path | None,
    no_cache: bool = False,
    cache_mounts: str = "",
) -> dict[str, Any]:
    """The bake file of one solve: each target that has an output goes there as an OCI layout folder.

    A target without one is there only because another needs it. ``cache_mounts`` names the set of cache mounts that
    steps see: one that was never named before is empty.
    """
    built = {
        target.image.name: _bake_target(root, target, outputs.get(target.image.name), ca_bundle, no_cache)
        for target in targets
    }
    for document in built.values() if cache_mounts else ():
        document["args"]["BUILDKIT_CACHE_MOUNT_NS"] = cache_mounts
    return {"group": {"default": {"targets": [name for name in built if name in outputs]}}, "target": built}


def _bake_target(
    root: Path, target: Target, output: Path | None, ca_bundle: Path | None, no_cache: bool
) -> dict[str, Any]:
    image = target.image
    contexts = {familiar(context.base.name): context.location for context in target.bases}
    contexts |= {need: f"target:{need}" for need in image.needs}
    document: dict[str, Any] = {
        "context": str(root / image.context),
        "dockerfile": str(root / image.dockerfile),
        "contexts": contexts,
        # BuildKit reads SOURCE_DATE_EPOCH as a build argument and dates the image with it.
        "args": {**dict(image.args), "SOURCE_DATE_EPOCH": str(target.source.epoch)},
        "labels": labels(target),
        "platforms": [str(platform) for platform in image.platforms],
        "output": [_LAYOUT.format(output) if output else "type=cacheonly"],
        # NOTE: an attestation inside changes the index digest on every cached run; SBOM and provenance
        # are records of their own beside the digest.
        "attest": ["type=provenance,disabled=true", "type=sbom,disabled=true"],
    }
    if image.target:
        document["target"] = image.target
    if ca_bundle is not None:
        document["secret"] = [f"id=ca,src={ca_bundle}"]
    if no_cache:
        document["no-cache"] = True
    return document


def familiar(name: str) -> str:
    """An image's name as BuildKit looks it up among the named contexts.

    NOTE: it cuts off what a name means anyway, and fetches the image when a context is under the longer name.
    """
    for registry in ("docker.io/", "index.docker.io/"):
        if name.startswith(registry):
            name = name.removeprefix(registry)
            break
    return name.removeprefix("library/").removesuffix(":latest")


def rfc3339(epoch: int) -> str:
    """Unix seconds as an RFC 3339 date in UTC."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
