"""Progress: live rows on a terminal, plain lines when piped, groups and annotations in GitHub Actions."""

from __future__ import annotations

import io
import re
import sys
import threading

import pytest

from imagewright.progress import GitHub, Plain, Progress, Row, Terminal, choose, step


class Tty(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def lines(stream: io.StringIO) -> list[str]:
    """What was written, durations made equal."""
    return re.sub(r"\d\.\d s", "0.0 s", stream.getvalue()).splitlines()


def test_a_step_that_ends_well_is_one_plain_line() -> None:
    stream = io.StringIO()
    with step(Plain(stream), "backend", "build") as row:
        row.update("working")
        row.note("a line of the log")
        row.update("sha256:abc")
    assert lines(stream) == ["✓ backend      build       0.0 s  sha256:abc"]


def test_a_failing_steps_log_is_shown_before_its_line() -> None:
    stream = io.StringIO()

    def work() -> None:
        with step(Plain(stream), "backend", "build") as row:
            row.note("about to fail")
            raise ValueError("no luck\nand more of it")

    with pytest.raises(ValueError, match="no luck"):
        work()
    assert lines(stream) == ["  about to fail", "✗ backend      build       0.0 s  no luck"]


def test_an_interrupt_without_words_is_called_by_its_name() -> None:
    stream = io.StringIO()
    with pytest.raises(KeyboardInterrupt), step(Plain(stream), "backend", "push"):
        raise KeyboardInterrupt
    assert lines(stream) == ["✗ backend      push        0.0 s  KeyboardInterrupt"]


def test_a_row_ends_once() -> None:
    stream = io.StringIO()
    row = Plain(stream).start("a", "build")
    row.failed("first")
    row.done("second")
    assert (row.state, row.detail) == ("failed", "first")
    assert len(lines(stream)) == 1


def test_a_line_for_people_is_just_that() -> None:
    stream = io.StringIO()
    Plain(stream).say("hello [bold]world[/bold]")
    assert lines(stream) == ["hello [bold]world[/bold]"]


def test_a_detail_of_several_lines_stays_one_row() -> None:
    stream = io.StringIO()
    Plain(stream).start("a", "build").done("RUN <<EOF\r\nmake\nEOF")
    assert lines(stream) == ["✓ a            build       0.0 s  RUN <<EOF make EOF"]


def test_rows_that_end_together_do_not_mix_their_lines() -> None:
    stream = io.StringIO()
    plain = Plain(stream)

    def work(name: str) -> None:
        row = plain.start(name, "build")
        for _ in range(20):
            row.note(name)
        row.failed(name)

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcdefgh"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    written = stream.getvalue().splitlines()
    for start in range(0, len(written), 21):
        assert len({line.split()[-1] for line in written[start : start + 21]}) == 1


# GitHub Actions


def test_a_steps_log_is_folded_into_a_group() -> None:
    stream = io.StringIO()
    with step(GitHub(stream), "backend", "build") as row:
        row.note("one")
    first, stop, log, resume, last = lines(stream)
    assert (first, log, last) == ("::group::✓ backend      build       0.0 s", "one", "::endgroup::")
    assert stop.startswith("::stop-commands::")
    assert resume == f"::{stop.removeprefix('::stop-commands::')}::"


def test_a_step_without_a_log_needs_no_group() -> None:
    stream = io.StringIO()
    GitHub(stream).start("backend", "build").done()
    assert lines(stream) == ["✓ backend      build       0.0 s"]


def test_a_failure_is_an_annotation_with_its_text_escaped() -> None:
    stream = io.StringIO()
    GitHub(stream).start("debian:trixie, slim", "base").failed("100 % broken\r\n::error::x")
    assert lines(stream)[-1] == "::error title=debian%3Atrixie%2C slim base::100 %25 broken%0D%0A::error::x"


def test_a_command_in_a_builds_log_is_not_obeyed() -> None:
    streams = [io.StringIO(), io.StringIO()]
    tokens = []
    for stream in streams:
        row = GitHub(stream).start("backend", "build")
        row.note("::endgroup::")
        row.note("::add-mask::x")
        row.done()
        _, stop, *inside, resume, _ = stream.getvalue().splitlines()
        assert inside == ["::endgroup::", "::add-mask::x"]
        assert resume.strip(":") in stop
        tokens.append(resume)
    assert tokens[0] != tokens[1], "who can guess the token can end the pause"


# Terminal


def test_a_terminal_shows_the_running_row_and_then_its_end() -> None:
    stream = Tty()
    progress = Terminal(stream, colour=True)
    row = progress.start("backend", "build")
    row.update("[1/2] RUN make")
    assert progress._live is not None
    progress._live.refresh()
    assert "[1/2] RUN make" in stream.getvalue()
    other = progress.start("frontend", "scan")
    row.done("sha256:abc")
    other.done()
    text = stream.getvalue()
    assert "\x1b[32m✓ backend" in text
    assert text.count("\x1b[?25h") == text.count("\x1b[?25l"), "the cursor is shown again"


def test_a_terminal_shows_a_failing_rows_log_as_it_is() -> None:
    stream = Tty()
    row = Terminal(stream, colour=False).start("backend", "build")
    row.note("[red]not markup[/red]")
    row.failed("[1/2] RUN make: exit code 3")
    text = stream.getvalue()
    assert "  [red]not markup[/red]" in text
    assert text.index("not markup") < text.index("✗ backend")
    assert "[1/2] RUN make: exit code 3" in text


def test_the_live_table_has_a_line_a_row_and_takes_text_for_text() -> None:
    from rich.console import Console

    progress = Terminal(Tty(), colour=False)
    rows = [progress.start("backend", "[b]build"), progress.start("frontend", "scan")]
    rows[0].update("[2/7] COPY")
    plain = io.StringIO()
    Console(file=plain, width=80).print(progress._table())
    assert [line.split() for line in lines(plain)] == [
        ["·", "backend", "[b]build", "0.0", "s", "[2/7]", "COPY"],
        ["·", "frontend", "scan", "0.0", "s"],
    ]
    for row in rows:
        row.done()


def test_without_colour_no_colour_is_written() -> None:
    stream = Tty()
    progress = Terminal(stream, colour=False)
    progress.start("backend", "build").done()
    progress.say("done")
    assert not re.search(r"\x1b\[[\d;]*m", stream.getvalue().replace("\x1b[0m", ""))


def test_what_the_program_prints_meanwhile_stays_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    stream = Tty()
    row = Terminal(stream, colour=True).start("backend", "push")
    print("host.example/backend:1@sha256:abc", file=sys.stdout)
    row.done()
    assert capsys.readouterr().out == "host.example/backend:1@sha256:abc\n"
    assert "host.example" not in stream.getvalue()


def test_redrawing_never_waits_for_whoever_writes() -> None:
    # The redrawing thread holds rich's lock when it asks for the table; whoever holds the rows' lock may be
    # waiting for rich's. If the table needed the rows' lock, both would wait for ever.
    progress = Terminal(Tty(), colour=False)
    row = progress.start("backend", "build")
    drawn = threading.Event()

    def redraw() -> None:
        progress._table()
        drawn.set()

    with progress._lock:
        threading.Thread(target=redraw, daemon=True).start()
        assert drawn.wait(5)
    row.done()


def test_rows_come_and_go_on_many_threads() -> None:
    stream = Tty()
    progress = Terminal(stream, colour=True)

    def work(name: str) -> None:
        for _ in range(10):
            with step(progress, name, "build") as row:
                row.note("x")

    threads = [threading.Thread(target=work, args=(f"image-{n}",), daemon=True) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    assert stream.getvalue().count("✓") == 40
    assert progress._live is None


# Which one


@pytest.mark.parametrize(
    ("stream", "environ", "kind"),
    [
        (io.StringIO(), {}, Plain),
        (Tty(), {}, Terminal),
        (Tty(), {"TERM": "dumb"}, Plain),
        (Tty(), {"GITHUB_ACTIONS": "true"}, GitHub),
        (io.StringIO(), {"GITHUB_ACTIONS": "true"}, GitHub),
        (io.StringIO(), {"GITHUB_ACTIONS": "false"}, Plain),
    ],
)
def test_progress_fits_where_it_goes(stream: io.StringIO, environ: dict[str, str], kind: type[Progress]) -> None:
    assert type(choose(stream, environ)) is kind


@pytest.mark.parametrize(("value", "colour"), [("1", False), ("", True)])
def test_no_color_takes_the_colours_away_when_it_says_anything(value: str, colour: bool) -> None:
    stream = Tty()
    row: Row = choose(stream, {"NO_COLOR": value}).start("backend", "build")
    row.done()
    assert ("\x1b[32m" in stream.getvalue()) is colour
