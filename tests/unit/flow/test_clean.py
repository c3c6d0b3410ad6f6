"""What clean removes and what it keeps; that it only says so in a dry run; and the bound a build holds by itself."""

from __future__ import annotations

import hashlib
import io
import os
import time
from pathlib import Path

import pytest

from imagewright import config
from imagewright.errors import EvidenceError
from imagewright.evidence import Evidence
from imagewright.files import write_atomically
from imagewright.flow import retention
from imagewright.flow.clean import UNUSED_DAYS, clean
from imagewright.flow.workspace import Workspace, opened
from imagewright.model.image import Image
from imagewright.oci.layout import Store
from imagewright.progress import Plain
from imagewright.reference import Digest
from imagewright.tools import apt, cache, daemon, trivy_database
from tests.unit.oci.test_layout import exported

IMAGE = 'name = "{name}"\ntitle = "An image"\nrepository = "test/{name}"\n[run]\nuser = "65532:65532"\n'
BASE = b"the layer of the base"
LONG_AGO = time.time() - (UNUSED_DAYS + 1) * 86_400


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A project with the images base and app, not built."""
    root = tmp_path / "project"
    for name in ("base", "app"):
        (root / "images" / name).mkdir(parents=True)
        (root / "images" / name / "image.toml").write_text(IMAGE.format(name=name))
        (root / "dockerfiles").mkdir(exist_ok=True)
        (root / "dockerfiles" / f"{name}.Dockerfile").write_text("FROM scratch\n")
    out = root / "out"
    project = config.load(root, {})
    return Workspace(project, {}, out, Store(out / "store"), Evidence(out / "evidence"), Plain(io.StringIO()))


def built(workspace: Workspace, name: str, *layers: bytes) -> Image:
    """An image of these layers in the store, with evidence of it."""
    number = len(list(workspace.out.glob("export-*")))
    image = workspace.store.adopt(exported(workspace.out / f"export-{number}", BASE, *layers, note=str(number)), name)
    workspace.evidence.write(image.root.digest, "note", number, key=image.root.digest)
    return image


def released(workspace: Workspace, *images: Image) -> None:
    """A ledger that names these images, the last release last."""
    digests = "".join(f'{{"root": "{image.root.digest}"}}' for image in images)
    path = workspace.evidence.root / "history" / "app.json"
    path.parent.mkdir(parents=True)
    path.write_text(digests)


def stored(store: Store) -> set[Digest]:
    return {Digest(path.name) for path in (store.root / "blobs/sha256").iterdir()}


def tree(*folders: Path) -> dict[Path, str]:
    """Every path below these folders, with its content or where it leads."""
    found = {}
    for path in sorted(path for folder in folders for path in folder.rglob("*")):
        if path.is_symlink():
            found[path] = str(path.readlink())
        else:
            found[path] = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
    return found


def every_kind_of_leftover(workspace: Workspace) -> None:
    built(workspace, "base")
    built(workspace, "gone", b"of an image that is not declared any more")
    built(workspace, "app", b"one")
    built(workspace, "app", b"two")
    for path in (
        ".scratch/x/bake.json",
        "reports/gone/report.html",
        "reports/app/report.html",
        "cache/scanner/gone/sha256/f00/fanal.db",
        "cache/scanner/app/sha256/f00/fanal.db",
        "evidence/.a.json.0_9z8y7x",
    ):
        (workspace.out / path).parent.mkdir(parents=True, exist_ok=True)
        (workspace.out / path).write_text("12345")
    shelf = cache.folder() / "trivy-db" / "0123456789ab"
    (shelf / "f00").mkdir(parents=True)
    (shelf / "current").symlink_to("f00")
    os.utime(shelf / "current", (LONG_AGO, LONG_AGO), follow_symlinks=False)


def test_what_names_stand_for_stays_and_what_was_replaced_goes(workspace: Workspace) -> None:
    base, before, after = built(workspace, "base"), built(workspace, "app", b"one"), built(workspace, "app", b"two")
    lines = clean(workspace, dry_run=False)
    assert stored(workspace.store) == {*workspace.store.blobs(base), *workspace.store.blobs(after)}
    assert set(workspace.evidence.subjects()) == {base.root.digest, after.root.digest}
    assert any(f"blobs/sha256/{before.root.digest.hex}" in line for line in lines)
    assert workspace.store.image("app") == after
    workspace.store.verify(workspace.store.blobs(after))


def test_a_second_time_there_is_nothing_to_remove(workspace: Workspace) -> None:
    every_kind_of_leftover(workspace)
    clean(workspace, dry_run=False)
    assert clean(workspace, dry_run=False) == ("0 B were removed",)


def test_a_dry_run_says_the_same_and_changes_nothing(workspace: Workspace) -> None:
    every_kind_of_leftover(workspace)
    before = tree(workspace.out, cache.folder())
    said = clean(workspace, dry_run=True)
    assert tree(workspace.out, cache.folder()) == before
    done = clean(workspace, dry_run=False)
    assert said[:-1] == done[:-1]
    assert {line.split()[0] for line in done[:-1]} == {
        *("name", "blob", "evidence", "report", "cache", "temporary", "scratch", "database")
    }
    assert said[-1].replace("would be", "were") == done[-1]
    assert [path.name for path in tree(workspace.out / "reports")] == ["app", "report.html"]
    assert [path.name for path in tree(workspace.scanner_cache)] == ["app", "sha256", "f00", "fanal.db"]


def test_opening_for_a_dry_run_leaves_even_the_scratch_folder(workspace: Workspace) -> None:
    every_kind_of_leftover(workspace)
    before = tree(workspace.out)
    with opened(workspace.project.root, io.StringIO(), sweep=False) as again:
        clean(again, dry_run=True)
    after = tree(workspace.out)
    after.pop(workspace.out / ".lock")
    assert after == before


def test_each_thing_is_said_with_its_size_and_the_sum_at_the_end(workspace: Workspace) -> None:
    built(workspace, "app")
    (workspace.out / "reports/other").mkdir(parents=True)
    (workspace.out / "reports/other/report.html").write_bytes(bytes(1500))
    (workspace.evidence.root / ".x.json.abcdefgh").write_bytes(bytes(500))
    assert clean(workspace, dry_run=True) == (
        "report     out/reports/other: 1.50 kB",
        "temporary  out/evidence/.x.json.abcdefgh: 500 B",
        "2.00 kB would be removed",
    )


def test_evidence_of_every_release_stays_and_the_blobs_of_the_last(workspace: Workspace) -> None:
    first, last, other = (built(workspace, "app", text) for text in (b"1", b"2", b"3"))
    now = built(workspace, "app", b"4")
    released(workspace, first, last)
    clean(workspace, dry_run=False)
    assert set(workspace.evidence.subjects()) == {image.root.digest for image in (first, last, now)}
    assert other.root.digest not in stored(workspace.store)
    assert stored(workspace.store) == {*workspace.store.blobs(last), *workspace.store.blobs(now)}


def test_what_is_remembered_of_a_layer_goes_with_the_layer(workspace: Workspace) -> None:
    remembered = Evidence(workspace.out / "layers")
    before, after = built(workspace, "app", b"one"), built(workspace, "app", b"two")
    kept, gone = (image.manifests[0][1].layers[-1].digest for image in (after, before))
    exported_as, lost = Digest.of(b"as the builder had it"), Digest.of(b"of a build elsewhere")
    for layer, written in ((kept, ""), (gone, ""), (exported_as, str(kept)), (lost, str(gone))):
        remembered.write(layer, "dated", written, key=layer)
    clean(workspace, dry_run=False)
    assert set(remembered.subjects()) == {kept, exported_as}


def test_the_listing_of_a_layer_goes_with_the_layer(workspace: Workspace) -> None:
    before, after = built(workspace, "app", b"one"), built(workspace, "app", b"two")
    kept, gone = (image.manifests[0][1].layers[-1].digest.hex for image in (after, before))
    for name in (kept, gone, f".{kept}.abcdefgh", "what-somebody-put-there"):
        write_atomically(workspace.layer_cache / name, b"listing")
    clean(workspace, dry_run=False)
    assert {path.name for path in workspace.layer_cache.iterdir()} == {kept, "what-somebody-put-there"}


def test_while_an_image_cannot_be_read_nothing_is_removed(workspace: Workspace) -> None:
    built(workspace, "base")
    built(workspace, "app", b"one")
    image = built(workspace, "app", b"two")
    workspace.store.blob_path(image.root.digest).write_bytes(b"damaged")
    before = tree(workspace.out)
    with pytest.raises(EvidenceError):
        clean(workspace, dry_run=False)
    retention.tidy(workspace)
    assert tree(workspace.out) == before


def test_after_a_build_what_was_replaced_is_gone_but_for_its_last_evidence(workspace: Workspace) -> None:
    images = [built(workspace, "app", str(number).encode()) for number in range(retention.REPLACED + 5)]
    for age, image in enumerate(reversed(images)):
        os.utime(workspace.evidence.folder(image.root.digest), (LONG_AGO - age, LONG_AGO - age))
    retention.tidy(workspace)
    assert stored(workspace.store) == set(workspace.store.blobs(images[-1]))
    kept = images[-retention.REPLACED - 1 :]
    assert set(workspace.evidence.subjects()) == {image.root.digest for image in kept}


def test_bases_stay_that_a_lock_names_or_somebody_used_lately(workspace: Workspace, tmp_path: Path) -> None:
    bases = Store(cache.folder() / "bases")
    locked, lately, old = (
        bases.adopt(exported(tmp_path / name, name.encode()), name) for name in ("locked", "lately", "old")
    )
    for image in (locked, old):
        os.utime(bases.blob_path(image.root.digest), (LONG_AGO, LONG_AGO))
    (workspace.project.root / "images/bases.toml").write_text(
        '[[base]]\nname = "debian"\nsource = "bootstrap"\nsuite = "trixie"\n'
    )
    (workspace.project.root / "images/bases.lock").write_text(
        '[[base]]\nname = "debian"\nplatform = "linux/amd64"\nsource = "bootstrap"\n'
        f'digest = "{locked.root.digest}"\nlocked = "2026-11-20"\nepoch = 1\n'
    )
    with opened(workspace.project.root, io.StringIO()) as again:
        clean(again, dry_run=False)
    assert stored(bases) == {*bases.blobs(locked), *bases.blobs(lately)}
    assert bases.names() == ("lately", "locked")


@pytest.mark.parametrize(("long_ago", "ours", "stays"), [(1, 0, 0), (0, 0, 1), (1, 1, 1)])
def test_databases_stay_that_the_settings_name_or_were_fetched_lately(
    workspace: Workspace, long_ago: int, ours: int, stays: int
) -> None:
    fetched = LONG_AGO if long_ago else time.time()
    shelf = trivy_database.shelf("" if ours else "localhost:5000/other:2", cache.folder())
    assert shelf is not None
    (shelf / "f00").mkdir(parents=True)
    (shelf / "current").symlink_to("f00")
    (shelf / "arriving-x").mkdir()
    os.utime(shelf / "current", (fetched, fetched), follow_symlinks=False)
    clean(workspace, dry_run=False)
    assert (shelf / "f00").exists() == bool(stays)
    assert not (shelf / "arriving-x").exists()


def test_unpacked_tools_go_when_newer_ones_have_been_there_for_a_day(workspace: Workspace) -> None:
    home = cache.folder() / "packages"
    ages = {"aa-old": 9, "aa-new": 2, "bb-old": 9, "bb-new": 0, "cc-only": 9}
    for name, days in ages.items():
        (home / name / "root").mkdir(parents=True)
        (home / name / "record.json").write_text("{}")
        then = time.time() - days * 86_400
        os.utime(home / name / "record.json", (then, then))
    assert apt.superseded(running=[home / "aa-old/root/usr/sbin/dockerd"], now=time.time()) == ()
    clean(workspace, dry_run=False)
    assert {path.name for path in home.iterdir() if path.is_dir()} == {"aa-new", "bb-old", "bb-new", "cc-only"}


def test_the_program_of_this_very_process_is_among_those_that_run() -> None:
    assert Path("/proc/self/exe").resolve() in daemon.programs()
