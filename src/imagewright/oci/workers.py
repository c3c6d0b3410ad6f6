"""Jobs side by side on a few threads that never keep the program from ending."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

Result = TypeVar("Result")

GRACE_SECONDS = 3.0
"""How long the other workers may take to notice that they are to stop."""


def side_by_side(
    jobs: Sequence[Callable[[], Result]], *, workers: int, cancel: Callable[[], None]
) -> tuple[Result, ...]:
    """Run all jobs and return their results in order.

    The first job to fail, or an interrupt, calls ``cancel``, starts no further job, waits a moment for
    those under way, and is raised. Threads are daemons: one that hangs in a system call is left behind.
    """
    waiting: queue.SimpleQueue[tuple[int, Callable[[], Result]]] = queue.SimpleQueue()
    ended: queue.SimpleQueue[tuple[int, Result] | BaseException] = queue.SimpleQueue()
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            try:
                number, job = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                ended.put((number, job()))
            except BaseException as error:
                ended.put(error)

    for numbered in enumerate(jobs):
        waiting.put(numbered)
    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(workers, len(jobs)))]
    results: dict[int, Result] = {}
    try:
        for thread in threads:
            thread.start()
        while len(results) < len(jobs):
            end = ended.get()
            if isinstance(end, BaseException):
                raise end
            results[end[0]] = end[1]
    except BaseException:
        stop.set()
        cancel()
        _join(threads)
        raise
    return tuple(results[number] for number in range(len(jobs)))


def _join(threads: Sequence[threading.Thread]) -> None:
    deadline = time.monotonic() + GRACE_SECONDS
    for thread in threads:
        if thread.ident is not None:
            thread.join(max(0.0, deadline - time.monotonic()))
