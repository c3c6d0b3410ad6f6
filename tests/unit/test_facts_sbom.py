"""The score of a bill of materials: which elements are counted, in either format, and what counts as nothing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagewright.facts.sbom import DOCUMENT_ELEMENTS, ELEMENTS, cyclonedx_coverage, spdx_coverage

FULL_CYCLONEDX = {
    "supplier": {"name": "Somebody"},
    "name": "jinja2",
    "version": "2.10",
    "purl": "pkg:pypi/jinja2@2.10",
    "hashes": [{"alg": "SHA-256", "content": "00"}],
    "licenses": [{"license": {"id": "MIT"}}],
}
FULL_SPDX = {
    "supplier": "Organization: Somebody",
    "name": "jinja2",
    "versionInfo": "2.10",
    "externalRefs": [{"referenceType": "purl", "referenceLocator": "pkg:pypi/jinja2@2.10"}],
    "checksums": [{"algorithm": "SHA256", "checksumValue": "00"}],
    "licenseConcluded": "MIT",
    "licenseDeclared": "NOASSERTION",
}


def cyclonedx(*components: dict[str, Any], alone: bool = False, **metadata: Any) -> dict[str, Any]:
    about = {"authors": [{"name": "A"}], "tools": {"components": [{"name": "t"}]}, "timestamp": "2026-11-20T00:00:00Z"}
    named = [{"type": "library", "bom-ref": str(index), **one} for index, one in enumerate(components)]
    edges = [] if alone else [{"ref": "root", "dependsOn": [one["bom-ref"] for one in named]}]
    known = {**about, "lifecycles": [{"phase": "post-build"}], **metadata}
    return {"metadata": known, "components": named, "dependencies": edges}


def spdx(*packages: dict[str, Any], alone: bool = False, **creation: Any) -> dict[str, Any]:
    about = {"creators": ["Person: A", "Tool: t-1"], "created": "2026-11-20T00:00:00Z", "comment": "post-build"}
    named = [{"SPDXID": f"SPDXRef-{index}", **one} for index, one in enumerate(packages)]
    edges = [("SPDXRef-root", "CONTAINS", str(one["SPDXID"])) for one in named if not alone]
    return {
        "creationInfo": {**about, **creation},
        "packages": named,
        "relationships": [
            {"spdxElementId": start, "relationshipType": kind, "relatedSpdxElement": end}
            for start, kind, end in [("SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-root"), *edges]
        ],
    }


BOTH = [
    pytest.param(cyclonedx_coverage, cyclonedx, FULL_CYCLONEDX, id="cyclonedx"),
    pytest.param(spdx_coverage, spdx, FULL_SPDX, id="spdx"),
]


@pytest.mark.parametrize(("coverage", "document", "full"), BOTH)
def test_a_document_that_has_everything_scores_a_hundred(coverage: Any, document: Any, full: dict[str, Any]) -> None:
    found = coverage(document(full, full))
    assert (found.components, found.score, found.missing, found.incomplete) == (2, 100, (), ())
    assert found.elements == tuple((name, 2) for name in ELEMENTS)


@pytest.mark.parametrize(("coverage", "document", "full"), BOTH)
def test_an_element_counts_for_the_components_that_have_it(coverage: Any, document: Any, full: dict[str, Any]) -> None:
    bare = {"name": "bare"}
    found = coverage(document(full, bare, alone=True))
    assert dict(found.elements) == {**dict.fromkeys(ELEMENTS, 1), "name": 2, "relationship": 0}
    assert (found.score, found.incomplete, found.missing) == (100 * 7 // 14, ("bare",), ("relationships",))


@pytest.mark.parametrize(("coverage", "document", "full"), BOTH)
def test_a_document_without_components_scores_nothing(coverage: Any, document: Any, full: dict[str, Any]) -> None:
    assert (coverage(document()).components, coverage(document()).score) == (0, 0)


@pytest.mark.parametrize("version", ["", None])
def test_an_empty_text_is_no_version(version: str | None) -> None:
    assert cyclonedx_coverage(cyclonedx({**FULL_CYCLONEDX, "version": version})).incomplete == ("jinja2",)
    assert spdx_coverage(spdx({**FULL_SPDX, "versionInfo": version})).incomplete == ("jinja2",)


@pytest.mark.parametrize("nothing", ["NOASSERTION", "NONE", ""])
def test_what_spdx_does_not_assert_is_nothing(nothing: str) -> None:
    bare = {**FULL_SPDX, "supplier": nothing, "licenseConcluded": nothing, "licenseDeclared": nothing}
    counted = dict(spdx_coverage(spdx(bare)).elements)
    assert (counted["supplier"], counted["licence"], counted["name"]) == (0, 0, 1)
    known = {**bare, "originator": "Person: B", "licenseDeclared": "MIT"}
    assert spdx_coverage(spdx(known)).score == 100


def test_a_reference_that_identifies_nothing_is_no_identifier() -> None:
    other = {"referenceType": "maven-central", "referenceLocator": "a:b:1"}
    assert spdx_coverage(spdx({**FULL_SPDX, "externalRefs": [other]})).incomplete == ("jinja2",)
    assert cyclonedx_coverage(cyclonedx({**FULL_CYCLONEDX, "purl": "", "cpe": "cpe:2.3:a:x"})).incomplete == ()


def test_the_distribution_and_files_that_list_packages_are_no_components() -> None:
    listing = {"name": "node.cdx.json", "properties": [{"name": "aquasecurity:trivy:Class", "value": "lang-pkgs"}]}
    system = {"type": "operating-system", "name": "debian", "version": "13"}
    assert cyclonedx_coverage(cyclonedx(FULL_CYCLONEDX, {"type": "application", **listing}, system)).components == 1
    notes = {"name": "node.cdx.json", "annotations": [{"comment": "Class: lang-pkgs"}]}
    others = [{"name": "x", "primaryPackagePurpose": purpose} for purpose in ("CONTAINER", "OPERATING-SYSTEM")]
    assert spdx_coverage(spdx(FULL_SPDX, notes, *others)).components == 1


def test_an_application_with_packages_of_its_own_is_a_component() -> None:
    assert cyclonedx_coverage(cyclonedx({**FULL_CYCLONEDX, "type": "application"})).components == 1


@pytest.mark.parametrize(
    ("key", "element"),
    [("authors", "author"), ("tools", "tool"), ("timestamp", "timestamp"), ("lifecycles", "context")],
)
def test_what_cyclonedx_does_not_say_of_itself_is_missing(key: str, element: str) -> None:
    silent: dict[str, Any] = {key: None}
    assert cyclonedx_coverage(cyclonedx(FULL_CYCLONEDX, **silent)).missing == (element,)


@pytest.mark.parametrize("key", ["manufacturer", "supplier"])
def test_an_organisation_may_be_the_author(key: str) -> None:
    signed: dict[str, Any] = {"authors": [], key: {"name": "A"}}
    assert cyclonedx_coverage(cyclonedx(FULL_CYCLONEDX, **signed)).missing == ()


@pytest.mark.parametrize(
    ("changes", "element"),
    [
        ({"creators": ["Tool: t-1"]}, "author"),
        ({"creators": ["Organization: A"]}, "tool"),
        ({"created": ""}, "timestamp"),
        ({"comment": ""}, "context"),
    ],
)
def test_what_spdx_does_not_say_of_itself_is_missing(changes: dict[str, Any], element: str) -> None:
    assert spdx_coverage(spdx(FULL_SPDX, **changes)).missing == (element,)


@given(st.lists(st.sets(st.sampled_from(sorted(FULL_CYCLONEDX))), min_size=1, max_size=8), st.booleans())
def test_the_score_is_the_share_of_what_is_there(kept: list[set[str]], alone: bool) -> None:
    components = [{"name": "", **{key: FULL_CYCLONEDX[key] for key in keys}} for keys in kept]
    found = cyclonedx_coverage(cyclonedx(*components, alone=alone))
    there = sum(map(len, kept)) + (0 if alone else len(kept))
    assert found.score == 100 * there // (len(kept) * len(ELEMENTS))
    assert set(found.missing) <= set(DOCUMENT_ELEMENTS)
