"""The registry client against a real registry: plain, with a password, with TLS."""

from __future__ import annotations

import hashlib
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagewright.errors import ConfigurationError, EvidenceError, RegistryRefused
from imagewright.model.image import Descriptor
from imagewright.oci.artifact import fetch_artifact
from imagewright.oci.registry_auth import Credentials
from imagewright.oci.registry_retry import Patience
from imagewright.oci.standing import standing
from imagewright.reference import Digest, Reference
from tests.integration.pushing import ANN, LAYER, MANIFEST, STORE, Store, client_of
from tests.integration.real_registry import certificate, serving

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("plain")) as address:
        yield address


@pytest.fixture(scope="module")
def registry_with_password(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("password"), password=True) as address:
        yield address


@pytest.fixture(scope="module")
def registry_with_tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    folder = tmp_path_factory.mktemp("tls")
    tls = certificate(folder)
    with serving(folder / "registry", tls=tls) as address:
        yield address, tls.certificate


def test_what_was_pushed_is_read_back_by_tag_and_by_digest(registry: str) -> None:
    client = client_of(registry)
    image = STORE.image("todo/backend", LAYER, b"small", tags=("latest", "v1"))
    (pushed,) = STORE.push(client, image)
    assert (pushed.digest, pushed.tags, pushed.blobs_uploaded) == (image.root, ("latest", "v1"), 3)
    name = Reference(registry, "todo/backend", "v1")
    for reference in (name, name.with_digest(image.root)):
        assert client.get_manifest(reference)[1] == image.manifests[0].content
        found = client.head_manifest(reference)
        assert found == Descriptor(MANIFEST, image.root, len(image.manifests[0].content))
    client.close()


def test_a_second_push_sends_nothing(registry: str) -> None:
    client = client_of(registry)
    image = STORE.image("todo/again", LAYER)
    STORE.push(client, image)
    (pushed,) = STORE.push(client, image)
    assert (pushed.bytes_sent, pushed.blobs_skipped, pushed.blobs_uploaded) == (0, 2, 0)


def test_a_shared_layer_is_mounted_from_the_sibling(registry: str) -> None:
    shared = b"shared by both" * 999
    one, two = STORE.image("mount/one", shared), STORE.image("mount/two", shared)
    _, pushed = STORE.push(client_of(registry), one, two)
    assert (pushed.blobs_mounted, pushed.blobs_uploaded) == (1, 1)


def test_a_repository_that_does_not_have_the_blob_or_does_not_exist_costs_only_the_upload(registry: str) -> None:
    client = client_of(registry)
    blob = STORE.keep(b"nowhere else")
    sources = ("todo/never-seen", "mount/one")
    assert client.upload_blob("mount/three", blob, lambda: STORE.open(blob.digest), sources) == "uploaded"
    assert client.head_blob("mount/three", blob)


def test_a_blob_comes_down_whole_and_verified(registry: str, tmp_path: Path) -> None:
    client = client_of(registry)
    blob = STORE.keep(LAYER)
    client.upload_blob("todo/blob", blob, lambda: STORE.open(blob.digest))
    counts: list[int] = []
    client.get_blob("todo/blob", blob, tmp_path / "blob", counts.append)
    assert (tmp_path / "blob").read_bytes() == LAYER
    assert sum(counts) == blob.size


def test_an_artifact_is_fetched_by_tag_and_by_digest(registry: str, tmp_path: Path) -> None:
    client = client_of(registry)
    STORE.push(client, STORE.image("trivy-db", b"database", tags=("2",)))
    layer = "application/vnd.oci.image.layer.v1.tar+gzip"
    name = Reference(registry, "trivy-db", "2")
    digest = fetch_artifact(client, name, layer, tmp_path / "one")
    assert fetch_artifact(client, name.with_digest(digest), layer, tmp_path / "two") == digest
    assert (tmp_path / "two").read_bytes() == b"database"


def test_what_is_not_there_is_none_to_look_up_and_a_clear_refusal_to_read(registry: str) -> None:
    missing = Reference(registry, "todo/missing", "latest")
    assert client_of(registry).head_manifest(missing) is None
    with pytest.raises(RegistryRefused, match="does not know") as caught:
        client_of(registry).get_manifest(missing)
    assert "MANIFEST_UNKNOWN" in caught.value.why or "NAME_UNKNOWN" in caught.value.why


def test_a_flipped_byte_in_the_store_is_never_sent_whole_and_moves_no_tag(registry: str) -> None:
    store = Store()
    image = store.image("todo/flipped", LAYER)
    digest = image.blobs[1].digest
    store.blobs[digest] = b"\xff" + LAYER[1:]
    with pytest.raises(EvidenceError, match="not what its digest says"):
        store.push(client_of(registry), image)
    client = client_of(registry)
    assert client.head_manifest(Reference(registry, "todo/flipped", "latest")) is None
    assert not client.head_blob("todo/flipped", image.blobs[1])


