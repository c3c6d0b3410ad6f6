"""How a vulnerability database gets onto this machine: as an OCI artifact, or through the scanner itself.

An artifact has one layer, a gzipped tar of ``trivy.db`` and ``metadata.json``:
https://trivy.dev/docs/v0.76/guide/advanced/self-hosting/
"""

from __future__ import annotations

import gzip
import os
import shutil
import tarfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

from imagewright.errors import ToolFailed
from imagewright.reference import Digest, Reference
from imagewright.tools import process
from imagewright.tools.binary import Program

MEDIA_TYPE = "application/vnd.aquasec.trivy.db.layer.v1.tar+gzip"
"""The media type of the one layer of a database artifact."""

DOWNLOAD_SECONDS = 60.0
"""How long the scanner may take to download its default database."""

Fetch = Callable[[Reference, Path], Digest]
"""Fetches a database artifact's layer into a file; raises an ImagewrightError."""

_LIMITS = {"trivy.db": 8 << 30, "metadata.json": 64 << 10}
_PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "no_proxy")
_NETWORK = (*_PROXIES, "SSL_CERT_FILE", "SSL_CERT_DIR")


def take(fetch: Fetch, reference: Reference, into: Path) -> None:
    """Fetch an artifact and unpack it into a folder; raises what ``fetch`` and ``unpack`` raise."""
    archive = into.with_name("db.tar.gz")
    fetch(reference, archive)
    unpack(archive, into)


def unpack(archive: Path, into: Path) -> None:
    """Take ``trivy.db`` and ``metadata.json`` out of a database artifact's layer, and nothing else.

    Raises ValueError when the archive is broken, lacks one of them, or one is beyond its size limit.
    """
    missing = set(_LIMITS)
    try:
        with gzip.open(archive) as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
            for member in tar:
                name = member.name.removeprefix("./")
                content = tar.extractfile(member) if name in missing and member.isreg() else None
                if content is None:
                    continue
                if member.size > _LIMITS[name]:
                    raise ValueError(f"{name} is larger than {_LIMITS[name]} bytes")
                with (into / name).open("xb") as file:
                    shutil.copyfileobj(content, file, 1 << 20)
                missing.remove(name)
            # The checksum of the whole stands at its very end, past what tar reads.
            while stream.read(1 << 20):
                pass
    except (tarfile.TarError, zlib.error, EOFError, gzip.BadGzipFile) as error:
        raise ValueError(f"the archive is broken: {error}") from error
    if missing:
        raise ValueError(f"the archive has no {' and no '.join(sorted(missing))}")


def download(trivy: Program, into: Path) -> None:
    """Let the scanner download its own default into a folder; raises ToolFailed."""
    cache = into.with_name("download")
    what = "the scanner could not download its database"
    options = ("--config", "", "--quiet", "--no-progress", "--disable-telemetry", "--skip-version-check")
    try:
        done = process.run(
            [trivy.path, "image", "--download-db-only", "--cache-dir", cache, *options],
            env=_network_env(os.environ, home=into.parent),
            cwd=into,
            check=False,
            timeout=DOWNLOAD_SECONDS,
        )
    except ToolFailed as error:
        raise ToolFailed(what, why=f"it did not end within {DOWNLOAD_SECONDS:.0f} s") from error
    if done.returncode != 0:
        raise ToolFailed(what, why=done.tail)
    for name in _LIMITS:
        (cache / "db" / name).replace(into / name)


def _network_env(outer: Mapping[str, str], home: Path) -> dict[str, str]:
    """No credentials and no configuration of the user; what it takes to get through a proxy."""
    passed = {name: outer[name] for name in _NETWORK if name in outer}
    return {"PATH": "/usr/bin:/bin", "HOME": str(home), "TMPDIR": str(home), **passed}
