"""How planning grows with the number of images: a repository is made up, recorded as built, and looked at again.

No engine is needed: the records of a build are written through the functions a build uses. Measured is what a build
does before it knows that nothing changed, and what ./inv why does, each in a process of its own.

    python bench/scale.py                        1, 10, 100 and 500 images of 200 files
    python bench/scale.py --images 50 --files 20
"""

from __future__ import annotations

import argparse
import io
import json
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from imagewright import plan
from imagewright.filehash import MARGIN_NS
from imagewright.flow import bases, reuse
from imagewright.flow.inputs import gather
from imagewright.flow.targets import targets_of
from imagewright.flow.why import why
from imagewright.flow.workspace import Workspace, looked_at
from imagewright.model.findings import ToolIdentity
from imagewright.model.image import Descriptor
from imagewright.model.records import Build
from imagewright.oci.parse import MANIFEST_TYPES
from imagewright.tools import process

BUILDER = (ToolIdentity("docker", "28.0"), ToolIdentity("buildx", "0.29"))
DEFINITION = """
name = "{name}"
title = "Image {name}"
repository = "bench/{name}"
licenses = "MIT"
needs = [{needs}]
[run]
user = "65532:65532"
"""
BASES = '[[base]]\nname = "debian:trixie-slim"\nsource = "registry"\n'
LOCK = BASES + f'platform = "linux/amd64"\ndigest = "sha256:{"1" * 64}"\nlocked = "2026-01-01"\n'
FAMILY = 10
"""One image in so many is the base of those after it."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What one look took: wall time and processor time (git's included) in seconds, by phase, and memory in bytes."""

    phases: tuple[tuple[str, float, float], ...]
    memory: int


class Clock:
    """Wall time and the processor time of this process and its children, since the last phase ended."""

    def __init__(self) -> None:
        self._then = self._now()
        self.phases: list[tuple[str, float, float]] = []

    def passed(self, phase: str) -> None:
        """End a phase."""
        before, self._then = self._then, self._now()
        self.phases.append((phase, self._then[0] - before[0], self._then[1] - before[1]))

    def measured(self) -> Measured:
        """All phases, and the most memory this process ever held."""
        return Measured(tuple(self.phases), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)

    @staticmethod
    def _now() -> tuple[float, float]:
        return time.perf_counter(), sum(os.times()[:4])


def make_repository(root: Path, images: int, files: int) -> None:
    """A repository of that many images in git, each with a context of that many files in nested folders."""
    for name in ("images", "dockerfiles"):
        (root / name).mkdir(parents=True)
    (root / "images/bases.toml").write_text(BASES)
    (root / "images/bases.lock").write_text(LOCK)
    (root / "pyproject.toml").write_text("")
    (root / ".gitignore").write_text("/out/\n")
    for number in range(images):
        name = f"image-{number:03}"
        base = f"image-{number // FAMILY * FAMILY:03}"
        needs = "" if base == name else f'"{base}"'
        context = root / "images" / name
        for place in range(files):
            folder = context / "app" / f"part{place % 10}" / f"deep{place % 3}"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"module_{place}.py").write_text(f'"""Module {place} of {name}."""\n' + "x = 1\n" * 200)
        (context / "image.toml").write_text(DEFINITION.format(name=name, needs=needs))
        recipe = root / "dockerfiles" / f"{name}.Dockerfile"
        recipe.write_text(f"FROM {base if needs else 'debian:trixie-slim'}\nCOPY app /app\nUSER 65532:65532\n")
        recipe.with_name(f"{recipe.name}.dockerignore").write_text("*\n!app\n**/.env*\n**/*.key\n**/node_modules\n")
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "all"]):
        author = ("-c", "user.name=bench", "-c", "user.email=bench@example.org")
        process.run([process.find("git"), "-C", root, *author, *words])


