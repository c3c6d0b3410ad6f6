"""Rules × facts × waivers × the moment → Verdict. Pure, and it fails closed.

A rule that cannot be decided fails. A rule about something nobody checked is not-checked, never passed: the checks
a rule needs are those it names in ``requires`` and those behind the facts it reads. A rule that does not concern the
image has no result at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from imagewright.errors import ConfigurationError, EvidenceError, Problem
from imagewright.model.facts import SCHEMA, Facts, canonical
from imagewright.model.history import History
from imagewright.model.verdict import Outcome, Policy, Profile, RuleResult, Verdict
from imagewright.policy import ruling, statements, waivers
from imagewright.policy.binding import bind
from imagewright.policy.vocabulary import COUNT, render
from imagewright.reference import Digest
from imagewright.schema import dump, near


def evaluate(policy: Policy, facts: Facts, *, profile: str, now: datetime, history: History | None = None) -> Verdict:
    """Judge one image and platform; ``now`` (with time zone) is what ages and waivers are measured against.

    ``history`` is what came before; without it everything is introduced, as it is without a baseline in it.
    Raises ConfigurationError when there are no rules or no such profile, EvidenceError for facts of another schema.
    Waivers that match nothing are seen only over all images of a run: see ``settle``.
    """
    if not policy.rules:
        problem = Problem("policies", "rule", "there are no rules, so nothing can be judged")
        raise ConfigurationError([problem], hint="put the security rules back into policies/")
    if facts.schema != SCHEMA:
        raise EvidenceError(
            f"the facts of {facts.image.name} are of another schema",
            why=f"they are {facts.schema!r}, this program judges {SCHEMA!r}",
            hint="scan again with this version",
        )
    document = dump(facts)
    now = now.replace(microsecond=0)
    said = statements.say(policy.statements, document["image"], document["vulnerabilities"])
    case = ruling.Case(
        image=facts.image.name,
        facts=bind(policy, document, history or History(), profile=profile, now=now),
        checks=document["checks"],
        waivers=(*policy.waivers, *(waiver for waiver, _ in said.waivers)),
        profile=_profile(policy, profile),
        now=now,
    )
    judged = [ruling.judge(rule, case) for rule in policy.rules]
    outdated = tuple((one, waivers.trouble(one, severity, now.date())) for one, severity in said.waivers)
    troubles = [*(one for _, some in judged for one in some), *(one for one in outdated if one[1])]
    refused = dict.fromkeys(f"{waivers.describe(waiver)}: {why}" for waiver, why in troubles)
    results = (*(result for result, _ in judged if result), _about_waivers(tuple(refused), case.profile))
    return Verdict(
        subject=Digest.parse(facts.image.digest),
        profile=profile,
        date=now.date().isoformat(),
        passed=not any(result.blocking for result in results),
        facts=Digest.of(canonical(document)),
        policy=policy.digest,
        results=results,
        at=now.isoformat(),
        inapplicable=tuple(rule.id for rule, (result, _) in zip(policy.rules, judged, strict=True) if not result),
        matched=tuple(map(statements.describe, said.matched)),
        history=Digest.of(canonical(dump(history))) if history else None,
    )


def unused_waivers(
    policy: Policy, judged: Sequence[tuple[str, Verdict]], *, complete: bool
) -> tuple[statements.Claim, ...]:
    """The waivers and statements that matched nothing in any of the judged images (name and verdict).

    Without ``complete`` (not every image of the project was judged) only those for one of the judged images count.
    """
    said = [line for _, verdict in judged for result in verdict.results for line in _waiver_lines(result)]
    matched = {line for _, verdict in judged for line in verdict.matched}
    names = {name for name, _ in judged}

    def is_used(one: statements.Claim) -> bool:
        line = statements.describe(one)
        return line in matched or any(each.startswith(line) for each in said)

    return tuple(
        one for one in statements.claims(policy) if (complete or statements.image_of(one) in names) and not is_used(one)
    )


def settle(policy: Policy, judged: Sequence[tuple[str, Verdict]], *, complete: bool) -> tuple[Verdict, ...]:
    """The verdicts of a run with its unused waivers counted: each fails SEC-013 of the image it is for, or of all."""
    unused = unused_waivers(policy, judged, complete=complete)
    names = {name for name, _ in judged}

    def against(name: str) -> tuple[str, ...]:
        images = ((one, statements.image_of(one)) for one in unused)
        return tuple(statements.describe(one) for one, image in images if image == name or image not in names)

    return tuple(with_unused(policy, verdict, against(name)) for name, verdict in judged)


def with_unused(policy: Policy, verdict: Verdict, unused: tuple[str, ...]) -> Verdict:
    """The verdict with these waivers (as they are described) counted against it: they matched nothing in its run."""
    if not unused:
        return verdict
    others = tuple(result for result in verdict.results if result.rule != waivers.RULE_ID)
    evidence = tuple(line for result in verdict.results if result not in others for line in result.evidence)
    lines = tuple(f"{waiver}: matches nothing" for waiver in unused)
    about = _about_waivers(evidence + lines, _profile(policy, verdict.profile))
    return replace(verdict, results=(*others, about), passed=verdict.passed and not about.blocking, unused=unused)


def _about_waivers(evidence: tuple[str, ...], profile: Profile) -> RuleResult:
    outcome: Outcome = "fail" if evidence else "pass"
    rule = waivers.RULE
    return RuleResult(
        rule=rule.id,
        title=rule.title,
        level=rule.level,
        severity=rule.severity,
        outcome=outcome,
        blocking=outcome in profile.blocks,
        message=render(rule.message, {COUNT: len(evidence)}) if evidence else "",
        remedy=rule.remedy,
        evidence=evidence,
    )


def _waiver_lines(result: RuleResult) -> tuple[str, ...]:
    return result.waived_by + (result.evidence if result.rule == waivers.RULE_ID else ())


def _profile(policy: Policy, name: str) -> Profile:
    for profile in policy.profiles:
        if profile.name == name:
            return profile
    known = [profile.name for profile in policy.profiles]
    raise ConfigurationError([Problem("policies", f"profile {name}", f"there is no such profile{near(name, known)}")])
