"""The facts of one good image, a service in Python, and of images that differ from it in what a fixture says.

Whatever ``GOOD`` does not name is blank: nothing found, an empty text, 0. A new fact needs no line here unless a good
image has something to show for it.
"""

from __future__ import annotations

import dataclasses
import functools
import typing
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from imagewright.errors import ConfigurationError, Problem
from imagewright.model.facts import SCHEMA, Facts
from imagewright.policy.vocabulary import CHECKS, END_OF_LIFE, NAMES, NOW, PROFILE
from imagewright.schema import near, parse

MOMENT = datetime(2026, 1, 1, 12, tzinfo=UTC)
"""When fixtures are judged, unless they say otherwise."""
_LABELS = ("title", "source", "revision", "version", "created", "licenses", "base.name", "base.digest")
_SHA256 = f"sha256:{'a' * 64}"

GOOD: Mapping[str, Any] = {
    "schema": SCHEMA,
    "image.name": "example",
    "image.repository": "example",
    "image.platform": "linux/amd64",
    "image.digest": _SHA256,
    "config.user": "65532:65532",
    "config.uid": 65532,
    "config.gid": 65532,
    "config.numeric": True,
    "config.ports": [8000],
    "image.service": "python",
    "config.cmd": ["python3", "-m", "example"],
    "config.program": "python3",
    "config.options": {"--timeout-graceful-shutdown": "8"},
    "config.env": {"PATH": "/usr/bin:/bin"},
    "config.labels": {f"org.opencontainers.image.{name}": "example" for name in _LABELS},
    "config.healthcheck.present": True,
    "config.healthcheck.exec_form": True,
    "config.healthcheck.program": "python3",
    "config.healthcheck.program_exists": True,
    "declared.user": "65532:65532",
    "declared.port": 8000,
    "declared.writable": ["/tmp"],  # noqa: S108 # a path inside the image
    "declared.live": "/live",
    "declared.ready": "/ready",
    "declared.stop_seconds": 10,
    "declared.budget.compressed": 60_000_000,
    "declared.budget.uncompressed": 150_000_000,
    "sizes.compressed": 40_000_000,
    "sizes.uncompressed": 100_000_000,
    "sizes.files": 1000,
    "packages.os": 20,
    "packages.language": 10,
    "sboms": [
        {
            **{"format": name, "file": f"sbom.{name}.json", "sha256": _SHA256, "os_packages": 20},
            **{"language_packages": 10, "components": 30, "score": 80},
        }
        for name in ("cyclonedx", "spdx")
    ],
    "feeds.epss.sha256": _SHA256,
    "feeds.epss.date": "2025-12-31T00:00:00Z",
    "feeds.kev.sha256": _SHA256,
    "feeds.kev.date": "2025-12-30T00:00:00Z",
    "rebuild.same": True,
    "bases": [
        {
            **{"name": "debian:trixie-slim", "source": "bootstrap", "digest": _SHA256, "expected": _SHA256},
            **{"locked": True, "locked_at": "2025-12-31T00:00:00Z"},
        }
    ],
    "scan.scanner": "trivy",
    "scan.version": "1.0.0",
    "scan.sha256_known": True,
    "scan.sha256": _SHA256,
    "scan.isolation": "no network",
    "scan.database_known": True,
    "scan.database_sha256": _SHA256,
    "scan.database_updated_at": "2026-01-01T06:00:00Z",
    "dockerfile.file": "dockerfiles/example.Dockerfile",
    "context.folder": "images/example",
    "context.ignore_file": "dockerfiles/example.Dockerfile.dockerignore",
    "repository.ignore_tracked": True,
    "source.revision": "0123456789abcdef",
    **{f"checks.{name}.done": True for name in CHECKS},
}


def good_facts() -> Facts:
    """The facts of the good image."""
    problems: list[Problem] = []
    found = changed({}, file="", at="", problems=problems)
    if found is None:
        raise ConfigurationError(problems)
    return found


def changed(changes: Mapping[str, Any], *, file: str, at: str, problems: list[Problem]) -> Facts | None:
    """A good image's facts with these, by dotted path or nested as TOML does, in their place.

    An item of a list names the fields that matter; the others are blank. Mistakes go to ``problems``.
    """
    document = _blank(Facts)
    for path, value in {**GOOD, **dict(named(changes))}.items():
        if path not in NAMES or path == END_OF_LIFE:
            problems.append(Problem(file, at, f"no such fact: {path}{near(path, list(NAMES))}"))
        elif path not in (NOW, PROFILE):
            _put(document, path.split("."), value)
    return parse(Facts, _complete(Facts, document), file=file, at=at, problems=problems)


def named(changes: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The changes by dotted path: ``{config = {uid = 0}}`` and ``{"config.uid" = 0}`` are the same."""
    for key, value in changes.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping) and path not in NAMES:
            yield from named(value, f"{path}.")
        else:
            yield path, value


def _put(document: dict[str, Any], path: list[str], value: Any) -> None:
    *folders, name = path
    for folder in folders:
        document = document[folder]
    document[name] = value


@functools.cache
def _hints(cls: Any) -> Mapping[str, Any]:
    return typing.get_type_hints(cls)


def _blank(hint: Any) -> Any:
    if dataclasses.is_dataclass(hint):
        return {name: _blank(inner) for name, inner in _hints(typing.cast(Any, hint)).items()}
    origin = typing.get_origin(hint)
    return [] if origin is tuple else {} if origin is not None else hint()


def _complete(hint: Any, value: Any) -> Any:
    """The value with blanks for what it leaves out; what does not fit is left for the parser to name."""
    if dataclasses.is_dataclass(hint) and isinstance(value, Mapping):
        hints = _hints(typing.cast(Any, hint))
        return {**_blank(hint), **{name: _complete(hints.get(name), inner) for name, inner in value.items()}}
    if typing.get_origin(hint) is tuple and isinstance(value, list):
        return [_complete(typing.get_args(hint)[0], item) for item in value]
    return value
