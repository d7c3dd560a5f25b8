"""The page on paper: no heading and no few rows of a table stand alone."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import Page

from headct.publish.page.html_parts import NumberGrid, filled
from support import made_page

PDFTOTEXT = shutil.which("pdftotext")
HEADING = "Claims"
CAPTION = "All of them"
TOGETHER = 3
"""Rows that stand with the head of a table, or at its end."""

pytestmark = pytest.mark.skipif(PDFTOTEXT is None, reason="no pdftotext (Debian package poppler-utils)")


def pages_of(page: Page, folder: Path, rows: int, above_mm: int) -> list[str]:
    """The texts of the sheets of paper, of a table with what stands above it."""
    grid = NumberGrid(CAPTION, ["Claim", "Verdict"], [[f"row {n}.", "holds"] for n in range(rows)])
    body = filled(
        '<section><div style="height: {{ above }}mm"></div></section>'
        "<section><h2>{{ heading }}</h2><p>A sentence.</p>{{ table(grid) }}</section>",
        above=above_mm,
        heading=HEADING,
        grid=grid,
    )
    file = folder / f"{rows}-{above_mm}.pdf"
    study = made_page.study_of([], [])
    page.goto(made_page.write(folder / "page.html", study, [], body))
    page.pdf(path=file, prefer_css_page_size=True)
    assert PDFTOTEXT is not None
    text = subprocess.run([PDFTOTEXT, str(file), "-"], capture_output=True, text=True, check=True).stdout
    return [sheet for sheet in text.split("\f") if sheet.strip()]


@pytest.mark.parametrize("above_mm", range(120, 231, 5))
def test_heads_stand_with_rows(page: Page, tmp_path: Path, above_mm: int) -> None:
    pages = pages_of(page, tmp_path, 60, above_mm)
    assert len(pages) > 1, "else nothing is split"
    [with_caption] = [text for text in pages if CAPTION in text]
    [with_heading] = [text for text in pages if HEADING in text.splitlines()]
    assert f"row {TOGETHER - 1}." in with_caption
    assert with_heading.splitlines()[-1] != HEADING
    assert f"row {60 - TOGETHER}." in pages[-1]


@pytest.mark.parametrize("above_mm", range(120, 231, 10))
def test_a_short_table_is_on_one_page(page: Page, tmp_path: Path, above_mm: int) -> None:
    pages = pages_of(page, tmp_path, 12, above_mm)
    assert sum("row " in text for text in pages) == 1
