"""The HTML pages in a real browser: nothing is loaded, nothing overflows, nothing needs a script."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from imagewright.reports import FORMATS, index
from imagewright.reports.index import Absent, Entry
from tests.unit.reports.examples import EXAMPLES

pytestmark = pytest.mark.integration

PAGES = ("backend.html", "frontend.html", "index.html")
QUIET = ("--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-sync")


@pytest.fixture(scope="module")
def browser(chromium: Path) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", *QUIET])
        yield started
        started.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    for name, report in EXAMPLES.items():
        (folder / f"{name}.html").write_text(FORMATS["html"].render(report), encoding="utf-8")
    entries = [Entry(report, (("html", f"{name}.html"),)) for name, report in EXAMPLES.items()]
    (folder / "index.html").write_text(index.render(entries, [Absent("base", "the build failed")]), encoding="utf-8")
    return folder


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(java_script_enabled=False, viewport={"width": 1280, "height": 900})
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_loads_nothing_but_itself_and_its_security_policy_is_content(page: Page, pages: Path, name: str) -> None:
    requests: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    address = (pages / name).as_uri()
    page.goto(address)
    assert [url for url in requests if not url.startswith("data:")] == [address]
    assert complaints == []


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_never_scrolls_sideways(page: Page, pages: Path, name: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    page.goto((pages / name).as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("width", [390, 1100, 1280])
@pytest.mark.parametrize("name", PAGES)
def test_no_rule_id_is_broken_across_lines(page: Page, pages: Path, name: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    page.goto((pages / name).as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    shown = page.locator(".id").evaluate_all("ids => ids.map(id => [id.textContent, id.getClientRects().length])")
    assert len(shown) > 3
    assert [id for id, lines in shown if lines != 1] == []


def test_the_verdict_is_on_the_first_screen_of_a_phone_in_its_colour(page: Page, pages: Path) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto((pages / "backend.html").as_uri())
    verdict = page.locator("header .verdict")
    box = verdict.bounding_box()
    assert verdict.inner_text() == "Refused: 4 rules block"
    assert box is not None
    assert box["y"] + box["height"] < 300
    assert verdict.evaluate("element => getComputedStyle(element).color") == "rgb(179, 38, 30)"


def test_what_was_not_checked_is_never_green(page: Page, pages: Path) -> None:
    page.goto((pages / "frontend.html").as_uri())
    green = page.locator(".rule.pass .outcome").first.evaluate("element => getComputedStyle(element).color")
    for place in ("header .verdict", ".notice", ".rule.not-checked .outcome", ".figures .not-checked"):
        colours = page.locator(place).evaluate_all("all => all.map(element => getComputedStyle(element).color)")
        assert colours
        assert green not in colours


def test_a_rule_opens_without_a_script_and_what_blocks_is_open_already(page: Page, pages: Path) -> None:
    page.goto((pages / "backend.html").as_uri())
    assert page.locator("#rules").get_by_text("config.user is 0:0").is_visible()
    evidence = page.locator("#rules").get_by_text("/usr/bin/dash", exact=True)
    assert not evidence.is_visible()
    page.get_by_text("No shell in the final image").click()
    assert evidence.is_visible()


def test_the_page_follows_the_colour_scheme_of_its_reader(page: Page, pages: Path) -> None:
    page.goto((pages / "backend.html").as_uri())
    ground = "getComputedStyle(document.body).backgroundColor"
    page.emulate_media(color_scheme="light")
    light = page.evaluate(ground)
    page.emulate_media(color_scheme="dark")
    assert light != page.evaluate(ground)


def test_everything_folded_is_unfolded_in_print(page: Page, pages: Path) -> None:
    page.goto((pages / "backend.html").as_uri())
    assert not page.locator("#rules").get_by_text("/usr/bin/dash", exact=True).is_visible()
    assert not page.get_by_text("/usr/bin/bash", exact=True).is_visible()
    page.emulate_media(media="print")
    assert page.locator("#rules").get_by_text("/usr/bin/dash", exact=True).is_visible()
    assert page.get_by_text("/usr/bin/bash", exact=True).is_visible()


def test_bars_are_as_long_as_their_layers_are_large(page: Page, pages: Path) -> None:
    page.goto((pages / "backend.html").as_uri())
    widths = page.locator(".bar.uncompressed rect").evaluate_all(
        "all => all.map(bar => bar.getBoundingClientRect().width)"
    )
    layers = EXAMPLES["backend"].layers
    assert widths[1] / widths[0] == pytest.approx(layers[1].uncompressed / layers[0].uncompressed, rel=0.02)
    assert widths[5] / widths[0] == pytest.approx(layers[5].uncompressed / layers[0].uncompressed, rel=0.02)
