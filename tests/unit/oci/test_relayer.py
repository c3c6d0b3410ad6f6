"""Other bytes for a layer: every document above it follows, and what did not change keeps its digest."""

from __future__ import annotations

import json
from pathlib import Path

from imagewright.model.image import Manifest
from imagewright.oci.layout import Store
from imagewright.oci.redate import Written
from imagewright.oci.relayer import Replacements, manifests, relayer
from imagewright.reference import Digest, Platform
from tests.unit.oci.test_layout import AMD64, ARM64, Export

NEW = b"the layer, dated"
WRITTEN = Written(Digest.of(NEW), len(NEW), Digest.of(b"its tar"))


def replaced(layer: bytes) -> Replacements:
    """What the pipeline does: the new blob is there, and stands for every layer of these bytes."""

    def replacements(platform: Platform, manifest: Manifest) -> tuple[Written | None, ...]:
        return tuple(WRITTEN if one.digest == Digest.of(layer) else None for one in manifest.layers)

    return replacements


def exported(folder: Path, *, platforms: tuple[Platform, ...] = (AMD64,)) -> Export:
    export = Export(folder)
    entries = [export.manifest(b"base", str(platform).encode(), platform=platform) for platform in platforms]
    root = entries[0] if len(entries) == 1 else export.index_of(*zip(entries, platforms, strict=True))
    export.entries(root)
    export.blob(NEW)
    return export


def test_manifest_and_configuration_name_the_new_layer(tmp_path: Path) -> None:
    layout = exported(tmp_path / "export").folder
    relayer(layout, "app", replaced(b"base"))
    image = Store(tmp_path / "store").adopt(layout, "app")
    ((_, manifest),) = image.manifests
    assert [layer.digest for layer in manifest.layers] == [Digest.of(NEW), Digest.of(b"linux/amd64")]
    assert manifest.layers[0].media_type.endswith("tar+gzip")
    configuration = json.loads(Store(tmp_path / "store").read_blob(manifest.config.digest))
    assert configuration["rootfs"]["diff_ids"] == [str(Digest.of(b"its tar")), str(Digest.of(b"linux/amd64"))]
    assert configuration["config"] == {"Labels": {"note": ""}}


def test_nothing_replaced_is_the_same_image(tmp_path: Path) -> None:
    layout = exported(tmp_path / "export", platforms=(AMD64, ARM64)).folder
    before = (layout / "index.json").read_bytes()
    relayer(layout, "app", replaced(b"another"))
    assert (layout / "index.json").read_bytes() == before


def test_an_index_follows_the_platforms_whose_layers_changed(tmp_path: Path) -> None:
    layout = exported(tmp_path / "export", platforms=(AMD64, ARM64)).folder
    before = dict(manifests(layout, "app"))
    relayer(layout, "app", replaced(b"linux/arm64"))
    after = dict(manifests(layout, "app"))
    assert after[AMD64] == before[AMD64]
    assert [layer.digest for layer in after[ARM64].layers] == [Digest.of(b"base"), Digest.of(NEW)]
    adopted = Store(tmp_path / "store").adopt(layout, "app")
    assert dict(adopted.manifests) == after


def test_a_layer_that_the_store_has_need_not_come_again(tmp_path: Path) -> None:
    layout = exported(tmp_path / "export").folder
    store = Store(tmp_path / "store")
    store.put(NEW)
    (layout / "blobs/sha256" / Digest.of(NEW).hex).unlink()
    relayer(layout, "app", replaced(b"base"))
    assert store.adopt(layout, "app").manifests[0][1].layers[0].digest == Digest.of(NEW)
