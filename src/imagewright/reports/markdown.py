"""The report as GitHub-flavoured Markdown, fit for a job summary: the verdict up front, long lists folded.

Every text that comes from outside goes through ``words`` (prose) or ``code`` (names, paths, evidence), so
a raw ``<`` in the output is always one of this module's own tags.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from imagewright.model.history import Change
from imagewright.model.judged import ImageReport
from imagewright.model.verdict import Outcome, RuleResult
from imagewright.reports import gating, units, view
from imagewright.reports.gaps import Gap, entries
from imagewright.reports.provenance import provenance

MOST = 100
_MARKS: dict[Outcome, str] = {"fail": "❌", "not-checked": "❔", "warn": "⚠️", "waived": "📝", "pass": "✅"}
_STANDINGS: dict[view.Standing, str] = {"refused": "❌", "incomplete": "❔", "passed": "✅"}
_MARKUP = re.compile(r"[\\`*_\[\]<>&|~#$@]|:(?=//)|(?<=www)\.", re.IGNORECASE)
_PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]")


def render(report: ImageReport) -> str:
    """The whole report for one image and platform."""
    blocks = (
        _head(report),
        _figures(report),
        _rules(report),
        _introduced(report),
        _disclosed(report),
        *(_finding(table) for table in view.findings(report)),
        _layers(report),
        *(_packages(report)),
        _provenance(report),
    )
    return "\n\n".join(block for block in blocks if block) + "\n"


def words(text: str) -> str:
    """Prose from outside, so that nothing in it is markup, a link, or the end of a table cell."""
    return _MARKUP.sub(_entity, units.plain(text))


def prose(text: str) -> str:
    """``words`` in which what stands between backticks is code, as policies write it."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return words(text)
    return "".join(code(part) if place % 2 else words(part) for place, part in enumerate(parts))


def code(text: str) -> str:
    """A name, path or piece of evidence as code; works inside table cells."""
    shown = units.plain(text).strip()
    if not shown:
        return ""
    if not re.search(r"[`|<>&\\]", shown):
        return f"`{shown}`"
    return f"<code>{_PUNCTUATION.sub(_entity, shown)}</code>"


def _entity(match: re.Match[str]) -> str:
    return f"&#{ord(match.group())};"


def _head(report: ImageReport) -> str:
    mark, verdict = _STANDINGS[view.standing(report)], report.verdict
    lines = [
        f"## {mark} {code(report.definition.name)} on {code(str(report.build.platform))}: {view.headline(report)}",
        "",
        f"Judged under profile {code(verdict.profile)} on {words(verdict.date)}: "
        + ", ".join(f"{number} {view.OUTCOME_WORDS[outcome]}" for outcome, number in view.outcomes(verdict)),
    ]
    for name, reason in view.unchecked(report.scan):
        lines += ["", f"> {name}: not checked ({words(reason)})"]
    return "\n".join(lines)


def _figures(report: ImageReport) -> str:
    budget = report.definition.budget
    rows = [
        ("digest", code(str(report.build.subject))),
        ("compressed", _size(report.compressed, budget.compressed)),
        ("uncompressed", _size(report.uncompressed, budget.uncompressed)),
        ("packages", str(len(report.scan.packages))),
        *((table.name, words(table.summary)) for table in view.findings(report)),
    ]
    return _table(("", ""), rows)


def _size(count: int, budget: int | None) -> str:
    return units.size(count) + (f" of {units.size(budget)}" if budget is not None else "")


def _rules(report: ImageReport) -> str:
    results = view.here(report.verdict)
    rows = ((_outcome(result), code(result.rule), words(result.title), _says(result)) for result in results)
    details = "\n\n".join(block for one in entries(report) if (block := _details(one)))
    table = _table(("Outcome", "Rule", "Requirement", "What it says"), rows)
    blocks = (f"### Rules\n\n{table}", details, words(view.inapplicable(report.verdict)), _elsewhere(report))
    return "\n\n".join(block for block in blocks if block)


def _elsewhere(report: ImageReport) -> str:
    beyond = view.elsewhere(report.verdict)
    rows = ((code(result.rule), words(result.title), prose(result.elsewhere)) for result in beyond)
    title = f"{units.count(len(beyond), 'rule')} not checked here, and what would check it"
    return _fold(title, _table(("Rule", "Requirement", "What would check it"), rows)) if beyond else ""


def _outcome(one: RuleResult | Gap) -> str:
    return _mark(one.outcome, one.blocking)


def _mark(outcome: Outcome, blocking: bool) -> str:
    return f"{_MARKS[outcome]} {view.OUTCOME_WORDS[outcome]}{', **blocks**' if blocking else ''}"


def _says(result: RuleResult) -> str:
    return "" if result.outcome == "pass" else prose(result.message)


