"""The reports of a run: every format for every image, an index over them, and each verdict on stderr."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from imagewright.files import write_atomically
from imagewright.flow.workspace import Workspace
from imagewright.model.records import ImageReport
from imagewright.reports import FORMATS, console, index


def write_all(workspace: Workspace, reports: tuple[ImageReport, ...], *, below: str = "reports") -> None:
    """Write ``out/<below>/<image>/…`` and the index page, then show each verdict."""
    folder = workspace.out / below
    entries = [index.Entry(one, tuple(_written(folder, one))) for one in reports]
    write_atomically(folder / "index.html", index.render(entries).encode())
    progress = workspace.progress
    for one in reports:
        progress.say(console.terminal(one, width=progress.width, colour=progress.colour))


def _written(folder: Path, one: ImageReport) -> Iterator[tuple[str, str]]:
    """Write every format of a report; yields format and path below ``folder`` of each that has something to say."""
    for name, format_ in FORMATS.items():
        path = f"{_folder(one)}/{format_.file}"
        if text := format_.render(one):
            write_atomically(folder / path, text.encode())
            yield name, path
        else:
            (folder / path).unlink(missing_ok=True)


def _folder(one: ImageReport) -> str:
    """The folder of a report: the image's name, with the platform when the image has several."""
    if len(one.definition.platforms) == 1:
        return one.definition.name
    return f"{one.definition.name}-{str(one.build.platform).replace('/', '-')}"
