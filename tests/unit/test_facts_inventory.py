"""What an image is made of, who brought it, and what feeds and a second build say of it."""

from __future__ import annotations

import dataclasses
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagewright.facts import build_facts, to_document
from imagewright.model.definition import FeedFile
from imagewright.model.facts import Facts, canonical
from imagewright.model.feeds import EpssScore, Feeds
from imagewright.model.findings import LicenceFinding, Package, Secret
from imagewright.model.image import Contents, Layer
from imagewright.model.records import Build, Rebuild
from imagewright.reference import Digest
from tests.unit import factory
from tests.unit.factory import build, config, contents, definition, entry, inputs, lint, sboms, scan, vulnerability

BOTTOM, MIDDLE, TOP = (Digest.of(name) for name in (b"bottom", b"middle", b"top"))
EPSS = FeedFile("feeds/epss.csv.gz", Digest.of(b"epss"), date(2026, 11, 20))
KEV = FeedFile("feeds/kev.json", Digest.of(b"kev"), date(2026, 11, 19))


def layered(*files: Any, deleted: tuple[Any, ...] = ()) -> Contents:
    layers = tuple(Layer(Digest.of(b"gz"), diff, 1, 1, 1, "COPY") for diff in (BOTTOM, MIDDLE, TOP))
    return dataclasses.replace(contents(*files, deleted=deleted), layers=layers)


def facts_of(*, made: Build | None = None, of: Contents | None = None, **parts: Any) -> Facts:
    more = {key: parts.pop(key) for key in ("feeds", "rebuild") if key in parts}
    return build_facts(
        definition(), made or build(), config(), of or layered(), lint(), scan(**parts), sboms(), inputs(), **more
    )


def package(name: str, layer: Digest | None = None, **changes: Any) -> Package:
    return Package(name, "1", "language", "python-pkg", layer=layer, **changes)


def test_packages_are_listed_with_what_is_known_of_them_the_distributions_first() -> None:
    found = facts_of(
        made=build(base_layers=1),
        packages=(
            package("b", TOP, purl="pkg:pypi/b@1", path="/app/b", licenses=("MIT", "Apache-2.0")),
            package("a"),
            Package("zlib1g", "1:1.3", "os", "debian", layer=BOTTOM),
        ),
    ).packages
    assert (found.os, found.language) == (1, 2)
    assert [(one.name, one.layer, one.origin) for one in found.items] == [
        *(("zlib1g", 0, "base"), ("a", -1, ""), ("b", 2, "application")),
    ]
    last = found.items[-1]
    assert (last.version, last.package_class, last.type, last.purl) == ("1", "language", "python-pkg", "pkg:pypi/b@1")
    assert (last.path, last.licences) == ("/app/b", ("MIT", "Apache-2.0"))


@given(st.permutations([package("a"), package("a", path="/1"), package("a", path="/2"), package("b", TOP)]))
def test_packages_stand_in_one_order_whatever_the_scanners_is(packages: list[Package]) -> None:
    first = facts_of(packages=tuple(sorted(packages, key=repr)))
    assert canonical(to_document(facts_of(packages=tuple(packages)))) == canonical(to_document(first))


@pytest.mark.parametrize(
    ("base_layers", "origins"),
    [
        (-1, ("", "", "")),
        (0, ("application", "application", "application")),
        (2, ("base", "base", "application")),
        (3, ("base", "base", "base")),
    ],
)
def test_layers_know_who_brought_them(base_layers: int, origins: tuple[str, ...]) -> None:
    found = facts_of(made=build(base_layers=base_layers))
    assert tuple(layer.origin for layer in found.layers) == origins


