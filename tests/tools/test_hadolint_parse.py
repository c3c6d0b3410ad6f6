from __future__ import annotations

from pathlib import Path

import pytest

from imagewright.errors import ToolFailed
from imagewright.model.findings import LintFinding
from imagewright.tools.hadolint import PRAGMA, outside, parse, pragmas

RECORDED = Path(__file__).parent / "recorded"
FINDINGS = (RECORDED / "hadolint-findings.json").read_bytes()


def test_findings_are_typed_and_named_after_the_file_in_the_repository() -> None:
    found = parse(FINDINGS, "dockerfiles/backend.Dockerfile")
    assert found[0] == LintFinding(
        file="dockerfiles/backend.Dockerfile",
        line=1,
        column=1,
        level="warning",
        code="DL3006",
        message="Always tag the version of an image explicitly",
    )
    assert [(item.line, item.level, item.code) for item in found[1:]] == [
        (2, "warning", "DL3003"),
        (2, "info", "DL3009"),
        (3, "error", "DL4000"),
        (4, "warning", "DL3025"),
    ]


def test_a_dockerfile_that_is_none_is_a_finding_of_level_error() -> None:
    (finding,) = parse((RECORDED / "hadolint-broken.json").read_bytes(), "x")
    assert (finding.level, finding.code, finding.line) == ("error", "DL1000", 1)


def test_a_clean_dockerfile_has_no_findings() -> None:
    assert parse("[]", "x") == ()


def test_unknown_keys_are_ignored() -> None:
    assert parse(FINDINGS.replace(b'"code"', b'"new":[1],"code"'), "x") == parse(FINDINGS, "x")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"", id="empty"),
        pytest.param(FINDINGS[:100], id="cut off"),
        pytest.param(b"{}", id="not a list"),
        pytest.param(b"Error parsing your config file", id="not JSON"),
        pytest.param(FINDINGS.replace(b'"warning"', b'"loud"'), id="unknown level"),
        pytest.param(FINDINGS.replace(b'"line":1', b'"line":"one"'), id="line in words"),
    ],
)
def test_output_that_cannot_be_understood_is_a_failure_that_names_the_dockerfile(text: bytes) -> None:
    with pytest.raises(ToolFailed, match="backend") as failure:
        parse(text, "dockerfiles/backend.Dockerfile")
    assert failure.value.why


@pytest.mark.parametrize(
    "line",
    [
        "# hadolint shell=powershell",
        "  #hadolint shell = pwsh",
        "# hadolint ignore=DL3006 shell=cmd",
        "# shellcheck disable=SC2086",
        "true #shellcheck  shell=sh",
        "# ShellCheck disable=all",
        "#\tshellcheck external-sources=true",
    ],
)
def test_a_comment_that_switches_checks_off_is_found_at_its_place(line: str) -> None:
    (finding,) = pragmas(f"FROM debian:13\n{line}\n", "Dockerfile")
    assert (finding.line, finding.column, finding.code) == (2, line.index("#") + 1, PRAGMA)
    assert (finding.file, finding.level) == ("Dockerfile", "warning")


@pytest.mark.parametrize(
    "line",
    ["# shellcheck says it is fine", "# the shell of hadolint", "RUN shellcheck -e disable=x", "# hadolint ignore=DL1"],
)
def test_a_comment_that_switches_nothing_off_is_none(line: str) -> None:
    assert pragmas(f"FROM debian:13\n{line}\n", "Dockerfile") == ()


OURS = """FROM debian
FROM base-python AS ours
FROM base-python
COPY --from=base-node /usr/bin/node /usr/bin/node
COPY --from=tool /bin/tool /bin/tool
"""
ASKED = tuple(
    LintFinding("Dockerfile", line, 1, "warning", code, "tag it")
    for line, code in ((1, "DL3006"), (2, "DL3006"), (2, "DL3029"), (3, "DL3006"), (4, "DL3022"), (5, "DL3022"))
)


def left(*needs: str) -> list[tuple[int, str]]:
    return [(one.line, one.code) for one in outside(ASKED, OURS, needs)]


def test_an_image_of_this_repository_is_not_asked_for_a_tag_and_every_other_one_is() -> None:
    assert left("base-python") == [(1, "DL3006"), (2, "DL3029"), (4, "DL3022"), (5, "DL3022")]
    assert left("base-python", "base-node") == [(1, "DL3006"), (2, "DL3029"), (5, "DL3022")]


def test_what_is_ours_is_said_by_the_definition_alone() -> None:
    assert left() == [(one.line, one.code) for one in ASKED]
    assert left("base", "base-python:1", "python", "ours") == [(one.line, one.code) for one in ASKED]
