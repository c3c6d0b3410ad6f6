"""The vulnerability database: where it comes from, how old it is, and exactly which bytes it is.

A database is ``trivy.db`` beside ``metadata.json``; format and artifact:
https://trivy.dev/docs/v0.76/guide/configuration/db/. Fetched ones live on a shelf per source:

    <cache>/trivy-db/<source>/<sha256 of trivy.db>/{trivy.db,metadata.json}
    <cache>/trivy-db/<source>/current              a link to the newest one that arrived whole
    <cache>/trivy-db/<source>/failed.json          when the last attempt failed, and why
"""

from __future__ import annotations

import json
import mmap
import re
import shutil
import struct
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from imagewright.errors import ConfigurationError, EvidenceError, ImagewrightError, Problem, RegistryRefused, ToolFailed
from imagewright.files import locked, sync_folder, write_atomically
from imagewright.model.findings import Database, NotChecked
from imagewright.reference import Digest, Reference
from imagewright.tools.binary import Program, remembered_sha256, sha256
from imagewright.tools.trivy_download import Fetch, download, take

_DEFAULT = "the scanner's default"
# Go's words for a host that is not there, within the scanner's own.
_UNREACHED = re.compile(r'Get "https?://([^/"]+)[^"]*": .*?: ([a-z][^:\n]*?)(?:\s*$|\n)', re.MULTILINE)
_FAILED = "failed.json"
_RETRY = timedelta(hours=1)
_PAUSE = timedelta(minutes=1)
"""How long a failure is remembered: runs one after the other do not each wait for the same dead network."""
_SCHEMA = 2
"""The version of the schema of databases that the scanner reads."""
_BOLT_MAGIC = struct.pack("<I", 0xED0CDAED)


@dataclass(frozen=True, slots=True)
class DatabaseFolder:
    """A database on disk, to be read and never written: ``path`` holds ``trivy.db`` and ``metadata.json``.

    ``note`` says why it is not newer, when a refresh was due and failed.
    """

    path: Path
    database: Database
    note: str = ""

    def covers(self, distribution: str) -> bool:
        """Whether the database has heard of a distribution (``debian 13``) at all; of no name, nothing is asked.

        NOTE: for one it does not know the scanner reports no vulnerability and no error. The name of a bucket
        stands in the file as it is; before a ``{`` it is only the key of a note about its source.
        """
        bucket = re.compile(re.escape(distribution.encode()) + rb"(?!\{)")
        with (self.path / "trivy.db").open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return not distribution or bucket.search(data) is not None


@dataclass(frozen=True, slots=True)
class _Metadata:
    next_update: datetime
    updated_at: datetime


def resolve(
    setting: str, *, root: Path, cache: Path, fetch: Fetch, trivy: Callable[[], Program], now: datetime
) -> DatabaseFolder | NotChecked:
    """The database that ``ScanSettings.database`` means.

    Empty: the scanner's own default. A folder (absolute, or below ``root``): used in place. Anything else:
    an OCI reference, through ``fetch``. A copy in ``cache`` serves until its next update is due, or for ever
    when the reference names a digest. When nothing can be fetched and nothing is there, the reason why;
    raises ConfigurationError when the setting itself is wrong.
    """
    if not setting:
        return _Shelf(cache, _DEFAULT).newest(now, lambda into: download(trivy(), into))
    folder = root / Path(setting).expanduser()
    if folder.is_dir() or setting.startswith(("/", ".", "~")):
        return _in_place(folder, setting)
    reference = _reference(setting)
    shelf = _Shelf(cache, str(reference), pinned=reference.digest is not None)
    return shelf.newest(now, lambda into: take(fetch, reference, into))


def known(setting: str, *, root: Path, cache: Path) -> DatabaseFolder | NotChecked:
    """The database that a setting means as far as it is here: nothing is fetched, and nothing written.

    Raises ConfigurationError when the setting itself is wrong.
    """
    folder = root / Path(setting).expanduser()
    if setting and (folder.is_dir() or setting.startswith(("/", ".", "~"))):
        return _in_place(folder, setting)
    return _Shelf(cache, str(_reference(setting)) if setting else _DEFAULT).there()


def failure(setting: str, cache: Path) -> str:
    """Why the last attempt to fetch the database that a setting means failed; empty when none did."""
    try:
        _, reason = json.loads(((shelf(setting, cache) or cache) / _FAILED).read_bytes())
        return str(reason)
    except (OSError, ValueError, TypeError):
        return ""


def shelf(setting: str, cache: Path) -> Path | None:
    """Where copies of the database that a setting means are kept; None when it is a folder, which is used in place."""
    if setting.startswith(("/", ".", "~")):
        return None
    try:
        source = str(Reference.parse(setting)) if setting else _DEFAULT
    except ValueError:
        return None
    return _place(cache, source)


def _place(cache: Path, source: str) -> Path:
    return cache / "trivy-db" / Digest.of(source.encode()).short


def _in_place(folder: Path, setting: str) -> DatabaseFolder:
    inner = folder / "db"
    try:
        return _open(inner if inner.is_dir() else folder, setting)
    except (OSError, ValueError) as error:
        why = f"there is no {error.filename}" if isinstance(error, FileNotFoundError) else _short(error)
        raise _mistake(f"{setting} is not a vulnerability database: {why}") from error


def _reference(setting: str) -> Reference:
    try:
        return Reference.parse(setting)
    except ValueError as error:
        raise _mistake(f"{error}; it must be a folder or an OCI reference") from error


