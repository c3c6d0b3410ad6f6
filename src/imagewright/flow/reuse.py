"""What need not be done again: the input keys of builds, and the images whose record has the same key."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from imagewright import context, plan, schema
from imagewright.errors import EvidenceError
from imagewright.evidence import canonical
from imagewright.flow.workspace import Workspace
from imagewright.model.findings import NotChecked, Scan, ToolIdentity
from imagewright.model.image import Image, Manifest
from imagewright.model.records import Build, Sboms
from imagewright.plan import Target
from imagewright.reference import Digest
from imagewright.tools.trivy_database import DatabaseFolder

_SCAN = 2
"""Changes when this program asks the scanner for something else, so that no earlier answer stands for it."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """The input key of each image of a build, by name."""

    keys: dict[str, Digest]

    def same(self, other: Inputs, name: str) -> bool:
        """Whether an image's inputs are what they were."""
        return self.keys[name] == other.keys[name]


def inputs(workspace: Workspace, targets: Iterable[Target], builder: tuple[ToolIdentity, ...]) -> Inputs:
    """Hash what each target depends on; targets come after their needs."""
    keys: dict[str, Digest] = {}
    for target in targets:
        image = target.image
        files = (image.dockerfile, f"{image.dockerfile}.dockerignore", f"{image.context}/.dockerignore", image.context)
        seen = context.digest(workspace.project.root, files)
        keys[image.name] = plan.build_key(target, seen, tuple(keys[need] for need in image.needs), builder)
    return Inputs(keys)


def built_before(workspace: Workspace, name: str, key: Digest) -> Image | None:
    """The image that stands under the name, when it was made from these inputs and nothing of it is missing."""
    try:
        image = workspace.store.image(name)
        records = [workspace.evidence.read(Build, manifest.digest, "build", hint="") for _, manifest in image.manifests]
    except EvidenceError:
        return None
    same = all(record.key == key and record.root == image.root.digest for record in records)
    return image if same and all(_whole(workspace, manifest) for _, manifest in image.manifests) else None


def scan_key(subject: Digest, scanner: ToolIdentity, database: DatabaseFolder | NotChecked, build: Build) -> Digest:
    """The digest of what a scan and its bills of materials depend on: image, scanner, database, and the date inside."""
    source = database.reason if isinstance(database, NotChecked) else str(database.database.sha256)
    asked = [str(subject), schema.dump(scanner), source, build.image, build.source.epoch, _SCAN]
    return Digest.of(canonical(asked))


def scanned_before(workspace: Workspace, subject: Digest, key: Digest) -> Scan | None:
    """The recorded scan with that key, when its bills of materials and its own report are there, byte for byte."""
    evidence = workspace.evidence
    if any(evidence.key(subject, kind) != key for kind in ("scan", "sboms")):
        return None
    try:
        scan = evidence.read(Scan, subject, "scan", hint="")
        documents = evidence.read(Sboms, subject, "sboms", hint="").documents
        folder = evidence.folder(subject)
        same = all(Digest.of((folder / sbom.file).read_bytes()) == sbom.sha256 for sbom in documents)
    except (EvidenceError, OSError):
        return None
    return scan if same and scan.subject == subject and (folder / "trivy.json").is_file() else None


def _whole(workspace: Workspace, manifest: Manifest) -> bool:
    """Whether every blob is there in its length; its bytes are hashed before they are pushed."""
    for blob in (manifest.config, *manifest.layers):
        try:
            if workspace.store.blob_path(blob.digest).stat().st_size != blob.size:
                return False
        except FileNotFoundError:
            return False
    return True
