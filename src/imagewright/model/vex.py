"""What OpenVEX documents say: https://github.com/openvex/spec, version 0.2.0, as far as this program reads it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

CONTEXT = "https://openvex.dev/ns/v0.2.0"
Status = Literal["not_affected", "affected", "fixed", "under_investigation"]
Justification = Literal[
    "component_not_present",
    "vulnerable_code_not_present",
    "vulnerable_code_not_in_execute_path",
    "vulnerable_code_cannot_be_controlled_by_adversary",
    "inline_mitigations_already_exist",
]
STATUSES: tuple[str, ...] = get_args(Status)
JUSTIFICATIONS: tuple[str, ...] = get_args(Justification)


@dataclass(frozen=True, slots=True)
class Voucher:
    """Somebody of ours who stands for an OpenVEX document (``file``, of these bytes) until a date (ISO)."""

    file: str
    sha256: str
    owner: str
    expires: str


@dataclass(frozen=True, slots=True)
class Target:
    """What a statement is about: an image, a package, or a package in an image, as package URLs; empty means any.

    ``digests`` are what the image's manifest must have for a digest, all of them.
    """

    image: str = ""
    package: str = ""
    digests: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Statement:
    """What a document says of one vulnerability, known by any of ``ids``, and who vouches for the document.

    ``number`` is its place in ``file``, counted from 0; ``at`` is when it was known to be true.
    """

    file: str
    number: int
    ids: tuple[str, ...]
    targets: tuple[Target, ...]
    status: Status
    at: datetime
    reason: str
    owner: str
    expires: str
    justification: str = ""

    @property
    def place(self) -> str:
        """Where it stands."""
        return f"{self.file}: statements[{self.number}]"

    @property
    def excuses(self) -> bool:
        """Whether it says that the vulnerability does no harm."""
        return self.status in ("not_affected", "fixed")
