"""Dice by the number of participants learnt from: points, the fitted curve, and how well raters agree."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from headct.contracts.artefacts import read_tsv
from headct.contracts.declarations import MadeOf, PublishedFigure, Repeats
from headct.publish.figures import style
from headct.publish.options import Options
from headct.publish.tables.words import title_of
from headct.statistics.comparison.learning_curve import fitted
from headct.statistics.comparison.paired import LEVEL
from headct.statistics.core.power_law import NotFitted

POINT, CURVE, BEYOND, RATERS = "mean", "curve", "curve beyond the largest size", "another rater"
"""What a row of the figure shows."""

FIGURE = PublishedFigure(
    name="learning_curve",
    help="Dice by the number of participants learnt from",
    inputs={
        "points": "statistics/learning_curve.tsv",
        "fits": "statistics/learning_curve_fit.tsv",
        "raters": "statistics/learning_curve_raters.tsv",
    },
    given={"titles": "titles of all models", "study_title": "study title", "width_mm": "width in mm"},
    columns="element model label size participants dice lower upper",
    keys="element model label size participants",
    repeats=(
        Repeats(
            source="statistics/learning_curve.tsv",
            rows="model label size",
            renamed={"dice": "dice_mean", "lower": "dice_lowest", "upper": "dice_highest"},
            where={"element": "mean"},
        ),
        Repeats(
            source="statistics/learning_curve_raters.tsv",
            rows="model label",
            renamed={"dice": "dice_mean"},
            where={"element": "another rater"},
        ),
    ),
    made_of=(MadeOf(rows="metrics of the learning curve", sizes="all"),),
)

NUMBERS = ("participants", "dice", "lower", "upper")

TIMES_BEYOND = 2.0
"""Times the largest number of participants, up to which a curve is drawn."""
N_DRAWN = 40

PANEL_MM, TITLE_MM, AXIS_MM, LEFT_MM, GAP_MM = 46.0, 5.0, 10.0, 12.0, 4.0
TICK_MM = 1.5
"""Room between two numbers below an axis."""
ROOM = 0.03
"""Of Dice: above and below all that is drawn."""
MARKS_APART_MM = 1.6
"""Between the points of two models at one size, which else would hide each other."""

COLOURS = (style.BLUE, style.VERMILLION, style.BLACK, style.ORANGE, style.SKY_BLUE, style.GREY)
MARKS = "osD^v"
LOOKS = tuple(zip(COLOURS * len(MARKS), cycle(MARKS), strict=False))
"""Colour and mark of each model: as many as there are pairs of both, no two alike."""


def draw(options: Options) -> style.Pages:
    """The figure from its files."""
    texts = {"model": str, "size": str, "note": str}
    points = read_tsv(options.points, **texts)
    fits = read_tsv(options.fits, **texts).fillna({"note": ""})
    raters = read_tsv(options.raters, **texts)
    why = [
        f"{row['label']}, {title_of(row['model'], options.titles)}: {row['note']}."
        for row in fits[fits["a"].isna()].to_dict("records")
    ]
    return draw_curves(drawn(points, raters), why, options.titles, options.study_title, options.width_mm)


def drawn(points: pd.DataFrame, raters: pd.DataFrame) -> pd.DataFrame:
    """What is drawn, a row each; ``lower`` and ``upper`` are the seeds' lowest and highest of a point.

    Args:
        points: ``learning_curve.tsv``.
        raters: ``learning_curve_raters.tsv``.
    """
    of_points = points.drop(columns=["lower", "upper"]).rename(
        columns={"dice_mean": "dice", "dice_lowest": "lower", "dice_highest": "upper"}
    )
    of_raters = raters.rename(columns={"dice_mean": "dice"})
    curves = [part for _, rows in points.groupby(["model", "label"], sort=False) for part in _curve(rows)]
    parts = [of_points.assign(element=POINT), *curves, of_raters.assign(element=RATERS)]
    found = pd.concat([part.reindex(columns=FIGURE.header) for part in parts], ignore_index=True)
    return found.astype(dict.fromkeys(NUMBERS, float))  # a table without rows has columns of no type


def _curve(rows: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """The curve of one model and lesion, up to the largest size and beyond; nothing if none is fitted."""
    try:
        curve = fitted(rows)
    except NotFitted:
        return
    ends = (float(rows["participants"].min()), float(rows["participants"].max()))
    for element, (first, last) in {CURVE: ends, BEYOND: (ends[1], TIMES_BEYOND * ends[1])}.items():
        n = np.geomspace(first, last, N_DRAWN)
        lower, upper = curve.interval(n, LEVEL)
        yield pd.DataFrame(
            {
                "element": element,
                "model": rows["model"].iloc[0],
                "label": rows["label"].iloc[0],
                "participants": n,
                "dice": curve.at(n),
                "lower": lower,
                "upper": upper,
            }
        )


def draw_curves(
    found: pd.DataFrame,
    why: Sequence[str],
    titles: Mapping[str, str],
    study_title: str,
    width_mm: float = style.WIDTH_MM,
) -> list[tuple[Figure, pd.DataFrame]]:
    """A panel per lesion.

    Args:
        found: as of :func:`drawn`.
        why: a sentence for each curve that is not fitted.
        titles: name in print of each model.
        study_title: printed in the corner.
        width_mm: of the figure in print.

    Returns:
        The pages, each with the numbers in it.
    """
    points = found[found["element"] == POINT]
    looks = dict(zip(points["model"].unique(), cycle(LOOKS)))
    legend = [*_legend(found, looks, titles)]
    notes = [
        "Points: means over the scans of one fold, from which no network learnt, and over seeds; lines"
        " through them reach from the lowest to the highest seed.",
        "Points of several models at one size stand side by side." if len(looks) > 1 else "",
        "Curves: a − b · n^(−c), with 95% intervals; broken where no network was trained."
        if (found["element"] == CURVE).any()
        else "",
        *why,
    ]
    result = []
    for labels in style.in_pages(list(points["label"].unique())):
        stacked = style.is_narrow(width_mm)
        row_mm = TITLE_MM + PANEL_MM + AXIS_MM
        body_mm = row_mm * (len(labels) if stacked else 1)
        sheet = style.sheet(
            "Dice by the number of participants learnt from", study_title, body_mm, legend, notes, width_mm
        )
        page = style.Page(sheet.body, body_mm, width_mm)
        n_columns = 1 if stacked else len(labels)
        panel_mm = (width_mm - (n_columns - 1) * GAP_MM) / n_columns
        for place, label in enumerate(labels):
            left = 0.0 if stacked else place * (panel_mm + GAP_MM)
            top = place * row_mm if stacked else 0.0
            page.text(left + LEFT_MM, top + 1.0, label, weight="bold", size=style.TEXT_PT)
            axes_mm = panel_mm - LEFT_MM - 1.0
            axes = page.axes(left + LEFT_MM, top + TITLE_MM, axes_mm, PANEL_MM)
            _draw_panel(axes, found[found["label"] == label], looks)
            _finish(axes, found[found["label"] == label], axes_mm)
        result.append((sheet.figure, found[found["label"].isin(labels)]))
    return result


def _legend(
    found: pd.DataFrame, looks: Mapping[str, tuple[str, str]], titles: Mapping[str, str]
) -> Iterator[Artist]:
    for model, (colour, mark) in looks.items():
        yield Line2D([], [], color=colour, marker=mark, ms=4, label=title_of(model, titles))
    if (found["element"] == RATERS).any():
        yield Patch(facecolor=style.GREY, alpha=0.25, label="Another rater, 95% interval")


def _draw_panel(axes: Axes, rows: pd.DataFrame, looks: Mapping[str, tuple[str, str]]) -> None:
    """One lesion: raters behind, then curves, then points."""
    for row in rows[rows["element"] == RATERS].to_dict("records"):
        if not math.isnan(row["lower"]):
            axes.axhspan(row["lower"], row["upper"], color=style.GREY, alpha=0.25, lw=0)
        axes.axhline(row["dice"], color=style.GREY, lw=0.8)
    for place, (model, (colour, mark)) in enumerate(looks.items()):
        own = rows[rows["model"] == model]
        for element, line in ((CURVE, "-"), (BEYOND, "--")):
            part = own[own["element"] == element]
            axes.fill_between(
                part["participants"], part["lower"], part["upper"], color=colour, alpha=0.15, lw=0
            )
            axes.plot(part["participants"], part["dice"], color=colour, ls=line, lw=1.0)
        of_sizes = own[own["element"] == POINT]
        aside_mm = (place - (len(looks) - 1) / 2) * MARKS_APART_MM
        look: dict[str, Any] = {"color": colour, "transform": style.aside(axes, aside_mm), "clip_on": False}
        axes.vlines(of_sizes["participants"], of_sizes["lower"], of_sizes["upper"], lw=0.8, **look)
        axes.plot(of_sizes["participants"], of_sizes["dice"], marker=mark, ms=4, ls="", **look)


def _finish(axes: Axes, rows: pd.DataFrame, width_mm: float) -> None:
    """Axes: participants on a logarithmic scale, marked where networks were trained."""
    points = rows[rows["element"] == POINT]
    sizes = sorted(points["participants"].unique())
    has_curve = (rows["element"] == BEYOND).any()
    first, last = sizes[0] / 1.15, sizes[-1] * (TIMES_BEYOND if has_curve else 1.0) * 1.15
    axes.set_xscale("log")
    axes.set_xlim(first, last)
    mm_per_log = width_mm / math.log(last / first)
    axes.xaxis.set_major_locator(FixedLocator(_apart(sizes, mm_per_log)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    of_marks = rows[rows["element"].isin([POINT, RATERS])]
    drawn_at = pd.concat([of_marks["lower"], of_marks["upper"], rows["dice"]])
    axes.set_ylim(max(0.0, drawn_at.min() - ROOM), min(1.0, drawn_at.max() + ROOM))
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.spines[["left", "bottom"]].set_visible(True)
    axes.set_xlabel("Participants learnt from", labelpad=1.5)
    axes.set_ylabel("Mean Dice", labelpad=1.5)


def _apart(sizes: Sequence[float], mm_per_log: float) -> list[float]:
    """Those sizes whose numbers do not run into each other, the largest ones first."""
    chosen: list[float] = []
    for size in reversed(sizes):
        needed_mm = style.text_width_mm(f"{size:,.0f}", style.SMALL_PT) + TICK_MM
        if not chosen or math.log(chosen[-1] / size) * mm_per_log >= needed_mm:
            chosen.append(size)
    return chosen[::-1]
