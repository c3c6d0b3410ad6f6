"""The real docker-registry: package from the shared cache, data in a folder of the test's own."""

import base64
import os
import shutil
import signal
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from imagewright.tools import apt, daemon, local_registry, process

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(shutil.which("apt-get") is None, reason="the registry comes from Debian"),
]

# me:hunter2
HTPASSWD = "me:$2b$04$mfcP5XD.j6PrqbHUhVS05uZWQl914dWEVbHel1IYNquEVgog3DqC.\n"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "r"
    local_registry.stop(tmp_path / "r")


def ask(address: str, *, login: str = "", certificate: Path | None = None) -> int:
    scheme = "https" if certificate else "http"
    request = urllib.request.Request(f"{scheme}://{address}/v2/")
    if login:
        request.add_header("Authorization", "Basic " + base64.b64encode(login.encode()).decode())
    context = ssl.create_default_context(cafile=certificate) if certificate else None
    try:
        with urllib.request.urlopen(request, context=context, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def pid(home: Path) -> int:
    found = daemon.find("docker-registry", str(home / "config.yml"))
    assert found is not None
    return found


def test_it_starts_is_reused_and_stops(home: Path) -> None:
    registry = local_registry.start(home, port=0)
    assert ask(registry.address) == 200
    first = pid(home)
    assert local_registry.start(home) == registry == local_registry.status(home)
    assert pid(home) == first
    assert local_registry.stop(home)
    assert local_registry.status(home) is None
    assert not local_registry.stop(home)


def test_its_port_is_remembered(home: Path) -> None:
    first = local_registry.start(home, port=0)
    local_registry.stop(home)
    assert local_registry.start(home).address == first.address


def test_a_port_that_is_taken_is_not_insisted_on(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        registry = local_registry.start(home, port=port)
        assert registry.address != f"127.0.0.1:{port}"
        assert ask(registry.address) == 200


def test_only_this_machine_can_reach_it(home: Path) -> None:
    port = int(local_registry.start(home, port=0).address.rpartition(":")[2])
    listening = Path(f"/proc/{pid(home)}/net/tcp").read_text() + Path(f"/proc/{pid(home)}/net/tcp6").read_text()
    addresses = [line.split()[1] for line in listening.splitlines() if f":{port:04X} " in line and " 0A " in line]
    assert addresses == [f"0100007F:{port:04X}"]


def test_one_that_was_killed_comes_back_at_the_same_address(home: Path) -> None:
    registry = local_registry.start(home, port=0)
    running = pid(home)
    os.kill(running, signal.SIGKILL)
    while Path(f"/proc/{running}/cmdline").exists() and Path(f"/proc/{running}/cmdline").read_bytes():
        time.sleep(0.01)
    assert local_registry.start(home) == registry
    assert ask(registry.address) == 200


def test_two_runs_at_once_start_one(home: Path) -> None:
    said: list[str] = []
    with ThreadPoolExecutor(2) as pool:
        one, two = pool.map(lambda _: local_registry.start(home, port=0, note=said.append), range(2))
    assert one == two
    assert said.count("starting the local registry") == 1


def test_it_can_ask_for_a_password(home: Path, tmp_path: Path) -> None:
    (tmp_path / "htpasswd").write_text(HTPASSWD)
    address = local_registry.start(home, port=0, htpasswd=tmp_path / "htpasswd").address
    assert (ask(address), ask(address, login="me:wrong"), ask(address, login="me:hunter2")) == (401, 401, 200)


def test_it_can_speak_tls(home: Path, tmp_path: Path) -> None:
    openssl = apt.missing(("openssl",))
    env = openssl.environment(os.environ)
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    words = ["req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-days", "2"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    process.run(
        [process.find("openssl", path=env["PATH"]), *words, *names, "-keyout", key, "-out", certificate], env=env
    )
    registry = local_registry.start(home, port=0, tls=local_registry.Tls(certificate, key))
    assert ask(registry.address, certificate=certificate) == 200
