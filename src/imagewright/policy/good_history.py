"""The history of the image a fixture describes: its ``history.…``, and what its vulnerabilities say of their gates."""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from imagewright.errors import Problem
from imagewright.model.history import Gate, History
from imagewright.policy import gates
from imagewright.policy.vocabulary import BEFORE, HISTORY, VULNERABILITIES
from imagewright.schema import near, parse

_BASELINE = f"sha256:{'b' * 64}"
_GATE, _FIRST_SEEN = "gate", "first_seen"
_GATES: tuple[str, ...] = typing.get_args(Gate)


def before(
    changes: Mapping[str, Any], *, file: str, at: str, problems: list[Problem]
) -> tuple[dict[str, Any], History | None]:
    """The changes (by dotted path) that are left for the facts, and the history that the others make.

    A disclosed vulnerability puts its package into a release before. Mistakes go to ``problems``.
    """
    left = {path: value for path, value in changes.items() if path not in BEFORE}
    own = {path.removeprefix(f"{HISTORY}."): value for path, value in changes.items() if path in BEFORE}
    items = left.get(VULNERABILITIES)
    placed = [_placed(item, number) for number, item in enumerate(items)] if isinstance(items, list) else []
    if placed:
        left[VULNERABILITIES] = [_facts(item) for item in placed]
    said = [item for item in placed if _is_told(item)]
    problems += (Problem(file, at, wrong) for item in said for wrong in _mistakes(item))
    disclosed = [_package(item) for item in said if item.get(_GATE) == "disclosed"]
    known = {"against": _BASELINE} if disclosed else {}
    sightings = [_sighting(item) for item in said if _FIRST_SEEN in item]
    document = {
        **known,
        **own,
        "packages": disclosed,
        "sightings": sightings,
    }
    return left, parse(History, document, file=file, at=f"{at}.{HISTORY}", problems=problems)


def _placed(item: Any, number: int) -> Any:
    """An item that says something of its gate, told from the others by names of its own where it has none."""
    return {"id": f"CVE-{number}", "package": f"package-{number}", **item} if _is_told(item) else item


def _is_told(item: Any) -> bool:
    return isinstance(item, Mapping) and (_GATE in item or _FIRST_SEEN in item)


def _facts(item: Any) -> Any:
    return {key: item[key] for key in item if key not in (_GATE, _FIRST_SEEN)} if _is_told(item) else item


def _package(item: Mapping[str, Any]) -> str:
    name, version, kind, purl, path = (str(item.get(key, "")) for key in ("package", "version", "type", "purl", "path"))
    return gates.package(name, version, kind, purl, path)


def _sighting(item: Mapping[str, Any]) -> dict[str, Any]:
    id, package = gates.finding(item["id"], item.get("type", ""), item["package"])
    return {"id": id, "package": package, "at": item[_FIRST_SEEN]}


def _mistakes(item: Mapping[str, Any]) -> Iterator[str]:
    gate = item.get(_GATE, _GATES[0])
    if gate not in _GATES:
        yield f"{VULNERABILITIES}: no such gate: {gate!r}{near(str(gate), _GATES)}"
    try:
        if datetime.fromisoformat(item.get(_FIRST_SEEN, "2026-01-01T00:00:00Z")).tzinfo is None:
            raise ValueError("no time zone")
    except (TypeError, ValueError):
        yield f'{VULNERABILITIES}: first_seen must be a moment as text: "2026-01-01T12:00:00Z"'