def _mistake(message: str) -> ConfigurationError:
    return ConfigurationError(
        [Problem("pyproject.toml", "tool.imagewright.scan.database or IMAGEWRIGHT_DATABASE", message)]
    )


def _open(folder: Path, source: str) -> DatabaseFolder:
    """Look at a database; raises OSError or ValueError when it is none that this program understands."""
    metadata = _metadata(folder)
    file = folder / "trivy.db"
    with file.open("rb") as stream:
        if stream.read(20)[16:] != _BOLT_MAGIC:
            raise ValueError("trivy.db is not a BoltDB file")
    made = metadata.updated_at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return DatabaseFolder(folder.resolve(), Database(remembered_sha256(file), made, source))


def _metadata(folder: Path) -> _Metadata:
    """What the database says of itself; raises ValueError when it is not of the schema this program knows."""
    try:
        said = json.loads((folder / "metadata.json").read_bytes())
        if type(said["Version"]) is not int or said["Version"] != _SCHEMA:
            raise ValueError(f"Version is {said['Version']!r}, not {_SCHEMA}")
        return _Metadata(_moment(said, "NextUpdate"), _moment(said, "UpdatedAt"))
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        missing = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise ValueError(f"metadata.json: {missing}") from error


def _moment(said: Mapping[str, str], key: str) -> datetime:
    try:
        moment = datetime.fromisoformat(said[key])
    except (ValueError, TypeError) as error:
        raise ValueError(f"{key} is no moment: {error}") from error
    if moment.tzinfo is None:
        raise ValueError(f"{key} has no time zone")
    return moment


class _Shelf:
    """The copies of one source that were fetched before, the current one and the one before it."""

    def __init__(self, cache: Path, source: str, *, pinned: bool = False) -> None:
        self._folder = _place(cache, source)
        self._current = self._folder / "current"
        self._failed = self._folder / _FAILED
        self._source = source
        self._pinned = pinned

    def newest(self, now: datetime, get: Callable[[Path], None]) -> DatabaseFolder | NotChecked:
        """The current copy, replaced through ``get`` (which fills a folder) when its time has come."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with locked(self._folder / "lock"):
            if self._is_fresh(now):
                return self._read()
            if reason := self._failed_just_now(now):
                return self._make_do(reason)
            try:
                self._replace(get)
            except (RegistryRefused, EvidenceError, ToolFailed, OSError, ValueError) as error:
                write_atomically(self._failed, json.dumps([now.isoformat(), _short(error)]).encode())
                return self._make_do(_short(error))
            return self._read()

    def _failed_just_now(self, now: datetime) -> str:
        """Why the last attempt failed, if it did so a moment ago and nothing has arrived since."""
        try:
            at, reason = json.loads(self._failed.read_bytes())
            return str(reason) if timedelta(0) <= now - datetime.fromisoformat(at) < _PAUSE else ""
        except (OSError, ValueError, TypeError):
            return ""

    def there(self) -> DatabaseFolder | NotChecked:
        """The current copy, however old."""
        return self._make_do("none was fetched yet")

    def _read(self, note: str = "") -> DatabaseFolder:
        found = _open(self._current, self._source)
        return DatabaseFolder(found.path, found.database, note)

    def _is_fresh(self, now: datetime) -> bool:
        try:
            self._read()
            fetched = datetime.fromtimestamp(self._current.lstat().st_mtime, UTC)
            return self._pinned or now < max(_metadata(self._current).next_update, fetched + _RETRY)
        except (OSError, ValueError):
            return False

    def _make_do(self, reason: str) -> DatabaseFolder | NotChecked:
        try:
            return self._read(f"an older copy serves, as no newer one could be fetched: {reason}")
        except (OSError, ValueError):
            return NotChecked(f"no database: {reason}")

    def _replace(self, get: Callable[[Path], None]) -> None:
        with tempfile.TemporaryDirectory(prefix="arriving-", dir=self._folder) as folder:
            arrived = Path(folder) / "db"
            arrived.mkdir()
            get(arrived)
            name = _open(arrived, self._source).database.sha256.hex
            before = self._current.readlink().name if self._current.is_symlink() else ""
            place = self._folder / name
            if self._holds(place, name):
                # The same database with a later date of its next update; a scan may be reading it right now.
                (arrived / "metadata.json").replace(place / "metadata.json")
            else:
                shutil.rmtree(place, ignore_errors=True)
                arrived.replace(place)
            link = Path(folder) / "current"
            link.symlink_to(name)
            link.replace(self._current)
            self._failed.unlink(missing_ok=True)
            sync_folder(self._folder)
        for other in self._folder.iterdir():
            if other.is_dir() and other.name not in (name, before, "current"):
                shutil.rmtree(other, ignore_errors=True)

    @staticmethod
    def _holds(place: Path, name: str) -> bool:
        file = place / "trivy.db"
        return file.is_file() and sha256(file).hex == name


def _short(error: Exception) -> str:
    """The gist of an error in one line of at most 200 characters: what happened, and the innermost cause."""
    what = error.what if isinstance(error, ImagewrightError) else str(error)
    causes = error.why.split() if isinstance(error, ImagewrightError) else []
    if isinstance(error, ImagewrightError) and (cause := _UNREACHED.findall(error.why)):
        return "; ".join(dict.fromkeys(f"{host}: {words}" for host, words in cause))
    line = " ".join([what, *(["…", *causes[-12:]] if len(causes) > 12 else causes)])
    return line if len(line) <= 200 else f"{line[:199]}…"
