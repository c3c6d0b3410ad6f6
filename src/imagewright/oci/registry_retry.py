"""Trying again: which refusals pass, how long to wait between attempts, and when to give up."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

from imagewright.errors import RegistryRefused

Result = TypeVar("Result")


class Temporary(RegistryRefused):
    """A refusal that may be gone at the next attempt.

    ``after`` is how long the registry asks to wait (seconds), None when it does not say.
    """

    def __init__(self, what: str, *, why: str = "", hint: str = "", after: float | None = None) -> None:
        super().__init__(what, why=why, hint=hint)
        self.after = after


@dataclass(frozen=True, slots=True)
class Patience:
    """How often an operation is tried, and how long is waited; all times in seconds.

    ``total_wait`` bounds the sum of all waits between the attempts of one operation. ``jitter`` gives
    numbers from 0 to 1. ``connect_timeout`` bounds the sending of each chunk too, ``read_timeout`` each
    wait for an answer. ``sleep`` replaces the wait itself, for tests.
    """

    attempts: int = 5
    first_wait: float = 0.5
    longest_wait: float = 15.0
    total_wait: float = 60.0
    connect_timeout: float = 15.0
    read_timeout: float = 120.0
    jitter: Callable[[], float] = random.random
    sleep: Callable[[float], object] | None = None

    def wait(self, attempt: int) -> float:
        """The wait after a failed attempt (the first is 1): doubling, bounded, from half of it upwards at random."""
        full = min(self.first_wait * 2.0 ** (attempt - 1), self.longest_wait)
        return full * (0.5 + self.jitter() / 2)


def persist(action: Callable[[], Result], patience: Patience, sleep: Callable[[float], object]) -> Result:
    """Run ``action`` until it ends in anything but Temporary.

    Raises RegistryRefused, with what the last attempt said, when the attempts or the waiting time are used up.
    """
    waited = 0.0
    for attempt in itertools.count(1):
        try:
            return action()
        except Temporary as trouble:
            wait = patience.wait(attempt) if trouble.after is None else trouble.after
            if attempt >= patience.attempts or waited + wait > patience.total_wait:
                raise _given_up(trouble, attempt, waited, patience) from trouble
            waited += wait
            sleep(wait)
    raise AssertionError("unreachable")


def _given_up(trouble: Temporary, attempts: int, waited: float, patience: Patience) -> RegistryRefused:
    if attempts < patience.attempts and trouble.after is not None:
        end = f"it asks to wait {trouble.after:.0f} s; {patience.total_wait:.0f} s in all is the limit"
    else:
        end = f"gave up after {attempts} attempt{'s' if attempts > 1 else ''} and {waited:.0f} s of waiting"
    return RegistryRefused(trouble.what, why=f"{trouble.why}\n{end}".strip(), hint=trouble.hint)


def retry_after(header: str, now: datetime | None = None) -> float | None:
    """Seconds a Retry-After header (RFC 9110, 10.2.3) asks to wait, given as seconds or as a date; None if neither."""
    text = header.strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return max(0.0, (date - (now or datetime.now(UTC))).total_seconds())
