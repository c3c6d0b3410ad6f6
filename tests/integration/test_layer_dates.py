"""No layer keeps the hour of its making, and none is written twice for that."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from pathlib import Path

import pytest

from imagewright.evidence import Evidence
from imagewright.model.image import Manifest
from imagewright.model.records import Build
from imagewright.oci.layout import Store
from tests.integration.conftest import SmallProject

pytestmark = pytest.mark.integration

APP = """
FROM base
COPY x /made/by/copy/
"""


def manifest(project: SmallProject, name: str) -> Manifest:
    ((_, found),) = Store(project.root / "out/store").image(name).manifests
    return found


def dates(project: SmallProject, found: Manifest) -> list[set[float]]:
    """The dates in each layer."""
    store = Store(project.root / "out/store")
    result = []
    for layer in found.layers:
        with (
            store.open_blob(layer.digest) as blob,
            tarfile.open(fileobj=io.BytesIO(gzip.decompress(blob.read()))) as tar,
        ):
            result.append({member.mtime for member in tar})
    return result


@pytest.fixture
def two(project: SmallProject) -> SmallProject:
    """An image and another one on it, whose last commit is newer."""
    project.image("base")
    project.commit()
    project.image("app", APP, extra='needs = ["base"]', lets_in=("x",))
    (project.root / "images/app/x").write_text("1")
    project.env["GIT_COMMITTER_DATE"] = "2030-01-01T00:00:00Z"
    project.git("add", "--all")
    project.git("-c", "user.name=test", "commit", "--quiet", "--message", "app", "--date", "2030-01-01T00:00:00Z")
    return project


def test_a_base_is_the_same_layer_in_every_image_on_it_whenever_that_was_committed(two: SmallProject) -> None:
    assert two.run("build").code == 0
    base, app = manifest(two, "base"), manifest(two, "app")
    assert [layer.digest for layer in app.layers][: len(base.layers)] == [layer.digest for layer in base.layers]
    evidence = Evidence(two.root / "out/evidence")
    record = evidence.read(Build, app.digest, "build", hint="")
    epoch = evidence.read(Build, base.digest, "build", hint="").source.epoch
    assert record.dates == (epoch,) * len(base.layers) + (record.source.epoch,)
    for found, most in zip(dates(two, app), record.dates, strict=True):
        assert max(found) <= most


def test_a_layer_that_was_dated_before_is_not_written_again(two: SmallProject) -> None:
    assert two.run("build").code == 0
    known = {path: path.stat().st_mtime_ns for path in (two.root / "out/layers").rglob("dated.json")}
    before = manifest(two, "base").layers
    (two.root / "images/app/x").write_text("2")
    two.commit()
    assert two.run("build").code == 0
    assert manifest(two, "app").layers[: len(before)] == before
    assert all(path.stat().st_mtime_ns == written for path, written in known.items() if path.exists())


def test_a_record_of_a_layer_that_was_edited_is_not_believed(two: SmallProject) -> None:
    assert two.run("build").code == 0
    whole = manifest(two, "app")
    for path in (two.root / "out/layers").rglob("dated.json"):
        document = json.loads(path.read_bytes())
        document["body"] |= {"latest": 0, "written": None}
        path.write_text(json.dumps(document))
    (two.root / "out/store/index.json").unlink()
    assert two.run("build").code == 0
    assert manifest(two, "app") == whole


def test_a_dated_layer_that_was_lost_is_written_again(two: SmallProject, tmp_path: Path) -> None:
    assert two.run("build").code == 0
    whole = manifest(two, "app")
    Store(two.root / "out/store").blob_path(whole.layers[-1].digest).unlink()
    assert two.run("build").code == 0
    Store(two.root / "out/store").verify(layer.digest for layer in whole.layers)
    assert manifest(two, "app") == whole
