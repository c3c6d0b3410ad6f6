"""What one layer holds and takes away, read from its archive: the same wherever in an image the layer lies.

Reading is what costs: every byte is decompressed and hashed. What came of it is a few kilobytes, which can be kept.
Layers are tar archives with whiteouts: https://github.com/opencontainers/image-spec/blob/main/layer.md
"""

from __future__ import annotations

import json
import posixpath
import tarfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from imagewright import schema
from imagewright.errors import EvidenceError
from imagewright.files import write_atomically
from imagewright.model.image import FileKind
from imagewright.oci.tarstream import TarStream
from imagewright.reference import Digest

REVISION = 1
"""Changes when the same layer gives another listing, so that none kept earlier stands for it."""

Row = tuple[str, FileKind, int, int, int, int, str, bool]
"""One entry: path, kind, mode, uid, gid, size, target of a link, and whether it has file capabilities."""

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


@dataclass(frozen=True, slots=True)
class Listing:
    """One layer: the digest and size of its uncompressed bytes, its entries, and what it does to those below.

    ``rows`` has each path once, ``shadowed`` what the layer itself holds once more further on; ``gone`` are the paths
    it removes, ``opaque`` the directories it hides the insides of.
    """

    diff_id: Digest
    size: int
    rows: tuple[Row, ...]
    shadowed: tuple[Row, ...] = ()
    gone: tuple[str, ...] = ()
    opaque: tuple[str, ...] = ()


Lister = Callable[[Digest], Listing]
"""The listing of a stored layer blob; raises EvidenceError when the blob is missing, damaged or cut off."""


def lister(open_blob: Callable[[Digest], BinaryIO]) -> Lister:
    """A lister that reads the blobs."""

    def listed(layer: Digest) -> Listing:
        with open_blob(layer) as blob:
            return read(blob, name=str(layer))

    return listed


def read(blob: BinaryIO, *, name: str) -> Listing:
    """Read a layer once, as a stream; raises EvidenceError when it is damaged or cut off."""
    stream = TarStream(blob, name=name)
    rows: dict[str, Row] = {}
    shadowed: list[Row] = []
    gone: set[str] = set()
    opaque: set[str] = set()
    for member in stream.members():
        path = _absolute(member.name)
        folder, base = posixpath.split(path)
        if base == _OPAQUE:
            opaque.add(folder)
        elif base.startswith(_RESERVED):
            continue
        elif base.startswith(_WHITEOUT):
            gone.add(posixpath.join(folder, base.removeprefix(_WHITEOUT)))
        else:
            row = _row(member, path)
            earlier = rows.get(path)
            if earlier and not earlier[1] == row[1] == "directory":
                shadowed.append(earlier)
            rows[path] = row
    found = (tuple(rows.values()), tuple(shadowed), tuple(sorted(gone)), tuple(sorted(opaque)))
    return Listing(stream.digest, stream.size, *found)


def remembered(folder: Path, listed: Lister) -> Lister:
    """A lister that keeps each listing in a file of ``folder`` named after its layer, and reads no layer twice.

    What is kept and cannot be believed is read again; what cannot be kept is no error.
    """

    def recalled(layer: Digest) -> Listing:
        place = folder / layer.hex
        with suppress(OSError):
            if known := load(layer, place.read_bytes()):
                return known
        found = listed(layer)
        with suppress(OSError):
            write_atomically(place, dump(layer, found))
        return found

    return recalled


def dump(layer: Digest, listing: Listing) -> bytes:
    """A listing to be kept: one line with a digest over all that follows."""
    fields = (listing.diff_id, listing.size, listing.rows, listing.shadowed, listing.gone, listing.opaque)
    body = json.dumps([str(layer), str(fields[0]), *fields[1:]], separators=(",", ":")).encode()
    return _head(body) + body


def load(layer: Digest, kept: bytes) -> Listing | None:
    """The listing of this layer that was kept; None for another layer's, a damaged one, or one of another revision."""
    head, newline, body = kept.partition(b"\n")
    if head + newline != _head(body):
        return None
    try:
        subject, diff_id, size, *rest = json.loads(body)
        names = ("rows", "shadowed", "gone", "opaque")
        fields = {"diff_id": diff_id, "size": size, **dict(zip(names, rest, strict=True))}
        return schema.read(Listing, fields) if subject == str(layer) else None
    except (ValueError, TypeError, RecursionError):
        return None


def _head(body: bytes) -> bytes:
    return f"imagewright/listing/v{REVISION} {Digest.of(body)}\n".encode()


def _row(member: tarfile.TarInfo, path: str) -> Row:
    kind = KINDS.get(member.type, "file")
    linked = text(member.linkname)
    return (
        path,
        kind,
        member.mode & 0o7777,
        member.uid,
        member.gid,
        member.size if kind == "file" else 0,
        _absolute(linked) if kind == "hardlink" else linked if kind == "symlink" else "",
        any(name in member.pax_headers for name in _CAPABILITIES),
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
