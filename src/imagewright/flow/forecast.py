"""What one step of one image would do now, and which of its inputs are others than those on record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TypeVar

from imagewright import inputkey, keys
from imagewright.errors import EvidenceError, ImagewrightError
from imagewright.evidence import canonical
from imagewright.flow import history, reuse
from imagewright.flow import push as pushing
from imagewright.flow import report as reporting
from imagewright.flow.cases import case_of
from imagewright.flow.workspace import Workspace, policy_files
from imagewright.inputkey import InputKey
from imagewright.model.definition import ImageDefinition
from imagewright.model.facts import Facts
from imagewright.model.findings import Database, Lint, NotChecked, Scan, ToolIdentity
from imagewright.model.image import Image, Manifest
from imagewright.model.records import Build, JudgedPolicy
from imagewright.model.verdict import Verdict
from imagewright.reference import Digest, Platform
from imagewright.reports.why import Step, reasons
from imagewright.schema import dump
from imagewright.tools import cache, git, hadolint, trivy, trivy_database

Found = TypeVar("Found")
AFTER_BUILD = ("lint", "sources", "scan", "verdict", "report", "push")


@dataclass(frozen=True, slots=True)
class Today:
    """What a run would find around the images: each tool, or the words why there is none."""

    linter: Digest | str
    scanner: ToolIdentity | str
    database: Database | NotChecked
    policy: tuple[tuple[str, str], ...]
    profile: str
    day: date
    tags: tuple[str, ...]


def today(workspace: Workspace) -> Today:
    """What there is now. Raises ConfigurationError when the policy cannot be read."""
    setting, root = workspace.project.settings.scan.database, workspace.project.root
    found = trivy_database.known(setting, root=root, cache=cache.folder())
    return Today(
        linter=_tool(hadolint.digest),
        scanner=_tool(lambda: trivy.find(remembered=True).identity),
        database=found if isinstance(found, NotChecked) else found.database,
        policy=policy_files(root),
        profile=workspace.project.settings.profile,
        day=datetime.now(UTC).date(),
        tags=git.tags_for(git.head(root)),
    )


def _tool(find: Callable[[], Found]) -> Found | str:
    try:
        return find()
    except ImagewrightError as error:
        return error.what


def build(workspace: Workspace, image: ImageDefinition, key: InputKey) -> Step:
    """The build, with the key it would have."""
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


def lint(workspace: Workspace, image: ImageDefinition, name: str, manifest: Manifest, today: Today) -> Step:
    """The image was built from this very Dockerfile, so its lint is of it too: only the linter may be another."""
    evidence, subject = workspace.evidence, manifest.digest
    try:
        before = evidence.read(Lint, subject, "lint", hint="").linter.sha256
    except EvidenceError as error:
        return Step(name, "lint", "again", (error.what,))
    if isinstance(today.linter, str):
        return Step(name, "lint", "again", (today.linter,))
    content = Digest.of((workspace.project.root / image.dockerfile).read_bytes())
    new = keys.lint(image.dockerfile, content, image.needs, today.linter)
    if evidence.key(subject, "lint") == new.digest:
        return Step(name, "lint", "reused")
    changed = (
        reasons(inputkey.changes(keys.lint(image.dockerfile, content, image.needs, before), new)) if before else ()
    )
    return Step(name, "lint", "again", changed or ("it was done in another way",))


def scan(workspace: Workspace, name: str, manifest: Manifest, today: Today) -> Step:
    """The scan of a platform and its bills of materials."""
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


def sources(workspace: Workspace, name: str, manifest: Manifest, key: InputKey) -> Step:
    """What is gathered of an image's sources."""
    if reuse.gathered_before(workspace, manifest.digest, key.digest):
        return Step(name, "sources", "reused")
    changed = _changes(workspace, manifest, "inputs", key)
    return Step(name, "sources", "again", changed or ("its record cannot be trusted",))


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


def verdict(workspace: Workspace, image: ImageDefinition, name: str, manifest: Manifest, today: Today) -> Step:
    """Whether judging would say what is on record, and of facts that are on record."""
    evidence, subject = workspace.evidence, manifest.digest
    if not evidence.has(subject, "verdict"):
        return Step(name, "verdict", "again", ("it was never done",))
    try:
        before = evidence.read(Verdict, subject, "verdict", hint="")
        policy = evidence.read(JudgedPolicy, subject, "policy", hint="").files
        evidence.read(Facts, subject, "facts", hint="")
        case = case_of(workspace, image, name, manifest)
        was = history.before(workspace, case.build, case.scan, {}).history
    except EvidenceError as error:
        return Step(name, "verdict", "again", (error.what,))
    now = Digest.of(canonical(dump(was)))
    then = date.fromisoformat(before.date)
    old = keys.verdict(before.facts, before.history, policy, profile=before.profile, day=then)
    new = keys.verdict(before.facts, now, today.policy, profile=today.profile, day=today.day)
    changed = (*_changes(workspace, manifest, "facts", case.made_from), *reasons(inputkey.changes(old, new)))
    return Step(name, "verdict", "again" if changed else "reused", changed)


def report(workspace: Workspace, image: ImageDefinition, name: str, platform: Platform, manifest: Manifest) -> Step:
    """The pages of a verdict that stands."""
    changed = reporting.changes(workspace, image, platform, manifest.digest)
    if changed is None:
        return Step(name, "report", "again", ("its pages are not as they were written",))
    return Step(name, "report", "again" if changed else "reused", reasons(changed))


def push(workspace: Workspace, image: ImageDefinition, built: Image, today: Today) -> Step:
    """Whether just this was pushed last from here. What the registry has of it by now, only a push finds out."""
    before = pushing.last(workspace, image)
    if before is None:
        return Step(image.name, "push", "again", ("no push of it is on record here",))
    changed = reasons(inputkey.changes(before, pushing.key(workspace, image, built, today.tags)))
    return Step(image.name, "push", "again" if changed else "reused", changed)
