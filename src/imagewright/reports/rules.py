"""The policy as text for people: all rules in a table, one rule in full, and what it made of one image."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from imagewright.model.facts import Facts
from imagewright.model.history import History
from imagewright.model.verdict import Policy, Profile, Rule, RuleResult, Verdict
from imagewright.policy import scope, waivers
from imagewright.policy.binding import bind
from imagewright.policy.vocabulary import NAMES, NOW
from imagewright.reports.units import bounded, plain
from imagewright.reports.view import OUTCOME_WORDS, evidence
from imagewright.schema import dump

WIDTH = 100
"""Columns of a rule that is explained."""
MARGIN = 17
"""Columns of what stands before each of its lines."""
LONGEST_VALUE = 160
"""Characters of a value, or of one item of a list, that are shown."""
MOST_ITEMS = 5
"""Items of a list, or lines of evidence, that are shown."""


def every(policy: Policy) -> tuple[Rule, ...]:
    """Every rule there is: the policy's, and the one about its waivers."""
    return (*policy.rules, waivers.RULE)


def overview(policy: Policy) -> str:
    """Every rule in a line, below its file and the images it concerns; last those no image shows, and every profile."""
    groups: dict[str, list[tuple[str, ...]]] = {}
    for rule in sorted(every(policy), key=lambda rule: bool(rule.elsewhere)):
        groups.setdefault(_group(rule), []).append((rule.id, rule.level, rule.severity, rule.title))
    if policy.profiles:
        groups["profiles"] = [(profile.name, _blocks(profile)) for profile in policy.profiles]
    return "\n\n".join("\n".join([title, *_aligned(rows)]) for title, rows in groups.items())


def explained(rule: Rule) -> str:
    """One rule in full."""
    parts = {
        "concerns": f"images where {rule.when}" if rule.when else "every image",
        **_question(rule),
        "checks needed": ", ".join(_checks(rule)),
        "says": _prose(rule.message),
        "remedy": _prose(rule.remedy),
        "reference": rule.reference,
    }
    lines = [f"{rule.id}: {rule.title}", f"  {rule.level}, {rule.severity}, {rule.file}"]
    return "\n".join(lines + [f"  {f'{name}:':<14} {_indented(text, MARGIN)}" for name, text in parts.items() if text])


def judged(
    rule: Rule, policy: Policy, facts: Facts, history: History, verdict: Verdict, result: RuleResult | None
) -> str:
    """What the rule read of one image, and what came of it (None: it does not concern the image); both bounded."""
    profile, now = verdict.profile, datetime.fromisoformat(verdict.at)
    values = bind(policy, dump(facts), history, profile=profile, now=now)
    lines = [f"{facts.image.name} ({facts.image.platform}, {facts.image.digest})", "  it read:"]
    lines += [f"    {line}" for line in _read(rule, values)] or ["    no fact"]
    if result is None:
        return "\n".join([*lines, f"  it says nothing: the rule does not concern this image (profile {profile})"])
    blocks = ", which blocks" if result.blocking else ""
    lines.append(f"  it says: {OUTCOME_WORDS[result.outcome]}{blocks} (profile {profile})")
    said = (
        *([result.message] if result.message else ()),
        *evidence(result),
        *(f"waived: {by}" for by in result.waived_by),
    )
    return "\n".join(lines + [f"    {line}" for line in _few(said)])


def _read(rule: Rule, values: Mapping[str, Any]) -> Iterator[str]:
    names = set(scope.reads(rule)) | {f"checks.{name}.done" for name in _checks(rule)}
    for name in (name for name in NAMES if name in names):
        value = values[name].isoformat() if name == NOW else values[name]
        if isinstance(value, list) and value and isinstance(value[0], Mapping):
            yield f"{name}: {len(value)}"
            yield from (f"  {line}" for line in _few(map(_compact, value)))
        else:
            yield f"{name} = {_cut(_compact(value))}"


def _question(rule: Rule) -> dict[str, str]:
    """What is asked of an image, and what breaks the rule."""
    if rule.elsewhere:
        return {"asked": "nothing: it is not checked here", "checked by": _prose(rule.elsewhere)}
    if not rule.deny:
        broken = "a waiver is over, runs too long, or matches nothing"
        return {"asked": "by the program, of every waiver", "broken when": broken}
    asked = f"for each item of {rule.each}" if rule.each else "of the whole image"
    return {"asked": asked, "broken when": rule.deny}


def _group(rule: Rule) -> str:
    """What stands above the rule."""
    if rule.elsewhere:
        return "not checked here, since no image shows it; --explain ID says what would check it"
    return f"{f'images where {_flat(rule.when)}' if rule.when else 'every image'}, {rule.file}"


def _checks(rule: Rule) -> list[str]:
    return sorted(scope.needs(rule))


def _blocks(profile: Profile) -> str:
    return f"blocks {', '.join(profile.blocks)}{'; pushes to loopback only' if profile.loopback_only else ''}"


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [f"  {'  '.join(map(str.ljust, row, widths))}".rstrip() for row in rows]


def _indented(text: str, width: int) -> str:
    return f"\n{' ' * width}".join(line.strip() for line in text.splitlines())


def _prose(text: str) -> str:
    """The text in lines broken between words; an expression stays as it was written."""
    return textwrap.fill(text, WIDTH - MARGIN, break_long_words=False, break_on_hyphens=False)


def _flat(text: str) -> str:
    return " ".join(text.split())


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
