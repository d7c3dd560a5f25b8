"""The files of a figure: the same pages as PDF, SVG and PNG, with nothing in them but what is drawn."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from headct.contracts.declarations import PublishedFigure, declared
from headct.publish.figures import figure_files, style, svg_pages

SVG = "{http://www.w3.org/2000/svg}"
HREF = "{http://www.w3.org/1999/xlink}href"
WORDS = "Dice of <all> models & raters -- 2022"


def pages(heights_mm: tuple[float, ...] = (40.0,)) -> Iterator[tuple[Figure, pd.DataFrame]]:
    """Pages of these heights, 85 mm wide, each with points, an image, clipped lines and words."""
    for number, height_mm in enumerate(heights_mm):
        sheet = style.sheet(WORDS, f"page {number}", height_mm, [], [], style.COLUMN_MM)
        axes = sheet.body.subplots()
        axes.scatter([0, 1, 2], [2, number, 1])
        axes.plot([-5, 5], [-5, 5], "--")
        axes.imshow(np.arange(12).reshape(3, 4))
        axes.set(xlim=(0, 3), ylim=(0, 3))
        yield sheet.figure, pd.DataFrame({"page": [number]})


def saved(folder: Path, *heights_mm: float) -> Path:
    """The PDF of such pages; all else lies beside it."""
    out = folder / "toy.pdf"
    with mpl.rc_context(style.PRINT):
        figure_files.save(pages(heights_mm), out, "toy (Study)")
    return out


def points(root: ElementTree.Element) -> tuple[float, float]:
    """Width and height of an SVG."""
    left, top, width, height = map(float, root.attrib["viewBox"].split())
    assert (left, top) == (0, 0)
    assert (root.attrib["width"], root.attrib["height"]) == (f"{width:g}pt", f"{height:g}pt")
    return width, height


def test_svg_holds_what_is_drawn_and_no_more(tmp_path: Path) -> None:
    text = saved(tmp_path, 40.0).with_suffix(".svg").read_text(encoding="utf-8")
    root = ElementTree.fromstring(text)
    width, _ = points(root)
    assert width == pytest.approx(style.COLUMN_PAGE_MM * style.POINTS_PER_MM, abs=0.01)
    tags = {element.tag.removeprefix(SVG) for element in root.iter()}
    assert tags.isdisjoint({"text", "style", "script", "metadata", "title"})
    assert mpl.__version__ not in text
    assert not re.search(r"20[23]\d-\d\d-\d\d", text)
    assert "<!-- Dice of &lt;all&gt; models &amp; raters - - 2022 -->" in text, "words can be searched for"


def test_names_of_an_svg_are_its_own_and_lead_somewhere(tmp_path: Path) -> None:
    """Several stand in one page of HTML, in which a name counts once."""
    roots = [
        ElementTree.parse(saved(tmp_path / str(height), height).with_suffix(".svg")).getroot()
        for height in (40.0, 50.0)
    ]
    names = [[element.attrib["id"] for element in root.iter() if "id" in element.attrib] for root in roots]
    for root, own in zip(roots, names, strict=True):
        assert len(own) == len(set(own)) > 5
        used = [element.attrib[HREF] for element in root.iter() if HREF in element.attrib]
        clips = [element.attrib["clip-path"] for element in root.iter() if "clip-path" in element.attrib]
        images = [name for name in used if name.startswith("data:image/png;base64,")]
        assert len(images) == 1
        inside = {name.removeprefix("#") for name in used if name not in images}
        inside |= {name.removeprefix("url(#").removesuffix(")") for name in clips}
        assert inside <= set(own)
    assert not set(names[0]) & set(names[1])


def test_png_is_sharp_enough_for_print_and_says_nothing_of_itself(tmp_path: Path) -> None:
    with Image.open(saved(tmp_path, 40.0).with_suffix(".png")) as image:
        assert image.mode == "RGB"
        assert image.width == pytest.approx(style.COLUMN_PAGE_MM / 25.4 * 300, abs=1)
        assert image.info.keys() == {"dpi"}
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.01)
        pixels = np.asarray(image)
    assert (pixels[:10] == 255).all(), "its margin is white"
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 20


@pytest.mark.parametrize("first", range(3))
def test_no_line_of_the_notes_reaches_into_the_margin(tmp_path: Path, first: int) -> None:
    """Not in pixels either, in which letters are wider than they were measured to be."""
    sentence = "Lines through points reach from the lowest to the highest of seeds, i all of it. "
    note = "".join(sentence[(first + start) % len(sentence) :] for start in range(40))

    def page() -> Iterator[tuple[Figure, pd.DataFrame]]:
        sheet = style.sheet("Toy", "page", 10.0, [], [note], style.WIDTH_MM)
        yield sheet.figure, pd.DataFrame({"page": [0]})

    with mpl.rc_context(style.PRINT):
        figure_files.save(page(), tmp_path / "toy.pdf", "toy (Study)")
    with Image.open(tmp_path / "toy.png") as image:
        pixels = np.asarray(image)
    margin = round(style.MARGIN_MM / 25.4 * 300) - 2
    assert (pixels[:, -margin:] == 255).all()


def test_pages_go_one_below_the_other(tmp_path: Path) -> None:
    alone = [saved(tmp_path / str(height), height) for height in (40.0, 60.0)]
    together = saved(tmp_path, 40.0, 60.0)
    sizes = [points(ElementTree.parse(file.with_suffix(".svg")).getroot()) for file in (*alone, together)]
    assert sizes[2] == pytest.approx((sizes[0][0], sizes[0][1] + sizes[1][1]), abs=0.01)
    images = [np.asarray(Image.open(file.with_suffix(".png"))) for file in (*alone, together)]
    np.testing.assert_array_equal(images[2][: len(images[0])], images[0])
    assert len(images[2]) == len(images[0]) + len(images[1])
    assert list(pd.read_csv(together.with_suffix(".tsv"))["page"]) == [0, 1]


def test_an_svg_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="another way"):
        svg_pages.joined(["<svg width='1'></svg>"])
    with pytest.raises(ValueError, match="no SVG of pages"):
        svg_pages.pages_of("<svg viewBox='0 0 1 1'></svg>")


def test_the_pages_of_an_svg_are_those_it_was_made_of(tmp_path: Path) -> None:
    together = saved(tmp_path, 40.0, 60.0, 50.0).with_suffix(".svg").read_text(encoding="utf-8")
    pages = svg_pages.pages_of(together)
    assert len(pages) == 3
    for page, height in zip(pages, (40.0, 60.0, 50.0), strict=True):
        alone = saved(tmp_path / str(height), height).with_suffix(".svg").read_text(encoding="utf-8")
        assert points(ElementTree.fromstring(page)) == pytest.approx(
            points(ElementTree.fromstring(alone)), abs=0.01
        )
    assert svg_pages.pages_of(pages[0]) == [pages[0]]
    assert sum(page.count("<path") for page in pages) == together.count("<path")


def test_figures_with_pixels_of_ct_are_declared_so() -> None:
    """By what they are made from: volumes of scans."""
    figures = declared(PublishedFigure)
    assert {name for name, figure in figures.items() if figure.shows_ct} == {
        name for name, figure in figures.items() if {"scans", "scans of all sets"} & {*figure.inputs.values()}
    }
    assert {name for name, figure in figures.items() if not figure.pictures} == {"ingest_qc"}
