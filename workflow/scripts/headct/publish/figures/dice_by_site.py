"""Dice by site as a forest plot, one model: each site, the mean over sites, and where a new one may lie."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from headct.contracts.artefacts import read_tsv
from headct.contracts.declarations import PublishedFigure, Repeats
from headct.contracts.labels import LabelSet
from headct.contracts.plurals import counted
from headct.contracts.problems import BadInput, Problem
from headct.publish.figures import style
from headct.publish.options import Options
from headct.publish.printed_numbers import DICE_DECIMALS
from headct.statistics.core.agreement import ALL_SCANS

FIGURE = PublishedFigure(
    name="dice_by_site",
    help="Dice by site, the mean over sites, and where a new site may lie, one model",
    inputs={"sites": "statistics/site_dice.tsv", "new": "statistics/new_site.tsv"},
    given={
        "labels": "lesions",
        "model": "agreement model",
        "model_title": "title of the agreement model",
        "study_title": "study title",
        "width_mm": "width in mm",
    },
    columns="element model label scans source site n_participants dice_mean lower upper note",
    keys="element model label scans site",
    repeats=(
        Repeats(
            source="statistics/site_dice.tsv", rows="model label scans site", where={"element": "a site"}
        ),
        Repeats(
            source="statistics/new_site.tsv", rows="model label scans", where={"element": "mean over sites"}
        ),
        Repeats(
            source="statistics/new_site.tsv",
            rows="model label scans",
            renamed={"lower": "new_lower", "upper": "new_upper"},
            where={"element": "a new site"},
        ),
    ),
)

SITE, MEAN, NEW = "a site", "mean over sites", "a new site"
"""What a row of the figure shows."""

NAME_MM, NARROW_NAME_MM = 36.0, 24.0
NUMBERS_MM = 44.0
"""Width of number of participants, Dice and interval, which one column of print has no room for."""
GAP_MM = 2.5
ROW_MM, TITLE_MM, AXIS_MM = 3.8, 6.0, 9.5
NAME_LINES = 2
MOST_SITES = 24
"""Of a panel, so that it fits on a page; there may be a hundred, of which most have one scan."""
SMALLEST_MARK_PT, LARGEST_MARK_PT = 2.2, 6.0
TICKS, NARROW_TICKS = 6, 4

OF_SITE: dict[str, Any] = {"marker": "s", "mfc": style.BLUE, "mec": "none", "ls": ""}
OF_MEAN: dict[str, Any] = {"marker": "D", "mfc": style.BLACK, "mec": "none", "ls": "", "ms": 5.0}
LINE: dict[str, Any] = {"color": style.BLACK, "lw": 0.8}
PREDICTED: dict[str, Any] = {"color": style.VERMILLION, "lw": 2.2}


def draw(options: Options) -> style.Pages:
    """The figure from its files."""
    sites, new = (read_tsv(path, model=str, note=str) for path in (options.sites, options.new))
    drawn = drawn_sites(sites, new, options.model)
    return draw_sites(drawn, options.labels, options.model_title, options.study_title, options.width_mm)


def drawn_sites(sites: pd.DataFrame, new: pd.DataFrame, model: str) -> pd.DataFrame:
    """What is drawn, a row each: of all scans, the sites of each lesion, their mean, and a new site.

    Args:
        sites: ``site_dice.tsv``.
        new: ``new_site.tsv``.
        model: that is shown.

    Raises:
        BadInput: no site of this model's scans is known.
    """
    own, of_all = (table[(table["model"] == model) & (table["scans"] == ALL_SCANS)] for table in (sites, new))
    predicted = of_all.drop(columns=["lower", "upper"]).rename(
        columns={"new_lower": "lower", "new_upper": "upper"}
    )
    parts = [own.assign(element=SITE), of_all.assign(element=MEAN), predicted.assign(element=NEW)]
    if own.empty:
        message = (
            "no Dice by site of this model: give scans of the sheet a site; where folds hold out whole sites,"
            " name a model in figures.agreement_model that is trained here"
        )
        raise BadInput([Problem("--sites", message, key="model", value=model)])
    return pd.concat(parts, ignore_index=True).reindex(columns=FIGURE.header)


def draw_sites(
    drawn: pd.DataFrame,
    labels: LabelSet,
    model_title: str,
    study_title: str,
    width_mm: float = style.WIDTH_MM,
) -> list[tuple[Figure, pd.DataFrame]]:
    """Forest plots, a panel per lesion.

    Args:
        drawn: as of :func:`drawn_sites`.
        labels: the lesions.
        model_title: title of the model.
        study_title: printed in the corner.
        width_mm: of the figure in print.

    Returns:
        The pages, each with the numbers in it.
    """
    name_mm = NARROW_NAME_MM if style.is_narrow(width_mm) else NAME_MM
    of_label = [drawn[drawn["label"] == label] for label in labels]
    panels = [_largest(rows) for rows in of_label]
    n_left_out = len(of_label[0]) - len(panels[0])
    heights = [TITLE_MM + AXIS_MM + len(rows) * _row_mm(rows, name_mm) for rows in panels]
    source = drawn["source"].dropna().iloc[0]
    result = []
    for on_page in style.pages(heights):
        rows_of_page = [panels[i] for i in on_page]
        body_mm = sum(heights[i] for i in on_page)
        notes = [f"Sites are those of {source}.", _not_drawn(n_left_out), *_why_none(rows_of_page)]
        page = style.sheet(
            f"{model_title}: mean Dice by site, all scans", study_title, body_mm, _legend(), notes, width_mm
        )
        frame, top = style.Page(page.body, body_mm, width_mm), 0.0
        for rows in rows_of_page:
            top = _draw_panel(frame, top, rows, name_mm)
        result.append((page.figure, pd.concat(rows_of_page)))
    return result


def _largest(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of a lesion, of its sites no more than fit on a page: those of the most participants."""
    sites = rows[rows["element"] == SITE].sort_values("n_participants", ascending=False, kind="stable")
    return rows.drop(sites.index[MOST_SITES:])


