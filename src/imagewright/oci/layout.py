"""The store: one OCI image layout that all images share, blobs kept once, names in its index.

https://github.com/opencontainers/image-spec/blob/main/image-layout.md
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any

from imagewright.errors import EvidenceError, ToolFailed
from imagewright.files import locked, sync_folder, write_atomically
from imagewright.model.image import Descriptor, Image, ImageConfig, Manifest
from imagewright.oci import parse
from imagewright.reference import Digest, Platform

REF_NAME = "org.opencontainers.image.ref.name"
_LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'
_CHUNK = 1 << 20


class Store:
    """An image layout on disk. Nothing enters it without its digest having been checked."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._blobs = root / "blobs" / "sha256"
        self._read: tuple[bytes, dict[str, Descriptor]] = (b"", {})

    def blob_path(self, digest: Digest) -> Path:
        """Where a blob lies or would lie."""
        return self._blobs / digest.hex

    def open_blob(self, digest: Digest) -> BufferedReader:
        """A blob for reading; raises EvidenceError when it is not there."""
        try:
            return self.blob_path(digest).open("rb")
        except FileNotFoundError as error:
            raise EvidenceError(
                f"the store has no blob {digest}", why=str(self.root), hint="./inv build makes it again"
            ) from error

    def read_blob(self, digest: Digest) -> bytes:
        """A small blob (manifest, config, index), checked against its digest."""
        with self.open_blob(digest) as file:
            data = file.read()
        if Digest.of(data) != digest:
            raise _flipped(digest)
        return data

    def verify(self, digests: Iterable[Digest]) -> None:
        """Hash blobs again; raises EvidenceError for the first that is not what its name says, and sets it aside.

        A blob that is missing is made again by the next build; one that is only wrong would pass for whole there.
        """
        for digest in digests:
            with self.open_blob(digest) as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
            if found != digest.hex:
                path = self.blob_path(digest)
                path.replace(path.with_suffix(".damaged"))
                raise _flipped(digest)

    @contextlib.contextmanager
    def vouching(self, subject: Digest) -> Iterator[None]:
        """Where something fails over a manifest's image, and a blob of it is damaged, fail with that, as ``verify``."""
        try:
            yield
        except (EvidenceError, ToolFailed):
            manifest = self.manifest(subject)
            self.verify((manifest.config.digest, *(layer.digest for layer in manifest.layers)))
            raise

    def put(self, data: bytes) -> Digest:
        """Keep a small blob; a damaged one of that name is replaced."""
        digest = Digest.of(data)
        path = self.blob_path(digest)
        if not path.exists() or path.read_bytes() != data:
            write_atomically(path, data)
        return digest

    def put_file(self, path: Path, digest: Digest | None = None) -> Descriptor:
        """Move a file into the store under its digest, which must be ``digest`` when one is given."""
        with path.open("rb") as file:
            found = Digest(hashlib.file_digest(file, "sha256").hexdigest())
        if digest is not None and found != digest:
            raise _flipped(digest)
        size = path.stat().st_size
        target = self.blob_path(found)
        target.parent.mkdir(parents=True, exist_ok=True)
        # A file already there is replaced too: it may be the one that was damaged.
        try:
            os.replace(path, target)
        except OSError:
            _copy_across(path, target)
        return Descriptor("application/octet-stream", found, size)

    def adopt(self, layout: Path, name: str) -> Image:
        """Take over the one image of an exported layout, and let ``name`` stand for it.

        Every blob is hashed on the way in; the name moves last. A blob that the store has already may be missing.
        Raises EvidenceError when the layout is incomplete or a blob is not what its digest says.
        """
        root = only_entry(layout, name)
        incoming = Store(layout)
        # Once each, and all known before the first moves: two platforms may share a layer.
        for digest in tuple(dict.fromkeys(_reachable(incoming, root))):
            if not incoming.blob_path(digest).is_file():
                if self.blob_path(digest).is_file():
                    continue
                raise _incomplete(name, f"blob {digest} is missing")
            self.put_file(incoming.blob_path(digest), digest)
        sync_folder(self._blobs)
        self.set_name(name, root)
        return self.image(name)

    def set_name(self, name: str, root: Descriptor) -> None:
        """Let a name stand for a manifest or index that is in the store."""
        with locked(self.root / ".lock"):
            try:
                known = self._index()
            except EvidenceError:
                known = {}  # A damaged index is trusted for no name; the new one holds what is built from now on.
            entries = {**known, name: root}
            _write_index(self.root, [_entry(entries[key], key) for key in sorted(entries)])

    def forget(self, names: Iterable[str]) -> None:
        """Let names stand for nothing any more; what only they reached can then be removed."""
        with locked(self.root / ".lock"):
            known = self._index()
            _write_index(self.root, [_entry(known[key], key) for key in sorted(known.keys() - set(names))])

    def unreachable(self, names: Iterable[str], also: Iterable[Digest] = ()) -> tuple[Path, ...]:
        """The files among the blobs that belong to no image with one of these names or root digests, in order.

        Raises EvidenceError when what an image consists of cannot be read: then nobody knows what may go.
        """
        images = (*(self.image(name) for name in names), *(self.image_at(self._root(digest), "") for digest in also))
        kept = {digest.hex for image in images for digest in self.blobs(image)}
        found = sorted(self._blobs.iterdir()) if self._blobs.is_dir() else ()
        return tuple(path for path in found if path.name not in kept)

    def has_image(self, digest: Digest) -> bool:
        """Whether a digest is that of a whole manifest or index in the store."""
        try:
            return all(self.blob_path(blob).is_file() for blob in _reachable(self, self._root(digest)))
        except EvidenceError:
            return False

    def names(self) -> tuple[str, ...]:
        """The names that stand for something, sorted."""
        return tuple(sorted(self._index()))

    def image(self, name: str) -> Image:
        """What a name stands for; raises EvidenceError when it was never built or is damaged."""
        root = self._index().get(name)
        if root is None:
            raise EvidenceError(f"{name} has not been built", hint=f"./inv build -i {name}")
        return self.image_at(root, name)

    def image_at(self, root: Descriptor, name: str) -> Image:
        """What a root in the store is, by whatever name; raises EvidenceError when it is damaged."""
        manifests = tuple(self._manifests(root))
        if not manifests:  # what has no platform has no verdict, and would be pushed on none
            raise EvidenceError(f"{name} is an index without a manifest", hint=f"./inv build -i {name}")
        return Image(name, root, manifests)

    def manifest(self, digest: Digest) -> Manifest:
        """A platform's manifest by its digest, whatever the names stand for; raises EvidenceError without it."""
        return parse.parse_manifest(self.read_blob(digest))

    def config(self, manifest: Manifest) -> ImageConfig:
        """The configuration a manifest points to."""
        return parse.parse_config(self.read_blob(manifest.config.digest))

    def blobs(self, image: Image) -> tuple[Digest, ...]:
        """Every blob of an image: its root, manifests, configurations and layers."""
        return tuple(_reachable(self, image.root))

    @contextlib.contextmanager
    def view(self, manifest: Manifest, folder: Path) -> Iterator[Path]:
        """A layout folder that holds this one manifest, for tools that scan one image a folder; removed after."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "blobs").symlink_to((self.root / "blobs").resolve())
        _write_index(folder, [_entry(Descriptor(manifest.media_type, manifest.digest, manifest.size))])
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _root(self, digest: Digest) -> Descriptor:
        data = self.read_blob(digest)
        return Descriptor(parse.media_type(data), digest, len(data))

    def _manifests(self, root: Descriptor) -> Iterator[tuple[Platform, Manifest]]:
        data = self.read_blob(root.digest)
        if root.media_type in parse.INDEX_TYPES:
            for child in parse.parse_index(data):
                manifest = parse.parse_manifest(self.read_blob(child.digest))
                yield child.platform or self.config(manifest).platform, manifest
        else:
            manifest = parse.parse_manifest(data)
            yield self.config(manifest).platform, manifest

    def _index(self) -> dict[str, Descriptor]:
        try:
            data = (self.root / "index.json").read_bytes()
        except FileNotFoundError:
            return {}
        # Parsed once, not once an image: a store of many images would be read in the square of their number.
        if data != self._read[0]:
            entries = parse.parse_index(data)
            self._read = data, {name: entry for entry in entries for key, name in entry.annotations if key == REF_NAME}
        return self._read[1]


def set_only_entry(layout: Path, root: Descriptor) -> None:
    """Let a layout stand for one image, whose blobs it has."""
    _write_index(layout, [_entry(root)])


def image_of(layout: Path, name: str) -> Image:
    """The one image of an exported layout, called ``name``; raises EvidenceError when there is not exactly one."""
    return Store(layout).image_at(only_entry(layout, name), name)


def _entry(root: Descriptor, name: str = "") -> dict[str, Any]:
    entry: dict[str, Any] = {"mediaType": root.media_type, "digest": str(root.digest), "size": root.size}
    return {**entry, "annotations": {REF_NAME: name}} if name else entry


def _write_index(folder: Path, entries: list[dict[str, Any]]) -> None:
    document = {"schemaVersion": 2, "mediaType": parse.INDEX_TYPES[0], "manifests": entries}
    write_atomically(folder / "oci-layout", _LAYOUT)
    write_atomically(folder / "index.json", json.dumps(document, indent=1).encode())


def only_entry(layout: Path, name: str) -> Descriptor:
    """The one image of an exported layout; raises EvidenceError when there is not exactly one."""
    try:
        entries = parse.parse_index((layout / "index.json").read_bytes())
        if len(entries) != 1:
            raise EvidenceError(f"it has {len(entries)} entries, not one")
        return entries[0]
    except (OSError, EvidenceError) as error:
        raise _incomplete(name, str(error)) from error


def _reachable(store: Store, root: Descriptor) -> Iterator[Digest]:
    """The blobs below a root, children before it, so that what is adopted is never dangling."""
    data = store.read_blob(root.digest)
    if root.media_type in parse.INDEX_TYPES:
        for child in parse.parse_index(data):
            yield from _reachable(store, child)
    else:
        manifest = parse.parse_manifest(data)
        yield from dict.fromkeys(layer.digest for layer in manifest.layers)
        yield manifest.config.digest
    yield root.digest


def _copy_across(path: Path, target: Path) -> None:
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        shutil.copyfile(path, temporary)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def _incomplete(name: str, why: str) -> EvidenceError:
    return EvidenceError(
        f"the export of {name} is incomplete", why=why, hint="is the disk full? make room, then ./inv build again"
    )


def _flipped(digest: Digest) -> EvidenceError:
    return EvidenceError(
        f"the bytes of blob {digest.short} are not what its digest says",
        why="the file was changed or damaged after it was stored",
        hint="./inv build makes it again; then check the disk",
    )
