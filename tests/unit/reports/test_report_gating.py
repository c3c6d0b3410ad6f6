"""The two gates in words."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest

from imagewright.model.history import Change, Disclosure, Gates
from imagewright.policy.gates import moment
from imagewright.reports import console, gating, terminal
from tests.unit import factory
from tests.unit.reports.examples import EXAMPLES, NO_DATABASE

BACKEND = EXAMPLES["backend"]


def disclosure(left: timedelta) -> Disclosure:
    """One that is due in so long, as the judgement counts it."""
    due = moment(factory.NOW + left)
    return Disclosure("CVE-1", "HIGH", "jinja2", "2.10", "", "2026-11-01T00:00:00Z", due, left // timedelta(days=1))


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (timedelta(days=2), "2 days left"),
        (timedelta(days=1, hours=23), "1 day left"),
        (timedelta(hours=23), "less than a day left"),
        (timedelta(0), "less than a day left"),
        (timedelta(seconds=-1), "overdue since today"),
        (timedelta(days=-1, hours=-1), "overdue by 1 day"),
        (timedelta(days=-8), "overdue by 7 days"),
    ],
)
def test_the_time_left_is_said_in_whole_days_and_never_too_long(left: timedelta, words: str) -> None:
    assert gating.left(disclosure(left)) == words
    assert gating.is_overdue(disclosure(left)) == (left < timedelta(0))


def test_a_severity_without_a_time_is_never_overdue() -> None:
    endless = dataclasses.replace(disclosure(timedelta(0)), due="")
    assert (gating.left(endless), gating.is_overdue(endless)) == ("no time limit", False)


def test_a_rule_without_evidence_is_named_by_its_title() -> None:
    one = Change("SEC-003", "The user is the declared one", "must", "fail", "", blocking=True)
    assert gating.change(one) == "fail, blocks: SEC-003 The user is the declared one"


def test_without_a_baseline_the_reason_stands_in_place_of_counts() -> None:
    words = "nothing was released yet: everything counts as introduced"
    assert gating.introduced(Gates()) == gating.against(Gates()) == words


def test_what_nobody_looked_for_is_not_said_to_be_none() -> None:
    assert gating.disclosed(EXAMPLES["frontend"]) == f"vulnerabilities: not checked ({NO_DATABASE})"
    assert gating.disclosed(dataclasses.replace(BACKEND, gates=Gates())) == "none"


def test_a_release_that_nothing_changed_shows_an_empty_gate_as_such() -> None:
    calm = dataclasses.replace(BACKEND, gates=Gates(against="sha256:00", note=""))
    assert gating.introduced(calm.gates) == "no results; none there before, none gone"
    assert "Introduced by this change (against sha256:00)\n  nothing\n" in console.render(calm)


def test_the_terminal_has_both_gates_in_a_line_each() -> None:
    lines = [line.split(maxsplit=1) for line in terminal.image(BACKEND, colour=False).splitlines()]
    assert ["introduced", "2 results (2 blocking); 1 there before, 1 gone"] in lines
    assert ["disclosed", "3 findings, 1 overdue"] in lines
