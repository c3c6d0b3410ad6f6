"""The part of the facts document that tools reported: findings, packages, and which checks were done at all.

See ``model.facts`` for the document as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from imagewright.annotations import Doc

FromWhom = Annotated[
    str, Doc(description="who brought it: base (a layer of the image in FROM) or application; empty when not known")
]
LayerIndex = Annotated[int, Doc(description="index into layers, 0 = bottom; -1 when not known")]


@dataclass(frozen=True, slots=True)
class LintFact:
    """One finding of the Dockerfile linter."""

    file: Annotated[str, Doc(description="the Dockerfile")]
    line: Annotated[int, Doc(description="counts from 1")]
    level: Annotated[str, Doc(description="error, warning, info or style")]
    code: Annotated[str, Doc(description="the linter's rule")]
    message: Annotated[str, Doc(description="what it says")]


@dataclass(frozen=True, slots=True)
class VulnerabilityFact:
    """One known vulnerability of one installed package."""

    id: Annotated[str, Doc(description="CVE, GHSA or another database's id")]
    severity: Annotated[str, Doc(description="CRITICAL, HIGH, MEDIUM, LOW or UNKNOWN")]
    package: Annotated[str, Doc(description="name of the package")]
    version: Annotated[str, Doc(description="the version installed")]
    package_class: Annotated[str, Doc(description="os or language")]
    type: Annotated[str, Doc(description="ecosystem: debian, python-pkg, node-pkg…")]
    fixed_version: Annotated[str, Doc(description="the version that fixes it; empty when there is none")]
    fixable: Annotated[bool, Doc(description="whether there is a fixed version")]
    status: Annotated[str, Doc(description="the vendor's word: fixed, affected, will_not_fix…")]
    title: Annotated[str, Doc(description="one line about it")]
    purl: Annotated[str, Doc(description="package URL")]
    path: Annotated[str, Doc(description="file that names the package, for language packages")]
    url: Annotated[str, Doc(description="where to read more")]
    layer: LayerIndex
    origin: FromWhom
    severity_source: Annotated[str, Doc(description="whose severity that is: debian, ghsa, nvd…; empty when not said")]
    severity_by_source: Annotated[Mapping[str, str], Doc(description="the severity each source gives it")]
    epss: Annotated[float, Doc(description="probability that it is exploited within 30 days (EPSS); -1 without one")]
    epss_percentile: Annotated[float, Doc(description="share of all CVEs that EPSS scores no higher; -1 without one")]
    kev: Annotated[bool, Doc(description="whether CISA knows that it is exploited (KEV)")]
    kev_due: Annotated[str, Doc(description="when CISA wants it remedied (RFC 3339, UTC); empty when not in KEV")]


@dataclass(frozen=True, slots=True)
class SeverityFacts:
    """How many vulnerabilities there are of each severity."""

    critical: Annotated[int, Doc(description="count")]
    high: Annotated[int, Doc(description="count")]
    medium: Annotated[int, Doc(description="count")]
    low: Annotated[int, Doc(description="count")]
    unknown: Annotated[int, Doc(description="count")]


@dataclass(frozen=True, slots=True)
class SecretFact:
    """A secret-looking text found by the scanner; the text itself is never kept."""

    rule: Annotated[str, Doc(description="the scanner's rule")]
    category: Annotated[str, Doc(description="kind of secret")]
    title: Annotated[str, Doc(description="what it is")]
    severity: Annotated[str, Doc(description="CRITICAL, HIGH, MEDIUM, LOW or UNKNOWN")]
    path: Annotated[str, Doc(description="file it is in")]
    line: Annotated[int, Doc(description="counts from 1")]
    layer: LayerIndex
    origin: FromWhom


@dataclass(frozen=True, slots=True)
class MisconfigurationFact:
    """A finding of the scanner about the image's configuration."""

    id: Annotated[str, Doc(description="the scanner's check")]
    severity: Annotated[str, Doc(description="CRITICAL, HIGH, MEDIUM, LOW or UNKNOWN")]
    title: Annotated[str, Doc(description="what is wrong")]
    message: Annotated[str, Doc(description="in this image")]
    resolution: Annotated[str, Doc(description="what to do")]


@dataclass(frozen=True, slots=True)
class LicenceFact:
    """A licence found in the image."""

    name: Annotated[str, Doc(description="SPDX id where there is one")]
    category: Annotated[str, Doc(description="the scanner's class: forbidden, restricted, notice, unknown…")]
    severity: Annotated[str, Doc(description="CRITICAL, HIGH, MEDIUM, LOW or UNKNOWN")]
    package: Annotated[str, Doc(description="package under it; empty for a file")]
    path: Annotated[str, Doc(description="file that says so; empty for a package")]
    origin: FromWhom


