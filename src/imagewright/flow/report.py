"""The reports of a run: every format for every image, an index over them, and each verdict on stderr.

A page is written again when anything it shows, or what renders it, has changed, and when its file is not as it was
written.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import imagewright
from imagewright.evidence import canonical
from imagewright.files import write_atomically
from imagewright.flow.workspace import Workspace
from imagewright.reference import Digest

if TYPE_CHECKING:
    from imagewright.model.judged import ImageReport

Pages = Iterator[tuple[str, str]]
"""File names, relative to the folder of reports, with what is in them; an empty text means that there is no file."""


def write_all(workspace: Workspace, reports: tuple[ImageReport, ...], *, below: str = "reports") -> tuple[str, ...]:
    """Write ``out/<below>/<image>/…`` and the index page, then show each verdict: in a line, if it was shown before.

    Returns the lines that show them when nothing is new.
    """
    shelf = _Shelf(workspace.out / below)
    program = _program()
    keys = [_key(workspace, one, program) for one in reports]
    news = [shelf.put(_folder(one), key, partial(_pages, one)) for one, key in zip(reports, keys, strict=True)]
    shelf.put("index", Digest.of(canonical([str(key) for key in keys])), partial(_index, shelf, reports))
    shelf.close()
    where = f"{workspace.out.name}/{below}"
    lines = tuple(_line(where, one) for one in reports)
    in_full = [new or not one.verdict.passed for one, new in zip(reports, news, strict=True)]
    for one, full, line in zip(reports, in_full, lines, strict=True):
        workspace.progress.say(_listing(workspace, one) if full else line)
    if shown := tuple(compress(reports, in_full)):
        workspace.progress.say(_closing(workspace, shown, f"{where}/index.html"))
    return lines


def pages(workspace: Workspace) -> Digest | None:
    """The state of all reports, None while one of them is not as it was written."""
    return _Shelf(workspace.out / "reports").state()


# The renderers are imported where something is rendered: most runs of a pipeline show what was shown before.


def _pages(one: ImageReport) -> Pages:
    from imagewright.reports import FORMATS

    for format_ in FORMATS.values():
        yield f"{_folder(one)}/{format_.file}", format_.render(one)


def _index(shelf: _Shelf, reports: tuple[ImageReport, ...]) -> Pages:
    from imagewright.reports import FORMATS, index

    paths = [[(name, f"{_folder(one)}/{made.file}") for name, made in FORMATS.items()] for one in reports]
    there = [tuple((name, path) for name, path in some if shelf.has(path)) for some in paths]
    yield "index.html", index.render([index.Entry(one, some) for one, some in zip(reports, there, strict=True)])


def _listing(workspace: Workspace, one: ImageReport) -> str:
    from imagewright.reports import terminal

    return terminal.image(one, width=workspace.progress.width, colour=workspace.progress.colour)


def _closing(workspace: Workspace, shown: tuple[ImageReport, ...], where: str) -> str:
    from imagewright.reports import terminal

    return terminal.run(shown, where, width=workspace.progress.width, colour=workspace.progress.colour)


def _line(folder: str, one: ImageReport) -> str:
    verdict = one.verdict
    unchecked = sum(result.outcome == "not-checked" and not result.elsewhere for result in verdict.results)
    said = f"passes, {unchecked} {'rule' if unchecked == 1 else 'rules'} not checked" if unchecked else "passes"
    where = f"{folder}/{_folder(one)}"
    return f"{_folder(one)} @{one.build.subject.short}  unchanged, {said}  [{verdict.profile}, {verdict.date}]  {where}"


class _Shelf:
    """The pages of a folder in groups, each with the key of what it shows and the digests of its files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._list = folder / ".written.json"
        self._known = self._read()
        self._before = dict(self._known)

    def put(self, group: str, key: Digest, render: Callable[[], Pages]) -> bool:
        """Make sure that a group of pages shows this; says whether it had to be written."""
        if self._stands(group, str(key)):
            return False
        files = {}
        for name, text in render():
            if text:
                write_atomically(self._folder / name, text.encode())
            else:
                (self._folder / name).unlink(missing_ok=True)
            files[name] = _digest(self._folder / name)
        self._known[group] = [str(key), files]
        return True

    def has(self, name: str) -> bool:
        """Whether there is such a file."""
        return (self._folder / name).is_file()

    def state(self) -> Digest | None:
        """The digest of all pages; None when there are none, or one is not as it was written."""
        try:
            whole = all(self._stands(group, known[0]) for group, known in self._known.items())
        except (KeyError, IndexError, TypeError):
            return None
        return Digest.of(canonical(self._known)) if whole and self._known else None

    def close(self) -> None:
        """Write down what there is now."""
        if self._known != self._before:
            write_atomically(self._list, json.dumps(self._known, indent=1).encode())

    def _stands(self, group: str, key: str) -> bool:
        try:
            known, files = self._known[group]
            same = all(_digest(self._folder / name) == digest for name, digest in files.items())
            return bool(known == key and files and same)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return False

    def _read(self) -> dict[str, Any]:
        try:
            known = json.loads(self._list.read_bytes())
        except (OSError, ValueError):
            return {}
        return known if isinstance(known, dict) else {}


def _digest(path: Path) -> str:
    """The digest of a file; empty when there is none."""
    try:
        return str(Digest.of(path.read_bytes()))
    except FileNotFoundError:
        return ""


def _key(workspace: Workspace, one: ImageReport, program: Digest) -> Digest:
    """The digest of what a report is made from: definition, every record of the image, its gates, and the program."""
    state = workspace.evidence.state(one.build.subject)
    return Digest.of(canonical([str(program), repr(one.definition), repr(one.gates), str(state)]))


def _program() -> Digest:
    """The digest of the renderers and their templates."""
    folder = Path(imagewright.__file__).parent / "reports"
    files = sorted(path for path in folder.iterdir() if path.suffix in (".py", ".html", ".css"))
    return Digest.of(canonical([[path.name, str(Digest.of(path.read_bytes()))] for path in files]))


def _folder(one: ImageReport) -> str:
    """The folder of a report: the image's name, with the platform when the image has several."""
    if len(one.definition.platforms) == 1:
        return one.definition.name
    return f"{one.definition.name}-{str(one.build.platform).replace('/', '-')}"
