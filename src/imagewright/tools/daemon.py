"""Programs of our own that outlive a run: found, started once, awaited, and ended.

The process table is the only record of what runs. A daemon carries a ``mark``, an argument no other process has
(the path of its configuration file), so a pid file that is stale, lost or never written cannot mislead anybody,
and nothing is ever signalled that was not started here.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from imagewright.errors import ToolFailed
from imagewright.tools import process

_POLL_SECONDS = 0.05
_TAIL_LINES = 15
_LONGEST_ANSWER = 1 << 20


@dataclass(frozen=True, slots=True)
class Daemon:
    """How to run one daemon: ``argv`` contains ``mark``; ``answers`` tells whether it is ready for work."""

    name: str
    argv: tuple[str, ...]
    mark: str
    env: Mapping[str, str]
    log: Path
    answers: Callable[[], bool]


def find(program: str, mark: str) -> int | None:
    """The process id of the running ``program`` (a file name) that has ``mark`` among its arguments."""
    return next((pid for pid, words in _processes() if _is(words, program, mark)), None)


def start(daemon: Daemon, *, within: float = 60.0) -> None:
    """Make sure the daemon runs and answers, ``within`` seconds; one that runs and never answers is replaced.

    The caller holds a lock. Raises ToolMissing when it cannot be started, ToolFailed (with the end of its log)
    when it ends at once or does not come up.
    """
    program = Path(daemon.argv[0]).name
    if find(program, daemon.mark) is not None:
        if _comes_up(daemon, within / 4, lambda: find(program, daemon.mark) is None):
            return
        stop(program, daemon.mark)
    daemon.log.parent.mkdir(parents=True, exist_ok=True)
    if daemon.log.exists():
        daemon.log.replace(daemon.log.with_suffix(".log.1"))
    pid = process.start_daemon(daemon.argv, env=daemon.env, log=daemon.log)
    if not _comes_up(daemon, within, lambda: process.daemon_ended(pid)):
        stop(program, daemon.mark)
        raise ToolFailed(
            f"{daemon.name} did not come up", why=log_tail(daemon.log), hint=f"the whole log: {daemon.log}"
        )


def stop(program: str, mark: str, *, grace: float = 20.0) -> bool:
    """End the daemon, first politely, after ``grace`` seconds for good; says whether there was one."""
    pid = find(program, mark)
    if pid is None:
        return False
    with contextlib.suppress(ProcessLookupError):
        handle = os.pidfd_open(pid)
        try:
            # The id may have changed hands since it was found; the handle cannot.
            if _is(_arguments(pid), program, mark):
                signal.pidfd_send_signal(handle, signal.SIGTERM)
                if not select.select([handle], [], [], grace)[0]:
                    signal.pidfd_send_signal(handle, signal.SIGKILL)
                    select.select([handle], [], [], grace)
        finally:
            os.close(handle)
    return True


def answers_http(address: str | tuple[str, int], path: str) -> bool:
    """Whether something at a Unix socket or ``(host, port)`` answers ``GET path`` with any HTTP status."""
    return (_talk(address, _get(path), 5) or b"") == b"HTTP/"


def get(address: str | tuple[str, int], path: str) -> bytes:
    """The body of the answer to ``GET path``; empty when nobody is there or the status is not 200."""
    head, _, body = (_talk(address, _get(path), _LONGEST_ANSWER) or b"").partition(b"\r\n\r\n")
    return body if head.split(b" ")[1:2] == [b"200"] else b""


def accepts(address: str | tuple[str, int]) -> bool:
    """Whether something listens at a Unix socket or ``(host, port)``."""
    return _talk(address, b"", 0) is not None


def _get(path: str) -> bytes:
    return f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode()


def _talk(address: str | tuple[str, int], request: bytes, most: int) -> bytes | None:
    """The first bytes of the answer to a request, ``most`` at most; None when nobody is there."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    answer = b""
    try:
        with socket.socket(family, socket.SOCK_STREAM) as channel:
            channel.settimeout(2.0)
            channel.connect(address)
            if request:
                channel.sendall(request)
            while len(answer) < most and (part := channel.recv(most - len(answer))):
                answer += part
            return answer
    except OSError:
        return None


def log_tail(log: Path) -> str:
    """The last lines of a log, for an error's reason; empty when there is none."""
    with contextlib.suppress(OSError):
        return "\n".join(log.read_text("utf-8", "replace").splitlines()[-_TAIL_LINES:])
    return ""


def _comes_up(daemon: Daemon, within: float, gone: Callable[[], bool]) -> bool:
    end = time.monotonic() + within
    while time.monotonic() < end and not gone():
        if daemon.answers():
            return True
        time.sleep(_POLL_SECONDS)
    return False


def _processes() -> Iterator[tuple[int, list[str]]]:
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            yield int(entry.name), _arguments(int(entry.name))


def programs() -> tuple[Path, ...]:
    """The program file of every process that may be looked at."""
    found = []
    for entry in os.scandir("/proc"):
        with contextlib.suppress(OSError):
            if entry.name.isdigit():
                found.append(Path(os.readlink(f"/proc/{entry.name}/exe")))
    return tuple(found)


def _arguments(pid: int) -> list[str]:
    """The command line of a process; empty for one that has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text("utf-8", "replace").split("\0")
    except OSError:
        return []


def _is(words: list[str], program: str, mark: str) -> bool:
    return mark in words[1:] and Path(words[0]).name == program
