"""What all formats share: the standing of an image and the order of what is said about it."""

from __future__ import annotations

from dataclasses import replace

from imagewright.model.findings import NotChecked
from imagewright.model.judged import ImageReport
from imagewright.model.records import UsedBase
from imagewright.model.verdict import Outcome, RuleResult
from imagewright.reference import Digest
from imagewright.reports import view
from imagewright.reports.provenance import provenance
from tests.unit.reports.examples import EXAMPLES

BACKEND, FRONTEND = EXAMPLES["backend"], EXAMPLES["frontend"]


def judged(*outcomes: Outcome, blocking: bool = False) -> ImageReport:
    """A report in which everything was scanned and the rules ended like this."""
    results = tuple(
        RuleResult(f"R-{number}", "", "must", "high", outcome, blocking, "", "")
        for number, outcome in enumerate(outcomes)
    )
    return replace(
        FRONTEND,
        scan=replace(FRONTEND.scan, vulnerabilities=()),
        verdict=replace(FRONTEND.verdict, passed=not blocking, results=results),
    )


def facts(report: ImageReport) -> dict[str, str]:
    return {fact.label: fact.value for group in provenance(report) for fact in group.facts}


def test_an_image_passed_only_when_every_rule_and_every_scan_was_really_done() -> None:
    assert view.headline(judged("pass", "warn", "waived")) == "Passed"
    assert view.standing(judged("pass", "not-checked")) == "incomplete"
    assert view.standing(FRONTEND) == "incomplete"
    unscanned = replace(judged("pass"), scan=replace(FRONTEND.scan, secrets=NotChecked("switched off")))
    assert view.standing(unscanned) == "incomplete"


def test_a_verdict_without_any_rule_is_never_a_clean_pass() -> None:
    assert view.standing(judged()) == "incomplete"


def test_what_no_image_shows_is_no_gap_of_the_run_and_no_pass_either() -> None:
    verdict = judged("pass", "not-checked").verdict
    passed, told = verdict.results
    told = replace(told, elsewhere="the cluster")

    def standing(*results: RuleResult) -> str:
        return view.standing(replace(judged("pass"), verdict=replace(verdict, results=results)))

    assert standing(passed, told) == "passed"
    assert standing(told) == "incomplete"
    both = replace(verdict, results=(told, passed))
    assert (view.here(both), view.elsewhere(both), view.outcomes(both)) == ((passed,), (told,), (("pass", 1),))


def test_the_rules_that_do_not_concern_an_image_are_one_line() -> None:
    verdict = BACKEND.verdict
    assert view.inapplicable(verdict) == "2 rules do not concern this image: FE-005, FE-011"
    assert view.inapplicable(replace(verdict, inapplicable=("A-1",))) == "1 rule does not concern this image: A-1"
    assert view.inapplicable(replace(verdict, inapplicable=())) == ""


def test_a_refusal_counts_the_rules_that_block() -> None:
    assert view.headline(judged("fail", blocking=True)) == "Refused: 1 rule blocks"
    assert view.headline(BACKEND) == "Refused: 4 rules block"
    assert view.headline(replace(FRONTEND, verdict=replace(FRONTEND.verdict, passed=False))) == "Refused"


def test_what_blocks_comes_first_then_bad_before_good() -> None:
    results = (
        *judged("pass", "waived", "warn", "not-checked", "fail").verdict.results,
        *judged("not-checked", blocking=True).verdict.results,
    )
    ordered = view.here(replace(FRONTEND.verdict, results=results))
    assert [result.outcome for result in ordered] == ["not-checked", "fail", "not-checked", "warn", "waived", "pass"]
    assert ordered[0].blocking


def test_evidence_that_only_repeats_the_message_is_not_shown_twice() -> None:
    (result,) = judged("fail").verdict.results
    assert view.evidence(replace(result, message="it is so", evidence=("it is so", "here too"))) == ("here too",)


def test_findings_start_with_the_worst() -> None:
    vulnerabilities, *_ = view.findings(BACKEND)
    assert [row.severity for row in vulnerabilities.rows] == ["CRITICAL", "HIGH", "HIGH", "MEDIUM", "LOW"]
    assert vulnerabilities.summary == "1 critical, 2 high, 1 medium, 1 low"


def test_nothing_found_and_nothing_checked_are_said_differently() -> None:
    tables = {table.name: table.summary for table in view.findings(FRONTEND)}
    assert tables["secrets"] == "none"
    assert tables["vulnerabilities"].startswith("not checked (no database: ")


def test_packages_are_grouped_with_the_operating_system_first() -> None:
    assert [(kind, len(items)) for kind, items in view.packages(BACKEND)] == [("debian", 29), ("python-pkg", 16)]


def test_a_base_says_whether_its_bytes_are_the_locked_ones() -> None:
    used, other = Digest.of(b"used"), Digest.of(b"other")
    bases = (
        UsedBase("locked", "registry", used, used, "2026-11-18T09:00:00Z"),
        UsedBase("open", "registry", used, None),
        UsedBase("moved", "registry", used, other),
    )
    shown = facts(replace(BACKEND, build=replace(BACKEND.build, bases=bases)))
    assert shown["locked"].endswith("registry, locked 2026-11-18 09:00 UTC")
    assert shown["open"].endswith("registry, not locked")
    assert shown["moved"].endswith(f"registry, not what the lock says ({other})")


def test_provenance_says_what_is_missing() -> None:
    bare = replace(FRONTEND, sboms=(), build=replace(FRONTEND.build, bases=()))
    assert facts(bare)["SBOM"] == "none was made"
    assert facts(bare)["bases"] == "none from outside"
    assert facts(bare)["database"].startswith("not used (no database: ")
