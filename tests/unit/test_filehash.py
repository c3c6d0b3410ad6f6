"""A digest is found again without reading the file, and never when the file could have changed unseen."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagewright.filehash import MARGIN_NS, FileHashes
from imagewright.reference import Digest

ONE, TWO = b"one", b"two"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(ONE)
    return path


def later(path: Path, *, by: int = MARGIN_NS + 1) -> Callable[[], int]:
    """A clock that stands so long after the file's last change."""
    changed = path.lstat().st_ctime_ns
    return lambda: changed + by


def digest(path: Path, hashes: FileHashes) -> str:
    return hashes.of(str(path), path.lstat(), called="file")


def remembered(path: Path, clock: Callable[[], int]) -> bytes:
    hashes = FileHashes(clock=clock)
    digest(path, hashes)
    return hashes.dump() or b""


def forged(path: Path) -> bytes:
    """A memory in which the file has a digest it never had: who believes it did not read the file."""
    body = remembered(path, later(path)).partition(b"\n")[2].replace(hex_of(ONE).encode(), hex_of(b"forged").encode())
    return b"imagewright/filehash/v1 " + hex_of(body).encode() + b"\n" + body


def hex_of(data: bytes) -> str:
    return Digest.of(data).hex


def test_a_file_left_alone_is_not_read_again(file: Path) -> None:
    assert digest(file, FileHashes(forged(file), clock=later(file))) == hex_of(b"forged")


def test_what_was_just_written_is_not_remembered(file: Path) -> None:
    """Within one tick of the clock the file may be written again, and look the same."""
    assert remembered(file, later(file, by=MARGIN_NS)) == b""


def test_an_edit_of_the_same_size_in_the_same_tick_is_seen(file: Path) -> None:
    """The clock of the file system stands still: nothing of the file's status would tell."""
    known = remembered(file, later(file, by=0))
    before = file.stat()
    file.write_bytes(TWO)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert digest(file, FileHashes(known, clock=later(file, by=0))) == hex_of(TWO)


def test_a_clock_that_was_set_back_is_not_believed(file: Path) -> None:
    """The time of the last change lies ahead, and may come once more for another change."""
    assert digest(file, FileHashes(forged(file), clock=later(file, by=-1))) == hex_of(ONE)
    assert digest(file, FileHashes(forged(file), clock=later(file, by=MARGIN_NS - 1))) == hex_of(ONE)


def test_a_time_in_the_future_is_never_remembered(file: Path) -> None:
    far = file.stat().st_ctime_ns + 10**18
    os.utime(file, ns=(far, far))
    assert remembered(file, later(file)) == b""


def rewrite(path: Path, data: bytes) -> None:
    before = path.stat()
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replaced(path: Path, data: bytes = TWO) -> None:
    before = path.stat()
    other = path.with_name("other")
    other.write_bytes(data)
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.rename(path)


CHANGES: dict[str, Callable[[Path], object]] = {
    "the same size at the same mtime": lambda path: rewrite(path, TWO),
    "another file renamed over it": replaced,
    "a mode": lambda path: path.chmod(0o600),
    "a copy of itself": lambda path: replaced(path, ONE),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_after_any_change_the_file_is_read_again(file: Path, change: Callable[[Path], object]) -> None:
    known = forged(file)
    change(file)
    assert digest(file, FileHashes(known, clock=lambda: 2**62)) == hex_of(file.read_bytes())


def test_a_file_that_changes_while_it_is_read_is_not_remembered(file: Path) -> None:
    status = file.lstat()
    file.write_bytes(b"three")
    hashes = FileHashes(clock=lambda: 2**62)
    assert hashes.of(str(file), status, called="file") == hex_of(b"three")
    assert hashes.dump() is None


HARM: dict[str, Callable[[bytes], bytes]] = {
    "cut short": lambda data: data[:-1],
    "cut in half": lambda data: data[: len(data) // 2],
    "emptied": lambda data: b"",
    "edited": lambda data: data.replace(b"file", b"flie"),
    "of another version": lambda data: data.replace(b"/v1 ", b"/v0 "),
    "something else": lambda data: b"\x89PNG\r\n\x1a\n",
}


@pytest.mark.parametrize("harm", HARM.values(), ids=HARM.keys())
def test_a_damaged_memory_is_none_and_is_written_anew(file: Path, harm: Callable[[bytes], bytes]) -> None:
    hashes = FileHashes(harm(forged(file)), clock=later(file))
    assert digest(file, hashes) == hex_of(ONE)
    assert hashes.dump() == remembered(file, later(file))


@given(st.binary(max_size=80))
def test_any_bytes_are_read_without_harm(data: bytes) -> None:
    assert FileHashes(data).dump() is None


def test_nothing_new_is_nothing_to_write(file: Path) -> None:
    hashes = FileHashes(remembered(file, later(file)), clock=later(file))
    digest(file, hashes)
    assert hashes.dump() is None


def test_what_is_gone_is_forgotten(file: Path, tmp_path: Path) -> None:
    hashes = FileHashes(clock=lambda: 2**62)
    (tmp_path / "gone").touch()
    for path in (file, tmp_path / "gone"):
        hashes.of(str(path), path.lstat(), called=path.name)
    later_run = FileHashes(hashes.dump() or b"", clock=lambda: 2**62)
    digest(file, later_run)
    assert later_run.dump() == remembered(file, lambda: 2**62)
