"""Signing in: challenges, Basic, tokens; and that no secret is ever said."""

from __future__ import annotations

import base64
import json
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagewright.errors import RegistryRefused
from imagewright.oci.registry_auth import Authenticator, Challenge, Credentials, parse_challenges
from imagewright.oci.registry_wire import Request, Response, Scope

PULL, PUSH = Scope.pull("todo/backend"), Scope.push("todo/backend")
BEARER = 'Bearer realm="https://auth.example/token",service="registry.example",scope="repository:todo/backend:pull"'


class TokenServer:
    """Gives a new token for every request, or the answer it was told to give."""

    def __init__(self, status: int = 200, answer: object = None) -> None:
        self.status = status
        self.answer = answer
        self.asked: list[tuple[str, Request]] = []

    def __call__(self, realm: str, request: Request) -> Response:
        self.asked.append((realm, request))
        answer = {"token": f"token-{len(self.asked)}", "expires_in": 100} if self.answer is None else self.answer
        return Response(self.status, {}, json.dumps(answer).encode())


def authenticator(
    server: TokenServer | None = None, credentials: Credentials | None = None, now: list[float] | None = None
) -> Authenticator:
    clock = now if now is not None else [0.0]
    return Authenticator("registry.example", lambda _: credentials, server or TokenServer(), lambda: clock[0])


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", ()),
        ("Basic", (Challenge("basic"),)),
        ('Basic realm="a b"', (Challenge("basic", (("realm", "a b"),)),)),
        ("Basic realm=plain", (Challenge("basic", (("realm", "plain"),)),)),
        (
            'Bearer realm="https://a/t",scope="repository:x:pull,push"',
            (Challenge("bearer", (("realm", "https://a/t"), ("scope", "repository:x:pull,push"))),),
        ),
        (
            'Basic realm="x", BEARER Realm = "y" , service="z"',
            (Challenge("basic", (("realm", "x"),)), Challenge("bearer", (("realm", "y"), ("service", "z")))),
        ),
        (r'Basic realm="a \"quoted\" word"', (Challenge("basic", (("realm", 'a "quoted" word'),)),)),
        ("Negotiate, Basic realm=x", (Challenge("negotiate"), Challenge("basic", (("realm", "x"),)))),
    ],
)
def test_challenges_are_read_as_the_rfc_writes_them(header: str, expected: tuple[Challenge, ...]) -> None:
    assert parse_challenges(header) == expected


@given(st.text(max_size=80))
def test_no_challenge_header_can_break_the_parser(header: str) -> None:
    parse_challenges(header)


def test_nothing_is_sent_and_no_credentials_are_looked_up_before_a_challenge() -> None:
    def lookup(_: str) -> Credentials:
        raise AssertionError("looked up too early")

    assert Authenticator("registry.example", lookup, TokenServer()).header([PUSH]) == ""


def test_a_basic_challenge_is_answered_with_the_account_of_that_registry() -> None:
    asked: list[str] = []

    def lookup(registry: str) -> Credentials:
        asked.append(registry)
        return Credentials("ann", "s3cret")

    auth = Authenticator("registry.example", lookup, TokenServer())
    answer = auth.answer('Basic realm="x"', [PUSH], "")
    assert base64.b64decode(answer.removeprefix("Basic ")) == b"ann:s3cret"
    assert auth.header([Scope.pull("other")]) == answer
    assert asked == ["registry.example"]


def test_a_password_that_was_refused_is_not_sent_again() -> None:
    auth = authenticator(credentials=Credentials("ann", "s3cret"))
    first = auth.answer("Basic", [PUSH], "")
    with pytest.raises(RegistryRefused, match="did not accept") as caught:
        auth.answer("Basic", [PUSH], first)
    assert caught.value.hint == "docker login registry.example"
    assert "s3cret" not in str(caught.value)


def test_without_credentials_a_basic_challenge_ends_in_a_hint_to_sign_in() -> None:
    with pytest.raises(RegistryRefused, match="wants a sign-in") as caught:
        authenticator().answer("Basic", [PUSH], "")
    assert caught.value.hint == "docker login registry.example"


