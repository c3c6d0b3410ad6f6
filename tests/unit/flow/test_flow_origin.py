"""Which layers came with the image in FROM: known where its history begins the image's own, else not claimed."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path

import pytest

from imagewright.evidence import Evidence
from imagewright.flow.origin import base_layers, layers_below
from imagewright.flow.workspace import Workspace
from imagewright.model.definition import ImageDefinition, Project, Settings
from imagewright.model.image import Descriptor, History, Manifest
from imagewright.model.records import Source, UsedBase
from imagewright.oci import parse
from imagewright.oci.layout import Store
from imagewright.plan import Context, Target
from imagewright.progress import Plain
from imagewright.reference import Digest
from imagewright.tools import cache
from tests.unit.factory import LAYER_TYPE, PLATFORM, config, definition

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
BASE = ("COPY /rootfs /", "#ENV PATH=/usr/bin", "RUN ldconfig")
"""History lines; those with # in front made no layer."""


def put(store: Store, history: tuple[str, ...], salt: str) -> Manifest:
    """An image of that history; ``salt`` gives its layers digests of their own, as a rebuilt base's have."""
    lines = [{"created_by": line.lstrip("#"), "empty_layer": line.startswith("#")} for line in history]
    made = [line for line in history if not line.startswith("#")]
    config = {
        "os": "linux",
        "architecture": "amd64",
        "rootfs": {"type": "layers", "diff_ids": [str(Digest.of(f"{salt} {line}".encode())) for line in made]},
        "history": lines,
    }
    data = json.dumps(config).encode()
    blobs = [store.put(f"{salt} {line}".encode()) for line in made]
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": CONFIG, "digest": str(store.put(data)), "size": len(data)},
        "layers": [{"mediaType": LAYER_TYPE, "digest": str(blob), "size": 1} for blob in blobs],
    }
    return parse.parse_manifest(store.read_blob(store.put(json.dumps(document).encode())))


def name(store: Store, manifest: Manifest, called: str) -> None:
    store.set_name(called, Descriptor(MANIFEST, manifest.digest, manifest.size))


class Bench:
    """A project with one image, whose Dockerfile and bases a test writes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.store = Store(root / "out/store")
        self.image: ImageDefinition = definition()
        (root / "dockerfiles").mkdir()

    def layers(self, recipe: str, history: tuple[str, ...], *bases: UsedBase) -> int:
        (self.root / self.image.dockerfile).write_text(recipe, "utf-8")
        project = Project(self.root, Settings(), (self.image,))
        out = self.root / "out"
        here = Workspace(project, {}, out, self.store, Evidence(out / "evidence"), Plain(io.StringIO()))
        target = Target(self.image, Source("0", 0, dirty=False), tuple(Context(base, "") for base in bases))
        return base_layers(here, target, PLATFORM, put(self.store, history, "image"))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


OWN = (*BASE, "COPY app /app", "#USER 65532:65532")


def test_the_layers_of_an_image_of_this_project_are_the_bases(bench: Bench) -> None:
    name(bench.store, put(bench.store, BASE, "base"), "base-python")
    assert bench.layers("FROM base-python\nCOPY app /app\n", OWN) == 2


def test_stages_in_between_are_the_applications_own(bench: Bench) -> None:
    name(bench.store, put(bench.store, BASE, "base"), "base-python")
    recipe = "FROM tools AS tools\nFROM base-python AS run\nRUN x\nFROM run\nCOPY --from=tools app /app\n"
    assert bench.layers(recipe, (*BASE, "RUN x", "COPY app /app")) == 2


def test_from_nothing_everything_is_the_applications(bench: Bench) -> None:
    assert bench.layers("FROM scratch\nCOPY app /app\n", ("COPY app /app",)) == 0


def test_an_assembled_base_is_looked_up_in_the_cache(bench: Bench) -> None:
    made = put(Store(cache.folder() / "bases"), ("mmdebstrap trixie",), "base")
    used = UsedBase("debian:trixie-slim", "bootstrap", made.digest, None)
    assert bench.layers("FROM debian:trixie-slim\nCOPY app /app\n", ("mmdebstrap trixie", "COPY app /app"), used) == 1


ELSEWHERE = UsedBase("debian:trixie-slim", "registry", Digest.of(b"elsewhere"), None)
GONE = UsedBase("debian:trixie-slim", "bootstrap", Digest.of(b"gone"), None)
RECIPE = "FROM debian:trixie-slim AS below\nCOPY app /app\nFROM below\nUSER 65532:65532\n"


@pytest.mark.parametrize("used", [ELSEWHERE, GONE], ids=["a registry's", "one no longer in the cache"])
def test_a_base_whose_bytes_are_not_here_is_what_stands_before_the_dockerfiles_own_lines(
    bench: Bench, used: UsedBase
) -> None:
    assert bench.layers(RECIPE, OWN, used) == 2
    assert bench.layers("FROM debian:trixie-slim\n", BASE, used) == 2


@pytest.mark.parametrize(
    "history",
    [
        pytest.param(OWN[:-1], id="a line too few"),
        pytest.param((*OWN, "#ENV A=1"), id="a line more at the end"),
        pytest.param((*BASE, "#USER 65532:65532", "COPY app /app"), id="another order"),
        pytest.param(("#USER 65532:65532",), id="shorter than the Dockerfile"),
        pytest.param((), id="none"),
    ],
)
def test_without_the_dockerfiles_own_lines_at_its_end_a_history_claims_nothing(
    bench: Bench, history: tuple[str, ...]
) -> None:
    assert bench.layers(RECIPE, history, ELSEWHERE) == -1


def test_a_history_that_leaves_out_layers_claims_nothing() -> None:
    image = config(history=(History("COPY app /app"),), diff_ids=(Digest.of(b"1"), Digest.of(b"2")))
    assert layers_below(["COPY"], image) == -1
    assert layers_below(["COPY"], dataclasses.replace(image, diff_ids=image.diff_ids[:1])) == 0


@pytest.mark.parametrize(
    "history",
    [
        pytest.param(("COPY app /app",), id="another history"),
        pytest.param((*BASE[:1], "COPY app /app"), id="a part of it"),
        pytest.param(("COPY app /app", *BASE), id="it stands above"),
        pytest.param((), id="none"),
    ],
)
def test_a_history_that_does_not_begin_with_the_bases_claims_nothing(bench: Bench, history: tuple[str, ...]) -> None:
    name(bench.store, put(bench.store, BASE, "base"), "base-python")
    assert bench.layers("FROM base-python\n", history) == -1


def test_a_name_made_of_a_variable_is_one_more_that_is_not_here(bench: Bench) -> None:
    assert bench.layers("ARG BASE=base-python\nFROM $BASE\nCOPY app /app\nUSER 65532:65532\n", OWN) == 2


def test_a_dockerfile_without_a_stage_claims_nothing(bench: Bench) -> None:
    assert bench.layers("", OWN) == -1
