"""policies/fixtures/*.toml: the project's own examples hold, and whatever is wrong with one is named with its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagewright.errors import ConfigurationError, Problem
from imagewright.fixtures import check, parse_fixtures
from imagewright.model.facts import Facts
from imagewright.model.verdict import Policy
from imagewright.policy import evaluate
from imagewright.policy.good import MOMENT, changed, named
from imagewright.policyfile import parse_policy

ROOT = Path(__file__).resolve().parents[2]
RULES = """
[[rule]]
id = "TEAM-001"
title = "No root"
level = "must"
severity = "high"
deny = "config.uid == 0"
message = "root"
remedy = "USER"

[[rule]]
id = "TEAM-001.2"
title = "No old database"
level = "should"
severity = "low"
deny = "profile == 'release' && now - timestamp(scan.database_updated_at) > duration('24h')"
message = "old"
remedy = "fetch"

[[rule]]
id = "TEAM-002"
title = "Nothing severe"
level = "must"
severity = "high"
each = "vulnerabilities"
deny = "10 / size(item.id) > 1 && item.severity == 'HIGH'"
show = "{item.id}"
message = "{count}"
remedy = "update"

[[profile]]
name = "release"
blocks = ["fail"]
"""
SOUND = """
[TEAM-001.pass]
"the lowest id" = { config.uid = 1 }
[TEAM-001.fail]
"root" = { config.uid = 0 }
["TEAM-001.2".pass]
"a day old" = { profile = "release", now = 2026-01-02T06:00:00Z }
["TEAM-001.2".fail]
"a second more" = { profile = "release", now = 2026-01-02T06:00:01Z }
[TEAM-002.pass]
"a low one" = { vulnerabilities = [{ id = "CVE-1", severity = "LOW" }] }
[TEAM-002.fail]
"a high one" = { vulnerabilities = [{ id = "CVE-1", severity = "HIGH" }] }
[TEAM-002.not-checked]
"nobody looked" = { checks.vulnerabilities.done = false }
"""


def files(folder: str) -> list[tuple[str, str]]:
    return [(f"{folder}/{path.name}", path.read_text("utf-8")) for path in (ROOT / folder).glob("*.toml")]


def policy() -> Policy:
    return parse_policy([("policies/team.toml", RULES)])


def problems(text: str) -> list[str]:
    """What is said of one sound file with this text more."""
    return [str(problem) for problem in check(policy(), parse_fixtures([("fixtures.toml", SOUND + text)]))]


def mistakes(text: str) -> list[str]:
    with pytest.raises(ConfigurationError) as error:
        parse_fixtures([("fixtures.toml", text)])
    return [str(problem) for problem in error.value.problems]


def good(**changes: object) -> Facts:
    wrong: list[Problem] = []
    made = changed(changes, file="", at="", problems=wrong)
    assert made is not None, wrong
    return made


def test_every_rule_of_this_project_does_what_its_examples_say() -> None:
    assert check(parse_policy(files("policies")), parse_fixtures(files("policies/fixtures"))) == ()


@pytest.mark.parametrize("profile", ["local", "ci", "release"])
def test_the_good_image_passes_every_rule(profile: str) -> None:
    verdict = evaluate(parse_policy(files("policies")), good(), profile=profile, now=MOMENT)
    assert [result for result in verdict.results if result.outcome != "pass" and not result.elsewhere] == []


def test_sound_examples_have_no_problem() -> None:
    assert problems("") == []


def test_an_example_that_comes_out_otherwise_is_named_with_what_the_rule_says() -> None:
    assert problems('[TEAM-002.pass."a high one"]\nvulnerabilities = [{ id = "CVE-7", severity = "HIGH" }]') == [
        'fixtures.toml: TEAM-002.pass."a high one": the rule says fail CVE-7'
    ]
    assert problems('[TEAM-001.fail."an ordinary user"]') == [
        'fixtures.toml: TEAM-001.fail."an ordinary user": the rule says pass'
    ]


def test_a_rule_that_cannot_be_decided_does_not_do_what_its_example_says() -> None:
    (line,) = problems('[TEAM-002.fail."no id"]\nvulnerabilities = [{ severity = "HIGH" }]')
    assert "could not be decided" in line
    assert "divide by zero" in line


def test_a_rule_without_an_example_of_each_kind_is_named_with_its_file() -> None:
    lines = [str(problem) for problem in check(policy(), ())]
    assert len(lines) == 6
    assert lines[0] == "policies/team.toml: TEAM-001: has no pass fixture in policies/fixtures/"
    assert "policies/team.toml: TEAM-002: has no fail fixture in policies/fixtures/" in lines


SCOPED = """
[[rule]]
id = "TEAM-001"
title = "A service is small"
level = "must"
severity = "high"
when = "declared.port > 0"
deny = "declared.budget.compressed != 7"
message = "it is not"
remedy = "shrink it"

