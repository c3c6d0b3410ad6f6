"""Walk the layers of an image without unpacking them: what each brought, what is left, what was taken away.

Layers are tar archives with whiteouts: https://github.com/opencontainers/image-spec/blob/main/layer.md
"""

from __future__ import annotations

import posixpath
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from imagewright.errors import EvidenceError
from imagewright.model.image import Contents, FileEntry, FileKind, ImageConfig, Layer, Manifest
from imagewright.oci.tarstream import TarStream
from imagewright.reference import Digest

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_RESERVED = ".wh..wh."  # AUFS bookkeeping, never a file
_CAPABILITIES = ("SCHILY.xattr.security.capability", "LIBARCHIVE.xattr.security.capability")
_LONGEST_PATH = 4096  # PATH_MAX of Linux
KINDS: dict[bytes, FileKind] = {
    tarfile.DIRTYPE: "directory",
    tarfile.SYMTYPE: "symlink",
    tarfile.LNKTYPE: "hardlink",
    tarfile.CHRTYPE: "device",
    tarfile.BLKTYPE: "device",
    tarfile.FIFOTYPE: "fifo",
}
"""The kinds of archive members; all others are files."""


@dataclass(slots=True)
class _Changes:
    """What one layer does to those below it: ``gone`` paths, ``opaque`` directories, and its own entries."""

    entries: dict[str, FileEntry] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    opaque: set[str] = field(default_factory=set)
    shadowed: list[FileEntry] = field(default_factory=list)


def walk(manifest: Manifest, config: ImageConfig, open_blob: Callable[[Digest], BinaryIO]) -> Contents:
    """Read every layer once, bottom first, as a stream; ``open_blob`` opens a stored blob for reading.

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
        with open_blob(descriptor.digest) as blob:
            stream = TarStream(blob, name=str(descriptor.digest))
            changes = _read(stream, index)
        _verify(descriptor.digest, stream.digest, diff_id)
        deleted += _apply(changes, final)
        files = sum(entry.kind != "directory" for entry in changes.entries.values())
        layers.append(Layer(descriptor.digest, diff_id, descriptor.size, stream.size, files, commands[index]))
    return Contents(
        layers=tuple(layers),
        final=tuple(final[path] for path in sorted(final)),
        deleted=tuple(sorted(deleted, key=lambda entry: (entry.path, entry.layer))),
    )


def _read(stream: TarStream, index: int) -> _Changes:
    changes = _Changes()
    for member in stream.members():
        path = _absolute(member.name)
        folder, name = posixpath.split(path)
        if name == _OPAQUE:
            changes.opaque.add(folder)
        elif name.startswith(_RESERVED):
            continue
        elif name.startswith(_WHITEOUT):
            changes.gone.add(posixpath.join(folder, name.removeprefix(_WHITEOUT)))
        else:
            entry = _entry(member, path, index)
            earlier = changes.entries.get(path)
            if earlier and not _is_merge(earlier, entry):
                changes.shadowed.append(earlier)
            changes.entries[path] = entry
    return changes


def _apply(changes: _Changes, final: dict[str, FileEntry]) -> Iterator[FileEntry]:
    """Put one layer on top of ``final``; yields the entries that are in some layer but no longer to be seen."""
    yield from changes.shadowed
    files_now = {path for path, entry in changes.entries.items() if entry.kind != "directory"}
    gone = changes.gone | (files_now & final.keys())
    if gone or changes.opaque:
        hidden = _Hidden(gone, changes.opaque)
        for path in [path for path in final if path in gone or hidden.inside(posixpath.dirname(path))]:
            yield final.pop(path)
    for path, entry in changes.entries.items():
        below = final.get(path)
        if below and not _is_merge(below, entry):
            yield below
        final[path] = entry


class _Hidden:
    """Which directories of the layers below cannot be seen any more; each is decided once."""

    def __init__(self, gone: set[str], opaque: set[str]) -> None:
        self._known = dict.fromkeys(gone | opaque, True)

    def inside(self, folder: str) -> bool:
        """Whether what lies directly in ``folder`` is hidden."""
        undecided = []
        while folder not in self._known and folder != "/":
            undecided.append(folder)
            folder = posixpath.dirname(folder)
        hidden = self._known.get(folder, False)
        self._known.update(dict.fromkeys(undecided, hidden))
        return hidden


def _is_merge(below: FileEntry, above: FileEntry) -> bool:
    """A directory over a directory changes its attributes and hides nothing."""
    return below.kind == above.kind == "directory"


def _entry(member: tarfile.TarInfo, path: str, index: int) -> FileEntry:
    kind = KINDS.get(member.type, "file")
    linked = text(member.linkname)
    return FileEntry(
        path=path,
        kind=kind,
        mode=member.mode & 0o7777,
        uid=member.uid,
        gid=member.gid,
        size=member.size if kind == "file" else 0,
        layer=index,
        target=_absolute(linked) if kind == "hardlink" else linked if kind == "symlink" else "",
        capabilities=any(name in member.pax_headers for name in _CAPABILITIES),
    )


def _absolute(name: str) -> str:
    """Where a runtime would put this name: inside the root, whatever ``..`` says."""
    if len(name) > _LONGEST_PATH:
        raise EvidenceError(
            "a layer holds a path that no file system can",
            why=f"{len(name)} characters, beginning with {name[:60]!r}",
            hint="the image was made by something broken or hostile: build it again",
        )
    return posixpath.normpath("/" + text(name).lstrip("/"))


def text(name: str) -> str:
    """A name as text that every document can hold."""
    # NOTE: bytes that are not UTF-8 arrive as lone surrogates, which no JSON document can hold.
    return name if name.isascii() else name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


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
