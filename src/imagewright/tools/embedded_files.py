"""The files of an embedded engine: where each one is, and what is written into it."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from imagewright.tools.apt import Unpacked
from imagewright.tools.network import Network

BUILD_CACHE = 10_000_000_000
"""Bytes of build cache that are kept: several times what a build of all images here takes."""

_LONGEST_SOCKET = 99


@dataclass(frozen=True, slots=True)
class Places:
    """Where everything of one embedded engine is."""

    home: Path

    @property
    def run(self) -> Path:
        """Sockets and run-time state; beside the data unless the kernel takes no socket path that long."""
        near = self.home / "run"
        fits = len(os.fsencode(near / "exec/libnetwork/0123456789ab.sock")) <= _LONGEST_SOCKET
        return near if fits else Path("/run") / f"imagewright-{self.tag}"

    @property
    def tag(self) -> str:
        """Eight digits that no other engine of this kind has."""
        return hashlib.sha256(os.fsencode(self.home)).hexdigest()[:8]

    @property
    def bridge(self) -> str:
        """The network bridge; kernel names have at most 15 characters."""
        return f"iw-{self.tag}"

    @property
    def socket(self) -> Path:
        """Where dockerd listens."""
        return self.run / "docker.sock"

    @property
    def containerd_socket(self) -> Path:
        """Where containerd listens."""
        return self.run / "containerd.sock"

    @property
    def log(self) -> Path:
        """What dockerd says."""
        return self.home / "dockerd.log"

    @property
    def dockerd_config(self) -> Path:
        """dockerd's configuration; its path is also what tells our dockerd from any other."""
        return self.home / "dockerd.json"

    @property
    def containerd_config(self) -> Path:
        """The same for containerd."""
        return self.home / "containerd.toml"

    @property
    def client_config(self) -> Path:
        """The client's configuration folder (DOCKER_CONFIG)."""
        return self.home / "client"


def lay_out_client(places: Places, tools: Unpacked) -> None:
    """The client's configuration folder: our buildx, and the user's own logins."""
    user = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "config.json"
    if user.parent != places.client_config:
        link(places.client_config / "config.json", user)
    plugin = Path("cli-plugins/docker-buildx")
    link(places.client_config / plugin, tools.root / "usr/libexec/docker" / plugin)


def link(link: Path, target: Path) -> None:
    """Make ``link`` lead to ``target``, or be gone where there is no target; the caller holds a lock.

    It is never gone in between, and left alone where it is right: another run may be looking for it just now.
    """
    link.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        link.unlink(missing_ok=True)
    elif not link.is_symlink() or link.readlink() != target:
        new = link.with_name(f".{link.name}")
        new.unlink(missing_ok=True)
        new.symlink_to(target)
        new.replace(link)


def containerd_config(places: Places) -> str:
    """containerd.toml: everything below our own folders, and no Kubernetes."""
    return f"""version = 2
root = {json.dumps(str(places.home / "containerd"))}
state = {json.dumps(str(places.run / "containerd"))}
disabled_plugins = ["io.containerd.grpc.v1.cri"]

[grpc]
address = {json.dumps(str(places.containerd_socket))}

[plugins."io.containerd.internal.v1.opt"]
path = {json.dumps(str(places.home / "opt"))}
"""


def dockerd_config(places: Places, own: Network) -> dict[str, object]:
    """daemon.json: the image store that can export OCI layouts, our bridge, and hands off the host's iptables."""
    # No default-address-pools: with them, every second start deletes docker0, which may be another engine's.
    return {
        "hosts": [f"unix://{places.socket}"],
        "containerd": str(places.containerd_socket),
        "data-root": str(places.home / "data"),
        "exec-root": str(places.run / "exec"),
        "pidfile": str(places.run / "dockerd.pid"),
        "features": {"containerd-snapshotter": True},
        "bridge": own.bridge,
        "mtu": own.mtu,
        "iptables": False,
        "ip6tables": False,
        "shutdown-timeout": 10,
        # A lost query costs a second, not five, and two of them end no build. A and AAAA asked for
        # at once from one port may well lose one: https://man7.org/linux/man-pages/man5/resolv.conf.5.html
        "dns-opts": ["timeout:1", "attempts:8", "single-request-reopen"],
        # Without it the default is a tenth of the disk, whichever size that has.
        "builder": {"gc": {"enabled": True, "defaultKeepStorage": f"{BUILD_CACHE}B"}},
    }
