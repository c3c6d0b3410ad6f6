"""The feeds of the settings: one that is not exactly what the settings name is an error that says so."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pytest

from imagewright.errors import ConfigurationError, EvidenceError
from imagewright.evidence import Evidence
from imagewright.flow import feeds
from imagewright.flow.workspace import Workspace
from imagewright.model.definition import FeedFile, FeedSettings, Project, Settings
from imagewright.model.feeds import EpssScore, Feeds
from imagewright.oci.layout import Store
from imagewright.progress import Plain
from imagewright.reference import Digest
from imagewright.tools import cache
from tests.unit.test_facts_feeds import CATALOGUE, EPSS

LOG4SHELL = "CVE-2021-44228"
DAYS = {"epss": date(2026, 11, 20), "kev": date(2026, 11, 19)}
KEV = json.dumps(CATALOGUE).encode()


def feed(name: str, data: bytes, *, day: date | None = None, file: str = "") -> FeedFile:
    return FeedFile(file or f"feeds/{name}", Digest(hashlib.sha256(data).hexdigest()), day or DAYS[name])


def workspace(root: Path, files: Mapping[str, bytes], **configured: FeedFile) -> Workspace:
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    project = Project(root, Settings(feeds=FeedSettings(**configured)), ())
    out = root / "out"
    return Workspace(project, {}, out, Store(out / "store"), Evidence(out / "evidence"), Plain(io.StringIO()))


def asked(of: Workspace) -> Feeds:
    feeds.verify(of)
    return feeds.read(of, frozenset({LOG4SHELL, "CVE-2026-9999"}))


def test_without_feeds_nothing_is_said(tmp_path: Path) -> None:
    assert asked(workspace(tmp_path, {})) == Feeds()


@pytest.mark.parametrize("data", [EPSS, gzip.compress(EPSS)], ids=["plain", "gzip"])
def test_scores_are_read_packed_or_not(tmp_path: Path, data: bytes) -> None:
    epss = feed("epss", data)
    found = asked(workspace(tmp_path, {"feeds/epss": data}, epss=epss))
    assert found == Feeds(epss=epss, scores={LOG4SHELL: EpssScore(0.94358, 0.9996)})


def test_both_feeds_are_joined(tmp_path: Path) -> None:
    files = {"feeds/epss": EPSS, "feeds/kev": KEV}
    found = asked(workspace(tmp_path, files, epss=feed("epss", EPSS), kev=feed("kev", KEV)))
    assert (set(found.scores), found.due) == ({LOG4SHELL}, {LOG4SHELL: "2021-12-24"})


def test_a_feed_may_lie_in_the_cache_folder(tmp_path: Path) -> None:
    here = workspace(tmp_path / "project", {}, kev=feed("kev", KEV))
    (cache.folder() / "feeds").mkdir(parents=True)
    (cache.folder() / "feeds/kev").write_bytes(KEV)
    assert asked(here).due == {LOG4SHELL: "2021-12-24"}


def test_a_missing_feed_is_named_with_its_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="mistake") as error:
        feeds.verify(workspace(tmp_path, {}, epss=feed("epss", EPSS)))
    assert "pyproject.toml: tool.imagewright.feeds.epss.file: feeds/epss is neither in the" in str(error.value)


def test_other_bytes_than_the_settings_name_are_refused_even_when_nothing_has_to_be_read(tmp_path: Path) -> None:
    here = workspace(tmp_path, {"feeds/epss": EPSS + b"CVE-2026-0002,0,0\n"}, epss=feed("epss", EPSS))
    for act in (feeds.verify, asked):
        with pytest.raises(EvidenceError, match="feeds/epss is not the one that the settings name") as error:
            act(here)
        assert str(Digest.of(EPSS)) in error.value.why


@pytest.mark.parametrize(
    ("name", "data"),
    [
        pytest.param("epss", b"<html>", id="a page of a proxy"),
        pytest.param("epss", gzip.compress(EPSS)[:-20], id="cut off"),
        pytest.param("epss", gzip.compress(EPSS)[:-4] + b"\0\0\0\0", id="a wrong length"),
        pytest.param("epss", b"\x1f\x8b", id="no gzip"),
        pytest.param("epss", gzip.compress(EPSS)[:20] + b"\xff" * 40, id="damaged"),
        pytest.param("kev", b"{", id="no JSON"),
        pytest.param("kev", EPSS, id="the other feed"),
        pytest.param("kev", b"\xff\xfe", id="no text"),
    ],
)
def test_a_file_that_is_no_such_feed_is_refused(tmp_path: Path, name: str, data: bytes) -> None:
    here = workspace(tmp_path, {f"feeds/{name}": data}, **{name: feed(name, data)})
    with pytest.raises(ConfigurationError) as error:
        asked(here)
    assert f"tool.imagewright.feeds.{name}.file: feeds/{name} is not such a feed" in str(error.value)


@pytest.mark.parametrize(("name", "data"), [("epss", EPSS), ("kev", KEV)])
def test_a_feed_of_another_day_than_the_settings_say_is_refused(tmp_path: Path, name: str, data: bytes) -> None:
    here = workspace(tmp_path, {f"feeds/{name}": data}, **{name: feed(name, data, day=date(2026, 11, 21))})
    with pytest.raises(ConfigurationError) as error:
        asked(here)
    said = f"tool.imagewright.feeds.{name}.date: is 2026-11-21, but feeds/{name} says it is of {DAYS[name]}"
    assert said in str(error.value)
