"""Waiting for what happens elsewhere: in a verb that runs, and in the build steps that it runs."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

NAP = 30
"""Seconds; how long a build step naps where nobody can wake it, because the engine is elsewhere or not ours."""


def wait_for(happened: Callable[[], object], child: subprocess.Popen[str]) -> None:
    """Wait until something has happened while the verb runs."""
    deadline = time.monotonic() + 60
    while not happened():
        assert child.poll() is None, child.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def processes(word: str) -> list[int]:
    """The running processes that have a word among their arguments."""
    return [pid for pid, arguments in _running() if any(word in argument for argument in arguments)]


def nap() -> str:
    """What a build step gives to ``sleep``: never the same twice, so that the step is never cached."""
    return f"{NAP}.{time.time_ns()}"


def wake(seconds: str) -> None:
    """End that nap as soon as it has begun; the shell around it goes on. One that is never seen ends by itself."""
    deadline = time.monotonic() + NAP
    napping: list[int] = []
    while not napping and time.monotonic() < deadline:
        napping = [pid for pid, arguments in _running() if arguments[:2] == ["sleep", seconds]]
        time.sleep(0.05)
    for pid in napping:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGTERM)


def waits_for_a_lock(pid: int) -> bool:
    """Whether a process waits for a lock on a file that another one holds."""
    lines = Path("/proc/locks").read_text("ascii").splitlines()
    return any(line.split()[1] == "->" and str(pid) in line.split() for line in lines)


def _running() -> Iterator[tuple[int, list[str]]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                yield int(entry.name), (entry / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
