"""Which layers of an image came with the one it stands on."""

from __future__ import annotations

from imagewright import dockerfile
from imagewright.errors import EvidenceError
from imagewright.flow.workspace import Workspace
from imagewright.model.image import ImageConfig, Manifest
from imagewright.oci import parse
from imagewright.oci.layout import Store
from imagewright.plan import Target
from imagewright.reference import Platform
from imagewright.tools import cache

_UNKNOWN = -1


def base_layers(workspace: Workspace, target: Target, platform: Platform, manifest: Manifest) -> int:
    """How many layers, from the bottom, the image brought that the last stage stands on; -1 when it is not known.

    BuildKit may write them with other digests, but keeps the base's history in front of its own: where it did not,
    nothing is claimed. The base has to be in the store or the cache; no registry is asked.
    """
    image = target.image
    recipe = dockerfile.parse((workspace.project.root / image.dockerfile).read_text("utf-8", "replace"))
    final = recipe.final(image.target)
    if final is None:
        return _UNKNOWN
    name = recipe.lineage(final)[0].base
    if name.lower() == "scratch":
        return 0
    try:
        base = _config(workspace, target, name, platform)
    except EvidenceError:
        return _UNKNOWN
    return shared_layers(base, workspace.store.config(manifest)) if base else _UNKNOWN


def shared_layers(base: ImageConfig, image: ImageConfig) -> int:
    """The number of the base's layers, when its history is the beginning of the image's; else -1."""
    brought = sum(not line.empty_layer for line in base.history)
    kept = image.history[: len(base.history)] == base.history
    return brought if kept and brought == len(base.diff_ids) else _UNKNOWN


def _config(workspace: Workspace, target: Target, name: str, platform: Platform) -> ImageConfig | None:
    """The configuration of the image of that name; None for one whose bytes are not here."""
    if name in target.image.needs:
        manifests = dict(workspace.store.image(name).manifests)
        return workspace.store.config(manifests[platform]) if platform in manifests else None
    used = next((context.base for context in target.bases if context.base.name == name), None)
    if used is None or used.source != "bootstrap":
        return None
    store = Store(cache.folder() / "bases")
    return store.config(parse.parse_manifest(store.read_blob(used.digest)))
