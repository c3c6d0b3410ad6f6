"""The same inputs give the same bytes: from the cache, anew, and below whatever stands on them."""

from __future__ import annotations

import hashlib
import re
import shutil
from pathlib import Path
from uuid import uuid4

import pytest

from imagewright.evidence import Evidence
from imagewright.model.records import Rebuild
from imagewright.oci import compare
from imagewright.oci.layout import Store
from imagewright.reference import Digest
from imagewright.tools.engine import Engine
from tests.integration.conftest import ROOT, SmallProject, new_project

pytestmark = pytest.mark.integration

NINETEEN_EIGHTY = 315_532_800

DATED = """
FROM debian:trixie-slim AS build
RUN mkdir -p /image/etc && cp /etc/os-release /image/etc/ && echo {name} > /image/name
RUN {more}
RUN find /image -exec touch --no-dereference --date=1980-01-01 {{}} +
FROM scratch
COPY --from=build /image/ /
USER 65532:65532
"""


def dated(more: str) -> str:
    """A Dockerfile with one more step, whose files all have one date."""
    return DATED.replace("{more}", more)


def rebuild(project: SmallProject, name: str) -> Rebuild:
    digest = Store(project.root / "out/store").image(name).root.digest
    return Evidence(project.root / "out/evidence").read(Rebuild, digest, "rebuild", hint="")


@pytest.mark.covers("SEC-028")
def test_what_two_builds_differ_in_is_named_down_to_the_file(project: SmallProject) -> None:
    project.image("sound", dated("true"))
    project.image("random", dated("head -c 9 /dev/urandom > /image/etc/stamp"))
    project.commit()
    ran = project.run("build", "--verify")
    assert ran.code == 6, ran.err
    named = re.findall(r"^  (\w+): (layer \d) \(.*?\) (/\S*): (\w+); (.*)$", ran.err, re.MULTILINE)
    assert [found[:4] for found in named] == [("random", "layer 1", "/etc/stamp", "content")], ran.err
    assert "random numbers" in named[0][4]
    assert ran.err.count("/etc/stamp") == 1
    (line,) = rebuild(project, "random").differing
    assert "/etc/stamp: content" in line
    assert not list((project.root / "out/.scratch").glob("*"))


@pytest.mark.covers("SEC-028")
def test_two_equal_builds_are_recorded_beside_their_digest(project: SmallProject) -> None:
    project.image("sound", dated("true"))
    project.commit()
    ran = project.run("build", "--verify")
    assert ran.code == 0, ran.err
    record = rebuild(project, "sound")
    assert (record.subject, record.differing) == (record.rebuilt, ())
    # With the one that is there the second is compared, and never put in its place.
    again = project.run("build", "--verify")
    assert re.search(r"sound +build .* unchanged, ", again.err), again.err
    assert rebuild(project, "sound").rebuilt == record.rebuilt


def test_the_second_build_finds_nothing_that_the_first_left_in_a_cache_mount(project: SmallProject) -> None:
    counts = f"--mount=type=cache,id={uuid4().hex},target=/c echo >> /c/builds; wc -l < /c/builds > /image/builds"
    project.image("counting", dated(counts))
    project.commit()
    ran = project.run("build", "--verify")
    assert ran.code == 0, ran.err


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory, engine: Engine) -> SmallProject:
    """The images of this repository; the bases were last touched in May, the applications in June and July."""
    project = new_project(tmp_path_factory.mktemp("real") / "project", engine)
    no_sources = shutil.ignore_patterns("node_modules", ".next", ".venv", "__pycache__", "tests", ".git")
    for name in ("dockerfiles", "images"):
        shutil.copytree(ROOT / name, project.root / name, dirs_exist_ok=True, ignore=no_sources)
    with pytest.MonkeyPatch.context() as patch:
        for month, application in (("05", ""), ("06", "backend"), ("07", "frontend")):
            if application:
                (project.root / "images" / application / "requirements.txt").open("a").write(f"# {month}\n")
            patch.setenv("GIT_COMMITTER_DATE", f"2026-{month}-01T12:00:00Z")
            project.commit()
    assert project.run("build").code == 0
    return project


def layers(project: SmallProject, name: str) -> list[Digest]:
    ((_, manifest),) = Store(project.root / "out/store").image(name).manifests
    return [layer.digest for layer in manifest.layers]


def assert_shared(project: SmallProject) -> None:
    for base, application in (("base-python", "backend"), ("base-node", "frontend")):
        below = layers(project, base)
        assert layers(project, application)[: len(below)] == below


def test_an_image_has_the_very_layers_of_the_image_it_stands_on(real: SmallProject) -> None:
    store = Store(real.root / "out/store")
    dates = [store.config(store.image(name).manifests[0][1]).created for name in ("base-node", "backend", "frontend")]
    assert [date[:7] for date in dates] == ["2026-05", "2026-06", "2026-07"]
    assert_shared(real)


def test_so_it_does_when_only_the_application_was_edited_and_not_committed(real: SmallProject, tmp_path: Path) -> None:
    shutil.copytree(real.root, tmp_path / "copy", symlinks=True)
    edited = SmallProject(tmp_path / "copy", real.env)
    before = layers(real, "backend")
    with (edited.root / "images/backend/app/__init__.py").open("a") as file:
        file.write("# edited\n")
    assert edited.run("build").code == 0
    assert_shared(edited)
    # Base and packages stay the layers they were: of a change in the application, only the application is sent.
    changed = [one == other for one, other in zip(before, layers(edited, "backend"), strict=True)]
    assert changed == [True, True, False, True]


@pytest.mark.covers("SEC-028")
@pytest.mark.parametrize("name", ["base-python", "backend", "base-node", "frontend"])
def test_every_file_has_one_date_but_for_those_that_an_etag_is_made_of(real: SmallProject, name: str) -> None:
    store = Store(real.root / "out/store")
    ((_, manifest),) = store.image(name).manifests
    found = {entry.path: entry for layer in manifest.layers for entry in compare.entries(store, layer)}
    dates = {path: entry.time for path, entry in found.items() if entry.time != NINETEEN_EIGHTY}
    assert len(found) > 50
    expected = {
        f"/app/public/{path.name}": int(hashlib.sha256(path.read_bytes()).hexdigest()[:7], 16)
        for path in (real.root / "images/frontend/public").iterdir()
    }
    assert dates == (expected if name == "frontend" else {})
