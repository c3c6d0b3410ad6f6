"""Whatever happens to files between two looks, what is remembered of them gives the answer that reading all would."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagewright import context
from imagewright.filehash import FileHashes

NAMES = ("a", "b", "folder/c")
DATA = (b"one", b"two", b"six", b"three")
MODES = (0o644, 0o755, 0o600)
LATER, BEFORE = 2**62, 0
"""Clocks by which everything was left alone for long, and by which everything lies ahead."""
Deed = Callable[[Path, Path, int], object]


def _made(path: Path) -> Path:
    """The path, with a folder to lie in, and no folder itself."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    if path.parent.is_symlink() or path.parent.is_file():
        path.parent.unlink()
    path.parent.mkdir(exist_ok=True)
    return path


def _stay(path: Path, change: Callable[[], object]) -> None:
    """Change a file and set its times back."""
    before = os.lstat(path)
    change()
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns), follow_symlinks=False)


def write(path: Path, _other: Path, number: int) -> None:
    _made(path).unlink(missing_ok=True)
    path.write_bytes(DATA[number % len(DATA)])


def edit_in_place(path: Path, _other: Path, number: int) -> None:
    if path.is_file() and not path.is_symlink():
        _stay(path, lambda: path.write_bytes(DATA[number % len(DATA)]))


def replace(path: Path, _other: Path, number: int) -> None:
    """Another file with the same times under the name."""
    if path.is_file() and not path.is_symlink():
        status, new = path.lstat(), path.with_name("new")
        new.write_bytes(DATA[number % len(DATA)])
        os.utime(new, ns=(status.st_atime_ns, status.st_mtime_ns))
        new.replace(path)


def swap(path: Path, other: Path, _number: int) -> None:
    if path != other and os.path.lexists(path) and os.path.lexists(other):
        kept = path.with_name("kept")
        path.rename(kept)
        other.rename(path)
        kept.rename(other)


def set_mode(path: Path, _other: Path, number: int) -> None:
    if path.is_file() and not path.is_symlink():
        path.chmod(MODES[number % len(MODES)])


def set_time(path: Path, other: Path, _number: int) -> None:
    if path.is_file() and other.is_file():
        status = other.stat()
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def link(path: Path, other: Path, _number: int) -> None:
    _made(path).unlink(missing_ok=True)
    path.symlink_to(other.name)


def hard_link(path: Path, other: Path, _number: int) -> None:
    if path != other and other.is_file() and not other.is_symlink():
        _made(path).unlink(missing_ok=True)
        if other.exists():
            os.link(other, path)


def make_folder(path: Path, _other: Path, _number: int) -> None:
    _made(path).unlink(missing_ok=True)
    path.mkdir()


def remove(path: Path, _other: Path, _number: int) -> None:
    _made(path).unlink(missing_ok=True)


DEEDS: tuple[Deed, ...] = (
    *(write, edit_in_place, replace, swap, set_mode, set_time, link, hard_link, make_folder, remove),
)
STEPS = st.tuples(
    st.sampled_from(DEEDS),
    st.sampled_from(NAMES),
    st.sampled_from(NAMES),
    st.integers(0, 11),
    st.sampled_from((True, True, True, False)),
)


def _tick(folder: Path) -> None:
    """Wait until the file system's clock has moved: what a memory must not hold is another test's matter."""
    probe = folder / "probe"
    probe.write_bytes(b"")
    before = probe.stat().st_ctime_ns
    while probe.stat().st_ctime_ns == before:
        probe.write_bytes(b"")


def _look(root: Path, hashes: FileHashes) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(context.files(root, "Dockerfile", "app", hashes)))


@settings(max_examples=40)
@given(steps=st.lists(STEPS, min_size=8, max_size=20))
def test_what_is_remembered_never_differs_from_what_is_read(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[Deed, str, str, int, bool]]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    root = folder / "root"
    (root / "app").mkdir(parents=True)
    (root / "Dockerfile").write_text("FROM scratch\n")
    for name in NAMES:
        write(root / "app" / name, root, 1)
    memory = b""
    for deed, name, other, number, on_time in steps:
        deed(root / "app" / name, root / "app" / other, number)
        hashes = FileHashes(memory, clock=lambda now=LATER if on_time else BEFORE: now)  # type: ignore[misc]
        assert _look(root, hashes) == _look(root, FileHashes())
        memory = memory if (found := hashes.dump()) is None else found
        _tick(folder)
