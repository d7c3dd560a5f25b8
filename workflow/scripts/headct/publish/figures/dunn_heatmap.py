"""Dunn's test of all pairs of models as one triangle of cells per lesion."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import seaborn
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from headct.contracts.artefacts import read_tsv
from headct.contracts.declarations import PublishedFigure, Repeats
from headct.publish.figures import style
from headct.publish.options import Options

FIGURE = PublishedFigure(
    name="dunn_heatmap",
    help="Dunn's test, all pairs",
    inputs={"dunn": "statistics/dunn.tsv"},
    given={
        "labels": "lesions",
        "models": "titles of the compared models",
        "study_title": "study title",
        "width_mm": "width in mm",
    },
    columns="label model_a model_b n_a n_b mean_rank_a mean_rank_b higher p_adjusted level"
    " decision_changes_under",
    keys="model_a model_b label level",
    repeats=(Repeats(source="statistics/dunn.tsv", rows="label model_a model_b"),),
)

LEVELS = (0.05, 0.01, 0.001)
"""Adjusted p below each of these has a colour of its own."""

ROW_COLOURS = ("#C6DBEF", "#85BCDB", "#08519C")
COLUMN_COLOURS = ("#FDD0A2", "#FDA25B", "#A63603")
NO_DIFFERENCE, UNDEFINED = "#F2F2F2", "#FFFFFF"
"""Blue and orange in steps of lightness: safe for the colour-blind, and black numbers stand out on light."""

NAME_MM, TITLE_MM, GAP_MM = 21.0, 5.0, 3.0
CELL_MM, NARROW_CELL_HEIGHT_MM = 5.6, 4.8
NUMBER_MM = (4.9, 3.4)
"""Width and height that a number takes; in smaller cells there is none."""


def draw(options: Options) -> style.Pages:
    """The figure from its files."""
    pairs = read_tsv(options.dunn, decision_changes_under=str)
    words = (options.study_title, options.width_mm)
    return [draw_dunn(pairs, options.models, labels, *words) for labels in style.in_pages(options.labels)]


def drawn_pairs(pairs: pd.DataFrame) -> pd.DataFrame:
    """The pairs with what is drawn of them, from ``dunn.tsv``.

    ``level`` is the least of :data:`LEVELS` above the adjusted p, empty where there is none; ``higher`` the
    model of the higher mean rank (the better Dice), empty where both are equal.
    """
    a, b = pairs["mean_rank_a"], pairs["mean_rank_b"]
    higher = np.select([a > b, b > a], [pairs["model_a"], pairs["model_b"]], "")
    level = np.select([pairs["p_adjusted"] < level for level in LEVELS[::-1]], LEVELS[::-1], np.nan)
    return pairs.assign(higher=higher, level=level)[FIGURE.header]


def short(p: float) -> str:
    """A level for print, as the numbers in the cells: without the zero before the point."""
    return f"{p:g}".lstrip("0")


def p_words(p: float) -> str:
    """An adjusted p of at least .001 in at most four characters; below, its colour says it."""
    if np.isnan(p):
        return "–"
    if p < LEVELS[-1]:
        return ""
    return f"{p:.3f}".lstrip("0") if p < 0.0995 else f"{p:.2f}".lstrip("0")


def _draw_lesion(axes: Axes, pairs: pd.DataFrame, models: Sequence[str], numbers: bool) -> None:
    """The triangle of one lesion: a row per model but the first, a column per model but the last."""
    rows, columns = list(models[1:]), list(models[:-1])
    code = pd.DataFrame(np.nan, index=rows, columns=columns)
    words = pd.DataFrame("", index=rows, columns=columns)
    n_levels = len(LEVELS)
    for pair in pairs.to_dict("records"):
        column, row = sorted((pair["model_a"], pair["model_b"]), key=models.index)
        p, level = pair["p_adjusted"], pair["level"]
        depth = 0 if np.isnan(level) else LEVELS.index(level) + 1
        sign = 1 if pair["higher"] == row else -1
        code.loc[row, column] = n_levels + 1 if np.isnan(p) else sign * depth
        words.loc[row, column] = p_words(p) if numbers else ""
        if depth:
            at = (columns.index(column) + 0.5, rows.index(row) + 0.82)
            colour = "white" if depth == n_levels else "black"
            axes.plot(*at, marker="<" if sign > 0 else "v", ms=2.6, mec="none", mfc=colour, zorder=4)
    colours = [*COLUMN_COLOURS[::-1], NO_DIFFERENCE, *ROW_COLOURS, UNDEFINED]
    seaborn.heatmap(
        code,
        ax=axes,
        cmap=ListedColormap(colours),
        vmin=-n_levels - 0.5,
        vmax=n_levels + 1.5,
        annot=words,
        fmt="",
        annot_kws={"size": style.SMALLEST_PT},
        mask=code.isna(),
        cbar=False,
        linewidths=0.6,
        linecolor="white",
    )


def draw_dunn(
    pairs: pd.DataFrame,
    titles: Mapping[str, str],
    labels: Collection[str],
    study_title: str,
    width_mm: float = style.WIDTH_MM,
) -> tuple[Figure, pd.DataFrame]:
    """Adjusted p of every pair of models, and which of the two scores higher, per lesion.

    Args:
        pairs: ``dunn.tsv``.
        titles: title of each model, in the order of the tables; those without pairs are left out.
        labels: the lesions, a panel each.
        study_title: printed in the corner.
        width_mm: of the figure in print.

    Returns:
        The figure, and the numbers in it (:func:`drawn_pairs`).
    """
    table = drawn_pairs(pairs)
    compared = {*table["model_a"], *table["model_b"]}
    models = [model for model in titles if model in compared]
    n_cells = max(len(models) - 1, 1)
    narrow = style.is_narrow(width_mm)
    across, down = (1, len(labels)) if narrow else (len(labels), 1)
    names = [style.wrap(titles[model], NAME_MM - 1.5, style.SMALL_PT, most_lines=1)[0] for model in models]
    names_mm = max((style.text_width_mm(name, style.SMALL_PT) for name in names), default=0.0) + 1.5
    width = (width_mm - NAME_MM - GAP_MM * (across - 1)) / across / n_cells
    height = ((style.TALLEST_BODY_MM - names_mm) / down - TITLE_MM - GAP_MM) / n_cells
    cell_mm = min(width, 2 * CELL_MM), min(width, height, NARROW_CELL_HEIGHT_MM if narrow else CELL_MM)
    numbers = cell_mm[0] >= NUMBER_MM[0] and cell_mm[1] >= NUMBER_MM[1]
    panel_mm = n_cells * cell_mm[0], n_cells * cell_mm[1]
    row_mm = TITLE_MM + panel_mm[1] + GAP_MM
    body_mm = down * row_mm - GAP_MM + names_mm
    changed = int((table["decision_changes_under"].fillna("") != "").sum())
    n = table[["n_a", "n_b"]].to_numpy().max() if len(table) else 0
    number = n_pairs(models)
    corrected = " of the only pair" if number == 1 else f", Benjamini-Hochberg over the {number} pairs"
    notes = [
        f"n = {n} scans per model. Two-sided P{corrected} of a",
        f"lesion; no number: P < {short(LEVELS[-1])}.",
        "Arrows and colours tell whose mean rank of Dice is higher.",
        "All scans count as independent.",
        f"Decisions that change under flavours of R's dunn.test: {changed}.",
    ]
    page = style.sheet(
        "Dunn's test of Dice, all pairs of models", study_title, body_mm, legend(), notes, width_mm, 2
    )
    frame = style.Page(page.body, body_mm, width_mm)
    if not compared:
        frame.text(0, 1, "Nothing to compare: fewer than two models.")
    for place, label in enumerate(labels if compared else ()):
        left = NAME_MM + (0 if narrow else place * (panel_mm[0] + GAP_MM))
        top = TITLE_MM + (place * row_mm if narrow else 0)
        frame.text(left, top - 1, label, weight="bold", va="bottom", size=style.TEXT_PT)
        axes = frame.axes(left, top, *panel_mm)
        _draw_lesion(axes, table[table["label"] == label], models, numbers)
        first, last = narrow or place == 0, not narrow or place == len(labels) - 1
        middles = np.arange(n_cells) + 0.5
        axes.set_yticks(middles, names[1:] if first else [""] * n_cells, rotation=0)
        axes.set_xticks(middles, names[:-1] if last else [""] * n_cells, rotation=90)
        axes.tick_params(length=0, pad=2)
        axes.set(xlabel="", ylabel="")
    return page.figure, table


def n_pairs(models: Sequence[str]) -> int:
    """Number of pairs of models."""
    return len(models) * (len(models) - 1) // 2


def legend() -> list[Patch | Line2D]:
    """In columns of two, for either direction: the arrow, then the colour of each level."""
    arrow: dict[str, Any] = {"ls": "", "ms": 4, "mfc": style.BLACK, "mec": "none"}
    handles: list[Patch | Line2D] = [
        Line2D([], [], marker="<", label="Row's", **arrow),
        Line2D([], [], marker="v", label="Column's", **arrow),
    ]
    for level, row, column in zip(LEVELS, ROW_COLOURS, COLUMN_COLOURS, strict=True):
        handles += [Patch(fc=colour, label=f"< {short(level)}") for colour in (row, column)]
    return [*handles, Patch(fc=NO_DIFFERENCE, label=f"≥ {short(LEVELS[0])}")]
