"""Whatever a run left is deleted, cut short, edited or of another version: redone or refused, never believed.

The files are those that a real run leaves, whatever their kinds: a new kind is asked the same questions.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path

import pytest

from imagewright.evidence import sealed
from imagewright.oci.layout import Store
from imagewright.reference import Digest
from imagewright.tools.engine import Engine
from tests.integration import forked, vulndb
from tests.integration.conftest import Ran, SmallProject, new_project, own_cache
from tests.integration.faulty_registry import FaultyRegistry

pytestmark = pytest.mark.integration

ALL = ("build", "scan", "push")
DOCUMENTS = ("sbom.", "trivy.")
LASTING = ("accepted.json", "linux-amd64.json")
"""What was accepted and released cannot be made again: without it nothing goes on until somebody decides."""


def _edited(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes(byte ^ 1 for byte in data[middle : middle + 1]) + data[middle + 1 :]


HARMS: dict[str, Callable[[bytes], bytes | None]] = {
    "edited": _edited,
    "deleted": lambda _: None,
    "cut in half": lambda data: data[: len(data) // 2],
    "of another version": lambda data: data.replace(b"/v1", b"/v0", 1),
    "emptied": lambda _: b"",
}


@pytest.fixture(scope="module")
def registry() -> Iterator[FaultyRegistry]:
    with FaultyRegistry() as server:
        yield server


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, engine: Engine, registry: FaultyRegistry) -> SmallProject:
    """An image that was built, scanned, pushed, and compared with what was pushed."""
    folder = tmp_path_factory.mktemp("template")
    project = new_project(folder / "project", engine)
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    project.env |= {
        "IMAGEWRIGHT_DATABASE": str(vulndb.write(folder / "database", [], updated=now)),
        "IMAGEWRIGHT_REGISTRY": registry.address,
        "IMAGEWRIGHT_CACHE": str(own_cache(folder / "cache")),
        "IMAGEWRIGHT_ENGINE": "environment",
        "PATH": os.pathsep.join([str(engine.docker.parent), os.environ.get("PATH", os.defpath)]),
    }
    project.image("one")
    project.commit()
    for verbs in (ALL, ALL):
        ran = forked.run(project, *verbs)
        assert ran.code == 0, ran.err
    return project


@pytest.fixture
def project(template: SmallProject, tmp_path: Path) -> SmallProject:
    """A copy of it with a user's cache of its own, to do harm to."""
    shutil.copytree(template.root.parent, tmp_path / "copy", symlinks=True)
    env = {**template.env, "IMAGEWRIGHT_CACHE": str(tmp_path / "copy/cache")}
    return SmallProject(tmp_path / "copy/project", env)


def left_by(project: SmallProject, *places: str) -> list[Path]:
    """Every file that a run left below these places of the project, links not followed."""
    found = [
        Path(folder, name) for place in places for folder, _, names in os.walk(project.root / place) for name in names
    ]
    return sorted(path for path in found if path.is_file() and not path.is_symlink() and path.name != ".lock")


def harm(path: Path, how: str) -> bool:
    """Harm a file; says whether that changed anything."""
    before, after = path.read_bytes(), HARMS[how](path.read_bytes())
    if after is None:
        path.unlink()
    else:
        path.write_bytes(after)
    return after != before


def is_sound(path: Path) -> bool:
    """Whether a record is as it was sealed, or a document as it is recorded."""
    data = path.read_bytes()
    if path.name.startswith(DOCUMENTS):
        records = (path.parent / name for name in ("sboms.json", "scan.json"))
        return any(str(Digest.of(data)) in record.read_text() for record in records)
    return sealed(json.loads(data)) == data


def results(project: SmallProject) -> object:
    subject = Store(project.root / "out/store").image("one").root.digest
    text = (project.root / "out/evidence/sha256" / subject.hex / "verdict.json").read_text()
    return {**json.loads(text)["body"], "at": "", "history": "", "facts": ""}


