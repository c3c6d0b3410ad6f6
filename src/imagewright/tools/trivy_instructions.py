"""What Trivy says of an image's configuration, read as build instructions; asked again only when those have changed.

Most of a scan whose layers are known is Trivy compiling its checks of instructions, though what they say follows from
the configuration alone: from its history, its user and its health check. So they are asked about the configuration, in
a run of its own, and their answer is kept, sealed, for the scanner and the instructions it is about.
https://github.com/aquasecurity/trivy/blob/v0.76.0/pkg/fanal/analyzer/imgconf/dockerfile/dockerfile.go
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from imagewright.errors import EvidenceError, ToolFailed
from imagewright.evidence import Evidence, canonical
from imagewright.model.findings import Misconfiguration, NotChecked
from imagewright.reference import Digest
from imagewright.tools import trivy_run
from imagewright.tools.binary import Program
from imagewright.tools.isolation import Isolation, make_room
from imagewright.tools.trivy_parse import parse
from imagewright.tools.trivy_view import Shown, show_instructions

_KIND = "misconfigurations"


@dataclass(frozen=True, slots=True)
class Answer:
    """What is wrong with the instructions of an image, or why nobody can say."""

    found: tuple[Misconfiguration, ...] | NotChecked


def ask(
    image: Shown, *, memory: Path | None, workdir: Path, timeout: float, trivy: Program, isolation: Isolation | None
) -> Answer:
    """The scanner's answer: the one kept in the folder ``memory``, if it is about just this, else a new one.

    ``timeout`` in seconds. Raises ToolFailed when the scanner fails or speaks of something else.
    """
    words = (
        *("image", "--input", "image", "--format", "json", "--show-suppressed"),
        *("--scanners", "license", "--image-config-scanners", "misconfig"),  # one scanner has to be named
        *("--cache-dir", "cache", "--cache-backend", "memory", "--timeout", f"{timeout:.0f}s"),
        *trivy_run.UNDISTURBED,
        *trivy_run.OFFLINE,
    )
    about = Digest.of(canonical(image.instructions))
    key = Digest.of(canonical([str(trivy.identity.sha256), *words]))
    known = _recalled(memory, about, key)
    if known is not None:
        return known
    with make_room(workdir, isolation) as room:
        shown = show_instructions(room, image)
        report = parse(trivy_run.run(room, trivy, words, timeout=timeout + trivy_run.GRACE_SECONDS).stdout)
    if report.image_id != shown:
        raise ToolFailed("Trivy reported on another image", why=f"{report.image_id} instead of {shown}")
    answer = Answer(report.misconfigurations)
    _keep(memory, about, key, answer)
    return answer


def _recalled(memory: Path | None, about: Digest, key: Digest) -> Answer | None:
    kept = Evidence(memory) if memory else None
    if kept is None or kept.key(about, _KIND) != key:
        return None
    with suppress(EvidenceError):
        return kept.read(Answer, about, _KIND, hint="")
    return None


def _keep(memory: Path | None, about: Digest, key: Digest, answer: Answer) -> None:
    """Keep this answer and no other; one that cannot be kept is asked for again."""
    if memory is None or isinstance(answer.found, NotChecked):
        return
    shutil.rmtree(memory, ignore_errors=True)
    with suppress(OSError):
        Evidence(memory).write(about, _KIND, answer, key=key)
