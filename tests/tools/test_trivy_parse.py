from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from imagewright.errors import ToolFailed
from imagewright.model.findings import Misconfiguration, NotChecked, Secret, Vulnerability
from imagewright.reference import Digest
from imagewright.tools.trivy_parse import IN_CONFIGURATION, parse, redact

RECORDED = Path(__file__).parent / "recorded"
VULNERABLE = (RECORDED / "trivy-vulnerable.json").read_bytes()
SOURCES = (RECORDED / "trivy-sources.json").read_bytes()
EMPTY = (RECORDED / "trivy-empty.json").read_bytes()


def changed(**keys: object) -> bytes:
    return json.dumps(json.loads(VULNERABLE) | keys).encode()


def test_packages_of_the_system_of_languages_and_of_an_sbom_inside_are_all_found() -> None:
    found = [(p.name, p.version, p.package_class, p.type, p.path) for p in parse(VULNERABLE).packages]
    assert found == [
        ("Jinja2", "2.10", "language", "python-pkg", "/app/lib/jinja2-2.10.dist-info/METADATA"),
        ("next", "14.0.0", "language", "node-pkg", "/app/node_modules/next/package.json"),
        ("node", "24.1.0", "language", "bitnami", "/usr/share/sbom/node.cdx.json"),
        ("zlib1g", "1:1.3.dfsg-1", "os", "debian", ""),
    ]


def test_a_vulnerability_carries_everything_a_rule_may_ask_about() -> None:
    worst = next(item for item in parse(VULNERABLE).vulnerabilities if item.severity == "CRITICAL")
    assert worst == Vulnerability(
        id="CVE-2099-1001",
        severity="CRITICAL",
        package="Jinja2",
        version="2.10",
        package_class="language",
        type="python-pkg",
        fixed_version="2.11.3",
        status="fixed",
        title="jinja2 is broken",
        purl="pkg:pypi/jinja2@2.10",
        path="/app/lib/jinja2-2.10.dist-info/METADATA",
        url="https://avd.aquasec.com/nvd/cve-2099-1001",
        source="GitHub Security Advisory Pip",
        layer=worst.layer,
    )
    assert worst.layer is not None


def test_whose_severity_it_is_and_what_others_say_is_kept() -> None:
    found = {item.id: (item.severity, item.severity_source, item.severities) for item in parse(SOURCES).vulnerabilities}
    assert found == {
        "CVE-2099-2001": ("HIGH", "ghsa", (("ghsa", "HIGH"), ("nvd", "CRITICAL"), ("redhat", "MEDIUM"))),
        "CVE-2099-2002": ("LOW", "debian", (("debian", "LOW"), ("nvd", "HIGH"), ("ubuntu", "UNKNOWN"))),
        "CVE-2099-2003": ("HIGH", "nvd", (("nvd", "HIGH"),)),
    }


@pytest.mark.parametrize("number", ["9", "-1", '"high"', "null", "1.5"])
def test_a_severity_of_a_source_that_is_none_is_unknown(number: str) -> None:
    raw = re.sub(rb'"redhat": ?2', f'"redhat": {number}'.encode(), SOURCES)
    severities = next(item.severities for item in parse(raw).vulnerabilities if item.id == "CVE-2099-2001")
    assert dict(severities)["redhat"] == "UNKNOWN"


def test_a_vulnerability_without_a_fix_has_an_empty_fixed_version() -> None:
    fixes = {item.id: (item.severity, item.fixed_version, item.status) for item in parse(VULNERABLE).vulnerabilities}
    assert fixes["CVE-2099-1002"] == ("HIGH", "1:1.3.dfsg-2", "fixed")
    assert fixes["CVE-2099-1003"] == ("LOW", "", "affected")


@pytest.mark.covers("SEC-008")
def test_secrets_are_found_in_a_deleted_layer_and_in_the_configuration() -> None:
    key, token = sorted(parse(VULNERABLE).secrets, key=lambda secret: secret.path)
    assert (key.rule, key.path, key.severity, key.line) == ("private-key", "/app/deploy.pem", "HIGH", 2)
    assert key.layer is not None
    assert (token.rule, token.path, token.layer) == ("github-pat", IN_CONFIGURATION, None)