def record(root: Path) -> None:
    """Put every image into the store and its records beside it, as a build would."""
    workspace = looked_at(root, io.StringIO())
    images = plan.select(workspace.project, ())
    targets = targets_of(workspace, images, bases.planned)
    keys = reuse.inputs(workspace, targets, BUILDER)
    sources = reuse.sources(workspace, images, keys)
    for target in targets:
        name = target.image.name
        manifest = _store(workspace, name)
        workspace.store.set_name(name, manifest)
        key = keys[name]
        used = tuple(context.base for context in target.bases)
        platform = target.image.platforms[0]
        made = Build(manifest.digest, manifest.digest, name, platform, target.source, used, BUILDER, key.digest, "")
        write = workspace.evidence.write
        write(manifest.digest, "build", made, key=key.digest)
        write(manifest.digest, "build-key", key, key=key.digest)
        found = gather(workspace.project.root, target.image, sources[name].repository)
        write(manifest.digest, "inputs", found, key=sources[name].key.digest)
        write(manifest.digest, "inputs-key", sources[name].key, key=sources[name].key.digest)


def _store(workspace: Workspace, name: str) -> Descriptor:
    """A tiny image: a configuration, no layer."""
    body = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}, "author": name}
    data = json.dumps(body).encode()
    config = workspace.store.put(data)
    kind = MANIFEST_TYPES[0]
    points = {"mediaType": kind.replace("manifest", "config"), "digest": str(config), "size": len(data)}
    document = {"schemaVersion": 2, "mediaType": kind, "config": points, "layers": []}
    manifest = json.dumps(document).encode()
    return Descriptor(kind, workspace.store.put(manifest), len(manifest))


def look(root: Path) -> Measured:
    """What a build does until it knows that every image stands."""
    clock = Clock()
    workspace = looked_at(root, io.StringIO())
    clock.passed("definitions")
    images = plan.select(workspace.project, ())
    targets = targets_of(workspace, images, bases.planned)
    clock.passed("git")
    keys = reuse.inputs(workspace, targets, BUILDER)
    clock.passed("contexts")
    sources = reuse.sources(workspace, images, keys)
    clock.passed("sources")
    for image in images:
        built = reuse.built_before(workspace, image.name, keys[image.name].digest)
        if built is None:
            raise SystemExit(f"{image.name} would be built again")
        reuse.note_sources(workspace, image, built.manifests[0][1], sources[image.name])
    clock.passed("records")
    return clock.measured()


def explain(root: Path) -> Measured:
    """The same as ./inv why."""
    clock = Clock()
    why(looked_at(root, io.StringIO()), ())
    clock.passed("why")
    return clock.measured()


def apart(function: Callable[[Path], Measured | None], root: Path) -> Measured | None:
    """Run in a fresh process, so that nothing is remembered but what is on disk."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, root).result()


def main() -> None:
    """Measure each size and print a line each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--images", type=int, nargs="*", default=[1, 10, 100, 500], help="how many images, each in turn"
    )
    parser.add_argument("--files", type=int, default=200, help="files in the context of each")
    chosen = parser.parse_args()
    for images in chosen.images:
        with tempfile.TemporaryDirectory(prefix="scale-") as folder:
            root = Path(folder) / "repository"
            make_repository(root, images, chosen.files)
            time.sleep(MARGIN_NS / 1e9)
            apart(record, root)
            for name, function in (("build", look), ("why", explain)):
                found = apart(function, root)
                if found is not None:
                    print(line(images, name, found), flush=True)


def line(images: int, name: str, found: Measured) -> str:
    """One measurement in a line."""
    wall, busy = sum(phase[1] for phase in found.phases), sum(phase[2] for phase in found.phases)
    parts = ", ".join(f"{phase} {seconds:.3f}" for phase, _, seconds in found.phases)
    each = f"{wall / images * 1000:6.2f} ms an image, {busy / images * 1000:6.2f} of processor"
    return f"{images:4} images  {name:5} {wall:7.3f} s  {each}  {found.memory / 1e6:4.0f} MB  ({parts})"


if __name__ == "__main__":
    main()
