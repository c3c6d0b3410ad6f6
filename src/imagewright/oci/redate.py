"""A layer without the hour of its making: what is dated later than the source date is dated to it.

BuildKit's own ``rewrite-timestamp`` writes every layer anew on each export, also those without a later date. Here a
layer is read first, and written only when it has to be. The tar formats, whose headers are changed in place:
https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html#tag_20_94_13
"""

from __future__ import annotations

import hashlib
import math
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from imagewright.errors import EvidenceError
from imagewright.oci.tarstream import decompressed
from imagewright.reference import Digest

BLOCK = 512
LEVEL = 6
"""The compression level of zlib: what gzip and BuildKit use where nothing is said."""
_CHUNK = 1 << 18
_LARGEST_HEADER = 16 << 20
_GZIP = 16 + zlib.MAX_WBITS
_MTIME, _CHECKSUM, _SIZE = slice(136, 148), slice(148, 156), slice(124, 136)
_PAX_TIMES = (b"mtime", b"atime", b"ctime")
_ZEROS = bytes(BLOCK)


@dataclass(frozen=True, slots=True)
class Written:
    """A layer as it was written: digest and size of the gzip blob, and the digest of the tar inside."""

    digest: Digest
    size: int
    diff_id: Digest


def latest(blob: BinaryIO, *, name: str) -> int:
    """The latest date in a layer, in Unix seconds rounded up; raises EvidenceError when it is broken."""
    found = 0
    for _, _, date in _entries(_Source(blob, name), 0):
        found = max(found, date)
    return found


def redate(blob: BinaryIO, target: BinaryIO, epoch: int, *, name: str) -> Written:
    """Write a layer as gzip with no date after ``epoch`` (Unix seconds) in it; the same bytes for the same entries.

    Raises EvidenceError when it is broken.
    """
    inner, outer, size = hashlib.sha256(), hashlib.sha256(), 0
    compressor = zlib.compressobj(LEVEL, zlib.DEFLATED, _GZIP)

    def out(data: bytes) -> None:
        nonlocal size
        outer.update(data)
        target.write(data)
        size += len(data)

    for _, becomes, _ in _entries(_Source(blob, name), epoch):
        inner.update(becomes)
        out(compressor.compress(becomes))
    out(compressor.flush())
    return Written(Digest(outer.hexdigest()), size, Digest(inner.hexdigest()))


class _Source:
    """Reads exactly as much as is asked for, and says so when it cannot."""

    def __init__(self, blob: BinaryIO, name: str) -> None:
        self._stream = decompressed(blob)
        self._name = name

    def block(self) -> bytes:
        """The next block; empty at the end."""
        return self._read(BLOCK, at_end=True)

    def exactly(self, size: int) -> bytes:
        """The next bytes, all of them."""
        return self._read(size, at_end=False)

    def chunks(self, size: int) -> Iterator[bytes]:
        """The next ``size`` bytes in pieces."""
        while size:
            piece = self.exactly(min(size, _CHUNK))
            size -= len(piece)
            yield piece

    def rest(self) -> Iterator[bytes]:
        """Everything that is left."""
        while piece := self._read(_CHUNK, at_end=True):
            yield piece

    def broken(self, why: str) -> EvidenceError:
        """The error for this layer."""
        return EvidenceError(
            f"the layer {self._name} cannot be dated", why=why, hint="is the disk full? make room, then build again"
        )

    def _read(self, size: int, *, at_end: bool) -> bytes:
        found = b""
        try:
            while len(found) < size and (piece := self._stream.read(size - len(found))):
                found += piece
        except (OSError, EOFError, ValueError, zlib.error) as error:
            raise self.broken(str(error)) from error
        if len(found) < size and not at_end:
            raise self.broken("it ends early")
        return found


def _entries(source: _Source, epoch: int) -> Iterator[tuple[bytes, bytes, int]]:
    """The stream piece by piece: as it was, as it becomes, and how late it is dated (0 where it has no date)."""
    while (header := source.block()) and header != _ZEROS:
        _check(source, header)
        size = _number(header[_SIZE])
        padded = -(-size // BLOCK) * BLOCK
        if header[156:157] in (b"x", b"g"):
            if size > _LARGEST_HEADER:
                raise source.broken(f"a header claims to be {size} bytes long")
            body = source.exactly(padded)
            records = tuple(_records(source, body[:size]))
            date = max(_number(header[_MTIME]), *map(_date_of, records))
            yield header + body, _dated_pax(header, records, body, epoch), date
            continue
        yield header, _dated(header, epoch), _number(header[_MTIME])
        yield from ((piece, piece, 0) for piece in _sparse_map(source, header))
        yield from ((piece, piece, 0) for piece in source.chunks(padded))
    yield header, header, 0
    yield from ((piece, piece, 0) for piece in source.rest())


def _sparse_map(source: _Source, header: bytes) -> Iterator[bytes]:
    """Old GNU sparse files continue their map in blocks of its own, before the data."""
    more = header[156:157] == b"S" and header[482:483] not in (b"", b"\0")
    while more:
        block = source.exactly(BLOCK)
        more = block[504:505] != b"\0"
        yield block


def _dated_pax(header: bytes, records: tuple[bytes, ...], body: bytes, epoch: int) -> bytes:
    kept = b"".join(record for record in records if _date_of(record) <= epoch)
    if kept == b"".join(records):
        return _dated(header, epoch) + body
    if not kept:
        return b""  # the header was there for the dates alone
    sized = header[:124] + b"%011o\0" % len(kept) + header[136:]
    return _dated(sized, epoch, force=True) + kept + bytes(-len(kept) % BLOCK)


def _records(source: _Source, body: bytes) -> Iterator[bytes]:
    """The records of an extended header, each as ``length keyword=value`` with its newline."""
    while body:
        digits = body.partition(b" ")[0]
        length = int(digits) if digits.isdigit() and len(digits) < 9 else 0
        if not len(digits) < length <= len(body) or body[length - 1 : length] != b"\n":
            raise source.broken("an extended header is damaged")
        yield body[:length]
        body = body[length:]


def _date_of(record: bytes) -> int:
    """The date a record gives, rounded up; 0 for a record about something else, past all dates for a damaged one."""
    keyword, _, value = record.partition(b" ")[2].rstrip(b"\n").partition(b"=")
    if keyword not in _PAX_TIMES:
        return 0
    try:
        return max(0, math.ceil(float(value)))
    except (ValueError, OverflowError):
        return sys.maxsize


def _dated(header: bytes, epoch: int, *, force: bool = False) -> bytes:
    date = _number(header[_MTIME])
    if date <= epoch and not force:
        return header
    field = b"%011o\0" % max(0, min(date, epoch))
    dated = header[:136] + field + b" " * 8 + header[156:]
    return dated[:148] + b"%06o\0 " % sum(dated) + dated[156:]


def _check(source: _Source, header: bytes) -> None:
    blanked = header[:148] + b" " * 8 + header[156:]
    if len(header) != BLOCK or sum(blanked) != _number(header[_CHECKSUM]):
        raise source.broken("a header is damaged")


def _number(field: bytes) -> int:
    """A number of a header: octal, or binary behind a first bit that is set (GNU); -1 for one that is neither."""
    if field[0] & 0x80:
        value = int.from_bytes(field, "big", signed=False) & ((1 << (8 * len(field) - 1)) - 1)
        return value - (1 << (8 * len(field) - 1)) if field[0] & 0x40 else value
    text = field.strip(b" \0")
    try:
        return int(text or b"0", 8)
    except ValueError:
        return -1
