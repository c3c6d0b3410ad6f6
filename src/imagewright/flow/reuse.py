"""What need not be done again: the input keys of builds, and the images whose record has the same key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from imagewright import keys, schema
from imagewright.errors import EvidenceError
from imagewright.evidence import canonical
from imagewright.flow.checkout import Files, workflows
from imagewright.flow.workspace import Workspace
from imagewright.inputkey import InputKey
from imagewright.model.definition import ImageDefinition
from imagewright.model.findings import NotChecked, Scan, ToolIdentity
from imagewright.model.image import Image, Manifest
from imagewright.model.records import Build, Sboms, UsedBase
from imagewright.model.repository import Inputs, RepositoryFacts
from imagewright.plan import Target
from imagewright.reference import Digest

REPORT = "trivy.json"
"""The scanner's own report, beside the record of a scan."""


def inputs(
    targets: Iterable[Target], received: Mapping[str, Files], builder: tuple[ToolIdentity, ...]
) -> dict[str, InputKey]:
    """The build key of each target by name; targets come after their needs, ``received`` is what their builds get."""
    found: dict[str, InputKey] = {}
    digests: dict[str, Digest] = {}
    for target in targets:
        image = target.image
        needs = {need: digests[need] for need in image.needs}
        found[image.name] = keys.build(target, received[image.name], needs, builder)
        digests[image.name] = found[image.name].digest
    return found


@dataclass(frozen=True, slots=True)
class Sources:
    """The key of what is gathered of an image's sources, and git's word on them, which is part of it."""

    key: InputKey
    repository: RepositoryFacts | NotChecked


def sources(
    workspace: Workspace,
    images: Iterable[ImageDefinition],
    builds: Mapping[str, InputKey],
    said: Mapping[str, RepositoryFacts | NotChecked],
) -> dict[str, Sources]:
    """What gathering each image's sources depends on: ``builds`` are the build keys, which hold the files, ``said`` is
    git's word on them."""
    workflow_files = tuple(workflows(workspace.project.root))
    found = {}
    for image in images:
        definition = Digest.of(canonical(schema.dump(image)))
        git = canonical(schema.dump(said[image.name])).decode()
        received = keys.received(builds[image.name])
        found[image.name] = Sources(keys.gather(definition, received, workflow_files, git), said[image.name])
    return found


def built_before(workspace: Workspace, name: str, key: Digest) -> Image | None:
    """The image that stands under the name, when it was made from these inputs and nothing of it is missing."""
    try:
        image = workspace.store.image(name)
        records = [workspace.evidence.read(Build, manifest.digest, "build", hint="") for _, manifest in image.manifests]
    except EvidenceError:
        return None
    same = all(record.key == key and record.root == image.root.digest for record in records)
    return image if same and all(_whole(workspace, manifest) for _, manifest in image.manifests) else None


def note_bases(workspace: Workspace, manifest: Manifest, used: tuple[UsedBase, ...]) -> None:
    """Record how the bases of a kept image are locked now: that changes no byte of it, and is judged."""
    record = workspace.evidence.read(Build, manifest.digest, "build", hint="./inv build")
    if record.bases != used:
        workspace.evidence.write(manifest.digest, "build", replace(record, bases=used), key=record.key)


def note_sources(workspace: Workspace, image: ImageDefinition, manifest: Manifest, sources: Sources) -> None:
    """Record what a kept image's sources say, unless that stands already."""
    evidence, subject = workspace.evidence, manifest.digest
    if gathered_before(workspace, subject, sources.key.digest):
        return
    from imagewright.flow.inputs import gather  # whose readers a run with nothing new does not need

    evidence.write(subject, "inputs-key", sources.key, key=sources.key.digest)
    evidence.write(subject, "inputs", gather(workspace.project.root, image, sources.repository), key=sources.key.digest)


def gathered_before(workspace: Workspace, subject: Digest, key: Digest) -> bool:
    """Whether what an image's sources say is on record under that key."""
    return workspace.evidence.standing(Inputs, subject, "inputs", key) is not None


def scanned_before(workspace: Workspace, subject: Digest, key: InputKey) -> Scan | None:
    """The recorded scan with that key, when its bills of materials and its own report are there, byte for byte."""
    evidence = workspace.evidence
    scan = evidence.standing(Scan, subject, "scan", key.digest)
    if scan is None or scan.subject != subject or not described_before(workspace, subject, keys.sboms(key)):
        return None
    try:
        report = (evidence.folder(subject) / REPORT).read_bytes()
    except OSError:
        return None
    return scan if scan.report == Digest.of(report) else None


def described_before(workspace: Workspace, subject: Digest, key: Digest) -> bool:
    """Whether bills of materials with that key are recorded, and each is there, byte for byte."""
    sboms = workspace.evidence.standing(Sboms, subject, "sboms", key)
    if sboms is None:
        return False
    folder = workspace.evidence.folder(subject)
    try:
        return all(Digest.of((folder / sbom.file).read_bytes()) == sbom.sha256 for sbom in sboms.documents)
    except OSError:
        return False


def _whole(workspace: Workspace, manifest: Manifest) -> bool:
    """Whether every blob is there in its length; its bytes are hashed before they are pushed."""
    for blob in (manifest.config, *manifest.layers):
        try:
            if workspace.store.blob_path(blob.digest).stat().st_size != blob.size:
                return False
        except FileNotFoundError:
            return False
    return True
