"""Dating a layer: nothing later than the source date is left, and nothing else is touched."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagewright.errors import EvidenceError
from imagewright.oci.redate import Written, latest, redate

EPOCH = 1_000_000_000
LATER = EPOCH + 86_400

NAMES = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x17F, blacklist_characters="/"), min_size=1)
MEMBERS = st.lists(st.tuples(NAMES, st.binary(max_size=1500), st.integers(0, 2 * EPOCH), st.booleans()), max_size=8)


def archive(*members: tuple[str, bytes, float], **headers: str) -> bytes:
    """A tar in the PAX format, each member with its content and date."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content, date in members:
            member = tarfile.TarInfo(name)
            member.size, member.mtime, member.pax_headers = len(content), date, dict(headers)
            tar.addfile(member, io.BytesIO(content))
    return file.getvalue()


def dated(tar: bytes, epoch: int = EPOCH) -> tuple[bytes, Written]:
    target = io.BytesIO()
    written = redate(io.BytesIO(tar), target, epoch, name="x")
    return target.getvalue(), written


def contents(tar: bytes) -> list[tuple[Any, ...]]:
    with tarfile.open(fileobj=io.BytesIO(tar)) as found:
        return [
            (one.name, one.mtime, one.mode, one.type, body.read() if (body := found.extractfile(one)) else b"")
            for one in found
        ]


def test_a_later_date_becomes_the_source_date_and_an_earlier_one_stays() -> None:
    blob, _ = dated(archive(("new", b"1", LATER), ("old", b"2", EPOCH - 5)))
    assert [(name, date) for name, date, *_ in contents(gzip.decompress(blob))] == [("new", EPOCH), ("old", EPOCH - 5)]


def test_the_latest_date_is_found() -> None:
    assert latest(io.BytesIO(archive(("a", b"", 7), ("b", b"", LATER), ("c", b"", 9))), name="x") == LATER


def test_an_empty_layer_has_no_date() -> None:
    assert latest(io.BytesIO(archive()), name="x") == 0


def test_a_fraction_of_a_second_after_the_source_date_is_later() -> None:
    tar = archive(("a", b"1", EPOCH + 0.5))
    assert latest(io.BytesIO(tar), name="x") == EPOCH + 1
    blob, _ = dated(tar)
    assert contents(gzip.decompress(blob))[0][1] == EPOCH


def test_other_extended_headers_outlive_a_date_that_goes() -> None:
    blob, _ = dated(archive(("a", b"1", LATER + 0.5), **{"SCHILY.xattr.user.team": "shop", "atime": f"{LATER}.25"}))
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(blob))) as tar:
        (member,) = tar.getmembers()
    assert member.pax_headers == {"SCHILY.xattr.user.team": "shop"}
    assert member.mtime == EPOCH


def test_what_was_written_is_what_the_digests_say() -> None:
    blob, written = dated(archive(("a", b"1" * 5000, LATER)))
    assert written.digest.hex == hashlib.sha256(blob).hexdigest()
    assert written.diff_id.hex == hashlib.sha256(gzip.decompress(blob)).hexdigest()
    assert written.size == len(blob)


def test_a_compressed_layer_and_a_plain_one_become_the_same() -> None:
    tar = archive(("a", b"1" * 5000, LATER))
    assert dated(gzip.compress(tar)) == dated(tar)


@pytest.mark.parametrize("format_", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_and_large_owners_survive_in_every_format(format_: int) -> None:
    file = io.BytesIO()
    member = tarfile.TarInfo("d" * 90 + "/" + "e" * 90)
    member.mtime, member.uid = LATER, 1000 if format_ == tarfile.USTAR_FORMAT else 3_000_000
    with tarfile.open(fileobj=file, mode="w", format=format_) as tar:
        tar.addfile(member)
    blob, _ = dated(file.getvalue())
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(blob))) as found:
        (after,) = found.getmembers()
    assert (after.name, after.uid, after.mtime) == (member.name, member.uid, EPOCH)


@given(members=MEMBERS)
def test_only_dates_change_and_doing_it_twice_changes_nothing_more(
    members: list[tuple[str, bytes, int, bool]],
) -> None:
    tar = archive(*((name, content, date + (0.25 if odd else 0)) for name, content, date, odd in members))
    blob, written = dated(tar)
    after = gzip.decompress(blob)
    strip = [(name, *rest) for name, _, *rest in contents(tar)]
    assert [(name, *rest) for name, _, *rest in contents(after)] == strip
    assert latest(io.BytesIO(after), name="x") <= EPOCH
    assert dated(after) == (blob, written)


@given(members=MEMBERS, cut=st.integers(0, 511))
def test_a_layer_cut_inside_a_header_or_a_file_is_never_taken_for_whole(
    members: list[tuple[str, bytes, int, bool]], cut: int
) -> None:
    tar = archive(("first", b"1" * 700, LATER), *((name, content, date) for name, content, date, _ in members))
    with pytest.raises(EvidenceError, match="cannot be dated"):
        dated(tar[: 512 + cut])


@pytest.mark.parametrize(
    "damage",
    [
        lambda tar: tar[:100] + b"\xff" + tar[101:],
        lambda tar: gzip.compress(tar)[:-9],
        lambda tar: b"\x1f\x8b" + tar,
    ],
    ids=["a flipped byte in a header", "a cut off gzip stream", "no gzip behind its magic"],
)
def test_a_broken_layer_is_an_error_with_its_name(damage: Any) -> None:
    with pytest.raises(EvidenceError, match="the layer x cannot be dated"):
        dated(damage(archive(("a", b"1" * 5000, LATER))))
