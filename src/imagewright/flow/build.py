"""build: lint, then one solve of all images, each adopted into the store by digest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from imagewright import plan
from imagewright.errors import ToolFailed, disk_full
from imagewright.flow import bases, checkout, dating, retention, reuse, revisions, standing
from imagewright.flow.lint import Linted, lint
from imagewright.flow.origin import base_layers
from imagewright.flow.targets import targets_of
from imagewright.flow.workspace import Workspace
from imagewright.inputkey import InputKey
from imagewright.model.definition import ImageDefinition
from imagewright.model.findings import ToolIdentity
from imagewright.model.image import Image
from imagewright.model.records import Build
from imagewright.model.repository import Inputs
from imagewright.oci.layout import Store
from imagewright.plan import Target
from imagewright.progress import Row
from imagewright.reference import Digest

if TYPE_CHECKING:  # what builds is loaded where there is something to build
    from imagewright.tools.buildx import Solve
    from imagewright.tools.engine import Engine

_NO_ROOM = "no space left on device"
"""What BuildKit and its client say of a full disk."""


@dataclass(frozen=True, slots=True)
class _Failure:
    image: str
    text: str


def build(
    workspace: Workspace, names: tuple[str, ...], *, no_cache: bool = False, scan_ahead: bool = False
) -> tuple[Image, ...]:
    """Build the named images and what they need; returns those that were built, needs first.

    Images that do not depend on a failing one are finished; then ToolFailed names the failing steps. ``scan_ahead``
    says that a scan comes next: it begins with each image that is exported, while others are still being built.
    """
    images = plan.select(workspace.project, names)
    linted = lint(workspace, images)
    builder = standing.remembered(workspace)
    seen = checkout.look(workspace, images)
    targets = targets_of(workspace, images, seen.sources, bases.contexts)
    now = standing.look_up(workspace, targets, seen.received, builder, no_cache=no_cache)
    sources = reuse.sources(workspace, images, now.keys, seen.repositories)
    standing.renew(workspace, targets, now.kept, linted, sources)
    kept, found = now.kept, now.builder.engine
    stale = tuple(target for target in targets if target.image.name not in kept)
    if found is None:
        return tuple(kept[image.name] for image in images)
    from imagewright.flow.inputs import gather

    with workspace.scratch() as folder:
        finished, failures = _solve(workspace, found, targets, stale, folder, no_cache=no_cache, scan_ahead=scan_ahead)
        root, built = workspace.project.root, [target.image for target, _ in finished]
        inputs = {image.name: gather(root, image, sources[image.name].repository) for image in built}
        after = reuse.inputs(targets, checkout.received(workspace, images), now.builder.tools)
        made = {}
        for target, row in finished:
            name = target.image.name
            made[name] = _adopt(
                workspace,
                target,
                folder,
                (now.keys[name], sources[name].key),
                (linted[name], inputs[name]),
                now.builder.tools,
                row,
                steady=now.keys[name] == after[name],
            )
    if made:
        retention.tidy(workspace)
    _raise_for(failures, images)
    return tuple({**kept, **made}[image.name] for image in images)


def build_anew(workspace: Workspace, names: tuple[str, ...], folder: Path) -> dict[str, Path]:
    """Build the named images and what they need with no cached step and empty cache mounts; the layout of each.

    Nothing enters the store. Raises ToolFailed naming the failing steps.
    """
    from imagewright.tools import engine

    images = plan.select(workspace.project, names)
    found = engine.find(workspace.project.settings.engine)
    targets = targets_of(workspace, images, revisions.sources(workspace, names), bases.contexts)
    mounts = f"imagewright-{folder.name}"
    finished, failures = _solve(workspace, found, targets, targets, folder, no_cache=True, cache_mounts=mounts)
    fresh = replace(workspace, out=folder, store=Store(folder / "store"))  # where no layer was ever dated
    for target, row in finished:
        name, below = target.image.name, _dates_below(workspace, target.image)
        dating.date(fresh, dating.Export(name, folder / name, target.source.epoch, below))
        row.done("once more")
    _raise_for(failures, images)
    return {target.image.name: folder / target.image.name for target, _ in finished}


def describe(workspace: Workspace, names: tuple[str, ...]) -> str:
    """The plan of a build as JSON: nothing is started, no base assembled."""
    images = plan.select(workspace.project, names)
    targets = targets_of(workspace, images, revisions.sources(workspace, names), bases.planned)
    outputs = {image.name: Path("out/.scratch") / image.name for image in images}
    document = plan.bake_document(workspace.project.root, targets, outputs, ca_bundle=_ca_bundle(workspace))
    return json.dumps(document, indent=2)


def _solve(
    workspace: Workspace,
    found: Engine,
    targets: tuple[Target, ...],
    stale: tuple[Target, ...],
    folder: Path,
    *,
    no_cache: bool,
    cache_mounts: str = "",
    scan_ahead: bool = False,
) -> tuple[list[tuple[Target, Row]], list[_Failure]]:
    """Solve until what is left ends well: the targets built, each with its open row, and the failures."""
    from imagewright.tools import buildx

    failures: list[_Failure] = []
    rows = {target.image.name: workspace.progress.start(target.image.name, "build") for target in stale}
    while stale:
        outputs = {target.image.name: folder / target.image.name for target in stale}
        needed = {image.name for image in plan.select(workspace.project, outputs)}
        work = [target for target in targets if target.image.name in needed]
        document = plan.bake_document(
            workspace.project.root,
            work,
            outputs,
            ca_bundle=_ca_bundle(workspace),
            no_cache=no_cache,
            cache_mounts=cache_mounts,
        )
        with _looking(workspace, stale, folder) if scan_ahead and not failures else nullcontext():
            solve = buildx.bake(found, document, folder, {name: rows[name] for name in outputs})
        if solve.ok:
            return [(target, rows[target.image.name]) for target in stale], failures
        stale = _without_broken(stale, solve, rows, failures)
    return [], failures


def _looking(workspace: Workspace, targets: tuple[Target, ...], folder: Path) -> AbstractContextManager[None]:
    from imagewright.flow import ahead  # with all that a scan needs

    return ahead.looking(workspace, targets, folder, lambda image: _dates_below(workspace, image))


def _adopt(
    workspace: Workspace,
    target: Target,
    folder: Path,
    keys: tuple[InputKey, InputKey],
    seen: tuple[Linted, Inputs],
    builder: tuple[ToolIdentity, ...],
    row: Row,
    *,
    steady: bool,
) -> Image:
    """``keys`` are those of the build and of what was gathered, ``seen`` is what linter and gathering said.

    ``steady`` says that the keys held until the end.
    """
    (build, gathered), (linted, inputs) = keys, seen
    name = target.image.name
    row.update("adopting into the store")
    epoch = target.source.epoch
    dates = dating.date(workspace, dating.Export(name, folder / name, epoch, _dates_below(workspace, target.image)))
    image = workspace.store.adopt(folder / name, name)
    # Inputs that changed while they were read are nobody's: such a record is never found again.
    build_key, inputs_key = (key.digest if steady else Digest.of(str(folder).encode()) for key in (build, gathered))
    finished = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    evidence = workspace.evidence
    used = tuple(context.base for context in target.bases)
    for platform, manifest in image.manifests:
        subject = manifest.digest
        made = Build(
            *(subject, image.root.digest, name, platform, target.source, used, builder, build_key, finished),
            dates=dates[platform],
            base_layers=base_layers(workspace, target, platform, manifest),
        )
        evidence.write(subject, "build-key", build, key=build_key)
        evidence.write(subject, "build", made, key=build_key)
        evidence.write(subject, "lint", linted.record, key=linted.key)
        evidence.write(subject, "inputs-key", gathered, key=inputs_key)
        evidence.write(subject, "inputs", inputs, key=inputs_key)
    row.done(f"@{image.root.digest.short}")
    return image


def _dates_below(workspace: Workspace, image: ImageDefinition) -> dating.Dates:
    """The source dates of the layers of the image it stands on; of one from outside none are known."""
    below = plan.standing_on(image, (workspace.project.root / image.dockerfile).read_text("utf-8", "replace"))
    if below not in image.needs:
        return {}
    records = (
        (platform, workspace.evidence.read(Build, manifest.digest, "build", hint=f"./inv build -i {below}"))
        for platform, manifest in workspace.store.image(below).manifests
    )
    return {platform: record.dates for platform, record in records}


def _raise_for(failures: list[_Failure], images: tuple[ImageDefinition, ...]) -> None:
    if failures:
        why = "\n".join(failure.text for failure in failures)
        if _NO_ROOM in why:
            raise disk_full(why)
        raise ToolFailed(
            f"{len(failures)} of {len(images)} images could not be built",
            why=why,
            hint="mend the step above; what was finished is kept",
        )


def _without_broken(
    stale: tuple[Target, ...],
    solve: Solve,
    rows: Mapping[str, Row],
    failures: list[_Failure],
) -> tuple[Target, ...]:
    """The targets that can still be built; raises ToolFailed when no step, but the engine, failed."""
    broken = {failure.image for failure in solve.failures if failure.image}
    if not broken:
        for target in stale:
            rows[target.image.name].failed("the solve broke off")
        if _NO_ROOM in solve.output:
            raise disk_full(solve.output[-2000:])
        raise ToolFailed("the build broke off", why=solve.output[-2000:], hint="./inv doctor; is the disk full?")
    images = [target.image for target in stale]
    lost = plan.dependents(images, broken)
    for failure in solve.failures:
        if failure.image not in rows:
            continue
        rows[failure.image].failed(f"{failure.step}: {failure.reason}")
        failures.append(_Failure(failure.image, f"{failure.image}: {failure.step}\n{failure.reason}"))
    for name in sorted(lost - broken):
        rows[name].failed("needs an image that could not be built")
        failures.append(_Failure(name, f"{name}: needs an image that could not be built"))
    return tuple(target for target in stale if target.image.name not in lost)


def _ca_bundle(workspace: Workspace) -> Path | None:
    """The certificate bundle builds may need behind a TLS-inspecting proxy: as configured, else as the shell has it."""
    configured = workspace.project.settings.ca_bundle or workspace.environ.get("SSL_CERT_FILE", "")
    return Path(configured) if configured and Path(configured).is_file() else None
