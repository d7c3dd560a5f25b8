"""Mean Dice of each model in the internal test set and in external sets, as forest plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from headct.contracts.artefacts import read_tsv
from headct.contracts.declarations import PublishedFigure, Repeats
from headct.contracts.plurals import counted
from headct.publish.figures import style
from headct.publish.options import Options
from headct.publish.printed_numbers import DICE_DECIMALS
from headct.publish.tables.words import title_of
from headct.statistics.core.scores import REFERENCE

EXTERNAL, INTERNAL = "external set", "internal test set"
"""What a row of the figure shows."""

FIGURE = PublishedFigure(
    name="external_sets",
    help="mean Dice in external sets, beside the internal test set's",
    inputs={"sets": "statistics/external_sets.tsv"},
    given={"titles": "titles of all models", "study_title": "study title", "width_mm": "width in mm"},
    columns="element set model label n n_participants dice_mean lower upper",
    keys="element set model label",
    repeats=(
        Repeats(
            source="statistics/external_sets.tsv",
            rows="set model label",
            where={"element": "external set"},
        ),
        Repeats(
            source="statistics/external_sets.tsv",
            rows="set model label",
            renamed={
                "n": "internal_n",
                "n_participants": "internal_participants",
                "dice_mean": "internal_mean",
                "lower": "internal_lower",
                "upper": "internal_upper",
            },
            where={"element": "internal test set"},
        ),
    ),
)

NAME_MM, NARROW_NAME_MM = 36.0, 24.0
NUMBERS_MM = 30.0
"""Width of Dice and interval of both, which one column of print has no room for."""
GAP_MM = 2.5
ROW_MM, TITLE_MM, AXIS_MM = 6.4, 6.0, 9.5
ASIDE = 0.21
"""Of a row's height: how far the two marks of a model lie above and below its middle."""
NAME_LINES = 2
TICKS, NARROW_TICKS = 6, 4

MARKS: Mapping[str, Mapping[str, Any]] = {
    INTERNAL: {"marker": "o", "mfc": "white", "mec": style.BLACK, "mew": 0.9, "ls": "", "ms": 4.2},
    EXTERNAL: {"marker": "s", "mfc": style.BLUE, "mec": "none", "ls": "", "ms": 4.2},
}
LINES: Mapping[str, Mapping[str, Any]] = {
    INTERNAL: {"color": style.BLACK, "lw": 0.8},
    EXTERNAL: {"color": style.BLUE, "lw": 1.2},
}


def draw(options: Options) -> style.Pages:
    """The figure from its files."""
    sets = read_tsv(options.sets, set=str, model=str)
    return draw_sets(drawn(sets), options.titles, options.study_title, options.width_mm)


def drawn(sets: pd.DataFrame) -> pd.DataFrame:
    """What is drawn, a row each: the internal and the external mean of each set, lesion and model.

    Args:
        sets: ``external_sets.tsv``; rows of what predicts nothing are left out.
    """
    models = sets[sets["role"] != REFERENCE]
    of_internal = FIGURE.repeats[1].renamed
    internal = models.drop(columns=list(of_internal)).rename(
        columns={source: name for name, source in of_internal.items()}
    )
    return pd.concat([internal.assign(element=INTERNAL), models.assign(element=EXTERNAL)])[FIGURE.header]


def draw_sets(
    found: pd.DataFrame,
    titles: Mapping[str, str],
    study_title: str,
    width_mm: float = style.WIDTH_MM,
) -> list[tuple[Figure, pd.DataFrame]]:
    """Forest plots, a panel per set and lesion.

    Args:
        found: as of :func:`drawn`.
        titles: name in print of each model.
        study_title: printed in the corner.
        width_mm: of the figure in print.

    Returns:
        The pages, each with the numbers in it.
    """
    panels = [rows for _, rows in found.groupby(["set", "label"], sort=False)]
    heights = [TITLE_MM + AXIS_MM + rows["model"].nunique() * ROW_MM for rows in panels]
    notes = ["Intervals are 95%, by participant."]
    result = []
    for on_page in style.pages(heights):
        body_mm = sum(heights[i] for i in on_page)
        sheet = style.sheet("Mean Dice in external sets", study_title, body_mm, _legend(), notes, width_mm)
        page, top = style.Page(sheet.body, body_mm, width_mm), 0.0
        for i in on_page:
            top = _draw_panel(page, top, panels[i], titles)
        result.append((sheet.figure, pd.concat([panels[i] for i in on_page])))
    return result


def _legend() -> Sequence[Artist]:
    return [Line2D([], [], label=element.capitalize(), **MARKS[element]) for element in (INTERNAL, EXTERNAL)]


def _draw_panel(page: style.Page, top: float, rows: pd.DataFrame, titles: Mapping[str, str]) -> float:
    """One set and lesion: names on the left, marks, numbers if there is room. Returns where it ends (mm)."""
    narrow = style.is_narrow(page.width_mm)
    name_mm, numbers_mm = (NARROW_NAME_MM, 0.0) if narrow else (NAME_MM, NUMBERS_MM)
    models = list(dict.fromkeys(rows["model"]))
    begins, ends = top + TITLE_MM, top + TITLE_MM + len(models) * ROW_MM
    of_set = rows[rows["element"] == EXTERNAL].iloc[0]
    scans = f"{counted(int(of_set['n']), 'scan')} of {counted(int(of_set['n_participants']), 'participant')}"
    heading = f"{of_set['set']}: {of_set['label']} ({scans})"
    page.text(0, begins - 1.0, heading, weight="bold", va="bottom", size=style.TEXT_PT)
    axes_mm = page.width_mm - name_mm - numbers_mm - 2 * GAP_MM
    axes = page.axes(name_mm + GAP_MM, begins, axes_mm, ends - begins)
    for row in rows.to_dict("records"):
        aside = -ASIDE if row["element"] == INTERNAL else ASIDE
        place = models.index(row["model"]) + aside
        axes.hlines(place, row["lower"], row["upper"], zorder=2, **LINES[row["element"]])
        axes.plot(row["dice_mean"], place, zorder=3, **MARKS[row["element"]])
        if numbers_mm:
            middle = begins + (place + 0.5) * ROW_MM
            page.text(page.width_mm, middle, _numbers(row), ha="right", va="center")
    for place, model in enumerate(models):
        words = "\n".join(style.wrap(title_of(model, titles), name_mm, style.SMALL_PT, NAME_LINES))
        page.text(name_mm, begins + (place + 0.5) * ROW_MM, words, ha="right", va="center")
    _finish(axes, len(models), NARROW_TICKS if narrow else TICKS)
    return ends + AXIS_MM


def _finish(axes: Axes, n_models: int, n_ticks: int) -> None:
    """The axis, from 0 to 1."""
    axes.set(xlim=(-0.02, 1.02), ylim=(n_models - 0.5, -0.5))
    style.axis_of_intervals(axes, n_ticks)
    axes.set_xlabel("Mean Dice", labelpad=1.5)


def _numbers(row: Mapping[Any, Any]) -> str:
    """Mean and interval, for print."""
    mean, low, high = (style.number(row[name], DICE_DECIMALS) for name in ("dice_mean", "lower", "upper"))
    return mean if np.isnan(row["lower"]) else f"{mean} ({low} to {high})"
