"""A scan begins when its image is exported, and says the same as one that waited."""

from __future__ import annotations

import time

import pytest

from tests.integration.conftest import DOCKERFILE, SmallProject

pytestmark = pytest.mark.integration

# Never the same step twice, so that it is never cached.
SLOW = DOCKERFILE.replace("FROM scratch", "RUN sleep 8 && : {0}\nFROM scratch")


@pytest.fixture
def two(wired: SmallProject) -> SmallProject:
    """An image that is there at once, and one that takes its time."""
    wired.image("fast")
    wired.image("slow", SLOW.replace("{0}", str(time.time_ns())))
    wired.commit()
    assert wired.run("build", "-i", "fast").code == 0  # its steps are cached from here on
    (wired.root / "dockerfiles/fast.Dockerfile").write_text(DOCKERFILE.format(name="fast") + "LABEL again=1\n")
    wired.commit()
    return wired


def test_an_image_is_scanned_while_another_one_is_still_being_built(two: SmallProject) -> None:
    ran = two.run("build", "scan")
    assert ran.code == 0, ran.err
    lines = [line.split()[1:3] for line in ran.err.splitlines() if line.startswith("✓")]
    assert lines.index(["fast", "scan"]) < lines.index(["slow", "build"]), ran.err
    assert lines.count(["fast", "scan"]) == 2, "and the scan's own turn finds it done"
    before = {path: path.read_bytes() for path in (two.root / "out/evidence").rglob("scan.json")}
    assert two.run("scan").code == 0
    assert {path: path.read_bytes() for path in before} == before


def test_without_a_scan_to_come_nothing_is_scanned(two: SmallProject) -> None:
    ran = two.run("build")
    assert ran.code == 0, ran.err
    assert " scan " not in ran.err
    assert not list((two.root / "out/evidence").rglob("scan.json"))


def test_an_image_that_breaks_does_not_keep_the_others_from_being_scanned(two: SmallProject) -> None:
    recipe = two.root / "dockerfiles/slow.Dockerfile"
    recipe.write_text(recipe.read_text().replace("sleep 8 &&", "sleep 8 && exit 3;"))
    two.commit()
    ran = two.run("build", "scan")
    assert ran.code == 5, ran.err
    assert two.run("scan", "-i", "fast").code == 0
