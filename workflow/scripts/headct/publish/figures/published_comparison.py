"""The paper's numbers beside this run's: Dice of every model, and the agreement of the best one's volumes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D

from headct.contracts.declarations import MadeOf, PublishedFigure, Repeats
from headct.publish.figures import style
from headct.publish.options import Options
from headct.settings import published
from headct.statistics.core.summaries import MEAN
from headct.statistics.replication.intervals import family_words, read_replication

FIGURE = PublishedFigure(
    name="published_vs_reproduced",
    help="published beside reproduced numbers",
    caption="published_vs_reproduced_figure",
    inputs={"numbers": "tables/published_vs_reproduced.tsv", "published": "published numbers"},
    given={"title_note": "note", "study_title": "study title", "width_mm": "width in mm"},
    columns="table item label quantity published reproduced interval_low interval_high",
    keys="item table label quantity",
    repeats=(
        Repeats(
            source="tables/published_vs_reproduced.tsv",
            rows="table item label quantity",
            renamed={"interval_low": "lower", "interval_high": "upper"},
        ),
    ),
    made_of=(MadeOf(rows="published numbers"),),
)

DICE = {"mean": "Mean Dice", "median": "Median Dice"}
AGREEMENT = {
    "ccc": ("CCC", ""),
    "bias_ml": ("Bias", "mL"),
    "loa_lower_ml": ("Lower limit", "mL"),
    "loa_upper_ml": ("Upper limit", "mL"),
}

NAME_MM = 24.0
ROW_MM, AROUND_ROWS_MM = 4.2, 13.0

PUBLISHED: dict[str, Any] = {
    "ls": "",
    "marker": "D",
    "ms": 3.6,
    "mfc": "none",
    "mec": style.VERMILLION,
    "mew": 0.9,
}
OURS: dict[str, Any] = {"ls": "", "marker": "o", "ms": 3.2, "mfc": style.BLUE, "mec": "none"}
INTERVAL: dict[str, Any] = {"color": style.BLUE, "lw": 1.0}


def draw(options: Options) -> style.Pages:
    """The figure from its files."""
    numbers = read_replication(options.numbers)
    names = published.model_names(options.published)
    return draw_published(numbers, names, options.title_note, options.study_title, options.width_mm)


def drawn_numbers(numbers: pd.DataFrame) -> pd.DataFrame:
    """The numbers that are drawn: Dice of Table 1 and the agreement."""
    is_dice = (numbers["table"] == "Table 1") & numbers["quantity"].isin(list(DICE))
    shown = numbers[is_dice | (numbers["table"] == "Agreement")]
    renamed = shown.rename(columns={"lower": "interval_low", "upper": "interval_high"})
    return renamed[FIGURE.header].reset_index(drop=True)


def _draw_panel(axes: Axes, shown: pd.DataFrame, key: str, rows: Sequence[str]) -> None:
    """One quantity; ``key`` is the column that tells a number's row."""
    at = shown[key].map(list(rows).index).to_numpy(float)
    axes.hlines(at, shown["interval_low"], shown["interval_high"], zorder=2, **INTERVAL)
    axes.plot(shown["reproduced"], at, zorder=3, **OURS)
    axes.plot(shown["published"], at, zorder=4, **PUBLISHED)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_yticks(range(len(rows)), [""] * len(rows))
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", color="#E0E0E0", lw=0.4)
    axes.set_axisbelow(True)
    axes.locator_params(axis="x", nbins=4)


def _draw_block(
    part: SubFigure,
    shown: pd.DataFrame,
    column: str,
    panels: Mapping[str, str],
    names: Mapping[str, str],
    across: int,
) -> None:
    """Panels for the values of ``column``, over the same rows; ``names`` are the rows' names by key."""
    key = "item" if column == "label" else "label"
    axes_of = part.subplots(len(panels) // across, across, squeeze=False)
    for place, (value, title) in enumerate(panels.items()):
        axes = axes_of[divmod(place, across)]
        _draw_panel(axes, shown[shown[column] == value], key, list(names))
        axes.set_title(title, loc="left", weight="bold")
        if place % across == 0:
            axes.set_yticks(range(len(names)), list(names.values()))
        if column == "label":
            axes.set_xlim(-0.03, 1.03)
            axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", ".25", ".5", ".75", "1"])


def draw_published(
    numbers: pd.DataFrame,
    names: Mapping[str, str],
    note: str,
    study_title: str,
    width_mm: float = style.WIDTH_MM,
) -> list[tuple[Figure, pd.DataFrame]]:
    """Published numbers beside this run's, with prediction intervals.

    Args:
        numbers: ``published_vs_reproduced.tsv``, as of :mod:`headct.statistics.replication.intervals`.
        names: published name of each model.
        note: what the study says of its data, for the heading.
        study_title: printed in the corner.
        width_mm: of the figure in print.

    Returns:
        The pages, one at two columns' width, each with the numbers in it (:func:`drawn_numbers`).
    """
    shown = drawn_numbers(numbers)
    across = 2 if style.is_narrow(width_mm) else 4
    models = {item: _short(names[item]) for item in shown.loc[shown["table"] == "Table 1", "item"].unique()}
    of_paper = shown.loc[shown["table"] == "Table 1", "label"].unique()
    lesions = {label: label for label in map(str, of_paper) if label != MEAN}
    dice_titles = {**lesions, MEAN: "all three"}
    blocks = []
    for quantity, words in DICE.items():
        panels = {label: f"{words}, {title}" for label, title in dice_titles.items()}
        rows = shown[(shown["table"] == "Table 1") & (shown["quantity"] == quantity)]
        blocks.append((rows, "label", panels, models))
    for item, rows in shown[shown["table"] == "Agreement"].groupby("item", sort=False):
        panels = {
            name: f"{names[str(item)]}: {words}{f' ({unit})' if unit else ''}"
            for name, (words, unit) in AGREEMENT.items()
        }
        blocks.append((rows, "quantity", panels, lesions))
    n = numbers.loc[numbers["table"] == "Table 1", "n_reproduced"].max()
    ours = "none" if np.isnan(n) else f"{n:.0f}"
    notes = [
        f"n = {numbers.loc[numbers['table'] == 'Table 1', 'n_published'].max():.0f} published, {ours} here.",
        "Line: 95% prediction interval of the published number, from this run's scans: it holds that",
        "number where chance may explain the difference. No line: no interval.",
        "All numbers of the table, Table 2's among them:",
        family_words(numbers),
    ]
    legend = [
        Line2D([], [], label="Published", **PUBLISHED),
        Line2D([], [], label="This run", **OURS),
        Line2D([], [], label="Prediction interval", **INTERVAL),
    ]
    heading = "Published and reproduced numbers" + (f". {note}" if note else "")
    heights = [
        (len(names) * ROW_MM + AROUND_ROWS_MM) * (len(panels) // across) for _, _, panels, names in blocks
    ]
    pages = []
    for on_page in style.pages(heights):
        body_mm = sum(heights[i] for i in on_page)
        page = style.sheet(heading, study_title, body_mm, legend, notes, width_mm)
        parts = page.body.subfigures(
            len(on_page), 1, squeeze=False, hspace=0, height_ratios=[heights[i] for i in on_page]
        )
        for part, i in zip(parts[:, 0], on_page, strict=True):
            rows, column, panels, row_names = blocks[i]
            _draw_block(part, rows, column, panels, row_names, across)
        pages.append((page.figure, pd.concat([blocks[i][0] for i in on_page])))
    return pages


def _short(name: str) -> str:
    return style.wrap(name, NAME_MM, style.SMALL_PT, most_lines=1)[0]
