"""What every format shows, decided once: the standing, the order of the rules, the finding tables, the packages.

A check that did not run stays visible here as words, so no format can turn it into an empty list.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

from imagewright.model.findings import (
    SEVERITIES,
    LicenceFinding,
    LintFinding,
    Misconfiguration,
    NotChecked,
    Package,
    Scan,
    Secret,
    Vulnerability,
)
from imagewright.model.judged import ImageReport
from imagewright.model.verdict import OUTCOMES, Outcome, RuleResult, Verdict
from imagewright.reference import Digest
from imagewright.reports import units

T = TypeVar("T")
Standing = Literal["refused", "incomplete", "passed"]

OUTCOME_WORDS: dict[Outcome, str] = {
    "fail": "fail",
    "not-checked": "not checked",
    "warn": "warning",
    "waived": "waived",
    "pass": "pass",
}
UNKNOWN = "unknown"
"""Where something comes from when that cannot be told."""
_RANK = {word: place for place, word in enumerate((*SEVERITIES, "error", "warning", "info", "style"))}


@dataclass(frozen=True, slots=True)
class Row:
    """One finding as a line of its table; ``severity`` is the scanner's or linter's own word, ``url`` may be empty."""

    severity: str
    cells: tuple[str, ...]
    url: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """The findings of one kind. ``unchecked`` is the reason when nobody looked; ``rows`` then says nothing.

    ``columns`` name the cells; the severity stands before them.
    """

    name: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    unchecked: str = ""

    @property
    def summary(self) -> str:
        """``2 critical, 1 high``, ``none``, or ``not checked (reason)``."""
        if self.unchecked:
            return f"not checked ({self.unchecked})"
        return ", ".join(f"{number} {severity.lower()}" for severity, number in self.tally) or "none"

    @property
    def tally(self) -> tuple[tuple[str, int], ...]:
        """How many rows of each severity, worst first."""
        counted = Counter(row.severity for row in self.rows)
        return tuple((severity, counted[severity]) for severity in _RANK if counted[severity])


def standing(report: ImageReport) -> Standing:
    """Whether the image may be pushed, and if so, whether everything was really looked at."""
    if not report.verdict.passed:
        return "refused"
    results = here(report.verdict)
    complete = results and all(result.outcome != "not-checked" for result in results)
    return "passed" if complete and not unchecked(report.scan) else "incomplete"


def headline(report: ImageReport) -> str:
    """The verdict in one sentence."""
    match standing(report):
        case "passed":
            return "Passed"
        case "incomplete":
            return "Passed, but not everything was checked"
        case "refused":
            blocking = len(report.verdict.blocking)
            verb = "blocks" if blocking == 1 else "block"
            return f"Refused: {units.count(blocking, 'rule')} {verb}" if blocking else "Refused"


def unchecked(scan: Scan) -> tuple[tuple[str, str], ...]:
    """The parts of the scan that did not run, each with its reason."""
    parts = (
        ("vulnerabilities", scan.vulnerabilities),
        ("secrets", scan.secrets),
        ("misconfigurations", scan.misconfigurations),
        ("licences", scan.licences),
    )
    return tuple((name, part.reason) for name, part in parts if isinstance(part, NotChecked))


def here(verdict: Verdict) -> tuple[RuleResult, ...]:
    """The results of rules that an image gate decides: what blocks first, then by outcome from bad to good.

    The policy's own order within. Only among these is not-checked a gap in this run.
    """
    decided = (result for result in verdict.results if not result.elsewhere)
    return tuple(sorted(decided, key=lambda result: (not result.blocking, OUTCOMES.index(result.outcome))))


def elsewhere(verdict: Verdict) -> tuple[RuleResult, ...]:
    """The results that only say what would check a requirement, for no image shows it; in the policy's order."""
    return tuple(result for result in verdict.results if result.elsewhere)


def said(result: RuleResult) -> str:
    """What the rule said in one line: its message, or where nobody checked, the reasons."""
    return result.message or ("; ".join(result.evidence) if result.outcome == "not-checked" else "")


