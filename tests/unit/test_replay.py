"""A verdict is the same again from its own records, and every change in one of them is found and named."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imagewright.errors import EvidenceError, NothingSelected
from imagewright.evidence import Evidence, sealed
from imagewright.flow.verify import verify
from imagewright.model.facts import Facts
from imagewright.model.history import History
from imagewright.model.records import JudgedPolicy
from imagewright.model.verdict import Policy, Verdict
from imagewright.policy import evaluate, settle
from imagewright.policyfile import parse_policy
from imagewright.reference import Digest
from imagewright.replay import differences
from tests.unit import factory
from tests.unit.factory import build, facts

RULES = """
[[rule]]
id = "TEAM-001"
title = "No old database"
level = "must"
severity = "high"
deny = "now - timestamp(scan.database_updated_at) > duration('5h')"
message = "it is of {scan.database_updated_at}"
remedy = "fetch"

[[rule]]
id = "TEAM-002"
title = "No package of low quality"
level = "should"
severity = "low"
each = "vulnerabilities"
deny = "item.severity == 'LOW'"
show = "{item.id}"
message = "{count} found"
remedy = "update"
"""
WAIVER = """
[[waiver]]
id = "CVE-2020-1"
image = "backend"
reason = "because"
owner = "team"
expires = 2026-12-01
"""
PROFILES = '[[profile]]\nname = "ci"\nblocks = ["fail"]\n'
_ENDED = "runtimes.exists(one, now > timestamp(end_of_life[one.line]))"
SUBJECT = factory.SUBJECT
KINDS = ("facts", "history", "policy", "verdict")
BEFORE = History(str(Digest.of(b"released")), "2026-11-01T00:00:00Z", packages=("pkg:pypi/jinja2@2.10",))


def policy(text: str = RULES) -> Policy:
    return parse_policy([("policies/a.toml", text), ("policies/profiles.toml", PROFILES)])


def judged(by: Policy, of: Facts | None = None, history: History | None = None) -> Verdict:
    found = of or facts()
    verdict = evaluate(by, found, profile="ci", now=factory.NOW, history=history)
    return settle(by, [(found.image.name, verdict)], complete=True)[0]


def kept(by: Policy) -> JudgedPolicy:
    return JudgedPolicy(by.files)


@pytest.fixture
def evidence(tmp_path: Path) -> Evidence:
    """The evidence of one judged image."""
    made = Evidence(tmp_path)
    made.write(SUBJECT, "build", build(root=Digest.of(b"index")), key=SUBJECT)
    made.write(SUBJECT, "facts", facts(), key=SUBJECT)
    made.write(SUBJECT, "policy", kept(policy()), key=policy().digest)
    made.write(SUBJECT, "history", BEFORE, key=SUBJECT)
    made.write(SUBJECT, "verdict", judged(policy(), history=BEFORE), key=SUBJECT)
    return made


def refusal(evidence: Evidence, name: str = str(SUBJECT)) -> EvidenceError:
    with pytest.raises(EvidenceError) as error:
        verify(evidence, name)
    assert error.value.exit_code == 8
    assert error.value.hint
    return error.value


@pytest.mark.parametrize("text", [RULES, RULES + WAIVER], ids=["plain", "with a waiver that matches nothing"])
def test_a_verdict_comes_out_the_same_from_what_it_was_made_from(text: str) -> None:
    verdict = judged(policy(text))
    assert differences(verdict, facts(), kept(policy(text))) == ()
    assert bool(verdict.unused) == (text != RULES)


def test_a_runtime_is_judged_again_by_the_ends_of_life_of_then() -> None:
    lifetime = '[[end_of_life]]\nruntime = "python"\nline = "3.13"\nends = {}\n'
    rules = RULES.replace("now - timestamp(scan.database_updated_at) > duration('5h')", _ENDED)
    before, after = (policy(rules + lifetime.format(day)) for day in ("2029-10-31", "2026-11-19"))
    assert [judged(one).results[0].outcome for one in (before, after)] == ["pass", "fail"]
    assert differences(judged(after), facts(), kept(after)) == ()
    assert differences(judged(after), facts(), kept(before)) != ()


def test_a_verdict_is_made_again_with_the_history_of_then() -> None:
    by = policy(RULES.replace("item.severity == 'LOW'", "item.gate == 'introduced'"))
    verdict = judged(by, history=BEFORE)
    assert [judged(by).results[1].outcome, verdict.results[1].outcome] == ["warn", "pass"]
    assert differences(verdict, facts(), kept(by), BEFORE) == ()
    for other in (None, History()):
        (line,) = differences(verdict, facts(), kept(by), other)
        assert line.startswith("history: it is ")


def test_a_verdict_from_before_there_were_histories_needs_none(evidence: Evidence) -> None:
    evidence.write(SUBJECT, "verdict", judged(policy()), key=SUBJECT)
    (evidence.folder(SUBJECT) / "history.json").unlink()
    (line,) = verify(evidence, str(SUBJECT))
    assert "the same again" in line


def test_other_facts_and_another_policy_are_named() -> None:
    other = policy(RULES.replace("5h", "50h"))
    found = differences(judged(policy()), facts(config__uid=0), kept(other))
    assert [line.split(":")[0] for line in found] == ["facts", "policy"]
    assert judged(policy()).policy.short in found[1]


def test_a_policy_that_cannot_be_read_is_named() -> None:
    (line,) = differences(judged(policy()), facts(), JudgedPolicy((("policies/a.toml", "[[rule]"),)))
    assert "cannot be made again" in line
    assert "policies/a.toml" in line


def changed_result(**changes: Any) -> Verdict:
    verdict = judged(policy())
    first, *rest = verdict.results
    return dataclasses.replace(verdict, results=(dataclasses.replace(first, **changes), *rest))


def without(rule: str, **changes: Any) -> Verdict:
    verdict = judged(policy())
    left = tuple(result for result in verdict.results if result.rule != rule)
    return dataclasses.replace(verdict, results=left, **changes)


SCOPED = f"""{RULES}
[[rule]]
id = "TEAM-003"
title = "No root in a service"
level = "must"
severity = "high"
when = "declared.port < 0"
deny = "config.uid == 0"
message = "root"
remedy = "USER"

