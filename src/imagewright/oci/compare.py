"""Compare two images byte for byte, and where they differ, read their layers to say in what."""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

from imagewright import compare
from imagewright.compare import Difference, Entry
from imagewright.model.image import Descriptor, Manifest
from imagewright.oci.layout import Store
from imagewright.oci.listing import KINDS, text
from imagewright.oci.tarstream import TarStream
from imagewright.reference import Digest

_CHUNK = 1 << 18
_FOLLOWS = ("digest", "size")
"""What of a descriptor follows from the bytes it points to, which are compared themselves."""


def manifests(first: Store, one: Manifest, second: Store, other: Manifest) -> tuple[Difference, ...]:
    """How two platform images in two stores differ; nothing exactly when their digests are equal.

    Raises EvidenceError when a layer of either is missing or damaged.
    """
    if one.digest == other.digest:
        return ()
    found = list(_layers(first, one, second, other))
    configs = [_document(store, manifest.config.digest) for store, manifest in ((first, one), (second, other))]
    for config in configs:
        if isinstance(config.get("rootfs"), dict):
            config["rootfs"].pop("diff_ids", None)
    found += compare.documents("configuration", *configs)
    documents = [_without_digests(_document(store, item.digest)) for store, item in ((first, one), (second, other))]
    found += compare.documents("manifest", *documents)
    return tuple(found) or (Difference("manifest", "/", ("archive",)),)


def entries(store: Store, layer: Descriptor) -> Iterator[Entry]:
    """Every entry of a stored layer, in the order of its archive, contents hashed; raises EvidenceError."""
    store.verify([layer.digest])
    with store.open_blob(layer.digest) as blob:
        stream = TarStream(blob, name=str(layer.digest))
        for member in stream.members():
            yield _entry(member, stream)


def _layers(first: Store, one: Manifest, second: Store, other: Manifest) -> Iterator[Difference]:
    commands = [line.created_by for line in first.config(one).history if not line.empty_layer]
    for number, (before, after) in enumerate(zip_longest(one.layers, other.layers)):
        if before is not None and after is not None and before.digest == after.digest:
            continue
        command = " ".join(commands[number].split()) if number < len(commands) else ""
        where = f"layer {number + 1}" + (f" ({command[:60]})" if command else "")
        held = tuple(entries(first, before)) if before else ()
        holds = tuple(entries(second, after)) if after else ()
        yield from compare.entries(where, held, holds) or (Difference(where, "/", ("archive",)),)


def _entry(member: tarfile.TarInfo, stream: TarStream) -> Entry:
    kind = KINDS.get(member.type, "file")
    return Entry(
        path=text("/" + member.name.lstrip("/")),
        kind=kind,
        mode=member.mode,
        uid=member.uid,
        gid=member.gid,
        time=member.mtime,
        size=member.size if kind == "file" else 0,
        content=_content(member, stream) if kind == "file" else None,
        target=f"{member.devmajor}:{member.devminor}" if kind == "device" else text(member.linkname),
        attributes=_attributes(member),
    )


def _content(member: tarfile.TarInfo, stream: TarStream) -> Digest:
    """The digest of a file's bytes; the stream stands behind them afterwards."""
    hashed = hashlib.sha256()
    stream.seek(member.offset_data)
    left = member.size
    while left and (data := stream.read(min(left, _CHUNK))):
        hashed.update(data)
        left -= len(data)
    return Digest(hashed.hexdigest())


def _attributes(member: tarfile.TarInfo) -> tuple[tuple[str, str], ...]:
    """Extended headers that say something no other field does, and the names of user and group."""
    told = {"path", "linkpath", "size", "mtime", "uid", "gid"}
    extended = [(key, value) for key, value in member.pax_headers.items() if key not in told]
    named = [*extended, ("uname", member.uname), ("gname", member.gname)]
    return tuple(sorted((key, text(value)) for key, value in named))


def _document(store: Store, digest: Digest) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(store.read_blob(digest))
    return document


def _without_digests(manifest: dict[str, Any]) -> dict[str, Any]:
    descriptors = [manifest.get("config"), *manifest.get("layers", ())]
    for descriptor in descriptors:
        if isinstance(descriptor, dict):
            for key in _FOLLOWS:
                descriptor.pop(key, None)
    return manifest
