"""Trivy's JSON report → typed findings. Pure.

Format: schema version 2, https://trivy.dev/docs/v0.76/guide/configuration/reporting/#json and
https://github.com/aquasecurity/trivy/blob/v0.76.0/pkg/types/report.go. Lists are absent when empty,
unknown keys are ignored. What a report suppresses is read like any other finding: only this program's
own waivers excuse something.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from imagewright.errors import ToolFailed
from imagewright.model.findings import (
    SEVERITIES,
    LicenceFinding,
    Misconfiguration,
    NotChecked,
    Package,
    PackageClass,
    Secret,
    Severity,
    Vulnerability,
)
from imagewright.reference import Digest

IN_CONFIGURATION = "image configuration"
"""The path of a secret that is in the image's configuration (environment, history), not in a layer."""


def _severity(text: object) -> object:
    return text if text in SEVERITIES or not isinstance(text, str) else "UNKNOWN"


_Severity = Annotated[Severity, BeforeValidator(_severity)]
_Text = Annotated[str, BeforeValidator(lambda value: "" if value is None else value)]


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


_W = TypeVar("_W", bound=_Wire)


class _Layer(_Wire):
    diff_id: Digest | None = Field(None, alias="DiffID")


class _Identifier(_Wire):
    purl: _Text = Field("", alias="PURL")


class _Package(_Wire):
    name: str = Field(alias="Name")
    version: _Text = Field("", alias="Version")
    release: _Text = Field("", alias="Release")
    epoch: int = Field(0, alias="Epoch")
    identifier: _Identifier = Field(_Identifier(), alias="Identifier")
    licenses: tuple[str, ...] | None = Field(None, alias="Licenses")
    path: _Text = Field("", alias="FilePath")
    layer: _Layer = Field(_Layer(), alias="Layer")

    @property
    def full_version(self) -> str:
        epoch = f"{self.epoch}:" if self.epoch else ""
        return f"{epoch}{self.version}" + (f"-{self.release}" if self.release else "")


class _Source(_Wire):
    name: _Text = Field("", alias="Name")


class _Vulnerability(_Wire):
    id: str = Field(alias="VulnerabilityID")
    severity: _Severity = Field("UNKNOWN", alias="Severity")
    package: str = Field(alias="PkgName")
    version: str = Field(alias="InstalledVersion")
    fixed_version: _Text = Field("", alias="FixedVersion")
    status: _Text = Field("", alias="Status")
    title: _Text = Field("", alias="Title")
    identifier: _Identifier = Field(_Identifier(), alias="PkgIdentifier")
    path: _Text = Field("", alias="PkgPath")
    url: _Text = Field("", alias="PrimaryURL")
    source: _Source = Field(_Source(), alias="DataSource")
    layer: _Layer = Field(_Layer(), alias="Layer")


class _Secret(_Wire):
    rule: str = Field(alias="RuleID")
    category: _Text = Field("", alias="Category")
    title: _Text = Field("", alias="Title")
    severity: _Severity = Field("UNKNOWN", alias="Severity")
    line: int = Field(0, alias="StartLine")
    layer: _Layer = Field(_Layer(), alias="Layer")


class _Misconfiguration(_Wire):
    id: str = Field(alias="ID")
    severity: _Severity = Field("UNKNOWN", alias="Severity")
    title: _Text = Field("", alias="Title")
    message: _Text = Field("", alias="Message")
    resolution: _Text = Field("", alias="Resolution")
    url: _Text = Field("", alias="PrimaryURL")
    status: str = Field(alias="Status")


class _Licence(_Wire):
    name: str = Field(alias="Name")
    category: _Text = Field("", alias="Category")
    severity: _Severity = Field("UNKNOWN", alias="Severity")
    package: _Text = Field("", alias="PkgName")
    path: _Text = Field("", alias="FilePath")


class _Suppressed(_Wire):
    type: str = Field(alias="Type")
    finding: dict[str, Any] = Field(alias="Finding")


class _Result(_Wire):
    target: _Text = Field("", alias="Target")
    kind: str = Field(alias="Class")
    type: _Text = Field("", alias="Type")
    packages: tuple[_Package, ...] | None = Field(None, alias="Packages")
    vulnerabilities: tuple[_Vulnerability, ...] | None = Field(None, alias="Vulnerabilities")
    secrets: tuple[_Secret, ...] | None = Field(None, alias="Secrets")
    misconfigurations: tuple[_Misconfiguration, ...] | None = Field(None, alias="Misconfigurations")
    licences: tuple[_Licence, ...] | None = Field(None, alias="Licenses")
    suppressed: tuple[_Suppressed, ...] | None = Field(None, alias="ExperimentalModifiedFindings")

    @property
    def package_class(self) -> PackageClass:
        return "os" if self.kind == "os-pkgs" else "language"

    def all(self, shown: tuple[_W, ...] | None, kind: str, wire: type[_W]) -> Iterator[_W]:
        """What the scanner shows of one kind, and what it was told to keep quiet about."""
        yield from shown or ()
        yield from (wire.model_validate(item.finding) for item in self.suppressed or () if item.type == kind)


