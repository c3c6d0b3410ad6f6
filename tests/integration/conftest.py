"""The real parts that integration tests share: engine, registry program, browser, and small projects to run in."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from imagewright.reference import Reference
from imagewright.tools import apt, cache, local_registry
from imagewright.tools.engine import Engine, find
from imagewright.tools.local_registry import LocalRegistry
from imagewright.tools.trivy_download import MEDIA_TYPE
from tests.integration import vulndb
from tests.integration.pushing import Store, client_of

ROOT = Path(__file__).resolve().parents[2]

BASE_FILES = ("images/bases.toml", "images/bases.lock", "policies", "tasks.py")

IMAGE = """
name = "{name}"
title = "A test image"
repository = "test/{name}"
licenses = "MIT"
{extra}
[run]
user = "65532:65532"
"""

DOCKERFILE = """
FROM debian:trixie-slim AS build
RUN mkdir -p /rootfs/etc /rootfs/var/lib/dpkg/status.d \\
 && cp /etc/os-release /etc/debian_version /rootfs/etc/ \\
 && sed -n '/^Package: base-files$/,/^$/p' /var/lib/dpkg/status > /rootfs/var/lib/dpkg/status.d/base-files \\
 && echo {name} > /rootfs/name
FROM scratch
COPY --from=build /rootfs /
USER 65532:65532
"""


FONTS = """<?xml version="1.0"?>
<fontconfig>
 <dir>/usr/share/fonts</dir>
 <dir>{root}/usr/share/fonts</dir>
 <cachedir>{cache}</cachedir>
</fontconfig>
"""


@pytest.fixture(scope="session", autouse=True)
def _interruptible() -> None:
    """A shell that starts the tests in the background has them ignore interrupts, and all that they start with them."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def engine() -> Engine:
    """An engine fit for the job: the environment's, else the embedded one, which is left running as a user's is."""
    return find("auto")


@pytest.fixture(scope="session")
def loopback(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRegistry]:
    """A real docker-registry of the tests' own."""
    home = tmp_path_factory.mktemp("registry")
    yield local_registry.start(home, port=0)
    local_registry.stop(home)


@pytest.fixture(scope="session")
def served_database(loopback: LocalRegistry, tmp_path_factory: pytest.TempPathFactory) -> Reference:
    """A vulnerability database of today, served from there as an OCI artifact; the reference has its tag and digest."""
    jinja2 = vulndb.Advisory("CVE-2099-1001", "pip", "jinja2", "CRITICAL", "2.11.3")
    archive = vulndb.artifact(vulndb.write(tmp_path_factory.mktemp("database"), [jinja2], updated=now()))
    return publish(loopback, "trivy-db", archive, tag="2")


def publish(registry: LocalRegistry, repository: str, layer: bytes, *, tag: str) -> Reference:
    """Push what should be a vulnerability database to a registry, as ours are."""
    store = Store()
    item = store.image(repository, layer, tags=(tag,), layer_type=MEDIA_TYPE)
    store.push(client_of(registry.address), item)
    return Reference(registry.address, repository, tag, item.root)


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Chromium that starts: the host's, else Debian's, unpacked and not installed."""
    if found := shutil.which("chromium"):
        return Path(found)
    unpacked = apt.missing(("chromium", "fontconfig-config", "fonts-dejavu-core"))
    folder = tmp_path_factory.mktemp("chromium")
    (folder / "fonts.conf").write_text(FONTS.format(root=unpacked.root, cache=folder / "fonts"))
    # Some libraries find their own through a path that is only right where they are installed.
    libraries = sorted({str(path.parent) for path in unpacked.root.rglob("*.so*")})
    script = folder / "chromium"
    script.write_text(
        "#!/bin/sh\n"
        f"export LD_LIBRARY_PATH='{':'.join(libraries)}' FONTCONFIG_FILE='{folder / 'fonts.conf'}'\n"
        f'exec {unpacked.root}/usr/lib/chromium/chromium "$@"\n'
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return script


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str


KEPT_OUT = ("**/.env*", "**/.venv", "**/node_modules", "**/*.key", "**/*.pem")
"""What an ignore file keeps out of the folders it lets in."""


@dataclass(slots=True)
class SmallProject:
    """A repository of its own with tiny images, in which the verbs run as a user runs them."""

    root: Path
    env: dict[str, str] = field(default_factory=dict)

    def image(
        self,
        name: str,
        dockerfile: str = DOCKERFILE,
        *,
        extra: str = "",
        toml: str = IMAGE,
        lets_in: tuple[str, ...] = (),
    ) -> None:
        """Declare an image; ``dockerfile`` and ``toml`` are templates with ``{name}`` (and ``{extra}``).

        ``lets_in`` is what of its context the build sees.
        """
        folder = self.root / "images" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "image.toml").write_text(toml.format(name=name, extra=extra))
        recipe = self.root / "dockerfiles" / f"{name}.Dockerfile"
        recipe.write_text(dockerfile.format(name=name).lstrip())
        recipe.with_name(f"{recipe.name}.dockerignore").write_text(
            "".join(f"{line}\n" for line in ("*", *(f"!{path}" for path in lets_in), *KEPT_OUT))
        )

    def commit(self) -> None:
        """Commit everything as it stands."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "state")

    def git(self, *words: str) -> str:
        """Run git in the project."""
        return subprocess.run(("git", *words), cwd=self.root, check=True, capture_output=True, text=True).stdout

    def start(self, *words: str, **more: str) -> subprocess.Popen[str]:
        """Start a verb; the caller waits for it or ends it."""
        return subprocess.Popen(
            (sys.executable, "-m", "invoke", *words),
            cwd=self.root,
            env=self.environment(more),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *words: str, **more: str) -> Ran:
        """Run a verb to its end; ``more`` are further environment variables."""
        child = self.start(*words, **more)
        out, err = child.communicate(timeout=300)
        return Ran(child.returncode, out, err)

    def environment(self, more: Mapping[str, str]) -> dict[str, str]:
        """The environment of a verb."""
        return {**os.environ, "PYTHONPATH": str(ROOT / "src"), "NO_COLOR": "1", **self.env, **more}


