"""What a reader needs at one time is in sight: picture and decision, number and source, large text."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from support import viewer_page
from support.shared_viewer import CASES, ROWS, STUDY
from support.viewer_page import LONGEST_MS, write_page

SECTIONS = """<section><h2>Cases</h2><div id="viewer"></div></section>
<section><h2>Review</h2><div id="review"></div></section></main>
<div id="where" role="status" tabindex="-1" hidden></div>"""
REMARKS = {scan: ["tilted", "uneven gaps", "missing section"] for scan in CASES}
WINDOWS = [(1280, 800), (390, 844), (844, 390)]
BEYOND = """() => [...document.querySelectorAll("main *, .review-bar *")]
  .filter((one) => one.checkVisibility() && one.closest(".viewer-measures") === null)
  .filter((one) => one.getBoundingClientRect().right > innerWidth + 1)
  .map((one) => `${one.tagName} ${one.textContent}`)"""
TWICE_AS_LARGE = "html { font-size: 32px !important; }"

pytestmark = pytest.mark.parametrize(
    ("width", "height"), WINDOWS, ids=[f"{width}x{height}" for width, height in WINDOWS]
)


@pytest.fixture
def review(page: Page, tmp_path: Path, width: int, height: int, monkeypatch: pytest.MonkeyPatch) -> Page:
    """A page with real pictures of two cases and their review, which has not begun."""
    with_review = viewer_page.PAGE.replace('<div id="viewer"></div></main>', SECTIONS)
    monkeypatch.setattr(viewer_page, "PAGE", with_review)
    page.set_default_timeout(LONGEST_MS)
    page.set_viewport_size({"width": width, "height": height})
    study = STUDY | {"evidence": "0" * 64, "remarks": REMARKS}
    page.goto(write_page(tmp_path, list(CASES.values()), study, ROWS).as_uri())
    return page


def start(page: Page) -> None:
    page.get_by_label("Your name").fill("A")
    page.get_by_role("button", name="Start reviewing").click()
    wait_for_case(page)


def wait_for_case(page: Page) -> None:
    """Until a decision may be taken, and nothing moves any more."""
    keep = page.get_by_role("button", name="K Keep")
    expect(keep).to_have_attribute("aria-disabled", "false", timeout=LONGEST_MS)
    page.evaluate(viewer_page.TWO_FRAMES)


def edges(page: Page, selector: str) -> tuple[float, float]:
    """Top and bottom of what is there, in pixels from the window's top."""
    box = page.locator(selector).first.bounding_box()
    assert box
    return box["y"], box["y"] + box["height"]


def test_the_picture_of_each_case_is_above_the_bar(review: Page, width: int, height: int) -> None:
    start(review)
    for key in ("n", "p"):
        top, bottom = edges(review, ".viewer-picture")
        assert top >= 0
        assert bottom <= edges(review, ".review-bar")[0]
        assert bottom - top >= min(300, height / 3)
        review.keyboard.press(key)
        wait_for_case(review)
    review.get_by_role("button", name="Stop reviewing").first.click()
    review.evaluate(viewer_page.TWO_FRAMES)
    assert edges(review, ".viewer-picture")[1] - edges(review, ".viewer-picture")[0] > 0.69 * min(height, 820)


def test_why_a_case_is_not_shown_is_in_sight(review: Page, tmp_path: Path, width: int, height: int) -> None:
    start(review)
    first, *others = [scan for scan in CASES if scan != review.locator(".review-bar strong").inner_text()]
    assert not others
    case = tmp_path / f"cases/scans/{first}.js"
    case.write_text(case.read_text().replace(first, "another"))
    review.keyboard.press("n")
    alert = review.locator(".viewer-bar [role=alert]")
    expect(alert).to_contain_text("can't be shown", timeout=LONGEST_MS)
    top, bottom = edges(review, ".viewer-bar [role=alert]")
    assert top >= 0
    assert bottom <= edges(review, ".review-bar")[0]


def test_where_a_number_is_from_is_told_above_the_bar(review: Page, width: int, height: int) -> None:
    start(review)
    review.locator(".viewer-measures data.from").first.click()
    bar = edges(review, ".review-bar")
    assert bar[1] == height
    assert edges(review, "#where")[1] <= bar[0]
    review.get_by_role("button", name="Stop reviewing").first.click()
    review.locator(".viewer-measures data.from").first.click()
    review.evaluate(viewer_page.TWO_FRAMES)
    assert edges(review, "#where")[1] == height


def test_text_twice_as_large_is_within_the_window(review: Page, width: int, height: int) -> None:
    review.add_style_tag(content=TWICE_AS_LARGE)
    start(review)
    assert review.evaluate("document.documentElement.scrollWidth") == width
    assert review.evaluate(BEYOND) == []
    top, bottom = edges(review, ".review-bar")
    assert bottom - top <= height / 2 + 1
