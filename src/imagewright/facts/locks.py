"""Lock files → facts: whether every package is bound to a hash, and which frameworks are locked. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from imagewright.model.repository import FrameworkFact, LockFact

FILES = re.compile(r"requirements[\w.-]*\.txt|package-lock\.json|npm-shrinkwrap\.json")
"""The names of lock files that are read."""
_FRAMEWORKS = ("next", "react", "react-dom")
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")
_REQUIREMENT = re.compile(r"[A-Za-z0-9][\w.-]*")


def locks(texts: Mapping[str, str]) -> tuple[LockFact, ...]:
    """Every lock file at the top of the context, by name."""
    return tuple(_lock(path, texts[path]) for path in _lock_files(texts))


def frameworks(texts: Mapping[str, str]) -> tuple[FrameworkFact, ...]:
    """The frameworks an npm lock names, by name."""
    return tuple(
        FrameworkFact(name, version, *_numbers(version), path)
        for path in _lock_files(texts)
        if path.endswith(".json")
        for name in _FRAMEWORKS
        if (version := str(_packages(texts[path]).get(f"node_modules/{name}", {}).get("version", "")))
    )


def _lock_files(texts: Mapping[str, str]) -> Iterator[str]:
    return (path for path in sorted(texts) if FILES.fullmatch(path))


def _lock(path: str, text: str) -> LockFact:
    if path.endswith(".json"):
        packages = {name: one for name, one in _packages(text).items() if name and not _is_local(one)}
        return LockFact(path, "npm", len(packages), " ".join(name for name, one in packages.items() if not _hash(one)))
    lines = [line.strip() for line in re.sub(r"\\\n", " ", text).splitlines()]
    wanted = [line for line in lines if line and not line.startswith(("#", "-"))]
    unhashed = " ".join(_requirement(line) for line in wanted if "--hash=" not in line)
    return LockFact(path, "pip", len(wanted), unhashed)


def _packages(text: str) -> dict[str, dict[str, Any]]:
    """https://docs.npmjs.com/cli/configuring-npm/package-lock-json#packages"""
    try:
        found = json.loads(text)["packages"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    return {name: one for name, one in found.items() if isinstance(one, dict)} if isinstance(found, dict) else {}


def _is_local(package: Mapping[str, Any]) -> bool:
    """A link to, or the place of, a folder of the same repository, or a package inside another's tarball."""
    return bool(package.get("link") or package.get("inBundle")) or "version" not in package


def _hash(package: Mapping[str, Any]) -> bool:
    return bool(package.get("integrity"))


def _requirement(line: str) -> str:
    match = _REQUIREMENT.match(line)
    return match[0] if match else line


def _numbers(version: str) -> tuple[int, int, int]:
    match = _VERSION.match(version)
    return (int(match[1]), int(match[2]), int(match[3])) if match else (-1, -1, -1)
