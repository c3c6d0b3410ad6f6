"""The layer walk against a model so simple that it is right: a dictionary, and one rule at a time."""

from __future__ import annotations

import tarfile
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from imagewright.model.image import Contents
from imagewright.oci.layers import walk
from tests.unit.factory import Blobs, member, tar

NAMES = st.sampled_from(["a", "b", "ab"])
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)


@dataclass(frozen=True)
class Step:
    kind: str  # file, directory, whiteout, opaque
    path: str
    size: int


LAYERS = st.lists(
    st.lists(st.builds(Step, st.sampled_from(["file", "directory", "whiteout", "opaque"]), PATHS, st.integers(0, 9))),
    min_size=1,
    max_size=4,
)


def as_tar(steps: list[Step]) -> bytes:
    def one(step: Step) -> tuple[tarfile.TarInfo, bytes]:
        folder, slash, name = step.path.rpartition("/")
        if step.kind == "whiteout":
            return member(f"{folder}{slash}.wh.{name}")
        if step.kind == "opaque":
            return member(f"{step.path}/.wh..wh..opq")
        if step.kind == "directory":
            return member(step.path, type=tarfile.DIRTYPE)
        return member(step.path, b"x" * step.size)

    return tar(map(one, steps))


def expected(layers: list[list[Step]]) -> dict[str, tuple[str, int, int]]:
    """path → kind, size, layer of the final file system."""
    final: dict[str, tuple[str, int, int]] = {}
    for number, steps in enumerate(layers):
        own = {step.path: step for step in steps if step.kind in ("file", "directory")}
        for step in steps:
            if step.kind == "whiteout":
                final = {path: at for path, at in final.items() if not (path + "/").startswith(step.path + "/")}
            elif step.kind == "opaque":
                final = {path: at for path, at in final.items() if not path.startswith(step.path + "/")}
        for path, step in own.items():
            if step.kind == "file" and path in final:
                final = {other: at for other, at in final.items() if not (other + "/").startswith(path + "/")}
        for path, step in own.items():
            final[path] = (step.kind, step.size if step.kind == "file" else 0, number)
    return final


def walked(layers: list[list[Step]]) -> Contents:
    blobs = Blobs(*map(as_tar, layers))
    return walk(blobs.manifest, blobs.config, blobs.open)


@given(LAYERS)
def test_the_final_file_system_is_the_models(layers: list[list[Step]]) -> None:
    found = {entry.path[1:]: (entry.kind, entry.size, entry.layer) for entry in walked(layers).final}
    assert found == expected(layers)


@given(LAYERS)
def test_no_file_of_any_layer_is_lost_from_sight(layers: list[list[Step]]) -> None:
    contents = walked(layers)
    files = sorted(
        (f"/{step.path}", number, step.size)
        for number, steps in enumerate(layers)
        for step in steps
        if step.kind == "file"
    )
    found = sorted(
        (entry.path, entry.layer, entry.size) for entry in (*contents.final, *contents.deleted) if entry.kind == "file"
    )
    assert found == files


@given(LAYERS)
def test_the_walk_gives_the_same_every_time_and_in_order(layers: list[list[Step]]) -> None:
    contents = walked(layers)
    assert contents == walked(layers)
    assert [entry.path for entry in contents.final] == sorted(entry.path for entry in contents.final)
