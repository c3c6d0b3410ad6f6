"""What a run leaves behind: the records kept beside each digest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from imagewright.model.findings import ToolIdentity
from imagewright.reference import Digest, Platform

Origin = Literal["base", "application", ""]


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
    ``base_layers`` is how many layers, from the bottom, came with the image that its last stage stands on; -1 when
    that is not known.
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
    base_layers: int = -1

    def origin(self, layer: int) -> Origin:
        """Who brought what is in a layer (0 = bottom, -1 = not known); empty when that cannot be told."""
        if layer < 0 or self.base_layers < 0:
            return ""
        return "base" if layer < self.base_layers else "application"


@dataclass(frozen=True, slots=True)
class SbomCoverage:
    """What a bill of materials says of the minimum elements; see ``facts.sbom`` for what they are.

    ``elements`` counts the components that have each, ``incomplete`` names those that cannot be told from others,
    ``missing`` the elements of the document itself that are not there. ``score`` is 0 to 100.
    """

    components: int
    elements: tuple[tuple[str, int], ...]
    incomplete: tuple[str, ...]
    missing: tuple[str, ...]
    score: int


@dataclass(frozen=True, slots=True)
class Rebuild:
    """What building once more, with nothing of the first time at hand, gave: ``rebuilt`` and how it differs.

    ``differing`` names layer, file and aspect in a line each; empty when both digests are equal. ``at`` is RFC 3339.
    """

    subject: Digest
    rebuilt: Digest
    differing: tuple[str, ...]
    at: str


@dataclass(frozen=True, slots=True)
class Sbom:
    """One software bill of materials in the evidence folder, by format, with the packages it lists."""

    format: str
    file: str
    sha256: Digest
    os_packages: int
    language_packages: int
    coverage: SbomCoverage


@dataclass(frozen=True, slots=True)
class Sboms:
    """The bills of materials that one scan gave."""

    documents: tuple[Sbom, ...]


@dataclass(frozen=True, slots=True)
class JudgedPolicy:
    """The policy a verdict was made with: its files, name and text, as they were then."""

    files: tuple[tuple[str, str], ...]
