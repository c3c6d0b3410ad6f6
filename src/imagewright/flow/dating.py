"""The last step of a build: no layer keeps the hour of its making, and none is read or written twice for that.

A layer is dated with the image that brought it, so the layers of a base are the same in every image on top of it,
whichever was committed last.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from imagewright.errors import EvidenceError
from imagewright.evidence import Evidence
from imagewright.flow.workspace import Workspace
from imagewright.model.image import Descriptor, Manifest
from imagewright.oci.layout import Store
from imagewright.oci.redate import Written, latest, redate
from imagewright.oci.relayer import manifests, relayer
from imagewright.reference import Digest, Platform

_KIND = "dated"
_GZIP = "+gzip"

Dates = dict[Platform, tuple[int, ...]]
"""The source date (Unix seconds) of each layer, bottom first, by platform."""


@dataclass(frozen=True, slots=True)
class Dated:
    """What is known of an exported layer: its latest date, and how it was written for a source date, if it was."""

    latest: int
    epoch: int = 0
    written: Written | None = None


@dataclass(frozen=True, slots=True)
class Export:
    """An exported layout: the image's name, its source date, and the dates of the layers it stands on."""

    name: str
    layout: Path
    epoch: int
    below: Dates

    def dates(self, platform: Platform, manifest: Manifest) -> tuple[int, ...]:
        """The source date of each layer."""
        below = self.below.get(platform, ())[: len(manifest.layers)]
        return below + (self.epoch,) * (len(manifest.layers) - len(below))


def date(workspace: Workspace, export: Export) -> Dates:
    """Date the layers of an export, in place; returns the source date of each.

    Raises EvidenceError when the export is incomplete or a layer is broken.
    """
    known = Evidence(workspace.out / "layers")
    found = manifests(export.layout, export.name)
    wanted = {
        (layer.digest, epoch): layer
        for platform, manifest in found
        for layer, epoch in zip(manifest.layers, export.dates(platform, manifest), strict=True)
    }
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        work = {
            key: pool.submit(_dated, workspace.store, known, export, layer, key[1]) for key, layer in wanted.items()
        }
        written = {key: future.result() for key, future in work.items()}

    def replacements(platform: Platform, manifest: Manifest) -> tuple[Written | None, ...]:
        dates = export.dates(platform, manifest)
        return tuple(written[layer.digest, epoch] for layer, epoch in zip(manifest.layers, dates, strict=True))

    relayer(export.layout, export.name, replacements)
    return {platform: export.dates(platform, manifest) for platform, manifest in found}


def _dated(store: Store, known: Evidence, export: Export, layer: Descriptor, epoch: int) -> Written | None:
    """How a layer is to be written; None when it may stay as it is."""
    exported = Store(export.layout).blob_path(layer.digest)
    record = _recall(known, layer.digest)
    if record is None:
        with exported.open("rb") as blob:
            record = Dated(latest(blob, name=str(layer.digest)))
        known.write(layer.digest, _KIND, record, key=layer.digest)
    if record.latest <= epoch and layer.media_type.endswith(_GZIP):
        return None
    if record.epoch == epoch and record.written and _is_whole(store, record.written):
        return record.written
    temporary = exported.with_name(f"{layer.digest.hex}.{epoch}")
    with exported.open("rb") as blob, temporary.open("wb") as target:
        written = redate(blob, target, epoch, name=str(layer.digest))
    temporary.replace(Store(export.layout).blob_path(written.digest))
    known.write(layer.digest, _KIND, Dated(record.latest, epoch, written), key=layer.digest)
    return written


def _recall(known: Evidence, layer: Digest) -> Dated | None:
    try:
        return known.read(Dated, layer, _KIND, hint="")
    except EvidenceError:
        return None


def _is_whole(store: Store, written: Written) -> bool:
    """Whether the store has the blob in its length; its bytes are hashed before they are pushed."""
    path = store.blob_path(written.digest)
    return path.is_file() and path.stat().st_size == written.size
