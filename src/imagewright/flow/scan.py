"""scan: one scan of each platform manifest, SBOMs from it, and the judgement."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from imagewright import keys
from imagewright.flow import reuse
from imagewright.flow.destination import client_for
from imagewright.flow.judge import judge
from imagewright.flow.workspace import Workspace, platforms
from imagewright.inputkey import InputKey
from imagewright.model.findings import NotChecked, Scan
from imagewright.model.image import Manifest
from imagewright.model.records import Build, ImageReport, Sboms
from imagewright.oci.artifact import fetch_artifact
from imagewright.progress import step
from imagewright.reference import Digest, Reference
from imagewright.tools import cache, trivy, trivy_database, trivy_download
from imagewright.tools.binary import Program
from imagewright.tools.trivy_database import DatabaseFolder

AT_ONCE = 2
"""Scans side by side; each keeps about one core busy."""


def scan(workspace: Workspace, names: tuple[str, ...], against: tuple[str, ...] = ()) -> tuple[ImageReport, ...]:
    """Scan the named images and judge them; raises PolicyRefused when a verdict blocks."""
    work = tuple((name, manifest) for _, name, _, manifest in platforms(workspace.built(names)))
    workspace.profile(workspace.policy())
    scan_each(workspace, work)
    return judge(workspace, names, against)


def scan_each(workspace: Workspace, work: Iterable[tuple[str, Manifest]]) -> None:
    """Scan these manifests of the store (each with the name it goes by) and record what is found."""
    scanner = trivy.find(remembered=True)
    database = _database(workspace)
    with workspace.scratch() as folder, ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        started = [
            pool.submit(_scan_one, workspace, scanner, database, name, manifest, folder) for name, manifest in work
        ]
        for future in started:
            future.result()


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
    workspace: Workspace,
    scanner: Program,
    database: DatabaseFolder | NotChecked,
    name: str,
    manifest: Manifest,
    folder: Path,
) -> None:
    subject = manifest.digest
    evidence = workspace.evidence
    with step(workspace.progress, name, "scan") as row:
        build = evidence.read(Build, subject, "build", hint=f"./inv build -i {name}")
        if before := reuse.scanned_before(workspace, subject, _key(build, scanner, database).digest):
            row.update(f"unchanged, {_summary(before)}")
            return
        scanner = trivy.find()  # what is started was read just now; its identity is part of the key
        parts = _key(build, scanner, database)
        key = parts.digest
        timeout = workspace.project.settings.scan.timeout_seconds
        found, raw = trivy.scan(
            workspace.store.root,
            subject,
            database=database,
            workdir=folder,
            timeout=timeout,
            layers=workspace.scanner_cache / name,
            trivy=scanner,
        )
        row.update("bills of materials")
        sboms = trivy.convert(raw, subject, name=name, epoch=build.source.epoch, workdir=folder, trivy=scanner)
        evidence.write_bytes(subject, "trivy.json", raw)
        for sbom, data in sboms:
            evidence.write_bytes(subject, sbom.file, data)
        evidence.write(subject, "scan-key", parts, key=key)
        evidence.write(subject, "sboms", Sboms(tuple(sbom for sbom, _ in sboms)), key=key)
        evidence.write(subject, "scan", found, key=key)
        row.update(_summary(found))


def _key(build: Build, scanner: Program, database: DatabaseFolder | NotChecked) -> InputKey:
    known = database if isinstance(database, NotChecked) else database.database
    return keys.scan(build.subject, build.image, build.source, scanner.identity, known)


def _summary(found: Scan) -> str:
    packages = f"{len(found.packages)} packages"
    if isinstance(found.vulnerabilities, NotChecked):
        return f"{packages}, vulnerabilities: not checked"
    return f"{packages}, {len(found.vulnerabilities)} vulnerabilities"
