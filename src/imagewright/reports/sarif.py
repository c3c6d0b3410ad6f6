"""The report as SARIF 2.1.0, for code scanning services.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html

Results are what somebody has to look at: rules that fail, warn or are waived, and findings. Rules that
pass are listed with their outcome as rules only, because services show every result as an alert whatever
its kind. What was not checked is a notification, and a result too where that blocks; what no image gate can check is
a note. Rules that do not concern the image are a property of the run.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import imagewright
from imagewright.model.findings import ToolIdentity
from imagewright.model.judged import ImageReport
from imagewright.model.verdict import RuleResult
from imagewright.reports import units, view
from imagewright.reports.provenance import provenance
from imagewright.reports.sarif_findings import Finding, findings, inside

Json = dict[str, Any]

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {
    "CRITICAL": "error",
    "HIGH": "error",
    "MEDIUM": "warning",
    "LOW": "note",
    "UNKNOWN": "note",
    "error": "error",
    "warning": "warning",
    "info": "note",
    "style": "note",
}
# The middle of each CVSS v3 band; GitHub sorts alerts by it.
_SCORES = {"CRITICAL": "9.5", "HIGH": "8.0", "MEDIUM": "5.5", "LOW": "2.0"}


def render(report: ImageReport) -> str:
    """The log: one run for one image and platform."""
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [_run(report)]}, indent=2) + "\n"


def _run(report: ImageReport) -> Json:
    results = [*_rule_results(report), *_finding_results(report)]
    rules = _rules(report)
    places = {rule["id"]: place for place, rule in enumerate(rules)}
    run: Json = {
        "properties": _properties(report),
        "tool": {"driver": _driver(rules), "extensions": [_component(tool) for tool in _tools(report)]},
        "automationDetails": {"id": f"imagewright/{_target(report)}/"},
        "invocations": [_invocation(report)],
        "columnKind": "unicodeCodePoints",
        "results": [{**result, "ruleIndex": places[result["ruleId"]]} for result in results],
    }
    source = report.build.source
    if units.link(source.url):
        run["versionControlProvenance"] = [{"repositoryUri": source.url, "revisionId": source.revision}]
    return run


def _driver(rules: list[Json]) -> Json:
    notifications = {
        "not-checked": "Something was not checked, which is not a pass",
        "not-checked-here": "No image gate can check this, and what would",
    }
    return {
        "name": "imagewright",
        "semanticVersion": imagewright.__version__,
        "notifications": [{"id": name, "shortDescription": {"text": text}} for name, text in notifications.items()],
        "rules": rules,
    }


def _tools(report: ImageReport) -> tuple[ToolIdentity, ...]:
    return report.scan.scanner, report.lint.linter, *report.build.builder


def _component(tool: ToolIdentity) -> Json:
    properties = {"properties": {"sha256": str(tool.sha256)}} if tool.sha256 else {}
    return {"name": units.plain(tool.name) or "unnamed", "version": units.plain(tool.version), **properties}


def _target(report: ImageReport) -> str:
    return f"{report.definition.name}/{str(report.build.platform).replace('/', '-')}"


def _invocation(report: ImageReport) -> Json:
    """Not successful when a scan did not run: services then keep earlier alerts instead of closing them as fixed."""
    missing = view.unchecked(report.scan)
    unjudged = [result for result in view.here(report.verdict) if result.outcome == "not-checked"]
    beyond = view.elsewhere(report.verdict)
    return {
        "executionSuccessful": not missing,
        "toolExecutionNotifications": [
            *(_notification("error", f"{name}: not checked ({reason})") for name, reason in missing),
            *(_notification("warning", f"{item.rule}: not checked ({view.said(item)})") for item in unjudged),
            *(_notification("note", f"{item.rule}: {item.elsewhere}", "not-checked-here") for item in beyond),
        ],
    }


def _notification(level: str, text: str, kind: str = "not-checked") -> Json:
    return {"level": level, "message": _message(text), "descriptor": {"id": kind}}


def _properties(report: ImageReport) -> Json:
    return {
        "verdict": view.headline(report),
        "passed": report.verdict.passed,
        "inapplicable": [units.plain(rule) for rule in report.verdict.inapplicable],
        "digest": str(report.build.subject),
        "compressed": report.compressed,
        "uncompressed": report.uncompressed,
        "findings": {table.name: units.plain(table.summary) for table in view.findings(report)},
        "layers": [
            {"digest": str(layer.digest), "compressed": layer.compressed, "uncompressed": layer.uncompressed}
            for layer in report.layers
        ],
        "packages": [
            units.plain(f"{item.name} {item.version}") for _, group in view.packages(report) for item in group
        ],
        "provenance": {
            group.title: {units.plain(fact.label): units.plain(fact.value) for fact in group.facts}
            for group in provenance(report)
        },
    }


def _rules(report: ImageReport) -> list[Json]:
    """All policy rules with their outcome, then every finding's rule, each id once."""
    judged = (*view.here(report.verdict), *view.elsewhere(report.verdict))
    found = [*map(_policy_rule, judged), *map(_finding_rule, findings(report))]
    return list({rule["id"]: rule for rule in reversed(found)}.values())[::-1]


