"""Trivy's JSON report as it comes over the wire: the keys this program reads, and nothing more.

Format: schema version 2, https://trivy.dev/docs/v0.76/guide/configuration/reporting/#json and
https://github.com/aquasecurity/trivy/blob/v0.76.0/pkg/types/report.go. Lists are absent or null when empty.
A field's key is its name in Pascal case, with ID, URL and PURL in capitals.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_pascal

from imagewright.model.findings import SEVERITIES, Severity
from imagewright.reference import Digest


def _key(name: str) -> str:
    return re.sub(r"(Id|Url|Purl)$", lambda found: found[0].upper(), to_pascal(name))


def _known_severity(value: object) -> object:
    return "UNKNOWN" if isinstance(value, str) and value not in SEVERITIES else value


def _numbered_severity(value: object) -> object:
    return SEVERITIES[::-1][value] if isinstance(value, int) and 0 <= value < len(SEVERITIES) else "UNKNOWN"


Text = Annotated[str, BeforeValidator(lambda value: "" if value is None else value)]
Rank = Annotated[Severity, BeforeValidator(_known_severity)]
Number = Annotated[Severity, BeforeValidator(_numbered_severity)]
"""A severity as its place in UNKNOWN, LOW, MEDIUM, HIGH, CRITICAL: so are those of the sources written."""


class Wire(BaseModel):
    """A JSON object of the report; unknown keys are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=_key)


W = TypeVar("W", bound=Wire)


class Layer(Wire):
    """The layer something came with; empty for the image's configuration."""

    diff_id: Digest | None = None


class Identifier(Wire):
    """A package's identity."""

    purl: Text = ""


class DataSource(Wire):
    """Who published an advisory."""

    name: Text = ""


class Package(Wire):
    """An installed package."""

    name: str
    version: Text = ""
    release: Text = ""
    epoch: int = 0
    identifier: Identifier = Identifier()
    licenses: tuple[str, ...] | None = None
    file_path: Text = ""
    layer: Layer = Layer()

    @property
    def full_version(self) -> str:
        """The version as its package manager writes it: ``[epoch:]version[-release]``."""
        epoch = f"{self.epoch}:" if self.epoch else ""
        return f"{epoch}{self.version}" + (f"-{self.release}" if self.release else "")


class Vulnerability(Wire):
    """A vulnerability of an installed package."""

    vulnerability_id: str
    severity: Rank = "UNKNOWN"
    severity_source: Text = ""
    vendor_severity: dict[str, Number] | None = None
    pkg_name: str
    installed_version: str
    fixed_version: Text = ""
    status: Text = ""
    title: Text = ""
    pkg_identifier: Identifier = Identifier()
    pkg_path: Text = ""
    primary_url: Text = ""
    data_source: DataSource = DataSource()
    layer: Layer = Layer()


class Secret(Wire):
    """A secret; its keys ``Match`` and ``Code`` are left where they are."""

    rule_id: str
    category: Text = ""
    title: Text = ""
    severity: Rank = "UNKNOWN"
    start_line: int = 0
    layer: Layer = Layer()


class Misconfiguration(Wire):
    """A check of the image's configuration."""

    id: str
    severity: Rank = "UNKNOWN"
    title: Text = ""
    message: Text = ""
    resolution: Text = ""
    primary_url: Text = ""
    status: str


class Licence(Wire):
    """A licence of a package or file."""

    name: str
    category: Text = ""
    severity: Rank = "UNKNOWN"
    pkg_name: Text = ""
    file_path: Text = ""


class Suppressed(Wire):
    """A finding that an ignore file or a VEX statement told the scanner to keep quiet about."""

    type: str
    finding: dict[str, Any]


class Result(Wire):
    """What was found in one target: the OS, a language's packages, a file."""

    target: Text = ""
    kind: str = Field(alias="Class")
    type: Text = ""
    packages: tuple[Package, ...] | None = None
    vulnerabilities: tuple[Vulnerability, ...] | None = None
    secrets: tuple[Secret, ...] | None = None
    misconfigurations: tuple[Misconfiguration, ...] | None = None
    licenses: tuple[Licence, ...] | None = None
    experimental_modified_findings: tuple[Suppressed, ...] | None = None

    def all(self, shown: tuple[W, ...] | None, kind: str, wire: Callable[[Any], W]) -> Iterator[W]:
        """What is shown of one kind, and what was suppressed of it."""
        yield from shown or ()
        for item in self.experimental_modified_findings or ():
            if item.type == kind:
                yield wire(item.finding)


class Distribution(Wire):
    """The operating system as the scanner recognised it."""

    family: Annotated[str, Field(alias="Family")] = ""
    name: Annotated[str, Field(alias="Name")] = ""


class Metadata(Wire):
    """The image: the digest of its configuration, and its distribution."""

    image_id: Digest | None = None
    os: Annotated[Distribution | None, Field(alias="OS")] = None


class Report(Wire):
    """A whole report."""

    schema_version: Literal[2]
    artifact_name: Text = ""
    metadata: Metadata = Metadata()
    results: tuple[Result, ...] | None = None
