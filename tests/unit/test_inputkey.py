"""A key is its parts: the same in any order, another for any change, and it can say which part changed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagewright import inputkey, schema
from imagewright.inputkey import Change, InputKey

PARTS = st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=5)


@given(PARTS, st.randoms())
def test_the_order_in_which_parts_are_found_does_not_count(parts: dict[str, str], chance: object) -> None:
    shuffled = list(parts.items())
    chance.shuffle(shuffled)  # type: ignore[attr-defined] # hypothesis types its generators as object
    assert inputkey.of(shuffled) == inputkey.of(parts.items())


@given(PARTS, PARTS)
def test_two_keys_are_one_exactly_when_nothing_differs(one: dict[str, str], other: dict[str, str]) -> None:
    before, after = inputkey.of(one.items()), inputkey.of(other.items())
    assert (before.digest == after.digest) == (one == other) == (inputkey.changes(before, after) == ())


@given(PARTS, PARTS)
def test_the_changes_lead_from_the_one_to_the_other(one: dict[str, str], other: dict[str, str]) -> None:
    made = dict(one)
    for change in inputkey.changes(inputkey.of(one.items()), inputkey.of(other.items())):
        assert made.pop(change.name, "") == change.before
        if change.how != "gone":
            made[change.name] = change.after
    assert made == other


def test_no_two_lists_of_parts_run_together() -> None:
    assert inputkey.of([("a", "bc")]).digest != inputkey.of([("ab", "c")]).digest
    assert inputkey.of([("a", ""), ("b", "")]).digest != inputkey.of([("a", "b")]).digest


def test_a_change_says_what_was_and_what_is() -> None:
    before = inputkey.of([("file a", "1"), ("file b", "1"), ("file c", "1")])
    after = inputkey.of([("file b", "2"), ("file c", "1"), ("file d", "")])
    assert inputkey.changes(before, after) == (
        Change("file a", "gone", "1", ""),
        Change("file b", "changed", "1", "2"),
        Change("file d", "new", "", ""),
    )


def test_no_name_hides_another() -> None:
    with pytest.raises(ValueError, match="two inputs are called 'a'"):
        inputkey.of([("a", "1"), ("a", "2")])


@given(PARTS)
def test_a_key_is_read_back_as_it_was_written(parts: dict[str, str]) -> None:
    key = inputkey.of(parts.items())
    assert schema.read(InputKey, schema.dump(key)) == key
