"""Mean Dice of held-out scans against patches seen and hours, by weights in the course of training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from headct.contracts.artefacts import read_tsv
from headct.contracts.declarations import PublishedFigure, Repeats
from headct.contracts.labels import LabelSet
from headct.publish.figures import style
from headct.publish.options import Options
from headct.publish.tables.words import title_of
from headct.statistics.core.agreement import ALL_SCANS

FIGURE = PublishedFigure(
    name="dice_by_effort",
    help="Dice of held-out scans against patches seen and hours of training",
    category="Training",
    inputs={"effort": "statistics/effort_curve.tsv"},
    given={
        "labels": "lesions",
        "titles": "titles of all models",
        "study_title": "study title",
        "width_mm": "width in mm",
    },
    columns="model label scans share steps patches hours n dice_mean lower upper",
    keys="model label scans share",
    repeats=(Repeats(source="statistics/effort_curve.tsv", rows="model label scans share"),),
)

ROW_MM, NARROW_ROW_MM = 48.0, 26.0
"""Height of a row of panels: of two that stand beside each other, or of one."""
FEW_MODELS = 4
"""Up to so many have their intervals drawn."""
NEAR_BY = 0.03
"""Of the Dice: white above and below the curves."""
MARGIN = 1.15
"""Factor of white beside the curves, on axes that are logarithmic."""

EFFORTS: Mapping[str, str] = {"patches": "Patches seen by the network", "hours": "Hours of training"}
"""Columns that Dice is drawn against, and their axes."""

COLOURS = (
    *(style.BLUE, style.VERMILLION, "#009E73", style.ORANGE),
    *("#CC79A7", style.SKY_BLUE, style.BLACK, style.GREY),
)
"""Of Okabe and Ito, without the yellow, which is pale on white."""
MARKERS, LINES = ("o", "s", "^", "D", "v"), ("-", "--")


def draw(options: Options) -> style.Pages:
    """The figure from its file."""
    effort = read_tsv(options.effort, model=str, label=str, note=str)
    return draw_effort(drawn(effort), options.labels, options.titles, options.study_title, options.width_mm)


def drawn(effort: pd.DataFrame) -> pd.DataFrame:
    """What is drawn: rows of all held-out scans.

    Args:
        effort: ``effort_curve.tsv``.
    """
    return effort.loc[effort["scans"] == ALL_SCANS, FIGURE.header].reset_index(drop=True)


def looks_of(models: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Colour, mark and line of each model, no two of which are alike in all three."""
    looks = zip(models, cycle(COLOURS), cycle(MARKERS), strict=False)
    return {
        model: {
            "color": colour,
            "marker": marker,
            "ls": LINES[place // len(COLOURS) % len(LINES)],
            "ms": 3.4,
            "mec": "none",
            "lw": 0.9,
        }
        for place, (model, colour, marker) in enumerate(looks)
    }


def draw_effort(
    table: pd.DataFrame,
    labels: LabelSet,
    titles: Mapping[str, str],
    study_title: str,
    width_mm: float = style.WIDTH_MM,
) -> list[tuple[Figure, pd.DataFrame]]:
    """Curves, a row of panels per lesion: against patches, and against hours.

    Args:
        table: as of :func:`drawn`.
        labels: the lesions.
        titles: name in print of each model, in the order of the legend.
        study_title: printed in the corner.
        width_mm: of the figure in print.

    Returns:
        The pages, each with the numbers in it.
    """
    models = [model for model in titles if model in set(table["model"])]
    looks = looks_of(models)
    legend = [Line2D([], [], label=title_of(model, titles), **looks[model]) for model in models]
    narrow = style.is_narrow(width_mm)
    across, row_mm = (1, NARROW_ROW_MM) if narrow else (len(EFFORTS), ROW_MM)
    result = []
    for names in style.in_pages(labels):
        of_page = table[table["label"].isin(names)]
        n_rows = len(names) * len(EFFORTS) // across
        body_mm = n_rows * row_mm
        heading = "Mean Dice of held-out scans in the course of training"
        page = style.sheet(heading, study_title, body_mm, legend, _notes(of_page, models, titles), width_mm)
        panels = page.body.subplots(n_rows, across, squeeze=False)
        places = iter(panels.flat)
        for label in names:
            rows = of_page[of_page["label"] == label]
            for effort in EFFORTS:
                _draw_panel(next(places), rows, effort, looks)
        result.append((page.figure, of_page))
    return result


def _draw_panel(axes: Axes, rows: pd.DataFrame, effort: str, looks: Mapping[str, Mapping[str, Any]]) -> None:
    """The curves of a lesion against one effort; what is not known of a model is not drawn."""
    with_intervals = len(looks) <= FEW_MODELS
    known = rows[rows[effort] > 0]
    # an empty line that is not clipped would drag the layout to the corner
    for model, curve in known.groupby("model", sort=False):
        look = looks[str(model)]
        axes.plot(curve[effort], curve["dice_mean"], clip_on=False, zorder=3, **look)
        if with_intervals:
            axes.vlines(curve[effort], curve["lower"], curve["upper"], color=look["color"], lw=0.6)
    shown = rows[["lower", "upper"]] if with_intervals else rows[["dice_mean"]]
    dice = np.append(rows["dice_mean"].to_numpy(float), shown.to_numpy(float))
    axes.set_ylim(max(0.0, np.nanmin(dice) - NEAR_BY), min(1.0, np.nanmax(dice) + NEAR_BY))
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.set_ylabel("Mean Dice")
    axes.set_title(str(rows["label"].iloc[0]), loc="left", weight="bold")
    axes.set_xlabel(EFFORTS[effort])
    if len(known):
        axes.set_xscale("log")
        axes.set_xlim(known[effort].min() / MARGIN, known[effort].max() * MARGIN)
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=9))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
        axes.xaxis.set_minor_formatter(NullFormatter())


def short(value: float) -> str:
    """A number for an axis of many powers of ten: 0.02, 50, 20 k, 1 M."""
    for unit, name in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= unit:
            return f"{value / unit:g}{name}"
    return f"{value:g}"


def _notes(rows: pd.DataFrame, models: Sequence[str], titles: Mapping[str, str]) -> list[str]:
    """What is to be known of the curves."""
    known = set(rows.loc[rows["patches"].notna(), "model"])
    unknown = [title_of(model, titles) for model in models if model not in known]
    return [
        f"n = {int(rows['n'].max())} training scans, each predicted by networks that did not learn from it;"
        " no test scan. The last mark of a curve is the end of the training. A schedule of learning rates"
        " runs over the whole training, so an earlier mark is no training that was planned to end there.",
        "Bars are 95% intervals." if len(models) <= FEW_MODELS else "Intervals stand in the table.",
        "Effort is that of one training, the mean over folds and seeds; axes are logarithmic.",
        f"Patches are not known of {', '.join(unknown)}." if unknown else "",
    ]
