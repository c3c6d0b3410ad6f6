"""The workflows under the programs that know what is wrong with workflows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.y*ml"))
DEPENDABOT = ROOT / ".github" / "dependabot.yml"


def run(program: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """A program of the running environment, with what it said."""
    path = Path(sys.prefix) / "bin" / program
    return subprocess.run([path, *words], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def test_there_are_workflows_to_look_at() -> None:
    assert [path.name for path in WORKFLOWS] == ["images.yml"]


@pytest.mark.parametrize("persona", ["regular", "pedantic", "auditor"])
@pytest.mark.covers("SEC-016")
def test_zizmor_has_nothing_to_say(persona: str) -> None:
    done = run("zizmor", "--offline", "--no-progress", "--persona", persona, ".github")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("schema", "files"), [("vendor.github-workflows", WORKFLOWS), ("vendor.dependabot", [DEPENDABOT])]
)
def test_the_schema_is_kept(schema: str, files: list[Path]) -> None:
    done = run("check-jsonschema", "--builtin-schema", schema, *files)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.covers("SEC-016")
def test_zizmor_would_notice_an_action_that_is_not_pinned(tmp_path: Path) -> None:
    text = WORKFLOWS[0].read_text("utf-8")
    pinned = next(line for line in text.splitlines() if "uses: actions/checkout@" in line)
    loose = tmp_path / ".github" / "workflows" / "images.yml"
    loose.parent.mkdir(parents=True)
    loose.write_text(text.replace(pinned, "      - uses: actions/checkout@v7"), "utf-8")
    done = run("zizmor", "--offline", "--no-progress", loose)
    assert done.returncode != 0
    assert "unpinned-uses" in done.stdout
