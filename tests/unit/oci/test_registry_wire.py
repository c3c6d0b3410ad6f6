"""How a refusal reads: what, why, hint; bounded, printable, without addresses."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagewright.errors import RegistryRefused
from imagewright.oci.registry_retry import Temporary
from imagewright.oci.registry_wire import (
    QUOTE_CHARACTERS,
    Request,
    Response,
    Scope,
    check_digest,
    claimed_digest,
    quoted,
    refusal,
)
from imagewright.reference import Digest

REQUEST = Request(
    "PUT", "/v2/x/blobs/uploads/1?_state=signed", "store blob 0123 in todo/backend", (Scope.push("todo/backend"),)
)


def refused(status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> RegistryRefused:
    return refusal("registry.example", REQUEST, Response(status, headers or {}, body))


@pytest.mark.parametrize(
    ("status", "what", "hint"),
    [
        (401, "wants a valid sign-in", "docker login registry.example"),
        (403, "does not allow this account", "docker login registry.example"),
        (404, "does not know", "todo/backend"),
        (413, "too large", "request size limit"),
        (400, "refused", "registry's own"),
    ],
)
def test_each_refusal_says_what_why_and_what_to_do(status: int, what: str, hint: str) -> None:
    body = json.dumps({"errors": [{"code": "DENIED", "message": "requested access is denied"}]}).encode()
    error = refused(status, body)
    assert not isinstance(error, Temporary)
    assert what in error.what
    assert "registry.example" in error.what
    assert "store blob 0123 in todo/backend" in error.what
    assert error.why == f"HTTP {status}: DENIED: requested access is denied"
    assert hint in error.hint
    assert "signed" not in str(error)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_what_may_pass_is_worth_another_attempt(status: int) -> None:
    error = refused(status, headers={"retry-after": "9"})
    assert isinstance(error, Temporary)
    assert error.after == 9.0


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", ""),
        (b'{"errors":[{"code":"A","message":"b"},{"code":"C"}]}', "A: b; C"),
        (b'{"details":"incorrect username or password"}', "incorrect username or password"),
        (b'{"errors":"odd"}', '{"errors":"odd"}'),
        (b"<html>\n  Bad\tGateway\n", "<html> Bad Gateway"),
        (b"\x1b[31mred\x07", "[31mred"),
        (b"[" * 100_000, "[" * QUOTE_CHARACTERS + "…"),
    ],
)
def test_a_registry_is_quoted_in_its_own_words(body: bytes, text: str) -> None:
    assert quoted(body) == text


@given(st.binary(max_size=2000))
def test_a_quote_is_always_one_bounded_printable_line(body: bytes) -> None:
    text = quoted(body)
    assert text.isprintable()
    assert len(text) <= QUOTE_CHARACTERS + 1


def test_a_claimed_digest_that_differs_is_refused_with_both() -> None:
    one, two = Digest.of(b"1"), Digest.of(b"2")
    check_digest("registry.example", "blob", one, one)
    check_digest("registry.example", "blob", one, None)
    with pytest.raises(RegistryRefused, match="another digest") as caught:
        check_digest("registry.example", "blob", one, two)
    assert str(one) in caught.value.why
    assert str(two) in caught.value.why


def test_a_claimed_digest_that_is_none_is_refused() -> None:
    assert claimed_digest("registry.example", Response(200, {})) is None
    with pytest.raises(RegistryRefused, match="cannot be read"):
        claimed_digest("registry.example", Response(200, {"docker-content-digest": "md5:1"}))
