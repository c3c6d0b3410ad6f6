"""An image as the OCI specification describes it: descriptors, manifest, configuration, layers, files.

https://github.com/opencontainers/image-spec
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from imagewright.reference import Digest, Platform

FileKind = Literal["file", "directory", "symlink", "hardlink", "device", "fifo"]


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A pointer to content: media type, digest, size in bytes."""

    media_type: str
    digest: Digest
    size: int
    platform: Platform | None = None
    annotations: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Manifest:
    """A platform's image manifest; ``layers`` bottom first. ``digest`` is that of the manifest's own bytes."""

    digest: Digest
    media_type: str
    size: int
    config: Descriptor
    layers: tuple[Descriptor, ...]


@dataclass(frozen=True, slots=True)
class Image:
    """What a name in the store stands for: a root (manifest or index) and a manifest per platform.

    For one platform without an index, root and manifest are the same content.
    """

    name: str
    root: Descriptor
    manifests: tuple[tuple[Platform, Manifest], ...]


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """``test`` is empty when the image has none; ``exec_form`` when its first word is CMD, not CMD-SHELL."""

    test: tuple[str, ...]

    @property
    def present(self) -> bool:
        """Whether a health check would run at all."""
        return bool(self.test) and self.test[0] != "NONE"

    @property
    def exec_form(self) -> bool:
        """Whether the health check runs without a shell."""
        return bool(self.test) and self.test[0] == "CMD"


@dataclass(frozen=True, slots=True)
class History:
    """One line of the image's history; empty layers have no file system content."""

    created_by: str
    empty_layer: bool = False


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """The image configuration: what runs, as whom, and with which environment. ``ports`` as ``8000/tcp``."""

    platform: Platform
    user: str
    created: str
    working_dir: str
    entrypoint: tuple[str, ...]
    cmd: tuple[str, ...]
    env: tuple[tuple[str, str], ...]
    labels: tuple[tuple[str, str], ...]
    ports: tuple[str, ...]
    volumes: tuple[str, ...]
    healthcheck: HealthCheck
    stop_signal: str
    diff_ids: tuple[Digest, ...]
    history: tuple[History, ...]


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One entry of one layer. ``path`` is absolute and normalised; ``mode`` the twelve permission bits.

    ``layer`` is the index of the layer (0 = bottom), ``capabilities`` whether it carries file capabilities.
    """

    path: str
    kind: FileKind
    mode: int
    uid: int
    gid: int
    size: int
    layer: int
    target: str = ""
    capabilities: bool = False


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer with its sizes in bytes. ``created_by`` is the history line that made it."""

    digest: Digest
    diff_id: Digest
    compressed: int
    uncompressed: int
    files: int
    created_by: str


@dataclass(frozen=True, slots=True)
class Contents:
    """What a walk over all layers found.

    ``final`` is the file system a container sees (whiteouts applied), ordered by path;
    ``deleted`` are entries of earlier layers that a later one removed or replaced.
    """

    layers: tuple[Layer, ...]
    final: tuple[FileEntry, ...]
    deleted: tuple[FileEntry, ...]

    @property
    def compressed(self) -> int:
        """Bytes a pull transfers, all layers."""
        return sum(layer.compressed for layer in self.layers)

    @property
    def uncompressed(self) -> int:
        """Bytes of all layers unpacked, as tar streams."""
        return sum(layer.uncompressed for layer in self.layers)
