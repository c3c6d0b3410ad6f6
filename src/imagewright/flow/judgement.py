"""A judgement that stands: the same question is not asked twice.

A run that lets every image pass leaves a note of what it was asked: images, records, ledgers, policy, profile and day.
While not a byte of that differs, and for an hour at most, since rules count some ages in hours, judging again would say
the same. What is needed to judge is loaded only when something does differ.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import imagewright
from imagewright.errors import EvidenceError
from imagewright.evidence import canonical, packed, unpacked
from imagewright.files import write_atomically
from imagewright.flow import report
from imagewright.flow.workspace import Workspace, platforms, policy_files
from imagewright.reference import Digest

Files = tuple[tuple[str, str], ...]
"""The policy's files, name and text."""
_KIND = "judgement"
_LASTS = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was asked when every image passed (``at``, RFC 3339 with zone), and what there is to say of it.

    ``baselines`` are the digests the images were set against, ``pages`` is the state of the reports, ``lines`` says of
    each image that it passes. ``entered`` are the references whose push the ledgers know.
    """

    question: Digest
    at: str
    baselines: tuple[Digest, ...]
    loopback_only: bool
    pages: Digest
    lines: tuple[str, ...]
    entered: tuple[str, ...] = ()


def judge(workspace: Workspace, names: tuple[str, ...], against: tuple[str, ...] = ()) -> None:
    """Judge the images' recorded evidence, write every report, and show the verdicts, unless all of that stands.

    ``against`` names baselines to take in place of the last releases. Raises EvidenceError when an image was not built
    or scanned, and PolicyRefused when a verdict blocks.
    """
    known = None if against else standing(workspace, names)
    if known and shown(workspace, known):
        return
    from imagewright.flow.judge import judge_anew

    judge_anew(workspace, names, against)


def shown(workspace: Workspace, known: Judgement) -> bool:
    """Show a judgement that stands, in a line an image; False when a report of it is not as it was written."""
    if known.pages != report.pages(workspace):
        return False
    for line in known.lines:
        workspace.progress.say(line)
    return True


def standing(workspace: Workspace, names: tuple[str, ...]) -> Judgement | None:
    """The judgement of exactly these images, records and rules within the hour, in which all of them passed."""
    now = datetime.now(UTC)
    try:
        raw = _path(workspace, names).read_bytes()
        known = unpacked(Judgement, raw, _KIND, _about(workspace, names), what="the judgement", hint="")
        files = policy_files(workspace.project.root)
        asked = question(workspace, names, files, known.baselines, day=now.date())
        lasts = timedelta(0) <= now - datetime.fromisoformat(known.at) < _LASTS
    except (OSError, EvidenceError, ValueError, TypeError):
        return None
    if known.question != asked or not lasts:
        return None
    settings = workspace.project.settings.feeds
    if settings.epss or settings.kev:
        from imagewright.flow import feeds

        feeds.verify(workspace)
    return known


def keep(workspace: Workspace, names: tuple[str, ...], known: Judgement) -> None:
    """Leave a note that every image passed."""
    written = packed(_KIND, _about(workspace, names), str(known.question), known)
    write_atomically(_path(workspace, names), written)


def entered(workspace: Workspace, names: tuple[str, ...], references: Iterable[str]) -> None:
    """Note that the ledgers know these pushes; where entering them changed a ledger, nothing stands any more."""
    if known := standing(workspace, names):
        keep(workspace, names, replace(known, entered=tuple(sorted({*known.entered, *references}))))


def question(
    workspace: Workspace, names: tuple[str, ...], policy: Files, baselines: Iterable[Digest], *, day: date
) -> Digest:
    """The digest of all that a judgement depends on; raises EvidenceError when an image was not built."""
    asked, evidence = workspace.project.settings, workspace.evidence
    settings = [list(names), asked.profile, asked.registry, repr(asked.feeds), day.isoformat()]
    rules = [[name, str(Digest.of(text.encode()))] for name, text in policy]
    images, subjects = [], {*baselines}
    for definition, _, platform, manifest in platforms(workspace.built(names)):
        ledger = _bytes(evidence.ledger_path(definition.name, platform))
        images.append([repr(definition), str(manifest.digest), str(Digest.of(ledger))])
        subjects.add(manifest.digest)
    records = sorted([str(subject), str(evidence.state(subject))] for subject in subjects)
    return Digest.of(canonical([settings, rules, images, records, list(_program())]))


def _about(workspace: Workspace, names: tuple[str, ...]) -> str:
    return " ".join((workspace.project.settings.profile, *names))


def _path(workspace: Workspace, names: tuple[str, ...]) -> Path:
    name = Digest.of(_about(workspace, names).encode()).hex[:12]
    return workspace.out / "cache" / "judgements" / f"{name}.json"


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def _program() -> Iterator[tuple[str, int, int]]:
    """What says that this program is another one: name, size and time of each of its files."""
    for folder, folders, files in os.walk(Path(imagewright.__file__).parent):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        for name in sorted(files):
            stat = os.stat(f"{folder}/{name}")
            yield f"{folder}/{name}", stat.st_size, stat.st_mtime_ns
