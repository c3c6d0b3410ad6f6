"""Reports: one pure renderer a format, each from one ``ImageReport`` to text, same input, same bytes.

``FORMATS`` is the registry; a new format is a module with ``render`` and a line here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from imagewright.model.records import ImageReport
from imagewright.reports import console, document, html, junit, markdown, openvex, sarif


@dataclass(frozen=True, slots=True)
class Format:
    """The name of the file a format is written to (UTF-8), and what makes its text.

    ``whole`` formats show all there is; another shows one side of it, and an empty text means that there is no file.
    """

    file: str
    render: Callable[[ImageReport], str]
    whole: bool = True


FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "html": Format("report.html", html.render),
        "json": Format("report.json", document.render),
        "markdown": Format("report.md", markdown.render),
        "sarif": Format("report.sarif", sarif.render),
        "junit": Format("report.junit.xml", junit.render),
        "console": Format("report.txt", console.render),
        "openvex": Format("report.openvex.json", openvex.render, whole=False),
    }
)
