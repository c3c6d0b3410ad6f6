"""The two gates: what a change brings in, and what became known of bytes that were accepted before."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagewright.errors import ConfigurationError
from imagewright.model.facts import Facts
from imagewright.model.findings import Package
from imagewright.model.history import Gates, History, Sighting
from imagewright.model.reported import VulnerabilityFact
from imagewright.model.verdict import Policy, RuleResult, Verdict
from imagewright.policy import evaluate
from imagewright.policy.gates import bound, compare, moment, package, packages
from imagewright.policyfile import parse_policy
from imagewright.reference import Digest
from imagewright.schema import dump
from tests.unit import factory
from tests.unit.factory import facts

RULES = """
[[rule]]
id = "TEAM-001"
title = "Nothing comes in"
level = "must"
severity = "high"
each = "vulnerabilities"
deny = "item.gate == 'introduced'"
show = "{item.id} of {item.gate}"
message = "{count} came in"
remedy = "update"

[[rule]]
id = "TEAM-002"
title = "Nothing is late"
level = "must"
severity = "high"
each = "vulnerabilities"
deny = "now > timestamp(item.due)"
show = "{item.id} was due {item.due}"
message = "{count} are late"
remedy = "update"

[[rule]]
id = "TEAM-003"
title = "No root"
level = "should"
severity = "high"
deny = "config.uid == 0"
message = "root"
remedy = "USER"

[[profile]]
name = "ci"
blocks = ["fail"]

