"""One look for all figures: print sizes, colours, the frame around the panels.

Sizes are in millimetres at print size. Pages are as wide as journals' columns: 85 mm is one, 170 mm are two,
with a white margin around what is drawn. A figure is laid out anew for each width, so that its text has the
same size in print.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase, SubFigure
from matplotlib.font_manager import FontProperties
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.textpath import text_to_path
from matplotlib.ticker import FuncFormatter, MaxNLocator
from matplotlib.transforms import Bbox, ScaledTranslation, Transform

MM_PER_INCH = 25.4
POINTS_PER_MM = 72 / MM_PER_INCH
MARGIN_MM = 1.5
"""White around a figure, so that nothing touches the edge of its page."""

COLUMN_PAGE_MM, PAGE_MM = 85.0, 170.0
COLUMN_MM, WIDTH_MM = COLUMN_PAGE_MM - 2 * MARGIN_MM, PAGE_MM - 2 * MARGIN_MM
"""What is left of the pages' widths to draw in."""
TALLEST_MM = 235.0
"""What fits on a page of print, caption aside."""
TALLEST_BODY_MM = TALLEST_MM - 30.0
"""What heading, notes and legend leave of it."""

TEXT_PT, SMALL_PT = 7.0, 6.5
SMALLEST_PT = 6.0
PLACE_DECIMALS = 8
"""Of the figure's width or height; far below what print shows, far above rounding errors."""
FILLED = 0.98
"""Share of the width that lines of text fill: drawn in pixels, letters are up to 1% wider than measured."""
LEGEND_ROW_MM = 3.6
LEGEND_EM = {"handlelength": 1.8, "handletextpad": 0.8, "columnspacing": 1.0, "borderpad": 0.4}
"""Spaces of a legend in units of its font size."""

# Okabe M, Ito K. Color Universal Design (2008), https://jfly.uni-koeln.de/color/.
VERMILLION, SKY_BLUE, YELLOW = "#D55E00", "#56B4E9", "#F0E442"
BLUE, ORANGE, BLACK = "#0072B2", "#E69F00", "#000000"
GREY = "#767676"

PRINT: dict[Any, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": TEXT_PT,
    "axes.titlesize": TEXT_PT,
    "axes.labelsize": TEXT_PT,
    "xtick.labelsize": SMALL_PT,
    "ytick.labelsize": SMALL_PT,
    "legend.fontsize": SMALL_PT,
    "legend.frameon": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 1.0,
    # Titles come from the user's config: a dollar sign in one is a dollar sign.
    "text.parse_math": False,
    # TrueType, not Type 3: journals refuse Type 3, and text stays selectable.
    "pdf.fonttype": 42,
    # Paths: a reader need not have the font. Names in an SVG depend on what is drawn, not on chance.
    "svg.fonttype": "path",
    "svg.hashsalt": "headct",
    "savefig.dpi": 300,
}
"""Settings of every figure; ``matplotlib.rc_context(PRINT)`` around drawing *and* saving."""


Pages = Iterable[tuple[Figure, pd.DataFrame]]
"""Each page of a figure, with the table of what it shows."""


@dataclass(frozen=True)
class Sheet:
    """A figure's frame: a heading above, panels in ``body``, legend and study title below."""

    figure: Figure
    body: SubFigure


@dataclass(frozen=True)
class Page:
    """Places axes and text in mm from the upper left corner of a sheet's body."""

    body: SubFigure
    height_mm: float
    width_mm: float = WIDTH_MM

    def axes(self, x: float, y: float, width: float, height: float) -> Axes:
        """Axes without ticks and frame; ``x``, ``y`` is the upper left corner.

        Args:
            x, y: upper left corner (mm).
            width, height: in mm.
        """
        bottom = 1 - (y + height) / self.height_mm
        box = (x / self.width_mm, bottom, width / self.width_mm, height / self.height_mm)
        axes = self.body.add_axes(box)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
        return axes

    def text(self, x: float, y: float, words: str, **how: Any) -> None:
        """Text whose top is at ``y``, unless ``how`` says otherwise."""
        how = {"va": "top", "size": SMALL_PT, **how}
        self.body.text(x / self.width_mm, 1 - y / self.height_mm, words, **how)


