"""Names as long as they may be, without a blank: no part is wider than the window or what it stands in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from markupsafe import Markup
from playwright.sync_api import Page

from headct.publish.page.html_parts import NumberGrid, filled
from support import made_page, review_page
from support.case_studies import TILTED, simulated_case
from support.shared_viewer import ROWS, STUDY
from support.viewer_page import LONGEST_MS, open_case, write_page

SCAN = f"scan-{'ABCDEFGHIJ' * 5}-0010"
TITLE = "W" * 120

WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
# Buttons, labels and boxes of words that are wider than what they stand in.
BEYOND = """() => [...document.querySelectorAll("button, label, select, legend, h3, figcaption")]
  .filter((one) => one.checkVisibility() && one.closest(".scroll, .viewer-measures") === null)
  .filter((one) => one.getBoundingClientRect().right > one.parentElement.getBoundingClientRect().right + 1)
  .map((one) => one.textContent)"""
# Names in tables that are wider than their cell.
BEYOND_CELL = """() => [...document.querySelectorAll("td .name, th .name")]
  .map((one) => [one, one.closest("td, th")].map((each) => each.getBoundingClientRect().right))
  .filter(([name, cell]) => name > cell + 1)"""

pytestmark = pytest.mark.parametrize("width", [390, 1280])


def test_the_viewer_breaks_names(page: Page, tmp_path: Path, width: int) -> None:
    page.set_default_timeout(LONGEST_MS)
    page.set_viewport_size({"width": width, "height": 900})
    case = replace(simulated_case(TILTED), scan_id=SCAN)
    models = [model | {"title": f"{TITLE} {model['key']}"} for model in STUDY["models"]]
    rows = ROWS | {"scan": [SCAN] * len(ROWS["scan"])}
    page.goto(write_page(tmp_path, [case], STUDY | {"models": models}, rows).as_uri())
    open_case(page, SCAN, model="moved")
    assert page.evaluate(WIDER) == 0
    assert page.evaluate(BEYOND) == []


def test_a_review_breaks_names(
    page: Page, tmp_path: Path, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    monkeypatch.setattr(review_page, "MODELS", {"one": TITLE, "two": f"{TITLE} 2"})
    monkeypatch.setattr(review_page, "DICE", {SCAN: (0.9, 0.8)})
    page.goto(review_page.make_page(tmp_path / "page", [SCAN]))
    page.get_by_label("Your name").fill("R" * 64)
    page.get_by_role("button", name="Start reviewing").click()
    page.locator("canvas").wait_for()
    page.get_by_role("button", name="K Keep").click()
    page.locator(".review-table").wait_for()
    assert page.evaluate(WIDER) == 0
    assert page.evaluate(BEYOND) == []


def test_tables_break_names(page: Page, tmp_path: Path, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    rows = [
        {"scan": scan, "model": 0, "lesion": 0, "dice": 0.5, "site": f"{'s' * 66}{number}"}
        for number, scan in enumerate([SCAN, "plain"])
    ]
    beside = Markup('.5 <span class="name">{}</span>').format(TITLE)
    grid = NumberGrid("The hardest cases", ["Scan", "Lowest", "Highest", "mL"], [["1", beside, beside, "2"]])
    study = made_page.study_of([TITLE], ["ICH"], [SCAN])
    (tmp_path / "cases").mkdir()
    (tmp_path / "cases/viewer.js").touch()  # it is loaded when the mouse comes near
    body = filled("{{ table(grid) }}", grid=grid)
    page.goto(made_page.write(tmp_path / "page.html", study, rows, body))
    page.locator("table.rows td.site").first.wait_for()
    assert page.locator("td .name").count() >= 6
    assert page.evaluate(WIDER) == 0
    assert page.evaluate(BEYOND_CELL) == []
