"""Which layers of an image came with the one it stands on."""

from __future__ import annotations

from collections.abc import Sequence

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

    BuildKit may write them with other digests, but keeps the base's history in front of its own. A base in the store
    or the cache is compared with that; of any other, a registry's, it is what stands before the Dockerfile's own lines.
    """
    image = target.image
    recipe = dockerfile.parse((workspace.project.root / image.dockerfile).read_text("utf-8", "replace"))
    final = recipe.final(image.target)
    if final is None:
        return _UNKNOWN
    stages = recipe.lineage(final)
    if stages[0].base.lower() == "scratch":
        return 0
    config = workspace.store.config(manifest)
    try:
        base = _config(workspace, target, stages[0].base, platform)
    except EvidenceError:
        base = None
    own = [instruction.keyword for stage in stages for instruction in stage.instructions]
    return shared_layers(base, config) if base else layers_below(own, config)


def shared_layers(base: ImageConfig, image: ImageConfig) -> int:
    """The number of the base's layers, when its history is the beginning of the image's; else -1."""
    brought = sum(not line.empty_layer for line in base.history)
    kept = image.history[: len(base.history)] == base.history
    return brought if kept and brought == len(base.diff_ids) else _UNKNOWN


def layers_below(own: Sequence[str], image: ImageConfig) -> int:
    """The number of layers before the Dockerfile's own, a history line a keyword.

    -1 when the last lines are not these, or the history does not tell of every layer.
    """
    split = len(image.history) - len(own)
    begun = [line.created_by.partition(" ")[0] for line in image.history[max(split, 0) :]]
    told = sum(not line.empty_layer for line in image.history) == len(image.diff_ids)
    return sum(not line.empty_layer for line in image.history[:split]) if told and begun == list(own) else _UNKNOWN


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
