"""The registry on loopback that ``push`` uses where none is configured: Debian's docker-registry, unpacked.

Its port is remembered beside its data, so the references a push printed stay true.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from imagewright.files import locked, write_atomically
from imagewright.tools import apt, cache, daemon
from imagewright.tools.apt import Note, silent

PACKAGE = "docker-registry"
DEFAULT_PORT = 5055

_HOST = "127.0.0.1"
_PORT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class LocalRegistry:
    """A registry on this machine: ``address`` is the host and port of its references."""

    address: str
    data: Path
    log: Path


@dataclass(frozen=True, slots=True)
class Tls:
    """The certificate and key (PEM files) a registry shows."""

    certificate: Path
    key: Path


def start(
    home: Path | None = None,
    *,
    port: int = DEFAULT_PORT,
    htpasswd: Path | None = None,
    tls: Tls | None = None,
    note: Note = silent,
) -> LocalRegistry:
    """The local registry, fetched and started if need be; ``home`` (default: in the cache) keeps its data and state.

    ``port`` is a wish: a port remembered from before comes first, a free one last (0 means any). ``htpasswd`` (bcrypt
    lines) asks for basic authentication, ``tls`` serves HTTPS. Raises ToolMissing where it cannot be fetched,
    ToolFailed with the end of its log when it does not come up.
    """
    program = apt.packages((PACKAGE,), note=note).root / "usr/bin/docker-registry"
    home = _home(home)
    config = _config(home)
    with locked(home / "lock"):
        running = daemon.find(program.name, str(config))
        chosen = _remembered(home) if running else _choose_port(_remembered(home), port)
        text = json.dumps(_configuration(home, chosen, htpasswd, tls), indent=1)
        if running and config.read_text("utf-8") != text:
            daemon.stop(program.name, str(config))
            running = None
        if not running:
            note("starting the local registry")
            (home / "data").mkdir(parents=True, exist_ok=True)
            write_atomically(home / "port", f"{chosen}\n".encode())
            write_atomically(config, text.encode())
        daemon.start(_daemon(program, home, chosen))
    return LocalRegistry(f"{_HOST}:{chosen}", home / "data", _log(home))


def stop(home: Path | None = None) -> bool:
    """End the local registry; its data stays. Says whether one was running."""
    home = _home(home)
    if not home.exists():
        return False
    with locked(home / "lock"):
        return daemon.stop("docker-registry", str(_config(home)))


def status(home: Path | None = None) -> LocalRegistry | None:
    """The local registry if it runs; starts and fetches nothing."""
    home = _home(home)
    port = _remembered(home)
    if port and daemon.find("docker-registry", str(_config(home))) and daemon.accepts((_HOST, port)):
        return LocalRegistry(f"{_HOST}:{port}", home / "data", _log(home))
    return None


def _home(home: Path | None) -> Path:
    return home.absolute() if home else cache.folder() / "registry"


def _config(home: Path) -> Path:
    return home / "config.yml"


def _log(home: Path) -> Path:
    return home / "registry.log"


def _daemon(program: Path, home: Path, port: int) -> daemon.Daemon:
    mark = str(_config(home))
    return daemon.Daemon(
        "the local registry",
        (str(program), "serve", mark),
        mark,
        _environment(os.environ),
        _log(home),
        lambda: daemon.accepts((_HOST, port)),
    )


def _environment(base: Mapping[str, str]) -> dict[str, str]:
    # Variables named REGISTRY_… override the configuration file.
    return {name: value for name, value in base.items() if not name.startswith(("REGISTRY_", "OTEL_"))}


def _configuration(home: Path, port: int, htpasswd: Path | None, tls: Tls | None) -> dict[str, object]:
    """The registry's configuration; it reads YAML, of which JSON is a part."""
    http: dict[str, object] = {"addr": f"{_HOST}:{port}"}
    if tls:
        http["tls"] = {"certificate": str(tls.certificate), "key": str(tls.key)}
    settings: dict[str, object] = {
        "version": 0.1,
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(home / "data")}, "delete": {"enabled": True}},
        "http": http,
    }
    if htpasswd:
        settings["auth"] = {"htpasswd": {"realm": "imagewright", "path": str(htpasswd)}}
    return settings


def _remembered(home: Path) -> int:
    try:
        return int((home / "port").read_text("ascii"))
    except (OSError, ValueError):
        return 0


def _choose_port(remembered: int, wish: int) -> int:
    """The port of before once it is free again (a killed registry holds it for a moment), else the wish, else any."""
    end = time.monotonic() + _PORT_SECONDS
    while remembered and time.monotonic() < end:
        if _free(remembered):
            return remembered
        time.sleep(0.02)
    return _free(wish) or _free(0)


def _free(port: int) -> int:
    """The port if nobody listens on it, else 0; for 0 a free one."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as channel:
        channel.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            channel.bind((_HOST, port))
        except OSError:
            return 0
        return int(channel.getsockname()[1])