class RepeatableLayout(ConstrainedLayoutEngine):
    """Constrained layout with rounded places.

    The last digits of its solution differ between two drawings of the same figure, in one process even, and
    now and then a coordinate in the PDF with them.
    """

    def execute(self, fig: Figure) -> None:
        """Place everything in the figure."""
        super().execute(fig)
        for part in _subfigures(fig):
            part.bbox_relative.set_points(part.bbox_relative.get_points().round(PLACE_DECIMALS))
        for axes in fig.axes:
            if axes.get_subplotspec() and axes.get_in_layout():
                place = axes.get_position(original=True).get_points().round(PLACE_DECIMALS)
                axes.set_position(Bbox(place), which="original")
                axes.set_in_layout(True)  # which setting a position by hand ends


def _subfigures(figure: FigureBase) -> Iterator[SubFigure]:
    """All parts of a figure, the larger ones first."""
    for part in figure.subfigs:
        yield part
        yield from _subfigures(part)


def line_height_mm(size_pt: float) -> float:
    """Height of one line of text, with its leading."""
    return 1.3 * size_pt / POINTS_PER_MM


@cache
def text_width_mm(words: str, size_pt: float, weight: str = "normal") -> float:
    """Width of one line of text in the figures' font, measured."""
    font = FontProperties(family=PRINT["font.family"], size=size_pt, weight=weight)
    width_pt, _, _ = text_to_path.get_text_width_height_descent(words, font, ismath=False)
    return float(width_pt) / POINTS_PER_MM


def aside(axes: Axes, right_mm: float) -> Transform:
    """Places of the axes' data, drawn so much further to the right (mm; to the left if negative)."""
    return axes.transData + ScaledTranslation(right_mm / MM_PER_INCH, 0, axes.figure.dpi_scale_trans)


def wrap(
    text: str, width_mm: float, size_pt: float, most_lines: int | None = None, weight: str = "normal"
) -> list[str]:
    """Break text into lines that fit, at spaces and after hyphens; longer words are cut.

    Beyond ``most_lines`` the text ends in an ellipsis.

    Args:
        text: that is broken.
        width_mm: of a line.
        size_pt: of the type.
        most_lines: None for as many as it takes.
        weight: ``normal`` or ``bold``.
    """

    def fits(line: str) -> bool:
        return text_width_mm(line, size_pt, weight) <= width_mm

    lines = [""]
    for piece in re.findall(r"\S+?(?:-(?=\w)|(?=\s)|$)\s*", text.strip()):
        if lines[-1] and not fits(lines[-1] + piece.rstrip()):
            lines.append("")
        lines[-1] += piece
        while not fits(lines[-1].rstrip()):
            word = lines[-1]
            n_fitting = max(1, sum(fits(word[:n]) for n in range(1, len(word) + 1)))
            lines[-1:] = [word[:n_fitting], word[n_fitting:]]
    lines = [line.rstrip() for line in lines]
    if most_lines is not None and len(lines) > most_lines:
        last = lines[most_lines - 1]
        while last and not fits(last + "…"):
            last = last[:-1].rstrip()
        lines[most_lines - 1 :] = [last + "…"]
    return lines


def is_narrow(width_mm: float) -> bool:
    """Whether panels go below each other, for one column of print."""
    return width_mm < (COLUMN_MM + WIDTH_MM) / 2


