"""Sizes, moments and foreign text as people read them."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagewright.reports import units


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.00 kB"),
        (12_345, "12.3 kB"),
        (999_499, "999 kB"),
        (999_999, "1.00 MB"),
        (58_212_352, "58.2 MB"),
        (150_000_000, "150 MB"),
        (9_995_000, "10.0 MB"),
        (1_234_000_000, "1.23 GB"),
        (2_500_000_000_000, "2500 GB"),
    ],
)
def test_sizes_are_decimal_with_three_figures(count: int, text: str) -> None:
    assert units.size(count) == text


@pytest.mark.parametrize(
    ("number", "noun", "text"),
    [(0, "package", "no packages"), (1, "rule", "1 rule"), (2, "day", "2 days")],
)
def test_counts_agree_with_their_noun(number: int, noun: str, text: str) -> None:
    assert units.count(number, noun) == text


def test_moments_are_shown_in_utc() -> None:
    assert units.moment("2026-11-20T12:16:40+01:00") == "2026-11-20 11:16 UTC"
    assert units.from_epoch(0) == "1970-01-01 00:00 UTC"


def test_what_is_not_a_moment_is_shown_as_it_is() -> None:
    assert units.moment("yesterday") == "yesterday"
    assert units.moment("2026-11-20T12:16:40") == "2026-11-20T12:16:40"


@pytest.mark.parametrize(
    ("then", "now", "text"),
    [
        ("2026-11-19T06:12:31Z", "2026-11-20T11:16:40Z", "29 hours"),
        ("2026-11-20T11:00:00Z", "2026-11-20T11:16:40Z", "less than an hour"),
        ("2026-11-01T00:00:00Z", "2026-11-20T11:16:40Z", "19 days"),
        ("2026-11-21T00:00:00Z", "2026-11-20T11:16:40Z", ""),
        ("unknown", "2026-11-20T11:16:40Z", ""),
    ],
)
def test_the_age_of_something_is_told_in_hours_then_days(then: str, now: str, text: str) -> None:
    assert units.age(then, now) == text


@given(st.text(st.characters()))
def test_plain_text_has_only_characters_that_can_be_seen(text: str) -> None:
    shown = units.plain(text)
    assert not [c for c in shown if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}]
    assert shown == shown.encode().decode()


def test_what_cannot_be_seen_is_spelled_out() -> None:
    assert units.plain("a\x1b[31m\u202eb\udcff\ufffe\U000e0041é✓") == r"a\x1b[31m\u202eb\udcff\ufffe\U000e0041é✓"
    assert units.plain("one\r\n\ttwo") == "one two"


def test_a_list_is_cut_only_where_that_saves_lines() -> None:
    assert units.bounded((1, 2, 3), 2) == ((1, 2, 3), 0)
    assert units.bounded((1, 2, 3, 4), 2) == ((1, 2), 2)


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "//evil.example", "http://a b", "data:text/html,x", "https://é", ""]
)
def test_only_plain_web_addresses_are_linked(url: str) -> None:
    assert units.link(url) == ""
    assert units.link("HTTPS://todo.example/x?y=1") == "HTTPS://todo.example/x?y=1"
