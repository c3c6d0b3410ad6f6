"""What a run leaves behind: the records kept beside each digest, and what a report is made of."""

from __future__ import annotations

from dataclasses import dataclass

from imagewright.model.definition import ImageDefinition
from imagewright.model.findings import Lint, Scan, ToolIdentity
from imagewright.model.image import Layer
from imagewright.model.verdict import Verdict
from imagewright.reference import Digest, Platform


@dataclass(frozen=True, slots=True)
class UsedBase:
    """An outside base as this build used it. ``expected`` is the locked digest, None when nothing was locked."""

    name: str
    source: str
    digest: Digest
    expected: Digest | None
    locked: str = ""

    @property
    def is_locked(self) -> bool:
        """Whether the bytes used are the bytes that were locked."""
        return self.expected == self.digest


@dataclass(frozen=True, slots=True)
class Source:
    """Where an image's inputs stand in git.

    ``revision`` is the last commit that touched them (with ``-dirty`` when the tree differs), ``epoch``
    its date in Unix seconds.
    """

    revision: str
    epoch: int
    dirty: bool
    url: str = ""


@dataclass(frozen=True, slots=True)
class Build:
    """How one platform manifest came to be. ``root`` is the digest the image's name stands for.

    ``dates`` are the source dates of its layers, bottom first, in Unix seconds: each is that of the image it came with.
    """

    subject: Digest
    root: Digest
    image: str
    platform: Platform
    source: Source
    bases: tuple[UsedBase, ...]
    builder: tuple[ToolIdentity, ...]
    key: Digest
    finished_at: str
    dates: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Sbom:
    """One software bill of materials in the evidence folder, by format, with the packages it lists."""

    format: str
    file: str
    sha256: Digest
    os_packages: int
    language_packages: int


@dataclass(frozen=True, slots=True)
class Sboms:
    """The bills of materials that one scan gave."""

    documents: tuple[Sbom, ...]


@dataclass(frozen=True, slots=True)
class JudgedPolicy:
    """The policy a verdict was made with: its files, name and text, as they were then."""

    files: tuple[tuple[str, str], ...]


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

    @property
    def compressed(self) -> int:
        """Bytes of all layers as stored and pushed."""
        return sum(layer.compressed for layer in self.layers)

    @property
    def uncompressed(self) -> int:
        """Bytes of all layers unpacked."""
        return sum(layer.uncompressed for layer in self.layers)
