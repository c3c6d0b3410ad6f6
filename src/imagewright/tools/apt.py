"""A private apt: signed Debian packages, unpacked into the cache folder; nothing is installed.

Two questions can be asked. ``packages``: exactly these, of a suite, whatever the host has. ``missing``: these and
all they need, as far as the host lacks it, of the host's own suite. Both answer with a folder that is reused
afterwards without network. The host's mirror, proxies and keyring are used; its lists, caches and locks are not.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from imagewright.errors import ToolFailed, ToolMissing
from imagewright.files import locked, write_atomically
from imagewright.tools import apt_sources, cache, process

SUITE = "trixie"
"""The Debian release whose tools are used, whatever the host runs."""

Note = Callable[[str], None]

_STATUS = Path("/var/lib/dpkg/status")
_LISTS_FRESH_SECONDS = 3600.0
_DAY_SECONDS = 86_400.0
_OFF_LINE = "is the network there? IMAGEWRIGHT_CACHE may point at a cache filled elsewhere"


def silent(_message: str) -> None:
    """A progress callback that says nothing."""


@dataclass(frozen=True, slots=True)
class Unpacked:
    """Packages unpacked below ``root``, with the version of each."""

    root: Path
    versions: tuple[tuple[str, str], ...]

    def environment(self, base: Mapping[str, str]) -> dict[str, str]:
        """``base`` with the programs, libraries and Perl modules of this folder found before the host's."""
        libraries = [*self._folders("usr/lib/*-linux-gnu*", "lib/*-linux-gnu*", "usr/lib", "lib")]
        perl = self._folders(
            "etc/perl", "usr/lib/*/perl5/5.*", "usr/share/perl5", "usr/lib/*/perl/5.*", "usr/share/perl/5.*"
        )
        env = dict(base)
        for name, folders in (("PATH", self.programs), ("LD_LIBRARY_PATH", libraries), ("PERL5LIB", perl)):
            if folders:
                env[name] = ":".join([*map(str, folders), *filter(None, [base.get(name, "")])])
        return env

    @property
    def programs(self) -> tuple[Path, ...]:
        """The folders with programs in them."""
        return self._folders("usr/sbin", "usr/bin", "sbin", "bin")

    def _folders(self, *patterns: str) -> tuple[Path, ...]:
        return tuple(path for pattern in patterns for path in sorted(self.root.glob(pattern)) if path.is_dir())


def host_suite(os_release: Path = Path("/etc/os-release")) -> str:
    """The host's Debian codename; raises ToolMissing on anything that is not Debian or has no apt."""
    text = os_release.read_text("utf-8") if os_release.exists() else ""
    fields: dict[str, str] = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', text, re.MULTILINE))
    if fields.get("ID") != "debian" or shutil.which("apt-get") is None:
        raise ToolMissing(
            "packages can be fetched on Debian only",
            why=f"this is {fields.get('PRETTY_NAME', 'another system')}",
            hint="install the tools by hand; ./inv doctor names them",
        )
    return fields.get("VERSION_CODENAME", "sid")


def host_archive() -> apt_sources.Archive:
    """Debian's archive as the host's own apt configuration names it; raises ToolMissing."""
    sources: list[apt_sources.Source] = []
    folder = Path("/etc/apt")
    for path in [folder / "sources.list", *sorted((folder / "sources.list.d").glob("*"))]:
        if path.suffix in (".list", ".sources") and path.is_file():
            read = apt_sources.parse_deb822 if path.suffix == ".sources" else apt_sources.parse_one_line
            sources += read(path.read_text("utf-8", "replace"))
    return apt_sources.debian_archive(sources, host_suite())


