"""Whatever is deleted, cut short, edited or of another version: redone or refused, never believed, and never a pass."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from imagewright.evidence import sealed
from imagewright.tools.engine import Engine
from tests.integration import forked, vulndb
from tests.integration.conftest import SmallProject, new_project, own_cache
from tests.integration.faulty_registry import FaultyRegistry

pytestmark = pytest.mark.integration
ALL = ("build", "scan", "push")


@pytest.fixture(scope="module")
def registry() -> Iterator[FaultyRegistry]:
    with FaultyRegistry() as server:
        yield server


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, engine: Engine, registry: FaultyRegistry) -> SmallProject:
    folder = tmp_path_factory.mktemp("template")
    project = new_project(folder / "project", engine)
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    project.env |= {
        "IMAGEWRIGHT_DATABASE": str(vulndb.write(folder / "database", [], updated=now)),
        "IMAGEWRIGHT_REGISTRY": registry.address,
        "IMAGEWRIGHT_CACHE": str(own_cache(folder / "cache")),
        "IMAGEWRIGHT_ENGINE": "environment",
        "PATH": os.pathsep.join([str(engine.docker.parent), os.environ.get("PATH", os.defpath)]),
    }
    project.image("one")
    project.commit()
    time.sleep(3)
    for _ in range(3):
        ran = forked.run(project, *ALL)
        assert ran.code == 0, ran.err
    return project


HARMS: dict[str, Callable[[bytes], bytes | None]] = {
    "deleted": lambda data: None,
    "cut in half": lambda data: data[: len(data) // 2],
    "emptied": lambda data: b"",
    "edited": lambda data: (
        data[: len(data) // 2] + bytes(b ^ 1 for b in data[len(data) // 2 :][:1]) + data[len(data) // 2 + 1 :]
    ),
    "of another version": lambda data: data.replace(b"/v1", b"/v0", 1),
}


def test_explore(template, registry):
    root = template.root
    cache = Path(template.env["IMAGEWRIGHT_CACHE"])
    out = root / "out"
    kept = root.parent / "kept"
    shutil.copytree(out, kept / "out", symlinks=True)
    keptc = kept / "cache"
    shutil.copytree(cache, keptc, symlinks=True)
    start = time.time()
    clean = forked.run(template, *ALL)
    print("clean", clean.code, clean.out, time.time() - start, clean.err)
    files = [(out, p.relative_to(out)) for p in sorted(out.rglob("*")) if p.is_file()] + [
        (cache, p.relative_to(cache))
        for p in sorted(cache.rglob("*"))
        if p.is_file() and not any(q.is_symlink() for q in p.parents)
    ]
    print(len(files))
    pick = os.environ.get("PICK", "")
    for base, rel in files:
        if pick and pick not in str(rel):
            continue
        path = base / rel
        data = path.read_bytes()
        for name, harm in HARMS.items():
            if harm(data) == data:
                continue
            shutil.rmtree(out)
            shutil.copytree(kept / "out", out, symlinks=True)
            for x in cache.iterdir():
                if x.is_symlink():
                    continue
                shutil.rmtree(x) if x.is_dir() else x.unlink()
            for x in keptc.iterdir():
                if x.is_symlink():
                    continue
                shutil.copytree(x, cache / x.name, symlinks=True) if x.is_dir() else shutil.copy2(x, cache / x.name)
            new = harm(data)
            path.unlink() if new is None else path.write_bytes(new)
            t = time.time()
            ran = forked.run(template, *ALL)
            t = time.time() - t
            after = path.read_bytes() if path.is_file() else None
            how = "same" if after == data else "GONE" if after is None else "STILL DAMAGED" if after == new else "other"
            flag = "" if ran.code == 0 and ran.out == clean.out else f"!!! {ran.code} {ran.out} {ran.err[-600:]}"
            print(f"{rel} {name}: {how} {t:.2f}s {flag}", "TRACEBACK" if "Traceback" in ran.err else "", flush=True)
