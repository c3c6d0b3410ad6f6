"""Blobs of a registry: looking, mounting, uploading and reading; one attempt each.

https://github.com/opencontainers/distribution-spec (1.1, "Pushing blobs", "Mounting a blob from another repository")
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Literal
from urllib.parse import quote

from imagewright.errors import RegistryRefused
from imagewright.model.image import Descriptor
from imagewright.oci.registry_retry import Temporary
from imagewright.oci.registry_transport import Transport
from imagewright.oci.registry_wire import Request, Scope, check_digest, claimed_digest
from imagewright.oci.verified import Outgoing

BlobOutcome = Literal["skipped", "mounted", "uploaded"]


class Blobs:
    """The blob operations of one registry; they raise what Transport raises."""

    def __init__(self, registry: str, transport: Transport) -> None:
        self._registry = registry
        self._transport = transport

    def has(self, repository: str, blob: Descriptor, scope: Scope) -> bool:
        """Whether a repository has the blob in its full size."""
        return self._bytes(repository, blob, scope) == str(blob.size)

    def _bytes(self, repository: str, blob: Descriptor, scope: Scope) -> str:
        """How many bytes of a blob a repository has, the full size when it does not say; empty without the blob."""
        doing = f"look for blob {blob.digest.short} in {repository}"
        request = Request("HEAD", f"/v2/{repository}/blobs/{blob.digest}", doing, (scope,), (200, 404))
        response = self._transport.send(request)
        return response.headers.get("content-length", str(blob.size)) if response.status == 200 else ""

    @contextlib.contextmanager
    def read(self, repository: str, blob: Descriptor) -> Iterator[Iterator[bytes]]:
        """The blob's bytes as they come, not verified."""
        doing = f"read blob {blob.digest.short} of {repository}"
        request = Request("GET", f"/v2/{repository}/blobs/{blob.digest}", doing, (Scope.pull(repository),))
        with self._transport.stream(request) as chunks:
            yield chunks

    def bring(
        self, repository: str, blob: Descriptor, content: Callable[[], Outgoing], mount_from: Sequence[str]
    ) -> BlobOutcome:
        """Nothing when the blob is there, a mount when another repository has it, else an upload.

        Raises RegistryRefused when the registry had it cut short, and still has it so.
        """
        before = self._bytes(repository, blob, Scope.push(repository))
        if before == str(blob.size):
            return "skipped"
        session = self._mounted_or_session(repository, blob, mount_from)
        if session is not None:
            self._put(repository, blob, session or self._start(repository, blob), content)
        # NOTE: docker-registry takes the bytes, and keeps the file of that name which it has.
        if before and (now := self._bytes(repository, blob, Scope.push(repository))) != str(blob.size):
            raise RegistryRefused(
                f"{self._registry} cannot mend blob {blob.digest} of {repository}",
                why=f"it has {now or 'none'} of its {blob.size} bytes, also after they were sent anew",
                hint="the registry's storage is damaged: have the blob removed there, then push again",
            )
        return "mounted" if session is None else "uploaded"

    def _mounted_or_session(self, repository: str, blob: Descriptor, sources: Sequence[str]) -> str | None:
        """None when the blob was mounted; else the upload session that the last attempt left, which may be empty."""
        session = ""
        for source in sources:
            if session:
                self._abandon(repository, session)
            doing = f"mount blob {blob.digest.short} of {source} in {repository}"
            target = f"/v2/{repository}/blobs/uploads/?mount={quote(str(blob.digest))}&from={quote(source, safe='')}"
            scopes = (Scope.push(repository), Scope.pull(source))
            try:
                response = self._transport.send(Request("POST", target, doing, scopes, (201, 202), body=b""))
            except Temporary:
                raise
            except RegistryRefused:
                session = ""  # No such repository, or no right to read it: the upload does without.
                continue
            if response.status == 201:
                return None
            session = response.headers.get("location", "")
        return session

    def _start(self, repository: str, blob: Descriptor) -> str:
        doing = f"start the upload of blob {blob.digest.short} to {repository}"
        target = f"/v2/{repository}/blobs/uploads/"
        response = self._transport.send(Request("POST", target, doing, (Scope.push(repository),), (202,), body=b""))
        if "location" not in response.headers:
            raise RegistryRefused(f"{self._registry} could not {doing}", why="it does not say where to upload to")
        return response.headers["location"]

    def _put(self, repository: str, blob: Descriptor, session: str, content: Callable[[], Outgoing]) -> None:
        request = Request(
            "PUT",
            f"{session}{'&' if '?' in session else '?'}digest={quote(str(blob.digest))}",
            f"store blob {blob.digest.short} in {repository}",
            (Scope.push(repository),),
            answers=(201,),
            headers=(("Content-Type", "application/octet-stream"), ("Content-Length", str(blob.size))),
            body=content,
            passing=(404, 416),  # The upload session is gone; a new one may live.
        )
        stored = claimed_digest(self._registry, self._transport.send(request))
        check_digest(self._registry, f"blob {blob.digest.short} of {repository}", blob.digest, stored)

    def _abandon(self, repository: str, session: str) -> None:
        request = Request("DELETE", session, "give up an upload", (Scope.push(repository),), (202, 204), body=b"")
        with contextlib.suppress(RegistryRefused):
            self._transport.send(request)