def host_acquire() -> tuple[str, ...]:
    """The host's apt settings on how to fetch (proxies, certificates, dates), as lines of an apt configuration.

    What the host allows unsigned stays with the host: here every package is checked.
    """
    dump = process.run([process.find("apt-config"), "dump"]).stdout.decode("utf-8", "replace")
    names = ("Allow", "IndexTargets", "Languages", "Changelogs", "cdrom")
    not_ours = tuple(f"Acquire::{name}" for name in names)
    return tuple(line for line in dump.splitlines() if line.startswith("Acquire::") and not line.startswith(not_ours))


def packages(names: Sequence[str], *, suite: str = SUITE, note: Note = silent) -> Unpacked:
    """Exactly these packages of ``suite``, without what they depend on.

    Raises ToolMissing where there is no apt; ToolFailed when the packages cannot be had.
    """

    def fetch(apt: _Apt, into: Path) -> None:
        apt.run("download", *names, cwd=into)

    return _unpacked(tuple(names), suite, frozenset(), fetch, note)


def missing(names: Sequence[str], *, note: Note = silent) -> Unpacked:
    """These packages and all they need, of the host's own suite, less what is installed already.

    Raises ToolMissing where there is no apt; ToolFailed when the packages cannot be had.
    """

    def fetch(apt: _Apt, into: Path) -> None:
        (into / "partial").mkdir(exist_ok=True)
        options = ("-o", f"Dir::Cache::archives={into}", "-o", f"Dir::State::status={_STATUS}")
        apt.run("install", "--download-only", "--yes", *options, *names)

    return _unpacked(tuple(names), host_suite(), _installed(), fetch, note)


def _installed() -> frozenset[str]:
    """The packages dpkg knows as installed."""
    stanzas = _STATUS.read_text("utf-8", "replace").split("\n\n")
    names = (re.match(r"Package: (\S+)", stanza) for stanza in stanzas if "\nStatus: install ok installed" in stanza)
    return frozenset(name[1] for name in names if name)


def _unpacked(
    names: tuple[str, ...], suite: str, host: frozenset[str], fetch: Callable[[_Apt, Path], None], note: Note
) -> Unpacked:
    mode = "missing" if host else "exact"
    question = hashlib.sha256(json.dumps([mode, suite, names]).encode()).hexdigest()[:12]
    home = cache.folder() / "packages"
    if found := _found(home, question, host):
        return found
    with locked(lock_file()):
        if found := _found(home, question, host):
            return found
        for left in home.glob(".*.part"):
            shutil.rmtree(left)
        part = home / f".{question}.part"
        (part / "debs").mkdir(parents=True)
        (part / "root").mkdir()
        note(f"fetching {', '.join(names)} ({suite})")
        _Apt(suite).with_lists(lambda apt: fetch(apt, part / "debs"))
        versions = _unpack(part)
        answer = hashlib.sha256(json.dumps([versions, sorted(host)]).encode()).hexdigest()[:8]
        record = {"asked": names, "suite": suite, "mode": mode, "packages": dict(versions), "host": sorted(host)}
        (part / "record.json").write_text(json.dumps(record, indent=1), "utf-8")
        if (home / f"{question}-{answer}").exists():
            shutil.rmtree(home / f"{question}-{answer}")
        part.rename(home / f"{question}-{answer}")
    return Unpacked(home / f"{question}-{answer}" / "root", versions)


def _found(home: Path, question: str, host: frozenset[str]) -> Unpacked | None:
    """An earlier answer that still holds: nothing it relied on has left the host since."""
    for path in sorted(home.glob(f"{question}-*/record.json"), key=lambda path: path.stat().st_mtime, reverse=True):
        record = json.loads(path.read_text("utf-8"))
        if host.issuperset(record["host"]) and (path.parent / "root").is_dir():
            return Unpacked(path.parent / "root", tuple(sorted(record["packages"].items())))
    return None


