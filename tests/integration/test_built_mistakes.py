"""policies/fixtures/mistakes, built for real: each is caught by the rules it names, the good twins by none of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from imagewright.flow.bases import host_platform
from imagewright.flow.mistakes import read
from imagewright.mistakes import BROKEN, FOLDER, Mistake
from imagewright.model.facts import Facts
from imagewright.oci.layout import Store
from imagewright.schema import read as parse
from imagewright.tools import cache
from tests.integration.conftest import ROOT, SmallProject

pytestmark = pytest.mark.integration

MOVING = ("debian:latest", "example.org/uv:latest")
"""Names without a lock; the bytes behind them are those of the locked base, so that nothing is fetched for them."""


def declare(project: SmallProject) -> None:
    """Put every folder into the project as an image of its own, its Dockerfile where those of images lie."""
    shutil.rmtree(project.root / "images", ignore_errors=True)
    for name in ("images/bases.toml", "images/bases.lock"):
        (project.root / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, project.root / name)
    for folder in sorted(path for path in (ROOT / FOLDER).iterdir() if path.is_dir()):
        image = project.root / "images" / folder.name
        shutil.copytree(folder, image)
        for file in sorted(image.glob("Dockerfile*")):
            file.rename(project.root / "dockerfiles" / file.name.replace("Dockerfile", f"{folder.name}.Dockerfile", 1))
    with (project.root / "images/bases.toml").open("a") as bases:
        for name in MOVING:
            bases.write(f'\n[[base]]\nname = "{name}"\nsource = "bootstrap"\nsuite = "trixie"\n')
    project.commit()


def stand_in(project: SmallProject) -> None:
    """Let the locked base, assembled by a first build, stand behind the names that have no lock."""
    assert project.run("build", "-i", "runtime-python").code == 0
    shared, own = cache.folder() / "bases", Path(project.env["IMAGEWRIGHT_CACHE"]) / "bases"
    known = Store(shared)
    root = next(known.image(name).root for name in known.names() if name.startswith("debian:trixie-slim "))
    own.unlink()
    own.mkdir()
    (own / "blobs").symlink_to(shared / "blobs")
    for name in MOVING:
        Store(own).set_name(f"{name} {host_platform()} 0 ", root)


def record(project: SmallProject, name: str, kind: str) -> Mapping[str, Any]:
    digest = Store(project.root / "out/store").image(name).manifests[0][1].digest
    path = project.root / "out/evidence/sha256" / digest.hex / f"{kind}.json"
    document: Mapping[str, Any] = json.loads(path.read_text())
    return document


def broken(project: SmallProject, name: str) -> frozenset[str]:
    results = record(project, name, "verdict")["body"]["results"]
    return frozenset(result["rule"] for result in results if result["outcome"] in BROKEN)


def wrong(project: SmallProject, mistake: Mistake, named: frozenset[str]) -> str:
    """How the verdict on the built image differs from what is expected; empty when it does not."""
    name, expected = mistake.definition.name, frozenset(mistake.expected.rules)
    facts = parse(Facts, record(project, name, "facts")["body"])
    if facts.image.service != mistake.expected.service:
        return f"serves with {facts.image.service!r}"
    found = broken(project, name)
    if expected:
        return f"not caught by {sorted(expected - found)}" if expected - found else ""
    return f"caught by {sorted(found & named)}" if found & named else ""


@pytest.mark.covers("SEC-003", "SEC-005", "SEC-008", "SEC-010", "BE-006", "BE-007", "FE-002", "FE-003", "FE-008")
def test_each_mistake_is_caught_and_a_good_image_is_not(wired: SmallProject) -> None:
    mistakes = read(ROOT)
    declare(wired)
    stand_in(wired)
    built = wired.run("build")
    assert built.code == 0, built.err
    scanned = wired.run("scan")
    assert scanned.code == 6, scanned.err
    named = frozenset(rule for mistake in mistakes for rule in mistake.expected.rules)
    assert {mistake.definition.name: said for mistake in mistakes if (said := wrong(wired, mistake, named))} == {}
    assert len(mistakes) > len(named) / 2 > 10
