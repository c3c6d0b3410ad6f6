"""Which engine an earlier run found, while nothing that decided it has changed.

A run that builds nothing needs no engine, only to know which one it would use: none is started for that. An engine
that cannot be seen from here (elsewhere, or in another context) is not remembered.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from imagewright import evidence
from imagewright.model.findings import ToolIdentity
from imagewright.reference import Digest
from imagewright.tools import cache, daemon

if TYPE_CHECKING:  # what asks an engine is loaded where one is asked
    from imagewright.tools.engine import Choice, Engine

_SOCKET = "/var/run/docker.sock"
_PLUGIN = "cli-plugins/docker-buildx"
_PLACES = ("/usr/local/lib", "/usr/local/libexec", "/usr/lib", "/usr/libexec")
_VARIABLES = ("DOCKER_", "BUILDX_", "BUILDKIT_")
_KIND = "engine"


@dataclass(frozen=True, slots=True)
class Found:
    """An engine that was found: in which scene, with which files (path and status), and what it is."""

    scene: str
    files: tuple[tuple[str, tuple[int, ...]], ...]
    builder: tuple[ToolIdentity, ...]


def builder(engine: Engine) -> tuple[ToolIdentity, ...]:
    """What of an engine decides the bytes it builds."""
    return (ToolIdentity("docker", engine.version), ToolIdentity("buildx", engine.buildx))


def recall(choice: Choice, environ: Mapping[str, str]) -> tuple[ToolIdentity, ...] | None:
    """What ``builder`` said of the engine that ``engine.find`` would find now; None when that has to be asked."""
    known = evidence.recall(Found, _place(choice, environ), _KIND)
    try:
        same = known is not None and known.scene == _scene(choice, environ)
    except (OSError, ValueError, AttributeError):  # a configuration that only docker understands, or nobody answers
        return None
    if known is None or not same or any(status != _status(Path(path)) for path, status in known.files):
        return None
    return known.builder


def remember(choice: Choice, environ: Mapping[str, str], engine: Engine) -> None:
    """Note what was found."""
    try:
        scene = _scene(choice, environ)
    except (OSError, ValueError, AttributeError):  # a configuration that only docker understands
        scene = None
    if scene is None:
        _place(choice, environ).unlink(missing_ok=True)
        return
    plugin = Path(engine.env.get("DOCKER_CONFIG") or Path.home() / ".docker") / _PLUGIN
    server = [engine.docker.parent.parent / "sbin/dockerd"] if engine.kind == "embedded" else []
    files = tuple((str(path), _status(path)) for path in (engine.docker, plugin, *server))
    evidence.remember(_place(choice, environ), _KIND, Found(scene, files, builder(engine)))


def _place(choice: Choice, environ: Mapping[str, str]) -> Path:
    """One file for each way to ask, so that two shells with their own settings do not forget for each other."""
    return cache.folder() / "engines" / f"{Digest.of(json.dumps([choice, *_settings(environ)]).encode()).short}.note"


def _settings(environ: Mapping[str, str]) -> list[tuple[str, str]]:
    return sorted((name, value) for name, value in environ.items() if name.startswith(_VARIABLES))


def _scene(choice: Choice, environ: Mapping[str, str]) -> str | None:
    """The digest of all that ``engine.find`` looks at outside our own cache; None when it cannot be seen from here."""
    if choice == "embedded":
        return ""
    client = shutil.which("docker", path=environ.get("PATH"))
    if client is None:
        return "no docker"
    folder = Path(environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    socket = _socket(folder, environ)
    if socket is None:
        return None
    plugins = [f"{place}/docker/{_PLUGIN}" for place in _PLACES]
    programs: list[str | Path] = [client, folder / _PLUGIN, *plugins]
    seen = [[str(path), _status(Path(path))] for path in programs]
    # buildx writes which builder is in use each time it is run, mostly as it was.
    said = [_digest(folder / name) for name in ("config.json", "buildx/current")]
    # The engine behind a socket can be another one without a trace in any file: it is asked, as nobody else can tell.
    answer = daemon.get(socket, "/version").decode("utf-8", "replace")
    return str(Digest.of(json.dumps([_settings(environ), seen, said, answer]).encode()))


def _socket(folder: Path, environ: Mapping[str, str]) -> str | None:
    """The Unix socket the docker client would speak to; None when it is another kind of address or a context."""
    if host := environ.get("DOCKER_HOST"):
        return host.removeprefix("unix://") if host.startswith("unix://") else None
    try:
        context = json.loads((folder / "config.json").read_bytes()).get("currentContext", "")
    except FileNotFoundError:
        context = ""
    return _SOCKET if (environ.get("DOCKER_CONTEXT") or context or "default") == "default" else None


def _digest(file: Path) -> str:
    """The digest of a small file; empty when it is not there."""
    try:
        return str(Digest.of(file.read_bytes()))
    except FileNotFoundError:
        return ""


def _status(file: Path) -> tuple[int, ...]:
    """What the file system says of a file; nothing when it is not there."""
    try:
        status = file.stat()
    except OSError:
        return ()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
