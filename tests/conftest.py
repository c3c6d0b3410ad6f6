"""What every test stands on: the marker by folder, and the guard that keeps all but integration tests at home."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

INTEGRATION = Path(__file__).parent / "integration"
DOCS = Path(__file__).parents[1] / "docs"
GOLDEN = (Path(__file__).parent / "golden", DOCS / "policies.md", DOCS / "facts.schema.json")

# The same examples on every machine; no database, so that nothing is written beside the tests.
settings.register_profile("quick", max_examples=40, deadline=None, database=None, derandomize=True)
settings.load_profile("quick")

PROGRAMS_AND_NETWORK = frozenset(
    {
        "subprocess.Popen",
        "os.system",
        "os.exec",
        "os.fork",
        "os.forkpty",
        "os.posix_spawn",
        "os.spawn",
        "pty.spawn",
        "socket.bind",
        "socket.connect",
        "socket.getaddrinfo",
        "socket.gethostbyaddr",
        "socket.gethostbyname",
        "socket.getnameinfo",
        "socket.sendmsg",
        "socket.sendto",
        "http.client.connect",
        "urllib.Request",
    }
)
# The audit events that change the file system, and which of their arguments are the paths changed.
CHANGES = {
    "os.mkdir": (0,),
    "os.remove": (0,),
    "os.rmdir": (0,),
    "os.rename": (0, 1),
    "os.link": (1,),
    "os.symlink": (1,),
}
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
# Written by the interpreter and by hypothesis for themselves.
CACHES = {"__pycache__", ".hypothesis"}


class Guard:
    """Refuses programs, network and files outside the temporary folder while a unit test runs, and remembers.

    It listens to the interpreter's own audit events, so no import, alias or thread gets past it:
    https://docs.python.org/3/library/audit_events.html
    """

    class Refused(BaseException):
        """Not an Exception, so that no ``except Exception`` of the code under test hides it."""

    def __init__(self) -> None:
        self.active = False
        self.folder: Path | None = None
        self.caught: list[str] = []

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        """The audit hook."""
        if self.active and (event in PROGRAMS_AND_NETWORK or self._strays(event, arguments)):
            self.caught.append(f"{event}{arguments!r:.200}")
            raise self.Refused(self.caught[-1])

    def _strays(self, event: str, arguments: tuple[object, ...]) -> bool:
        if event == "open":
            flags = arguments[2]
            return isinstance(flags, int) and bool(flags & WRITES) and self._outside(arguments[0])
        if event in CHANGES:
            # A path beside a folder's descriptor (shutil.rmtree) is below a path that was opened before.
            beside = any(isinstance(item, int) and item > 2 for item in arguments[-2:]) and event != "os.mkdir"
            return not beside and any(self._outside(arguments[index]) for index in CHANGES[event])
        return False

    def _outside(self, name: object) -> bool:
        if self.folder is None or not isinstance(name, str | bytes | os.PathLike):
            return False
        path = Path(os.path.abspath(os.fsdecode(name)))
        if CACHES.intersection(path.parts) or path == Path(os.devnull):
            return False
        golden = os.environ.get("UPDATE_GOLDEN") == "1" and any(map(path.is_relative_to, GOLDEN))
        return not golden and not path.is_relative_to(self.folder)


GUARD = Guard()
sys.addaudithook(GUARD)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything below tests/integration is marked, wherever its author forgot to."""
    for item in items:
        if item.path.is_relative_to(INTEGRATION):
            item.add_marker(pytest.mark.integration)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """The guard watches from the first fixture of a test to its last."""
    GUARD.active = not item.path.is_relative_to(INTEGRATION)
    try:
        return (yield)
    finally:
        GUARD.active = False


@pytest.fixture(autouse=True)
def _guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Fail the test whose code swallowed a refusal, or was refused on another thread."""
    GUARD.folder = tmp_path_factory.getbasetemp().resolve()
    GUARD.caught.clear()
    yield
    assert not GUARD.caught, f"a unit test reached outside: {GUARD.caught}"


@pytest.fixture
def guard() -> Guard:
    """The guard itself, for the tests that prove it."""
    return GUARD
