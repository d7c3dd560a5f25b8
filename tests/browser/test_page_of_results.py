"""The page of results in a browser: it opens alone, its numbers tell where they are from, it fits."""

from __future__ import annotations

import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page

from headct.contracts.repository import REPOSITORY
from headct.publish.page import page as page_of_results
from support import accessibility, page_study
from support.browser import VIEWS

BUNDLE = REPOSITORY / "workflow/page/bundle"
STUDY = page_study.Study(failed=1)

WIDTHS = (390, 768, 1280, 1920)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a small study, away from all its other files."""
    if not (BUNDLE / "index.js").is_file():
        pytest.skip("the page's scripts are not bundled: make environment")
    results = page_study.make(tmp_path_factory.mktemp("study"), STUDY)
    made = results / "report/index.html"
    page_of_results.main(results=results, labels=STUDY.written, bundle=BUNDLE, out=made)
    return Path(shutil.copy(made, tmp_path_factory.mktemp("alone")))


def test_it_opens_alone_without_an_error(index: Path, page: Page) -> None:
    page.goto(index.as_uri())
    assert page.title() == "edge-1: results"
    for title in ("Read this first", "Leader board", "Provenance"):
        assert page.get_by_role("heading", name=title, exact=True).is_visible()


@pytest.mark.parametrize("width", WIDTHS)
def test_no_section_is_wider_than_the_window(index: Path, page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(index.as_uri())
    beyond = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert beyond == 0


def test_a_number_tells_where_it_is_from(index: Path, page: Page) -> None:
    page.goto(index.as_uri())
    number = page.locator("#leader-board data.from[value]").first
    number.click()
    told = page.locator("#where")
    assert told.is_visible()
    for part in ("data-file", "data-column", "value"):
        assert str(number.get_attribute(part)) in told.inner_text()
    page.keyboard.press("Escape")
    assert told.is_hidden()


def focused(page: Page) -> Locator:
    return page.locator(":focus")


def test_keys_lead_from_number_to_number(index: Path, page: Page) -> None:
    page.goto(index.as_uri())
    board = page.locator("#leader-board table").first
    page.locator("#leader-board").evaluate("section => { section.tabIndex = -1; section.focus(); }")
    page.keyboard.press("Tab")
    first, second = (board.locator("tbody tr").nth(row).locator("td").first for row in (0, 1))
    assert first.locator(":focus").count() == 1
    for key, cell in (("ArrowDown", second), ("ArrowUp", first), ("End", board), ("Home", first)):
        page.keyboard.press(key)
        number = cell.locator(":focus")
        assert number.count() == 1, key
        assert str(number.get_attribute("data-column")) in page.locator("#where").inner_text()
    page.keyboard.press("ArrowRight")
    assert first.locator("xpath=following-sibling::td[1]").locator(":focus").count() == 1
    for _ in range(3):  # to its ends, and no further
        page.keyboard.press("ArrowLeft")
    assert first.locator(":focus").count() == 1
    page.keyboard.press("Escape")
    assert page.locator("#where").is_hidden()
    page.keyboard.press("Enter")
    assert page.locator("#where").is_visible()
    page.keyboard.press("Tab")
    assert page.locator("#where").is_hidden() or focused(page).evaluate("number => number.matches('.from')")
    assert board.locator(":focus").count() == 0, "one stop of a table"


def test_a_number_that_has_the_focus_is_not_behind_what_is_told(index: Path, page: Page) -> None:
    page.goto(index.as_uri())
    page.locator("#methods data.from").first.focus()
    numbers = page.locator("#methods data.from").count()
    assert numbers > 10
    for _ in range(10):
        page.keyboard.press("ArrowDown")
        number, told = focused(page).bounding_box(), page.locator("#where").bounding_box()
        assert number
        assert told
        assert number["y"] >= 0
        assert number["y"] + min(number["height"], 100) <= told["y"]


def test_the_keyboard_reaches_all_and_shows_where_it_is(index: Path, page: Page) -> None:
    page.goto(index.as_uri())
    page.wait_for_selector("#explorer canvas")
    page.keyboard.press("Tab")
    assert focused(page).inner_text() == "To the first section"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.locator("main :focus").count() == 1
    reached: list[str] = []
    while page.locator("main :focus").count():
        outlined, what = focused(page).evaluate(
            "e => [getComputedStyle(e).outlineStyle, e.closest('[id]').id + ' ' + e.outerHTML.slice(0, 200)]"
        )
        assert outlined == "solid", what
        reached.append(what)
        page.keyboard.press("Tab")
    assert len(reached) < 300
    numbers = [what for what in reached if '<data class="from"' in what]
    in_tables = page.locator("table:has(:is(td, th) data.from)").count()
    in_texts = page.locator("section").filter(has=page.locator("data.from:not(td *, th *)")).count()
    assert len(numbers) == in_tables + in_texts, "one stop for each table, and for the text of each section"


def test_headings_are_in_order(index: Path, page: Page) -> None:
    page.goto(index.as_uri())
    levels = [
        int(level)
        for level in page.locator("h1, h2, h3, h4, h5").evaluate_all("all => all.map(h => h.tagName[1])")
    ]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_tables_are_lists_on_a_phone_and_name_each_cell(index: Path, page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 900})
    page.goto(index.as_uri())
    cell = page.locator("#leader-board td").first
    assert cell.evaluate("cell => getComputedStyle(cell, '::before').content") == '"Mean of lesions"'


def test_on_paper_what_needs_a_screen_is_left_out(index: Path, page: Page) -> None:
    page.goto(index.as_uri())
    page.emulate_media(media="print")
    assert page.locator("#answer").is_visible()
    assert page.locator("nav").is_hidden()
    assert page.locator("#explore").is_hidden()


@pytest.mark.parametrize(("width", "scheme"), VIEWS)
def test_everybody_can_read_and_use_it(index: Path, page: Page, width: int, scheme: Any) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    page.goto(index.as_uri())
    page.wait_for_selector("#explorer canvas")
    assert accessibility.grave_faults(page) == []
