"""Which engine is taken: the rules, and what ``docker info`` must say."""

from pathlib import Path
from typing import Any

import pytest

from imagewright.errors import ToolMissing
from imagewright.tools import embedded, engine

FIT: dict[str, Any] = {
    "ServerVersion": "28.5.1",
    "DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]],
    "ClientInfo": {"Plugins": [{"Name": "compose", "Version": "v2"}, {"Name": "buildx", "Version": "v0.29.1"}]},
}
OFFERED = engine.Engine("environment", Path("docker"), "28.5.1", "0.29.1", "default", "docker", {})


def test_a_new_engine_with_buildx_has_no_problem() -> None:
    assert engine.info_problem(FIT) == ""
    assert engine.buildx_version(FIT) == "0.29.1"
    assert engine.has_containerd_store(FIT)


def test_an_old_engine_is_named_with_its_version() -> None:
    assert (
        engine.info_problem({**FIT, "ServerVersion": "20.10.24+dfsg1"})
        == "Docker Engine 20.10.24+dfsg1 is older than 23"
    )


@pytest.mark.parametrize(
    "client", [None, {}, {"Plugins": None}, {"Plugins": [{"Name": "buildx", "Version": "v1", "Err": "broken"}]}]
)
def test_a_client_without_a_working_buildx_is_no_use(client: object) -> None:
    assert engine.info_problem({**FIT, "ClientInfo": client}) == "the docker command has no buildx"


@pytest.mark.parametrize(("version", "number"), [("23.0.0", 23), ("v28.1", 28), ("library-import", 23), ("9.1", 9)])
def test_only_the_first_number_of_a_version_counts(version: str, number: int) -> None:
    assert engine.major(version) == number


@pytest.mark.parametrize("status", [None, [], [["Backing Filesystem", "extfs"]]])
def test_a_classic_image_store_is_recognised(status: object) -> None:
    assert not engine.has_containerd_store({"DriverStatus": status})


def test_the_builder_is_read_from_before_its_nodes() -> None:
    text = "Name:          big\nDriver:        kubernetes\nLast Activity: now\n\nNodes:\nName: big0\nDriver: x\n"
    assert engine.parse_builder(text) == ("big", "kubernetes")


def test_what_the_environment_offers_is_taken_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "probe", lambda: OFFERED)
    assert engine.find() is OFFERED


def test_an_unfit_engine_is_an_error_when_only_the_environment_may_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "probe", lambda: engine.Unfit("too old", "install a newer one"))
    with pytest.raises(ToolMissing) as caught:
        engine.find("environment")
    assert (caught.value.why, caught.value.hint) == ("too old", "install a newer one")


def test_without_any_engine_both_reasons_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "probe", lambda: engine.Unfit("there is no docker command"))
    monkeypatch.setattr(embedded, "impossible", lambda: "it needs root")
    with pytest.raises(ToolMissing) as caught:
        engine.find()
    assert caught.value.why == "the environment's: there is no docker command\nthe embedded one: it needs root"
    assert "install Docker Engine 23 or newer" in caught.value.hint


def test_no_docker_command_is_said_in_words(tmp_path: Path) -> None:
    assert engine.probe({"PATH": str(tmp_path)}) == engine.Unfit("there is no docker command")


def test_secrets_do_not_show_when_a_login_is_printed() -> None:
    assert "hunter2" not in repr(engine.Login("me", "hunter2", "hunter2"))
