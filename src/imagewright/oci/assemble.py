"""A root file system tar → an image of one layer in a store."""

from __future__ import annotations

import json
from pathlib import Path

from imagewright.model.image import Descriptor
from imagewright.oci.layout import Store
from imagewright.reference import Platform

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"

_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def image_from_tar(store: Store, tar: Path, platform: Platform, *, created: str, created_by: str) -> Descriptor:
    """Move ``tar`` into the store as the only layer of a new image; returns the manifest's descriptor.

    The layer stays uncompressed, so that its digest does not depend on a compressor's version; such
    an image is a base for build stages and is never pushed. ``created`` is RFC 3339.
    """
    layer = store.put_file(tar)
    config = {
        "architecture": platform.architecture,
        "os": platform.os,
        "created": created,
        "config": {"Env": [_PATH], "Cmd": ["bash"]},
        "rootfs": {"type": "layers", "diff_ids": [str(layer.digest)]},
        "history": [{"created": created, "created_by": created_by}],
    }
    config_bytes = json.dumps(config, sort_keys=True).encode()
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": CONFIG, "digest": str(store.put(config_bytes)), "size": len(config_bytes)},
        "layers": [{"mediaType": LAYER, "digest": str(layer.digest), "size": layer.size}],
    }
    manifest_bytes = json.dumps(manifest, sort_keys=True).encode()
    return Descriptor(MANIFEST, store.put(manifest_bytes), len(manifest_bytes), platform)
