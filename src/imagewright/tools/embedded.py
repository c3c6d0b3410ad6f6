"""The embedded engine: a private containerd and dockerd from Debian's packages, for machines that have none.

Nothing is installed and no other engine is disturbed: data, sockets, logs and the network bridge are its own.
It is started once and reused by every run until ``stop``.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from imagewright.errors import ToolMissing
from imagewright.files import locked, write_atomically
from imagewright.tools import apt, cache, daemon, network, process
from imagewright.tools import embedded_files as files
from imagewright.tools.apt import Note, Unpacked, silent
from imagewright.tools.embedded_files import Places

PACKAGES = ("docker.io", "docker-cli", "docker-buildx", "containerd")
HOST_PACKAGES = ("runc", "iptables")

_CAPABILITIES = {12: "CAP_NET_ADMIN", 21: "CAP_SYS_ADMIN"}
_STOP_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Embedded:
    """A running embedded engine: its command line client, and the environment that leads the client to it."""

    docker: Path
    env: Mapping[str, str]
    socket: Path
    log: Path


@dataclass(frozen=True, slots=True)
class Status:
    """Whether the embedded engine runs and answers, and where it keeps its data and log."""

    running: bool
    pid: int | None
    home: Path
    socket: Path
    log: Path


def impossible() -> str:
    """Why no embedded engine can run on this machine; empty when it can."""
    if os.uname().sysname != "Linux":
        return "it needs Linux"
    if os.geteuid() != 0:
        return "it needs root"
    effective = re.search(r"^CapEff:\s*(\w+)$", Path("/proc/self/status").read_text("ascii"), re.MULTILINE)
    held = int(effective[1], 16) if effective else 0
    if lacking := [name for bit, name in _CAPABILITIES.items() if not held >> bit & 1]:
        return f"this root has no {' and no '.join(lacking)}"
    try:
        apt.host_archive()
    except ToolMissing as error:
        return f"{error.what} ({error.why})" if error.why else error.what
    return ""


def start(home: Path | None = None, *, note: Note = silent) -> Embedded:
    """The embedded engine, fetched and started if need be; ``home`` (default: in the cache) keeps its data.

    Raises ToolMissing where it cannot run or be fetched, ToolFailed with the end of its log when it does not come up.
    """
    if reason := impossible():
        raise ToolMissing(
            "the embedded engine cannot run here",
            why=reason,
            hint="install Docker Engine 23 or newer with buildx, or point DOCKER_HOST at one",
        )
    places = _places(home)
    tools = apt.packages(PACKAGES, note=note)
    host = apt.missing(HOST_PACKAGES, note=note)
    env = _environment(places, tools, host)
    with locked(places.home / "lock"):
        files.lay_out_client(places, tools)
        if not _status(places).running:
            note("starting the embedded engine")
            _bring_up(places, env, host)
    client = {**env, "DOCKER_HOST": f"unix://{places.socket}", "DOCKER_CONFIG": str(places.client_config)}
    return Embedded(tools.root / "usr/bin/docker", client, places.socket, places.log)


def stop(home: Path | None = None) -> bool:
    """End the embedded engine and take its bridge away; says whether one was running."""
    places = _places(home)
    if not places.home.exists():
        return False
    with locked(places.home / "lock"):
        ran = daemon.stop("dockerd", str(places.dockerd_config), grace=_STOP_SECONDS)
        ran |= daemon.stop("containerd", str(places.containerd_config))
        _unmount_below(places.home, places.run)
        if ran or Path("/sys/class/net", places.bridge).exists():
            env = _environment(places, apt.packages(PACKAGES), apt.missing(HOST_PACKAGES))
            network.down(places.bridge, _iptables(env), env)
    return ran


def _unmount_below(*folders: Path) -> None:
    """Let go of what a killed dockerd left mounted, innermost first, so that the folders can be deleted."""
    lines = Path("/proc/self/mountinfo").read_text("utf-8").splitlines()
    points = [Path(line.split()[4].replace("\\040", " ")) for line in lines]
    for point in reversed(points):
        if any(point.is_relative_to(folder) for folder in folders):
            process.run([process.find("umount"), point], check=False)


def status(home: Path | None = None) -> Status:
    """What is there of the embedded engine; starts and fetches nothing."""
    return _status(_places(home))


def _places(home: Path | None) -> Places:
    return Places(home.absolute() if home else cache.folder() / "engine")


def _status(places: Places) -> Status:
    pid = daemon.find("dockerd", str(places.dockerd_config))
    running = pid is not None and daemon.answers_http(str(places.socket), "/_ping")
    return Status(running, pid, places.home, places.socket, places.log)


def _environment(places: Places, tools: Unpacked, host: Unpacked) -> dict[str, str]:
    """The daemons' environment: our engine before the host's, the host's iptables before ours.

    An iptables that is already there writes where the host's other rules are; ours may not.
    """
    foreign = ("DOCKER_", "BUILDX_", "BUILDKIT_")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    env = host.environment(inherited)
    path = [*tools.programs, inherited.get("PATH", ""), "/usr/sbin", "/sbin", places.home / "bin", *host.programs]
    env["PATH"] = ":".join(str(part) for part in path if part)
    if extensions := next(host.root.glob("usr/lib/*/xtables"), None):
        env["XTABLES_LIBDIR"] = str(extensions)
    return env


def _iptables(env: Mapping[str, str]) -> Path:
    return process.find("iptables", path=env["PATH"])


def _bring_up(places: Places, env: dict[str, str], host: Unpacked) -> None:
    for version in ("iptables", "ip6tables"):
        # Debian's alternatives make these names when the package is installed; unpacking does not.
        for verb in ("", "-save", "-restore"):
            files.link(places.home / "bin" / f"{version}{verb}", host.root / "usr/sbin" / f"{version}-nft{verb}")
    places.run.mkdir(parents=True, exist_ok=True)
    bridge = network.up(places.bridge, _iptables(env), env)
    write_atomically(places.containerd_config, files.containerd_config(places).encode())
    write_atomically(places.dockerd_config, json.dumps(files.dockerd_config(places, bridge), indent=1).encode())
    daemon.start(_containerd(places, env))
    dockerd = _dockerd(places, env)
    if daemon.find("dockerd", dockerd.mark) is None:
        # dockerd believes a pid file whose number is taken by anybody.
        (places.run / "dockerd.pid").unlink(missing_ok=True)
    daemon.start(dockerd)


def _containerd(places: Places, env: Mapping[str, str]) -> daemon.Daemon:
    """A containerd of our own: left alone, dockerd would take whichever already runs on the host."""
    program, config = process.find("containerd", path=env["PATH"]), str(places.containerd_config)
    log = places.home / "containerd.log"
    socket = str(places.containerd_socket)
    return daemon.Daemon(
        "containerd", (str(program), "--config", config), config, env, log, lambda: daemon.accepts(socket)
    )


def _dockerd(places: Places, env: Mapping[str, str]) -> daemon.Daemon:
    program, config = process.find("dockerd", path=env["PATH"]), str(places.dockerd_config)
    socket = str(places.socket)
    return daemon.Daemon(
        "the embedded engine",
        (str(program), "--config-file", config),
        config,
        env,
        places.log,
        lambda: daemon.answers_http(socket, "/_ping"),
    )
