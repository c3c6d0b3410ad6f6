"""What did not change is not done again, and what did is."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from imagewright import evidence
from imagewright.model.findings import ToolIdentity
from imagewright.oci.layout import Store
from imagewright.tools.engine import Engine
from imagewright.tools.engine_memory import Found
from imagewright.tools.local_registry import LocalRegistry
from tests.integration import vulndb
from tests.integration.conftest import SmallProject, copied, new_project, own_cache

pytestmark = pytest.mark.integration

APP = """
FROM base
COPY x /x
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("database")


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory, engine: Engine, loopback: LocalRegistry) -> SmallProject:
    """Two images, one on the other, built and scanned."""
    project = new_project(tmp_path_factory.mktemp("scanned") / "project", engine)
    project.env["IMAGEWRIGHT_REGISTRY"] = f"{loopback.address}/{uuid4().hex[:8]}"
    project.image("base")
    project.image("app", APP, extra='needs = ["base"]', lets_in=("x",))
    (project.root / "images/app/x").write_text("1")
    project.commit()
    assert project.run("build", "scan").code == 0
    return project


@pytest.fixture
def two(scanned: SmallProject, tmp_path: Path) -> SmallProject:
    """A copy of it, elsewhere."""
    return copied(scanned, tmp_path)


def done(err: str) -> dict[str, str]:
    """Each image and step, and whether all of its rows say ``unchanged``: a scan may have begun during the build."""
    rows = re.findall(r"^✓ (\S+) +(build|scan) +[\d.]+ s  (.*)$", err, re.MULTILINE)
    worked = {(image, step) for image, step, text in rows if not text.startswith("unchanged")}
    return {f"{image} {step}": "done" if (image, step) in worked else "unchanged" for image, step, _ in rows}


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
    with (two.root / "dockerfiles/base.Dockerfile").open("a") as recipe:
        recipe.write("LABEL another=one\n")
    two.commit()
    assert done(two.run("build").err) == {"base build": "done", "app build": "done"}


def test_what_was_found_in_known_layers_is_kept_and_a_scan_without_it_says_the_same(two: SmallProject) -> None:
    cache = two.root / "out/cache/scanner"
    assert {path.name for path in cache.iterdir()} == {"base", "app"}
    (two.root / "images/app/x").write_text("2")
    two.commit()
    assert two.run("build", "scan").code == 0
    digest = Store(two.root / "out/store").image("app").manifests[0][1].digest
    evidence = two.root / "out/evidence/sha256" / digest.hex
    found = {name: said(evidence / name) for name in ("trivy.json", "sbom.cdx.json", "sbom.spdx.json")}
    shutil.rmtree(cache)
    (evidence / "scan.json").unlink()
    assert done(two.run("scan").err) == {"base scan": "unchanged", "app scan": "done"}
    assert {name: said(evidence / name) for name in found} == found


def said(document: Path) -> str:
    """A document of the scanner without the time of day."""
    return re.sub(r'"CreatedAt":"[^"]+"', "", document.read_text(), count=1)


def test_another_database_means_another_scan_and_neither_a_build_nor_other_bills_of_materials(
    two: SmallProject, folder: Path
) -> None:
    def described() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in (two.root / "out/evidence").rglob("sbom*.json")}

    before = described()
    assert len(before) == 6
    vulndb.write(folder, ())
    ran = two.run("build", "scan", IMAGEWRIGHT_DATABASE=str(folder))
    expected = {"base build": "unchanged", "base scan": "done", "app build": "unchanged", "app scan": "done"}
    assert done(ran.err) == expected
    assert described() == before


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


LATER = ("lint", "sources", "scan", "verdict", "report", "push")


def why(project: SmallProject, *words: str, **more: str) -> dict[str, str]:
    """What ``./inv why`` says of each step of each image, reasons in one line."""
    ran = project.run("why", *words, **more)
    assert (ran.code, ran.err) == (0, "")
    found: dict[str, str] = {}
    image = step = ""
    for line in ran.out.splitlines():
        if not line.startswith(" "):
            image = line
        elif line[2] != " ":
            step = f"{image} {line[2:10].strip()}"
            found[step] = line[11:]
        else:
            found[step] += f" {line.strip()}"
    return found


def test_with_nothing_changed_every_step_is_reused(two: SmallProject) -> None:
    said = why(two)
    assert {said.pop(f"{name} push") for name in ("base", "app")} == {"again, because no push of it is on record here"}
    assert set(said.values()) == {"reused"}
    assert two.run("push").code == 0
    assert why(two)["app verdict"] == "again, because history is another"  # there is a release to compare with
    assert two.run("scan").code == 0
    assert set(why(two).values()) == {"reused"}
    assert {step.split()[0] for step in why(two, "-i", "base")} == {"base"}