@dataclass(frozen=True, slots=True)
class PackageFact:
    """One package."""

    name: Annotated[str, Doc(description="its name")]
    version: Annotated[str, Doc(description="its version")]
    package_class: Annotated[str, Doc(description="os or language")]
    type: Annotated[str, Doc(description="ecosystem: debian, python-pkg, node-pkg…")]
    purl: Annotated[str, Doc(description="package URL; empty when the scanner gives none")]
    path: Annotated[str, Doc(description="file that names the package, for language packages")]
    licences: Annotated[tuple[str, ...], Doc(description="its licences; SPDX ids where there are")]
    layer: LayerIndex
    origin: FromWhom


@dataclass(frozen=True, slots=True)
class PackageFacts:
    """The packages the scanner saw."""

    os: Annotated[int, Doc(description="how many of the distribution")]
    language: Annotated[int, Doc(description="how many of Python, Node and the like")]
    items: Annotated[tuple[PackageFact, ...], Doc(description="all of them, the distribution's first, by name")]


@dataclass(frozen=True, slots=True)
class ElementFact:
    """One of the minimum elements each component should have."""

    name: Annotated[str, Doc(description="supplier, name, version, identifier, relationship, hash or licence")]
    components: Annotated[int, Doc(description="how many components have it")]


@dataclass(frozen=True, slots=True)
class SbomFact:
    """One software bill of materials."""

    format: Annotated[str, Doc(description="cyclonedx or spdx")]
    file: Annotated[str, Doc(description="its name in the evidence folder")]
    sha256: Annotated[str, Doc(description="digest of the file")]
    os_packages: Annotated[int, Doc(description="packages of the distribution it lists")]
    language_packages: Annotated[int, Doc(description="language packages it lists")]
    components: Annotated[int, Doc(description="components it is scored over: the packages")]
    score: Annotated[int, Doc(description="share of components × minimum elements that are there, in percent")]
    elements: Annotated[tuple[ElementFact, ...], Doc(description="how many components have each element")]
    incomplete: Annotated[tuple[str, ...], Doc(description="components without name, version or unique identifier")]
    missing: Annotated[
        tuple[str, ...],
        Doc(description="what it does not say of itself: author, tool, timestamp, context, relationships"),
    ]


@dataclass(frozen=True, slots=True)
class FeedFact:
    """A feed about vulnerabilities."""

    sha256: Annotated[str, Doc(description="digest of the file; empty when none is configured")]
    date: Annotated[str, Doc(description="the day it is of (RFC 3339, UTC); empty when none is configured")]


@dataclass(frozen=True, slots=True)
class FeedsFacts:
    """The feeds that were joined to the vulnerabilities."""

    epss: FeedFact
    kev: FeedFact


@dataclass(frozen=True, slots=True)
class RebuildFacts:
    """What a second build of the same inputs gave."""

    same: Annotated[bool, Doc(description="whether it has the same digest")]
    differing: Annotated[tuple[str, ...], Doc(description="the files that differ")]


@dataclass(frozen=True, slots=True)
class ScanFacts:
    """Which scanner looked, with which database."""

    scanner: Annotated[str, Doc(description="name")]
    version: Annotated[str, Doc(description="version")]
    sha256_known: Annotated[bool, Doc(description="whether the scanner's binary was hashed")]
    sha256: Annotated[str, Doc(description="digest of the scanner's binary; empty when not known")]
    isolation: Annotated[str, Doc(description="what kept the scanner from the network")]
    uncovered: Annotated[str, Doc(description="the distribution, when the database knows nothing of it; else empty")]
    database_known: Annotated[bool, Doc(description="whether there was a vulnerability database")]
    database_sha256: Annotated[str, Doc(description="digest of the database; empty without one")]
    database_updated_at: Annotated[str, Doc(description="when it was made (RFC 3339, UTC); empty when not known")]


@dataclass(frozen=True, slots=True)
class CheckFact:
    """Whether a check was done."""

    done: Annotated[bool, Doc(description="whether its result is known")]
    reason: Annotated[str, Doc(description="why not; empty when done")] = ""


@dataclass(frozen=True, slots=True)
class CheckFacts:
    """Which checks were done; a rule names those it needs in ``requires``."""

    lint: CheckFact
    packages: CheckFact
    database: CheckFact
    vulnerabilities: CheckFact
    secrets: CheckFact
    licences: CheckFact
    misconfigurations: CheckFact
    repository: CheckFact
    epss: CheckFact
    kev: CheckFact
    rebuild: CheckFact
