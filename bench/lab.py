"""Where both pipelines are measured: two clones of one commit, one engine, one registry, one database."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from bench.measure import Cost, cost
from imagewright.evidence import Evidence
from imagewright.model.records import Build
from imagewright.tools import cache, embedded, engine, local_registry, process
from imagewright.tools.engine import Engine
from tests.integration.vulndb import Advisory, write

ROOT = Path(__file__).resolve().parents[1]
Side = Literal["imagewright", "script"]
SIDES: tuple[Side, Side] = ("imagewright", "script")
_SHARED = ("apt", "bases", "packages")
_BACKEND = "images/backend/app/main.py"
_FRONTEND = "images/frontend/app/globals.css"


@dataclass(slots=True)
class Lab:
    """Two clones below ``home``, and what their runs share. Nothing outside of it is touched."""

    home: Path
    engine: Engine
    registry: str
    debian: str = ""
    changes: int = 0

    def clone(self, side: Side) -> Path:
        """The checkout of one side."""
        return self.home / side

    def run(self, side: Side, *verbs: str) -> Cost:
        """One run of the pipeline (``./inv``) or of the script (``naive.sh``)."""
        program = "./inv" if side == "imagewright" else "bench/naive.sh"
        return cost((program, *verbs), cwd=self.clone(side), env=self._environment())

    def bake(self) -> Cost:
        """The solve alone, into layouts as the pipeline exports them."""
        root = self.clone("script")
        layout = "type=oci,dest=out/layout/{},tar=false,oci-mediatypes=true"
        names = [path.parent.name for path in sorted(root.glob("images/*/image.toml"))]
        outputs = [word for name in names for word in ("--set", f"{name}.output={layout.format(name)}")]
        words = (self.engine.docker, "buildx", "bake", "--file", "bench/docker-bake.hcl", "--progress", "quiet")
        (root / "out").mkdir(exist_ok=True)
        return cost(
            (*words, *outputs), cwd=root, env={**self._environment(), "TAG": "bake", "SOURCE_DATE_EPOCH": "1767225600"}
        )

    def warm_up(self) -> None:
        """Run both, uncounted: the second time the first push is a release to compare with."""
        self.run("imagewright", "build", "scan", "push")
        self.run("imagewright", "build", "scan", "push")
        self.debian = _debian(self.clone("imagewright"), self.home / "cache")
        self.run("script", "lint", "build", "scan", "push")

    def change(self, side: Side, file: str, line: str) -> None:
        """Add one line, which no run has seen before, to a file of a clone, and commit it."""
        self.changes += 1
        root = self.clone(side)
        with (root / file).open("a", encoding="utf-8") as stream:
            stream.write(line.format(self.changes))
        _git(root, "commit", "--quiet", "--all", "--message", f"change {self.changes}")

    def change_database(self) -> None:
        """Put another database in the place of the one in use."""
        self.changes += 1
        folder = self.home / f"database-{self.changes}"
        now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        nobody_has = Advisory(f"CVE-2099-{self.changes:04}", "pip", "not-installed", "HIGH", "1.0")
        write(folder, [nobody_has], updated=now)
        link = self.home / "database"
        link.unlink(missing_ok=True)
        link.symlink_to(folder)

    def empty_registry(self) -> None:
        """A registry that holds nothing, at the same address."""
        local_registry.stop()
        shutil.rmtree(self.home / "cache/registry/data", ignore_errors=True)
        local_registry.start()

    def forget(self) -> None:
        """No image, no cached step, no record, an empty registry; engine, base and programs stay."""
        for side in SIDES:
            shutil.rmtree(self.clone(side) / "out", ignore_errors=True)
        self._docker("image", "prune", "--all", "--force")
        self._docker("buildx", "prune", "--all", "--force")
        self.empty_registry()

    def _docker(self, *words: str) -> None:
        subprocess.run((self.engine.docker, *words), env=self.engine.env, check=True, capture_output=True)

    def _environment(self) -> Mapping[str, str]:
        path = (str(self.engine.docker.parent), str(Path(sys.prefix) / "bin"), self.engine.env["PATH"])
        return {
            **self.engine.env,
            "PATH": os.pathsep.join(path),
            "NO_COLOR": "1",
            "GITHUB_ACTIONS": "",
            "IMAGEWRIGHT_CACHE": str(self.home / "cache"),
            "IMAGEWRIGHT_ENGINE": "embedded",
            "IMAGEWRIGHT_REGISTRY": "local",
            "IMAGEWRIGHT_DATABASE": str(self.home / "database"),
            "DATABASE": str(self.home / "database"),
            "REGISTRY": self.registry,
            "DEBIAN": self.debian,
        }


@contextmanager
def laboratory(home: Path) -> Iterator[Lab]:
    """Set everything up in an empty folder, with an engine and a registry of its own; both are stopped in the end.

    Only what takes long to fetch and is the same for both sides (packages, the assembled Debian) is shared with the
    user's cache.
    """
    shared = cache.folder()
    own = home / "cache"
    own.mkdir(parents=True)
    for name in _SHARED:
        (shared / name).mkdir(parents=True, exist_ok=True)
        (own / name).symlink_to(shared / name)
    os.environ["IMAGEWRIGHT_CACHE"] = str(own)
    try:
        found = engine.find("embedded")
        lab = Lab(home, found, local_registry.start(port=0).address)
        lab.change_database()
        for side in SIDES:
            _clone(lab.clone(side))
        yield lab
    finally:
        local_registry.stop()
        embedded.stop()


def _clone(folder: Path) -> None:
    subprocess.run((process.find("git"), "clone", "--quiet", "--no-hardlinks", ROOT, folder), check=True)
    _git(folder, "config", "user.name", "bench")
    _git(folder, "config", "user.email", "bench@example.org")
    (folder / ".venv").symlink_to(ROOT / ".venv")


def _git(root: Path, *words: str) -> None:
    subprocess.run((process.find("git"), *words), cwd=root, check=True, capture_output=True)


def _debian(root: Path, cache_folder: Path) -> str:
    """Where the pipeline took debian:trixie-slim from, as a context for bake."""
    evidence = Evidence(root / "out/evidence")
    builds = [evidence.read(Build, subject, "build", hint="") for subject in evidence.subjects()]
    base = next(base for build in builds for base in build.bases if base.name == "debian:trixie-slim")
    return f"oci-layout://{cache_folder / 'bases'}@{base.digest}"
