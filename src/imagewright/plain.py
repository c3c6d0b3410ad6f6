"""Plain JSON data ↔ frozen values, the straight way: most runs read and write nothing but what is as it should be.

A reader is derived from a type's annotations once. What it takes, pydantic takes with the same result; for all else,
a mistake included, it raises Unlike, and ``schema`` asks pydantic, which is loaded for nothing else.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

from imagewright.annotations import Before, Doc, Strict
from imagewright.reference import Text

Reader = Callable[[Any], Any]


class Unlike(ValueError):
    """The data, or the type, is none that is read the straight way."""


def read(cls: Any, data: Any) -> Any:
    """The value of a frozen dataclass; raises Unlike."""
    return reader(cls)(data)


def dump(value: Any) -> Any:
    """The value as plain JSON types, field order kept; raises Unlike."""
    kind = type(value)
    if kind in (str, int, bool, types.NoneType) or (kind is float and math.isfinite(value)):
        return value
    if kind in (tuple, list):
        return [dump(item) for item in value]
    if kind is dict and all(type(key) is str for key in value):
        return {key: dump(item) for key, item in value.items()}
    if isinstance(value, Text):
        return str(value)
    if dataclasses.is_dataclass(kind):
        return {name: dump(getattr(value, name)) for name in _names(kind)}
    raise Unlike(kind.__name__)


@functools.cache
def hints(cls: Any) -> Mapping[str, Any]:
    """The types of a dataclass's fields with what stands beside them."""
    return typing.get_type_hints(cls, include_extras=True)


@functools.cache
def _names(cls: Any) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(cls))


@functools.cache
def reader(hint: Any) -> Reader:
    """What reads values of this type; a type that is not read the straight way has a reader that takes nothing."""
    if origin := typing.get_origin(hint):
        return _MADE_OF.get(origin, _of_nothing)(typing.get_args(hint))
    if isinstance(hint, type) and issubclass(hint, Text):
        return _text(hint)
    return _record(hint) if dataclasses.is_dataclass(hint) else _SCALARS.get(hint, _nothing)


def _nothing(value: Any) -> Any:
    raise Unlike(repr(value))


def _exactly(cls: type) -> Reader:
    def read(value: Any) -> Any:
        if type(value) is cls:
            return value
        raise Unlike(repr(value))

    return read


def _string(value: Any) -> str:
    if type(value) is not str:
        raise Unlike(repr(value))
    if not value.isascii():
        value.encode()  # half a character raises UnicodeEncodeError, a ValueError
    return value


_SCALARS: dict[Any, Reader] = {
    **{cls: _exactly(cls) for cls in (int, bool, types.NoneType)},
    **{str: _string, float: _exactly(float)},
}


def _of_nothing(_arguments: tuple[Any, ...]) -> Reader:
    return _nothing


def _annotated(arguments: tuple[Any, ...]) -> Reader:
    inner, beside = reader(arguments[0]), arguments[1:]
    if not all(isinstance(one, (Doc, Strict, Before)) for one in beside):
        return _nothing
    for one in beside:
        if isinstance(one, Before):
            inner = _after(one.function, inner)
    return inner


def _after(function: Reader, inner: Reader) -> Reader:
    return lambda value: inner(function(value))


def _literal(allowed: tuple[Any, ...]) -> Reader:
    def read(value: Any) -> Any:
        if type(value) is str and value in allowed:
            return value
        raise Unlike(repr(value))

    return read


def _text(cls: type[Text]) -> Reader:
    parse = functools.lru_cache(maxsize=256)(cls.parse)  # the same few digests come again and again
    return lambda value: value if type(value) is cls else parse(_string(value))


def _tuple(arguments: tuple[Any, ...]) -> Reader:
    many = arguments[-1:] == (...,)
    readers = tuple(map(reader, arguments[:-1] if many else arguments))

    def read(value: Any) -> Any:
        if type(value) not in (list, tuple):
            raise Unlike(repr(value))
        if many:
            return tuple([readers[0](item) for item in value])
        if len(value) != len(readers):
            raise Unlike(repr(value))
        return tuple([one(item) for one, item in zip(readers, value, strict=True)])

    return read


def _table(arguments: tuple[Any, ...]) -> Reader:
    key_reader, inner = map(reader, arguments)

    def read(value: Any) -> Any:
        if type(value) is not dict:
            raise Unlike(repr(value))
        return {key_reader(key): inner(item) for key, item in value.items()}

    return read


def _union(arguments: tuple[Any, ...]) -> Reader:
    readers = tuple(map(reader, arguments))
    # Asking what takes nothing but None would cost an exception for each value there is.
    of_values = tuple(map(reader, (one for one in arguments if one is not types.NoneType)))

    def read(value: Any) -> Any:
        if value is not None and len(of_values) == 1:
            return of_values[0](value)
        found = []
        for one in readers if value is None else of_values:
            try:
                found.append(one(value))
            except ValueError:
                continue
        if len(found) != 1:  # which one is meant is pydantic's to say
            raise Unlike(repr(value))
        return found[0]

    return read


def _record(cls: Any) -> Reader:
    known = hints(cls)
    fields = dataclasses.fields(cls)
    if not all(field.init for field in fields):
        return _nothing
    missing = dataclasses.MISSING
    required = {one.name for one in fields if one.default is missing and one.default_factory is missing}
    readers = {field.name: reader(known[field.name]) for field in fields}
    names, in_order = tuple(readers), tuple(readers.values())
    positional = not any(field.kw_only for field in fields)

    def read(value: Any) -> Any:
        if type(value) is cls:
            return value
        if type(value) is dict and positional and (*value,) == names:  # as dump writes it
            return cls(*[one(item) for one, item in zip(in_order, value.values(), strict=True)])
        if type(value) is not dict or not required <= value.keys() <= readers.keys():
            raise Unlike(f"not a {cls.__name__}")
        return cls(**{name: readers[name](item) for name, item in value.items()})

    return read


_MADE_OF: Mapping[Any, Callable[[tuple[Any, ...]], Reader]] = {
    typing.Annotated: _annotated,
    typing.Literal: _literal,
    tuple: _tuple,
    typing.Union: _union,
    types.UnionType: _union,
    dict: _table,
    Mapping: _table,
}
