"""What did not change is not done again, and what did is."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from imagewright.oci.layout import Store
from imagewright.tools.engine import Engine
from tests.integration import vulndb
from tests.integration.conftest import SmallProject, new_project

pytestmark = pytest.mark.integration

APP = """
FROM base
COPY x /x
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("database")


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory, engine: Engine) -> SmallProject:
    """Two images, one on the other, built and scanned."""
    project = new_project(tmp_path_factory.mktemp("scanned") / "project", engine)
    project.image("base")
    project.image("app", APP, extra='needs = ["base"]', lets_in=("x",))
    (project.root / "images/app/x").write_text("1")
    project.commit()
    assert project.run("build", "scan").code == 0
    return project


@pytest.fixture
def two(scanned: SmallProject, tmp_path: Path) -> SmallProject:
    """A copy of it, elsewhere: what was recorded holds there too."""
    shutil.copytree(scanned.root, tmp_path / "copy", symlinks=True)
    return SmallProject(tmp_path / "copy", scanned.env)


def done(err: str) -> dict[str, str]:
    """Each row of image and step, and whether it was ``unchanged``."""
    rows = re.findall(r"^✓ (\S+) +(build|scan) +[\d.]+ s  (.*)$", err, re.MULTILINE)
    return {f"{image} {step}": "unchanged" if text.startswith("unchanged") else "done" for image, step, text in rows}


def test_with_nothing_changed_nothing_is_built_or_scanned(two: SmallProject) -> None:
    ran = two.run("build", "scan", "push")
    assert ran.code == 0
    assert set(done(ran.err).values()) == {"unchanged"}
    again = two.run("build", "scan", "push")
    assert again.out == ran.out
    assert "0 uploaded, 0 mounted" in again.err


def test_a_commit_elsewhere_changes_no_image(two: SmallProject) -> None:
    (two.root / "notes.txt").write_text("a thought")
    two.commit()
    assert set(done(two.run("build", "scan").err).values()) == {"unchanged"}


def test_a_change_in_one_image_leaves_the_one_below_it_alone(two: SmallProject) -> None:
    (two.root / "images/app/x").write_text("2")
    two.commit()
    expected = {"base build": "unchanged", "base scan": "unchanged", "app build": "done", "app scan": "done"}
    assert done(two.run("build", "scan").err) == expected


def test_a_change_in_a_base_reaches_what_stands_on_it(two: SmallProject) -> None:
    (two.root / "images/base/y").write_text("2")
    two.commit()
    assert done(two.run("build").err) == {"base build": "done", "app build": "done"}


def test_another_database_means_another_scan_and_no_build(two: SmallProject, folder: Path) -> None:
    vulndb.write(folder, ())
    ran = two.run("build", "scan", IMAGEWRIGHT_DATABASE=str(folder))
    expected = {"base build": "unchanged", "base scan": "done", "app build": "unchanged", "app scan": "done"}
    assert done(ran.err) == expected


@pytest.mark.parametrize("record", ["build", "scan", "sboms"])
@pytest.mark.parametrize("harm", ["deleted", "truncated", "edited"])
def test_a_harmed_record_is_made_again_and_never_believed(two: SmallProject, record: str, harm: str) -> None:
    digest = Store(two.root / "out/store").image("app").root.digest
    path = two.root / "out/evidence/sha256" / digest.hex / f"{record}.json"
    text = path.read_text()
    if harm == "deleted":
        path.unlink()
    else:
        path.write_text(text[: len(text) // 2] if harm == "truncated" else text.replace("app", "bpp").replace("1", "2"))
    ran = two.run("build", "scan")
    assert ran.code == 0, ran.err
    assert done(ran.err)["app build" if record == "build" else "app scan"] == "done"
    assert two.run("push").code == 0


@pytest.mark.parametrize("harm", ["deleted", "edited"])
def test_what_an_image_was_made_from_is_written_down_again(two: SmallProject, harm: str) -> None:
    digest = Store(two.root / "out/store").image("app").root.digest
    path = two.root / "out/evidence/sha256" / digest.hex / "inputs.json"
    text = path.read_text()
    if harm == "deleted":
        path.unlink()
    else:
        path.write_text(text.replace("/x", "/y"))
    without = two.run("push")
    assert (without.code, without.out) == (8, ""), without.err
    assert "./inv build -i app" in without.err
    assert done(two.run("build").err)["app build"] == "unchanged"
    assert path.read_text() == text
    assert two.run("push").code == 0


def test_a_lost_blob_is_built_again(two: SmallProject) -> None:
    store = Store(two.root / "out/store")
    store.blob_path(store.image("app").manifests[0][1].layers[-1].digest).unlink()
    assert done(two.run("build").err)["app build"] == "done"
    assert two.run("scan", "push").code == 0


def test_a_tag_never_names_an_image_of_other_inputs(two: SmallProject) -> None:
    (two.root / "images/app/x").write_text("2")
    two.commit()
    ran = two.run("push")
    assert ran.code == 8
    assert "app was built from other inputs" in ran.err
    assert ran.out == ""
    assert two.run("build", "scan", "push").code == 0
