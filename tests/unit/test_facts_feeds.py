"""EPSS and KEV as FIRST and CISA publish them: what is asked about is found, and anything else is refused."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagewright.facts.feeds import epss_scores, kev_due
from imagewright.model.feeds import EpssScore

EPSS = b"""#model_version:v2025.03.14,score_date:2026-11-20T00:00:00+0000
cve,epss,percentile
CVE-1999-0001,0.00460,0.73850
CVE-2021-44228,0.94358,0.99960
CVE-2026-0001,1e-05,0.00001
"""
CATALOGUE: dict[str, Any] = {
    "title": "CISA Catalog of Known Exploited Vulnerabilities",
    "catalogVersion": "2026.11.19",
    "dateReleased": "2026-11-19T15:00:27.5493Z",
    "count": 1,
    "vulnerabilities": [
        {
            "cveID": "CVE-2021-44228",
            "dateAdded": "2021-12-10",
            "dueDate": "2021-12-24",
            "knownRansomwareCampaignUse": "Known",
        }
    ],
}


def epss(text: bytes, *wanted: str) -> tuple[date, dict[str, EpssScore]]:
    return epss_scores(text.splitlines(keepends=True), frozenset(wanted))


def kev(document: object, *wanted: str) -> tuple[date, dict[str, str]]:
    return kev_due(json.dumps(document).encode(), frozenset(wanted))


def catalogue(*entries: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        **CATALOGUE,
        "vulnerabilities": [{**CATALOGUE["vulnerabilities"][0], **entry} for entry in entries],
    } | changes


def test_only_what_is_asked_about_is_read() -> None:
    found = epss(EPSS, "CVE-2021-44228", "CVE-2026-9999", "GHSA-jfh8-c2jp-5v3q")
    assert found == (date(2026, 11, 20), {"CVE-2021-44228": EpssScore(0.94358, 0.9996)})


def test_windows_line_ends_are_line_ends() -> None:
    assert epss(EPSS.replace(b"\n", b"\r\n"), "CVE-2026-0001")[1] == {"CVE-2026-0001": EpssScore(1e-05, 1e-05)}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param(b"", "line 1", id="empty"),
        pytest.param(EPSS.partition(b"\n")[2], "line 1", id="no date"),
        pytest.param(EPSS.replace(b"2026-11-20", b"2026-11-31"), "is no date", id="a date that is none"),
        pytest.param(EPSS.replace(b"epss,perc", b"score,perc"), "line 2", id="other columns"),
        pytest.param(EPSS[: EPSS.index(b"CVE-")], "no scores", id="no scores"),
        pytest.param(EPSS + b"<html>", "line 6", id="something else at the end"),
        pytest.param(EPSS + b"\n", "line 6", id="an empty line"),
        pytest.param(EPSS.replace(b"0.94358", b"high"), "line 4", id="a score in words"),
        pytest.param(EPSS.replace(b"0.94358", b"1.5"), "line 4", id="a score above 1"),
        pytest.param(EPSS.replace(b"0.94358", b"nan"), "line 4", id="no number"),
        pytest.param(EPSS.replace(b",0.99960", b""), "line 4", id="a column too few"),
        pytest.param(EPSS.replace(b",0.99960", b",1,1"), "line 4", id="a column too many"),
        pytest.param(EPSS + b"CVE-2021-44228,0.1,0.1\n", "line 6: CVE-2021-44228 is there twice", id="twice"),
    ],
)
def test_scores_that_cannot_be_trusted_are_refused_with_the_line(text: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        epss(text, "CVE-2021-44228")


def test_the_catalogue_gives_the_day_by_which_to_remedy() -> None:
    assert kev(CATALOGUE, "CVE-2021-44228", "CVE-2026-0001") == (date(2026, 11, 19), {"CVE-2021-44228": "2021-12-24"})
    assert kev(CATALOGUE) == (date(2026, 11, 19), {})


@pytest.mark.parametrize(
    "document",
    [
        pytest.param([], id="a list"),
        pytest.param({}, id="nothing"),
        pytest.param(catalogue(), id="no vulnerabilities"),
        pytest.param(catalogue({}, {}), id="twice the same"),
        pytest.param(catalogue({"cveID": "log4shell"}), id="an id that is none"),
        pytest.param(catalogue({"cveID": None}), id="no id"),
        pytest.param(catalogue({"dueDate": "soon"}), id="a due date that is none"),
        pytest.param(catalogue({}, dateReleased="2026"), id="a release date that is none"),
        pytest.param(catalogue({}, dateReleased=2026), id="a release date that is no text"),
        pytest.param(catalogue({}, vulnerabilities={"CVE-2021-44228": {}}), id="a table"),
    ],
)
def test_a_catalogue_that_cannot_be_trusted_is_refused(document: object) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        kev(document)


IDS = st.builds("CVE-{:04}-{:04}".format, st.integers(1999, 2030), st.integers(0, 10**6))
SHARES = st.floats(0, 1)
SCORES = st.dictionaries(IDS, st.tuples(SHARES, SHARES), min_size=1, max_size=20)


@given(SCORES, st.sets(IDS), st.dates(date(2021, 1, 1), date(2099, 12, 31)))
def test_every_score_that_is_wanted_and_there_comes_back_as_it_was(
    scores: dict[str, tuple[float, float]], others: set[str], day: date
) -> None:
    rows = [f"{cve},{score!r},{percentile!r}\n" for cve, (score, percentile) in scores.items()]
    text = f"#model_version:v1,score_date:{day}T00:00:00Z\ncve,epss,percentile\n{''.join(rows)}".encode()
    wanted = others | set(list(scores)[::2])
    expected = {cve: EpssScore(*pair) for cve, pair in scores.items() if cve in wanted}
    assert epss(text, *wanted) == (day, expected)


@given(st.binary(max_size=200))
def test_whatever_the_bytes_scores_are_read_or_refused(junk: bytes) -> None:
    for text in (junk, EPSS[: EPSS.index(b"CVE-")] + junk):
        try:
            _, scores = epss(text, "CVE-2021-44228")
        except ValueError:
            continue
        assert all(0 <= one.score <= 1 and 0 <= one.percentile <= 1 for one in scores.values())


@given(st.dictionaries(IDS, st.dates(), min_size=1, max_size=20), st.sets(IDS))
def test_every_exploited_one_that_is_wanted_comes_back_with_its_day(due: dict[str, date], others: set[str]) -> None:
    wanted = others | set(list(due)[::2])
    entries = [{"cveID": cve, "dueDate": day.isoformat()} for cve, day in due.items()]
    assert kev(catalogue(*entries), *wanted)[1] == {cve: str(day) for cve, day in due.items() if cve in wanted}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(JSON, JSON, JSON)
def test_whatever_the_document_a_catalogue_is_read_or_refused(whole: object, entries: object, entry: object) -> None:
    for document in (whole, {**CATALOGUE, "vulnerabilities": entries}, catalogue({"cveID": entry})):
        with pytest.raises(ValueError, match=r"\w"):
            kev(document)
