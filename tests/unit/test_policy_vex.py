"""OpenVEX documents as a source of waivers: vouched for, read strictly, held against the findings."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagewright.errors import ConfigurationError, Problem
from imagewright.model.facts import Facts
from imagewright.model.records import JudgedPolicy
from imagewright.model.verdict import Policy, Verdict
from imagewright.model.vex import CONTEXT, JUSTIFICATIONS, STATUSES, Voucher
from imagewright.policy import evaluate, openvex, settle
from imagewright.policyfile import parse_policy
from imagewright.replay import differences
from imagewright.reports import openvex as export
from tests.unit import factory
from tests.unit.factory import facts
from tests.unit.reports.examples import EXAMPLES

FILE = "policies/supplier.openvex.json"
RULE = """
[[rule]]
id = "TEAM-012"
title = "No high"
level = "must"
severity = "high"
each = "vulnerabilities"
deny = "item.severity in ['HIGH', 'CRITICAL']"
show = "{item.id} in {item.purl}"
message = "{count} are high"
remedy = "update"
"""
PROFILES = '[[profile]]\nname = "ci"\nblocks = ["fail"]\n'
IMAGE = f"pkg:oci/backend@{factory.SUBJECT}"
JINJA = "pkg:pypi/jinja2@2.10"
JUSTIFIED = {"status": "not_affected", "justification": "vulnerable_code_not_in_execute_path"}


def statement(*products: Mapping[str, Any] | str, id: str = "CVE-1", **changes: Any) -> dict[str, Any]:
    about = [{"@id": one} if isinstance(one, str) else one for one in products or (JINJA,)]
    return {"vulnerability": {"name": id}, "products": about, **JUSTIFIED, **changes}


def document(*statements: Mapping[str, Any], **changes: Any) -> str:
    made = {"@context": CONTEXT, "@id": "x", "author": "Supplier", "timestamp": "2026-11-01T10:00:00Z", "version": 1}
    return json.dumps({**made, "statements": statements, **changes})


def within(*packages: str, image: str = IMAGE) -> dict[str, Any]:
    return {"@id": image, "subcomponents": [{"@id": package} for package in packages]}


def vex(text: str, **changes: str) -> str:
    table = {"file": FILE, "sha256": openvex.sha256(text), "owner": "security", "expires": "2026-11-25", **changes}
    return "[[vex]]\n" + "".join(f"{key} = {value!r}\n" for key, value in table.items())


def policy(text: str, **changes: str) -> Policy:
    return parse_policy([("policies/a.toml", RULE + PROFILES + vex(text, **changes)), (FILE, text)])


def image(*ids: str, severity: str = "HIGH", purl: str = JINJA) -> Facts:
    (template,) = facts().vulnerabilities
    found = tuple(dataclasses.replace(template, id=one, severity=severity, purl=purl) for one in ids or ("CVE-1",))
    return facts(vulnerabilities=found)


def judged(text: str, *of: Facts, complete: bool = True, **changes: str) -> tuple[Verdict, ...]:
    by = policy(text, **changes)
    verdicts = [(one.image.name, evaluate(by, one, profile="ci", now=factory.NOW)) for one in of or (image(),)]
    return settle(by, verdicts, complete=complete)


def outcomes(text: str, *of: Facts, **changes: str) -> tuple[str, str]:
    """What becomes of the rule and of the rule about waivers, in one image."""
    (verdict,) = judged(text, *of, complete=True, **changes)
    rule, about = verdict.results
    return rule.outcome, about.outcome


def mistakes(text: str, **changes: str) -> list[str]:
    with pytest.raises(ConfigurationError) as error:
        policy(text, **changes)
    return [str(problem) for problem in error.value.problems]


EXCUSED, NOT_EXCUSED, MATCHES_NOTHING = ("waived", "pass"), ("fail", "pass"), ("fail", "fail")


class TestWhatAStatementCovers:
    @pytest.mark.parametrize(
        ("product", "outcome"),
        [
            (JINJA, EXCUSED),
            ("pkg:pypi/jinja2", EXCUSED),
            ("pkg:pypi/Jinja2@2%2E10", EXCUSED),
            ("pkg:pypi/jinja2@2.11", MATCHES_NOTHING),
            ("pkg:pypi/jinja", MATCHES_NOTHING),
            (IMAGE, EXCUSED),
            (IMAGE.replace("sha256:", "sha256%3A"), EXCUSED),
            ("pkg:oci/backend", EXCUSED),
            ("pkg:oci/frontend", MATCHES_NOTHING),
            ("pkg:oci/backend@sha256:" + "0" * 64, MATCHES_NOTHING),
            ("pkg:oci/backend?repository_url=registry.example:5000/todo/backend", EXCUSED),
            ("pkg:oci/backend?repository_url=registry.example/other/backend", MATCHES_NOTHING),
            ("pkg:oci/backend?repository_url=registry.example/nottodo/backend", MATCHES_NOTHING),
            ("pkg:oci/backend?arch=amd64", EXCUSED),
            ("pkg:oci/backend?arch=arm64", MATCHES_NOTHING),
            ({"@id": "https://supplier.example/jinja", "identifiers": {"purl": JINJA}}, EXCUSED),
            ({"@id": IMAGE, "hashes": {"sha-256": factory.SUBJECT.hex}}, EXCUSED),
            ({"@id": "pkg:oci/backend", "hashes": {"sha-256": "0" * 64}}, MATCHES_NOTHING),
            (within(JINJA), EXCUSED),
            (within("pkg:pypi/other", JINJA), EXCUSED),
            (within("pkg:pypi/other"), MATCHES_NOTHING),
        ],
    )
    def test_an_image_or_a_package_or_a_package_in_an_image(self, product: Any, outcome: tuple[str, str]) -> None:
        assert outcomes(document(statement(product))) == outcome

    def test_a_vulnerability_may_go_by_another_name(self) -> None:
        other = statement(vulnerability={"name": "GHSA-1", "aliases": ["CVE-1", "X-1"]})
        assert outcomes(document(other)) == EXCUSED
        assert outcomes(document(statement(id="CVE-2"))) == MATCHES_NOTHING

    def test_the_waiver_names_the_finding_the_reason_the_owner_and_the_statement(self) -> None:
        (verdict,) = judged(document(statement(within(JINJA), impact_statement="never called")))
        (line,) = verdict.results[0].waived_by
        assert line == (
            f"CVE-1 for {JINJA} in backend, by security until 2026-11-25: never called "
            f"[vulnerable_code_not_in_execute_path] ({FILE}: statements[0])"
        )

    @pytest.mark.parametrize(
        ("status", "outcome"),
        [
            ("not_affected", EXCUSED),
            ("fixed", EXCUSED),
            ("affected", NOT_EXCUSED),
            ("under_investigation", NOT_EXCUSED),
        ],
    )
    def test_only_what_does_no_harm_is_excused(self, status: str, outcome: tuple[str, str]) -> None:
        assert outcomes(document(statement(status=status))) == outcome

    @pytest.mark.parametrize("first", [0, 1])
    def test_the_latest_statement_about_a_finding_counts(self, first: int) -> None:
        old = statement(timestamp="2026-10-01T10:00:00Z")
        new = statement(status="affected", timestamp="2026-10-01T12:00:01+02:00")
        both = (old, new) if first else (new, old)
        assert outcomes(document(*both)) == NOT_EXCUSED
        assert outcomes(document(*both, statement())) == EXCUSED, "which inherits the document's own date"

    def test_of_two_statements_of_one_moment_the_later_one_counts(self) -> None:
        assert outcomes(document(statement(), statement(status="affected"))) == NOT_EXCUSED
        assert outcomes(document(statement(status="affected"), statement())) == EXCUSED


class TestAStatementThatMatchesNothing:
    @pytest.mark.parametrize("status", STATUSES)
    @pytest.mark.covers("SEC-013")
    def test_fails_and_is_named_whatever_it_says(self, status: str) -> None:
        (verdict,) = judged(document(statement(), statement(id="CVE-9", status=status)))
        (line,) = verdict.results[-1].evidence
        assert line.startswith(f"{FILE}: statements[1] (CVE-9 {status}), vouched for by security until 2026-11-25")
        assert line.endswith("matches nothing")
        assert not verdict.passed

    def test_a_finding_no_rule_objects_to_is_something(self) -> None:
        assert outcomes(document(statement()), image(severity="LOW")) == ("pass", "pass")

    def test_it_may_match_in_another_image_of_the_run(self) -> None:
        front = facts(image__name="frontend", image__repository="todo/frontend")
        verdicts = judged(document(statement(within(JINJA))), image(), front)
        assert [verdict.results[-1].outcome for verdict in verdicts] == ["pass", "pass"]

    def test_a_run_over_some_images_counts_only_statements_about_those(self) -> None:
        elsewhere = document(statement("pkg:oci/frontend", id="CVE-9"), statement("pkg:pypi/x", id="CVE-9"))
        (verdict,) = judged(elsewhere, complete=False)
        assert verdict.results[-1].outcome == "pass"
        (verdict,) = judged(document(statement("pkg:oci/backend", id="CVE-9")), complete=False)
        assert verdict.results[-1].outcome == "fail"

    def test_a_statement_about_one_image_fails_that_image_only(self) -> None:
        front = facts(image__name="frontend", image__repository="todo/frontend")
        verdicts = judged(document(statement("pkg:oci/frontend", id="CVE-9")), image(severity="LOW"), front)
        assert [verdict.passed for verdict in verdicts] == [True, False]

    def test_the_verdict_comes_out_the_same_again(self) -> None:
        text = document(statement(), statement(status="affected", id="CVE-2"), statement(id="CVE-9"))
        (verdict,) = judged(text, image("CVE-1", "CVE-2"))
        assert len(verdict.matched) == 2
        assert len(verdict.unused) == 1
        assert differences(verdict, image("CVE-1", "CVE-2"), JudgedPolicy(policy(text).files)) == ()


class TestTheVoucher:
    @pytest.mark.parametrize(
        ("severity", "expires", "why"),
        [
            ("HIGH", "2026-11-20", ""),
            ("HIGH", "2026-11-19", "expired on 2026-11-19"),
            ("HIGH", "2027-02-18", ""),
            ("HIGH", "2027-02-19", "ends in 91 days, at most 90 are allowed"),
            ("CRITICAL", "2026-11-27", ""),
            ("CRITICAL", "2026-11-28", "ends in 8 days, at most 7 are allowed for critical findings"),
        ],
    )
    @pytest.mark.covers("SEC-013")
    def test_ends_like_any_waiver(self, severity: str, expires: str, why: str) -> None:
        (verdict,) = judged(document(statement()), image(severity=severity), expires=expires)
        assert verdict.passed is not bool(why)
        assert (why in "".join(verdict.results[-1].evidence)) if why else verdict.results[-1].outcome == "pass"
        assert len(verdict.results[-1].evidence) == bool(why)

    def test_counts_too_where_no_rule_objects_to_the_finding(self) -> None:
        found = image(severity="LOW")
        assert outcomes(document(statement()), found, expires="2026-11-19") == ("pass", "fail")
        assert outcomes(document(statement(status="affected")), found, expires="2026-11-19") == ("pass", "pass")

    def test_must_be_somebody(self) -> None:
        text = document(statement())
        with pytest.raises(ConfigurationError) as error:
            parse_policy([("policies/a.toml", RULE), (FILE, text)])
        (problem,) = error.value.problems
        assert str(problem).startswith(f"{FILE}: nobody vouches for it")
        assert f'[[vex]] file = "{FILE}", sha256 = "{openvex.sha256(text)}", owner = …' in str(problem)

    @pytest.mark.parametrize(
        ("changes", "mistake"),
        [
            ({"sha256": "0" * 64}, "vex[0].sha256: is '000"),
            ({"file": "policies/suplier.openvex.json"}, f"did you mean {FILE!r}?"),
            ({"file": "policies/supplier.json"}, "it must be policies/<name>.openvex.json"),
            ({"owner": " "}, "vex[0].owner: must not be empty"),
            ({"expires": "soon"}, "vex[0].expires: must be a date"),
            ({"expirse": "2026-12-01"}, "vex[0].expirse: unknown key; did you mean 'expires'?"),
        ],
    )
    def test_a_mistake_is_named_with_its_place(self, changes: dict[str, str], mistake: str) -> None:
        found = mistakes(document(statement()), **changes)
        assert any(mistake in line and line.startswith("policies/a.toml") for line in found), found

    def test_two_for_one_document_are_one_too_many(self) -> None:
        text = document(statement())
        with pytest.raises(ConfigurationError, match=f"{FILE} is already used in"):
            parse_policy([("policies/a.toml", RULE + vex(text) * 2), (FILE, text)])

    def test_the_digest_of_the_policy_covers_the_document(self) -> None:
        one, other = document(statement()), document(statement(id="CVE-2"))
        assert policy(one).digest != policy(other).digest
        assert (FILE, one) in policy(one).files


class TestADocument:
    @pytest.mark.parametrize(
        ("text", "mistake"),
        [
            ("", ": Invalid JSON"),
            ("[]", ": Input should be an object"),
            (document(), ": statements: "),
            (document(statement(), author=" "), ": author: "),
            (document(statement(), timestamp="2026-11-01"), ": timestamp: Value error, it has no time zone"),
            (document(statement(), timestamp="today"), ": timestamp: "),
            (
                document(statement(), **{"@context": "https://openvex.dev/ns"}),
                ": @context: is 'https://openvex.dev/ns'",
            ),
            (document(statement(), statement(status="affectd")), ": statements[1].status: is 'affectd'; did you mean"),
            (document(statement(justification="component_present")), ": statements[0].justification: is "),
            (document(statement(justification="")), ": statements[0].justification: is required of not_affected"),
            (document(statement(vulnerability="CVE-1")), ": statements[0].vulnerability: "),
            (document(statement(vulnerability={"name": ""})), ": statements[0].vulnerability.name: "),
            (document(statement(products=[])), ": statements[0].products: is required"),
            (document(statement("jinja2")), ": statements[0].products[0]: it has no package URL; write it as @id"),
            (document(statement("pkg:pypi")), ": statements[0].products[0]: 'pkg:pypi' is no package URL"),
            (document(statement(within("zlib"))), ": statements[0].products[0].subcomponents[0]: it has no package"),
            (document(statement(within(JINJA, image="pkg:pypi/x"))), ".subcomponents: only an image (pkg:oci/…)"),
        ],
    )
    def test_a_mistake_is_named_with_file_and_statement(self, text: str, mistake: str) -> None:
        found = mistakes(text)
        assert any(line.startswith(FILE) and mistake in line for line in found), found

    def test_what_other_tools_add_is_passed_over(self) -> None:
        made = {"tooling": "vexctl", "role": "x", "last_updated": "2026-11-01T10:00:00Z", "x": [1]}
        assert outcomes(document(statement(supplier="x", extra={}), **made)) == EXCUSED

    @given(st.text(max_size=60))
    def test_any_text_is_read_or_refused(self, text: str) -> None:
        problems: list[Problem] = []
        read = openvex.read_document(text, Voucher(FILE, "", "security", "2026-12-01"), problems)
        assert not read
        assert problems

    JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=6), st.lists, max_leaves=4)

    @given(st.sampled_from(["vulnerability", "products", "status", "timestamp", "justification"]), JSON)
    def test_any_value_anywhere_is_read_or_refused(self, key: str, value: Any) -> None:
        problems: list[Problem] = []
        text = document(statement(**{key: value}))
        read = openvex.read_document(text, Voucher(FILE, "", "security", "2026-12-01"), problems)
        assert bool(read) is not bool(problems)
        assert all(problem.file == FILE for problem in problems)


def test_the_documents_of_the_manual_do_what_it_says() -> None:
    words = (Path(__file__).parents[2] / "docs" / "policies.md").read_text("utf-8")
    waiver, voucher, text = re.findall(r"^```(?:toml|json)\n((?:\[\[waiver|\[\[vex|\{).*?)^```", words, re.M | re.S)
    found = image("CVE-2026-0001")
    for files in ([("policies/a.toml", waiver)], [("policies/a.toml", voucher), (FILE, text)]):
        by = parse_policy([*files, ("policies/rules.toml", RULE + PROFILES)])
        (verdict,) = settle(by, [("backend", evaluate(by, found, profile="ci", now=factory.NOW))], complete=True)
        assert [result.outcome for result in verdict.results] == ["waived", "pass"]
        (excused,) = verdict.results[0].excused
        assert excused.waiver.justification == "vulnerable_code_not_in_execute_path"


WAIVED = f"""
[[waiver]]
id = "CVE-1"
package = "{JINJA}"
reason = "templates are ours"
owner = "backend team"
expires = 2026-11-25
"""


@pytest.mark.parametrize("label", JUSTIFICATIONS)
def test_what_is_exported_excuses_the_same_findings_when_it_is_read_again(label: str) -> None:
    found = image("CVE-1", "CVE-2")
    ours = parse_policy([("policies/a.toml", RULE + PROFILES + WAIVED + f'justification = "{label}"')])
    verdict = evaluate(ours, found, profile="ci", now=factory.NOW)
    (imported,) = judged(exported(found, verdict), found)
    assert imported.results[0].evidence == verdict.results[0].evidence == (f"CVE-2 in {JINJA}",)
    assert imported.results[-1].outcome == "pass"
    before, after = verdict.results[0].excused, imported.results[0].excused
    assert [(one.id, one.purl, one.waiver.justification) for one in after] == [("CVE-1", JINJA, label)]
    assert [one.id for one in before] == ["CVE-1"]
    again = exported(found, imported)
    assert json.loads(again)["statements"] == json.loads(exported(found, verdict))["statements"]


def test_what_is_exported_as_affected_excuses_nothing_and_matches_when_it_is_read_again() -> None:
    found = image()
    ours = parse_policy([("policies/a.toml", RULE + PROFILES + WAIVED)])
    text = exported(found, evaluate(ours, found, profile="ci", now=factory.NOW))
    assert outcomes(text, found) == NOT_EXCUSED


def exported(of: Facts, verdict: Verdict) -> str:
    example = EXAMPLES["backend"]
    named = dataclasses.replace(example.definition, name=of.image.name, repository=of.image.repository)
    build = dataclasses.replace(example.build, subject=verdict.subject)
    return export.render(dataclasses.replace(example, definition=named, build=build, verdict=verdict))
