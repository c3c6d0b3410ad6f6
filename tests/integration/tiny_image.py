"""Makes OCI layouts of a few kilobytes, with exactly the files and configuration a test asks for."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from imagewright.reference import Digest

DEBIAN = {
    "etc/os-release": 'ID=debian\nVERSION_ID="13"\n',
    "etc/debian_version": "13.1\n",
    "var/lib/dpkg/status.d/zlib1g": "Package: zlib1g\nVersion: 1:1.3.dfsg-1\nArchitecture: amd64\n"
    "Source: zlib\nMaintainer: Somebody <somebody@example.org>\nStatus: install ok installed\n",
}
JINJA2 = {
    "app/lib/jinja2-2.10.dist-info/METADATA": "Metadata-Version: 2.1\nName: Jinja2\nVersion: 2.10\nLicense: MIT\n",
}
NEXT = {"app/node_modules/next/package.json": '{"name": "next", "version": "14.0.0", "license": "MIT"}'}
NODE_SBOM = {
    "usr/share/sbom/node.cdx.json": json.dumps(
        {
            "bomFormat": "CycloneDX",
            "specVersion": "1.6",
            "version": 1,
            "components": [
                {
                    "type": "application",
                    "bom-ref": "pkg:bitnami/node@24.1.0",
                    "name": "node",
                    "version": "24.1.0",
                    "purl": "pkg:bitnami/node@24.1.0",
                }
            ],
        }
    )
}
KEY_BODY = "MIIEpAIBAAKCAQEA0Z3VS5JJcds3xfn7ygWyF0lZ4b8v5cXq1c8z3q9d7v5r2w1e"
PRIVATE_KEY = {
    "app/deploy.pem": f"-----BEGIN RSA {'PRIVATE'} KEY-----\n"
    + f"{KEY_BODY}\n" * 6
    + f"-----END RSA {'PRIVATE'} KEY-----\n"
}
DELETED_KEY = {"app/.wh.deploy.pem": ""}


def write(
    layout: Path,
    layers: Sequence[Mapping[str, str]],
    *,
    user: str = "",
    env: Sequence[str] = (),
    command_after: int = 0,
) -> Digest:
    """Add an image to a layout; returns the digest of its manifest.

    ``command_after``: how many layers stand before a CMD, which to the scanner are those of a base; 0 for no CMD.
    """
    blobs = layout / "blobs" / "sha256"
    blobs.mkdir(parents=True, exist_ok=True)
    tars = [_tar(files) for files in layers]
    history: list[dict[str, Any]] = [{"created_by": f"COPY layer{number} / # buildkit"} for number in range(len(tars))]
    history.append({"created_by": f"USER {user or 'root'}", "empty_layer": True})
    history.append({"created_by": 'HEALTHCHECK {["CMD" "/app/health"]}', "empty_layer": True})
    if command_after:
        history.insert(command_after, {"created_by": 'CMD ["/bin/app"]', "empty_layer": True})
    configuration = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"User": user, "Env": ["PATH=/usr/bin", *env]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(tar).hexdigest()}" for tar in tars]},
        "history": history,
    }
    kind = "application/vnd.oci.image"
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{kind}.manifest.v1+json",
        "config": _blob(blobs, f"{kind}.config.v1+json", json.dumps(configuration).encode()),
        "layers": [_blob(blobs, f"{kind}.layer.v1.tar+gzip", gzip.compress(tar, mtime=0)) for tar in tars],
    }
    descriptor = _blob(blobs, manifest["mediaType"], json.dumps(manifest).encode())
    index = layout / "index.json"
    known = json.loads(index.read_text())["manifests"] if index.exists() else []
    index.write_text(json.dumps({"schemaVersion": 2, "manifests": [*known, descriptor]}))
    (layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return Digest.parse(descriptor["digest"])


def _blob(blobs: Path, media_type: Any, data: bytes) -> dict[str, Any]:
    digest = Digest.of(data)
    (blobs / digest.hex).write_bytes(data)
    return {"mediaType": media_type, "digest": str(digest), "size": len(data)}


def _tar(files: Mapping[str, str]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    return stream.getvalue()
