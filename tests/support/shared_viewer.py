"""The viewer in a page that the tests of a module share, two simulated heads to open, and what is clicked."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from support.browser import Witnessed
from support.case_studies import TILTED, UNEVEN, simulated_case
from support.label_sets import LABELS
from support.viewer_page import LONGEST_MS, write_page

CASES = {case.scan_id: case for case in map(simulated_case, (TILTED, UNEVEN))}
MODELS = {"moved": "U-Net", "unaware": "2D"}
STUDY = {
    "models": [{"key": key, "title": title, "trivial": False} for key, title in MODELS.items()],
    "lesions": [
        {"key": label.name, "title": label.title, "colour": label.colour, "group": False}
        for label in LABELS.labels
    ],
    "cases": list(CASES),
    "order": {},
}
ROWS = {
    "scan": ["tilted", "tilted", "tilted", "uneven"],
    "model": [0, 0, 1, 0],
    "lesion": [0, 1, 0, 0],
    "dice": [0.81234, 0.3, None, 1.0],
    "reference_ml": [50.04, 30, 50.04, 10],
    "predicted_ml": [48, 20.06, 0, 10],
    "volume_error_ml": [-2.04, -9.94, None, 0],
    "hd95_mm": [3.21, None, None, 0],
    "presence": ["TP", "TP", None, "TP"],
    "failure": ["", None, "out of memory", None],
}


@pytest.fixture(scope="module")
def seen() -> Witnessed:
    """What happened in the page of this module's tests."""
    return Witnessed()


@pytest.fixture(scope="module")
def opened(browser: Browser, seen: Witnessed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A page with the viewer, which all tests share: to start it takes longest."""
    file = write_page(tmp_path_factory.mktemp("viewer"), list(CASES.values()), STUDY, ROWS)
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    page.set_default_timeout(LONGEST_MS)
    seen.attend(page)
    page.goto(file.as_uri())
    yield page
    page.close()


@pytest.fixture
def viewer(opened: Page, seen: Witnessed) -> Iterator[Page]:
    """The viewer, as it is at first: axial, brain, outlines, one picture."""
    yield opened
    if opened.locator(".viewer").count():
        choose(opened, "Axial", "Brain", "Outlines")
        for words in ("Two pictures", "Measure a length"):
            if opened.get_by_role("button", name=words, pressed=True).count():
                opened.get_by_role("button", name=words).click()
    assert seen == Witnessed()


# Clicks by the page itself: Playwright waits before each until nothing moves, long without a graphics card.
CHOOSE = """(words) => {
  const labels = [...document.querySelectorAll(".viewer-choice label")];
  for (const each of words)
    labels.find((label) => label.innerText.trim() === each).querySelector("input").click();
}"""
CHECK = """(names) => {
  const pane = document.querySelector(".viewer-pane");
  for (const box of pane.querySelectorAll(".viewer-maps input"))
    if (box.checked !== names.includes(box.value)) box.click();
}"""
ARE_DRAWN = (
    "(n) => document.querySelector('.viewer-pane').querySelectorAll('.viewer-legend svg').length === n"
)
SET_OPACITY = """(opacity) => {
  const slider = document.querySelector(".viewer-slider input");
  slider.value = opacity;
  slider.dispatchEvent(new Event("input"));
}"""


def choose(page: Page, *words: str) -> None:
    """Choose windows, planes, looks."""
    page.evaluate(CHOOSE, list(words))


def show_maps(page: Page, *names: str) -> None:
    """Let the first picture show these maps and no others, as outlines."""
    page.evaluate(CHECK, list(names))
    page.wait_for_function(ARE_DRAWN, arg=len(names))


def set_opacity(page: Page, opacity: float) -> None:
    """Move the slider."""
    page.evaluate(SET_OPACITY, opacity)
