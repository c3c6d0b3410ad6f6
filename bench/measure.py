"""What one command costs: wall time, the machine's CPU time, and the memory of its own processes."""

from __future__ import annotations

import os
import statistics
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Cost:
    """One run. ``wall`` and ``cpu`` in seconds, ``memory`` in bytes.

    ``cpu`` is what the whole machine was busy meanwhile: the engine's and the containers' work is in it, and so is
    whatever else runs. ``memory`` is the most that the command and its descendants held resident at once, the engine
    apart, looked at every 20 ms.
    """

    wall: float
    cpu: float
    memory: int


@dataclass(frozen=True, slots=True)
class Spread:
    """The median, the least and the most of several figures."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Of at least one figure."""
        return cls(statistics.median(values), min(values), max(values))


class Failed(Exception):
    """A command that did not end with 0; the text is the end of what it said."""


def cost(words: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str]) -> Cost:
    """Run a command to its end and say what it cost; raises Failed when it does not succeed."""
    busy, start = _busy(), time.perf_counter()
    with subprocess.Popen(
        [str(word) for word in words], cwd=cwd, env=dict(env), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as child:
        peak = _Peak(child.pid)
        said, _ = child.communicate()
        wall = time.perf_counter() - start
        memory = peak.end()
    spent = _busy() - busy
    if child.returncode != 0:
        raise Failed(f"{' '.join(map(str, words))} ended with {child.returncode}:\n{said.decode()[-3000:]}")
    return Cost(wall, spent, memory)


class _Peak:
    """Watches a process and its descendants from a thread of its own."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._most = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def end(self) -> int:
        """Stop looking; the most bytes seen."""
        self._over.set()
        self._thread.join()
        return self._most

    def _watch(self) -> None:
        while not self._over.wait(_POLL_SECONDS):
            self._most = max(self._most, _resident(self._pid))


def _busy() -> float:
    """Seconds that all cores together did not idle since the machine started."""
    fields = Path("/proc/stat").read_text("ascii").split("\n", 1)[0].split()[1:]
    user, nice, system, _idle, _iowait, irq, softirq, *_ = map(int, fields)
    return (user + nice + system + irq + softirq) / _TICK


def _resident(pid: int) -> int:
    total = 0
    waiting = [pid]
    while waiting:
        here = Path("/proc", str(waiting.pop()))
        try:
            total += int((here / "statm").read_text("ascii").split()[1]) * _PAGE
            waiting += map(int, (here / "task" / here.name / "children").read_text("ascii").split())
        except (OSError, IndexError):
            continue
    return total
