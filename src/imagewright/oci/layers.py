"""The layers of an image on top of each other: what each brought, what is left, what was taken away.

https://github.com/opencontainers/image-spec/blob/main/layer.md
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from imagewright.errors import EvidenceError
from imagewright.model.image import Contents, FileEntry, ImageConfig, Layer, Manifest
from imagewright.oci.listing import Lister, Listing, Row
from imagewright.reference import Digest


def walk(manifest: Manifest, config: ImageConfig, listed: Lister) -> Contents:
    """Put the listings of all layers together, bottom first.

    Raises EvidenceError when a layer is damaged or cut off, or when its uncompressed bytes are not those the
    configuration promises (its diff id).
    """
    if len(manifest.layers) != len(config.diff_ids):
        raise EvidenceError(
            f"the image {manifest.digest} contradicts itself",
            why=f"its manifest has {len(manifest.layers)} layers, its configuration {len(config.diff_ids)} diff ids",
            hint="the image is damaged: build it again",
        )
    commands = _commands(config)
    layers: list[Layer] = []
    final: dict[str, FileEntry] = {}
    deleted: list[FileEntry] = []
    for index, (descriptor, diff_id) in enumerate(zip(manifest.layers, config.diff_ids, strict=True)):
        listing = listed(descriptor.digest)
        _verify(descriptor.digest, listing.diff_id, diff_id)
        deleted += _apply(listing, final, index)
        files = sum(kind != "directory" for _, kind, *_ in listing.rows)
        layers.append(Layer(descriptor.digest, diff_id, descriptor.size, listing.size, files, commands[index]))
    return Contents(
        layers=tuple(layers),
        final=tuple(final[path] for path in sorted(final)),
        deleted=tuple(sorted(deleted, key=lambda entry: (entry.path, entry.layer))),
    )


def _apply(listing: Listing, final: dict[str, FileEntry], index: int) -> Iterator[FileEntry]:
    """Put one layer on top of ``final``; yields the entries that are in some layer but no longer to be seen."""
    yield from (_entry(row, index) for row in listing.shadowed)
    gone = {*listing.gone, *(path for path, kind, *_ in listing.rows if kind != "directory" and path in final)}
    if gone or listing.opaque:
        hidden = _Hidden(gone, listing.opaque)
        for path in [path for path in final if path in gone or hidden.inside(posixpath.dirname(path))]:
            yield final.pop(path)
    for row in listing.rows:
        entry = _entry(row, index)
        below = final.get(entry.path)
        # A directory over a directory changes its attributes and hides nothing.
        if below and not below.kind == entry.kind == "directory":
            yield below
        final[entry.path] = entry


class _Hidden:
    """Which directories of the layers below cannot be seen any more; each is decided once."""

    def __init__(self, gone: set[str], opaque: tuple[str, ...]) -> None:
        self._known = dict.fromkeys((*gone, *opaque), True)

    def inside(self, folder: str) -> bool:
        """Whether what lies directly in ``folder`` is hidden."""
        undecided = []
        while folder not in self._known and folder != "/":
            undecided.append(folder)
            folder = posixpath.dirname(folder)
        hidden = self._known.get(folder, False)
        self._known.update(dict.fromkeys(undecided, hidden))
        return hidden


def _entry(row: Row, index: int) -> FileEntry:
    path, kind, mode, uid, gid, size, target, capabilities = row
    return FileEntry(path, kind, mode, uid, gid, size, index, target, capabilities)


def _commands(config: ImageConfig) -> list[str]:
    """The history line behind each layer; empty where the history is shorter than the list of layers."""
    lines = [line.created_by for line in config.history if not line.empty_layer]
    return lines + [""] * (len(config.diff_ids) - len(lines))


def _verify(blob: Digest, found: Digest, promised: Digest) -> None:
    if found != promised:
        raise EvidenceError(
            f"the layer {blob} is not the one the image was made of",
            why=f"uncompressed it is {found}, the image's configuration says {promised}",
            hint="the stored image is damaged or was tampered with: build it again",
        )
