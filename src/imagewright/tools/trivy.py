"""Trivy: what is inside an image, and what is known against it. It reports; judging is done elsewhere.

One run per platform manifest, straight from the layout, in a room of its own (imagewright.tools.isolation);
everything else (findings, CycloneDX, SPDX) is read from the report of that run.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from imagewright import schema
from imagewright.errors import ImagewrightError, Problem, ToolFailed, ToolMissing
from imagewright.evidence import canonical
from imagewright.model.findings import NotChecked, Scan, ToolIdentity
from imagewright.model.records import Sbom
from imagewright.reference import Digest
from imagewright.tools.binary import Program, locate, remembered_sha256, sha256
from imagewright.tools.trivy_database import DatabaseFolder

# What only a scan needs is imported there: most runs find that there is nothing to scan.
if TYPE_CHECKING:
    from imagewright.tools.isolation import Isolation
    from imagewright.tools.trivy_parse import Report
    from imagewright.tools.trivy_sbom import Format

CONVERT_SECONDS = 60.0
_LOCK_FILE = "trivy.lock.toml"

# Trivy passes over what looks like a secret in such places, by default: a waiver is where that is to be said.
# https://github.com/aquasecurity/trivy/blob/v0.76.0/pkg/fanal/secret/builtin-allow-rules.go
_SCAN_RULES = "secrets.yaml"
_LOOKED_AT = (
    *("tests", "examples", "vendor", "usr-dirs", "locale-dir", "markdown"),
    *("node.js", "golang", "python", "rubygems", "wordpress", "anaconda-log"),
)


@dataclass(frozen=True, slots=True)
class LockedBinary:
    """A Trivy binary that may run, by the sha256 of its bytes."""

    version: str
    platform: str
    sha256: Digest


@dataclass(frozen=True, slots=True)
class TrivyLock:
    """Which binaries may run, and which versions never may."""

    refused: tuple[str, ...]
    binary: tuple[LockedBinary, ...]


def load_lock() -> TrivyLock:
    """The lock that comes with this program; raises ImagewrightError when it was damaged."""
    problems: list[Problem] = []
    text = resources.files("imagewright.tools").joinpath(_LOCK_FILE).read_text("utf-8")
    lock = schema.parse(
        TrivyLock, schema.load_toml(text, file=_LOCK_FILE, problems=problems), file=_LOCK_FILE, problems=problems
    )
    if lock is None or problems:
        raise ImagewrightError("the lock of scanner binaries is damaged", why="\n".join(map(str, problems)))
    return lock


def find(path: Path | None = None, *, lock: TrivyLock | None = None, remembered: bool = False) -> Program:
    """The scanner of the running environment, else of PATH, once its bytes are known to be good.

    The binary is not run for that: its version is what the lock says of its hash. ``remembered``: its bytes were read
    by an earlier run, which is enough to ask whether it has anything to do, and never to start it. Raises ToolMissing.
    """
    found = path or locate("trivy", hint="on Linux x86-64 it comes with this program's requirements: run ./inv doctor")
    lock = lock or load_lock()
    digest = remembered_sha256(found) if remembered else sha256(found)
    version = next((binary.version for binary in lock.binary if binary.sha256 == digest), "")
    if not version:
        raise ToolMissing(
            "this Trivy binary is not one that may run",
            why=f"{found}\nits {digest} is not in {_LOCK_FILE}",
            hint=f"verify the release's signature, then add version, platform and hash to {_LOCK_FILE}",
        )
    if version in lock.refused:
        raise ToolMissing(f"Trivy {version} is known to be malicious", why=str(found), hint="remove it at once")
    return Program(found, ToolIdentity("trivy", version, digest))


def identity() -> ToolIdentity:
    """What ``find`` found: version and sha256 of the binary; raises ToolMissing."""
    return find().identity


def scan(
    layout: Path,
    subject: Digest,
    *,
    database: DatabaseFolder | NotChecked,
    workdir: Path,
    timeout: float,
    memory: Path | None = None,
    trivy: Program | None = None,
    isolation: Isolation | None = None,
) -> tuple[Scan, bytes]:
    """Scan the platform manifest ``subject`` of an OCI layout (which may hold others too).

    Returns the findings and the scanner's own report, matched texts of secrets taken out. ``timeout`` in
    seconds. ``memory`` is the folder, on the file system of ``workdir``, where what was found in each layer and in the
    configuration stays for the next scan of that image: scans with different folders may run side by side. Raises
    ToolMissing, ToolFailed, and EvidenceError when the layout does not hold the manifest.
    """
    from imagewright.tools import trivy_instructions, trivy_layers, trivy_run
    from imagewright.tools.isolation import make_room
    from imagewright.tools.trivy_parse import parse, redact
    from imagewright.tools.trivy_view import show

    trivy = trivy or find()
    started = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    known = isinstance(database, DatabaseFolder)
    with make_room(workdir, isolation) as room, ThreadPoolExecutor(1) as beside:
        image = show(room, layout, subject)
        ask = partial(trivy_instructions.ask, image, memory=memory and memory / "instructions", trivy=trivy)
        answer = beside.submit(ask, workdir=workdir, timeout=timeout, isolation=isolation)
        # NOTE: JSON is YAML.
        (room.folder / _SCAN_RULES).write_text(json.dumps({"disable-allow-rules": _LOOKED_AT}), "utf-8")
        if isinstance(database, DatabaseFolder):
            room.lend("cache/db", database.path)
        words = _scan_words("vuln,secret,license" if known else "secret,license", timeout)
        key = Digest.of(canonical([str(trivy.identity.sha256), *words, *_LOOKED_AT]))
        cache = trivy_layers.take(memory and memory / "layers", room.folder / "cache", layout, image.manifest, key=key)
        seconds = timeout + trivy_run.GRACE_SECONDS
        done = trivy_run.run(room, trivy, (*words, "--cache-backend", cache.backend), timeout=seconds)
        isolated = room.isolation.words
        report = parse(done.stdout)
        if report.image_id != image.shown:
            raise ToolFailed("Trivy reported on another image", why=f"{report.image_id} instead of {image.shown}")
        # Trivy keeps the lines around a secret.
        if not report.secrets:
            cache.keep()
    raw = redact(image.restored(done.stdout))
    found = Scan(
        subject=subject,
        scanner=trivy.identity,
        started_at=started,
        isolation=isolated,
        database=database.database if isinstance(database, DatabaseFolder) else database,
        packages=report.packages,
        vulnerabilities=database if isinstance(database, NotChecked) else report.vulnerabilities,
        secrets=report.secrets,
        misconfigurations=answer.result().found,
        licences=report.licences,
        uncovered=_uncovered(database, report),
        report=Digest.of(raw),
    )
    return found, raw


def convert(
    report: bytes,
    subject: Digest,
    *,
    name: str,
    epoch: int,
    workdir: Path,
    trivy: Program | None = None,
    isolation: Isolation | None = None,
) -> tuple[tuple[Sbom, bytes], ...]:
    """The bills of materials of one scan: CycloneDX and SPDX, each with its record.

    The same image and scanner give the same bytes: ``epoch`` (Unix seconds) is their date, ``name`` the
    image's. Whether they are complete is for a rule to say.
    """
    from imagewright.tools import trivy_run, trivy_sbom
    from imagewright.tools.isolation import make_room

    program = trivy or find()

    def made(format_: Format) -> tuple[Sbom, bytes]:
        with make_room(workdir, isolation) as room:
            (room.folder / "report.json").write_bytes(report)
            words = ("convert", "--format", format_.trivy, *trivy_run.UNDISTURBED, "report.json")
            done = trivy_run.run(room, program, words, timeout=CONVERT_SECONDS)
        return trivy_sbom.finish(done.stdout, format_, subject, name=name, epoch=epoch)

    with ThreadPoolExecutor(len(trivy_sbom.FORMATS)) as pool:
        return tuple(pool.map(made, trivy_sbom.FORMATS))


def _uncovered(database: DatabaseFolder | NotChecked, report: Report) -> str:
    has_packages = any(package.package_class == "os" for package in report.packages)
    known = isinstance(database, NotChecked) or not has_packages or database.covers(report.distribution)
    return "" if known else report.distribution


def _scan_words(scanners: str, timeout: float) -> Sequence[str]:
    from imagewright.tools.trivy_run import OFFLINE, UNDISTURBED

    return (
        *("image", "--input", "image", "--format", "json", "--list-all-pkgs", "--show-suppressed"),
        *("--scanners", scanners, "--image-config-scanners", "secret", "--secret-config", _SCAN_RULES),
        *("--cache-dir", "cache", "--timeout", f"{timeout:.0f}s"),
        *UNDISTURBED,
        *OFFLINE,
    )
