"""What an image is judged against: its last release, what was asked for, or nothing, and why."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from imagewright.errors import EvidenceError, NothingSelected
from imagewright.evidence import Evidence
from imagewright.flow import history
from imagewright.flow.workspace import Workspace
from imagewright.model.definition import Project, Settings
from imagewright.model.facts import canonical
from imagewright.model.findings import NotChecked, Scan
from imagewright.model.history import Ledger
from imagewright.model.judged import Accepted, ImageReport
from imagewright.model.records import Build
from imagewright.model.verdict import Verdict
from imagewright.oci.layout import Store
from imagewright.progress import choose
from imagewright.reference import Digest, Platform, Reference
from imagewright.schema import dump
from tests.unit import factory

FIRST, SECOND = Digest.of(b"first"), Digest.of(b"second")
AWAY = NotChecked("no database")
RELEASED = "2026-11-01T00:00:00Z"
HERE = Reference("localhost:5000", "todo/backend", "v1")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A project with one image, of which nothing is known."""
    return at(tmp_path, Settings())


def at(root: Path, settings: Settings) -> Workspace:
    project = Project(root, settings, (factory.definition(),))
    out = root / "out"
    return Workspace(
        project, {}, out, Store(out / "store"), Evidence(out / "evidence"), choose(io.StringIO(), {"NO_COLOR": "1"})
    )


def build(subject: Digest, platform: Platform = factory.PLATFORM, **changes: Any) -> Build:
    return factory.build(subject=subject, root=Digest.of(b"index"), platform=platform, **changes)


def verdict(subject: Digest, *, passed: bool = True, at: str = "2026-11-02T00:00:00Z") -> Verdict:
    facts = Digest.of(canonical(dump(factory.facts())))
    return Verdict(subject, "ci", at[:10], passed, facts, Digest.of(b"policy"), (), at)


def known(
    workspace: Workspace, subject: Digest, *, passed: bool = True, image: str = "backend", **changes: Any
) -> Scan:
    """Keep the records of one built, scanned and judged digest."""
    scan = factory.scan(subject=subject, **changes)
    records = {"scan": scan, "verdict": verdict(subject, passed=passed), "facts": factory.facts()}
    for kind, value in {**records, "build": build(subject, image=image)}.items():
        workspace.evidence.write(subject, kind, value, key=subject)
    return scan


def release(workspace: Workspace, subject: Digest, platform: Platform = factory.PLATFORM, **changes: Any) -> None:
    scan = known(workspace, subject, **changes)
    made = build(subject, platform)
    judged = ImageReport(factory.definition(), made, (), factory.lint(), scan, (), verdict(subject))
    history.enter(workspace, [judged], {"backend": HERE}, RELEASED)


def before(
    workspace: Workspace, subject: Digest, wanted: history.Chosen | None = None, **changes: Any
) -> history.Before:
    return history.before(workspace, build(subject), factory.scan(subject=subject, **changes), wanted or {})


def ledger(workspace: Workspace) -> Ledger:
    return workspace.evidence.ledger("backend", factory.PLATFORM)


def chosen(workspace: Workspace, *texts: str, images: Iterable[str] = ("backend",)) -> history.Chosen:
    return history.chosen(workspace, images, texts)


def test_nothing_was_released_yet(workspace: Workspace) -> None:
    found = before(workspace, FIRST)
    assert (found.history.against, found.history.note) == ("", "nothing was released yet (registry: local)")
    assert found.verdict is None


def test_the_last_release_is_the_baseline_with_its_packages_dates_and_verdict(workspace: Workspace) -> None:
    release(workspace, FIRST)
    workspace.evidence.write(FIRST, "verdict", verdict(FIRST, passed=False), key=FIRST)
    found = before(workspace, SECOND)
    assert (found.history.against, found.history.released_at) == (str(FIRST), RELEASED)
    assert found.history.database_at == "2026-11-20T06:00:00Z"
    assert "pkg:pypi/jinja2@2.10" in found.history.packages
    assert found.verdict == verdict(FIRST), "what was accepted, whatever was judged of it since"


def test_the_history_has_the_sightings_of_this_image_and_no_others(workspace: Workspace) -> None:
    other = factory.vulnerability(id="CVE-2020-1", package="libc6", type="debian")
    release(workspace, FIRST, vulnerabilities=(factory.vulnerability(), other))
    assert [one.id for one in ledger(workspace).sightings] == ["CVE-2020-1", "CVE-2026-0001"]
    assert [one.id for one in before(workspace, SECOND).history.sightings] == ["CVE-2026-0001"]


def test_a_release_elsewhere_is_no_baseline_here(workspace: Workspace) -> None:
    release(workspace, FIRST)
    elsewhere = at(workspace.project.root, Settings(registry="registry.example.com"))
    assert before(elsewhere, SECOND).history.note == "nothing was released yet (registry: registry.example.com)"


@pytest.mark.parametrize("unknown", [{"vulnerabilities": AWAY, "database": AWAY}, {"database": AWAY}])
def test_what_was_pushed_unchecked_is_no_baseline_until_it_passes_with_a_database(
    workspace: Workspace, unknown: dict[str, Any]
) -> None:
    release(workspace, FIRST, **unknown)
    assert "without a look for vulnerabilities" in before(workspace, FIRST).history.note
    for passed, against in ((False, ""), (True, str(FIRST))):
        history.remember(
            workspace, before(workspace, FIRST), build(FIRST), factory.scan(), verdict(FIRST, passed=passed)
        )
        assert before(workspace, FIRST).history.against == against


