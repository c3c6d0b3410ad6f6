"""What an image is made from, gathered from a checkout as it lies there."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from imagewright.flow.inputs import gather
from imagewright.flow.workspace import opened
from imagewright.model.findings import NotChecked
from imagewright.model.repository import Inputs, RepositoryFacts
from imagewright.tools import process

pytestmark = pytest.mark.integration

DEFINITION = """
name = "web"
title = "Web"
repository = "test/web"
licenses = "MIT"
[run]
user = "65532:65532"
live = "/health"
"""
FILES = {
    "pyproject.toml": "",
    "images/web/image.toml": DEFINITION,
    "images/web/app/main.py": "@app.get('/health')\ndef health(): ...\n",
    "images/web/app/health.ts": "NEXT_PUBLIC_SEEN",
    "images/web/public/icon.svg": "<svg/>",
    "images/web/.env": "SECRET=x",
    "images/web/node_modules/x/index.js": "NEXT_PUBLIC_UNSEEN",
    "dockerfiles/web.Dockerfile": "FROM scratch\nCOPY . /\n",
    "dockerfiles/web.Dockerfile.dockerignore": "*\n!app\n!public\n",
    ".github/workflows/x.yml": "jobs:\n  a:\n    steps:\n      - uses: a/b@v1\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def gathered(root: Path) -> Inputs:
    with opened(root, io.StringIO()) as workspace:
        return gather(workspace.project.root, workspace.project.image("web"))


def git(root: Path, *words: str) -> None:
    process.run(["git", "-C", root, "-c", "user.name=test", "-c", "user.email=test@example.org", *words])


def test_only_what_the_ignore_file_lets_in_is_read(root: Path) -> None:
    found = gathered(root)
    assert [name.name for name in found.sources.public_names] == ["NEXT_PUBLIC_SEEN"]
    assert [(path.path, path.route) for path in found.sources.health_paths] == [("/health", True)]
    assert found.context.secret_shaped == ()
    assert found.context.ignore_file == "dockerfiles/web.Dockerfile.dockerignore"
    assert [(action.uses, action.pinned) for action in found.actions] == [("a/b@v1", False)]


def test_without_an_ignore_file_everything_goes_in(root: Path) -> None:
    (root / "dockerfiles/web.Dockerfile.dockerignore").unlink()
    found = gathered(root)
    assert found.context.ignore_file == ""
    assert [file.path for file in found.context.secret_shaped] == [".env"]
    assert len(found.sources.public_names) == 2


def test_the_contexts_own_ignore_file_stands_in(root: Path) -> None:
    (root / "dockerfiles/web.Dockerfile.dockerignore").rename(root / "images/web/.dockerignore")
    assert gathered(root).context.ignore_file == "images/web/.dockerignore"


def test_outside_git_nothing_is_said_of_it(root: Path) -> None:
    assert isinstance(gathered(root).repository, NotChecked)


def test_git_says_what_it_has_and_what_it_ignores(root: Path) -> None:
    git(root, "init", "--quiet")
    (root / ".gitignore").write_text("*.dockerignore\n/out/\npublic/\n")
    git(root, "add", "--all")
    assert gathered(root).repository == RepositoryFacts(ignore_tracked=False, ignore_ignored=True, public_tracked=0)
    (root / ".gitignore").write_text("/out/\n")
    git(root, "add", "--all")
    assert gathered(root).repository == RepositoryFacts(ignore_tracked=True, ignore_ignored=False, public_tracked=1)
