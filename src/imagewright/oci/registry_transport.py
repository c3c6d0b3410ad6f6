"""One request to a registry, with sign-in and redirects; nothing is tried again here.

Credentials go to the registry itself, and to the token server it names over a connection at least as
safe; a host that an answer points to (storage behind the registry, an upload session) never sees them.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol
from urllib.parse import urljoin, urlsplit

from imagewright.errors import Interrupted, RegistryRefused
from imagewright.oci.registry_auth import Authenticator, Credentials
from imagewright.oci.registry_wire import Request, Response, refusal

MAX_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_REDIRECTS_THAT_KEEP_THE_METHOD = (307, 308)


class Answer(Protocol):
    """An answer whose body is still on its way; ``headers`` are lower case, ``read`` gives nothing at the end."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    def read(self) -> bytes: ...
    def close(self) -> None: ...


class Door(Protocol):
    """What imagewright.oci.registry.Connections does: the registry's address, and one exchange with any address."""

    def root(self) -> str: ...
    def exchange(self, request: Request, address: str, headers: Mapping[str, str]) -> Answer: ...


class Transport:
    """Requests to one registry through a door; safe to share between threads.

    Once ``cancelled`` is set, every request and every transfer under way ends with Interrupted.
    """

    def __init__(
        self,
        registry: str,
        door: Door,
        credentials: Callable[[str], Credentials | None],
        cancelled: threading.Event,
    ) -> None:
        self._registry = registry
        self._door = door
        self._cancelled = cancelled
        self._auth = Authenticator(registry, credentials, self._ask_token_server)

    def send(self, request: Request) -> Response:
        """The answer to a request, its body in memory.

        Raises RegistryRefused; its subclass Temporary when trying again may help; Interrupted once cancelled.
        """
        with self._opened(request) as answer:
            return self._in_memory(answer, request)

    @contextlib.contextmanager
    def stream(self, request: Request) -> Iterator[Iterator[bytes]]:
        """The answer's body in chunks as they come; raises as ``send`` does, while iterating too."""
        with self._opened(request) as answer:
            yield self._chunks(answer, request)

    @contextlib.contextmanager
    def _opened(self, request: Request) -> Iterator[Answer]:
        root = self._door.root()
        sent = self._auth.header(request.scopes)
        origin, answer = self._followed(request, root, sent)
        if answer.status == 401 and origin == _origin(root):
            answer.close()
            sent = self._auth.answer(answer.headers.get("www-authenticate", ""), request.scopes, sent)
            origin, answer = self._followed(request, root, sent)
        with contextlib.closing(answer):
            self._accept(answer, request)
            yield answer

    def _followed(self, request: Request, root: str, authorization: str) -> tuple[str, Answer]:
        """The answer at the end of all redirects, and the origin it came from."""
        address = _joined(root, request.target)
        for _ in range(MAX_REDIRECTS + 1):
            _check_protected(self._registry, root, address, request.doing)
            at_home = _origin(address) == _origin(root)
            headers = dict(request.headers)
            if authorization and at_home:
                headers["Authorization"] = authorization
            answer = self._exchange(request, address, headers)
            location = answer.headers.get("location", "")
            followed = _REDIRECTS if request.method in ("GET", "HEAD") else _REDIRECTS_THAT_KEEP_THE_METHOD
            if answer.status not in followed or not location:
                return _origin(address), answer
            answer.close()
            address = _joined(address, location)
        why = f"more than {MAX_REDIRECTS} redirects"
        raise RegistryRefused(f"{self._registry} leads in circles: could not {request.doing}", why=why)

    def _exchange(self, request: Request, address: str, headers: Mapping[str, str]) -> Answer:
        if self._cancelled.is_set():
            raise _stopped(request)
        return self._door.exchange(request, address, headers)

    def _accept(self, answer: Answer, request: Request) -> None:
        if answer.status not in request.answers:
            said = self._in_memory(answer, request, cut=True)
            said = Response(said.status, said.headers, self._auth.redact(said.body))
            raise refusal(self._registry, request, said, self._auth.standing())

    def _chunks(self, answer: Answer, request: Request) -> Iterator[bytes]:
        while chunk := answer.read():
            if self._cancelled.is_set():
                raise _stopped(request)
            yield chunk

    def _in_memory(self, answer: Answer, request: Request, *, cut: bool = False) -> Response:
        body = b""
        for chunk in self._chunks(answer, request):
            body += chunk
            if len(body) > request.limit and not cut:
                why = f"its answer is larger than {request.limit} bytes"
                raise RegistryRefused(f"{self._registry} could not {request.doing}", why=why)
            if len(body) > request.limit:
                break
        return Response(answer.status, answer.headers, body)

    def _ask_token_server(self, realm: str, request: Request) -> Response:
        address = f"{realm}{request.target.replace('?', '&', 1) if '?' in realm else request.target}"
        _check_protected(self._registry, self._door.root(), address, request.doing)
        with contextlib.closing(self._exchange(request, address, dict(request.headers))) as answer:
            self._accept(answer, request)
            return self._in_memory(answer, request)


def _stopped(request: Request) -> Interrupted:
    return Interrupted(f"stopped; did not {request.doing}")


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def _joined(base: str, location: str) -> str:
    """A location as an absolute address; nothing when it is none."""
    try:
        return urljoin(base, location)
    except ValueError:
        return ""


def _check_protected(registry: str, root: str, address: str, doing: str) -> None:
    """Refuse an address that is less protected than the registry itself, or is none at all."""
    try:
        scheme, host = urlsplit(address).scheme, urlsplit(address).hostname
    except ValueError:
        scheme, host = "", None
    if not host or scheme not in ("https", urlsplit(root).scheme):
        why = f"it points to {host} without TLS" if host else "it names no host"
        hint = "the registry, or a proxy in front of it, is set up wrongly"
        raise RegistryRefused(f"{registry} names an unsafe address to {doing}", why=why, hint=hint)
