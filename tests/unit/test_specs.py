"""The written specs: read, held against rules and tests, and the checklists that follow from them."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from imagewright import config
from imagewright.config import parse_size
from imagewright.errors import ConfigurationError, Problem
from imagewright.flow.specs import proven, tasks_of
from imagewright.model.verdict import Policy, Rule
from imagewright.policyfile import parse_policy
from imagewright.specs import (
    Proof,
    Requirement,
    Spec,
    check,
    marked_tests,
    parse_spec,
    render,
    rule_proofs,
)

ROOT = Path(__file__).resolve().parents[2]
AREAS = {
    "specs/container/backend-containerization/spec.md": ("BE", 17),
    "specs/container/frontend-containerization/spec.md": ("FE", 16),
    "specs/container/security/spec.md": ("SEC", 33),
}
HEADING = "| id | requirement | threshold | level | checked by |\n|---|---|---|---|---|\n"
ROW = "| SEC-001 | Never as root | uid ≥ 1000 | must | image config, container |\n"
TITLE = "# Security\n\n"


def policy() -> Policy:
    files = ROOT.glob("policies/*.toml")
    return parse_policy((path.relative_to(ROOT).as_posix(), path.read_text("utf-8")) for path in files)


def rule(name: str, *covers: str, elsewhere: str = "") -> Rule:
    deny = "" if elsewhere else "true"
    return Rule(name, "t", "must", "low", deny, "m", "r", "policies/a.toml", covers=covers, elsewhere=elsewhere)


def requirement(name: str, elsewhere: str = "") -> Requirement:
    return Requirement(name, f"What {name} says", "0", ("must",), () if elsewhere else ("container",), elsewhere)


def spec(*requirements: Requirement, file: str = "specs/a/b/spec.md") -> Spec:
    return Spec(file, "Security", requirements)


# This repository's own


@pytest.fixture(scope="module")
def own() -> tuple[tuple[Spec, ...], tuple[Proof, ...]]:
    return proven(ROOT, policy().rules)


def test_every_checklist_is_what_inv_specs_would_write(own: tuple[tuple[Spec, ...], tuple[Proof, ...]]) -> None:
    areas, proofs = own
    for area in areas:
        path = tasks_of(ROOT, area)
        assert path.read_text("utf-8") == render(area, proofs), f"{path.relative_to(ROOT)} is out of date: ./inv specs"
    assert sorted(ROOT.glob("specs/**/tasks.md")) == [tasks_of(ROOT, area) for area in areas]


def test_every_rule_is_about_a_requirement(own: tuple[tuple[Spec, ...], tuple[Proof, ...]]) -> None:
    areas, proofs = own
    known = {requirement.id for area in areas for requirement in area.requirements}
    about = {rule.id: [proof.requirement for proof in proofs if proof.name == rule.id] for rule in policy().rules}
    assert [name for name, ids in about.items() if not ids or not known.issuperset(ids)] == []


def test_every_requirement_is_decided_by_a_rule_a_test_or_what_would_check_it(
    own: tuple[tuple[Spec, ...], tuple[Proof, ...]],
) -> None:
    areas, proofs = own
    written = {requirement.id for area in areas for requirement in area.requirements}
    assert written <= {proof.requirement for proof in proofs}


def test_what_cannot_be_checked_here_is_reported_by_a_rule(own: tuple[tuple[Spec, ...], tuple[Proof, ...]]) -> None:
    areas, proofs = own
    elsewhere = {requirement.id for area in areas for requirement in area.requirements if requirement.elsewhere}
    assert elsewhere <= {proof.requirement for proof in proofs if proof.kind == "report"}


def test_what_would_check_a_requirement_is_there_where_it_is_a_file_of_this_project() -> None:
    named = {name for rule in policy().rules for name in re.findall(r"\S+/test_\w+\.py", rule.elsewhere)}
    assert named
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_a_file_named_as_what_would_check_a_requirement_is_marked_with_it(
    own: tuple[tuple[Spec, ...], tuple[Proof, ...]],
) -> None:
    proven_in = {(proof.file, proof.requirement) for proof in own[1] if proof.kind == "test"}
    for rule in policy().rules:
        for name in re.findall(r"\S+/test_\w+\.py", rule.elsewhere):
            assert (name, rule.id.partition(".")[0]) in proven_in, rule.id


def test_no_requirement_has_been_lost(own: tuple[tuple[Spec, ...], tuple[Proof, ...]]) -> None:
    areas, _ = own
    written = {area.file: sorted(requirement.id for requirement in area.requirements) for area in areas}
    assert {file: written[file] for file in AREAS} == {
        file: [f"{prefix}-{number:03}" for number in range(1, count + 1)] for file, (prefix, count) in AREAS.items()
    }


def test_every_plan_says_how_each_requirement_is_met(own: tuple[tuple[Spec, ...], tuple[Proof, ...]]) -> None:
    for area in own[0]:
        plan = (ROOT / area.file).with_name("plan.md").read_text("utf-8")
        planned = [
            name for cell in re.findall(r"^\| ([A-Z]+-\d.*?) \|", plan, re.MULTILINE) for name in cell.split(", ")
        ]
        assert sorted(planned) == sorted(requirement.id for requirement in area.requirements)


def test_every_file_a_plan_names_is_there() -> None:
    for plan in ROOT.glob("specs/**/plan.md"):
        for name in re.findall(
            r"`((?:images|dockerfiles|policies|tests|docs|\.github)/[^`*]+)`", plan.read_text("utf-8")
        ):
            assert (ROOT / name).exists(), f"{plan}: {name}"


@pytest.mark.covers("FE-011", "BE-010")
def test_no_budget_is_laxer_than_its_spec(own: tuple[tuple[Spec, ...], tuple[Proof, ...]]) -> None:
    images = config.load(ROOT, {})
    thresholds = {requirement.id: requirement.threshold for area in own[0] for requirement in area.requirements}
    for image, name in (("frontend", "FE-011"), ("backend", "BE-010")):
        compressed, uncompressed = (parse_size(size) for size in re.findall(r"≤ (\d+ MB)", thresholds[name]))
        budget = images.image(image).budget
        assert budget.compressed is not None
        assert budget.compressed <= compressed
        assert budget.uncompressed is not None
        assert budget.uncompressed <= uncompressed


# Reading a spec


def test_a_table_is_read_and_others_are_prose() -> None:
    problems: list[Problem] = []
    legend = "| word | meaning |\n|---|---|\n| scanner | Trivy |\n\n"
    elsewhere = "| SEC-002 | Sealed pods | 0 | – | not here: the cluster, and its owner |\n"
    both = r"| SEC-003 | a \| b | 0 | must, should | linter |" + "\n"
    found = parse_spec("spec.md", TITLE + legend + HEADING + ROW + "\nMore:\n\n" + HEADING + elsewhere + both, problems)
    assert problems == []
    assert found == Spec(
        "spec.md",
        "Security",
        (
            Requirement("SEC-001", "Never as root", "uid ≥ 1000", ("must",), ("image config", "container")),
            Requirement("SEC-002", "Sealed pods", "0", (), (), "the cluster, and its owner"),
            Requirement("SEC-003", r"a \| b", "0", ("must", "should"), ("linter",)),
        ),
    )


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        (ROW, "needs a title and a table: | id | requirement | threshold | level | checked by |"),
        (HEADING + ROW, "needs a title"),
        (TITLE + HEADING, "needs a title and a table"),
        (TITLE + HEADING + ROW.replace("SEC-001", "SEC-1"), "line 5: must start with an id like SEC-001, not 'SEC-1'"),
        (TITLE + HEADING + ROW.replace("must", "msut"), "line 5: no such word: 'msut'; did you mean 'must'?"),
        (TITLE + HEADING + ROW.replace("must", "–"), "line 5: no such word: '–'"),
        (
            TITLE + HEADING + ROW.replace("container", "contianer"),
            "no such word: 'contianer'; did you mean 'container'?",
        ),
        (TITLE + HEADING + ROW.replace("uid ≥ 1000", ""), "line 5: must fill the columns id, requirement, threshold"),
        (TITLE + HEADING + ROW + "| SEC-002 | Half |\n", "line 6: must fill the columns"),
    ],
)
def test_a_mistake_in_a_spec_is_named_with_its_line(text: str, mistake: str) -> None:
    problems: list[Problem] = []
    parse_spec("specs/a/b/spec.md", text, problems)
    assert len(problems) == 1
    assert str(problems[0]).startswith("specs/a/b/spec.md: ")
    assert mistake in str(problems[0])


# What covers a requirement


@pytest.mark.parametrize(
    ("one", "covered"),
    [
        (rule("SEC-001"), ["SEC-001"]),
        (rule("SEC-001.2"), ["SEC-001"]),
        (rule("SEC-001.2", "SEC-002", "SEC-001"), ["SEC-001", "SEC-002"]),
        (rule("SIZE-001", "SEC-001", "SEC-002"), ["SEC-001", "SEC-002"]),
        (rule("SIZE-001"), ["SIZE-001"]),
    ],
)
def test_a_rule_covers_what_it_is_named_after_and_what_it_says(one: Rule, covered: list[str]) -> None:
    proofs = list(rule_proofs([one], ["SEC-001", "SEC-002"]))
    assert [proof.requirement for proof in proofs] == covered
    assert {(proof.kind, proof.file, proof.name) for proof in proofs} == {("rule", "policies/a.toml", one.id)}


@pytest.mark.parametrize(
    ("one", "kind"),
    [
        (rule("SEC-001", elsewhere="the cluster"), "report"),
        (rule("SEC-001"), "rule"),
    ],
)
def test_a_rule_about_what_no_image_shows_only_reports(one: Rule, kind: str) -> None:
    assert [proof.kind for proof in rule_proofs([one], ["SEC-001"])] == [kind]


def test_marks_are_read_off_test_functions_without_running_them() -> None:
    text = """
