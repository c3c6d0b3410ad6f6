"""The two gates: what a change brings in, and what became known of bytes that were accepted before. Pure.

A vulnerability is disclosed when the very package, version included, is in the baseline; without a baseline everything
is introduced. Its clock runs by finding: another version of a package with the same flaw has remedied nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from imagewright.model.findings import Package
from imagewright.model.history import Change, Disclosure, Gates, History
from imagewright.model.verdict import Policy, Remediation, RuleResult, Verdict

Item = Mapping[str, Any]
Finding = tuple[str, str]
"""A vulnerability's id and its package, as a ``Sighting`` has them."""
_DAY = timedelta(days=1)
_QUIET = ("pass", "waived")


def moment(then: datetime) -> str:
    """A time with its zone as records have it: RFC 3339, UTC, seconds; texts of this form sort by time."""
    return then.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def package(name: str, version: str, type: str, purl: str, path: str) -> str:
    """What tells one installed package from every other: its package URL, else type, name, version and path.

    The release of the distribution around it is left out: the same package in another is the same bytes.
    """
    if not purl:
        return f"{type}/{name}@{version} {path}".rstrip()
    address, _, qualifiers = purl.partition("?")
    kept = "&".join(one for one in qualifiers.split("&") if one and not one.startswith("distro="))
    return f"{address}?{kept}" if kept else address


def packages(installed: Iterable[Package]) -> tuple[str, ...]:
    """The packages of a baseline, as ``History`` has them."""
    return tuple(sorted({package(one.name, one.version, one.type, one.purl, one.path) for one in installed}))


def finding(id: str, type: str, package: str) -> Finding:
    """What the clock of a vulnerability hangs on: its id, and its package in whatever version."""
    return id, f"{type}/{package}"


def bound(
    items: Sequence[Item], history: History, remediations: Iterable[Remediation], now: datetime
) -> list[dict[str, Any]]:
    """The vulnerabilities as rules see them: each with its gate, the day it was first seen, and the day it is due."""
    before = set(history.packages) if history.against else set()
    seen = {(one.id, one.package): one.at for one in history.sightings}
    days: dict[str, int] = {one.severity: one.days for one in remediations}
    return [{**_bound(item, before, seen, days, now), **item} for item in items]


def is_disclosed(item: Any) -> bool:
    """Whether an item of some list is a vulnerability of bytes that were accepted before."""
    return isinstance(item, Mapping) and item.get("gate") == "disclosed"


def compare(
    policy: Policy, verdict: Verdict, vulnerabilities: Sequence[Item], history: History, before: Verdict | None
) -> Gates:
    """The verdict against the baseline's, when there is one: both gates, for reports.

    Evidence about disclosed vulnerabilities is in no other part.
    """
    now = datetime.fromisoformat(verdict.at)
    items = bound(vulnerabilities, history, policy.remediations, now)
    after = tuple(change for result in verdict.results for change in _changes(result))
    had = {(one.rule, one.line) for one in _all(before)}
    has = {(one.rule, one.line) for one in _all(verdict)}
    return Gates(
        against=history.against,
        released_at=history.released_at,
        note=_note(history, verdict, before),
        introduced=tuple(one for one in after if (one.rule, one.line) not in had),
        carried=tuple(one for one in after if (one.rule, one.line) in had),
        gone=tuple(replace(one, blocking=False) for one in _all(before) if (one.rule, one.line) not in has),
        disclosed=tuple(sorted((_disclosure(item, now) for item in items if is_disclosed(item)), key=_urgency)),
    )


def _bound(
    item: Item, before: set[str], seen: Mapping[Finding, str], days: Mapping[str, int], now: datetime
) -> dict[str, str]:
    known = package(item["package"], item["version"], item["type"], item["purl"], item["path"]) in before
    first = seen.get(finding(item["id"], item["type"], item["package"]), moment(now))
    return {
        "gate": "disclosed" if known else "introduced",
        "first_seen": first,
        "due": _due(first, days.get(item["severity"])),
    }


def _due(first: str, days: int | None) -> str:
    return "" if days is None else moment(datetime.fromisoformat(first) + days * _DAY)


def _all(verdict: Verdict | None) -> Iterator[Change]:
    for result in verdict.results if verdict else ():
        yield from _changes(result, also_disclosed=True)


def _changes(result: RuleResult, *, also_disclosed: bool = False) -> Iterator[Change]:
    """What a result holds against the image, line by line; a rule without evidence is one line, whatever it says.

    What no image gate can see is no result of any change.
    """
    if result.outcome in _QUIET or result.elsewhere:
        return
    hidden = () if also_disclosed else result.disclosed
    for line in (line for line in result.evidence or ("",) if line not in hidden):
        yield Change(result.rule, result.title, result.level, result.outcome, line, result.blocking)


def _note(history: History, verdict: Verdict, before: Verdict | None) -> str:
    if not history.against:
        return history.note
    if before is None:
        return "its verdict is not kept here, so every result counts as introduced"
    if history.against == str(verdict.subject):
        return "it is this very image: nothing was changed, and what is new is said of the same bytes"
    if before.policy != verdict.policy:
        return f"{history.note}; its verdict was made with another policy".removeprefix("; ")
    return history.note


def _disclosure(item: Item, now: datetime) -> Disclosure:
    left = (datetime.fromisoformat(item["due"]) - now) // _DAY if item["due"] else 0
    names = ("id", "severity", "package", "version", "fixed_version", "first_seen", "due", "url")
    return Disclosure(**{name: item[name] for name in names}, days_left=left)


def _urgency(one: Disclosure) -> tuple[object, ...]:
    return (not one.due, one.due, one.id, one.package, one.version)
