"""Which images stand as they are, and what is known of them today. No engine is started to find that out."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imagewright.flow import reuse
from imagewright.flow.checkout import Files
from imagewright.flow.lint import Linted
from imagewright.flow.workspace import Workspace
from imagewright.inputkey import InputKey
from imagewright.model.findings import ToolIdentity
from imagewright.model.image import Image
from imagewright.plan import Target
from imagewright.progress import step
from imagewright.tools import engine_memory

if TYPE_CHECKING:  # it is loaded where there is something to build
    from imagewright.tools.engine import Engine

_ZLIB = ToolIdentity("zlib", zlib.ZLIB_RUNTIME_VERSION)
"""What compresses the layers that are dated here, and not in the engine."""


@dataclass(frozen=True, slots=True)
class Builder:
    """Who would build. The engine is None while what is remembered of it has to do."""

    tools: tuple[ToolIdentity, ...]
    engine: Engine | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """The images that stand from these inputs, and what decides that: the keys, and who would build.

    The builder has no engine when all of them stand by what is remembered of it.
    """

    builder: Builder
    keys: Mapping[str, InputKey]
    kept: Mapping[str, Image]


def remembered(workspace: Workspace) -> Builder:
    """The builder as it is remembered, else as it is found now. Raises ToolMissing when no engine is fit."""
    tools = recalled(workspace)
    return _find(workspace) if tools is None else Builder(tools)


def recalled(workspace: Workspace) -> tuple[ToolIdentity, ...] | None:
    """What of the remembered builder decides bytes; None when that has to be found out. Nothing is started for it."""
    tools = engine_memory.recall(workspace.project.settings.engine, workspace.environ)
    return None if tools is None else (*tools, _ZLIB)


def look_up(
    workspace: Workspace,
    targets: tuple[Target, ...],
    received: Mapping[str, Files],
    builder: Builder,
    *,
    no_cache: bool,
) -> Standing:
    """What stands of these targets, whose builds get what is ``received``; with ``no_cache`` nothing does.

    Raises ToolMissing when no engine is fit.
    """

    def of(builder: Builder) -> Standing:
        keys = reuse.inputs(targets, received, builder.tools)
        found = {name: reuse.built_before(workspace, name, key.digest) for name, key in keys.items()}
        return Standing(builder, keys, {} if no_cache else {name: image for name, image in found.items() if image})

    first = of(builder)
    if builder.engine or len(first.kept) == len(targets):
        return first
    found = _find(workspace)
    if found.tools == builder.tools:
        return Standing(found, first.keys, first.kept)
    return of(found)


def _find(workspace: Workspace) -> Builder:
    from imagewright.tools import engine

    choice = workspace.project.settings.engine
    with step(workspace.progress, "engine", "find") as row:
        found = engine.find(choice, note=row.update)
        row.update(f"{found.kind}, Docker {found.version}, buildx {found.buildx}")
    engine_memory.remember(choice, workspace.environ, found)
    return Builder((*engine_memory.builder(found), _ZLIB), found)


def renew(
    workspace: Workspace,
    targets: tuple[Target, ...],
    kept: Mapping[str, Image],
    linted: Mapping[str, Linted],
    sources: Mapping[str, reuse.Sources],
) -> None:
    """Record what is known today of the images that stand: nothing is solved, exported or hashed for them."""
    for target in targets:
        name = target.image.name
        if name not in kept:
            continue
        with step(workspace.progress, name, "build") as row:
            row.update(f"unchanged, @{kept[name].root.digest.short}")
            used = tuple(context.base for context in target.bases)
            for _, manifest in kept[name].manifests:
                reuse.note_bases(workspace, manifest, used)
                workspace.evidence.keep(manifest.digest, "lint", linted[name].record, key=linted[name].key)
                reuse.note_sources(workspace, target.image, manifest, sources[name])
