"""What `out/` keeps, and what is left over there. The policy is in docs/operations.md, Keeping and removing."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from imagewright.errors import EvidenceError
from imagewright.flow.workspace import Workspace
from imagewright.reference import Digest

REPLACED = 20
"""Digests nothing stands for any more whose evidence a build leaves there; ``./inv clean`` leaves none."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_TEMPORARY = re.compile(r"\..+\.[a-z0-9_]{8}")
"""Names that ``files.write_atomically`` gives to what is not whole yet."""


@dataclass(frozen=True, slots=True)
class Leftover:
    """A file or folder nothing needs: of what ``kind``, where, and its bytes on disk."""

    kind: str
    path: Path
    size: int


def leftover(kind: str, path: Path) -> Leftover:
    """A file or folder with its size as it is now."""
    return Leftover(kind, path, sum(_sizes(path)))


def remove(found: Iterable[Leftover]) -> None:
    """Delete files and folders; one that is already gone is no error."""
    for item in found:
        if item.path.is_dir() and not item.path.is_symlink():
            shutil.rmtree(item.path, ignore_errors=True)
        else:
            item.path.unlink(missing_ok=True)


def tidy(workspace: Workspace) -> None:
    """Hold the bound after a build: blobs nothing reaches go, and all but the last evidence of what was replaced.

    The caller holds the workspace. While an image in the store cannot be read, nothing is removed.
    """
    try:
        names = workspace.store.names()
        replaced = sorted(evidence(workspace, names), key=lambda item: item.path.stat().st_mtime, reverse=True)
        gone = blobs(workspace, names)
        remove((*gone, *layers(workspace, gone), *temporary(workspace), *replaced[REPLACED:]))
    except EvidenceError:
        return


def blobs(workspace: Workspace, names: Iterable[str]) -> tuple[Leftover, ...]:
    """Blobs that neither the named images nor the last release of each image reach."""
    last = (_last_image(workspace, digests) for digests in _released(workspace))
    found = workspace.store.unreachable(names, [digest for digest in last if digest])
    return tuple(leftover("blob", path) for path in found)


def layers(workspace: Workspace, gone: Iterable[Leftover]) -> tuple[Leftover, ...]:
    """What is remembered of layers that the store does not have, or not without the blobs that are ``gone``."""
    without = {item.path for item in gone}
    found = []
    for folder in sorted((workspace.out / "layers" / "sha256").glob("*")):
        texts = (path.read_text("utf-8", "replace") for path in folder.glob("*.json"))
        named = {Digest.parse(name) for text in texts for name in _DIGEST.findall(text)}
        held = (workspace.store.blob_path(digest) for digest in named)
        if not any(path.is_file() and path not in without for path in held):
            found.append(leftover("layer", folder))
    for path in sorted(workspace.layer_cache.glob("[0-9a-f]" * 64)):
        blob = workspace.store.blob_path(Digest(path.name))
        if not blob.is_file() or blob in without:
            found.append(leftover("layer", path))
    return tuple(found)


def evidence(workspace: Workspace, names: Iterable[str]) -> tuple[Leftover, ...]:
    """Evidence of digests that no named image has and no release ever had."""
    images = [workspace.store.image(name) for name in names]
    kept = {digest for digests in _released(workspace) for digest in digests}
    kept |= {manifest.digest for image in images for _, manifest in image.manifests}
    subjects = (subject for subject in workspace.evidence.subjects() if subject not in kept)
    return tuple(leftover("evidence", workspace.evidence.folder(subject)) for subject in subjects)


def temporary(workspace: Workspace) -> tuple[Leftover, ...]:
    """What runs that were killed left half written."""
    folders = (
        *(workspace.store.root, workspace.evidence.root),
        *(workspace.out / name for name in ("layers", "cache", "reports")),
    )
    files = (path for folder in folders for path in sorted(folder.rglob(".*")) if path.is_file())
    # Among the blobs they are found as what nothing reaches.
    return tuple(
        leftover("temporary", path)
        for path in files
        if _TEMPORARY.fullmatch(path.name) and path.parent.name != "sha256"
    )


def _released(workspace: Workspace) -> Iterator[tuple[Digest, ...]]:
    """The digests that each ledger of releases names, in its order: the last release is named last."""
    for path in sorted((workspace.evidence.root / "history").rglob("*.json")):
        text = path.read_text("utf-8", "replace")
        yield tuple(Digest.parse(name) for name in _DIGEST.findall(text))


def _last_image(workspace: Workspace, digests: tuple[Digest, ...]) -> Digest | None:
    return next((digest for digest in reversed(digests) if workspace.store.has_image(digest)), None)


def _sizes(path: Path) -> Iterator[int]:
    inside = (os.path.join(folder, name) for folder, _, files in os.walk(path) for name in files)
    for file in inside if path.is_dir() and not path.is_symlink() else (path,):
        with contextlib.suppress(FileNotFoundError):  # others may write where nothing is removed, only looked at
            yield os.lstat(file).st_size
