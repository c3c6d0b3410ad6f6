"""A release is judged by its clock, a change by what it brings in: with the real scanner, registry and verbs."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from imagewright.evidence import Evidence
from imagewright.model.history import Ledger
from imagewright.policy.gates import moment
from imagewright.reference import Platform, Reference
from tests.integration import vulndb
from tests.integration.conftest import DOCKERFILE, SmallProject

JINJA2, FLASK = "jinja2-2.10.dist-info", "flask-2.2.0.dist-info"
COPIES = f"COPY {JINJA2} /app/lib/{JINJA2}\n"
METADATA = "Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nLicense: BSD-3-Clause\n"
PLATFORM = Platform("linux", "amd64")
OLD, NEW = "CVE-2099-1001", "CVE-2099-1002"
ADVISORIES = {
    OLD: vulndb.Advisory(OLD, "pip", "jinja2", "HIGH", "2.11.3"),
    NEW: vulndb.Advisory(NEW, "pip", "flask", "CRITICAL", "2.3.2"),
}


def knowing(project: SmallProject, *ids: str) -> None:
    """From now on the project scans with a database of today that knows these vulnerabilities."""
    today = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    folder = project.root.parent / f"database-{len(ids)}"
    vulndb.write(folder, [ADVISORIES[id] for id in ids], updated=today)
    project.env["IMAGEWRIGHT_DATABASE"] = str(folder)


def package(project: SmallProject, folder: str) -> None:
    name, _, version = folder.removesuffix(".dist-info").partition("-")
    there = project.root / "images/shop" / folder
    there.mkdir()
    (there / "METADATA").write_text(METADATA.format(name=name, version=version))


def report(project: SmallProject, folder: str = "out/reports") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((project.root / folder / "shop/report.json").read_text())
    return found


def outcomes(project: SmallProject, folder: str = "out/reports") -> dict[str, str]:
    """What the rules of both gates said."""
    rules = report(project, folder)["verdict"]["rules"]
    return {one["rule"]: one["outcome"] for one in rules if one["rule"].startswith(("SEC-012", "SEC-014", "SEC-017"))}


def ledger(project: SmallProject) -> Ledger:
    return Evidence(project.root / "out/evidence").ledger("shop", PLATFORM)


def put_back(project: SmallProject, days: int) -> None:
    """Let everything the ledger knows have happened so many days earlier."""

    def earlier(at: str) -> str:
        return moment(datetime.fromisoformat(at) - timedelta(days=days))

    known = ledger(project)
    releases = tuple(replace(one, at=earlier(one.at)) for one in known.releases)
    sightings = tuple(replace(one, at=earlier(one.at)) for one in known.sightings)
    Evidence(project.root / "out/evidence").keep_ledger(replace(known, releases=releases, sightings=sightings))


@pytest.fixture
def shop(wired: SmallProject) -> SmallProject:
    """An image that was released when nothing was known of it."""
    wired.image("shop", DOCKERFILE + COPIES, lets_in=(JINJA2,))
    package(wired, JINJA2)
    wired.commit()
    knowing(wired)
    ran = wired.run("build", "scan", "push")
    assert ran.code == 0, ran.err
    assert "nothing was released yet" in ran.err
    return wired


@pytest.mark.covers("SEC-014", "SEC-017")
def test_what_becomes_known_of_a_release_warns_until_its_time_is_over_and_then_blocks(shop: SmallProject) -> None:
    (release,) = ledger(shop).releases
    assert (release.checked, ledger(shop).sightings) == (True, ())

    knowing(shop, OLD)
    ran = shop.run("scan", "push")
    assert ran.code == 0, ran.err
    assert outcomes(shop)["SEC-012"] == outcomes(shop)["SEC-014"] == "pass"
    assert outcomes(shop)["SEC-014.3"] == "warn"
    gates = report(shop)["gates"]
    assert (gates["against"], gates["introduced"]) == (str(release.subject), [])
    assert [(one["id"], one["days_left"]) for one in gates["disclosed"]] == [(OLD, 7)]
    assert [one.id for one in ledger(shop).sightings] == [OLD]
    assert len(ledger(shop).releases) == 1
    assert shop.run("verify-verdict", str(release.subject)).code == 0

    put_back(shop, 8)
    for verb, folder in (("scan", "out/reports"), ("audit", "out/reports/released")):
        ran = shop.run(verb)
        assert ran.code == 6, ran.err
        assert (outcomes(shop, folder)["SEC-012"], outcomes(shop, folder)["SEC-014"]) == ("pass", "fail")
        assert f": SEC-014 1 vulnerability is critical or high, and its time is over\n  {OLD}" in ran.err.replace(
            "\n    ", "\n  "
        )
        assert "overdue by 1 day" in (shop.root / folder / "shop/report.md").read_text()
    assert (shop.run("push").code, shop.run("push", "--profile", "release").code) == (6, 6)

    path = shop.root / "out/evidence/sha256" / release.subject.hex / "history.json"
    path.write_bytes(path.read_bytes().replace(OLD.encode(), b"CVE-2099-1009"))
    ran = shop.run("verify-verdict", str(release.subject))
    assert (ran.code, "the history record" in ran.err) == (8, True)


@pytest.mark.covers("SEC-012")
def test_what_a_change_brings_in_blocks_beside_what_was_there(shop: SmallProject) -> None:
    released = ledger(shop).releases[-1]
    shop.image("shop", DOCKERFILE + COPIES + COPIES.replace(JINJA2, FLASK), lets_in=(JINJA2, FLASK))
    package(shop, FLASK)
    shop.commit()
    knowing(shop, OLD, NEW)
    ran = shop.run("build", "scan")
    assert ran.code == 6, ran.err
    gates = report(shop)["gates"]
    assert [(one["rule"], one["line"].split()[0]) for one in gates["introduced"] if one["blocking"]] == [
        ("SEC-012", NEW)
    ]
    assert [one["id"] for one in gates["disclosed"]] == [OLD]
    assert [one.id for one in ledger(shop).sightings] == [OLD], "what was never released has no clock"

    tag = str(replace(Reference.parse(f"{released.repository}:{released.tag}"), digest=None))
    for against in (str(released.subject), tag, f"{tag}@{released.subject}"):
        assert shop.run("judge", "--against", against).code == 6
        assert report(shop)["gates"]["against"] == str(released.subject)
    itself = json.loads((shop.root / "out/store/index.json").read_text())["manifests"][-1]["digest"]
    for against, code, words in (
        (f"sha256:{'0' * 64}", 8, "there is no evidence of"),
        (itself, 8, "it is the very image that is judged"),
        (f"{tag}-away", 3, "the registry has no"),
        ("Shop!", 3, "is no image to judge against"),
    ):
        ran = shop.run("push", "--against", against)
        assert (ran.code, words in ran.err) == (code, True), ran.err

    ran = shop.run("audit")
    assert ran.code == 0, ran.err
    assert (outcomes(shop, "out/reports/released")["SEC-014.3"], report(shop)["verdict"]["passed"]) == ("warn", False)


@pytest.mark.covers("SEC-017")
def test_an_audit_needs_a_release_with_its_bytes_and_a_sound_ledger(shop: SmallProject) -> None:
    path = Evidence(shop.root / "out/evidence").ledger_path("shop", PLATFORM)
    kept = path.read_bytes()

    path.unlink()
    ran = shop.run("audit")
    assert (ran.code, "nothing was released yet" in ran.err) == (3, True)
    assert shop.run("judge").code == 0

    path.write_bytes(kept.replace(b"shop", b"ship"))
    for verb in ("judge", "push", "audit"):
        ran = shop.run(verb)
        assert (ran.code, "the ledger of shop (linux/amd64) cannot be trusted" in ran.err) == (8, True), ran.err

    path.write_bytes(kept)
    (shop.root / "out/store/blobs/sha256" / ledger(shop).releases[-1].subject.hex).unlink()
    ran = shop.run("audit")
    assert (ran.code, "the released shop cannot be scanned" in ran.err) == (8, True), ran.err


def test_a_release_whose_evidence_is_gone_is_no_baseline_and_that_is_said(shop: SmallProject) -> None:
    released = ledger(shop).releases[-1]
    (shop.root / "images/shop" / JINJA2 / "LICENSE").write_text("BSD")
    shop.commit()
    assert shop.run("build").code == 0
    for path in sorted((shop.root / "out/evidence/sha256" / released.subject.hex).iterdir()):
        path.unlink()
    knowing(shop, OLD)
    ran = shop.run("scan")
    assert (ran.code, outcomes(shop)["SEC-012"]) == (6, "fail")
    assert f"the evidence of {released.subject}" in Path(shop.root / "out/reports/shop/report.txt").read_text()