def _policy_rule(result: RuleResult) -> Json:
    return {
        "id": units.plain(result.rule),
        "shortDescription": _message(result.title),
        "help": _message(result.remedy or result.elsewhere or result.title),
        "defaultConfiguration": {"level": "error" if result.level == "must" else "warning"},
        "properties": {
            "tags": ["policy", result.level],
            "outcome": result.outcome,
            "blocking": result.blocking,
            "message": units.plain(result.message),
            **({"elsewhere": units.plain(result.elsewhere)} if result.elsewhere else {}),
            **_score(result.severity.upper()),
        },
    }


def _finding_rule(finding: Finding) -> Json:
    url = units.link(finding.url)
    return {
        "id": units.plain(finding.rule),
        "shortDescription": _message(finding.title),
        "help": _message(finding.help or finding.title),
        **({"helpUri": url} if url else {}),
        "defaultConfiguration": {"level": _LEVELS[finding.severity]},
        "properties": {"tags": [finding.kind], **_score(finding.severity)},
    }


def _score(severity: str) -> Json:
    return {"security-severity": _SCORES[severity]} if severity in _SCORES else {}


def _rule_results(report: ImageReport) -> Iterator[Json]:
    for result in view.here(report.verdict):
        if result.outcome == "pass" or (result.outcome == "not-checked" and not result.blocking):
            continue
        shown, left = units.bounded(result.evidence, 20)
        lines = [f"{view.OUTCOME_WORDS[result.outcome]}: {result.message}", *shown]
        level = "error" if result.blocking else "note" if result.outcome == "waived" else "warning"
        waived = {"kind": "external", "justification": units.plain("; ".join(result.waived_by))}
        yield {
            "ruleId": units.plain(result.rule),
            "level": level,
            "message": _message("\n".join([*lines, *([f"… and {left} more"] if left else [])])),
            "locations": [inside(report, report.definition.name, "image")],
            "partialFingerprints": _fingerprint(_target(report), "policy", result.rule),
            **({"suppressions": [waived]} if result.outcome == "waived" else {}),
        }


def _finding_results(report: ImageReport) -> Iterator[Json]:
    for finding in findings(report):
        yield {
            "ruleId": units.plain(finding.rule),
            "level": _LEVELS[finding.severity],
            "message": _message(finding.text),
            "locations": [finding.place],
            "partialFingerprints": _fingerprint(_target(report), finding.kind, finding.rule, *finding.identity),
        }


def _fingerprint(*identity: str) -> Json:
    # NOTE: GitHub compares alerts by this key alone, and would otherwise hash the Dockerfile's first line:
    # https://docs.github.com/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning
    return {"primaryLocationLineHash": hashlib.sha256("\0".join(map(units.plain, identity)).encode()).hexdigest()}


def _message(text: str) -> Json:
    """Plain text in which nothing can be an embedded link (SARIF 2.1.0, section 3.11.6)."""
    return {"text": "\n".join(map(units.plain, text.split("\n"))).replace("](", "] (") or "(no text)"}
