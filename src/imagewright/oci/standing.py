"""Whether all of a push stands in the registry already: one HEAD for each tag, then one for each part of it.

The root is a part: what is deployed by its digest has to be there under its digest, whatever its tags lead to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from imagewright.model.image import Descriptor
from imagewright.oci.push import Pushed, PushItem
from imagewright.oci.workers import side_by_side
from imagewright.reference import Digest, Reference

WORKERS = 8


class Registry(Protocol):
    """What looking needs of a registry; imagewright.oci.registry_client.RegistryClient has it."""

    registry: str

    def head_manifest(self, reference: Reference) -> Descriptor | None: ...
    def head_blob(self, repository: str, descriptor: Descriptor) -> bool: ...
    def cancel(self) -> None: ...


def standing(client: Registry, work: Sequence[PushItem]) -> tuple[Pushed, ...] | None:
    """The images as pushed, when every tag stands for its root and every manifest and blob is there; None otherwise.

    Bytes are not read: a registry that keeps other bytes of the same length under a digest is not found out here.
    Raises RegistryRefused when the registry does not say.
    """
    for questions in (_tags, _parts):
        jobs = [job for item in work for job in questions(client, item)]
        if not all(side_by_side(jobs, workers=WORKERS, cancel=client.cancel)):
            return None
    return tuple(Pushed(item.repository, item.tags, item.root, 0, len(set(item.blobs)), 0, 0) for item in work)


def _tags(client: Registry, item: PushItem) -> list[Callable[[], bool]]:
    """Whether each tag stands for the root."""
    name = Reference(client.registry, item.repository)
    return [partial(_stands, client, name.with_tag(tag), item.root) for tag in item.tags]


def _parts(client: Registry, item: PushItem) -> list[Callable[[], bool]]:
    """Whether the root is there, and all that it needs."""
    name = Reference(client.registry, item.repository)
    digests = dict.fromkeys(manifest.digest for manifest in item.manifests)
    manifests = [partial(_stands, client, name.with_digest(digest), digest) for digest in digests]
    return [*manifests, *(partial(client.head_blob, item.repository, blob) for blob in dict.fromkeys(item.blobs))]


def _stands(client: Registry, name: Reference, digest: Digest) -> bool:
    found = client.head_manifest(name)
    return found is not None and found.digest == digest
