"""The one door to registry HTTP: connections, schemes, proxies, TLS, and what each failure below HTTP means.

One call is one exchange. Who may see credentials, where redirects lead and what is tried again is decided
above, in registry_transport and registry_retry.
"""

from __future__ import annotations

import contextlib
import logging
import ssl
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3 import exceptions as trouble

from imagewright.errors import ConfigurationError, Problem, RegistryRefused
from imagewright.oci.registry_retry import Patience, Temporary
from imagewright.oci.registry_wire import CHUNK, Request
from imagewright.reference import DOCKER_HUB, Reference

_HUB_HOST = "registry-1.docker.io"
_BROKEN_TLS = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)

# At debug level urllib3 logs whole addresses, and those of upload sessions and redirects are signed.
logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)


class Connections:
    """Connections to one registry and the hosts it names; safe to share between threads.

    Plain HTTP is spoken to a registry that is ``insecure``, and to one on this machine that does not
    speak TLS; to nothing else. ``ca_bundle`` is trusted beside the system's authorities. The proxies
    that the environment names are used, but never towards this machine.
    Raises ConfigurationError when ``ca_bundle`` cannot be used.
    """

    def __init__(self, registry: str, *, insecure: bool, ca_bundle: Path | None, patience: Patience) -> None:
        self._registry = registry
        self._host = _HUB_HOST if registry == DOCKER_HUB else registry
        self._is_loopback = Reference(registry, "any").is_loopback
        self._scheme = "http" if insecure else "" if self._is_loopback else "https"
        self._timeout = urllib3.Timeout(connect=patience.connect_timeout, read=patience.read_timeout)
        self._tls = None if ca_bundle is None else _tls_context(ca_bundle)
        self._pools: dict[tuple[str, str], urllib3.PoolManager] = {}
        self._lock = threading.Lock()

    def root(self) -> str:
        """Scheme and host of the registry. Asks one on this machine whether it speaks TLS; raises RegistryRefused."""
        with self._lock:
            if not self._scheme:
                self._scheme = "https" if self._speaks_tls() else "http"
            return f"{self._scheme}://{self._host}"

    def exchange(self, request: Request, address: str, headers: Mapping[str, str]) -> Answer:
        """Send one request with exactly these headers; raises RegistryRefused, or Temporary when it may pass."""
        host = urlsplit(address).netloc
        with contextlib.ExitStack() as stack, _explained(self._registry, host, request.doing):
            opened = request.body
            body = stack.enter_context(contextlib.closing(opened())) if callable(opened) else opened
            raw = self._pool(address).urlopen(
                request.method,
                address,
                body=body,
                headers={"User-Agent": "imagewright", **headers},
                redirect=False,
                retries=False,
                preload_content=False,
                decode_content=False,
            )
        return Answer(raw, self._registry, host, request.doing)

    def close(self) -> None:
        """Close all idle connections."""
        for pool in self._pools.values():
            pool.clear()

    def _speaks_tls(self) -> bool:
        address = f"https://{self._host}/v2/"
        # Nobody is trusted for this question: whoever shows a certificate at all speaks TLS.
        distrustful = urllib3.PoolManager(timeout=self._timeout, ssl_context=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        with _explained(self._registry, self._host, "answer"), distrustful as pool:
            try:
                pool.request("HEAD", address, retries=False, redirect=False)
            except trouble.SSLError as error:
                return isinstance(error.args[0], ssl.SSLCertVerificationError)
            except trouble.ProtocolError:
                return False
        return True

    def _pool(self, address: str) -> urllib3.PoolManager:
        parts = urlsplit(address)
        direct = self._is_loopback or proxy_bypass(parts.netloc)
        proxy = "" if direct else getproxies().get(parts.scheme, "")
        if (parts.scheme, proxy) not in self._pools:
            self._pools[parts.scheme, proxy] = self._new_pool(parts.scheme, proxy)
        return self._pools[parts.scheme, proxy]

    def _new_pool(self, scheme: str, proxy: str) -> urllib3.PoolManager:
        settings = {"timeout": self._timeout, "maxsize": 8, "blocksize": CHUNK}
        if scheme == "http" and not proxy:  # the system's authorities take long to load
            return urllib3.PoolManager(**settings)  # type: ignore[arg-type]
        settings["ssl_context"] = self._tls or _tls_context(None)
        if not proxy:
            return urllib3.PoolManager(**settings)  # type: ignore[arg-type]
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        account = f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else None
        headers = urllib3.make_headers(proxy_basic_auth=account)
        address = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        return urllib3.ProxyManager(address, proxy_headers=headers, **settings)  # type: ignore[arg-type]


class Answer:
    """An answer whose body is still on its way; header names are lower case."""

    def __init__(self, raw: urllib3.BaseHTTPResponse, registry: str, host: str, doing: str) -> None:
        self._raw = raw
        self._names = (registry, host, doing)
        self.status = raw.status
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in raw.headers.items()}

    def read(self) -> bytes:
        """The next piece of the body, nothing at its end; raises as ``Connections.exchange`` does."""
        with _explained(*self._names):
            return self._raw.read(CHUNK)

    def close(self) -> None:
        """Give up what is left of the body. A connection that was read to the end stays open for the next request."""
        self._raw.close()


