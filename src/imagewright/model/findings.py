"""What the tools report about one image and platform: findings and packages, typed.

A check that did not run is a ``NotChecked`` with its reason, never an empty tuple.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from imagewright.reference import Digest

Severity = Literal["CRITICAL", "HIGH", "MEDIUM", "LOW", "UNKNOWN"]
SEVERITIES: tuple[Severity, ...] = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "UNKNOWN")
PackageClass = Literal["os", "language"]


@dataclass(frozen=True, slots=True)
class NotChecked:
    """Why something is unknown, in words fit for a report."""

    reason: str


@dataclass(frozen=True, slots=True)
class ToolIdentity:
    """Which program made a record: its version and the sha256 of its binary."""

    name: str
    version: str
    sha256: Digest | None = None


@dataclass(frozen=True, slots=True)
class Package:
    """A package inside an image. ``type`` is the ecosystem as the scanner names it (debian, python-pkg, node-pkg…)."""

    name: str
    version: str
    package_class: PackageClass
    type: str
    purl: str = ""
    path: str = ""
    licenses: tuple[str, ...] = ()
    layer: Digest | None = None


@dataclass(frozen=True, slots=True)
class Vulnerability:
    """A known vulnerability of one installed package. ``layer`` is the diff id that brought the package.

    ``severity`` is that of ``severity_source``, empty when the scanner does not say whose it is; ``severities`` are
    those of every source that gave one, by its name.
    """

    id: str
    severity: Severity
    package: str
    version: str
    package_class: PackageClass
    type: str
    fixed_version: str = ""
    status: str = ""
    title: str = ""
    purl: str = ""
    path: str = ""
    url: str = ""
    source: str = ""
    layer: Digest | None = None
    severity_source: str = ""
    severities: tuple[tuple[str, Severity], ...] = ()


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret-looking text in a layer or in the image's configuration; the text itself is never kept."""

    rule: str
    category: str
    title: str
    severity: Severity
    path: str
    line: int
    layer: Digest | None = None


@dataclass(frozen=True, slots=True)
class Misconfiguration:
    """A finding about the image's configuration (its history, user, health check)."""

    id: str
    severity: Severity
    title: str
    message: str
    path: str = ""
    resolution: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class LicenceFinding:
    """A licence the scanner classified. ``category`` is its class (restricted, notice, unknown…)."""

    name: str
    category: str
    severity: Severity
    package: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class LintFinding:
    """One hadolint finding; line and column count from 1."""

    file: str
    line: int
    column: int
    level: Literal["error", "warning", "info", "style"]
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Lint:
    """What the linter said about one Dockerfile."""

    dockerfile: str
    linter: ToolIdentity
    findings: tuple[LintFinding, ...]


@dataclass(frozen=True, slots=True)
class Database:
    """The vulnerability database of a scan: the sha256 of its file, and when it was made (RFC 3339)."""

    sha256: Digest
    updated_at: str
    source: str


@dataclass(frozen=True, slots=True)
class Scan:
    """One scan of one platform manifest. ``isolation`` names what kept the scanner from the network.

    ``uncovered`` is the image's distribution when the database knows nothing of it; empty when it does. ``report`` is
    the digest of the scanner's own report, which lies beside the record.
    """

    subject: Digest
    scanner: ToolIdentity
    started_at: str
    isolation: str
    database: Database | NotChecked
    packages: tuple[Package, ...]
    vulnerabilities: tuple[Vulnerability, ...] | NotChecked
    secrets: tuple[Secret, ...] | NotChecked
    misconfigurations: tuple[Misconfiguration, ...] | NotChecked
    licences: tuple[LicenceFinding, ...] | NotChecked
    uncovered: str = ""
    report: Digest | None = None
