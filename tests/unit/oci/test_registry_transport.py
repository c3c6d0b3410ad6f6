"""Where requests go and who sees the credentials, against a door without a network."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import pytest

from imagewright.errors import Interrupted, RegistryRefused
from imagewright.oci.registry_auth import Credentials
from imagewright.oci.registry_retry import Temporary
from imagewright.oci.registry_transport import MAX_REDIRECTS, Transport
from imagewright.oci.registry_wire import Request, Scope

HOME = "https://registry.example"
ANN = Credentials("ann", "s3cret")
GET = Request("GET", "/v2/todo/blobs/x", "read blob x of todo", (Scope.pull("todo"),))


class FakeAnswer:
    def __init__(self, status: int, headers: Mapping[str, str] | None = None, body: bytes = b"") -> None:
        self.status = status
        self.headers: Mapping[str, str] = headers or {}
        self._pieces = [body[at : at + 4] for at in range(0, len(body), 4)]
        self.closed = False

    def read(self) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""

    def close(self) -> None:
        self.closed = True


class FakeDoor:
    """Answers each address with the next of its answers, the last one for ever; remembers who saw what."""

    def __init__(self, answers: Mapping[str, list[FakeAnswer]], root: str = HOME) -> None:
        self._answers = answers
        self._root = root
        self.seen: list[tuple[str, str, str]] = []

    def root(self) -> str:
        return self._root

    def exchange(self, request: Request, address: str, headers: Mapping[str, str]) -> FakeAnswer:
        self.seen.append((request.method, address, headers.get("Authorization", "")))
        waiting = self._answers[address.partition("?")[0]]
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]


def transport(door: FakeDoor, cancelled: threading.Event | None = None) -> Transport:
    return Transport("registry.example", door, lambda _: ANN, cancelled or threading.Event())


def wants_basic() -> FakeAnswer:
    return FakeAnswer(401, {"www-authenticate": 'Basic realm="x"'})


def to(address: str, status: int = 307) -> FakeAnswer:
    return FakeAnswer(status, {"location": address})


def test_credentials_follow_a_challenge_and_are_kept_for_the_next_request() -> None:
    door = FakeDoor({f"{HOME}/v2/todo/blobs/x": [wants_basic(), FakeAnswer(200, body=b"content")]})
    door_transport = transport(door)
    assert door_transport.send(GET).body == b"content"
    door_transport.send(GET)
    assert [sent for _, _, sent in door.seen] == ["", ANN.basic, ANN.basic]


def test_another_host_never_sees_the_credentials() -> None:
    door = FakeDoor(
        {
            f"{HOME}/v2/todo/blobs/x": [wants_basic(), to("https://storage.example/x?signature=1")],
            "https://storage.example/x": [FakeAnswer(200, body=b"content")],
        }
    )
    assert transport(door).send(GET).body == b"content"
    assert door.seen[-1] == ("GET", "https://storage.example/x?signature=1", "")


@pytest.mark.parametrize("other", ["https://registry.example:8443/x", "https://registry.example.evil/x"])
def test_another_port_or_a_longer_name_is_another_host(other: str) -> None:
    door = FakeDoor({f"{HOME}/v2/todo/blobs/x": [wants_basic(), to(other)], other: [FakeAnswer(200)]})
    transport(door).send(GET)
    assert door.seen[-1] == ("GET", other, "")


def test_a_redirect_within_the_registry_keeps_the_credentials() -> None:
    door = FakeDoor(
        {f"{HOME}/v2/todo/blobs/x": [wants_basic(), to("/elsewhere")], f"{HOME}/elsewhere": [FakeAnswer(200)]}
    )
    transport(door).send(GET)
    assert door.seen[-1] == ("GET", f"{HOME}/elsewhere", ANN.basic)


def test_an_upload_session_on_another_host_is_used_without_credentials() -> None:
    door = FakeDoor({"https://upload.example/1": [FakeAnswer(401, body=b"who?")]})
    put = Request("PUT", "https://upload.example/1", "store blob x in todo", (Scope.push("todo"),), (201,), body=b"x")
    with pytest.raises(RegistryRefused, match="sign-in"):
        transport(door).send(put)
    assert [sent for _, _, sent in door.seen] == [""]


def test_a_redirect_from_tls_to_plain_http_is_refused() -> None:
    door = FakeDoor({f"{HOME}/v2/todo/blobs/x": [to("http://registry.example/x")]})
    with pytest.raises(RegistryRefused, match="unsafe address") as caught:
        transport(door).send(GET)
    assert "without TLS" in caught.value.why
    assert len(door.seen) == 1


@pytest.mark.parametrize("location", ["https://[broken/", "ftp://host/x", "javascript:x"])
def test_a_location_that_is_no_address_is_refused(location: str) -> None:
    with pytest.raises(RegistryRefused, match="unsafe address"):
        transport(FakeDoor({f"{HOME}/v2/todo/blobs/x": [to(location)]})).send(GET)


def test_redirects_in_a_circle_end() -> None:
    door = FakeDoor({f"{HOME}/v2/todo/blobs/x": [to("/v2/todo/blobs/x")]})
    with pytest.raises(RegistryRefused, match="in circles"):
        transport(door).send(GET)
    assert len(door.seen) == MAX_REDIRECTS + 1


def test_an_upload_is_not_repeated_where_a_redirect_would_make_it_a_get() -> None:
    door = FakeDoor({f"{HOME}/u": [to("/other", 302)]})
    with pytest.raises(RegistryRefused):
        transport(door).send(Request("PUT", "/u", "store", (Scope.push("todo"),), (201,), body=b"x"))
    assert len(door.seen) == 1


@pytest.mark.parametrize("realm", ["http://auth.example/token", "", "file:///etc/passwd"])
def test_a_token_server_without_tls_gets_no_credentials(realm: str) -> None:
    challenge = FakeAnswer(401, {"www-authenticate": f'Bearer realm="{realm}"'})
    door = FakeDoor({f"{HOME}/v2/todo/blobs/x": [challenge]})
    with pytest.raises(RegistryRefused, match="unsafe address"):
        transport(door).send(GET)
    assert len(door.seen) == 1


def test_a_bearer_token_is_fetched_from_the_realm_and_sent_to_the_registry_only() -> None:
    challenge = FakeAnswer(401, {"www-authenticate": 'Bearer realm="https://auth.example/token?a=1",service="s"'})
    door = FakeDoor(
        {
            f"{HOME}/v2/todo/blobs/x": [challenge, to("https://storage.example/x")],
            "https://auth.example/token": [FakeAnswer(200, body=b'{"token":"abc"}')],
            "https://storage.example/x": [FakeAnswer(200)],
        }
    )
    transport(door).send(GET)
    token_address = "https://auth.example/token?a=1&service=s&scope=repository%3Atodo%3Apull"
    assert [(address, sent) for _, address, sent in door.seen] == [
        (f"{HOME}/v2/todo/blobs/x", ""),
        (token_address, ANN.basic),
        (f"{HOME}/v2/todo/blobs/x", "Bearer abc"),
        ("https://storage.example/x", ""),
    ]


def test_a_busy_token_server_is_worth_another_attempt() -> None:
    challenge = FakeAnswer(401, {"www-authenticate": 'Bearer realm="https://auth.example/token"'})
    door = FakeDoor(
        {f"{HOME}/v2/todo/blobs/x": [challenge], "https://auth.example/token": [FakeAnswer(503, body=b"ann s3cret")]}
    )
    with pytest.raises(Temporary, match="sign in") as caught:
        transport(door).send(GET)
    assert "s3cret" not in str(caught.value)


def test_an_answer_larger_than_allowed_is_refused() -> None:
    answer = FakeAnswer(200, body=b"x" * 100)
    door = FakeDoor({f"{HOME}/m": [answer]})
    with pytest.raises(RegistryRefused, match="could not read") as caught:
        transport(door).send(Request("GET", "/m", "read a manifest", (Scope.pull("todo"),), limit=10))
    assert "larger than 10 bytes" in caught.value.why
    assert answer.closed


def test_once_cancelled_nothing_is_sent_and_transfers_end() -> None:
    cancelled = threading.Event()
    door = FakeDoor({f"{HOME}/v2/todo/blobs/x": [FakeAnswer(200, body=b"long content")]})
    door_transport = transport(door, cancelled)
    with door_transport.stream(GET) as chunks:
        assert next(chunks) == b"long"
        cancelled.set()
        with pytest.raises(Interrupted):
            next(chunks)
    with pytest.raises(Interrupted):
        door_transport.send(GET)
    assert len(door.seen) == 1