def test_a_root_user_is_a_misconfiguration() -> None:
    found = parse(VULNERABLE).misconfigurations
    assert not isinstance(found, NotChecked)
    assert [(item.id, item.severity) for item in found] == [("DS-0002", "HIGH")]
    assert isinstance(found[0], Misconfiguration)


def test_licences_are_classified_per_package() -> None:
    assert [(item.package, item.name, item.category) for item in parse(VULNERABLE).licences] == [
        ("Jinja2", "MIT", "notice"),
        ("next", "MIT", "notice"),
    ]


def test_the_report_says_which_image_it_is_about() -> None:
    assert parse(EMPTY).image_id == Digest.parse(json.loads(EMPTY)["Metadata"]["ImageID"])


def test_an_image_with_nothing_in_it_has_no_findings_and_a_checked_configuration() -> None:
    report = parse(EMPTY)
    assert (report.packages, report.vulnerabilities, report.secrets, report.licences) == ((), (), (), ())
    assert report.misconfigurations == ()


@pytest.mark.parametrize("results", [[], None])
def test_absent_results_are_no_findings_and_an_unchecked_configuration(results: object) -> None:
    report = parse(changed(Results=results))
    assert report.packages == ()
    assert isinstance(report.misconfigurations, NotChecked)


def test_an_unknown_severity_is_unknown_not_harmless() -> None:
    raw = VULNERABLE.replace(b'"Severity": "CRITICAL"', b'"Severity": "APOCALYPTIC"')
    assert "UNKNOWN" in {item.severity for item in parse(raw).vulnerabilities}


def test_unknown_keys_are_ignored() -> None:
    assert parse(changed(Surprise={"a": 1})) == parse(VULNERABLE)


def test_what_a_vex_statement_or_ignore_file_suppressed_counts_all_the_same() -> None:
    document = json.loads(VULNERABLE)
    for result in document["Results"]:
        hidden = [("vulnerability", item) for item in result.pop("Vulnerabilities", [])]
        hidden += [("secret", item) for item in result.pop("Secrets", [])]
        result["ExperimentalModifiedFindings"] = [
            {"Type": kind, "Status": "ignored", "Source": ".trivyignore", "Finding": item} for kind, item in hidden
        ]
    assert parse(json.dumps(document).encode()) == parse(VULNERABLE)


def test_a_finding_repeated_in_the_report_counts_once() -> None:
    document = json.loads(VULNERABLE)
    document["Results"] *= 2
    assert parse(json.dumps(document).encode()) == parse(VULNERABLE)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="empty"),
        pytest.param(VULNERABLE[:4000], id="cut off"),
        pytest.param(b"FATAL something", id="not JSON"),
        pytest.param(b"[]", id="a list"),
        pytest.param(changed(SchemaVersion=3), id="another schema"),
        pytest.param(changed(Results=[{"Target": "x"}]), id="a result without class"),
        pytest.param(changed(Results=[{"Class": "secret", "Secrets": [{"Title": "x"}]}]), id="a secret without rule"),
        pytest.param(changed(Metadata={"ImageID": "sha256:short"}), id="a digest that is none"),
        pytest.param(VULNERABLE.replace(b'"PkgName"', b'"Package"'), id="renamed key"),
    ],
)
def test_a_report_that_is_not_what_it_should_be_is_a_failure_with_a_reason(raw: bytes) -> None:
    with pytest.raises(ToolFailed) as failure:
        parse(raw)
    assert failure.value.why
    assert failure.value.hint


def test_the_reason_of_a_failure_never_quotes_the_report() -> None:
    with pytest.raises(ToolFailed) as failure:
        parse(changed(Results=[{"Class": "secret", "Secrets": [{"RuleID": 1, "Match": "hunter2"}]}]))
    assert "hunter2" not in str(failure.value)


def test_a_redacted_report_says_the_same_and_holds_no_text_of_the_image() -> None:
    redacted = redact(VULNERABLE)
    assert parse(redacted) == parse(VULNERABLE)
    for text in (b"Match", b"****", b"BEGIN RSA", b"planted-token", b"COPY layer0", b"ReportID"):
        assert text not in redacted


def test_a_secret_has_no_field_that_could_hold_its_text() -> None:
    fields = set(Secret.__dataclass_fields__)
    assert fields == {"rule", "category", "title", "severity", "path", "line", "layer"}
