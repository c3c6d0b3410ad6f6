"""The real Trivy, on images of a few kilobytes and a database made here."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from imagewright.errors import EvidenceError, ToolFailed, ToolMissing
from imagewright.model.findings import NotChecked, Scan
from imagewright.reference import Digest
from imagewright.tools import isolation, trivy, trivy_run
from imagewright.tools.binary import Program, sha256
from imagewright.tools.trivy_database import DatabaseFolder, resolve
from tests.integration import tiny_image, vulndb
from tests.integration.fake_scanner import script

pytestmark = pytest.mark.integration

ADVISORIES = (
    vulndb.Advisory("CVE-2099-1001", "pip", "jinja2", "CRITICAL", "2.11.3"),
    vulndb.Advisory("CVE-2099-1002", "debian 13", "zlib", "HIGH", "1:1.3.dfsg-2"),
    vulndb.Advisory("CVE-2099-1003", "debian 13", "openssl", "CRITICAL", "3.5.9"),
    vulndb.Advisory("CVE-2099-1004", "npm", "next", "MEDIUM", "14.1.0"),
    vulndb.Advisory("CVE-2099-1005", "bitnami", "node", "LOW"),
    vulndb.Advisory("CVE-2099-1006", "pip", "jinja2", "HIGH", "2.9"),
)
NO_DATABASE = NotChecked("no database: none was asked for")

Scanned = Callable[..., Scan]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> DatabaseFolder:
    root = tmp_path_factory.mktemp("database")
    vulndb.write(root / "db", ADVISORIES)
    now = datetime.now(UTC)
    found = resolve("db", root=root, cache=root, fetch=never, trivy=trivy.find, now=now)
    assert isinstance(found, DatabaseFolder)
    return found


def never(*_: object) -> Digest:
    raise AssertionError("nothing is fetched here")


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    return tmp_path / "layout"


@pytest.fixture
def vulnerable(layout: Path) -> Digest:
    first = tiny_image.DEBIAN | tiny_image.PRIVATE_KEY
    second = tiny_image.DELETED_KEY | tiny_image.JINJA2 | tiny_image.NEXT | tiny_image.NODE_SBOM
    return tiny_image.write(layout, [first, second], user="root")


@pytest.fixture
def clean(layout: Path) -> Digest:
    return tiny_image.write(layout, [tiny_image.DEBIAN], user="65532:65532")


@pytest.fixture
def scanned(layout: Path, tmp_path: Path) -> Scanned:
    def scan(
        subject: Digest,
        base: DatabaseFolder | NotChecked = NO_DATABASE,
        program: Program | None = None,
        level: isolation.Isolation | None = None,
    ) -> Scan:
        work = tmp_path / "work"
        found, _ = trivy.scan(layout, subject, database=base, workdir=work, timeout=60, trivy=program, isolation=level)
        assert list(work.iterdir()) == []
        return found

    return scan


@pytest.mark.covers("SEC-008", "SEC-012")
def test_a_vulnerable_image_has_exactly_the_planted_faults(
    scanned: Scanned, vulnerable: Digest, database: DatabaseFolder
) -> None:
    found = scanned(vulnerable, database)
    assert found.subject == vulnerable
    assert found.database == database.database
    assert not isinstance(found.vulnerabilities, NotChecked)
    assert {(item.id, item.package, item.severity) for item in found.vulnerabilities} == {
        ("CVE-2099-1001", "Jinja2", "CRITICAL"),
        ("CVE-2099-1002", "zlib1g", "HIGH"),
        ("CVE-2099-1004", "next", "MEDIUM"),
        ("CVE-2099-1005", "node", "LOW"),
    }
    assert not isinstance(found.secrets, NotChecked)
    assert [(item.rule, item.path) for item in found.secrets] == [("private-key", "/app/deploy.pem")]
    assert not isinstance(found.misconfigurations, NotChecked)
    assert [item.id for item in found.misconfigurations] == ["DS-0002"]
    assert {item.name for item in found.packages} == {"Jinja2", "next", "node", "zlib1g"}


def test_a_clean_image_beside_it_in_the_same_layout_has_none(
    scanned: Scanned, vulnerable: Digest, clean: Digest, database: DatabaseFolder
) -> None:
    found = scanned(clean, database)
    assert found.subject != vulnerable
    assert [item.id for item in found.vulnerabilities if item.severity != "HIGH"] == []  # type: ignore[union-attr]
    assert (found.secrets, found.misconfigurations) == ((), ())
    assert [item.name for item in found.packages] == ["zlib1g"]


@pytest.mark.covers("SEC-015")
def test_without_a_database_everything_else_is_checked_and_the_reason_is_kept(
    scanned: Scanned, vulnerable: Digest
) -> None:
    found = scanned(vulnerable)
    assert found.vulnerabilities == found.database == NO_DATABASE
    assert found.secrets
    assert found.misconfigurations
    assert found.licences
    assert len(found.packages) == 4


IGNORING = {
    ".trivyignore": "CVE-2099-1001\nDS-0002\nprivate-key\n",
    ".trivyignore.yaml": "vulnerabilities:\n  - id: CVE-2099-1001\nsecrets:\n  - id: private-key\n",
    "trivy.yaml": "severity: [LOW]\nscan:\n  skip-dirs: [app]\n",
    "trivy-secret.yaml": "disable-rules: [private-key]\nallow-rules:\n  - {id: all, path: '.*'}\n",
    "vex.json": json.dumps({"@context": "https://openvex.dev/ns/v0.2.0", "statements": []}),
}
SETTINGS = {
    "TRIVY_SEVERITY": "LOW",
    "TRIVY_IGNORE_UNFIXED": "true",
    "TRIVY_IGNORE_STATUS": "fixed,affected",
    "TRIVY_SKIP_DIRS": "/app,/usr,/var",
    "TRIVY_SKIP_FILES": "**/*",
    "TRIVY_PKG_TYPES": "os",
    "TRIVY_SCANNERS": "license",
    "TRIVY_IMAGE_CONFIG_SCANNERS": "",
    "TRIVY_DETECTION_PRIORITY": "comprehensive",
    "TRIVY_EXIT_CODE": "9",
}


@pytest.mark.parametrize("level", [isolation.strongest(), isolation.NONE], ids=["sealed", "shared"])
def test_ignore_files_and_settings_lying_around_hide_nothing(
    scanned: Scanned,
    vulnerable: Digest,
    database: DatabaseFolder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    level: isolation.Isolation,
) -> None:
    wanted = scanned(vulnerable, database)
    home = tmp_path / "home"
    home.mkdir()
    for folder in (home, tmp_path):
        for name, text in IGNORING.items():
            (folder / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(home))
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    for option, name in (("CONFIG", "trivy.yaml"), ("IGNOREFILE", ".trivyignore"), ("VEX", "vex.json")):
        monkeypatch.setenv(f"TRIVY_{option}", str(home / name))
    monkeypatch.setenv("TRIVY_SECRET_CONFIG", str(home / "trivy-secret.yaml"))
    assert same(scanned(vulnerable, database, level=level), wanted)
    assert len(wanted.vulnerabilities) == 4  # type: ignore[arg-type]
    assert wanted.secrets
    assert wanted.misconfigurations


def test_nothing_inside_the_image_hides_something_in_it(
    scanned: Scanned, layout: Path, database: DatabaseFolder
) -> None:
    found = tiny_image.JINJA2 | tiny_image.PRIVATE_KEY
    ignoring = {f"{folder}{name}": text for folder in ("", "app/", "root/") for name, text in IGNORING.items()}
    commented = "# trivy:ignore:*\n# trivy:ignore:private-key\n# trivy-secret: allow\n# gitleaks:allow\n"
    wanted = scanned(tiny_image.write(layout, [tiny_image.DEBIAN | found], user="root"), database)
    hiding = found | ignoring | {path: f"{commented}{text}" for path, text in tiny_image.PRIVATE_KEY.items()}
    actual = scanned(tiny_image.write(layout, [tiny_image.DEBIAN | hiding], user="root"), database)
    assert wanted.secrets
    for kind in ("vulnerabilities", "secrets", "misconfigurations"):
        assert ids(actual, kind) == ids(wanted, kind), kind


@pytest.mark.parametrize(
    "place",
    [
        *("app/tests/k", "app/example/k", "app/vendor/k", "usr/share/k", "usr/lib/k", "app/locale/k", "app/README.md"),
        *("usr/local/lib/python3.13/dist-packages/x/k", "opt/venv/lib/python3.13/site-packages/x/k"),
        *("app/wp-includes/k", "usr/lib/ruby/gems/3.3.0/gems/x/k", "app/go/pkg/mod/x/k"),
    ],
)
@pytest.mark.covers("SEC-008")
def test_no_place_in_an_image_is_one_where_secrets_do_not_count(scanned: Scanned, layout: Path, place: str) -> None:
    (key,) = tiny_image.PRIVATE_KEY.values()
    found = scanned(tiny_image.write(layout, [tiny_image.DEBIAN | {place: key}]))
    assert ids(found, "secrets") == [("private-key", f"/{place}")]


def same(one: Scan, other: Scan) -> bool:
    """Whether two scans found the same, whatever kept the scanner apart."""
    kinds = ("packages", "vulnerabilities", "secrets", "misconfigurations", "licences")
    return all(getattr(one, kind) == getattr(other, kind) for kind in kinds)


def ids(found: Scan, kind: str) -> list[tuple[str, str]]:
    """What was found, by id or rule and by package or path."""
    items = getattr(found, kind)
    first = "rule" if kind == "secrets" else "id"
    return [(getattr(item, first), getattr(item, "package", item.path)) for item in items]


def test_many_scans_side_by_side_say_the_same(
    scanned: Scanned, vulnerable: Digest, database: DatabaseFolder, layout: Path, tmp_path: Path
) -> None:
    def one(number: int) -> tuple[object, ...]:
        work = tmp_path / "side-by-side"
        found, _ = trivy.scan(layout, vulnerable, database=database, workdir=work, timeout=60)
        return found.packages, found.vulnerabilities, found.secrets, found.misconfigurations, found.licences

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(one, range(4)))) == 1


@pytest.mark.covers("SEC-025")
def test_both_bills_of_materials_hold_system_and_language_packages_and_come_out_the_same(
    layout: Path, vulnerable: Digest, database: DatabaseFolder, tmp_path: Path
) -> None:
    def made(base: DatabaseFolder | NotChecked) -> object:
        _, raw = trivy.scan(layout, vulnerable, database=base, workdir=tmp_path / "w", timeout=60)
        return trivy.convert(raw, vulnerable, name="todo/backend", epoch=1_760_000_000, workdir=tmp_path / "w")

    first = made(database)
    assert first == made(database) == made(NO_DATABASE)
    assert [(sbom.file, sbom.os_packages, sbom.language_packages) for sbom, _ in first] == [  # type: ignore[attr-defined]
        ("sbom.cdx.json", 1, 3),
        ("sbom.spdx.json", 1, 3),
    ]


def test_the_report_that_is_kept_holds_no_secret_and_no_path_of_this_machine(
    layout: Path, vulnerable: Digest, database: DatabaseFolder, tmp_path: Path
) -> None:
    _, raw = trivy.scan(layout, vulnerable, database=database, workdir=tmp_path, timeout=60)
    for text in (tiny_image.KEY_BODY, "BEGIN RSA", str(tmp_path), str(Path.home()), "****"):
        assert text not in raw.decode()


class TestMissingOrBrokenInput:
    def test_a_manifest_that_is_not_in_the_layout_is_missing_evidence(self, scanned: Scanned, clean: Digest) -> None:
        with pytest.raises(EvidenceError):
            scanned(Digest.of(b"something else"))

    def test_a_manifest_with_other_bytes_is_not_scanned(self, scanned: Scanned, clean: Digest, layout: Path) -> None:
        blob = layout / "blobs" / "sha256" / clean.hex
        blob.write_bytes(blob.read_bytes() + b" ")
        with pytest.raises(EvidenceError, match="other bytes"):
            scanned(clean)

    def test_a_damaged_layer_is_a_failure_and_no_empty_result(self, scanned: Scanned, layout: Path) -> None:
        subject = tiny_image.write(layout, [tiny_image.DEBIAN | tiny_image.JINJA2])
        for blob in (layout / "blobs" / "sha256").iterdir():
            data = blob.read_bytes()
            if data.startswith(b"\x1f\x8b"):
                blob.write_bytes(data[:150] + bytes(byte ^ 0xFF for byte in data[150:170]) + data[170:])
        with pytest.raises(ToolFailed) as failure:
            scanned(subject)
        assert failure.value.why

    def test_a_damaged_database_is_a_failure_and_no_clean_bill(
        self, scanned: Scanned, vulnerable: Digest, tmp_path: Path
    ) -> None:
        folder = vulndb.write(tmp_path / "db", ADVISORIES)
        (folder / "trivy.db").write_bytes((folder / "trivy.db").read_bytes()[:8192])
        found = resolve("db", root=tmp_path, cache=tmp_path, fetch=never, trivy=trivy.find, now=datetime.now(UTC))
        assert isinstance(found, DatabaseFolder)
        with pytest.raises(ToolFailed):
            scanned(vulnerable, found)


class TestIsolation:
    @pytest.fixture
    def listener(self) -> Iterator[int]:
        with socket.create_server(("127.0.0.1", 0)) as server:
            yield server.getsockname()[1]

    @pytest.fixture
    def spy(self, tmp_path: Path, listener: int) -> Program:
        """A scanner that tells what it can see instead of scanning."""
        return script(
            tmp_path,
            f"""
            {{ ls
               (exec 3<>/dev/tcp/127.0.0.1/{listener}) && echo NETWORK
               [ -r {tmp_path}/canary ] && echo CANARY
               touch image/blobs/x cache/db/x && echo WRITABLE
               [ -e /proc/$PPID/environ ] && echo NEIGHBOURS
               env
            }} >&2
            exit 9
            """,
        )

    def told(self, scanned: Scanned, spy: Program, level: isolation.Isolation, **base: object) -> str:
        with pytest.raises(ToolFailed, match="exit code 9") as failure:
            scanned(program=spy, level=level, **base)
        return failure.value.why

    def test_the_environment_is_path_home_and_tmpdir_at_every_level(
        self, scanned: Scanned, clean: Digest, spy: Program, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("DOCKER_HOST", "GITHUB_TOKEN", "HTTPS_PROXY", "AWS_SECRET_ACCESS_KEY", "TRIVY_CONFIG"):
            monkeypatch.setenv(name, "leaked")
        for level in (isolation.strongest(), isolation.NONE):
            told = self.told(scanned, spy, level, subject=clean)
            names = {line.split("=")[0] for line in told.splitlines() if "=" in line}
            assert names - {"PWD", "SHLVL", "_"} == {"PATH", "HOME", "TMPDIR"}
            assert "leaked" not in told

    def test_a_sealed_room_has_no_network_no_neighbours_and_nothing_to_write_to(
        self, scanned: Scanned, clean: Digest, spy: Program, database: DatabaseFolder, tmp_path: Path
    ) -> None:
        level = isolation.strongest()
        if not level.sealed:
            pytest.skip("this machine allows no namespaces")
        (tmp_path / "canary").write_text("somebody's credentials")
        told = self.told(scanned, spy, level, subject=clean, base=database)
        for word in ("NETWORK", "CANARY", "WRITABLE", "NEIGHBOURS", str(tmp_path)):
            assert word not in told.splitlines(), word
        assert "scanner" in told.splitlines()

    def test_without_namespaces_the_scan_still_works_and_says_what_it_lacked(
        self, scanned: Scanned, vulnerable: Digest, spy: Program, database: DatabaseFolder
    ) -> None:
        assert "NETWORK" in self.told(scanned, spy, isolation.NONE, subject=vulnerable)
        found = scanned(vulnerable, database, level=isolation.NONE)
        assert found.isolation == isolation.NONE.words
        assert found.isolation.startswith("none")
        assert found.vulnerabilities == scanned(vulnerable, database).vulnerabilities

    def test_the_record_says_what_kept_the_scanner_apart(self, scanned: Scanned, clean: Digest) -> None:
        assert scanned(clean).isolation == isolation.strongest().words


class TestTheScannerItself:
    @pytest.mark.covers("SEC-016")
    def test_the_installed_scanner_is_the_locked_one(self) -> None:
        identity = trivy.identity()
        assert (identity.name, identity.version) == ("trivy", "0.76.0")
        assert identity.sha256 in {binary.sha256 for binary in trivy.load_lock().binary}

    @pytest.mark.covers("SEC-016")
    def test_an_unknown_binary_is_refused_without_being_run(self, tmp_path: Path) -> None:
        unknown = script(tmp_path, f"touch {tmp_path}/ran")
        with pytest.raises(ToolMissing, match="may run") as refusal:
            trivy.find(unknown.path)
        assert "trivy.lock.toml" in refusal.value.hint
        assert not (tmp_path / "ran").exists()

    @pytest.mark.parametrize("version", ["0.69.4", "0.69.5", "0.69.6"])
    @pytest.mark.covers("SEC-016")
    def test_a_version_known_to_be_malicious_is_refused_even_when_its_hash_is_listed(
        self, tmp_path: Path, version: str
    ) -> None:
        binary = script(tmp_path, f"touch {tmp_path}/ran")
        listed = trivy.LockedBinary(version, "linux/amd64", sha256(binary.path))
        lock = trivy.TrivyLock(trivy.load_lock().refused, (listed,))
        with pytest.raises(ToolMissing, match="malicious"):
            trivy.find(binary.path, lock=lock)
        assert not (tmp_path / "ran").exists()

    def test_a_changed_binary_is_hashed_again(self, tmp_path: Path) -> None:
        binary = script(tmp_path, "true").path
        before = sha256(binary)
        binary.write_text(f"{binary.read_text()}# changed\n")
        assert sha256(binary) != before

    @pytest.mark.parametrize(
        "output", ["", "null", '{"SchemaVersion": 2, "Results": [{', '{"SchemaVersion": 1}', '{"SchemaVersion": 2}']
    )
    def test_output_that_is_no_report_of_this_image_is_a_failure(
        self, scanned: Scanned, clean: Digest, tmp_path: Path, output: str
    ) -> None:
        with pytest.raises(ToolFailed):
            scanned(clean, program=script(tmp_path, f"printf '%s' '{output}'"))

    def test_a_scanner_that_hangs_is_ended(
        self, layout: Path, clean: Digest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(trivy_run, "GRACE_SECONDS", 0.5)
        hanging = script(tmp_path, "sleep 60")
        with pytest.raises(ToolFailed, match="did not end"):
            trivy.scan(layout, clean, database=NO_DATABASE, workdir=tmp_path, timeout=0.5, trivy=hanging)
