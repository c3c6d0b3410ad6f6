"""Hostile text stays text: in HTML, in Markdown, in XML."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from importlib import resources
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagewright.model.findings import LintFinding, Package
from imagewright.model.judged import ImageReport
from imagewright.model.verdict import Outcome
from imagewright.reports import html, index, junit, markdown
from imagewright.reports.index import Absent, Entry
from tests.unit.reports.examples import EXAMPLES, HOSTILE, rule

BACKEND, FRONTEND = EXAMPLES["backend"], EXAMPLES["frontend"]
TEXTS = st.one_of(st.text(st.characters()), st.text("<>&\"'`|[]()\\*_~#:/@!\n\x00\x1b\udcff az", max_size=30))
ALLOWED_IN_MARKDOWN = re.compile(r"</?(?:details|summary|code)>|<details open>")


def infested(text: str) -> ImageReport:
    """A report with this text in every place that comes from an image, a tool or a policy."""
    beyond = replace(rule(text, text), outcome="not-checked", elsewhere=text)
    results = [
        replace(rule(text, text), outcome=outcome, message=text, remedy=text, evidence=(text,), waived_by=(text,))
        for outcome in ("fail", "not-checked", "warn", "waived", "pass")
    ]
    return replace(
        FRONTEND,
        layers=tuple(replace(layer, created_by=text) for layer in FRONTEND.layers),
        lint=replace(FRONTEND.lint, findings=(LintFinding(text, 1, 1, "info", text, text),)),
        scan=replace(FRONTEND.scan, packages=(Package(text, text, "os", text, text, text, (text,)),)),
        verdict=replace(FRONTEND.verdict, results=(*results, beyond), inapplicable=(text,)),
    )


class Outline(HTMLParser):
    """The tags and attributes a browser would see."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs


HARMLESS = Outline(html.render(infested("text")))


@settings(max_examples=60, deadline=None)
@given(TEXTS)
def test_no_text_changes_the_structure_of_the_page(text: str) -> None:
    outline = Outline(html.render(infested(f"text{text}")))
    assert [tag for tag in outline.tags if tag != "code"] == [tag for tag in HARMLESS.tags if tag != "code"]
    assert {name for name, _ in outline.attributes} == {name for name, _ in HARMLESS.attributes}


@given(TEXTS)
def test_no_text_becomes_markup_in_markdown(text: str) -> None:
    for shown in (markdown.words(text), markdown.code(text), markdown.prose(text)):
        bare = ALLOWED_IN_MARKDOWN.sub("", shown)
        assert "<" not in bare
        assert "|" not in bare
        assert "\n" not in bare
        assert not re.search(r"\]\(|https?://|www\.", re.sub(r"`[^`]*`", "", bare), re.IGNORECASE)


def test_markdown_has_only_its_own_tags() -> None:
    text = markdown.render(BACKEND)
    assert "<" not in ALLOWED_IN_MARKDOWN.sub("", text)
    assert text.count("<details") == text.count("</details>")


def test_every_row_of_a_markdown_table_has_as_many_cells_as_its_heading() -> None:
    for table in re.findall(r"(?:^\|.*\n)+", markdown.render(infested(HOSTILE)), re.MULTILINE):
        assert len({line.count("|") for line in table.splitlines()}) == 1


def test_markdown_stays_bounded_when_the_evidence_does_not() -> None:
    long = replace(rule("R-1", "long"), outcome="fail", evidence=tuple(f"/file-{n}" for n in range(5000)))
    text = markdown.render(replace(FRONTEND, verdict=replace(FRONTEND.verdict, results=(long,))))
    assert "… and 4900 more" in text


@settings(max_examples=60, deadline=None)
@given(TEXTS)
def test_no_text_breaks_the_xml(text: str) -> None:
    suites = ET.fromstring(junit.render(infested(text)))
    assert len(suites.findall("testsuite/testcase")) == 6


def test_what_was_not_checked_is_skipped_in_junit_and_what_blocks_fails() -> None:
    def case(outcome: Outcome, *, blocking: bool) -> ET.Element:
        result = replace(rule("R-1", "A rule"), outcome=outcome, blocking=blocking, message="because")
        report = replace(FRONTEND, verdict=replace(FRONTEND.verdict, results=(result,)))
        found = ET.fromstring(junit.render(report)).find("testsuite/testcase")
        assert found is not None
        return found

    assert [child.tag for child in case("not-checked", blocking=False)] == ["skipped"]
    assert [child.tag for child in case("not-checked", blocking=True)] == ["failure"]
    assert [child.tag for child in case("fail", blocking=True)] == ["failure"]
    assert [child.tag for child in case("warn", blocking=False)] == ["system-out"]
    assert [child.tag for child in case("pass", blocking=False)] == []


@pytest.mark.parametrize("page", [html.render(BACKEND), index.render([Entry(BACKEND, (("html", "a b/report.html"),))])])
def test_a_page_refers_to_nothing_outside_itself_and_runs_nothing(page: str) -> None:
    outline = Outline(page)
    assert not {"script", "img", "iframe", "object", "form", "base"} & set(outline.tags)
    assert not {"style", "src", "srcset", "action"} & {name for name, _ in outline.attributes}
    assert not [name for name, _ in outline.attributes if name.startswith("on")]
    assert not re.search(r"@import|url\(", page)


def test_only_web_addresses_are_linked_and_without_an_opener() -> None:
    page = html.render(BACKEND)
    assert 'href="javascript' not in page
    links = re.findall(r'<a href="([^"#][^"]*)"([^>]*)>', page)
    assert len(links) == 7
    assert all(url.startswith("https://") and rest == ' rel="noopener noreferrer"' for url, rest in links)


def test_the_security_policy_allows_only_the_style_sheet_of_the_page() -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html.render(BACKEND))
    assert policy is not None
    assert policy[1].startswith("default-src &#39;none&#39;" if "&#39;" in policy[1] else "default-src 'none'")
    assert "unsafe" not in policy[1]


def test_the_index_counts_an_image_without_a_report_as_bad() -> None:
    assert '<body class="refused">' in index.render([Entry(FRONTEND, ())], [Absent("base", "the build failed")])
    assert '<body class="incomplete">' in index.render([Entry(FRONTEND, ())])
    assert "No image was judged" in index.render([])


def test_every_colour_of_text_has_enough_contrast() -> None:
    style = resources.files("imagewright.reports").joinpath("style.css").read_text(encoding="utf-8")
    for block in re.findall(r":root \{([^}]*--ink[^}]*)\}", style):
        colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", block))
        for text in ("ink", "quiet", "fail", "warn", "waived", "not-checked", "pass"):
            for ground in ("paper", "card"):
                assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2.2."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
