"""Every way a run can end badly, and the exit code each one has.

    ImagewrightError          1   a bug, or anything nobody foresaw
    ├── ConfigurationError    2   a definition, policy or setting is wrong
    ├── NothingSelected       3   nothing has the name that was asked for
    ├── ToolMissing           4   a program is missing, too old, or a known-bad version
    ├── ToolFailed            5   a program ran and failed
    ├── PolicyRefused         6   the policy says no
    ├── RegistryRefused       7   a registry or signing service refused or is away
    ├── EvidenceError         8   evidence is missing, stale or was tampered with
    └── Interrupted         130   the user stopped the run

A message has three parts: what happened, why, and what to do next.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar


class ImagewrightError(Exception):
    """The root of all errors this program raises on purpose.

    ``what`` happened in one line, ``why`` (evidence, may be several lines), ``hint``: the next step.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, why: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.hint = hint

    def __str__(self) -> str:
        lines = [self.what]
        lines += [f"  {line}" for line in self.why.splitlines()]
        if self.hint:
            lines.append(f"  help: {self.hint}")
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a file the user wrote: where it is, and what is wrong with it."""

    file: str
    path: str
    message: str

    def __str__(self) -> str:
        where = f"{self.file}: {self.path}" if self.path else self.file
        return f"{where}: {self.message}"


class ConfigurationError(ImagewrightError):
    """A definition, policy or setting is wrong; carries every mistake found, not only the first."""

    exit_code = 2

    def __init__(self, problems: Iterable[Problem], *, hint: str = "") -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        what = "the configuration has a mistake" if count == 1 else f"the configuration has {count} mistakes"
        super().__init__(what, why="\n".join(map(str, self.problems)), hint=hint)


class NothingSelected(ImagewrightError):
    """No image, rule or digest has the name that was asked for."""

    exit_code = 3


class ToolMissing(ImagewrightError):
    """A program the step needs is missing, too old, or a version known to be malicious."""

    exit_code = 4


class ToolFailed(ImagewrightError):
    """A program ran and failed, or said something that cannot be understood."""

    exit_code = 5


def disk_full(why: str) -> ToolFailed:
    """The one error for a disk without room, whether this program noticed it or one that it started."""
    return ToolFailed("the disk is full", why=why, hint="make room and run the same again; what was finished is kept")


class PolicyRefused(ImagewrightError):
    """At least one image has a verdict that blocks."""

    exit_code = 6


class RegistryRefused(ImagewrightError):
    """A registry or signing service refused, broke off, or is out of reach."""

    exit_code = 7


class EvidenceError(ImagewrightError):
    """Evidence or stored bytes are missing, stale, or not what their digest says."""

    exit_code = 8


class Interrupted(ImagewrightError):
    """The user stopped the run."""

    exit_code = 130
