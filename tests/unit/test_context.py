"""What a build receives: the same wherever and whenever, another for any change that counts, and for no other."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagewright import context
from imagewright.errors import ConfigurationError
from imagewright.filehash import FileHashes
from imagewright.ignore import parse
from imagewright.reference import Digest

NAMES = st.text("abc.-é ", min_size=1, max_size=6).filter(lambda name: name.strip(". ") != "")
TREES = st.dictionaries(NAMES, st.binary(max_size=20), max_size=5)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "app/src/inner").mkdir(parents=True)
    (root / "app/src/main.py").write_text("print(1)\n")
    (root / "app/src/inner/data").write_bytes(b"\0\1")
    (root / "app/src/link").symlink_to("main.py")
    (root / "app/tests").mkdir()
    (root / "app/tests/test.py").write_text("assert 1\n")
    (root / "Dockerfile").write_text("FROM scratch\n")
    (root / "Dockerfile.dockerignore").write_text("*\n!src\n**/*.key\n")
    return root


def of(root: Path, hashes: FileHashes | None = None) -> dict[str, str]:
    return dict(context.files(root, "Dockerfile", "app", hashes or FileHashes()))


def test_each_input_is_a_part_by_its_path_in_the_repository(tree: Path) -> None:
    found = of(tree)
    assert sorted(found) == [
        "Dockerfile Dockerfile",
        "file app/src/inner/data",
        "file app/src/main.py",
        "folder app/src",
        "folder app/src/inner",
        "ignore file Dockerfile.dockerignore",
        "link app/src/link",
    ]
    assert found["link app/src/link"] == "main.py"


def test_a_context_that_is_the_repository_has_no_folder_before_its_names(tree: Path) -> None:
    (tree / "Dockerfile.dockerignore").unlink()
    assert "file app/src/main.py" in dict(context.files(tree, "Dockerfile", ".", FileHashes()))


def test_place_and_time_do_not_count(tree: Path, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere/deep"
    shutil.copytree(tree, copy, symlinks=True)
    os.utime(copy / "app/src/main.py", (0, 0))
    assert of(copy) == of(tree)


def exchange(one: Path, other: Path) -> None:
    kept = one.with_name("kept")
    one.rename(kept)
    other.rename(one)
    kept.rename(other)


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


MAIN, DATA = "file app/src/main.py", "file app/src/inner/data"
CHANGES: dict[str, tuple[Callable[[Path], object], set[str]]] = {
    "a byte, with size and time as they were": (lambda root: swap(root / "src/main.py", b"print(2)\n"), {MAIN}),
    "only a mode": (lambda root: (root / "src/main.py").chmod(0o755), {MAIN}),
    "a folder's mode": (lambda root: (root / "src/inner").chmod(0o700), {"folder app/src/inner"}),
    "a name": (lambda root: (root / "src/main.py").rename(root / "src/o.py"), {MAIN, "file app/src/o.py"}),
    "where a link leads": (lambda root: relink(root / "src/link", "inner/data"), {"link app/src/link"}),
    "a link that becomes a file": (
        lambda root: replace_by_copy(root / "src/link"),
        {"link app/src/link", "file app/src/link"},
    ),
    "a new file": (lambda root: (root / "src/new").touch(), {"file app/src/new"}),
    "a new empty folder": (lambda root: (root / "src/empty").mkdir(), {"folder app/src/empty"}),
    "a file gone": (lambda root: (root / "src/inner/data").unlink(), {DATA}),
    "two files swapped by rename": (lambda root: exchange(root / "src/main.py", root / "src/inner/data"), {MAIN, DATA}),
    "a second name of a file": (
        lambda root: os.link(root / "src/main.py", root / "src/z.py"),
        {"file app/src/z.py", "hard link app/src/z.py"},
    ),
    "a name of a file outside the context": (lambda root: os.link(root / "src/main.py", root / "../z.py"), set()),
    "the Dockerfile": (lambda root: (root / "../Dockerfile").write_text("FROM x\n"), {"Dockerfile Dockerfile"}),
    "a line of the ignore file": (
        lambda root: (root / "../Dockerfile.dockerignore").write_text("*\n!src\n**/*.pem\n"),
        {"ignore file Dockerfile.dockerignore"},
    ),
    "a file that is kept out": (lambda root: (root / "tests/test.py").write_text("assert 2\n"), set()),
    "a new file that is kept out": (lambda root: (root / "src/new.key").touch(), set()),
    "a new folder that is kept out": (lambda root: (root / "more").mkdir(), set()),
    "the mode of a folder that is kept out": (lambda root: (root / "tests").chmod(0o700), set()),
    "the mode of the Dockerfile": (lambda root: (root / "../Dockerfile").chmod(0o600), set()),
    "an ignore file that is not in force": (lambda root: (root / ".dockerignore").touch(), set()),
    "only a time": (lambda root: os.utime(root / "src/main.py", (5, 5)), set()),
}


@pytest.mark.parametrize(("change", "expected"), CHANGES.values(), ids=CHANGES.keys())
def test_a_change_is_seen_in_its_part_and_in_no_other(
    tree: Path, change: Callable[[Path], object], expected: set[str]
) -> None:
    before = of(tree)
    change(tree / "app")
    after = of(tree)
    assert {name for name in {*before, *after} if before.get(name) != after.get(name)} == expected


@pytest.mark.parametrize(("change", "expected"), CHANGES.values(), ids=CHANGES.keys())
def test_what_is_remembered_of_files_hides_no_change(
    tree: Path, change: Callable[[Path], object], expected: set[str]
) -> None:
    before, known = of(tree), remembered(tree)
    change(tree / "app")
    after = of(tree, later(known))
    assert after == of(tree)
    assert {name for name in {*before, *after} if before.get(name) != after.get(name)} == expected


def later(remembered: bytes = b"") -> FileHashes:
    """A run so much later that all files have been left alone for long."""
    return FileHashes(remembered, clock=lambda: 2**62)


def remembered(root: Path) -> bytes:
    hashes = later()
    of(root, hashes)
    return hashes.dump() or b""


def forged(root: Path) -> bytes:
    """A memory in which a folder has a mode it never had: who believes it did not walk."""
    head, _, body = remembered(root).partition(b"\n")
    body = body.replace(b"folder app/src\x00755", b"folder app/src\x00111")
    return head.split()[0] + b" " + Digest.of(body).hex.encode() + b"\n" + body


def test_a_context_left_alone_is_not_walked_again(tree: Path) -> None:
    assert of(tree, later(forged(tree)))["folder app/src"] == "111"


def test_a_context_in_which_something_is_new_is_walked_again(tree: Path) -> None:
    """Within one tick of the clock a file may come into a folder, and leave no trace in its times."""
    known = forged(tree)
    assert of(tree, FileHashes(known))["folder app/src"] == "755"
    just_now = FileHashes()
    of(tree, just_now)
    assert just_now.dump() is None


def test_what_was_found_elsewhere_does_not_stand(tree: Path) -> None:
    inner = context.files(tree, "Dockerfile", "app/src", later(forged(tree)))
    assert inner == context.files(tree, "Dockerfile", "app/src", FileHashes())


def test_an_ignore_file_that_comes_into_force_is_seen(tree: Path) -> None:
    (tree / "Dockerfile.dockerignore").rename(tree / "kept")
    known = remembered(tree)
    (tree / "kept").rename(tree / "Dockerfile.dockerignore")
    assert of(tree, later(known)) == of(tree)


@pytest.mark.parametrize("name", ["Dockerfile", "Dockerfile.dockerignore"])
def test_what_a_link_leads_to_is_looked_up_each_time(tree: Path, name: str) -> None:
    """The link lies in the context, so that it is an input twice: as a link, and as what it leads to."""
    (tree / name).rename(tree / "one")
    (tree / "two").write_text("*\n!src\n")
    (tree / "app/src/way").symlink_to("../../one")
    (tree / name).symlink_to("app/src/way")
    known = remembered(tree)
    relink(tree / "app/src/way", "../../two")
    assert of(tree, later(known)) == of(tree)
    known = remembered(tree)
    (tree / "two").write_text("*\n!src/inner\n")
    assert of(tree, later(known)) == of(tree)


@given(one=TREES, other=TREES)
def test_two_trees_are_one_only_when_they_are_the_same(
    tmp_path_factory: pytest.TempPathFactory, one: dict[str, bytes], other: dict[str, bytes]
) -> None:
    found = []
    for files in (one, other):
        root = tmp_path_factory.mktemp("tree")
        (root / "app").mkdir()
        (root / "Dockerfile").touch()
        for name, data in files.items():
            (root / "app" / name).write_bytes(data)
        found.append(of(root))
    assert (found[0] == found[1]) == (one == other)


@given(
    lines=st.lists(st.sampled_from(["*", "**", "!src", "src/inner", "!**/*.py", "*.md", "!src/inner/data"]), max_size=4)
)
def test_the_walk_finds_what_the_patterns_let_in(tmp_path_factory: pytest.TempPathFactory, lines: list[str]) -> None:
    """However early folders are left out, no file is missed: each path is asked of the patterns by itself."""
    root = tmp_path_factory.mktemp("tree")
    paths = ("a.md", "src/main.py", "src/inner/data", "src/inner/deep/x.py", "tests/test.py")
    for path in paths:
        (root / "app" / path).parent.mkdir(parents=True, exist_ok=True)
        (root / "app" / path).touch()
    (root / "Dockerfile").touch()
    (root / "app/.dockerignore").write_text("\n".join(lines))
    rules = parse("\n".join(lines))
    expected = {f"file app/{path}" for path in (*paths, ".dockerignore") if not rules.keeps_out(path)}
    assert {name for name in of(root) if name.startswith("file ")} == expected


def test_names_that_are_no_text_are_told_apart(tree: Path) -> None:
    for number in (0xFE, 0xFF):
        (tree / "app/src" / os.fsdecode(bytes([number]))).touch()
    assert {"file in bytes: 6170702f7372632ffe", "file in bytes: 6170702f7372632fff"} <= of(tree).keys()


def test_a_file_that_cannot_be_read_is_the_users_to_mend(tree: Path) -> None:
    (tree / "Dockerfile").unlink()
    with pytest.raises(ConfigurationError, match="Dockerfile: cannot be read: No such file") as caught:
        of(tree)
    assert "ignore file" in caught.value.hint