def axis_of_intervals(axes: Axes, n_ticks: int) -> None:
    """The visible axis below a forest plot, with about so many round numbers."""
    axes.xaxis.set_major_locator(MaxNLocator(n_ticks, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}".replace("-", "−")))
    axes.spines["bottom"].set_visible(True)


def pages(heights_mm: Sequence[float]) -> list[list[int]]:
    """Which blocks go on which page, in order, as many as fit below each other."""
    found: list[list[int]] = []
    for block, height_mm in enumerate(heights_mm):
        if found and sum(heights_mm[i] for i in found[-1]) + height_mm <= TALLEST_BODY_MM:
            found[-1].append(block)
        else:
            found.append([block])
    return found


def legend_columns(labels: Sequence[str], width_mm: float, least_rows: int = 1) -> int:
    """The most columns in which a legend fits into the width; it is filled column by column."""
    em_mm = SMALL_PT / POINTS_PER_MM
    mark_mm = (LEGEND_EM["handlelength"] + LEGEND_EM["handletextpad"]) * em_mm
    for n_columns in range(math.ceil(len(labels) / least_rows), 1, -1):
        columns = np.array_split([text_width_mm(label, SMALL_PT) + mark_mm for label in labels], n_columns)
        gaps_mm = (LEGEND_EM["columnspacing"] * (n_columns - 1) + 2 * LEGEND_EM["borderpad"]) * em_mm
        if sum(column.max() for column in columns) + gaps_mm <= width_mm:
            return n_columns
    return 1


def sheet(
    heading: str,
    study_title: str,
    body_mm: float,
    legend: Sequence[Artist],
    notes: Sequence[str],
    width_mm: float = WIDTH_MM,
    legend_rows: int = 1,
) -> Sheet:
    """A figure whose panels get ``body_mm`` of height, whatever the texts need.

    ``notes`` (sentences; empty ones are dropped) go above the legend (if any, in ``legend_rows`` at
    least, filled column by column), the study title into the lower right corner.

    Args:
        heading: above all.
        study_title: in the lower right corner.
        body_mm: height of the panels.
        legend: its entries.
        notes: sentences below the heading.
        width_mm: of the figure.
        legend_rows: the least.
    """
    line_mm = FILLED * width_mm
    heading_lines = wrap(heading, line_mm, TEXT_PT + 1, weight="bold")
    note_lines = wrap(" ".join(filter(None, notes)), line_mm, SMALL_PT)
    study_lines = wrap(study_title, line_mm, SMALL_PT)
    small_mm = line_height_mm(SMALL_PT)
    n_columns = legend_columns([str(handle.get_label()) for handle in legend], width_mm, legend_rows)
    legend_mm = LEGEND_ROW_MM * math.ceil(len(legend) / n_columns) + 1.0 if legend else 0.0
    head_mm = 1.4 + len(heading_lines) * line_height_mm(TEXT_PT + 1)
    foot_mm = 2.5 + (len(note_lines) + len(study_lines)) * small_mm + legend_mm
    total_mm = head_mm + body_mm + foot_mm
    figure = Figure(figsize=(width_mm / MM_PER_INCH, total_mm / MM_PER_INCH), layout=RepeatableLayout())
    heights = [head_mm, body_mm, foot_mm]
    head, body, foot = figure.subfigures(3, 1, squeeze=False, hspace=0, height_ratios=heights)[:, 0]
    head.text(0, 1 - 0.8 / head_mm, "\n".join(heading_lines), va="top", size=TEXT_PT + 1, weight="bold")
    below = {"va": "top", "size": SMALL_PT, "linespacing": 1.25}
    foot.text(0, 1 - 1.2 / foot_mm, "\n".join(note_lines), **below)
    legend_top = 1 - (1.2 + len(note_lines) * small_mm) / foot_mm
    if legend:
        foot.legend(
            handles=list(legend),
            loc="upper left",
            bbox_to_anchor=(0, legend_top),
            ncols=n_columns,
            borderaxespad=0,
            labelspacing=LEGEND_ROW_MM * POINTS_PER_MM / SMALL_PT - 1,
            **LEGEND_EM,
        )
    study_top = legend_top - legend_mm / foot_mm
    foot.text(1, study_top, "\n".join(study_lines), ha="right", color=GREY, **below)
    return Sheet(figure, body)


def number(value: float, decimals: int = 2) -> str:
    """A number for print: fixed decimals, true minus sign, no "−0.00", a dash where there is none."""
    if pd.isna(value):
        return "–"
    text = f"{value:.{decimals}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return text.replace("-", "−")


def significant(value: float) -> str:
    """A volume or coefficient for print: two decimals, fewer from 10 and from 100 on."""
    size = 0 if pd.isna(value) else abs(value)
    if size < 9.995:
        return number(value, 2)
    return number(value, 1 if size < 99.95 else 0)


PANELS_OF_A_PAGE = 3
"""Lesions whose panels stand beside each other, or one above the other, on a page."""


def in_pages(labels: Collection[str]) -> list[list[str]]:
    """The lesions page by page, each with at most :data:`PANELS_OF_A_PAGE`, as evenly as can be."""
    names = list(labels)
    n_pages = max(1, math.ceil(len(names) / PANELS_OF_A_PAGE))
    longer, shortest = len(names) % n_pages, len(names) // n_pages
    ends = [place * shortest + min(place, longer) for place in range(n_pages + 1)]
    return [names[start:end] for start, end in itertools.pairwise(ends)]
