"""What the environment says, checked once at start; no other module reads it."""

import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

DATABASE_OPTIONS = {"channel_binding", "sslmode"}  # what providers put behind the question mark
SECRET_MINIMUM = 32
EXIT_CODE = 78  # EX_CONFIG of sysexits.h
ORIGIN = re.compile(r"https?://[A-Za-z0-9.\-\[\]:]+")

logger = logging.getLogger(__name__)


class SettingsError(Exception):
    """The environment cannot be used; the message names variables and never shows a value."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the application can be told from outside."""

    database_url: URL
    auth_secret: str = field(repr=False)
    cors_origins: tuple[str, ...] = ()
    development: bool = False

    @classmethod
    def load(cls, environment: Mapping[str, str]) -> "Settings":
        """Read the settings, or raise one `SettingsError` that names every mistake."""
        mistakes: list[str] = []
        development = environment.get("APP_ENV") == "development"
        fallback = "sqlite:///todo.db" if development else ""
        url = URL.create("")
        try:
            url = _database_url(environment.get("DATABASE_URL") or fallback)
        except SettingsError as error:
            mistakes.append(f"DATABASE_URL {error}")
        secret = environment.get("AUTH_SECRET", "")
        if not secret:
            mistakes.append("AUTH_SECRET is not set")
        elif len(secret.encode()) < SECRET_MINIMUM:
            mistakes.append(f"AUTH_SECRET is shorter than {SECRET_MINIMUM} bytes")
        origins = tuple(environment.get("CORS_ORIGINS", "").replace(",", " ").split())
        if not all(map(ORIGIN.fullmatch, origins)):
            mistakes.append("CORS_ORIGINS is not a list of origins like https://todo.example.org")
        if mistakes:
            raise SettingsError("; ".join(mistakes))
        return cls(url, secret, origins, development)

    @classmethod
    def load_or_exit(cls) -> "Settings":
        """Read the process's own environment, or say what is wrong with it and end the process."""
        try:
            return cls.load(os.environ)
        except SettingsError as error:
            logger.critical("cannot start: %s", error)
            raise SystemExit(EXIT_CODE) from None


def _database_url(text: str) -> URL:
    if not text:
        raise SettingsError("is not set")
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise SettingsError("is not a database URL") from None
    scheme = url.drivername.partition("+")[0]
    if scheme == "sqlite":
        return url.set(drivername="sqlite")
    if scheme not in {"postgres", "postgresql"}:
        raise SettingsError("is neither sqlite:// nor postgresql://")
    if not url.username:
        raise SettingsError("names no user")
    if not url.query.keys() <= DATABASE_OPTIONS:
        raise SettingsError(f"has options other than {', '.join(sorted(DATABASE_OPTIONS))}")
    return url.set(drivername="postgresql+pg8000")