def _details(result: RuleResult | Gap) -> str:
    if isinstance(result, Gap):
        return _gap(result)
    if result.outcome == "pass" or not (view.evidence(result) or result.remedy or result.waived_by):
        return ""
    shown, left = units.bounded(view.evidence(result), MOST)
    lines = [f"- {code(line)}" for line in shown]
    lines += [f"- … and {left} more"] if left else []
    lines += [f"- waived: {words(line)}" for line in result.waived_by]
    lines += ["", f"What to do: {prose(result.remedy)}"] if result.remedy else []
    title = f"{_MARKS[result.outcome]} {words(result.rule)}: {words(result.title)}"
    return _fold(title, "\n".join(lines).strip("\n"), unfolded=result.blocking)


def _gap(gap: Gap) -> str:
    lines = [f"- {code(result.rule)} {words(result.title)}" for result in gap.results]
    lines += ["", f"What to do: {prose(gap.remedy)}"] if gap.remedy else []
    title = f"{_MARKS[gap.outcome]} {units.count(len(gap.results), 'rule')} not checked: {words(gap.reason)}"
    return _fold(title, "\n".join(lines), unfolded=gap.blocking)


def _introduced(report: ImageReport) -> str:
    gates = report.gates
    heading = f"### {gating.INTRODUCED}\n\n{words(gating.against(gates))}"
    if not gates.against:
        return f"{heading}."
    heading = f"{heading}: {words(gating.introduced(gates))}."
    parts = [
        _changes("introduced", gates.introduced, unfolded=True),
        _changes("there before", gates.carried),
        _changes("gone", gates.gone),
    ]
    return "\n\n".join([heading, *filter(None, parts)])


def _changes(title: str, changes: tuple[Change, ...], *, unfolded: bool = False) -> str:
    if not changes:
        return ""
    shown, left = units.bounded(changes, MOST)
    rows = (
        (_mark(one.outcome, one.blocking), code(one.rule), code(one.line) if one.line else words(one.title))
        for one in shown
    )
    body = _table(("Outcome", "Rule", "What it says"), rows) + _more(left)
    return _fold(f"{len(changes)} {title}", body, unfolded=unfolded)


def _disclosed(report: ImageReport) -> str:
    heading = f"### {gating.DISCLOSED}: {words(gating.disclosed(report))}"
    found = gating.lines(report.gates)
    if not found:
        return heading
    shown, left = units.bounded(found, MOST)
    rows = (
        (*map(words, line.cells[:1]), *map(code, line.cells[1:4]), *map(words, line.cells[4:7]), _left(line))
        for line in shown
    )
    return f"{heading}\n\n{_table(gating.COLUMNS, rows)}{_more(left)}"


def _left(line: gating.Line) -> str:
    return f"**{words(line.cells[-1])}**" if line.overdue else words(line.cells[-1])


def _finding(table: view.Table) -> str:
    heading = f"### {table.name.capitalize()}: {words(table.summary)}"
    if not table.rows:
        return heading
    shown, left = units.bounded(table.rows, MOST)
    rows = ((words(row.severity.lower()), *_cells(row)) for row in shown)
    body = _table(("Severity", *table.columns), rows) + _more(left)
    return f"{heading}\n\n{_fold(units.count(len(table.rows), 'finding'), body)}"


def _cells(row: view.Row) -> Iterator[str]:
    first, *others = row.cells
    url = units.link(row.url)
    # NOTE: parentheses and brackets would end the link early, so an address with any stays text.
    yield f"[{code(first)}]({url})" if url and not re.search(r"[()\[\]<>|\\`]", url) else code(first)
    yield from (words(cell) if " " in cell else code(cell) for cell in others)


def _layers(report: ImageReport) -> str:
    origins = view.origins(report)
    rows = (
        (
            f"{number}",
            code(item.created_by),
            units.size(item.compressed),
            units.size(item.uncompressed),
            f"{item.files}",
            origins[item.diff_id],
        )
        for number, item in enumerate(report.layers, start=1)
    )
    table = _table(("Layer", "Made by", "Compressed", "Uncompressed", "Files", "From"), rows)
    return f"### Layers\n\n{table}"


def _packages(report: ImageReport) -> Iterator[str]:
    yield f"### Packages: {len(report.scan.packages)}"
    origins = view.origins(report)
    for kind, packages in view.packages(report):
        shown, left = units.bounded(packages, MOST)
        rows = (
            (
                code(item.name),
                code(item.version),
                origins.get(item.layer, view.UNKNOWN),
                words(", ".join(item.licenses)),
            )
            for item in shown
        )
        body = _table(("Package", "Version", "From", "Licences"), rows) + _more(left)
        yield _fold(f"{len(packages)} {words(kind)}", body)


def _provenance(report: ImageReport) -> str:
    facts = ((group.title, fact) for group in provenance(report) for fact in group.facts)
    rows = ((f"{title}: {words(fact.label)}", code(fact.value)) for title, fact in facts)
    return "### Provenance\n\n" + _fold("Where every figure comes from", _table(("What", "Which"), rows))


def _table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [columns, ("---",) * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _more(left: int) -> str:
    return f"\n\n… and {left} more" if left else ""


def _fold(title: str, body: str, *, unfolded: bool = False) -> str:
    return f"<details{' open' if unfolded else ''}><summary>{title}</summary>\n\n{body}\n\n</details>"
