"""Trying again: how long, how often, and what is said in the end."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagewright.errors import RegistryRefused
from imagewright.oci.registry_retry import Patience, Temporary, persist, retry_after

NOW = datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC)


class Failing:
    """Fails a number of times, then gives an answer; counts its calls."""

    def __init__(self, times: int, after: float | None = None) -> None:
        self.left, self.after, self.calls = times, after, 0

    def __call__(self) -> str:
        self.calls += 1
        self.left -= 1
        if self.left >= 0:
            raise Temporary("the registry is busy", why="HTTP 503", hint="wait", after=self.after)
        return "done"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0.0),
        (" 17 ", 17.0),
        ("Fri, 01 May 2026 12:00:30 GMT", 30.0),
        ("Fri, 01 May 2026 11:00:00 GMT", 0.0),
        ("", None),
        ("soon", None),
        ("-3", None),
        ("٣", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(header: str, seconds: float | None) -> None:
    assert retry_after(header, NOW) == seconds


@given(st.text(max_size=40))
def test_no_retry_after_can_break_the_parser(header: str) -> None:
    wait = retry_after(header, NOW)
    assert wait is None or wait >= 0


def test_waits_double_up_to_a_bound_with_jitter_between_half_and_whole() -> None:
    low = Patience(first_wait=1, longest_wait=5, jitter=lambda: 0.0)
    high = Patience(first_wait=1, longest_wait=5, jitter=lambda: 1.0)
    assert [low.wait(n) for n in range(1, 6)] == [0.5, 1, 2, 2.5, 2.5]
    assert [high.wait(n) for n in range(1, 6)] == [1, 2, 4, 5, 5]


def test_what_fails_twice_and_then_works_has_worked() -> None:
    waits: list[float] = []
    assert persist(Failing(2), Patience(jitter=lambda: 1.0), waits.append) == "done"
    assert waits == [0.5, 1.0]


def test_the_wait_the_registry_asks_for_is_kept() -> None:
    waits: list[float] = []
    persist(Failing(1, after=7.0), Patience(), waits.append)
    assert waits == [7.0]


def test_attempts_are_bounded_and_the_last_reason_is_told() -> None:
    action = Failing(99)
    with pytest.raises(RegistryRefused, match="the registry is busy") as caught:
        persist(action, Patience(attempts=3, jitter=lambda: 1.0), lambda _: None)
    assert action.calls == 3
    assert not isinstance(caught.value, Temporary)
    assert "HTTP 503" in caught.value.why
    assert "gave up after 3 attempts" in caught.value.why


def test_a_wait_beyond_the_bound_is_refused_at_once() -> None:
    waits: list[float] = []
    with pytest.raises(RegistryRefused) as caught:
        persist(Failing(1, after=3600.0), Patience(total_wait=60), waits.append)
    assert waits == []
    assert "asks to wait 3600 s" in caught.value.why


def test_a_plain_refusal_is_never_tried_again() -> None:
    calls: list[int] = []

    def refuse() -> None:
        calls.append(1)
        raise RegistryRefused("no")

    with pytest.raises(RegistryRefused, match=r"^no$"):
        persist(refuse, Patience(), lambda _: None)
    assert len(calls) == 1
