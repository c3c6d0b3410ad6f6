"""Waivers: what they cover, how long, and that none is forgotten."""

from __future__ import annotations

import dataclasses
from datetime import date, timedelta
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagewright.model.facts import Facts
from imagewright.model.verdict import Policy, Rule, Verdict, Waiver
from imagewright.policy import evaluate, settle, unused_waivers
from imagewright.policy.waivers import Decision, decide, describe, trouble
from imagewright.reference import Digest
from tests.unit import factory
from tests.unit.factory import facts
from tests.unit.test_policy import PROFILES

TODAY = factory.NOW.date()
HIGH = Rule(
    *("TEAM-012", "No high", "must", "high", "item.severity in ['HIGH', 'CRITICAL']", "{count} are high", "update"),
    *("team.toml", "vulnerabilities", "{item.id} in {item.package}"),
)
WHOLE = Rule("TEAM-001", "Not this user", "must", "high", "config.uid == 65532", "it is", "change it", "team.toml")


def waiver(id: str = "CVE-1", days: int = 7, **changes: Any) -> Waiver:
    base = Waiver(id, "no way to reach it", "team", (TODAY + timedelta(days)).isoformat(), "policies/waivers.toml")
    return dataclasses.replace(base, **changes)


def image(*ids: str, severity: str = "HIGH", **changes: Any) -> Facts:
    (template,) = facts().vulnerabilities
    return facts(
        vulnerabilities=tuple(dataclasses.replace(template, id=one, severity=severity) for one in ids), **changes
    )


def policy(*waivers: Waiver, rules: tuple[Rule, ...] = (HIGH,)) -> Policy:
    return Policy(rules, waivers, PROFILES, Digest.of(b"policy"))


def judged(of: Facts, *waivers: Waiver, rules: tuple[Rule, ...] = (HIGH,)) -> Verdict:
    return evaluate(policy(*waivers, rules=rules), of, profile="ci", now=factory.NOW)


def outcomes(verdict: Verdict) -> dict[str, str]:
    return {result.rule: result.outcome for result in verdict.results}


def test_a_waived_finding_waives_the_rule_when_it_is_the_only_one() -> None:
    verdict = judged(image("CVE-1"), waiver())
    assert outcomes(verdict) == {"TEAM-012": "waived", "SEC-013": "pass"}
    assert verdict.passed
    assert verdict.results[0].evidence == ("CVE-1 in jinja2",)
    assert verdict.results[0].waived_by == (describe(waiver()),)


def test_a_waived_finding_leaves_the_others() -> None:
    verdict = judged(image("CVE-1", "CVE-2"), waiver())
    assert outcomes(verdict)["TEAM-012"] == "fail"
    assert verdict.results[0].evidence == ("CVE-2 in jinja2",)
    assert verdict.results[0].message == "1 are high"
    assert verdict.results[0].waived_by


def test_a_rule_can_be_waived_as_a_whole() -> None:
    assert outcomes(judged(facts(), waiver("TEAM-001"), rules=(WHOLE,)))["TEAM-001"] == "waived"
    assert outcomes(judged(image("CVE-1", "CVE-2"), waiver("TEAM-012")))["TEAM-012"] == "waived"


@pytest.mark.parametrize(
    ("package", "covers"),
    [
        ("jinja2", True),
        ("pkg:pypi/jinja2@2.10", True),
        ("pkg:pypi/jinja2", True),
        ("pkg:pypi/jinja", False),
        ("jinja", False),
        ("pkg:pypi/jinja2@2.1", False),
    ],
)
def test_a_waiver_may_be_for_one_package_by_name_or_purl(package: str, covers: bool) -> None:
    found = outcomes(judged(image("CVE-1"), waiver(package=package)))["TEAM-012"]
    assert found == ("waived" if covers else "fail")


def test_a_waiver_for_one_file_covers_that_file() -> None:
    rule = dataclasses.replace(HIGH, id="SEC-021.3", each="files.shells", deny="true", show="{item.path}")
    (template,) = facts().files.world_writable
    shells = tuple(dataclasses.replace(template, path=path) for path in ("/bin/sh", "/bin/bash"))
    verdict = judged(facts(files__shells=shells), waiver("SEC-021.3", package="/bin/sh"), rules=(rule,))
    assert verdict.results[0].evidence == ("/bin/bash",)


