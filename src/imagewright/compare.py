"""Pure: two images that should be the same → what differs, in words, with the usual cause.

Layers are compared entry by entry, as their archives hold them: whiteouts are entries like all others. What only
follows from something else (a digest, a size, a diff id) is not named beside it.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from imagewright.reference import Digest

Aspect = Literal[
    "content", "kind", "mode", "owner", "time", "target", "attributes", "missing", "added", "order", "archive", "value"
]


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a layer's archive, with all that two builds can differ in.

    ``time`` in seconds since 1970, ``content`` None for what has none, ``attributes`` the extended headers
    (xattrs and the like).
    """

    path: str
    kind: str
    mode: int
    uid: int
    gid: int
    time: float
    size: int = 0
    content: Digest | None = None
    target: str = ""
    attributes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs at one path: of a layer (``where`` names it), the configuration or the manifest."""

    where: str
    path: str
    aspects: tuple[Aspect, ...]
    detail: str = ""

    def __str__(self) -> str:
        named = f"{self.where} {self.path}: {', '.join(self.aspects)}"
        return f"{named} ({self.detail})" if self.detail else named

    @property
    def cause(self) -> str:
        """What it usually comes from and what to do about it; empty when nothing is known."""
        for aspects, pattern, text in _CAUSES:
            if aspects.intersection(self.aspects) and re.search(pattern, self.path):
                return text
        return ""


_BYTES = frozenset[Aspect](("content", "missing", "added"))
_CAUSES: tuple[tuple[frozenset[Aspect], str, str], ...] = (
    (_BYTES, r"\.pyc$", "bytecode holds a date: python3 -m compileall --invalidation-mode unchecked-hash"),
    (_BYTES, r"\.next/(BUILD_ID$|static/)", "Next.js invents a build id: set generateBuildId in next.config"),
    (
        _BYTES,
        r"(prerender-manifest|preview-props|server-reference-manifest)\.",
        "Next.js makes random keys at build time: take them out after the build",
    ),
    (
        _BYTES,
        r"/dpkg/(status|info|available)|/apk/db/|/rpm/|/apt/lists/|/debconf/",
        "packages moved in their archive between the builds: pin their versions or a snapshot of the archive",
    ),
    (_BYTES, r"(^|/)(log|logs|_logs)/|\.log$", "a log: remove it in the step that writes it"),
    (
        _BYTES,
        r"(^|/)(\.?cache|_cacache|\.npm|tmp)/|/ldconfig/aux-cache|\.package-lock\.json$",
        "a cache or temporary file: remove it in the step that writes it, or mount a cache there",
    ),
    (_BYTES, r"(^|/)(__pycache__|\.git|node_modules/\.cache)(/|$)", "left by a tool: remove it in the same step"),
    (_BYTES, r"/(machine-id|ssh_host_\w+_key\S*|random-seed)$", "made anew on each system: no image should hold it"),
    (_BYTES, r"\.(zip|jar|whl|gz|tgz|tar)$", "an archive holds dates and an order: make it from sorted, dated files"),
    (_BYTES, r"\.(so|a|o|node|exe)(\.\d+)*$", "a compiled file: paths, dates or the order of inputs are in it"),
    (_BYTES, r"/RECORD$|/direct_url\.json$", "pip records what it made: compile to bytecode afterwards, not with pip"),
    (
        frozenset[Aspect](("time",)),
        r"",
        "a date of the build or of a checkout: set it in the build stage (touch --date), before the COPY",
    ),
    (
        frozenset[Aspect](("value",)),
        r"created$|SOURCE_DATE_EPOCH",
        "a date of the build: is SOURCE_DATE_EPOCH set, and the same?",
    ),
    (frozenset[Aspect](("order",)), r"", "files were read in another order: nothing in the image depends on it"),
    (frozenset[Aspect](("archive",)), r"", "the same files packed in another way: another builder or compressor"),
    (_BYTES, r"", "look for dates, random numbers, host names or an unsorted listing in the step that writes it"),
)


def entries(where: str, first: Iterable[Entry], second: Iterable[Entry]) -> tuple[Difference, ...]:
    """How two layers differ, by path; nothing when they hold the same entries in the same order."""
    before, after = tuple(first), tuple(second)
    one, other = _numbered(before), _numbered(after)
    found = tuple(_paths(where, one, other))
    if not found and before != after:
        return (Difference(where, "/", ("order",)),)
    return found


def documents(where: str, first: Mapping[str, Any], second: Mapping[str, Any]) -> tuple[Difference, ...]:
    """How two JSON documents differ, by the path of each value."""
    one, other = dict(_values(first)), dict(_values(second))
    return tuple(
        Difference(where, path, ("value",), f"{_shown(one, path)} and {_shown(other, path)}")
        for path in sorted(one.keys() | other.keys())
        if one.get(path) != other.get(path)
    )


def lines(differences: Sequence[Difference], *, most: int) -> tuple[str, ...]:
    """The differences as text, the cause after each the first time it is given; ``most`` lines and what is left."""
    told: set[str] = set()
    text = []
    for difference in differences[:most]:
        cause = "" if difference.cause in told else difference.cause
        told.add(difference.cause)
        text.append(f"{difference}; {cause}" if cause else str(difference))
    left = len(differences) - most
    return (*text, *([f"and {left} more"] if left > 0 else ()))


_Numbered = dict[tuple[str, int], Entry]


def _numbered(found: Iterable[Entry]) -> _Numbered:
    """Entries by path; an archive may hold a path more than once."""
    seen: Counter[str] = Counter()
    numbered = {}
    for entry in found:
        numbered[entry.path, seen[entry.path]] = entry
        seen[entry.path] += 1
    return numbered


def _paths(where: str, one: _Numbered, other: _Numbered) -> Iterator[Difference]:
    for key in sorted(one.keys() | other.keys()):
        before, after = one.get(key), other.get(key)
        if before is None or after is None:
            yield Difference(where, key[0], ("added" if before is None else "missing",))
        elif before != after:
            yield Difference(where, key[0], tuple(_aspects(before, after)), _detail(before, after))


def _aspects(one: Entry, other: Entry) -> Iterator[Aspect]:
    if one.kind != other.kind:
        yield "kind"
    if (one.content, one.size) != (other.content, other.size):
        yield "content"
    if one.mode != other.mode:
        yield "mode"
    if (one.uid, one.gid) != (other.uid, other.gid):
        yield "owner"
    if one.time != other.time:
        yield "time"
    if one.target != other.target:
        yield "target"
    if one.attributes != other.attributes:
        yield "attributes"


def _detail(one: Entry, other: Entry) -> str:
    """The two values where they are short enough to say."""
    pairs = (
        (one.kind, other.kind),
        (f"{one.size} B", f"{other.size} B"),
        (f"{one.mode:04o}", f"{other.mode:04o}"),
        (f"{one.uid}:{one.gid}", f"{other.uid}:{other.gid}"),
        (f"{one.time:.15g}", f"{other.time:.15g}"),
        (one.target, other.target),
    )
    return "; ".join(f"{before} and {after}" for before, after in pairs if before != after)


def _values(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every leaf of a document as JSON, with its path; empty containers are leaves."""
    items: Iterable[tuple[str, Any]] = ()
    if isinstance(value, Mapping):
        items = ((f"{path}.{key}" if path else str(key), item) for key, item in value.items())
    elif isinstance(value, list):
        items = ((f"{path}[{number}]", item) for number, item in enumerate(value))
    if not value or not isinstance(value, (Mapping, list)):
        yield path, json.dumps(value, ensure_ascii=False)
    for inner, item in items:
        yield from _values(item, inner)


def _shown(values: Mapping[str, str], path: str) -> str:
    text = values.get(path, "nothing")
    return text if len(text) <= 80 else f"{text[:79]}…"
