"""build --verify: build once more in a fresh state, compare byte for byte, and name what differs."""

from __future__ import annotations

from datetime import UTC, datetime

from imagewright import compare
from imagewright.compare import Difference
from imagewright.errors import PolicyRefused
from imagewright.flow.build import build, build_anew
from imagewright.flow.workspace import Workspace
from imagewright.model.image import Image, Manifest
from imagewright.model.records import Build, Rebuild
from imagewright.oci import compare as images
from imagewright.oci.layout import Store, image_of
from imagewright.progress import step
from imagewright.reference import Platform
from imagewright.reports import units

MOST = 200
"""Differences kept in the record of one image; what is beyond them is counted."""
_SHOWN = 20


def verify_build(workspace: Workspace, names: tuple[str, ...], *, no_cache: bool = False) -> tuple[Image, ...]:
    """Build what is not built, then everything once more elsewhere; returns the images, which are the same again.

    The second build reuses no step and finds empty cache mounts; nothing of it enters the store. Each comparison is
    recorded as ``rebuild``. Raises PolicyRefused, as requirement SEC-028 is not met, naming layers and files.
    """
    built = build(workspace, names, no_cache=no_cache)
    wrong: list[str] = []
    with workspace.scratch() as folder:
        layouts = build_anew(workspace, names, folder)
        for image in built:
            with step(workspace.progress, image.name, "compare") as row:
                again = image_of(layouts[image.name], image.name)
                differing = _compare(workspace, image, Store(layouts[image.name]), again)
                row.update("the same again" if not differing else units.count(len(differing), "difference"))
            if differing:
                wrong += [f"{image.name}: {line}" for line in compare.lines(differing, most=_SHOWN)]
    if wrong:
        raise PolicyRefused(
            "two builds of the same inputs are not the same",
            why="\n".join(wrong),
            hint="docs/operations.md, Reproducible builds; what was built first is kept and can be scanned and pushed",
        )
    return built


def _compare(workspace: Workspace, image: Image, store: Store, again: Image) -> tuple[Difference, ...]:
    """All differences of an image over its platforms, each platform recorded beside its digest."""
    rebuilt = dict(again.manifests)
    found: tuple[Difference, ...] = ()
    for platform, manifest in image.manifests:
        found += _one(workspace, platform, manifest, store, rebuilt.get(platform))
    return found


def _one(
    workspace: Workspace, platform: Platform, manifest: Manifest, store: Store, again: Manifest | None
) -> tuple[Difference, ...]:
    if again is None:
        return (Difference("index", str(platform), ("missing",)),)
    found = images.manifests(workspace.store, manifest, store, again)
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    record = Rebuild(manifest.digest, again.digest, compare.lines(found, most=MOST), at)
    made = workspace.evidence.read(Build, manifest.digest, "build", hint="./inv build")
    workspace.evidence.write(manifest.digest, "rebuild", record, key=made.key)
    return found
