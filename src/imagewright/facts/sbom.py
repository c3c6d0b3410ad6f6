"""How much of the minimum elements a bill of materials has. Pure, and the same for both formats.

What is counted comes from NTIA, The Minimum Elements For a Software Bill of Materials (July 2021,
https://www.ntia.gov/report/2021/minimum-elements-software-bill-materials-sbom), and from what CISA's update of 2025
(https://www.cisa.gov/resources-tools/resources/2025-minimum-elements-software-bill-materials-sbom) adds:

    of each component   supplier, name, version, identifier, relationship (2021); hash, licence (2025)
    of the document     author, timestamp, relationships (2021); tool, generation context (2025)

The score is the share of components times elements that are there, in percent, rounded down; what the document itself
lacks is named beside it. A component is a package: the image, its distribution, and files inside that only list
packages have no supplier or licence of their own and are not counted. NOASSERTION and NONE count as nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from imagewright.model.records import SbomCoverage

ELEMENTS = ("supplier", "name", "version", "identifier", "relationship", "hash", "licence")
"""What each component should have."""
DOCUMENT_ELEMENTS = ("author", "tool", "timestamp", "context", "relationships")
"""What the document should say of itself."""
_IDENTITY = ("name", "version", "identifier")
_PACKAGE_LISTS = "lang-pkgs"  # what Trivy calls a file that lists packages


@dataclass(frozen=True, slots=True)
class _Component:
    """A component's name, and its elements: empty for one that is not there."""

    shown: str
    has: dict[str, object]


def cyclonedx_coverage(document: dict[str, Any]) -> SbomCoverage:
    """The coverage of a CycloneDX document; https://cyclonedx.org/docs/1.7/json/."""
    metadata = document["metadata"]
    edges = [(item["ref"], other) for item in document.get("dependencies", ()) for other in item.get("dependsOn", ())]
    connected = {end for edge in edges for end in edge}
    components = [
        _Component(
            component["name"],
            {
                **{name: component.get(name) for name in ("supplier", "name", "version")},
                "identifier": component.get("purl") or component.get("cpe") or component.get("swid"),
                "relationship": component["bom-ref"] in connected,
                "hash": component.get("hashes"),
                "licence": component.get("licenses"),
            },
        )
        for component in document.get("components", ())
        if component["type"] not in ("operating-system", "file") and not _lists_packages(component)
    ]
    about = {
        "author": metadata.get("authors") or metadata.get("manufacturer") or metadata.get("supplier"),
        "tool": metadata.get("tools"),
        "timestamp": metadata.get("timestamp"),
        "context": metadata.get("lifecycles"),
        "relationships": edges,
    }
    return _coverage(components, about)


def spdx_coverage(document: dict[str, Any]) -> SbomCoverage:
    """The coverage of an SPDX 2 document; https://spdx.github.io/spdx-spec/v2.3/."""
    creation = document["creationInfo"]
    edges = [
        (relation["spdxElementId"], relation["relatedSpdxElement"])
        for relation in document.get("relationships", ())
        if relation["relationshipType"] != "DESCRIBES"
    ]
    connected = {end for edge in edges for end in edge}
    components = [
        _Component(
            package["name"],
            {
                "supplier": _said(package, "supplier") or _said(package, "originator"),
                "name": package["name"],
                "version": package.get("versionInfo"),
                "identifier": list(_identifiers(package)),
                "relationship": package["SPDXID"] in connected,
                "hash": package.get("checksums"),
                "licence": _said(package, "licenseConcluded") or _said(package, "licenseDeclared"),
            },
        )
        for package in document["packages"]
        if package.get("primaryPackagePurpose") not in ("CONTAINER", "OPERATING-SYSTEM", "FILE")
        and not any(note["comment"] == f"Class: {_PACKAGE_LISTS}" for note in package.get("annotations", ()))
    ]
    creators = [str(creator) for creator in creation.get("creators", ())]
    about = {
        "author": [one for one in creators if one.startswith(("Person:", "Organization:"))],
        "tool": [one for one in creators if one.startswith("Tool:")],
        "timestamp": creation.get("created"),
        "context": creation.get("comment"),
        "relationships": edges,
    }
    return _coverage(components, about)


def _coverage(components: list[_Component], about: dict[str, object]) -> SbomCoverage:
    counts = tuple((name, sum(bool(one.has[name]) for one in components)) for name in ELEMENTS)
    incomplete = {one.shown for one in components if not all(one.has[name] for name in _IDENTITY)}
    asked = len(components) * len(ELEMENTS)
    return SbomCoverage(
        components=len(components),
        elements=counts,
        incomplete=tuple(sorted(incomplete)),
        missing=tuple(name for name in DOCUMENT_ELEMENTS if not about[name]),
        score=100 * sum(count for _, count in counts) // asked if asked else 0,
    )


def _lists_packages(component: dict[str, Any]) -> bool:
    return any(
        (item["name"], item.get("value")) == ("aquasecurity:trivy:Class", _PACKAGE_LISTS)
        for item in component.get("properties", ())
    )


def _said(package: dict[str, Any], key: str) -> str:
    value = str(package.get(key, ""))
    return "" if value in ("NOASSERTION", "NONE") else value


def _identifiers(package: dict[str, Any]) -> Iterator[str]:
    for reference in package.get("externalRefs", ()):
        if reference["referenceType"] in ("purl", "cpe23Type", "cpe22Type", "swid", "gitoid", "swh"):
            yield reference["referenceLocator"]
