"""The order of a push: every blob, then every manifest, and only when all of that is there, the tags.

Pure orchestration over the Registry protocol. Until the tags move, nothing that anybody pulls has changed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import BinaryIO, Literal, Protocol, TypeVar

from imagewright.errors import ConfigurationError, EvidenceError, Problem, RegistryRefused
from imagewright.model.image import Descriptor
from imagewright.oci.workers import side_by_side
from imagewright.reference import Digest, Reference

WORKERS = 4
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class ManifestItem:
    """A manifest or index, byte for byte as it is stored."""

    content: bytes = field(repr=False)
    media_type: str

    @property
    def digest(self) -> Digest:
        """The digest of the bytes."""
        return Digest.of(self.content)


@dataclass(frozen=True, slots=True)
class PushItem:
    """One image to push: all its manifests, children before their index, and all blobs they name.

    ``tags`` will stand for ``root``. ``mount_from`` names repositories of the same registry that may
    already have some of the blobs (that of a base image, say).
    """

    repository: str
    root: Digest
    manifests: tuple[ManifestItem, ...]
    blobs: tuple[Descriptor, ...]
    tags: tuple[str, ...]
    mount_from: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pushed:
    """One image in the registry. ``bytes_sent`` counts blobs and manifests that had to be sent; the rest are counts."""

    repository: str
    tags: tuple[str, ...]
    digest: Digest
    bytes_sent: int
    blobs_skipped: int
    blobs_mounted: int
    blobs_uploaded: int


BlobOutcome = Literal["skipped", "mounted", "uploaded"]


@dataclass(frozen=True, slots=True)
class PushEvent:
    """Something that happened to one repository.

    ``sent``: ``size`` more bytes of blob ``subject`` went out (negative when its upload starts over).
    ``skipped``, ``mounted``, ``uploaded``: the blob is there. ``manifest``: one is there. ``tagged``: a tag
    was written; ``unchanged``: it stood for the right digest before. ``subject`` is a digest or a tag.
    """

    kind: Literal["sent", "skipped", "mounted", "uploaded", "manifest", "tagged", "unchanged"]
    repository: str
    subject: str
    size: int = 0


class Registry(Protocol):
    """What a push needs of a registry; imagewright.oci.registry_client.RegistryClient has it."""

    registry: str

    def head_manifest(self, reference: Reference) -> Descriptor | None: ...
    def get_manifest(self, reference: Reference) -> tuple[Descriptor, bytes]: ...
    def put_manifest(self, repository: str, content: bytes, media_type: str, tag: str = "") -> Digest: ...
    def upload_blob(
        self,
        repository: str,
        descriptor: Descriptor,
        open_blob: Callable[[], BinaryIO],
        mount_from: Sequence[str],
        on_bytes: Callable[[int], None],
    ) -> BlobOutcome: ...
    def cancel(self) -> None: ...


def push_images(
    client: Registry,
    work: Sequence[PushItem],
    open_blob: Callable[[Digest], BinaryIO],
    on_event: Callable[[PushEvent], None] = lambda _event: None,
) -> tuple[Pushed, ...]:
    """Push all images, then move all tags; ``on_event`` is called by one thread at a time.

    A failure or an interrupt before the last step leaves every tag as it was. Raises RegistryRefused (also
    when a tag does not read back as it was written), EvidenceError when stored bytes are not what their
    digests say, ConfigurationError when two images want the same tag.
    """
    _check(work)
    push = _Push(client, open_blob, on_event)
    outcomes = push.blobs(work)
    sent = push.manifests(work)
    push.tags(work)
    return tuple(_summary(item, outcomes, sent[item]) for item in work)


def _check(work: Sequence[PushItem]) -> None:
    wanted: dict[tuple[str, str], Digest] = {}
    for item in work:
        if not item.manifests or item.manifests[-1].digest != item.root:
            what = f"the manifests of {item.repository} do not end in {item.root}"
            raise EvidenceError(what, why="the bytes in the store are not those that were judged", hint="build again")
        for tag in item.tags:
            if wanted.setdefault((item.repository, tag), item.root) != item.root:
                raise ConfigurationError([Problem(item.repository, "", f"two images want the tag {tag!r}")])


class _Push:
    """The three steps of one push."""

    def __init__(
        self, client: Registry, open_blob: Callable[[Digest], BinaryIO], on_event: Callable[[PushEvent], None]
    ) -> None:
        self._client = client
        self._open = open_blob
        self._listener = on_event
        self._lock = threading.Lock()

    def blobs(self, work: Sequence[PushItem]) -> dict[tuple[str, Digest], BlobOutcome]:
        """Every blob in every repository that needs it. One job a blob, so that its second repository can mount it."""
        needs: dict[Descriptor, dict[str, tuple[str, ...]]] = {}
        for item in work:
            for blob in item.blobs:
                needs.setdefault(_bare(blob), {}).setdefault(item.repository, item.mount_from)
        largest_first = sorted(needs, key=lambda blob: -blob.size)
        jobs = [partial(self._blob, blob, needs[blob]) for blob in largest_first]
        return {key: outcome for part in self._all(jobs) for key, outcome in part.items()}

    def _blob(self, blob: Descriptor, needed: dict[str, tuple[str, ...]]) -> dict[tuple[str, Digest], BlobOutcome]:
        outcomes: dict[tuple[str, Digest], BlobOutcome] = {}
        there: list[str] = []
        for repository, known in needed.items():
            sources = [name for name in dict.fromkeys((*there[:1], *known)) if name != repository]
            outcome = self._client.upload_blob(
                repository,
                blob,
                partial(self._open, blob.digest),
                sources,
                partial(self._tell, "sent", repository, str(blob.digest)),
            )
            self._tell(outcome, repository, str(blob.digest), blob.size)
            outcomes[repository, blob.digest] = outcome
            there.append(repository)
        return outcomes

    def manifests(self, work: Sequence[PushItem]) -> dict[PushItem, int]:
        """Every manifest of each image under its digest; the bytes that had to be sent."""
        return dict(zip(work, self._all([partial(self._manifests, item) for item in work]), strict=True))

    def _manifests(self, item: PushItem) -> int:
        sent = 0
        for manifest in item.manifests:
            name = Reference(self._client.registry, item.repository, digest=manifest.digest)
            if self._client.head_manifest(name) is None:
                self._client.put_manifest(item.repository, manifest.content, manifest.media_type)
                sent += len(manifest.content)
            self._tell("manifest", item.repository, str(manifest.digest), len(manifest.content))
        return sent

    def tags(self, work: Sequence[PushItem]) -> None:
        """All tags that do not stand for the right digest yet, one after the other; then read all of them back."""
        moves = [(item, tag) for item in work for tag in dict.fromkeys(item.tags)]
        stand = self._all([partial(self._stands, item, tag) for item, tag in moves])
        pending = [move for move, stands in zip(moves, stand, strict=True) if not stands]
        for done, (item, tag) in enumerate(pending):
            root = item.manifests[-1]
            try:
                self._client.put_manifest(item.repository, root.content, root.media_type, tag)
            except RegistryRefused as error:
                raise _half_moved(error, pending[:done], pending[done:]) from error
            self._tell("tagged", item.repository, tag)
        self._all([partial(self._read_back, item, tag) for item, tag in moves])

    def _stands(self, item: PushItem, tag: str) -> bool:
        found = self._client.head_manifest(Reference(self._client.registry, item.repository, tag))
        if found is None or found.digest != item.root:
            return False
        self._tell("unchanged", item.repository, tag)
        return True

    def _read_back(self, item: PushItem, tag: str) -> None:
        reference = Reference(self._client.registry, item.repository, tag)
        try:
            found = self._client.get_manifest(reference)[0].digest
        except RegistryRefused as error:
            raise RegistryRefused(f"{reference} was written but cannot be read back", why=str(error)) from error
        if found != item.root:
            why = f"pushed {item.root}\nfound  {found}"
            hint = "somebody else may push the same tag; push again, and use the digest, not the tag, to deploy"
            raise RegistryRefused(f"{reference} does not stand for what was pushed", why=why, hint=hint)

    def _all(self, jobs: Sequence[Callable[[], Result]]) -> tuple[Result, ...]:
        return side_by_side(jobs, workers=WORKERS, cancel=self._client.cancel)

    def _tell(self, kind: str, repository: str, subject: str, size: int = 0) -> None:
        with self._lock:
            self._listener(PushEvent(kind, repository, subject, size))  # type: ignore[arg-type]


def _bare(blob: Descriptor) -> Descriptor:
    """The blob alone: the same bytes may be described in other words by another image."""
    return Descriptor("", blob.digest, blob.size)


def _half_moved(
    error: RegistryRefused, moved: Sequence[tuple[PushItem, str]], left: Sequence[tuple[PushItem, str]]
) -> RegistryRefused:
    lines = [error.why]
    lines += [f"moved: {', '.join(f'{item.repository}:{tag}' for item, tag in moved) or 'no tag'}"]
    lines += [f"not moved: {', '.join(f'{item.repository}:{tag}' for item, tag in left)}"]
    hint = error.hint or "push again: it continues where it stopped"
    return RegistryRefused(error.what, why="\n".join(filter(None, lines)), hint=hint)


def _summary(item: PushItem, outcomes: dict[tuple[str, Digest], BlobOutcome], manifest_bytes: int) -> Pushed:
    blobs = {blob.digest: blob for blob in item.blobs}
    kinds = [outcomes[item.repository, digest] for digest in blobs]
    uploaded = [blob.size for blob, kind in zip(blobs.values(), kinds, strict=True) if kind == "uploaded"]
    return Pushed(
        repository=item.repository,
        tags=item.tags,
        digest=item.root,
        bytes_sent=manifest_bytes + sum(uploaded),
        blobs_skipped=kinds.count("skipped"),
        blobs_mounted=kinds.count("mounted"),
        blobs_uploaded=kinds.count("uploaded"),
    )
