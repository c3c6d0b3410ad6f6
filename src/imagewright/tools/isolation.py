"""A room for a program that reads bytes nobody has judged yet: it sees what it was given, and nothing else.

A room is a folder that is made for one run. Where the kernel allows it, the folder becomes the root of
the program's file system: inside are the system's own programs, what was lent (both read-only), and
scratch space; no network, no /proc, no engine socket, no capabilities. Where it does not, the lent things
are links, and the words of the isolation say what is missing. In every case the environment is PATH, HOME
and TMPDIR, the last two inside the room.
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from imagewright.errors import ImagewrightError, ToolFailed
from imagewright.tools import process

_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_SYSTEM = ("usr", "bin", "sbin", "lib", "lib64", "nix")
_DEVICES = ("null", "zero", "urandom")
_SCRATCH = ("home", "tmp", "dev", "old")

# NOTE: pivot_root, not chroot, because root walks out of a chroot; umount wants to read /proc, hence the link.
_SEAL = """
set -eu
room=$1; shift
mount --bind "$room" "$room"
while [ "$1" != -- ]; do
  mount --rbind "$1" "$room/$2"
  mount -o remount,bind,ro "$room/$2"
  shift 2
done
shift
cd "$room"
ln -s old/proc proc
pivot_root . old
cd /
umount -l old
unset OLDPWD
exec setpriv --no-new-privs --bounding-set=-all --inh-caps=-all -- "$@"
"""


@dataclass(frozen=True, slots=True)
class Isolation:
    """What keeps a program apart: ``words`` for the record, ``unshare`` the command that does it."""

    words: str
    unshare: tuple[str, ...] = ()
    sealed: bool = False


_SEALED = "no network, own file system with only the image, the database and system programs, no capabilities"
_OFFLINE = "no network; file system shared with this machine; environment scrubbed"
_LEVELS = (
    Isolation(_SEALED, ("unshare", "-rnm"), sealed=True),
    Isolation(_SEALED, ("unshare", "-nm"), sealed=True),
    Isolation(_OFFLINE, ("unshare", "-rn")),
    Isolation(_OFFLINE, ("unshare", "-n")),
)
NONE = Isolation("none: this machine allows no namespaces; environment scrubbed, offline by the scanner's own switches")


@functools.cache
def strongest() -> Isolation:
    """The strongest isolation that works on this machine, tried once per process."""
    return next((level for level in _LEVELS if _works(level)), NONE)


def _works(level: Isolation) -> bool:
    with tempfile.TemporaryDirectory(prefix="imagewright-") as folder, make_room(Path(folder), level) as room:
        room.lend("lent/folder", Path(folder))
        try:
            return room.run(["true"], timeout=10).returncode == 0
        except ImagewrightError:
            return False


@dataclass(frozen=True, slots=True)
class Room:
    """One run's folder. Names are relative to it, and are what the program calls them too (it starts there)."""

    folder: Path
    isolation: Isolation
    _lent: dict[str, Path] = field(default_factory=dict)

    def lend(self, name: str, source: Path) -> None:
        """Show a file or folder of this machine under a name inside, for reading."""
        place = self.folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        source = source.resolve(strict=True)
        if not self.isolation.sealed:
            _link(place, source)
            return
        if source.is_dir():
            place.mkdir()
        else:
            place.touch()
        self._lent[name] = source

    def run(self, argv: Sequence[str], *, timeout: float) -> process.Completed:
        """Run a program inside, whatever its exit code; raises ToolMissing, and ToolFailed on a time-out (seconds)."""
        inside = Path("/") if self.isolation.sealed else self.folder
        env = {"PATH": _PATH, "HOME": str(inside / "home"), "TMPDIR": str(inside / "tmp")}
        words = (*self._unshared(), *argv)
        try:
            return process.run(words, env=env, cwd=self.folder, check=False, timeout=timeout)
        except ToolFailed as error:
            why = "a time-out; the image may be too large for it"
            raise ToolFailed(f"{Path(argv[0]).name} did not end within {timeout:.0f} s", why=why) from error

    def _unshared(self) -> tuple[str, ...]:
        if not self.isolation.unshare:
            return ()
        unshare = (str(process.find(self.isolation.unshare[0])), *self.isolation.unshare[1:])
        if not self.isolation.sealed:
            return unshare
        mounts = [word for name, source in self._lent.items() for word in (str(source), name)]
        return (*unshare, "/bin/sh", "-c", _SEAL, "seal", str(self.folder), *mounts, "--")


def _link(place: Path, source: Path) -> None:
    """Trivy opens no blob through a symbolic link, so files are linked hard where that can be."""
    with suppress(OSError):
        place.hardlink_to(source)
    if not place.exists():
        place.symlink_to(source)


@contextmanager
def make_room(within: Path, isolation: Isolation | None = None) -> Iterator[Room]:
    """A room in a temporary folder under ``within``, gone at the end."""
    within.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="room-", dir=within) as folder:
        room = Room(Path(folder).resolve(), isolation or strongest())
        for name in _SCRATCH:
            (room.folder / name).mkdir()
        if room.isolation.sealed:
            _furnish(room)
        yield room


def _furnish(room: Room) -> None:
    for name in _SYSTEM:
        system = Path("/") / name
        if system.is_symlink():
            (room.folder / name).symlink_to(system.readlink())
        elif system.is_dir():
            room.lend(name, system)
    for name in _DEVICES:
        room.lend(f"dev/{name}", Path("/dev") / name)
