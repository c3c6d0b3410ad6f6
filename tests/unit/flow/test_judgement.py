"""A judgement stands while nothing it was made from has changed, and not a moment longer."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from imagewright.evidence import Evidence
from imagewright.flow import judgement
from imagewright.flow.judgement import Judgement
from imagewright.flow.workspace import Workspace, policy_files
from imagewright.model.definition import Project, Settings
from imagewright.model.history import Ledger, Release
from imagewright.oci.layout import Store
from imagewright.progress import choose
from imagewright.reference import Digest
from tests.unit import factory
from tests.unit.oci.test_layout import exported

NAMES = ("backend",)
BASELINE = Digest.of(b"released before")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """An image that is built, scanned, judged and released, with two files of policy."""
    project = Project(tmp_path, Settings(), (factory.definition(needs=()),))
    out = tmp_path / "out"
    made = Workspace(
        project, {}, out, Store(out / "store"), Evidence(out / "evidence"), choose(io.StringIO(), {"NO_COLOR": "1"})
    )
    made.store.adopt(exported(out / "export", b"layer"), "backend")
    for subject in (here(made), BASELINE):
        for kind in ("build", "scan", "facts", "verdict"):
            made.evidence.write(subject, kind, factory.scan(), key=subject)
    made.evidence.keep_ledger(ledger("first"))
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies/rules.toml").write_text("# rules\n")
    (tmp_path / "policies/said.openvex.json").write_text("{}\n")
    keep(made)
    return made


def here(workspace: Workspace) -> Digest:
    return workspace.store.image("backend").manifests[0][1].digest


def ledger(tag: str) -> Ledger:
    release = Release(BASELINE, BASELINE, "local", "todo/backend", tag, "2026-11-01T00:00:00Z", checked=True)
    return Ledger("backend", factory.PLATFORM, (release,))


def keep(workspace: Workspace, *, ago: timedelta = timedelta(0)) -> None:
    now, files = datetime.now(UTC), policy_files(workspace.project.root)
    asked = judgement.question(workspace, NAMES, files, (BASELINE,), day=now.date())
    pages, at = Digest.of(b"pages"), (now - ago).isoformat()
    known = Judgement(asked, at, (BASELINE,), loopback_only=True, pages=pages, lines=("passes",))
    judgement.keep(workspace, NAMES, known)


def stands(workspace: Workspace) -> bool:
    return judgement.standing(workspace, NAMES) is not None


def note(workspace: Workspace) -> Path:
    (path,) = (workspace.out / "cache/judgements").iterdir()
    return path


def test_it_stands_while_nothing_changed(workspace: Workspace) -> None:
    known = judgement.standing(workspace, NAMES)
    assert known is not None
    assert (known.lines, known.loopback_only, known.entered) == (("passes",), True, ())


def record(kind: str, subject: Callable[[Workspace], Digest] = here) -> Callable[[Workspace], None]:
    def change(workspace: Workspace) -> None:
        workspace.evidence.write(subject(workspace), kind, factory.scan(), key=Digest.of(b"another"))

    return change


def file(name: str, text: str) -> Callable[[Workspace], None]:
    def change(workspace: Workspace) -> None:
        (workspace.project.root / name).write_text(text)

    return change


def drop(workspace: Workspace) -> None:
    (workspace.evidence.folder(here(workspace)) / "scan.json").unlink()


def another_image(workspace: Workspace) -> None:
    workspace.store.adopt(exported(workspace.out / "other", b"other layer"), "backend")


@pytest.mark.parametrize(
    "change",
    [
        *(record("build"), record("scan"), record("verdict"), record("accepted"), drop, another_image),
        *(record("scan", lambda _: BASELINE), record("rebuild", lambda _: BASELINE)),
        lambda workspace: workspace.evidence.keep_ledger(ledger("second")),
        lambda workspace: workspace.evidence.ledger_path("backend", factory.PLATFORM).unlink(),
        *(file("policies/rules.toml", "# other\n"), file("policies/said.openvex.json", "[]\n")),
        *(file("policies/new.toml", ""), lambda workspace: (workspace.project.root / "policies/rules.toml").unlink()),
    ],
)
def test_whatever_it_was_made_from_changes_it_stands_no_more(
    workspace: Workspace, change: Callable[[Workspace], None]
) -> None:
    change(workspace)
    assert not stands(workspace)


def test_another_definition_profile_or_registry_is_another_question(workspace: Workspace) -> None:
    project = workspace.project
    for other in (
        replace(project, images=(factory.definition(needs=(), title="Another"),)),
        replace(project, settings=replace(project.settings, profile="ci")),
        replace(project, settings=replace(project.settings, registry="registry.example.com")),
    ):
        assert not stands(replace(workspace, project=other))
    assert judgement.standing(workspace, ()) is None, "all images are another run than one of them"
    assert stands(workspace)


@pytest.mark.parametrize(("minutes", "lasts"), [(59, True), (60, False), (-2, False)])
def test_it_lasts_for_an_hour_and_not_when_the_clock_was_set_back(
    workspace: Workspace, minutes: int, lasts: bool
) -> None:
    keep(workspace, ago=timedelta(minutes=minutes))
    assert stands(workspace) == lasts


def test_another_day_is_another_question(workspace: Workspace) -> None:
    files, today = policy_files(workspace.project.root), datetime.now(UTC).date()
    asked = {
        judgement.question(workspace, NAMES, files, (), day=day) for day in (today, today, today + timedelta(days=1))
    }
    assert len(asked) == 2


def test_another_program_judges_anew(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judgement, "_program", lambda: iter([("imagewright/policy/cel.py", 1, 1)]))
    assert not stands(workspace)


@pytest.mark.parametrize("harm", ["cut", "edited", "emptied", "of another version", "of another run", "gone"])
def test_a_note_that_was_harmed_is_not_believed(workspace: Workspace, harm: str) -> None:
    path = note(workspace)
    text = path.read_text()
    harmed = {
        "cut": text[: len(text) // 2],
        "edited": text.replace("true", "false"),
        "emptied": "",
        "of another version": json.dumps({**json.loads(text), "schema": "imagewright/judgement/v0"}),
        "of another run": json.dumps({**json.loads(text), "subject": "ci backend"}),
    }
    path.unlink() if harm == "gone" else path.write_text(harmed[harm])
    assert not stands(workspace)


def test_what_was_entered_is_noted_beside_what_stands(workspace: Workspace) -> None:
    judgement.entered(workspace, NAMES, ["localhost:5000/b:1"])
    judgement.entered(workspace, NAMES, ["localhost:5000/a:1"])
    known = judgement.standing(workspace, NAMES)
    assert known is not None
    assert known.entered == ("localhost:5000/a:1", "localhost:5000/b:1")
    workspace.evidence.keep_ledger(ledger("second"))
    judgement.entered(workspace, NAMES, ["localhost:5000/c:1"])
    assert not stands(workspace)
