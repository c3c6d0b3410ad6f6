"""Who brought what is found, and what feeds say of it, in images that stand on each other."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import DOCKERFILE, SmallProject

JINJA2 = "jinja2-2.10.dist-info"
CVE = "CVE-2099-1001"
SETTINGS = """
[tool.imagewright.feeds]
epss = {{ file = "feeds/epss.csv.gz", sha256 = "sha256:{epss}", date = {today} }}
kev = {{ file = "feeds/kev.json", sha256 = "sha256:{kev}", date = {today} }}
"""


@pytest.fixture
def stacked(wired: SmallProject) -> SmallProject:
    """Two images, one on the other, with a vulnerable package in the lower one; built and scanned."""
    wired.image("below", f"{DOCKERFILE}COPY {JINJA2} /app/lib/{JINJA2}\n", lets_in=(JINJA2,))
    folder = wired.root / "images/below" / JINJA2
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: Jinja2\nVersion: 2.10\nLicense: BSD-3-Clause\n")
    wired.image("above", "FROM below\nCOPY hello /hello\n", extra='needs = ["below"]', lets_in=("hello",))
    (wired.root / "images/above/hello").write_text("hello")
    wired.commit()
    built = wired.run("build")
    assert built.code == 0, built.err
    scanned = wired.run("scan")
    assert scanned.code == 6, scanned.err
    return wired


def facts(project: SmallProject) -> dict[str, dict[str, Any]]:
    """The facts of every image, by its name."""
    found = (json.loads(path.read_text())["body"] for path in (project.root / "out/evidence").rglob("facts.json"))
    return {document["image"]["name"]: document for document in found}


def outcomes(project: SmallProject, image: str) -> Iterator[tuple[str, str]]:
    """What each rule said that something here could check."""
    report = json.loads((project.root / f"out/reports/{image}/report.json").read_text())
    results = report["verdict"]["rules"]
    yield from ((result["rule"], result["outcome"]) for result in results if not result["elsewhere"])


def configure(project: SmallProject) -> Path:
    """Feeds of today that know the vulnerability, and settings that name them; returns the scores' file."""
    today = datetime.now(UTC).date().isoformat()
    scores = f"#model_version:v2025.03.14,score_date:{today}T00:00:00Z\ncve,epss,percentile\n{CVE},0.9,0.99\n"
    catalogue = {"dateReleased": f"{today}T15:00:00Z", "vulnerabilities": [{"cveID": CVE, "dueDate": "2099-01-01"}]}
    files = {"epss.csv.gz": gzip.compress(scores.encode()), "kev.json": json.dumps(catalogue).encode()}
    folder = project.root / "feeds"
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    digests = {name.partition(".")[0]: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    with (project.root / "pyproject.toml").open("a") as settings:
        settings.write(SETTINGS.format(**digests, today=today))
    return folder / "epss.csv.gz"


@pytest.mark.covers("SEC-012")
def test_findings_say_who_brought_them_and_feeds_say_which_matter(stacked: SmallProject) -> None:
    found = facts(stacked)
    assert [layer["origin"] for layer in found["below"]["layers"]] == ["application", "application"]
    assert [layer["origin"] for layer in found["above"]["layers"]] == ["base", "base", "application"]
    for image, origin in (("below", "application"), ("above", "base")):
        (vulnerability,) = found[image]["vulnerabilities"]
        assert (vulnerability["id"], vulnerability["origin"], vulnerability["epss"]) == (CVE, origin, -1.0)
        packages = {item["name"]: item["origin"] for item in found[image]["packages"]["items"]}
        assert packages == {"base-files": origin, "Jinja2": origin}
        unchecked = {rule for rule, outcome in outcomes(stacked, image) if outcome == "not-checked"}
        assert unchecked == {"SEC-012.4", "SEC-012.5", "SEC-012.6", "SEC-012.7", "SEC-028"}

    scores = configure(stacked)
    judged = stacked.run("judge")
    assert judged.code == 6, judged.err
    (vulnerability,) = facts(stacked)["above"]["vulnerabilities"]
    assert (vulnerability["epss"], vulnerability["kev_due"]) == (0.9, "2099-01-01T00:00:00Z")
    said = dict(outcomes(stacked, "above"))
    assert [said[f"SEC-012.{number}"] for number in (4, 5, 6, 7)] == ["warn", "warn", "pass", "pass"]

    scores.write_bytes(gzip.compress(b"nothing at all"))
    for verb in ("judge", "push"):
        refused = stacked.run(verb)
        assert (refused.code, refused.out) == (8, ""), refused.err
        assert "the feed feeds/epss.csv.gz is not the one that the settings name" in refused.err
    scores.unlink()
    refused = stacked.run("judge")
    assert (refused.code, refused.out) == (2, ""), refused.err
    assert "tool.imagewright.feeds.epss.file: feeds/epss.csv.gz is neither in the repository nor" in refused.err
