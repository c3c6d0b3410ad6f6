"""All formats at once: registered, golden, deterministic, and honest about what nobody checked."""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import re
from dataclasses import replace
from pathlib import Path

import pytest

from imagewright import reports
from imagewright.model.findings import NotChecked
from imagewright.reports import FORMATS, index
from imagewright.reports.index import Absent, Entry
from tests.unit.reports.examples import EXAMPLES, NO_DATABASE

GOLDEN = Path(__file__).parents[2] / "golden" / "reports"
SHARED = {"gaps", "gating", "index", "provenance", "rules", "sarif_findings", "terminal", "units", "view", "why"}
EVERY_FORMAT = pytest.mark.parametrize("name", FORMATS)
WHOLE_FORMAT = pytest.mark.parametrize("name", [name for name, form in FORMATS.items() if form.whole])
EVERY_EXAMPLE = pytest.mark.parametrize("example", EXAMPLES)


def golden(name: str, text: str) -> None:
    """Compare with the golden file; with UPDATE_GOLDEN=1 in the environment, write it instead."""
    path = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN") == "1":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    assert text == path.read_bytes().decode(), f"{name} differs; UPDATE_GOLDEN=1 writes it anew"


def entries() -> tuple[Entry, ...]:
    return tuple(
        Entry(report, tuple((name, f"{image}/{form.file}") for name, form in FORMATS.items() if form.render(report)))
        for image, report in EXAMPLES.items()
    )


@EVERY_EXAMPLE
@EVERY_FORMAT
def test_every_format_matches_its_golden_file(name: str, example: str) -> None:
    text = FORMATS[name].render(EXAMPLES[example])
    assert text or not FORMATS[name].whole
    if text:
        golden(f"{example}/{FORMATS[name].file}", text)


def test_the_index_matches_its_golden_file() -> None:
    golden("index.html", index.render(entries(), [Absent("base-node", "the build failed at step 4 of 9")]))


@EVERY_EXAMPLE
@EVERY_FORMAT
def test_the_same_input_gives_the_same_bytes(name: str, example: str) -> None:
    render = FORMATS[name].render
    assert render(EXAMPLES[example]).encode() == render(EXAMPLES[example]).encode()


def test_every_module_is_registered_or_a_known_helper() -> None:
    registered = {form.module for form in FORMATS.values()}
    modules = {module.name for module in pkgutil.iter_modules(reports.__path__)}
    assert modules == registered | SHARED
    assert not registered & SHARED
    for name in registered:
        assert importlib.import_module(f"imagewright.reports.{name}").__doc__


def test_no_two_formats_share_a_file() -> None:
    assert len({form.file for form in FORMATS.values()}) == len(FORMATS)


@WHOLE_FORMAT
def test_every_format_says_that_vulnerabilities_were_not_checked_and_why(name: str) -> None:
    text = FORMATS[name].render(EXAMPLES["frontend"])
    if name == "json":
        assert json.loads(text)["findings"]["vulnerabilities"] == {"checked": False, "reason": NO_DATABASE}
    else:
        assert f"vulnerabilities: not checked ({NO_DATABASE})" in text


def test_the_index_says_that_vulnerabilities_were_not_checked_and_why() -> None:
    text = index.render(entries())
    assert '<dt>vulnerabilities</dt><dd><span class="not-checked"><a href="#gaps">not checked</a></span></dd>' in text
    assert text.count(NO_DATABASE) == 1
    assert text.index('id="gaps"') < text.index(NO_DATABASE)


def test_the_index_names_a_part_of_a_scan_that_no_rule_asked_for() -> None:
    """No rule is left open by it, so it is in no list of causes."""
    unasked = replace(EXAMPLES["backend"].scan, licences=NotChecked("switched off"))
    text = index.render([Entry(replace(EXAMPLES["backend"], scan=unasked), ())])
    assert "licences: not checked (switched off)" in text


@EVERY_EXAMPLE
@WHOLE_FORMAT
def test_every_format_shows_every_rule_every_package_and_where_it_all_comes_from(name: str, example: str) -> None:
    report = EXAMPLES[example]
    text = " ".join(FORMATS[name].render(report).split())
    verdict, scan, build = report.verdict, report.scan, report.build
    bases = (base.digest for base in build.bases)
    digests = (build.subject, build.key, verdict.policy, verdict.facts, scan.scanner.sha256, *bases)
    wanted = [
        *(result.rule for result in verdict.results),
        *(package.name for package in scan.packages),
        *(sbom.file for sbom in report.sboms),
        *map(str, digests),
        build.source.revision,
        scan.isolation,
        scan.scanner.version,
        verdict.profile,
        verdict.date,
    ]
    assert [item for item in wanted if item not in text] == []


@WHOLE_FORMAT
def test_every_format_names_the_rules_that_do_not_concern_the_image_and_what_would_check_the_others(name: str) -> None:
    text = FORMATS[name].render(EXAMPLES["backend"])
    for words in (*EXAMPLES["backend"].verdict.inapplicable, "SEC-032", "the admission policy of the cluster"):
        assert words in text
    if name == "json":
        verdict = json.loads(text)["verdict"]
        assert verdict["inapplicable"] == ["FE-005", "FE-011"]
        assert [rule["rule"] for rule in verdict["rules"] if rule["elsewhere"]] == ["SEC-032"]
        assert "not-checked" not in verdict["outcomes"]


def test_the_index_names_them_too() -> None:
    words = " ".join(re.sub(r"<[^>]+>", "", index.render(entries())).split())
    assert "2 rules do not concern this image FE-005, FE-011" in words
    assert "1 rule not checked here: no image shows it SEC-032" in words


@WHOLE_FORMAT
def test_the_verdict_comes_before_anything_else_that_is_said(name: str) -> None:
    text = FORMATS[name].render(EXAMPLES["backend"])
    assert 0 <= text.index("Refused: 4 rules block") < text.index("SEC-001")


@EVERY_EXAMPLE
@EVERY_FORMAT
def test_no_format_lets_a_control_character_or_a_broken_one_through(name: str, example: str) -> None:
    text = FORMATS[name].render(EXAMPLES[example])
    assert text.encode() or not FORMATS[name].whole
    assert not {"\x00", "\x1b", "\u202e"} & set(text)
