"""Why a step is done again is said in sentences: which input, and how it differs."""

from __future__ import annotations

from imagewright import inputkey
from imagewright.reports.why import Step, reasons, render

HEX, OTHER = "ab" * 32, "cd" * 32


def changed(before: dict[str, str], after: dict[str, str]) -> tuple[str, ...]:
    return reasons(inputkey.changes(inputkey.of(before.items()), inputkey.of(after.items())))


def test_files_are_named_one_by_one_with_what_became_of_them() -> None:
    assert changed(
        {"file a": f"644 {HEX}", "file b": f"644 {HEX}", "file c": f"644 {HEX}", "link l": "a", "folder d": "755"},
        {"file a": f"644 {OTHER}", "file b": f"755 {HEX}", "file e": f"644 {HEX}", "link l": "b", "folder d": "700"},
    ) == (
        "file a changed",
        "file b changed its mode from 644 to 755",
        "file c is gone",
        "file e is new",
        "folder d changed its mode from 755 to 700",
        "link l leads elsewhere",
    )


def test_the_dockerfile_and_the_ignore_file_are_files() -> None:
    assert changed({"Dockerfile d": HEX, "ignore file i": HEX}, {"Dockerfile d": OTHER}) == (
        "Dockerfile d changed",
        "ignore file i is gone",
    )


def test_a_file_known_by_its_content_alone_changed_that_and_no_mode() -> None:
    assert changed({"file policies/p.toml": f"sha256:{HEX}"}, {"file policies/p.toml": f"sha256:{OTHER}"}) == (
        "file policies/p.toml changed",
    )


def test_values_are_shown_short_and_digests_as_people_compare_them() -> None:
    assert changed(
        {"argument A": "1", "base debian": f"sha256:{HEX}", "label L": "", "tool docker": "28", "image base": HEX},
        {
            "argument A": "x" * 80,
            "base debian": f"sha256:{OTHER}",
            "label L": "y",
            "tool docker": "29",
            "image base": "",
        },
    ) == (
        f"argument A changed from 1 to {'x' * 59}…",
        "base debian changed from sha256:abababababab to sha256:cdcdcdcdcdcd",
        "image base is another",
        "label L changed from nothing to y",
        "tool docker changed from 28 to 29",
    )


def test_a_digest_that_tells_nobody_anything_is_not_shown() -> None:
    before = {"record lint.json": HEX, "definition": HEX, "history": "none", "record rebuild.json": HEX}
    after = {"record lint.json": OTHER, "definition": OTHER, "history": HEX, "record sboms.json": HEX}
    assert changed(before, after) == (
        "definition is another",
        "history is another",
        "record lint.json is another",
        "record rebuild.json is gone",
        "record sboms.json is new",
    )


def test_a_name_cannot_write_on_the_terminal() -> None:
    (shown,) = changed({}, {"file \x1b[31mred\nline": f"644 {HEX}"})
    assert "\x1b" not in shown
    assert "\n" not in shown


def test_the_steps_of_an_image_stand_below_its_name() -> None:
    steps = (
        Step("app", "build", "again", ("file a changed", "argument A is new")),
        Step("app", "scan", "after", after="build"),
        Step("base", "build", "reused"),
    )
    assert render(steps) == (
        "app\n"
        "  build    again, because file a changed\n"
        "                      and argument A is new\n"
        "  scan     after the build\n"
        "base\n"
        "  build    reused"
    )


def test_no_step_is_no_text() -> None:
    assert render(()) == ""
