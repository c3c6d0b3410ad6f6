"""What a verb finds when nothing was built: all that is missing at once."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from imagewright.errors import EvidenceError
from imagewright.evidence import Evidence
from imagewright.flow.workspace import Workspace
from imagewright.model.definition import Project, Settings
from imagewright.oci.layout import Store
from imagewright.progress import Plain
from tests.unit import factory
from tests.unit.oci.test_layout import exported


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Three images, one of them built."""
    images = tuple(factory.definition(name=name, needs=()) for name in ("one", "three", "two"))
    out = tmp_path / "out"
    store = Store(out / "store")
    store.adopt(exported(out / "export", b"layer"), "two")
    return Workspace(
        Project(tmp_path, Settings(), images), {}, out, store, Evidence(out / "evidence"), Plain(io.StringIO())
    )


def refusal(workspace: Workspace, *names: str) -> str:
    with pytest.raises(EvidenceError) as caught:
        workspace.built(names)
    return str(caught.value)


def test_every_image_that_was_not_built_is_named_with_the_one_command_that_builds_them(workspace: Workspace) -> None:
    assert refusal(workspace) == "one, three have not been built\n  help: ./inv build"
    assert refusal(workspace, "three", "one") == "three, one have not been built\n  help: ./inv build -i three -i one"
    assert refusal(workspace, "one", "two") == "one has not been built\n  help: ./inv build -i one"
    assert [image.name for image, _ in workspace.built(("two",))] == ["two"]
