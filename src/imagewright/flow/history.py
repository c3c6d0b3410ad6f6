"""What came before an image: the baseline it is judged against, and what a judgement or a push enters in its ledger."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from imagewright.errors import EvidenceError, NothingSelected
from imagewright.evidence import Evidence
from imagewright.flow.destination import client_for
from imagewright.flow.verify import subjects
from imagewright.flow.workspace import Workspace
from imagewright.model.facts import Facts, canonical
from imagewright.model.findings import Database, NotChecked, Scan, Vulnerability
from imagewright.model.history import History, Ledger, Release
from imagewright.model.judged import Accepted, ImageReport
from imagewright.model.records import Build
from imagewright.model.verdict import Verdict
from imagewright.moments import moment
from imagewright.policy import gates, ledger
from imagewright.reference import Digest, Platform, Reference
from imagewright.schema import dump

Chosen = Mapping[tuple[str, Platform], Digest]
"""The baseline that was asked for, by image and platform."""
_MEND = "put the record back, or remove its folder: then everything counts as introduced"
_BRING = "bring out/evidence of its build here, or leave out --against"


@dataclass(frozen=True, slots=True)
class Before:
    """What one judgement is made against: the ledger, the history out of it, the baseline's verdict if it is here."""

    ledger: Ledger
    history: History
    verdict: Verdict | None = None


def chosen(workspace: Workspace, images: Iterable[str], references: tuple[str, ...]) -> Chosen:
    """What ``--against`` asks for. A digest (of a platform's manifest or of the index) or a reference, whose tag the
    registry is asked about.

    Raises NothingSelected for what is neither, or of an image that is not judged now, EvidenceError when nothing is
    known of it here, RegistryRefused when the registry does not answer.
    """
    found: dict[tuple[str, Platform], Digest] = {}
    selected = set(images)
    for text in references:
        for subject in subjects(workspace.evidence, _digest(workspace, text), hint=_BRING):
            build = workspace.evidence.read(Build, subject, "build", hint=_BRING)
            if build.image not in selected:
                why = f"it is of {build.image}"
                raise NothingSelected(
                    f"{text} is of no image that is judged now", why=why, hint=f"add -i {build.image}"
                )
            found[build.image, build.platform] = subject
    return found


def before(workspace: Workspace, build: Build, scan: Scan, wanted: Chosen) -> Before:
    """What came before one image and platform: the baseline asked for, else its last release where it is pushed to.

    A release whose evidence is not here is no baseline, so that everything counts as introduced, and the history says
    why. Raises EvidenceError for a damaged ledger or baseline, and for one asked for that was never accepted.
    """
    evidence, registry = workspace.evidence, workspace.project.settings.registry
    known = evidence.ledger(build.image, build.platform)
    keys = set(_findings(_vulnerabilities(scan)))
    start = History(sightings=tuple(one for one in known.sightings if (one.id, one.package) in keys))
    asked = wanted.get((build.image, build.platform))
    release = ledger.latest(known, registry) if asked is None else ledger.find(known, asked)
    if asked is None and (note := _unfit(evidence, release, registry)):
        return Before(known, replace(start, note=note))
    if asked is not None and not (release and release.checked):
        _check_accepted(evidence, asked, build)
    subject = asked if release is None else release.subject
    assert subject is not None  # noqa: S101 # one of the two is there
    history = replace(
        start,
        against=str(subject),
        packages=gates.packages(evidence.read(Scan, subject, "scan", hint=_MEND).packages),
        note="" if release else "it was asked for, and is no release",
    )
    return Before(known, _dated(history, release, build, scan), _verdict(evidence, subject))


def remember(workspace: Workspace, was: Before, build: Build, scan: Scan, verdict: Verdict) -> None:
    """Enter what a judgement learnt of released digests: what their bytes turned out to have, and that it was made."""
    if isinstance(scan.vulnerabilities, NotChecked) or not isinstance(scan.database, Database):
        return
    found, now, packages = scan.vulnerabilities, moment(verdict.at), set(was.history.packages)
    disclosed = [one for one in found if _package(one) in packages]
    after = was.ledger
    if was.history.against:
        after = ledger.seen(after, Digest.parse(was.history.against), _findings(disclosed), now)
    after = ledger.seen(after, build.subject, _findings(found), now)
    database = moment(scan.database.updated_at)
    after = ledger.judged(after, build.subject, at=now, database_at=database, passed=verdict.passed)
    if after != was.ledger:
        workspace.evidence.keep_ledger(after)


