"""The reports of a run: every format for every image, an index over them, and each verdict on stderr.

A page is written again when anything it shows, or what renders it, has changed, and when its file is not as it was
written.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING

import imagewright
from imagewright import evidence, inputkey, keys
from imagewright.evidence import canonical
from imagewright.files import write_atomically
from imagewright.flow.workspace import Workspace, release_name
from imagewright.inputkey import InputKey
from imagewright.model.definition import ImageDefinition
from imagewright.reference import Digest, Platform
from imagewright.schema import dump

if TYPE_CHECKING:
    from imagewright.model.judged import ImageReport

Pages = Iterator[tuple[str, str]]
"""File names, relative to the folder of reports, with what is in them; an empty text means that there is no file."""

_REPORTS = "reports"


@dataclass(frozen=True, slots=True)
class Group:
    """Pages that are written together: what they were made from, and the name and digest of each file."""

    name: str
    key: InputKey
    files: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Written:
    """The pages of a folder, as they were written."""

    groups: tuple[Group, ...] = ()


def write_all(workspace: Workspace, reports: tuple[ImageReport, ...], *, below: str = _REPORTS) -> tuple[str, ...]:
    """Write ``out/<below>/<image>/…`` and the index page, then show each verdict: in a line, if it was shown before.

    Returns the lines that show them when nothing is new.
    """
    shelf = _Shelf(workspace.out / below)
    made_from = [
        _key(workspace, one.definition, one.build.subject, Digest.of(repr(one.gates).encode())) for one in reports
    ]
    news = [shelf.put(_folder(one), key, partial(_pages, one)) for one, key in zip(reports, made_from, strict=True)]
    listed = inputkey.of((_folder(one), str(key.digest)) for one, key in zip(reports, made_from, strict=True))
    shelf.put("index", listed, partial(_index, shelf, reports))
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
    return _Shelf(workspace.out / _REPORTS).state()


def changes(
    workspace: Workspace, definition: ImageDefinition, platform: Platform, subject: Digest
) -> tuple[inputkey.Change, ...] | None:
    """What has changed of all that the pages of an image were made from; None when they are not as they were written.

    What came of comparing the image is taken as it was then: it follows from records of the image.
    """
    shelf = _Shelf(workspace.out / _REPORTS)
    group = shelf.whole(release_name(definition, platform))
    if group is None:
        return None
    compared = dict(group.key.parts).get("comparison", "")
    return inputkey.changes(group.key, _key(workspace, definition, subject, Digest.parse(compared)))


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
        written = evidence.recall(Written, self._list, "pages") or Written()
        self._known = {group.name: group for group in written.groups}
        self._before = dict(self._known)

    def put(self, name: str, key: InputKey, render: Callable[[], Pages]) -> bool:
        """Make sure that a group of pages shows this; says whether it had to be written."""
        there = self.whole(name)
        if there and there.key == key:
            return False
        files = []
        for file, text in render():
            if text:
                write_atomically(self._folder / file, text.encode())
            else:
                (self._folder / file).unlink(missing_ok=True)
            files.append((file, _digest(self._folder / file)))
        self._known[name] = Group(name, key, tuple(files))
        return True

    def has(self, name: str) -> bool:
        """Whether there is such a file."""
        return (self._folder / name).is_file()

    def whole(self, name: str) -> Group | None:
        """A group of which every file is as it was written."""
        group = self._known.get(name)
        same = group and group.files and all(_digest(self._folder / file) == digest for file, digest in group.files)
        return group if same else None

    def state(self) -> Digest | None:
        """The digest of all pages; None when there are none, or one is not as it was written."""
        whole = all(map(self.whole, self._known))
        return Digest.of(canonical(dump(self._written()))) if whole and self._known else None

    def close(self) -> None:
        """Write down what there is now."""
        if self._known != self._before:
            evidence.remember(self._list, "pages", self._written())

    def _written(self) -> Written:
        return Written(tuple(self._known[name] for name in sorted(self._known)))


def _digest(path: Path) -> str:
    """The digest of a file; empty when there is none."""
    try:
        return str(Digest.of(path.read_bytes()))
    except (FileNotFoundError, NotADirectoryError):
        return ""


def _key(workspace: Workspace, definition: ImageDefinition, subject: Digest, compared: Digest) -> InputKey:
    """What a report is made from; ``compared`` is the digest of what came of comparing the image."""
    return keys.report(Digest.of(canonical(dump(definition))), workspace.evidence.files(subject), compared, _program())


@functools.cache
def _program() -> Digest:
    """The digest of the renderers and their templates."""
    folder = Path(imagewright.__file__).parent / "reports"
    files = sorted(path for path in folder.iterdir() if path.suffix in (".py", ".html", ".css"))
    return Digest.of(canonical([[path.name, str(Digest.of(path.read_bytes()))] for path in files]))


def _folder(one: ImageReport) -> str:
    """The folder of a report: the image's name, with the platform when the image has several."""
    return release_name(one.definition, one.build.platform)
