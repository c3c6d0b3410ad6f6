"""Mistakes in the files a user writes: every one named, by file and dotted path, before anything starts."""

from __future__ import annotations

import os
from collections.abc import Mapping

import pytest

from tests.integration.conftest import DOCKERFILE, SmallProject

TOML = """
name = "{name}"
title = "An image"
repository = "test/{name}"
{more}
[run]
user = "65532:65532"
"""


def toml(name: str, more: str = "") -> str:
    return TOML.format(name=name, more=more)


MISTAKES: Mapping[str, tuple[Mapping[str, str], tuple[str, ...]]] = {
    "an unknown key": (
        {"one": toml("one", 'dockerfil = "x"')},
        ("images/one/image.toml: dockerfil: unknown key; did you mean 'dockerfile'?",),
    ),
    "an unknown key further in": (
        {"one": toml("one") + "prot = 8000\n[env.URL]\nrequird = true\n"},
        (
            "images/one/image.toml: run.prot: unknown key; did you mean 'port'?",
            "images/one/image.toml: env.URL.requird: unknown key; did you mean 'required'?",
        ),
    ),
    "a wrong type": (
        {"one": toml("one", "needs = 3") + 'port = "8000"\n'},
        (
            "images/one/image.toml: needs: must be a list",
            "images/one/image.toml: run.port: must be a whole number",
        ),
    ),
    "no TOML at all": ({"one": "name = "}, ("images/one/image.toml: is not TOML: ",)),
    "something left out": (
        {"one": toml("one").replace("title", "description")},
        ("images/one/image.toml: title: is required",),
    ),
    "a Dockerfile that is not there": (
        {"one": toml("one", 'dockerfile = "dockerfiles/other.Dockerfile"')},
        ("images/one/image.toml: dockerfile: 'dockerfiles/other.Dockerfile' does not exist",),
    ),
    "a circle": (
        {"one": toml("one", 'needs = ["two"]'), "two": toml("two", 'needs = ["one"]')},
        ("images/one/image.toml: needs: a cycle: one → two → one",),
    ),
    "a need nobody declared": (
        {"one": toml("one"), "two": toml("two", 'needs = ["oen"]')},
        ("images/two/image.toml: needs[0]: no image 'oen'; did you mean 'one'?",),
    ),
    "the name of another": (
        {"one": toml("one"), "two": toml("one")},
        ("images/two/image.toml: name: must be the folder's name, 'two', not 'one'",),
    ),
    "the repository of another": (
        {"one": toml("one"), "two": toml("two").replace("test/two", "test/one")},
        ("images/two/image.toml: repository: 'test/one' is also the repository in images/one/image.toml",),
    ),
    "a way out of the repository": (
        {"one": toml("one", 'context = "../.."')},
        ("images/one/image.toml: context: '../..' leads out of the repository",),
    ),
    "two mistakes in two files": (
        {"one": toml("one", "platform = []"), "two": toml("two", "target = 7")},
        (
            "the configuration has 2 mistakes\n",
            "images/one/image.toml: platform: unknown key; did you mean 'platforms'?",
            "images/two/image.toml: target: must be a string",
        ),
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_it_is_named_and_nothing_starts(project: SmallProject, mistake: str) -> None:
    files, words = MISTAKES[mistake]
    for name, text in files.items():
        project.image(name)
        (project.root / "images" / name / "image.toml").write_text(text)
    ran = project.run("build", "scan", "push")
    assert (ran.code, ran.out) == (2, ""), ran.err
    assert ran.err.startswith("error: the configuration has ")
    assert [word for word in words if word not in ran.err] == []
    assert "\n  help: " in ran.err
    assert "Traceback" not in ran.err
    assert not (project.root / "out/store").exists()


def test_a_link_out_of_the_repository_is_no_way_around(project: SmallProject) -> None:
    project.image("one")
    dockerfile = project.root / "dockerfiles/one.Dockerfile"
    dockerfile.unlink()
    dockerfile.symlink_to(os.devnull)
    ran = project.run("build")
    assert ran.code == 2
    assert "images/one/image.toml: dockerfile: 'dockerfiles/one.Dockerfile' leads out of the repository" in ran.err


def test_the_policy_and_the_settings_are_held_to_the_same(project: SmallProject) -> None:
    project.image("one")
    (project.root / "pyproject.toml").write_text('[tool.imagewright]\nprofil = "ci"\n')
    settings = project.run("scan", IMAGEWRIGHT_ENGINE="docker")
    assert settings.code == 2
    assert "pyproject.toml: tool.imagewright.profil: unknown key; did you mean 'profile'?" in settings.err
    assert "environment: IMAGEWRIGHT_ENGINE: must be 'auto', 'environment' or 'embedded', not 'docker'" in settings.err


@pytest.mark.covers("SEC-004")
def test_a_base_nobody_declared_is_refused_before_the_engine_is_asked(project: SmallProject) -> None:
    project.image("one", DOCKERFILE.replace("debian:trixie-slim", "debian:sid"))
    ran = project.run("build", "--plan")
    assert ran.code == 2
    assert "dockerfiles/one.Dockerfile: FROM: 'debian:sid' is neither in needs nor declared in images/bases.toml" in (
        ran.err
    )
    assert "help: declare it in images/bases.toml, or name the image in images/one/image.toml" in ran.err
