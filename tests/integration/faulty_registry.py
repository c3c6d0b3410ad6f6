"""A small registry in memory on loopback that misbehaves where a test tells it to.

It speaks enough of the distribution protocol for a push and a pull, over plain HTTP, and remembers every
request. A fault is a function that answers in the registry's place.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.parse import parse_qs, urlsplit

FOR_EVER = 1 << 30


@dataclass(frozen=True, slots=True)
class Seen:
    """A request the registry got."""

    method: str
    path: str
    authorization: str
    body: bytes = b""


class Exchange(BaseHTTPRequestHandler):
    """One connection: faults first, then the registry's own answers."""

    protocol_version = "HTTP/1.1"
    registry: FaultyRegistry

    def log_message(self, format: str, *args: object) -> None:
        """Stay quiet."""

    def take_body(self) -> bytes:
        size = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(size)
        if len(body) < size:
            raise ConnectionError("the client went away in the middle")
        return body

    def reply(self, status: int, headers: Mapping[str, str] | None = None, body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def cut(self) -> None:
        """Break the connection as a crashing server does."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def handle_any(self) -> None:
        fault = self.registry.fault_for(self.command, self.path)
        if fault is not None:
            self.registry.saw(self)
            fault(self)
            return
        body = self.take_body()
        self.registry.saw(self, body)
        if self.registry.wants_sign_in(self):
            return
        self.registry.serve(self, body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815 - the names http.server looks for


Fault = Callable[[Exchange], None]


def answer(status: int, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Fault:
    """Take the whole request, then answer this."""

    def fault(exchange: Exchange) -> None:
        exchange.take_body()
        exchange.reply(status, headers, body)

    return fault


def refuse(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Fault:
    """Answer with a registry's JSON error."""
    return answer(status, headers, json.dumps({"errors": [{"code": code, "message": message}]}).encode())


def close_after(count: int) -> Fault:
    """Take this many bytes of the body, then break the connection."""

    def fault(exchange: Exchange) -> None:
        exchange.rfile.read(count)
        exchange.cut()

    return fault


def trickle(count: int, seconds: float) -> Fault:
    """Take the body in pieces of this many bytes, with a pause after each, until the connection ends."""

    def fault(exchange: Exchange) -> None:
        while exchange.rfile.read(count):
            time.sleep(seconds)
        exchange.cut()

    return fault


def hang(until: threading.Event) -> Fault:
    """Take nothing and say nothing until the event."""

    def fault(exchange: Exchange) -> None:
        until.wait(30)
        exchange.cut()

    return fault


@dataclass(frozen=True, slots=True)
class Contents:
    """What a registry holds."""

    blobs: Mapping[tuple[str, str], bytes]
    manifests: Mapping[tuple[str, str], tuple[str, bytes]]


class QuietServer(ThreadingHTTPServer):
    """Clients that go away are what the tests are about."""

    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing."""


class FaultyRegistry:
    """The registry; a context manager that serves while it is open.

    With ``token`` it asks for that Bearer token, which its own ``/token`` gives to the Authorization ``basic``.
    """

    def __init__(self, *, basic: str = "", token: str = "") -> None:
        self.blobs: dict[tuple[str, str], bytes] = {}
        self.manifests: dict[tuple[str, str], tuple[str, bytes]] = {}
        self.seen: list[Seen] = []
        self._basic = basic
        self._token = token
        self._faults: list[tuple[str, re.Pattern[str], Fault, int]] = []
        self._lock = threading.Lock()
        handler = type("BoundExchange", (Exchange,), {"registry": self})
        self._server = QuietServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> FaultyRegistry:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def contents(self) -> Contents:
        """What it holds now."""
        return Contents(dict(self.blobs), dict(self.manifests))

    def reset(self, contents: Contents) -> None:
        """Let it hold that and nothing else, obey, and have seen nothing."""
        self.blobs, self.manifests = dict(contents.blobs), dict(contents.manifests)
        self.seen.clear()
        self._faults.clear()

    def on(self, method: str, pattern: str, fault: Fault, *, times: int = FOR_EVER) -> None:
        """Let requests with this method, and a path in which the pattern is found, meet the fault so many times."""
        self._faults.append((method, re.compile(pattern), fault, times))

    def count(self, method: str, pattern: str = "") -> int:
        return sum(seen.method == method and bool(re.search(pattern, seen.path)) for seen in self.seen)

    def fault_for(self, method: str, path: str) -> Fault | None:
        with self._lock:
            for place, (wanted, pattern, fault, times) in enumerate(self._faults):
                if wanted == method and pattern.search(path) and times:
                    self._faults[place] = (wanted, pattern, fault, times - 1)
                    return fault
        return None

    def saw(self, exchange: Exchange, body: bytes = b"") -> None:
        with self._lock:
            authorization = exchange.headers.get("Authorization", "")
            self.seen.append(Seen(exchange.command, exchange.path, authorization, body))

    def wants_sign_in(self, exchange: Exchange) -> bool:
        """Challenge a request without the right token; the token server wants the right account."""
        given = exchange.headers.get("Authorization", "")
        if exchange.path.startswith("/token"):
            if self._basic and given != self._basic:
                exchange.reply(401, body=b'{"details":"incorrect username or password"}')
            else:
                exchange.reply(200, body=json.dumps({"token": self._token, "expires_in": 60}).encode())
            return True
        if self._token and given != f"Bearer {self._token}":
            realm = f'Bearer realm="http://{self.address}/token",service="faulty"'
            exchange.reply(401, {"WWW-Authenticate": realm})
            return True
        return False

    def serve(self, exchange: Exchange, body: bytes) -> None:
        parts = urlsplit(exchange.path)
        found = re.fullmatch(r"/v2/(.+)/(manifests|blobs)/(uploads/.*|[^/]+)", parts.path)
        if not found:
            exchange.reply(200 if parts.path == "/v2/" else 404)
        elif found[2] == "manifests":
            self._manifest(exchange, found[1], found[3], body)
        elif found[3].startswith("uploads/"):
            self._upload(exchange, found[1], parse_qs(parts.query), body)
        else:
            content = self.blobs.get((found[1], found[3]))
            exchange.reply(404 if content is None else 200, body=content or b"")

    def _manifest(self, exchange: Exchange, repository: str, name: str, body: bytes) -> None:
        if exchange.command == "PUT":
            kept = (exchange.headers.get("Content-Type", ""), body)
            self.manifests[repository, name] = self.manifests[repository, _digest(body)] = kept
            exchange.reply(201, {"Docker-Content-Digest": _digest(body)})
            return
        kept = self.manifests.get((repository, name), ("", b""))
        headers = {"Content-Type": kept[0], "Docker-Content-Digest": _digest(kept[1])} if kept[0] else {}
        exchange.reply(200 if kept[0] else 404, headers, kept[1])

    def _upload(self, exchange: Exchange, repository: str, query: Mapping[str, list[str]], body: bytes) -> None:
        if exchange.command == "POST":
            exchange.reply(202, {"Location": f"/v2/{repository}/blobs/uploads/session?_state=signed-state"})
        elif exchange.command == "PUT":
            digest = query["digest"][0]
            if _digest(body) == digest:
                self.blobs[repository, digest] = body
            exchange.reply(201 if _digest(body) == digest else 400)
        else:
            exchange.reply(204)


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