def test_a_release_whose_evidence_is_gone_is_no_baseline(workspace: Workspace) -> None:
    release(workspace, FIRST)
    (workspace.evidence.folder(FIRST) / "scan.json").unlink()
    assert before(workspace, SECOND).history.note == f"the evidence of {FIRST}, released {RELEASED}, is not here"


def test_a_release_whose_evidence_was_changed_is_an_error(workspace: Workspace) -> None:
    release(workspace, FIRST)
    (workspace.evidence.folder(FIRST) / "scan.json").write_text("{}")
    with pytest.raises(EvidenceError, match="cannot be trusted") as error:
        before(workspace, SECOND)
    assert "put the record back" in error.value.hint


def test_a_digest_of_an_index_stands_for_its_platforms(workspace: Workspace) -> None:
    known(workspace, FIRST)
    for text in (str(FIRST), str(Digest.of(b"index")), f"localhost:5000/todo/backend:v1@{FIRST}"):
        assert chosen(workspace, text) == {("backend", factory.PLATFORM): FIRST}


def test_what_is_asked_for_goes_before_the_last_release(workspace: Workspace) -> None:
    release(workspace, FIRST)
    release(workspace, SECOND)
    found = before(workspace, factory.SUBJECT, chosen(workspace, str(FIRST)))
    assert (found.history.against, found.history.released_at) == (str(FIRST), RELEASED)


def test_a_digest_that_passed_unreleased_may_be_asked_for_and_is_no_release(workspace: Workspace) -> None:
    known(workspace, FIRST)
    found = before(workspace, SECOND, chosen(workspace, str(FIRST)))
    assert (found.history.against, found.history.released_at) == (str(FIRST), "")
    assert found.history.note == "it was asked for, and is no release"
    history.remember(workspace, found, build(SECOND), factory.scan(subject=SECOND), verdict(SECOND))
    assert ledger(workspace).sightings == (), "no clock starts for what nobody released"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"passed": False}, "its verdict blocks"),
        ({}, "it is the very image that is judged"),
    ],
)
def test_what_nobody_accepted_is_nothing_to_judge_against(
    workspace: Workspace, changes: dict[str, Any], why: str
) -> None:
    known(workspace, FIRST, **changes)
    subject = SECOND if changes else FIRST
    with pytest.raises(EvidenceError, match="is no image to judge backend against") as error:
        before(workspace, subject, chosen(workspace, str(FIRST)))
    assert why in error.value.why


def test_a_verdict_from_before_the_last_scan_accepts_nothing(workspace: Workspace) -> None:
    known(workspace, FIRST)
    for facts in (factory.facts(config__uid=1), factory.facts(checks__vulnerabilities__done=False)):
        workspace.evidence.write(FIRST, "facts", facts, key=FIRST)
        with pytest.raises(EvidenceError) as error:
            before(workspace, SECOND, chosen(workspace, str(FIRST)))
        assert "without a look for vulnerabilities, or before it was scanned last" in error.value.why


def test_a_baseline_of_another_image_or_of_nothing_known_is_refused(workspace: Workspace) -> None:
    known(workspace, FIRST, image="frontend")
    with pytest.raises(NothingSelected, match="no image that is judged now") as error:
        chosen(workspace, str(FIRST))
    assert error.value.hint == "add -i frontend"
    with pytest.raises(EvidenceError, match="there is no evidence") as unknown:
        chosen(workspace, str(SECOND))
    assert "leave out --against" in unknown.value.hint
    with pytest.raises(NothingSelected, match="is no image to judge against"):
        chosen(workspace, "sha256:12")


def test_what_is_disclosed_starts_its_clock_when_it_is_judged_and_keeps_it(workspace: Workspace) -> None:
    release(workspace, FIRST, vulnerabilities=())
    for day in ("2026-11-09", "2026-11-12"):
        new = factory.vulnerability(id="CVE-2026-7", purl="pkg:pypi/new@1", package="new")
        scan = factory.scan(subject=SECOND, vulnerabilities=(factory.vulnerability(), new))
        was = history.before(workspace, build(SECOND), scan, {})
        history.remember(workspace, was, build(SECOND), scan, verdict(SECOND, at=f"{day}T08:00:00+00:00"))
    (one,) = ledger(workspace).sightings
    assert (one.id, one.package, one.at) == ("CVE-2026-0001", "python-pkg/jinja2", "2026-11-09T08:00:00Z")


def test_judging_the_release_itself_is_entered_and_without_a_database_it_is_not(workspace: Workspace) -> None:
    release(workspace, FIRST)
    days = {"2026-11-09": factory.scan(subject=FIRST), "2026-11-10": factory.scan(database=AWAY, vulnerabilities=AWAY)}
    for day, scan in days.items():
        was = history.before(workspace, build(FIRST), scan, {})
        history.remember(workspace, was, build(FIRST), scan, verdict(FIRST, at=f"{day}T08:00:00+00:00"))
    (one,) = ledger(workspace).releases
    assert (one.judged_at, one.database_at) == ("2026-11-09T08:00:00Z", "2026-11-20T06:00:00Z")


def test_each_platform_has_a_ledger_of_its_own(workspace: Workspace) -> None:
    release(workspace, FIRST)
    arm = Platform("linux", "arm", "v7")
    release(workspace, SECOND, arm)
    assert [one.subject for one in ledger(workspace).releases] == [FIRST]
    assert [one.subject for one in workspace.evidence.ledger("backend", arm).releases] == [SECOND]
    assert workspace.evidence.ledger_path("backend", arm).name == "linux-arm-v7.json"


def test_the_definition_that_was_accepted_is_kept(workspace: Workspace) -> None:
    release(workspace, FIRST)
    kept = workspace.evidence.read(Accepted, FIRST, "accepted", hint="")
    assert kept == Accepted(factory.definition(), verdict(FIRST))