def assert_went_well(ran: Ran, project: SmallProject, clean: tuple[str, object], what: str) -> None:
    assert (ran.code, ran.out) == (0, clean[0]), f"{what}\n{ran.err}"
    assert results(project) == clean[1], what
    assert "Traceback" not in ran.err, what


def test_each_record_and_document_is_made_again_or_refused(project: SmallProject, registry: FaultyRegistry) -> None:
    first = forked.run(project, *ALL)
    clean = (first.out, results(project))
    held = (dict(registry.manifests), dict(registry.blobs))
    out, kept = project.root / "out", project.root.parent / "kept"
    shutil.copytree(out, kept, symlinks=True)
    hows = cycle(HARMS)
    refused = set()
    for path in left_by(project, "out/evidence"):
        shutil.rmtree(out)
        shutil.copytree(kept, out, symlinks=True)
        # A record vouches for itself, whatever the harm; a document is vouched for elsewhere.
        how = next(how for how in (("edited",) if path.name.startswith(DOCUMENTS) else hows) if harm(path, how))
        ran, what = forked.run(project, *ALL), f"{path.name} {how}"
        if ran.code == 8 and path.name in LASTING:
            refused.add(path.name)
            assert ran.out == "", what
            assert "cannot be trusted" in ran.err, what
            assert "help: put " in ran.err, what
            continue
        assert_went_well(ran, project, clean, what)
        # What an input key was made of is for people only; it comes anew with what it belongs to.
        assert path.name.endswith("-key.json") or path.name in LASTING or is_sound(path), what
    assert (registry.manifests, registry.blobs) == held
    assert refused


@pytest.mark.parametrize("how", ["edited", "deleted"])
def test_memories_and_pages_are_redone_all_at_once(project: SmallProject, how: str) -> None:
    """What the scanner, the layers, the files, programs, engines and judgements are remembered by, and every page."""
    first = forked.run(project, *ALL)
    clean = (first.out, results(project))
    pages = {path: path.read_bytes() for path in left_by(project, "out/reports")}
    memories = left_by(project, "out/cache", "out/layers", "../cache")
    assert {"digests.json", "dated.json", ".written.json"} <= {path.name for path in (*memories, *pages)}
    harmed = [path for path in (*memories, *pages) if harm(path, how)]
    assert harmed
    assert_went_well(forked.run(project, *ALL), project, clean, how)
    assert {path: path.read_bytes() for path in pages} == pages
    (project.root / "dockerfiles/one.Dockerfile").open("a").write("LABEL another=one\n")
    project.commit()
    anew = forked.run(project, *ALL)
    assert anew.code == 0, anew.err
    assert anew.out != clean[0]


def test_what_the_store_lost_is_built_again(project: SmallProject, registry: FaultyRegistry) -> None:
    first = forked.run(project, *ALL)
    clean = (first.out, results(project))
    held = (dict(registry.manifests), dict(registry.blobs))
    hows = cycle(("deleted", "cut in half", "emptied"))
    for path in left_by(project, "out/store"):
        how = next(how for how in hows if harm(path, how))
        assert_went_well(forked.run(project, *ALL), project, clean, f"{path.name} {how}")
    store = Store(project.root / "out/store")
    store.verify(store.blobs(store.image("one")))
    assert (registry.manifests, registry.blobs) == held


def test_what_is_found_in_a_damaged_layer_is_recorded_of_nothing(project: SmallProject) -> None:
    """The layer has its length, so a build takes it for whole, until the scan has read it."""
    clean = forked.run(project, *ALL).out
    store = Store(project.root / "out/store")
    manifest = store.image("one").manifests[0][1]
    layer = store.blob_path(manifest.layers[0].digest)
    layer.write_bytes(_edited(layer.read_bytes()))
    scan = project.root / "out/evidence/sha256" / manifest.digest.hex / "scan.json"
    scan.unlink()
    ran = forked.run(project, "scan", "push")
    assert (ran.code, ran.out) == (8, ""), ran.err
    assert "are not what its digest says" in ran.err
    assert not scan.exists()
    again = forked.run(project, *ALL)
    assert (again.code, again.out) == (0, clean), again.err
    store.verify(store.blobs(store.image("one")))
