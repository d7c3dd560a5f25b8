"""Tables and reports on a phone: no column is out of sight."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Page

from headct.publish.tables import table_page
from headct.publish.tables.table_page import Cell, Panel
from support import accessibility

LESIONS = ("ICH", "PHE", "IVH")
WIDE = Panel(
    [
        ("", "Model"),
        *((lesion, name) for lesion in LESIONS for name in ("Mean", "Median (Q1–Q3)")),
        ("", "Why"),
    ],
    [
        [
            Cell(f"A model with a long name {row}"),
            *[Cell("0.814 (0.790–0.835)", kind) for kind in ("best", "", "worst", "", "", "")],
            Cell("RuntimeError: out of memory " * 4 + "/a/path/without/any/space" * 3, "text"),
        ]
        for row in range(3)
    ],
    "A. All test scans",
    frozenset({2}),
    "A sentence that says what the panel shows.",
)


def write(folder: Path) -> str:
    table = table_page.Table("Table 1. Dice of the models", pd.DataFrame(), [WIDE], ["A note."])
    file = folder / "table.html"
    file.write_text(table_page.html(table, "Simulated data", "0" * 64), encoding="utf-8")
    return file.as_uri()


@pytest.mark.parametrize("width", [320, 390, 600])
def test_each_cell_of_a_wide_table_is_in_sight(page: Page, tmp_path: Path, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(write(tmp_path))
    says = page.locator("meta[name=viewport]").get_attribute("content")
    assert says == "width=device-width, initial-scale=1", "else a phone shows it as on a desk, in small"
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    cells = page.locator("tbody td, tbody th")
    assert cells.count() == 3 * 8
    for cell in cells.all():
        box = cell.bounding_box()
        assert box
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
    named = page.locator("tbody td").nth(1)
    assert named.evaluate("cell => getComputedStyle(cell, '::before').content") == '"ICH, Median (Q1–Q3)"'


@pytest.mark.parametrize("width", [390, 1280])
def test_everybody_can_read_a_table(page: Page, tmp_path: Path, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(write(tmp_path))
    assert accessibility.grave_faults(page) == []


def test_the_faults_of_a_page_are_found(page: Page) -> None:
    page.set_content(
        '<html lang="en"><title>t</title><main><p style="color: #aaa">Grey on white</p></main></html>'
    )
    [fault] = accessibility.grave_faults(page)
    assert fault.startswith("color-contrast: ")


def test_on_a_desk_it_is_a_table(page: Page, tmp_path: Path) -> None:
    page.goto(write(tmp_path))
    assert page.locator("thead th.group").first.is_visible()
    assert page.locator("tbody td").first.evaluate("cell => getComputedStyle(cell).display") == "table-cell"
