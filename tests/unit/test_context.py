"""The digest of what a build may see: the same wherever and whenever, another for any change that counts."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagewright import context

NAMES = st.text("abc.-é ", min_size=1, max_size=6).filter(lambda name: name.strip(". ") != "")
TREES = st.dictionaries(NAMES, st.binary(max_size=20), max_size=5)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "app/inner").mkdir(parents=True)
    (root / "app/main.py").write_text("print(1)\n")
    (root / "app/inner/data").write_bytes(b"\0\1")
    (root / "app/link").symlink_to("main.py")
    (root / "Dockerfile").write_text("FROM scratch\n")
    return root


def of(root: Path) -> str:
    return str(context.digest(root, ["app", "Dockerfile", "absent"]))


def test_place_time_and_order_do_not_count(tree: Path, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere/deep"
    shutil.copytree(tree, copy, symlinks=True)
    os.utime(copy / "app/main.py", (0, 0))
    assert of(copy) == of(tree)
    assert context.digest(tree, ["absent", "Dockerfile", "app", "app"]) == context.digest(
        tree, ["app", "Dockerfile", "absent"]
    )


CHANGES: dict[str, Callable[[Path], object]] = {
    "a byte, with size and time as they were": lambda root: swap(root / "app/main.py", b"print(2)\n"),
    "a mode": lambda root: (root / "app/main.py").chmod(0o755),
    "a folder's mode": lambda root: (root / "app/inner").chmod(0o700),
    "a name": lambda root: (root / "app/main.py").rename(root / "app/other.py"),
    "where a link leads": lambda root: relink(root / "app/link", "inner/data"),
    "a link that becomes a file": lambda root: replace_by_copy(root / "app/link"),
    "a new file": lambda root: (root / "app/new").touch(),
    "a new empty folder": lambda root: (root / "app/empty").mkdir(),
    "a file gone": lambda root: (root / "app/inner/data").unlink(),
    "a file that appears": lambda root: (root / "absent").touch(),
    "two files swapped by rename": lambda root: exchange(root / "app/main.py", root / "app/inner/data"),
}


def swap(path: Path, data: bytes) -> None:
    before = path.stat()
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def relink(path: Path, target: str) -> None:
    path.unlink()
    path.symlink_to(target)


def replace_by_copy(path: Path) -> None:
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data)


def exchange(one: Path, other: Path) -> None:
    kept = one.with_name("kept")
    one.rename(kept)
    other.rename(one)
    kept.rename(other)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_any_change_that_counts_is_seen(tree: Path, change: Callable[[Path], object]) -> None:
    before = of(tree)
    change(tree)
    assert of(tree) != before


@given(one=TREES, other=TREES)
def test_two_trees_have_one_digest_only_when_they_are_the_same(
    tmp_path_factory: pytest.TempPathFactory, one: dict[str, bytes], other: dict[str, bytes]
) -> None:
    digests = []
    for files in (one, other):
        root = tmp_path_factory.mktemp("tree")
        for name, data in files.items():
            (root / name).write_bytes(data)
        digests.append(context.digest(root, ["."]))
    assert (digests[0] == digests[1]) == (one == other)
