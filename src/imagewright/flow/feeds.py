"""The feeds of the settings: found, hashed, and read for the vulnerabilities that a run asks about."""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import BinaryIO, TypeVar

from imagewright.config import SETTINGS_FILE
from imagewright.errors import ConfigurationError, EvidenceError, Problem
from imagewright.flow.workspace import Workspace
from imagewright.model.definition import FeedFile
from imagewright.model.feeds import EpssScore, Feeds
from imagewright.tools import cache

T = TypeVar("T")
_GZIP = b"\x1f\x8b"
_CHUNK = 1 << 20  # lines are taken from memory, not one by one from the decompressor


def verify(workspace: Workspace) -> None:
    """Hash the configured feeds; nothing is read of them.

    Raises ConfigurationError for one that is missing, EvidenceError for one with other bytes than the settings say.
    """
    settings = workspace.project.settings.feeds
    for name, feed in (("epss", settings.epss), ("kev", settings.kev)):
        if feed is not None:
            with _opened(workspace, name, feed):
                pass


def read(workspace: Workspace, wanted: frozenset[str]) -> Feeds:
    """What the configured feeds say of the wanted CVEs.

    Raises as ``verify`` does, and ConfigurationError for a file that is no such feed or has another date.
    """
    from imagewright.facts.feeds import epss_scores, kev_due  # which most runs need not read again

    settings = workspace.project.settings.feeds
    scores: dict[str, EpssScore] = {}
    due: dict[str, str] = {}
    if settings.epss is not None:
        scores = _read(workspace, "epss", settings.epss, lambda file: epss_scores(_unpacked(file), wanted))
    if settings.kev is not None:
        due = _read(workspace, "kev", settings.kev, lambda file: kev_due(_unpacked(file).read(), wanted))
    return Feeds(settings.epss, settings.kev, scores, due)


def _read(workspace: Workspace, name: str, feed: FeedFile, parse: Callable[[BinaryIO], tuple[date, T]]) -> T:
    with _opened(workspace, name, feed) as file:
        try:
            made, found = parse(file)
        except (ValueError, OSError, EOFError, zlib.error) as error:
            raise _wrong(name, "file", f"{feed.file} is not such a feed: {error}") from error
    if made != feed.date:
        raise _wrong(name, "date", f"is {feed.date}, but {feed.file} says it is of {made}")
    return found


@contextmanager
def _opened(workspace: Workspace, name: str, feed: FeedFile) -> Iterator[BinaryIO]:
    """The file, once its bytes are known to be those of the settings, at its beginning."""
    path = _path(workspace, name, feed)
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
            if found != feed.sha256.hex:
                raise EvidenceError(
                    f"the feed {feed.file} is not the one that the settings name",
                    why=f"it is sha256:{found}, tool.imagewright.feeds.{name}.sha256 is {feed.sha256}",
                    hint=f"fetch it again, or look where it comes from and change sha256 and date in {SETTINGS_FILE}",
                )
            file.seek(0)
            yield file
    except OSError as error:
        raise _wrong(name, "file", f"{path} cannot be read: {error.strerror}") from error


def _path(workspace: Workspace, name: str, feed: FeedFile) -> Path:
    for place in (workspace.project.root, cache.folder()):
        if (place / feed.file).is_file():
            return place / feed.file
    raise _wrong(name, "file", f"{feed.file} is neither in the repository nor in the cache folder {cache.folder()}")


def _unpacked(file: BinaryIO) -> BinaryIO:
    packed = file.read(2) == _GZIP
    file.seek(0)
    return io.BufferedReader(gzip.GzipFile(fileobj=file), _CHUNK) if packed else file


def _wrong(name: str, key: str, message: str) -> ConfigurationError:
    problem = Problem(SETTINGS_FILE, f"tool.imagewright.feeds.{name}.{key}", message)
    return ConfigurationError([problem], hint="docs/operations.md says how feeds are fetched and named")