def test_a_large_blob_is_never_held_in_memory(registry: str, tmp_path: Path) -> None:
    size = 48 << 20
    with (tmp_path / "large").open("wb") as file:
        file.truncate(size)
    blob = Descriptor("x", _digest_of_zeros(size), size)
    client = client_of(registry)
    tracemalloc.start()
    try:
        client.upload_blob("todo/large", blob, lambda: (tmp_path / "large").open("rb"))
        client.get_blob("todo/large", blob, tmp_path / "back")
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def _digest_of_zeros(size: int) -> Digest:
    hasher = hashlib.sha256()
    for _ in range(size >> 20):
        hasher.update(bytes(1 << 20))
    return Digest(hasher.hexdigest())


def test_a_registry_with_a_password_takes_the_right_one(registry_with_password: str) -> None:
    client = client_of(registry_with_password, ANN)
    assert STORE.push(client, STORE.image("todo/backend", LAYER), STORE.image("todo/frontend", LAYER))


@pytest.mark.parametrize(
    ("credentials", "why"),
    [
        (None, "no credentials for it were found"),
        (Credentials("ann", "wrong horse"), "the credentials that were found are not accepted"),
    ],
)
def test_a_registry_with_a_password_refuses_anything_else(
    registry_with_password: str, credentials: Credentials | None, why: str
) -> None:
    with pytest.raises(RegistryRefused, match="sign-in") as caught:
        STORE.push(client_of(registry_with_password, credentials), STORE.image("todo/refused", LAYER))
    assert why in caught.value.why
    assert caught.value.hint == f"docker login {registry_with_password}"
    assert "wrong horse" not in str(caught.value)


def test_a_registry_with_tls_is_trusted_by_its_ca_bundle(registry_with_tls: tuple[str, Path]) -> None:
    address, certificate = registry_with_tls
    assert STORE.push(client_of(address, ca_bundle=certificate), STORE.image("todo/backend", LAYER))


def test_a_certificate_nobody_vouches_for_is_refused_without_trying_again(registry_with_tls: tuple[str, Path]) -> None:
    address, _ = registry_with_tls
    waits: list[float] = []
    with pytest.raises(RegistryRefused, match="is not trusted") as caught:
        client_of(address, patience=Patience(sleep=waits.append)).head_manifest(Reference(address, "todo/x", "v1"))
    assert waits == []
    assert "self-signed" in caught.value.why
    assert "ca_bundle" in caught.value.hint


def test_a_ca_bundle_that_is_none_is_a_configuration_mistake(tmp_path: Path) -> None:
    (tmp_path / "bundle.pem").write_text("nothing")
    for bundle in (tmp_path / "bundle.pem", tmp_path / "missing.pem"):
        with pytest.raises(ConfigurationError, match="mistake") as caught:
            client_of("registry.example", ca_bundle=bundle)
        assert str(bundle) in caught.value.why


def lost(registry: Path) -> Iterator[Path]:
    """Each file a registry has, away for a moment; what the registry has not written anew comes back."""
    for path in sorted(path for path in registry.rglob("*") if path.is_file()):
        kept = registry / "kept"
        path.rename(kept)
        yield path
        if path.exists():
            kept.unlink()
        else:
            kept.rename(path)


def test_whatever_file_a_registry_loses_the_next_push_makes_good(tmp_path: Path) -> None:
    """Its links, blobs and manifests, one after the other: afterwards all can be pulled by tag and by digest."""
    store = Store()
    images = [store.image(name, b"shared", name.encode(), tags=("v1", "main")) for name in ("team/one", "team/two")]
    noticed = set()
    with serving(tmp_path / "home") as address:
        client = client_of(address)
        store.push(client, *images)
        for path in lost(tmp_path / "home/data"):
            if standing(client, images) is None:
                noticed.add(path.parent.parent.parent.name if path.name == "link" else path.name)
                store.push(client, *images)
                assert path.exists(), path
            assert standing(client, images) is not None
            for image in images:
                name = Reference(address, image.repository)
                for reference in (*(name.with_tag(tag) for tag in image.tags), name.with_digest(image.root)):
                    assert client.get_manifest(reference)[1] == image.manifests[0].content
                for blob in image.blobs:
                    client.get_blob(image.repository, blob, tmp_path / "pulled")
        client.close()
    assert noticed == {"data", "_layers", "revisions", "tags"}


def test_a_registry_that_keeps_a_blob_cut_short_is_no_success(tmp_path: Path) -> None:
    """It takes the bytes once more, and keeps the file it has: that is found out, and not called pushed."""
    store = Store()
    image = store.image("team/app", LAYER)
    blob = image.blobs[-1]
    with serving(tmp_path / "home") as address:
        client = client_of(address)
        store.push(client, image)
        data = next((tmp_path / "home/data").rglob(f"{blob.digest.hex}/data"))
        data.write_bytes(LAYER[:-1])
        assert standing(client, [image]) is None
        with pytest.raises(RegistryRefused, match="cannot mend blob") as caught:
            store.push(client, image)
        assert f"it has {len(LAYER) - 1} of its {len(LAYER)} bytes" in caught.value.why
        assert "storage is damaged" in caught.value.hint
        client.close()
