"""lint: hadolint over every Dockerfile that was not linted before, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from uuid import uuid4

from imagewright import keys
from imagewright.errors import EvidenceError
from imagewright.flow.workspace import Workspace
from imagewright.model.definition import ImageDefinition
from imagewright.model.findings import Lint
from imagewright.progress import step
from imagewright.reference import Digest
from imagewright.tools import hadolint


@dataclass(frozen=True, slots=True)
class Linted:
    """What the linter says of a Dockerfile, and the key of what it depends on."""

    record: Lint
    key: Digest


def lint(workspace: Workspace, images: Sequence[ImageDefinition]) -> dict[str, Linted]:
    """What the linter says about each image's Dockerfile, by image name; findings never stop a build.

    An answer recorded for the same Dockerfile and linter stands. Raises ToolMissing, ToolFailed.
    """
    linter = hadolint.digest()
    wanted = {image.name: _key(workspace, image, linter) for image in images}

    def one(image: ImageDefinition) -> Linted:
        with step(workspace.progress, image.name, "lint") as row:
            key = wanted[image.name]
            path = workspace.project.root / image.dockerfile
            found = hadolint.lint(path, image.dockerfile, needs=image.needs)
            for finding in found.findings:
                row.note(f"{finding.file}:{finding.line} {finding.level} {finding.code} {finding.message}")
            row.update(_summary(found))
            # A file that changed while it was read is nobody's: such a record is never found again.
            same = key == _key(workspace, image, hadolint.digest())
            return Linted(found, key if same else Digest.of(uuid4().bytes))

    known = {image.name: before for image in images if (before := _before(workspace, image, wanted[image.name]))}
    fresh = tuple(image for image in images if image.name not in known)
    with ThreadPoolExecutor(max_workers=2) as pool:
        return known | dict(zip((image.name for image in fresh), pool.map(one, fresh), strict=True))


def _key(workspace: Workspace, image: ImageDefinition, linter: Digest) -> Digest:
    content = Digest.of((workspace.project.root / image.dockerfile).read_bytes())
    return keys.lint(image.dockerfile, content, image.needs, linter).digest


def _before(workspace: Workspace, image: ImageDefinition, key: Digest) -> Linted | None:
    """What was recorded under that key beside the image as it lies in the store."""
    try:
        manifests = workspace.store.image(image.name).manifests
    except EvidenceError:
        return None
    for _, manifest in manifests:
        if before := workspace.evidence.standing(Lint, manifest.digest, "lint", key):
            with step(workspace.progress, image.name, "lint") as row:
                row.update(f"unchanged, {_summary(before)}")
            return Linted(before, key)
    return None


def _summary(found: Lint) -> str:
    count = len(found.findings)
    return "clean" if count == 0 else f"{count} finding{'s' if count > 1 else ''}"