def enter(workspace: Workspace, judged: Iterable[ImageReport], pushed: Mapping[str, Reference], now: str) -> None:
    """Enter what was pushed (by image: repository, tag and the digest it stands for) as a release of each platform."""
    evidence = workspace.evidence
    for one in judged:
        reference = pushed[one.build.image]
        database = "" if isinstance(one.scan.database, NotChecked) else moment(one.scan.database.updated_at)
        checked = not isinstance(one.scan.vulnerabilities, NotChecked) and bool(database)
        release = Release(
            subject=one.build.subject,
            root=one.build.root,
            registry=workspace.project.settings.registry,
            repository=reference.name,
            tag=reference.tag,
            at=now,
            checked=checked,
            judged_at=now if checked else "",
            database_at=database if checked else "",
        )
        known = evidence.ledger(one.build.image, one.build.platform)
        if ledger.is_new(known, release):
            accepted = Accepted(one.definition, one.verdict)
            evidence.write(release.subject, "accepted", accepted, key=one.verdict.facts)
        evidence.keep_ledger(ledger.released(known, release, _findings(_vulnerabilities(one.scan))))


def _digest(workspace: Workspace, text: str) -> Digest:
    try:
        if text.startswith("sha256:"):
            return Digest.parse(text)
        reference = Reference.parse(text)
    except ValueError as error:
        hint = "a digest, or what push prints: registry/repository:tag[@digest]"
        raise NothingSelected(f"{text!r} is no image to judge against", why=str(error), hint=hint) from error
    if reference.digest is not None:
        return reference.digest
    client = client_for(workspace, reference.registry)
    try:
        there = client.head_manifest(reference if reference.tag else reference.with_tag("latest"))
    finally:
        client.close()
    if there is None:
        raise NothingSelected(f"the registry has no {reference}", hint="give its digest, or leave out --against")
    return there.digest


def _unfit(evidence: Evidence, release: Release | None, registry: str) -> str:
    """Why the last release is no baseline; empty when it is one."""
    if release is None:
        return f"nothing was released yet (registry: {registry})"
    if not release.checked:
        return "the last release went out without a look for vulnerabilities, so it is no baseline"
    if not evidence.has(release.subject, "scan"):
        return f"the evidence of {release.subject}, released {release.at}, is not here"
    return ""


def _check_accepted(evidence: Evidence, subject: Digest, build: Build) -> None:
    """Raise EvidenceError unless a digest that was never released passed with its vulnerabilities known.

    Set against itself, or against what nobody accepted, an image would bring in nothing.
    """
    why = "" if subject != build.subject else "it is the very image that is judged, and was not released"
    if not why:
        verdict = evidence.read(Verdict, subject, "verdict", hint=_BRING)
        facts = evidence.read(Facts, subject, "facts", hint=_BRING)
        if not verdict.passed:
            why = "its verdict blocks"
        elif not facts.checks.vulnerabilities.done or Digest.of(canonical(dump(facts))) != verdict.facts:
            why = "it was judged without a look for vulnerabilities, or before it was scanned last"
    if why:
        hint = "scan and judge it first, name another, or leave out --against"
        raise EvidenceError(f"{subject} is no image to judge {build.image} against", why=why, hint=hint)


def _dated(history: History, release: Release | None, build: Build, scan: Scan) -> History:
    """The history with the dates of the release; an image that is the release is judged with its own scan."""
    if release is None:
        return history
    judged_at, database_at = release.judged_at, release.database_at
    if release.subject == build.subject and isinstance(scan.database, Database):
        database_at = max(database_at, moment(scan.database.updated_at))
    return replace(history, released_at=release.at, judged_at=judged_at, database_at=database_at)


def _verdict(evidence: Evidence, subject: Digest) -> Verdict | None:
    """The verdict with which the baseline was accepted, else the last one; None when there is neither."""
    if evidence.has(subject, "accepted"):
        return evidence.read(Accepted, subject, "accepted", hint=_MEND).verdict
    return evidence.read(Verdict, subject, "verdict", hint=_MEND) if evidence.has(subject, "verdict") else None


def _vulnerabilities(scan: Scan) -> tuple[Vulnerability, ...]:
    return () if isinstance(scan.vulnerabilities, NotChecked) else scan.vulnerabilities


def _package(one: Vulnerability) -> str:
    return gates.package(one.package, one.version, one.type, one.purl, one.path)


def _findings(found: Iterable[Vulnerability]) -> tuple[gates.Finding, ...]:
    return tuple(gates.finding(one.id, one.type, one.package) for one in found)
