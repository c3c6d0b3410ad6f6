"""The policy as text for people: all rules in a table, one rule in full, and what it made of one image."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from imagewright.model.facts import Facts
from imagewright.model.verdict import Policy, Profile, Rule, RuleResult
from imagewright.policy import waivers
from imagewright.policy.cel import compile_question
from imagewright.policy.vocabulary import NAMES, NOW, PROFILE, checks_behind, flatten
from imagewright.reports.units import bounded, plain
from imagewright.schema import dump

LONGEST_VALUE = 160
"""Characters of a value, or of one item of a list, that are shown."""
MOST_ITEMS = 5
"""Items of a list, or lines of evidence, that are shown."""


def every(policy: Policy) -> tuple[Rule, ...]:
    """Every rule there is: the policy's, and the one about its waivers."""
    return (*policy.rules, waivers.RULE)


def overview(policy: Policy) -> str:
    """Every rule in a line, and every profile."""
    rows = [(rule.id, rule.level, rule.severity, rule.title, rule.file) for rule in every(policy)]
    profiles = [(profile.name, _blocks(profile)) for profile in policy.profiles]
    return "\n".join(
        [
            *_aligned(("rule", "level", "severity", "title", "file"), rows),
            "",
            *_aligned(("profile", "what it does"), profiles),
        ]
    )


def explained(rule: Rule) -> str:
    """One rule in full."""
    asked = f"for each item of {rule.each}" if rule.each else "of the whole image"
    parts = {
        "asked": asked if rule.deny else "by the program, of every waiver",
        "broken when": rule.deny or "a waiver is over, runs too long, or matches nothing",
        "checks needed": ", ".join(_checks(rule)),
        "says": rule.message,
        "remedy": rule.remedy,
        "reference": rule.reference,
    }
    lines = [f"{rule.id}: {rule.title}", f"  {rule.level}, {rule.severity}, {rule.file}"]
    return "\n".join(lines + [f"  {f'{name}:':<14} {_indented(text, 17)}" for name, text in parts.items() if text])


def judged(rule: Rule, facts: Facts, result: RuleResult, *, profile: str, now: datetime) -> str:
    """What the rule read of one image, and what came of it; both bounded."""
    lines = [f"{facts.image.name} ({facts.image.platform}, {facts.image.digest})", "  it read:"]
    lines += [f"    {line}" for line in _read(rule, facts, profile, now)] or ["    no fact"]
    lines.append(f"  it says: {result.outcome}{', which blocks' if result.blocking else ''} (profile {profile})")
    said = (
        *([result.message] if result.message else ()),
        *result.evidence,
        *(f"waived: {by}" for by in result.waived_by),
    )
    return "\n".join(lines + [f"    {line}" for line in _few(said)])


def _read(rule: Rule, facts: Facts, profile: str, now: datetime) -> Iterator[str]:
    values = flatten(dump(facts)) | {NOW: now.replace(microsecond=0).isoformat(), PROFILE: profile}
    names = set(_reads(rule)) | {f"checks.{name}.done" for name in _checks(rule)}
    for name in (name for name in NAMES if name in names):
        value = values[name]
        if isinstance(value, list) and value and isinstance(value[0], Mapping):
            yield f"{name}: {len(value)}"
            yield from (f"  {line}" for line in _few(map(_compact, value)))
        else:
            yield f"{name} = {_cut(_compact(value))}"


def _reads(rule: Rule) -> frozenset[str]:
    return compile_question(rule.deny, rule.each).reads if rule.deny else frozenset()


def _checks(rule: Rule) -> list[str]:
    return sorted({*rule.requires, *checks_behind(_reads(rule))})


def _blocks(profile: Profile) -> str:
    return f"blocks {', '.join(profile.blocks)}{'; pushes to loopback only' if profile.loopback_only else ''}"


def _aligned(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in (head, *rows)]


def _indented(text: str, width: int) -> str:
    return f"\n{' ' * width}".join(line.strip() for line in text.splitlines())


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _cut(line: str) -> str:
    text = plain(line)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}… ({len(text)} characters)"


def _few(lines: Iterable[str]) -> Iterator[str]:
    shown, more = bounded(tuple(lines), MOST_ITEMS)
    yield from map(_cut, shown)
    if more:
        yield f"… and {more} more"
