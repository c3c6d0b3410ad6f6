"""What came before: the releases of an image, when a finding was first seen in one, what a change is set against.

The ledger is kept per image and platform; a history is what of it one judgement needs, and lies beside the verdict.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from imagewright.annotations import Doc
from imagewright.model.verdict import Level, Outcome
from imagewright.reference import Digest, Platform

Gate = Literal["introduced", "disclosed"]


@dataclass(frozen=True, slots=True)
class Release:
    """One digest that was pushed: under which registry setting, to which repository and tag, when (RFC 3339, UTC).

    ``checked`` says whether it was accepted with its vulnerabilities known. ``judged_at`` is when it was last
    judged with a vulnerability database, ``database_at`` the date of the newest of these; both empty when never.
    """

    subject: Digest
    root: Digest
    registry: str
    repository: str
    tag: str
    at: str
    checked: bool
    judged_at: str = ""
    database_at: str = ""


@dataclass(frozen=True, slots=True)
class Sighting:
    """A vulnerability of a package (``type/name``, in whatever version) and when a release was first seen with it."""

    id: str
    package: str
    at: str


@dataclass(frozen=True, slots=True)
class Ledger:
    """All releases of one image and platform, newest last, and the first sightings in any of them."""

    image: str
    platform: Platform
    releases: tuple[Release, ...] = ()
    sightings: tuple[Sighting, ...] = ()


@dataclass(frozen=True, slots=True)
class History:
    """What an image is judged against. ``packages`` are those of the baseline, each by ``policy.gates.package``.

    ``note`` says why there is no baseline, or what it is when it is no release. All is empty when nothing came before.
    """

    against: Annotated[str, Doc(description="digest it is compared with, sha256:…; empty when there is none")] = ""
    released_at: Annotated[str, Doc(description="when that was released (RFC 3339, UTC); empty when it was not")] = ""
    judged_at: Annotated[
        str, Doc(description="when that release was last judged with a vulnerability database; empty when never")
    ] = ""
    database_at: Annotated[str, Doc(description="date of the newest database it was judged with; empty when none")] = ""
    note: str = ""
    packages: tuple[str, ...] = ()
    sightings: tuple[Sighting, ...] = ()


@dataclass(frozen=True, slots=True)
class GateFacts:
    """What the history adds to each vulnerability while it is judged."""

    gate: Annotated[
        str, Doc(description="disclosed when the very package is in the release before; else introduced, by the change")
    ]
    first_seen: Annotated[
        str, Doc(description="when a release was first seen with it (RFC 3339, UTC); now when none was")
    ]
    due: Annotated[
        str, Doc(description="when its time to be remedied is over (RFC 3339, UTC); empty when its severity has none")
    ]


@dataclass(frozen=True, slots=True)
class Change:
    """One thing a verdict says that the baseline's does not, or the other way round: a rule, and a line of evidence."""

    rule: str
    title: str
    level: Level
    outcome: Outcome
    line: str
    blocking: bool


@dataclass(frozen=True, slots=True)
class Disclosure:
    """A vulnerability of bytes that were accepted before. ``days_left`` is negative once it is overdue."""

    id: str
    severity: str
    package: str
    version: str
    fixed_version: str
    first_seen: str
    due: str
    days_left: int
    url: str = ""


@dataclass(frozen=True, slots=True)
class Gates:
    """A verdict set against a baseline: what the change brings in, what was there, what is gone, what became known.

    Without a baseline (``against`` is empty, ``note`` says why) everything is introduced.
    """

    against: str = ""
    released_at: str = ""
    note: str = "nothing was released yet"
    introduced: tuple[Change, ...] = ()
    carried: tuple[Change, ...] = ()
    gone: tuple[Change, ...] = ()
    disclosed: tuple[Disclosure, ...] = ()
