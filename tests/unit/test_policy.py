"""The gate: what each answer of a rule leads to, and that nothing unknown ever passes."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagewright.errors import ConfigurationError, EvidenceError
from imagewright.facts import to_document
from imagewright.model.facts import Facts, canonical
from imagewright.model.reported import CheckFact, VulnerabilityFact
from imagewright.model.verdict import Policy, Profile, Rule, RuleResult, Verdict, Waiver
from imagewright.policy import evaluate, settle
from imagewright.policy.cel import BadExpression, Undecided, compile_question
from imagewright.policy.vocabulary import (
    BEFORE,
    CHECKS,
    END_OF_LIFE,
    ITEMS,
    NAMES,
    NOW,
    PROFILE,
    flatten,
    names_read,
    render,
)
from imagewright.reference import Digest
from tests.unit import factory
from tests.unit.factory import facts

PROFILES = (Profile("local", ("fail",), True), Profile("ci", ("fail",)), Profile("release", ("fail", "not-checked")))


def rule(deny: str = "false", **changes: Any) -> Rule:
    message, show = ("{count} broke it", "{item.id}") if changes.get("each") else ("it is broken", "")
    base = Rule("TEAM-001", "A title", "must", "high", deny, message, "change it", "team.toml", show=show)
    return dataclasses.replace(base, **changes)


def policy(*rules: Rule, waivers: tuple[Waiver, ...] = ()) -> Policy:
    return Policy(rules, waivers, PROFILES, Digest.of(b"policy"))


def judged(*rules: Rule, of: Facts | None = None, profile: str = "ci", waivers: tuple[Waiver, ...] = ()) -> Verdict:
    return evaluate(policy(*rules, waivers=waivers), of or facts(), profile=profile, now=factory.NOW)


def result(*rules: Rule, **options: Any) -> RuleResult:
    return judged(*rules, **options).results[0]


def found(*ids: str, severity: str = "HIGH") -> tuple[VulnerabilityFact, ...]:
    (template,) = facts().vulnerabilities
    return tuple(dataclasses.replace(template, id=one, severity=severity) for one in ids)


def test_a_rule_that_denies_nothing_passes() -> None:
    verdict = judged(rule("config.uid == 0"))
    assert (verdict.passed, verdict.results[0].outcome, verdict.results[0].evidence) == (True, "pass", ())


def test_a_must_rule_that_denies_fails_and_blocks_and_quotes_the_facts() -> None:
    denied = rule("config.uid == 65532", message="it runs as {config.user}, {config.numeric}, {config.ports}")
    verdict = judged(denied)
    assert not verdict.passed
    assert verdict.blocking[0].message == "it runs as 65532:65532, yes, 8000"


def test_a_should_rule_warns_and_never_blocks() -> None:
    for profile in ("local", "ci", "release"):
        verdict = judged(rule("true", level="should"), of=facts(), profile=profile)
        assert (verdict.results[0].outcome, verdict.passed) == ("warn", True)


def test_each_names_the_offending_items_and_counts_them() -> None:
    of = facts(vulnerabilities=found("CVE-1", "CVE-2") + found("CVE-3", severity="LOW"))
    one = result(rule("item.severity == 'HIGH'", each="vulnerabilities", show="{item.id} in {item.package}"), of=of)
    assert (one.outcome, one.message) == ("fail", "2 broke it")
    assert one.evidence == ("CVE-1 in jinja2", "CVE-2 in jinja2")


def test_each_works_on_plain_texts_too() -> None:
    one = result(
        rule("item.startsWith('A')", each="config.secret_env", show="{item}"), of=facts(config__secret_env=("A", "B"))
    )
    assert one.evidence == ("A",)


def test_an_item_rule_may_ask_about_the_whole_as_well() -> None:
    mixed = rule("config.uid == 65532 && item.severity == 'LOW'", each="vulnerabilities")
    assert result(mixed).outcome == "fail"


@pytest.mark.parametrize(
    ("deny", "why"),
    [
        ("config.labels['nope'] == 'x'", "Key not found"),
        ("1 / (config.uid - 65532) == 1", "divide by zero"),
        ("dyn(config.user)", "it yields STRING, not BOOL"),
        ("dyn(null)", "it yields NULL, not BOOL"),
        ("[dyn(true)][0] == dyn(config.labels['nope'])", "Key not found"),
        ("config.usr == 'x'", "line 1, column 7: undeclared reference"),
        ("config.uid ==", "line 1, column 14: Syntax error"),
        ("timestamp(config.user) < now", "Timestamp conversion failed"),
    ],
)
def test_a_rule_that_cannot_be_decided_fails_and_says_why(deny: str, why: str) -> None:
    one = result(rule(deny))
    assert (one.outcome, one.blocking) == ("fail", True)
    assert one.evidence[0].startswith("the rule could not be decided: ")
    assert why in one.evidence[0]


def test_an_item_that_cannot_be_decided_fails_beside_those_that_can() -> None:
    of = facts(vulnerabilities=found("CVE-0", "CVE-5"))
    one = result(rule("10 / (item.id == 'CVE-0' ? 0 : 5) == 2", each="vulnerabilities"), of=of)
    assert one.evidence == ("the rule could not be decided: CVE-0: INVALID_ARGUMENT: divide by zero", "CVE-5")


def test_an_undecided_should_rule_warns() -> None:
    assert result(rule("config.labels['nope'] == 'x'", level="should")).outcome == "warn"


def test_a_rule_that_cannot_be_decided_cannot_be_waived() -> None:
    waiver = Waiver("TEAM-001", "because", "me", "2026-11-21", "waivers.toml")
    assert result(rule("config.labels['nope'] == 'x'"), waivers=(waiver,)).outcome == "fail"


def test_expressions_are_bounded_in_length_depth_iterations_and_time() -> None:
    with pytest.raises(BadExpression, match="more than 4000"):
        compile_question("true || " * 600 + "true")
    with pytest.raises(BadExpression, match="recursion"):
        compile_question("!(" * 500 + "true" + ")" * 500)
    many = flatten(to_document(facts(vulnerabilities=found(*map(str, range(300))))))
    nested = compile_question("vulnerabilities.all(a, vulnerabilities.all(b, a.id != '' && b.id != ''))")
    assert isinstance(nested.ask(many), Undecided)


def test_a_rule_that_takes_too_long_over_its_items_is_undecided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imagewright.policy.bounded.LONGEST_RULE", -1.0)
    one = result(
        rule("item.severity == 'HIGH'", each="vulnerabilities"), of=facts(vulnerabilities=found("CVE-1", "CVE-2"))
    )
    assert "took more than" in one.evidence[0]


def test_more_items_than_one_expression_may_visit_are_asked_one_by_one() -> None:
    (template,) = facts().vulnerabilities
    many = (template,) * 10_050 + found("CVE-9")
    one = result(rule("item.severity == 'HIGH'", each="vulnerabilities"), of=facts(vulnerabilities=many))
    assert one.evidence == ("CVE-9",)


@pytest.mark.parametrize(("profile", "blocking"), [("local", False), ("ci", False), ("release", True)])
@pytest.mark.covers("SEC-015")
def test_not_checked_is_no_pass_and_blocks_a_release(profile: str, blocking: bool) -> None:
    of = facts(checks__secrets=CheckFact(False, "turned off"))
    verdict = judged(rule("true", requires=("secrets",)), of=of, profile=profile)
    assert verdict.results[0].outcome == "not-checked"
    assert verdict.results[0].evidence == ("secrets: not checked (turned off)",)
    assert (verdict.results[0].blocking, verdict.passed) == (blocking, not blocking)


@pytest.mark.parametrize(
    ("check", "one"),
    [
        ("vulnerabilities", rule("item.severity == 'HIGH'", each="vulnerabilities")),
        ("vulnerabilities", rule("vulnerabilities.exists(v, v.fixable)")),
        ("vulnerabilities", rule("severities . high > 3")),
        ("secrets", rule("size(secrets) > 0")),
        ("licences", rule("config.uid == 0 || licences.exists(one, one.name == 'x')")),
        ("packages", rule("packages.os == 0")),
        ("lint", rule("lint.size() > 0")),
    ],
)
def test_a_rule_needs_the_checks_behind_its_facts_without_saying_so(check: str, one: Rule) -> None:
    of = facts(**{f"checks__{check}": CheckFact(False, "away")})
    assert result(one, of=of).outcome == "not-checked"
    assert result(one).outcome in ("pass", "fail")


def test_a_check_nobody_knows_is_not_done() -> None:
    assert result(rule("false", requires=("weather",))).outcome == "not-checked"


def test_no_rules_no_verdict() -> None:
    with pytest.raises(ConfigurationError, match="no rules"):
        judged()


def test_an_unknown_profile_is_refused_with_the_near_miss() -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'release'"):
        judged(rule(), profile="relase")


def test_facts_of_another_schema_are_refused() -> None:
    with pytest.raises(EvidenceError, match="another schema"):
        judged(rule(), of=facts(schema="imagewright/facts/v0"))


def test_the_verdict_names_what_it_was_made_of() -> None:
    verdict = judged(rule())
    assert verdict.subject == factory.SUBJECT
    assert verdict.facts == Digest.of(canonical(to_document(facts())))
    assert (verdict.policy, verdict.date, verdict.profile) == (Digest.of(b"policy"), "2026-11-20", "ci")


def test_a_verdict_can_be_reached_again_from_what_it_records() -> None:
    verdict = judged(rule("now - timestamp(scan.database_updated_at) > duration('5h')"))
    again = datetime.fromisoformat(verdict.at)
    assert (
        evaluate(
            policy(rule("now - timestamp(scan.database_updated_at) > duration('5h')")), facts(), profile="ci", now=again
        )
        == verdict
    )


def test_the_same_case_is_judged_the_same() -> None:
    assert judged(rule("true"), rule("false")) == judged(rule("true"), rule("false"))


def test_now_and_profile_can_be_asked() -> None:
    late = rule("now - timestamp(scan.database_updated_at) > (profile == 'release' ? duration('1h') : duration('24h'))")
    assert result(late, profile="ci").outcome == "pass"
    assert result(late, profile="release").outcome == "fail"


def test_items_may_hold_lists_and_tables_and_equal_ones_get_equal_answers() -> None:
    kinds = {name: kind for fields in ITEMS.values() for name, kind in fields.items()}
    assert (kinds["item.licences"], kinds["item.severity_by_source"], kinds["item.epss"]) == (
        "texts",
        "table",
        "double",
    )
    assert kinds["item.elements"] == "records"
    template = facts().packages.items[0]
    licences = (("MIT",), ("GPL-3.0-only", "MIT"), ("MIT",))
    items = tuple(dataclasses.replace(template, name=f"p{n}", licences=some) for n, some in enumerate(licences))
    alone = rule("'MIT' in item.licences && size(item.licences) == 1", each="packages.items", show="{item.name}")
    assert result(alone, of=facts(packages__items=items)).evidence == ("p0", "p2")


def test_severities_are_asked_for_by_source() -> None:
    deny = "'nvd' in item.severity_by_source && item.severity_by_source['nvd'] == 'CRITICAL'"
    item = dataclasses.replace(facts().vulnerabilities[0], severity_by_source={"nvd": "CRITICAL"})
    assert result(rule(deny=deny, each="vulnerabilities"), of=facts(vulnerabilities=(item,))).outcome == "fail"
    assert result(rule(deny=deny, each="vulnerabilities")).outcome == "pass"


@pytest.mark.parametrize(
    ("deny", "each", "check"),
    [
        ("item.epss > 0.5", "vulnerabilities", "epss"),
        ("item.epss_percentile > 0.5", "vulnerabilities", "epss"),
        ("vulnerabilities.exists(v, v.epss > 0.5)", "", "epss"),
        ("vulnerabilities.exists(v, v . epss > 0.5)", "", "epss"),
        ("vulnerabilities.exists(v, v['epss'] > 0.5)", "", "epss"),
        ("feeds.epss.date == ''", "", "epss"),
        ("item.kev", "vulnerabilities", "kev"),
        ("vulnerabilities.exists(v, v.kev_due != '')", "", "kev"),
        ("!rebuild.same", "", "rebuild"),
    ],
)
def test_what_feeds_and_rebuilds_say_is_not_checked_without_them(deny: str, each: str, check: str) -> None:
    asked = rule(deny=deny, each=each)
    done = {f"checks__{name}": CheckFact(done=True) for name in ("epss", "kev", "rebuild")}
    assert result(asked, of=facts(**done)).outcome != "not-checked"
    missing = result(asked, of=facts(**{**done, f"checks__{check}": CheckFact(done=False, reason="not configured")}))
    assert (missing.outcome, missing.evidence) == ("not-checked", (f"{check}: not checked (not configured)",))


def test_every_fact_can_be_read_by_its_name() -> None:
    flat = flatten(to_document(facts()))
    assert flat.keys() == NAMES.keys() - {END_OF_LIFE, NOW, PROFILE, *BEFORE}
    assert "config.healthcheck.program_exists" in NAMES
    assert ITEMS["files.setuid"]["item.mode"] == "string"
    assert "vulnerabilities" in CHECKS


def test_a_rule_that_does_not_concern_an_image_says_nothing_of_it() -> None:
    verdict = judged(rule("true", when="image.service == 'node'"), rule("false", id="TEAM-002"))
    assert verdict.passed
    assert verdict.inapplicable == ("TEAM-001",)
    assert [one.rule for one in verdict.results] == ["TEAM-002", "SEC-013"]


def test_a_rule_that_concerns_an_image_is_asked_as_ever() -> None:
    concerned = rule("item.severity == 'HIGH'", each="vulnerabilities", when="image.service == 'python'")
    verdict = judged(concerned, of=facts(vulnerabilities=found("CVE-1")))
    assert (verdict.results[0].evidence, verdict.inapplicable) == (("CVE-1",), ())


def test_the_rules_that_do_not_concern_an_image_keep_the_order_of_the_policy() -> None:
    names = ("TEAM-003", "TEAM-001", "TEAM-002")
    assert judged(rule(id="TEAM-009"), *(rule(id=name, when="false") for name in names)).inapplicable == names


@pytest.mark.parametrize(
    ("when", "why"),
    [
        ("config.labels['nope'] == 'x'", "Key not found"),
        ("dyn(config.user)", "it yields STRING, not BOOL"),
        ("dyn(null)", "it yields NULL, not BOOL"),
        ("image.servce == 'node'", "undeclared reference to 'image.servce'; did you mean 'image.service'?"),
        ("item.id == 'x'", "undeclared reference to 'item.id'"),
        ("image.service ==", "Syntax error"),
    ],
)
@pytest.mark.parametrize("asked", [{"deny": "false"}, {"elsewhere": "somebody else"}], ids=["asked", "elsewhere"])
def test_a_rule_of_which_nobody_knows_whether_it_concerns_the_image_fails(
    when: str, why: str, asked: dict[str, str]
) -> None:
    waiver = Waiver("TEAM-001", "because", "me", "2026-11-21", "waivers.toml")
    verdict = judged(rule(**{"deny": "", **asked}, when=when), waivers=(waiver,))
    one = verdict.results[0]
    assert (one.outcome, one.blocking, one.elsewhere, verdict.inapplicable) == ("fail", True, "", ())
    assert one.message == "nobody can tell whether the rule concerns this image"
    assert one.evidence[0].startswith("the rule could not be decided: when: ")
    assert why in one.evidence[0]
    assert result(rule(when=when, level="should")).outcome == "warn"


def test_what_nobody_checked_leaves_no_rule_out() -> None:
    away = facts(checks__secrets=CheckFact(False, "turned off"), secrets=())
    one = result(rule("false", when="size(secrets) > 0"), of=away)
    assert (one.outcome, one.evidence) == ("not-checked", ("secrets: not checked (turned off)",))
    assert result(rule("", when="size(secrets) > 0", elsewhere="a person"), of=away).elsewhere == "a person"


def test_a_rule_that_does_not_concern_an_image_needs_none_of_its_checks() -> None:
    away = facts(checks__secrets=CheckFact(False, "turned off"))
    verdict = judged(rule("size(secrets) > 0", when="false", requires=("lint",)), of=away, profile="release")
    assert (verdict.passed, verdict.inapplicable) == (True, ("TEAM-001",))


def test_a_waiver_for_a_rule_that_does_not_concern_the_image_matches_nothing() -> None:
    waiver = Waiver("TEAM-001", "because", "me", "2026-11-21", "waivers.toml")
    for idle in (rule("true", when="false"), rule("", elsewhere="a person")):
        by = policy(idle, waivers=(waiver,))
        verdict = evaluate(by, facts(), profile="ci", now=factory.NOW)
        assert not settle(by, [("backend", verdict)], complete=True)[0].passed


@given(st.booleans(), st.sampled_from(["must", "should"]), st.sampled_from(PROFILES))
def test_a_rule_that_concerns_nothing_never_changes_what_passes(deny: bool, level: str, profile: Profile) -> None:
    asked = rule(str(deny).lower(), id="TEAM-002", level=level)
    idle = rule("true", when="config.uid == 0")
    without, beside = judged(asked, profile=profile.name), judged(idle, asked, profile=profile.name)
    assert (beside.passed, beside.results) == (without.passed, without.results)


@given(st.booleans(), st.sampled_from(["must", "should"]), st.sampled_from(PROFILES))
def test_what_is_checked_elsewhere_never_blocks_and_never_passes(deny: bool, level: str, profile: Profile) -> None:
    asked = rule(str(deny).lower(), id="TEAM-002")
    told = rule("", level=level, elsewhere="`cosign verify`", requires=("weather",))
    verdict = judged(told, asked, profile=profile.name)
    assert verdict.passed == judged(asked, profile=profile.name).passed
    one = verdict.results[0]
    assert (one.outcome, one.blocking, one.elsewhere) == ("not-checked", False, "`cosign verify`")
    assert one.evidence == ("not checked here: `cosign verify`",)


def test_the_names_an_expression_reads_are_found_wherever_they_stand() -> None:
    text = "config . uid == 0 || vulnerabilities.exists(v, v.lint == item.id) && 'x' in config.labels"
    assert names_read(text) == {"config.uid", "vulnerabilities", "config.labels", "item", "item.id"}


@given(st.text(max_size=60))
def test_no_text_is_an_expression_that_passes_by_accident(text: str) -> None:
    try:
        compile_question(text)
    except BadExpression:
        assert result(rule(text)).outcome == "fail"


@given(st.lists(st.sampled_from(["CRITICAL", "HIGH", "MEDIUM", "LOW", "UNKNOWN"]), max_size=30))
def test_each_finds_exactly_the_items_python_would(severities: list[str]) -> None:
    of = facts(vulnerabilities=sum((found(f"CVE-{n}", severity=one) for n, one in enumerate(severities)), ()))
    one = result(rule("item.severity in ['CRITICAL', 'HIGH']", each="vulnerabilities"), of=of)
    assert list(one.evidence) == [f"CVE-{n}" for n, one in enumerate(severities) if one in ("CRITICAL", "HIGH")]


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 files are [open]"), (1, "1 file is [open]"), (2, "2 files are [open]")]
)
def test_a_message_follows_the_number_it_tells(count: int, words: str) -> None:
    assert render("{count} [file is|files are] [{state}]", {"count": count, "state": "open"}) == words


def test_a_fact_or_a_line_of_evidence_is_never_taken_for_a_choice_of_words() -> None:
    assert render("{count} in {path}", {"count": 1, "path": "/a[b|c]"}) == "1 in /a[b|c]"
    assert render("{item.path} [a|b]", {"item.path": "/x"}) == "/x [a|b]", "nothing is counted here"
