"""Where the embedded engine keeps its things, and what it is told."""

from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from imagewright.tools.embedded_files import BUILD_CACHE, Places, dockerd_config, link
from imagewright.tools.network import Network


def test_everything_is_in_the_home_folder() -> None:
    places = Places(Path("/home/me/.cache/imagewright/engine"))
    assert places.socket == Path("/home/me/.cache/imagewright/engine/run/docker.sock")
    assert places.log.is_relative_to(places.home)


@pytest.mark.parametrize("length", [50, 60, 70, 90])
def test_sockets_move_when_the_home_folder_is_deeper_than_a_socket_path_may_be(length: int) -> None:
    places = Places(Path("/home") / ("x" * length))
    assert (places.run.parent == Path("/run")) == (length > 50)
    # The longest of all is dockerd's own, below its exec-root.
    assert len(str(places.run / "exec/libnetwork/0123456789ab.sock")) < 108


def test_two_homes_have_two_bridges_with_names_the_kernel_takes() -> None:
    one, two = Places(Path("/a")).bridge, Places(Path("/b")).bridge
    assert one != two
    assert len(one) <= 15


def test_other_engines_on_the_host_are_left_alone() -> None:
    places = Places(Path("/engine"))
    config = dockerd_config(places, Network("iw-0", IPv4Network("10.213.0.0/24")))
    assert config["iptables"] is False
    assert config["bridge"] == "iw-0"
    assert config["containerd"] == "/engine/run/containerd.sock"
    assert "default-address-pools" not in config


def test_the_build_cache_has_a_bound() -> None:
    config = dockerd_config(Places(Path("/engine")), Network("iw-0", IPv4Network("10.213.0.0/24")))
    assert config["builder"] == {"gc": {"enabled": True, "defaultKeepStorage": f"{BUILD_CACHE}B"}}


def test_a_name_that_is_not_answered_at_once_is_asked_for_again_soon() -> None:
    config = dockerd_config(Places(Path("/engine")), Network("iw-0", IPv4Network("10.213.0.0/24")))
    assert config["dns-opts"] == ["timeout:1", "attempts:8", "single-request-reopen"]


def test_a_link_leads_where_it_should_whatever_was_there(tmp_path: Path) -> None:
    one, two, place = tmp_path / "one", tmp_path / "two", tmp_path / "bin/place"
    one.touch()
    two.touch()
    for target in (one, one, two):
        link(place, target)
        assert place.readlink() == target
    place.unlink()
    place.write_text("a file")
    link(place, two)
    assert place.readlink() == two
    link(place, tmp_path / "nothing")
    assert list(place.parent.iterdir()) == []


def test_a_link_is_there_at_every_moment_while_it_is_renewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two, place = tmp_path / "one", tmp_path / "two", tmp_path / "place"
    one.touch()
    two.touch()
    link(place, one)
    for name in ("unlink", "symlink_to", "replace", "rename"):
        method = getattr(Path, name)

        def watched(path: Path, *words: object, method: Any = method, **more: object) -> object:
            result = method(path, *words, **more)
            assert place.is_symlink()
            return result

        monkeypatch.setattr(Path, name, watched)
    link(place, one)
    link(place, two)
    assert place.readlink() == two
