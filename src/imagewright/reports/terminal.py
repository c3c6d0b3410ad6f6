"""What a run shows people: each image with what they have to act on, then once what was not checked in all of them.

Nothing is left out but what the pages name one by one: the rules that passed or do not concern an image, and whatever
was found that no rule objects to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from imagewright.model.findings import NotChecked
from imagewright.model.judged import ImageReport
from imagewright.model.verdict import RuleResult
from imagewright.reports import console, gating, units, view
from imagewright.reports.gaps import Gap, gaps, where

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

_FEW = 3
"""How many items of a rule's evidence a refusal shows; the reports have all."""
_STYLES = {"fail": "red", "not-checked": "magenta", "warn": "yellow", "waived": "cyan"}
_STANDINGS: dict[view.Standing, str] = {"refused": "red", "incomplete": "magenta", "passed": "green"}


def image(report: ImageReport, *, width: int = 100, colour: bool = True) -> str:
    """One image: the verdict, the rules it breaks with their evidence, and how the rest stands in a few lines."""
    from rich.text import Text

    title = Text(units.plain(console.head(report)), style=f"bold {_STANDINGS[view.standing(report)]}")
    broken = _table(3)
    for result in view.here(report.verdict):
        if result.outcome in ("fail", "warn", "waived"):
            broken.add_row(_outcome(result), Text(units.plain(result.rule), style="bold"), _rule(result))
    facts = _table(2)
    for name, text in _facts(report):
        facts.add_row(Text(f"  {name}", style="dim"), Text(units.plain(text)))
    return _drawn(title, broken, facts, width=width, colour=colour)


def run(reports: Sequence[ImageReport], pages: str, *, width: int = 100, colour: bool = True) -> str:
    """What holds for these images together, each cause once: what was not checked, and why all counts as introduced.

    The last line says how they were judged, and where the ``pages`` with all the rest are.
    """
    from rich.text import Text

    table = _table(2)
    images = len({report.definition.name for report in reports})
    for gap in gaps(reports):
        table.add_row(_outcome(gap), _gap(gap, images))
    judged = {f"profile {one.verdict.profile} on {one.verdict.date}": None for one in reports}
    lines = [*_fresh(reports, images), f"judged under {', '.join(judged)}; details: {pages}"]
    return _drawn(table, *(Text(units.plain(line)) for line in lines), width=width, colour=colour)


def _fresh(reports: Sequence[ImageReport], images: int) -> Iterator[str]:
    """Why images are not set against a release."""
    found: dict[str, dict[str, None]] = {}
    for report in reports:
        if not report.gates.against:
            found.setdefault(gating.against(report.gates), {})[report.definition.name] = None
    yield from (f"{why}{_among(tuple(names), images)}" for why, names in found.items())


def refused(reports: Sequence[ImageReport]) -> str:
    """Why these images are refused: every rule that blocks with the first of its evidence, and each gap once."""
    lines = []
    for report in reports:
        for result in report.verdict.blocking:
            if result.outcome != "not-checked":
                lines.append(f"{report.build.image} ({report.build.platform}): {result.rule} {result.message}")
                lines += [f"  {line}" for line in view.evidence(result)[:_FEW]]
    for gap in gaps(reports):
        if gap.blocking:
            lines += [f"not checked ({gap.reason})", f"  {gap.rules[0]}", f"  {gap.where}"]
    return "\n".join(map(units.plain, lines))


def _facts(report: ImageReport) -> Iterator[tuple[str, str]]:
    yield "rules", _rules(report)
    groups = ", ".join(f"{len(items)} {kind}" for kind, items in view.packages(report))
    sizes = f"{units.size(report.compressed)}, {units.size(report.uncompressed)} unpacked"
    yield "image", f"{sizes}; packages: {groups or 'none'}"
    yield "findings", _findings(view.findings(report))
    if report.gates.against:
        yield "introduced", gating.introduced(report.gates)
        if not isinstance(report.scan.vulnerabilities, NotChecked):
            yield "disclosed", gating.disclosed(report)


def _rules(report: ImageReport) -> str:
    blocking = Counter(result.outcome for result in report.verdict.blocking)
    words = ", ".join(
        f"{number} {view.OUTCOME_WORDS[outcome]}{f' ({blocking[outcome]} blocking)' if blocking[outcome] else ''}"
        for outcome, number in view.outcomes(report.verdict)
    )
    beyond, foreign = len(view.elsewhere(report.verdict)), len(report.verdict.inapplicable)
    asides = (
        f"{foreign} {'does' if foreign == 1 else 'do'} not concern it" if foreign else "",
        f"{beyond} no image shows" if beyond else "",
    )
    aside = ", ".join(filter(None, asides))
    return f"{words or 'none was asked'}{f' ({aside})' if aside else ''}"


def _findings(tables: Sequence[view.Table]) -> str:
    """How many of each kind; the kinds with none at the end."""
    some = [
        f"{one.name} {'not checked' if one.unchecked else one.summary}" for one in tables if one.unchecked or one.rows
    ]
    none = [one.name for one in tables if not (one.unchecked or one.rows)]
    return "; ".join([*some, *([f"no {', no '.join(none)}"] if none else [])])


def _rule(result: RuleResult) -> Text:
    from rich.text import Text

    cell = Text(units.plain(f"{result.title}: {result.message}"))
    for line in console.evidence(result):
        cell.append(f"\n  {line}", style="dim")
    return _helped(cell, result.remedy)


def _gap(gap: Gap, images: int) -> Text:
    from rich.text import Text

    cell = Text(units.plain(f"{gap.reason}{_among(gap.images, images)}"))
    for line in gap.rules:
        cell.append(f"\n{units.plain(line)}", style="dim")
    return _helped(cell, gap.remedy)


def _among(names: Sequence[str], images: int) -> str:
    """Which of so many images are meant; nothing when all are."""
    return "" if len(names) == images else f" ({where(names)})"


def _helped(cell: Text, remedy: str) -> Text:
    return cell.append(f"\nhelp: {units.plain(remedy)}", style="italic") if remedy else cell


def _outcome(one: RuleResult | Gap) -> Text:
    from rich.text import Text

    return Text(console.outcome(one), style=_STYLES[one.outcome])


def _table(columns: int) -> Table:
    """Rows without lines around them: narrow cells first, and one that takes the rest of the width."""
    from rich.table import Table

    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    for _ in range(columns - 1):
        table.add_column(no_wrap=True)
    table.add_column(ratio=1, overflow="fold")
    return table


def _drawn(*parts: RenderableType, width: int, colour: bool) -> str:
    from rich.console import Console, Group
    from rich.table import Table

    drawing = Console(
        width=width,
        force_terminal=colour,
        no_color=not colour,
        color_system="standard" if colour else None,
        highlight=False,
        legacy_windows=False,
        _environ={},
    )
    shown = [part for part in parts if not isinstance(part, Table) or part.row_count]
    with drawing.capture() as captured:
        drawing.print(Group(*shown))
    return "\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n"
