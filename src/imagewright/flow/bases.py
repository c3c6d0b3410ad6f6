"""The outside bases of a build: which bytes stand behind each name, and the lock that says so."""

from __future__ import annotations

import contextlib
import os
import platform as host
import time
from collections.abc import Iterable
from datetime import UTC, datetime

from imagewright.errors import ConfigurationError, EvidenceError, Problem, RegistryRefused
from imagewright.files import locked, write_atomically
from imagewright.flow.destination import client_for
from imagewright.flow.workspace import Workspace
from imagewright.model.definition import LOCK_FILE, BaseDefinition, LockedBase
from imagewright.model.records import UsedBase
from imagewright.oci.layout import Store
from imagewright.plan import Context, rfc3339
from imagewright.progress import step
from imagewright.reference import Digest, Platform, Reference
from imagewright.tools import cache, mmdebstrap

UNKNOWN = Digest("0" * 64)
"""Stands for the bytes of a base that only a build will know."""
_DAY = 86_400


def contexts(workspace: Workspace, names: Iterable[str], platform: Platform) -> dict[str, Context]:
    """Each declared base as a named context of the solve, assembled or pinned.

    Raises ConfigurationError for a registry base without a lock entry: a tag is never built on.
    """
    return {name: _context(workspace, _declared(workspace, name), platform) for name in names}


def planned(workspace: Workspace, names: Iterable[str], platform: Platform) -> dict[str, Context]:
    """The same contexts as far as lock and cache know them, without assembling or asking anybody."""
    found = {}
    for name in names:
        base = _declared(workspace, name)
        entry = _locked(workspace, base, platform)
        digest = _known(base, platform, entry)
        used = UsedBase(name, base.source, digest, entry.digest if entry else None, entry.locked if entry else "")
        found[name] = Context(used, f"{base.source}://{name}@{entry.digest if entry else 'not-locked'}")
    return found


def _known(base: BaseDefinition, platform: Platform, entry: LockedBase | None) -> Digest:
    """Which bytes a build would take as far as anybody knows; UNKNOWN when it would have to ask."""
    locked = entry.digest if entry else UNKNOWN
    if base.source == "registry":
        return locked
    if mmdebstrap.impossible(platform):
        return UNKNOWN
    store = Store(cache.folder() / "bases")
    name = _assembly(base, platform, entry.epoch if entry else 0)
    if store.has_image(locked) or not _is_there(store, name):
        return locked
    return store.image(name).root.digest


def host_platform() -> Platform:
    """The platform this machine builds for without emulation."""
    machine = host.machine()
    return Platform("linux", {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine))


def lock(workspace: Workspace) -> tuple[LockedBase, ...]:
    """Look every base up anew and write ``images/bases.lock``."""
    platform = host_platform()
    entries = tuple(_lock_one(workspace, base, platform) for base in workspace.project.bases)
    write_atomically(workspace.project.root / LOCK_FILE, _render(entries).encode())
    return entries


def _declared(workspace: Workspace, name: str) -> BaseDefinition:
    return next(base for base in workspace.project.bases if base.name == name)


def _context(workspace: Workspace, base: BaseDefinition, platform: Platform) -> Context:
    entry = _locked(workspace, base, platform)
    if base.source == "registry":
        if entry is None:
            problem = Problem(LOCK_FILE, base.name, f"has no entry for {platform}")
            raise ConfigurationError([problem], hint="./inv lock")
        used = UsedBase(base.name, base.source, entry.digest, entry.digest, entry.locked)
        return Context(used, f"docker-image://{_pinned(base, entry.digest)}")
    expected, locked_on = (entry.digest, entry.locked) if entry else (None, "")
    if mmdebstrap.impossible(platform):
        digest = _registry_digest(workspace, base)
        used = UsedBase(base.name, "substitute", digest, expected, locked_on)
        return Context(used, f"docker-image://{_pinned(base, digest)}")
    store = Store(cache.folder() / "bases")
    digest = _assembled(workspace, store, base, platform, entry)
    with contextlib.suppress(OSError):
        os.utime(store.blob_path(digest))  # ./inv clean goes by the last use
    used = UsedBase(base.name, base.source, digest, expected, locked_on)
    return Context(used, f"oci-layout://{store.root}@{digest}")


