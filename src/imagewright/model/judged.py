"""What a judgement leads to: what a report is made of, and what a push accepted."""

from __future__ import annotations

from dataclasses import dataclass, field

from imagewright.model.definition import ImageDefinition
from imagewright.model.findings import Lint, Scan
from imagewright.model.history import Gates
from imagewright.model.image import Layer
from imagewright.model.records import Build, Sbom
from imagewright.model.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a push accepted: the definition and the verdict of that moment, whatever is judged or declared later."""

    definition: ImageDefinition
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class ImageReport:
    """Everything a report shows of one image and platform."""

    definition: ImageDefinition
    build: Build
    layers: tuple[Layer, ...]
    lint: Lint
    scan: Scan
    sboms: tuple[Sbom, ...]
    verdict: Verdict
    gates: Gates = field(default_factory=Gates)

    @property
    def compressed(self) -> int:
        """Bytes of all layers as stored and pushed."""
        return sum(layer.compressed for layer in self.layers)

    @property
    def uncompressed(self) -> int:
        """Bytes of all layers unpacked."""
        return sum(layer.uncompressed for layer in self.layers)
