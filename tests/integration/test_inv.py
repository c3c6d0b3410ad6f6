"""The bootstrap for real, in a project that needs nothing but invoke."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SYSTEM_PYTHON = Path("/usr/bin/python3")

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not SYSTEM_PYTHON.exists(), reason="there is no system Python"),
]

TASKS = """
import imagewright
from invoke import task

@task
def hello(_):
    print("hello from", imagewright.NAME)

@task
def test(_):
    import iniconfig
    print("tested")
"""


def locked(*names: str) -> str:
    """The blocks of these packages in the real lock."""
    text = (ROOT / "requirements-dev.txt").read_text()
    blocks = re.findall(r"^\S.*(?:\n\s+.*)*$", text, re.MULTILINE)
    return "\n".join(block for block in blocks if block.partition("==")[0] in names) + "\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "a project"
    (root / "src/imagewright").mkdir(parents=True)
    (root / "src/imagewright/__init__.py").write_text('NAME = "src"\n')
    (root / "tasks.py").write_text(TASKS)
    (root / "requirements.txt").write_text(locked("invoke"))
    (root / "requirements-dev.txt").write_text(locked("invoke", "iniconfig"))
    shutil.copy(ROOT / "inv", root)
    return root


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A system without uv, whose Python has no ensurepip (as Debian's without python3-venv)."""
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare/ensurepip.py").write_text("raise ImportError\n")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV", "UV_"))}
    return {**kept, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONPATH": str(tmp_path / "bare")}


def inv(project: Path, environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [project / "inv", *words], env=environment, cwd="/", capture_output=True, text=True, timeout=300, check=False
    )


@pytest.mark.skipif(shutil.which("apt-get") is None, reason="pip comes from Debian")
def test_a_bare_debian_gets_an_environment_once(project: Path, environment: dict[str, str]) -> None:
    first = inv(project, environment, "hello")
    assert (first.returncode, first.stdout) == (0, "hello from src\n"), first.stderr
    assert "making .venv" in first.stderr
    assert not (project / ".venv/bootstrap").exists()
    assert any((project / "src/imagewright/__pycache__").glob("*.pyc")), "every start compiles the program anew"
    again = inv(project, environment, "hello")
    assert (again.stdout, again.stderr) == ("hello from src\n", "")


def test_the_development_verbs_add_their_packages_to_what_is_there(project: Path, environment: dict[str, str]) -> None:
    del environment["PYTHONPATH"]
    inv(project, environment, "hello")
    kept = (project / ".venv/pyvenv.cfg").stat().st_mtime_ns
    tested = inv(project, environment, "test")
    assert tested.stdout == "tested\n", tested.stderr
    assert (project / ".venv/pyvenv.cfg").stat().st_mtime_ns == kept
    assert inv(project, environment, "hello").stderr == ""


def test_a_changed_lock_makes_it_again_without_what_left(project: Path, environment: dict[str, str]) -> None:
    del environment["PYTHONPATH"]
    (project / "requirements.txt").write_text(locked("invoke", "iniconfig"))
    assert inv(project, environment, "hello").returncode == 0
    assert list(project.glob(".venv/lib/*/site-packages/iniconfig"))
    (project / "requirements.txt").write_text(locked("invoke"))
    assert "making .venv" in inv(project, environment, "hello").stderr
    assert not list(project.glob(".venv/lib/*/site-packages/iniconfig"))


def test_a_wrong_hash_is_refused_and_leaves_nothing_that_looks_finished(
    project: Path, environment: dict[str, str]
) -> None:
    del environment["PYTHONPATH"]
    good = locked("invoke")
    (project / "requirements.txt").write_text(re.sub(r"sha256:\w{4}", "sha256:0000", good))
    refused = inv(project, environment, "hello")
    assert refused.returncode == 5
    assert "requirements.txt could not be installed" in refused.stderr
    (project / "requirements.txt").write_text(good)
    assert inv(project, environment, "hello").returncode == 0


def test_an_old_python_is_said_to_be_too_old(project: Path, environment: dict[str, str], tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("sh", "cmp", "rm", "flock"):
        (programs / name).symlink_to(shutil.which(name) or f"/bin/{name}")
    (programs / "python3").write_text("#!/bin/sh\nexit 1\n")
    (programs / "python3").chmod(0o755)
    done = inv(project, {**environment, "PATH": str(programs)}, "hello")
    assert done.returncode == 4
    assert "Python 3.11 or newer was not found" in done.stderr
    assert not (project / ".venv").exists()


@pytest.mark.covers("SEC-016")
def test_the_real_lock_names_no_index_and_hashes_everything() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        text = (ROOT / name).read_text()
        assert "://" not in text
        assert "index" not in re.sub(r"(?m)^.*==.*$", "", text)
        blocks = re.findall(r"^\S.*(?:\n\s+.*)*$", text, re.MULTILINE)
        assert all("--hash=sha256:" in block for block in blocks)
    plain, dev = ((ROOT / name).read_text() for name in ("requirements.txt", "requirements-dev.txt"))
    pins = re.compile(r"^[a-z0-9-]+==[^ ]+", re.MULTILINE)
    assert set(pins.findall(plain)) <= set(pins.findall(dev))
