"""Bills of materials as Trivy writes them → the same bytes for the same image. Pure.

Trivy puts the time of day and random identifiers into each document, and names the image after the folder it
was scanned from. Here they become the image's name and digest, the date of its sources, and identifiers
derived from both. What is known against the packages is left to the scan, which changes daily. What this program
knows and Trivy does not write is added: the image's own hash, and that the document is made from the built image.

https://cyclonedx.org/docs/1.7/json/ · https://spdx.github.io/spdx-spec/v2.3/
"""

from __future__ import annotations

import json
import re
import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from imagewright.errors import ToolFailed
from imagewright.facts.sbom import cyclonedx_coverage, spdx_coverage
from imagewright.model.records import Sbom, SbomCoverage
from imagewright.reference import Digest

_UUID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
_SPDX_ID = re.compile(r"\bSPDXRef-[A-Za-z0-9.-]+")
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:imagewright:sbom")
_OS_TYPES = ("deb", "rpm", "apk", "alpm")


@dataclass(frozen=True, slots=True)
class _Identity:
    """What a document is about, and when that came to be."""

    name: str
    subject: Digest
    epoch: int

    @property
    def date(self) -> str:
        return datetime.fromtimestamp(self.epoch, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")

    @property
    def purl(self) -> str:
        return f"pkg:oci/{self.name}@sha256%3A{self.subject.hex}"

    def uuid(self, *parts: str) -> str:
        """An identifier that depends on the image and these parts, and on nothing else."""
        return str(uuid.uuid5(_NAMESPACE, json.dumps([str(self.subject), *parts])))


@dataclass(frozen=True, slots=True)
class Format:
    """One format: its name in records, its file's name, what Trivy calls it, how it is made steady and read."""

    name: str
    file: str
    trivy: str
    steady: Callable[[dict[str, Any], _Identity], dict[str, Any]]
    purls: Callable[[dict[str, Any]], list[str]]
    coverage: Callable[[dict[str, Any]], SbomCoverage]


def finish(raw: bytes, form: Format, subject: Digest, *, name: str, epoch: int) -> tuple[Sbom, bytes]:
    """Make a document steady, count its packages and score it; raises ToolFailed when it is not what it should be."""
    try:
        document = form.steady(json.loads(raw), _Identity(name, subject, epoch))
        purls = form.purls(document)
        coverage = form.coverage(document)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        why = f"{type(error).__name__}: {error}"
        raise ToolFailed(f"Trivy's {form.name} document cannot be understood", why=why) from error
    data = (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode()
    os_packages = sum(_is_os(purl) for purl in purls)
    return Sbom(form.name, form.file, Digest.of(data), os_packages, len(purls) - os_packages, coverage), data


def _is_os(purl: str) -> bool:
    return purl.removeprefix("pkg:").split("/", 1)[0] in _OS_TYPES


def _named_by_content(items: Iterable[dict[str, Any]], key: str, image: _Identity) -> dict[str, str]:
    """For each item's random or unsteady name (under ``key``) one that follows from its content."""
    seen: Counter[str] = Counter()
    names = {}
    for item in items:
        content = json.dumps({name: value for name, value in item.items() if name != key}, sort_keys=True)
        names[str(item[key])] = image.uuid(content, str(seen[content]))
        seen[content] += 1
    return names


def _steady_cyclonedx(document: dict[str, Any], image: _Identity) -> dict[str, Any]:
    document.pop("vulnerabilities", None)
    root = document["metadata"]["component"]
    hashes = [{"alg": "SHA-256", "content": image.subject.hex}]
    root.update(name=image.name, version=str(image.subject), purl=image.purl, hashes=hashes)
    document["metadata"].update(timestamp=image.date, lifecycles=[{"phase": "post-build"}])
    random = [component for component in document.get("components", []) if _UUID.fullmatch(component["bom-ref"])]
    known = _named_by_content(random, "bom-ref", image) | {root["bom-ref"]: image.purl}
    document["serialNumber"] = f"urn:uuid:{image.uuid('cyclonedx')}"
    text = _UUID.sub(lambda found: known.get(found[0], found[0]), json.dumps(document))
    steady: dict[str, Any] = json.loads(text)
    steady["components"] = sorted(steady.get("components", []), key=lambda component: str(component["bom-ref"]))
    for dependency in steady.get("dependencies", []):
        dependency["dependsOn"] = sorted(dependency.get("dependsOn", []))
    steady["dependencies"] = sorted(steady.get("dependencies", []), key=lambda dependency: str(dependency["ref"]))
    return steady


def _cyclonedx_purls(document: dict[str, Any]) -> list[str]:
    return [component["purl"] for component in document["components"] if component.get("purl")]


def _steady_spdx(document: dict[str, Any], image: _Identity) -> dict[str, Any]:
    document["name"] = image.name
    document["documentNamespace"] = f"https://spdx.org/spdxdocs/{image.name}-{image.uuid('spdx')}"
    document["creationInfo"].update(created=image.date, comment="Generation context: post-build, from the image")
    for package in document["packages"]:
        references = package.get("externalRefs", [])
        references[:] = [reference for reference in references if reference["referenceCategory"] != "SECURITY"]
        for annotation in package.get("annotations", []):
            annotation["annotationDate"] = image.date
    root = next(package for package in document["packages"] if package.get("primaryPackagePurpose") == "CONTAINER")
    root.update(name=image.name, versionInfo=str(image.subject))
    root["checksums"] = [{"algorithm": "SHA256", "checksumValue": image.subject.hex}]
    root["externalRefs"] = [
        {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": image.purl}
    ]
    # Trivy derives these from the findings of the day, too.
    known = _named_by_content(document["packages"], "SPDXID", image)
    names = {old: f"{old.rpartition('-')[0]}-{new}" for old, new in known.items()}
    text = _SPDX_ID.sub(lambda found: names.get(found[0], found[0]), json.dumps(document))
    document = json.loads(text)
    document["packages"].sort(
        key=lambda package: (package.get("primaryPackagePurpose") != "CONTAINER", str(package["SPDXID"]))
    )
    document["relationships"].sort(key=lambda relation: json.dumps(relation, sort_keys=True))
    return document


def _spdx_purls(document: dict[str, Any]) -> list[str]:
    return [
        reference["referenceLocator"]
        for package in document["packages"]
        if package.get("primaryPackagePurpose") != "CONTAINER"
        for reference in package.get("externalRefs", [])
        if reference["referenceType"] == "purl"
    ]


FORMATS = (
    Format("cyclonedx", "sbom.cdx.json", "cyclonedx", _steady_cyclonedx, _cyclonedx_purls, cyclonedx_coverage),
    Format("spdx", "sbom.spdx.json", "spdx-json", _steady_spdx, _spdx_purls, spdx_coverage),
)
"""Every format an image leaves with."""
