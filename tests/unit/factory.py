"""Small, sound values to build tests from: each function makes one that passes every rule; name what differs.

``facts(...)`` takes dotted paths: ``facts(config__uid=0)`` is the facts of a good image but for its user.
"""

from __future__ import annotations

import dataclasses
import gzip
import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, BinaryIO

from imagewright import dockerfile, ignore
from imagewright.facts import build_facts
from imagewright.facts.context import read_context
from imagewright.facts.recipe import read_recipe
from imagewright.facts.sources import actions, read_sources
from imagewright.model.definition import Budget, ImageDefinition, RunContract
from imagewright.model.facts import Facts
from imagewright.model.findings import (
    Database,
    LicenceFinding,
    Lint,
    NotChecked,
    Package,
    Scan,
    ToolIdentity,
    Vulnerability,
)
from imagewright.model.image import (
    Contents,
    Descriptor,
    FileEntry,
    HealthCheck,
    History,
    ImageConfig,
    Layer,
    Manifest,
)
from imagewright.model.records import Build, Sbom, SbomCoverage, Source, UsedBase
from imagewright.model.repository import Inputs, RepositoryFacts
from imagewright.reference import Digest, Platform

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SUBJECT = Digest.of(b"manifest")
PLATFORM = Platform("linux", "amd64")
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"
_LABELS = ("title", "source", "revision", "version", "created", "licenses", "base.name", "base.digest")


def definition(**changes: Any) -> ImageDefinition:
    base = ImageDefinition(
        name="backend",
        title="Backend",
        description="The API",
        repository="todo/backend",
        licenses="MIT",
        file="images/backend/image.toml",
        dockerfile="dockerfiles/backend.Dockerfile",
        context="images/backend",
        needs=("base-python",),
        run=RunContract(user="65532:65532", port=8000, writable=("/tmp",), live="/health/live"),
        budget=Budget(compressed=60_000_000, uncompressed=150_000_000),
    )
    return dataclasses.replace(base, **changes)


def config(**changes: Any) -> ImageConfig:
    base = ImageConfig(
        platform=PLATFORM,
        user="65532:65532",
        created="2026-11-20T00:00:00Z",
        working_dir="/app",
        entrypoint=(),
        cmd=("python3", "-m", "uvicorn", "app.main:app", "--port", "8000", "--timeout-graceful-shutdown", "8"),
        env=(("PATH", "/usr/bin:/bin"), ("PORT", "8000")),
        labels=tuple((f"org.opencontainers.image.{name}", "x") for name in _LABELS),
        ports=("8000/tcp",),
        volumes=(),
        healthcheck=HealthCheck(("CMD", "python3", "-m", "app.health")),
        stop_signal="",
        diff_ids=(Digest.of(b"diff"),),
        history=(History("COPY . /app"),),
    )
    return dataclasses.replace(base, **changes)


def entry(path: str, **changes: Any) -> FileEntry:
    base = FileEntry(path=path, kind="file", mode=0o644, uid=0, gid=0, size=10, layer=0)
    return dataclasses.replace(base, **changes)


def contents(*files: FileEntry, deleted: tuple[FileEntry, ...] = ()) -> Contents:
    """A good file system and these files more."""
    good = (
        entry("/tmp", kind="directory", mode=0o1777),
        entry("/usr/bin/python3", kind="symlink", target="python3.13", mode=0o777),
        entry("/usr/bin/python3.13", mode=0o755),
    )
    layer = Layer(Digest.of(b"layer"), Digest.of(b"diff"), 1000, 4000, 3, "COPY . /app")
    return Contents((layer,), tuple(sorted(good + files, key=lambda file: file.path)), deleted)


def build(**changes: Any) -> Build:
    digest = Digest.of(b"debian")
    base = Build(
        subject=SUBJECT,
        root=SUBJECT,
        image="backend",
        platform=PLATFORM,
        source=Source(revision="0123456789abcdef", epoch=1_790_000_000, dirty=False, url="https://example.com/todo"),
        bases=(UsedBase("debian:trixie-slim", "bootstrap", digest, digest, "2026-11-19"),),
        builder=(ToolIdentity("buildx", "0.29"),),
        key=Digest.of(b"key"),
        finished_at="2026-11-20T10:00:00Z",
    )
    return dataclasses.replace(base, **changes)


def lint(**changes: Any) -> Lint:
    base = Lint("dockerfiles/backend.Dockerfile", ToolIdentity("hadolint", "2.15.1", Digest.of(b"hadolint")), ())
    return dataclasses.replace(base, **changes)


