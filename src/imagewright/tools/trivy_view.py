"""An image as the scanner is shown it: all of it, and none of it taken for somebody else's base.

NOTE: Trivy takes what lies below an earlier CMD for the base image, and searches no secrets there: "their makers' own".
A base of ours, or a stage with a CMD of its own, would go unsearched. There is no switch, so the image is shown without
those lines of its history. https://github.com/aquasecurity/trivy/blob/v0.76.0/pkg/fanal/image/image.go
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagewright.errors import EvidenceError
from imagewright.reference import Digest
from imagewright.tools.isolation import Room

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_BLOBS = "image/blobs/sha256"
_MACHINE = ("architecture", "os", "variant")
_COMMANDS = ("CMD", "/bin/sh -c #(nop)  CMD")


@dataclass(frozen=True, slots=True)
class Shown:
    """The image's manifest, its configuration, and the configuration that the scanner sees in its place.

    ``instructions`` is of the latter what build instructions can say: without labels, dates and layers.
    """

    manifest: dict[str, Any]
    configuration: Digest
    shown: Digest
    instructions: dict[str, Any]

    def restored(self, report: bytes) -> bytes:
        """The scanner's report with the image's own configuration named in it."""
        return report.replace(self.shown.hex.encode(), self.configuration.hex.encode())


def show(room: Room, layout: Path, subject: Digest) -> Shown:
    """Lay out just this image in a room; raises EvidenceError when the layout does not hold it."""
    blobs = layout / "blobs" / "sha256"
    manifest = _document(blobs, subject)
    try:
        configuration = Digest.parse(manifest["config"]["digest"])
        layers = {Digest.parse(layer["digest"]) for layer in manifest["layers"]}
    except (ValueError, TypeError, KeyError) as error:
        raise _none(subject) from error
    plain = _document(blobs, configuration)
    config = {**plain, "history": without_bases(plain.get("history") or [])}
    shown = _lay_out(room, manifest, config)
    for layer in layers:
        try:
            room.lend(f"{_BLOBS}/{layer.hex}", blobs / layer.hex)
        except FileNotFoundError as error:
            raise EvidenceError(f"the layout has no blob {layer} of {subject}", hint="./inv build makes it") from error
    return Shown(manifest, configuration, shown, _instructions(config))


def show_instructions(room: Room, image: Shown) -> Digest:
    """Lay out the build instructions of an image alone, without a layer; returns what stands for its configuration."""
    return _lay_out(room, {**image.manifest, "layers": []}, image.instructions)


def _lay_out(room: Room, manifest: dict[str, Any], configuration: dict[str, Any]) -> Digest:
    """A layout in the room with another configuration in the manifest, the layers' blobs missing; its digest."""
    config = json.dumps(configuration).encode()
    described = {**manifest["config"], "digest": str(Digest.of(config)), "size": len(config)}
    data = json.dumps({**manifest, "config": described}).encode()
    (room.folder / _BLOBS).mkdir(parents=True)
    for blob in (config, data):
        (room.folder / _BLOBS / Digest.of(blob).hex).write_bytes(blob)
    entry = {"mediaType": manifest.get("mediaType", _MANIFEST), "digest": str(Digest.of(data)), "size": len(data)}
    image = room.folder / "image"
    (image / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}', "utf-8")
    (image / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}), "utf-8")
    return Digest.of(config)


def _instructions(configuration: dict[str, Any]) -> dict[str, Any]:
    """What of a configuration comes from build instructions that the scanner has checks for."""
    return {
        **{name: value for name, value in configuration.items() if name in _MACHINE},
        "config": _without("Labels", configuration.get("config")),
        "history": [_without("created", entry) for entry in configuration["history"]],
        "rootfs": {"type": "layers", "diff_ids": []},
    }


def _without(name: str, table: Any) -> Any:
    return {key: value for key, value in table.items() if key != name} if isinstance(table, dict) else table


def without_bases(history: list[Any]) -> list[Any]:
    """A history without the commands below its last layer; what comes after that is the image's own."""
    last = max((at for at, entry in enumerate(history) if not _is_empty(entry)), default=-1)
    return [entry for at, entry in enumerate(history) if at > last or not _is_command(entry)]


def _is_empty(entry: Any) -> bool:
    return isinstance(entry, dict) and bool(entry.get("empty_layer"))


def _is_command(entry: Any) -> bool:
    return _is_empty(entry) and str(entry.get("created_by", "")).startswith(_COMMANDS)


def _document(blobs: Path, digest: Digest) -> dict[str, Any]:
    try:
        data = (blobs / digest.hex).read_bytes()
        document = json.loads(data)
    except (OSError, ValueError) as error:
        raise _none(digest) from error
    if Digest.of(data) != digest:
        raise EvidenceError(f"{digest} has other bytes than its digest says", hint="./inv build again")
    if not isinstance(document, dict):
        raise _none(digest)
    return document


def _none(digest: Digest) -> EvidenceError:
    return EvidenceError(
        f"{digest} is not an image manifest or configuration in the layout", hint="./inv build makes it"
    )
