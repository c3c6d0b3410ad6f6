"""When what is known of a layer may stand for it: only where the layer stands as it stood."""

from __future__ import annotations

from typing import Any

import pytest

from imagewright.reference import Digest
from imagewright.tools.trivy_layers import Layers, standings

ONE, TWO, THREE = (str(Digest.of(bytes([number]))) for number in range(3))
COPY, COMMAND = {"created_by": "COPY"}, {"created_by": "CMD", "empty_layer": True}


def stand(*layers: str, blobs: str = "", history: tuple[dict[str, Any], ...] = (COPY, COPY), **more: Any) -> Layers:
    named = [{"digest": f"{layer}{blobs}"} for layer in layers]
    return standings({"layers": named}, {"rootfs": {"diff_ids": list(layers)}, "history": list(history), **more})


def test_a_layer_stands_the_same_beside_another_neighbour_and_at_another_date() -> None:
    before = stand(ONE, TWO, created="yesterday", config={"Labels": {"revision": "1"}})
    assert before.agree(stand(ONE, THREE))
    assert before.agree(stand(THREE, TWO))
    assert before.agree(Layers())
    assert Layers().agree(before)


@pytest.mark.parametrize(
    "other",
    [
        stand(TWO, ONE),
        stand(ONE, TWO, THREE),
        stand(ONE, TWO, ONE),
        stand(ONE, THREE, blobs="compressed in another way"),
        stand(ONE, THREE, history=(COPY, COMMAND, COPY)),
        stand(ONE, THREE, history=({"created_by": "RUN"}, COPY)),
        stand(ONE, THREE, history=()),
    ],
)
def test_another_place_number_blob_or_history_is_another_standing(other: Layers) -> None:
    assert not stand(ONE, TWO).agree(other)
    assert not other.agree(stand(ONE, TWO))


def test_layers_of_two_images_are_known_together() -> None:
    both = stand(ONE, TWO).with_(stand(ONE, THREE))
    assert {layer for layer, _ in both.standings} == {ONE, TWO, THREE}
    assert both.agree(stand(THREE, TWO)) is False


def test_a_configuration_of_another_number_of_layers_is_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        standings({"layers": [{"digest": ONE}]}, {"rootfs": {"diff_ids": []}})
