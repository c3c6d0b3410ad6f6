"""Records: read back exactly as written, and refused when anything about them is not what it should be."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imagewright.errors import EvidenceError
from imagewright.evidence import Evidence, canonical
from imagewright.model.findings import NotChecked, Scan
from imagewright.model.records import Build, Source
from imagewright.reference import Digest, Platform

SUBJECT = Digest.of(b"subject")
KEY = Digest.of(b"key")
BUILD = Build(
    SUBJECT, SUBJECT, "app", Platform("linux", "amd64"), Source("c" * 40, 7, False), (), (), KEY, "2026-01-02T03:04:05Z"
)

st.register_type_strategy(Digest, st.binary(max_size=4).map(Digest.of))
st.register_type_strategy(Platform, st.sampled_from([Platform("linux", "amd64"), Platform("linux", "arm", "v7")]))


@pytest.fixture
def evidence(tmp_path: Path) -> Evidence:
    return Evidence(tmp_path / "evidence")


def record(evidence: Evidence) -> Path:
    """A sound build record, and where it lies."""
    evidence.write(SUBJECT, "build", BUILD, key=KEY)
    return evidence.folder(SUBJECT) / "build.json"


def edit(path: Path, change: Callable[[dict[str, Any]], object], *, sign: bool = False) -> None:
    """Change a record by hand; ``sign`` puts its digest right again."""
    envelope = json.loads(path.read_bytes())
    change(envelope)
    if sign:
        zeros = f"sha256:{'0' * 64}"
        envelope["sha256"] = zeros
        envelope["sha256"] = str(Digest.of(json.dumps(envelope).encode()))
    path.write_text(json.dumps(envelope))


def refusal(evidence: Evidence) -> EvidenceError:
    with pytest.raises(EvidenceError) as caught:
        evidence.read(Build, SUBJECT, "build", hint="./inv build")
    assert caught.value.exit_code == 8
    assert caught.value.hint == "./inv build"
    return caught.value


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.builds(Build))
def test_any_build_reads_back_as_it_was_written(evidence: Evidence, value: Build) -> None:
    evidence.write(value.subject, "build", value, key=value.key)
    assert evidence.read(Build, value.subject, "build", hint="") == value


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.builds(Scan))
def test_any_scan_reads_back_as_it_was_written(evidence: Evidence, value: Scan) -> None:
    evidence.write(value.subject, "scan", value, key=KEY)
    assert evidence.read(Scan, value.subject, "scan", hint="") == value


def test_nothing_found_and_not_checked_are_told_apart(evidence: Evidence) -> None:
    scanner = {"name": "trivy", "version": "1", "sha256": None}
    common: dict[str, Any] = {"subject": str(SUBJECT), "scanner": scanner, "started_at": "", "isolation": ""}
    common |= {"database": {"reason": "none"}, "packages": [], "secrets": [], "misconfigurations": [], "licences": []}
    from imagewright import schema

    for written, value in (([], ()), ({"reason": "no database"}, NotChecked("no database"))):
        scan = schema.read(Scan, {**common, "vulnerabilities": written})
        evidence.write(SUBJECT, "scan", scan, key=KEY)
        assert evidence.read(Scan, SUBJECT, "scan", hint="").vulnerabilities == value


def test_a_record_names_its_schema_subject_and_key(evidence: Evidence) -> None:
    envelope = json.loads(record(evidence).read_bytes())
    assert list(envelope) == ["schema", "subject", "key", "sha256", "body"]
    assert (envelope["schema"], envelope["subject"]) == ("imagewright/build/v1", str(SUBJECT))
    assert evidence.has(SUBJECT, "build")
    assert evidence.key(SUBJECT, "build") == KEY


def test_a_missing_record_is_refused(evidence: Evidence) -> None:
    assert str(SUBJECT) in refusal(evidence).what
    assert not evidence.has(SUBJECT, "build")
    assert evidence.key(SUBJECT, "build") is None


def test_a_record_cut_short_anywhere_is_refused(evidence: Evidence) -> None:
    path = record(evidence)
    whole = path.read_bytes()
    for end in range(0, len(whole) - 2, 23):
        path.write_bytes(whole[:end])
        assert "cannot be trusted" in refusal(evidence).what


def test_a_flipped_byte_anywhere_is_refused_the_key_and_the_spaces_included(evidence: Evidence) -> None:
    path = record(evidence)
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        refusal(evidence)


def test_a_record_that_says_the_same_in_other_bytes_is_refused(evidence: Evidence) -> None:
    path = record(evidence)
    whole = path.read_bytes()
    for other in (whole + b" ", whole.replace(b'"sha256": "s', b'"sha256": "\\u0073'), whole.replace(b"\n", b"")):
        assert json.loads(other) == json.loads(whole)
        path.write_bytes(other)
        assert "changed after it was written" in refusal(evidence).why


def test_the_subjects_are_the_digests_something_is_known_of(evidence: Evidence) -> None:
    assert evidence.subjects() == ()
    record(evidence)
    assert evidence.subjects() == (SUBJECT,)


EDITS: dict[str, tuple[Callable[[dict[str, Any]], object], bool, str]] = {
    "an edited body": (lambda e: e["body"].update(image="other"), False, "changed after it was written"),
    "a key more in the body": (lambda e: e["body"].update(more=1), True, "more"),
    "a key less in the body": (lambda e: e["body"].pop("image"), True, "image"),
    "a value of another type": (lambda e: e["body"].update(bases=3), True, "bases"),
    "another key": (lambda e: e.update(key=str(SUBJECT)), False, "changed after it was written"),
    "a digest that is no text": (lambda e: e.update(sha256=3), False, "changed after it was written"),
    "another subject": (lambda e: e.update(subject=str(KEY)), False, f"about {KEY}"),
    "another kind": (lambda e: e.update(schema="imagewright/scan/v1"), False, "imagewright/scan/v1"),
    "a later version": (lambda e: e.update(schema="imagewright/build/v2"), False, "imagewright/build/v2"),
    "no digest": (lambda e: e.pop("sha256"), False, "sha256"),
    "no schema": (lambda e: e.pop("schema"), False, "schema"),
    "no body": (lambda e: e.pop("body"), True, "body"),
}


@pytest.mark.parametrize(("change", "sign", "why"), EDITS.values(), ids=EDITS.keys())
def test_a_record_that_was_edited_is_refused(
    evidence: Evidence, change: Callable[[dict[str, Any]], object], sign: bool, why: str
) -> None:
    edit(record(evidence), change, sign=sign)
    assert why in refusal(evidence).why


@pytest.mark.parametrize("junk", [b"", b"null", b"[]", b"3", b'"x"', b"\xff", b"{}", b"[" * 100_000], ids=range(8))
def test_a_file_that_is_no_record_is_refused_and_has_no_key(evidence: Evidence, junk: bytes) -> None:
    record(evidence).write_bytes(junk)
    refusal(evidence)
    assert evidence.key(SUBJECT, "build") is None


@pytest.mark.parametrize("junk", [None, 3, "abc", ["sha256"], str(KEY)[:-1]], ids=range(5))
def test_a_key_that_is_no_digest_is_no_key(evidence: Evidence, junk: object) -> None:
    edit(record(evidence), lambda envelope: envelope.update(key=junk))
    assert evidence.key(SUBJECT, "build") is None


def test_a_record_copied_to_another_digest_is_refused(evidence: Evidence) -> None:
    path = record(evidence)
    other = Digest.of(b"other")
    evidence.write_bytes(other, "build.json", path.read_bytes())
    with pytest.raises(EvidenceError, match="cannot be trusted"):
        evidence.read(Build, other, "build", hint="")


def test_writing_again_replaces_the_record(evidence: Evidence) -> None:
    record(evidence)
    later = Build(SUBJECT, SUBJECT, "later", BUILD.platform, BUILD.source, (), (), KEY, "")
    evidence.write(SUBJECT, "build", later, key=SUBJECT)
    assert evidence.read(Build, SUBJECT, "build", hint="") == later
    assert evidence.key(SUBJECT, "build") == SUBJECT
    assert [path.name for path in evidence.folder(SUBJECT).iterdir()] == ["build.json"]


def test_a_document_is_kept_as_it_is_beside_the_records(evidence: Evidence) -> None:
    path = evidence.write_bytes(SUBJECT, "sbom.cdx.json", b"\x00\xff")
    assert path == evidence.folder(SUBJECT) / "sbom.cdx.json"
    assert path.read_bytes() == b"\x00\xff"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=3), json_values, max_size=4))
def test_equal_values_have_equal_bytes(value: dict[str, Any]) -> None:
    assert canonical(value) == canonical(dict(reversed(value.items())))
    assert json.loads(canonical(value)) == value