def test_a_waiver_for_another_image_covers_nothing() -> None:
    assert outcomes(judged(image("CVE-1"), waiver(image="frontend"))) == {"TEAM-012": "fail", "SEC-013": "pass"}
    assert outcomes(judged(image("CVE-1"), waiver(image="backend")))["TEAM-012"] == "waived"


@pytest.mark.parametrize(
    ("days", "severity", "why"),
    [
        (0, "HIGH", ""),
        (-1, "HIGH", "expired on 2026-11-19"),
        (90, "HIGH", ""),
        (91, "HIGH", "at most 90"),
        (7, "CRITICAL", ""),
        (8, "CRITICAL", "at most 7"),
    ],
)
@pytest.mark.covers("SEC-013")
def test_a_waiver_holds_through_its_last_day_and_not_too_long(days: int, severity: str, why: str) -> None:
    verdict = judged(image("CVE-1", severity=severity), waiver(days=days))
    about = verdict.results[-1]
    assert outcomes(verdict) == {"TEAM-012": "fail" if why else "waived", "SEC-013": "fail" if why else "pass"}
    assert about.blocking is bool(why)
    assert why in "".join(about.evidence)
    assert verdict.passed is not bool(why)


@pytest.mark.covers("SEC-013")
def test_a_critical_rule_is_waived_for_a_week_at_most() -> None:
    critical = dataclasses.replace(WHOLE, severity="critical")
    assert outcomes(judged(facts(), waiver("TEAM-001", 8), rules=(critical,)))["SEC-013"] == "fail"


def test_an_expired_waiver_beside_a_good_one_does_no_harm_to_the_finding_but_is_named() -> None:
    verdict = judged(image("CVE-1"), waiver(days=-3), waiver("TEAM-012"))
    assert outcomes(verdict) == {"TEAM-012": "waived", "SEC-013": "fail"}


@pytest.mark.covers("SEC-013")
def test_a_waiver_that_matches_nothing_in_any_image_fails_them_all() -> None:
    stale = waiver("CVE-9")
    verdicts = [("backend", judged(image("CVE-1"), waiver(), stale)), ("frontend", judged(facts(), waiver(), stale))]
    assert unused_waivers(policy(waiver(), stale), verdicts, complete=True) == (stale,)
    settled = settle(policy(waiver(), stale), verdicts, complete=True)
    assert [outcomes(verdict)["SEC-013"] for verdict in settled] == ["fail", "fail"]
    assert [verdict.passed for verdict in settled] == [False, False]
    assert "CVE-9" in settled[0].results[-1].evidence[0]
    assert "matches nothing" in settled[0].results[-1].evidence[0]


def test_an_unused_waiver_for_one_image_fails_that_image_only() -> None:
    stale = waiver("CVE-9", image="backend")
    verdicts = [("backend", judged(facts(), stale)), ("frontend", judged(facts(), stale))]
    settled = settle(policy(stale), verdicts, complete=True)
    assert [verdict.passed for verdict in settled] == [False, True]


def test_what_an_image_that_was_not_judged_may_need_is_not_unused() -> None:
    elsewhere = (waiver("CVE-9"), waiver("CVE-8", image="frontend"))
    verdicts = [("backend", judged(facts(), *elsewhere))]
    assert unused_waivers(policy(*elsewhere), verdicts, complete=False) == ()
    assert settle(policy(*elsewhere), verdicts, complete=False) == (verdicts[0][1],)


def test_an_expired_waiver_that_matches_is_told_once() -> None:
    old = waiver(days=-1)
    verdict = judged(image("CVE-1"), old)
    (settled,) = settle(policy(old), [("backend", verdict)], complete=True)
    assert settled == verdict
    assert len(settled.results[-1].evidence) == 1


def test_settling_keeps_what_was_already_wrong() -> None:
    old, stale = waiver(days=-1), waiver("CVE-9")
    (settled,) = settle(policy(old, stale), [("backend", judged(image("CVE-1"), old, stale))], complete=True)
    assert [line.split(",")[0] for line in settled.results[-1].evidence] == ["CVE-1", "CVE-9"]


