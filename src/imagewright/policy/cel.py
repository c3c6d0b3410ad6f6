"""The only door to CEL, the expression language of rules (https://cel.dev).

Every fact is declared by its dotted name with its type, so a misspelt name or a comparison of unlike types is found
when the rule is loaded. The library bounds nesting (32) and list iterations (10,000) of one expression itself and
matches patterns in linear time; length and total time are bounded here.
"""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from imagewright.policy import bounded
from imagewright.policy.bounded import IN_TIME
from imagewright.policy.vocabulary import ITEMS, NAMES, Kind, names_read

if TYPE_CHECKING:
    from cel_expr_python import cel  # type: ignore[import-untyped]  # has stubs, but no py.typed

LONGEST_EXPRESSION = 4000
"""Characters a rule's expression may have."""

_POSITION = re.compile(r"<input>:(-?\d+):(-?\d+): (.*)")
_UNKNOWN = re.compile(r"undeclared reference to '([\w.]+)'")


@dataclass(frozen=True, slots=True)
class Undecided:
    """The expression gave no answer, and why: never the same as no."""

    reason: str


Found = list[tuple[int, bool | Undecided]]


class BadExpression(ValueError):
    """An expression that is no boolean question about the facts; the text names line and column."""


@dataclass(frozen=True, slots=True)
class Question:
    """A compiled expression. ``reads`` are the facts it mentions, ``item`` fields included."""

    deny: cel.Expression
    each: str
    reads: frozenset[str]

    def ask(self, facts: Mapping[str, Any]) -> bool | Undecided:
        """The answer for the whole document, given as facts by dotted name."""
        bounded.start()
        return _answer(self.deny, facts)

    def offenders(self, facts: Mapping[str, Any]) -> Found | Undecided:
        """The items of the list for which the answer is yes or unknown, by index."""
        around = {name: facts[name] for name in self.reads if name in facts}
        fields = sorted(self.reads & ITEMS[self.each].keys())
        # NOTE: thousands of findings differ in few of the fields a rule reads; each combination is asked once.
        answers: dict[object, bool | Undecided] = {}
        plain = all(ITEMS[self.each][name] in ("bool", "int", "double", "string") for name in fields)
        bounded.start()
        found: Found = []
        items = facts[self.each]
        columns = [items if name == "item" else [item[name[len("item.") :]] for item in items] for name in fields]
        for index, values in enumerate(zip(*columns, strict=True) if columns else [()] * len(items)):
            asked = values if plain else repr(values)
            if asked not in answers:
                try:
                    answers[asked] = _answer(self.deny, around | dict(zip(fields, values, strict=True)))
                    bounded.in_time()
                except bounded.TooSlow as error:
                    return Undecided(str(error))
            if (answer := answers[asked]) is not False:
                found.append((index, answer))
        return found


@functools.cache
def compile_question(deny: str, each: str = "") -> Question:
    """Compile a rule's expression; ``each`` names the list whose items it is asked about as ``item``.

    Raises BadExpression for a mistake, with its place and the near-miss name.
    """
    if each and each not in ITEMS:
        raise BadExpression(f"{each!r} is no list of the facts{_near(each, ITEMS)}")
    expression = _compile(each, deny)
    if (kind := expression.return_type().name()) not in ("BOOL", "DYN"):
        raise BadExpression(f"it yields {kind}, not BOOL")
    reads = names_read(deny) | ({each} if each else set())
    return Question(expression, each, frozenset(reads))


def _compile(each: str, text: str) -> cel.Expression:
    if len(text) > LONGEST_EXPRESSION:
        raise BadExpression(f"it has {len(text)} characters, more than {LONGEST_EXPRESSION}")
    try:
        # NOTE: the expression as written comes first, so that a mistake is told where its author sees it.
        written = _environment(each).compile(text)
        asking = bounded.bounded(text)
        return written if asking == text else _environment(each).compile(asking)
    except RuntimeError as error:
        raise BadExpression(_explain(str(error), [*NAMES, *ITEMS.get(each, ())])) from error


@functools.cache
def _environment(each: str) -> cel.Env:
    from cel_expr_python import cel  # 14 MB that only judging needs

    record = cel.Type.Map(cel.Type.STRING, cel.Type.DYN)
    types: dict[Kind, cel.Type] = {
        "bool": cel.Type.BOOL,
        "int": cel.Type.INT,
        "double": cel.Type.DOUBLE,
        "string": cel.Type.STRING,
        "time": cel.Type.TIMESTAMP,
        "texts": cel.Type.List(cel.Type.STRING),
        "numbers": cel.Type.List(cel.Type.INT),
        "records": cel.Type.List(record),
        "table": cel.Type.Map(cel.Type.STRING, cel.Type.STRING),
    }
    clock = cel.FunctionDecl(IN_TIME, [cel.Overload(IN_TIME, cel.Type.BOOL, [], False, bounded.in_time)])
    variables = {name: types[kind] for name, kind in {**NAMES, **ITEMS.get(each, {})}.items()}
    return cel.NewEnv(variables=variables, functions=[clock])


def _answer(expression: cel.Expression, data: Mapping[str, Any]) -> bool | Undecided:
    try:
        result = expression.eval(data=data)
    except RuntimeError as error:
        return Undecided(str(error))
    value = result.value()
    # NOTE: an ERROR converts to its text, which is truthy; only the two booleans themselves are answers.
    if value is True or value is False:
        return bool(value)
    kind = result.type().name()
    return Undecided(str(value) if kind == "ERROR" else f"it yields {kind}, not BOOL")


def _explain(text: str, known: Iterable[str]) -> str:
    found = _POSITION.search(text)
    if not found:
        return text.splitlines()[0]
    line, column, message = int(found[1]), int(found[2]), found[3].partition(" (in container")[0]
    unknown = _UNKNOWN.search(message)
    hint = _near(unknown[1], known) if unknown else ""
    place = f"line {line}, column {column}: " if line > 0 else ""
    return f"{place}{message}{hint}"


def _near(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
