"""The targets of a build: each image with its source and the outside bases it stands on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from imagewright import plan
from imagewright.flow import bases
from imagewright.flow.workspace import Workspace
from imagewright.model.definition import ImageDefinition
from imagewright.model.records import Source
from imagewright.plan import Context, Target
from imagewright.reference import Platform

Resolve = Callable[[Workspace, Iterable[str], Platform], dict[str, Context]]


def targets_of(
    workspace: Workspace, images: tuple[ImageDefinition, ...], sources: Mapping[str, Source], resolve: Resolve
) -> tuple[Target, ...]:
    """A target for each image, which come after their needs; ``resolve`` finds the outside bases.

    Raises ConfigurationError for a base that a Dockerfile names and nobody declared.
    """
    project = workspace.project
    named: dict[str, tuple[str, ...]] = {}
    for image in images:
        text = (project.root / image.dockerfile).read_text("utf-8", "replace")
        own = plan.check_bases(image, plan.outside_names(text), project)
        named[image.name] = tuple(dict.fromkeys([*own, *(base for need in image.needs for base in named[need])]))
    wanted = dict.fromkeys(base for names in named.values() for base in names)
    contexts = resolve(workspace, wanted, bases.host_platform())
    return tuple(
        Target(image, sources[image.name], tuple(contexts[name] for name in named[image.name])) for image in images
    )
