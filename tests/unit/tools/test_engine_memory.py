"""Which engine was found, remembered while nothing that decided it has changed. No engine is asked here."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from imagewright.tools import cache, engine_memory
from imagewright.tools.engine import Choice, Engine

NOWHERE = {"PATH": "/nowhere"}


@pytest.fixture
def embedded(tmp_path: Path) -> Engine:
    """What ``engine.find`` says of an embedded engine; only its files are there, as when it is stopped."""
    root = tmp_path / "packages/root/usr"
    config = tmp_path / "engine/client"
    for path in (root / "bin/docker", root / "sbin/dockerd", config / "cli-plugins/docker-buildx"):
        path.parent.mkdir(parents=True)
        path.write_text("1")
    env = {"DOCKER_CONFIG": str(config)}
    return Engine("embedded", root / "bin/docker", "26.1", "0.13", "default", "docker", env)


@pytest.mark.parametrize("choice", ["auto", "embedded"])
def test_a_stopped_engine_is_known_by_its_files(embedded: Engine, choice: Choice) -> None:
    assert engine_memory.recall(choice, NOWHERE) is None
    engine_memory.remember(choice, NOWHERE, embedded)
    assert engine_memory.recall(choice, NOWHERE) == engine_memory.builder(embedded)


def replace(path: Path) -> None:
    """Another file with the same bytes and times, as an upgrade to the same version leaves it."""
    status = path.stat()
    shutil.copy(path, path.with_suffix(".new"))
    path.with_suffix(".new").replace(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize("change", [replace, Path.unlink, lambda path: path.write_text("2")])
@pytest.mark.parametrize(
    "file",
    ["packages/root/usr/bin/docker", "packages/root/usr/sbin/dockerd", "engine/client/cli-plugins/docker-buildx"],
)
def test_another_file_means_asking_again(
    embedded: Engine, tmp_path: Path, file: str, change: Callable[[Path], object]
) -> None:
    engine_memory.remember("auto", NOWHERE, embedded)
    change(tmp_path / file)
    assert engine_memory.recall("auto", NOWHERE) is None


def test_a_docker_command_that_appears_means_asking_again(embedded: Engine, tmp_path: Path) -> None:
    path = {"PATH": str(tmp_path / "bin"), "DOCKER_HOST": "tcp://elsewhere:2375"}
    engine_memory.remember("auto", path, embedded)
    assert engine_memory.recall("auto", path) == engine_memory.builder(embedded)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/docker").write_text("#!/bin/sh\n")
    (tmp_path / "bin/docker").chmod(0o755)
    assert engine_memory.recall("auto", path) is None


@pytest.mark.parametrize(
    "settings",
    [
        {"DOCKER_HOST": "tcp://elsewhere:2375"},
        {"DOCKER_HOST": "ssh://elsewhere"},
        {"DOCKER_CONTEXT": "elsewhere"},
        {"DOCKER_CONFIG": "config"},
        {"DOCKER_CONFIG": "broken"},
    ],
)
def test_an_engine_that_cannot_be_seen_from_here_is_not_remembered(
    embedded: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in (("bin/docker", "#!/bin/sh\n"), ("config/config.json", '{"currentContext": "x"}')):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(text)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/config.json").write_text("[")
    (tmp_path / "bin/docker").chmod(0o755)
    environ = {"PATH": str(tmp_path / "bin"), **settings}
    engine_memory.remember("auto", environ, embedded)
    assert engine_memory.recall("auto", environ) is None


def test_other_settings_are_another_memory(embedded: Engine) -> None:
    engine_memory.remember("auto", NOWHERE, embedded)
    assert engine_memory.recall("auto", {**NOWHERE, "BUILDX_BUILDER": "other"}) is None
    assert engine_memory.recall("embedded", NOWHERE) is None


HARM: dict[str, Callable[[bytes], bytes]] = {
    "emptied": lambda data: b"",
    "cut in half": lambda data: data[: len(data) // 2],
    "something else": lambda data: b"null",
    "another version of the engine": lambda data: data.replace(b"26.1", b"27.1"),
    "of another version": lambda data: data.replace(b"/v1", b"/v0"),
}


@pytest.mark.parametrize("harm", HARM.values(), ids=HARM.keys())
def test_a_damaged_memory_is_no_memory(embedded: Engine, harm: Callable[[bytes], bytes]) -> None:
    engine_memory.remember("auto", NOWHERE, embedded)
    (place,) = (cache.folder() / "engines").iterdir()
    place.write_bytes(harm(place.read_bytes()))
    assert engine_memory.recall("auto", NOWHERE) is None


def test_a_memory_of_other_settings_is_none(embedded: Engine) -> None:
    engine_memory.remember("auto", NOWHERE, embedded)
    engine_memory.remember("embedded", NOWHERE, embedded)
    one, other = sorted((cache.folder() / "engines").iterdir())
    shutil.copy(one, other)
    recalled = {engine_memory.recall("auto", NOWHERE), engine_memory.recall("embedded", NOWHERE)}
    assert recalled == {None, engine_memory.builder(embedded)}
