"""The scanner's cache of layers, kept from one scan of an image to the next, and believed only when nothing speaks
against it.

Trivy keeps by diff id what it found in a layer. That leaves out things the finding depends on: it searches no secrets
in layers that its reading of the history takes for a base, and it writes down digest and instruction of the layer as
it saw them first. So each layer is recorded with its standing, and a cache that knows one of the image's layers in
another standing is dropped, as is one that is damaged, edited, or of another scanner or other options. Dropping costs
seconds; believing could cost a secret that nobody finds.
https://github.com/aquasecurity/trivy/blob/v0.76.0/pkg/fanal/artifact/image/image.go
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagewright.errors import EvidenceError
from imagewright.evidence import Evidence, canonical
from imagewright.reference import Digest

BOUND = 16 * 2**20
"""Bytes of a cache that is kept; a larger one is dropped whole, and starts anew with the layers in use."""

_FILE = Path("fanal/fanal.db")
_KIND = "layers"


@dataclass(frozen=True, slots=True)
class Layers:
    """The layers a cache holds, by diff id, each with the digest of its standing when it was analysed."""

    standings: tuple[tuple[str, Digest], ...] = ()

    def agree(self, others: Layers) -> bool:
        """Whether no layer that both know stands in another way."""
        known = dict(self.standings)
        return all(known.get(layer, standing) == standing for layer, standing in others.standings)

    def with_(self, others: Layers) -> Layers:
        """The layers of both."""
        return Layers(tuple(sorted((dict(self.standings) | dict(others.standings)).items())))


def standings(manifest: Mapping[str, Any], configuration: Mapping[str, Any]) -> Layers:
    """How the layers of an image stand: where, of how many, in which blobs, and under which history.

    Raises ValueError, KeyError or TypeError when the two are not an image's.
    """
    history = [[entry.get("created_by"), entry.get("empty_layer")] for entry in configuration.get("history") or ()]
    blobs = [layer["digest"] for layer in manifest["layers"]]
    places: dict[str, list[object]] = {}
    for number, (layer, blob) in enumerate(zip(configuration["rootfs"]["diff_ids"], blobs, strict=True)):
        places.setdefault(str(layer), []).append([number, blob])
    found = ((layer, Digest.of(canonical([len(blobs), history, at]))) for layer, at in places.items())
    return Layers(tuple(sorted(found)))


@dataclass(frozen=True, slots=True)
class Memory:
    """The cache one scan works on: ``place`` is its folder, ``folder`` where it is kept, None when it is not to be."""

    folder: Path | None
    place: Path
    key: Digest
    layers: Layers

    @property
    def backend(self) -> str:
        """What Trivy calls it."""
        return "fs" if self.folder else "memory"

    def keep(self) -> None:
        """Keep the cache after a scan, with a sealed record of what it is; not when it is beyond its bound."""
        file = self.place / _FILE
        # A cache that cannot be kept is one that is made again.
        with contextlib.suppress(OSError):
            if self.folder and file.stat().st_size <= BOUND:
                subject = _sha256(file)
                kept = Evidence(self.folder)
                kept.write(subject, _KIND, self.layers, key=self.key)
                file.rename(kept.folder(subject) / file.name)


def take(folder: Path | None, place: Path, layout: Path, manifest: Mapping[str, Any], *, key: Digest) -> Memory:
    """Move the cache kept in ``folder`` to ``place``, where the scan of an image of ``layout`` works on it.

    ``key`` is of the scanner and its options. What cannot be believed is removed, and is no error. Nothing stays in
    ``folder``, so that a scan which fails half way leaves no cache behind. Raises EvidenceError for an image that is
    damaged: what is found in other bytes is nothing about this digest.
    """
    layers = _read(layout, manifest) if folder else None
    if folder is None or layers is None:
        return Memory(None, place, key, Layers())
    file = place / _FILE
    file.parent.mkdir(parents=True)
    kept = Evidence(folder)
    try:
        (found,) = folder.glob(f"sha256/*/{file.name}")
        if found.is_symlink() or not found.is_file():
            raise ValueError(f"{found} is no file")
        found.rename(file)
        subject = _sha256(file)
        known = kept.read(Layers, subject, _KIND, hint="")
        if kept.key(subject, _KIND) == key and known.agree(layers):
            return Memory(folder, place, key, known.with_(layers))
    except (OSError, ValueError, EvidenceError):
        pass
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    file.unlink(missing_ok=True)
    return Memory(folder, place, key, layers)


def _read(layout: Path, manifest: Mapping[str, Any]) -> Layers | None:
    """How the layers of an image stand; None when that cannot be told.

    A layer that is not analysed again is read at least. Raises EvidenceError when a blob is not what its digest says.
    """
    try:
        blobs = [Digest.parse(blob["digest"]) for blob in (manifest["config"], *manifest["layers"])]
        paths = [layout / "blobs" / "sha256" / blob.hex for blob in blobs]
        for path, blob in zip(paths, blobs, strict=True):
            if _sha256(path) != blob:
                raise EvidenceError(f"{blob} has other bytes than its digest says", hint="./inv build makes it again")
        return standings(manifest, json.loads(paths[0].read_bytes()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _sha256(file: Path) -> Digest:
    with file.open("rb") as stream:
        return Digest(hashlib.file_digest(stream, "sha256").hexdigest())
