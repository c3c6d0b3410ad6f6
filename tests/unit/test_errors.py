"""The error tree: one exit code a class, as its drawing says, and messages of three parts."""

from __future__ import annotations

import re

import pytest

from imagewright import errors
from imagewright.errors import ConfigurationError, ImagewrightError, Problem, ToolFailed


def classes() -> list[type[ImagewrightError]]:
    found = [item for item in vars(errors).values() if isinstance(item, type) and issubclass(item, ImagewrightError)]
    assert len(found) > 5
    return found


def test_every_class_has_its_own_exit_code() -> None:
    codes = [error.exit_code for error in classes()]
    assert sorted(codes) == [1, 2, 3, 4, 5, 6, 7, 8, 130]


@pytest.mark.parametrize("error", classes(), ids=lambda error: error.__name__)
def test_the_drawing_at_the_top_tells_the_truth(error: type[ImagewrightError]) -> None:
    drawn = dict(re.findall(r"([A-Z]\w+) +(\d+)\b", errors.__doc__ or ""))
    assert drawn[error.__name__] == str(error.exit_code)


def test_a_message_says_what_why_and_what_next() -> None:
    error = ToolFailed("bake failed", why="step 1\nstep 2", hint="look at the Dockerfile")
    assert str(error) == "bake failed\n  step 1\n  step 2\n  help: look at the Dockerfile"


def test_a_message_without_why_and_hint_is_one_line() -> None:
    assert str(ToolFailed("bake failed")) == "bake failed"


def test_one_mistake_is_called_one() -> None:
    error = ConfigurationError([Problem("a.toml", "run.port", "must be a whole number")])
    assert str(error) == "the configuration has a mistake\n  a.toml: run.port: must be a whole number"


def test_several_mistakes_are_counted_and_all_shown() -> None:
    error = ConfigurationError(iter([Problem("a.toml", "x", "one"), Problem("b.toml", "", "two")]), hint="mend them")
    assert str(error).splitlines() == [
        "the configuration has 2 mistakes",
        "  a.toml: x: one",
        "  b.toml: two",
        "  help: mend them",
    ]
