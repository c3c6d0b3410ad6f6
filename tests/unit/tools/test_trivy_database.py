from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from imagewright.errors import ConfigurationError, Interrupted, RegistryRefused
from imagewright.model.findings import NotChecked, ToolIdentity
from imagewright.reference import Digest, Reference
from imagewright.tools.binary import Program
from imagewright.tools.trivy_database import DatabaseFolder, failure, known, resolve
from imagewright.tools.trivy_download import unpack
from tests.integration import vulndb

NOW = datetime.now(UTC)
SOON = (NOW + timedelta(hours=3)).isoformat()
PAST = (NOW - timedelta(days=3)).isoformat()
REFERENCE = "registry.example:5000/trivy-db:2"
NO_SCANNER = Program(Path("nowhere"), ToolIdentity("trivy", "0"))


class FakeRegistry:
    """Serves one artifact, counts how often it is asked, and may be away."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.asked: list[Reference] = []
        self.trouble: Exception | None = None

    def __call__(self, reference: Reference, into: Path) -> Digest:
        self.asked.append(reference)
        if self.trouble:
            raise self.trouble
        into.write_bytes(self.data)
        return Digest.of(self.data)


Get = Callable[..., DatabaseFolder | NotChecked]


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., Path]:
    def make(name: str = "made", *, next_update: str = SOON, version: int = 2, severity: str = "HIGH") -> Path:
        advisory = vulndb.Advisory("CVE-2099-1", "pip", "jinja2", severity)
        return vulndb.write(tmp_path / name, [advisory], next_update=next_update, version=version)

    return make


@pytest.fixture
def get(tmp_path: Path) -> Get:
    def ask(setting: str, registry: FakeRegistry, *, now: datetime = NOW) -> DatabaseFolder | NotChecked:
        return resolve(
            setting, root=tmp_path, cache=tmp_path / "cache", fetch=registry, trivy=lambda: NO_SCANNER, now=now
        )

    return ask


def found(answer: DatabaseFolder | NotChecked) -> DatabaseFolder:
    assert isinstance(answer, DatabaseFolder)
    return answer


def test_a_folder_is_used_in_place_and_known_by_its_bytes(made: Callable[..., Path], get: Get) -> None:
    folder = made()
    for setting in (str(folder), "made", "./made"):
        database = found(get(setting, FakeRegistry(b"")))
        assert database.path == folder
        assert database.database.sha256 == Digest.of((folder / "trivy.db").read_bytes())
        assert (database.database.updated_at, database.database.source) == ("2026-01-01T00:00:00Z", setting)


def test_a_cache_folder_of_the_scanner_is_understood(made: Callable[..., Path], get: Get, tmp_path: Path) -> None:
    inner = made("cache-folder/db")
    assert found(get("cache-folder", FakeRegistry(b""))).path == inner


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("metadata.json", b'{"Version": 1, "NextUpdate": "2099-01-01T00:00:00Z"}', "Version"),
        ("metadata.json", b"{", "metadata.json"),
        ("metadata.json", b'{"Version": 2, "NextUpdate": "soon"}', "NextUpdate"),
        ("trivy.db", b"not a database", "BoltDB"),
        ("trivy.db", b"", "BoltDB"),
    ],
)
def test_a_folder_with_something_else_in_it_is_a_mistake_in_the_settings(
    made: Callable[..., Path], get: Get, file: str, content: bytes, message: str
) -> None:
    (made() / file).write_bytes(content)
    with pytest.raises(ConfigurationError) as mistake:
        get("made", FakeRegistry(b""))
    assert "tool.imagewright.scan.database" in mistake.value.why
    assert message in mistake.value.why


@pytest.mark.parametrize("setting", ["./nowhere", "/nowhere/at/all", "Not A Reference", "host:5000/db:"])
def test_a_setting_that_is_neither_folder_nor_reference_is_a_mistake(get: Get, setting: str) -> None:
    with pytest.raises(ConfigurationError):
        get(setting, FakeRegistry(b""))


@pytest.mark.parametrize("setting", ["registry.example/Not A Reference", "./nothing/here"])
def test_a_look_at_what_is_there_names_the_same_mistakes(tmp_path: Path, setting: str) -> None:
    with pytest.raises(ConfigurationError):
        known(setting, root=tmp_path, cache=tmp_path / "cache")


def test_a_database_is_fetched_once_until_its_next_update(made: Callable[..., Path], get: Get) -> None:
    registry = FakeRegistry(vulndb.artifact(made()))
    first = found(get(REFERENCE, registry))
    assert found(get(REFERENCE, registry)) == first
    assert [str(reference) for reference in registry.asked] == [REFERENCE]
    assert first.database.source == REFERENCE
    assert sorted(file.name for file in first.path.iterdir()) == ["metadata.json", "trivy.db"]


def test_a_database_is_fetched_again_when_its_next_update_has_passed(made: Callable[..., Path], get: Get) -> None:
    registry = FakeRegistry(vulndb.artifact(made()))
    first = found(get(REFERENCE, registry))
    registry.data = vulndb.artifact(made(severity="LOW"))
    second = found(get(REFERENCE, registry, now=NOW + timedelta(hours=4)))
    assert first.database.sha256 != second.database.sha256
    assert second.note == ""
    assert first.path.is_dir(), "a scan may still be reading it"


def test_a_mirror_that_is_behind_is_asked_once_an_hour_and_not_every_time(made: Callable[..., Path], get: Get) -> None:
    registry = FakeRegistry(vulndb.artifact(made(next_update=PAST)))
    for hours in (0, 0, 2, 2):
        assert found(get(REFERENCE, registry, now=NOW + timedelta(hours=hours))).note == ""
    assert len(registry.asked) == 3


def test_a_pinned_database_is_never_fetched_twice(made: Callable[..., Path], get: Get) -> None:
    registry = FakeRegistry(vulndb.artifact(made(next_update=PAST)))
    pinned = f"registry.example/trivy-db@{Digest.of(b'manifest')}"
    for days in (0, 1, 400):
        assert found(get(pinned, registry, now=NOW + timedelta(days=days)))
    assert len(registry.asked) == 1


def test_another_reference_is_another_database(made: Callable[..., Path], get: Get) -> None:
    registry = FakeRegistry(vulndb.artifact(made()))
    get(REFERENCE, registry)
    get("registry.example:5000/trivy-db:3", registry)
    assert len(registry.asked) == 2


def test_without_a_registry_and_without_a_copy_the_reason_is_told(get: Get) -> None:
    registry = FakeRegistry(b"")
    registry.trouble = RegistryRefused("registry.example:5000 cannot be reached", why="connection refused")
    answer = get(REFERENCE, registry)
    assert answer == NotChecked("no database: registry.example:5000 cannot be reached connection refused")


def test_without_a_registry_an_older_copy_serves_and_says_so(made: Callable[..., Path], get: Get) -> None:
    registry = FakeRegistry(vulndb.artifact(made()))
    first = found(get(REFERENCE, registry))
    registry.trouble = RegistryRefused("registry.example:5000 cannot be reached")
    later = found(get(REFERENCE, registry, now=NOW + timedelta(days=2)))
    assert (later.path, later.database) == (first.path, first.database)
    assert "cannot be reached" in later.note


def test_the_last_failure_is_known_until_a_copy_arrives(made: Callable[..., Path], get: Get, tmp_path: Path) -> None:
    registry, cache = FakeRegistry(vulndb.artifact(made())), tmp_path / "cache"
    assert failure(REFERENCE, cache) == failure("./folder", cache) == ""
    registry.trouble = RegistryRefused("registry.example:5000 cannot be reached")
    get(REFERENCE, registry)
    assert failure(REFERENCE, cache) == "registry.example:5000 cannot be reached"
    registry.trouble = None
    get(REFERENCE, registry, now=NOW + timedelta(seconds=90))
    assert failure(REFERENCE, cache) == ""


def test_a_failure_is_not_repeated_at_once_and_not_remembered_for_long(made: Callable[..., Path], get: Get) -> None:
    registry = FakeRegistry(vulndb.artifact(made()))
    registry.trouble = RegistryRefused("registry.example:5000 cannot be reached")
    first = get(REFERENCE, registry)
    assert get(REFERENCE, registry, now=NOW + timedelta(seconds=30)) == first
    assert len(registry.asked) == 1
    registry.trouble = None
    assert found(get(REFERENCE, registry, now=NOW + timedelta(seconds=90)))
    registry.trouble = RegistryRefused("registry.example:5000 cannot be reached")
    assert found(get(REFERENCE, registry, now=NOW + timedelta(seconds=95)))


@pytest.mark.parametrize("record", ["", "[]", "[1, 2]", '["tomorrow", "x"]', '["2999-01-01T00:00:00+00:00", "x"]'])
def test_a_record_of_a_failure_that_cannot_be_read_or_is_of_a_later_day_holds_nothing_up(
    made: Callable[..., Path], get: Get, tmp_path: Path, record: str
) -> None:
    registry = FakeRegistry(vulndb.artifact(made()))
    registry.trouble = RegistryRefused("registry.example:5000 cannot be reached")
    get(REFERENCE, registry)
    next(tmp_path.glob("cache/trivy-db/*/failed.json")).write_text(record)
    registry.trouble = None
    assert found(get(REFERENCE, registry))


@pytest.mark.parametrize("spoil", [lambda data: data[:200], lambda _: b"", lambda data: data[:-9] + b"x" * 9])
def test_a_broken_download_never_replaces_a_good_copy(
    made: Callable[..., Path], get: Get, tmp_path: Path, spoil: Callable[[bytes], bytes]
) -> None:
    registry = FakeRegistry(vulndb.artifact(made()))
    first = found(get(REFERENCE, registry))
    registry.data = spoil(vulndb.artifact(made(severity="LOW")))
    later = found(get(REFERENCE, registry, now=NOW + timedelta(days=2)))
    assert later.database == first.database
    assert "broken" in later.note or "no metadata.json" in later.note
    assert not list(tmp_path.glob("cache/trivy-db/*/arriving-*"))


def test_a_database_of_another_version_is_not_taken(made: Callable[..., Path], get: Get) -> None:
    answer = get(REFERENCE, FakeRegistry(vulndb.artifact(made(version=3))))
    assert isinstance(answer, NotChecked)
    assert "Version" in answer.reason


def test_the_users_interrupt_is_not_a_missing_database(get: Get) -> None:
    registry = FakeRegistry(b"")
    registry.trouble = Interrupted("stopped")
    with pytest.raises(Interrupted):
        get(REFERENCE, registry)


def test_a_copy_damaged_on_disk_is_fetched_again(made: Callable[..., Path], get: Get) -> None:
    registry = FakeRegistry(vulndb.artifact(made()))
    first = found(get(REFERENCE, registry))
    (first.path / "trivy.db").write_bytes(b"")
    assert found(get(REFERENCE, registry)).database == first.database


class TestUnpacking:
    def test_only_the_two_known_files_come_out(self, made: Callable[..., Path], tmp_path: Path) -> None:
        folder = made()
        (folder / "evil.sh").write_text("x")
        into = self.unpacked(tmp_path, vulndb.artifact(folder, names=["evil.sh", "trivy.db", "metadata.json"]))
        assert sorted(file.name for file in into.iterdir()) == ["metadata.json", "trivy.db"]

    def test_a_missing_file_is_named(self, made: Callable[..., Path], tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="has no metadata"):
            self.unpacked(tmp_path, vulndb.artifact(made(), names=["trivy.db"]))

    def test_a_file_beyond_its_limit_is_refused(self, made: Callable[..., Path], tmp_path: Path) -> None:
        folder = made()
        (folder / "metadata.json").write_text(json.dumps("x" * 100_000))
        with pytest.raises(ValueError, match="larger than"):
            self.unpacked(tmp_path, vulndb.artifact(folder))

    @staticmethod
    def unpacked(tmp_path: Path, data: bytes) -> Path:
        archive, into = tmp_path / "db.tar.gz", tmp_path / "into"
        archive.write_bytes(data)
        into.mkdir()
        unpack(archive, into)
        return into
