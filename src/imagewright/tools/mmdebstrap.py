"""mmdebstrap: a small Debian system assembled from signed packages, as a tar that depends on nothing but its inputs.

The host's mirror, proxies and certificates are used to fetch and leave no trace: inside stands what mmdebstrap
itself writes for the suite.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from imagewright.errors import ToolFailed, ToolMissing
from imagewright.reference import Platform
from imagewright.tools import apt, apt_sources, process
from imagewright.tools.apt import Note, silent

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}

# $1 is the new system's root. The lists that serve for fetching are exchanged for mmdebstrap's own afterwards.
_BORROW_SOURCES = 'mv "$1/etc/apt/sources.list" "$WORK/own.list" && cp "$WORK/host.list" "$1/etc/apt/sources.list"'
_RETURN_SOURCES = 'cp "$WORK/own.list" "$1/etc/apt/sources.list" && chmod 0644 "$1/etc/apt/sources.list"'
_LIST_PACKAGES = (
    'dpkg-query --admindir="$1/var/lib/dpkg" --show --showformat=\'${Package}=${Version}\\n\' > "$WORK/packages"'
)
# Copies of the host's, made so that maintainer scripts find a network.
_FORGET_HOST = 'rm -f "$1/etc/hostname" "$1/etc/resolv.conf" "$1/etc/apt/apt.conf.d/99mmdebstrap"'
# A time in it, and locks that say nothing.
_FORGET_RUN = 'rm -rf "$1/var/cache/debconf/"*-old "$1/var/cache/apt/archives/"* "$1/var/log/"*.log'


@dataclass(frozen=True, slots=True)
class Assembled:
    """A base as a tar, the packages in it as ``name=version`` in order, and the mmdebstrap that made it."""

    tar: Path
    packages: tuple[str, ...]
    tool: str


def host_platform() -> Platform:
    """The only platform a base can be assembled for; raises ToolMissing on one that Debian builds no base for."""
    machine = os.uname().machine
    if machine not in _ARCHITECTURES:
        raise ToolMissing(f"no base can be assembled on {machine}", hint="take the base from a registry")
    return Platform("linux", _ARCHITECTURES[machine])


def impossible(platform: Platform) -> str:
    """Why no base of that platform can be assembled on this machine; empty when one can."""
    try:
        if platform != host_platform():
            return f"it would be for {platform}, and this machine is {host_platform()}"
        apt.host_archive()
    except ToolMissing as error:
        return error.what
    return "" if os.geteuid() == 0 else "it needs root"


def assemble(
    into: Path,
    *,
    suite: str,
    include: Sequence[str] = (),
    platform: Platform | None = None,
    epoch: int = 0,
    note: Note = silent,
) -> Assembled:
    """Write the minimal system of a Debian suite to the tar ``into``; no time in it is after ``epoch`` (Unix seconds).

    The same packages give the same bytes. One call at a time for one ``into``: what a killed one left beside it is
    removed. Raises ToolMissing without root, on other hosts than Debian, or for another platform than the host's;
    ToolFailed with mmdebstrap's own words.
    """
    if reason := impossible(platform or host_platform()):
        raise ToolMissing("no base can be assembled on this machine", why=reason, hint="take the base from a registry")
    own = apt.packages(("mmdebstrap",), note=note)
    perl = apt.missing(("perl",), note=note)
    into.parent.mkdir(parents=True, exist_ok=True)
    for left in into.parent.glob(f".{into.name}.*"):
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=f".{into.name}.", dir=into.parent) as work:
        part = Path(work) / "base.tar"
        (Path(work) / "host.list").write_text(apt_sources.source_list(apt.host_archive(), suite), "utf-8")
        env = {**perl.environment(own.environment(_environment(os.environ))), "WORK": work}
        env["SOURCE_DATE_EPOCH"] = str(epoch)
        note(f"assembling {suite}")
        interpreter = process.find("perl", path=env["PATH"])
        script = shutil.which("mmdebstrap", path=env["PATH"]) or "mmdebstrap"
        _run([str(interpreter), script, *_arguments(include), suite, str(part)], env, Path(work), note)
        packages = (Path(work) / "packages").read_text("utf-8").split()
        normalise(part)
        part.replace(into)
    return Assembled(into, tuple(sorted(packages)), f"mmdebstrap {dict(own.versions)['mmdebstrap']}")


def _environment(base: Iterable[str]) -> dict[str, str]:
    """What a maintainer script may see of the host: the way to the network, and nothing to recognise it by."""
    kept = re.compile(r"(?i:(?:https?|ftp|all|no)_proxy)|PATH|TMPDIR")
    env = {name: os.environ[name] for name in base if kept.fullmatch(name)}
    return {**env, "PATH": f"{env.get('PATH', '')}:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/root"}


def _arguments(include: Sequence[str]) -> list[str]:
    hooks = (
        ("setup", _BORROW_SOURCES),
        ("customize", _LIST_PACKAGES),
        ("customize", _RETURN_SOURCES),
        ("customize", _FORGET_HOST),
        ("customize", _FORGET_RUN),
    )
    return [
        "--mode=root",
        "--variant=minbase",
        "--format=tar",
        "--verbose",
        *([f"--include={','.join(sorted(include))}"] if include else ()),
        *(f"--aptopt={line.removesuffix(';')}" for line in apt.host_acquire()),
        *(f"--{moment}-hook={command}" for moment, command in hooks),
    ]


def _run(argv: Sequence[str], env: dict[str, str], cwd: Path, note: Note) -> None:
    def seen(line: bytes) -> None:
        if line.startswith(b"I: ") and b"-hook" not in line:
            note(line[3:].decode("utf-8", "replace").strip())

    done = process.run(argv, env=env, cwd=cwd, check=False, on_stderr=seen)
    if done.returncode != 0:
        raise ToolFailed("mmdebstrap failed", why=done.tail, hint="is the archive within reach? ./inv doctor")


def normalise(tar: Path) -> None:
    """Blank the device numbers of everything that is no device: GNU tar 1.34 writes zeros there, 1.35 nothing."""
    with tar.open("r+b") as file:
        while (header := bytearray(file.read(512))).strip(b"\0"):
            size = int(header[124:136].strip(b"\0 ") or b"0", 8)
            if header[156] not in b"34":
                header[329:345] = bytes(16)
                header[148:156] = b" " * 8
                header[148:156] = b"%06o\0 " % sum(header)
                file.seek(-512, os.SEEK_CUR)
                file.write(header)
            file.seek((size + 511) // 512 * 512, os.SEEK_CUR)
