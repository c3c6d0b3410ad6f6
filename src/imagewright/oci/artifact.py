"""A file kept in a registry as an OCI artifact: one layer of a known media type."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from imagewright.errors import EvidenceError, RegistryRefused
from imagewright.model.image import Descriptor
from imagewright.oci.parse import INDEX_TYPES, parse_index, parse_manifest
from imagewright.oci.parse import media_type as media_type_of
from imagewright.reference import Digest, Reference


class Source(Protocol):
    """What fetching needs of a registry; imagewright.oci.registry_client.RegistryClient has it."""

    def get_manifest(self, reference: Reference) -> tuple[Descriptor, bytes]: ...
    def get_blob(
        self, repository: str, descriptor: Descriptor, into: Path, on_bytes: Callable[[int], None]
    ) -> None: ...


def fetch_artifact(
    client: Source,
    reference: Reference,
    media_type: str,
    into: Path,
    on_bytes: Callable[[int], None] = lambda _count: None,
) -> Digest:
    """Download the only layer of that media type to ``into``, verified and whole or not at all.

    Follows an index one level down. Returns the digest that the reference stands for, so that
    ``repository@digest`` fetches the same bytes again. Raises RegistryRefused when there is not exactly
    one such layer, or the download is not what its digest says.
    """
    root, content = client.get_manifest(reference)
    with _readable(reference):
        is_index = media_type_of(content) in INDEX_TYPES
        children = parse_index(content) if is_index else ()
    manifests = [client.get_manifest(replace(reference, tag="", digest=child.digest))[1] for child in children]
    with _readable(reference):
        parsed = [parse_manifest(manifest) for manifest in (manifests if is_index else [content])]
    layers = {layer.digest: layer for manifest in parsed for layer in manifest.layers}
    fitting = [layer for layer in layers.values() if layer.media_type == media_type]
    if len(fitting) != 1:
        found = ", ".join(sorted({layer.media_type for layer in layers.values()})) or "no layers"
        what = f"{reference} does not hold exactly one layer of type {media_type}"
        raise RegistryRefused(what, why=f"it holds {len(fitting)}; found: {found}", hint="check the reference")
    client.get_blob(reference.repository, fitting[0], into, on_bytes)
    return root.digest


@contextlib.contextmanager
def _readable(reference: Reference) -> Iterator[None]:
    """What the parser calls damaged evidence is, from a registry, an answer that cannot be used."""
    try:
        yield
    except EvidenceError as error:
        why = f"{error.what}\n{error.why}"
        raise RegistryRefused(f"{reference} cannot be read", why=why, hint="is it an OCI artifact?") from error