def evidence(result: RuleResult) -> tuple[str, ...]:
    """The lines of evidence, but for one that only repeats the message."""
    return tuple(line for line in result.evidence if line != result.message)


def inapplicable(verdict: Verdict) -> str:
    """The rules that do not concern the image in one line; empty when all do."""
    ids = verdict.inapplicable
    return f"{unconcerned(verdict)}: {', '.join(ids)}" if ids else ""


def unconcerned(verdict: Verdict) -> str:
    """How many rules do not concern the image."""
    count = len(verdict.inapplicable)
    return f"{units.count(count, 'rule')} {'does' if count == 1 else 'do'} not concern this image"


def outcomes(verdict: Verdict) -> tuple[tuple[Outcome, int], ...]:
    """How many of the rules decided here ended each way, from bad to good, without the ways nobody went."""
    counted = Counter(result.outcome for result in here(verdict))
    return tuple((outcome, counted[outcome]) for outcome in OUTCOMES if counted[outcome])


def origins(report: ImageReport) -> dict[Digest | None, str]:
    """Who brought what is in each layer, by its diff id: ``base``, ``application`` or ``unknown``."""
    return {layer.diff_id: report.build.origin(index) or UNKNOWN for index, layer in enumerate(report.layers)}


def packages(report: ImageReport) -> tuple[tuple[str, tuple[Package, ...]], ...]:
    """The packages by ecosystem, operating system first, each ordered by name and version."""
    found = sorted(report.scan.packages, key=_package_order)
    groups: dict[str, list[Package]] = {}
    for package in found:
        groups.setdefault(package.type, []).append(package)
    return tuple((name, tuple(items)) for name, items in groups.items())


def findings(report: ImageReport) -> tuple[Table, ...]:
    """All findings, a table a kind, worst rows first."""
    scan, known = report.scan, origins(report)
    advisories = ("Id", "Package", "Installed", "Fixed in", "From", "What it is")

    def vulnerability(item: Vulnerability) -> Row:
        return _vulnerability(item, known.get(item.layer, UNKNOWN))

    def secret(item: Secret) -> Row:
        return _secret(item, known.get(item.layer, UNKNOWN))

    return (
        _table("vulnerabilities", advisories, scan.vulnerabilities, vulnerability),
        _table("secrets", ("Rule", "What it looks like", "From", "Where"), scan.secrets, secret),
        _table("misconfigurations", ("Id", "What is wrong", "What to do"), scan.misconfigurations, _misconfiguration),
        _table("licences", ("Licence", "Category", "Where"), scan.licences, _licence),
        _table("lint", ("Rule", "Where", "What is wrong"), report.lint.findings, _lint),
    )


def _table(name: str, columns: tuple[str, ...], found: tuple[T, ...] | NotChecked, row: Callable[[T], Row]) -> Table:
    if isinstance(found, NotChecked):
        return Table(name, columns, (), found.reason)
    return Table(name, columns, tuple(sorted(map(row, found), key=lambda item: (_RANK[item.severity], item.cells))))


def _vulnerability(item: Vulnerability, origin: str) -> Row:
    fix = item.fixed_version or (f"no fix ({item.status})" if item.status else "no fix")
    return Row(item.severity, (item.id, item.package, item.version, fix, origin, item.title), item.url)


def _secret(item: Secret, origin: str) -> Row:
    return Row(item.severity, (item.rule, item.title, origin, f"{item.path}:{item.line}"))


def _misconfiguration(item: Misconfiguration) -> Row:
    return Row(item.severity, (item.id, item.message or item.title, item.resolution), item.url)


def _licence(item: LicenceFinding) -> Row:
    return Row(item.severity, (item.name, item.category, item.package or item.path))


def _lint(item: LintFinding) -> Row:
    return Row(item.level, (item.code, f"{item.file}:{item.line}:{item.column}", item.message))


def _package_order(item: Package) -> tuple[bool, str, str, str, str, str]:
    return item.package_class == "language", item.type, item.name, item.version, item.path, item.purl
