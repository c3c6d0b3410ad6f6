"""Whatever a registry loses of what was pushed is noticed by the next push, and made good by it."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest

from imagewright.model.image import Descriptor
from imagewright.oci.push import push_images
from imagewright.oci.standing import standing
from imagewright.reference import Reference
from tests.unit.oci.test_registry_push import OLD, FakeRegistry, item, open_blob

WORK = (item("one", (0, 1), (0, 2), tags=("main", "1.0")), item("two", (3, 4), tags=("main",)))
"""An image of two platforms below an index, with two tags, and one of a single platform."""
Harm = Callable[["Remembering"], object]


class Remembering(FakeRegistry):
    """A registry whose tags hold a copy of what they stand for, as some do: they outlive what they were made of."""

    def head_blob(self, repository: str, descriptor: Descriptor) -> bool:
        self._call("head blob")
        return descriptor.digest in self.blobs.get(repository, ())

    @property
    def holdings(self) -> object:
        return copy.deepcopy((self.blobs, self.manifests, self.tags))


def pushed() -> Remembering:
    registry = Remembering()
    push_images(registry, WORK, open_blob)
    registry.calls.clear()
    return registry


def test_what_stands_costs_a_question_for_each_tag_manifest_and_blob_and_nothing_else() -> None:
    registry = pushed()
    found = standing(registry, WORK)
    assert found is not None
    assert [(one.repository, one.tags, one.digest, one.bytes_sent) for one in found] == [
        ("one", ("main", "1.0"), WORK[0].root, 0),
        ("two", ("main",), WORK[1].root, 0),
    ]
    questions = ("head", "head blob")
    assert [registry.calls.count(question) for question in questions] == [3 + 3 + 1, 3 + 2]
    assert set(registry.calls) == set(questions)


def test_a_tag_that_is_away_or_elsewhere_is_all_that_is_asked_about() -> None:
    registry = pushed()
    registry.tags["two", "main"] = OLD
    assert standing(registry, WORK) is None
    assert registry.calls == ["head"] * 3


def _losses() -> dict[str, Harm]:
    """Everything of a pushed image, one by one: gone, and each tag also moved by somebody else."""
    whole = pushed()
    lost: dict[str, Harm] = {}
    for tag in whole.tags:
        lost[f"tag {tag}"] = lambda registry, tag=tag: registry.tags.pop(tag)  # type: ignore[misc]
        lost[f"tag {tag} moved"] = lambda registry, tag=tag: registry.tags.update({tag: OLD})  # type: ignore[misc]
    kinds = {image.root: "root" for image in WORK}
    for place in whole.manifests:
        name = f"{kinds.get(place[1], 'child')} {place[0]} {place[1].short}"
        lost[name] = lambda registry, place=place: registry.manifests.pop(place)  # type: ignore[misc]
    for repository, blobs in whole.blobs.items():
        for blob in sorted(blobs, key=str):
            name = f"blob {repository} {blob.short}"
            lost[name] = lambda registry, at=(repository, blob): registry.blobs[at[0]].remove(at[1])  # type: ignore[misc]
    return lost


LOSSES = _losses()


def test_each_kind_of_thing_is_lost_once() -> None:
    assert {name.split()[0] for name in LOSSES} == {"tag", "root", "child", "blob"}
    assert len(LOSSES) == 2 * 3 + (3 + 1) + (3 + 2)


@pytest.mark.parametrize("harm", LOSSES.values(), ids=LOSSES.keys())
def test_a_loss_is_noticed_and_the_push_after_it_makes_it_good(harm: Harm) -> None:
    registry = pushed()
    before = registry.holdings
    harm(registry)
    assert registry.holdings != before
    assert standing(registry, WORK) is None
    push_images(registry, WORK, open_blob)
    assert registry.holdings == before
    assert standing(registry, WORK) is not None


def test_a_tag_may_lead_to_a_root_that_its_digest_does_not_lead_to() -> None:
    """The fake is such a registry: without that, losing a root could not be told from losing its tags."""
    registry = pushed()
    del registry.manifests["two", WORK[1].root]
    assert registry.head_manifest(Reference(registry.registry, "two", "main")) is not None
