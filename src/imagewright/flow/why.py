"""why: what a run would do now, and which inputs changed since the last one.

Nothing is started or sent, no registry is asked, and nothing of the project is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from imagewright.errors import EvidenceError
from imagewright.flow import bases, checkout, forecast, reuse, standing
from imagewright.flow.forecast import Today
from imagewright.flow.targets import targets_of
from imagewright.flow.workspace import Workspace, platforms
from imagewright.inputkey import InputKey
from imagewright.model.definition import ImageDefinition
from imagewright.model.records import Build
from imagewright.plan import Context, Target, select
from imagewright.reports.why import Step, render


def explain(workspace: Workspace, names: tuple[str, ...]) -> str:
    """Every step of the named images, and of what they need, as text."""
    return render(why(workspace, names))


def plan(workspace: Workspace, names: tuple[str, ...]) -> str:
    """What a build would do, as text: the same, without the steps of other verbs."""
    return render(step for step in why(workspace, names) if step.name in ("build", "lint", "sources"))


def why(workspace: Workspace, names: tuple[str, ...]) -> tuple[Step, ...]:
    """The steps of each named image and of what it needs, in the order of work.

    The builder is the one that is remembered to be here, else that of the last build, since asking for it may start it.
    Raises ConfigurationError.
    """
    images = select(workspace.project, names)
    records = tuple(_builds(workspace, images))
    last = max(records, key=lambda record: record.finished_at, default=None)
    seen = checkout.look(workspace, images, remember=False)
    planned = targets_of(workspace, images, seen.sources, bases.planned)
    targets = tuple(_as_before(target, records) for target in planned)
    builder = standing.recalled(workspace) or (last.builder if last else ())
    expected = reuse.inputs(targets, seen.received, builder)
    sources = reuse.sources(workspace, images, expected, seen.repositories)
    today = forecast.today(workspace)
    return tuple(
        step
        for image in images
        for step in _steps(workspace, image, expected[image.name], sources[image.name].key, today)
    )


def _builds(workspace: Workspace, images: tuple[ImageDefinition, ...]) -> Iterator[Build]:
    for image in images:
        try:
            for _, manifest in workspace.store.image(image.name).manifests:
                yield workspace.evidence.read(Build, manifest.digest, "build", hint="")
        except EvidenceError:
            continue


def _as_before(target: Target, records: tuple[Build, ...]) -> Target:
    """The target, with the bases of the last build where only a build finds out which bytes they are."""
    known = {base.name: base.digest for record in records for base in record.bases}

    def as_known(context: Context) -> Context:
        if context.base.digest != bases.UNKNOWN:
            return context
        return replace(context, base=replace(context.base, digest=known.get(context.base.name, bases.UNKNOWN)))

    return replace(target, bases=tuple(as_known(context) for context in target.bases))


def _steps(
    workspace: Workspace, image: ImageDefinition, key: InputKey, sources: InputKey, today: Today
) -> Iterator[Step]:
    built = forecast.build(workspace, image, key)
    yield built
    if built.state != "reused":
        yield from (Step(image.name, name, "after", after="build") for name in forecast.AFTER_BUILD)
        return
    known = workspace.store.image(image.name)
    verdicts = []
    for _, name, platform, manifest in platforms(((image, known),)):
        yield forecast.lint(workspace, image, name, manifest, today)
        yield forecast.sources(workspace, name, manifest, sources)
        scan = forecast.scan(workspace, name, manifest, today)
        verdict = _after(scan, "verdict", partial(forecast.verdict, workspace, image, name, manifest, today))
        yield from (scan, verdict)
        yield _after(verdict, "report", partial(forecast.report, workspace, image, name, platform, manifest))
        verdicts.append(verdict)
    open_ = next((verdict for verdict in verdicts if verdict.state != "reused"), verdicts[0])
    yield replace(_after(open_, "push", partial(forecast.push, workspace, image, known, today)), image=image.name)


def _after(before: Step, name: str, look: Callable[[], Step]) -> Step:
    """A step that is looked at when the one before it stands."""
    return look() if before.state == "reused" else Step(before.image, name, "after", after=before.name)
