"""The digests of large files, remembered between runs."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from imagewright.reference import Digest
from imagewright.tools import binary, cache
from imagewright.tools.binary import remembered_sha256

LATER = 60 * 10**9


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "program"
    path.write_bytes(b"one")
    return path


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were really read, each time they were: as in a process of its own, nothing is kept in memory."""
    seen: list[Path] = []

    def read(path: Path) -> Digest:
        seen.append(path)
        return Digest.of(path.read_bytes())

    monkeypatch.setattr(binary, "sha256", read)
    return seen


def later() -> int:
    return time.time_ns() + LATER


def test_a_file_that_was_left_alone_is_read_once(file: Path, reads: list[Path]) -> None:
    assert {remembered_sha256(file, now=later()) for _ in range(3)} == {Digest.of(b"one")}
    assert len(reads) == 1


def test_a_file_changed_a_moment_ago_is_read_again(file: Path, reads: list[Path]) -> None:
    assert {remembered_sha256(file) for _ in range(2)} == {Digest.of(b"one")}
    assert len(reads) == 2


def test_a_file_written_again_is_read_again_though_its_size_and_time_are_the_same(
    file: Path, reads: list[Path]
) -> None:
    remembered_sha256(file, now=later())
    before = file.stat()
    file.write_bytes(b"two")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert remembered_sha256(file, now=later()) == Digest.of(b"two")


def test_another_file_under_the_name_is_read_again(file: Path, reads: list[Path], tmp_path: Path) -> None:
    remembered_sha256(file, now=later())
    (tmp_path / "other").write_bytes(b"two")
    (tmp_path / "other").replace(file)
    assert remembered_sha256(file, now=later()) == Digest.of(b"two")


HARM: dict[str, Callable[[bytes], bytes]] = {
    "emptied": lambda data: b"",
    "cut in half": lambda data: data[: len(data) // 2],
    "something else": lambda data: b"[]",
    "another digest": lambda data: data.replace(Digest.of(b"one").hex.encode(), Digest.of(b"forged").hex.encode()),
    "of another version": lambda data: data.replace(b"/v1", b"/v0"),
}


@pytest.mark.parametrize("harm", HARM.values(), ids=HARM.keys())
def test_a_damaged_memory_is_no_memory(file: Path, reads: list[Path], harm: Callable[[bytes], bytes]) -> None:
    remembered_sha256(file, now=later())
    place = cache.folder() / "digests.json"
    place.write_bytes(harm(place.read_bytes()))
    assert {remembered_sha256(file, now=later()) for _ in range(2)} == {Digest.of(b"one")}
    assert len(reads) == 2


def test_a_clock_that_was_set_back_is_not_believed(file: Path, reads: list[Path]) -> None:
    """The time of the last change lies ahead, and may come once more for another change."""
    remembered_sha256(file, now=later())
    assert {remembered_sha256(file, now=0) for _ in range(2)} == {Digest.of(b"one")}
    assert len(reads) == 3


def test_files_that_are_gone_are_forgotten(file: Path, reads: list[Path], tmp_path: Path) -> None:
    remembered_sha256(file, now=later())
    file.rename(tmp_path / "moved")
    remembered_sha256(tmp_path / "moved", now=later())
    assert "program" not in (cache.folder() / "digests.json").read_text()
