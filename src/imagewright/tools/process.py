"""The one door to subprocess: argument lists, never a shell; children end with the run."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from imagewright.errors import ToolFailed, ToolMissing

GRACE_SECONDS = 5.0
"""How long a child may take to end after SIGTERM before it is killed."""


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
            child.wait(timeout)
        except subprocess.TimeoutExpired as error:
            raise ToolFailed(f"{words[0]} did not end within {timeout:.0f} s", why=" ".join(words)) from error
        stdout, stderr = outputs.collect()
    done = Completed(words, child.returncode, stdout, stderr)
    if check and done.returncode != 0:
        raise ToolFailed(f"{Path(words[0]).name} failed with exit code {done.returncode}", why=done.tail)
    return done


def start_daemon(argv: Sequence[str | Path], *, env: Mapping[str, str], log: Path, cwd: Path | None = None) -> int:
    """Start a program that outlives this one, its output going to ``log``; returns its process id."""
    words = tuple(map(str, argv))
    with log.open("ab") as sink:
        try:
            child = subprocess.Popen(
                words,
                env=dict(env),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                start_new_session=True,
            )
        except OSError as error:
            raise ToolMissing(f"cannot start {words[0]}", why=str(error)) from error
    return child.pid


@contextlib.contextmanager
def _started(
    words: tuple[str, ...], env: Mapping[str, str] | None, cwd: Path | None
) -> Iterator[subprocess.Popen[bytes]]:
    try:
        child = subprocess.Popen(
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
    try:
        yield child
    finally:
        if child.poll() is None:
            _end(child)


def _end(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGTERM)
        try:
            child.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()


class _Outputs:
    """Drains both pipes and feeds stdin on threads, so that no side can block the other."""

    def __init__(self, child: subprocess.Popen[bytes], stdin: bytes, on_stderr: Callable[[bytes], None] | None) -> None:
        assert child.stdin and child.stdout and child.stderr
        self._stdout: list[bytes] = []
        self._stderr: list[bytes] = []
        self._threads = [
            threading.Thread(target=self._drain, args=(child.stdout, self._stdout, None), daemon=True),
            threading.Thread(target=self._drain, args=(child.stderr, self._stderr, on_stderr), daemon=True),
            threading.Thread(target=self._feed, args=(child.stdin, stdin), daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    @staticmethod
    def _drain(pipe: IO[bytes], into: list[bytes], seen: Callable[[bytes], None] | None) -> None:
        for line in pipe:
            into.append(line)
            if seen is not None:
                seen(line)

    @staticmethod
    def _feed(pipe: IO[bytes], data: bytes) -> None:
        with contextlib.suppress(BrokenPipeError):
            pipe.write(data)
        with contextlib.suppress(BrokenPipeError):
            pipe.close()

    def collect(self) -> tuple[bytes, bytes]:
        for thread in self._threads:
            thread.join()
        return b"".join(self._stdout), b"".join(self._stderr)
