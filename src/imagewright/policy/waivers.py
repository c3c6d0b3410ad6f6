"""Waivers: signed exceptions with an end. One that is over, runs too long or matches nothing is a failure itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from imagewright import purl
from imagewright.model.verdict import Rule, Waiver

RULE = Rule(
    id="SEC-013",
    title="Waivers are in force, end in time and match something",
    level="must",
    severity="high",
    deny="",
    message="{count} [waiver is|waivers are] not in order",
    remedy="fix what was waived, renew the waiver with its owner's consent, or remove it",
    file="built in",
)
"""The rule about waivers themselves; the only one that is not data."""
RULE_ID = RULE.id
LONGEST_DAYS = 90
LONGEST_DAYS_CRITICAL = 7


@dataclass(frozen=True, slots=True)
class Decision:
    """What the waivers say of one violation: the one that covers it, and those that would but may not, with why."""

    by: Waiver | None = None
    refused: tuple[tuple[Waiver, str], ...] = ()


def decide(waivers: Iterable[Waiver], rule: Rule, item: Any, *, image: str, today: date) -> Decision:
    """Whether a broken rule (``item`` the offending one of its list, None for the rule as a whole) is waived."""
    severity = str(item.get("severity", rule.severity) if isinstance(item, Mapping) else rule.severity)
    troubles = [(waiver, trouble(waiver, severity, today)) for waiver in waivers if _matches(waiver, rule, item, image)]
    return Decision(
        by=next((waiver for waiver, why in troubles if not why), None),
        refused=tuple((waiver, why) for waiver, why in troubles if why),
    )


def trouble(waiver: Waiver, severity: str, today: date) -> str:
    """Why a waiver does not count today for something of this severity; empty when it does."""
    try:
        expires = date.fromisoformat(waiver.expires)
    except ValueError:
        return f"its expiry is no date: {waiver.expires!r}"
    critical = severity.upper() == "CRITICAL"
    longest = LONGEST_DAYS_CRITICAL if critical else LONGEST_DAYS
    if expires < today:
        return f"expired on {expires}"
    if (days := (expires - today).days) > longest:
        return f"ends in {days} days, at most {longest} are allowed{' for critical findings' if critical else ''}"
    return ""


def describe(waiver: Waiver) -> str:
    """A waiver in one line, different for any two that differ."""
    where = "".join(f" {word} {value}" for word, value in (("for", waiver.package), ("in", waiver.image)) if value)
    label = f" [{waiver.justification}]" if waiver.justification else ""
    return f"{waiver.id}{where}, by {waiver.owner} until {waiver.expires}: {waiver.reason}{label} ({waiver.file})"


def _matches(waiver: Waiver, rule: Rule, item: Any, image: str) -> bool:
    if waiver.image not in ("", image):
        return False
    fields = item if isinstance(item, Mapping) else {}
    if waiver.id != rule.id and waiver.id not in (fields.get(key) for key in ("id", "rule", "code")):
        return False
    return not waiver.package or _is_of_package(waiver.package, fields)


def _is_of_package(package: str, fields: Mapping[str, Any]) -> bool:
    """A name, a path, or a package URL with or without version and qualifiers."""
    if package.startswith(purl.SCHEME):
        return purl.covers(package, str(fields.get("purl", "")))
    return package in (fields.get("package"), fields.get("path"))
