"""The one door to subprocess, with real programs: nothing blocks, nothing is lost, nothing is left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imagewright.errors import ToolFailed, ToolMissing
from imagewright.tools import process

pytestmark = pytest.mark.integration

SRC = Path(process.__file__).parents[2]


def python(code: str, *more: str) -> list[str]:
    return [sys.executable, "-c", code, *more]


def wait_for(condition: Callable[[], bool], seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie nobody has reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def pid_in(path: Path) -> int:
    assert wait_for(lambda: path.is_file() and path.read_text().endswith("\n")), "the child never started"
    return int(path.read_text())


def test_a_program_that_ends_well_gives_back_what_it_wrote() -> None:
    done = process.run(python("import sys; print('out'); print('err', file=sys.stderr)"))
    assert (done.returncode, done.stdout, done.stderr) == (0, b"out\n", b"err\n")


def test_a_program_that_fails_raises_with_its_exit_code_and_last_words() -> None:
    with pytest.raises(ToolFailed) as caught:
        process.run(["sh", "-c", "echo this is why >&2; exit 3"])
    assert caught.value.what == "sh failed with exit code 3"
    assert caught.value.why == "this is why"
    assert caught.value.exit_code == 5


def test_a_program_silent_on_stderr_is_quoted_from_stdout() -> None:
    with pytest.raises(ToolFailed) as caught:
        process.run(["sh", "-c", "seq 100; exit 1"])
    assert caught.value.why.splitlines() == [str(number) for number in range(81, 101)]


def test_an_exit_code_can_be_a_result() -> None:
    assert process.run(["sh", "-c", "exit 7"], check=False).returncode == 7


def test_a_program_killed_by_a_signal_failed() -> None:
    assert process.run(["sh", "-c", "kill -9 $$"], check=False).returncode == -9


def test_words_are_words_and_never_a_shells() -> None:
    hostile = "$(touch /nowhere) ; `id` * 'x' \"y\"\n"
    done = process.run(python("import sys; sys.stdout.write(sys.argv[1])", hostile))
    assert done.stdout.decode() == hostile


def test_lines_of_stderr_are_seen_as_they_come() -> None:
    seen: list[tuple[float, bytes]] = []
    code = "import sys, time\nfor n in range(3):\n print(n, file=sys.stderr, flush=True); time.sleep(0.3)"
    done = process.run(python(code), on_stderr=lambda line: seen.append((time.monotonic(), line)))
    assert [line for _, line in seen] == [b"0\n", b"1\n", b"2\n"]
    assert seen[2][0] - seen[0][0] > 0.4
    assert done.stderr == b"0\n1\n2\n"


def test_big_outputs_both_ways_block_nobody() -> None:
    size = 8 << 20
    code = (
        "import sys, threading\n"
        "data = sys.stdin.buffer.read()\n"
        "write = lambda stream: stream.write(data)\n"
        "threads = [threading.Thread(target=write, args=(s.buffer,)) for s in (sys.stdout, sys.stderr)]\n"
        "[t.start() for t in threads]; [t.join() for t in threads]"
    )
    data = os.urandom(size)
    done = process.run(python(code), stdin=data, timeout=60)
    assert done.stdout == data
    assert done.stderr == data


def test_a_program_that_does_not_read_its_input_blocks_nobody() -> None:
    assert process.run(["true"], stdin=b"x" * (4 << 20), timeout=30).returncode == 0


def test_what_a_listener_raises_comes_back_and_the_program_is_not_blocked() -> None:
    def choke(_: bytes) -> None:
        raise LookupError("a bug in the listener")

    with pytest.raises(LookupError, match="a bug in the listener"):
        process.run(python("import sys; sys.stderr.write('x\\n' * 1_000_000)"), on_stderr=choke, timeout=60)


def test_a_time_out_ends_the_program_and_says_so() -> None:
    started = time.monotonic()
    with pytest.raises(ToolFailed, match="sleep did not end within 1 s"):
        process.run(["sleep", "60"], timeout=1)
    assert time.monotonic() - started < 4


def test_a_time_out_ends_everything_the_program_started(tmp_path: Path) -> None:
    with pytest.raises(ToolFailed):
        process.run(["sh", "-c", f"sleep 61 & echo $! > {tmp_path}/pid; wait"], timeout=1)
    pid = pid_in(tmp_path / "pid")
    assert wait_for(lambda: not alive(pid))


def test_a_time_out_ends_also_what_ignores_being_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "GRACE_SECONDS", 0.5)
    stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(62)"
    with pytest.raises(ToolFailed):
        process.run(["sh", "-c", f"{sys.executable} -c '{stubborn}' & echo $! > {tmp_path}/pid; wait"], timeout=1)
    pid = pid_in(tmp_path / "pid")
    assert wait_for(lambda: not alive(pid))


def test_a_program_that_leaves_a_child_with_its_pipes_behind_does_not_outlive_the_time_out(tmp_path: Path) -> None:
    started = time.monotonic()
    with pytest.raises(ToolFailed, match="did not end within"):
        process.run(["sh", "-c", f"sleep 63 & echo $! > {tmp_path}/pid"], timeout=1)
    assert time.monotonic() - started < 8
    pid = pid_in(tmp_path / "pid")
    assert wait_for(lambda: not alive(pid))


def test_an_interrupt_of_the_parent_ends_the_children(tmp_path: Path) -> None:
    shell = f"sleep 64 & echo $! > {tmp_path}/pid; wait"
    code = (
        "import sys\n"
        "from imagewright.tools import process\n"
        "try:\n"
        f" process.run(['sh', '-c', {shell!r}])\n"
        "except KeyboardInterrupt:\n"
        " sys.exit(130)"
    )
    environment = {**os.environ, "PYTHONPATH": str(SRC)}
    parent = subprocess.Popen(python(code), env=environment)
    try:
        pid = pid_in(tmp_path / "pid")
        assert alive(pid)
        parent.send_signal(signal.SIGINT)
        assert parent.wait(15) == 130
        assert wait_for(lambda: not alive(pid))
    finally:
        parent.kill()
        parent.wait()


def test_an_interrupt_at_the_very_start_of_a_child_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []
    real = subprocess.Popen

    def interrupted(*words: Any, **more: Any) -> subprocess.Popen[bytes]:
        child = real(*words, **more)
        started.append(child)
        signal.raise_signal(signal.SIGINT)
        return child

    monkeypatch.setattr(subprocess, "Popen", interrupted)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        process.run(["sleep", "66"])
    assert started[0].poll() == -signal.SIGTERM
    assert signal.getsignal(signal.SIGINT) is before


def test_an_interrupt_on_the_terminal_reaches_the_program_only_through_us() -> None:
    done = process.run(python("import os; print(os.getpgid(0), os.getsid(0), os.getpid())"))
    group, session, pid = done.stdout.split()
    assert group == session == pid, "a session of its own: the terminal's Ctrl-C goes to the parent alone"


def test_a_missing_program_is_named() -> None:
    with pytest.raises(ToolMissing, match="no-such-program was not found") as caught:
        process.run(["no-such-program"])
    assert caught.value.exit_code == 4


def test_a_file_that_is_no_program_cannot_be_started(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text("hello")
    with pytest.raises(ToolMissing, match="cannot start"):
        process.run([path])


def test_the_environment_is_replaced_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "x")
    done = process.run(["/usr/bin/env"], env={"ONLY": "this"})
    assert done.stdout == b"ONLY=this\n"
    assert b"SECRET=x\n" in process.run(["/usr/bin/env"]).stdout


def test_a_program_stands_where_it_is_told(tmp_path: Path) -> None:
    assert process.run(["pwd", "-P"], cwd=tmp_path).stdout.decode().strip() == str(tmp_path.resolve())


def test_a_program_is_found_on_the_path_or_missed_with_a_next_step(tmp_path: Path) -> None:
    tool = tmp_path / "tool"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    assert process.find("tool", path=str(tmp_path)) == tool
    with pytest.raises(ToolMissing) as caught:
        process.find("no-such-program")
    assert "doctor" in caught.value.hint
    with pytest.raises(ToolMissing) as caught:
        process.find("no-such-program", hint="look behind the sofa")
    assert caught.value.hint == "look behind the sofa"


def test_a_program_can_speak_straight_to_the_user(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert process.show(["sh", "-c", "echo $WORD; pwd -P; exit 3"], env={"WORD": "hello"}, cwd=tmp_path) == 3
    assert capfd.readouterr().out.split() == ["hello", str(tmp_path.resolve())]
    with pytest.raises(ToolMissing):
        process.show(["no-such-program"], env={"PATH": "/nowhere"}, cwd=tmp_path)


def test_a_daemon_outlives_the_call_and_its_end_is_noticed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    pid = process.start_daemon(["sh", "-c", "pwd -P; echo $WORD >&2; exec sleep 65"], env={"WORD": "hello"}, log=log)
    try:
        assert wait_for(lambda: log.read_text().split() == [str(tmp_path.resolve()), "hello"])
        assert os.getsid(pid) == pid
        assert not process.daemon_ended(pid)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert wait_for(lambda: process.daemon_ended(pid))


def test_a_daemon_that_cannot_be_started_is_named(tmp_path: Path) -> None:
    with pytest.raises(ToolMissing, match="cannot start no-such-program"):
        process.start_daemon(["no-such-program"], env={}, log=tmp_path / "log")


def test_many_programs_run_side_by_side() -> None:
    results: list[bytes] = []
    lock = threading.Lock()

    def work(number: int) -> None:
        done = process.run(["sh", "-c", f"echo {number}"])
        with lock:
            results.append(done.stdout)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(results, key=int) == [f"{number}\n".encode() for number in range(16)]
