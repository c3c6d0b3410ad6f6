"""No rule takes longer than it may, however few rounds its loops have, and asking the clock changes no answer."""

from __future__ import annotations

import pytest

from imagewright.facts import to_document
from imagewright.policy.bounded import IN_TIME, bounded
from imagewright.policy.cel import BadExpression, Undecided, compile_question
from imagewright.policy.vocabulary import flatten
from tests.unit.factory import facts
from tests.unit.test_policy import found, result, rule

MANY = flatten(to_document(facts(vulnerabilities=found(*map(str, range(400))))))
SLOW = [
    "vulnerabilities.all(a, a in vulnerabilities)",
    "vulnerabilities.filter(a, vulnerabilities == vulnerabilities).size() > 0",
    "vulnerabilities.exists_one(a, vulnerabilities != vulnerabilities)",
    "vulnerabilities.map(a, a in vulnerabilities).size() > 0",
    "vulnerabilities.map(a, a in vulnerabilities, a.id).size() > 0",
    "[1, 2].exists(n, vulnerabilities . exists ( a , vulnerabilities != vulnerabilities))",
    "size(vulnerabilities.filter(a, [a].all(b, b in vulnerabilities))) > 0",
]


@pytest.mark.parametrize("text", SLOW)
def test_a_loop_whose_rounds_are_slow_gives_no_answer(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imagewright.policy.bounded.LONGEST_RULE", 0.001)
    answer = compile_question(text).ask(MANY)
    assert isinstance(answer, Undecided)
    assert "took more than 0.001 s" in answer.reason


def test_a_slow_rule_fails_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imagewright.policy.bounded.LONGEST_RULE", 0.001)
    one = result(rule(SLOW[0]), of=facts(vulnerabilities=found(*map(str, range(400)))))
    assert one.outcome == "fail"
    assert "took more than" in one.evidence[0]


def test_a_slow_loop_inside_one_item_is_stopped_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imagewright.policy.bounded.LONGEST_RULE", 0.001)
    answer = compile_question(f"item.id == '' || {SLOW[0]}", "vulnerabilities").offenders(MANY)
    assert isinstance(answer, Undecided)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("[1, 2, 3].all(n, n > 0)", True),
        ("[1, 2, 3].exists(n, n > 2 && [4].all(m, m > n))", True),
        ("[1, 2, 3].exists_one(n, n > 1)", False),
        ("[1, 2, 3].map(n, n * 2) == [2, 4, 6]", True),
        ("[1, 2, 3].map(n, n > 1, [n, n + 1]) == [[2, 3], [3, 4]]", True),
        ("[1, 2, 3].filter(n, n in [2, 3].map(m, m)) == [2, 3]", True),
        ("['a,b)', \"c.all(\"].filter(t, t.contains('.all(') || t == 'a,b)').size() == 2", True),
        ("[r'\\d', '''it's (''', '(\\'('].all(t, t != '') // .map(a, b", True),
        ("['x'].exists(t, {'x': [1, 2]}[t].all(n, n > 0))", True),
        ("[[1], [2]].all(l, (l.exists(n, n == 1) || l.exists(n, n == 2)) && true ? true : false)", True),
        ("[0].exists(n, 1 / n > 0) || true", True),
    ],
)
def test_asking_for_time_changes_no_answer(text: str, answer: bool) -> None:
    assert IN_TIME in bounded(text)
    assert compile_question(text).ask(MANY) is answer


@pytest.mark.parametrize("text", ["config.uid < 1000", "'x.all(' == config.user", "config.user != '' // .map(a, b)"])
def test_what_has_no_loop_stays_as_it_is(text: str) -> None:
    assert bounded(text) == text


def test_a_mistake_in_a_loop_is_told_where_its_author_sees_it() -> None:
    with pytest.raises(BadExpression, match=r"line 1, column 34: undeclared reference to 'nope'"):
        compile_question("[1].all(n, [2].all(m, m > n)) && nope")
    with pytest.raises(BadExpression, match="line 1, column 9"):
        compile_question("[1].all(1, true)")