[[rule]]
id = "TEAM-002"
title = "It runs"
level = "must"
severity = "high"
when = "declared.port > 0"
elsewhere = "a container"
"""


def scoped(text: str) -> list[str]:
    policy = parse_policy([("policies/team.toml", SCOPED)])
    return [str(problem) for problem in check(policy, parse_fixtures([("fixtures.toml", text)]))]


def test_a_rule_with_a_scope_brings_an_example_outside_of_it_and_one_that_asks_nothing_brings_none() -> None:
    within = '[TEAM-001.pass."yes"]\ndeclared.budget.compressed = 7\n[TEAM-001.fail."no"]\n'
    assert scoped(within) == ["policies/team.toml: TEAM-001: has no not-applicable fixture in policies/fixtures/"]
    outside = '[TEAM-00{}.not-applicable."a base"]\ndeclared.port = -1\n'
    assert scoped(within + outside.format(1)) == []
    assert scoped(within + outside.format(1) + outside.format(2) + '[TEAM-002.not-checked."a service"]') == []


def test_an_example_on_the_wrong_side_of_a_scope_is_named() -> None:
    assert scoped('[TEAM-001.pass."a base"]\ndeclared.port = -1')[0] == (
        'fixtures.toml: TEAM-001.pass."a base": the rule does not concern this image'
    )
    assert scoped('[TEAM-001.not-applicable."a service"]')[0] == (
        'fixtures.toml: TEAM-001.not-applicable."a service": the rule says fail'
    )


def test_an_example_of_a_rule_or_profile_that_is_not_there_is_named_with_the_near_miss() -> None:
    assert problems('[TEAM-003.fail."x"]')[0].startswith('fixtures.toml: TEAM-003.fail."x": there is no rule TEAM-003')
    assert "did you mean 'release'" in problems('[TEAM-001.pass."x"]\nprofile = "relase"')[0]


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("[TEAM-001.fail", "is not TOML"),
        ("TEAM-001 = 3", "TEAM-001: must be a table"),
        ("[TEAM-001]\nfail = 3", "TEAM-001.fail: must be a table"),
        ('[TEAM-001.fail]\n"x" = 3', 'TEAM-001.fail."x": must be a table'),
        ("[TEAM-001.fails]", "TEAM-001.fails: unknown key; did you mean 'fail'?"),
        ("[TEAM-001.2.fail]", 'TEAM-001.2: unknown key; an id with a dot is quoted: ["TEAM-001.2".fail]'),
        ('[TEAM-001.fail."x"]\nconfig.iud = 0', "\"x\": no such fact: config.iud; did you mean 'config.uid'?"),
        ('[TEAM-001.fail."x"]\n"config.uid" = "root"', '"x".config.uid: '),
        ('[TEAM-001.fail."x"]\nconfig = 3', '"x": no such fact: config'),
        ('[T.fail."x"]\nvulnerabilities = [{ severty = "HIGH" }]', "vulnerabilities[0].severty: unknown key; did you"),
        ('[T.fail."x"]\nvulnerabilities = 3', '"x".vulnerabilities: must be a list'),
        ('[T.fail."x"]\nvulnerabilities = [3]', '"x".vulnerabilities[0]: must be a table'),
        ('[T.fail."x"]\nnow = 2026-01-01', '"x".now: must be a moment with its time zone'),
        ('[T.fail."x"]\nnow = 2026-01-01T00:00:00', '"x".now: must be a moment with its time zone'),
        ('[T.fail."x"]\nprofile = 3', '"x".profile: must be a string'),
    ],
)
def test_a_mistake_is_named_with_file_place_and_near_miss(text: str, mistake: str) -> None:
    found = mistakes(text)
    assert any(line.startswith("fixtures.toml: ") and mistake in line for line in found), found


def test_all_mistakes_of_a_file_come_at_once() -> None:
    assert len(mistakes('[A.fals]\n[B.fail."x"]\nmore = 1\n[C.fail]\n"x" = 1')) == 3


def test_nested_and_dotted_names_are_the_same() -> None:
    nested = {"config": {"healthcheck": {"present": False}, "labels": {"a.b": "c"}}, "bases": []}
    dotted = {"config.healthcheck.present": False, "config.labels": {"a.b": "c"}, "bases": []}
    assert dict(named(nested)) == dict(named(dotted)) == dotted


def test_what_a_fixture_does_not_name_stays_and_what_an_item_does_not_name_is_blank() -> None:
    made = good(**{"config.uid": 0, "files.setuid": [{"path": "/bin/su"}]})
    assert (made.config.uid, made.config.user) == (0, good().config.user)
    (file,) = made.files.setuid
    assert (file.path, file.mode, file.layer, file.deleted) == ("/bin/su", "", 0, False)


def test_no_example_changes_the_good_image_itself() -> None:
    before = good()
    good(**{"config.env": {"A": "b"}, "checks.lint.done": False})
    assert good() == before


@given(st.dictionaries(st.text(max_size=12), st.none() | st.integers() | st.lists(st.text(max_size=3)), max_size=3))
def test_no_changes_make_it_crash(changes: dict[str, object]) -> None:
    wrong: list[Problem] = []
    assert (changed(changes, file="f", at="a", problems=wrong) is None) <= bool(wrong)
