"""Stored bytes → manifest, index, image configuration. Both dialects, OCI's and Docker's, differ in names only.

https://github.com/opencontainers/image-spec (manifest.md, image-index.md, config.md) and
https://distribution.github.io/distribution/spec/manifest-v2-2/. Unknown keys are ignored, as both demand.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from imagewright.errors import EvidenceError
from imagewright.model.image import Descriptor, HealthCheck, History, ImageConfig, Manifest
from imagewright.reference import Digest, Platform

T = TypeVar("T")

LARGEST_DOCUMENT = 4 << 20
"""Bytes a manifest, index or configuration may have: what registries accept at most."""

MANIFEST_TYPES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
INDEX_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)


def parse_manifest(data: bytes) -> Manifest:
    """An image manifest; raises EvidenceError when the bytes are not one."""
    return _read(data, "image manifest", _manifest)


def parse_index(data: bytes) -> tuple[Descriptor, ...]:
    """The manifests an image index (or Docker manifest list) points to; raises EvidenceError."""
    return _read(data, "image index", lambda document, _: _descriptors(document, "manifests"))


def parse_config(data: bytes) -> ImageConfig:
    """An image configuration; raises EvidenceError when the bytes are not one."""
    return _read(data, "image configuration", lambda document, _: _config(document))


def media_type(data: bytes) -> str:
    """Which kind of manifest the bytes are, also when they do not say; raises EvidenceError."""
    return _read(data, "manifest", lambda document, _: _media_type(document))


def _read(data: bytes, what: str, build: Callable[[Mapping[str, Any], bytes], T]) -> T:
    try:
        if len(data) > LARGEST_DOCUMENT:
            raise ValueError(f"it has {len(data)} bytes, more than {LARGEST_DOCUMENT}")
        document = json.loads(data)
        if not isinstance(document, dict):
            raise TypeError(f"it is not an object but {type(document).__name__}")
        if not data.isascii() or b"\\u" in data or b"\0" in data:  # with NUL it is UTF-16
            json.dumps(document, ensure_ascii=False).encode()  # lone surrogates could never be written down again
        return build(document, data)
    except (TypeError, ValueError, RecursionError) as error:
        raise EvidenceError(
            f"the {what} {Digest.of(data)} cannot be read",
            why=str(error),
            hint="the stored image is damaged: build it again",
        ) from error


def _manifest(document: Mapping[str, Any], data: bytes) -> Manifest:
    kind = _media_type(document)
    if kind not in MANIFEST_TYPES:
        raise ValueError(f"its media type is {kind!r}, not one of an image manifest")
    return Manifest(
        digest=Digest.of(data),
        media_type=kind,
        size=len(data),
        config=_descriptor(_get(document, "config", dict), "config"),
        layers=_descriptors(document, "layers"),
    )


def _media_type(document: Mapping[str, Any]) -> str:
    # NOTE: OCI made mediaType optional; what the document holds then tells.
    default = INDEX_TYPES[0] if "manifests" in document else MANIFEST_TYPES[0]
    return _get(document, "mediaType", str, default=default)


def _config(document: Mapping[str, Any]) -> ImageConfig:
    config = _get(document, "config", dict, default={})
    rootfs = _get(document, "rootfs", dict)
    return ImageConfig(
        platform=_platform(document),
        user=_get(config, "User", str, default=""),
        created=_get(document, "created", str, default=""),
        working_dir=_get(config, "WorkingDir", str, default=""),
        entrypoint=_strings(config, "Entrypoint"),
        cmd=_strings(config, "Cmd"),
        env=tuple(_variable(line) for line in _strings(config, "Env")),
        labels=_pairs(config, "Labels"),
        ports=tuple(sorted(_get(config, "ExposedPorts", dict, default={}))),
        volumes=tuple(sorted(_get(config, "Volumes", dict, default={}))),
        healthcheck=HealthCheck(_strings(_get(config, "Healthcheck", dict, default={}), "Test")),
        stop_signal=_get(config, "StopSignal", str, default=""),
        diff_ids=tuple(Digest.parse(text) for text in _strings(rootfs, "diff_ids")),
        history=tuple(
            History(_get(line, "created_by", str, default=""), _get(line, "empty_layer", bool, default=False))
            for line in _objects(document, "history")
        ),
    )


def _descriptors(document: Mapping[str, Any], key: str) -> tuple[Descriptor, ...]:
    if key not in document:
        raise ValueError(f"{key} is missing")
    return tuple(_descriptor(item, f"{key}[{number}]") for number, item in enumerate(_objects(document, key)))


def _descriptor(item: Mapping[str, Any], at: str) -> Descriptor:
    try:
        size = _get(item, "size", int)
        if size < 0:
            raise ValueError(f"size is negative: {size}")
        return Descriptor(
            media_type=_get(item, "mediaType", str),
            digest=Digest.parse(_get(item, "digest", str)),
            size=size,
            platform=_platform(_get(item, "platform", dict)) if item.get("platform") else None,
            annotations=_pairs(item, "annotations"),
        )
    except ValueError as error:
        raise ValueError(f"{at}: {error}") from error


def _platform(item: Mapping[str, Any]) -> Platform:
    return Platform(_get(item, "os", str), _get(item, "architecture", str), _get(item, "variant", str, default=""))


def _variable(line: str) -> tuple[str, str]:
    name, _, value = line.partition("=")
    return name, value


def _pairs(item: Mapping[str, Any], key: str) -> tuple[tuple[str, str], ...]:
    table = _get(item, key, dict, default={})
    return tuple((name, _get(table, name, str, default="")) for name in sorted(table))


def _strings(item: Mapping[str, Any], key: str) -> tuple[str, ...]:
    values = _get(item, key, list, default=[])
    if not all(isinstance(value, str) for value in values):
        raise ValueError(f"{key} is not a list of strings")
    return tuple(values)


def _objects(item: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    values = _get(item, key, list, default=[])
    if not all(isinstance(value, dict) for value in values):
        raise ValueError(f"{key} is not a list of objects")
    return values


def _get(item: Mapping[str, Any], key: str, kind: type[T], *, default: T | None = None) -> T:
    """The value of that type; null counts as absent, as Go's encoder writes it."""
    value = item.get(key)
    if value is None:
        value = default
    if value is None:
        raise ValueError(f"{key} is missing")
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ValueError(f"{key} is not of type {kind.__name__}: {value!r:.60}")
    return value
