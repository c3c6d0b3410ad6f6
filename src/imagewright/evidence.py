"""What is known of each image digest: ``<root>/sha256/<hex>/<kind>.json``, written whole or not at all.

Every record is an envelope that names its schema, its subject, its input key and its own digest: that of the file's
bytes, with zeros where the digest stands. A reader refuses a record in which any byte differs. The one that is about no
digest is the ledger of an image and platform, ``<root>/history/<image>/<os>-<architecture>.json``.
"""

from __future__ import annotations

import functools
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from imagewright import schema
from imagewright.errors import EvidenceError
from imagewright.files import write_atomically
from imagewright.reference import Digest, Platform

if TYPE_CHECKING:
    from imagewright.model.history import Ledger

T = TypeVar("T")

VERSION = 1
_ZEROS = f"sha256:{'0' * 64}"
_SMALL = 4096
"""Bytes of a record that is kept in memory as it was read."""
_UNTRUE = (ValueError, KeyError, TypeError, RecursionError)
"""What reading a record raises when it is not as it was written."""


class Evidence:
    """The records below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, subject: Digest) -> Path:
        """Where everything about one digest lies."""
        return self.root / "sha256" / subject.hex

    def write(self, subject: Digest, kind: str, value: object, *, key: Digest) -> None:
        """Record a value about a digest; ``key`` is the digest of the inputs it was made from."""
        self.write_bytes(subject, f"{kind}.json", packed(kind, str(subject), str(key), value))

    def keep(self, subject: Digest, kind: str, value: object, *, key: Digest) -> None:
        """Record a value unless the very same record stands already: what did not change is not written again."""
        if self.standing(type(value), subject, kind, key) != value:
            self.write(subject, kind, value, key=key)

    def write_bytes(self, subject: Digest, name: str, data: bytes) -> Path:
        """Keep a document as it is (an SBOM, a tool's raw output); returns where."""
        path = self.folder(subject) / name
        write_atomically(path, data)
        return path

    def subjects(self) -> tuple[Digest, ...]:
        """Every digest something is known of."""
        return tuple(Digest(path.name) for path in sorted((self.root / "sha256").glob("[0-9a-f]*")))

    def has(self, subject: Digest, kind: str) -> bool:
        """Whether there is a record of that kind, sound or not."""
        return (self.folder(subject) / f"{kind}.json").is_file()

    def read(self, cls: type[T], subject: Digest, kind: str, *, hint: str) -> T:
        """The recorded value; raises EvidenceError when it is missing, edited, or of another digest or schema."""
        raw = self._bytes(subject, kind, hint)
        return unpacked(cls, raw, kind, str(subject), what=f"the {kind} record of {subject.short}", hint=hint)

    def standing(self, cls: type[T], subject: Digest, kind: str, key: Digest) -> T | None:
        """The recorded value when it was made from these inputs; None when there is none, or none to be trusted."""
        try:
            found: T = _opened(cls, self._bytes(subject, kind, ""), kind, str(subject), str(key))
        except (EvidenceError, *_UNTRUE):
            return None
        return found

    def ledger_path(self, image: str, platform: Platform) -> Path:
        """Where the ledger of an image and platform lies or would lie."""
        return self.root / "history" / image / f"{str(platform).replace('/', '-')}.json"

    def ledger(self, image: str, platform: Platform) -> Ledger:
        """The releases of an image, none when nothing was released; raises EvidenceError for a damaged ledger."""
        from imagewright.model.history import Ledger  # which a run with nothing new does not read

        path = self.ledger_path(image, platform)
        try:
            raw = path.read_bytes()
        except FileNotFoundError:
            return Ledger(image, platform)
        about = f"{image} {platform}"
        hint = (
            f"put {path.name} back from a copy; without it every clock of SEC-014 starts anew, so remove it knowingly"
        )
        ledger = unpacked(Ledger, raw, "ledger", about, what=f"the ledger of {image} ({platform})", hint=hint)
        if f"{ledger.image} {ledger.platform}" != about:
            raise EvidenceError(f"the ledger of {about} is of {ledger.image} {ledger.platform}", hint=hint)
        return ledger

    def keep_ledger(self, ledger: Ledger) -> None:
        """Write the ledger, when it is another than the one that is kept."""
        if ledger != self.ledger(ledger.image, ledger.platform):
            written = packed("ledger", f"{ledger.image} {ledger.platform}", "", ledger)
            write_atomically(self.ledger_path(ledger.image, ledger.platform), written)

    def key(self, subject: Digest, kind: str) -> Digest | None:
        """The input key of a record, None when there is none that can be read."""
        try:
            return schema.read(Digest, json.loads(self._bytes(subject, kind, ""))["key"])
        except (EvidenceError, *_UNTRUE):
            return None

    def files(self, subject: Digest) -> dict[str, Digest]:
        """Everything known of a digest: the name of each file, and the digest of its bytes."""
        folder = f"{self.root}/sha256/{subject.hex}"
        there = os.listdir(folder) if os.path.isdir(folder) else ()
        names = sorted(name for name in there if not name.startswith("."))
        return {name: Digest.of(_contents(f"{folder}/{name}")) for name in names}

    def state(self, subject: Digest) -> Digest:
        """The digest of everything known of a digest: names and bytes."""
        return Digest.of(canonical([[name, str(digest)] for name, digest in self.files(subject).items()]))

    def _bytes(self, subject: Digest, kind: str, hint: str) -> bytes:
        try:
            return _contents(f"{self.root}/sha256/{subject.hex}/{kind}.json")
        except FileNotFoundError as error:
            raise EvidenceError(f"there is no {kind} record of {subject}", hint=hint) from error


def _contents(path: str) -> bytes:
    """A file's bytes; its path is put together as text, since with many images it shows."""
    with open(path, "rb") as file:
        return file.read()


def packed(kind: str, subject: str, key: str, value: object) -> bytes:
    """A value in its sealed envelope."""
    name = f"imagewright/{kind}/v{VERSION}"
    return sealed({"schema": name, "subject": subject, "key": key, "sha256": "", "body": schema.dump(value)})


def unpacked(cls: type[T], raw: bytes, kind: str, subject: str, *, what: str, hint: str) -> T:
    """What ``packed`` put into an envelope; raises EvidenceError when it is edited, or of another subject or schema."""
    try:
        found: T = _opened(cls, raw, kind, subject)
    except _UNTRUE as error:
        raise EvidenceError(f"{what} cannot be trusted", why=str(error), hint=hint) from error
    return found


def _opened(cls: Any, raw: bytes, kind: str, subject: str, key: str = "") -> Any:
    """The value in an envelope, of these inputs when ``key`` names any; raises one of _UNTRUE.

    Several steps of a run read the same records: the same few bytes are read into one value.
    """
    return (_small if len(raw) <= _SMALL else _read)(cls, raw, kind, subject, key)


def _read(cls: Any, raw: bytes, kind: str, subject: str, key: str) -> Any:
    envelope = json.loads(raw)
    if envelope["schema"] != f"imagewright/{kind}/v{VERSION}":
        raise ValueError(f"its schema is {envelope['schema']!r}")
    if envelope["subject"] != subject:
        raise ValueError(f"it is about {envelope['subject']}")
    if key and envelope["key"] != key:
        raise ValueError("it was made from other inputs")
    if _seal(raw, str(envelope["sha256"])) != envelope["sha256"]:
        raise ValueError("it was changed after it was written")
    return schema.read(cls, envelope["body"])


_small = functools.lru_cache(maxsize=4096)(_read)


def remember(path: Path, kind: str, value: object) -> None:
    """Leave a note for later runs, in an envelope with the file's name for a subject."""
    write_atomically(path, packed(kind, path.name, "", value))


def recall(cls: type[T], path: Path, kind: str) -> T | None:
    """The note that ``remember`` left; None without one, and when a byte of it is not as it was written."""
    try:
        return unpacked(cls, path.read_bytes(), kind, path.name, what=f"the note {path}", hint="")
    except (OSError, EvidenceError):
        return None


def _seal(data: bytes, seal: str) -> str:
    """The digest of a record's bytes, with zeros in the place of ``seal``."""
    return str(Digest.of(data.replace(seal.encode(), _ZEROS.encode(), 1)))


def sealed(envelope: dict[str, Any]) -> bytes:
    """A record as it is written: JSON whose ``sha256`` is that of all its bytes, taken with zeros in its place."""
    data = json.dumps({**envelope, "sha256": _ZEROS}, indent=1).encode() + b"\n"
    return data.replace(_ZEROS.encode(), _seal(data, _ZEROS).encode(), 1)


def canonical(value: Any) -> bytes:
    """JSON with sorted keys and no spaces: equal values, equal bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
