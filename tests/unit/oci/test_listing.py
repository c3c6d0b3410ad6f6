"""Listings of layers that are kept: the same as read anew, or not believed."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagewright.errors import EvidenceError
from imagewright.oci import listing
from imagewright.oci.layers import walk
from imagewright.oci.listing import Lister, Listing, dump, lister, load, remembered
from imagewright.reference import Digest
from tests.unit.factory import Blobs, member, tar

LAYER = Digest.of(b"layer")
BASE = tar([member("bin", type=tarfile.DIRTYPE), member("bin/sh", b"shell", mode=0o104755), member("etc/key", b"k")])
ABOVE = tar(
    [member("bin/.wh.sh"), member("etc/.wh..wh..opq"), member("srv/Ä\udcff", type=tarfile.SYMTYPE, linkname="x")]
)

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=9)
KINDS = st.sampled_from(["file", "directory", "symlink", "hardlink", "device", "fifo"])
NUMBERS = st.integers(0, 2**63)
ROWS = st.lists(st.tuples(TEXTS, KINDS, NUMBERS, NUMBERS, NUMBERS, NUMBERS, TEXTS, st.booleans())).map(tuple)
NAMES = st.lists(TEXTS).map(tuple)
LISTINGS = st.builds(Listing, st.binary(max_size=4).map(Digest.of), NUMBERS, ROWS, ROWS, NAMES, NAMES)


@given(LISTINGS)
def test_what_is_kept_is_what_was_read(one: Listing) -> None:
    assert load(LAYER, dump(LAYER, one)) == one


@given(LISTINGS, st.data())
def test_no_byte_can_change_and_no_byte_be_missing(one: Listing, data: st.DataObject) -> None:
    kept = bytearray(dump(LAYER, one))
    at = data.draw(st.integers(0, len(kept) - 1))
    assert load(LAYER, bytes(kept[:at])) is None
    kept[at] ^= data.draw(st.integers(1, 255))
    assert load(LAYER, bytes(kept)) is None


def test_another_layers_listing_is_not_believed() -> None:
    assert load(Digest.of(b"other"), dump(LAYER, Listing(LAYER, 0, ()))) is None


def test_a_listing_of_another_revision_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = dump(LAYER, Listing(LAYER, 0, ()))
    monkeypatch.setattr(listing, "REVISION", listing.REVISION + 1)
    assert load(LAYER, kept) is None


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"[" * 99_999, b'["sha256:0",1,[],[],[],[]]', b"\xff"])
def test_a_sealed_body_of_another_shape_is_not_believed(body: bytes) -> None:
    assert load(LAYER, listing._head(body) + body) is None


class Counting:
    """A lister over some blobs that counts how often each was read."""

    def __init__(self, blobs: Blobs) -> None:
        self.read: list[Digest] = []
        self._listed = lister(blobs.open)

    def __call__(self, layer: Digest) -> Listing:
        self.read.append(layer)
        return self._listed(layer)


@pytest.fixture
def image() -> Blobs:
    return Blobs(BASE, ABOVE)


def test_a_walk_over_remembered_layers_reads_none_and_finds_the_same(tmp_path: Path, image: Blobs) -> None:
    reading = Counting(image)
    wanted = walk(image.manifest, image.config, lister(image.open))
    for _ in range(2):
        assert walk(image.manifest, image.config, remembered(tmp_path, reading)) == wanted
    assert reading.read == [layer.digest for layer in image.manifest.layers]


def test_a_layer_of_two_images_is_read_once_and_counts_where_it_lies_in_each(tmp_path: Path) -> None:
    below, above = Blobs(BASE, ABOVE), Blobs(ABOVE, BASE)
    for image in (below, above):
        wanted = walk(image.manifest, image.config, lister(image.open))
        assert walk(image.manifest, image.config, remembered(tmp_path, lister(image.open))) == wanted
    assert len(list(tmp_path.iterdir())) == 2
    reading = Counting(above)
    found = walk(above.manifest, above.config, remembered(tmp_path, reading))
    assert not reading.read
    assert {entry.path: entry.layer for entry in found.final}["/bin/sh"] == 1


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-1], lambda data: data.replace(b"/bin/sh", b"/bin/ls"), lambda data: b""]
)
def test_a_damaged_or_edited_memory_is_read_again_and_mended(
    tmp_path: Path, image: Blobs, damage: Callable[[bytes], bytes]
) -> None:
    layer = image.manifest.layers[0].digest
    wanted = remembered(tmp_path, lister(image.open))(layer)
    (file,) = tmp_path.iterdir()
    good = file.read_bytes()
    file.write_bytes(damage(good))
    assert remembered(tmp_path, lister(image.open))(layer) == wanted
    assert file.read_bytes() == good


def test_a_remembered_layer_that_the_configuration_does_not_promise_is_refused(tmp_path: Path) -> None:
    layer, told = Blobs(BASE), Blobs(BASE, stored=(ABOVE,))
    lying = remembered(tmp_path, lister(told.open))
    with pytest.raises(EvidenceError, match="not the one the image was made of"):
        walk(told.manifest, told.config, lying)
    assert walk(layer.manifest, layer.config, remembered(tmp_path, lister(layer.open))).final


def test_a_memory_that_cannot_be_written_is_no_error(tmp_path: Path, image: Blobs) -> None:
    (tmp_path / "file").write_text("in the way")
    reading = remembered(tmp_path / "file", lister(image.open))
    assert walk(image.manifest, image.config, reading).final


def test_a_layer_that_cannot_be_read_is_not_remembered(tmp_path: Path) -> None:
    def missing(_: Digest) -> BinaryIO:
        raise EvidenceError("gone")

    reading: Lister = remembered(tmp_path, lister(missing))
    with pytest.raises(EvidenceError, match="gone"):
        reading(LAYER)
    assert not list(tmp_path.iterdir())
