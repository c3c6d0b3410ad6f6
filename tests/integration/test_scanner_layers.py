"""What the real Trivy found in layers is used again, and never changes what a scan says."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from imagewright.errors import EvidenceError, ToolFailed
from imagewright.evidence import Evidence
from imagewright.model.findings import NotChecked, Scan
from imagewright.reference import Digest
from imagewright.tools import trivy, trivy_layers
from imagewright.tools.binary import Program
from imagewright.tools.trivy_database import DatabaseFolder, resolve
from imagewright.tools.trivy_layers import Layers
from tests.integration import tiny_image, vulndb
from tests.integration.fake_scanner import script
from tests.integration.test_scanner import ADVISORIES, ids, never

pytestmark = pytest.mark.integration

APP = tiny_image.JINJA2 | tiny_image.NEXT
CHANGED = {path: text.replace("2.10", "2.11") for path, text in APP.items()}
NOT_ASKED = NotChecked("no database: none was asked for")

Found = tuple[Scan, bytes]
Scanned = Callable[..., Found]


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    return tmp_path / "layout"


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "kept"


def scanner(layout: Path, work: Path) -> Scanned:
    """Scans images of a layout with a folder for layers or without one; the time of day left out."""

    def scan(
        subject: Digest,
        layers: Path | None = None,
        base: DatabaseFolder | NotChecked = NOT_ASKED,
        program: Program | None = None,
    ) -> Found:
        found, raw = trivy.scan(layout, subject, database=base, workdir=work, timeout=60, memory=layers, trivy=program)
        assert list(work.iterdir()) == []
        return replace(found, started_at="", report=None), re.sub(rb'"CreatedAt":"[^"]+"', b"", raw, count=1)

    return scan


@pytest.fixture
def scanned(layout: Path, tmp_path: Path) -> Scanned:
    return scanner(layout, tmp_path / "work")


def written(layout: Path) -> Digest:
    return tiny_image.write(layout, [tiny_image.DEBIAN, APP])


@pytest.fixture
def image(layout: Path) -> Digest:
    return written(layout)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Found]:
    """The folder in which a first scan of that image kept its layers, and what it found."""
    folder = tmp_path_factory.mktemp("first")
    scan, subject = scanner(folder / "layout", folder / "work"), written(folder / "layout")
    return folder / "kept", scan(subject, folder / "kept")


@pytest.fixture
def wanted(first: tuple[Path, Found], kept: Path) -> Found:
    """What the image's first scan found, whose layers are kept in the test's own folder."""
    shutil.copytree(first[0], kept)
    return first[1]


def database(root: Path, number: int) -> DatabaseFolder:
    """A database that knows the first ``number`` advisories."""
    vulndb.write(root / f"db{number}", ADVISORIES[:number])
    now = datetime.now(UTC)
    found = resolve(f"db{number}", root=root, cache=root, fetch=never, trivy=trivy.find, now=now)
    assert isinstance(found, DatabaseFolder)
    return found


def cache_file(kept: Path) -> Path:
    (found,) = kept.rglob("fanal.db")
    return found


def lie(kept: Path) -> None:
    """Let the cache tell another version of Jinja2, and seal that."""
    file, evidence = cache_file(kept), Evidence(kept / "layers")
    subject = Digest(file.parent.name)
    known, key = evidence.read(Layers, subject, "layers", hint=""), evidence.key(subject, "layers")
    assert key
    data = file.read_bytes().replace(b"2.10", b"6.66")
    file.write_bytes(data)
    evidence.write(Digest.of(data), "layers", known, key=key)
    file.rename(evidence.folder(Digest.of(data)) / file.name)


def versions(found: Found) -> set[str]:
    return {package.version for package in found[0].packages if package.name == "Jinja2"}


def test_a_scan_with_known_layers_says_byte_for_byte_what_one_without_says(
    scanned: Scanned, image: Digest, kept: Path, tmp_path: Path
) -> None:
    known = database(tmp_path, 6)
    wanted = scanned(image, None, known)
    assert wanted[0].vulnerabilities
    assert scanned(image, kept, known) == wanted
    assert cache_file(kept)
    assert scanned(image, kept, known) == wanted


def test_known_layers_are_not_analysed_again(scanned: Scanned, image: Digest, kept: Path, wanted: Found) -> None:
    lie(kept)
    assert versions(scanned(image, kept)) == {"6.66"}


def test_a_changed_layer_is_analysed_and_the_others_are_not(
    scanned: Scanned, image: Digest, kept: Path, layout: Path
) -> None:
    three = tiny_image.write(layout, [tiny_image.DEBIAN, APP, {"app/main.py": "1"}])
    changed = tiny_image.write(layout, [tiny_image.DEBIAN, CHANGED, {"app/main.py": "1"}])
    scanned(three, kept)
    assert scanned(changed, kept) == scanned(changed)
    assert versions(scanned(changed, kept)) == {"2.11"}
    assert scanned(three, kept) == scanned(three)
    lie(kept)
    assert versions(scanned(tiny_image.write(layout, [tiny_image.DEBIAN, APP, {"x": "2"}]), kept)) == {"6.66"}


def test_another_database_is_asked_about_known_layers(
    scanned: Scanned, image: Digest, kept: Path, tmp_path: Path
) -> None:
    few, more = database(tmp_path, 1), database(tmp_path, 6)
    scanned(image, kept, few)
    found = scanned(image, kept, more)
    assert found == scanned(image, None, more)
    assert found[0].vulnerabilities != scanned(image, kept, few)[0].vulnerabilities


@pytest.mark.covers("SEC-008")
def test_of_an_image_with_a_secret_nothing_is_kept(
    scanned: Scanned, image: Digest, kept: Path, layout: Path, tmp_path: Path, wanted: Found
) -> None:
    assert cache_file(kept)
    (key,) = tiny_image.PRIVATE_KEY.values()
    leaky = tiny_image.write(layout, [tiny_image.DEBIAN, {"app/deploy.pem": f"password: hunter2\n{key}"}])
    found = scanned(leaky, kept)
    assert ids(found[0], "secrets") == [("private-key", "/app/deploy.pem")]
    assert not list((kept / "layers").rglob("*"))
    assert not any(tiny_image.KEY_BODY in file.read_text() for file in kept.rglob("*.json"))
    assert found == scanned(leaky)
    assert ids(scanned(leaky, kept)[0], "secrets") == [("private-key", "/app/deploy.pem")]


@pytest.mark.covers("SEC-008")
def test_a_layer_below_a_command_is_no_base_that_goes_unsearched(scanned: Scanned, layout: Path) -> None:
    layers = [tiny_image.DEBIAN | tiny_image.PRIVATE_KEY, APP]
    for subject in (tiny_image.write(layout, layers, command_after=1), tiny_image.write(layout, layers)):
        found, raw = scanned(subject)
        assert ids(found, "secrets") == [("private-key", "/app/deploy.pem")]
        manifest = json.loads((layout / "blobs/sha256" / subject.hex).read_bytes())
        assert f'"ImageID":"{manifest["config"]["digest"]}"'.encode() in raw.replace(b'": "', b'":"')


def harmed(file: Path, how: str) -> None:
    data = file.read_bytes()
    match how:
        case "edited":
            file.write_bytes(data.replace(b"6.66", b"7.77"))
        case "truncated":
            file.write_bytes(data[:5000])
        case "emptied":
            file.write_bytes(b"")
        case "without its record":
            (file.parent / "layers.json").unlink()
        case "a folder":
            file.unlink()
            file.mkdir()
        case "a link":
            file.rename(file.parent / "elsewhere")
            file.symlink_to("elsewhere")
        case "one of two":
            (file.parent.parent / "another").mkdir()
            (file.parent.parent / "another" / file.name).touch()


HARMS = ("edited", "truncated", "emptied", "without its record", "a folder", "a link", "one of two")


@pytest.mark.parametrize("harm", HARMS)
def test_a_harmed_cache_is_neither_used_nor_an_error(
    scanned: Scanned, image: Digest, kept: Path, harm: str, wanted: Found
) -> None:
    lie(kept)
    harmed(cache_file(kept), harm)
    assert scanned(image, kept) == wanted
    assert Digest.of(cache_file(kept).read_bytes()).hex == cache_file(kept).parent.name


def test_another_scanner_or_other_options_start_anew(
    scanned: Scanned, image: Digest, kept: Path, tmp_path: Path, wanted: Found
) -> None:
    lie(kept)
    found = trivy.find()
    other = Program(found.path, replace(found.identity, sha256=Digest.of(b"another")))
    assert versions(scanned(image, kept, program=other)) == {"2.10"}
    lie(kept)
    assert versions(scanned(image, kept, database(tmp_path, 1), program=other)) == {"2.10"}


def test_a_scan_that_fails_leaves_no_cache(
    scanned: Scanned, image: Digest, kept: Path, tmp_path: Path, wanted: Found
) -> None:
    with pytest.raises(ToolFailed):
        scanned(image, kept, program=script(tmp_path, "exit 9"))
    assert not (kept / "layers").exists()


def test_a_layer_that_is_known_and_damaged_is_refused(
    scanned: Scanned, image: Digest, kept: Path, layout: Path, wanted: Found
) -> None:
    for blob in (layout / "blobs" / "sha256").iterdir():
        data = blob.read_bytes()
        if data.startswith(b"\x1f\x8b"):
            blob.write_bytes(data[:150] + bytes(byte ^ 0xFF for byte in data[150:170]) + data[170:])
    with pytest.raises(EvidenceError, match="has other bytes than its digest says"):
        scanned(image, kept)


def test_a_cache_beyond_its_bound_is_not_kept(
    scanned: Scanned, image: Digest, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trivy_layers, "BOUND", 4096)
    scanned(image, kept)
    assert not (kept / "layers").exists()
