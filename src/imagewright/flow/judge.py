"""Judging anew: a verdict from the facts of each image, and the reports that show it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from imagewright import schema
from imagewright.errors import EvidenceError, PolicyRefused
from imagewright.flow import feeds, history, judgement, report
from imagewright.flow.cases import Case, cases, facts_of
from imagewright.flow.workspace import Workspace, platforms
from imagewright.model.facts import Facts
from imagewright.model.image import Layer
from imagewright.model.judged import ImageReport
from imagewright.model.records import JudgedPolicy
from imagewright.model.verdict import Policy, Verdict
from imagewright.policy import evaluate, ledger, settle
from imagewright.policy.gates import compare
from imagewright.reference import Digest

_judged: dict[Digest, tuple[ImageReport, ...]] = {}


@dataclass(frozen=True, slots=True)
class Judged:
    """One case with its facts, what came before it, and the verdict on both."""

    case: Case
    facts: Facts
    was: history.Before
    verdict: Verdict


def judge_anew(workspace: Workspace, names: tuple[str, ...], against: tuple[str, ...] = ()) -> None:
    """Judge the images' recorded evidence now, write every report, and show the verdicts; raises as ``judgement.judge``
    does."""
    now, policy = datetime.now(UTC), workspace.policy()
    judged = verdicts(workspace, names, against)
    lines = report.write_all(workspace, judged)
    refuse_blocked(workspace, judged)
    pages = report.pages(workspace)
    if against or pages is None:  # what ``against`` names, a tag say, may stand for something else by now
        return
    baselines = tuple(_baselines(workspace, names))
    question = judgement.question(workspace, names, policy.files, baselines, day=now.date())
    loopback_only = workspace.profile(policy).loopback_only
    known = judgement.Judgement(question, now.isoformat(), baselines, loopback_only, pages, lines)
    judgement.keep(workspace, names, known)


def verdicts(workspace: Workspace, names: tuple[str, ...], against: tuple[str, ...] = ()) -> tuple[ImageReport, ...]:
    """The judgement of each platform of the named images, recorded; no verdict recorded earlier is believed.

    What this very process judged stands, while not a byte of what it was made from has changed.
    """
    now, policy = datetime.now(UTC), workspace.policy()
    workspace.profile(policy)
    if against:
        return _verdicts(workspace, names, policy, against)

    def question() -> Digest:
        return judgement.question(workspace, names, policy.files, _baselines(workspace, names), day=now.date())

    if (asked := question()) in _judged:
        feeds.verify(workspace)
        return _judged[asked]
    judged = _verdicts(workspace, names, policy)
    _judged[question()] = judged
    return judged


def _baselines(workspace: Workspace, names: tuple[str, ...]) -> Iterator[Digest]:
    """The last release of each platform of the images."""
    for definition, _, platform, _ in platforms(workspace.built(names)):
        known = workspace.evidence.ledger(definition.name, platform)
        if release := ledger.latest(known, workspace.project.settings.registry):
            yield release.subject


def _verdicts(
    workspace: Workspace, names: tuple[str, ...], policy: Policy, against: tuple[str, ...] = ()
) -> tuple[ImageReport, ...]:
    known = tuple(cases(workspace, names))
    wanted = history.chosen(workspace, (case.definition.name for case in known), against)
    judged = evaluated(workspace, policy, known, wanted)
    settled = settle(policy, [(one.case.definition.name, one.verdict) for one in judged], complete=not names)
    return tuple(
        recorded(workspace, policy, replace(one, verdict=verdict)) for one, verdict in zip(judged, settled, strict=True)
    )


def evaluated(
    workspace: Workspace, policy: Policy, known: tuple[Case, ...], wanted: history.Chosen
) -> tuple[Judged, ...]:
    """What the policy says now of each case and what came before it; nothing is recorded but facts."""
    now, profile = datetime.now(UTC), workspace.project.settings.profile
    found = [
        (case, facts, history.before(workspace, case.build, case.scan, wanted))
        for case, facts in zip(known, facts_of(workspace, known), strict=True)
    ]
    return tuple(
        Judged(case, facts, was, evaluate(policy, facts, profile=profile, now=now, history=was.history))
        for case, facts, was in found
    )


def refuse_blocked(workspace: Workspace, judged: tuple[ImageReport, ...], *, reports: str = "reports") -> None:
    """Raise PolicyRefused naming every rule that blocks, with the first of its evidence, unless all verdicts pass."""
    blocked = [one for one in judged if not one.verdict.passed]
    if blocked:
        from imagewright.reports import terminal, units  # which only a refusal needs here

        verb = "has" if len(blocked) == 1 else "have"
        raise PolicyRefused(
            f"{len(blocked)} of {units.count(len(judged), 'image')} {verb} a verdict that blocks",
            why=terminal.refused(blocked),
            hint=f"{workspace.out.name}/{reports}/index.html shows the evidence and the remedies",
        )


def _dated(workspace: Workspace, subject: Digest, verdict: Verdict) -> Verdict:
    """The verdict, with the moment of the recorded one when that came out the same earlier this day."""
    try:
        recorded = workspace.evidence.read(Verdict, subject, "verdict", hint="")
    except EvidenceError:
        return verdict
    earlier = recorded.at[:10] == verdict.date and recorded.at <= verdict.at
    return recorded if earlier and replace(recorded, at=verdict.at) == verdict else verdict


def recorded(workspace: Workspace, policy: Policy, judged: Judged) -> ImageReport:
    """Keep a verdict with its policy and history, enter what it learnt of releases, and put the report together."""
    case, facts, was = judged.case, judged.facts, judged.was
    subject = case.manifest.digest
    verdict = _dated(workspace, subject, judged.verdict)
    workspace.evidence.keep(subject, "policy", JudgedPolicy(policy.files), key=policy.digest)
    workspace.evidence.keep(subject, "history", was.history, key=case.key)
    workspace.evidence.keep(subject, "verdict", verdict, key=case.key)
    history.remember(workspace, was, case.build, case.scan, verdict)
    items = [schema.dump(item) for item in facts.vulnerabilities]
    gates = compare(policy, verdict, items, was.history, was.verdict)
    layers = tuple(
        Layer(
            Digest.parse(layer.digest),
            Digest.parse(layer.diff_id),
            layer.compressed,
            layer.uncompressed,
            layer.files,
            layer.created_by,
        )
        for layer in facts.layers
    )
    return ImageReport(case.definition, case.build, layers, case.lint, case.scan, case.sboms.documents, verdict, gates)
