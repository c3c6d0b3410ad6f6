"""The two gates in words, decided once for every format: what a change brings in, and what became known meanwhile."""

from __future__ import annotations

from dataclasses import dataclass

from imagewright.model.findings import NotChecked
from imagewright.model.history import Change, Disclosure, Gates
from imagewright.model.judged import ImageReport
from imagewright.reports import units
from imagewright.reports.view import OUTCOME_WORDS

INTRODUCED = "Introduced by this change"
DISCLOSED = "Disclosed since the release"
COLUMNS = ("Severity", "Id", "Package", "Installed", "Fixed in", "First seen", "Due", "Time left")


@dataclass(frozen=True, slots=True)
class Line:
    """One disclosed vulnerability as the cells of ``COLUMNS``; ``overdue`` once its time is over."""

    cells: tuple[str, ...]
    overdue: bool
    url: str


def against(gates: Gates) -> str:
    """What the image is set against, or why there is nothing: a part of a sentence."""
    if not gates.against:
        return f"{gates.note}: everything counts as introduced"
    released = f", released {units.moment(gates.released_at)}" if gates.released_at else ""
    return f"against {gates.against}{released}{f'; {gates.note}' if gates.note else ''}"


def introduced(gates: Gates) -> str:
    """How many results are new, which of them block, and how many were there or are gone."""
    if not gates.against:
        return against(gates)
    blocking = sum(one.blocking for one in gates.introduced)
    new = units.count(len(gates.introduced), "result") + (f" ({blocking} blocking)" if blocking else "")
    return f"{new}; {len(gates.carried) or 'none'} there before, {len(gates.gone) or 'none'} gone"


def disclosed(report: ImageReport) -> str:
    """How many vulnerabilities are known of what was accepted, how many are overdue; not none when nobody looked."""
    found = report.scan.vulnerabilities
    if isinstance(found, NotChecked):
        return f"vulnerabilities: not checked ({found.reason})"
    known = report.gates.disclosed
    overdue = sum(is_overdue(one) for one in known)
    return (units.count(len(known), "finding") if known else "none") + (f", {overdue} overdue" if overdue else "")


def change(one: Change) -> str:
    """A result in one line; a rule without evidence is named by its title."""
    blocks = ", blocks" if one.blocking else ""
    return f"{OUTCOME_WORDS[one.outcome]}{blocks}: {one.rule} {one.line or one.title}"


def is_overdue(one: Disclosure) -> bool:
    """Whether the time to remedy it is over."""
    return bool(one.due) and one.days_left < 0


def lines(gates: Gates) -> tuple[Line, ...]:
    """The disclosed vulnerabilities, most urgent first."""
    return tuple(
        Line(
            cells=(
                one.severity.lower(),
                one.id,
                one.package,
                one.version,
                one.fixed_version or "no fix",
                units.moment(one.first_seen),
                units.moment(one.due) or "–",
                left(one),
            ),
            overdue=is_overdue(one),
            url=one.url,
        )
        for one in gates.disclosed
    )


def left(one: Disclosure) -> str:
    """``3 days left``, ``less than a day left``, ``overdue by 2 days``."""
    if not one.due:
        return "no time limit"
    if one.days_left < 0:
        late = -one.days_left - 1
        return f"overdue by {units.count(late, 'day')}" if late else "overdue since today"
    return f"{units.count(one.days_left, 'day')} left" if one.days_left else "less than a day left"
