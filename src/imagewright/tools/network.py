"""The embedded engine's own bridge, so that it lives beside any other engine without touching that one's.

A dockerd that manages iptables rewrites the chains of every other dockerd on the host. Ours is told not to;
the three rules its containers need are put here, marked as ours, and taken away again.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import ipaddress
import socket
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from imagewright.errors import ToolFailed
from imagewright.files import locked
from imagewright.tools import process

_SPACE = ipaddress.IPv4Network("10.213.0.0/16")
_BLOCK_BITS = 24
_ROUTES = Path("/proc/net/route")
_LOCK = Path("/run/imagewright-network.lock")
_IFF_UP = 0x1
# linux/sockios.h
_SIOCGIFFLAGS, _SIOCSIFFLAGS = 0x8913, 0x8914
_SIOCGIFADDR, _SIOCSIFADDR, _SIOCSIFNETMASK = 0x8915, 0x8916, 0x891C
_SIOCSIFHWADDR, _ARPHRD_ETHER = 0x8924, 1
_SIOCBRADDBR, _SIOCBRDELBR = 0x89A0, 0x89A1


@dataclass(frozen=True, slots=True)
class Network:
    """A bridge, the addresses behind it, and its largest packet in bytes."""

    bridge: str
    block: ipaddress.IPv4Network
    mtu: int = 1500

    @property
    def gateway(self) -> ipaddress.IPv4Address:
        """The bridge's own address."""
        return self.block[1]


def up(bridge: str, iptables: Path, env: Mapping[str, str]) -> Network:
    """Make the bridge (or take it as it is), give it a free block of addresses, and let its containers out.

    Raises ToolFailed without the right to manage networks.
    """
    try:
        # Locked for the whole machine: two engines that start at once must not choose the same addresses.
        with locked(_LOCK), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
            with contextlib.suppress(FileExistsError):
                fcntl.ioctl(channel, _SIOCBRADDBR, bridge.encode() + b"\0")
            routes = _ROUTES.read_text("ascii")
            block = _block_of(channel, bridge) or free_block(parse_routes(routes))
            network = Network(bridge, block, mtu(routes))
            # Without an address of its own a bridge takes the lowest of its ports': as containers come and go it
            # changes, and the others send to nobody until they ask again.
            fcntl.ioctl(channel, _SIOCSIFHWADDR, _hardware_request(bridge))
            fcntl.ioctl(channel, _SIOCSIFADDR, _request(bridge, network.gateway))
            fcntl.ioctl(channel, _SIOCSIFNETMASK, _request(bridge, network.block.netmask))
            _set_up(channel, bridge, up=True)
    except OSError as error:
        raise ToolFailed(
            f"the network bridge {bridge} cannot be made", why=str(error), hint="run as root with CAP_NET_ADMIN"
        ) from error
    for table, chain, rule in _rules(network):
        words = [str(iptables), "--wait", "--table", table]
        if process.run([*words, "--check", chain, *rule], env=env, check=False).returncode != 0:
            process.run([*words, "--insert", chain, *rule], env=env)
    return network


def down(bridge: str, iptables: Path, env: Mapping[str, str]) -> None:
    """Take the bridge and its rules away; quiet when they are gone already."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        block = _block_of(channel, bridge)
        with contextlib.suppress(OSError):
            _set_up(channel, bridge, up=False)
            fcntl.ioctl(channel, _SIOCBRDELBR, bridge.encode() + b"\0")
    if block:
        for table, chain, rule in _rules(Network(bridge, block)):
            process.run([iptables, "--wait", "--table", table, "--delete", chain, *rule], env=env, check=False)


def free_block(taken: Iterable[ipaddress.IPv4Network]) -> ipaddress.IPv4Network:
    """The first block of our address space that overlaps no route of the host; raises ToolFailed."""
    routes = tuple(taken)
    for block in _SPACE.subnets(new_prefix=_BLOCK_BITS):
        if not any(block.overlaps(route) for route in routes):
            return block
    raise ToolFailed(f"no addresses are free for the embedded engine in {_SPACE}", hint="use the host's own engine")


def parse_routes(table: str) -> Iterator[ipaddress.IPv4Network]:
    """The networks of ``/proc/net/route``, the default route left out."""
    for line in table.splitlines()[1:]:
        fields = line.split()
        # Printed as the machine's own integers: little-endian on everything this runs on.
        address, mask = (struct.unpack("<I", struct.pack(">I", int(fields[i], 16)))[0] for i in (1, 7))
        if mask:
            yield ipaddress.IPv4Network((address, mask.bit_count()))


def mtu(routes: str, interfaces: Path = Path("/sys/class/net")) -> int:
    """The largest packet the default route takes, in bytes: a larger one from a container may vanish on the way."""
    for line in routes.splitlines()[1:]:
        name, destination, *rest = line.split()
        if destination == "00000000" and rest[5] == "00000000":
            return int((interfaces / name / "mtu").read_text("ascii"))
    return 1500


def _rules(network: Network) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    block, note = str(network.block), ("-m", "comment", "--comment", f"imagewright {network.bridge}")
    yield "nat", "POSTROUTING", ("-s", block, "!", "-d", block, *note, "-j", "MASQUERADE")
    yield "filter", "FORWARD", ("-s", block, *note, "-j", "ACCEPT")
    yield (
        "filter",
        "FORWARD",
        ("-d", block, "-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED", *note, "-j", "ACCEPT"),
    )


def _request(bridge: str, address: ipaddress.IPv4Address) -> bytes:
    return struct.pack("16sHH4s8x", bridge.encode(), socket.AF_INET, 0, address.packed) + b"\0" * 8


def _hardware_request(bridge: str) -> bytes:
    own = b"\x02" + hashlib.sha256(bridge.encode()).digest()[:5]  # 02: locally administered, for one station
    return struct.pack("16sH6s8x", bridge.encode(), _ARPHRD_ETHER, own)


def _block_of(channel: socket.socket, bridge: str) -> ipaddress.IPv4Network | None:
    try:
        answer = fcntl.ioctl(channel, _SIOCGIFADDR, _request(bridge, ipaddress.IPv4Address(0)))
    except OSError:
        return None
    return ipaddress.IPv4Network((ipaddress.IPv4Address(answer[20:24]), _BLOCK_BITS), strict=False)


def _set_up(channel: socket.socket, bridge: str, *, up: bool) -> None:
    request = struct.pack("16sH22x", bridge.encode(), 0)
    flags = struct.unpack_from("H", fcntl.ioctl(channel, _SIOCGIFFLAGS, request), 16)[0]
    wanted = flags | _IFF_UP if up else flags & ~_IFF_UP
    fcntl.ioctl(channel, _SIOCSIFFLAGS, struct.pack("16sH22x", bridge.encode(), wanted))
