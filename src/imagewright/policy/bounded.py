"""Expressions that look at the clock: every loop of one asks before each round whether there is time left.

CEL bounds how many rounds a loop has, not what one costs: comparing two lists of thousands is a single round's work.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextvars import ContextVar

LONGEST_RULE = 1.0
"""Seconds a rule may take, over all items of its list."""
IN_TIME = "_in_time_"
"""The function that loops call: true, or an error once the time is over."""

_UNTIL: ContextVar[float] = ContextVar("until")
_TOKEN = re.compile(
    r"[rRbB]{0,2}(?:\"\"\"(?:\\.|[^\\])*?\"\"\"|'''(?:\\.|[^\\])*?'''|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*')"
    r"|//[^\n]*|\.\s*(?P<macro>all|exists|exists_one|existsOne|filter|map)\s*\(|[\[({]|[\])}]|,|[\w]+|.",
    re.DOTALL,
)


class TooSlow(Exception):
    """The time of a rule is over."""


def start() -> None:
    """From now on a rule has ``LONGEST_RULE`` seconds."""
    _UNTIL.set(time.perf_counter() + LONGEST_RULE)


def in_time() -> bool:
    """True while there is time left; raises TooSlow afterwards, so that no answer comes of it."""
    if time.perf_counter() > _UNTIL.get():
        raise TooSlow(f"it took more than {LONGEST_RULE:g} s")
    return True


def bounded(text: str) -> str:
    """The same expression, sound CEL, with the question for time in each of its loops."""
    return "".join(_until_closed(iter(_TOKEN.finditer(text))))


def _until_closed(tokens: Iterator[re.Match[str]]) -> Iterator[str]:
    """What stands up to the bracket that closes it, that one included."""
    for token in tokens:
        yield token[0]
        if token["macro"]:
            yield _loop(token["macro"], tokens)
        elif token[0] in "([{":
            yield from _until_closed(tokens)
        elif token[0] in ")]}":
            return


def _loop(macro: str, tokens: Iterator[re.Match[str]]) -> str:
    """The arguments of a loop, its closing bracket included, with the question in it.

    A conditional, because && and || ask their other side too when one fails.
    """
    variable, *parts = _arguments(tokens)
    if macro == "map" and len(parts) == 1:
        return f"{variable}, {IN_TIME}(), {parts[0]})"
    question, *rest = parts or [""]
    return ",".join([variable, f" {IN_TIME}() ? ({question}) : false", *rest]) + ")"


def _arguments(tokens: Iterator[re.Match[str]]) -> list[str]:
    found = [""]
    for token in tokens:
        if token[0] == ")":
            break
        if token[0] == ",":
            found.append("")
            continue
        found[-1] += token[0]
        if token["macro"]:
            found[-1] += _loop(token["macro"], tokens)
        elif token[0] in "([{":
            found[-1] += "".join(_until_closed(tokens))
    return found
