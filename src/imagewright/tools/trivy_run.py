"""One start of Trivy in its room, with the words that every start needs."""

from __future__ import annotations

from collections.abc import Sequence

from imagewright.errors import ToolFailed
from imagewright.tools.binary import Program
from imagewright.tools.isolation import Room
from imagewright.tools.process import Completed

# Nothing lying around may hide a finding: no configuration or ignore file is read, and no secret rules but ours.
UNDISTURBED = ("--quiet", "--config", "", "--ignorefile", "")
OFFLINE = (
    *("--skip-db-update", "--skip-java-db-update", "--skip-check-update", "--skip-vex-repo-update"),
    *("--offline-scan", "--skip-version-check", "--disable-telemetry", "--no-progress"),
)
GRACE_SECONDS = 15.0
"""How long Trivy may take to notice its own time-out."""

_PROGRAM = "scanner/trivy"


def run(room: Room, trivy: Program, words: Sequence[str], *, timeout: float) -> Completed:
    """Run a command of Trivy in a room; raises ToolFailed when it does not end with 0 in time (seconds)."""
    room.lend(_PROGRAM, trivy.path)
    done = room.run([f"./{_PROGRAM}", *words], timeout=timeout)
    if done.returncode != 0:
        raise ToolFailed(
            f"trivy {words[0]} failed with exit code {done.returncode}",
            why=done.tail,
            hint="its own words are above; ./inv doctor checks the scanner",
        )
    return done
