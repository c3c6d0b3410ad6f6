"""Stored documents → nouns: both dialects, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagewright.errors import EvidenceError
from imagewright.oci.parse import LARGEST_DOCUMENT, media_type, parse_config, parse_index, parse_manifest
from imagewright.reference import Digest, Platform

DIGEST = str(Digest.of(b"x"))
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
OCI = "application/vnd.oci.image.manifest.v1+json"


def descriptor(**changes: Any) -> dict[str, Any]:
    return {"mediaType": "a/b", "digest": DIGEST, "size": 3, **changes}


def manifest(**changes: Any) -> dict[str, Any]:
    return {"schemaVersion": 2, "mediaType": OCI, "config": descriptor(), "layers": [descriptor()], **changes}


def image(**changes: Any) -> dict[str, Any]:
    return {"os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": [DIGEST]}, **changes}


def encoded(document: object) -> bytes:
    return json.dumps(document).encode()


@pytest.mark.parametrize("kind", [OCI, DOCKER])
def test_a_manifest_is_read_in_both_dialects(kind: str) -> None:
    data = encoded(manifest(mediaType=kind))
    found = parse_manifest(data)
    assert (found.media_type, found.digest, found.size) == (kind, Digest.of(data), len(data))
    assert [layer.size for layer in found.layers] == [3]


def test_a_manifest_without_media_type_is_ocis() -> None:
    document = manifest()
    del document["mediaType"]
    assert parse_manifest(encoded(document)).media_type == OCI


def test_unknown_keys_are_ignored() -> None:
    assert parse_manifest(encoded(manifest(artifactType="x", config=descriptor(urls=[], data="")))).layers


def test_an_index_gives_its_manifests_with_platform_and_annotations() -> None:
    platform = {"os": "linux", "architecture": "arm64", "variant": "v8"}
    document = {"manifests": [descriptor(platform=platform, annotations={"b": "2", "a": "1"}), descriptor()]}
    first, second = parse_index(encoded(document))
    assert first.platform == Platform("linux", "arm64", "v8")
    assert first.annotations == (("a", "1"), ("b", "2"))
    assert second.platform is None
    assert media_type(encoded(document)) == "application/vnd.oci.image.index.v1+json"


def test_a_configuration_says_what_runs() -> None:
    config: dict[str, Any] = {
        "User": "1000:1000",
        "Env": ["A=b=c", "EMPTY="],
        "Cmd": ["python3"],
        "Entrypoint": None,
        "ExposedPorts": {"8000/tcp": {}},
        "Labels": {"b": "2", "a": "1"},
        "Healthcheck": {"Test": ["CMD", "true"], "Interval": 3},
    }
    history = [{"created_by": "ENV", "empty_layer": True}, {"comment": "x"}]
    found = parse_config(encoded(image(config=config, history=history)))
    assert found.env == (("A", "b=c"), ("EMPTY", ""))
    assert (found.user, found.cmd, found.entrypoint, found.ports) == ("1000:1000", ("python3",), (), ("8000/tcp",))
    assert found.labels == (("a", "1"), ("b", "2"))
    assert found.healthcheck.exec_form
    assert [line.empty_layer for line in found.history] == [True, False]


def test_a_bare_configuration_is_one_too() -> None:
    found = parse_config(encoded(image()))
    assert (found.user, found.platform, found.healthcheck.present) == ("", Platform("linux", "amd64"), False)


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (manifest(mediaType="text/plain"), "media type"),
        (manifest(config=None), "config is missing"),
        (manifest(layers={}), "layers is not of type list"),
        (manifest(layers=[1]), "not a list of objects"),
        (manifest(layers=[descriptor(), descriptor(size="3")]), "layers[1]: size is not of type int"),
        (manifest(layers=[descriptor(size=True)]), "size is not of type int"),
        (manifest(layers=[descriptor(size=-1)]), "negative"),
        (manifest(config=descriptor(digest="sha512:00")), "config: not a sha256 digest"),
        (manifest(config=descriptor(digest="sha256:../../etc")), "not a sha256 digest"),
        ([], "not an object"),
    ],
)
def test_a_manifest_that_is_none_is_refused_with_the_place(document: object, why: str) -> None:
    with pytest.raises(EvidenceError) as error:
        parse_manifest(encoded(document))
    assert why in error.value.why


@pytest.mark.parametrize(
    "document",
    [
        image(config={"Env": "A=1"}),
        image(config={"Cmd": [1]}),
        image(config={"Labels": {"a": 1}}),
        image(rootfs=None),
        image(history=[{"empty_layer": "yes"}]),
        {"os": "linux"},
        image(created="\ud800"),
    ],
)
def test_a_configuration_of_the_wrong_shape_is_refused(document: object) -> None:
    with pytest.raises(EvidenceError):
        parse_config(encoded(document))


def test_a_document_that_is_too_large_or_too_deep_is_refused() -> None:
    with pytest.raises(EvidenceError) as error:
        parse_config(b" " * (LARGEST_DOCUMENT + 1))
    assert "more than" in error.value.why
    with pytest.raises(EvidenceError):
        parse_config(b"[" * 100_000)


@given(st.binary(max_size=200))
def test_no_bytes_make_it_raise_anything_else(data: bytes) -> None:
    for read in (parse_manifest, parse_index, parse_config):
        with pytest.raises(EvidenceError):
            read(data)
