"""The page of results in a browser: it opens alone, its numbers tell where they are from, it fits."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from headct.contracts.repository import REPOSITORY
from headct.publish.page import page as page_of_results
from support import accessibility, page_study

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


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_everybody_can_read_and_use_it(index: Path, page: Page, width: int, scheme: Any) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    page.goto(index.as_uri())
    page.wait_for_selector("#explorer canvas")
    assert accessibility.grave_faults(page) == []
