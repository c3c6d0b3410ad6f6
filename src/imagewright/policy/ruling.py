"""One rule × one image → its result, and it fails closed: a rule that cannot be decided fails. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from imagewright.model.verdict import Excused, Outcome, Profile, Rule, RuleResult, Waiver
from imagewright.policy import gates, scope, waivers
from imagewright.policy.cel import BadExpression, Undecided, compile_question
from imagewright.policy.vocabulary import COUNT, render


@dataclass(frozen=True, slots=True)
class Case:
    """One image as rules see it: everything bound that they may ask about, and what decides what blocks."""

    image: str
    facts: Mapping[str, Any]
    checks: scope.Checks
    waivers: tuple[Waiver, ...]
    profile: Profile
    now: datetime


@dataclass(frozen=True, slots=True)
class _Violation:
    text: str
    item: Any = None
    undecided: bool = False


UNDECIDED = "the rule could not be decided: "
"""How the evidence begins of a rule that gave no answer."""
Refused = tuple[tuple[Waiver, str], ...]
"""Waivers that may not count, each with why."""


def judge(rule: Rule, case: Case) -> tuple[RuleResult | None, Refused]:
    """The result, none for a rule that does not concern the image; beside it the waivers that may not count."""
    concerned = scope.concerns(rule, case.facts, case.checks)
    if concerned is False:
        return None, ()
    if isinstance(concerned, Undecided):
        return _unscoped(rule, concerned, case), ()
    unseen = (f"not checked here: {rule.elsewhere}",) if rule.elsewhere else _unchecked(rule, case)
    if unseen:
        return _result(rule, "not-checked", case, evidence=unseen), ()
    return _answered(rule, _violations(rule, case), case)


def _answered(rule: Rule, violations: list[_Violation], case: Case) -> tuple[RuleResult, Refused]:
    left: list[_Violation] = []
    waived: list[tuple[_Violation, Waiver]] = []
    refused: Refused = ()
    for violation in violations:
        decision = waivers.Decision()
        if not violation.undecided:
            today = case.now.date()
            decision = waivers.decide(case.waivers, rule, violation.item, image=case.image, today=today)
        refused += decision.refused
        if decision.by:
            waived.append((violation, decision.by))
        else:
            left.append(violation)
    outcome: Outcome = _failed(rule) if left else "waived" if waived else "pass"
    result = _result(
        rule,
        outcome,
        case,
        count=len(left) or len(waived),
        evidence=tuple(one.text for one in left or (one for one, _ in waived) if one.text),
        disclosed=tuple(one.text for one in left if one.text and gates.is_disclosed(one.item)),
        waived_by=tuple(dict.fromkeys(waivers.describe(waiver) for _, waiver in waived)),
        excused=tuple(_excused(one.item, waiver) for one, waiver in waived if rule.each == "vulnerabilities"),
    )
    return result, refused


def _violations(rule: Rule, case: Case) -> list[_Violation]:
    try:
        question = compile_question(rule.deny, rule.each)
    except BadExpression as error:
        return [_undecided(str(error))]
    if not rule.each:
        answer = question.ask(case.facts)
        if isinstance(answer, Undecided):
            return [_undecided(answer.reason)]
        return [_Violation(render(rule.show, case.facts))] if answer else []
    found = question.offenders(case.facts)
    if isinstance(found, Undecided):
        return [_undecided(found.reason)]
    items = case.facts[rule.each]
    return [
        _undecided(f"{_show(rule, items[index], case)}: {answer.reason}")
        if isinstance(answer, Undecided)
        else _Violation(_show(rule, items[index], case), items[index])
        for index, answer in found
    ]


def _undecided(reason: str) -> _Violation:
    return _Violation(f"{UNDECIDED}{reason}", undecided=True)


def _show(rule: Rule, item: Any, case: Case) -> str:
    fields = {f"item.{key}": value for key, value in item.items()} if isinstance(item, Mapping) else {"item": item}
    return render(rule.show, {**case.facts, **fields})


def _unchecked(rule: Rule, case: Case) -> tuple[str, ...]:
    try:
        return scope.missing(scope.needs(rule), case.checks)
    except BadExpression:
        return ()  # it is undecided, and says so


def _unscoped(rule: Rule, why: Undecided, case: Case) -> RuleResult:
    failed = _result(rule, _failed(rule), case, evidence=(f"{UNDECIDED}when: {why.reason}",))
    return replace(failed, message="nobody can tell whether the rule concerns this image")


def _failed(rule: Rule) -> Outcome:
    return "fail" if rule.level == "must" else "warn"


def _result(
    rule: Rule,
    outcome: Outcome,
    case: Case,
    *,
    count: int = 0,
    evidence: tuple[str, ...] = (),
    waived_by: tuple[str, ...] = (),
    excused: tuple[Excused, ...] = (),
    disclosed: tuple[str, ...] = (),
) -> RuleResult:
    message = "" if outcome in ("pass", "not-checked") else render(rule.message, {**case.facts, COUNT: count})
    elsewhere = rule.elsewhere if outcome == "not-checked" else ""
    return RuleResult(
        rule=rule.id,
        title=rule.title,
        level=rule.level,
        severity=rule.severity,
        outcome=outcome,
        blocking=rule.level == "must" and outcome in case.profile.blocks and not elsewhere,
        message=message,
        remedy=rule.remedy,
        evidence=evidence,
        waived_by=waived_by,
        elsewhere=elsewhere,
        excused=excused,
        disclosed=disclosed,
    )


def _excused(item: Mapping[str, Any], waiver: Waiver) -> Excused:
    return Excused(item["id"], item["package"], item["version"], item["purl"], waiver)
