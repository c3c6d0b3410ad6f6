"""Writes small vulnerability databases that the real Trivy reads.

The file is a BoltDB, format version 2: pages of 4096 bytes, two meta pages, a free list, then leaf pages; a
bucket is an element whose value names its root page, or holds the page itself when small.
https://github.com/etcd-io/bbolt/blob/v1.3.10/page.go and …/bucket.go. What Trivy looks for in it:
https://github.com/aquasecurity/trivy-db/tree/main/pkg/db and …/pkg/types/types.go.
"""

from __future__ import annotations

import gzip
import io
import json
import struct
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PAGE = 4096
_LEAF, _META, _FREE_LIST, _BUCKET = 0x02, 0x04, 0x10, 0x01
_MASK = (1 << 64) - 1

SOURCES = {
    "debian 13": ("debian", "Debian Security Tracker"),
    "pip::GitHub Security Advisory Pip": ("ghsa", "GitHub Security Advisory Pip"),
    "npm::GitHub Security Advisory npm": ("ghsa", "GitHub Security Advisory npm"),
    "bitnami::Bitnami Vulnerability Database": ("bitnami", "Bitnami Vulnerability Database"),
}
_PREFIX = {"pip": "pip::", "npm": "npm::", "bitnami": "bitnami::"}


@dataclass(frozen=True, slots=True)
class Advisory:
    """One vulnerability of one package. ``ecosystem``: debian 13 (``package`` is the source package), pip, npm,
    bitnami. ``fixed`` is the first good version; empty when there is none. ``by_source`` is what others than the
    database itself think of its severity, 0 (unknown) to 4 (critical)."""

    id: str
    ecosystem: str
    package: str
    severity: str
    fixed: str = ""
    by_source: tuple[tuple[str, int], ...] = ()

    @property
    def bucket(self) -> str:
        start = _PREFIX.get(self.ecosystem, self.ecosystem)
        return next(name for name in SOURCES if name.startswith(start))

    @property
    def value(self) -> dict[str, Any]:
        if self.ecosystem.startswith("debian"):
            return {"FixedVersion": self.fixed} if self.fixed else {"Status": 2}
        below = f"< {self.fixed}" if self.fixed else ">= 0"
        return {"VulnerableVersions": [below], "PatchedVersions": [self.fixed] if self.fixed else []}


def write(
    folder: Path,
    advisories: Iterable[Advisory],
    *,
    updated: str = "2026-01-01T00:00:00Z",
    next_update: str = "2099-01-01T00:00:00Z",
    version: int = 2,
    ecosystems: Iterable[str] = tuple(SOURCES),
) -> Path:
    """Write ``trivy.db`` and ``metadata.json`` into a folder, and return it.

    The database knows of the ``ecosystems``, with advisories or without, and of those the advisories are about.
    """
    tree: dict[str, Any] = {name: {} for name in ecosystems}
    tree["data-source"] = {name: {"ID": id_, "Name": full} for name, (id_, full) in SOURCES.items()}
    tree["vulnerability"] = {}
    for advisory in advisories:
        tree.setdefault(advisory.bucket, {}).setdefault(advisory.package, {})[advisory.id] = advisory.value
        known = {"Title": f"{advisory.package} is broken", "Severity": advisory.severity}
        sources = {"VendorSeverity": dict(advisory.by_source)} if advisory.by_source else {}
        tree["vulnerability"][advisory.id] = known | sources
    folder.mkdir(parents=True, exist_ok=True)
    depth = {name: 1 if name in ("data-source", "vulnerability") else 2 for name in tree}
    (folder / "trivy.db").write_bytes(_File().write({name: (tree[name], depth[name]) for name in tree}))
    metadata = {"Version": version, "NextUpdate": next_update, "UpdatedAt": updated, "DownloadedAt": updated}
    (folder / "metadata.json").write_text(json.dumps(metadata), "utf-8")
    return folder


def artifact(folder: Path, *, names: Iterable[str] = ("trivy.db", "metadata.json")) -> bytes:
    """The layer of the OCI artifact that distributes this database, the same bytes every time."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        for name in names:
            tar.addfile(_member(name, folder), io.BytesIO((folder / name).read_bytes()))
    return gzip.compress(plain.getvalue(), mtime=0)


def _member(name: str, folder: Path) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size = (folder / name).stat().st_size
    return member


class _File:
    """Hands out pages from the fifth on; each bucket is one leaf page, as long as it needs to be."""

    def __init__(self) -> None:
        self._pages: list[bytes] = []
        self._next = 4

    def write(self, buckets: Mapping[str, tuple[dict[str, Any], int]]) -> bytes:
        root = self._add([(name.encode(), _BUCKET, self._bucket(*buckets[name])) for name in sorted(buckets)])
        metas = [self._meta(root, number) for number in (0, 1)]
        return b"".join([*metas, _page(2, _FREE_LIST, 0, b""), _page(3, _LEAF, 0, b""), *self._pages])

    def _bucket(self, tree: dict[str, Any], depth: int) -> bytes:
        items = [
            (key.encode(), _BUCKET, self._bucket(tree[key], depth - 1))
            if depth > 1
            else (key.encode(), 0, json.dumps(tree[key]).encode())
            for key in sorted(tree, key=str.encode)
        ]
        return struct.pack("<QQ", self._add(items), 0)

    def _add(self, items: list[tuple[bytes, int, bytes]]) -> int:
        number = self._next
        page = _page(number, _LEAF, len(items), _leaf(items))
        self._pages.append(page)
        self._next += len(page) // PAGE
        return number

    def _meta(self, root: int, transaction: int) -> bytes:
        head = struct.pack("<IIIIQQQQQ", 0xED0CDAED, 2, PAGE, 0, root, 0, 2, self._next, transaction)
        return _page(transaction, _META, 0, head + struct.pack("<Q", _fnv1a(head)))


def _leaf(items: list[tuple[bytes, int, bytes]]) -> bytes:
    elements, data = b"", b""
    for index, (key, flags, value) in enumerate(items):
        # Positions count from the element itself.
        elements += struct.pack("<IIII", flags, 16 * (len(items) - index) + len(data), len(key), len(value))
        data += key + value
    return elements + data


def _page(number: int, flags: int, count: int, body: bytes) -> bytes:
    pages = -(-(16 + len(body)) // PAGE)
    return (struct.pack("<QHHI", number, flags, count, pages - 1) + body).ljust(pages * PAGE, b"\0")


def _fnv1a(data: bytes) -> int:
    value = 0xCBF29CE484222325
    for byte in data:
        value = ((value ^ byte) * 0x100000001B3) & _MASK
    return value
