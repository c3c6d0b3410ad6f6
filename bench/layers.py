"""How much work the walk over very many files is, against reading and decompressing the same blobs; and the memory.

    PYTHONPATH=src:. python bench/layers.py [--files 100000] [--runs 3]

Time is that of the processor, the disk's left out. Each run is a process of its own, so that its memory is its own;
Linux and macOS only.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import multiprocessing
import resource
import statistics
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from imagewright.facts.files import notable_files
from imagewright.model.image import Descriptor, HealthCheck, History, ImageConfig, Manifest
from imagewright.model.records import Build, Source
from imagewright.oci.layers import walk
from imagewright.oci.layout import Store
from imagewright.oci.listing import lister, remembered
from imagewright.reference import Digest, Platform

_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_A_FOLDER_HOLDS = 1000
_TEXT = b"A hundred thousand of these are an image that somebody forgot to clean up.\n"
_MEBIBYTE = 1 << 20
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True, slots=True)
class Cost:
    """Processor seconds of one run, and bytes by which the most memory in use grew meanwhile."""

    seconds: float
    memory: int


@dataclass(frozen=True, slots=True)
class Sample:
    """An image in a store."""

    store: Store
    manifest: Manifest
    config: ImageConfig


def sample(folder: Path, files: int) -> Sample:
    """An image of two layers with that many files together, the second replacing a tenth of the first."""
    store = Store(folder)
    names = [f"srv/{number // _A_FOLDER_HOLDS:04}/file{number:07}.txt" for number in range(files)]
    made = [_layer(store, names), _layer(store, names[::10])]
    config = ImageConfig(
        platform=Platform("linux", "amd64"),
        user="65532:65532",
        created="",
        working_dir="/srv",
        entrypoint=(),
        cmd=(),
        env=(),
        labels=(),
        ports=(),
        volumes=(),
        healthcheck=HealthCheck(()),
        stop_signal="",
        diff_ids=tuple(diff_id for _, diff_id in made),
        history=(History("COPY"), History("COPY")),
    )
    nothing = store.put(b"{}")
    kind = "application/vnd.oci.image"
    described = Descriptor(f"{kind}.config.v1+json", nothing, 2)
    manifest = Manifest(nothing, f"{kind}.manifest.v1+json", 2, described, tuple(layer for layer, _ in made))
    return Sample(store, manifest, config)


def _layer(store: Store, names: Sequence[str]) -> tuple[Descriptor, Digest]:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = len(_TEXT)
            archive.addfile(member, io.BytesIO(_TEXT))
    blob = gzip.compress(buffer.getvalue(), 6, mtime=0)
    return Descriptor(_LAYER, store.put(blob), len(blob)), Digest.of(buffer.getvalue())


def read_only(image: Sample) -> None:
    """Decompress and hash every layer, and look at nothing."""
    for layer in image.manifest.layers:
        digest = hashlib.sha256()
        with image.store.open_blob(layer.digest) as blob, gzip.GzipFile(fileobj=blob) as stream:
            while chunk := stream.read(1 << 18):
                digest.update(chunk)


def walked(image: Sample) -> None:
    """The walk: every entry of every layer."""
    walk(image.manifest, image.config, lister(image.store.open_blob))


def remembered_walk(image: Sample) -> None:
    """The walk over layers that were read before."""
    walk(image.manifest, image.config, remembered(image.store.root / "listings", lister(image.store.open_blob)))


def judged(image: Sample) -> None:
    """The walk, and the search for files a rule should hear about."""
    digest, platform = image.manifest.digest, image.config.platform
    build = Build(digest, digest, "sample", platform, Source("", 0, dirty=False), (), (), digest, "")
    notable_files(walk(image.manifest, image.config, lister(image.store.open_blob)), image.config, (), build)


def cost(work: Callable[[Sample], None], image: Sample) -> Cost:
    """What one run costs, in a process of its own."""
    # NOTE: forked, a child begins with this process's memory, and what it grows by is the work's.
    with multiprocessing.get_context("fork").Pool(1) as pool:
        return pool.apply(_cost, (work, image))


def _cost(work: Callable[[Sample], None], image: Sample) -> Cost:
    before, start = _most_memory(), time.process_time()
    work(image)
    return Cost(time.process_time() - start, _most_memory() - before)


def _most_memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT


def line(name: str, costs: Sequence[Cost]) -> str:
    """The median, least and most of several runs."""
    seconds = [one.seconds for one in costs]
    memory = statistics.median(one.memory for one in costs) / _MEBIBYTE
    spread = f"{min(seconds):.2f} to {max(seconds):.2f} s in {len(costs)} runs"
    return f"{name}: median {statistics.median(seconds):.2f} s, {spread}, {memory:.0f} MiB"


def main(arguments: Sequence[str]) -> None:
    """Print what reading, walking and judging cost."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=3)
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        image = sample(Path(folder), chosen.files)
        remembered_walk(image)
        works = (
            *(("read", read_only), ("walk", walked)),
            *(("walk over remembered layers", remembered_walk), ("walk and facts", judged)),
        )
        for name, work in works:
            costs = [cost(work, image) for _ in range(max(1, chosen.runs))]
            sys.stdout.write(f"{line(f'{name} {chosen.files} files', costs)}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
