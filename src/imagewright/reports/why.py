"""What a run would do and why, step by step, as text. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from imagewright.inputkey import Change
from imagewright.reports import units

_LONGEST = 60
_HEX = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{28,}\b")
_BARE = ("image", "record", "definition", "history", "feeds", "comparison", "renderers", "sources")
"""Parts of which a digest is known, that tells nobody anything."""
_FILES = ("file", "Dockerfile", "ignore", "folder", "link", "hard", "special")


@dataclass(frozen=True, slots=True)
class Step:
    """One step of one image, as it would go now.

    ``reasons`` are complete sentences without a full stop; ``after`` names the step that has to be done before
    anything is known of this one.
    """

    image: str
    name: str
    state: Literal["reused", "again", "after"]
    reasons: tuple[str, ...] = ()
    after: str = ""


def reasons(changes: Iterable[Change]) -> tuple[str, ...]:
    """Each changed part in words: what it is called, and how it differs."""
    return tuple(_reason(change) for change in changes)


def render(steps: Iterable[Step]) -> str:
    """The steps below the name of their image, each reason on a line of its own."""
    return "\n".join(line for _, some in groupby(steps, lambda step: step.image) for line in _image(tuple(some)))


def _image(steps: tuple[Step, ...]) -> Iterator[str]:
    yield steps[0].image
    for step in steps:
        state = f"after the {step.after}" if step.state == "after" else step.state
        first, *more = step.reasons or ("",)
        yield f"  {step.name:<8} {state}{', because ' if first else ''}{first}"
        yield from (f"  {'':<8} {'':>{len(state)}}      and {reason}" for reason in more)


def _reason(change: Change) -> str:
    name = units.plain(change.name)
    kind = name.partition(" ")[0]
    if kind in _BARE and (kind == "image" or change.how == "changed"):
        return f"{name} is another"
    if change.how != "changed":
        return f"{name} is {change.how}"
    if kind in _FILES:
        return f"{name} {_file(change)}"
    return f"{name} changed from {_value(change.before)} to {_value(change.after)}"


def _file(change: Change) -> str:
    """How a file differs: mode and content stand side by side in the value of a build's file, else content alone."""
    (before, *content), (after, *other) = change.before.split(" "), change.after.split(" ")
    if content == other and change.name.startswith(("file", "folder") if content else "folder"):
        return f"changed its mode from {before} to {after}"
    return "leads elsewhere" if change.name.startswith(("link", "hard link")) else "changed"


def _value(text: str) -> str:
    """A value in one short line; digests as far as people compare them."""
    shown = units.plain(_HEX.sub(r"\1", text))
    return (shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…") or "nothing"
