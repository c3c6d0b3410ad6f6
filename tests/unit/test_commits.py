"""Each image is of the last commit that touched what it is made from; what is kept out of its build does not count."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagewright.commits import Commit, Owners, last_commits, sources
from imagewright.ignore import Ignore, parse
from imagewright.model.definition import ImageDefinition, RunContract
from imagewright.model.records import Source

RULES = parse("*\n!src\n**/*.key\n")


def image(name: str, *needs: str, **more: Any) -> ImageDefinition:
    fields: dict[str, Any] = {
        "file": f"images/{name}/image.toml",
        "dockerfile": f"dockerfiles/{name}.Dockerfile",
        "context": f"images/{name}",
    }
    return ImageDefinition(name, name, "", name, "", run=RunContract("1:1"), needs=needs, **{**fields, **more})


BASE, APP, WEB = image("base"), image("app", "base"), image("web")
OWNERS = Owners([(BASE, RULES), (APP, RULES), (WEB, RULES)])


def commits(*touched: str) -> list[Commit]:
    """One commit a file, the newest first: ``2`` down to ``0`` for three."""
    return [Commit(str(len(touched) - 1 - number), 7, (name,)) for number, name in enumerate(touched)]


def found(*touched: str, changed: tuple[str, ...] = (), owners: Owners = OWNERS) -> dict[str, str]:
    looked = sources(owners, last_commits(owners, commits(*touched)), changed, url="")
    return {name: source.revision for name, source in looked.items()}


def test_an_image_is_of_the_last_commit_that_touched_it_or_what_it_needs() -> None:
    assert found("README.md", "images/base/src/x", "images/app/src/x", "images/web/src/x") == {
        "base": "2",
        "app": "2",
        "web": "0",
    }


def test_a_change_in_an_image_is_none_of_what_it_needs() -> None:
    assert found("images/app/src/x", "images/base/src/x", "images/web/src/x")["base"] == "1"


@pytest.mark.parametrize(
    ("path", "counts"),
    [
        ("images/web/image.toml", True),
        ("dockerfiles/web.Dockerfile", True),
        ("dockerfiles/web.Dockerfile.dockerignore", True),
        ("images/web/.dockerignore", True),
        ("images/bases.lock", True),
        ("images/web/src/x", True),
        ("images/web/src/deep/x", True),
        ("images/web/src/x.key", False),
        ("images/web/tests/x", False),
        ("images/website/src/x", False),
        ("images/web", False),
        ("README.md", False),
    ],
)
def test_only_what_the_build_receives_or_is_described_by_counts(path: str, counts: bool) -> None:
    assert found(path, "images/web/src/first")["web"] == ("1" if counts else "0")
    assert found("images/web/src/first", changed=(path,))["web"] == ("0-dirty" if counts else "0")


def test_what_differs_in_a_base_differs_in_all_that_stands_on_it() -> None:
    clean = ("images/bases.lock",)
    assert found(*clean, changed=("images/base/src/x",)) == {"base": "0-dirty", "app": "0-dirty", "web": "0"}


def test_a_folder_that_git_does_not_look_into_counts_by_its_name() -> None:
    assert found("images/bases.lock", changed=("images/web/src/",))["web"] == "0-dirty"


def test_what_nobody_committed_is_of_no_commit() -> None:
    assert sources(OWNERS, {}, [], url="u")["web"] == Source("unknown", 0, dirty=True, url="u")


def test_a_context_may_be_the_repository_or_shared() -> None:
    all_of_it, part = image("all", context="."), image("part", context="images/web")
    owners = Owners([(all_of_it, Ignore()), (part, RULES), (WEB, RULES)])
    assert found("x", "images/web/src/x", "images/web/x", owners=owners) == {"all": "2", "part": "1", "web": "1"}


def test_the_history_is_read_no_further_than_to_the_last_image() -> None:
    def endless() -> Iterator[Commit]:
        yield from commits("images/web/src/x", "images/base/src/x")
        raise AssertionError("nobody asked for more")

    assert last_commits(OWNERS, endless())["base"].id == "0"


PATHS = st.sampled_from(
    ["images/base/src/a", "images/app/src/a", "images/web/src/a", "images/web/src/a.key", "images/app/x", "y", "y/z"]
)


@given(st.lists(st.lists(PATHS, max_size=5), max_size=6))
def test_one_pass_for_all_finds_what_one_for_each_would(history: list[list[str]]) -> None:
    listed = [Commit(str(number), number, tuple(names)) for number, names in enumerate(history)]
    owned = {"base": ("base",), "app": ("app", "base"), "web": ("web",)}
    for name, source in sources(OWNERS, last_commits(OWNERS, listed), [], url="").items():
        own = {f"images/{one}/src/a" for one in owned[name]}
        first = next((commit.id for commit in listed if own & set(commit.names)), "unknown")
        assert source.revision == first
