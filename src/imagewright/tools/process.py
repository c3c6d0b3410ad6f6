"""The one door to subprocess: argument lists, never a shell; children end with the run."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from imagewright.errors import ToolFailed, ToolMissing

GRACE_SECONDS = 5.0
"""How long a child may take to end after SIGTERM before it is killed."""

# Held so that Python neither warns about a running child nor loses its exit status.
_daemons: list[subprocess.Popen[bytes]] = []


@dataclass(frozen=True, slots=True)
class Completed:
    """A program that ran to its end: exit code, and what it wrote."""

    argv: tuple[str, ...]
    returncode: int
    stdout: bytes
    stderr: bytes

    @property
    def tail(self) -> str:
        """The last lines it wrote to stderr (or stdout), for an error's reason."""
        text = (self.stderr or self.stdout).decode("utf-8", "replace")
        return "\n".join(text.strip().splitlines()[-20:])


def find(program: str, *, path: str | None = None, hint: str = "") -> Path:
    """The program's full path on ``path`` (default: PATH); raises ToolMissing."""
    found = shutil.which(program, path=path)
    if found is None:
        raise ToolMissing(f"{program} was not found", hint=hint or f"install {program}, then run ./inv doctor")
    return Path(found)


def run(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: bytes = b"",
    check: bool = True,
    timeout: float | None = None,
    on_stderr: Callable[[bytes], None] | None = None,
) -> Completed:
    """Run a program to its end and return what it wrote.

    ``env`` replaces the whole environment when given; ``on_stderr`` sees each line of stderr as it
    comes. Raises ToolMissing when the program is not there; ToolFailed on a time-out (seconds), or on
    a non-zero exit unless ``check`` is false. An interrupt ends the child and its children.
    """
    words = tuple(map(str, argv))
    with _started(words, env, cwd) as child:
        outputs = _Outputs(child, stdin, on_stderr)
        try:
            stdout, stderr = outputs.collect(timeout)
        except subprocess.TimeoutExpired as error:
            raise ToolFailed(f"{words[0]} did not end within {timeout:.0f} s", why=" ".join(words)) from error
    done = Completed(words, child.returncode, stdout, stderr)
    if check and done.returncode != 0:
        raise ToolFailed(f"{Path(words[0]).name} failed with exit code {done.returncode}", why=done.tail)
    return done


def show(argv: Sequence[str | Path], *, env: Mapping[str, str], cwd: Path) -> int:
    """Run a program on this terminal, its output going straight to the user; returns its exit code."""
    words = tuple(map(str, argv))
    try:
        return subprocess.run(words, env=dict(env), cwd=cwd, check=False).returncode
    except OSError as error:
        raise ToolMissing(f"cannot start {words[0]}", why=str(error)) from error


def start_daemon(argv: Sequence[str | Path], *, env: Mapping[str, str], log: Path, cwd: Path | None = None) -> int:
    """Start a program that outlives this one, in a session of its own; returns its process id.

    Its output goes to ``log``; it stands in ``cwd`` (default: the log's folder), never where the user happens to be.
    Raises ToolMissing when it cannot be started.
    """
    words = tuple(map(str, argv))
    with log.open("ab") as sink:
        try:
            child = subprocess.Popen(
                words,
                env=dict(env),
                cwd=cwd or log.parent,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                start_new_session=True,
            )
        except OSError as error:
            raise ToolMissing(f"cannot start {words[0]}", why=str(error)) from error
    _daemons.append(child)
    return child.pid


def daemon_ended(pid: int) -> bool:
    """Whether a daemon that this process started has ended; the ended ones are let go of."""
    _daemons[:] = [child for child in _daemons if child.poll() is None]
    return all(child.pid != pid for child in _daemons)


@contextlib.contextmanager
def _started(
    words: tuple[str, ...], env: Mapping[str, str] | None, cwd: Path | None
) -> Iterator[subprocess.Popen[bytes]]:
    child = None
    try:
        with _interrupts_held_back():
            child = _open(words, env, cwd)
        yield child
    except BaseException:
        if child is not None:
            _end(child)
        raise


def _open(words: tuple[str, ...], env: Mapping[str, str] | None, cwd: Path | None) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            words,
            env=None if env is None else dict(env),
            cwd=cwd,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise ToolMissing(f"{words[0]} was not found", why=str(error)) from error
    except OSError as error:
        raise ToolMissing(f"cannot start {words[0]}", why=str(error)) from error


@contextlib.contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Let an interrupt wait until a child that has just been started is known, so that it can be ended."""
    held: list[int] = []
    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():  # no other thread is interrupted
        for number in (signal.SIGINT, signal.SIGTERM):
            if callable(handler := signal.getsignal(number)):
                before[number] = handler
                signal.signal(number, lambda number, _frame: held.append(number))
    try:
        yield
    finally:
        for caught, handler in before.items():
            signal.signal(caught, handler)
        for missed in held:
            signal.raise_signal(missed)


def _end(child: subprocess.Popen[bytes]) -> None:
    """End the child and everything it started, also what outlives it or ignores SIGTERM."""
    deadline = time.monotonic() + GRACE_SECONDS
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGTERM)
        while time.monotonic() < deadline:
            child.poll()
            os.killpg(child.pid, 0)
            time.sleep(0.02)
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


class _Outputs:
    """Drains both pipes and feeds stdin on threads, so that no side can block the other."""

    def __init__(self, child: subprocess.Popen[bytes], stdin: bytes, on_stderr: Callable[[bytes], None] | None) -> None:
        pipes = (child.stdin, child.stdout, child.stderr)
        into, out, err = cast("tuple[IO[bytes], IO[bytes], IO[bytes]]", pipes)
        self._child = child
        self._stdout: list[bytes] = []
        self._stderr: list[bytes] = []
        self._raised: list[Exception] = []
        self._threads = [
            threading.Thread(target=self._drain, args=(out, self._stdout, None), daemon=True),
            threading.Thread(target=self._drain, args=(err, self._stderr, on_stderr), daemon=True),
            threading.Thread(target=self._feed, args=(into, stdin), daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def _drain(self, pipe: IO[bytes], into: list[bytes], seen: Callable[[bytes], None] | None) -> None:
        for line in pipe:
            into.append(line)
            if seen is not None and not self._raised:
                try:
                    seen(line)
                except Exception as error:
                    self._raised.append(error)

    @staticmethod
    def _feed(pipe: IO[bytes], data: bytes) -> None:
        with contextlib.suppress(BrokenPipeError):
            pipe.write(data)
        with contextlib.suppress(BrokenPipeError):
            pipe.close()

    def collect(self, timeout: float | None) -> tuple[bytes, bytes]:
        """Both outputs, once the child has ended and nobody it left behind holds a pipe; may raise TimeoutExpired."""
        deadline = None if timeout is None else time.monotonic() + timeout
        self._child.wait(timeout)
        for thread in self._threads:
            thread.join(None if deadline is None else max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                raise subprocess.TimeoutExpired(self._child.args, timeout or 0.0)
        if self._raised:
            raise self._raised[0]
        return b"".join(self._stdout), b"".join(self._stderr)
