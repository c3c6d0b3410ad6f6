"""Bytes are hashed on their way, and wrong ones go nowhere."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagewright.errors import EvidenceError, RegistryRefused
from imagewright.model.image import Descriptor
from imagewright.oci.verified import Counted, Outgoing, store_verified
from imagewright.reference import Digest


def described(content: bytes) -> Descriptor:
    return Descriptor("application/octet-stream", Digest.of(content), len(content))


def drain(outgoing: Outgoing, size: int) -> bytes:
    sent = b""
    while chunk := outgoing.read(size):
        sent += chunk
    return sent


@given(st.binary(max_size=200), st.integers(min_value=1, max_value=64))
def test_a_blob_goes_out_as_it_is_and_is_counted(content: bytes, size: int) -> None:
    counts: list[int] = []
    assert drain(Outgoing(io.BytesIO(content), described(content), counts.append), size) == content
    assert sum(counts) == len(content)


@given(st.binary(min_size=1, max_size=200), st.integers(min_value=0), st.integers(min_value=1, max_value=64))
def test_a_blob_with_one_flipped_bit_never_goes_out_whole(content: bytes, place: int, size: int) -> None:
    flipped = bytearray(content)
    flipped[place % len(content)] ^= 1
    counts: list[int] = []
    with pytest.raises(EvidenceError, match="not what its digest says"):
        drain(Outgoing(io.BytesIO(flipped), described(content), counts.append), size)
    assert sum(counts) < len(content)


@pytest.mark.parametrize(("stored", "why"), [(b"abc", "too early"), (b"abcdef!", "longer")])
def test_a_blob_of_another_length_is_refused(stored: bytes, why: str) -> None:
    with pytest.raises(EvidenceError) as caught:
        drain(Outgoing(io.BytesIO(stored), described(b"abcdef"), lambda _: None), 4)
    assert why in caught.value.why


def test_a_blob_that_cannot_be_read_is_the_stores_fault_not_the_networks() -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(EvidenceError) as caught:
        Outgoing(Broken(), described(b"abc"), lambda _: None).read(3)
    assert "Input/output error" in caught.value.why


def test_a_transfer_that_starts_over_takes_its_bytes_back() -> None:
    counts: list[int] = []
    counted = Counted(counts.append)
    counted.start_over()
    counted.add(3)
    counted.add(4)
    counted.start_over()
    counted.add(5)
    assert counts == [3, 4, -7, 5]


def test_a_download_appears_whole(tmp_path: Path) -> None:
    target = tmp_path / "new" / "blob"
    store_verified([b"ab", b"", b"c"], described(b"abc"), target, lambda _: None, "registry.example")
    assert target.read_bytes() == b"abc"
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("chunks", [[b"abd"], [b"ab"], [b"abc", b"d"], []])
def test_a_download_of_other_bytes_leaves_nothing_behind_and_the_old_file_alone(
    tmp_path: Path, chunks: list[bytes]
) -> None:
    target = tmp_path / "blob"
    target.write_bytes(b"old")
    with pytest.raises(RegistryRefused, match="gave other bytes"):
        store_verified(chunks, described(b"abc"), target, lambda _: None, "registry.example")
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(EvidenceError, match="cannot write"):
        store_verified([b"abc"], described(b"abc"), tmp_path / "file" / "blob", lambda _: None, "registry.example")
