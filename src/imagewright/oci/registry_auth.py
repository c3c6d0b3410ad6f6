"""Signing in at a registry: challenges, Basic, and Bearer tokens.

Challenges: RFC 9110, 11.6.1. Token protocol: https://distribution.github.io/distribution/spec/auth/token/ and,
for identity tokens, …/spec/auth/oauth/. Credentials are asked for only after a challenge, and only once.
"""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from imagewright.errors import RegistryRefused
from imagewright.oci.registry_wire import Request, Response, Scope

DEFAULT_LIFETIME = 60.0
"""Seconds a token lives when the server does not say (token protocol, "expires_in")."""

_NONE_FOUND = "no credentials for it were found"
_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_SCHEME = re.compile(rf"\s*({_WORD})(?:\s+|$|(?=,))")
_PARAMETER = re.compile(rf'\s*({_WORD})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|({_WORD}))')


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a registry knows an account by: a user name with a secret, or an identity token."""

    username: str = ""
    secret: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)

    @property
    def basic(self) -> str:
        """The value of an Authorization header of the Basic scheme."""
        return "Basic " + base64.b64encode(f"{self.username}:{self.secret}".encode()).decode()


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way to sign in that a registry offers; ``scheme`` and parameter names are lower case."""

    scheme: str
    parameters: tuple[tuple[str, str], ...] = ()

    def get(self, name: str) -> str:
        """A parameter's value; empty when it is not there."""
        return dict(self.parameters).get(name, "")


def parse_challenges(header: str) -> tuple[Challenge, ...]:
    """All challenges of a WWW-Authenticate header, in order; what cannot be read is left out."""
    found: list[Challenge] = []
    position = 0
    while position < len(header):
        parameter = _PARAMETER.match(header, position)
        if parameter and found:
            name, quoted, plain = parameter.groups()
            value = plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            found[-1] = Challenge(found[-1].scheme, (*found[-1].parameters, (name.lower(), value)))
            position = parameter.end()
        elif scheme := _SCHEME.match(header, position):
            found.append(Challenge(scheme[1].lower()))
            position = scheme.end()
        else:
            position += 1
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Token:
    header: str = field(repr=False)
    grants: frozenset[tuple[str, str]]
    expires: float


Send = Callable[[str, Request], Response]
"""Sends one request to an absolute address, with exactly its headers; raises RegistryRefused."""


class Authenticator:
    """The Authorization headers for one registry; safe to share between threads."""

    def __init__(
        self,
        registry: str,
        credentials: Callable[[str], Credentials | None],
        send: Send,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registry = registry
        self._lookup = credentials
        self._send = send
        self._clock = clock
        self._lock = threading.RLock()
        self._credentials: Credentials | None = None
        self._looked_up = False
        self._basic = ""
        self._tokens: list[_Token] = []

    def header(self, scopes: Sequence[Scope]) -> str:
        """What is known to open these scopes: an Authorization header's value, or nothing."""
        needed = _grants(scopes)
        with self._lock:
            fitting = (token for token in self._tokens if needed <= token.grants and token.expires > self._clock())
            return self._basic or next((token.header for token in fitting), "")

    def answer(self, challenge_header: str, scopes: Sequence[Scope], refused: str) -> str:
        """A header that meets the challenge; ``refused`` is the one that did not.

        Raises RegistryRefused when there are no credentials, or the token server does not take them.
        """
        with self._lock:
            current = self.header(scopes)
            if current and current != refused:
                return current
            self._tokens = [token for token in self._tokens if token.header != refused]
            offered = {challenge.scheme: challenge for challenge in reversed(parse_challenges(challenge_header))}
            if "bearer" in offered:
                return self._bearer(offered["bearer"], scopes)
            if "basic" in offered:
                return self._use_basic(refused)
        why = f"it offers: {', '.join(offered)}" if offered else "it does not say how to sign in"
        raise RegistryRefused(f"{self._registry} wants a sign-in of an unknown kind", why=why)

    def standing(self) -> str:
        """What there was to sign in with, for the error after a refusal."""
        return _NONE_FOUND if self._credentials is None else "the credentials that were found are not accepted"

    def redact(self, body: bytes) -> bytes:
        """The text without any secret this sign-in knows of, should a server repeat one."""
        with self._lock:
            known = [token.header.partition(" ")[2] for token in self._tokens]
            if self._credentials is not None:
                own = self._credentials
                known += [own.secret, own.identity_token, own.basic.partition(" ")[2]]
        for secret in filter(None, known):
            body = body.replace(secret.encode(), b"[secret]")
        return body

    def _own_credentials(self) -> Credentials | None:
        if not self._looked_up:
            self._credentials = self._lookup(self._registry)
            self._looked_up = True
        return self._credentials

    def _use_basic(self, refused: str) -> str:
        credentials = self._own_credentials()
        if credentials is None or not credentials.username:
            raise self._refused("wants a sign-in", _NONE_FOUND)
        if credentials.basic == refused:
            self._basic = ""
            raise self._refused("did not accept the user name and password", "they are wrong or no longer valid")
        self._basic = credentials.basic
        return self._basic

    def _bearer(self, challenge: Challenge, scopes: Sequence[Scope]) -> str:
        response = self._send(challenge.get("realm"), self._token_request(challenge, scopes))
        if response.status in (400, 401, 403):
            raise self._refused("gave no token to work with", f"HTTP {response.status}: {self.standing()}")
        token = self._parsed(response.body, scopes)
        self._tokens.append(token)
        return token.header

    def _token_request(self, challenge: Challenge, scopes: Sequence[Scope]) -> Request:
        credentials = self._own_credentials()
        wanted = dict.fromkeys([*map(str, scopes), *challenge.get("scope").split()])
        fields = [("service", challenge.get("service"))] if challenge.get("service") else []
        answers = (200, 400, 401, 403)
        if credentials is not None and credentials.identity_token:
            fields += [("scope", " ".join(wanted)), ("client_id", "imagewright"), ("grant_type", "refresh_token")]
            fields += [("refresh_token", credentials.identity_token)]
            kind = (("Content-Type", "application/x-www-form-urlencoded"),)
            return Request("POST", "", "sign in", (), answers, kind, urlencode(fields).encode())
        fields += [("scope", scope) for scope in wanted]
        headers = (("Authorization", credentials.basic),) if credentials else ()
        return Request("GET", f"?{urlencode(fields)}", "sign in", (), answers, headers)

    def _parsed(self, body: bytes, scopes: Sequence[Scope]) -> _Token:
        try:
            document: Any = json.loads(body)
            value = document.get("token") or document["access_token"]
            lifetime = float(document.get("expires_in") or DEFAULT_LIFETIME)
            header = "Bearer " + re.fullmatch(r"[\x21-\x7e]+", value)[0]  # type: ignore[index]
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise self._refused("gave no token to work with", "the token server's answer cannot be read") from error
        # A token is dropped before its end, so that none expires on the way.
        return _Token(header, _grants(scopes), self._clock() + lifetime * 0.9)

    def _refused(self, what: str, why: str) -> RegistryRefused:
        return RegistryRefused(f"{self._registry} {what}", why=why, hint=f"docker login {self._registry}")


def _grants(scopes: Sequence[Scope]) -> frozenset[tuple[str, str]]:
    return frozenset((scope.repository, action) for scope in scopes for action in scope.actions)
