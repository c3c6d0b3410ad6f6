"""SARIF against the official schema, and what code scanning services make of it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from imagewright.model.judged import ImageReport
from imagewright.reference import Digest
from imagewright.reports import sarif
from tests.unit.reports.examples import EXAMPLES, rule

BACKEND, FRONTEND = EXAMPLES["backend"], EXAMPLES["frontend"]
# The official 2.1.0 schema as the npm package @microsoft/jest-sarif carries it.
SCHEMA = json.loads((Path(__file__).parents[2] / "golden" / "sarif-2.1.0.schema.json").read_text(encoding="utf-8"))


def run(report: ImageReport) -> dict[str, Any]:
    log: dict[str, Any] = json.loads(sarif.render(report))
    [only] = log["runs"]
    return dict(only)


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_log_is_valid_against_the_official_schema(example: str) -> None:
    validator = jsonschema.Draft4Validator(SCHEMA, format_checker=jsonschema.Draft4Validator.FORMAT_CHECKER)
    assert [error.message for error in validator.iter_errors(json.loads(sarif.render(EXAMPLES[example])))] == []


def test_every_result_points_at_its_rule() -> None:
    log = run(BACKEND)
    rules = log["tool"]["driver"]["rules"]
    assert len({item["id"] for item in rules}) == len(rules)
    assert all(rules[result["ruleIndex"]]["id"] == result["ruleId"] for result in log["results"])


def test_rules_that_pass_are_listed_but_are_no_results() -> None:
    log = run(BACKEND)
    passed = [item["id"] for item in log["tool"]["driver"]["rules"] if item["properties"].get("outcome") == "pass"]
    assert len(passed) == 8
    assert not set(passed) & {result["ruleId"] for result in log["results"]}


def test_levels_follow_what_blocks_and_how_severe_a_finding_is() -> None:
    levels = {result["ruleId"]: result["level"] for result in run(BACKEND)["results"]}
    assert levels["SEC-001"] == "error"
    assert levels["SEC-021"] == "warning"
    assert levels["SEC-029"] == "note"
    assert levels["CVE-2025-9230"] == "error"
    assert levels["CVE-2011-3389"] == "warning"
    assert levels["DL3059"] == "note"


def test_a_waived_rule_is_suppressed_with_its_reason() -> None:
    waived = [result for result in run(BACKEND)["results"] if "suppressions" in result]
    assert [one["ruleId"] for one in waived] == ["SEC-012.2", "SEC-029"]
    for one in waived:
        assert "platform@todo.example" in one["suppressions"][0]["justification"]


def test_what_was_not_checked_is_a_notification_and_never_a_success() -> None:
    [invocation] = run(FRONTEND)["invocations"]
    assert invocation["executionSuccessful"] is False
    levels = [item["level"] for item in invocation["toolExecutionNotifications"]]
    assert levels == ["error", *["warning"] * 4]
    [complete] = run(BACKEND)["invocations"]
    assert complete["executionSuccessful"] is True


def test_what_no_image_shows_is_a_note_and_what_was_not_checked_says_why() -> None:
    [invocation] = run(BACKEND)["invocations"]
    [note] = invocation["toolExecutionNotifications"]
    assert (note["level"], note["descriptor"]["id"]) == ("note", "not-checked-here")
    unchecked = replace(rule("R-1", "A rule"), outcome="not-checked", evidence=("lint: not checked (no tool)",))
    [invocation] = run(replace(BACKEND, verdict=replace(BACKEND.verdict, results=(unchecked,))))["invocations"]
    [warning] = invocation["toolExecutionNotifications"]
    assert warning["message"]["text"] == "R-1: not checked (lint: not checked (no tool))"


def test_what_was_not_checked_is_an_error_where_that_blocks() -> None:
    blocked = replace(rule("R-1", "A rule"), outcome="not-checked", blocking=True, message="no tool")
    [result] = run(replace(FRONTEND, verdict=replace(FRONTEND.verdict, results=(blocked,))))["results"]
    assert (result["level"], result["message"]["text"]) == ("error", "not checked: no tool")


def test_lint_findings_point_at_their_line_and_others_into_the_image() -> None:
    places = {result["ruleId"]: result["locations"][0] for result in run(BACKEND)["results"]}
    lint = places["DL3002"]["physicalLocation"]
    assert lint["artifactLocation"] == {"uri": "dockerfiles/backend.Dockerfile", "uriBaseId": "%SRCROOT%"}
    assert lint["region"] == {"startLine": 41, "startColumn": 1}
    assert places["CVE-2025-9230"]["logicalLocations"][0]["fullyQualifiedName"] == "todo/backend/libssl3t64"


def test_fingerprints_tell_findings_apart_and_outlive_a_new_build() -> None:
    def prints(report: ImageReport) -> list[str]:
        return [result["partialFingerprints"]["primaryLocationLineHash"] for result in run(report)["results"]]

    before = prints(BACKEND)
    again = replace(BACKEND, build=replace(BACKEND.build, subject=Digest.of(b"another build")))
    assert len(set(before)) == len(before)
    assert prints(again) == before


def test_no_message_holds_an_embedded_link() -> None:
    texts = re.findall(r'"text": (".*")', sarif.render(BACKEND))
    assert any("evil.example" in text for text in texts)
    assert not [text for text in texts if "](" in text]
