"""What this machine has for the job, what it lacks, and what to do about it; starts and fetches nothing."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from imagewright.errors import ConfigurationError, ImagewrightError
from imagewright.model.definition import Settings
from imagewright.model.findings import NotChecked
from imagewright.tools import apt, cache, embedded, engine, local_registry, process, trivy_database

LEAST_FREE_BYTES = 5 * 10**9
"""What a cold build of a few images takes, with the engine's cache."""

State = Literal["ok", "warning", "missing"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: its state, what was found (in a line or several), and the next step where there is one."""

    name: str
    state: State
    found: str
    hint: str = ""


def examine(root: Path, settings: Settings) -> tuple[Check, ...]:
    """Look at everything that a run in the repository at ``root`` needs."""
    return (
        Check("python", "ok", f"{platform.python_version()} ({sys.executable})"),
        _program("git", "--version", hint="install git"),
        *_engines(settings.engine),
        _registry(settings.registry),
        _program("trivy", "--version", hint="remove .venv and run ./inv again; it comes with the locked requirements"),
        _program(
            "hadolint", "--version", hint="remove .venv and run ./inv again; it comes with the locked requirements"
        ),
        _database(root, settings.scan.database),
        _space(cache.folder()),
    )


def _program(name: str, *question: str, hint: str) -> Check:
    beside_python = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    path = shutil.which(name, path=beside_python)
    if path is None:
        return Check(name, "missing", "not found", hint)
    try:
        done = process.run([path, *question], timeout=20)
    except ImagewrightError as error:
        return Check(name, "missing", str(error), hint)
    match = re.search(r"\d+\.\d+[\w.+~-]*", done.stdout.decode("utf-8", "replace"))
    return Check(name, "ok", f"{match[0] if match else 'unknown version'} ({path})")


def _engines(choice: engine.Choice) -> Iterator[Check]:
    offered = engine.probe() if choice != "embedded" else engine.Unfit("the settings say: embedded")
    impossible = embedded.impossible() if choice != "environment" else "the settings say: environment"
    if isinstance(offered, engine.Engine):
        yield Check("engine", "ok", f"{offered.version}, builder {offered.builder} ({offered.driver})")
        yield Check("buildx", "ok", offered.buildx)
    elif impossible:
        yield Check("engine", "missing", f"{offered.reason}\nembedded: {impossible}", offered.hint)
    else:
        yield Check("engine", "ok", f"embedded, {_embedded_state()}\nthe environment's: {offered.reason}")
        yield Check("buildx", "ok", "comes with the embedded engine")


def _embedded_state() -> str:
    now = embedded.status()
    if now.running:
        return f"running, process {now.pid}, {now.socket}"
    return "fetched, not running" if (now.home / "dockerd.json").exists() else "fetched and started by the first build"


def _registry(registry: str) -> Check:
    if registry != "local":
        return Check("registry", "ok", f"{registry} (configured)")
    if running := local_registry.status():
        return Check("registry", "ok", f"local, running at {running.address}")
    try:
        apt.host_archive()
    except ImagewrightError as error:
        return Check("registry", "warning", f"local, but {error.what}", "configure one: IMAGEWRIGHT_REGISTRY=host:port")
    return Check("registry", "ok", "local, started by push")


def _database(root: Path, setting: str) -> Check:
    """What a scan would find vulnerabilities with; not having it yet is no fault."""
    hint = "set IMAGEWRIGHT_DATABASE to a folder or an OCI reference"
    try:
        found = trivy_database.known(setting, root=root, cache=cache.folder())
    except ConfigurationError as error:
        return Check("database", "missing", error.problems[0].message, hint)
    if not isinstance(found, NotChecked):
        return Check("database", "ok", f"of {found.database.updated_at}, {found.database.source}")
    failed = trivy_database.failure(setting, cache.folder())
    if not failed:
        return Check("database", "ok", "fetched by the first scan")
    return Check("database", "warning", f"none: {failed}\nscans do not check for vulnerabilities", hint)


def _space(folder: Path) -> Check:
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(there).free
    found = f"{free / 10**9:.1f} GB free at {folder}"
    if free >= LEAST_FREE_BYTES:
        return Check("disk", "ok", found)
    return Check("disk", "warning", found, "free some space, or point IMAGEWRIGHT_CACHE elsewhere (5 GB are enough)")
