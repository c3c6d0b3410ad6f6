"""A layer blob as a stream of tar members: decompressed, hashed and counted while it is read, never on disk.

Compression is told by its magic number, as container runtimes do it: gzip (RFC 1952), zstd (RFC 8878) or none.
"""

from __future__ import annotations

import gzip
import hashlib
import tarfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO

import zstandard

from imagewright.errors import EvidenceError
from imagewright.reference import Digest

_CHUNK = 1 << 18
# NOTE: tarfile reads an extended header in one piece; more than this is an attack, not a long file name.
_LARGEST_READ = 16 << 20


class TarStream:
    """The members of one layer, once, in order.

    ``digest`` and ``size`` describe the uncompressed stream; they are complete when ``members`` is exhausted.
    """

    def __init__(self, blob: BinaryIO, *, name: str) -> None:
        self._name = name
        self._source = decompressed(blob)
        self._hash = hashlib.sha256()
        self._chunk = b""
        self._start = 0  # where in the stream the chunk begins
        self._position = 0
        self._last = b""

    @property
    def digest(self) -> Digest:
        """The sha256 of everything taken from the blob so far, uncompressed."""
        return Digest(self._hash.hexdigest())

    @property
    def size(self) -> int:
        """Uncompressed bytes taken from the blob so far."""
        return self._start + len(self._chunk)

    def members(self) -> Iterator[tarfile.TarInfo]:
        """Every member of the archive; raises EvidenceError when it is damaged or cut off."""
        try:
            with tarfile.open(fileobj=self, mode="r:") as archive:  # type: ignore[call-overload]
                while (member := archive.next()) is not None:
                    yield member
                    archive.members = []  # else every header stays in memory
            self._finish()
        except (OSError, EOFError, ValueError, zlib.error, zstandard.ZstdError, tarfile.TarError) as error:
            if self.size:
                raise self._broken(str(error)) from error

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes, fewer only at the end."""
        if size > _LARGEST_READ:
            raise ValueError(f"a header claims to be {size} bytes long")
        begin = self._position - self._start
        data = self._chunk[begin : begin + size]
        while len(data) < size and self._advance():
            data += self._chunk[: size - len(data)]
        self._position += len(data)
        self._last = data
        return data

    def tell(self) -> int:
        """Where in the uncompressed stream the next read begins."""
        return self._position

    def seek(self, offset: int) -> None:
        """Skip forward to ``offset`` or to the end, whichever comes first."""
        while self.size < offset and self._advance():
            pass
        self._position = min(offset, self.size)

    def _advance(self) -> bool:
        """Take the next chunk, hashing it; False at the end."""
        self._start = self.size
        self._chunk = self._source.read(_CHUNK)
        self._hash.update(self._chunk)
        return bool(self._chunk)

    def _finish(self) -> None:
        # NOTE: tarfile ends quietly at a header it cannot read. A runtime refuses there, and files behind it would
        # go unseen, so only a block of zeros or the end of the stream counts as the end of the archive.
        if any(self._last):
            raise ValueError("a header is damaged")
        while self._advance():
            pass

    def _broken(self, why: str) -> EvidenceError:
        return EvidenceError(
            f"the layer {self._name} cannot be read",
            why=f"{why or 'it ends early'} (near byte {self._position} of its tar stream)",
            hint="the stored image is damaged or was never complete: build it again",
        )


def decompressed(blob: BinaryIO) -> BinaryIO:
    """The tar inside a layer blob, as a stream; what is broken shows while it is read."""
    magic = blob.read(4)
    blob.seek(0)
    if magic.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=blob)  # type: ignore[return-value]
    if magic == b"\x28\xb5\x2f\xfd":
        return zstandard.ZstdDecompressor().stream_reader(blob, read_across_frames=True)
    return blob
