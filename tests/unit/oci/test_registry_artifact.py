"""The file inside an OCI artifact: found by its media type, by tag, by digest, through an index."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from imagewright.errors import RegistryRefused
from imagewright.model.image import Descriptor
from imagewright.oci.artifact import fetch_artifact
from imagewright.reference import Digest, Reference

DATABASE = "application/vnd.aquasec.trivy.db.layer.v1.tar+gzip"
MANIFEST, INDEX = "application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.index.v1+json"
NAME = Reference.parse("registry.example/trivy-db:2")


class Shelf:
    """A registry of one repository in memory."""

    def __init__(self) -> None:
        self.contents: dict[Digest, bytes] = {}
        self.tag: Digest | None = None

    def keep(self, content: bytes) -> Digest:
        self.contents[Digest.of(content)] = content
        return Digest.of(content)

    def manifest(self, *layers: tuple[str, bytes]) -> Digest:
        entries = [_entry(kind, self.keep(content), content) for kind, content in layers]
        config = _entry("application/vnd.oci.empty.v1+json", self.keep(b"{}"), b"{}")
        document = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": entries}
        return self.keep(json.dumps(document).encode())

    def index(self, *children: Digest) -> Digest:
        entries = [_entry(MANIFEST, child, self.contents[child]) for child in children]
        return self.keep(json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).encode())

    def get_manifest(self, reference: Reference) -> tuple[Descriptor, bytes]:
        digest = reference.digest or self.tag
        assert digest is not None
        content = self.contents[digest]
        return Descriptor(MANIFEST, digest, len(content)), content

    def get_blob(self, repository: str, descriptor: Descriptor, into: Path, on_bytes: Callable[[int], None]) -> None:
        assert repository == "trivy-db"
        into.write_bytes(self.contents[descriptor.digest])
        on_bytes(descriptor.size)


def _entry(media_type: str, digest: Digest, content: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": str(digest), "size": len(content)}


def test_the_layer_of_a_tagged_artifact_is_fetched_and_its_manifest_digest_returned(tmp_path: Path) -> None:
    shelf = Shelf()
    shelf.tag = shelf.manifest((DATABASE, b"database"), ("text/plain", b"readme"))
    counts: list[int] = []
    assert fetch_artifact(shelf, NAME, DATABASE, tmp_path / "db", counts.append) == shelf.tag
    assert (tmp_path / "db").read_bytes() == b"database"
    assert counts == [8]


def test_a_digest_is_fetched_without_asking_for_a_tag(tmp_path: Path) -> None:
    shelf = Shelf()
    digest = shelf.manifest((DATABASE, b"database"))
    assert fetch_artifact(shelf, NAME.with_digest(digest), DATABASE, tmp_path / "db") == digest


def test_an_index_is_followed_and_its_own_digest_returned(tmp_path: Path) -> None:
    shelf = Shelf()
    shelf.tag = shelf.index(shelf.manifest(("text/plain", b"other")), shelf.manifest((DATABASE, b"database")))
    assert fetch_artifact(shelf, NAME, DATABASE, tmp_path / "db") == shelf.tag
    assert (tmp_path / "db").read_bytes() == b"database"


@pytest.mark.parametrize(
    ("layers", "found"),
    [
        ((), "no layers"),
        ((("text/plain", b"x"),), "text/plain"),
        (((DATABASE, b"one"), (DATABASE, b"two")), "it holds 2"),
    ],
)
def test_anything_but_one_such_layer_is_refused(
    tmp_path: Path, layers: tuple[tuple[str, bytes], ...], found: str
) -> None:
    shelf = Shelf()
    shelf.tag = shelf.manifest(*layers)
    with pytest.raises(RegistryRefused, match="exactly one layer") as caught:
        fetch_artifact(shelf, NAME, DATABASE, tmp_path / "db")
    assert found in caught.value.why
    assert not (tmp_path / "db").exists()


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"layers": 3}', b"[" * 100_000])
def test_a_manifest_that_cannot_be_read_is_refused(tmp_path: Path, content: bytes) -> None:
    shelf = Shelf()
    shelf.tag = shelf.keep(content)
    with pytest.raises(RegistryRefused, match="cannot be read"):
        fetch_artifact(shelf, NAME, DATABASE, tmp_path / "db")