def _locked(workspace: Workspace, base: BaseDefinition, platform: Platform) -> LockedBase | None:
    entries = workspace.project.locked
    return next((entry for entry in entries if (entry.name, entry.platform) == (base.name, platform)), None)


def _pinned(base: BaseDefinition, digest: Digest) -> Reference:
    return Reference.parse(base.reference or base.name).with_digest(digest)


def _assembled(
    workspace: Workspace, store: Store, base: BaseDefinition, platform: Platform, entry: LockedBase | None
) -> Digest:
    """The base's manifest: the locked one when the cache has it, else what the archive gives today."""
    if entry is not None and store.has_image(entry.digest):
        return entry.digest
    epoch = entry.epoch if entry else 0
    name = _assembly(base, platform, epoch)
    if not _is_there(store, name):
        _assemble(workspace, store, base, platform, epoch, name)
    return store.image(name).root.digest


def _is_there(store: Store, name: str) -> bool:
    """Whether a name stands for a whole image."""
    try:
        return store.has_image(store.image(name).root.digest)
    except EvidenceError:
        return False


def _assembly(base: BaseDefinition, platform: Platform, epoch: int) -> str:
    """What an assembled base is called in the cache."""
    return f"{base.name} {platform} {epoch} {','.join(base.include)}"


def _assemble(
    workspace: Workspace,
    store: Store,
    base: BaseDefinition,
    platform: Platform,
    epoch: int,
    name: str,
    *,
    anew: bool = False,
) -> None:
    with locked(store.root / f".{platform.architecture}.lock"), step(workspace.progress, base.name, "base") as row:
        if _is_there(store, name) and not anew:
            return
        from imagewright.oci.assemble import image_from_tar

        tar = store.root / f"{platform.architecture}.tar"
        row.update(f"assembling {base.suite} from signed packages")
        mmdebstrap.assemble(
            tar, suite=base.suite, include=base.include, platform=platform, epoch=epoch, note=row.update
        )
        created_by = f"mmdebstrap {base.suite} {' '.join(base.include)}"
        manifest = image_from_tar(store, tar, platform, created=rfc3339(epoch), created_by=created_by)
        store.set_name(name, manifest)
        row.update(str(manifest.digest))


def _lock_one(workspace: Workspace, base: BaseDefinition, platform: Platform) -> LockedBase:
    today = datetime.now(UTC).date().isoformat()
    if base.source == "registry":
        return LockedBase(base.name, platform, "registry", _registry_digest(workspace, base), today)
    epoch = int(time.time()) // _DAY * _DAY
    store = Store(cache.folder() / "bases")
    name = _assembly(base, platform, epoch)
    _assemble(workspace, store, base, platform, epoch, name, anew=True)
    return LockedBase(base.name, platform, "bootstrap", store.image(name).root.digest, today, epoch)


def _registry_digest(workspace: Workspace, base: BaseDefinition) -> Digest:
    """What the base's name stands for in its registry now."""
    reference = Reference.parse(base.reference or base.name)
    found = client_for(workspace, reference.registry).head_manifest(reference)
    if found is None:
        raise RegistryRefused(f"{reference} does not exist", hint="check its name in images/bases.toml")
    return found.digest


def _render(entries: Iterable[LockedBase]) -> str:
    lines = ["# Which bytes stand behind each outside base. Written by ./inv lock; commit it.", ""]
    for entry in entries:
        lines += [
            "[[base]]",
            f'name = "{entry.name}"',
            f'platform = "{entry.platform}"',
            f'source = "{entry.source}"',
            f'digest = "{entry.digest}"',
            f'locked = "{entry.locked}"',
        ]
        lines += [f"epoch = {entry.epoch}"] if entry.epoch else []
        lines += [""]
    return "\n".join(lines)
