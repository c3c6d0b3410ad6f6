"""The facts document in words (docs/policies.md) and as a JSON schema, made from the fields' own descriptions."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic.fields import FieldInfo

from imagewright.model.facts import SCHEMA, Facts
from imagewright.schema import json_schema

_KINDS = {bool: "bool", int: "int", float: "double", str: "string"}


def table() -> str:
    """Every fact a rule may read, as a Markdown table: dotted path, type, meaning."""
    rows = [f"| `{path}` | {kind} | {meaning} |" for path, kind, meaning in _rows(Facts, "")]
    return "\n".join(
        [f"The facts document, schema `{SCHEMA}`:", "", "| fact | type | meaning |", "|---|---|---|", *rows]
    )


def schema() -> str:
    """The JSON schema of the facts document, as the text of docs/facts.schema.json."""
    document = json_schema(Facts)
    document["$defs"]["Facts"]["properties"]["schema"]["const"] = SCHEMA
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _rows(cls: type, prefix: str) -> Iterator[tuple[str, str, str]]:
    hints = typing.get_type_hints(cls, include_extras=True)
    for field in dataclasses.fields(cls):
        inner, meaning = _bare(hints[field.name])
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
        meaning = next((str(m.description) for m in hint.__metadata__ if isinstance(m, FieldInfo)), meaning)
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
