"""What an image is made of, as facts: its layers, packages, licences and bills of materials, in a stable order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from imagewright.facts.reported import found
from imagewright.model.facts import LayerFacts
from imagewright.model.findings import LicenceFinding, Package, Scan
from imagewright.model.image import Contents
from imagewright.model.records import Build, Sbom
from imagewright.model.reported import ElementFact, LicenceFact, PackageFact, PackageFacts, SbomFact
from imagewright.reference import Digest


def layers(contents: Contents, build: Build) -> tuple[LayerFacts, ...]:
    """The layers, bottom first."""
    return tuple(
        LayerFacts(
            digest=str(layer.digest),
            diff_id=str(layer.diff_id),
            compressed=layer.compressed,
            uncompressed=layer.uncompressed,
            files=layer.files,
            created_by=layer.created_by,
            origin=build.origin(index),
        )
        for index, layer in enumerate(contents.layers)
    )


def packages(scan: Scan, layers: Mapping[Digest | None, int], build: Build) -> PackageFacts:
    """The packages, the distribution's first, and how many of each class there are."""

    def order(item: Package) -> tuple[object, ...]:
        return (item.package_class == "language", item.name, item.version, item.type, item.path, item.purl)

    language = sum(package.package_class == "language" for package in scan.packages)
    items = tuple(
        PackageFact(
            name=item.name,
            version=item.version,
            package_class=item.package_class,
            type=item.type,
            purl=item.purl,
            path=item.path,
            licences=item.licenses,
            layer=layers.get(item.layer, -1),
            origin=build.origin(layers.get(item.layer, -1)),
        )
        for item in sorted(scan.packages, key=order)
    )
    return PackageFacts(os=len(items) - language, language=language, items=items)


def licences(scan: Scan, items: Iterable[PackageFact]) -> tuple[LicenceFact, ...]:
    """The licences the scanner found, by name; who brought the package under one is known where that is one party."""
    origins: dict[str, set[str]] = {}
    for item in items:
        origins.setdefault(item.name, set()).add(item.origin)

    def order(item: LicenceFinding) -> tuple[object, ...]:
        return (item.name, item.package, item.path)

    def origin(package: str) -> str:
        known = origins.get(package, set[str]())
        return next(iter(known)) if len(known) == 1 else ""

    return tuple(
        LicenceFact(item.name, item.category, item.severity, item.package, item.path, origin(item.package))
        for item in sorted(found(scan.licences), key=order)
    )


def sboms(documents: Iterable[Sbom]) -> tuple[SbomFact, ...]:
    """The bills of materials, by format."""
    return tuple(
        SbomFact(
            format=sbom.format,
            file=sbom.file,
            sha256=str(sbom.sha256),
            os_packages=sbom.os_packages,
            language_packages=sbom.language_packages,
            components=sbom.coverage.components,
            score=sbom.coverage.score,
            elements=tuple(ElementFact(name, count) for name, count in sbom.coverage.elements),
            incomplete=sbom.coverage.incomplete,
            missing=sbom.coverage.missing,
        )
        for sbom in sorted(documents, key=lambda sbom: (sbom.format, sbom.file))
    )
