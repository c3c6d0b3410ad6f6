"""Reports: one pure renderer a format, each from one ``ImageReport`` to text, same input, same bytes.

``FORMATS`` is the registry; a new format is a module with ``render`` and a line here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imagewright.model.judged import ImageReport


@dataclass(frozen=True, slots=True)
class Format:
    """The name of the file a format is written to (UTF-8), and the module of this package that makes its text.

    ``whole`` formats show all there is; another shows one side of it, and an empty text means that there is no file.
    """

    file: str
    module: str
    whole: bool = True

    def render(self, report: ImageReport) -> str:
        """The text. The module is loaded here: most runs of a pipeline show what was shown before."""
        text: str = import_module(f"{__name__}.{self.module}").render(report)
        return text


FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "html": Format("report.html", "html"),
        "json": Format("report.json", "document"),
        "markdown": Format("report.md", "markdown"),
        "sarif": Format("report.sarif", "sarif"),
        "junit": Format("report.junit.xml", "junit"),
        "console": Format("report.txt", "console"),
        "openvex": Format("report.openvex.json", "openvex", whole=False),
    }
)
