"""The layer walk against a model so simple that it is right: a dictionary, and one rule at a time."""

from __future__ import annotations

import gzip
import tarfile
from dataclasses import dataclass

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from imagewright.errors import EvidenceError
from imagewright.model.image import Contents
from imagewright.oci.layers import walk
from imagewright.oci.listing import lister
from tests.unit.factory import Blobs, member, tar

NAMES = st.sampled_from(["a", "b", "ab"])
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)


@dataclass(frozen=True)
class Step:
    kind: str  # file, directory, whiteout, opaque
    path: str
    size: int


LAYERS = st.lists(
    st.lists(st.builds(Step, st.sampled_from(["file", "directory", "whiteout", "opaque"]), PATHS, st.integers(0, 9))),
    min_size=1,
    max_size=4,
)


def as_tar(steps: list[Step]) -> bytes:
    def one(step: Step) -> tuple[tarfile.TarInfo, bytes]:
        folder, slash, name = step.path.rpartition("/")
        if step.kind == "whiteout":
            return member(f"{folder}{slash}.wh.{name}")
        if step.kind == "opaque":
            return member(f"{step.path}/.wh..wh..opq")
        if step.kind == "directory":
            return member(step.path, type=tarfile.DIRTYPE)
        return member(step.path, b"x" * step.size)

    return tar(map(one, steps))


def expected(layers: list[list[Step]]) -> dict[str, tuple[str, int, int]]:
    """path → kind, size, layer of the final file system."""
    final: dict[str, tuple[str, int, int]] = {}
    for number, steps in enumerate(layers):
        own = {step.path: step for step in steps if step.kind in ("file", "directory")}
        for step in steps:
            if step.kind == "whiteout":
                final = {path: at for path, at in final.items() if not (path + "/").startswith(step.path + "/")}
            elif step.kind == "opaque":
                final = {path: at for path, at in final.items() if not path.startswith(step.path + "/")}
        for path, step in own.items():
            if step.kind == "file" and path in final:
                final = {other: at for other, at in final.items() if not (other + "/").startswith(path + "/")}
        for path, step in own.items():
            final[path] = (step.kind, step.size if step.kind == "file" else 0, number)
    return final


def walked(layers: list[list[Step]]) -> Contents:
    blobs = Blobs(*map(as_tar, layers))
    return walk(blobs.manifest, blobs.config, lister(blobs.open))


@given(LAYERS)
def test_the_final_file_system_is_the_models(layers: list[list[Step]]) -> None:
    found = {entry.path[1:]: (entry.kind, entry.size, entry.layer) for entry in walked(layers).final}
    assert found == expected(layers)


@given(LAYERS)
def test_no_file_of_any_layer_is_lost_from_sight(layers: list[list[Step]]) -> None:
    contents = walked(layers)
    files = sorted(
        (f"/{step.path}", number, step.size)
        for number, steps in enumerate(layers)
        for step in steps
        if step.kind == "file"
    )
    found = sorted(
        (entry.path, entry.layer, entry.size) for entry in (*contents.final, *contents.deleted) if entry.kind == "file"
    )
    assert found == files


@given(LAYERS)
def test_the_walk_gives_the_same_every_time_and_in_order(layers: list[list[Step]]) -> None:
    contents = walked(layers)
    assert contents == walked(layers)
    assert [entry.path for entry in contents.final] == sorted(entry.path for entry in contents.final)


ODDITIES = tar(
    [
        member("a", type=tarfile.DIRTYPE),
        member("a/key", b"secret" * 100, mode=0o4755),
        member("a/link", type=tarfile.LNKTYPE, linkname="a/key"),
        member("a/" + "long" * 60, b"x"),
        member("sparse", b"x", pax_headers={"GNU.sparse.size": "1000", "GNU.sparse.map": "999,1"}),
        member("dev", type=tarfile.CHRTYPE),
        member(".wh.b"),
    ]
)


def told(data: bytes, stored: bytes) -> Contents | None:
    """What the walk says of one layer; None when it refuses."""
    blobs = Blobs(data, stored=(stored,))
    try:
        return walk(blobs.manifest, blobs.config, lister(blobs.open))
    except EvidenceError:
        return None


@given(st.binary(max_size=2000))
def test_bytes_that_nobody_made_are_refused_or_read_and_never_crash(data: bytes) -> None:
    told(data, data)
    told(data, b"\x1f\x8b" + data)
    told(data, b"\x28\xb5\x2f\xfd" + data)


@given(
    st.lists(st.tuples(st.integers(0, len(ODDITIES) - 1), st.binary(min_size=1, max_size=8)), min_size=1, max_size=4)
)
def test_an_archive_with_changed_bytes_is_refused_or_read_and_never_crashes(changes: list[tuple[int, bytes]]) -> None:
    data = bytearray(ODDITIES)
    for at, new in changes:
        data[at : at + len(new)] = new
    told(bytes(data), bytes(data))


@pytest.mark.parametrize("compress", [bytes, gzip.compress, zstandard.ZstdCompressor().compress])
@given(cut=st.integers(0, 10_000))
def test_a_layer_cut_anywhere_is_never_taken_for_whole(compress: object, cut: int) -> None:
    assert callable(compress)
    blob = compress(ODDITIES)
    assert told(ODDITIES, blob[: cut % len(blob)]) is None


@given(st.integers(0, 255), st.integers(0, 10_000))
def test_a_changed_byte_of_a_stored_layer_is_never_taken_for_the_promised_one(byte: int, at: int) -> None:
    blob = bytearray(gzip.compress(ODDITIES, mtime=0))
    place = at % len(blob)
    same = blob[place] == byte
    blob[place] = byte
    contents = told(ODDITIES, bytes(blob))
    # Some bytes of gzip's own header mean nothing: what comes out of them is the promised layer all the same.
    assert contents is None or same or place < 10