def test_each_change_is_named_with_what_it_means(two: SmallProject) -> None:
    (two.root / "images/app/x").write_text("2")
    two.image("base", extra='args = { LEVEL = "2" }')
    two.commit()
    said = why(two)
    assert "argument LEVEL is new" in said["base build"]
    assert "file images/app/x changed" in said["app build"]
    assert "image base is another" in said["app build"]
    assert "revision changed from " in said["app build"]
    assert {said[f"app {step}"] for step in LATER} == {"after the build"}
    assert two.run("build").code == 0
    assert why(two)["app build"] == "reused"


def test_what_is_kept_out_of_a_build_changes_nothing(two: SmallProject) -> None:
    (two.root / "images/app/notes.txt").write_text("not let in")
    assert why(two)["app build"] == "reused"
    assert set(done(two.run("build", "scan").err).values()) == {"unchanged"}


def test_another_database_is_named_as_the_reason_for_a_scan(two: SmallProject, folder: Path) -> None:
    vulndb.write(folder, ())
    assert done(two.run("scan", IMAGEWRIGHT_DATABASE=str(folder)).err)["app scan"] == "done"
    vulndb.write(folder, (), updated="2026-11-01T00:00:00Z")
    said = why(two, IMAGEWRIGHT_DATABASE=str(folder))
    assert said["app scan"].startswith("again, because database changed from ")
    assert said["app verdict"] == "after the scan"


def test_another_rule_or_day_or_profile_means_another_verdict(two: SmallProject) -> None:
    (two.root / "policies/own.toml").write_text("")
    said = why(two, "--profile", "ci")
    assert said["app scan"] == "reused"
    assert said["app verdict"] == "again, because file policies/own.toml is new and profile changed from local to ci"


def test_what_a_page_or_a_push_lacks_is_named(two: SmallProject) -> None:
    assert two.run("push", "scan").code == 0
    two.git("tag", "v1.2.3")
    said = why(two)
    assert said["app report"] == "reused"
    assert said["app push"] == "again, because tag 1 is new and tag 1.2 is new and tag 1.2.3 is new"
    elsewhere = why(two, IMAGEWRIGHT_REGISTRY="127.0.0.1:9")["app verdict"]
    assert elsewhere == "again, because history is another"
    page = two.root / "out/reports/app/report.html"
    page.write_text(page.read_text()[:-1])
    assert why(two)["app report"] == "again, because its pages are not as they were written"
    assert why(two)["base report"] == "reused"


def test_another_builder_is_named_without_being_started(two: SmallProject, tmp_path: Path) -> None:
    """What is remembered of the engine says so; nobody is asked."""
    own = own_cache(tmp_path / "own")
    assert two.run("build", IMAGEWRIGHT_CACHE=str(own)).code == 0
    assert why(two, IMAGEWRIGHT_CACHE=str(own))["app build"] == "reused"
    (note,) = (own / "engines").iterdir()
    known = evidence.recall(Found, note, "engine")
    assert known is not None
    evidence.remember(note, "engine", replace(known, builder=(ToolIdentity("docker", "99.0"), *known.builder[1:])))
    said = why(two, IMAGEWRIGHT_CACHE=str(own))["app build"]
    assert said.startswith("again, because image base is another and tool docker changed from ")
    assert said.endswith(" to 99.0")


def test_a_budget_is_no_input_of_a_build_but_belongs_to_the_commit_it_is_named_after(two: SmallProject) -> None:
    with (two.root / "images/app/image.toml").open("a") as definition:
        definition.write('[budget]\ncompressed = "1 GB"\n')
    said = why(two)
    assert said["base build"] == "reused"
    assert re.fullmatch(r"again, because revision changed from (\w+) to \1-dirty", said["app build"])


@pytest.mark.parametrize("harm", ["deleted", "truncated", "edited", "of another version"])
@pytest.mark.parametrize("record", ["build", "scan", "sboms", "inputs", "verdict"])
def test_a_harmed_record_is_a_reason(two: SmallProject, record: str, harm: str) -> None:
    digest = Store(two.root / "out/store").image("app").root.digest
    path = two.root / "out/evidence/sha256" / digest.hex / f"{record}.json"
    text = path.read_text()
    if harm == "deleted":
        path.unlink()
    else:
        changed = {"truncated": text[: len(text) // 2], "edited": text.replace("2", "3", 1)}
        path.write_text(changed.get(harm, text.replace("/v1", "/v0", 1)))
    step = {"inputs": "sources", "sboms": "scan"}.get(record, record)
    assert why(two)[f"app {step}"].startswith("again, because "), why(two)


@pytest.mark.parametrize("text", ["", "\0", "imagewright/filehash/v0 x\n"])
def test_a_damaged_memory_of_files_is_no_error(two: SmallProject, text: str) -> None:
    memory = two.root / "out/cache/files"
    memory.mkdir(parents=True, exist_ok=True)
    for name in ("base", "app"):
        (memory / name).write_text(text)
    assert set(done(two.run("build").err).values()) == {"unchanged"}