import nowhere
raise SystemExit

@pytest.mark.covers("SEC-001", "SEC-002")
@pytest.mark.parametrize("x", [1])
def test_one(x): ...

class TestMore:
    @pytest.mark.covers("SEC-003")
    def test_two(self): found.covers("debian 13")

@mark.covers("SEC-004")
def test_three(): ...

def test_without(): ...
"""
    problems: list[Problem] = []
    found = [(proof.requirement, str(proof)) for proof in marked_tests("tests/test_a.py", text, problems)]
    assert problems == []
    assert found == [
        ("SEC-001", "test `tests/test_a.py::test_one`"),
        ("SEC-002", "test `tests/test_a.py::test_one`"),
        ("SEC-003", "test `tests/test_a.py::TestMore::test_two`"),
        ("SEC-004", "test `tests/test_a.py::test_three`"),
    ]


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("@pytest.mark.covers()\ndef test_a(): ...", "tests/test_a.py: test_a: pytest.mark.covers takes ids in quotes"),
        ("@pytest.mark.covers(SEC)\ndef test_a(): ...", "test_a: pytest.mark.covers takes ids in quotes"),
        ("@pytest.mark.covers('SEC-001', why='x')\ndef test_a(): ...", "takes ids in quotes"),
        (
            "\n@pytest.mark.covers('SEC-001')\ndef helper(): ...",
            "tests/test_a.py: line 2: pytest.mark.covers belongs on",
        ),
        ("@pytest.mark.covers('SEC-001')\nclass TestA: ...", "line 1: pytest.mark.covers belongs on a test"),
        ("pytestmark = pytest.mark.covers('SEC-001')", "line 1: pytest.mark.covers belongs on a test, and is on none"),
        ("def test_a(:", "tests/test_a.py: cannot be read: "),
    ],
)
def test_a_mark_that_would_cover_nothing_is_a_mistake(text: str, mistake: str) -> None:
    problems: list[Problem] = []
    list(marked_tests("tests/test_a.py", text, problems))
    assert len(problems) == 1
    assert mistake in str(problems[0])


def test_an_id_no_spec_has_is_named_with_the_near_miss() -> None:
    proofs = [
        Proof("SEC-0277", "test", "tests/test_a.py", "test_b"),
        Proof("SHOP-001", "rule", "policies/shop.toml", "SHOP-001"),
    ]
    assert [str(problem) for problem in check([spec(requirement("SEC-027"))], proofs)] == [
        "tests/test_a.py: test_b: covers 'SEC-0277', which no spec has; did you mean 'SEC-027'?",
        "policies/shop.toml: SHOP-001: covers 'SHOP-001', which no spec has; known: SEC-027",
    ]


def test_an_id_is_written_once() -> None:
    one, other = spec(requirement("SEC-001"), requirement("SEC-001")), spec(requirement("SEC-001"), file="other.md")
    assert [str(problem) for problem in check([one, other], [])] == [
        "specs/a/b/spec.md: SEC-001: is already written in specs/a/b/spec.md",
        "other.md: SEC-001: is already written in specs/a/b/spec.md",
    ]


def test_no_test_covers_what_cannot_be_checked_here_but_a_rule_may_report_it() -> None:
    proofs = [Proof("SEC-032", "test", "tests/test_a.py", "test_b"), Proof("SEC-032", "report", "p.toml", "SEC-032")]
    assert [str(problem) for problem in check([spec(requirement("SEC-032", "the cluster"))], proofs)] == [
        "tests/test_a.py: test_b: covers SEC-032, which specs/a/b/spec.md says is not checked here"
    ]


@pytest.mark.parametrize(
    ("levels", "rules", "mistake"),
    [
        (("must",), ["must", "should"], ""),
        (("must", "should"), ["must", "should"], ""),
        (("should",), ["should"], ""),
        (("must",), ["should"], "specs/a/b/spec.md: SEC-001: is a must, and nothing but should-rules covers it"),
        (("should",), ["must"], "p.toml: SEC-001: is a must, and SEC-001 in specs/a/b/spec.md only a should"),
    ],
)
def test_a_rule_blocks_what_the_spec_says_must_be(levels: tuple[str, ...], rules: list[str], mistake: str) -> None:
    area = spec(dataclasses.replace(requirement("SEC-001"), levels=levels))
    proofs = [Proof("SEC-001", "rule", "p.toml", "SEC-001", level) for level in rules]
    assert [str(problem) for problem in check([area], proofs)] == ([mistake] if mistake else [])


def test_a_test_is_enough_for_a_must_whatever_the_rules_say() -> None:
    proofs = [Proof("SEC-001", "rule", "p.toml", "SEC-001", "should"), Proof("SEC-001", "test", "test_a.py", "test_b")]
    assert list(check([spec(requirement("SEC-001"))], proofs)) == []


# The checklist


def test_only_what_is_proven_is_ticked() -> None:
    area = spec(
        requirement("SEC-001"),
        requirement("SEC-002"),
        requirement("SEC-003"),
        requirement("SEC-032", "the cluster"),
    )
    proofs = (
        Proof("SEC-001", "test", "tests/test_a.py", "test_b"),
        Proof("SEC-001", "rule", "policies/a.toml", "SEC-001.2"),
        Proof("SEC-003", "report", "policies/a.toml", "SEC-003"),
        Proof("SEC-032", "report", "policies/a.toml", "SEC-032"),
    )
    head, _, items = render(area, proofs).partition("\n- ")
    assert head.startswith("# Tasks: Security\n")
    assert head.endswith("\n1 of 3 requirements are covered, 1 reported as not checked; 1 cannot be checked here.\n")
    assert f"- {items}" == (
        "- [x] **SEC-001** What SEC-001 says: 0\n"
        "  - rule `SEC-001.2` in `policies/a.toml`\n"
        "  - test `tests/test_a.py::test_b`\n"
        "- [ ] **SEC-002** What SEC-002 says: 0\n"
        "  - not covered yet\n"
        "- [ ] **SEC-003** What SEC-003 says: 0\n"
        "  - reported as not checked here by rule `SEC-003` in `policies/a.toml`\n"
        "- [ ] **SEC-032** What SEC-032 says: 0\n"
        "  - not checked here: the cluster\n"
        "  - reported as not checked here by rule `SEC-032` in `policies/a.toml`\n"
    )


def test_all_mistakes_of_specs_rules_and_tests_come_at_once(tmp_path: Path) -> None:
    for name, text in {
        "specs/team/shop/spec.md": TITLE + HEADING + ROW.replace("must", "msut"),
        "tests/deep/test_a.py": "@pytest.mark.covers('SEC-002')\ndef test_b(): ...",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(text, "utf-8")
    with pytest.raises(ConfigurationError, match="3 mistakes") as caught:
        proven(tmp_path, [rule("SIZE-001")])
    assert [problem.file for problem in caught.value.problems] == [
        "specs/team/shop/spec.md",
        "policies/a.toml",
        "tests/deep/test_a.py",
    ]
    assert "spec.md" in caught.value.hint