class _Metadata(_Wire):
    image_id: Digest | None = Field(None, alias="ImageID")


class _Report(_Wire):
    schema_version: Literal[2] = Field(alias="SchemaVersion")
    name: _Text = Field("", alias="ArtifactName")
    metadata: _Metadata = Field(_Metadata(), alias="Metadata")
    results: tuple[_Result, ...] | None = Field(None, alias="Results")


@dataclass(frozen=True, slots=True)
class Report:
    """One Trivy report. ``image_id`` is the digest of the image's configuration, None when it names none.

    Each tuple is ordered and free of repetitions; whether a check was asked for at all, the caller knows.
    """

    image_id: Digest | None
    packages: tuple[Package, ...]
    vulnerabilities: tuple[Vulnerability, ...]
    secrets: tuple[Secret, ...]
    misconfigurations: tuple[Misconfiguration, ...] | NotChecked
    licences: tuple[LicenceFinding, ...]


def parse(raw: bytes) -> Report:
    """Read a report; raises ToolFailed when it is cut off, not JSON, or not what schema version 2 promises."""
    try:
        report = _Report.model_validate_json(raw)
        return _typed(report)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        why = f"{where}: {first['msg']}" if where else first["msg"]
        raise ToolFailed(
            "Trivy's report cannot be understood",
            why=why,
            hint="scan again; if it stays so, this Trivy is not one this program knows (./inv doctor)",
        ) from error


def _typed(report: _Report) -> Report:
    results = report.results or ()
    return Report(
        image_id=report.metadata.image_id,
        packages=_unique(_package(item, result) for result in results for item in result.packages or ()),
        vulnerabilities=_unique(
            _vulnerability(item, result)
            for result in results
            for item in result.all(result.vulnerabilities, "vulnerability", _Vulnerability)
        ),
        secrets=_unique(
            _secret(item, IN_CONFIGURATION if result.target == report.name else _absolute(result.target))
            for result in results
            for item in result.all(result.secrets, "secret", _Secret)
        ),
        misconfigurations=_misconfigurations(results),
        licences=_unique(
            LicenceFinding(item.name, item.category, item.severity, item.package, _absolute(item.path))
            for result in results
            for item in result.all(result.licences, "license", _Licence)
        ),
    )


def _package(item: _Package, result: _Result) -> Package:
    # NOTE: packages that an SBOM file inside the image speaks for have no path; their target is that file.
    path = item.path or (result.target if result.kind == "lang-pkgs" and "/" in result.target else "")
    return Package(
        name=item.name,
        version=item.full_version,
        package_class=result.package_class,
        type=result.type,
        purl=item.identifier.purl,
        path=_absolute(path),
        licenses=item.licenses or (),
        layer=item.layer.diff_id,
    )


def _vulnerability(item: _Vulnerability, result: _Result) -> Vulnerability:
    return Vulnerability(
        id=item.id,
        severity=item.severity,
        package=item.package,
        version=item.version,
        package_class=result.package_class,
        type=result.type,
        fixed_version=item.fixed_version,
        status=item.status,
        title=item.title,
        purl=item.identifier.purl,
        path=_absolute(item.path),
        url=item.url,
        source=item.source.name,
        layer=item.layer.diff_id,
    )


def _secret(item: _Secret, path: str) -> Secret:
    return Secret(item.rule, item.category, item.title, item.severity, path, item.line, item.layer.diff_id)


def _misconfigurations(results: tuple[_Result, ...]) -> tuple[Misconfiguration, ...] | NotChecked:
    """Trivy lists the configuration even when nothing is wrong with it, so its absence means it was not read."""
    judged = [result for result in results if result.kind == "config"]
    if not judged:
        return NotChecked("the scanner could not read the image's history as build instructions")
    return _unique(
        Misconfiguration(item.id, item.severity, item.title, item.message, "", item.resolution, item.url)
        for result in judged
        for item in result.all(result.misconfigurations, "misconfiguration", _Misconfiguration)
        if item.status == "FAIL"
    )


def _absolute(path: str) -> str:
    return f"/{path.lstrip('/')}" if path else ""


_T = TypeVar("_T")


def _unique(items: Iterable[_T]) -> tuple[_T, ...]:
    return tuple(sorted(dict.fromkeys(items), key=repr))
