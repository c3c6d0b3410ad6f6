"""Builds on which something breaks: a clear error, the right exit code, nothing lost, and the next run completes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagewright.oci.layout import Store
from imagewright.reference import Digest
from imagewright.tools import embedded
from tests.integration.conftest import DOCKERFILE, SmallProject, own_cache
from tests.integration.watching import processes, wait_for

FAILING = """
FROM debian:trixie-slim
RUN echo the last words of this step >&2 && exit 7
"""
SLEEPING = """
FROM debian:trixie-slim
RUN sleep {seconds}
"""
LARGE = """
FROM debian:trixie-slim AS build
RUN mkdir /rootfs && head -c 16000000 /dev/urandom > /rootfs/noise
FROM scratch
COPY --from=build /rootfs /
USER 65532:65532
"""


def sound(project: SmallProject) -> dict[str, Digest]:
    """What the names in the store stand for, once everything on disk is known to be whole."""
    out = project.root / "out"
    assert not list(out.glob(".scratch/*"))
    half = [file for folder in ("store", "evidence") for file in (out / folder).rglob(".*") if file.name != ".lock"]
    assert half == []
    store = Store(out / "store")
    images = [store.image(name) for name in store.names()]
    for image in images:
        store.verify(store.blobs(image))
    for record in out.glob("evidence/sha256/*/*.json"):
        json.loads(record.read_text())
    return {image.name: image.root.digest for image in images}


def recorded(project: SmallProject, digest: Digest) -> bool:
    """Whether there is a build record of an image."""
    return (project.root / "out/evidence/sha256" / digest.hex / "build.json").is_file()


def test_without_an_engine_it_says_what_to_install(project: SmallProject, tmp_path: Path) -> None:
    project.image("one")
    project.commit()
    programs = tmp_path / "bin"
    programs.mkdir()
    git = next(Path(folder) / "git" for folder in os.get_exec_path() if (Path(folder) / "git").exists())
    (programs / "git").symlink_to(git)
    ran = project.run("build", PATH=str(programs), IMAGEWRIGHT_ENGINE="environment")
    assert (ran.code, ran.out) == (4, "")
    assert "error: the environment's container engine cannot be used\n  there is no docker command\n" in ran.err
    assert "help: install Docker Engine 23 or newer with buildx" in ran.err
    assert "Traceback" not in ran.err


def test_an_engine_that_does_not_answer_is_named(wired: SmallProject, tmp_path: Path) -> None:
    wired.image("one")
    wired.commit()
    ran = wired.run("build", DOCKER_HOST=f"unix://{tmp_path}/nobody.sock")
    assert ran.code == 4
    assert f"{tmp_path}/nobody.sock" in ran.err
    assert "help: start Docker, or mend DOCKER_HOST" in ran.err


def test_a_failing_step_shows_its_log_and_the_other_image_is_finished(wired: SmallProject) -> None:
    wired.image("bad", FAILING)
    wired.image("good")
    wired.image("upon", "FROM bad\nUSER 65532:65532\n", extra='needs = ["bad"]')
    wired.commit()
    ran = wired.run("build", "scan", "push")
    assert (ran.code, ran.out) == (5, "")
    error = ran.err[ran.err.index("error: ") :]
    assert error.startswith("error: 2 of 3 images could not be built\n")
    assert "the last words of this step" in ran.err
    assert "bad: RUN echo the last words of this step >&2 && exit 7" in error
    assert "exit code: 7" in error
    # BuildKit runs the step once for both images, and says so under the name of either.
    assert "\n  upon: " in error
    assert "help: mend the step above; what was finished is kept" in error
    assert "Traceback" not in ran.err
    assert list(sound(wired)) == ["good"]
    assert recorded(wired, sound(wired)["good"])
    assert wired.run("scan", "-i", "good").code == 0


def test_an_interrupt_ends_the_children_and_leaves_nothing_half(wired: SmallProject) -> None:
    wired.image("one")
    wired.commit()
    assert wired.run("build").code == 0
    before = sound(wired)
    wired.image("one", SLEEPING.replace("{seconds}", "600"))
    child = wired.start("build", "scan", "push")
    bake = f"{wired.root}/out/.scratch"
    wait_for(lambda: processes(bake), child)
    os.killpg(child.pid, signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert (child.returncode, out) == (130, ""), err
    assert "interrupted" in err
    assert "Traceback" not in err
    assert processes(bake) == []
    assert sound(wired) == before

    wired.git("checkout", "--quiet", ".")
    assert wired.run("build").code == 0
    assert sound(wired) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount the small file system that fills up")
def test_a_disk_that_fills_up_leaves_the_store_whole(wired: SmallProject) -> None:
    wired.image("one")
    wired.commit()
    disk = wired.root / "out"
    disk.mkdir()
    mount = ("mount", "-t", "tmpfs", "-o", "size=8m", "small", str(disk))
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this root may not mount anything")
    try:
        assert wired.run("build").code == 0
        before = sound(wired)
        wired.image("one", LARGE)
        ran = wired.run("build", "scan", "push")
        assert (ran.code, ran.out) == (5, ""), ran.err
        # Whether the engine notices it or this program: the words are the same.
        assert "error: the disk is full\n" in ran.err
        assert "no space left on device" in ran.err.lower()
        assert "help: make room and run the same again; what was finished is kept\n" in ran.err
        assert sound(wired) == before
        wired.image("two")
        both = wired.run("build")
        assert (both.code, both.out) == (5, ""), both.err
        assert "error: the disk is full\n" in both.err
        assert sound(wired) == before
        assert recorded(wired, before["one"])
        assert "Traceback" not in ran.err + both.err

        subprocess.run(("mount", "-o", "remount,size=64m", str(disk)), check=True)
        again = wired.run("build")
        assert again.code == 0, again.err
        assert sound(wired)["one"] != before["one"]
        assert recorded(wired, sound(wired)["one"])
    finally:
        subprocess.run(("umount", "--lazy", str(disk)), check=True)


@pytest.fixture
def private_cache(tmp_path: Path) -> Iterator[Path]:
    """A cache folder with an embedded engine of its own, which is ended with the test."""
    folder = own_cache(tmp_path / "c")
    yield folder
    embedded.stop(folder / "engine")


@pytest.mark.skipif(bool(embedded.impossible()), reason=f"no embedded engine: {embedded.impossible()}")
def test_an_engine_that_dies_breaks_the_build_off_and_the_next_run_starts_it_again(
    project: SmallProject, private_cache: Path
) -> None:
    project.env |= {"IMAGEWRIGHT_CACHE": str(private_cache), "IMAGEWRIGHT_ENGINE": "embedded"}
    project.image("one")
    project.commit()
    assert project.run("build").code == 0
    before = sound(project)
    nap = f"60{os.getpid()}.25"
    project.image("two", SLEEPING.replace("{seconds}", nap))
    child = project.start("build")
    try:
        wait_for(lambda: processes(nap), child)
        pid = embedded.status(private_cache / "engine").pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        out, err = child.communicate(timeout=60)
    finally:
        # The container of a killed engine outlives it.
        for left in processes(nap):
            with contextlib.suppress(ProcessLookupError):
                os.kill(left, signal.SIGKILL)
    assert (child.returncode, out) == (5, ""), err
    assert "error: the build broke off\n" in err
    assert "help: ./inv doctor" in err
    assert "Traceback" not in err
    assert sound(project) == before

    project.image("two", DOCKERFILE)
    again = project.run("build")
    assert again.code == 0, again.err
    assert sound(project)["one"] == before["one"]
    assert list(sound(project)) == ["one", "two"]
