"""Figures and foreign text in the form people read: sizes, moments, and strings made safe to show."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

T = TypeVar("T")

_BEYOND_ASCII = re.compile(r"[^\x20-\x7e]")
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
_SPACE = re.compile(r"[\t\n\r]+")


def size(count: int) -> str:
    """Bytes in decimal units with three figures, as registries and storage prices count them."""
    if count < 1000:
        return f"{count} B"
    value = float(count)
    for unit in ("kB", "MB", "GB"):
        value /= 1000
        if value < 999.5 or unit == "GB":
            break
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:.{digits}f} {unit}"


def count(number: int, noun: str) -> str:
    """``1 package``, ``41 packages``, ``no packages``; for nouns that only take an s."""
    return f"{number or 'no'} {noun if number == 1 else f'{noun}s'}"


def moment(text: str) -> str:
    """An RFC 3339 time as ``2026-11-19 06:12 UTC``; anything else comes back as it is."""
    parsed = _parse(text)
    return f"{parsed:%Y-%m-%d %H:%M} UTC" if parsed else text


def from_epoch(seconds: int) -> str:
    """Unix seconds as ``2026-11-19 06:12 UTC``."""
    return f"{datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds):%Y-%m-%d %H:%M} UTC"


def age(then: str, now: str) -> str:
    """How old something made ``then`` was ``now`` (both RFC 3339): ``29 hours``; empty when it cannot be told."""
    start, end = _parse(then), _parse(now)
    if start is None or end is None or end < start:
        return ""
    hours = int((end - start).total_seconds() // 3600)
    return "less than an hour" if hours < 1 else count(hours, "hour") if hours < 72 else count(hours // 24, "day")


def plain(text: str) -> str:
    """One line in which every character can be seen.

    Line breaks become spaces; control characters, bidirectional overrides, lone surrogates (file names
    that are not UTF-8) and everything XML 1.0 forbids become ``\\xNN`` or ``\\uNNNN``.
    """
    return _BEYOND_ASCII.sub(_visible, _SPACE.sub(" ", text))


def bounded(items: Sequence[T], most: int) -> tuple[Sequence[T], int]:
    """The first ``most`` items and how many are left; one more than ``most`` is not worth a cut."""
    return (items, 0) if len(items) <= most + 1 else (items[:most], len(items) - most)


def link(url: str) -> str:
    """The address when it is plain http(s) and nothing but printable ASCII, else empty: never link anything else."""
    return url if re.fullmatch(r"https?://[!-~]+", url, re.IGNORECASE) else ""


def _parse(text: str) -> datetime | None:
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return None
    return parsed.astimezone(UTC) if parsed.tzinfo else None


def _visible(match: re.Match[str]) -> str:
    character = match.group()
    code = ord(character)
    if unicodedata.category(character) not in _HIDDEN and code & 0xFFFE != 0xFFFE:
        return character
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
