"""kill -9 at any moment, then the same command again: it completes, and nothing unjudged was ever pushed."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagewright.evidence import Evidence, sealed
from imagewright.inputkey import InputKey
from imagewright.model.findings import Lint, Scan
from imagewright.model.records import Build, Sboms
from imagewright.model.verdict import Verdict
from imagewright.oci.layout import Store
from imagewright.reference import Digest
from imagewright.tools import cache, mmdebstrap
from imagewright.tools.engine import Engine
from tests.integration.conftest import DOCKERFILE, ROOT, Ran, SmallProject, own_cache
from tests.integration.faulty_registry import Exchange, FaultyRegistry
from tests.integration.watching import wait_for

RECORDS = {"build": Build, "lint": Lint, "scan": Scan, "sboms": Sboms, "verdict": Verdict}
MAIN_JOB = ("build", "scan", "push")

# Ends a verb and its whole process group just before the n-th time it renames a file, starts a program or
# says something to a registry: the moments at which something outside it changes.
DEATH = """
import itertools, os, signal, sys
moment = itertools.count(1)
def hook(event, arguments):
    if event in ("os.rename", "subprocess.Popen", "http.client.send") and next(moment) == int(os.environ["DIES_AT"]):
        os.killpg(0, signal.SIGKILL)
sys.addaudithook(hook)
"""


@pytest.fixture
def registry() -> Iterator[FaultyRegistry]:
    with FaultyRegistry() as server:
        yield server


@pytest.fixture
def job(project: SmallProject, registry: FaultyRegistry) -> SmallProject:
    """A project of two images, and a registry that remembers everything it was asked."""
    project.env["IMAGEWRIGHT_REGISTRY"] = registry.address
    project.image("one")
    project.image("two")
    project.commit()
    return project


def assert_sound(project: SmallProject, registry: FaultyRegistry) -> None:
    """What is named in the store is whole, what is recorded can be read, and each tag was a judged digest's."""
    store = Store(project.root / "out/store")
    evidence = Evidence(project.root / "out/evidence")
    for name in store.names():
        store.verify(store.blobs(store.image(name)))
    passed = set()
    for folder in (project.root / "out/evidence/sha256").glob("*"):
        subject = Digest(folder.name)
        found: dict[str, object] = {
            kind: evidence.read(cls, subject, kind, hint="")
            for kind, cls in RECORDS.items()
            if evidence.has(subject, kind)
        }
        verdict = found.get("verdict")
        if isinstance(verdict, Verdict) and verdict.passed:
            passed.add(str(subject))
    written = [seen for seen in registry.seen if seen.method == "PUT" and "/manifests/" in seen.path]
    assert {str(Digest.of(seen.body)) for seen in written if seen.body} <= passed
    for (repository, _), (_, content) in registry.manifests.items():
        manifest = json.loads(content)
        for blob in (*manifest["layers"], manifest["config"]):
            assert (repository, blob["digest"]) in registry.blobs


def assert_completed(ran: Ran, project: SmallProject, registry: FaultyRegistry) -> None:
    assert ran.code == 0, ran.err
    short = project.git("rev-parse", "HEAD")[:12]
    store = Store(project.root / "out/store")
    images = {name: str(store.image(name).root.digest) for name in ("one", "two")}
    assert ran.out.split() == [
        f"{registry.address}/test/{name}:{short}@{digest}" for name, digest in sorted(images.items())
    ]
    for name, digest in images.items():
        for tag in (short, "main"):
            assert str(Digest.of(registry.manifests[f"test/{name}", tag][1])) == digest
    assert not list((project.root / "out/.scratch").glob("*"))
    assert_sound(project, registry)


def kill(child: subprocess.Popen[str]) -> None:
    os.killpg(child.pid, signal.SIGKILL)
    child.communicate()


def test_one_killed_at_one_moment_after_the_other_gets_there_in_the_end(
    job: SmallProject, registry: FaultyRegistry, tmp_path: Path
) -> None:
    (tmp_path / "death").mkdir()
    (tmp_path / "death/sitecustomize.py").write_text(DEATH)
    path = os.pathsep.join((str(tmp_path / "death"), str(ROOT / "src")))
    deaths = 0
    for moment in range(1, 1000, 7):
        ran = job.run(*MAIN_JOB, PYTHONPATH=path, DIES_AT=str(moment))
        assert_sound(job, registry)
        if ran.code != -signal.SIGKILL:
            break
        deaths += 1
    assert deaths > 3
    assert_completed(ran, job, registry)


@pytest.mark.covers("SEC-027")
def test_one_killed_while_it_pushes_leaves_tags_of_judged_images_only(job: SmallProject) -> None:
    assert job.run("build", "scan").code == 0
    last = "PUT two/manifests/main"
    children: list[subprocess.Popen[str]] = []

    def fault(exchange: Exchange) -> None:
        os.killpg(children[-1].pid, signal.SIGKILL)
        exchange.cut()

    for moment in ("POST uploads", "PUT uploads", "PUT manifests/sha256", "PUT one/manifests/(?!sha256)", last):
        with FaultyRegistry() as registry:
            job.env["IMAGEWRIGHT_REGISTRY"] = registry.address
            method, path = moment.split()
            registry.on(method, path, fault, times=1)
            children.append(job.start("push"))
            children[-1].communicate()
            assert children[-1].returncode == -signal.SIGKILL
            tagged = {f"{repository}:{name}" for repository, name in registry.manifests if ":" not in name}
            assert bool(tagged) == (moment == last), tagged
            assert_sound(job, registry)
            assert_completed(job.run("push"), job, registry)


