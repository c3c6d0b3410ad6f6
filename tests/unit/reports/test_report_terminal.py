"""What a run shows people: what they have to act on in full, all else in a few lines, and no cause twice."""

from __future__ import annotations

from dataclasses import replace

import pytest

from imagewright.model.history import Gates
from imagewright.model.judged import ImageReport
from imagewright.reports import terminal
from tests.unit.reports.examples import EXAMPLES, NO_DATABASE, rule

BACKEND, FRONTEND = EXAMPLES["backend"], EXAMPLES["frontend"]
WHERE = "out/reports/index.html"


def blocked(report: ImageReport) -> ImageReport:
    """The same under a profile in which a gap blocks."""
    results = (replace(one, blocking=one.outcome == "not-checked") for one in report.verdict.results)
    return replace(report, verdict=replace(report.verdict, results=tuple(results), passed=False))


def four(report: ImageReport) -> tuple[ImageReport, ...]:
    return tuple(replace(report, definition=replace(report.definition, name=f"image-{n}")) for n in range(4))


def test_colour_adds_nothing_but_colour() -> None:
    for draw in (terminal.image(BACKEND, width=80), terminal.run([FRONTEND], WHERE, width=80)):
        assert "\x1b[" in draw
    without = terminal.image(BACKEND, width=80, colour=False) + terminal.run([FRONTEND], WHERE, width=80, colour=False)
    assert "\x1b" not in without
    assert max(map(len, without.splitlines())) <= 80


def test_a_rule_that_is_broken_stands_there_in_full_and_one_that_passes_is_counted() -> None:
    lines = terminal.image(BACKEND, width=80, colour=False)
    assert lines.startswith("backend linux/amd64 @")
    assert (
        lines.index("Refused: 4 rules block") < lines.index("SEC-001") < lines.index("SEC-021") < lines.index("8 pass")
    )
    assert "… and 5 more" in lines
    words = " ".join(lines.split())
    assert "help: Put `USER 65532:65532` into the final stage of the Dockerfile." in words
    assert "4 fail (4 blocking), 1 warning, 2 waived, 8 pass (2 do not concern it, 1 no image shows)" in words
    assert [id for id in ("SEC-002", "SEC-032", "FE-005") if id in lines] == []


def test_a_kind_of_findings_nobody_looked_for_is_never_among_those_with_none() -> None:
    (found,) = [line for line in terminal.image(FRONTEND, colour=False).splitlines() if "findings" in line]
    shown = "vulnerabilities not checked; no secrets, no misconfigurations, no licences, no lint"
    assert found.split(maxsplit=1) == ["findings", shown]


def test_the_gates_are_shown_once_there_was_a_release() -> None:
    assert "introduced" in terminal.image(BACKEND, colour=False)
    fresh = terminal.image(replace(BACKEND, gates=Gates()), colour=False)
    assert "introduced" not in fresh
    assert "disclosed" not in fresh
    unchecked = terminal.image(replace(FRONTEND, gates=Gates(against="sha256:00")), colour=False)
    assert "introduced  no results" in unchecked
    assert "disclosed" not in unchecked, "nobody looked, and the findings say so"


def test_a_first_run_of_four_images_without_a_database_fits_on_a_screen() -> None:
    reports = four(FRONTEND)
    shown = [terminal.image(one, width=80, colour=False) for one in reports]
    closing = terminal.run(reports, WHERE, width=80, colour=False)
    assert len("\n".join([*shown, closing]).splitlines()) <= 40
    assert NO_DATABASE not in "".join(shown)
    assert " ".join(closing.split()).count(NO_DATABASE) == 1
    assert "3 rules: SEC-012, SEC-012.4, SEC-015.2" in closing
    assert closing.endswith(f"judged under profile local on 2026-11-20; details: {WHERE}\n")


def test_a_gap_that_blocks_says_so_beside_the_image_and_beside_the_cause() -> None:
    report = blocked(FRONTEND)
    assert "Refused: 4 rules block" in terminal.image(report, colour=False)
    assert "4 not checked (4 blocking), 14 pass" in terminal.image(report, colour=False)
    closing = terminal.run([report], WHERE, colour=False)
    assert closing.count("? not checked, blocks  ") == 3
    assert "3 rules block: SEC-012, SEC-012.4, SEC-015.2" in closing


def test_a_cause_in_some_of_the_images_names_them() -> None:
    assert "is configured (in frontend)\n" in terminal.run([BACKEND, FRONTEND], WHERE, colour=False)
    assert "is configured\n" in terminal.run([FRONTEND], WHERE, colour=False)


def test_without_a_gap_only_the_way_to_the_details_is_left() -> None:
    assert terminal.run([BACKEND], WHERE, colour=False) == f"judged under profile ci on 2026-11-20; details: {WHERE}\n"


def test_a_refusal_names_every_rule_that_blocks_and_every_cause_once() -> None:
    said = terminal.refused([BACKEND, *four(blocked(FRONTEND))]).splitlines()
    assert said[:2] == ["backend (linux/amd64): SEC-001 the image runs as 0:0", "  config.user is 0:0"]
    at = said.index(f"not checked ({NO_DATABASE})")
    assert said[at + 1 : at + 3] == [
        "  3 rules block: SEC-012, SEC-012.4, SEC-015.2",
        "  in image-0, image-1, image-2, image-3",
    ]
    assert not [line for line in said if line.startswith(("image-", "frontend"))]


def test_a_refusal_shows_the_first_of_much_evidence() -> None:
    setuid = [line for line in terminal.refused([BACKEND]).splitlines() if "setuid root" in line]
    assert len(setuid) == 3


def test_why_images_are_set_against_nothing_is_said_once() -> None:
    words = "nothing was released yet: everything counts as introduced"
    assert terminal.run(four(FRONTEND), WHERE, colour=False).splitlines()[-2] == words
    assert f"\n{words} (in frontend)\n" in terminal.run([BACKEND, FRONTEND], WHERE, colour=False)
    assert words not in terminal.run([BACKEND], WHERE, colour=False)


def test_of_very_many_images_a_cause_names_the_first() -> None:
    many = [replace(FRONTEND, definition=replace(FRONTEND.definition, name=f"image-{n}")) for n in range(500)]
    assert "image-7 and 492 more" in terminal.refused([blocked(one) for one in many])


@pytest.mark.parametrize("text", ["\x1b[31mred", "a\nb", "\u202ecod"])
def test_no_text_from_outside_writes_on_the_terminal(text: str) -> None:
    bad = replace(
        rule(text, text), outcome="fail", blocking=True, message=text, remedy=text, evidence=(text,), waived_by=(text,)
    )
    unknown = replace(rule(text, text), outcome="not-checked", evidence=(text,), blocking=True)
    report = replace(FRONTEND, verdict=replace(FRONTEND.verdict, results=(bad, unknown)))
    drawn = terminal.image(report, colour=False), terminal.run([report], WHERE, colour=False)
    assert [part for part in (*drawn, terminal.refused([report])) if text in part] == []
