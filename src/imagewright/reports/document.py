"""The report as a JSON document for programs, schema ``imagewright/report/v1``.

Within a version, keys are only added. Sizes are bytes, digests ``sha256:…``, times RFC 3339. A part that
was not checked is ``{"checked": false, "reason": …}``; one that was is ``{"checked": true, "items": […]}``.
A rule with a text in ``elsewhere`` is one that no image gate can check: ``outcomes`` does not count it.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from imagewright.model.findings import Database, NotChecked
from imagewright.model.judged import ImageReport
from imagewright.model.records import UsedBase
from imagewright.reference import Digest, Platform
from imagewright.reports import view

SCHEMA = "imagewright/report/v1"


def render(report: ImageReport) -> str:
    """The document, ASCII only: whatever bytes a file name had, the text stays valid."""
    return json.dumps(document(report), indent=2) + "\n"


def document(report: ImageReport) -> dict[str, Any]:
    """The document as plain JSON types, verdict first."""
    origins = view.origins(report)
    return {
        "schema": SCHEMA,
        "image": report.definition.name,
        "repository": report.definition.repository,
        "platform": str(report.build.platform),
        "digest": str(report.build.subject),
        "verdict": _verdict(report),
        "gates": _value(report.gates),
        "size": {
            "compressed": report.compressed,
            "uncompressed": report.uncompressed,
            "budget": _value(report.definition.budget),
        },
        "findings": _findings(report, origins),
        "packages": [_placed(package, origins) for _, group in view.packages(report) for package in group],
        "layers": [{**_value(layer), "origin": origins[layer.diff_id]} for layer in report.layers],
        "provenance": _provenance(report),
    }


def _verdict(report: ImageReport) -> dict[str, Any]:
    verdict = report.verdict
    return {
        "passed": verdict.passed,
        "standing": view.standing(report),
        "summary": view.headline(report),
        "profile": verdict.profile,
        "date": verdict.date,
        "outcomes": dict(view.outcomes(verdict)),
        "rules": _value((*view.here(verdict), *view.elsewhere(verdict))),
        "inapplicable": _value(verdict.inapplicable),
    }


def _findings(report: ImageReport, origins: dict[Digest | None, str]) -> dict[str, Any]:
    scan = report.scan
    return {
        "vulnerabilities": _checked(scan.vulnerabilities, origins),
        "secrets": _checked(scan.secrets, origins),
        "misconfigurations": _checked(scan.misconfigurations),
        "licences": _checked(scan.licences),
        "lint": _checked(report.lint.findings),
    }


def _checked(found: tuple[object, ...] | NotChecked, origins: dict[Digest | None, str] | None = None) -> dict[str, Any]:
    if isinstance(found, NotChecked):
        return {"checked": False, "reason": found.reason}
    items = [_value(item) if origins is None else _placed(item, origins) for item in found]
    return {"checked": True, "count": len(found), "items": items}


def _placed(item: Any, origins: dict[Digest | None, str]) -> dict[str, Any]:
    """Something in a layer, and who brought it."""
    return {**_value(item), "origin": origins.get(item.layer, view.UNKNOWN)}


def _provenance(report: ImageReport) -> dict[str, Any]:
    build, scan = report.build, report.scan
    return {
        "root": str(build.root),
        "key": str(build.key),
        "built_at": build.finished_at,
        "source": _value(build.source),
        "dockerfile": report.definition.dockerfile,
        "bases": [_base(base) for base in build.bases],
        "builder": _value(build.builder),
        "linter": _value(report.lint.linter),
        "scanner": _value(scan.scanner),
        "scanned": str(scan.subject),
        "scan_started_at": scan.started_at,
        "isolation": scan.isolation,
        "database": _database(scan.database),
        "sboms": _value(report.sboms),
        "judged": str(report.verdict.subject),
        "policy": str(report.verdict.policy),
        "facts": str(report.verdict.facts),
    }


def _database(database: Database | NotChecked) -> dict[str, Any]:
    if isinstance(database, NotChecked):
        return {"checked": False, "reason": database.reason}
    return {"checked": True, **_value(database)}


def _base(base: UsedBase) -> dict[str, Any]:
    return {**_value(base), "is_locked": base.is_locked}


def _value(value: Any) -> Any:
    """A frozen value as plain JSON types, field order kept."""
    if isinstance(value, Digest | Platform):
        return str(value)
    if dataclasses.is_dataclass(value):
        return {field.name: _value(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return [_value(item) for item in value]
    return value
