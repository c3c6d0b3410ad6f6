"""push: judge, check every byte, then blobs, manifests and tags: all images or none.

It is not judged anew what stands just as it was judged and pushed before within the hour.
The registry is asked first: where all of it stands there is nothing to send, and nothing to read for that.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from imagewright import evidence, keys
from imagewright.errors import EvidenceError
from imagewright.flow import judgement, revisions
from imagewright.flow.destination import client_for, references
from imagewright.flow.workspace import Workspace
from imagewright.inputkey import InputKey
from imagewright.model.definition import ImageDefinition
from imagewright.model.image import Descriptor, Image
from imagewright.model.records import Build
from imagewright.oci.parse import INDEX_TYPES
from imagewright.oci.push import ManifestItem, Pushed, PushEvent, PushItem, push_images
from imagewright.oci.registry_client import RegistryClient
from imagewright.oci.standing import standing
from imagewright.oci.workers import side_by_side
from imagewright.progress import Row, step
from imagewright.reference import Reference
from imagewright.reports.units import size
from imagewright.tools import git

if TYPE_CHECKING:
    from imagewright.model.judged import ImageReport

_PUSHED = "pushed"
Built = tuple[tuple[ImageDefinition, Image], ...]


def push(workspace: Workspace, names: tuple[str, ...], against: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Push the named images whose verdict passes now; returns ``repository:tag@digest`` of each.

    Raises PolicyRefused when one of them is blocked, EvidenceError when one was not scanned or a byte
    of it changed, RegistryRefused when the registry does not take them; in each case no tag has moved. What was pushed
    is entered in the ledgers.
    """
    built = workspace.built(names)
    known = None if against else judgement.standing(workspace, names)
    judged = () if known else _passed(workspace, names, against)
    loopback_only = known.loopback_only if known else workspace.profile(workspace.policy()).loopback_only
    _check_source(workspace, built)
    goals = references(workspace, tuple(definition for definition, _ in built), loopback_only=loopback_only)
    tags = git.tags_for(git.head(workspace.project.root))
    items = tuple(_item(workspace, definition, image, goals, tags) for definition, image in built)
    registry = next(iter(goals.values())).registry
    found = tuple(Reference(registry, item.repository, tags[0], item.root) for item in items)
    if known and not set(map(str, found)).issubset(known.entered):
        judged = _passed(workspace, names, against)
    client = client_for(workspace, registry)
    try:
        with step(workspace.progress, registry, "push") as row:
            pushed = standing(client, items) or _sent(workspace, client, built, items, row)
            row.update(_summary(pushed))
    finally:
        client.close()
    for definition, image in built:
        _note(workspace, definition, image, tags)
    if judged:
        by_image = {image.name: reference for (_, image), reference in zip(built, found, strict=True)}
        _enter(workspace, names, judged, by_image)
    return tuple(map(str, found))


def key(workspace: Workspace, definition: ImageDefinition, image: Image, tags: tuple[str, ...]) -> InputKey:
    """What a push of an image depends on, where it goes as the settings name it."""
    return keys.push(image.root.digest, f"{workspace.project.settings.registry}/{definition.repository}", tags)


def last(workspace: Workspace, definition: ImageDefinition) -> InputKey | None:
    """What was pushed last of an image from here, for people to know; no push believes it."""
    return evidence.recall(InputKey, _place(workspace, definition), _PUSHED)


def _note(workspace: Workspace, definition: ImageDefinition, image: Image, tags: tuple[str, ...]) -> None:
    now = key(workspace, definition, image, tags)
    if now != last(workspace, definition):
        evidence.remember(_place(workspace, definition), _PUSHED, now)


def _place(workspace: Workspace, definition: ImageDefinition) -> Path:
    return workspace.out / "cache" / "pushed" / f"{definition.name}.json"


def _passed(workspace: Workspace, names: tuple[str, ...], against: tuple[str, ...]) -> tuple[ImageReport, ...]:
    """The judgement of the images; raises PolicyRefused when a verdict blocks."""
    from imagewright.flow.judge import refuse_blocked, verdicts

    judged = verdicts(workspace, names, against)
    refuse_blocked(workspace, judged)
    return judged


def _enter(
    workspace: Workspace, names: tuple[str, ...], judged: tuple[ImageReport, ...], pushed: Mapping[str, Reference]
) -> None:
    """Enter what was pushed (by image) in the ledgers."""
    from imagewright.flow import history
    from imagewright.policy.gates import moment

    history.enter(workspace, judged, pushed, moment(datetime.now(UTC)))
    judgement.entered(workspace, names, map(str, pushed.values()))


def _sent(
    workspace: Workspace, client: RegistryClient, built: Built, items: tuple[PushItem, ...], row: Row
) -> tuple[Pushed, ...]:
    """Push the images, every byte of them hashed first."""
    store = workspace.store
    blobs = dict.fromkeys(blob for _, image in built for blob in store.blobs(image))  # images share layers
    checks = [partial(store.verify, [blob]) for blob in blobs]
    side_by_side(checks, workers=os.cpu_count() or 1, cancel=client.cancel)
    return push_images(client, items, workspace.store.open_blob, _Meter(row, items))


def _check_source(workspace: Workspace, built: Built) -> None:
    """Raise EvidenceError for an image of other inputs than the checkout's: today's tags are not its own."""
    sources = revisions.sources(workspace, (image.name for _, image in built))
    for _, image in built:
        now = sources[image.name].revision
        for _, manifest in image.manifests:
            then = workspace.evidence.read(Build, manifest.digest, "build", hint="./inv build").source.revision
            if then != now:
                why = f"its inputs were at {then}, in this checkout they are at {now}"
                raise EvidenceError(f"{image.name} was built from other inputs", why=why, hint="./inv build scan push")


def _item(
    workspace: Workspace, definition: ImageDefinition, image: Image, goals: dict[str, Reference], tags: tuple[str, ...]
) -> PushItem:
    manifests = [(manifest.digest, manifest.media_type) for _, manifest in image.manifests]
    if image.root.media_type in INDEX_TYPES:
        manifests.append((image.root.digest, image.root.media_type))
    blobs = [blob for _, manifest in image.manifests for blob in (*manifest.layers, manifest.config)]
    return PushItem(
        repository=goals[image.name].repository,
        root=image.root.digest,
        manifests=tuple(ManifestItem(workspace.store.read_blob(digest), media) for digest, media in manifests),
        blobs=tuple({blob.digest: blob for blob in blobs}.values()),
        tags=tags,
        mount_from=tuple(goals[need].repository for need in definition.needs if need in goals),
    )


class _Meter:
    """Shows how many of the bytes that may have to be sent have been sent."""

    def __init__(self, row: Row, items: tuple[PushItem, ...]) -> None:
        blobs: dict[str, Descriptor] = {str(blob.digest): blob for item in items for blob in item.blobs}
        self._row = row
        self._total = sum(blob.size for blob in blobs.values())
        self._sent = 0

    def __call__(self, event: PushEvent) -> None:
        self._sent += event.size if event.kind == "sent" else 0
        self._row.update(f"{size(self._sent)} sent of at most {size(self._total)}; {event.kind} {event.repository}")


def _summary(pushed: tuple[Pushed, ...]) -> str:
    sent = sum(item.bytes_sent for item in pushed)
    uploaded, mounted, skipped = (
        sum(getattr(item, f"blobs_{how}") for item in pushed) for how in ("uploaded", "mounted", "skipped")
    )
    return f"{size(sent)} sent; blobs: {uploaded} uploaded, {mounted} mounted, {skipped} there before"
