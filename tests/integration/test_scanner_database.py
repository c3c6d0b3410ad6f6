"""How the scanner's default database gets here."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from imagewright.model.findings import Database, NotChecked
from imagewright.reference import Digest
from imagewright.tools.binary import Program
from imagewright.tools.trivy_database import DatabaseFolder, resolve
from tests.integration import vulndb
from tests.integration.fake_scanner import script

pytestmark = pytest.mark.integration

ADVISORIES = (vulndb.Advisory("CVE-2099-1001", "pip", "jinja2", "CRITICAL", "2.11.3"),)


def never(*_: object) -> Digest:
    raise AssertionError("nothing is fetched from a registry here")


class TestTheDefaultDatabase:
    def test_it_is_downloaded_without_the_users_credentials_and_kept(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made = vulndb.write(tmp_path / "made", ADVISORIES)
        monkeypatch.setenv("GITHUB_TOKEN", "leaked")
        monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
        downloader = script(
            tmp_path,
            f"""
            env > {tmp_path}/environment
            while [ "$1" != --cache-dir ]; do shift; done
            mkdir -p "$2/db" && cp {made}/* "$2/db/"
            """,
        )
        found = self.resolved(tmp_path, downloader)
        assert isinstance(found, DatabaseFolder)
        assert found.database.sha256 == Digest.of((made / "trivy.db").read_bytes())
        environment = (tmp_path / "environment").read_text()
        assert "leaked" not in environment
        assert "HTTPS_PROXY=http://proxy.example:3128" in environment
        assert self.resolved(tmp_path, script(tmp_path, "exit 1")) == found

    def test_a_failed_download_is_told_in_a_line(self, tmp_path: Path) -> None:
        found = self.resolved(tmp_path, script(tmp_path, "echo 'lookup registry.example: no such host' >&2; exit 1"))
        assert isinstance(found, NotChecked)
        assert found.reason.startswith("no database: ")
        assert "no such host" in found.reason
        assert "\n" not in found.reason

    @staticmethod
    def resolved(tmp_path: Path, program: Program) -> DatabaseFolder | NotChecked:
        cache, now = tmp_path / "cache", datetime.now(UTC)
        return resolve("", root=tmp_path, cache=cache, fetch=never, trivy=lambda: program, now=now)


@pytest.mark.parametrize("ecosystems", [["debian 13"], []])
@pytest.mark.covers("SEC-015")
def test_a_database_says_whether_it_knows_a_distribution(tmp_path: Path, ecosystems: list[str]) -> None:
    made = vulndb.write(tmp_path, ADVISORIES, ecosystems=ecosystems)
    found = DatabaseFolder(made, Database(Digest.of(b""), "", ""))
    assert found.covers("debian 13") == bool(ecosystems)
    assert not found.covers("debian 99")
    assert found.covers("")
