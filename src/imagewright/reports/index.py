"""The page over all images of a run: one line an image, what became of it, and where its reports are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from imagewright.model.judged import ImageReport
from imagewright.reports import html, units, view
from imagewright.reports.gaps import gaps


@dataclass(frozen=True, slots=True)
class Entry:
    """One report of the run; ``files`` are (format, path relative to the page), the HTML page first."""

    report: ImageReport
    files: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Absent:
    """An image of the run without a report, and why: its build failed, it was never scanned."""

    name: str
    reason: str


def render(entries: Sequence[Entry], absent: Sequence[Absent] = ()) -> str:
    """The page, refused images first; an image without a report counts against the run."""
    rank: tuple[view.Standing, ...] = ("refused", "incomplete", "passed")
    rows = sorted(entries, key=lambda entry: (rank.index(view.standing(entry.report)), _name(entry)))
    open_gaps = gaps(entry.report for entry in rows)
    standings = [view.standing(entry.report) for entry in rows]
    standing: view.Standing = "refused" if absent or not rows else standings[0]
    return html.page(
        "overview.html",
        standing=standing,
        headline=_headline(standings, len(absent)),
        absent=absent,
        gaps=open_gaps,
        causes={gap.reason for gap in open_gaps},
        names=len({entry.report.definition.name for entry in rows}),
        rows=[
            {
                "report": entry.report,
                "standing": view.standing(entry.report),
                "headline": view.headline(entry.report),
                "files": [(name, quote(path)) for name, path in entry.files],
                "findings": view.findings(entry.report),
                "asides": tuple(_asides(entry.report)),
            }
            for entry in rows
        ],
    )


def _name(entry: Entry) -> tuple[str, str]:
    return entry.report.definition.name, str(entry.report.build.platform)


def _asides(report: ImageReport) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What is said beside the verdict, and of which rules."""
    yield view.unconcerned(report.verdict), report.verdict.inapplicable
    beyond = tuple(result.rule for result in view.elsewhere(report.verdict))
    yield f"{units.count(len(beyond), 'rule')} not checked here: no image shows it", beyond


def _headline(standings: Sequence[view.Standing], absent: int) -> str:
    refused, gaps = standings.count("refused"), standings.count("incomplete")
    parts = [
        f"{refused} of {units.count(len(standings), 'image')} refused" if refused else "",
        f"{units.count(absent, 'image')} without a report" if absent else "",
        f"{units.count(gaps, 'image')} passed with gaps" if gaps else "",
    ]
    if any(parts):
        return ", ".join(filter(None, parts))
    return f"{units.count(len(standings), 'image')} passed" if standings else "No image was judged"
