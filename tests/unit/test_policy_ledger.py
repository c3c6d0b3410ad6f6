"""The ledger: releases in order, and first sightings that never move to a later day, in whatever order one judges."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagewright.errors import EvidenceError
from imagewright.evidence import Evidence
from imagewright.model.history import Ledger, Release
from imagewright.policy import ledger
from imagewright.policy.gates import Finding, moment
from imagewright.reference import Digest
from tests.unit import factory

FINDING = ("CVE-2026-0001", "python-pkg/jinja2")
OTHER = ("CVE-2026-0002", "debian/libc6")
RELEASED = "2026-11-01T00:00:00Z"
EMPTY = Ledger("backend", factory.PLATFORM)
DAYS = st.integers(-90, 90).map(lambda days: moment(factory.NOW + timedelta(days=days)))
FINDINGS = st.sets(st.sampled_from([FINDING, OTHER]))


def release(name: str = "a", **changes: object) -> Release:
    subject = Digest.of(name.encode())
    base = Release(subject, subject, "local", "localhost:5000/todo/backend", name, RELEASED, checked=True)
    return dataclasses.replace(base, **changes)  # type: ignore[arg-type]


def first(of: Ledger, finding: Finding = FINDING) -> str:
    return next(one.at for one in of.sightings if (one.id, one.package) == finding)


def test_releases_are_kept_in_their_order_and_the_newest_is_the_last() -> None:
    after = EMPTY
    for name in ("a", "b", "a"):
        after = ledger.released(after, release(name), ())
    assert [one.tag for one in after.releases] == ["a", "b", "a"]
    assert ledger.latest(after, "local") == after.releases[-1]


def test_the_newest_release_pushed_again_is_none_more() -> None:
    once = ledger.released(EMPTY, release(), [FINDING])
    again = ledger.released(once, release(tag="v2", at="2026-11-09T00:00:00Z"), [FINDING])
    assert again == once


def test_a_release_to_another_registry_is_none_here() -> None:
    after = ledger.released(EMPTY, release(), ())
    assert ledger.latest(after, "registry.example.com") is None
    after = ledger.released(after, release(registry="registry.example.com"), ())
    assert len(after.releases) == 2


def test_what_a_release_is_accepted_with_is_first_seen_that_moment() -> None:
    assert first(ledger.released(EMPTY, release(), [FINDING])) == RELEASED


def test_what_is_seen_in_a_digest_that_was_not_released_starts_no_clock() -> None:
    assert ledger.seen(EMPTY, Digest.of(b"a"), [FINDING], RELEASED) == EMPTY


@given(st.lists(st.tuples(DAYS, FINDINGS), max_size=6))
def test_judging_again_never_makes_a_first_sighting_later(days: list[tuple[str, set[Finding]]]) -> None:
    after = ledger.released(EMPTY, release(), ())
    for day, found in days:
        before = {(one.id, one.package): one.at for one in after.sightings}
        after = ledger.seen(after, Digest.of(b"a"), found, day)
        now = {(one.id, one.package): one.at for one in after.sightings}
        assert all(now[key] <= at for key, at in before.items())
        assert now.keys() == before.keys() | found


@given(st.lists(st.tuples(DAYS, FINDINGS), max_size=6), st.randoms(use_true_random=False))
def test_the_order_in_which_days_are_judged_does_not_matter(days: list[tuple[str, set[Finding]]], by: Random) -> None:
    def all_of(order: list[tuple[str, set[Finding]]]) -> Ledger:
        after = ledger.released(EMPTY, release(), ())
        for day, found in order:
            after = ledger.seen(after, Digest.of(b"a"), found, day)
        return after

    assert all_of(days) == all_of(by.sample(days, len(days)))


@given(DAYS)
def test_a_clock_that_was_set_back_starts_nothing_before_the_release(day: str) -> None:
    after = ledger.seen(ledger.released(EMPTY, release(), ()), Digest.of(b"a"), [FINDING], day)
    assert first(after) == max(day, RELEASED)


def test_a_clock_that_was_ahead_is_put_right_by_the_next_judgement() -> None:
    after = ledger.seen(ledger.released(EMPTY, release(), ()), Digest.of(b"a"), [FINDING], "2030-01-01T00:00:00Z")
    assert first(ledger.seen(after, Digest.of(b"a"), [FINDING], "2026-11-20T00:00:00Z")) == "2026-11-20T00:00:00Z"


def test_the_dates_of_a_judgement_only_grow_and_are_the_release_s_own() -> None:
    after = ledger.released(ledger.released(EMPTY, release("a"), ()), release("b"), ())
    for at, database in (("2026-11-20T00:00:00Z", "2026-11-19T00:00:00Z"), ("2026-11-10T00:00:00Z", "")):
        after = ledger.judged(after, Digest.of(b"b"), at=at, database_at=database, passed=True)
    assert [(one.judged_at, one.database_at) for one in after.releases] == [
        ("", ""),
        ("2026-11-20T00:00:00Z", "2026-11-19T00:00:00Z"),
    ]


@pytest.mark.parametrize("passed", [True, False])
def test_what_was_released_unchecked_is_accepted_when_it_passes_with_a_database(passed: bool) -> None:
    after = ledger.released(EMPTY, release(checked=False), ())
    after = ledger.judged(after, Digest.of(b"a"), at=RELEASED, database_at=RELEASED, passed=passed)
    assert after.releases[0].checked is passed


@pytest.fixture
def evidence(tmp_path: Path) -> Evidence:
    """Evidence with a ledger of one release."""
    made = Evidence(tmp_path)
    made.keep_ledger(ledger.released(EMPTY, release(), [FINDING, OTHER]))
    return made


def test_a_ledger_reads_back_as_it_was_written_and_there_is_none_at_first(evidence: Evidence) -> None:
    assert evidence.ledger("backend", factory.PLATFORM) == ledger.released(EMPTY, release(), [FINDING, OTHER])
    assert evidence.ledger("frontend", factory.PLATFORM).releases == ()


def test_an_equal_ledger_is_not_written_again(evidence: Evidence) -> None:
    path = evidence.ledger_path("backend", factory.PLATFORM)
    before = path.stat().st_ino
    evidence.keep_ledger(evidence.ledger("backend", factory.PLATFORM))
    assert path.stat().st_ino == before


def test_any_changed_byte_of_a_ledger_is_refused_and_never_taken_for_none(evidence: Evidence) -> None:
    path = evidence.ledger_path("backend", factory.PLATFORM)
    whole = path.read_bytes()
    for at in range(0, len(whole), 17):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(EvidenceError, match=r"the ledger of backend \(linux/amd64\)") as error:
            evidence.ledger("backend", factory.PLATFORM)
        assert "put" in error.value.hint
    for cut in (b"", whole[:100]):
        path.write_bytes(cut)
        with pytest.raises(EvidenceError):
            evidence.keep_ledger(EMPTY)


def test_the_ledger_of_another_image_is_refused(evidence: Evidence) -> None:
    other = evidence.ledger_path("frontend", factory.PLATFORM)
    other.parent.mkdir()
    other.write_bytes(evidence.ledger_path("backend", factory.PLATFORM).read_bytes())
    with pytest.raises(EvidenceError, match="frontend") as error:
        evidence.ledger("frontend", factory.PLATFORM)
    assert "backend" in error.value.why