def test_one_killed_in_the_middle_of_a_build_step(job: SmallProject, registry: FaultyRegistry) -> None:
    # The step takes long where nothing was built before, and the client of the killed run is still there.
    slow = DOCKERFILE.replace("FROM scratch", f"RUN sleep 5 && : {time.time_ns()}\nFROM scratch")
    job.image("two", slow)
    job.commit()
    child = job.start(*MAIN_JOB)
    wait_for(lambda: list((job.root / "out/.scratch").glob("*/bake.json")), child)
    time.sleep(1)
    kill(child)
    assert Store(job.root / "out/store").names() == ()
    assert_sound(job, registry)
    assert_completed(job.run(*MAIN_JOB), job, registry)


def finished(children: list[subprocess.Popen[str]]) -> list[Ran]:
    """How each of some verbs ended that run at once."""
    ended = [child.communicate(timeout=240) for child in children]
    return [Ran(child.returncode, *said) for child, said in zip(children, ended, strict=True)]


def assert_belongs_together(project: SmallProject) -> None:
    """Each record is sealed, stands on the very records beside it, and gives the verdict once more."""
    evidence = Evidence(project.root / "out/evidence")
    for subject in evidence.subjects():
        for path in evidence.folder(subject).glob("*.json"):
            document = json.loads(path.read_bytes())
            assert not document.get("schema") or sealed(document) == path.read_bytes(), path
        for kind in ("build", "inputs", "scan", "facts"):
            parts = evidence.read(InputKey, subject, f"{kind}-key", hint="")
            assert evidence.key(subject, kind) == parts.digest, kind
        verdict = evidence.read(Verdict, subject, "verdict", hint="")
        assert evidence.key(subject, "verdict") == evidence.key(subject, "facts")
        assert project.run("verify-verdict", str(subject)).code == 0, verdict


def test_two_runs_at_once_in_one_checkout_both_end_well(job: SmallProject, registry: FaultyRegistry) -> None:
    ended = finished([job.start(*MAIN_JOB) for _ in range(2)])
    for ran in ended:
        assert_completed(ran, job, registry)
    assert any("another run is at work in this checkout" in ran.err for ran in ended)
    assert_belongs_together(job)


def test_two_checkouts_at_once_that_share_a_users_cache_both_end_well(
    job: SmallProject, registry: FaultyRegistry, engine: Engine, tmp_path: Path
) -> None:
    """Nothing is remembered there yet, so both find and note engine, programs and database at the same time."""
    job.env |= {
        "IMAGEWRIGHT_CACHE": str(own_cache(tmp_path / "cache")),
        "IMAGEWRIGHT_ENGINE": "environment",
        "PATH": os.pathsep.join([str(engine.docker.parent), os.environ.get("PATH", os.defpath)]),
    }
    shutil.copytree(job.root, tmp_path / "other")
    other = SmallProject(tmp_path / "other", {**job.env})
    one, two = finished([project.start(*MAIN_JOB) for project in (job, other)])
    assert_completed(one, job, registry)
    assert_completed(two, other, registry)
    assert one.out == two.out
    for project in (job, other):
        assert_belongs_together(project)
        again = project.run("build", "scan")
        assert again.code == 0
        assert " engine " not in again.err
        assert not re.search(r"(?m)^✓ \S+ +(build|scan) +[\d.]+ s  (?!unchanged)", again.err), again.err


@pytest.mark.skipif(
    bool(mmdebstrap.impossible(mmdebstrap.host_platform())), reason="no base can be assembled on this machine"
)
def test_one_killed_while_it_assembles_a_base(
    job: SmallProject, registry: FaultyRegistry, engine: Engine, tmp_path: Path
) -> None:
    # A cache of the test's own, with the packages of the shared one and no base; the engine stays the same.
    own = tmp_path / "cache"
    own.mkdir()
    for name in ("apt", "packages"):
        (own / name).symlink_to(cache.folder() / name)
    bases = job.root / "images/bases.toml"
    bases.write_text(re.sub(r"(?m)^include = .*$", "include = []", bases.read_text()))
    job.commit()
    env = {**engine.env, "IMAGEWRIGHT_CACHE": str(own), "TMPDIR": str(tmp_path)}
    child = job.start("build", **env)
    wait_for(lambda: list((own / "bases").glob(".*.tar.*/*")), child)
    time.sleep(2)
    kill(child)
    assert Store(own / "bases").names() == ()
    ran = job.run("build", **env)
    assert ran.code == 0, ran.err
    assert_sound(job, registry)
    assert not list((own / "bases").glob(".*.tar.*"))
    Store(own / "bases").verify(Digest(path.name) for path in (own / "bases/blobs/sha256").iterdir())
