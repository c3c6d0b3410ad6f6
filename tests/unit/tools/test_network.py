"""Addresses for the embedded engine's bridge."""

from ipaddress import IPv4Network
from pathlib import Path

import pytest

from imagewright.errors import ToolFailed
from imagewright.tools import network

ROUTES = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
"""


def test_routes_are_read_as_the_kernel_prints_them() -> None:
    assert list(network.parse_routes(ROUTES)) == [IPv4Network("172.17.0.0/16"), IPv4Network("192.0.2.0/24")]


def test_a_block_that_the_host_uses_is_not_taken() -> None:
    assert network.free_block([]) == IPv4Network("10.213.0.0/24")
    assert network.free_block([IPv4Network("10.213.0.0/23")]) == IPv4Network("10.213.2.0/24")


def test_a_host_that_uses_all_of_them_is_told_so() -> None:
    with pytest.raises(ToolFailed, match="no addresses are free"):
        network.free_block([IPv4Network("10.0.0.0/8")])


def test_packets_are_as_large_as_the_default_route_takes(tmp_path: Path) -> None:
    (tmp_path / "eth0").mkdir()
    (tmp_path / "eth0/mtu").write_text("1400\n")
    assert network.mtu(ROUTES, tmp_path) == 1400
    assert network.mtu("", tmp_path) == 1500
