"""The main job, `build scan push`, in a small project whose parts are all real."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from imagewright.oci.layout import REF_NAME
from imagewright.reference import Digest, Reference
from imagewright.reports import FORMATS
from tests.integration.conftest import Ran, SmallProject
from tests.integration.pushing import client_of

SECOND = """
FROM debian:trixie-slim AS build
RUN mkdir /rootfs && echo {name} > /rootfs/second
FROM first
COPY --from=build /rootfs /
"""


@pytest.fixture
def two(wired: SmallProject) -> SmallProject:
    """Two tiny images, the second on top of the first."""
    wired.image("first")
    wired.image("second", SECOND, extra='needs = ["first"]')
    wired.commit()
    return wired


def good(ran: Ran) -> Ran:
    """The same, once it is known to have ended well."""
    assert ran.code == 0, ran.err
    assert "Traceback" not in ran.err
    return ran


def references(ran: Ran) -> list[Reference]:
    """What a push printed: one reference a line and nothing else."""
    found = [Reference.parse(line) for line in ran.out.splitlines()]
    assert all(reference.tag and reference.digest for reference in found), ran.out
    return found


def stored(project: SmallProject) -> dict[str, Digest]:
    """What each name in the store stands for."""
    entries = json.loads((project.root / "out/store/index.json").read_text())["manifests"]
    return {entry["annotations"][REF_NAME]: Digest.parse(entry["digest"]) for entry in entries}


def in_registry(reference: Reference) -> Digest | None:
    """What a tag stands for in its registry."""
    tag = Reference(reference.registry, reference.repository, reference.tag)
    found = client_of(tag.registry).head_manifest(tag)
    return found.digest if found else None


def profile_of(project: SmallProject, image: str) -> str:
    """The profile the image's report was made under."""
    return str(json.loads((project.root / "out/reports" / image / "report.json").read_text())["verdict"]["profile"])


def test_one_command_builds_scans_and_pushes(two: SmallProject) -> None:
    ran = good(two.run("build", "scan", "push"))
    commit = two.git("rev-parse", "HEAD")[:12]
    pushed = references(ran)
    prefix = two.env["IMAGEWRIGHT_REGISTRY"].partition("/")[2]
    assert [one.repository for one in pushed] == [f"{prefix}/test/first", f"{prefix}/test/second"]
    assert {one.tag for one in pushed} == {commit}
    assert [one.digest for one in pushed] == [stored(two)["first"], stored(two)["second"]]
    assert [in_registry(one) for one in pushed] == [one.digest for one in pushed]
    assert in_registry(Reference(pushed[0].registry, pushed[0].repository, "main")) == pushed[0].digest
    reports = two.root / "out/reports"
    files = [format_.file for format_ in FORMATS.values() if format_.whole]
    wanted = [f"{name}/{file}" for name in ("first", "second") for file in files]
    there = sorted(str(file.relative_to(reports)) for file in reports.rglob("[!.]*.*"))
    assert there == sorted([*wanted, "index.html"])
    for one in pushed:
        assert one.digest is not None
        folder = two.root / "out/evidence/sha256" / one.digest.hex
        assert json.loads((folder / "sbom.cdx.json").read_text())["components"]
        assert json.loads((folder / "sbom.spdx.json").read_text())["packages"]
    assert not list((two.root / "out").glob(".scratch/*"))

    again = good(two.run("build", "scan", "push"))
    assert again.out == ran.out
    assert "0 uploaded" in again.err

    recipe = two.root / "dockerfiles/first.Dockerfile"
    recipe.write_text(f"# not committed\n{recipe.read_text()}")
    first = ("--image", "first")
    dirty = references(good(two.run("build", *first, "scan", *first, "push", *first)))
    assert [one.tag for one in dirty] == [f"{commit}-dirty"]
    assert dirty[0].digest != pushed[0].digest, "the revision inside says dirty too"
    assert in_registry(pushed[0]) == pushed[0].digest, "and the commit's own tag did not move"


@pytest.mark.covers("SEC-027")
def test_every_verb_works_alone_and_on_one_image(two: SmallProject) -> None:
    lint = good(two.run("lint"))
    assert lint.out == "", "an image of this project has no tag"
    good(two.run("build", "--image", "first"))
    assert list(stored(two)) == ["first"]
    good(two.run("scan", "-i", "first", "--profile", "ci"))
    assert profile_of(two, "first") == "ci"
    assert not (two.root / "out/reports/second").exists()
    good(two.run("judge", "-i", "first"))
    assert profile_of(two, "first") == "local"
    two.git("tag", "v1.2.3")
    alone = references(good(two.run("push", "-i", "first", "--profile", "ci")))
    assert [one.digest for one in alone] == [stored(two)["first"]]
    assert in_registry(Reference(alone[0].registry, alone[0].repository, "1.2")) == alone[0].digest

    unbuilt = two.run("push")
    assert unbuilt.code == 8
    assert "second has not been built\n  help: ./inv build -i second" in unbuilt.err
    good(two.run("build", "-i", "second"))
    assert stored(two)["first"] == alone[0].digest, "what is needed was built too, and is what it was"
    unscanned = two.run("push")
    assert (unscanned.code, unscanned.out) == (8, "")
    assert "there is no scan record" in unscanned.err
    assert "./inv scan -i second" in unscanned.err
    both = references(good(two.run("scan", "push", "-i", "second")))
    assert [one.digest for one in both] == [stored(two)["second"]]
    assert len(references(good(two.run("push")))) == 2


def test_a_plan_starts_nothing(two: SmallProject, tmp_path: Path) -> None:
    nothing = tmp_path / "bin"
    nothing.mkdir()
    git = next(Path(folder) / "git" for folder in os.get_exec_path() if (Path(folder) / "git").exists())
    (nothing / "git").symlink_to(git)
    without = {"PATH": str(nothing), "DOCKER_HOST": "unix:///nowhere"}
    ran = good(two.run("build", "--plan", "--json", **without))
    assert list(json.loads(ran.out)["target"]) == ["first", "second"]
    assert json.loads(ran.out)["target"]["second"]["contexts"]["first"] == "target:first"
    assert ran.err == ""
    said = good(two.run("build", "--plan", **without)).out
    assert said.startswith("first\n  build    again, because first has not been built\n  lint     after the build\n")
    assert good(two.run("why", **without)).out.startswith(said.partition("  sources")[0])
    assert not (two.root / "out").exists()
    one = two.run("build", "--plan", "--json", "-i", "first")
    assert json.loads(one.out)["group"]["default"]["targets"] == ["first"]


def test_names_nobody_declared_are_met_with_the_nearest(two: SmallProject) -> None:
    image = two.run("build", "-i", "secnod")
    assert image.code == 3
    assert "error: there is no image 'secnod'; did you mean 'second'?" in image.err
    profile = two.run("judge", "--profile", "relaese")
    assert profile.code == 2
    assert "must be 'local', 'ci' or 'release', not 'relaese'" in profile.err
    assert "Traceback" not in image.err + profile.err
