"""What was not checked is said once for each cause, with the rules it leaves open and what mends it."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from imagewright.model.judged import ImageReport
from imagewright.model.verdict import RuleResult
from imagewright.policy.scope import cause, missing
from imagewright.policy.vocabulary import CHECKS
from imagewright.reports.gaps import REMEDIES, Gap, entries, gaps
from tests.unit.reports.examples import EXAMPLES, NO_CATALOGUE, NO_DATABASE, rule

FRONTEND = EXAMPLES["frontend"]


def unchecked(id: str, *checks: str, blocking: bool = False, reason: str = "nobody looked") -> RuleResult:
    lines = missing(frozenset(checks), {check: {"done": False, "reason": reason} for check in checks})
    return replace(rule(id, f"Rule {id}"), outcome="not-checked", blocking=blocking, evidence=lines)


def of(*results: RuleResult, name: str = "frontend") -> ImageReport:
    definition = replace(FRONTEND.definition, name=name)
    return replace(FRONTEND, definition=definition, verdict=replace(FRONTEND.verdict, results=results))


def ids(gap: Gap) -> list[str]:
    return [result.rule for result in gap.results]


def test_a_rule_that_lacks_two_things_stands_below_both_causes() -> None:
    found = {gap.reason: ids(gap) for gap in gaps([FRONTEND])}
    assert found[NO_DATABASE] == ["SEC-012", "SEC-012.4", "SEC-015.2"], "of vulnerabilities and of the database"
    assert found[NO_CATALOGUE] == ["SEC-012.4"]


def test_every_rule_that_was_not_checked_has_a_cause() -> None:
    left = replace(rule("R-1", "no evidence"), outcome="not-checked", message="because")
    bare = replace(rule("R-2", "not even a message"), outcome="not-checked")
    assert [(gap.reason, ids(gap)) for gap in gaps([of(left, bare)])] == [
        ("because", ["R-1"]),
        ("no reason is given", ["R-2"]),
    ]


def test_a_cause_names_its_images_and_each_rule_once() -> None:
    both = gaps([of(unchecked("R-1", "kev"), name="a"), of(unchecked("R-1", "kev"), unchecked("R-2", "kev"), name="b")])
    assert [(gap.images, ids(gap)) for gap in both] == [(("a", "b"), ["R-1", "R-2"])]


def test_what_blocks_anywhere_blocks_and_comes_first() -> None:
    first = of(unchecked("R-1", "epss", reason="x"), unchecked("R-2", "kev"), name="a")
    second = of(unchecked("R-2", "kev", blocking=True), unchecked("R-3", "kev"), name="b")
    found = gaps([first, second])
    assert [gap.blocking for gap in found] == [True, False]
    assert found[0].rules == ("1 rule blocks: R-2", "1 more rule: R-3")
    assert found[1].rules == ("1 rule: R-1",)


def test_what_no_image_shows_is_no_gap() -> None:
    assert gaps([of(replace(unchecked("R-1", "kev"), elsewhere="the cluster"))]) == ()


def test_the_remedy_is_that_of_the_cause_and_not_of_the_rule() -> None:
    (known,) = gaps([of(replace(unchecked("R-1", "rebuild"), remedy="look what differs"))])
    assert known.remedy == REMEDIES["rebuild"]
    (unknown,) = gaps([of(replace(unchecked("R-1", "secrets"), remedy="look what differs"))])
    assert unknown.remedy == ""


def test_remedies_are_for_checks_there_are() -> None:
    assert set(REMEDIES) <= set(CHECKS)


def test_the_causes_stand_where_their_rules_would() -> None:
    results = (
        replace(rule("R-1", ""), outcome="fail", blocking=True),
        unchecked("R-2", "kev", blocking=True),
        unchecked("R-3", "epss", reason="x"),
        replace(rule("R-4", ""), outcome="warn"),
        rule("R-5", ""),
    )
    shown = [ids(one)[0] if isinstance(one, Gap) else one.rule for one in entries(of(*reversed(results)))]
    assert shown == ["R-1", "R-2", "R-3", "R-4", "R-5"]


@given(st.sampled_from(CHECKS), st.text())
def test_a_cause_is_read_back_from_what_the_policy_wrote(check: str, reason: str) -> None:
    (line,) = missing(frozenset({check}), {check: {"done": False, "reason": reason}})
    assert cause(line) == (check, reason)
    assert cause(f"not {line}") == ("", f"not {line}")