def _not_drawn(n: int) -> str:
    if not n:
        return ""
    return (
        f"Not drawn: the {counted(n, 'site')} of the fewest participants, which statistics/site_dice.tsv has."
    )


def _name_lines(row: Mapping[Any, Any], name_mm: float) -> list[str]:
    words = row["site"] if row["element"] == SITE else row["element"].capitalize()
    return style.wrap(words, name_mm, style.SMALL_PT, most_lines=NAME_LINES)


def _row_mm(rows: pd.DataFrame, name_mm: float) -> float:
    """Height of a row, in which the longest name has room."""
    n_lines = max(len(_name_lines(row, name_mm)) for row in rows.to_dict("records"))
    return ROW_MM + (n_lines - 1) * style.line_height_mm(style.SMALL_PT)


def _why_none(panels: list[pd.DataFrame]) -> list[str]:
    """Why nothing is said of a new site, where that is so; the lesions with the same reason together."""
    new = pd.concat(panels).query("element == @NEW")
    by_reason = new[new["lower"].isna()].groupby("note", sort=False)["label"].agg(", ".join)
    return [f"No interval of a new site ({label}): {note}." for note, label in by_reason.items()]


def _legend() -> list[Artist]:
    return [
        Line2D([], [], label="A site, 95% interval", ms=4.0, **OF_SITE),
        Line2D([], [], label="Mean over sites, 95% interval", **OF_MEAN),
        Line2D([], [], label="A new site, 95% prediction interval", **PREDICTED),
    ]


def _draw_panel(frame: style.Page, top: float, rows: pd.DataFrame, name_mm: float) -> float:
    """One lesion: names on the left, intervals, numbers if there is room. Returns where it ends (mm)."""
    narrow = style.is_narrow(frame.width_mm)
    numbers_mm = 0.0 if narrow else NUMBERS_MM
    axes_mm = frame.width_mm - name_mm - numbers_mm - 2 * GAP_MM
    row_mm = _row_mm(rows, name_mm)
    begins, ends = top + TITLE_MM, top + TITLE_MM + len(rows) * row_mm
    frame.text(0, begins - 1.0, str(rows["label"].iloc[0]), weight="bold", va="bottom", size=style.TEXT_PT)
    axes = frame.axes(name_mm + GAP_MM, begins, axes_mm, ends - begins)
    _draw_intervals(axes, rows, NARROW_TICKS if narrow else TICKS)
    for i, row in enumerate(rows.to_dict("records")):
        middle = begins + (i + 0.5) * row_mm
        frame.text(name_mm, middle, "\n".join(_name_lines(row, name_mm)), ha="right", va="center")
        if numbers_mm:
            frame.text(frame.width_mm, middle, _numbers(row), ha="right", va="center")
    return ends + AXIS_MM


def _draw_intervals(axes: Axes, rows: pd.DataFrame, n_ticks: int) -> None:
    most = rows.loc[rows["element"] == SITE, "n_participants"].max()
    for i, row in enumerate(rows.to_dict("records")):
        line = PREDICTED if row["element"] == NEW else LINE
        axes.hlines(i, row["lower"], row["upper"], zorder=2, **line)
        if row["element"] == SITE:
            size = max(SMALLEST_MARK_PT, LARGEST_MARK_PT * np.sqrt(row["n_participants"] / most))
            axes.plot(row["dice_mean"], i, zorder=3, ms=size, **OF_SITE)
        elif row["element"] == MEAN:
            axes.plot(row["dice_mean"], i, zorder=3, **OF_MEAN)
            axes.axvline(row["dice_mean"], color=style.GREY, lw=0.6, ls="--", zorder=1)
    axes.axhline((rows["element"] == SITE).sum() - 0.5, color=style.GREY, lw=0.6, zorder=1)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    found = rows[["dice_mean", "lower", "upper"]].to_numpy(float)
    least = found[np.isfinite(found)].min(initial=1.0)
    axes.set_xlim(max(-0.02, least - 0.05), 1.02)
    style.axis_of_intervals(axes, n_ticks)
    axes.set_xlabel("Mean Dice", labelpad=1.5)


def _numbers(row: Mapping[Any, Any]) -> str:
    """Participants, mean and interval, for print."""
    low, high = (style.number(row[end], DICE_DECIMALS) for end in ("lower", "upper"))
    interval = "" if np.isnan(row["lower"]) else f"{low} to {high}"
    if row["element"] == NEW:
        return interval or "–"
    mean = style.number(row["dice_mean"], DICE_DECIMALS)
    words = f"{mean} ({interval})" if interval else mean
    return (
        f"{counted(int(row['n_participants']), 'participant')}, {words}" if row["element"] == SITE else words
    )