def vulnerability(**changes: Any) -> Vulnerability:
    base = Vulnerability(
        id="CVE-2026-0001",
        severity="LOW",
        package="jinja2",
        version="2.10",
        package_class="language",
        type="python-pkg",
        fixed_version="2.10.1",
        status="fixed",
        title="Sandbox escape",
        purl="pkg:pypi/jinja2@2.10",
    )
    return dataclasses.replace(base, **changes)


def scan(**changes: Any) -> Scan:
    base = Scan(
        subject=SUBJECT,
        scanner=ToolIdentity("trivy", "0.76.0", Digest.of(b"trivy")),
        started_at="2026-11-20T11:00:00Z",
        isolation="network namespace",
        database=Database(Digest.of(b"database"), "2026-11-20T06:00:00Z", "example.com/trivy-db:2"),
        packages=(
            Package("libc6", "2.41", "os", "debian", "pkg:deb/debian/libc6@2.41"),
            Package("python3.13-minimal", "3.13.5-2", "os", "debian", "pkg:deb/debian/python3.13-minimal@3.13.5-2"),
            Package("jinja2", "2.10", "language", "python-pkg", "pkg:pypi/jinja2@2.10"),
        ),
        vulnerabilities=(vulnerability(),),
        secrets=(),
        misconfigurations=(),
        licences=(LicenceFinding("MIT", "notice", "LOW", "jinja2"),),
    )
    return dataclasses.replace(base, **changes)


def sboms() -> tuple[Sbom, ...]:
    return tuple(
        Sbom(format, f"sbom.{format}.json", Digest.of(format.encode()), 1, 1, coverage())
        for format in ("cyclonedx", "spdx")
    )


def coverage(**changes: Any) -> SbomCoverage:
    elements = (("supplier", 1), ("name", 3), ("version", 3), ("identifier", 3), ("relationship", 3))
    base = SbomCoverage(3, (*elements, ("hash", 0), ("licence", 2)), incomplete=(), missing=("author",), score=71)
    return dataclasses.replace(base, **changes)


DOCKERFILE = """\
FROM debian:trixie-slim AS build
RUN --mount=type=bind,source=requirements.txt,target=/mnt/requirements.txt \\
    pip install --require-hashes --target /packages -r /mnt/requirements.txt
FROM base-python
COPY --from=build /packages /usr/lib/python3.13/dist-packages
COPY app /app
USER 65532:65532
HEALTHCHECK CMD ["python3", "-m", "app.health", "http://127.0.0.1:8000/health/live"]
CMD ["python3", "-m", "app"]
"""
IGNORE = "*\n!app\n!requirements.txt\n**/.env*\n**/node_modules\n**/.venv\n**/*.key\n**/*.pem\n"
SOURCES = {
    "app/main.py": "router = APIRouter(prefix='/health')\n@router.get('/live')\ndef live(): ...\n",
    "requirements.txt": "jinja2==2.10 \\\n    --hash=sha256:00\n",
}
TRACKED = RepositoryFacts(ignore_tracked=True, ignore_ignored=False, public_tracked=1)
WORKFLOW = f"jobs:\n  build:\n    steps:\n      - uses: actions/checkout@{'a' * 40} # v7\n"


def inputs(
    recipe: str = DOCKERFILE,
    *,
    ignored: str = IGNORE,
    files: Mapping[str, str] = SOURCES,
    workflow: str = WORKFLOW,
    of: ImageDefinition | None = None,
    repository: RepositoryFacts | NotChecked = TRACKED,
    ignore_file: str = "dockerfiles/backend.Dockerfile.dockerignore",
) -> Inputs:
    """What a good image is made from; ``files`` are those the ignore file lets in."""
    image, parsed = of or definition(), dockerfile.parse(recipe)
    return Inputs(
        dockerfile=read_recipe(parsed, image),
        context=read_context(image.context, ignore_file, ignore.parse(ignored), files),
        sources=read_sources(files, (recipe, parsed), image),
        actions=actions({".github/workflows/images.yml": workflow}),
        repository=repository,
    )


