"""What a person or a CI log sees while work goes on: one row per image and step, always on stderr.

On a terminal the rows live; piped they are plain lines, one when a step ends; in GitHub Actions each
step's log is a group and each failure an annotation.
https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, TextIO

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

State = Literal["running", "done", "failed"]
_SIGNS: dict[State, str] = {"running": "·", "done": "✓", "failed": "✗"}
_STYLES: dict[State, str] = {"running": "cyan", "done": "green", "failed": "red"}


@dataclass(slots=True)
class Row:
    """One step of one image: its state, the latest detail, and the log it gathered."""

    image: str
    step: str
    progress: Progress
    state: State = "running"
    detail: str = ""
    log: list[str] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)
    seconds: float = 0.0

    def update(self, detail: str) -> None:
        """Say what is happening now."""
        self.detail = detail

    def note(self, line: str) -> None:
        """Add a line to the step's log."""
        self.log.append(line)

    def done(self, detail: str = "") -> None:
        """The step ended well."""
        self._end("done", detail)

    def failed(self, detail: str) -> None:
        """The step ended badly; its log is shown."""
        self._end("failed", detail)

    def _end(self, state: State, detail: str) -> None:
        if self.state == "running":
            self.state, self.detail, self.seconds = state, detail, time.monotonic() - self.started
            self.progress.ended(self)


class Progress(Protocol):
    """Where rows are shown; ``width`` in columns and ``colour`` are for text that is laid out elsewhere."""

    width: int
    colour: bool

    def start(self, image: str, step: str) -> Row:
        """Open a row."""
        ...

    def ended(self, row: Row) -> None:
        """Called once by each row when its step ends."""
        ...

    def say(self, text: str) -> None:
        """A line for people, outside any row."""
        ...


@contextlib.contextmanager
def step(progress: Progress, image: str, name: str) -> Iterator[Row]:
    """A row that fails when its block raises and is done when it does not."""
    row = progress.start(image, name)
    try:
        yield row
    except BaseException as error:
        row.failed(str(error).partition("\n")[0] or type(error).__name__)
        raise
    row.done(row.detail)


class Plain:
    """One line when a step ends, and a failing step's log before it."""

    width = 100
    colour = False

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def start(self, image: str, step: str) -> Row:
        return Row(image, step, self)

    def ended(self, row: Row) -> None:
        lines = [f"  {line}" for line in row.log] if row.state == "failed" else []
        self._write(*lines, _line(row))

    def say(self, text: str) -> None:
        self._write(text)

    def _write(self, *lines: str) -> None:
        with self._lock:
            self._stream.write("".join(f"{line}\n" for line in lines))
            self._stream.flush()


class GitHub(Plain):
    """Plain lines, each step's log folded into a group, each failure an annotation."""

    def ended(self, row: Row) -> None:
        # NOTE: a build's log is other people's text: between the tokens nothing in it is taken for a command.
        token = secrets.token_hex(16)
        log = (f"::stop-commands::{token}", *row.log, f"::{token}::")
        group = [f"::group::{_line(row)}", *log, "::endgroup::"] if row.log else [_line(row)]
        if row.state == "failed":
            group.append(f"::error title={_escape_property(f'{row.image} {row.step}')}::{_escape(row.detail)}")
        self._write(*group)


class Terminal:
    """Live rows on a terminal, redrawn four times a second; ended rows move up into the scroll-back."""

    def __init__(self, stream: TextIO, *, colour: bool) -> None:
        from rich.console import Console

        self._console = Console(file=stream, no_color=not colour, highlight=False)
        self.colour = colour
        self.width = self._console.width
        self._rows: list[Row] = []
        self._live: Live | None = None
        self._lock = threading.RLock()

    def start(self, image: str, step: str) -> Row:
        row = Row(image, step, self)
        with self._lock:
            self._rows.append(row)
            if self._live is None:
                from rich.live import Live

                # NOTE: stdout is the program's own word (references, reports) and never goes through these rows.
                self._live = Live(
                    get_renderable=self._table,
                    console=self._console,
                    refresh_per_second=4,
                    transient=True,
                    redirect_stdout=False,
                )
                self._live.start()
        return row

    def ended(self, row: Row) -> None:
        with self._lock:
            self._rows.remove(row)
            if not self._rows and self._live is not None:
                self._live.stop()
                self._live = None
            if row.state == "failed":
                for line in row.log:
                    self._console.print(f"  {line}", markup=False)
            self._console.print(_line(row), style=_STYLES[row.state], markup=False)

    def say(self, text: str) -> None:
        from rich.text import Text

        with self._lock:
            self._console.print(Text.from_ansi(text), soft_wrap=True)

    def _table(self) -> Table:
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 2))
        # NOTE: a snapshot, not the lock: the redrawing thread comes here with rich's lock in its hand, and
        # whoever holds ours asks for rich's.
        for row in tuple(self._rows):
            seconds = f"{time.monotonic() - row.started:5.1f} s"
            table.add_row(
                Text(f"{_SIGNS[row.state]} {row.image}", style="cyan"),
                Text(row.step),
                seconds,
                Text(row.detail, overflow="ellipsis", no_wrap=True),
            )
        return table


def choose(stream: TextIO, environ: Mapping[str, str]) -> Progress:
    """The progress that fits where stderr goes. ``NO_COLOR``: https://no-color.org"""
    if environ.get("GITHUB_ACTIONS") == "true":
        return GitHub(stream)
    if stream.isatty() and environ.get("TERM") != "dumb":
        return Terminal(stream, colour=not environ.get("NO_COLOR"))
    return Plain(stream)


def _line(row: Row) -> str:
    detail = f"  {' '.join(row.detail.splitlines())}" if row.detail else ""
    return f"{_SIGNS[row.state]} {row.image:<12} {row.step:<8} {row.seconds:6.1f} s{detail}"


def _escape(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escape_property(text: str) -> str:
    return _escape(text).replace(":", "%3A").replace(",", "%2C")
