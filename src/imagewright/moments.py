"""Dates and times as facts and records have them."""

from __future__ import annotations

from datetime import UTC, datetime


def moment(text: str) -> str:
    """An ISO 8601 date or time as rules can count with it (RFC 3339, UTC, seconds); empty when it is none."""
    try:
        then = datetime.fromisoformat(text)
    except ValueError:
        return ""
    aware = then if then.tzinfo else then.replace(tzinfo=UTC)
    return aware.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
