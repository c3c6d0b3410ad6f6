"""scan: one scan of each platform manifest, SBOMs from it, and the judgement."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from imagewright import keys
from imagewright.flow import judgement, reuse
from imagewright.flow.destination import client_for
from imagewright.flow.workspace import Workspace, platforms
from imagewright.inputkey import InputKey
from imagewright.model.findings import NotChecked, Scan
from imagewright.model.image import Manifest
from imagewright.model.records import Build, Sboms, Source
from imagewright.oci.artifact import fetch_artifact
from imagewright.oci.layout import Store
from imagewright.progress import step
from imagewright.reference import Digest, Reference
from imagewright.tools import cache, trivy, trivy_database, trivy_download
from imagewright.tools.binary import Program
from imagewright.tools.trivy_database import DatabaseFolder

AT_ONCE = 2
"""Scans side by side; each keeps about one core busy."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A manifest to be scanned: what it goes by, of which image and source it is, and the layout it lies in."""

    name: str
    digest: Digest
    image: str
    source: Source
    layout: Path


def scan(workspace: Workspace, names: tuple[str, ...], against: tuple[str, ...] = ()) -> None:
    """Scan the named images and judge them; raises PolicyRefused when a verdict blocks."""
    work = tuple((name, manifest) for _, name, _, manifest in platforms(workspace.built(names)))
    known = None if against else judgement.standing(workspace, names)
    if not known:  # a mistake in the policy is told before a minute is spent
        workspace.profile(workspace.policy())
    if scan_each(workspace, work) or not known or not judgement.shown(workspace, known):
        judgement.judge(workspace, names, against)


def scan_each(workspace: Workspace, work: Iterable[tuple[str, Manifest]]) -> bool:
    """Scan these manifests of the store (each with the name it goes by) and record what is found.

    Says whether anything was scanned that had not been scanned before.
    """
    with scanning(workspace) as start:
        started = []
        for name, manifest in work:
            build = workspace.evidence.read(Build, manifest.digest, "build", hint=f"./inv build -i {name}")
            started.append(start(Subject(name, manifest.digest, build.image, build.source, workspace.store.root)))
        return True in [future.result() for future in started]  # all are waited for


@contextmanager
def scanning(workspace: Workspace) -> Iterator[Callable[[Subject], Future[bool]]]:
    """A way to start scans, ``AT_ONCE`` side by side; in the end it waits for those that were started."""
    scanner = trivy.find(remembered=True)
    database = _database(workspace)
    with workspace.scratch() as folder, ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        yield lambda subject: pool.submit(_scan_one, workspace, scanner, database, subject, folder)


def _database(workspace: Workspace) -> DatabaseFolder | NotChecked:
    setting = workspace.project.settings.scan.database

    def fetch(reference: Reference, into: Path) -> Digest:
        return fetch_artifact(client_for(workspace, reference.registry), reference, trivy_download.MEDIA_TYPE, into)

    with step(workspace.progress, "database", "fetch") as row:
        found = trivy_database.resolve(
            setting,
            root=workspace.project.root,
            cache=cache.folder(),
            fetch=fetch,
            trivy=trivy.find,
            now=datetime.now(UTC),
        )
        if isinstance(found, NotChecked):
            row.update(f"vulnerabilities: not checked ({found.reason})")
        else:
            row.update(
                f"of {found.database.updated_at}, {found.database.sha256.short}{found.note and '; '}{found.note}"
            )
    return found


def _scan_one(
    workspace: Workspace, scanner: Program, database: DatabaseFolder | NotChecked, subject: Subject, folder: Path
) -> bool:
    digest, evidence = subject.digest, workspace.evidence
    with step(workspace.progress, subject.name, "scan") as row:
        if before := reuse.scanned_before(workspace, digest, _key(subject, scanner, database)):
            row.update(f"unchanged, {_summary(before)}")
            return False
        scanner = trivy.find()  # what is started was read just now; its identity is part of the key
        parts = _key(subject, scanner, database)
        key = parts.digest
        with Store(subject.layout).vouching(digest):
            found, raw = trivy.scan(
                subject.layout,
                digest,
                database=database,
                workdir=folder,
                timeout=workspace.project.settings.scan.timeout_seconds,
                memory=workspace.scanner_cache / subject.name,
                trivy=scanner,
            )
        evidence.write_bytes(digest, reuse.REPORT, raw)
        if not reuse.described_before(workspace, digest, keys.sboms(parts)):
            row.update("bills of materials")
            _describe(workspace, subject, raw, folder, scanner, key=keys.sboms(parts))
        evidence.write(digest, "scan-key", parts, key=key)
        evidence.write(digest, "scan", found, key=key)
        row.update(_summary(found))
        return True


def _describe(
    workspace: Workspace, subject: Subject, report: bytes, folder: Path, scanner: Program, *, key: Digest
) -> None:
    """Make and record the bills of materials of a scanner's report."""
    evidence, epoch = workspace.evidence, subject.source.epoch
    sboms = trivy.convert(report, subject.digest, name=subject.name, epoch=epoch, workdir=folder, trivy=scanner)
    for sbom, data in sboms:
        evidence.write_bytes(subject.digest, sbom.file, data)
    evidence.write(subject.digest, "sboms", Sboms(tuple(sbom for sbom, _ in sboms)), key=key)


def _key(subject: Subject, scanner: Program, database: DatabaseFolder | NotChecked) -> InputKey:
    known = database if isinstance(database, NotChecked) else database.database
    return keys.scan(subject.digest, subject.image, subject.source, scanner.identity, known)


def _summary(found: Scan) -> str:
    count = len(found.packages)
    packages = f"{count} {'package' if count == 1 else 'packages'}"
    if isinstance(found.vulnerabilities, NotChecked):
        return f"{packages}, vulnerabilities: not checked"
    count = len(found.vulnerabilities)
    return f"{packages}, {count} {'vulnerability' if count == 1 else 'vulnerabilities'}"
