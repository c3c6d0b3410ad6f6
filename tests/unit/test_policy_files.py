"""policies/*.toml: what a file may say, and every mistake at once with its place."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagewright.errors import ConfigurationError
from imagewright.model.verdict import Policy
from imagewright.policyfile import parse_policy

RULE = {
    "id": "TEAM-001",
    "title": "A title",
    "level": "must",
    "severity": "high",
    "deny": "config.uid == 0",
    "message": "the user is {config.user}",
    "remedy": "change it",
}
EACH = {"each": "vulnerabilities", "deny": "item.severity == 'HIGH'", "show": "{item.id}", "message": "{count} of them"}
WAIVER = {"id": "CVE-1", "reason": "because", "owner": "team", "expires": "2026-12-01"}


def table(kind: str, values: dict[str, Any]) -> str:
    lines = [f"[[{kind}]]"]
    for key, value in values.items():
        lines.append(f"{key} = {value!r}" if not isinstance(value, (bool, Raw)) else f"{key} = {str(value).lower()}")
    return "\n".join(lines) + "\n"


class Raw(str):
    """TOML as it is written."""

    __slots__ = ()


def rule(**changes: Any) -> str:
    return table("rule", {key: value for key, value in {**RULE, **changes}.items() if value is not None})


def elsewhere(**changes: Any) -> str:
    """A rule about what no image shows."""
    return rule(**{"deny": None, "message": None, "remedy": None, "elsewhere": "`cosign verify`", **changes})


def waiver(**changes: Any) -> str:
    return rule() + table("waiver", {key: value for key, value in {**WAIVER, **changes}.items() if value is not None})


def parsed(*texts: str) -> Policy:
    return parse_policy((f"policies/{number}.toml", text) for number, text in enumerate(texts))


def mistakes(*texts: str) -> list[str]:
    with pytest.raises(ConfigurationError) as error:
        parsed(*texts)
    return [str(problem) for problem in error.value.problems]


def test_rules_of_all_files_make_one_policy_and_know_their_file() -> None:
    policy = parsed(rule(), rule(id="TEAM-002", **EACH))
    assert [(one.id, one.file) for one in policy.rules] == [
        *(("TEAM-001", "policies/0.toml"), ("TEAM-002", "policies/1.toml")),
    ]


def test_a_rule_may_say_what_it_concerns_or_what_would_check_it() -> None:
    first, second = parsed(rule(when="declared.port > 0"), elsewhere(id="TEAM-002", when="config.uid > 0")).rules
    assert (first.when, first.elsewhere) == ("declared.port > 0", "")
    assert (second.when, second.deny, second.elsewhere) == ("config.uid > 0", "", "`cosign verify`")


def test_the_digest_tells_any_change_and_no_order() -> None:
    files = [("a.toml", rule()), ("b.toml", rule(id="TEAM-002"))]
    assert parse_policy(files).digest == parse_policy(files[::-1]).digest
    assert parse_policy(files).digest != parse_policy([files[0], ("b.toml", rule(id="TEAM-003"))]).digest


def test_an_expiry_may_be_a_toml_date_or_a_text() -> None:
    for written in (Raw("2026-12-01"), "2026-12-01"):
        assert parsed(waiver(expires=written)).waivers[0].expires == "2026-12-01"


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        (rule(titel="x"), "rule[0].titel: unknown key"),
        (rule(title=None), "rule[0].title: is required"),
        (rule(title=3), "rule[0].title: must be a string"),
        (rule(title=" "), "rule[0].title: must not be empty"),
        (rule(level="may"), "rule[0].level"),
        (rule(severity="hihg"), "rule[0].severity: is 'hihg'; did you mean 'high'?"),
        (rule(id="team"), "rule[0].id: must look like"),
        (rule(id="SEC-013"), "rule[0].id: SEC-013 judges the waivers"),
        (rule() + rule(), "rule[1].id: TEAM-001 is already used in policies/0.toml: rule[0]"),
        (rule(requires=["secretz"]), "rule[0].requires: no such check: 'secretz'; did you mean 'secrets'?"),
        (rule(file="x"), "rule[0].file: unknown key"),
        (
            rule(deny="config.usr == 'x'"),
            "rule[0].deny: line 1, column 7: undeclared reference to 'config.usr'; did you",
        ),
        (rule(deny="config.uid == 'x'"), "rule[0].deny: line 1, column 12: found no matching overload"),
        (rule(deny="config.uid =="), "rule[0].deny: line 1, column 14: Syntax error"),
        (rule(deny="config.uid"), "rule[0].deny: it yields INT, not BOOL"),
        (rule(deny="item.id == 'x'"), "undeclared reference to 'item.id'"),
        (rule(deny="!" * 5000 + "true"), "rule[0].deny: it has 5004 characters, more than 4000"),
        (rule(deny="[" * 60 + "]" * 60 + " == []"), "rule[0].deny: "),
        (rule(message="{config.usr}"), "rule[0].message: no such fact: {config.usr}; did you mean 'config.user'?"),
        (rule(**{**EACH, "each": "vulnerability"}), "rule[0].each: no such list: 'vulnerability'; did you mean"),
        (rule(**{**EACH, "show": None}), "rule[0].show: is required beside each"),
        (rule(**{**EACH, "show": "{item.name}"}), "rule[0].show: no such fact: {item.name}"),
        (rule(**{**EACH, "deny": "item.severty == 'x'"}), "did you mean 'item.severity'?"),
        (
            rule(when="image.servce == 'node'"),
            "rule[0].when: line 1, column 6: undeclared reference to 'image.servce'; did you mean 'image.service'?",
        ),
        (rule(when="image.service"), "rule[0].when: it yields STRING, not BOOL"),
        (rule(when=" "), "rule[0].when: line 1, column 2: Syntax error"),
        (
            rule(**EACH, when="item.severity == 'HIGH'"),
            "rule[0].when: line 1, column 5: undeclared reference to 'item.",
        ),
        (rule(**{**EACH, "each": "vulnerability"}, when="nothing"), "rule[0].when: "),
        (rule(wehn="true"), "rule[0].wehn: unknown key; did you mean 'when'?"),
        (rule(deny=None), "rule[0].deny: is required; or elsewhere, for what no image shows: what would check it"),
        (rule(elsewhere="a person"), "rule[0].deny: must not stand beside elsewhere: nothing is asked of the image"),
        (elsewhere(elsewhere=" "), "rule[0].elsewhere: must not be empty"),
        (elsewhere(title=""), "rule[0].title: must not be empty"),
        (elsewhere(when="nothing"), "rule[0].when: line 1, column 1: undeclared reference to 'nothing'"),
        *((elsewhere(**{key: RULE[key]}), f"rule[0].{key}: must not stand beside") for key in ("message", "remedy")),
        *((elsewhere(**{key: EACH[key]}), f"rule[0].{key}: must not stand beside") for key in ("each", "show")),
        (elsewhere(requires=["lint"]), "rule[0].requires: must not stand beside elsewhere"),
        (rule(message=None), "rule[0].message: must not be empty"),
        (rule(remedy=None), "rule[0].remedy: must not be empty"),
        (waiver(reason=""), "waiver[0].reason: must not be empty"),
        (waiver(owner=None), "waiver[0].owner: is required"),
        (waiver(expires="soon"), "waiver[0].expires: must be a date (YYYY-MM-DD), is 'soon'"),
        (waiver(expires="2026-02-30"), "waiver[0].expires: must be a date"),
        (waiver(expires=Raw("2026-12-01T00:00:00Z")), "waiver[0].expires"),
        (waiver(expires=None), "waiver[0].expires: is required"),
        (waiver(expires="20261201"), "waiver[0].expires: must be a date"),
        (waiver(expires="2026-W49-2"), "waiver[0].expires: must be a date"),
        (waiver(justification="component_not_presnt"), "did you mean 'component_not_present'?"),
        (waiver(status="fixed"), "waiver[0].status: unknown key"),
        (rule() + table("profile", {"name": "open", "blocks": []}), "profile[0].blocks: must contain 'fail'"),
        (rule() + table("profile", {"name": "x", "blocks": ["fial"]}), "profile[0].blocks[0]"),
        (rule() + "[rules]\n", "rules: unknown key; did you mean 'rule'?"),
        ("rule = 3", "rule: must be a list of tables"),
        ("[[rule]", "is not TOML"),
        ("", "there are no rules"),
    ],
)
@pytest.mark.covers("SEC-013")
def test_a_mistake_is_named_with_file_place_and_near_miss(text: str, mistake: str) -> None:
    found = mistakes(text)
    assert any(mistake in line for line in found), found


def test_all_mistakes_of_all_files_come_at_once() -> None:
    found = mistakes(rule(severity="bad", deny="nothing"), waiver(id=""), "x = 1")
    assert len(found) >= 4
    assert {line.split(":")[0] for line in found} == {"policies/0.toml", "policies/1.toml", "policies/2.toml"}


def test_the_same_id_in_two_files_names_both() -> None:
    assert mistakes(rule(), rule()) == [
        "policies/1.toml: rule[0].id: TEAM-001 is already used in policies/0.toml: rule[0]"
    ]


LIFETIME = {"runtime": "node", "line": "24", "ends": "2028-04-30"}


def test_the_end_of_a_line_may_be_a_toml_date_or_a_text() -> None:
    for written in (Raw("2028-04-30"), "2028-04-30"):
        (found,) = parsed(rule() + table("end_of_life", {**LIFETIME, "ends": written})).lifetimes
        assert (found.name, found.ends) == ("node 24", "2028-04-30")


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        (table("end_of_lief", LIFETIME), "end_of_lief: unknown key; did you mean 'end_of_life'?"),
        (table("end_of_life", {**LIFETIME, "end": "x"}), "end_of_life[0].end: unknown key; did you mean 'ends'?"),
        (table("end_of_life", {**LIFETIME, "ends": "soon"}), "end_of_life[0].ends: must be a date (YYYY-MM-DD)"),
        (table("end_of_life", {**LIFETIME, "line": ""}), "end_of_life[0].line: must not be empty"),
        (table("end_of_life", LIFETIME) * 2, "end_of_life[1].line: node 24 is already used in policies/0.toml"),
    ],
)
def test_a_mistake_about_an_end_of_life_is_named(text: str, mistake: str) -> None:
    assert any(mistake in line for line in mistakes(rule() + text)), mistakes(rule() + text)


def test_a_rule_may_read_the_ends_of_life() -> None:
    deny = "!(item.line in end_of_life) || now > timestamp(end_of_life[item.line])"
    assert parsed(rule(each="runtimes", deny=deny, show="{item.line}", message="{count} of them"))
    assert mistakes(rule(deny="now > timestamp(end_of_live['node 24'])"))


@given(st.text(max_size=12) | st.dates().map(str) | st.from_regex(r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}\Z"))
def test_an_expiry_is_a_day_of_the_calendar_or_a_mistake(text: str) -> None:
    written = f"{rule()}[[waiver]]\nid = 'CVE-1'\nreason = 'x'\nowner = 'x'\nexpires = {json.dumps(text)}\n"
    try:
        (found,) = parsed(written).waivers
    except ConfigurationError as error:
        (problem,) = error.problems
        assert problem.path in ("waiver[0].expires", "")
    else:
        assert date.fromisoformat(text).isoformat() == text == found.expires


@pytest.mark.parametrize(
    "value", ["2026-02-29", "2026-13-01", "0000-01-01", "2026-12-01T10:00:00", "10:00:00", "1", "[]"]
)
def test_an_expiry_that_toml_knows_as_something_else_is_a_mistake(value: str) -> None:
    with pytest.raises(ConfigurationError):
        parsed(waiver(expires=Raw(value)))


def test_the_leap_day_is_a_day() -> None:
    assert parsed(waiver(expires=Raw("2028-02-29"))).waivers[0].expires == "2028-02-29"