def superseded(*, running: Iterable[Path], now: float) -> tuple[Path, ...]:
    """Folders of answers that a newer one to the same question replaced a day before ``now`` (Unix seconds) or earlier.

    What any of the ``running`` programs lies in stays: an engine outlives many runs. The caller holds ``lock_file``.
    """
    programs = tuple(running)
    replaced, newest = [], set()
    records = (cache.folder() / "packages").glob("[0-9a-f]*/record.json")
    for path in sorted(records, key=lambda path: path.stat().st_mtime, reverse=True):
        question = path.parent.name.partition("-")[0]
        if question not in newest:
            if now - path.stat().st_mtime > _DAY_SECONDS:
                newest.add(question)
        elif not any(program.is_relative_to(path.parent) for program in programs):
            replaced.append(path.parent)
    return tuple(sorted(replaced))


def lock_file() -> Path:
    """What is locked while answers are added."""
    return cache.folder() / "packages" / "lock"


def _unpack(part: Path) -> tuple[tuple[str, str], ...]:
    tool = process.find("dpkg-deb")
    versions = {}
    for deb in sorted((part / "debs").glob("*.deb")):
        process.run([tool, "-x", deb, part / "root"])
        shown = process.run([tool, "--show", "--showformat=${Package} ${Version}", deb]).stdout.decode()
        name, _, version = shown.partition(" ")
        versions[name] = version
    shutil.rmtree(part / "debs")
    return tuple(sorted(versions.items()))


class _Apt:
    """apt-get with a configuration, source list and package lists of its own, one set a suite."""

    def __init__(self, suite: str) -> None:
        self._suite = suite
        self._home = cache.folder() / "apt" / suite
        self._program = process.find("apt-get")
        self._updated = self._home / "updated"
        sources, known = apt_sources.source_list(host_archive(), suite), self._home / "sources.list"
        if self._home.exists() and (not known.exists() or known.read_text("utf-8") != sources):
            # Lists of another mirror or keyring: apt would go on using them where the new ones cannot be had.
            shutil.rmtree(self._home)
        for name in ("lists/partial", "state", "cache/archives/partial"):
            (self._home / name).mkdir(parents=True, exist_ok=True)
        write_atomically(known, sources.encode())
        write_atomically(self._home / "apt.conf", self._configuration().encode())

    def _configuration(self) -> str:
        settings = {
            **dict.fromkeys(("main", "parts", "sourceparts", "preferences", "preferencesparts"), "/dev/null"),
            "sourcelist": str(self._home / "sources.list"),
        }
        lines = [f'Dir::Etc::{name} "{value}";' for name, value in settings.items()]
        lines += [
            f'Dir::State "{self._home}/state";',
            f'Dir::State::Lists "{self._home}/lists";',
            'Dir::State::status "/dev/null";',
            f'Dir::Cache "{self._home}/cache";',
            'Dir::Cache::pkgcache "";',
            'Dir::Cache::srcpkgcache "";',
            'APT::Sandbox::User "root";',
            'APT::Install-Recommends "false";',
            'APT::Keep-Downloaded-Packages "true";',
            'Acquire::Languages "none";',
            # The lock of cache.locked is the one that counts; apt's would need root.
            'Debug::NoLocking "true";',
        ]
        return "\n".join([*lines, *host_acquire(), ""])

    def run(self, *words: str, cwd: Path | None = None) -> None:
        env = {
            **os.environ,
            "APT_CONFIG": str(self._home / "apt.conf"),
            "LC_ALL": "C",
            "DEBIAN_FRONTEND": "noninteractive",
        }
        done = process.run([self._program, "--quiet", *words], env=env, cwd=cwd, check=False)
        if done.returncode != 0:
            raise ToolFailed(f"apt-get {words[0]} failed ({self._suite})", why=done.tail, hint=_OFF_LINE)

    def with_lists(self, action: Callable[[_Apt], None]) -> None:
        """Do something that needs package lists; lists that turn out to be out of date are fetched again, once."""
        fresh = self._updated.exists() and time.time() - self._updated.stat().st_mtime < _LISTS_FRESH_SECONDS
        if fresh:
            try:
                return action(self)
            except ToolFailed:
                pass
        self.run("update")
        self._updated.touch()
        return action(self)
