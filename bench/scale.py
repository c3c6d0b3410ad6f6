"""How planning grows with the number of images: a repository is made up, recorded as built, and looked at again.

No engine, scanner or registry is needed: the records of build, lint, sources and scan are written through the functions
that a run uses, with what linter and scanner would say made up. Measured is what ./inv build scan does until it knows
that every image stands, and what ./inv why does, each in a process of its own. It is more than planning: of each image
the records of build, lint, sources and scan are read and checked, its bills of materials hashed, and, to see whether
the judgement stands, every record hashed once more. Outside of it are finding the tools and the database (once a run,
whatever the number of images), the state of the reports, and the push.

    python bench/scale.py                        1, 10, 100 and 500 images of 200 files
    python bench/scale.py --images 50 --files 20
"""

from __future__ import annotations

import argparse
import functools
import io
import json
import multiprocessing
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from imagewright import keys, plan
from imagewright.filehash import MARGIN_NS
from imagewright.flow import bases, checkout, judgement, reuse, standing
from imagewright.flow.inputs import gather
from imagewright.flow.lint import lint
from imagewright.flow.targets import targets_of
from imagewright.flow.why import why
from imagewright.flow.workspace import Workspace, looked_at, platforms, policy_files
from imagewright.inputkey import InputKey
from imagewright.model.findings import Database, Lint, Package, Scan, ToolIdentity, Vulnerability
from imagewright.model.image import Descriptor
from imagewright.model.records import Build, Sbom, SbomCoverage, Sboms
from imagewright.oci.parse import MANIFEST_TYPES
from imagewright.reference import Digest
from imagewright.tools import hadolint, process

BUILDER = (ToolIdentity("docker", "28.0"), ToolIdentity("buildx", "0.29"))
LINTER = ToolIdentity("hadolint", "2.15.0", Digest("2" * 64))
SCANNER = ToolIdentity("trivy", "0.76.0", Digest("3" * 64))
DATABASE = Database(Digest("4" * 64), "2026-01-01T00:00:00Z", "")
PACKAGES, VULNERABILITIES = 40, 10
"""Found in each image: about as many as in one of this project's."""
SBOM_BYTES = 60_000
"""A bill of materials of so many packages, in each of two formats."""
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


@functools.total_ordering
@dataclass(frozen=True, slots=True)
class Measured:
    """What one look took: wall time and processor time (git's included) in seconds, by phase, and memory in bytes."""

    phases: tuple[tuple[str, float, float], ...]
    memory: int

    @property
    def wall(self) -> float:
        """Seconds from beginning to end."""
        return sum(phase[1] for phase in self.phases)

    def __lt__(self, other: Measured) -> bool:
        return self.wall < other.wall


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
        spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return time.perf_counter(), sum(one.ru_utime + one.ru_stime for one in spent)


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


@contextmanager
def linting() -> Iterator[None]:
    """The linter is never started: it has nothing to say."""

    def said(_path: Path, name: str, **_: object) -> Lint:
        return Lint(name, LINTER, ())

    with mock.patch.object(hadolint, "digest", return_value=LINTER.sha256), mock.patch.object(hadolint, "lint", said):
        yield


def record(root: Path) -> None:
    """Put every image into the store and its records beside it, as a build and a scan would."""
    workspace = looked_at(root, io.StringIO())
    images = plan.select(workspace.project, ())
    seen = checkout.look(workspace, images)
    targets = targets_of(workspace, images, seen.sources, bases.planned)
    found = reuse.inputs(targets, seen.received, BUILDER)
    sources = reuse.sources(workspace, images, found, seen.repositories)
    write = workspace.evidence.write
    with linting(), mock.patch("os.fsync"):  # nobody waits for the disk here
        linted = lint(workspace, images)
        for target in targets:
            name = target.image.name
            manifest = _store(workspace, name)
            workspace.store.set_name(name, manifest)
            subject, key = manifest.digest, found[name]
            used = tuple(context.base for context in target.bases)
            platform = target.image.platforms[0]
            made = Build(subject, subject, name, platform, target.source, used, BUILDER, key.digest, "")
            write(subject, "build", made, key=key.digest)
            write(subject, "build-key", key, key=key.digest)
            write(subject, "lint", linted[name].record, key=linted[name].key)
            gathered = gather(workspace.project.root, target.image, sources[name].repository)
            write(subject, "inputs", gathered, key=sources[name].key.digest)
            write(subject, "inputs-key", sources[name].key, key=sources[name].key.digest)
            _scanned(workspace, subject, _scan_key(made))


