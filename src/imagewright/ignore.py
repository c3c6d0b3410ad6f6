"""Which files an ignore file keeps out of a build, as BuildKit decides it. Pure.

The last pattern that matches a path, or matched a folder above it, decides. https://github.com/moby/patternmatcher
"""

from __future__ import annotations

import functools
import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

_SPECIAL_IN_SETS = re.compile(r"[\[&~|]")  # to Python alone


@dataclass(frozen=True, slots=True)
class Pattern:
    """One line: what it matches, and whether it lets in again (``!``)."""

    text: str
    lets_in: bool
    regex: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a walk: the patterns (bits, by number) that matched it or a folder above, and whether it is out."""

    matched: int
    out: bool


TOP = Place(0, out=False)
"""The context itself, where a walk begins."""


@dataclass(frozen=True, slots=True)
class Ignore:
    """An ignore file's patterns in order. None at all keeps nothing out."""

    patterns: tuple[Pattern, ...] = ()
    _any: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        words = "|".join(f"(?:{pattern.regex.pattern})" for pattern in self.patterns)
        object.__setattr__(self, "_any", re.compile(words or "(?!)", re.DOTALL))

    def keeps_out(self, path: str) -> bool:
        """Whether a file or folder (relative to the context, forward slashes) stays outside."""
        place = TOP
        for above in (*reversed([*_above(path)]), path):
            place = self.enter(place, above)
        return place.out

    def enter(self, above: Place, path: str) -> Place:
        """What holds at a path, from what holds at the folder it lies in: a walk asks each pattern once a place."""
        if not self._any.fullmatch(path):
            return above
        # What matched a folder matches all below it; a pattern that could change nothing is not asked.
        matched, out = above.matched, False
        for number, pattern in enumerate(self.patterns):
            bit = 1 << number
            if not matched & bit and pattern.lets_in == out and pattern.regex.fullmatch(path):
                matched |= bit
            if matched & bit:
                out = not pattern.lets_in
        return Place(matched, out)

    def may_let_in_below(self, folder: str) -> bool:
        """Whether some file below this folder could be let in, so that it has to be looked into."""
        return not self.keeps_out(folder) or self.reaches_below(folder)

    def reaches_below(self, folder: str) -> bool:
        """Whether a pattern could let something in below a folder that is kept out itself."""
        return any(
            pattern.lets_in and (_fixed(pattern.text).startswith(f"{folder}/") or _is_open(pattern.text, folder))
            for pattern in self.patterns
        )


@functools.lru_cache(maxsize=256)  # one run asks for the same file several times, and many files say the same
def parse(text: str) -> Ignore:
    """Read an ignore file; a line that is no pattern is passed over."""
    return Ignore(tuple(_patterns(text.removeprefix("\ufeff").splitlines())))


def _patterns(lines: Iterable[str]) -> Iterator[Pattern]:
    for line in lines:
        if line.startswith("#") or not (text := line.strip()):
            continue
        lets_in = text.startswith("!")
        text = text.removeprefix("!").strip() if lets_in else text
        if not text:
            continue
        text = posixpath.normpath(text)
        text = text.lstrip("/") or text
        yield Pattern(text, lets_in, _regex(text))


def _regex(text: str) -> re.Pattern[str]:
    """https://pkg.go.dev/path/filepath#Match, and ``**`` for any number of folders."""
    parts = re.findall(r"\*\*/|\*\*|\*|\?|\\.|\[[^\]]+\]|.", text, re.DOTALL)
    words = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    try:
        return re.compile("".join(words.get(part) or _literal(part) for part in parts), re.DOTALL)
    except re.error:
        return re.compile(re.escape(text))


def _literal(part: str) -> str:
    if len(part) > 2 and part.startswith("["):
        return "[" + _SPECIAL_IN_SETS.sub(r"\\\g<0>", part[1:-1]) + "]"
    return re.escape(part[1:] if len(part) == 2 else part)


def _above(path: str) -> Iterator[str]:
    while path := posixpath.dirname(path):
        yield path


def _fixed(text: str) -> str:
    """The pattern as far as it names one place."""
    return re.split(r"[*?\[\\]", text, maxsplit=1)[0]


def _is_open(text: str, folder: str) -> bool:
    """Whether a pattern with wildcards may reach below the folder."""
    fixed = _fixed(text)
    return fixed != text and f"{folder}/".startswith(fixed)
