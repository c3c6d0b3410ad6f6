"""build: lint, then one solve of all images, each adopted into the store by digest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from imagewright import plan
from imagewright.errors import ToolFailed
from imagewright.flow import bases
from imagewright.flow.inputs import gather
from imagewright.flow.lint import lint
from imagewright.flow.workspace import Workspace
from imagewright.model.definition import ImageDefinition
from imagewright.model.findings import Lint, ToolIdentity
from imagewright.model.image import Image
from imagewright.model.records import Build
from imagewright.model.repository import Inputs
from imagewright.plan import Target
from imagewright.progress import Row, step
from imagewright.tools import buildx, engine, git


@dataclass(frozen=True, slots=True)
class _Failure:
    image: str
    text: str


def build(workspace: Workspace, names: tuple[str, ...], *, no_cache: bool = False) -> tuple[Image, ...]:
    """Build the named images and what they need; returns those that were built, needs first.

    Images that do not depend on a failing one are finished; then ToolFailed names the failing steps.
    """
    images = plan.select(workspace.project, names)
    linted = lint(workspace, images)
    inputs = {image.name: gather(workspace, image) for image in images}
    with step(workspace.progress, "engine", "find") as row:
        found = engine.find(workspace.project.settings.engine, note=row.update)
        row.update(f"{found.kind}, Docker {found.version}, buildx {found.buildx}")
    targets = _targets(workspace, images, with_bases=True)
    builder = (ToolIdentity("docker", found.version), ToolIdentity("buildx", found.buildx))
    built: list[Image] = []
    failures: list[_Failure] = []
    with workspace.scratch() as folder:
        outputs = {image.name: folder / image.name for image in images}
        remaining = targets
        while remaining:
            document = plan.bake_document(
                workspace.project.root, remaining, outputs, ca_bundle=_ca_bundle(workspace), no_cache=no_cache
            )
            rows = {target.image.name: workspace.progress.start(target.image.name, "build") for target in remaining}
            solve = buildx.bake(found, document, folder, rows)
            if solve.ok:
                built += [
                    _adopt(workspace, target, outputs, linted, inputs, builder, rows[target.image.name])
                    for target in remaining
                ]
                break
            remaining = _without_broken(remaining, solve, rows, failures)
    if failures:
        why = "\n".join(failure.text for failure in failures)
        remedy = "make room on the disk" if "no space left on device" in why else "mend the step above"
        raise ToolFailed(
            f"{len(failures)} of {len(images)} images could not be built",
            why=why,
            hint=f"{remedy}; what was finished is kept",
        )
    return tuple(built)


def describe(workspace: Workspace, names: tuple[str, ...]) -> str:
    """The plan of a build as JSON: nothing is started, no base assembled."""
    images = plan.select(workspace.project, names)
    targets = _targets(workspace, images, with_bases=False)
    outputs = {image.name: Path("out/.scratch") / image.name for image in images}
    document = plan.bake_document(workspace.project.root, targets, outputs, ca_bundle=_ca_bundle(workspace))
    return json.dumps(document, indent=2)


def _targets(workspace: Workspace, images: tuple[ImageDefinition, ...], *, with_bases: bool) -> tuple[Target, ...]:
    project = workspace.project
    url = git.remote_url(project.root) or project.settings.source_url
    named: dict[str, tuple[str, ...]] = {}
    for image in images:
        text = (project.root / image.dockerfile).read_text("utf-8", "replace")
        own = plan.check_bases(image, plan.outside_names(text), project)
        named[image.name] = tuple(dict.fromkeys([*own, *(base for need in image.needs for base in named[need])]))
    wanted = dict.fromkeys(base for names in named.values() for base in names)
    resolve = bases.contexts if with_bases else bases.planned
    contexts = resolve(workspace, wanted, bases.host_platform())
    return tuple(
        Target(
            image,
            git.source(project.root, plan.input_paths(image, project), url=url),
            tuple(contexts[name] for name in named[image.name]),
        )
        for image in images
    )


def _adopt(
    workspace: Workspace,
    target: Target,
    outputs: Mapping[str, Path],
    linted: Mapping[str, Lint],
    inputs: Mapping[str, Inputs],
    builder: tuple[ToolIdentity, ...],
    row: Row,
) -> Image:
    name = target.image.name
    row.update("adopting into the store")
    image = workspace.store.adopt(outputs[name], name)
    key = plan.target_key(target)
    finished = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    for platform, manifest in image.manifests:
        used = tuple(context.base for context in target.bases)
        record = Build(manifest.digest, image.root.digest, name, platform, target.source, used, builder, key, finished)
        workspace.evidence.write(manifest.digest, "build", record, key=key)
        workspace.evidence.write(manifest.digest, "lint", linted[name], key=key)
        workspace.evidence.write(manifest.digest, "inputs", inputs[name], key=key)
    row.done(str(image.root.digest))
    return image


def _without_broken(
    targets: tuple[Target, ...], solve: buildx.Solve, rows: Mapping[str, Row], failures: list[_Failure]
) -> tuple[Target, ...]:
    """The targets that can still be built; raises ToolFailed when no step, but the engine, failed."""
    broken = {failure.image for failure in solve.failures if failure.image}
    if not broken:
        for row in rows.values():
            row.failed("the solve broke off")
        raise ToolFailed("the build broke off", why=solve.output[-2000:], hint="./inv doctor; is the disk full?")
    images = [target.image for target in targets]
    lost = plan.dependents(images, broken)
    for failure in solve.failures:
        if failure.image not in rows:
            continue
        rows[failure.image].failed(f"{failure.step}: {failure.reason}")
        failures.append(_Failure(failure.image, f"{failure.image}: {failure.step}\n{failure.reason}"))
    for name in sorted(lost - broken):
        rows[name].failed("needs an image that could not be built")
        failures.append(_Failure(name, f"{name}: needs an image that could not be built"))
    return tuple(target for target in targets if target.image.name not in lost)


def _ca_bundle(workspace: Workspace) -> Path | None:
    """The certificate bundle builds may need behind a TLS-inspecting proxy: as configured, else as the shell has it."""
    configured = workspace.project.settings.ca_bundle or workspace.environ.get("SSL_CERT_FILE", "")
    return Path(configured) if configured and Path(configured).is_file() else None
