"""The report as one self-contained page: no script, no request, nothing from the image that is not escaped.

Every value passes ``units.plain`` and Jinja's escaping on its way into the page; the content security
policy allows the page's own style sheet by its hash and nothing else.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

from imagewright.model.judged import ImageReport
from imagewright.reports import gating, units, view
from imagewright.reports.gaps import entries
from imagewright.reports.provenance import provenance

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup


@dataclass(frozen=True, slots=True)
class Bar:
    """One stretch of a plot, in percent of its width."""

    start: float
    width: float
    label: str
    kind: str


@dataclass(frozen=True, slots=True)
class LayerPlot:
    """One layer with its two bars; all layers share one scale, that of the largest."""

    number: int
    created_by: str
    digest: str
    files: str
    origin: str
    bars: tuple[Bar, Bar]


def render(report: ImageReport) -> str:
    """The page for one image and platform."""
    budget = report.definition.budget
    return page(
        "report.html",
        report=report,
        standing=view.standing(report),
        headline=view.headline(report),
        unchecked=view.unchecked(report.scan),
        outcomes=tuple(outcome_bars(report)),
        entries=entries(report),
        elsewhere=view.elsewhere(report.verdict),
        evidence=view.evidence,
        unconcerned=view.unconcerned(report.verdict),
        gates=report.gates,
        gating=gating,
        sizes=(
            ("compressed", report.compressed, budget.compressed),
            ("uncompressed", report.uncompressed, budget.uncompressed),
        ),
        tables=view.findings(report),
        layers=layer_plots(report),
        packages=view.packages(report),
        origins=view.origins(report),
        provenance=provenance(report),
    )


def page(template: str, **values: Any) -> str:
    """Fill one of the templates beside this module; style sheet and security policy are added here."""
    environment = _environment()
    return environment.get_template(template).render(values)


def outcome_bars(report: ImageReport) -> Iterator[Bar]:
    """The share each outcome has in all rules that are decided here, side by side from bad to good."""
    total, start = len(view.here(report.verdict)), 0.0
    for outcome, number in view.outcomes(report.verdict):
        width = round(100 * number / total, 3)
        yield Bar(round(start, 3), width, f"{number} {view.OUTCOME_WORDS[outcome]}", outcome)
        start += width


def layer_plots(report: ImageReport) -> tuple[LayerPlot, ...]:
    """The layers, bottom first, with compressed and uncompressed bytes on one scale."""
    origins = view.origins(report)
    largest = max((max(layer.compressed, layer.uncompressed) for layer in report.layers), default=0) or 1

    def bar(kind: str, size: int) -> Bar:
        # NOTE: a layer of a few bytes keeps a hair of a bar; the label has the true figure.
        width = max(round(100 * size / largest, 3), 0.3) if size else 0.0
        return Bar(0.0, width, f"{units.size(size)} {kind}", kind)

    return tuple(
        LayerPlot(
            number,
            layer.created_by,
            layer.digest.short,
            units.count(layer.files, "file"),
            origins[layer.diff_id],
            (bar("compressed", layer.compressed), bar("uncompressed", layer.uncompressed)),
        )
        for number, layer in enumerate(report.layers, start=1)
    )


def _prose(text: str) -> Markup:
    """Escaped text in which what stands between backticks is set as code, as policies write it."""
    from markupsafe import Markup, escape

    parts = units.plain(text).split("`")
    if len(parts) % 2 == 0:
        return escape("`".join(parts))
    coded = (Markup("<code>{}</code>").format(part) if place % 2 else escape(part) for place, part in enumerate(parts))
    return Markup().join(coded)


@functools.cache
def _environment() -> Environment:
    from jinja2 import Environment, FunctionLoader, StrictUndefined
    from markupsafe import Markup

    def visible(value: object) -> object:
        return value if isinstance(value, Markup) else units.plain(str(value))

    environment = Environment(
        autoescape=True,
        finalize=visible,
        loader=FunctionLoader(_resource),
        lstrip_blocks=True,
        trim_blocks=True,
        undefined=StrictUndefined,
    )
    style = _resource("style.css")
    environment.globals |= {
        "style": Markup(style),  # noqa: S704 - our own file
        "style_hash": base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        "outcome_words": view.OUTCOME_WORDS,
        "unknown": view.UNKNOWN,
    }
    environment.filters |= {"size": units.size, "link": units.link, "count": units.count, "prose": _prose}
    return environment


def _resource(name: str) -> str:
    return resources.files("imagewright.reports").joinpath(name).read_text(encoding="utf-8")
