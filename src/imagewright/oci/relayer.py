"""An exported layout with other bytes for some of its layers: configuration, manifest and index follow."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from imagewright.model.image import Descriptor, Manifest
from imagewright.oci import parse
from imagewright.oci.layout import Store, only_entry, set_only_entry
from imagewright.oci.redate import Written
from imagewright.reference import Platform

GZIP_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"

Replacements = Callable[[Platform, Manifest], tuple[Written | None, ...]]
"""For one platform: what each layer, bottom first, is to be; None leaves it as it is."""


def relayer(layout: Path, name: str, replacements: Replacements) -> None:
    """Put the layers' replacements into the one image of a layout; their blobs are for the caller to provide.

    Raises EvidenceError when the layout is incomplete.
    """
    store = Store(layout)
    before = only_entry(layout, name)
    after = _relayered(store, before, replacements)
    if after != before:
        set_only_entry(layout, after)


def manifests(layout: Path, name: str) -> tuple[tuple[Platform, Manifest], ...]:
    """Every platform's manifest in a layout of one image; raises EvidenceError when it is incomplete."""
    store = Store(layout)
    root = only_entry(layout, name)
    data = store.read_blob(root.digest)
    children = parse.parse_index(data) if root.media_type in parse.INDEX_TYPES else (root,)
    found = ((child, parse.parse_manifest(store.read_blob(child.digest))) for child in children)
    return tuple((child.platform or store.config(manifest).platform, manifest) for child, manifest in found)


def _relayered(store: Store, root: Descriptor, replacements: Replacements) -> Descriptor:
    data = store.read_blob(root.digest)
    if root.media_type not in parse.INDEX_TYPES:
        return _one(store, root, data, replacements)
    before = parse.parse_index(data)
    after = [_one(store, child, store.read_blob(child.digest), replacements) for child in before]
    if tuple(after) == before:
        return root
    document = json.loads(data)
    for entry, child in zip(document["manifests"], after, strict=True):
        entry |= {"digest": str(child.digest), "size": child.size}
    return _put(store, document, root)


def _one(store: Store, descriptor: Descriptor, data: bytes, replacements: Replacements) -> Descriptor:
    manifest = parse.parse_manifest(data)
    platform = descriptor.platform or store.config(manifest).platform
    replaced = replacements(platform, manifest)
    if not any(replaced):
        return descriptor
    document = json.loads(data)
    configuration = json.loads(store.read_blob(manifest.config.digest))
    for index, written in enumerate(replaced):
        if written:
            layer = document["layers"][index]
            layer |= {"mediaType": GZIP_LAYER, "digest": str(written.digest), "size": written.size}
            configuration["rootfs"]["diff_ids"][index] = str(written.diff_id)
    config = _put(store, configuration, manifest.config)
    document["config"] |= {"digest": str(config.digest), "size": config.size}
    return _put(store, document, descriptor)


def _put(store: Store, document: dict[str, Any], like: Descriptor) -> Descriptor:
    data = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
    return replace(like, digest=store.put(data), size=len(data))
