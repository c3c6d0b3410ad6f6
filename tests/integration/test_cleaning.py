"""Cleaning where images are really built: what is in use stays, and what a run needs is never taken from it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from imagewright.evidence import Evidence
from imagewright.oci.layout import Store
from imagewright.tools import buildx
from imagewright.tools.engine import Engine
from tests.integration.conftest import DOCKERFILE, SmallProject
from tests.integration.watching import nap, wait_for, waits_for_a_lock, wake

pytestmark = pytest.mark.integration


def tree(root: Path) -> dict[Path, str]:
    files = (path for path in sorted(root.rglob("*")) if path.is_file())
    return {path.relative_to(root): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def stored(project: SmallProject) -> set[str]:
    return {path.name for path in (project.root / "out/store/blobs/sha256").iterdir()}


def reached(project: SmallProject) -> set[str]:
    store = Store(project.root / "out/store")
    return {digest.hex for name in store.names() for digest in store.blobs(store.image(name))}


def test_the_store_holds_what_its_names_stand_for_and_what_is_cleaned_is_not_missed(wired: SmallProject) -> None:
    wired.image("app")
    wired.commit()
    assert wired.run("build", "scan").code == 0
    before = Store(wired.root / "out/store").image("app").root.digest
    wired.image("app", DOCKERFILE.replace("> /rootfs/name", "again > /rootfs/name"))
    wired.commit()
    assert wired.run("build", "scan").code == 0
    evidence = Evidence(wired.root / "out/evidence")
    assert stored(wired) == reached(wired)
    assert before in evidence.subjects()
    held = tree(wired.root / "out")
    dry = wired.run("clean", "--dry-run")
    assert (dry.code, tree(wired.root / "out")) == (0, held), dry.err
    ran = wired.run("clean")
    assert ran.code == 0, ran.err
    assert f"out/evidence/sha256/{before.hex}: " in ran.out
    assert [line.replace("would be", "were") for line in dry.out.splitlines()] == ran.out.splitlines()
    assert before not in evidence.subjects()
    assert wired.run("judge", "push").code == 0
    assert wired.run("clean").out == "0 B were removed\n"


def test_what_was_released_stays_when_another_image_has_its_name(wired: SmallProject) -> None:
    wired.image("app")
    wired.commit()
    assert wired.run("build", "scan", "push").code == 0
    released = reached(wired)
    wired.image("app", DOCKERFILE.replace("> /rootfs/name", "again > /rootfs/name"))
    wired.commit()
    assert wired.run("build", "scan").code == 0
    assert wired.run("clean").code == 0
    assert stored(wired) == reached(wired) | released
    assert wired.run("audit").code == 0


def test_cleaning_waits_for_a_build_that_runs(wired: SmallProject) -> None:
    sleeping = nap()
    wired.image("app", DOCKERFILE.replace("FROM scratch", f"RUN sleep {sleeping} || true\nFROM scratch"))
    wired.commit()
    build = wired.start("build")
    wait_for(lambda: list((wired.root / "out/.scratch").glob("*/bake.json")), build)
    clean = wired.start("clean")
    wait_for(lambda: waits_for_a_lock(clean.pid), clean)
    assert build.poll() is None, build.communicate()
    wake(sleeping)
    ended = [child.communicate(timeout=120) for child in (build, clean)]
    assert (build.returncode, clean.returncode) == (0, 0), ended
    assert stored(wired) == reached(wired)
    assert Store(wired.root / "out/store").names() == ("app",)


def test_the_engine_says_how_large_its_build_cache_is(engine: Engine, project: SmallProject) -> None:
    project.image("app")
    project.commit()
    assert project.run("build").code == 0
    assert buildx.cache_size(engine) > 1_000_000
