"""The guard holds: a unit test cannot start a program, open a connection, or write outside its folder."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__)

ACTS: dict[str, Callable[[], object]] = {
    "subprocess": lambda: subprocess.run([sys.executable, "-V"], check=False),
    "os.system": lambda: os.system("true"),
    "os.exec": lambda: os.execv(sys.executable, [sys.executable, "-V"]),
    "os.fork": os.fork,
    "os.posix_spawn": lambda: os.posix_spawn(sys.executable, [sys.executable, "-V"], {}),
    "connect": lambda: socket.create_connection(("127.0.0.1", 9), timeout=1),
    "unix socket": lambda: socket.socket(socket.AF_UNIX).connect("/nowhere/docker.sock"),
    "bind": lambda: socket.socket().bind(("127.0.0.1", 0)),
    "name look-up": lambda: socket.getaddrinfo("localhost", 80),
    "datagram": lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 9)),
    "url": lambda: urllib.request.urlopen("http://127.0.0.1:9/"),
    "write": lambda: HERE.with_name("stray.txt").write_text("x"),
    "append": lambda: os.open(HERE, os.O_WRONLY | os.O_APPEND),
    "mkdir": lambda: HERE.with_name("stray").mkdir(),
    "remove": lambda: HERE.with_name("nothing-here").unlink(),
    "rename": lambda: HERE.with_name("nothing-here").rename(HERE.with_name("stray")),
    "symlink": lambda: HERE.with_name("stray").symlink_to(HERE),
}


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS.keys())
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_reaching_outside_is_refused(act: Callable[[], object], guard: Any) -> None:
    with pytest.raises(guard.Refused):
        act()
    assert guard.caught
    guard.caught.clear()


def test_a_refusal_that_code_swallows_is_remembered(guard: Any) -> None:
    def swallow() -> None:
        with contextlib.suppress(BaseException):
            ACTS["subprocess"]()

    thread = threading.Thread(target=swallow)
    thread.start()
    thread.join()
    assert len(guard.caught) == 1
    guard.caught.clear()


def test_files_below_the_temporary_folder_are_free(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    (folder / "b").write_text("x")
    (folder / "b").rename(folder / "c")
    (folder / "d").symlink_to(folder / "c")
    (folder / "d").unlink()
    assert [path.name for path in folder.iterdir()] == ["c"]


def test_reading_is_free() -> None:
    assert "guard" in HERE.read_text("utf-8")