def new_project(root: Path, engine: Engine) -> SmallProject:
    """An empty project in git, with this repository's bases and policies, no image yet, and the engine to use.

    Beside it lies a vulnerability database of today that knows nothing: nobody is asked for one.
    """
    for name in BASE_FILES:
        target = root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        source = ROOT / name
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    (root / "dockerfiles").mkdir()
    (root / "pyproject.toml").write_text('[tool.imagewright]\nsource_url = "https://example.org/test"\n')
    (root / ".gitignore").write_text("/out/\n__pycache__/\n")
    small = SmallProject(root, {key: engine.env[key] for key in ("DOCKER_HOST", "DOCKER_CONFIG") if key in engine.env})
    small.env["IMAGEWRIGHT_DATABASE"] = str(vulndb.write(root.with_name("nothing-known"), [], updated=now()))
    small.env["GIT_CONFIG_GLOBAL"] = os.devnull
    small.git("init", "--quiet", "--initial-branch", "main")
    small.git("config", "user.name", "test")
    small.git("config", "user.email", "test@example.org")
    return small


def now() -> str:
    """The time as databases and reports write it."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def copied(project: SmallProject, folder: Path) -> SmallProject:
    """A copy of a project with all that it made, in another folder: what was recorded holds there too."""
    shutil.copytree(project.root, folder / "copy", symlinks=True)
    return SmallProject(folder / "copy", dict(project.env))


@pytest.fixture
def project(tmp_path: Path, engine: Engine) -> SmallProject:
    """An empty project of the test's own."""
    return new_project(tmp_path / "project", engine)


@dataclass(frozen=True, slots=True)
class Wiring:
    """A registry, a vulnerability database and a cache of the tests' own for a project."""

    engine: Engine
    registry: LocalRegistry
    database: Reference

    def wired(self, project: SmallProject) -> SmallProject:
        """The project with all of them, the cache beside it, and a part of the registry that is its own.

        Only what takes long to fetch is shared with the user's cache: packages and assembled bases.
        """
        project.env |= {
            "IMAGEWRIGHT_CACHE": str(own_cache(project.root.with_name("cache"))),
            "IMAGEWRIGHT_DATABASE": str(Reference(self.database.registry, self.database.repository, "2")),
            "IMAGEWRIGHT_ENGINE": "environment",
            "IMAGEWRIGHT_PROFILE": "",
            "IMAGEWRIGHT_REGISTRY": f"{self.registry.address}/{uuid4().hex[:8]}",
            "GITHUB_ACTIONS": "",
            "PATH": os.pathsep.join([str(self.engine.docker.parent), os.environ.get("PATH", os.defpath)]),
        }
        return project


@pytest.fixture(scope="session")
def wiring(engine: Engine, loopback: LocalRegistry, served_database: Reference) -> Wiring:
    return Wiring(engine, loopback, served_database)


@pytest.fixture
def wired(project: SmallProject, wiring: Wiring) -> SmallProject:
    """A project of the test's own with a registry, a vulnerability database and a cache of the tests' own."""
    return wiring.wired(project)


def own_cache(folder: Path) -> Path:
    """A cache folder that shares packages and bases with the user's, and knows the digests of the same programs."""
    folder.mkdir()
    with contextlib.suppress(FileNotFoundError):
        shutil.copy(cache.folder() / "hashes.json", folder)
    for name in ("apt", "bases", "packages"):
        (cache.folder() / name).mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(cache.folder() / name)
    return folder
