"""Data from outside: every mistake at once, at its dotted path, with the near-miss name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from imagewright import schema
from imagewright.errors import Problem
from imagewright.reference import Platform


@dataclass(frozen=True, slots=True)
class Leaf:
    kind: Literal["a", "b"] = "a"
    colour: str = ""


@dataclass(frozen=True, slots=True)
class Tree:
    name: str
    leaf: Leaf | None = None
    leaves: tuple[Leaf, ...] = ()
    named: dict[str, Leaf] = field(default_factory=dict)
    platforms: tuple[Platform, ...] = ()


def mistakes(data: Any, at: str = "") -> list[str]:
    problems: list[Problem] = []
    assert schema.parse(Tree, data, file="tree.toml", problems=problems, at=at) is None
    return sorted(map(str, problems))


def test_a_sound_table_becomes_the_frozen_value() -> None:
    problems: list[Problem] = []
    data = {"name": "oak", "leaf": {"kind": "b"}, "leaves": [{}], "named": {"x": {}}, "platforms": ["linux/arm64"]}
    tree = schema.parse(Tree, data, file="tree.toml", problems=problems)
    assert tree == Tree("oak", Leaf("b"), (Leaf(),), {"x": Leaf()}, (Platform("linux", "arm64"),))
    assert problems == []


def test_an_unknown_key_is_named_with_the_one_that_was_meant() -> None:
    assert mistakes({"name": "oak", "leafs": []}) == ["tree.toml: leafs: unknown key; did you mean 'leaf'?"]


def test_an_unknown_key_that_resembles_none_is_named_with_all_that_are_known() -> None:
    assert mistakes({"name": "oak", "leaf": {"zzz": 1}}) == ["tree.toml: leaf.zzz: unknown key; known: colour, kind"]


@pytest.mark.parametrize(
    ("data", "path"),
    [
        ({"leaf": {"color": ""}}, "leaf.color"),
        ({"leaves": [{}, {"color": ""}]}, "leaves[1].color"),
        ({"named": {"x": {"color": ""}}}, "named.x.color"),
    ],
)
def test_the_near_miss_is_found_however_deep_the_key_stands(data: dict[str, Any], path: str) -> None:
    assert mistakes({"name": "oak", **data}) == [f"tree.toml: {path}: unknown key; did you mean 'colour'?"]


def test_every_mistake_of_a_table_is_reported_once_at_its_path() -> None:
    data = {"leaf": {"kind": "c"}, "leaves": 3, "named": {"x": []}, "platforms": ["linux", 4], "nmae": "oak"}
    assert mistakes(data, at="wood") == [
        "tree.toml: wood.leaf.kind: must be 'a' or 'b', not 'c'",
        "tree.toml: wood.leaves: must be a list",
        "tree.toml: wood.name: is required",
        "tree.toml: wood.named.x: must be a table",
        "tree.toml: wood.nmae: unknown key; did you mean 'name'?",
        "tree.toml: wood.platforms[0]: not a platform (os/architecture[/variant]): 'linux'",
        "tree.toml: wood.platforms[1]: must be a string",
    ]


def test_a_value_instead_of_a_table_is_a_mistake_too() -> None:
    assert mistakes(3, at="wood") == ["tree.toml: wood: must be a table"]


def test_broken_toml_is_a_mistake_with_its_line_and_an_empty_table() -> None:
    problems: list[Problem] = []
    assert schema.load_toml('a = 1\nb = "\n', file="tree.toml", problems=problems) == {}
    (problem,) = problems
    assert str(problem).startswith("tree.toml: is not TOML: ")
    assert "line 2" in problem.message


def test_what_was_written_reads_back() -> None:
    tree = Tree("oak", None, (Leaf("b", "red"),), {"x": Leaf()}, (Platform("linux", "arm", "v7"),))
    written = schema.dump(tree)
    assert list(written) == ["name", "leaf", "leaves", "named", "platforms"]
    assert schema.read(Tree, written) == tree


def test_reading_a_record_is_as_strict_as_reading_a_file() -> None:
    with pytest.raises(ValueError, match="colour"):
        schema.read(Leaf, {"colour": 3})
    with pytest.raises(ValueError, match="more"):
        schema.read(Leaf, {"more": 3})


def test_no_near_miss_is_claimed_where_nothing_is_known() -> None:
    assert schema.near("x", []) == ""
    assert schema.near("backed", ["backend", "frontend"]) == "; did you mean 'backend'?"
    assert schema.near("zzz", ["b", "a"]) == "; known: a, b"
