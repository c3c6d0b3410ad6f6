"""Jobs side by side on a few threads that never keep the program from ending."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Result = TypeVar("Result")

GRACE_SECONDS = 1.0
"""How long the other workers may take to notice that they are to stop."""

POLL_SECONDS = 0.1
"""How often the waiting thread looks up: a signal that arrives just before a wait does not end it."""


def side_by_side(
    jobs: Sequence[Callable[[], Result]], *, workers: int, cancel: Callable[[], None]
) -> tuple[Result, ...]:
    """Run all jobs and return their results in order.

    The first job to fail, or an interrupt, calls ``cancel``, starts no further job, waits a moment for
    those under way, and is raised. Threads are daemons: one that hangs in a system call is left behind.
    """
    shop = _Shop(jobs)
    threads = [threading.Thread(target=shop.work, daemon=True) for _ in range(min(workers, len(jobs)))]
    try:
        for thread in threads:
            thread.start()
        results = dict(shop.next_result() for _ in jobs)
    except BaseException:
        shop.closed.set()
        cancel()
        _join(threads)
        raise
    return tuple(results[number] for number in range(len(jobs)))


class _Shop(Generic[Result]):
    """The jobs that wait, and the ends of those that ran: a numbered result or an error each."""

    def __init__(self, jobs: Sequence[Callable[[], Result]]) -> None:
        self.closed = threading.Event()
        self._waiting: queue.SimpleQueue[tuple[int, Callable[[], Result]]] = queue.SimpleQueue()
        self._ended: queue.SimpleQueue[tuple[int, Result] | BaseException] = queue.SimpleQueue()
        for numbered in enumerate(jobs):
            self._waiting.put(numbered)

    def work(self) -> None:
        """Run jobs until none waits; what one worker's thread does."""
        while not self.closed.is_set():
            try:
                number, job = self._waiting.get_nowait()
            except queue.Empty:
                return
            try:
                self._ended.put((number, job()))
            except BaseException as error:
                self._ended.put(error)

    def next_result(self) -> tuple[int, Result]:
        """Wait for a job to end; raises what it raised."""
        while True:
            with contextlib.suppress(queue.Empty):
                end = self._ended.get(timeout=POLL_SECONDS)
                if isinstance(end, BaseException):
                    raise end
                return end


def _join(threads: Sequence[threading.Thread]) -> None:
    deadline = time.monotonic() + GRACE_SECONDS
    for thread in threads:
        if thread.ident is not None:
            thread.join(max(0.0, deadline - time.monotonic()))
