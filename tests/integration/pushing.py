"""Images made up for the tests of the registry client, and the client they are pushed with."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from imagewright.model.image import Descriptor
from imagewright.oci.push import ManifestItem, Pushed, PushItem, push_images
from imagewright.oci.registry_auth import Credentials
from imagewright.oci.registry_client import RegistryClient
from imagewright.oci.registry_retry import Patience
from imagewright.reference import Digest

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"
ANN = Credentials("ann", "correct horse")
QUICK = Patience(attempts=3, first_wait=0.01, longest_wait=0.02, total_wait=5, connect_timeout=5, read_timeout=5)


def client_of(
    registry: str,
    credentials: Credentials | None = None,
    *,
    patience: Patience = QUICK,
    ca_bundle: Path | None = None,
) -> RegistryClient:
    return RegistryClient(registry, credentials=lambda _: credentials, patience=patience, ca_bundle=ca_bundle)


class Store:
    """Images made up for a test: one layer and a configuration each."""

    def __init__(self) -> None:
        self.blobs: dict[Digest, bytes] = {}

    def keep(self, content: bytes, media_type: str = "application/octet-stream") -> Descriptor:
        self.blobs[Digest.of(content)] = content
        return Descriptor(media_type, Digest.of(content), len(content))

    def open(self, digest: Digest) -> BinaryIO:
        return io.BytesIO(self.blobs[digest])

    def image(
        self, repository: str, *layers: bytes, tags: tuple[str, ...] = ("latest",), layer_type: str = LAYER_TYPE
    ) -> PushItem:
        config = self.keep(json.dumps({"rootfs": repository}).encode(), "application/vnd.oci.image.config.v1+json")
        kept = [self.keep(layer, layer_type) for layer in layers]
        document = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": _entry(config),
            "layers": [_entry(layer) for layer in kept],
        }
        content = json.dumps(document).encode()
        return PushItem(repository, Digest.of(content), (ManifestItem(content, MANIFEST),), (config, *kept), tags)

    def push(self, client: RegistryClient, *work: PushItem) -> tuple[Pushed, ...]:
        return push_images(client, work, self.open)


def _entry(descriptor: Descriptor) -> Mapping[str, object]:
    return {"mediaType": descriptor.media_type, "digest": str(descriptor.digest), "size": descriptor.size}


LAYER = bytes(range(256)) * 4096
STORE = Store()