[[rule]]
id = "TEAM-004"
title = "Signed"
level = "must"
severity = "high"
elsewhere = "`cosign verify`"
"""


def test_rules_left_out_and_checked_elsewhere_come_out_the_same() -> None:
    verdict = judged(policy(SCOPED))
    assert verdict.inapplicable == ("TEAM-003",)
    assert differences(verdict, facts(), kept(policy(SCOPED))) == ()
    forgotten = dataclasses.replace(verdict, inapplicable=())
    assert differences(forgotten, facts(), kept(policy(SCOPED))) == (
        "verdict: inapplicable is recorded as (), comes out as ('TEAM-003',)",
    )


def test_a_verdict_recorded_before_rules_had_a_scope_is_still_read_and_made_again(evidence: Evidence) -> None:
    path = evidence.folder(SUBJECT) / "verdict.json"
    envelope = json.loads(path.read_bytes())
    del envelope["body"]["inapplicable"]
    for result in envelope["body"]["results"]:
        del result["elsewhere"]
    path.write_bytes(sealed(envelope))
    (line,) = verify(evidence, str(SUBJECT))
    assert "the same again" in line


@pytest.mark.parametrize(
    ("verdict", "line"),
    [
        (changed_result(outcome="pass"), "verdict: TEAM-001 outcome is recorded as 'pass', comes out as 'fail'"),
        (changed_result(blocking=False), "verdict: TEAM-001 blocking is recorded as False, comes out as True"),
        (changed_result(rule="TEAM-9"), "verdict: TEAM-9 is recorded, but no rule"),
        (changed_result(rule="TEAM-9"), "verdict: TEAM-001 is missing"),
        (dataclasses.replace(judged(policy()), passed=True), "verdict: passed is recorded as True, comes out as False"),
        (
            dataclasses.replace(judged(policy()), at="2026-11-20T10:00:00+00:00"),
            "verdict: TEAM-001 outcome is recorded as 'fail', comes out as 'pass'",
        ),
        (dataclasses.replace(judged(policy()), at="soon"), "it cannot be made again"),
        (dataclasses.replace(judged(policy()), profile="local"), "it cannot be made again"),
        (dataclasses.replace(judged(policy()), unused=("CVE-1",)), "verdict: unused is recorded as"),
        (
            dataclasses.replace(judged(policy()), inapplicable=("TEAM-001",)),
            "verdict: inapplicable is recorded as ('TE",
        ),
        (without("TEAM-001", inapplicable=("TEAM-001",)), "verdict: TEAM-001 is missing"),
        (changed_result(elsewhere="the cluster"), "verdict: TEAM-001 elsewhere is recorded as 'the cluster'"),
        (
            dataclasses.replace(judged(policy()), results=judged(policy()).results[::-1]),
            "verdict: its results are in another order or given twice",
        ),
    ],
)
def test_a_verdict_that_says_otherwise_is_told_where(verdict: Verdict, line: str) -> None:
    found = differences(verdict, facts(), kept(policy()))
    assert any(one.startswith(line) for one in found), found


def test_sound_evidence_is_vouched_for_in_one_line(evidence: Evidence) -> None:
    (line,) = verify(evidence, str(SUBJECT))
    assert line.startswith(f"{SUBJECT} backend (linux/amd64): the same again, refused at 2026-11-20T12:00:00")


def test_the_digest_of_the_index_stands_for_its_platforms(evidence: Evidence) -> None:
    assert verify(evidence, str(Digest.of(b"index"))) == verify(evidence, str(SUBJECT))


@pytest.mark.parametrize("kind", KINDS)
def test_any_changed_byte_is_found_and_its_record_named(evidence: Evidence, kind: str) -> None:
    path = evidence.folder(SUBJECT) / f"{kind}.json"
    whole = path.read_bytes()
    for at in range(0, len(whole), max(1, len(whole) // 60)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert f"the {kind} record" in refusal(evidence).why


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_that_is_missing_is_named(evidence: Evidence, kind: str) -> None:
    (evidence.folder(SUBJECT) / f"{kind}.json").unlink()
    assert f"no {kind} record" in refusal(evidence).why


def test_all_that_is_wrong_comes_at_once(evidence: Evidence) -> None:
    for kind in KINDS:
        (evidence.folder(SUBJECT) / f"{kind}.json").write_text("{}")
    assert refusal(evidence).why.count("cannot be trusted") == 3, "without a verdict no history is asked for"


REWRITES: dict[str, tuple[str, Callable[[], object], str]] = {
    "facts": ("facts", lambda: facts(scan__database_updated_at="2026-11-20T11:00:00Z"), "facts: they are"),
    "policy": ("policy", lambda: kept(policy(RULES.replace("5h", "50h"))), "policy: it is"),
    "history": ("history", lambda: dataclasses.replace(BEFORE, packages=()), "history: it is"),
    "verdict": ("verdict", lambda: dataclasses.replace(judged(policy()), passed=True), "verdict: passed is recorded"),
}


@pytest.mark.parametrize(("kind", "value", "why"), REWRITES.values(), ids=REWRITES)
def test_a_record_rewritten_with_its_digest_is_found(
    evidence: Evidence, kind: str, value: Callable[[], object], why: str
) -> None:
    evidence.write(SUBJECT, kind, value(), key=SUBJECT)
    assert why in refusal(evidence).why


def test_the_records_of_another_image_vouch_for_nothing(evidence: Evidence) -> None:
    other = Digest.of(b"other")
    for kind, value in (("facts", facts()), ("policy", kept(policy())), ("verdict", judged(policy()))):
        evidence.write(other, kind, value, key=SUBJECT)
    assert f"it is about {SUBJECT}" in refusal(evidence, str(other)).why


def test_what_is_no_digest_is_said_so(evidence: Evidence) -> None:
    with pytest.raises(NothingSelected, match="is no digest"):
        verify(evidence, "backend")


def test_a_digest_nothing_is_known_of_is_said_so(evidence: Evidence) -> None:
    (evidence.root / "sha256" / ("f" * 64)).mkdir()
    assert "there is no evidence" in refusal(evidence, str(Digest.of(b"elsewhere"))).what


def test_the_policy_is_kept_as_it_was_written(evidence: Evidence) -> None:
    body = json.loads((evidence.folder(SUBJECT) / "policy.json").read_bytes())["body"]
    assert body["files"][0] == ["policies/a.toml", RULES]
