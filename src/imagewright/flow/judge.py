"""Judging anew: facts from the evidence, a verdict from the facts, and the reports that show it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from imagewright import keys, schema
from imagewright.errors import EvidenceError, PolicyRefused
from imagewright.evidence import canonical
from imagewright.flow import feeds, history, judgement, report
from imagewright.flow.workspace import Workspace, platforms
from imagewright.inputkey import InputKey
from imagewright.model.definition import FeedSettings, ImageDefinition
from imagewright.model.facts import Facts
from imagewright.model.feeds import Feeds
from imagewright.model.findings import Lint, NotChecked, Scan
from imagewright.model.image import Layer, Manifest
from imagewright.model.judged import ImageReport
from imagewright.model.records import Build, JudgedPolicy, Rebuild, Sboms
from imagewright.model.repository import Inputs
from imagewright.model.verdict import Policy, Verdict
from imagewright.policy import evaluate, ledger, settle
from imagewright.policy.gates import compare
from imagewright.reference import Digest

_judged: dict[Digest, tuple[ImageReport, ...]] = {}


@dataclass(frozen=True, slots=True)
class Case:
    """One platform manifest with the records a judgement stands on; ``name`` is what it goes by."""

    name: str
    definition: ImageDefinition
    manifest: Manifest
    build: Build
    lint: Lint
    scan: Scan
    sboms: Sboms
    inputs: Inputs
    rebuild: Rebuild | None
    feeds: FeedSettings

    @property
    def made_from(self) -> InputKey:
        """Everything the facts are made from; the hour of a build is no part of it."""
        records = {
            "build": replace(self.build, finished_at=""),
            "lint": self.lint,
            "scan": self.scan,
            "sboms": self.sboms,
            "inputs": self.inputs,
            **({"rebuild": replace(self.rebuild, at="")} if self.rebuild else {}),
        }
        return keys.facts(
            _digest(self.definition), _digest(self.feeds), {kind: _digest(value) for kind, value in records.items()}
        )

    @property
    def key(self) -> Digest:
        """The digest of that."""
        return self.made_from.digest

    @property
    def known_ids(self) -> frozenset[str]:
        """The ids of the vulnerabilities found, for feeds to be asked about."""
        found = self.scan.vulnerabilities
        return frozenset(() if isinstance(found, NotChecked) else (item.id for item in found))


def _digest(value: object) -> Digest:
    return Digest.of(canonical(schema.dump(value)))


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


def cases(workspace: Workspace, names: tuple[str, ...]) -> Iterator[Case]:
    """The recorded evidence of each platform of the named images; raises EvidenceError when some is missing."""
    for definition, name, _, manifest in platforms(workspace.built(names)):
        yield case_of(workspace, definition, name, manifest)


def case_of(workspace: Workspace, definition: ImageDefinition, name: str, manifest: Manifest) -> Case:
    """The recorded evidence of one platform manifest; raises EvidenceError when some is missing."""
    read, subject = workspace.evidence.read, manifest.digest
    scan = read(Scan, subject, "scan", hint=f"./inv scan -i {definition.name}")
    rebuilt = workspace.evidence.has(subject, "rebuild")
    if scan.subject != subject:
        raise EvidenceError(f"the scan of {name} is of {scan.subject}, not of {subject}", hint="./inv scan")
    return Case(
        name,
        definition,
        manifest,
        read(Build, subject, "build", hint=f"./inv build -i {definition.name}"),
        read(Lint, subject, "lint", hint=f"./inv build -i {definition.name}"),
        scan,
        read(Sboms, subject, "sboms", hint=f"./inv scan -i {definition.name}"),
        read(Inputs, subject, "inputs", hint=f"./inv build -i {definition.name}"),
        read(Rebuild, subject, "rebuild", hint=f"./inv build --verify -i {definition.name}") if rebuilt else None,
        workspace.project.settings.feeds,
    )


def facts_of(workspace: Workspace, known: tuple[Case, ...]) -> list[Facts]:
    """The facts recorded for exactly this evidence, else made anew from it and recorded.

    The configured feeds are hashed each time, and read once when some facts are made anew.
    """
    feeds.verify(workspace)
    ids = frozenset[str]().union(*(case.known_ids for case in known))
    said = functools.cache(lambda: feeds.read(workspace, ids))
    return [_facts_of(workspace, case, said) for case in known]


def _facts_of(workspace: Workspace, case: Case, said: Callable[[], Feeds]) -> Facts:
    subject = case.manifest.digest
    if workspace.evidence.key(subject, "facts") == case.key:
        try:
            return workspace.evidence.read(Facts, subject, "facts", hint="")
        except EvidenceError:
            workspace.progress.say(f"the facts of {case.name} were changed or damaged; they are made again")
    from imagewright.facts import build_facts  # which most runs need not make again
    from imagewright.oci import layers, listing

    config = workspace.store.config(case.manifest)
    listed = listing.remembered(workspace.layer_cache, listing.lister(workspace.store.open_blob))
    with workspace.store.vouching(subject):
        contents = layers.walk(case.manifest, config, listed)
    facts = build_facts(
        case.definition,
        case.build,
        config,
        contents,
        case.lint,
        case.scan,
        case.sboms.documents,
        case.inputs,
        feeds=said(),
        rebuild=case.rebuild,
    )
    workspace.evidence.write(subject, "facts-key", case.made_from, key=case.key)
    workspace.evidence.write(subject, "facts", facts, key=case.key)
    return facts


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
