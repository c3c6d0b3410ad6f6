"""A piece of work, run several times: its median, least and most."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds that each run took, and the most it was meant to take; 0 without a goal."""

    name: str
    seconds: tuple[float, ...]
    goal: float = 0.0

    @property
    def median(self) -> float:
        """The run in the middle, in seconds."""
        return statistics.median(self.seconds)

    def __str__(self) -> str:
        goal = f", goal {self.goal:g} s" if self.goal else ""
        least, most = min(self.seconds), max(self.seconds)
        return f"{self.name}: median {self.median:.3f} s, {least:.3f} to {most:.3f} s in {len(self.seconds)} runs{goal}"


def timed(name: str, work: Callable[[], object], *, runs: int, goal: float = 0.0) -> Timing:
    """Run the work once unmeasured, then ``runs`` times (at least one)."""
    work()
    seconds = []
    for _ in range(max(1, runs)):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return Timing(name, tuple(seconds), goal)


def table(timings: Sequence[Timing]) -> str:
    """One line each."""
    return "\n".join(map(str, timings))