def test_two_waivers_that_differ_are_told_apart() -> None:
    one = waiver()
    others = [
        waiver(image="a"),
        waiver(package="a"),
        waiver(days=3),
        waiver("CVE-2"),
        waiver(owner="x"),
        waiver(reason="x"),
    ]
    assert len({describe(each) for each in (one, *others)}) == 7


DATES = st.dates(min_value=date(2000, 1, 1), max_value=date(2100, 1, 1))


@given(DATES, st.integers(-400, 400), st.sampled_from(["CRITICAL", "critical", "HIGH", "LOW"]))
def test_a_waiver_counts_exactly_from_its_longest_lead_to_its_last_day(today: date, days: int, severity: str) -> None:
    longest = 7 if severity.upper() == "CRITICAL" else 90
    made = waiver(expires=(today + timedelta(days)).isoformat())
    assert (trouble(made, severity, today) == "") is (0 <= days <= longest)


EDGES = st.sampled_from(
    [date(2024, 2, 28), date(2024, 2, 29), date(2025, 2, 28), date(2026, 12, 31), date(2027, 1, 1), date(2100, 2, 28)]
)
SEVERITIES = st.sampled_from(["CRITICAL", "HIGH", "MEDIUM", "LOW", "UNKNOWN"])


@given(DATES | EDGES, st.integers(-2, 95), SEVERITIES)
@pytest.mark.covers("SEC-013")
def test_a_waiver_in_force_never_outlasts_its_limit(today: date, days: int, severity: str) -> None:
    """Whoever looks on whichever day, a waiver that counts is over within its limit from then, and stays over."""
    made = waiver(expires=(today + timedelta(days)).isoformat())
    longest = 7 if severity == "CRITICAL" else 90
    if not trouble(made, severity, today):
        assert "expired" in trouble(made, severity, today + timedelta(longest + 1))
        assert "expired" in trouble(made, severity, date.fromisoformat(made.expires) + timedelta(1))
        assert trouble(made, severity, date.fromisoformat(made.expires)) == ""


@given(st.dates(), st.dates(), SEVERITIES)
def test_a_waiver_counts_on_no_day_of_the_calendar_but_those_before_its_end(
    today: date, expires: date, severity: str
) -> None:
    counts = trouble(waiver(expires=expires.isoformat()), severity, today) == ""
    assert counts is (timedelta() <= expires - today <= timedelta(7 if severity == "CRITICAL" else 90))


@given(DATES, DATES, SEVERITIES)
def test_what_the_verdict_says_of_a_waiver_is_what_its_dates_say(today: date, expires: date, severity: str) -> None:
    made = waiver(expires=expires.isoformat())
    decision = decide([made], HIGH, {"id": "CVE-1", "severity": severity}, image="backend", today=today)
    why = trouble(made, severity, today)
    assert decision == (Decision(refused=((made, why),)) if why else Decision(by=made))


NAMES = st.sampled_from(["jinja2", "jinja", "jinja2-x", "zlib1g", "zlib1g-dev", "%6Ainja2"])
VERSIONS = st.sampled_from(["", "@2.1", "@2.10", "@2.1.0", "@2%2E10"])
QUALIFIERS = st.sampled_from(["", "?arch=amd64", "?arch=arm64"])
PURLS = st.builds("pkg:{}/{}{}{}".format, st.sampled_from(["pypi", "deb/debian"]), NAMES, VERSIONS, QUALIFIERS)


@given(PURLS | NAMES, PURLS)
def test_a_waiver_for_one_package_never_covers_another(package: str, purl: str) -> None:
    name = unquote(purl.partition("?")[0].partition("@")[0].rpartition("/")[2])
    item = {"id": "CVE-1", "severity": "HIGH", "package": name, "purl": purl}
    by = decide([waiver(package=package)], HIGH, item, image="backend", today=TODAY).by
    if not package.startswith("pkg:"):
        assert bool(by) is (package == name)
        return
    wanted, found = (unquote(one).replace("?", "@").split("@") for one in (package, purl))
    if by:
        assert wanted[0] == found[0]
        assert set(wanted) <= set(found)
    else:
        assert not set(wanted) <= set(found)


@given(st.text(max_size=12))
def test_an_expiry_that_is_no_date_never_counts(text: str) -> None:
    try:
        date.fromisoformat(text)
    except ValueError:
        assert "no date" in trouble(waiver(expires=text), "HIGH", TODAY)
