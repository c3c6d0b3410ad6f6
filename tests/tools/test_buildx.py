"""The progress of a bake solve, as recorded from a real one and as it may come broken."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagewright.errors import ToolFailed
from imagewright.progress import Plain, Row
from imagewright.tools import buildx, process
from imagewright.tools.buildx import Events, StepFailure
from imagewright.tools.engine import Engine

RECORDED = (Path(__file__).parent / "recorded" / "bake-one-of-two-fails.rawjson").read_bytes()
ENGINE = Engine("embedded", Path("/docker"), "29.0.0", "0.33.0", "ours", "docker", {"HOME": "/nowhere"})
FAILED = 'RUN sleep 2; echo "about to fail"; exit 3'


def rows(*names: str) -> dict[str, Row]:
    plain = Plain(io.StringIO())
    return {name: plain.start(name, "build") for name in names}


def feed(events: Events, stream: bytes) -> Events:
    for line in stream.splitlines(keepends=True):
        events.feed(line)
    return events


def compact(stream: bytes) -> bytes:
    """The same documents one a line, as newer releases write them; the text at the end stays."""
    lines: list[str] = []
    text, decoder = stream.decode(), json.JSONDecoder()
    while text.startswith("{"):
        document, end = decoder.raw_decode(text)
        lines.append(json.dumps(document))
        text = text[end:].lstrip("\n")
    return ("\n".join(lines) + "\n" + text).encode()


def document(**status: Any) -> bytes:
    return json.dumps(status).encode() + b"\n"


def vertex(name: str, *, digest: str = "sha256:1", **more: Any) -> bytes:
    return document(vertexes=[{"digest": digest, "name": name, **more}])


@pytest.mark.parametrize("stream", [RECORDED, compact(RECORDED)], ids=["indented", "one a line"])
def test_of_two_images_the_one_whose_step_failed_is_named_with_its_log(stream: bytes) -> None:
    shown = rows("a", "b")
    events = feed(Events(shown), stream)
    (failure,) = events.failures
    assert (failure.image, failure.step, failure.log) == ("b", FAILED, ("about to fail",))
    assert failure.reason.endswith("did not complete successfully: exit code: 3")
    assert shown["b"].log == ["about to fail"]
    assert shown["b"].detail == FAILED


def test_the_other_image_shows_its_own_last_step() -> None:
    shown = rows("a", "b")
    feed(Events(shown), RECORDED)
    assert "fail" not in shown["a"].detail
    assert shown["a"].detail
    assert shown["a"].log == ["hello", "more"]


def test_what_is_no_progress_is_the_error_text() -> None:
    events = feed(Events(rows("a", "b")), RECORDED)
    assert events.output.startswith("Dockerfile:3\n")
    assert events.output.endswith("exit code: 3")
    assert '"vertexes"' not in events.output


@given(st.integers(0, len(RECORDED)))
def test_a_stream_cut_off_anywhere_is_read_as_far_as_it_goes(end: int) -> None:
    events = feed(Events(rows("a", "b")), RECORDED[:end])
    assert {failure.image for failure in events.failures} <= {"b"}
    whole = RECORDED.rindex(b"\n}\n") + 3
    assert bool(events.failures) == (end >= whole - 1)


def test_the_error_text_survives_a_document_that_never_ended() -> None:
    events = feed(Events(rows("a")), b'{\n  "vertexes": [\nERROR: the engine is gone\n')
    assert events.output.endswith("ERROR: the engine is gone")
    assert events.failures == ()


@pytest.mark.parametrize(
    "junk",
    [
        b"{}}\n",
        b"{not json}\n",
        b'{"vertexes": 3}\n',
        b'{"vertexes": [3]}\n',
        b'{"vertexes": [{"name": "no digest"}]}\n',
        b'{"logs": [{"data": "eA=="}]}\n',
        b'{"logs": [{"vertex": "sha256:1", "data": "%"}]}\n',
        b'{"logs": [{"vertex": "sha256:1", "data": null}]}\n',
        b'{"vertexes": null, "logs": null}\n',
        b"\xff\xfe\n",
        b"\n",
    ],
)
def test_malformed_progress_harms_nothing_that_follows(junk: bytes) -> None:
    events = feed(Events(rows("a", "b")), junk + RECORDED)
    assert [failure.image for failure in events.failures] == ["b"]


@given(st.binary(max_size=200))
def test_any_bytes_are_read_without_harm(data: bytes) -> None:
    events = feed(Events(rows("a")), data)
    assert events.failures == ()


def test_steps_that_were_only_cancelled_did_not_fail() -> None:
    events = feed(
        Events(rows("a", "b")), vertex("[a 1/2] RUN make", error="process: context canceled: context canceled")
    )
    assert events.failures == ()


def test_a_single_target_has_no_prefix_and_is_still_known() -> None:
    shown = rows("app")
    events = feed(Events(shown), vertex("[stage-1 2/3] RUN make", started="now", error="exit code: 2"))
    assert events.failures == (StepFailure("app", "RUN make", "exit code: 2", ()),)
    assert shown["app"].detail == "RUN make"


def test_a_platform_in_the_name_is_no_step() -> None:
    events = feed(Events(rows("a", "b")), vertex("[b linux/arm64 build 2/3] RUN make", error="exit code: 2"))
    assert [(failure.image, failure.step) for failure in events.failures] == [("b", "RUN make")]


def test_an_internal_step_is_named_by_what_it_is() -> None:
    events = feed(Events(rows("a", "b")), vertex("[a internal] load metadata for debian", error="not found"))
    assert events.failures == (StepFailure("a", "load metadata for debian", "not found", ()),)


def test_a_step_of_no_image_belongs_to_none() -> None:
    events = feed(Events(rows("a", "b")), vertex("[internal] load local bake definitions", error="broken"))
    assert [failure.image for failure in events.failures] == [""]


def test_only_the_end_of_a_long_log_is_kept_for_the_error() -> None:
    events = Events(rows("a", "b"))
    data = base64.b64encode("\n".join(map(str, range(1000))).encode()).decode()
    feed(events, vertex("[a 1/1] RUN make"))
    feed(events, document(logs=[{"vertex": "sha256:1", "data": data}]))
    feed(events, vertex("[a 1/1] RUN make", error="exit code: 2"))
    (failure,) = events.failures
    assert failure.log == tuple(map(str, range(940, 1000)))


def test_a_log_that_comes_before_its_steps_name_is_kept() -> None:
    events = Events(rows("a", "b"))
    feed(events, document(logs=[{"vertex": "sha256:1", "data": base64.b64encode(b"early").decode()}]))
    feed(events, vertex("[b 1/1] RUN make", error="exit code: 2"))
    assert [(failure.image, failure.log) for failure in events.failures] == [("b", ("early",))]


class Recorder:
    """In place of the one door to programs: gives back what was recorded."""

    def __init__(self, returncode: int, stderr: bytes) -> None:
        self.done = process.Completed((), returncode, b"", stderr)
        self.argv: list[str] = []
        self.more: dict[str, Any] = {}

    def __call__(self, argv: Any, *, on_stderr: Any, **more: Any) -> process.Completed:
        self.argv, self.more = [str(word) for word in argv], more
        for line in self.done.stderr.splitlines(keepends=True):
            on_stderr(line)
        return self.done


def test_a_solve_writes_its_file_and_gives_its_failures_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder(1, RECORDED)
    monkeypatch.setattr(process, "run", recorder)
    solve = buildx.bake(ENGINE, {"target": {}}, tmp_path, rows("a", "b"))
    assert not solve.ok
    assert [failure.image for failure in solve.failures] == ["b"]
    assert "failed to solve" in solve.output
    assert json.loads((tmp_path / "bake.json").read_text()) == {"target": {}}
    file = str(tmp_path / "bake.json")
    assert recorder.argv == ["/docker", "buildx", "--builder", "ours", "bake", "--file", file, "--progress", "rawjson"]
    assert recorder.more["env"] == ENGINE.env
    assert recorder.more["check"] is False


def test_a_solve_that_ends_well_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "run", Recorder(0, vertex("[a 1/1] RUN make", started="now", completed="now")))
    assert buildx.bake(ENGINE, {}, tmp_path, rows("a", "b")) == buildx.Solve(True, (), "")


@pytest.mark.parametrize(
    ("total", "size"),
    [("3.648GB", 3_648_000_000), ("4.096kB", 4096), ("0B", 0), ("12.5MB", 12_500_000), ("1.2TB", 1_200_000_000_000)],
)
def test_the_size_of_the_build_cache_is_read(total: str, size: int) -> None:
    shown = f"ID\tRECLAIMABLE\tSIZE\nx\ttrue\t1.0MB\nReclaimable:\t1.0GB\nTotal:\t\t{total}\n"
    assert buildx.parse_total(shown) == size


def test_a_size_that_is_not_there_is_no_zero() -> None:
    with pytest.raises(ToolFailed, match="no total"):
        buildx.parse_total("ID\tRECLAIMABLE\tSIZE\n")


def test_the_build_cache_is_pruned_to_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def run(argv: tuple[object, ...], **_: object) -> process.Completed:
        asked.append(" ".join(map(str, argv)))
        return process.Completed((), 0, b"Total:\t7.0GB\n", b"")

    monkeypatch.setattr(process, "run", run)
    assert buildx.prune(ENGINE, keep=10) == 7_000_000_000
    assert asked == [
        "/docker buildx --builder ours prune --force --keep-storage 10",
        "/docker buildx --builder ours du",
    ]


def test_an_export_that_another_images_failing_step_cut_off_did_not_fail_by_itself() -> None:
    events = Events(rows("a", "b"))
    events.feed(vertex("[a] exporting to oci image format", error="failed to copy: connection reset by peer"))
    assert [failure.image for failure in events.failures] == ["a"], "alone it is a failure"
    events.feed(vertex("[b build 2/3] RUN make", digest="sha256:2", error="exit code: 2"))
    assert [failure.image for failure in events.failures] == ["b"]
