"""The names a rule may use: every field of the facts document by its dotted path, derived from ``model.facts``."""

from __future__ import annotations

import dataclasses
import re
import typing
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from imagewright.model.facts import Facts
from imagewright.model.history import GateFacts, History
from imagewright.model.reported import CheckFacts
from imagewright.plain import hints

Kind = Literal["bool", "int", "double", "string", "time", "texts", "numbers", "records", "table"]
_SCALARS: dict[Any, Kind] = {bool: "bool", int: "int", float: "double", str: "string"}
_WORD = re.compile(r"(?<![\w.])[a-z_]\w*(?:\.[a-z_]\w*)*")
_NUMBERS = re.compile(r"\[([^][|]*)\|([^][|]*)\]")
_PLACEHOLDER = re.compile(r"\{([a-z_][\w.]*)\}")

NOW = "now"
"""The moment a rule is asked, as a timestamp."""
PROFILE = "profile"
"""The name of the profile in force."""
END_OF_LIFE = "end_of_life"
"""The policy's table of when each line of a runtime ends: RFC 3339 by name."""
HISTORY = "history"
"""What the image is judged against: ``history.against`` and the like."""
VULNERABILITIES = "vulnerabilities"
"""The list whose items are given a gate."""
COUNT = "count"
"""In a message: how many items broke the rule."""


def _walk(cls: type, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, documented in hints(cls).items():
        hint = (
            getattr(documented, "__origin__", documented) if typing.get_origin(documented) is Annotated else documented
        )
        if dataclasses.is_dataclass(hint):
            yield from _walk(typing.cast("type", hint), f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", hint


def _bare(hint: Any) -> Any:
    return hint.__origin__ if typing.get_origin(hint) is Annotated else hint


def _kind(hint: Any) -> Kind:
    if hint in _SCALARS:
        return _SCALARS[hint]
    if typing.get_origin(hint) is not tuple:
        return "table"
    item = typing.get_args(hint)[0]
    return "texts" if item is str else "numbers" if item is int else "records"


def _item(hint: Any) -> dict[str, Kind]:
    item = typing.get_args(hint)[0]
    if item in _SCALARS:
        return {"item": _SCALARS[item]}
    return {f"item.{name}": _kind(field) for name, field in _walk(item)}


BEFORE: Mapping[str, Kind] = {
    f"{HISTORY}.{name}": "string" for name, hint in hints(History).items() if typing.get_origin(hint) is Annotated
}
"""What a rule may ask about the release before: the documented fields of ``History``."""
GATED: dict[str, Kind] = {f"item.{name}": "string" for name, _ in _walk(GateFacts)}
"""What ``item`` has beside its facts while a vulnerability is judged."""
NAMES: Mapping[str, Kind] = {name: _kind(hint) for name, hint in _walk(Facts)} | {
    **{NOW: "time", PROFILE: "string", END_OF_LIFE: "table"},
    **BEFORE,
}
"""Every fact by its dotted path, and what is none: ``now``, ``profile``, ``end_of_life`` and ``history``."""
ITEMS: Mapping[str, Mapping[str, Kind]] = {
    name: _item(hint) | (GATED if name == VULNERABILITIES else {})
    for name, hint in _walk(Facts)
    if typing.get_origin(hint) is tuple
}
"""For each list of the facts, what ``item`` means while a rule asks about one of its items."""
CHECKS: tuple[str, ...] = tuple(field.name for field in dataclasses.fields(CheckFacts))
"""The checks a rule may require."""
_FIELD_CHECKS = {"epss": "epss", "epss_percentile": "epss", "kev": "kev", "kev_due": "kev"}
"""Fields of an item that say nothing without a check of their own, whatever the item is called."""


def flatten(document: Mapping[str, Any]) -> dict[str, Any]:
    """The facts document by dotted path; what it lacks is left out, and a rule that asks for it is undecided."""
    flat = {}
    for name in NAMES:
        value: Any = document
        for part in name.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        if value is not None:
            flat[name] = value
    return flat


def names_read(expression: str) -> frozenset[str]:
    """The facts and fields of items that occur in an expression; rather one too many than one too few."""
    found = set()
    for word in _WORD.findall(re.sub(r"\s*\.\s*", ".", expression)):
        parts = word.split(".")
        found |= {".".join(parts[: length + 1]) for length in range(len(parts))}
    return frozenset(
        name for name in found if name in NAMES or name.partition(".")[0] == "item" or _field(name) in _FIELD_CHECKS
    )


def checks_behind(names: frozenset[str]) -> frozenset[str]:
    """The checks without which these facts say nothing: an empty list may only mean that nobody looked."""
    checks = {root for name in names if (root := name.partition(".")[0]) in CHECKS}
    if any(name.startswith("severities.") for name in names):
        checks.add("vulnerabilities")
    return frozenset(checks | {_FIELD_CHECKS[field] for name in names if (field := _field(name)) in _FIELD_CHECKS})


def _field(name: str) -> str:
    return name.rpartition(".")[2]


def placeholders(template: str) -> tuple[str, ...]:
    """The names a message quotes as ``{name}``."""
    return tuple(_PLACEHOLDER.findall(template))


def render(template: str, values: Mapping[str, Any]) -> str:
    """The message with its facts filled in; a fact that is missing shows as ``?``.

    Where things are counted, ``[file is|files are]`` becomes the first for one of them, else the second.
    """
    if COUNT in values:
        template = _NUMBERS.sub(lambda match: match[1] if values[COUNT] == 1 else match[2], template)
    return _PLACEHOLDER.sub(lambda match: _plain(values.get(match[1], "?")), template)


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={item}" for key, item in value.items()) or "none"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_plain, value)) or "none"
    return str(value) if value != "" else "(empty)"
