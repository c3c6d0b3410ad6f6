"""clean: remove what nothing needs any more, each thing with its size; what that is, is in flow.retention."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from imagewright.errors import ImagewrightError
from imagewright.files import locked
from imagewright.flow import retention
from imagewright.flow.bases import host_platform
from imagewright.flow.retention import Leftover, leftover
from imagewright.flow.workspace import Workspace
from imagewright.oci.layout import Store
from imagewright.reports import units
from imagewright.tools import apt, buildx, cache, daemon, embedded, engine, trivy_database
from imagewright.tools.embedded_files import BUILD_CACHE

UNUSED_DAYS = 30
"""Days that a base or database this checkout does not name stays after its last use: as long as a lock is fresh."""


def clean(workspace: Workspace, *, dry_run: bool) -> tuple[str, ...]:
    """Remove what nothing needs, or with ``dry_run`` only find it; one line for each thing, and the sum.

    Raises EvidenceError when it cannot be read what an image consists of: then nobody knows what may go.
    """
    store = workspace.store
    kept = tuple(name for name in store.names() if name in {image.name for image in workspace.project.images})
    gone = tuple(name for name in store.names() if name not in kept)
    blobs = retention.blobs(workspace, kept)
    found = [*blobs, *retention.layers(workspace, blobs), *retention.evidence(workspace, kept), *_undeclared(workspace)]
    folders = {item.path for item in found}
    found += [item for item in retention.temporary(workspace) if not folders.intersection(item.path.parents)]
    found += _scratch(workspace)
    lines = [f"name       {name}: no image of that name is declared" for name in gone]
    if not dry_run:
        if gone:
            store.forget(gone)
        retention.remove(found)
    found += _cache(workspace, dry_run=dry_run)
    lines += [_line(item, workspace.out) for item in found]
    builder, freed = _builder(dry_run=dry_run)
    size = sum(item.size for item in found) + freed
    return (*lines, *builder, f"{units.size(size)} {'would be' if dry_run else 'were'} removed")


def _line(item: Leftover, out: Path) -> str:
    path = item.path.relative_to(out.parent) if item.path.is_relative_to(out) else item.path
    return f"{item.kind:<10} {path}: {units.size(item.size)}"


def _scratch(workspace: Workspace) -> Iterator[Leftover]:
    for path in sorted((workspace.out / ".scratch").glob("*")):
        yield leftover("scratch", path)


def _undeclared(workspace: Workspace) -> Iterator[Leftover]:
    """Reports and scanner's caches of images that are not declared any more."""
    known = set()
    for image in workspace.project.images:
        known |= {image.name, *(f"{image.name}-{str(platform).replace('/', '-')}" for platform in image.platforms)}
    for kind, folder in (("report", workspace.out / "reports"), ("cache", workspace.scanner_cache)):
        for path in sorted(folder.glob("*")):
            if path.is_dir() and path.name not in known:
                yield leftover(kind, path)


def _cache(workspace: Workspace, *, dry_run: bool) -> list[Leftover]:
    """What nobody used for a while and this checkout does not name, and tools of which there are newer ones."""
    before = time.time() - UNUSED_DAYS * 86_400
    found = []
    bases = Store(cache.folder() / "bases")
    if bases.root.is_dir():
        with _held(bases.root / f".{host_platform().architecture}.lock", dry_run=dry_run):
            found += _bases(workspace, bases, before, dry_run=dry_run)
    if apt.lock_file().parent.is_dir():
        with _held(apt.lock_file(), dry_run=dry_run):
            found += _tools(dry_run=dry_run)
    keep = trivy_database.shelf(workspace.project.settings.scan.database, cache.folder())
    for shelf in sorted((cache.folder() / "trivy-db").glob("*")):
        with _held(shelf / "lock", dry_run=dry_run):
            found += _databases(shelf, before, keep=shelf == keep, dry_run=dry_run)
    return found


def _bases(workspace: Workspace, bases: Store, before: float, *, dry_run: bool) -> list[Leftover]:
    locks = {entry.digest for entry in workspace.project.locked if bases.has_image(entry.digest)}
    roots = {name: bases.image(name).root.digest for name in bases.names()}
    old = [
        name
        for name, digest in roots.items()
        if digest not in locks and bases.blob_path(digest).stat().st_mtime < before
    ]
    kept = [name for name in roots if name not in old]
    found = [leftover("base", path) for path in bases.unreachable(kept, locks)]
    found += [leftover("temporary", path) for path in sorted(bases.root.glob(".*.tar.*"))]
    if not dry_run:
        if old:
            bases.forget(old)
        retention.remove(found)
    return found


def _tools(*, dry_run: bool) -> list[Leftover]:
    linked = (path.resolve() for path in (embedded.status().home / "bin").glob("*"))
    replaced = apt.superseded(running=(*daemon.programs(), *linked), now=time.time())
    found = [leftover("tools", path) for path in replaced]
    if not dry_run:
        retention.remove(found)
    return found


def _databases(shelf: Path, before: float, *, keep: bool, dry_run: bool) -> list[Leftover]:
    current = shelf / "current"
    found = [leftover("temporary", path) for path in sorted(shelf.glob("arriving-*"))]
    if not keep and current.is_symlink() and current.lstat().st_mtime < before:
        found += [leftover("database", path) for path in sorted(shelf.iterdir()) if path.name != "lock"]
    if not dry_run:
        retention.remove(found)
    return found


@contextlib.contextmanager
def _held(lock: Path, *, dry_run: bool) -> Iterator[None]:
    """The lock of others who write there; only looking needs none, and would leave the lock's file behind."""
    with contextlib.nullcontext() if dry_run else locked(lock):
        yield


def _builder(*, dry_run: bool) -> tuple[tuple[str, ...], int]:
    """The embedded engine's build cache beyond its bound; engines of the environment are their owners' to prune."""
    if not embedded.status().running:
        return (), 0
    try:
        found = engine.find("embedded")
        before = buildx.cache_size(found)
        after = min(before, BUILD_CACHE) if dry_run else buildx.prune(found, keep=BUILD_CACHE)
    except ImagewrightError as error:
        return (f"builder    its cache was left alone: {error.what}",), 0
    freed = max(0, before - after)
    line = f"builder    build cache of {units.size(before)}, bound {units.size(BUILD_CACHE)}: {units.size(freed)}"
    return (line,) if freed else (), freed