def _tls_context(ca_bundle: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca_bundle is not None:
        try:
            context.load_verify_locations(ca_bundle)
        except (OSError, ssl.SSLError) as error:
            problem = Problem(str(ca_bundle), "", f"not a usable CA bundle: {error.strerror or error}")
            raise ConfigurationError([problem], hint="it must hold PEM certificates") from error
    return context


@contextlib.contextmanager
def _explained(registry: str, host: str, doing: str) -> Iterator[None]:
    """Turn what goes wrong below HTTP into an error a person can act on."""
    try:
        yield
    except trouble.HTTPError as error:
        raise _failure(error, registry, host, doing) from error


_AWAY = "check its name, that it runs, and the network between here and there"
_AGAIN = "run the same command again: it continues where it stopped"
_PASSING: tuple[tuple[type[trouble.HTTPError], str, str], ...] = (
    (trouble.ProxyError, "the proxy on the way to {} cannot be used to {}", "check the proxy variables"),
    (trouble.NameResolutionError, "{} cannot be found to {}", _AWAY),
    (trouble.NewConnectionError, "{} cannot be reached to {}", _AWAY),
    (trouble.ConnectTimeoutError, "{} cannot be reached in time to {}", _AWAY),
    (trouble.TimeoutError, "{} took too long to {}", _AGAIN),
    (trouble.HTTPError, "the connection to {} broke off; could not {}", _AGAIN),
)
"""What may be gone at the next attempt, the most particular kind first."""


def _failure(error: trouble.HTTPError, registry: str, host: str, doing: str) -> RegistryRefused:
    cause = error.args[0] if error.args else error
    if isinstance(error, trouble.SSLError) and not isinstance(cause, _BROKEN_TLS):
        return _tls_failure(cause, host, doing)
    if isinstance(error, trouble.LocationValueError):
        what = f"{registry} names an address that cannot be used to {doing}"
        return RegistryRefused(what, why=f"host: {host or 'none'}", hint="the registry is set up wrongly")
    what, hint = next((what, hint) for kind, what, hint in _PASSING if isinstance(error, kind))
    return Temporary(what.format(host, doing), why=_reason(error), hint=hint)


def _tls_failure(cause: object, host: str, doing: str) -> RegistryRefused:
    if isinstance(cause, ssl.SSLCertVerificationError):
        what = f"the certificate of {host} is not trusted; did not {doing}"
        hint = "name the CA that signed it as the registry's ca_bundle, or correct the certificate"
        return RegistryRefused(what, why=cause.verify_message, hint=hint)
    reason = cause.reason if isinstance(cause, ssl.SSLError) and cause.reason else type(cause).__name__
    hint = "a registry that speaks plain HTTP must be named insecure in the configuration"
    return RegistryRefused(f"no TLS connection to {host} to {doing}", why=f"TLS: {reason}", hint=hint)


def _reason(error: BaseException) -> str:
    """The operating system's words at the root of an error; urllib3's own messages quote addresses."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.strerror:
            return seen.strerror
        wrapped = next((part for part in reversed(seen.args) if isinstance(part, BaseException)), None)
        seen = wrapped or seen.__cause__ or seen.__context__
    return "it was closed before the end" if isinstance(error, trouble.ProtocolError) else type(error).__name__
