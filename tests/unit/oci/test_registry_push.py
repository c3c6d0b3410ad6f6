"""The order of a push, against a registry in memory that can fail at any call."""

from __future__ import annotations

import io
import json
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagewright.errors import ConfigurationError, EvidenceError, RegistryRefused
from imagewright.model.image import Descriptor
from imagewright.oci.push import BlobOutcome, ManifestItem, PushEvent, PushItem, push_images
from imagewright.oci.workers import side_by_side
from imagewright.reference import Digest, Reference

HOST = "registry.example"
OLD = Digest.of(b"what the tag stood for before")


class FakeRegistry:
    """A registry in memory: refuses manifests whose parts are missing, fails at the call it is told to."""

    registry = HOST

    def __init__(self, fail_at: int = -1) -> None:
        self.blobs: dict[str, set[Digest]] = {}
        self.manifests: dict[tuple[str, Digest], bytes] = {}
        self.tags: dict[tuple[str, str], Digest] = {}
        self.calls: list[str] = []
        self.cancelled = False
        self.writes_tags_as: Digest | None = None
        self._fail_at = fail_at
        self._lock = threading.Lock()

    def _call(self, name: str) -> None:
        with self._lock:
            self.calls.append(name)
            if len(self.calls) - 1 == self._fail_at:
                raise RegistryRefused("the registry is away", why="HTTP 503", hint="wait")

    def head_manifest(self, reference: Reference) -> Descriptor | None:
        self._call("head")
        digest = reference.digest or self.tags.get((reference.repository, reference.tag))
        if digest is None or (reference.digest and (reference.repository, digest) not in self.manifests):
            return None
        return Descriptor("", digest, 0)

    def get_manifest(self, reference: Reference) -> tuple[Descriptor, bytes]:
        self._call("read back")
        found = self.tags.get((reference.repository, reference.tag))
        if found is None:
            raise RegistryRefused("no such tag")
        return Descriptor("", found, 0), b""

    def put_manifest(self, repository: str, content: bytes, media_type: str, tag: str = "") -> Digest:
        self._call(f"tag {repository}:{tag}" if tag else f"manifest {repository}")
        for part in json.loads(content):
            digest = Digest.parse(part)
            assert digest in self.blobs.get(repository, ()) or (repository, digest) in self.manifests
        digest = Digest.of(content)
        self.manifests[repository, digest] = content
        if tag:
            self.tags[repository, tag] = self.writes_tags_as or digest
        return digest

    def upload_blob(
        self,
        repository: str,
        descriptor: Descriptor,
        open_blob: Callable[[], BinaryIO],
        mount_from: Sequence[str],
        on_bytes: Callable[[int], None],
    ) -> BlobOutcome:
        self._call(f"blob {repository}")
        assert repository not in mount_from
        there = self.blobs.setdefault(repository, set())
        if descriptor.digest in there:
            return "skipped"
        there.add(descriptor.digest)
        if any(descriptor.digest in self.blobs.get(source, ()) for source in mount_from):
            return "mounted"
        with open_blob() as file:
            on_bytes(len(file.read()))
        return "uploaded"

    def cancel(self) -> None:
        self.cancelled = True


CONTENTS = tuple(f"blob {number}".encode() * (number + 1) for number in range(5))
BY_DIGEST = {Digest.of(content): content for content in CONTENTS}


def open_blob(digest: Digest) -> BinaryIO:
    return io.BytesIO(BY_DIGEST[digest])


def item(repository: str, *platforms: tuple[int, ...], tags: tuple[str, ...] = ("latest",)) -> PushItem:
    """An image whose platforms hold the numbered blobs; an index on top when there are several."""
    manifests = [json.dumps([str(Digest.of(CONTENTS[blob])) for blob in blobs]).encode() for blobs in platforms]
    manifests = list(dict.fromkeys(manifests))
    if len(manifests) > 1:
        manifests.append(json.dumps([str(Digest.of(manifest)) for manifest in manifests]).encode())
    numbers = [blob for blobs in platforms for blob in blobs]
    return PushItem(
        repository=repository,
        root=Digest.of(manifests[-1]),
        manifests=tuple(ManifestItem(manifest, "a/b") for manifest in manifests),
        blobs=tuple(Descriptor("x", Digest.of(CONTENTS[n]), len(CONTENTS[n])) for n in numbers),
        tags=tags,
    )


ITEMS = st.lists(
    st.builds(
        lambda repository, platforms, tags: item(repository, *platforms, tags=tuple(tags)),
        st.sampled_from(["todo/one", "todo/two", "todo/three"]),
        st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=3).map(tuple), min_size=1, max_size=3),
        st.lists(st.sampled_from(["latest", "v1", "main"]), min_size=1, max_size=3),
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda image: image.repository,
)


@settings(max_examples=150, deadline=None)
@given(ITEMS, st.integers(0, 60))
def test_whatever_fails_no_tag_is_written_unless_everything_of_every_image_is_there(
    work: list[PushItem], fail_at: int
) -> None:
    registry = FakeRegistry(fail_at)
    registry.tags = {(image.repository, "latest"): OLD for image in work}
    before = dict(registry.tags)
    try:
        push_images(registry, work, open_blob)
    except RegistryRefused:
        pass
    else:
        assert all(registry.tags[image.repository, tag] == image.root for image in work for tag in image.tags)
    if registry.tags != before:
        for image in work:
            assert {blob.digest for blob in image.blobs} <= registry.blobs[image.repository]
            assert all((image.repository, manifest.digest) in registry.manifests for manifest in image.manifests)