FRONTEND = """\
FROM debian:trixie-slim AS deps
RUN npm ci
FROM deps AS build
COPY . .
RUN npm run build
FROM base-node
COPY --from=build /app/.next/standalone /app
COPY --from=build /app/.next/static /app/.next/static
COPY --from=build /app/public /app/public
USER 65532:65532
HEALTHCHECK CMD ["node", "-e", "fetch('http://127.0.0.1:3000/api/health')"]
CMD ["node", "server.js"]
"""
PACKAGE_LOCK = {
    "node_modules/next": {"version": "16.4.5", "integrity": "sha512-00"},
    "node_modules/react": {"version": "19.3.1", "integrity": "sha512-00"},
}
FRONTEND_SOURCES = {
    "app/api/health/route.ts": "export function GET() {}\n",
    "package-lock.json": json.dumps({"packages": PACKAGE_LOCK}),
}
NODE_ENVIRONMENT = {"PORT": "3000", "HOSTNAME": "0.0.0.0", "NODE_ENV": "production", "NEXT_TELEMETRY_DISABLED": "1"}


def frontend_definition(**changes: Any) -> ImageDefinition:
    run = RunContract(user="65532:65532", port=3000, writable=("/tmp",), live="/api/health")
    base = definition(name="frontend", context="images/frontend", needs=("base-node",), run=run)
    return dataclasses.replace(base, **changes)


def frontend_config(**changes: Any) -> ImageConfig:
    environment = tuple({"PATH": "/usr/bin", **NODE_ENVIRONMENT}.items())
    check = HealthCheck(("CMD", "node", "-e", "fetch('http://127.0.0.1:3000/api/health')"))
    base = config(cmd=("node", "server.js"), env=environment, ports=("3000/tcp",), healthcheck=check)
    return dataclasses.replace(base, **changes)


def frontend_contents(*files: FileEntry, without: str = "") -> Contents:
    """The file system of a good frontend and these files more; ``without`` one of its own."""
    good = ("/app/server.js", "/app/.next/static/a.js", "/app/public/favicon.svg")
    own = (entry(path) for path in good if path != without)
    return contents(entry("/usr/bin/node", mode=0o755), *own, *files)


def frontend_inputs(recipe: str = FRONTEND, **changes: Any) -> Inputs:
    files = {**FRONTEND_SOURCES, **changes.pop("files", {})}
    ignored = "*\n!app\n!package-lock.json\n**/.env*\n**/node_modules\n**/.venv\n**/*.key\n**/*.pem\n"
    return inputs(recipe, **{"of": frontend_definition(), "files": files, "ignored": ignored, **changes})


def frontend_scan(*packages: Package, node: str = "24.19.0") -> Scan:
    own = Package("node", node, "language", "bitnami", f"pkg:bitnami/node@{node}")
    return scan(packages=(Package("libc6", "2.41", "os", "debian", "pkg:deb/debian/libc6@2.41"), own, *packages))


def facts(**changes: Any) -> Facts:
    """The facts of a good image, with changes by path: ``scan__version=""``, ``vulnerabilities=(…,)``."""
    made = build_facts(definition(), build(), config(), contents(), lint(), scan(), sboms(), inputs())
    for path, value in changes.items():
        made = _changed(made, path.split("__"), value)
    return made


def _changed(value: Any, path: list[str], new: Any) -> Any:
    name, *rest = path
    return dataclasses.replace(value, **{name: _changed(getattr(value, name), rest, new) if rest else new})


# Layers in memory ---------------------------------------------------------------------------------------------------


def member(name: str, data: bytes = b"", **attributes: Any) -> tuple[tarfile.TarInfo, bytes]:
    """A tar member: a file unless ``type`` says otherwise."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in attributes.items():
        setattr(info, key, value)
    return info, data


def tar(members: Iterable[tuple[tarfile.TarInfo, bytes]], format: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=format) as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


class Blobs:
    """An image in memory: ``manifest`` and ``config`` over these tars, each stored compressed."""

    def __init__(self, *tars: bytes, stored: tuple[bytes, ...] | None = None) -> None:
        blobs = stored if stored is not None else tuple(gzip.compress(data, 1, mtime=0) for data in tars)
        self._blobs = {Digest.of(blob): blob for blob in blobs}
        layers = tuple(Descriptor(LAYER_TYPE, Digest.of(blob), len(blob)) for blob in blobs)
        descriptor = Descriptor("application/vnd.oci.image.config.v1+json", Digest.of(b"config"), 6)
        self.manifest = Manifest(SUBJECT, "application/vnd.oci.image.manifest.v1+json", 7, descriptor, layers)
        history = tuple(line for index in range(len(tars)) for line in (History("ENV", True), History(f"COPY {index}")))
        self.config = config(diff_ids=tuple(map(Digest.of, tars)), history=history)

    def open(self, digest: Digest) -> BinaryIO:
        return io.BytesIO(self._blobs[digest])
