"""The ignore file lets in what BuildKit lets in; the expectations were recorded from BuildKit itself."""

from __future__ import annotations

import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagewright.ignore import parse

FILES = (
    *(".env", ".env.local", "README.md", "a+b.txt", "a.b", "app/.env", "app/main.py", "app/sub/deep/y.key"),
    *("app/sub/x.key", "axb", "docs/readme.md", "docs/x/readme.md", "foo/bar", "foobar", "lib/[id]/r.ts"),
    *("lib/i/r.ts", "node_modules/a/b.js", "sp ace/f", "x/y/z"),
)


@pytest.mark.parametrize(
    ("text", "let_in"),
    [
        ("*\n!app\n**/.env*\n", "app/main.py app/sub/deep/y.key app/sub/x.key"),
        ("*\n!app/**\n*.key", "app/.env app/main.py app/sub/deep/y.key app/sub/x.key"),
        ("**\n!app/main.py", "app/main.py"),
        ("**\n!**/*.py", "app/main.py"),
        ("*\n!/app\n**/*.key\n", "app/.env app/main.py"),
        # A folder that was never kept out is not let in again, and so its files are not either.
        ("**\n!app\n**/*.key\n!app/sub/deep", "app/.env app/main.py"),
        ("*\n!docs\ndocs\n!docs/**/readme.md", "docs/readme.md docs/x/readme.md"),
        ("*\n!*.md\n!docs/x", "README.md docs/x/readme.md"),
        ("# *\n*\n #x\n! README.md  \n", "README.md"),
        ("*\n!./app/./sub/../main.py\n", "app/main.py"),
        ("*\n!a+b.txt\n!a.b\n", "a+b.txt a.b"),
        ("*\n!lib/[id]", "lib/i/r.ts"),
        ("*\n!lib/[[]id]", "lib/[id]/r.ts"),
        ("*\n!lib/\\[id\\]", "lib/[id]/r.ts"),
        ("*\n!lib/[^i]*", "lib/[id]/r.ts"),
        ("*\n!foo?ar\n!?.b\n", "a.b foobar"),
        ("*\n!x/**/z\n", "x/y/z"),
        ("!app\n*\n", ""),
        ("\ufeff*", ""),
        ("**/\n", ""),
    ],
)
def test_what_is_let_in_is_what_buildkit_lets_in(text: str, let_in: str) -> None:
    found = parse(text)
    assert " ".join(path for path in FILES if not found.keeps_out(path)) == let_in


def test_no_pattern_keeps_nothing_out() -> None:
    assert not any(parse("# only a remark\n\n!\n").keeps_out(path) for path in FILES)


_PATTERNS = st.lists(
    st.sampled_from(["*", "**", "!app", "!app/**", "app", "!**/*.key", "!app/sub/deep", "*.md", "!docs/x", "[", "a[b"]),
    max_size=6,
)


@given(_PATTERNS)
def test_a_folder_is_looked_into_when_something_below_it_is_let_in(patterns: list[str]) -> None:
    found = parse("\n".join(patterns))
    for path in FILES:
        if not found.keeps_out(path):
            folder = posixpath.dirname(path)
            while folder:
                assert found.may_let_in_below(folder)
                folder = posixpath.dirname(folder)


def test_a_folder_that_is_out_for_good_is_not_looked_into() -> None:
    found = parse("*\n!app\nnode_modules\n")
    assert not found.may_let_in_below("node_modules")
    assert not found.may_let_in_below("docs/x")


@given(st.text(alphabet="*?![]^\\/.ab#\n- ", max_size=40))
def test_any_text_is_read_without_harm(text: str) -> None:
    parse(text).keeps_out("a/b")
