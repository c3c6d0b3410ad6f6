"""The report as plain text for a file or a log: what blocks first and with its evidence, what passes in one line."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from imagewright.model.judged import ImageReport
from imagewright.model.verdict import Outcome, RuleResult
from imagewright.reports import gating, units, view
from imagewright.reports.gaps import Gap, entries
from imagewright.reports.provenance import provenance

MOST = 8
_MARKS: dict[Outcome, str] = {"fail": "✗", "not-checked": "?", "warn": "!", "waived": "~", "pass": "✓"}


def render(report: ImageReport) -> str:
    """The report as plain text, 100 columns wide: no colour, no cursor movement."""
    blocks = (
        [_title(report)],
        *(_entry(one) for one in entries(report) if one.outcome != "pass"),
        list(_facts(report)),
        _elsewhere(report),
        _introduced(report),
        _disclosed(report),
        *(_findings(table) for table in view.findings(report)),
        _layers(report),
        _packages(report),
        _provenance(report),
    )
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def head(report: ImageReport) -> str:
    """Which image, and what became of it."""
    return f"{report.definition.name} {report.build.platform} @{report.build.subject.short}  {view.headline(report)}"


def _title(report: ImageReport) -> str:
    return units.plain(f"{head(report)}  [{report.verdict.profile}, {report.verdict.date}]")


def outcome(one: RuleResult | Gap) -> str:
    """How it ended, and whether that blocks."""
    return f"{_MARKS[one.outcome]} {view.OUTCOME_WORDS[one.outcome]}{', blocks' if one.blocking else ''}"


def evidence(result: RuleResult) -> Iterator[str]:
    """The first lines of evidence, how many are left, and by what the rest was waived."""
    shown, left = units.bounded(view.evidence(result), MOST)
    yield from map(units.plain, shown)
    if left:
        yield f"… and {left} more"
    yield from (units.plain(f"waived: {line}") for line in result.waived_by)


def _entry(one: RuleResult | Gap) -> list[str]:
    said = one.reason if isinstance(one, Gap) else f"{one.rule}  {one.title}: {one.message}"
    lines = _wrapped(units.plain(f"{outcome(one):<21} {said}"), "    ")
    if isinstance(one, Gap):
        for result in one.results:
            blocks = ", blocks" if result.blocking else ""
            lines += _wrapped(units.plain(f"    {result.rule:<9}  {result.title}{blocks}"), " " * 15)
    else:
        lines += [f"    {line}" for line in evidence(one)]
    return lines + (_wrapped(f"    help: {units.plain(one.remedy)}", "    ") if one.remedy else [])


def _facts(report: ImageReport) -> Iterator[str]:
    """The summary: rules that passed and those that say nothing of this image, sizes, packages, findings by kind."""
    passed = [result.rule for result in report.verdict.results if result.outcome == "pass"]
    if passed:
        yield from _named("pass", f"{units.count(len(passed), 'rule')}: {', '.join(passed)}")
    if concern := view.inapplicable(report.verdict):
        yield from _named("not applicable", concern)
    if beyond := view.elsewhere(report.verdict):
        ids = ", ".join(result.rule for result in beyond)
        yield from _named("not checked here", f"{units.count(len(beyond), 'rule')}: {ids}")
    compressed, uncompressed = units.size(report.compressed), units.size(report.uncompressed)
    yield f"size              {compressed} compressed, {uncompressed} uncompressed"
    yield units.plain(f"introduced        {gating.introduced(report.gates)}")
    yield units.plain(f"disclosed         {gating.disclosed(report)}")
    groups = ", ".join(f"{len(items)} {kind}" for kind, items in view.packages(report))
    yield units.plain(f"packages          {len(report.scan.packages)}{f' ({groups})' if groups else ''}")
    # NOTE: name and outcome of a part nobody checked stay in one greppable phrase.
    for table in view.findings(report):
        yield units.plain(f"{table.name}: {table.summary}" if table.unchecked else f"{table.name:<17} {table.summary}")


def _named(name: str, text: str) -> list[str]:
    return _wrapped(units.plain(f"{name:<17} {text}"), " " * 18)


def _elsewhere(report: ImageReport) -> list[str]:
    lines = [
        line
        for result in view.elsewhere(report.verdict)
        for line in _wrapped(units.plain(f"  {result.rule}  {result.title}: {result.elsewhere}"), "    ")
    ]
    return ["not checked here, and what would check it", *lines] if lines else []


def _introduced(report: ImageReport) -> list[str]:
    gates = report.gates
    if not gates.against:
        return []
    shown, left = units.bounded(gates.introduced, 4 * MOST)
    lines = [f"  {units.plain(gating.change(one))}" for one in shown]
    title = units.plain(f"{gating.INTRODUCED} ({gating.against(gates)})")
    return [title, *(lines or ["  nothing"]), *([f"  … and {left} more"] if left else [])]


def _disclosed(report: ImageReport) -> list[str]:
    shown, left = units.bounded(gating.lines(report.gates), 4 * MOST)
    lines = [f"  {line.cells[0]:<9} {units.plain('  '.join(line.cells[1:]))}" for line in shown]
    title = f"{gating.DISCLOSED} (first seen, due, time left)"
    return [title, *lines, *([f"  … and {left} more"] if left else [])] if lines else []


def _findings(table: view.Table) -> list[str]:
    shown, left = units.bounded(table.rows, 4 * MOST)
    lines = [f"  {row.severity.lower():<9} {units.plain('  '.join(filter(None, row.cells)))}" for row in shown]
    return [table.name, *lines, *([f"  … and {left} more"] if left else [])] if lines else []


def _layers(report: ImageReport) -> list[str]:
    lines = [
        units.plain(
            f"  {number}  {units.size(layer.compressed):>8}  {units.size(layer.uncompressed):>8}"
            f"  {layer.files:>6} files  {layer.created_by}"
        )
        for number, layer in enumerate(report.layers, start=1)
    ]
    return ["layers (compressed, uncompressed)", *lines]


def _packages(report: ImageReport) -> list[str]:
    lines: list[str] = []
    for kind, packages in view.packages(report):
        names = ", ".join(f"{item.name} {item.version}" for item in packages)
        lines += _wrapped(units.plain(f"  {kind}: {names}"), "    ")
    return ["packages", *lines] if lines else []


def _provenance(report: ImageReport) -> list[str]:
    lines = ["provenance"]
    for group in provenance(report):
        lines += [units.plain(f"  {group.title}: {fact.label}: {fact.value}") for fact in group.facts]
    return lines


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(text, 100, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
