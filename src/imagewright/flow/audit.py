"""audit: the last released digest of each image, scanned and judged again with the vulnerability database of today."""

from __future__ import annotations

from collections.abc import Iterator

from imagewright.errors import EvidenceError, NothingSelected
from imagewright.flow import report
from imagewright.flow.cases import case_of
from imagewright.flow.judge import evaluated, recorded, refuse_blocked
from imagewright.flow.scan import scan_each
from imagewright.flow.workspace import Workspace, release_name
from imagewright.model.definition import ImageDefinition
from imagewright.model.image import Manifest
from imagewright.model.judged import Accepted, ImageReport
from imagewright.policy import ledger
from imagewright.reference import Digest

FOLDER = "reports/released"
"""Where the reports of released digests lie, apart from those of what the names stand for now."""


def audit(workspace: Workspace, names: tuple[str, ...]) -> tuple[ImageReport, ...]:
    """Scan and judge what was released last under the registry setting, by digest, and enter it in the ledgers.

    Raises NothingSelected when nothing was, EvidenceError when its bytes or its records are not here, and PolicyRefused
    when a verdict blocks, as it does when the time of a finding has run out.
    """
    policy = workspace.policy()
    workspace.profile(policy)
    work = tuple(_released(workspace, names))
    if not work:
        registry = workspace.project.settings.registry
        raise NothingSelected(f"nothing was released yet (registry: {registry})", hint="./inv push makes a release")
    scan_each(workspace, ((name, manifest) for _, name, manifest in work))
    known = tuple(case_of(workspace, definition, name, manifest) for definition, name, manifest in work)
    # NOTE: a waiver that matches nothing in an old release may well match in the next one, so none counts as unused.
    judged = tuple(recorded(workspace, policy, one) for one in evaluated(workspace, policy, known, {}))
    report.write_all(workspace, judged, below=FOLDER)
    refuse_blocked(workspace, judged, reports=FOLDER)
    return judged


def _released(workspace: Workspace, names: tuple[str, ...]) -> Iterator[tuple[ImageDefinition, str, Manifest]]:
    """Each last release with the definition it was accepted with; raises EvidenceError for one that is not here."""
    registry = workspace.project.settings.registry
    for definition in workspace.named(names):
        found = [
            (platform, release)
            for platform in definition.platforms
            if (release := ledger.latest(workspace.evidence.ledger(definition.name, platform), registry))
        ]
        if not found:
            workspace.progress.say(f"{definition.name}: nothing was released yet (registry: {registry})")
        for platform, release in found:
            yield (
                _definition(workspace, definition, release.subject),
                release_name(definition, platform),
                _manifest(workspace, definition.name, release.subject),
            )


def _definition(workspace: Workspace, today: ImageDefinition, subject: Digest) -> ImageDefinition:
    """What the image was declared to be when it was accepted; the checkout may have moved on."""
    if not workspace.evidence.has(subject, "accepted"):
        return today
    return workspace.evidence.read(Accepted, subject, "accepted", hint="put the record back from a copy").definition


def _manifest(workspace: Workspace, image: str, subject: Digest) -> Manifest:
    hint = "bring the out/store it was pushed from, or build its revision again"
    try:
        manifest = workspace.store.manifest(subject)
    except EvidenceError as error:
        raise EvidenceError(f"the released {image} cannot be scanned", why=str(error.what), hint=hint) from error
    for blob in (manifest.config, *manifest.layers):
        if not workspace.store.blob_path(blob.digest).is_file():
            why = f"the store has no blob {blob.digest} of {subject}"
            raise EvidenceError(f"the released {image} cannot be scanned", why=why, hint=hint)
    return manifest
