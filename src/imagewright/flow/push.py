"""push: judge again, check every byte, then blobs, manifests and tags: all images or none."""

from __future__ import annotations

from imagewright.flow.destination import client_for, references
from imagewright.flow.judge import refuse_blocked, verdicts
from imagewright.flow.workspace import Workspace
from imagewright.model.definition import ImageDefinition
from imagewright.model.image import Image
from imagewright.oci.parse import INDEX_TYPES
from imagewright.oci.push import ManifestItem, Pushed, PushItem, push_images
from imagewright.progress import step
from imagewright.reference import Reference
from imagewright.reports.units import size
from imagewright.tools import git


def push(workspace: Workspace, names: tuple[str, ...]) -> tuple[str, ...]:
    """Push the named images whose verdict passes now; returns ``repository:tag@digest`` of each.

    Raises PolicyRefused when one of them is blocked, EvidenceError when one was not scanned or a byte
    of it changed, RegistryRefused when the registry does not take them; in each case no tag has moved.
    """
    built = workspace.built(names)
    refuse_blocked(workspace, verdicts(workspace, names))
    profile = workspace.profile(workspace.policy())
    for _, image in built:
        workspace.store.verify(workspace.store.blobs(image))
    goals = references(workspace, tuple(definition for definition, _ in built), profile)
    tags = git.tags_for(git.head(workspace.project.root))
    items = tuple(_item(workspace, definition, image, goals[definition.name], tags) for definition, image in built)
    registry = next(iter(goals.values())).registry
    client = client_for(workspace, registry)
    try:
        with step(workspace.progress, registry, "push") as row:
            pushed = push_images(client, items, workspace.store.open_blob, row.update)
            row.update(_summary(pushed))
    finally:
        client.close()
    return tuple(
        str(Reference(registry, item.repository, tags[0], item.digest)) for item in pushed
    )
