"""One `docker buildx bake` solve: run it, follow its raw JSON progress, tell which image's step failed.

The stream is BuildKit's SolveStatus, one JSON document after another (indented over several lines in
older releases): https://github.com/moby/buildkit/blob/master/client/graph.go
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from imagewright.errors import ToolFailed
from imagewright.files import write_atomically
from imagewright.progress import Row
from imagewright.tools import process
from imagewright.tools.engine import Engine

_TARGET = re.compile(r"^\[([^\s\]]+)(?: ([^\]]*))?\] ?(.*)$", re.DOTALL)
_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_EXPORT = "exporting to "
_LOG_LINES = 60
"""How many lines of a step's log are kept for its error."""


@dataclass(frozen=True, slots=True)
class StepFailure:
    """The step that broke one image: its instruction, BuildKit's reason, and the end of its log."""

    image: str
    step: str
    reason: str
    log: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Solve:
    """How a solve ended. ``failures`` name steps; ``output`` is what bake wrote besides its progress."""

    ok: bool
    failures: tuple[StepFailure, ...]
    output: str


@dataclass(slots=True)
class _Vertex:
    name: str
    image: str = ""
    error: str = ""
    log: list[str] = field(default_factory=list)


class Events:
    """Reads the progress stream line by line and keeps the rows of each image up to date."""

    def __init__(self, rows: Mapping[str, Row]) -> None:
        self._rows = rows
        self._vertices: dict[str, _Vertex] = {}
        self._pending: list[str] = []
        self._other: list[str] = []

    def feed(self, line: bytes) -> None:
        """Take one line of stderr."""
        text = line.decode("utf-8", "replace").rstrip("\n")
        if not self._pending and not text.startswith("{"):
            self._other.append(text)
            return
        self._pending.append(text)
        if text.endswith("}") and not text.startswith(" "):
            document = "\n".join(self._pending)
            self._pending.clear()
            try:
                self._status(json.loads(document))
            except (ValueError, TypeError, KeyError, AttributeError):
                self._other.append(document)

    @property
    def output(self) -> str:
        """What was no progress document: the error text at the end."""
        return "\n".join([*self._other, *self._pending]).strip()

    @property
    def failures(self) -> tuple[StepFailure, ...]:
        """The steps that failed by themselves; those that were only cancelled with them are left out."""
        broken = [one for one in self._vertices.values() if one.error and "context canceled" not in one.error]
        # NOTE: an export that is cut off by another image's failing step says so in as many ways as connections break.
        steps = [one for one in broken if not one.name.startswith(_EXPORT)]
        return tuple(
            StepFailure(one.image, one.name, one.error, tuple(one.log[-_LOG_LINES:])) for one in steps or broken
        )

    def _status(self, status: Mapping[str, Any]) -> None:
        for item in status.get("vertexes") or ():
            vertex = self._vertex(item["digest"], item.get("name", ""))
            vertex.error = item.get("error", "") or vertex.error
            if item.get("started") and not item.get("completed") and vertex.image in self._rows:
                self._rows[vertex.image].update(vertex.name)
        for item in status.get("logs") or ():
            vertex = self._vertex(item["vertex"], "")
            lines = base64.b64decode(item.get("data", "")).decode("utf-8", "replace").splitlines()
            vertex.log.extend(lines)
            if vertex.image in self._rows:
                for line in lines:
                    self._rows[vertex.image].note(line)

    def _vertex(self, digest: str, name: str) -> _Vertex:
        vertex = self._vertices.setdefault(digest, _Vertex(""))
        if name and not vertex.name:
            match = _TARGET.match(name)
            if match and match[1] in self._rows:
                vertex.image, vertex.name = match[1], match[3] or match[2] or name
            else:
                # NOTE: with a single target bake leaves the prefix out.
                vertex.image = next(iter(self._rows)) if len(self._rows) == 1 else ""
                vertex.name = match[3] if match and match[3] else name
        return vertex


def bake(engine: Engine, document: Mapping[str, Any], folder: Path, rows: Mapping[str, Row]) -> Solve:
    """Run one solve of all targets in ``document``; a failing step is a result, not an exception.

    ``folder`` receives the bake file; ``rows`` has a row per target name. Raises ToolMissing when the
    engine's client is not there.
    """
    file = folder / "bake.json"
    write_atomically(file, json.dumps(document, indent=1).encode())
    events = Events(rows)
    words = ("buildx", "--builder", engine.builder, "bake", "--file", file, "--progress", "rawjson")
    done = process.run((engine.docker, *words), env=engine.env, cwd=folder, check=False, on_stderr=events.feed)
    return Solve(done.returncode == 0, events.failures, events.output)


def cache_size(engine: Engine) -> int:
    """Bytes of build cache that the engine's builder holds; raises ToolFailed when it does not say."""
    shown = process.run((engine.docker, "buildx", "--builder", engine.builder, "du"), env=engine.env)
    return parse_total(shown.stdout.decode("utf-8", "replace"))


def prune(engine: Engine, *, keep: int) -> int:
    """Shrink the build cache to ``keep`` bytes, what was used last staying; what runs now is left. Returns its size."""
    words = ("buildx", "--builder", engine.builder, "prune", "--force", "--keep-storage", str(keep))
    process.run((engine.docker, *words), env=engine.env)
    return cache_size(engine)


def parse_total(text: str) -> int:
    """The sum in what ``docker buildx du`` prints, in bytes; raises ToolFailed when there is none."""
    found = re.search(r"^Total:\s+([\d.]+)([kMGT]?)B$", text, re.MULTILINE)
    if found is None:
        raise ToolFailed("docker buildx du names no total", why=text[-500:])
    return round(float(found[1]) * _UNITS[found[2]])
