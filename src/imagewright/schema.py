"""Data from outside → frozen values: every mistake at once, with its dotted path and the near-miss name.

Files people write forbid unknown keys; records this program wrote are read back with the same strictness.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import types
import typing
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

import tomli

from imagewright import plain
from imagewright.errors import Problem

if TYPE_CHECKING:
    from pydantic import TypeAdapter
    from pydantic_core import ErrorDetails

T = TypeVar("T")
_FEW = 30

_MESSAGES = {
    "missing": "is required",
    "string_type": "must be a string",
    "int_type": "must be a whole number",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list",
    "dict_type": "must be a table",
    "dataclass_type": "must be a table",
    "date_type": "must be a date (YYYY-MM-DD)",
}


def load_toml(text: str, *, file: str, problems: list[Problem]) -> dict[str, Any]:
    """Parse TOML; a syntax error becomes a Problem (with line and column) and an empty table."""
    try:
        return tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        problems.append(Problem(file, "", f"is not TOML: {error}"))
        return {}


def parse(cls: type[T], data: Mapping[str, Any], *, file: str, problems: list[Problem], at: str = "") -> T | None:
    """Read a table into the frozen dataclass ``cls``.

    Every mistake is appended to ``problems`` (``at`` is the dotted path of the table in ``file``);
    returns None when there was one.
    """
    try:
        value: T = plain.read(cls, data)
        return value
    except ValueError:
        from pydantic import ValidationError
    try:
        return _validated(cls, data)
    except ValidationError as error:
        problems.extend(_problem(cls, detail, file, at) for detail in error.errors())
        return None


def near(name: str, known: Sequence[str]) -> str:
    """``; did you mean …?`` when a known name is close, else which names there are, unless they are too many."""
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known: {', '.join(sorted(known))}" if 0 < len(known) <= _FEW else ""


def dump(value: object) -> Any:
    """A frozen value as plain JSON types, field order kept."""
    try:
        return plain.dump(value)
    except plain.Unlike:
        return _adapter(cast(Any, type(value))).dump_python((value,), mode="json")[0]


def read(cls: type[T], data: Any) -> T:
    """The value that ``dump`` wrote; raises ValueError when it is not one."""
    try:
        value: T = plain.read(cls, data)
    except ValueError:
        return _validated(cls, data)
    return value


def _validated(cls: type[T], data: Any) -> T:
    """The value, where the straight way does not lead to one; raises pydantic's ValidationError with every mistake."""
    value: T = _adapter(cast(Any, cls)).validate_python((data,))[0]
    return value


def json_schema(cls: type) -> dict[str, Any]:
    """The JSON schema of what ``dump`` writes for a frozen dataclass; keys it does not have are refused."""
    document = _adapter(cast(Any, cls)).json_schema(mode="serialization")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **document["prefixItems"][0],
        "$defs": document["$defs"],
    }


@functools.cache
def _adapter(cls: Any) -> TypeAdapter[Any]:
    from pydantic import ConfigDict, TypeAdapter

    # NOTE: pydantic takes a configuration for plain dataclasses only from the type around them, hence the
    # one-tuple: https://errors.pydantic.dev/2.14/u/type-adapter-config-unused
    return TypeAdapter(tuple[cls], config=ConfigDict(extra="forbid"))


def _problem(cls: type, detail: ErrorDetails, file: str, at: str) -> Problem:
    location = detail["loc"][1:]
    if detail["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        name = str(location[-1])
        known = _field_names(cls, location[:-1])
        message = f"unknown key{near(name, known)}"
    elif detail["type"] == "literal_error":
        message = f"must be {detail['ctx']['expected']}, not {detail['input']!r}"
    else:
        context = detail.get("ctx", {})
        raised = context.get("error")
        message = str(raised) if isinstance(raised, ValueError) else _MESSAGES.get(detail["type"], detail["msg"])
    return Problem(file, _dotted(at, location), message)


def _dotted(at: str, location: tuple[int | str, ...]) -> str:
    path = at
    for part in location:
        path = f"{path}[{part}]" if isinstance(part, int) else f"{path}.{part}" if path else str(part)
    return path


def _field_names(cls: Any, location: tuple[int | str, ...]) -> list[str]:
    """The keys a table at this place may have, found by walking the annotations."""
    for part in location:
        cls = _step(_unwrap(cls), part)
    cls = _unwrap(cls)
    return [field.name for field in dataclasses.fields(cls)] if dataclasses.is_dataclass(cls) else []


def _step(cls: Any, part: int | str) -> Any:
    if dataclasses.is_dataclass(cls) and isinstance(part, str):
        return typing.get_type_hints(cls).get(part)
    arguments = typing.get_args(cls)
    return arguments[-1 if isinstance(part, str) else 0] if arguments else None


def _unwrap(cls: Any) -> Any:
    if typing.get_origin(cls) in (typing.Union, types.UnionType):
        return next((item for item in typing.get_args(cls) if item is not type(None)), None)
    return cls
