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
    return b"imagewright/filehash/v2 " + hex_of(body).encode() + b"\n" + body


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
    "of another version": lambda data: data.replace(b"/v2 ", b"/v0 "),
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


def found(tmp_path: Path, hashes: FileHashes, question: str = "which?") -> tuple[tuple[str, str], ...] | None:
    return hashes.found(question, f"{tmp_path}/")


def kept(tmp_path: Path, clock: Callable[[], int]) -> bytes:
    """What is remembered of a file, a folder and a link, and of what was found there."""
    hashes = FileHashes(clock=clock)
    hashes.looked_at(tmp_path.stat(), called="")
    hashes.looked_at((tmp_path / "link").lstat(), called="link")
    digest(tmp_path / "file", hashes)
    hashes.keep("which?", (("file", "1"), ("link", "")))
    return hashes.dump() or b""


@pytest.fixture
def linked(file: Path, tmp_path: Path) -> Path:
    (tmp_path / "link").symlink_to("file")
    return tmp_path


def test_what_was_found_stands_while_nothing_changed(linked: Path) -> None:
    hashes = FileHashes(kept(linked, later(linked)), clock=later(linked))
    assert found(linked, hashes) == (("file", "1"), ("link", ""))
    assert hashes.dump() is None


def test_what_was_found_is_no_answer_to_another_question(linked: Path) -> None:
    assert found(linked, FileHashes(kept(linked, later(linked)), clock=later(linked)), "what?") is None
    assert found(linked, FileHashes(), "") is None


def test_what_was_found_where_something_is_young_is_not_kept(linked: Path) -> None:
    """The file has been left alone for long, and the link in the folder is new."""
    os.utime(linked / "file", (0, 0))
    known = kept(linked, later(linked, by=MARGIN_NS))
    assert found(linked, FileHashes(known, clock=lambda: 2**62)) is None


def test_what_was_found_is_not_believed_when_the_clock_was_set_back(linked: Path) -> None:
    known = kept(linked, later(linked))
    assert found(linked, FileHashes(known, clock=later(linked, by=MARGIN_NS - 1))) is None


def relink(link: Path, leads: str) -> None:
    link.unlink()
    link.symlink_to(leads)


def made_anew(folder: Path) -> None:
    folder.rename(folder.with_name("other"))
    folder.mkdir()


PLACES: dict[str, Callable[[Path], object]] = {
    "a byte of a file": lambda folder: rewrite(folder / "file", TWO),
    "a file renamed over another": lambda folder: replaced(folder / "file"),
    "a file's mode": lambda folder: (folder / "file").chmod(0o600),
    "a file gone": lambda folder: (folder / "file").unlink(),
    "a new file": lambda folder: (folder / "new").touch(),
    "a new folder": lambda folder: (folder / "new").mkdir(),
    "a link that leads elsewhere": lambda folder: relink(folder / "link", "new"),
    "a link in the place of a file": lambda folder: relink(folder / "file", "link"),
    "a second name of the file": lambda folder: os.link(folder / "file", folder.parent / "new"),
    "the folder's mode": lambda folder: folder.chmod(0o700),
    "the folder made anew": made_anew,
}


@pytest.mark.parametrize("change", PLACES.values(), ids=PLACES.keys())
def test_after_any_change_what_was_found_does_not_stand(linked: Path, change: Callable[[Path], object]) -> None:
    known = kept(linked, lambda: 2**62)
    change(linked)
    assert found(linked, FileHashes(known, clock=lambda: 2**62)) is None
