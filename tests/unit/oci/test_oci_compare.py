"""Two stored images compared: layers that differ are read, those that are the same are not."""

from __future__ import annotations

import gzip
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imagewright.errors import EvidenceError
from imagewright.model.image import Manifest
from imagewright.oci.compare import manifests
from imagewright.oci.layout import Store
from imagewright.oci.parse import MANIFEST_TYPES, parse_manifest
from tests.unit.factory import member, tar

Made = Callable[..., Manifest]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def image(store: Store, *tars: bytes, level: int = 1, user: str = "1", note: str = "") -> Manifest:
    """An image of these layers."""
    config = {
        "os": "linux",
        "architecture": "amd64",
        "config": {"User": user},
        "rootfs": {"type": "layers", "diff_ids": [str(store.put(data)) for data in tars]},
        "history": [{"created_by": f"COPY {number}"} for number in range(len(tars))],
    }
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPES[0],
        "config": blob(store, json.dumps(config).encode()),
        "layers": [blob(store, gzip.compress(data, level, mtime=0)) for data in tars],
        "annotations": {"note": note},
    }
    data = json.dumps(document).encode()
    store.put(data)
    return parse_manifest(data)


def blob(store: Store, data: bytes) -> dict[str, Any]:
    return {"mediaType": "application/octet-stream", "digest": str(store.put(data)), "size": len(data)}


def named(store: Store, one: Manifest, other: Manifest) -> list[str]:
    return [str(found) for found in manifests(store, one, store, other)]


LOWER = tar([member("usr/lib", type=tarfile.DIRTYPE), member("usr/lib/x", b"x")])


def test_an_image_is_the_same_as_itself(store: Store) -> None:
    assert named(store, image(store, LOWER), image(store, LOWER)) == []


def test_the_layer_and_the_file_are_named(store: Store) -> None:
    one = image(store, LOWER, tar([member("a", b"one"), member("b", b"same")]))
    other = image(store, LOWER, tar([member("a", b"two"), member("b", b"same")]))
    assert named(store, one, other) == ["layer 2 (COPY 1) /a: content"]


@pytest.mark.parametrize(
    ("changed", "aspects"),
    [
        (member("a", b"12", mode=0o755), "mode (0644 and 0755)"),
        (member("a", b"12", uid=5, gid=6), "owner (0:0 and 5:6)"),
        (member("a", b"12", mtime=9), "time (0 and 9)"),
        (member("a", b"12", mtime=0.5), "time (0 and 0.5)"),
        (member("a", b"12", pax_headers={"SCHILY.xattr.user.x": "1"}), "attributes"),
        (member("a", b"12", uname="root"), "attributes"),
        (member("a", type=tarfile.DIRTYPE), "kind, content (file and directory; 2 B and 0 B)"),
        (member("a", b"123"), "content (2 B and 3 B)"),
    ],
)
def test_each_field_of_an_archive_counts(store: Store, changed: tuple[tarfile.TarInfo, bytes], aspects: str) -> None:
    found = named(store, image(store, tar([member("a", b"12")])), image(store, tar([changed])))
    assert found == [f"layer 1 (COPY 0) /a: {aspects}"]


def test_whiteouts_links_and_large_files_are_compared(store: Store) -> None:
    large = bytes(300_000)
    rest = [member("a/.wh.gone"), member("l", type=tarfile.SYMTYPE, linkname="a")]
    one = image(store, tar([member("large", large + b"1"), *rest]))
    other = image(store, tar([member("large", large + b"2"), member("l", type=tarfile.SYMTYPE, linkname="b")]))
    assert named(store, one, other) == [
        "layer 1 (COPY 0) /a/.wh.gone: missing",
        "layer 1 (COPY 0) /l: target (a and b)",
        "layer 1 (COPY 0) /large: content",
    ]


def test_a_name_that_is_not_utf_8_can_be_said(store: Store) -> None:
    (found,) = named(store, image(store, tar([])), image(store, tar([member("caf\udce9")])))
    assert found.encode()
    assert "caf\\xe9: added" in found


def test_the_same_files_in_other_bytes_are_a_difference_too(store: Store) -> None:
    noise = tar([member("a", bytes(range(256)) * 40)])
    assert named(store, image(store, noise), image(store, noise, level=9)) == ["layer 1 (COPY 0) /: archive"]


def test_a_layer_more_is_named_by_what_is_in_it(store: Store) -> None:
    one, other = image(store, LOWER), image(store, LOWER, tar([member("a")]))
    assert "layer 2 /a: added" in named(store, one, other)
    assert "layer 2 (COPY 1) /a: missing" in named(store, other, one)
    assert named(store, image(store, LOWER, tar([])), one)[0] == "layer 2 (COPY 1) /: archive"


def test_the_configuration_and_the_manifest_are_compared_too(store: Store) -> None:
    one = image(store, LOWER)
    assert named(store, one, image(store, LOWER, user="2")) == ['configuration config.User: value ("1" and "2")']
    assert named(store, one, image(store, LOWER, note="n")) == ['manifest annotations.note: value ("" and "n")']


def test_a_layer_that_is_the_same_is_not_read(store: Store) -> None:
    one, other = image(store, LOWER), image(store, LOWER, user="2")
    store.blob_path(one.layers[0].digest).write_bytes(b"damaged")
    assert len(named(store, one, other)) == 1


def test_a_damaged_layer_is_no_difference_but_an_error(store: Store) -> None:
    one, other = image(store, LOWER), image(store, tar([member("a", b"1")]))
    path = store.blob_path(other.layers[0].digest)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(EvidenceError, match="not what its digest says"):
        named(store, one, other)
