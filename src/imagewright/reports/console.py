"""The report for a terminal or a log: what blocks first and with its evidence, what passes in one line.

``render`` is plain text for files and pipes; ``terminal`` draws the same rows with rich, for people.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING

from imagewright.model.judged import ImageReport
from imagewright.model.verdict import Outcome, RuleResult
from imagewright.reports import gating, units, view
from imagewright.reports.provenance import provenance

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

MOST = 8
_MARKS: dict[Outcome, str] = {"fail": "✗", "not-checked": "?", "warn": "!", "waived": "~", "pass": "✓"}
_STYLES: dict[Outcome, str] = {
    "fail": "red",
    "not-checked": "magenta",
    "warn": "yellow",
    "waived": "cyan",
    "pass": "green",
}
_STANDINGS: dict[view.Standing, str] = {"refused": "red", "incomplete": "magenta", "passed": "green"}


def render(report: ImageReport) -> str:
    """The report as plain text, 100 columns wide: no colour, no cursor movement."""
    blocks = (
        [_title(report)],
        *(_rule_lines(result) for result in _notable(report)),
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


def terminal(report: ImageReport, *, width: int = 100, colour: bool = True) -> str:
    """The compact report as it appears on a terminal: title, table of rules, summary; the rest is in the files."""
    from rich.console import Console, Group
    from rich.text import Text

    console = Console(
        width=width,
        force_terminal=colour,
        no_color=not colour,
        color_system="standard" if colour else None,
        highlight=False,
        legacy_windows=False,
        _environ={},
    )
    title = Text(_title(report), style=f"bold {_STANDINGS[view.standing(report)]}")
    facts = [
        Text(line, style="dim" if line.startswith(("pass", "not applicable", "not checked here")) else "")
        for line in _facts(report)
    ]
    with console.capture() as captured:
        console.print(Group(title, _table(report), *facts))
    return "\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n"


def _title(report: ImageReport) -> str:
    build, verdict = report.build, report.verdict
    where = f"{report.definition.name} {build.platform} @{build.subject.short}"
    return units.plain(f"{where}  {view.headline(report)}  [{verdict.profile}, {verdict.date}]")


def _notable(report: ImageReport) -> tuple[RuleResult, ...]:
    return tuple(result for result in view.here(report.verdict) if result.outcome != "pass")


def _table(report: ImageReport) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(ratio=1, overflow="fold")
    for result in _notable(report):
        style = _STYLES[result.outcome]
        table.add_row(Text(_outcome(result), style=style), Text(units.plain(result.rule), style="bold"), _cell(result))
    return table


def _cell(result: RuleResult) -> Text:
    from rich.text import Text

    cell = Text(units.plain(f"{result.title}: {result.message}"))
    for line in _evidence(result):
        cell.append(f"\n  {line}", style="dim")
    if result.remedy:
        cell.append(f"\nhelp: {units.plain(result.remedy)}", style="italic")
    return cell


def _outcome(result: RuleResult) -> str:
    return f"{_MARKS[result.outcome]} {view.OUTCOME_WORDS[result.outcome]}{', blocks' if result.blocking else ''}"


def _evidence(result: RuleResult) -> Iterator[str]:
    shown, left = units.bounded(result.evidence, MOST)
    yield from map(units.plain, shown)
    if left:
        yield f"… and {left} more"
    yield from (units.plain(f"waived: {line}") for line in result.waived_by)


def _rule_lines(result: RuleResult) -> list[str]:
    first = units.plain(f"{_outcome(result):<21} {result.rule}  {result.title}: {result.message}")
    lines = [*_wrapped(first, "    "), *(f"    {line}" for line in _evidence(result))]
    return lines + (_wrapped(f"    help: {units.plain(result.remedy)}", "    ") if result.remedy else [])


def _facts(report: ImageReport) -> Iterator[str]:
    """The summary: rules that passed and those that say nothing of this image, sizes, packages, findings by kind."""
    passed = [result.rule for result in report.verdict.results if result.outcome == "pass"]
    if passed:
        yield units.plain(f"pass              {units.count(len(passed), 'rule')}: {', '.join(passed)}")
    if concern := view.inapplicable(report.verdict):
        yield units.plain(f"not applicable    {concern}")
    if beyond := view.elsewhere(report.verdict):
        ids = ", ".join(result.rule for result in beyond)
        yield units.plain(f"not checked here  {units.count(len(beyond), 'rule')}: {ids}")
    compressed, uncompressed = units.size(report.compressed), units.size(report.uncompressed)
    yield f"size              {compressed} compressed, {uncompressed} uncompressed"
    yield units.plain(f"introduced        {gating.introduced(report.gates)}")
    yield units.plain(f"disclosed         {gating.disclosed(report)}")
    groups = ", ".join(f"{len(items)} {kind}" for kind, items in view.packages(report))
    yield units.plain(f"packages          {len(report.scan.packages)}{f' ({groups})' if groups else ''}")
    # NOTE: name and outcome of a part nobody checked stay in one greppable phrase.
    for table in view.findings(report):
        yield units.plain(f"{table.name}: {table.summary}" if table.unchecked else f"{table.name:<17} {table.summary}")


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
