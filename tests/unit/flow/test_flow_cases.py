"""The key of the facts: everything they are made from, and nothing else."""

from __future__ import annotations

import dataclasses
from datetime import date
from typing import Any

import pytest

from imagewright.flow.cases import Case
from imagewright.model.definition import FeedFile, FeedSettings
from imagewright.model.findings import NotChecked
from imagewright.model.image import Descriptor, Manifest
from imagewright.model.records import Rebuild, Sboms
from imagewright.reference import Digest
from tests.unit.factory import SUBJECT, build, coverage, definition, inputs, lint, sboms, scan, vulnerability

MANIFEST = Manifest(SUBJECT, "manifest", 1, Descriptor("config", Digest.of(b"config"), 1), ())
CASE = Case("backend", definition(), MANIFEST, build(), lint(), scan(), Sboms(sboms()), inputs(), None, FeedSettings())
AGAIN = Rebuild(SUBJECT, SUBJECT, (), "2026-11-20T12:00:00Z")
FEED = FeedFile("feeds/epss.csv.gz", Digest.of(b"epss"), date(2026, 11, 20))
RESCORED = Sboms(tuple(dataclasses.replace(sbom, coverage=coverage(score=1)) for sbom in sboms()))


def case(**changes: Any) -> Case:
    return dataclasses.replace(CASE, **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"build": build(base_layers=1)},
        {"sboms": RESCORED},
        {"rebuild": AGAIN},
        {"feeds": FeedSettings(epss=FEED)},
        {"feeds": FeedSettings(kev=FEED)},
        {"scan": scan(vulnerabilities=(vulnerability(severity_source="nvd"),))},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_other_evidence_or_feeds_have_another_key(changes: dict[str, Any]) -> None:
    assert case(**changes).key != CASE.key


def test_feeds_and_rebuilds_are_told_apart() -> None:
    tomorrow = dataclasses.replace(FEED, date=date(2026, 11, 21))
    other = dataclasses.replace(AGAIN, rebuilt=Digest.of(b"other"))
    feeds = (FeedSettings(epss=FEED), FeedSettings(kev=FEED), FeedSettings(FEED, FEED), FeedSettings(epss=tomorrow))
    cases = [*(case(feeds=some) for some in feeds), *(case(rebuild=one) for one in (AGAIN, other))]
    assert len({one.key for one in cases}) == len(cases)


def test_the_hour_of_a_build_is_no_part_of_it() -> None:
    later = "2026-11-21T00:00:00Z"
    assert case(build=build(finished_at=later)).key == CASE.key
    assert case(rebuild=dataclasses.replace(AGAIN, at=later)).key == case(rebuild=AGAIN).key


def test_feeds_are_asked_about_what_was_found() -> None:
    assert case(scan=scan(vulnerabilities=(vulnerability(id="CVE-1"), vulnerability(id="CVE-2")))).known_ids == {
        *("CVE-1", "CVE-2"),
    }
    assert case(scan=scan(vulnerabilities=NotChecked("no database"))).known_ids == frozenset()