def _scan_key(build: Build) -> InputKey:
    return keys.scan(build.subject, build.image, build.source, SCANNER, DATABASE)


def _scanned(workspace: Workspace, subject: Digest, parts: InputKey) -> None:
    """What a scan leaves behind."""
    names = [f"package-{number}" for number in range(PACKAGES)]
    kind, layer = "debian", Digest("5" * 64)
    packages = tuple(
        Package(name, "1.2.3-4", "os", kind, f"pkg:deb/debian/{name}@1.2.3-4?arch=amd64", "", ("MIT",), layer)
        for name in names
    )
    vulnerabilities = tuple(
        Vulnerability(f"CVE-2026-{number:04}", "LOW", name, "1.2.3-4", "os", kind, title="It overflows.", layer=layer)
        for number, name in enumerate(names[:VULNERABILITIES])
    )
    evidence, key = workspace.evidence, parts.digest
    documents = []
    for form in ("cdx", "spdx"):
        file, data = f"sbom.{form}.json", os.urandom(SBOM_BYTES)
        evidence.write_bytes(subject, file, data)
        coverage = SbomCoverage(PACKAGES, (("name", PACKAGES),), (), (), 100)
        documents.append(Sbom(form, file, Digest.of(data), PACKAGES, 0, coverage))
    evidence.write_bytes(subject, reuse.REPORT, b"{}")
    evidence.write(subject, "scan-key", parts, key=key)
    evidence.write(subject, "sboms", Sboms(tuple(documents)), key=keys.sboms(parts))
    made = "2026-01-01T00:00:00Z", "namespaces"
    scan = Scan(subject, SCANNER, *made, DATABASE, packages, vulnerabilities, (), (), (), report=Digest.of(b"{}"))
    evidence.write(subject, "scan", scan, key=key)


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
    """What a build and a scan do until they know that every image stands; SystemExit when one does not."""
    clock = Clock()
    workspace = looked_at(root, io.StringIO())
    images = plan.select(workspace.project, ())
    clock.passed("definitions")
    with linting():
        linted = lint(workspace, images)
    clock.passed("lint")
    seen = checkout.look(workspace, images)
    clock.passed("git and contexts")
    targets = targets_of(workspace, images, seen.sources, bases.planned)
    found = reuse.inputs(targets, seen.received, BUILDER)
    clock.passed("keys")
    kept = {name: image for name, key in found.items() if (image := reuse.built_before(workspace, name, key.digest))}
    if len(kept) != len(images):
        raise SystemExit(f"{len(images) - len(kept)} images would be built again")
    clock.passed("builds")
    sources = reuse.sources(workspace, images, found, seen.repositories)
    clock.passed("sources")
    standing.renew(workspace, targets, kept, linted, sources)
    clock.passed("renewal")
    for _, _, _, manifest in platforms(workspace.built(())):
        build = workspace.evidence.read(Build, manifest.digest, "build", hint="")
        if reuse.scanned_before(workspace, manifest.digest, _scan_key(build)) is None:
            raise SystemExit(f"{build.image} would be scanned again")
    clock.passed("scans")
    judgement.question(workspace, (), policy_files(root), (), day=datetime.now(UTC).date())
    clock.passed("judgement")
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
    parser.add_argument("--runs", type=int, default=5, help="looks at each; the one of median wall time is shown")
    chosen = parser.parse_args()
    for images in chosen.images:
        with tempfile.TemporaryDirectory(prefix="scale-") as folder:
            root = Path(folder) / "repository"
            make_repository(root, images, chosen.files)
            time.sleep(MARGIN_NS / 1e9)
            apart(record, root)
            for name, function in (("build", look), ("why", explain)):
                runs = [found for _ in range(chosen.runs) if (found := apart(function, root))]
                print(line(images, name, statistics.median_low(runs)), flush=True)


def line(images: int, name: str, found: Measured) -> str:
    """One measurement in a line."""
    wall, busy = found.wall, sum(phase[2] for phase in found.phases)
    parts = ", ".join(f"{phase} {seconds:.3f}" for phase, _, seconds in found.phases)
    each = f"{wall / images * 1000:6.2f} ms an image, {busy / images * 1000:6.2f} of processor"
    return f"{images:4} images  {name:5} {wall:7.3f} s  {each}  {found.memory / 1e6:4.0f} MB  ({parts})"


if __name__ == "__main__":
    main()
