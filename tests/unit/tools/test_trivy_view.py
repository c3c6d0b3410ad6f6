"""What of an image's history the scanner is shown."""

from __future__ import annotations

from typing import Any

import pytest

from imagewright.tools.trivy_view import _instructions, without_bases

LAYER = {"created_by": "COPY . . # buildkit"}
BELOW: dict[str, Any] = {"created_by": 'CMD ["python3"]', "empty_layer": True}
OLDER: dict[str, Any] = {"created_by": '/bin/sh -c #(nop)  CMD ["bash"]', "empty_layer": True}
USER: dict[str, Any] = {"created_by": "USER 65532:65532", "empty_layer": True}


def test_commands_below_the_last_layer_go_and_the_images_own_stays() -> None:
    assert without_bases([LAYER, USER, BELOW, LAYER, OLDER, LAYER, USER, BELOW]) == [
        *(LAYER, USER, LAYER, LAYER, USER, BELOW),
    ]


def test_a_history_without_layers_or_of_another_shape_is_left_alone() -> None:
    for history in ([], [USER, BELOW], ["not an object"], [{"created_by": "CMD x"}]):
        assert without_bases(history) == history


def instructions(layers: int = 1, **changes: Any) -> dict[str, Any]:
    """What the scanner is asked about for an image of so many layers."""
    said = {"User": "65532", "Env": ["PATH=/bin"], "Labels": {"revision": "1"}, "Healthcheck": {"Test": ["CMD", "x"]}}
    history = [{**line, "created": "yesterday"} for line in (*[LAYER] * 2, USER)]
    plain = {"os": "linux", "created": "yesterday", "config": said, "history": history}
    return _instructions({**plain, "rootfs": {"diff_ids": ["sha256:0"] * layers}, **changes})


def test_instructions_stay_what_they_are_at_another_date_over_other_layers_and_with_other_labels() -> None:
    said = {"User": "65532", "Env": ["PATH=/bin"], "Labels": {}, "Healthcheck": {"Test": ["CMD", "x"]}}
    others = instructions(layers=3, created="today", config=said, history=[LAYER, LAYER, USER])
    assert instructions() == others


@pytest.mark.parametrize(
    "change",
    [
        {"history": [LAYER, USER]},
        {"history": [LAYER, LAYER, {**USER, "created_by": "USER root"}]},
        {"history": [LAYER, LAYER, {"created_by": USER["created_by"]}]},
        {"config": {"User": "root"}},
        {"config": None},
        {"os": "windows"},
    ],
)
def test_another_history_user_or_machine_are_other_instructions(change: dict[str, Any]) -> None:
    assert instructions(**change) != instructions()