def test_findings_and_files_know_who_brought_them() -> None:
    secret = Secret("aws", "AWS", "AWS key", "CRITICAL", "/a", 3)
    found = facts_of(
        made=build(base_layers=1),
        of=layered(entry("/bin/sh", mode=0o755), deleted=(entry("/root/.netrc", layer=1),)),
        vulnerabilities=(vulnerability(id="1", layer=BOTTOM), vulnerability(id="2", layer=TOP), vulnerability(id="3")),
        secrets=(dataclasses.replace(secret, layer=MIDDLE), dataclasses.replace(secret, line=4)),
    )
    assert [item.origin for item in found.vulnerabilities] == ["base", "application", ""]
    assert [item.origin for item in found.secrets] == ["application", ""]
    assert [file.origin for file in found.files.shells] == ["base"]
    assert [file.origin for file in found.files.secret_shaped] == ["application"]


def test_a_licence_comes_from_whoever_brought_the_package_unless_two_did() -> None:
    found = facts_of(
        made=build(base_layers=1),
        packages=(package("below", BOTTOM), package("twice", BOTTOM), package("twice", TOP, path="/app")),
        licences=tuple(LicenceFinding("MIT", "notice", "LOW", name) for name in ("below", "twice", "gone")),
    )
    assert {item.package: item.origin for item in found.licences} == {"below": "base", "twice": "", "gone": ""}


def test_a_severity_says_whose_it_is_and_what_others_say() -> None:
    item = vulnerability(severity_source="debian", severities=(("debian", "LOW"), ("nvd", "HIGH")))
    (found,) = facts_of(vulnerabilities=(item,)).vulnerabilities
    assert (found.severity_source, found.severity_by_source) == ("debian", {"debian": "LOW", "nvd": "HIGH"})


def test_feeds_are_joined_by_id() -> None:
    feeds = Feeds(EPSS, KEV, {"CVE-1": EpssScore(0.5, 0.9)}, {"CVE-2": "2026-12-01"})
    items = tuple(vulnerability(id=one) for one in ("CVE-1", "CVE-2", "GHSA-3"))
    found = facts_of(vulnerabilities=items, feeds=feeds)
    assert [(item.epss, item.epss_percentile, item.kev, item.kev_due) for item in found.vulnerabilities] == [
        (0.5, 0.9, False, ""),
        (-1.0, -1.0, True, "2026-12-01T00:00:00Z"),
        (-1.0, -1.0, False, ""),
    ]
    assert (found.feeds.epss.sha256, found.feeds.epss.date) == (str(EPSS.sha256), "2026-11-20T00:00:00Z")
    assert (found.feeds.kev.sha256, found.feeds.kev.date) == (str(KEV.sha256), "2026-11-19T00:00:00Z")
    assert (found.checks.epss.done, found.checks.kev.done) == (True, True)


def test_without_feeds_nobody_looked() -> None:
    found = facts_of(feeds=Feeds(kev=KEV))
    assert (found.checks.epss.done, found.checks.kev.done) == (False, True)
    assert "EPSS" in found.checks.epss.reason
    assert (found.feeds.epss.sha256, found.feeds.epss.date) == ("", "")
    assert {item.epss for item in found.vulnerabilities} == {-1.0}


def test_a_second_build_gives_the_same_or_names_the_files() -> None:
    again = Rebuild(factory.SUBJECT, factory.SUBJECT, (), "2026-11-20T12:00:00Z")
    other = dataclasses.replace(again, rebuilt=Digest.of(b"other"), differing=("/app/build-id",))
    assert facts_of(rebuild=again).rebuild.same
    found = facts_of(rebuild=other)
    assert (found.rebuild.same, found.rebuild.differing, found.checks.rebuild.done) == (False, ("/app/build-id",), True)


def test_without_a_second_build_nobody_knows() -> None:
    found = facts_of()
    assert not found.checks.rebuild.done
    assert "build --verify was not run" in found.checks.rebuild.reason


def test_a_bill_of_materials_brings_its_score() -> None:
    made = dataclasses.replace(sboms()[0], coverage=factory.coverage(incomplete=("jinja2",), score=40))
    found = build_facts(definition(), build(), config(), contents(), lint(), scan(), (made,), inputs()).sboms[0]
    assert (found.components, found.score, found.incomplete, found.missing) == (3, 40, ("jinja2",), ("author",))
    assert {one.name: one.components for one in found.elements}["licence"] == 2
