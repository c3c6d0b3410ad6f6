"""The policy as people read it: complete where it is short, bounded where it is long."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from imagewright.errors import ConfigurationError
from imagewright.flow.policies import overview
from imagewright.flow.policies import test as run_examples
from imagewright.flow.workspace import policy_files
from imagewright.model.facts import Facts, FileFact
from imagewright.model.history import History
from imagewright.model.reported import CheckFact
from imagewright.model.verdict import Policy, Rule
from imagewright.policy import evaluate
from imagewright.policyfile import parse_policy
from imagewright.reports import rules
from tests.unit import factory
from tests.unit.factory import facts

ROOT = Path(__file__).resolve().parents[3]
POLICY = parse_policy(policy_files(ROOT))
RULES = {rule.id: rule for rule in rules.every(POLICY)}


def judged(id: str, of: Facts, policy: Policy = POLICY, history: History | None = None) -> str:
    verdict = evaluate(policy, of, profile="ci", now=factory.NOW, history=history)
    result = next((result for result in verdict.results if result.rule == id), None)
    rule = next(rule for rule in rules.every(policy) if rule.id == id)
    return rules.judged(rule, policy, of, history or History(), verdict, result)


def setuid(count: int, path: str = "/bin/") -> Facts:
    file = FileFact("", "file", "4755", 0, 0, 1, 0, False, False, "setuid")
    return facts(files__setuid=tuple(dataclasses.replace(file, path=f"{path}{n:03}") for n in range(count)))


def rule(**changes: Any) -> Policy:
    made = Rule("TEAM-001", "A title", "must", "high", "false", "m", "r", "team.toml", **changes)
    return dataclasses.replace(POLICY, rules=(made,))


def test_the_overview_has_every_rule_below_its_file_and_whom_it_concerns_and_every_profile() -> None:
    lines = overview(ROOT).splitlines()
    for one in RULES.values():
        (at,) = [number for number, line in enumerate(lines) if line.split()[:1] == [one.id]]
        assert lines[at].split(maxsplit=3) == [one.id, one.level, one.severity, one.title]
        head = next(line for line in reversed(lines[:at]) if not line.startswith(" "))
        about = ["not checked here"] if one.elsewhere else [one.file, " ".join(one.when.split()) or "every image"]
        assert [part for part in about if part not in head] == []
    assert [line.split()[0] for line in lines[-3:]] == ["local", "ci", "release"]
    assert "blocks fail, not-checked" in lines[-1]
    assert "loopback only" in lines[-3]


@pytest.mark.parametrize("id", RULES)
def test_a_rule_is_shown_in_full(id: str) -> None:
    one = RULES[id]
    text = " ".join(rules.explained(one).split())
    for part in (one.title, one.level, one.severity, one.file, one.deny, one.message, one.remedy, one.reference):
        assert " ".join(part.split()) in text
    for part in (one.when or "every image", one.elsewhere):
        assert " ".join(part.split()) in text


def test_the_checks_behind_a_rule_are_shown_with_it() -> None:
    assert "checks needed: vulnerabilities" in " ".join(rules.explained(RULES["SEC-012"]).split())
    assert "checks.vulnerabilities.done = true" in judged("SEC-012", facts())


def test_the_facts_a_rule_read_are_shown_with_their_values_and_nothing_else() -> None:
    text = judged("SEC-003", facts(config__user="10001:10001"))
    assert text.splitlines() == [
        f"backend (linux/amd64, {factory.SUBJECT})",
        "  it read:",
        '    config.user = "10001:10001"',
        '    declared.user = "65532:65532"',
        "  it says: fail, which blocks (profile ci)",
        "    the image runs as 10001:10001, image.toml declares 65532:65532",
    ]


def test_the_moment_and_the_profile_are_shown_where_a_rule_asks_for_them() -> None:
    text = judged("SEC-015", facts())
    assert '    now = "2026-11-20T12:00:00+00:00"' in text.splitlines()
    assert '    profile = "ci"' in text.splitlines()


def test_what_only_the_moment_of_judging_knows_is_shown_too() -> None:
    assert '"gate": "introduced"' in judged("SEC-012", facts())
    text = judged("SEC-017", facts(), history=History(released_at="2026-11-01T00:00:00Z"))
    assert '    history.released_at = "2026-11-01T00:00:00Z"' in text.splitlines()
    assert "    end_of_life = {" in judged("SEC-007", facts())


def test_long_lists_are_counted_and_cut() -> None:
    text = judged("SEC-020", setuid(300))
    assert "    files.setuid: 300" in text.splitlines()
    assert text.count('"path": "/bin/') == rules.MOST_ITEMS
    assert "… and 295 more" in text
    assert "300 files run with their owner's or group's rights" in text
    assert len(text.splitlines()) < 20


def test_long_values_are_cut_and_their_length_is_said() -> None:
    text = judged("SEC-024", facts(config__labels={"long": "x" * 5000}))
    assert max(map(len, text.splitlines())) < 250
    assert "characters)" in text


def test_a_rule_that_passes_says_so_and_why_not_when_it_was_not_checked() -> None:
    assert judged("SEC-001", facts()).endswith("it says: pass (profile ci)")
    text = judged("SEC-008", facts(checks__secrets=CheckFact(False, "turned off")))
    assert "it says: not checked" in text
    assert "secrets: not checked (turned off)" in text


def test_a_rule_that_does_not_concern_an_image_shows_the_facts_that_say_so() -> None:
    assert judged("FE-006", facts()).splitlines()[2:] == [
        '    image.service = "python"',
        '    config.program = "python3"',
        "  it says nothing: the rule does not concern this image (profile ci)",
    ]


def test_a_rule_about_what_no_image_shows_says_what_would_check_it() -> None:
    shown = rules.explained(RULES["SEC-026"])
    assert "nothing: it is not checked here" in shown
    assert "cosign verify" in shown
    assert "not checked here: cosign verify" in judged("SEC-026", facts())


def test_the_rule_about_waivers_reads_no_fact() -> None:
    assert "no fact" in judged("SEC-013", facts())


def test_a_rule_over_plain_texts_shows_them() -> None:
    policy = rule(each="config.secret_env", show="{item}")
    assert 'config.secret_env = ["A", "B"]' in judged("TEAM-001", facts(config__secret_env=("A", "B")), policy)


def test_examples_that_do_not_hold_are_a_mistake_of_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    for path in (ROOT / "policies").glob("*.toml"):
        (tmp_path / "policies" / path.name).write_text(path.read_text("utf-8"), "utf-8")
    with pytest.raises(ConfigurationError) as error:
        run_examples(tmp_path)
    asked = [one for one in POLICY.rules if not one.elsewhere]
    assert len(error.value.problems) == 2 * len(asked) + sum(bool(one.when) for one in asked)
    assert "docs/policies.md" in error.value.hint


def test_a_policy_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies/bad.toml").write_bytes(b"\xff")
    with pytest.raises(ConfigurationError, match=r"policies/bad.toml: cannot be read"):
        policy_files(tmp_path)


def test_openvex_documents_are_policy_files_byte_for_byte(tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    for name in ("a.toml", "supplier.openvex.json", "other.json"):
        (tmp_path / "policies" / name).write_bytes(b"{}\r\n")
    assert policy_files(tmp_path) == (("policies/a.toml", "{}\r\n"), ("policies/supplier.openvex.json", "{}\r\n"))


def test_what_an_image_holds_cannot_speak_to_the_terminal() -> None:
    text = judged("SEC-003", facts(config__user="1000\x1b[2J\u202e")) + judged(
        "SEC-020", setuid(1, "/bin/\x1b]0;x\x07")
    )
    assert all(character.isprintable() for character in text.replace("\n", ""))
