"""Two builds compared: nothing where they are the same, and each single change by its name and usual cause."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from imagewright.compare import Aspect, Difference, Entry, documents, entries, lines
from imagewright.reference import Digest

FILE = Entry("/app/x", "file", 0o644, 0, 0, 7.0, 3, Digest.of(b"abc"))

ENTRIES = some.lists(
    some.builds(
        Entry,
        path=some.sampled_from(["/a", "/a/b", "/a/.wh.c", "/d"]),
        kind=some.sampled_from(["file", "directory", "symlink"]),
        mode=some.integers(0, 0o7777),
        uid=some.integers(0, 9),
        gid=some.integers(0, 9),
        time=some.integers(0, 9).map(float),
        size=some.integers(0, 9),
        content=some.none() | some.binary(max_size=2).map(Digest.of),
        target=some.sampled_from(["", "/t"]),
        attributes=some.just(()) | some.just((("SCHILY.xattr.user.a", "1"),)),
    ),
    max_size=6,
)
CHANGES: dict[Aspect, Any] = {
    "kind": {"kind": "fifo"},
    "content": {"content": Digest.of(b"another")},
    "mode": {"mode": 0o10000},
    "owner": {"gid": 77},
    "time": {"time": 77.5},
    "target": {"target": "/elsewhere"},
    "attributes": {"attributes": (("SCHILY.xattr.security.capability", "x"),)},
}


@given(ENTRIES)
def test_a_layer_is_the_same_as_itself(layer: list[Entry]) -> None:
    assert entries("layer 1", layer, list(layer)) == ()


@given(ENTRIES.filter(bool), some.data(), some.sampled_from(sorted(CHANGES)))
def test_any_single_change_is_named(layer: list[Entry], data: some.DataObject, aspect: Aspect) -> None:
    number = data.draw(some.integers(0, len(layer) - 1))
    changed = [*layer[:number], replace(layer[number], **CHANGES[aspect]), *layer[number + 1 :]]
    (found,) = entries("layer 1", layer, changed)
    assert (found.where, found.path, found.aspects) == ("layer 1", layer[number].path, (aspect,))


@given(ENTRIES.filter(bool), some.data())
def test_an_entry_that_is_in_one_only_is_named(layer: list[Entry], data: some.DataObject) -> None:
    more = replace(FILE, path="/more")
    number = data.draw(some.integers(0, len(layer)))
    longer = [*layer[:number], more, *layer[number:]]
    assert [(one.path, one.aspects) for one in entries("l", layer, longer)] == [("/more", ("added",))]
    assert [(one.path, one.aspects) for one in entries("l", longer, layer)] == [("/more", ("missing",))]


@given(ENTRIES, ENTRIES)
def test_no_difference_goes_unnamed(one: list[Entry], other: list[Entry]) -> None:
    assert bool(entries("l", one, other)) == (one != other)


def test_another_order_alone_is_a_difference() -> None:
    other = replace(FILE, path="/app/y")
    assert [one.aspects for one in entries("l", [FILE, other], [other, FILE])] == [("order",)]


def test_every_aspect_of_an_entry_is_named_with_both_values() -> None:
    changed = replace(FILE, mode=0o755, uid=5, time=9.0, size=4, content=Digest.of(b"abcd"))
    (found,) = entries("layer 2", [FILE], [changed])
    assert str(found) == (
        "layer 2 /app/x: content, mode, owner, time (3 B and 4 B; 0644 and 0755; 0:0 and 5:0; 7 and 9)"
    )


JSON = some.recursive(
    some.none() | some.booleans() | some.integers(0, 3) | some.text(max_size=2),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)
DOCUMENTS = some.dictionaries(some.sampled_from("abc"), JSON, max_size=3)


@given(DOCUMENTS)
def test_a_document_is_the_same_as_itself(document: dict[str, Any]) -> None:
    assert documents("configuration", document, dict(document)) == ()


def test_the_path_of_a_changed_value_is_named() -> None:
    one = {"created": "x", "history": [{"created": "1"}, {"created": "2"}], "config": {"Env": []}}
    other = {"created": "x", "history": [{"created": "1"}, {"created": "3"}], "config": {"Env": ["A=1"]}}
    assert [str(found) for found in documents("configuration", one, other)] == [
        "configuration config.Env: value ([] and nothing)",
        'configuration config.Env[0]: value (nothing and "A=1")',
        'configuration history[1].created: value ("2" and "3")',
    ]


def test_false_and_zero_are_not_the_same_value() -> None:
    assert len(documents("m", {"a": 0}, {"a": False})) == 1


@pytest.mark.parametrize(
    ("path", "aspect", "cause"),
    [
        ("/app/__pycache__/x.cpython-313.pyc", "content", "unchecked-hash"),
        ("/app/.next/BUILD_ID", "content", "generateBuildId"),
        ("/app/.next/prerender-manifest.json", "content", "random keys"),
        ("/var/lib/dpkg/status.d/libc6", "content", "archive between the builds"),
        ("/var/log/apt/history.log", "added", "a log"),
        ("/var/cache/ldconfig/aux-cache", "content", "cache"),
        ("/root/.npm/_logs/debug-0.log", "missing", "a log"),
        ("/etc/machine-id", "content", "each system"),
        ("/app/anything", "content", "random numbers"),
        ("/app/anything", "time", "touch --date"),
        ("created", "value", "SOURCE_DATE_EPOCH"),
        ("/", "order", "another order"),
        ("/", "archive", "packed in another way"),
    ],
)
def test_the_usual_cause_is_told(path: str, aspect: Aspect, cause: str) -> None:
    assert cause in Difference("layer 1", path, (aspect,)).cause


def test_what_has_no_usual_cause_gets_none() -> None:
    assert Difference("configuration", "config.User", ("value",)).cause == ""


def test_content_goes_before_the_date_that_follows_it() -> None:
    assert "a log" in Difference("layer 1", "/var/log/x", ("content", "time")).cause


def test_each_cause_is_told_once_and_what_is_left_out_is_counted() -> None:
    found = [Difference("layer 1", f"/var/log/{name}", ("content",)) for name in "abcd"]
    first, second, rest = lines(found, most=2)
    assert "a log" in first
    assert second == "layer 1 /var/log/b: content"
    assert rest == "and 2 more"
    assert len(lines(found, most=4)) == 4