def test_a_token_is_asked_for_with_service_scopes_and_account() -> None:
    server = TokenServer()
    auth = authenticator(server, Credentials("ann", "s3cret"))
    assert auth.answer(BEARER, [PUSH, Scope.pull("base")], "") == "Bearer token-1"
    realm, request = server.asked[0]
    assert realm == "https://auth.example/token"
    assert parse_qs(request.target[1:]) == {
        "service": ["registry.example"],
        "scope": ["repository:todo/backend:pull,push", "repository:base:pull", "repository:todo/backend:pull"],
    }
    assert dict(request.headers) == {"Authorization": Credentials("ann", "s3cret").basic}


def test_without_credentials_an_anonymous_token_is_asked_for() -> None:
    server = TokenServer()
    assert authenticator(server).answer(BEARER, [PULL], "") == "Bearer token-1"
    assert server.asked[0][1].headers == ()


def test_an_identity_token_is_exchanged_in_a_body_never_in_an_address() -> None:
    server = TokenServer(answer={"access_token": "fresh"})
    auth = authenticator(server, Credentials(identity_token="refresh-me"))
    assert auth.answer(BEARER, [PULL], "") == "Bearer fresh"
    request = server.asked[0][1]
    assert (request.method, request.target) == ("POST", "")
    assert isinstance(request.body, bytes)
    fields = parse_qs(request.body.decode())
    assert fields["grant_type"] == ["refresh_token"]
    assert fields["refresh_token"] == ["refresh-me"]


def test_a_token_serves_every_scope_it_covers_until_it_nears_its_end() -> None:
    now = [0.0]
    auth = authenticator(TokenServer(), now=now)
    auth.answer(BEARER, [PUSH], "")
    assert auth.header([PULL]) == "Bearer token-1"
    assert auth.header([PUSH, Scope.pull("base")]) == ""
    now[0] = 95.0
    assert auth.header([PULL]) == ""


def test_a_refused_token_is_replaced_once_for_all_threads() -> None:
    server = TokenServer()
    auth = authenticator(server)
    first = auth.answer(BEARER, [PUSH], "")
    second = auth.answer(BEARER, [PUSH], first)
    assert auth.answer(BEARER, [PUSH], first) == second
    assert len(server.asked) == 2


@pytest.mark.parametrize("answer", [{}, {"token": ""}, {"token": 5}, {"token": "a\r\nX: y"}, [], "x"])
def test_an_answer_without_a_usable_token_is_refused(answer: object) -> None:
    with pytest.raises(RegistryRefused, match="gave no token"):
        authenticator(TokenServer(answer=answer)).answer(BEARER, [PULL], "")


def test_a_token_server_that_does_not_take_the_credentials_is_named_without_them() -> None:
    auth = authenticator(TokenServer(status=401), Credentials("ann", "s3cret"))
    with pytest.raises(RegistryRefused, match="gave no token") as caught:
        auth.answer(BEARER, [PULL], "")
    assert "are not accepted" in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_challenge_of_an_unknown_kind_is_refused_by_its_name() -> None:
    with pytest.raises(RegistryRefused, match="unknown kind") as caught:
        authenticator().answer("Negotiate", [PULL], "")
    assert "negotiate" in caught.value.why


def test_no_secret_shows_in_a_repr_or_in_a_quoted_body() -> None:
    credentials = Credentials("ann", "s3cret", "identity-secret")
    request = Request("POST", "", "sign in", (), body=b"refresh_token=identity-secret")
    assert "s3cret" not in repr(credentials)
    assert "identity-secret" not in repr(credentials) + repr(request)
    auth = authenticator(credentials=credentials)
    auth.answer(BEARER, [PULL], "")
    said = f"token-1 s3cret identity-secret {credentials.basic}".encode()
    assert auth.redact(said) == b"[secret] [secret] [secret] Basic [secret]"
