"""Outside bases that come from an image registry: by lock, and as a stand-in where none can be assembled."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pytest

from imagewright.flow import build
from imagewright.flow.workspace import opened
from imagewright.model.records import Build
from imagewright.oci.assemble import image_from_tar
from imagewright.oci.layout import Store
from imagewright.oci.push import ManifestItem, PushItem, push_images
from imagewright.reference import Digest
from imagewright.tools import cache, mmdebstrap
from imagewright.tools.local_registry import LocalRegistry
from tests.integration.conftest import SmallProject
from tests.integration.pushing import client_of

pytestmark = pytest.mark.integration

BASE = """
[[base]]
name = "debian:trixie-slim"
source = "{source}"
suite = "trixie"
reference = "{address}/debian:trixie-slim"
"""


@pytest.fixture(scope="module")
def hosted(loopback: LocalRegistry, tmp_path_factory: pytest.TempPathFactory) -> Digest:
    """The assembled base, in a registry under the name that Docker Hub would have for it."""
    store = Store(cache.folder() / "bases")
    if not store.names():
        mmdebstrap_base(tmp_path_factory.mktemp("base") / "base.tar", store)
    image = store.image(store.names()[0])
    manifest = image.manifests[0][1]
    content = store.read_blob(manifest.digest)
    item = PushItem(
        "debian",
        manifest.digest,
        (ManifestItem(content, manifest.media_type),),
        (*manifest.layers, manifest.config),
        ("trixie-slim",),
    )
    push_images(client_of(loopback.address), (item,), store.open_blob)
    return manifest.digest


def mmdebstrap_base(tar: Path, store: Store) -> None:
    platform = mmdebstrap.host_platform()
    mmdebstrap.assemble(tar, suite="trixie", include=("ca-certificates",))
    created = "1970-01-01T00:00:00Z"
    store.set_name("trixie", image_from_tar(store, tar, platform, created=created, created_by="mmdebstrap"))


@pytest.fixture
def elsewhere(project: SmallProject, loopback: LocalRegistry, hosted: Digest) -> SmallProject:
    (project.root / "images/bases.toml").write_text(BASE.format(source="registry", address=loopback.address))
    (project.root / "images/bases.lock").unlink()
    project.image("one")
    project.commit()
    return project


def test_a_base_of_a_registry_is_built_on_by_its_locked_digest_only(elsewhere: SmallProject, hosted: Digest) -> None:
    unlocked = elsewhere.run("build")
    assert unlocked.code == 2
    assert "images/bases.lock: debian:trixie-slim: has no entry" in unlocked.err
    assert "./inv lock" in unlocked.err
    locked = elsewhere.run("lock")
    assert (locked.code, locked.out.split()) == (0, ["debian:trixie-slim", str(hosted)])
    assert elsewhere.run("build", "scan").code == 0


def test_where_no_base_can_be_assembled_a_registry_stands_in_and_it_is_said(
    elsewhere: SmallProject, loopback: LocalRegistry, hosted: Digest, monkeypatch: pytest.MonkeyPatch
) -> None:
    (elsewhere.root / "images/bases.toml").write_text(BASE.format(source="bootstrap", address=loopback.address))
    shutil.copy(Path(__file__).parents[2] / "images/bases.lock", elsewhere.root / "images/bases.lock")
    for name, value in elsewhere.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(mmdebstrap, "impossible", lambda _platform: "this is another system")
    with opened(elsewhere.root, io.StringIO()) as workspace:
        image = build.build(workspace, ())[0]
        record = workspace.evidence.read(Build, image.root.digest, "build", hint="")
    assert [(base.source, base.digest) for base in record.bases] == [("substitute", hosted)]
