"""The store: blobs shared and checked, names that move last, and no damage that goes unseen."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from imagewright.errors import EvidenceError, ToolFailed
from imagewright.model.image import Descriptor, Image
from imagewright.oci.assemble import image_from_tar
from imagewright.oci.layout import REF_NAME, Store
from imagewright.oci.parse import INDEX_TYPES, MANIFEST_TYPES
from imagewright.reference import Digest, Platform

AMD64 = Platform("linux", "amd64")
ARM64 = Platform("linux", "arm64")
BASE_LAYER = b"the base's layer"


class Export:
    """A layout folder as BuildKit leaves it, made by hand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "blobs" / "sha256").mkdir(parents=True)

    def blob(self, data: bytes, media_type: str = "application/octet-stream") -> dict[str, Any]:
        digest = Digest.of(data)
        self.path(digest).write_bytes(data)
        return {"mediaType": media_type, "digest": str(digest), "size": len(data)}

    def path(self, digest: Digest) -> Path:
        return self.folder / "blobs" / "sha256" / digest.hex

    def manifest(self, *layers: bytes, platform: Platform = AMD64, note: str = "") -> dict[str, Any]:
        diff_ids = [str(Digest.of(layer)) for layer in layers]
        config = {
            "os": platform.os,
            "architecture": platform.architecture,
            "config": {"Labels": {"note": note}},
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
        }
        document = {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPES[0],
            "config": self.blob(json.dumps(config).encode()),
            "layers": [self.blob(layer) for layer in layers],
        }
        return self.blob(json.dumps(document).encode(), MANIFEST_TYPES[0])

    def index_of(self, *children: tuple[dict[str, Any], Platform]) -> dict[str, Any]:
        manifests = [
            {**child, "platform": {"os": platform.os, "architecture": platform.architecture}}
            for child, platform in children
        ]
        document = {"schemaVersion": 2, "mediaType": INDEX_TYPES[0], "manifests": manifests}
        return self.blob(json.dumps(document).encode(), INDEX_TYPES[0])

    def entries(self, *entries: dict[str, Any]) -> Path:
        """Write index.json; returns the folder, ready to be adopted."""
        (self.folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": entries}))
        return self.folder


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def exported(folder: Path, *layers: bytes, note: str = "") -> Path:
    export = Export(folder)
    return export.entries(export.manifest(*layers, note=note))


def adopt(store: Store, folder: Path, name: str, *layers: bytes, note: str = "") -> Image:
    return store.adopt(exported(folder, *layers, note=note), name)


def flip(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(bytes([data[0] ^ 1]) + data[1:])


def refused(caught: pytest.ExceptionInfo[EvidenceError], *words: str) -> None:
    assert caught.value.exit_code == 8
    for word in words:
        assert word in str(caught.value)


def blobs(store: Store) -> set[str]:
    return {path.name for path in (store.root / "blobs" / "sha256").iterdir()}


def test_an_adopted_image_is_all_there_under_its_name(store: Store, tmp_path: Path) -> None:
    image = adopt(store, tmp_path / "a", "app", BASE_LAYER, b"app layer")
    ((platform, manifest),) = image.manifests
    assert (image.name, platform, store.names()) == ("app", AMD64, ("app",))
    assert image.root.digest == manifest.digest
    assert [layer.digest for layer in manifest.layers] == [Digest.of(BASE_LAYER), Digest.of(b"app layer")]
    assert store.config(manifest).diff_ids == (Digest.of(BASE_LAYER), Digest.of(b"app layer"))
    assert store.image("app") == image
    assert {digest.hex for digest in store.blobs(image)} == blobs(store)
    store.verify(store.blobs(image))


def test_the_store_is_a_layout_any_tool_can_read(store: Store, tmp_path: Path) -> None:
    image = adopt(store, tmp_path / "a", "app", BASE_LAYER)
    assert json.loads((store.root / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    document = json.loads((store.root / "index.json").read_text())
    assert document["mediaType"] == INDEX_TYPES[0]
    assert document["manifests"] == [
        {
            "mediaType": MANIFEST_TYPES[0],
            "digest": str(image.root.digest),
            "size": image.root.size,
            "annotations": {REF_NAME: "app"},
        }
    ]


def test_images_share_their_blobs(store: Store, tmp_path: Path) -> None:
    one = adopt(store, tmp_path / "a", "one", BASE_LAYER, b"1")
    two = adopt(store, tmp_path / "b", "two", BASE_LAYER, b"2")
    assert store.names() == ("one", "two")
    assert len(blobs(store)) == len(store.blobs(one)) + len(store.blobs(two)) - 1
    store.verify([*store.blobs(one), *store.blobs(two)])


def test_adopting_again_moves_the_name_and_keeps_the_others(store: Store, tmp_path: Path) -> None:
    adopt(store, tmp_path / "a", "one", b"1")
    other = adopt(store, tmp_path / "b", "two", b"2")
    later = adopt(store, tmp_path / "c", "one", b"3")
    assert store.image("one") == later
    assert store.image("two") == other


def test_a_blob_comes_before_what_points_to_it(store: Store, tmp_path: Path) -> None:
    image = adopt(store, tmp_path / "a", "app", BASE_LAYER)
    manifest = image.manifests[0][1]
    assert store.blobs(image) == (Digest.of(BASE_LAYER), manifest.config.digest, image.root.digest)


def test_an_image_for_several_platforms_may_share_layers_between_them(store: Store, tmp_path: Path) -> None:
    export = Export(tmp_path / "a")
    one = export.manifest(b"same for both", b"amd64")
    two = export.manifest(b"same for both", b"arm64", platform=ARM64)
    image = store.adopt(export.entries(export.index_of((one, AMD64), (two, ARM64))), "app")
    assert [platform for platform, _ in image.manifests] == [AMD64, ARM64]
    assert image.root.media_type == INDEX_TYPES[0]
    assert store.blobs(image)[-1] == image.root.digest
    assert len(set(store.blobs(image))) == 8
    store.verify(store.blobs(image))


# Damage


@pytest.mark.parametrize("which", ["layer", "config", "manifest"])
def test_a_flipped_byte_is_found_on_the_way_in(store: Store, tmp_path: Path, which: str) -> None:
    old = adopt(store, tmp_path / "a", "app", b"old")
    export = Export(tmp_path / "b")
    entry = export.manifest(b"new")
    manifest = json.loads(export.path(Digest.parse(entry["digest"])).read_bytes())
    digest = {"layer": manifest["layers"][0], "config": manifest["config"], "manifest": entry}[which]["digest"]
    flip(export.path(Digest.parse(digest)))
    with pytest.raises(EvidenceError) as caught:
        store.adopt(export.entries(entry), "app")
    refused(caught, "not what its digest says")
    assert store.image("app") == old
    store.verify(store.blobs(old))


def test_a_flipped_byte_in_the_store_is_found_when_verified(store: Store, tmp_path: Path) -> None:
    image = adopt(store, tmp_path / "a", "app", BASE_LAYER, b"app layer")
    for digest in store.blobs(image):
        path = store.blob_path(digest)
        content = path.read_bytes()
        flip(path)
        with pytest.raises(EvidenceError) as caught:
            store.verify(store.blobs(image))
        refused(caught, digest.short, "not what its digest says", "./inv build")
        path.write_bytes(content)
    store.verify(store.blobs(image))


def test_a_blob_that_was_found_damaged_is_missing_from_then_on(store: Store, tmp_path: Path) -> None:
    adopt(store, tmp_path / "a", "app", BASE_LAYER)
    flip(store.blob_path(Digest.of(BASE_LAYER)))
    for words in ("not what its digest says", "the store has no blob"):
        with pytest.raises(EvidenceError) as caught:
            store.verify([Digest.of(BASE_LAYER)])
        refused(caught, words, "./inv build")


def test_what_fails_over_a_damaged_image_is_said_to_fail_over_that(store: Store, tmp_path: Path) -> None:
    image = adopt(store, tmp_path / "a", "app", BASE_LAYER)
    subject = image.manifests[0][1].digest
    for error in (ToolFailed("the scanner choked"), EvidenceError("the layer cannot be read")):
        with pytest.raises(type(error), match=error.what), store.vouching(subject):
            raise error
    flip(store.blob_path(Digest.of(BASE_LAYER)))
    with pytest.raises(EvidenceError) as caught, store.vouching(subject):
        raise ToolFailed("the scanner choked")
    refused(caught, "not what its digest says", "./inv build")
    assert not store.has_image(image.root.digest)


def test_a_flipped_manifest_is_found_when_the_image_is_read(store: Store, tmp_path: Path) -> None:
    image = adopt(store, tmp_path / "a", "app", BASE_LAYER)
    flip(store.blob_path(image.root.digest))
    with pytest.raises(EvidenceError) as caught:
        store.image("app")
    refused(caught, "not what its digest says")


def test_adopting_again_repairs_what_was_damaged(store: Store, tmp_path: Path) -> None:
    image = adopt(store, tmp_path / "a", "app", BASE_LAYER)
    flip(store.blob_path(Digest.of(BASE_LAYER)))
    store.blob_path(image.manifests[0][1].config.digest).unlink()
    assert adopt(store, tmp_path / "b", "app", BASE_LAYER) == image
    store.verify(store.blobs(image))


def test_keeping_a_small_blob_again_repairs_it(store: Store) -> None:
    digest = store.put(b"{}")
    flip(store.blob_path(digest))
    assert store.put(b"{}") == digest
    assert store.read_blob(digest) == b"{}"


def test_an_export_without_a_layer_is_incomplete_and_nothing_moves(store: Store, tmp_path: Path) -> None:
    old = adopt(store, tmp_path / "a", "app", b"old")
    folder = exported(tmp_path / "b", b"new")
    Export.path(_at(folder), Digest.of(b"new")).unlink()
    with pytest.raises(EvidenceError) as caught:
        store.adopt(folder, "app")
    refused(caught, "the export of app is incomplete", str(Digest.of(b"new")), "disk full")
    assert store.image("app") == old


def _at(folder: Path) -> Export:
    export = Export.__new__(Export)
    export.folder = folder
    return export


def test_an_export_without_its_manifest_is_refused(store: Store, tmp_path: Path) -> None:
    export = Export(tmp_path / "a")
    entry = export.manifest(b"x")
    export.path(Digest.parse(entry["digest"])).unlink()
    with pytest.raises(EvidenceError, match="no blob"):
        store.adopt(export.entries(entry), "app")
    assert store.names() == ()


@pytest.mark.parametrize("count", [0, 2])
def test_an_export_holds_one_image(store: Store, tmp_path: Path, count: int) -> None:
    export = Export(tmp_path / "a")
    folder = export.entries(*(export.manifest(b"x", note=str(number)) for number in range(count)))
    with pytest.raises(EvidenceError) as caught:
        store.adopt(folder, "app")
    refused(caught, f"it has {count} entries, not one")


@pytest.mark.parametrize("data", [None, b"", b'{"schemaVersion":2,"mani', b"[]", b"{}", b"\xff"])
def test_an_export_cut_short_is_refused(store: Store, tmp_path: Path, data: bytes | None) -> None:
    folder = exported(tmp_path / "a", b"x")
    if data is None:
        (folder / "index.json").unlink()
    else:
        (folder / "index.json").write_bytes(data)
    with pytest.raises(EvidenceError) as caught:
        store.adopt(folder, "app")
    refused(caught, "the export of app is incomplete", "disk full")


def test_a_missing_blob_of_the_store_is_named(store: Store, tmp_path: Path) -> None:
    image = adopt(store, tmp_path / "a", "app", BASE_LAYER)
    store.blob_path(Digest.of(BASE_LAYER)).unlink()
    with pytest.raises(EvidenceError) as caught:
        store.verify(store.blobs(image))
    refused(caught, f"no blob {Digest.of(BASE_LAYER)}", "./inv build")


def test_a_name_that_dangles_is_refused(store: Store, tmp_path: Path) -> None:
    image = adopt(store, tmp_path / "a", "app", BASE_LAYER)
    store.blob_path(image.root.digest).unlink()
    with pytest.raises(EvidenceError, match="no blob"):
        store.image("app")


def test_an_index_whose_platform_is_missing_is_refused(store: Store, tmp_path: Path) -> None:
    export = Export(tmp_path / "a")
    one, two = export.manifest(b"1"), export.manifest(b"2", platform=ARM64)
    image = store.adopt(export.entries(export.index_of((one, AMD64), (two, ARM64))), "app")
    store.blob_path(image.manifests[1][1].digest).unlink()
    with pytest.raises(EvidenceError, match="no blob"):
        store.image("app")


def test_what_was_never_built_is_said_so(store: Store) -> None:
    assert store.names() == ()
    with pytest.raises(EvidenceError) as caught:
        store.image("app")
    refused(caught, "app has not been built", "./inv build -i app")


@pytest.mark.parametrize("data", [b"", b"[]", b'{"manifests":[{"digest":"sha256:1"}]}', b'{"schemaVersion":2'])
def test_a_damaged_index_is_refused(store: Store, tmp_path: Path, data: bytes) -> None:
    adopt(store, tmp_path / "a", "app", BASE_LAYER)
    (store.root / "index.json").write_bytes(data)
    with pytest.raises(EvidenceError):
        store.image("app")
    with pytest.raises(EvidenceError):
        store.names()


# Bad moments


def test_a_run_killed_before_the_name_moved_leaves_the_old_image_and_the_next_completes(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = adopt(store, tmp_path / "a", "app", BASE_LAYER, b"old")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Store, "set_name", killed)
        with pytest.raises(KeyboardInterrupt):
            adopt(store, tmp_path / "b", "app", BASE_LAYER, b"new")
    assert store.image("app") == old
    store.verify(store.blobs(old))
    new = adopt(store, tmp_path / "c", "app", BASE_LAYER, b"new")
    assert store.image("app") == new
    store.verify(store.blobs(new))


def test_a_run_killed_between_two_blobs_leaves_the_old_image(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = adopt(store, tmp_path / "a", "app", BASE_LAYER, b"old")
    put_file, moved = Store.put_file, 0

    def killed_at_the_second(self: Store, path: Path, digest: Digest | None = None) -> Descriptor:
        nonlocal moved
        moved += 1
        if moved == 2:
            raise KeyboardInterrupt
        return put_file(self, path, digest)

    monkeypatch.setattr(Store, "put_file", killed_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        adopt(store, tmp_path / "b", "app", BASE_LAYER, b"new")
    assert store.image("app") == old
    store.verify(store.blobs(old))


def test_a_blob_from_another_file_system_is_copied_whole(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = os.replace

    def across(source: Path | str, target: Path | str) -> None:
        if Path(source).is_relative_to(tmp_path / "a"):
            raise OSError(18, "Invalid cross-device link")
        replace(source, target)

    monkeypatch.setattr(os, "replace", across)
    image = adopt(store, tmp_path / "a", "app", BASE_LAYER)
    store.verify(store.blobs(image))
    assert len(blobs(store)) == 3


def test_a_full_disk_while_copying_leaves_no_half_blob(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def across(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    def full(_: Path, target: Path) -> None:
        Path(target).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", across)
    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(OSError, match="No space left"):
        adopt(store, tmp_path / "a", "app", BASE_LAYER)
    assert blobs(store) == set()
    assert store.names() == ()


# What tools are given, and what is put together here


def test_a_view_holds_one_manifest_and_is_gone_afterwards(store: Store, tmp_path: Path) -> None:
    export = Export(tmp_path / "a")
    one, two = export.manifest(b"1"), export.manifest(b"2", platform=ARM64)
    image = store.adopt(export.entries(export.index_of((one, AMD64), (two, ARM64))), "app")
    manifest = image.manifests[1][1]
    with store.view(manifest, tmp_path / "view") as folder:
        (entry,) = json.loads((folder / "index.json").read_text())["manifests"]
        assert entry == {"mediaType": MANIFEST_TYPES[0], "digest": str(manifest.digest), "size": manifest.size}
        assert (folder / "oci-layout").is_file()
        assert Store(folder).read_blob(manifest.digest) == store.read_blob(manifest.digest)
    assert not (tmp_path / "view").exists()
    store.verify(store.blobs(image))


def test_a_view_is_removed_when_the_tool_fails_and_the_store_stays(store: Store, tmp_path: Path) -> None:
    image = adopt(store, tmp_path / "a", "app", BASE_LAYER)
    with pytest.raises(ZeroDivisionError), store.view(image.manifests[0][1], tmp_path / "view"):
        raise ZeroDivisionError
    assert not (tmp_path / "view").exists()
    store.verify(store.blobs(image))


def test_a_file_put_under_a_digest_it_does_not_have_is_refused_and_stays(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x")
    with pytest.raises(EvidenceError, match="not what its digest says"):
        store.put_file(path, Digest.of(b"y"))
    assert path.exists()


def assembled(store: Store, folder: Path, created: Sequence[str] = ("2026-01-02T00:00:00Z",)) -> list[Descriptor]:
    found = []
    for number, moment in enumerate(created):
        tar = folder / f"{number}.tar"
        tar.write_bytes(b"a root file system")
        found.append(image_from_tar(store, tar, ARM64, created=moment, created_by="mmdebstrap trixie"))
        assert not tar.exists()
    return found


def test_a_root_file_system_becomes_an_image_of_one_layer(store: Store, tmp_path: Path) -> None:
    (descriptor,) = assembled(store, tmp_path)
    store.set_name("debian", descriptor)
    image = store.image("debian")
    ((platform, manifest),) = image.manifests
    config = store.config(manifest)
    assert platform == ARM64
    assert [layer.digest for layer in manifest.layers] == list(config.diff_ids) == [Digest.of(b"a root file system")]
    assert (config.created, config.history[0].created_by) == ("2026-01-02T00:00:00Z", "mmdebstrap trixie")
    store.verify(store.blobs(image))


def test_the_same_file_system_and_date_are_the_same_image(store: Store, tmp_path: Path) -> None:
    one, two, other = assembled(store, tmp_path, ["2026-01-02", "2026-01-02", "2026-01-03"])
    assert one == two
    assert one.digest != other.digest


def test_an_index_without_a_manifest_is_no_image(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    media_type = "application/vnd.oci.image.index.v1+json"
    data = json.dumps({"schemaVersion": 2, "mediaType": media_type, "manifests": []}).encode()
    store.set_name("empty", Descriptor(media_type, store.put(data), len(data)))
    with pytest.raises(EvidenceError, match="without a manifest"):
        store.image("empty")


def test_what_no_name_reaches_is_found_and_what_images_share_is_not(store: Store, tmp_path: Path) -> None:
    adopt(store, tmp_path / "a", "base", BASE_LAYER)
    before = adopt(store, tmp_path / "b", "app", BASE_LAYER, b"one")
    adopt(store, tmp_path / "c", "app", BASE_LAYER, b"two")
    (store.root / "blobs/sha256/0.damaged").write_bytes(b"")
    found = {path.name for path in store.unreachable(store.names())}
    assert found == {"0.damaged", *(digest.hex for digest in store.blobs(before)[1:])}
    assert {path.name for path in store.unreachable(store.names(), [before.root.digest])} == {"0.damaged"}
    assert len(store.unreachable(["base"])) > len(found)
    assert Store(tmp_path / "empty").unreachable(()) == ()


def test_a_name_can_be_forgotten_and_the_others_stay(store: Store, tmp_path: Path) -> None:
    adopt(store, tmp_path / "a", "one", b"1")
    kept = adopt(store, tmp_path / "b", "two", b"2")
    store.forget(["one", "unknown"])
    assert store.names() == ("two",)
    assert store.image("two") == kept


def test_a_digest_is_an_image_only_when_all_of_it_is_there(store: Store, tmp_path: Path) -> None:
    image = adopt(store, tmp_path / "a", "app", BASE_LAYER)
    layer, configuration, root = store.blobs(image)
    assert store.has_image(root)
    assert not any(map(store.has_image, (layer, configuration, Digest("0" * 64))))
    store.blob_path(layer).unlink()
    assert not store.has_image(root)
