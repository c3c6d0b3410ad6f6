"""Blobs that are hashed on their way: out of the store, and into a file."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from imagewright.errors import EvidenceError, RegistryRefused
from imagewright.files import sync_folder
from imagewright.model.image import Descriptor


class Counted:
    """Tells a listener how many bytes went by, and takes them back when a transfer starts over."""

    def __init__(self, listener: Callable[[int], None]) -> None:
        self._listener = listener
        self._count = 0

    def add(self, count: int) -> None:
        """Count more bytes."""
        self._count += count
        self._listener(count)

    def start_over(self) -> None:
        """Begin again at nothing; the listener hears a negative number."""
        if self._count:
            self._listener(-self._count)
            self._count = 0


class Outgoing:
    """A blob being sent: a readable that refuses to give out its last bytes unless all of them hash to the digest.

    The receiver therefore never holds a whole wrong blob. ``on_bytes`` is told how many bytes were read;
    whatever it raises ends the transfer.
    """

    def __init__(self, file: BinaryIO, descriptor: Descriptor, on_bytes: Callable[[int], None]) -> None:
        self._file = file
        self._descriptor = descriptor
        self._on_bytes = on_bytes
        self._hash = hashlib.sha256()
        self._left = descriptor.size

    def read(self, size: int = -1) -> bytes:
        """Up to ``size`` bytes; raises EvidenceError when the file is not what the descriptor says."""
        wanted = self._left if size < 0 else min(size, self._left)
        chunk = self._from_file(wanted)
        if wanted and not chunk:
            raise self._wrong(f"it ends {self._left} bytes too early")
        self._hash.update(chunk)
        self._left -= len(chunk)
        if self._left == 0:
            self._check_whole()
        if chunk:
            self._on_bytes(len(chunk))
        return chunk

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _check_whole(self) -> None:
        if self._from_file(1):
            raise self._wrong(f"it is longer than {self._descriptor.size} bytes")
        if self._hash.hexdigest() != self._descriptor.digest.hex:
            raise self._wrong(f"its content hashes to sha256:{self._hash.hexdigest()}")

    def _from_file(self, size: int) -> bytes:
        try:
            return self._file.read(size)
        except OSError as error:
            raise self._wrong(f"it cannot be read: {error.strerror or error}") from error

    def _wrong(self, why: str) -> EvidenceError:
        what = f"blob {self._descriptor.digest} in the store is not what its digest says; it was not sent"
        return EvidenceError(what, why=why, hint="build the image again, then scan and push it")


def store_verified(
    chunks: Iterable[bytes], descriptor: Descriptor, into: Path, on_bytes: Callable[[int], None], source: str
) -> None:
    """Write a blob under a temporary name and rename it to ``into`` only when its size and digest are right.

    Raises RegistryRefused when ``source`` gave other bytes, EvidenceError when the file cannot be written;
    in both cases, and on an interrupt, nothing is left behind.
    """
    with _storing(into):
        into.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=into.parent, prefix=f".{into.name}.")
    try:
        with os.fdopen(handle, "wb", buffering=0) as file:
            for chunk in _checked(chunks, descriptor, source):
                with _storing(into):
                    file.write(chunk)
                on_bytes(len(chunk))
            with _storing(into):
                os.fsync(file.fileno())
        with _storing(into):
            os.chmod(temporary, 0o644)
            os.replace(temporary, into)
            sync_folder(into.parent)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)


def _checked(chunks: Iterable[bytes], descriptor: Descriptor, source: str) -> Iterator[bytes]:
    hasher, size = hashlib.sha256(), 0
    for chunk in chunks:
        hasher.update(chunk)
        size += len(chunk)
        if size > descriptor.size:
            raise _other_bytes(source, descriptor, f"more than the {descriptor.size} bytes announced")
        yield chunk
    if size != descriptor.size:
        raise _other_bytes(source, descriptor, f"{size} bytes instead of {descriptor.size}")
    if hasher.hexdigest() != descriptor.digest.hex:
        raise _other_bytes(source, descriptor, f"bytes that hash to sha256:{hasher.hexdigest()}")


def _other_bytes(source: str, descriptor: Descriptor, got: str) -> RegistryRefused:
    return RegistryRefused(
        f"{source} gave other bytes than blob {descriptor.digest}",
        why=f"it gave {got}",
        hint="nothing was kept; if it happens again, the registry or a cache in front of it is damaged",
    )


@contextlib.contextmanager
def _storing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        hint = "check the free space and the rights there"
        raise EvidenceError(f"cannot write {path}", why=error.strerror or str(error), hint=hint) from error
