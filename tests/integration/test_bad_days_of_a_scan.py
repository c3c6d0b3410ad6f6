"""Scans on which something is missing, broken or lying: never a pass, and said wherever a person or a program looks."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from pathlib import Path
from unittest.mock import Mock
from uuid import uuid4

import pytest

from imagewright.errors import ToolFailed
from imagewright.flow.scan import scan
from imagewright.flow.workspace import opened
from imagewright.reports import FORMATS
from imagewright.tools import trivy
from imagewright.tools.local_registry import LocalRegistry
from tests.integration import vulndb
from tests.integration.conftest import Ran, SmallProject, Wiring, copied, new_project, now, publish
from tests.integration.fake_scanner import script

NOBODY = "127.0.0.1:1"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, wiring: Wiring) -> SmallProject:
    """A project with one image that is built and not scanned."""
    project = wiring.wired(new_project(tmp_path_factory.mktemp("template") / "project", wiring.engine))
    project.image("one")
    project.commit()
    ran = project.run("build")
    assert ran.code == 0, ran.err
    return project


@pytest.fixture
def built(template: SmallProject, tmp_path: Path) -> SmallProject:
    """A copy of it."""
    return copied(template, tmp_path)


def database(folder: Path, *, next_update: str = "2099-01-01T00:00:00Z") -> Path:
    """A sound database of today as a folder."""
    return vulndb.write(folder, [], updated=now(), next_update=next_update)


def unscanned(project: SmallProject) -> bool:
    """Whether no scan was recorded, nothing lies about, and a push therefore refuses."""
    assert not list((project.root / "out").glob(".scratch/*"))
    pushed = project.run("push")
    assert (pushed.code, pushed.out) == (8, ""), pushed.err
    assert "there is no scan record" in pushed.err
    return not list((project.root / "out/evidence").rglob("*scan.json*"))


def reports(project: SmallProject) -> dict[str, str]:
    """The text of the image's report in each format."""
    folder = project.root / "out/reports/one"
    return {name: (folder / format_.file).read_text() for name, format_ in FORMATS.items() if format_.whole}


def refused(ran: Ran, code: int) -> str:
    """The error a verb ended with, once it is known to have ended like that and to have printed nothing else."""
    assert (ran.code, ran.out) == (code, ""), ran.err
    assert "Traceback" not in ran.err
    return ran.err[ran.err.index("error: ") :]


def test_what_was_not_built_is_not_scanned(wired: SmallProject) -> None:
    wired.image("one")
    for verb in ("scan", "judge", "push"):
        assert refused(wired.run(verb), 8) == "error: one has not been built\n  help: ./inv build -i one\n"
    assert not (wired.root / "out/reports").exists()


def test_a_scanner_that_says_nothing_sensible_leaves_no_record(
    built: SmallProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # In this process, because a scanner with other bytes than the locked ones is not even started.
    monkeypatch.setenv("IMAGEWRIGHT_DATABASE", str(database(tmp_path / "db")))
    for output in ("{", '{"SchemaVersion": 2, "Results": 3}', "no JSON at all"):
        monkeypatch.setattr(trivy, "find", Mock(return_value=script(tmp_path, f"printf '%s' '{output}'")))
        with opened(built.root, sys.stderr) as workspace, pytest.raises(ToolFailed, match="Trivy"):
            scan(workspace, ())
    assert unscanned(built)


def test_a_damaged_database_in_a_folder_is_a_mistake_of_the_settings(built: SmallProject, tmp_path: Path) -> None:
    folder = database(tmp_path / "db")
    (folder / "trivy.db").write_bytes(b"flipped" * 1000)
    error = refused(built.run("scan", IMAGEWRIGHT_DATABASE=str(folder)), 2)
    assert f"IMAGEWRIGHT_DATABASE: {folder} is not a vulnerability database: " in error
    assert "trivy.db is not a BoltDB file" in error
    assert unscanned(built)


def test_a_database_damaged_inside_is_no_database_without_findings(built: SmallProject, tmp_path: Path) -> None:
    folder = database(tmp_path / "db")
    whole = (folder / "trivy.db").read_bytes()
    (folder / "trivy.db").write_bytes(whole[: 4 * vulndb.PAGE] + bytes(len(whole) - 4 * vulndb.PAGE))
    error = refused(built.run("scan", "push", IMAGEWRIGHT_DATABASE=str(folder)), 5)
    assert error.startswith("error: trivy image failed with exit code ")
    assert unscanned(built)


@pytest.mark.covers("SEC-015")
def test_without_a_database_it_says_not_checked_everywhere_and_a_release_is_blocked(built: SmallProject) -> None:
    nowhere = {"IMAGEWRIGHT_DATABASE": f"{NOBODY}/trivy-db:2"}
    ran = built.run("scan", **nowhere)
    assert ran.code == 0, ran.err
    assert "vulnerabilities: not checked (no database: " in ran.err
    shown = reports(built)
    assert [name for name, text in shown.items() if "not checked" not in text.lower() or NOBODY not in text] == []
    document = json.loads(shown["json"])
    assert document["findings"]["vulnerabilities"]["checked"] is False
    assert "not checked" in (built.root / "out/reports/index.html").read_text().lower()
    outcomes = {result["rule"]: result["outcome"] for result in document["verdict"]["rules"]}
    unchecked = {rule for rule, outcome in outcomes.items() if outcome == "not-checked"}
    assert {"SEC-012", "SEC-012.2", "SEC-012.3", "SEC-015"} <= unchecked

    for verb in ("judge", "push"):
        error = refused(built.run(verb, "--profile", "release"), 6)
        assert " rules block: SEC-012, " in error
        assert " SEC-015, " in error
    # The same bytes with nothing checked may go no further than this machine.
    assert built.run("push").code == 0


def test_what_is_served_as_a_database_and_is_none_counts_as_none(
    built: SmallProject, loopback: LocalRegistry, tmp_path: Path
) -> None:
    whole = vulndb.artifact(database(tmp_path / "db"))
    for archive in (whole[:-8], b"no archive"):
        served = publish(loopback, f"database-{uuid4().hex[:8]}", archive, tag="2")
        ran = built.run("scan", "--profile", "release", IMAGEWRIGHT_DATABASE=str(served))
        assert " rules block: SEC-012, " in refused(ran, 6)
        assert "vulnerabilities: not checked (no database: the archive is broken: " in ran.err


def test_an_older_copy_serves_when_no_newer_one_can_be_had_and_the_run_says_so(
    built: SmallProject, loopback: LocalRegistry, tmp_path: Path
) -> None:
    name = f"database-{uuid4().hex[:8]}"
    folder = database(tmp_path / "db", next_update="2026-01-01T00:00:00Z")
    publish(loopback, name, vulndb.artifact(folder), tag="2")
    setting = {"IMAGEWRIGHT_DATABASE": f"{loopback.address}/{name}:2"}
    assert built.run("scan", **setting).code == 0
    (link,) = Path(built.env["IMAGEWRIGHT_CACHE"]).glob("trivy-db/*/current")
    yesterday = time.time() - 86_400
    os.utime(link, (yesterday, yesterday), follow_symlinks=False)
    shutil.rmtree(loopback.data / "docker/registry/v2/repositories" / name)
    ran = built.run("scan", **setting)
    assert ran.code == 0, ran.err
    assert "an older copy serves, as no newer one could be fetched: " in ran.err
    assert json.loads(reports(built)["json"])["findings"]["vulnerabilities"]["checked"] is True
