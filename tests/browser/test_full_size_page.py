"""The page of a study of full size keeps to its sizes, and opens, sorts, filters, shows a case."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page

from headct.contracts.declarations import PublishedFigure, declared
from headct.contracts.repository import REPOSITORY
from support import full_size_page
from support.viewer_page import LONGEST_MS, picture, pixels

pytestmark = pytest.mark.slow

BUNDLE = REPOSITORY / "workflow/page/bundle"
PAGE_MB, CASE_MB = 5, 8
"""At most (issue 17); seconds are measured by benchmarks/page.py."""


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page, with two of its cases beside it."""
    return full_size_page.make(tmp_path_factory.mktemp("full"), BUNDLE)


def test_page_and_cases_are_no_larger_than_was_promised(index: Path) -> None:
    assert index.stat().st_size < PAGE_MB * 1e6
    sizes = [file.stat().st_size for file in full_size_page.files_of_cases(index)]
    assert len(sizes) == full_size_page.N_WITH_A_FILE
    assert max(sizes) <= CASE_MB * 1e6


def test_it_opens_sorts_filters_and_shows_a_case(index: Path, page: Page) -> None:
    page.set_default_timeout(LONGEST_MS)
    page.goto(index.as_uri())
    images = page.locator("#figures img")
    drawn = {one.path for one in declared(PublishedFigure).values() if one.pictures and not one.shows_ct}
    assert images.count() >= len(drawn) > 10
    assert images.evaluate_all("images => images.every((image) => image.naturalWidth > 0)")
    explorer = page.locator("#explorer")
    assert explorer.locator(".count").inner_text() == "1740 rows of 7656"
    explorer.get_by_role("combobox", name="Lesion", exact=True).select_option("all")
    assert explorer.locator(".count").inner_text() == "6960 rows of 7656"
    heading = explorer.get_by_role("columnheader", name="Reference (mL)").get_by_role("button")
    heading.click()
    heading.click()
    volumes = [float(cell) for cell in explorer.locator("tbody td:nth-child(6)").all_inner_texts()]
    assert volumes == sorted(volumes, reverse=True)
    assert volumes[0] > volumes[-1]
    scan = full_size_page.files_of_cases(index)[0].stem
    page.locator(f'#case [data-open-case="{scan}"]').click()
    picture(page).wait_for()
    page.wait_for_function("!document.querySelector('#viewer').ariaBusy")
    shown = pixels(page)
    assert page.locator(".viewer h3").inner_text() == scan
    assert len(page.locator(".viewer-maps").first.locator("input").all()) == 11
    grey = (shown == shown[..., :1]).all(axis=-1) & (shown[..., 0] > 0)
    assert grey.mean() > 0.1, "the head"
    assert (~(shown == shown[..., :1]).all(axis=-1)).mean() > 0.001, "outlines"
