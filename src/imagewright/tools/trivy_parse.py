"""Trivy's JSON report → typed findings. Pure.

What a report suppresses is read like any other finding: only this program's own waivers excuse something.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import ValidationError

from imagewright.errors import ToolFailed
from imagewright.model.findings import (
    LicenceFinding,
    Misconfiguration,
    NotChecked,
    Package,
    PackageClass,
    Secret,
    Vulnerability,
)
from imagewright.reference import Digest
from imagewright.tools import trivy_wire as wire

IN_CONFIGURATION = "image configuration"
"""The path of a secret that is in the image's configuration (environment, history), not in a layer."""

_T = TypeVar("_T")


# How much of a release's number is in the name of its bucket, for distributions where that is a plain rule:
# https://github.com/aquasecurity/trivy-db/tree/main/pkg/vulnsrc
_RELEASE_PARTS = {"debian": 1, "ubuntu": 2, "alpine": 2}


@dataclass(frozen=True, slots=True)
class Report:
    """One Trivy report. ``image_id`` is the digest of the image's configuration, None when it names none.

    ``distribution`` is its name as databases write it (``debian 13``), empty where that is not known. Each
    tuple is ordered and free of repetitions; whether a check was asked for at all, the caller knows.
    """

    image_id: Digest | None
    distribution: str
    packages: tuple[Package, ...]
    vulnerabilities: tuple[Vulnerability, ...]
    secrets: tuple[Secret, ...]
    misconfigurations: tuple[Misconfiguration, ...] | NotChecked
    licences: tuple[LicenceFinding, ...]


def parse(raw: bytes) -> Report:
    """Read a report; raises ToolFailed when it is cut off, not JSON, or not what schema version 2 promises."""
    try:
        return _typed(wire.Report.model_validate_json(raw))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        why = f"{where}: {first['msg']}" if where else first["msg"]
        raise ToolFailed(
            "Trivy's report cannot be understood",
            why=why,
            hint="scan again; if it stays so, this Trivy is not one this program knows (./inv doctor)",
        ) from error


def redact(raw: bytes) -> bytes:
    """The same report without the text around secrets, and without the environment and commands of the image.

    Keeps what ``parse`` and a conversion to SBOM formats read. Call it on reports that ``parse`` accepts.
    """
    report: dict[str, Any] = json.loads(raw)
    report.pop("ReportID", None)
    configuration = report.get("Metadata", {}).get("ImageConfig", {})
    for key in ("config", "history", "container_config"):
        configuration.pop(key, None)
    for result in report.get("Results") or ():
        shown = (result.get("Secrets"), result.get("Misconfigurations"))
        suppressed = [item["Finding"] for item in result.get("ExperimentalModifiedFindings") or ()]
        for finding in (*itertools.chain.from_iterable(filter(None, shown)), *suppressed):
            for key in ("Match", "Code", "CauseMetadata"):
                finding.pop(key, None)
            finding.get("Layer", {}).pop("CreatedBy", None)
    return json.dumps(report, ensure_ascii=False, separators=(",", ":")).encode()


def _typed(report: wire.Report) -> Report:
    results = report.results or ()
    return Report(
        image_id=report.metadata.image_id,
        distribution=_distribution(report.metadata.os),
        packages=_unique(_package(item, result) for result in results for item in result.packages or ()),
        vulnerabilities=_unique(
            _vulnerability(item, result)
            for result in results
            for item in result.all(result.vulnerabilities, "vulnerability", wire.Vulnerability.model_validate)
        ),
        secrets=_unique(
            _secret(item, IN_CONFIGURATION if result.target == report.artifact_name else _absolute(result.target))
            for result in results
            for item in result.all(result.secrets, "secret", wire.Secret.model_validate)
        ),
        misconfigurations=_misconfigurations(results),
        licences=_unique(
            LicenceFinding(item.name, item.category, item.severity, item.pkg_name, _absolute(item.file_path))
            for result in results
            for item in result.all(result.licenses, "license", wire.Licence.model_validate)
        ),
    )


def _distribution(os: wire.Distribution | None) -> str:
    parts = _RELEASE_PARTS.get(os.family) if os else None
    return f"{os.family} {'.'.join(os.name.split('.')[:parts])}" if os and parts else ""


def _package_class(result: wire.Result) -> PackageClass:
    return "os" if result.kind == "os-pkgs" else "language"


def _package(item: wire.Package, result: wire.Result) -> Package:
    # NOTE: packages that an SBOM file inside the image speaks for have no path; their target is that file.
    path = item.file_path or (result.target if result.kind == "lang-pkgs" and "/" in result.target else "")
    return Package(
        name=item.name,
        version=item.full_version,
        package_class=_package_class(result),
        type=result.type,
        purl=item.identifier.purl,
        path=_absolute(path),
        licenses=item.licenses or (),
        layer=item.layer.diff_id,
    )


def _vulnerability(item: wire.Vulnerability, result: wire.Result) -> Vulnerability:
    return Vulnerability(
        id=item.vulnerability_id,
        severity=item.severity,
        package=item.pkg_name,
        version=item.installed_version,
        package_class=_package_class(result),
        type=result.type,
        fixed_version=item.fixed_version,
        status=item.status,
        title=item.title,
        purl=item.pkg_identifier.purl,
        path=_absolute(item.pkg_path),
        url=item.primary_url,
        source=item.data_source.name,
        layer=item.layer.diff_id,
        severity_source=item.severity_source,
        severities=tuple(sorted((item.vendor_severity or {}).items())),
    )


def _secret(item: wire.Secret, path: str) -> Secret:
    return Secret(item.rule_id, item.category, item.title, item.severity, path, item.start_line, item.layer.diff_id)


def _misconfigurations(results: tuple[wire.Result, ...]) -> tuple[Misconfiguration, ...] | NotChecked:
    """Trivy lists the configuration even when nothing is wrong with it, so its absence means it was not read."""
    judged = [result for result in results if result.kind == "config"]
    if not judged:
        return NotChecked("the scanner could not read the image's history as build instructions")
    return _unique(
        Misconfiguration(item.id, item.severity, item.title, item.message, "", item.resolution, item.primary_url)
        for result in judged
        for item in result.all(result.misconfigurations, "misconfiguration", wire.Misconfiguration.model_validate)
        if item.status == "FAIL"
    )


def _absolute(path: str) -> str:
    return f"/{path.lstrip('/')}" if path else ""


def _unique(items: Iterable[_T]) -> tuple[_T, ...]:
    return tuple(sorted(dict.fromkeys(items), key=repr))
