"""What of an image's history the scanner is shown."""

from __future__ import annotations

from typing import Any

from imagewright.tools.trivy_view import without_bases

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
