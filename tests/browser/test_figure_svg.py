"""Figures as SVG, drawn by a browser, several in one page: they look as their PNG does."""

from __future__ import annotations

import io
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from PIL import Image
from playwright.sync_api import Page

from headct.publish.figures import figure_files, style

WIDTH_PX = 640


def written(folder: Path, name: str, colour: str) -> Path:
    """A figure whose parts have the names that those of another have, too; its SVG."""
    with mpl.rc_context(style.PRINT):
        sheet = style.sheet(f"Figure {name}", "Study", 60.0, [], [], style.COLUMN_MM)
        axes = sheet.body.subplots()
        axes.scatter(range(20), np.arange(20) ** 2, color=colour)
        axes.bar(range(20), range(0, 400, 20), color=colour, alpha=0.3)
        axes.set(xlim=(-1, 12), ylim=(0, 300), xlabel="Scans", ylabel="Volume (mL)")
        figure_files.save([(sheet.figure, pd.DataFrame({"a": [1]}))], folder / f"{name}.pdf", name)
    return folder / f"{name}.svg"


def grey(image: Image.Image, size: tuple[int, int]) -> np.ndarray:
    """Grey values from 0 to 1."""
    return np.asarray(image.convert("L").resize(size, Image.Resampling.BOX), float) / 255


def test_svg_in_a_page_looks_as_the_png(page: Page, tmp_path: Path) -> None:
    files = [written(tmp_path, name, colour) for name, colour in (("a", "#0072B2"), ("b", "#D55E00"))]
    inline = "".join(file.read_text(encoding="utf-8") for file in files)
    look = f"<style>body {{ margin: 0 }} svg {{ width: {WIDTH_PX}px; height: auto; display: block }}</style>"
    (tmp_path / "page.html").write_text(f"<!doctype html><meta charset=utf-8>{look}{inline}")
    page.goto((tmp_path / "page.html").as_uri())
    for place, file in enumerate(files):
        seen = Image.open(io.BytesIO(page.locator("svg").nth(place).screenshot()))
        png = Image.open(file.with_suffix(".png"))
        size = (WIDTH_PX // 4, round(WIDTH_PX / 4 * png.height / png.width))  # edges are smoothed in two ways
        one, other = grey(seen, size), grey(png, size)
        assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.97
        assert abs(one - other).mean() < 0.01