[[remediation]]
severity = "LOW"
days = 7
"""
BASELINE = str(Digest.of(b"released"))
JINJA2 = "pkg:pypi/jinja2@2.10"
DAYS = st.integers(-400, 400).map(lambda days: factory.NOW + timedelta(days=days))


def policy(text: str = RULES) -> Policy:
    return parse_policy([("policies/a.toml", text)])


def history(*installed: str, first: str = "", **changes: Any) -> History:
    """A release with these packages, in which CVE-2026-0001 was ``first`` seen, if it was."""
    sightings = (Sighting("CVE-2026-0001", "python-pkg/jinja2", first),) if first else ()
    return dataclasses.replace(History(BASELINE, packages=installed, sightings=sightings), **changes)


def judged(before: History | None, of: Facts | None = None, by: Policy | None = None) -> Verdict:
    return evaluate(by or policy(), of or facts(), profile="ci", now=factory.NOW, history=before)


def outcome(verdict: Verdict, rule: str) -> str:
    return next(result.outcome for result in verdict.results if result.rule == rule)


def item(before: History) -> dict[str, Any]:
    (one,) = bound(dump(facts())["vulnerabilities"], before, policy().remediations, factory.NOW)
    return one


def gates(after: Verdict, before: Verdict | None, of: Facts | None = None, past: History | None = None) -> Gates:
    found = dump(of or facts())["vulnerabilities"]
    return compare(policy(), after, found, past or history(JINJA2), before)


def test_without_a_release_everything_is_introduced_and_first_seen_now() -> None:
    for before in (History(), history(JINJA2, against="")):
        assert item(before)["gate"] == "introduced"
    assert item(History())["first_seen"] == "2026-11-20T12:00:00Z"
    assert outcome(judged(None), "TEAM-001") == outcome(judged(History()), "TEAM-001") == "fail"


def test_a_package_that_was_released_discloses_and_another_version_introduces() -> None:
    assert item(history(JINJA2))["gate"] == "disclosed"
    assert item(history("pkg:pypi/jinja2@2.9", "pkg:pypi/jinja2@2.10.1"))["gate"] == "introduced"
    assert outcome(judged(history(JINJA2)), "TEAM-001") == "pass"


def test_the_clock_goes_on_over_a_new_version_with_the_same_flaw() -> None:
    one = item(history("pkg:pypi/jinja2@2.9", first="2026-11-01T00:00:00Z"))
    assert (one["gate"], one["first_seen"], one["due"]) == (
        *("introduced", "2026-11-01T00:00:00Z", "2026-11-08T00:00:00Z"),
    )


@pytest.mark.parametrize(
    ("first", "said"), [("2026-11-13T12:00:00Z", "pass"), ("2026-11-13T11:59:59Z", "fail"), ("", "pass")]
)
def test_the_time_is_over_a_second_after_it_is_due(first: str, said: str) -> None:
    assert outcome(judged(history(JINJA2, first=first)), "TEAM-002") == said


def test_a_rule_about_a_severity_that_has_no_time_fails() -> None:
    verdict = judged(history(JINJA2), by=policy(RULES.replace('"LOW"', '"HIGH"')))
    assert outcome(verdict, "TEAM-002") == "fail"
    assert "could not be decided" in verdict.blocking[0].evidence[0]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("pkg:deb/debian/libc6@2.41?arch=amd64&distro=debian-13.1", "pkg:deb/debian/libc6@2.41?arch=amd64", True),
        ("pkg:deb/debian/libc6@2.41?distro=debian-13.1", "pkg:deb/debian/libc6@2.41?distro=debian-13.2", True),
        ("pkg:deb/debian/libc6@2.41?arch=amd64", "pkg:deb/debian/libc6@2.41?arch=arm64", False),
        ("pkg:deb/debian/libc6@2.41?epoch=1", "pkg:deb/debian/libc6@2.41", False),
    ],
)
def test_the_distribution_around_a_package_does_not_make_it_another(one: str, other: str, same: bool) -> None:
    assert (package("x", "1", "debian", one, "") == package("x", "1", "debian", other, "")) is same


def test_without_a_package_url_type_name_version_and_path_tell_packages_apart() -> None:
    whole = ("a", "1", "node-pkg", "", "/app/a")
    others = [tuple("b" if at == place else part for at, part in enumerate(whole)) for place in (0, 1, 2, 4)]
    assert len({package(*parts) for parts in (whole, *others)}) == 5
    assert packages([Package("a", "1", "language", "node-pkg", path="/app/a")]) == (package(*whole),)


def test_a_verdict_names_the_history_it_was_made_with() -> None:
    assert judged(None).history is None
    assert judged(History()).history != judged(history(JINJA2)).history


def test_evidence_about_what_was_disclosed_is_marked() -> None:
    late = judged(history(JINJA2, first="2026-01-01T00:00:00Z")).results[1]
    assert late.disclosed == late.evidence == ("CVE-2026-0001 was due 2026-01-08T00:00:00Z",)
    assert judged(history()).results[0].disclosed == ()


def test_a_change_is_told_from_what_was_there_and_what_is_gone() -> None:
    quiet = history(JINJA2)
    before, after = judged(quiet, facts(config__uid=0)), judged(quiet)
    assert [one.rule for one in gates(before, after, facts(config__uid=0)).introduced] == ["TEAM-003"]
    assert [one.rule for one in gates(after, before).gone] == ["TEAM-003"]
    both = gates(before, before, facts(config__uid=0))
    assert ([one.rule for one in both.carried], both.introduced, both.gone) == (["TEAM-003"], (), ())


def test_what_is_gone_blocks_nothing() -> None:
    before, after = judged(history()), judged(history(JINJA2))
    (gone,) = gates(after, before).gone
    assert (gone.rule, gone.outcome, gone.blocking) == ("TEAM-001", "fail", False)


def test_what_was_disclosed_is_not_introduced_however_new_it_is() -> None:
    past = history(JINJA2, first="2026-11-10T12:00:00Z")
    found = gates(judged(past), judged(history(JINJA2)), past=past)
    assert found.introduced == ()
    (one,) = found.disclosed
    assert (one.first_seen, one.due, one.days_left) == ("2026-11-10T12:00:00Z", "2026-11-17T12:00:00Z", -3)


def test_without_a_baseline_all_results_are_introduced_and_the_note_says_why() -> None:
    found = gates(judged(History(note="nothing")), None, past=History(note="nothing"))
    assert (found.against, found.note, [one.line for one in found.introduced]) == (
        *("", "nothing", ["CVE-2026-0001 of introduced"]),
    )
    assert (found.carried, found.gone, found.disclosed) == ((), (), ())


@pytest.mark.parametrize(
    ("before", "past", "note"),
    [
        (None, history(JINJA2), "its verdict is not kept here"),
        (judged(history(JINJA2)), history(JINJA2, against=str(factory.SUBJECT)), "it is this very image"),
        (judged(None, by=policy(RULES + "\n#")), history(JINJA2), "its verdict was made with another policy"),
        (judged(None), history(JINJA2, note="it was asked for"), "it was asked for"),
    ],
)
def test_what_weakens_a_comparison_is_said(before: Verdict | None, past: History, note: str) -> None:
    assert gates(judged(past), before, past=past).note.startswith(note)


def test_the_most_urgent_disclosure_comes_first() -> None:
    (template,) = facts().vulnerabilities
    found = tuple(dataclasses.replace(template, id=id) for id in ("CVE-1", "CVE-2", "CVE-3"))
    unknown = dataclasses.replace(template, id="CVE-0", severity="UNKNOWN")
    dates = (("CVE-2", "2026-11-18T00:00:00Z"), ("CVE-3", "2026-11-02T00:00:00Z"))
    past = history(JINJA2, sightings=tuple(Sighting(id, "python-pkg/jinja2", at) for id, at in dates))
    of = facts(vulnerabilities=(unknown, *found))
    after = gates(judged(past, of), None, of, past)
    assert [one.id for one in after.disclosed] == ["CVE-3", "CVE-2", "CVE-1", "CVE-0"]


def results(rules: str) -> tuple[RuleResult, ...]:
    return tuple(RuleResult(f"T-{name}", "", "must", "low", "fail", True, "", "", (name,)) for name in rules)


@given(st.text("abcdef", max_size=6), st.text("abcdef", max_size=6))
def test_every_result_is_in_exactly_one_part(after: str, before: str) -> None:
    old, new = (dataclasses.replace(judged(None), results=results(rules)) for rules in (before, after))
    found = gates(new, old)
    assert {one.line for one in found.introduced} == set(after) - set(before)
    assert {one.line for one in found.carried} == set(after) & set(before)
    assert {one.line for one in found.gone} == set(before) - set(after)


@given(DAYS)
def test_moments_sort_as_the_days_do(day: Any) -> None:
    assert (moment(day) < moment(factory.NOW)) == (day < factory.NOW)


@pytest.mark.parametrize(
    ("table", "mistake"),
    [
        ('severity = "HIHG"\ndays = 7', "remediation[1].severity: must be 'CRITICAL'"),
        ('severity = "HIGH"\ndays = 0', "remediation[1].days: must be 1 to"),
        ('severity = "HIGH"\ndays = true', "remediation[1].days: "),
        ('severity = "LOW"\ndays = 7', "LOW is already used in policies/a.toml: remediation[0]"),
        ('severity = "HIGH"\nday = 7', "remediation[1].day: unknown key; did you mean 'days'?"),
    ],
)
def test_a_mistake_in_a_time_to_remedy_is_named_with_its_place(table: str, mistake: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        policy(f"{RULES}\n[[remediation]]\n{table}\n")
    assert mistake in str(error.value)


def test_a_vulnerability_of_a_rule_is_still_the_fact_it_was() -> None:
    (fact,) = facts().vulnerabilities
    assert isinstance(fact, VulnerabilityFact)
    assert {key: value for key, value in item(History()).items() if key not in ("gate", "first_seen", "due")} == dump(
        fact
    )
