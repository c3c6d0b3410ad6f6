"""The policy's nouns: rules, waivers, profiles, and the verdict they lead to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from imagewright.annotations import StrictInt
from imagewright.model.findings import Severity
from imagewright.model.vex import Statement
from imagewright.reference import Digest

Level = Literal["must", "should"]
Outcome = Literal["pass", "fail", "warn", "waived", "not-checked"]
OUTCOMES: tuple[Outcome, ...] = ("fail", "not-checked", "warn", "waived", "pass")


@dataclass(frozen=True, slots=True)
class Rule:
    """One requirement as data.

    ``deny`` is a CEL expression over the facts that is true when the requirement is broken; with
    ``each`` it is asked once per item of that list, which it sees as ``item``. ``requires`` names the
    checks without which the rule is not-checked. ``message`` and ``show`` may quote facts as ``{dotted.path}``;
    ``[one|many]`` in a message follows its ``{count}``.
    ``covers`` names requirements of the written specs that the rule proves beside the one it is named after.
    ``when`` is a CEL expression that is false for an image the rule does not concern; empty: it concerns all.
    ``elsewhere`` stands in the place of ``deny`` where no image gate can see the requirement, and says what can.
    """

    id: str
    title: str
    level: Level
    severity: str
    deny: str = ""
    message: str = ""
    remedy: str = ""
    file: str = ""
    each: str = ""
    show: str = ""
    requires: tuple[str, ...] = ()
    reference: str = ""
    covers: tuple[str, ...] = ()
    when: str = ""
    elsewhere: str = ""


@dataclass(frozen=True, slots=True)
class Waiver:
    """Somebody's signed exception: a rule or finding id, narrowed by package and image, until a date (ISO).

    ``justification`` is OpenVEX's label for why a vulnerability does no harm here; without one the risk is taken.
    ``status`` is what the OpenVEX document says that the waiver comes from; empty for one of ours.
    """

    id: str
    reason: str
    owner: str
    expires: str
    file: str
    package: str = ""
    image: str = ""
    justification: str = ""
    status: str = ""


@dataclass(frozen=True, slots=True)
class Profile:
    """What blocks: outcomes of must-rules. ``loopback_only`` profiles push to this machine and nowhere else."""

    name: str
    blocks: tuple[Outcome, ...]
    loopback_only: bool = False


@dataclass(frozen=True, slots=True)
class EndOfLife:
    """The last day (ISO date) on which the makers of a runtime's line, such as node 24, still mend it."""

    runtime: str
    line: str
    ends: str
    file: str

    @property
    def name(self) -> str:
        """What the facts call the line."""
        return f"{self.runtime} {self.line}"


@dataclass(frozen=True, slots=True)
class Remediation:
    """How many days a vulnerability of a severity may be left as it is, from when a release was first seen with it."""

    severity: Severity
    days: StrictInt
    file: str


@dataclass(frozen=True, slots=True)
class Policy:
    """All rules, waivers and profiles of a repository, the files (name and text) they came from, and their digest.

    ``statements`` are those of the OpenVEX documents somebody vouches for.
    """

    rules: tuple[Rule, ...]
    waivers: tuple[Waiver, ...]
    profiles: tuple[Profile, ...]
    digest: Digest
    lifetimes: tuple[EndOfLife, ...] = ()
    files: tuple[tuple[str, str], ...] = ()
    statements: tuple[Statement, ...] = ()
    remediations: tuple[Remediation, ...] = ()


@dataclass(frozen=True, slots=True)
class Excused:
    """A vulnerability of one package (by package URL, empty when not known) and the waiver that covers it."""

    id: str
    package: str
    version: str
    purl: str
    waiver: Waiver


@dataclass(frozen=True, slots=True)
class RuleResult:
    """What one rule said of one image: the outcome and the items or reason behind it.

    ``blocking`` is decided by the profile; ``evidence`` are one-line statements, offending items first. ``elsewhere``
    is what would check a requirement that is not-checked because no image gate can see it; empty for every other.
    ``excused`` are the vulnerabilities that were waived, ``disclosed`` those lines of evidence that are about
    vulnerabilities of bytes that were accepted before.
    """

    rule: str
    title: str
    level: Level
    severity: str
    outcome: Outcome
    blocking: bool
    message: str
    remedy: str
    evidence: tuple[str, ...] = ()
    waived_by: tuple[str, ...] = ()
    elsewhere: str = ""
    excused: tuple[Excused, ...] = ()
    disclosed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement of one platform manifest under one profile on one day (ISO date).

    ``at`` is the moment ages were counted to (RFC 3339, seconds), ``unused`` describes the waivers that matched nothing
    in the whole run and count against this image: with them and the ``history`` of that digest (None: none was given)
    the same facts and policy give the same verdict again.
    ``inapplicable`` are the ids of the rules that do not concern this image, in the policy's order: none has a result.
    ``matched`` describes the statements of OpenVEX documents that speak of a finding of this image.
    """

    subject: Digest
    profile: str
    date: str
    passed: bool
    facts: Digest
    policy: Digest
    results: tuple[RuleResult, ...]
    at: str = ""
    unused: tuple[str, ...] = ()
    inapplicable: tuple[str, ...] = ()
    matched: tuple[str, ...] = ()
    history: Digest | None = None

    @property
    def blocking(self) -> tuple[RuleResult, ...]:
        """The results that stop a push."""
        return tuple(result for result in self.results if result.blocking)