@settings(max_examples=50, deadline=None)
@given(ITEMS, st.integers(0, 60))
def test_a_push_that_failed_anywhere_is_completed_by_the_next(work: list[PushItem], fail_at: int) -> None:
    registry = FakeRegistry(fail_at)
    try:
        push_images(registry, work, open_blob)
    except RegistryRefused:
        push_images(registry, work, open_blob)
    assert all(registry.tags[image.repository, tag] == image.root for image in work for tag in image.tags)


def test_blobs_go_first_then_manifests_then_tags_then_all_tags_are_read_back() -> None:
    registry = FakeRegistry()
    push_images(registry, [item("todo/one", (0, 1), (2,)), item("todo/two", (1, 3))], open_blob)
    kinds = list(dict.fromkeys(call.split()[0] for call in registry.calls if call != "head"))
    assert kinds == ["blob", "manifest", "tag", "read"]


def test_what_is_shared_is_sent_once_and_mounted_next_door() -> None:
    one, two = push_images(FakeRegistry(), [item("todo/one", (0, 1)), item("todo/two", (1, 3))], open_blob)
    assert (one.blobs_uploaded, one.blobs_mounted, one.blobs_skipped) == (2, 0, 0)
    assert (two.blobs_uploaded, two.blobs_mounted, two.blobs_skipped) == (1, 1, 0)
    assert two.bytes_sent == len(CONTENTS[3]) + len(item("todo/two", (1, 3)).manifests[0].content)


def test_a_repository_that_is_known_to_have_a_blob_lends_it() -> None:
    registry = FakeRegistry()
    registry.blobs["todo/base"] = {Digest.of(CONTENTS[0])}
    image = replace(item("todo/one", (0,)), mount_from=("todo/base", "todo/one"))
    assert push_images(registry, [image], open_blob)[0].blobs_mounted == 1


def test_a_second_push_writes_nothing_and_still_reads_the_tags_back() -> None:
    registry = FakeRegistry()
    work = [item("todo/one", (0, 1), tags=("latest", "v1"))]
    push_images(registry, work, open_blob)
    registry.calls.clear()
    events: list[PushEvent] = []
    pushed = push_images(registry, work, open_blob, events.append)
    assert pushed[0].bytes_sent == 0
    assert pushed[0].blobs_skipped == 2
    assert not [call for call in registry.calls if call.startswith(("tag", "manifest"))]
    assert registry.calls.count("read back") == 2
    assert [event.subject for event in events if event.kind == "unchanged"] == ["latest", "v1"]


def test_events_tell_every_byte_blob_manifest_and_tag() -> None:
    events: list[PushEvent] = []
    image = item("todo/one", (0, 1))
    push_images(FakeRegistry(), [image], open_blob, events.append)
    assert sum(event.size for event in events if event.kind == "sent") == sum(blob.size for blob in image.blobs)
    assert [event.kind for event in events if event.kind != "sent"] == ["uploaded", "uploaded", "manifest", "tagged"]


def test_a_tag_that_reads_back_as_something_else_is_refused() -> None:
    registry = FakeRegistry()
    registry.writes_tags_as = OLD
    with pytest.raises(RegistryRefused, match="does not stand for what was pushed") as caught:
        push_images(registry, [item("todo/one", (0,))], open_blob)
    assert str(OLD) in caught.value.why


def test_a_failure_between_two_tags_says_which_have_moved() -> None:
    work = [item("todo/one", (0,)), item("todo/two", (1,))]
    rehearsal = FakeRegistry()
    push_images(rehearsal, work, open_blob)
    registry = FakeRegistry(fail_at=rehearsal.calls.index("tag todo/two:latest"))
    with pytest.raises(RegistryRefused, match="the registry is away") as caught:
        push_images(registry, work, open_blob)
    assert "HTTP 503\nmoved: todo/one:latest\nnot moved: todo/two:latest" in caught.value.why


def test_two_images_that_want_one_tag_are_refused_before_anything_is_sent() -> None:
    registry = FakeRegistry()
    with pytest.raises(ConfigurationError, match="mistake"):
        push_images(registry, [item("todo/one", (0,)), item("todo/one", (1,))], open_blob)
    assert registry.calls == []


def test_manifests_that_are_not_those_of_the_root_are_refused_before_anything_is_sent() -> None:
    registry = FakeRegistry()
    with pytest.raises(EvidenceError, match="do not end in"):
        push_images(registry, [replace(item("todo/one", (0,)), root=OLD)], open_blob)
    assert registry.calls == []


def test_the_first_failure_cancels_the_other_transfers() -> None:
    registry = FakeRegistry(fail_at=0)
    with pytest.raises(RegistryRefused):
        push_images(registry, [item("todo/one", (0, 1, 2))], open_blob)
    assert registry.cancelled
    assert not registry.manifests


def test_jobs_side_by_side_give_their_results_in_order() -> None:
    jobs = [lambda number=number: number * number for number in range(20)]
    assert side_by_side(jobs, workers=4, cancel=lambda: None) == tuple(n * n for n in range(20))
    assert side_by_side([], workers=4, cancel=lambda: None) == ()


def test_an_interrupt_stops_the_workers_promptly_and_starts_no_further_job() -> None:
    cancelled, started = threading.Event(), threading.Semaphore(0)
    ran: list[int] = []

    def transfer(number: int) -> None:
        ran.append(number)
        started.release()
        assert cancelled.wait(10)

    def press() -> None:
        started.acquire()
        started.acquire()
        main = threading.main_thread().ident
        assert main is not None
        signal.pthread_kill(main, signal.SIGINT)

    threading.Thread(target=press, daemon=True).start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        side_by_side([partial(transfer, number) for number in range(9)], workers=2, cancel=cancelled.set)
    assert time.monotonic() - began < 2
    assert sorted(ran) == [0, 1]
