"""A recorded verdict, made again from what it was made from. Pure: facts, policy files, history and the moment in.

What other images of the same run said of a waiver is taken as recorded (``Verdict.unused``); all else is recomputed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import datetime

from imagewright.errors import ImagewrightError
from imagewright.model.facts import Facts, canonical
from imagewright.model.history import History
from imagewright.model.records import JudgedPolicy
from imagewright.model.verdict import Policy, RuleResult, Verdict
from imagewright.policy import evaluate, statements, with_unused
from imagewright.policyfile import parse_policy
from imagewright.reference import Digest
from imagewright.schema import dump


def differences(
    recorded: Verdict, facts: Facts, judged: JudgedPolicy, history: History | None = None
) -> tuple[str, ...]:
    """What keeps a verdict from being the one that facts, policy files and history give, line by line; else nothing."""
    try:
        policy = parse_policy(judged.files)
        changed = tuple(_changed_inputs(recorded, facts, policy, history))
        return changed or tuple(_changed_results(recorded, _again(recorded, facts, policy, history)))
    except (ImagewrightError, ValueError) as error:
        return (f"it cannot be made again: {' '.join(str(error).split())}",)


def _changed_inputs(recorded: Verdict, facts: Facts, policy: Policy, history: History | None) -> Iterator[str]:
    digest = Digest.of(canonical(dump(facts)))
    if digest != recorded.facts:
        yield f"facts: they are {digest.short}, the verdict is of {recorded.facts.short}"
    if policy.digest != recorded.policy:
        yield f"policy: it is {policy.digest.short}, the verdict is of {recorded.policy.short}"
    before = history and Digest.of(canonical(dump(history)))
    if before != recorded.history:
        words = [one.short if one else "none" for one in (before, recorded.history)]
        yield f"history: it is {words[0]}, the verdict is of {words[1]}"


def _again(recorded: Verdict, facts: Facts, policy: Policy, history: History | None) -> Verdict:
    now = datetime.fromisoformat(recorded.at)
    verdict = evaluate(policy, facts, profile=recorded.profile, now=now, history=history)
    known = set(map(statements.describe, statements.claims(policy)))
    return with_unused(policy, verdict, tuple(waiver for waiver in recorded.unused if waiver in known))


def _changed_results(recorded: Verdict, again: Verdict) -> Iterator[str]:
    """Every difference, and for the same results in the same places nothing."""
    before, after = ({result.rule: result for result in verdict.results} for verdict in (recorded, again))
    for rule in dict.fromkeys([*before, *after]):
        was, now = before.get(rule), after.get(rule)
        if was is None or now is None:
            yield f"verdict: {rule} is {'missing' if was is None else 'recorded, but no rule'}"
        elif was != now:
            yield from (f"verdict: {rule} {line}" for line in _unlike(was, now))
    bare = dataclasses.replace(recorded, results=())
    yield from (f"verdict: {line}" for line in _unlike(bare, dataclasses.replace(again, results=())))
    if before == after and recorded.results != again.results:
        yield "verdict: its results are in another order or given twice"


def _unlike(was: RuleResult | Verdict, now: RuleResult | Verdict) -> Iterator[str]:
    for field in dataclasses.fields(was):
        before, after = getattr(was, field.name), getattr(now, field.name)
        if before != after:
            yield f"{field.name} is recorded as {before!r:.100}, comes out as {after!r:.100}"
