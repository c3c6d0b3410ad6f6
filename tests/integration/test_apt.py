"""Real packages from the real archive, into a cache of the test's own."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from imagewright.errors import ToolFailed
from imagewright.tools import apt, apt_sources, cache

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(shutil.which("apt-get") is None, reason="packages come from Debian"),
]

PACKAGE = ("hello",)


@pytest.fixture(scope="module", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IMAGEWRIGHT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")


def test_two_runs_at_once_fetch_a_package_once() -> None:
    said: list[str] = []
    with ThreadPoolExecutor(2) as pool:
        one, two = pool.map(lambda _: apt.packages(PACKAGE, note=said.append), range(2))
    assert one == two
    assert said == ["fetching hello (trixie)"]
    assert (one.root / "usr/bin/hello").is_file()
    assert [name for name, _ in one.versions] == ["hello"]


@pytest.mark.usefixtures("_no_network")
def test_what_was_fetched_is_used_again_without_network() -> None:
    assert apt.packages(PACKAGE).programs


def test_without_an_archive_the_error_is_apts_own_with_a_next_step(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    archive = replace(apt.host_archive(), main=f"file://{tmp_path}", updates="", security="")
    monkeypatch.setattr(apt, "host_archive", lambda: archive)
    with pytest.raises(ToolFailed) as caught:
        apt.packages(("figlet",))
    assert caught.value.why
    assert "network" in caught.value.hint


def test_a_package_nobody_has_is_an_error() -> None:
    with pytest.raises(ToolFailed, match="apt-get download failed"):
        apt.packages(("there-is-no-such-package",))


def test_what_an_interrupted_run_left_is_no_answer() -> None:
    left = cache.folder() / "packages" / ".0123456789ab.part"
    (left / "root").mkdir(parents=True)
    apt.packages(("sl",))
    assert not left.exists()


def test_an_answer_holds_until_the_host_loses_a_package() -> None:
    said: list[str] = []
    first = apt.missing(PACKAGE, note=said.append)
    assert apt.missing(PACKAGE, note=said.append) == first
    record = first.root.parent / "record.json"
    content = json.loads(record.read_text())
    record.write_text(json.dumps({**content, "host": [*content["host"], "was-here-then"]}))
    shutil.rmtree(first.root)
    assert (apt.missing(PACKAGE, note=said.append).root / "usr/bin/hello").exists()
    assert len(said) == 2


def test_an_archive_signed_by_somebody_else_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    strangers = tmp_path / "debian-archive-strangers.gpg"
    strangers.write_bytes(b"")
    archive = replace(apt.host_archive(), keyring=str(strangers))
    monkeypatch.setattr(apt, "host_archive", lambda: archive)
    with pytest.raises(ToolFailed, match="apt-get"):
        apt.packages(("figlet",))


def test_the_hosts_own_lists_name_a_debian_archive() -> None:
    assert apt_sources.source_list(apt.host_archive(), "trixie").startswith("deb [signed-by=/")
