"""The real parts that integration tests share: engine, registry program, browser, and small projects to run in."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from imagewright.tools import apt, local_registry
from imagewright.tools.engine import Engine, find

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


@pytest.fixture(scope="session")
def engine() -> Engine:
    """An engine fit for the job: the environment's, else the embedded one, which is left running as a user's is."""
    return find("auto")


@pytest.fixture(scope="session")
def registry_binary() -> Path:
    """The docker-registry program."""
    return apt.packages((local_registry.PACKAGE,)).root / "usr/bin/docker-registry"


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Chromium that starts: the host's, else Debian's, unpacked and not installed."""
    if found := shutil.which("chromium"):
        return Path(found)
    unpacked = apt.missing(("chromium",))
    env = unpacked.environment({})
    script = tmp_path_factory.mktemp("chromium") / "chromium"
    lines = ["#!/bin/sh", *(f"export {name}='{value}'" for name, value in env.items() if name != "PATH")]
    lines.append(f'exec {unpacked.root}/usr/lib/chromium/chromium "$@"')
    script.write_text("\n".join(lines) + "\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return script


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass(slots=True)
class SmallProject:
    """A repository of its own with tiny images, in which the verbs run as a user runs them."""

    root: Path
    env: dict[str, str] = field(default_factory=dict)

    def image(self, name: str, dockerfile: str = DOCKERFILE, *, extra: str = "", toml: str = IMAGE) -> None:
        """Declare an image; ``dockerfile`` and ``toml`` are templates with ``{name}`` (and ``{extra}``)."""
        folder = self.root / "images" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "image.toml").write_text(toml.format(name=name, extra=extra))
        recipe = self.root / "dockerfiles" / f"{name}.Dockerfile"
        recipe.write_text(dockerfile.format(name=name).lstrip())
        recipe.with_name(f"{recipe.name}.dockerignore").write_text("*\n")

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
            env=self._environment(more),
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

    def _environment(self, more: Mapping[str, str]) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(ROOT / "src"), "NO_COLOR": "1", **self.env, **more}


@pytest.fixture
def project(tmp_path: Path, engine: Engine) -> SmallProject:
    """An empty project in git, with this repository's bases and policies, no image yet, and the engine to use."""
    root = tmp_path / "project"
    for name in BASE_FILES:
        target = root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        source = ROOT / name
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    (root / "dockerfiles").mkdir()
    (root / "pyproject.toml").write_text('[tool.imagewright]\nsource_url = "https://example.org/test"\n')
    (root / ".gitignore").write_text("/out/\n__pycache__/\n")
    small = SmallProject(root, {key: engine.env[key] for key in ("DOCKER_HOST", "DOCKER_CONFIG") if key in engine.env})
    small.env["GIT_CONFIG_GLOBAL"] = os.devnull
    small.git("init", "--quiet", "--initial-branch", "main")
    small.git("config", "user.name", "test")
    small.git("config", "user.email", "test@example.org")
    return small
