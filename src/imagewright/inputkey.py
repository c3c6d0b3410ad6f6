"""The key of a step: a digest over the named parts of what the step depends on. Pure.

The parts are kept beside what the step made, so that a later run can say which of them changed.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from imagewright.reference import Digest

Part = tuple[str, str]
"""One thing a step depends on: what it is called (``file app/main.py``), and what it is now."""


@dataclass(frozen=True)  # without slots: the digest is kept once it was asked for
class InputKey:
    """The parts of a step's inputs, by name; each name once."""

    parts: tuple[Part, ...]

    @functools.cached_property
    def digest(self) -> Digest:
        """The key: equal parts, equal digest, in whatever order they were found."""
        return Digest.of(json.dumps(self.parts).encode())


@dataclass(frozen=True, slots=True)
class Change:
    """One part that is not what it was; ``before`` and ``after`` are empty where there was or is none."""

    name: str
    how: Literal["new", "gone", "changed"]
    before: str
    after: str


def of(parts: Iterable[Part]) -> InputKey:
    """The key of these parts; raises ValueError when two of one name differ, since no name may hide another."""
    listed = tuple(parts)
    known = dict(listed)
    for name, value in listed if len(known) < len(listed) else ():
        if known[name] != value:
            raise ValueError(f"two inputs are called {name!r}: {value!r} and {known[name]!r}")
    return InputKey(tuple(sorted(known.items())))


def changes(before: InputKey, after: InputKey) -> tuple[Change, ...]:
    """What differs between two keys of one step, by name; none exactly when their digests are the same."""
    old, new = dict(before.parts), dict(after.parts)
    names = (name for name in sorted({*old, *new}) if old.get(name) != new.get(name))
    return tuple(Change(name, _how(name, old, new), old.get(name, ""), new.get(name, "")) for name in names)


def _how(name: str, old: dict[str, str], new: dict[str, str]) -> Literal["new", "gone", "changed"]:
    if name not in old:
        return "new"
    return "changed" if name in new else "gone"
