"""The straight way takes only what pydantic takes, with the same result; what it leaves, pydantic decides."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from imagewright import plain, schema
from imagewright.annotations import StrictInt
from imagewright.inputkey import InputKey
from imagewright.model.findings import Lint, Scan
from imagewright.model.history import History, Ledger
from imagewright.model.records import Build, JudgedPolicy, Rebuild, Sboms
from imagewright.model.repository import Inputs
from imagewright.model.verdict import Verdict
from imagewright.reference import Digest, Platform
from tests.unit import factory

RECORDS = (Build, History, InputKey, Inputs, JudgedPolicy, Ledger, Lint, Rebuild, Sboms, Scan, Verdict)
WHOLE = (factory.facts(), factory.inputs(), factory.scan(), factory.definition(), factory.build(), factory.lint())
JUNK: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    3,
    1.5,
    "",
    "5",
    "true",
    "\ud800",
    "é",
    [],
    ["x"],
    [[]],
    {},
    {"x": "y"},
    str(Digest.of(b"x")),
)

st.register_type_strategy(Digest, st.binary(max_size=4).map(Digest.of))
st.register_type_strategy(Platform, st.sampled_from([Platform("linux", "amd64"), Platform("linux", "arm", "v7")]))
few = settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])


def adapter(cls: Any) -> TypeAdapter[Any]:
    return TypeAdapter(tuple[cls], config=ConfigDict(extra="forbid"))


ADAPTERS = {cls: adapter(cls) for cls in {*RECORDS, *map(type, WHOLE)}}


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every container with each of its keys."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, inner in pairs for place in ((value, key), *places(inner))]


def same_or_left(cls: Any, data: Any) -> None:
    """What the straight way takes, pydantic takes too, as the same."""
    try:
        taken = plain.read(cls, data)
    except ValueError:
        return
    assert ADAPTERS[cls].validate_python((data,))[0] == taken


@pytest.mark.parametrize("cls", RECORDS, ids=lambda cls: cls.__name__)
@few
@given(data=st.data())
def test_any_record_goes_the_straight_way_and_is_written_and_read_as_by_pydantic(cls: Any, data: st.DataObject) -> None:
    value = data.draw(st.builds(cls))
    written = plain.dump(value)
    assert written == ADAPTERS[cls].dump_python((value,), mode="json")[0]
    assert plain.read(cls, written) == value == ADAPTERS[cls].validate_python((written,))[0]


@pytest.mark.parametrize("value", WHOLE, ids=lambda value: type(value).__name__)
def test_a_whole_document_goes_the_straight_way_with_its_fields_in_order(value: Any) -> None:
    written = plain.dump(value)
    by_pydantic = ADAPTERS[type(value)].dump_python((value,), mode="json")[0]
    assert str(written) == str(by_pydantic)
    assert plain.read(type(value), written) == value


@pytest.mark.parametrize("value", WHOLE, ids=lambda value: type(value).__name__)
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_nothing_that_pydantic_refuses_is_taken(value: Any, data: st.DataObject) -> None:
    document = plain.dump(value)
    container, key = data.draw(st.sampled_from(places(document)))
    change = data.draw(st.sampled_from(["replace", "remove", "add"]))
    if change == "replace":
        container[key] = data.draw(st.sampled_from(JUNK))
    elif change == "remove":
        del container[key]
    elif isinstance(container, dict):
        container["more"] = data.draw(st.sampled_from(JUNK))
    else:
        container.append(data.draw(st.sampled_from(JUNK)))
    same_or_left(type(value), document)


def test_what_pydantic_refuses_is_refused_by_the_one_who_asks_both() -> None:
    body = schema.dump(factory.build())
    mistakes: tuple[Any, ...] = ({**body, "more": 1}, {**body, "root": "sha256:0"}, {**body, "key": "\ud800"}, [], None)
    for wrong in mistakes:
        with pytest.raises(ValidationError):
            schema.read(Build, wrong)


@dataclass(frozen=True, slots=True)
class Short:
    name: Annotated[str, Field(max_length=3)]


@dataclass(frozen=True, slots=True)
class Placed:
    at: Path


@dataclass(frozen=True, slots=True)
class Counted:
    count: StrictInt = 0
    share: float = 0.0


def test_a_type_that_is_not_understood_is_left_to_pydantic() -> None:
    with pytest.raises(plain.Unlike):
        plain.read(Short, {"name": "oak"})
    with pytest.raises(ValueError, match="at most 3"):
        schema.read(Short, {"name": "ebony"})
    assert schema.read(Short, {"name": "oak"}) == Short("oak")
    assert schema.read(Placed, schema.dump(Placed(Path("a/b")))) == Placed(Path("a/b"))


def test_numbers_are_what_they_are() -> None:
    assert schema.read(Counted, {"share": 1}) == Counted(0, 1.0)  # pydantic's word
    for wrong in ("5", True, 5.0):
        with pytest.raises(ValueError, match="count"):
            schema.read(Counted, {"count": wrong})
    with pytest.raises(plain.Unlike):
        plain.dump(replace(Counted(), share=float("nan")))
