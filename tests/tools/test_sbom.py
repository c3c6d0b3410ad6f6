from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from imagewright.errors import ToolFailed
from imagewright.reference import Digest
from imagewright.tools.trivy_sbom import FORMATS, Format, finish

RECORDED = Path(__file__).parent / "recorded"
SUBJECT = Digest.of(b"the image")
EPOCH = 1_760_000_000
CYCLONEDX, SPDX = FORMATS


def recorded(form: Format, run: int) -> bytes:
    short = "cdx" if form is CYCLONEDX else "spdx"
    return (RECORDED / f"trivy-{short}-{run}.json").read_bytes()


def document(form: Format, *, subject: Digest = SUBJECT) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(finish(recorded(form, 1), form, subject, name="backend", epoch=EPOCH)[1])
    return made


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
class TestEveryFormat:
    def test_two_real_runs_differ_and_become_the_same_bytes(self, form: Format) -> None:
        assert recorded(form, 1) != recorded(form, 2)
        first, second = (finish(recorded(form, run), form, SUBJECT, name="backend", epoch=EPOCH) for run in (1, 2))
        assert first == second

    def test_another_image_gets_other_identifiers(self, form: Format) -> None:
        other = document(form, subject=Digest.of(b"another image"))
        key = "serialNumber" if form is CYCLONEDX else "documentNamespace"
        assert other[key] != document(form)[key]

    def test_the_record_counts_packages_by_class_and_knows_the_bytes(self, form: Format) -> None:
        sbom, data = finish(recorded(form, 1), form, SUBJECT, name="backend", epoch=EPOCH)
        assert (sbom.os_packages, sbom.language_packages) == (1, 3)
        assert sbom.sha256 == Digest.of(data)
        assert (sbom.format, sbom.file) == (form.name, form.file)

    def test_no_trace_of_the_scan_is_left_but_the_scanner(self, form: Format) -> None:
        data = finish(recorded(form, 1), form, SUBJECT, name="backend", epoch=EPOCH)[1].decode()
        assert "2026-" not in data
        assert '"image"' not in data
        assert "2025-10-09T08:53:20" in data

    @pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b'{"metadata": 1, "packages": [1]}'])
    def test_a_document_that_is_none_is_a_failure(self, form: Format, raw: bytes) -> None:
        with pytest.raises(ToolFailed, match=form.name):
            finish(raw, form, SUBJECT, name="backend", epoch=EPOCH)


@pytest.mark.covers("SEC-025")
@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_real_documents_are_scored_alike_in_both_formats(form: Format) -> None:
    coverage = finish(recorded(form, 1), form, SUBJECT, name="backend", epoch=EPOCH)[0].coverage
    assert dict(coverage.elements) == {
        **{"supplier": 1, "name": 4, "version": 4, "identifier": 4, "relationship": 4, "hash": 0, "licence": 2},
    }
    assert (coverage.components, coverage.score, coverage.incomplete) == (4, 100 * 19 // 28, ())
    assert coverage.missing == (("author",) if form is CYCLONEDX else ())


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_a_document_says_in_which_context_it_was_made(form: Format) -> None:
    made = document(form)
    context = made["metadata"]["lifecycles"] if form is CYCLONEDX else made["creationInfo"]["comment"]
    assert "post-build" in str(context)


def test_cyclonedx_names_the_image_by_digest_and_its_graph_stays_whole() -> None:
    made = document(CYCLONEDX)
    root = made["metadata"]["component"]
    assert (root["name"], root["version"]) == ("backend", str(SUBJECT))
    assert root["hashes"] == [{"alg": "SHA-256", "content": SUBJECT.hex}]
    assert root["bom-ref"] == root["purl"] == f"pkg:oci/backend@sha256%3A{SUBJECT.hex}"
    known = {root["bom-ref"], *(component["bom-ref"] for component in made["components"])}
    refs = {dependency["ref"] for dependency in made["dependencies"]}
    targets = {target for dependency in made["dependencies"] for target in dependency["dependsOn"]}
    assert refs == known
    assert targets == known - {root["bom-ref"]}


def test_what_is_known_against_packages_stays_in_the_scan() -> None:
    assert b"CVE-2099-1001" in recorded(CYCLONEDX, 1).upper()
    assert b"CVE-2099-1001" in recorded(SPDX, 1).upper()
    for form in FORMATS:
        assert "CVE-" not in json.dumps(document(form)).upper()


def test_spdx_names_the_image_by_digest_and_describes_it() -> None:
    made = document(SPDX)
    root = made["packages"][0]
    assert (root["name"], root["versionInfo"]) == ("backend", str(SUBJECT))
    assert root["checksums"] == [{"algorithm": "SHA256", "checksumValue": SUBJECT.hex}]
    described = [
        item["relatedSpdxElement"] for item in made["relationships"] if item["relationshipType"] == "DESCRIBES"
    ]
    assert described == [root["SPDXID"]]


def test_every_relation_in_spdx_still_leads_somewhere() -> None:
    made = document(SPDX)
    ids = [package["SPDXID"] for package in made["packages"]]
    assert len(set(ids)) == len(ids)
    ends = {item[end] for item in made["relationships"] for end in ("spdxElementId", "relatedSpdxElement")}
    assert ends == {*ids, "SPDXRef-DOCUMENT"}


def test_packages_that_look_alike_keep_names_of_their_own() -> None:
    raw = json.loads(recorded(SPDX, 1))
    raw["packages"].append(raw["packages"][1] | {"SPDXID": "SPDXRef-Package-abc"})
    data = finish(json.dumps(raw).encode(), SPDX, SUBJECT, name="backend", epoch=EPOCH)[1]
    ids = [package["SPDXID"] for package in json.loads(data)["packages"]]
    assert len(set(ids)) == len(ids) == len(raw["packages"])
