"""why: what a run would do now, and which inputs changed since the last one. Nothing is started, asked or written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from imagewright import inputkey, keys
from imagewright.errors import EvidenceError, ImagewrightError
from imagewright.flow import bases, reuse
from imagewright.flow.judge import cases
from imagewright.flow.targets import targets_of
from imagewright.flow.workspace import Workspace, platforms, policy_files
from imagewright.inputkey import InputKey
from imagewright.model.definition import ImageDefinition
from imagewright.model.findings import Database, Lint, NotChecked, Scan, ToolIdentity
from imagewright.model.image import Manifest
from imagewright.model.records import Build, JudgedPolicy
from imagewright.model.repository import Inputs
from imagewright.model.verdict import Verdict
from imagewright.plan import Context, Target, select
from imagewright.reference import Digest
from imagewright.reports.why import Step, reasons, render
from imagewright.tools import cache, hadolint, trivy, trivy_database
from imagewright.tools.binary import Program


@dataclass(frozen=True, slots=True)
class _Today:
    """What a run would find around the images: each tool, or the words why there is none."""

    linter: ToolIdentity | str
    scanner: ToolIdentity | str
    database: Database | NotChecked
    policy: tuple[tuple[str, str], ...]
    profile: str
    day: date


def explain(workspace: Workspace, names: tuple[str, ...]) -> str:
    """Every step of the named images, and of what they need, as text."""
    return render(why(workspace, names))


def plan(workspace: Workspace, names: tuple[str, ...]) -> str:
    """What a build would do, as text: the same, without the steps of other verbs."""
    return render(step for step in why(workspace, names) if step.name in ("build", "lint", "sources"))


def why(workspace: Workspace, names: tuple[str, ...]) -> tuple[Step, ...]:
    """The steps of each named image and of what it needs, in the order of work.

    The builder is taken to be that of the last build, since asking for it may start it. Raises ConfigurationError.
    """
    images = select(workspace.project, names)
    records = tuple(_builds(workspace, images))
    last = max(records, key=lambda record: record.finished_at, default=None)
    targets = tuple(_as_before(target, records) for target in targets_of(workspace, images, bases.planned))
    expected = reuse.inputs(workspace, targets, last.builder if last else (), remember=False)
    sources = reuse.sources(workspace, images, expected)
    today = _today(workspace)
    return tuple(
        step
        for image in images
        for step in _steps(workspace, image, expected[image.name], sources[image.name].key, today)
    )


def _today(workspace: Workspace) -> _Today:
    setting = workspace.project.settings.scan.database
    found = trivy_database.known(setting, root=workspace.project.root, cache=cache.folder())
    return _Today(
        linter=_tool(hadolint.find),
        scanner=_tool(trivy.find),
        database=found if isinstance(found, NotChecked) else found.database,
        policy=policy_files(workspace.project.root),
        profile=workspace.project.settings.profile,
        day=datetime.now(UTC).date(),
    )


def _tool(find: Callable[[], Program]) -> ToolIdentity | str:
    try:
        return find().identity
    except ImagewrightError as error:
        return error.what


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
    workspace: Workspace, image: ImageDefinition, key: InputKey, sources: InputKey, today: _Today
) -> Iterator[Step]:
    built = _build(workspace, image, key)
    yield built
    if built.state != "reused":
        yield from (Step(image.name, name, "after", after="build") for name in ("lint", "sources", "scan", "verdict"))
        return
    known = workspace.store.image(image.name)
    for _, name, _, manifest in platforms(((image, known),)):
        yield _lint(workspace, image, name, manifest, today)
        yield _sources(workspace, name, manifest, sources)
        scanned = _scan(workspace, name, manifest, today)
        yield scanned
        if scanned.state == "reused":
            yield _verdict(workspace, image, name, manifest, today)
        else:
            yield Step(name, "verdict", "after", after="scan")


def _build(workspace: Workspace, image: ImageDefinition, key: InputKey) -> Step:
    if reuse.built_before(workspace, image.name, key.digest):
        return Step(image.name, "build", "reused")
    try:
        changed: dict[str, None] = {}
        for _, manifest in workspace.store.image(image.name).manifests:
            record = workspace.evidence.read(Build, manifest.digest, "build", hint="")
            if record.key != key.digest:
                changed |= dict.fromkeys(_changes(workspace, manifest, "build", key))
    except EvidenceError as error:
        return Step(image.name, "build", "again", (error.what,))
    return Step(image.name, "build", "again", tuple(changed) or ("some of its bytes are missing",))


def _lint(workspace: Workspace, image: ImageDefinition, name: str, manifest: Manifest, today: _Today) -> Step:
    """The image was built from this very Dockerfile, so its lint is of it too: only the linter may be another."""
    try:
        before = workspace.evidence.read(Lint, manifest.digest, "lint", hint="").linter
    except EvidenceError as error:
        return Step(name, "lint", "again", (error.what,))
    if isinstance(today.linter, str):
        return Step(name, "lint", "again", (today.linter,))
    content = Digest.of((workspace.project.root / image.dockerfile).read_bytes())
    old, new = (keys.lint(image.dockerfile, content, linter) for linter in (before, today.linter))
    changed = reasons(inputkey.changes(old, new))
    return Step(name, "lint", "again" if changed else "reused", changed)


def _scan(workspace: Workspace, name: str, manifest: Manifest, today: _Today) -> Step:
    if isinstance(today.scanner, str):
        return Step(name, "scan", "again", (today.scanner,))
    if not workspace.evidence.has(manifest.digest, "scan"):
        return Step(name, "scan", "again", ("it was never done",))
    try:
        build = workspace.evidence.read(Build, manifest.digest, "build", hint="")
        before = workspace.evidence.read(Scan, manifest.digest, "scan", hint="")
    except EvidenceError as error:
        return Step(name, "scan", "again", (error.what,))
    # Without a database a scan asks for one again, and only then knows why there is none.
    none = isinstance(today.database, NotChecked) and isinstance(before.database, NotChecked)
    key = keys.scan(
        manifest.digest, build.image, build.source, today.scanner, before.database if none else today.database
    )
    if reuse.scanned_before(workspace, manifest.digest, key):
        return Step(name, "scan", "reused")
    changed = _changes(workspace, manifest, "scan", key)
    return Step(name, "scan", "again", changed or ("its report or a bill of materials is not as it was",))


def _sources(workspace: Workspace, name: str, manifest: Manifest, key: InputKey) -> Step:
    changed = _changes(workspace, manifest, "inputs", key)
    try:
        workspace.evidence.read(Inputs, manifest.digest, "inputs", hint="")
    except EvidenceError as error:
        changed = (error.what,)
    return Step(name, "sources", "again" if changed else "reused", changed)


def _changes(workspace: Workspace, manifest: Manifest, kind: str, key: InputKey) -> tuple[str, ...]:
    """What differs between a record's inputs and those of now; none when the record stands."""
    evidence = workspace.evidence
    try:
        known = evidence.key(manifest.digest, kind)
        before = evidence.read(InputKey, manifest.digest, f"{kind}-key", hint="")
    except EvidenceError as error:
        missing = not evidence.has(manifest.digest, f"{kind}-key")
        return ("what it was made from is not on record" if missing else error.what,)
    if known != before.digest:
        return ("its inputs changed while they were read",) if known else (f"there is no {kind} record",)
    return reasons(inputkey.changes(before, key))


def _verdict(workspace: Workspace, image: ImageDefinition, name: str, manifest: Manifest, today: _Today) -> Step:
    evidence, subject = workspace.evidence, manifest.digest
    if not evidence.has(subject, "verdict"):
        return Step(name, "verdict", "again", ("it was never done",))
    try:
        before = evidence.read(Verdict, subject, "verdict", hint="")
        policy = evidence.read(JudgedPolicy, subject, "policy", hint="").files
        facts = next(case.key for case in cases(workspace, (image.name,)) if case.manifest.digest == subject)
    except EvidenceError as error:
        return Step(name, "verdict", "again", (error.what,))
    old = keys.verdict(before.facts, policy, profile=before.profile, day=date.fromisoformat(before.date), together={})
    new = keys.verdict(before.facts, today.policy, profile=today.profile, day=today.day, together={})
    changed = reasons(inputkey.changes(old, new))
    if evidence.key(subject, "facts") != facts:
        changed = ("the definition or a record it stands on is another", *changed)
    return Step(name, "verdict", "again" if changed else "reused", changed)
