"""The registry client against a registry that misbehaves: each bad day is survived, or said clearly."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagewright.errors import RegistryRefused
from imagewright.oci.registry_auth import Credentials
from imagewright.oci.registry_client import RegistryClient
from imagewright.oci.registry_retry import Patience
from imagewright.reference import Digest, Reference
from tests.integration.faulty_registry import (
    Exchange,
    Fault,
    FaultyRegistry,
    answer,
    close_after,
    hang,
    refuse,
    trickle,
)
from tests.integration.pushing import ANN, LAYER, MANIFEST, QUICK, STORE, client_of

pytestmark = pytest.mark.integration


@pytest.fixture
def faulty() -> Iterator[FaultyRegistry]:
    with FaultyRegistry() as server:
        yield server


def test_a_registry_that_is_not_there_is_named_with_the_reason() -> None:
    with FaultyRegistry() as server:
        address = server.address
    with pytest.raises(RegistryRefused, match="cannot be reached") as caught:
        client_of(address).head_manifest(Reference(address, "todo/backend", "latest"))
    assert address in caught.value.what
    assert "Connection refused" in caught.value.why
    assert "gave up after 3 attempts" in caught.value.why
    assert caught.value.hint


def test_a_host_name_nobody_knows_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(RegistryRefused, match=r"registry\.invalid cannot be found"):
        client_of("registry.invalid").head_manifest(Reference("registry.invalid", "todo/backend", "latest"))


@pytest.mark.parametrize("method_and_path", ["HEAD blobs", "POST uploads", "PUT uploads", "PUT manifests/sha256"])
def test_a_registry_that_answers_500_once_is_tried_again(faulty: FaultyRegistry, method_and_path: str) -> None:
    method, path = method_and_path.split()
    faulty.on(method, path, answer(500), times=1)
    (pushed,) = STORE.push(client_of(faulty.address), STORE.image("todo/backend", LAYER))
    assert faulty.manifests["todo/backend", "latest"] == faulty.manifests["todo/backend", str(pushed.digest)]


def test_a_registry_that_answers_500_for_ever_is_refused_with_its_own_words(faulty: FaultyRegistry) -> None:
    faulty.on("PUT", "uploads", refuse(500, "UNKNOWN", "disk is full"))
    with pytest.raises(RegistryRefused, match="could not store blob") as caught:
        STORE.push(client_of(faulty.address), STORE.image("todo/backend", LAYER))
    assert "HTTP 500: UNKNOWN: disk is full" in caught.value.why
    assert "gave up after 3 attempts" in caught.value.why
    assert "signed-state" not in str(caught.value)
    assert not faulty.manifests


def test_a_registry_that_answers_429_is_left_alone_for_as_long_as_it_asks(faulty: FaultyRegistry) -> None:
    faulty.on("POST", "uploads", answer(429, {"Retry-After": "2"}), times=2)
    waits: list[float] = []
    blob = STORE.keep(LAYER)
    client = client_of(faulty.address, patience=Patience(sleep=waits.append))
    assert client.upload_blob("todo/backend", blob, lambda: STORE.open(blob.digest)) == "uploaded"
    assert waits == [2.0, 2.0]


def test_a_registry_that_asks_for_an_hour_is_refused_at_once(faulty: FaultyRegistry) -> None:
    faulty.on("GET", "manifests", refuse(429, "TOOMANYREQUESTS", "slow down", {"Retry-After": "3600"}))
    with pytest.raises(RegistryRefused, match="too many requests") as caught:
        client_of(faulty.address).get_manifest(Reference(faulty.address, "todo/backend", "latest"))
    assert "asks to wait 3600 s" in caught.value.why
    assert faulty.count("GET") == 1


def test_a_registry_that_closes_mid_upload_is_retried_and_then_refused(faulty: FaultyRegistry) -> None:
    faulty.on("PUT", "uploads", close_after(70_000))
    counts: list[int] = []
    blob = STORE.keep(LAYER)
    with pytest.raises(RegistryRefused, match="broke off") as caught:
        client_of(faulty.address).upload_blob(
            "todo/backend", blob, lambda: STORE.open(blob.digest), on_bytes=counts.append
        )
    assert f"store blob {blob.digest.short} in todo/backend" in caught.value.what
    assert faulty.count("PUT", "uploads") == 3
    assert 0 <= sum(counts) <= blob.size


def test_a_registry_that_closes_mid_upload_once_gets_the_whole_blob_the_second_time(faulty: FaultyRegistry) -> None:
    faulty.on("PUT", "uploads", close_after(70_000), times=1)
    counts: list[int] = []
    blob = STORE.keep(LAYER)
    client_of(faulty.address).upload_blob("todo/backend", blob, lambda: STORE.open(blob.digest), on_bytes=counts.append)
    assert faulty.blobs["todo/backend", str(blob.digest)] == LAYER
    assert sum(counts) == blob.size
    assert min(counts) < 0


def test_an_upload_session_that_got_lost_is_started_anew(faulty: FaultyRegistry) -> None:
    faulty.on("PUT", "uploads", refuse(404, "BLOB_UPLOAD_UNKNOWN", "upload unknown"), times=1)
    assert STORE.push(client_of(faulty.address), STORE.image("todo/backend", b"x"))


def test_a_registry_that_never_answers_runs_into_the_time_limit(faulty: FaultyRegistry) -> None:
    over = threading.Event()
    faulty.on("GET", "manifests", hang(over))
    impatient = Patience(attempts=2, first_wait=0.01, read_timeout=0.1)
    try:
        with pytest.raises(RegistryRefused, match="took too long"):
            client_of(faulty.address, patience=impatient).get_manifest(Reference(faulty.address, "todo/backend", "v1"))
    finally:
        over.set()


@pytest.mark.parametrize(
    ("fault", "what"),
    [
        (refuse(403, "DENIED", "requested access is denied"), "does not allow this account"),
        (refuse(404, "NAME_UNKNOWN", "repository name not known"), "does not know"),
        (answer(413, body=b"<html>Request Entity Too Large</html>"), "too large"),
    ],
)
def test_a_registry_that_refuses_a_repository_says_so_once_and_no_tag_moves(
    faulty: FaultyRegistry, fault: Fault, what: str
) -> None:
    faulty.on("POST", "frontend/blobs/uploads", fault)
    work = (STORE.image("todo/backend", LAYER), STORE.image("todo/frontend", b"other"))
    with pytest.raises(RegistryRefused, match=what) as caught:
        STORE.push(client_of(faulty.address), *work)
    assert faulty.address in caught.value.what
    assert "todo/frontend" in caught.value.what
    assert caught.value.hint
    assert not faulty.manifests


def test_a_registry_that_loses_a_tag_after_the_push_is_found_out(faulty: FaultyRegistry) -> None:
    faulty.on("PUT", "manifests/latest", answer(201))
    with pytest.raises(RegistryRefused, match="was written but cannot be read back"):
        STORE.push(client_of(faulty.address), STORE.image("todo/backend", LAYER))


def test_a_tag_that_somebody_else_moves_is_found_out(faulty: FaultyRegistry) -> None:
    faulty.on("GET", "manifests/latest", answer(200, {"Content-Type": MANIFEST}, b"{}"))
    with pytest.raises(RegistryRefused, match="does not stand for what was pushed"):
        STORE.push(client_of(faulty.address), STORE.image("todo/backend", LAYER))


def test_a_registry_that_names_a_wrong_digest_is_refused(faulty: FaultyRegistry) -> None:
    wrong = {"Docker-Content-Digest": str(Digest.of(b"something else"))}
    faulty.on("PUT", "manifests/sha256", answer(201, wrong))
    with pytest.raises(RegistryRefused, match="another digest"):
        STORE.push(client_of(faulty.address), STORE.image("todo/backend", LAYER))
    faulty.on("GET", "manifests", answer(200, {"Content-Type": MANIFEST}, b"forged"))
    with pytest.raises(RegistryRefused, match="another digest"):
        client_of(faulty.address).get_manifest(Reference(faulty.address, "todo/backend", digest=Digest.of(b"asked")))


def test_a_blob_of_other_bytes_is_not_kept(faulty: FaultyRegistry, tmp_path: Path) -> None:
    blob = STORE.keep(b"the right bytes")
    faulty.on("GET", "blobs", answer(200, body=b"the wrong bytes"))
    with pytest.raises(RegistryRefused, match="gave other bytes"):
        client_of(faulty.address).get_blob("trivy-db", blob, tmp_path / "blob")
    assert list(tmp_path.iterdir()) == []


def test_a_download_that_breaks_off_starts_over(faulty: FaultyRegistry, tmp_path: Path) -> None:
    def half(exchange: Exchange) -> None:
        exchange.reply(200, {"Content-Length": str(len(LAYER))}, LAYER[: len(LAYER) // 2])
        exchange.cut()

    blob = STORE.keep(LAYER)
    faulty.blobs["trivy-db", str(blob.digest)] = LAYER
    faulty.on("GET", "blobs", half, times=1)
    counts: list[int] = []
    client_of(faulty.address).get_blob("trivy-db", blob, tmp_path / "blob", counts.append)
    assert (tmp_path / "blob").read_bytes() == LAYER
    assert sum(counts) == blob.size


def test_a_mount_that_is_refused_costs_only_the_upload(faulty: FaultyRegistry) -> None:
    faulty.on("POST", "mount=.*from=secret", refuse(403, "DENIED", "not yours"))
    blob = STORE.keep(b"refused elsewhere")
    sources = ("todo/open", "secret/base")
    assert (
        client_of(faulty.address).upload_blob("todo/backend", blob, lambda: STORE.open(blob.digest), sources)
        == "uploaded"
    )
    assert faulty.count("DELETE", "session") == 1
    assert faulty.blobs["todo/backend", str(blob.digest)] == b"refused elsewhere"


def test_plain_http_is_not_spoken_to_a_registry_that_is_neither_loopback_by_name_nor_insecure(
    faulty: FaultyRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "*")
    address = faulty.address.replace("127.0.0.1", "127.1")
    with pytest.raises(RegistryRefused, match="no TLS connection") as caught:
        client_of(address).head_manifest(Reference(address, "todo/backend", "latest"))
    assert "insecure" in caught.value.hint
    assert not faulty.seen
    insecure = RegistryClient(address, credentials=lambda _: None, insecure=True)
    assert insecure.head_manifest(Reference(address, "todo/backend", "latest")) is None


def test_the_proxy_of_the_environment_is_used_but_never_towards_this_machine(
    faulty: FaultyRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_PROXY", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", f"http://ann:proxy-secret@{faulty.address}")
    client = RegistryClient("registry.invalid", credentials=lambda _: None, insecure=True)
    assert STORE.push(client, STORE.image("todo/backend", LAYER))
    assert all(seen.path.startswith("http://registry.invalid/v2/") for seen in faulty.seen)
    STORE.push(client_of(faulty.address), STORE.image("todo/backend", LAYER))
    assert faulty.seen[-1].path.startswith("/v2/")
    monkeypatch.setenv("http_proxy", "http://ann:proxy-secret@127.0.0.1:1")
    away = RegistryClient("registry.invalid", credentials=lambda _: None, insecure=True, patience=QUICK)
    with pytest.raises(RegistryRefused, match="the proxy on the way to registry") as caught:
        STORE.push(away, STORE.image("todo/backend", LAYER))
    assert "proxy-secret" not in str(caught.value)


def test_a_token_is_fetched_once_and_no_other_host_sees_it(tmp_path: Path) -> None:
    with FaultyRegistry(basic=ANN.basic, token="bearer-secret") as server, FaultyRegistry() as storage:
        blob = STORE.keep(LAYER)
        storage.blobs["elsewhere", str(blob.digest)] = LAYER
        client = client_of(server.address, ANN)
        STORE.push(client, STORE.image("todo/backend", LAYER))
        assert server.count("GET", "/token") <= 2
        location = f"http://{storage.address}/v2/elsewhere/blobs/{blob.digest}"
        server.on("GET", "blobs", answer(307, {"Location": location}))
        client.get_blob("todo/backend", blob, tmp_path / "blob")
        assert [seen.authorization for seen in storage.seen] == [""]
        assert {seen.authorization for seen in server.seen} == {"", ANN.basic, "Bearer bearer-secret"}


def test_a_token_server_that_refuses_the_account_is_told_without_its_secret() -> None:
    with FaultyRegistry(basic=ANN.basic, token="t") as server:
        with pytest.raises(RegistryRefused, match="gave no token") as caught:
            STORE.push(client_of(server.address, Credentials("ann", "wrong horse")), STORE.image("todo/backend", LAYER))
        assert caught.value.hint == f"docker login {server.address}"
        assert "wrong horse" not in str(caught.value)


@pytest.mark.parametrize("fault", [answer(503, {"Retry-After": "4"}), trickle(64 << 10, 0.05)])
def test_an_interrupt_ends_waits_and_transfers_promptly_and_moves_no_tag(faulty: FaultyRegistry, fault: Fault) -> None:
    faulty.on("PUT", "uploads", fault)

    def press() -> None:
        while not faulty.count("PUT", "uploads"):
            time.sleep(0.01)
        main = threading.main_thread().ident
        assert main is not None
        signal.pthread_kill(main, signal.SIGINT)

    threading.Thread(target=press, daemon=True).start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        STORE.push(client_of(faulty.address), STORE.image("todo/backend", bytes(16 << 20), bytes(17 << 20)))
    assert time.monotonic() - began < 2
    assert not faulty.manifests
