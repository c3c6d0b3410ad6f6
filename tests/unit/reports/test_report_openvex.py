"""OpenVEX against the published schema: what was waived, of which bytes, by whom, until when."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from imagewright.model.judged import ImageReport
from imagewright.model.verdict import Excused, Waiver
from imagewright.model.vex import JUSTIFICATIONS, STATUSES
from imagewright.reports import openvex
from tests.unit.reports.examples import EXAMPLES, rule

BACKEND = EXAMPLES["backend"]
# The schema of version 0.2.0 as github.com/openvex/spec publishes it (CC0).
SCHEMA = json.loads((Path(__file__).parents[2] / "golden" / "openvex-0.2.0.schema.json").read_text("utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
WAIVER = Waiver("CVE-1", "a reason", "team", "2026-12-31", "policies/waivers.toml")
FOUND = Excused("CVE-1", "zlib1g", "1:1.3", "pkg:deb/debian/zlib1g@1%3A1.3?arch=amd64", WAIVER)


def waiving(*excused: Excused) -> ImageReport:
    results = (dataclasses.replace(rule("SEC-012", "None"), excused=excused),)
    return dataclasses.replace(BACKEND, verdict=dataclasses.replace(BACKEND.verdict, results=results))


def statements(report: ImageReport) -> list[dict[str, Any]]:
    document = json.loads(openvex.render(report))
    assert list(VALIDATOR.iter_errors(document)) == []
    found: list[dict[str, Any]] = document["statements"]
    return found


def statement(**waiver: str) -> dict[str, Any]:
    excused = dataclasses.replace(FOUND, waiver=dataclasses.replace(WAIVER, **waiver))
    (one,) = statements(waiving(excused))
    return one


def test_the_labels_are_those_of_the_schema() -> None:
    properties = SCHEMA["properties"]["statements"]["items"]["properties"]
    assert tuple(properties["status"]["enum"]) == STATUSES
    assert tuple(properties["justification"]["enum"]) == JUSTIFICATIONS


def test_a_document_is_valid_against_the_published_schema() -> None:
    assert len(statements(BACKEND)) == 2


@pytest.mark.parametrize("label", JUSTIFICATIONS)
def test_a_justified_waiver_says_not_affected_and_why(label: str) -> None:
    one = statement(justification=label)
    assert (one["status"], one["justification"], one["impact_statement"]) == ("not_affected", label, "a reason")


def test_a_waiver_without_justification_says_affected_and_who_answers_for_it_until_when() -> None:
    one = statement()
    assert one["status"] == "affected"
    assert one["action_statement"] == "a reason; team answers for it until 2026-12-31"
    assert "justification" not in one


def test_what_came_from_a_document_keeps_its_status() -> None:
    assert statement(status="fixed")["status"] == "fixed"
    bare = statement(status="not_affected")
    assert (bare["status"], bare["impact_statement"]) == ("not_affected", "a reason")


def test_the_product_is_the_platforms_manifest_and_the_package_is_in_it() -> None:
    (product,) = statement()["products"]
    subject = BACKEND.build.subject
    assert product["@id"] == product["identifiers"]["purl"] == f"pkg:oci/backend@{subject}"
    assert product["hashes"] == {"sha-256": subject.hex}
    assert product["subcomponents"] == [{"@id": FOUND.purl}]


def test_a_package_nobody_has_a_url_for_is_named_all_the_same() -> None:
    (one,) = statements(waiving(dataclasses.replace(FOUND, purl="")))
    assert one["products"][0]["subcomponents"] == [{"@id": "pkg:generic/zlib1g@1:1.3"}]


def test_one_waiver_of_one_vulnerability_is_one_statement_about_all_its_packages() -> None:
    other = dataclasses.replace(FOUND, package="zlib1g-dev", purl="pkg:deb/debian/zlib1g-dev@1:1.3")
    (one,) = statements(waiving(other, FOUND, other))
    assert len(one["products"][0]["subcomponents"]) == 2


def test_of_two_statements_about_one_finding_affected_comes_last() -> None:
    justified = dataclasses.replace(FOUND, waiver=dataclasses.replace(WAIVER, id="Z", justification=JUSTIFICATIONS[0]))
    for order in ((FOUND, justified), (justified, FOUND)):
        assert [one["status"] for one in statements(waiving(*order))] == ["not_affected", "affected"]


def test_the_id_is_the_digest_of_all_the_rest() -> None:
    document = json.loads(openvex.render(BACKEND))
    name = document.pop("@id").rpartition("vex-")[2]
    del document["@context"]
    assert name == hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
    assert document["timestamp"] == BACKEND.verdict.at


def test_where_nothing_is_waived_there_is_no_document() -> None:
    assert openvex.render(EXAMPLES["frontend"]) == openvex.render(waiving()) == ""
