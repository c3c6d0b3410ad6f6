"""Findings as SARIF sees them: a rule id, words, an identity that outlives versions, and a place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

from imagewright.model.findings import (
    LicenceFinding,
    LintFinding,
    Misconfiguration,
    NotChecked,
    Secret,
    Severity,
    Vulnerability,
)
from imagewright.model.judged import ImageReport
from imagewright.reports import units, view

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding. ``identity`` tells it from others of its rule, without what changes from build to build.

    ``severity`` is the scanner's word or the linter's level; ``place`` a SARIF location object.
    """

    kind: str
    rule: str
    severity: Severity | str
    title: str
    text: str
    identity: tuple[str, ...]
    place: dict[str, Any]
    help: str = ""
    url: str = ""


def findings(report: ImageReport) -> Iterator[Finding]:
    """Everything the scanner and the linter found; nothing for what was not checked."""
    scan, origins = report.scan, view.origins(report)

    def vulnerability(report: ImageReport, item: Vulnerability) -> Finding:
        return _vulnerability(report, item, origins.get(item.layer, view.UNKNOWN))

    yield from _each(report, scan.vulnerabilities, vulnerability)
    yield from _each(report, scan.secrets, _secret)
    yield from _each(report, scan.misconfigurations, _misconfiguration)
    yield from _each(report, scan.licences, _licence)
    yield from _each(report, report.lint.findings, _lint)


def inside(report: ImageReport, name: str, kind: str) -> dict[str, Any]:
    """A place inside the image, which no source file has a line for: the Dockerfile, and what it is called there."""
    logical = {"name": units.plain(name), "fullyQualifiedName": units.plain(f"{report.definition.repository}/{name}")}
    return {**_at(report.definition.dockerfile, 1, 1), "logicalLocations": [{**logical, "kind": kind}]}


def _at(path: str, line: int, column: int) -> dict[str, Any]:
    region = {"startLine": max(line, 1), "startColumn": max(column, 1)}
    artifact = {"uri": quote(units.plain(path)), "uriBaseId": "%SRCROOT%"}
    return {"physicalLocation": {"artifactLocation": artifact, "region": region}}


def _each(
    report: ImageReport, found: tuple[T, ...] | NotChecked, finding: Callable[[ImageReport, T], Finding]
) -> Iterator[Finding]:
    if not isinstance(found, NotChecked):
        yield from (finding(report, item) for item in found)


def _vulnerability(report: ImageReport, item: Vulnerability, origin: str) -> Finding:
    whose = "" if origin == view.UNKNOWN else f"; it came with the {origin}"
    fix = f"fixed in {item.fixed_version}" if item.fixed_version else "without a fix"
    return Finding(
        kind="vulnerability",
        rule=item.id,
        severity=item.severity,
        title=item.title or item.id,
        text=f"{item.package} {item.version} has {item.id} ({item.severity.lower()}, {fix}): {item.title}{whose}",
        identity=(item.package, item.path),
        place=inside(report, item.package, "package"),
        help=f"Update {item.package} to {item.fixed_version}." if item.fixed_version else "",
        url=item.url,
    )


def _secret(report: ImageReport, item: Secret) -> Finding:
    return Finding(
        kind="secret",
        rule=item.rule,
        severity=item.severity,
        title=item.title,
        text=f"{item.title} in {item.path}, line {item.line}",
        identity=(item.path, str(item.line)),
        place=inside(report, item.path, "file"),
    )


def _misconfiguration(report: ImageReport, item: Misconfiguration) -> Finding:
    return Finding(
        kind="misconfiguration",
        rule=item.id,
        severity=item.severity,
        title=item.title,
        text=item.message or item.title,
        identity=(item.path, item.message),
        place=inside(report, item.path or report.definition.name, "image configuration"),
        help=item.resolution,
        url=item.url,
    )


def _licence(report: ImageReport, item: LicenceFinding) -> Finding:
    subject = item.package or item.path
    return Finding(
        kind="licence",
        rule=f"licence-{item.name}",
        severity=item.severity,
        title=f"{item.name} ({item.category})",
        text=f"{subject} is under {item.name}, a licence of category {item.category}",
        identity=(item.package, item.path),
        place=inside(report, subject, "package"),
    )


def _lint(_report: ImageReport, item: LintFinding) -> Finding:
    return Finding(
        kind="lint",
        rule=item.code,
        severity=item.level,
        title=item.message,
        text=item.message,
        identity=(item.file, str(item.line), str(item.column)),
        place=_at(item.file, item.line, item.column),
    )
