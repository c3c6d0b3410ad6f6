"""What the real Trivy says of build instructions: the same when asked apart, and asked again only when it has to be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from imagewright.errors import ToolFailed
from imagewright.model.findings import Misconfiguration, NotChecked
from imagewright.reference import Digest
from imagewright.tools import trivy, trivy_instructions, trivy_run
from imagewright.tools.binary import Program
from imagewright.tools.isolation import make_room
from imagewright.tools.trivy_instructions import Answer
from imagewright.tools.trivy_parse import parse
from imagewright.tools.trivy_view import show
from tests.integration import tiny_image
from tests.integration.fake_scanner import script

pytestmark = pytest.mark.integration

WITH_LAYERS = (
    *("image", "--input", "image", "--format", "json", "--cache-dir", "cache", "--cache-backend", "memory"),
    *("--scanners", "license", "--image-config-scanners", "misconfig"),
    *(*trivy_run.UNDISTURBED, *trivy_run.OFFLINE),
)

Found = tuple[Misconfiguration, ...] | NotChecked
Asked = Callable[..., Found]


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    return tmp_path / "layout"


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "kept"


@pytest.fixture
def asked(layout: Path, tmp_path: Path) -> Asked:
    def ask(subject: Digest, memory: Path | None = None, program: Program | None = None) -> Found:
        with make_room(tmp_path / "work") as room:
            image = show(room, layout, subject)
        program, work = program or trivy.find(), tmp_path / "work"
        answer: Answer = trivy_instructions.ask(
            image, memory=memory, workdir=work, timeout=60, trivy=program, isolation=None
        )
        assert list(work.iterdir()) == []
        return answer.found

    return ask


@pytest.fixture
def silent(tmp_path: Path) -> Program:
    """What goes for the real scanner and cannot be started."""
    return Program(script(tmp_path, "exit 9").path, trivy.find().identity)


@pytest.mark.parametrize(("user", "commands"), [("", 0), ("65532:65532", 1), ("root", 2)])
def test_the_answer_is_that_of_a_scan_of_the_whole_image(
    asked: Asked, layout: Path, tmp_path: Path, user: str, commands: int
) -> None:
    subject = tiny_image.write(layout, [tiny_image.DEBIAN, tiny_image.NEXT], user=user, command_after=commands)
    with make_room(tmp_path / "whole") as room:
        show(room, layout, subject)
        whole = parse(trivy_run.run(room, trivy.find(), WITH_LAYERS, timeout=60).stdout).misconfigurations
    assert asked(subject) == whole
    assert not isinstance(whole, NotChecked)
    assert bool(whole) == (user != "65532:65532")


def test_the_same_instructions_over_other_layers_are_not_asked_about_again(
    asked: Asked, layout: Path, kept: Path, silent: Program
) -> None:
    one, other = (tiny_image.write(layout, [{"file": text}], user="root") for text in ("one", "other"))
    assert one != other
    wanted = asked(one, kept)
    assert wanted
    assert asked(other, kept, silent) == asked(one, kept, silent) == wanted


def test_other_instructions_are_asked_about_and_only_the_last_answer_stays(
    asked: Asked, layout: Path, kept: Path, silent: Program
) -> None:
    root = tiny_image.write(layout, [tiny_image.DEBIAN], user="root")
    user = tiny_image.write(layout, [tiny_image.DEBIAN], user="65532:65532")
    assert asked(root, kept) != asked(user, kept) == ()
    assert len(list(kept.rglob("*.json"))) == 1
    with pytest.raises(ToolFailed):
        asked(root, kept, silent)


@pytest.mark.parametrize("harm", ["edited", "truncated", "another scanner's"])
def test_an_answer_that_cannot_be_believed_is_asked_for_again(
    asked: Asked, layout: Path, kept: Path, silent: Program, harm: str
) -> None:
    subject = tiny_image.write(layout, [tiny_image.DEBIAN], user="root")
    wanted = asked(subject, kept)
    (file,) = kept.rglob("*.json")
    text = file.read_text()
    match harm:
        case "edited":
            assert "HIGH" in text
            file.write_text(text.replace("HIGH", "LOW"))
        case "truncated":
            file.write_text(text[:-9])
        case _:
            silent = script(kept.parent, "exit 9")
    with pytest.raises(ToolFailed):
        asked(subject, kept, silent)
    assert asked(subject, kept) == wanted
