"""The files of a figure: PDF, the same pages as SVG and PNG, and the table of the numbers drawn."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox
from PIL import Image

from headct.contracts.artefacts import write_atomically, write_tsv
from headct.publish.figures import svg_pages
from headct.publish.figures.style import MARGIN_MM, MM_PER_INCH, Pages

PNG_DPI = 300
"""Pixels per inch at print size, the least that journals take."""


def save(pages: Pages, out: Path, title: str, pictures: bool = True) -> None:
    """Write ``out`` (PDF) and what goes beside it; equal input gives equal bytes.

    Args:
        pages: each page's figure and table; they may be made one by one, as they are asked for.
        out: the PDF; the other files have its name with another suffix.
        title: title in the PDF's properties.
        pictures: whether SVG and PNG are written, of several pages one below the other.
    """
    tables: list[pd.DataFrame] = []
    drawn_pages: list[str] = []
    png_pages: list[Image.Image] = []
    with write_atomically(out) as temporary:
        # Without a date, and with the producer's version left out, the bytes depend on what is drawn.
        metadata = {"Title": title, "CreationDate": None, "Producer": None, "Creator": "headct"}
        with PdfPages(temporary, metadata=metadata) as pdf:
            for figure, drawn in pages:
                pdf.savefig(figure, bbox_inches=_with_margin(figure))
                tables.append(drawn)
                if pictures:
                    figure.set_layout_engine("none")  # all stays where it is in the PDF
                    drawn_pages.append(svg_page(figure))
                    png_pages.append(png_page(figure))
    if pictures:
        with write_atomically(out.with_suffix(".svg")) as temporary:
            temporary.write_text(svg_pages.joined(drawn_pages), encoding="utf-8")
        with write_atomically(out.with_suffix(".png")) as temporary:
            png_of(png_pages).save(temporary, dpi=(PNG_DPI, PNG_DPI))
    write_tsv(pd.concat(tables), out.with_suffix(".tsv"))


def _with_margin(figure: Figure) -> Bbox:
    width, height = figure.get_size_inches()
    margin = MARGIN_MM / MM_PER_INCH
    return Bbox.from_extents(-margin, -margin, width + margin, height + margin)


def _saved(figure: Figure, **how: Any) -> io.BytesIO:
    stream = io.BytesIO()
    figure.savefig(stream, bbox_inches=_with_margin(figure), **how)
    stream.seek(0)
    return stream


def svg_page(figure: Figure) -> str:
    """A figure as SVG, without metadata; its text is drawn as paths, so that it needs no font."""
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    return _saved(figure, format="svg", metadata=nothing).getvalue().decode()


def png_page(figure: Figure) -> Image.Image:
    """A figure in pixels, on white."""
    quickly = {"compress_level": 1}
    return Image.open(_saved(figure, format="png", dpi=PNG_DPI, pil_kwargs=quickly)).convert("RGB")


def png_of(pages: Sequence[Image.Image]) -> Image.Image:
    """One image of those of several pages, on white."""
    size = max(page.width for page in pages), sum(page.height for page in pages)
    whole, top = Image.new("RGB", size, "white"), 0
    for page in pages:
        whole.paste(page, (0, top))
        top += page.height
    return whole
