"""What rules may ask, in words (docs/policies.md), and the facts' JSON schema, made from the fields' descriptions."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from imagewright.annotations import Doc
from imagewright.model.facts import SCHEMA, Facts
from imagewright.model.history import GateFacts, History
from imagewright.plain import hints
from imagewright.policy.vocabulary import BEFORE, HISTORY, VULNERABILITIES
from imagewright.schema import json_schema

Row = tuple[str, str, str]
"""A name with its type and its meaning."""
_KINDS = {bool: "bool", int: "int", float: "double", str: "string"}


def table() -> str:
    """Every name a rule may read, as Markdown tables: dotted path, type, meaning."""
    history = [row for row in _rows(History, f"{HISTORY}.") if row[0] in BEFORE]
    gates = _rows(GateFacts, f"{VULNERABILITIES}[].")
    return "\n".join(
        [
            *_table(f"The facts document, schema `{SCHEMA}`:", _rows(Facts, "")),
            "",
            *_table("What came before the image is no fact of it, and is known only while it is judged:", history),
            *_lines(gates),
        ]
    )


def _table(title: str, rows: Iterable[Row]) -> list[str]:
    return [title, "", "| fact | type | meaning |", "|---|---|---|", *_lines(rows)]


def _lines(rows: Iterable[Row]) -> list[str]:
    return [f"| `{path}` | {kind} | {meaning} |" for path, kind, meaning in rows]


def schema() -> str:
    """The JSON schema of the facts document, as the text of docs/facts.schema.json."""
    document = json_schema(Facts)
    document["$defs"]["Facts"]["properties"]["schema"]["const"] = SCHEMA
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _rows(cls: type, prefix: str) -> Iterator[Row]:
    known = hints(cls)
    for field in dataclasses.fields(cls):
        inner, meaning = _bare(known[field.name])
        path = f"{prefix}{field.name}"
        item = typing.get_args(inner)[0] if typing.get_origin(inner) is tuple else None
        if dataclasses.is_dataclass(inner) and isinstance(inner, type):
            yield from _rows(inner, f"{path}.")
        elif item is not None and dataclasses.is_dataclass(item) and isinstance(item, type):
            yield path, "list", meaning
            yield from ((f"{path}[].{rest}", kind, text) for rest, kind, text in _rows(item, ""))
        else:
            yield path, _kind(inner), meaning


def _bare(hint: Any) -> tuple[Any, str]:
    """The type without its annotations, and the description among them."""
    meaning = ""
    while hasattr(hint, "__metadata__"):
        meaning = next((m.description for m in hint.__metadata__ if isinstance(m, Doc)), meaning)
        hint = hint.__origin__
    return hint, meaning


def _kind(hint: Any) -> str:
    origin = typing.get_origin(hint)
    if origin is tuple:
        return f"list of {_kind(_bare(typing.get_args(hint)[0])[0])}"
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        return "table"
    if origin is types.UnionType:
        return " or ".join(_kind(part) for part in typing.get_args(hint))
    return _KINDS.get(hint, str(getattr(hint, "__name__", hint)))
