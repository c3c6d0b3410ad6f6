"""A scan begins when its image is exported, and says the same as one that waited."""

from __future__ import annotations

import subprocess
import time

import pytest

from tests.integration.conftest import DOCKERFILE, Ran, SmallProject
from tests.integration.watching import nap, wait_for, wake

pytestmark = pytest.mark.integration

SLOW = DOCKERFILE.replace("FROM scratch", "RUN sleep {nap} || {end}\nFROM scratch")


@pytest.fixture
def sleeping() -> str:
    """How long the slow image naps unless it is woken."""
    return nap()


@pytest.fixture
def two(wired: SmallProject, sleeping: str) -> SmallProject:
    """An image that is there at once, and one that takes its time."""
    wired.image("fast")
    wired.image("slow", SLOW.replace("{nap}", sleeping).replace("{end}", "true"))
    wired.commit()
    assert wired.run("build", "-i", "fast").code == 0  # its steps are cached from here on
    (wired.root / "dockerfiles/fast.Dockerfile").write_text(DOCKERFILE.format(name="fast") + "LABEL again=1\n")
    wired.commit()
    return wired


def row(line: str) -> list[str]:
    """Image and step of a line that says that one is done."""
    return line.split()[1:3] if line.startswith("✓") else []


def woken_by_a_scan(child: subprocess.Popen[str], sleeping: str) -> Ran:
    """The slow image naps until the fast one was scanned."""
    assert child.stderr
    err = ""
    while row(line := child.stderr.readline()) != ["fast", "scan"] and line:
        err += line
    wake(sleeping)
    out, rest = child.communicate(timeout=120)
    return Ran(child.returncode, out, err + line + rest)


def test_an_image_is_scanned_while_another_one_is_still_being_built(two: SmallProject, sleeping: str) -> None:
    ran = woken_by_a_scan(two.start("build", "scan"), sleeping)
    assert ran.code == 0, ran.err
    lines = [row(line) for line in ran.err.splitlines()]
    assert lines.index(["fast", "scan"]) < lines.index(["slow", "build"]), ran.err
    assert lines.count(["fast", "scan"]) == 2, "and the scan's own turn finds it done"
    before = {path: path.read_bytes() for path in (two.root / "out/evidence").rglob("scan.json")}
    assert two.run("scan").code == 0
    assert {path: path.read_bytes() for path in before} == before


def test_without_a_scan_to_come_nothing_is_scanned(two: SmallProject, sleeping: str) -> None:
    child = two.start("build")
    wait_for(lambda: list((two.root / "out/.scratch").glob("*/fast/index.json")), child)
    time.sleep(2)  # a scan would begin now
    assert child.poll() is None, child.communicate()
    wake(sleeping)
    _, err = child.communicate(timeout=120)
    assert child.returncode == 0, err
    assert " scan " not in err
    assert not list((two.root / "out/evidence").rglob("scan.json"))


def test_an_image_that_breaks_does_not_keep_the_others_from_being_scanned(two: SmallProject, sleeping: str) -> None:
    recipe = two.root / "dockerfiles/slow.Dockerfile"
    recipe.write_text(recipe.read_text().replace("|| true", "; exit 3"))
    two.commit()
    ran = woken_by_a_scan(two.start("build", "scan"), sleeping)
    assert ran.code == 5, ran.err
    assert two.run("scan", "-i", "fast").code == 0
