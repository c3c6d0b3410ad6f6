"""The report as JUnit XML, as CI servers read it: one test case a rule.

Whatever blocks is a failure, also a rule that could not be checked; a rule that could not be checked and
does not block is skipped, never passed, and so is one that no image gate can check: its message says what can.
Rules that do not concern the image are a property, not a case. Findings are the suite's output, provenance its
properties. The format has no standard; this is the common subset of https://github.com/testmoapp/junitxml
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree as ET

from imagewright.model.judged import ImageReport
from imagewright.model.verdict import RuleResult
from imagewright.reports import gating, units, view
from imagewright.reports.provenance import provenance


def render(report: ImageReport) -> str:
    """The document; control characters, which XML forbids, are shown as escapes."""
    suites = ET.Element("testsuites", _attributes(name="imagewright", **_tally(report)))
    suites.append(_suite(report))
    ET.indent(suites)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(suites, encoding="unicode")}\n'


def _suite(report: ImageReport) -> ET.Element:
    name = f"{report.definition.name} ({report.build.platform})"
    suite = ET.Element("testsuite", _attributes(name=name, **_tally(report), timestamp=report.scan.started_at))
    properties = ET.SubElement(suite, "properties")
    for label, value in _properties(report):
        ET.SubElement(properties, "property", _attributes(name=label, value=value))
    results = (*view.here(report.verdict), *view.elsewhere(report.verdict))
    suite.extend(_case(result, report.definition.name) for result in results)
    _text(suite, "system-out", _output(report))
    return suite


def _tally(report: ImageReport) -> dict[str, str]:
    results = report.verdict.results
    failures = sum(result.blocking for result in results)
    skipped = sum(_skipped(result) for result in results)
    return {"tests": str(len(results)), "failures": str(failures), "errors": "0", "skipped": str(skipped), "time": "0"}


def _skipped(result: RuleResult) -> bool:
    return result.outcome == "not-checked" and not result.blocking


def _case(result: RuleResult, image: str) -> ET.Element:
    name = f"{result.rule}: {result.title}"
    case = ET.Element("testcase", _attributes(name=name, classname=f"imagewright.{image}", time="0"))
    here = f"{view.OUTCOME_WORDS[result.outcome]}: {view.said(result)}"
    said = f"not checked here: {result.elsewhere}" if result.elsewhere else here
    if result.blocking:
        _text(case, "failure", _details(result), message=said, type=result.severity)
    elif _skipped(result):
        ET.SubElement(case, "skipped", _attributes(message=said))
    elif result.outcome != "pass":
        _text(case, "system-out", [said, *_details(result)])
    return case


def _details(result: RuleResult) -> list[str]:
    waived = [f"waived: {line}" for line in result.waived_by]
    return [*result.evidence, *waived, *([f"What to do: {result.remedy}"] if result.remedy else [])]


def _properties(report: ImageReport) -> Iterator[tuple[str, str]]:
    yield "verdict", view.headline(report)
    if concern := view.inapplicable(report.verdict):
        yield "inapplicable", concern
    yield "compressed", f"{report.compressed} bytes"
    yield "uncompressed", f"{report.uncompressed} bytes"
    yield "packages", str(len(report.scan.packages))
    yield "introduced", gating.introduced(report.gates)
    yield "disclosed", gating.disclosed(report)
    for table in view.findings(report):
        yield table.name, table.summary
    for group in provenance(report):
        for fact in group.facts:
            yield f"{group.title}: {fact.label}", fact.value


def _output(report: ImageReport) -> Iterator[str]:
    yield view.headline(report)
    for table in view.findings(report):
        yield f"{table.name}: {table.summary}"
        for row in table.rows:
            yield f"  {row.severity.lower()}: {' · '.join(cell for cell in row.cells if cell)}"
    for number, layer in enumerate(report.layers, start=1):
        sizes = f"{units.size(layer.compressed)} compressed, {units.size(layer.uncompressed)} uncompressed"
        yield f"layer {number}: {sizes}: {layer.created_by}"
    for kind, packages in view.packages(report):
        yield f"packages, {kind}: {', '.join(f'{item.name} {item.version}' for item in packages)}"


def _attributes(**values: str) -> dict[str, str]:
    return {name: units.plain(value) for name, value in values.items()}


def _text(parent: ET.Element, tag: str, lines: Iterator[str] | list[str], **attributes: str) -> None:
    ET.SubElement(parent, tag, _attributes(**attributes)).text = "\n".join(map(units.plain, lines))
