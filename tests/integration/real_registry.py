"""A real docker-registry for tests: plain, with a password, or with TLS, in a folder and on a port of its own."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from imagewright.tools import apt, local_registry, process
from imagewright.tools.local_registry import Tls

# The account of ``pushing.ANN``, password and all, as bcrypt has it.
ANN_BCRYPT = "ann:$2b$04$E8wBQZSpn3Q4a4LTP2tZiOBU49KLq8OG74T.PHHadZkzyE6J759Zm\n"


@contextlib.contextmanager
def serving(home: Path, *, password: bool = False, tls: Tls | None = None) -> Iterator[str]:
    """A registry that runs while the block does; its address."""
    home.mkdir(parents=True, exist_ok=True)
    htpasswd = home / "htpasswd" if password else None
    if htpasswd:
        htpasswd.write_text(ANN_BCRYPT)
    try:
        yield local_registry.start(home, port=0, htpasswd=htpasswd, tls=tls).address
    finally:
        local_registry.stop(home)


def certificate(folder: Path) -> Tls:
    """A certificate for this machine that vouches for itself, and its key; made by the host's openssl or Debian's."""
    env = apt.missing(("openssl",)).environment(os.environ)
    made = Tls(folder / "certificate.pem", folder / "key.pem")
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    names = ("-addext", "subjectAltName=IP:127.0.0.1")
    openssl = process.find("openssl", path=env["PATH"])
    process.run((openssl, *words.split(), *names, "-keyout", made.key, "-out", made.certificate), env=env)
    return made
