"""The embedded engine for real: packages from the shared cache, data in a folder of the test's own."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from imagewright.errors import RegistryRefused, ToolFailed
from imagewright.tools import daemon, embedded, engine, process
from imagewright.tools.embedded_files import Places

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(bool(embedded.impossible()), reason=f"no embedded engine: {embedded.impossible()}"),
]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "e"
    embedded.stop(tmp_path / "e")


def bridge(home: Path) -> Path:
    return Path("/sys/class/net", Places(home).bridge)


def fit(home: Path) -> engine.Engine:
    running = embedded.start(home)
    found = engine.inspect(running.docker, running.env, kind="embedded")
    assert isinstance(found, engine.Engine)
    return found


def build(found: engine.Engine, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    words = ["buildx", "build", "--builder", found.builder, "--output", f"type=oci,dest={folder}/layout,tar=false"]
    process.run([found.docker, *words, folder], env=found.env)
    return folder / "layout"


def test_it_writes_oci_layouts_and_leaves_nothing_running(home: Path, tmp_path: Path) -> None:
    found = fit(home)
    assert (found.kind, found.driver) == ("embedded", "docker")
    assert (build(found, tmp_path / "image") / "oci-layout").is_file()
    first = embedded.status(home).pid
    embedded.start(home)
    assert embedded.status(home).pid == first
    assert bridge(home).exists()
    assert embedded.stop(home)
    assert not embedded.status(home).running
    assert daemon.find("containerd", str(Places(home).containerd_config)) is None
    assert not bridge(home).exists()
    assert not embedded.stop(home)


def test_its_bridge_has_an_address_that_no_container_changes(home: Path) -> None:
    embedded.start(home)
    # NET_ADDR_SET: https://docs.kernel.org/admin-guide/abi-testing.html#abi-sys-class-net-iface-addr-assign-type
    assert (bridge(home) / "addr_assign_type").read_text() == "3\n"


def test_a_stale_pid_file_does_not_stop_a_start(home: Path) -> None:
    run = Places(home).run
    run.mkdir(parents=True)
    (run / "dockerd.pid").write_text(str(os.getpid()))
    embedded.start(home)
    assert embedded.status(home).running


def test_an_engine_that_was_killed_comes_back(home: Path, tmp_path: Path) -> None:
    embedded.start(home)
    pid = embedded.status(home).pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    while embedded.status(home).pid == pid:
        time.sleep(0.02)
    assert Places(home).socket.exists()
    build(fit(home), tmp_path / "image")
    embedded.stop(home)
    assert str(home) not in Path("/proc/self/mountinfo").read_text()


def test_two_runs_at_once_start_one_engine(home: Path) -> None:
    said: list[str] = []
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: embedded.start(home, note=said.append), range(2)))
    assert said.count("starting the embedded engine") == 1


def test_two_engines_live_side_by_side(home: Path, tmp_path: Path) -> None:
    other = tmp_path / "f"
    try:
        embedded.start(home)
        embedded.start(other)
        assert embedded.stop(other)
        assert embedded.status(home).running
    finally:
        embedded.stop(other)


def test_an_engine_that_does_not_come_up_shows_the_end_of_its_log(home: Path) -> None:
    home.mkdir()
    (home / "data").write_text("in the way")
    with pytest.raises(ToolFailed) as caught:
        embedded.start(home)
    assert "did not come up" in caught.value.what
    assert "data" in caught.value.why
    assert str(home) in caught.value.hint


TWICE_BESIDE_ANOTHER = """
import sys
from pathlib import Path
from imagewright.tools import embedded, network, process
home = Path(sys.argv[1])
network.up("docker0", Path("/bin/true"), {})
for _ in range(2):
    embedded.start(home)
    assert embedded.stop(home)
    assert Path("/sys/class/net/docker0").exists() or "docker0" in Path("/proc/net/dev").read_text()
"""


def test_another_engines_bridge_survives_every_start(home: Path) -> None:
    # In a network of its own: where this ever fails it must not take the host's docker0 away.
    words = ["unshare", "--net", sys.executable, "-c", TWICE_BESIDE_ANOTHER, str(home)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process.run(words, env=env)


def test_a_dead_socket_is_said_to_be_one(tmp_path: Path) -> None:
    running = {**os.environ, "DOCKER_HOST": f"unix://{tmp_path}/nobody.sock", "DOCKER_CONFIG": str(tmp_path)}
    offered = engine.probe(running)
    assert isinstance(offered, engine.Unfit)


def test_credentials_come_from_the_docker_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    helper = tmp_path / "docker-credential-fake"
    helper.write_text(
        "#!/bin/sh\nread -r host\n"
        "case $host in broken*) echo no >&2; exit 1 ;; esac\n"
        'printf \'{"ServerURL":"%s","Username":"<token>","Secret":"opaque"}\' "$host"\n'
    )
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    (tmp_path / "config.json").write_text(
        """{"auths": {"plain.example": {"auth": "bWU6aHVudGVyMg=="}},
            "credHelpers": {"token.example": "fake", "broken.example": "fake", "lost.example": "not-there"}}"""
    )
    assert engine.credentials("plain.example") == engine.Login("me", "hunter2")
    assert engine.credentials("token.example") == engine.Login(identity_token="opaque")
    assert engine.credentials("unknown.example") is None
    for registry in ("broken.example", "lost.example"):
        with pytest.raises(RegistryRefused, match=registry):
            engine.credentials(registry)
