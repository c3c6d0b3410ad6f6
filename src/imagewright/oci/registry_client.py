"""The operations of the OCI distribution protocol that this program needs, each retried as one whole.

https://github.com/opencontainers/distribution-spec (1.1)
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO, TypeVar

from imagewright.errors import Interrupted
from imagewright.model.image import Descriptor
from imagewright.oci.parse import INDEX_TYPES, LARGEST_DOCUMENT, MANIFEST_TYPES
from imagewright.oci.registry_auth import Credentials
from imagewright.oci.registry_blobs import BlobOutcome, Blobs
from imagewright.oci.registry_retry import Patience, persist
from imagewright.oci.registry_transport import Transport
from imagewright.oci.registry_wire import Request, Response, Scope, check_digest, claimed_digest
from imagewright.oci.verified import Counted, Outgoing, store_verified
from imagewright.reference import Digest, Reference

_PATIENCE = Patience()
Result = TypeVar("Result")


def _ignore(_count: int) -> None:
    pass


class RegistryClient:
    """One registry; safe to share between threads.

    ``credentials`` is asked for the registry by name, at most once, and only when it wants a sign-in.
    Plain HTTP is used when ``insecure``, and on this machine towards a registry without TLS.
    Every operation raises RegistryRefused, and Interrupted after ``cancel``.
    """

    def __init__(
        self,
        registry: str,
        *,
        credentials: Callable[[str], Credentials | None],
        insecure: bool = False,
        ca_bundle: Path | None = None,
        patience: Patience = _PATIENCE,
    ) -> None:
        from imagewright.oci.registry import Connections  # HTTP and TLS are heavy to load

        self.registry = registry
        self._patience = patience
        self._cancelled = threading.Event()
        self._connections = Connections(registry, insecure=insecure, ca_bundle=ca_bundle, patience=patience)
        self._transport = Transport(registry, self._connections, credentials, self._cancelled)
        self._blobs = Blobs(registry, self._transport)

    def cancel(self) -> None:
        """End every wait and transfer of this client soon, and refuse all later ones."""
        self._cancelled.set()

    def close(self) -> None:
        """Close idle connections."""
        self._connections.close()

    def head_manifest(self, reference: Reference) -> Descriptor | None:
        """What a tag or digest stands for, or None; ``size`` is 0 when the registry does not say."""
        response = self._send(self._manifest_request("HEAD", reference, "look up", answers=(200, 404)))
        if response.status == 404:
            return None
        digest = claimed_digest(self.registry, response)
        if digest is None:
            return self.get_manifest(reference)[0]
        check_digest(self.registry, f"the manifest {reference}", reference.digest, digest)
        size = response.headers.get("content-length", "")
        return Descriptor(_media_type(response), digest, int(size) if size.isdecimal() else 0)

    def get_manifest(self, reference: Reference) -> tuple[Descriptor, bytes]:
        """A manifest's bytes; they hash to the digest asked for, and to the one the registry claims."""
        response = self._send(self._manifest_request("GET", reference, "read", answers=(200,)))
        content = response.body
        for expected in (reference.digest, claimed_digest(self.registry, response)):
            check_digest(self.registry, f"the manifest {reference}", expected, Digest.of(content))
        return Descriptor(_media_type(response), Digest.of(content), len(content)), content

    def put_manifest(self, repository: str, content: bytes, media_type: str, tag: str = "") -> Digest:
        """Store a manifest under its digest, or under a tag too; returns its digest."""
        digest = Digest.of(content)
        doing = f"write the tag {repository}:{tag}" if tag else f"store manifest {digest.short} in {repository}"
        target = f"/v2/{repository}/manifests/{tag or digest}"
        headers = (("Content-Type", media_type),)
        scopes = (Scope.push(repository),)
        response = self._send(Request("PUT", target, doing, scopes, (200, 201, 202), headers, content))
        stored = claimed_digest(self.registry, response)
        check_digest(self.registry, f"manifest {digest.short} of {repository}", digest, stored)
        return digest

    def head_blob(self, repository: str, descriptor: Descriptor) -> bool:
        """Whether a repository has a blob, in its full size."""
        return self._persist(lambda: self._blobs.has(repository, descriptor, Scope.pull(repository)))

    def get_blob(
        self, repository: str, descriptor: Descriptor, into: Path, on_bytes: Callable[[int], None] = _ignore
    ) -> None:
        """Download a blob to ``into``, which appears only when size and digest are right.

        ``on_bytes`` is told how many more bytes came; a negative number when a download starts over.
        """
        counted = Counted(on_bytes)

        def download() -> None:
            counted.start_over()
            with self._blobs.read(repository, descriptor) as chunks:
                store_verified(chunks, descriptor, into, counted.add, self.registry)

        self._persist(download)

    def upload_blob(
        self,
        repository: str,
        descriptor: Descriptor,
        open_blob: Callable[[], BinaryIO],
        mount_from: Sequence[str] = (),
        on_bytes: Callable[[int], None] = _ignore,
    ) -> BlobOutcome:
        """Bring a blob into a repository: nothing when it is there, a mount when it is next door, else an upload.

        ``open_blob`` is called once an attempt. ``on_bytes`` is told how many more bytes went out; a
        negative number when an upload starts over. Raises EvidenceError when the file is not the blob.
        """
        counted = Counted(on_bytes)

        def sent(count: int) -> None:
            if self._cancelled.is_set():
                raise Interrupted(f"stopped; did not store blob {descriptor.digest.short} in {repository}")
            counted.add(count)

        def content() -> Outgoing:
            counted.start_over()
            return Outgoing(open_blob(), descriptor, sent)

        return self._persist(lambda: self._blobs.bring(repository, descriptor, content, mount_from))

    def _manifest_request(self, method: str, reference: Reference, verb: str, answers: tuple[int, ...]) -> Request:
        if reference.registry != self.registry:
            raise ValueError(f"{reference} is not in {self.registry}")
        target = f"/v2/{reference.repository}/manifests/{reference.digest or reference.tag or 'latest'}"
        headers = (("Accept", ", ".join(INDEX_TYPES + MANIFEST_TYPES)),)
        scopes = (Scope.pull(reference.repository),)
        return Request(method, target, f"{verb} {reference}", scopes, answers, headers, limit=LARGEST_DOCUMENT)

    def _send(self, request: Request) -> Response:
        return self._persist(lambda: self._transport.send(request))

    def _persist(self, action: Callable[[], Result]) -> Result:
        return persist(action, self._patience, self._patience.sleep or self._cancelled.wait)


def _media_type(response: Response) -> str:
    return response.headers.get("content-type", "").partition(";")[0].strip()
