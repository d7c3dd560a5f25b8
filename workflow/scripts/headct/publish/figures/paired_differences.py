"""The planned comparison as a forest plot: paired differences of one model to the others, with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from headct.contracts.artefacts import read_tsv
from headct.contracts.declarations import PublishedFigure
from headct.contracts.labels import LabelSet
from headct.publish.figures import style
from headct.publish.options import Options
from headct.settings.analysis_plan import PRIMARY
from headct.statistics.comparison.endpoints import HIGHER, LOWER
from headct.statistics.comparison.equivalence import DIFFERENT, EQUIVALENT, against_others

FIGURE = PublishedFigure(
    name="paired_differences",
    help="the planned comparison as a forest plot",
    inputs={
        "endpoints": "statistics/endpoints.tsv",
        "paired": "statistics/paired.tsv",
        "equivalence": "statistics/equivalence.tsv",
    },
    given={
        "labels": "lesions",
        "models": "titles of all models",
        "study_title": "study title",
        "width_mm": "width in mm",
    },
    columns="kind panel measure label model against title n difference lower upper lower_adjusted"
    " upper_adjusted lower_90 upper_90 margin verdict scope",
    keys="model title against label measure kind panel",
)

ENDPOINTS, DICE = "endpoints of the plan", "mean Dice"
"""The two kinds of panels, each on pages of its own."""

MEASURES = {
    "dice": "Dice",
    "false_positive": "share with a false positive",
    "absolute_volume_error_ml": "absolute error, mL",
}
BOUNDED = ("dice", "false_positive")
"""Measures of which two means cannot differ by more than 1."""

NAME_MM, NARROW_NAME_MM = 30.0, 20.0
NUMBERS_MM = 34.0
"""Width of difference and interval in figures, which one column of print has no room for."""
VERDICT_MM = 28.5
GAP_MM = 2.5
SMALLEST_REACH = 0.01
"""Axes that would show less than this to either side show rounding errors, not differences."""
TICKS, NARROW_TICKS = 4, 3
ROW_MM, TITLE_MM, AXIS_MM = 3.8, 6.0, 9.5

SHOWN: dict[str, Any] = {"ls": "", "marker": "D", "ms": 3.4, "mfc": style.VERMILLION, "mec": "none"}
SAME: dict[str, Any] = {"ls": "", "marker": "s", "ms": 3.4, "mfc": style.BLUE, "mec": "none"}
UNKNOWN: dict[str, Any] = {
    "ls": "",
    "marker": "o",
    "ms": 3.6,
    "mfc": "white",
    "mec": style.BLACK,
    "mew": 0.8,
}
THIN: dict[str, Any] = {"color": style.BLACK, "lw": 0.8}
THICK: dict[str, Any] = {"color": style.BLACK, "lw": 2.2}
LINES = {ENDPOINTS: ("_adjusted", ""), DICE: ("", "_90")}
"""Ends of columns of the wider interval, a thin line, and of the narrower one, a thick line."""
MARGIN: dict[str, Any] = {"color": style.SKY_BLUE, "alpha": 0.3, "lw": 0}


def draw(options: Options) -> style.Pages:
    """The figure from its files."""
    endpoints, paired, equivalence = (
        read_tsv(path, verdict=str, note=str)
        for path in (options.endpoints, options.paired, options.equivalence)
    )
    drawn = drawn_differences(endpoints, paired, equivalence, options.models, options.labels)
    return draw_differences(drawn, options.models, options.study_title, options.width_mm)


def drawn_differences(
    endpoints: pd.DataFrame,
    paired: pd.DataFrame,
    equivalence: pd.DataFrame,
    titles: Mapping[str, str],
    labels: LabelSet,
) -> pd.DataFrame:
    """What is drawn, a row each, from the tables of ``results/statistics``: first the plan's endpoints.

    An endpoint is decided at the level of ``lower_adjusted`` and ``upper_adjusted``; one that was not
    measured stands without numbers. Then mean Dice of the primary endpoint's model − each other one, per
    lesion; ``lower_90``, ``upper_90`` and ``margin`` are what its equivalence is judged by.

    Args:
        endpoints, paired, equivalence: the tables of those names.
        titles: of the models.
        labels: the label set.
    """
    model = str(endpoints["model"].iloc[0])
    planned = endpoints.assign(
        kind=ENDPOINTS,
        panel=endpoints["endpoint"] + np.where(endpoints["status"] == PRIMARY, " (primary)", ""),
        verdict=endpoints["verdict"].fillna("").mask(endpoints["n"].isna(), "not in this run"),
    )
    dice = against_others(paired, equivalence, model)
    dice = dice.assign(kind=DICE, panel=dice["label"], measure="dice", model=model)
    dice = dice.assign(scope=planned["scope"].dropna().head(1).squeeze() if len(dice) else "")
    drawn = pd.concat([planned, dice.sort_values("label", key=lambda of: of.map(list(labels).index))])
    return drawn.assign(title=drawn["against"].map(lambda key: titles.get(key, key))).reindex(
        columns=FIGURE.header
    )


def draw_differences(
    drawn: pd.DataFrame, titles: Mapping[str, str], study_title: str, width_mm: float = style.WIDTH_MM
) -> list[tuple[Figure, pd.DataFrame]]:
    """Forest plots: a panel per endpoint, then a panel per lesion with the margin of equivalence.

    Args:
        drawn: as of :func:`drawn_differences`.
        titles: title of each model.
        study_title: printed in the corner.
        width_mm: of the figure in print.

    Returns:
        The pages, each with the numbers in it.
    """
    result = []
    for kind, of_kind in drawn.groupby("kind", sort=False):
        panels = [rows for _, rows in of_kind.groupby("panel", sort=False)]
        heights = [TITLE_MM + AXIS_MM + len(rows) * ROW_MM for rows in panels]
        for on_page in style.pages(heights):
            rows_of_page = [panels[i] for i in on_page]
            figure = _draw_page(
                str(kind), rows_of_page, [heights[i] for i in on_page], titles, study_title, width_mm
            )
            result.append((figure, pd.concat(rows_of_page)))
    return result


def _draw_page(
    kind: str,
    panels: Sequence[pd.DataFrame],
    heights_mm: Sequence[float],
    titles: Mapping[str, str],
    study_title: str,
    width_mm: float,
) -> Figure:
    model = titles.get(panels[0]["model"].iloc[0], panels[0]["model"].iloc[0])
    heading = f"{model} against other models, paired by scan: {kind}"
    scopes = pd.concat(panels)["scope"].dropna().unique()
    notes = [*_notes(kind), *(f"Statements are about {scope}." for scope in scopes)]
    page = style.sheet(heading, study_title, sum(heights_mm), _legend(kind), notes, width_mm)
    frame = style.Page(page.body, sum(heights_mm), width_mm)
    tops = np.cumsum([0, *heights_mm[:-1]])
    for rows, top in zip(panels, tops, strict=True):
        _draw_panel(frame, float(top), rows, model)
    return page.figure


def _notes(kind: str) -> list[str]:
    if kind == ENDPOINTS:
        return [
            "Thick lines: 95% intervals; thin: at the level at which the row is decided (Bonferroni over the",
            "key secondary endpoints; their verdicts go by Holm's correction, less strict); none where all",
            "scans differ by the same: then the signs decide. “No difference shown” is not equality.",
            "“Too few scans” (to decide): so few differ that not even all in one direction would convince an",
            "exact test of signs; “too few sites” or “participants”: there are fewer than five of them or,",
            "where all scans differ by the same, so few that their signs could not decide.",
            "“Not judged”: the primary endpoint was not decided.",
        ]
    return [
        "All test scans. Thin lines: 95% intervals; thick: 90%. Shaded: the margin.",
        "Equivalent: the 90% interval lies within the margin; different: wholly outside of it.",
        "Where many scans are equal the thick line may be longer: it holds what unseen ones may differ by.",
    ]


def _legend(kind: str) -> list[Artist]:
    if kind == ENDPOINTS:
        return [
            Line2D([], [], label="Difference shown", **SHOWN),
            Line2D([], [], label="No difference shown, too few to decide, or not judged", **UNKNOWN),
        ]
    return [
        Line2D([], [], label="Different", **SHOWN),
        Line2D([], [], label="Equivalent", **SAME),
        Line2D([], [], label="Cannot tell, or too few to decide", **UNKNOWN),
        Patch(label="± margin", **MARGIN),
    ]


def _marks(verdict: str) -> dict[str, Any]:
    if verdict in (HIGHER, LOWER, DIFFERENT):
        return SHOWN
    return SAME if verdict == EQUIVALENT else UNKNOWN


def _draw_panel(frame: style.Page, top: float, rows: pd.DataFrame, model: str) -> None:
    """One endpoint or lesion: names on the left, intervals, numbers if there is room, verdicts in words."""
    narrow = style.is_narrow(frame.width_mm)
    name_mm, numbers_mm = (NARROW_NAME_MM, 0.0) if narrow else (NAME_MM, NUMBERS_MM)
    axes_mm = frame.width_mm - name_mm - numbers_mm - VERDICT_MM - 2 * GAP_MM
    bottom_of_title = top + TITLE_MM
    measure = str(rows["measure"].iloc[0])
    sizes = rows["n"].dropna().unique()
    n = f"  (n = {sizes.max():.0f} scans)" if len(sizes) else ""
    frame.text(
        0,
        bottom_of_title - 1.0,
        f"{rows['panel'].iloc[0]}{n}",
        weight="bold",
        va="bottom",
        size=style.TEXT_PT,
    )
    axes = frame.axes(name_mm + GAP_MM, bottom_of_title, axes_mm, len(rows) * ROW_MM)
    _draw_intervals(axes, rows, measure, NARROW_TICKS if narrow else TICKS)
    words = f"{model} − other ({MEASURES[measure]})"
    axes.set_xlabel(style.wrap(words, axes_mm, style.TEXT_PT, most_lines=1)[0], labelpad=1.5)
    for i, row in enumerate(rows.to_dict("records")):
        middle = bottom_of_title + (i + 0.5) * ROW_MM
        name = style.wrap(row["title"], name_mm, style.SMALL_PT, most_lines=1)[0]
        frame.text(name_mm, middle, name, ha="right", va="center")
        if numbers_mm:
            frame.text(frame.width_mm - VERDICT_MM - GAP_MM, middle, _numbers(row), ha="right", va="center")
        verdict = row["verdict"].removesuffix(" to decide")  # there is no room for more
        frame.text(frame.width_mm - VERDICT_MM, middle, verdict, va="center")


def _draw_intervals(axes: Axes, rows: pd.DataFrame, measure: str, n_ticks: int) -> None:
    margin = rows["margin"].max()
    if margin > 0:
        axes.axvspan(-margin, margin, zorder=0, **MARGIN)
    axes.axvline(0, color=style.GREY, lw=0.6, zorder=1)
    for i, row in enumerate(rows.to_dict("records")):
        for which, line in zip(LINES[row["kind"]], (THIN, THICK), strict=True):
            axes.hlines(i, row[f"lower{which}"], row[f"upper{which}"], zorder=2, **line)
        axes.plot(row["difference"], i, zorder=3, **_marks(row["verdict"]))
    axes.set_ylim(len(rows) - 0.5, -0.5)
    names = [f"{side}{which}" for which in LINES[rows["kind"].iloc[0]] for side in ("lower", "upper")]
    found = rows[["difference", *names]].to_numpy(float)
    ends = np.append(found[~np.isnan(found)], 0)
    if margin > 0:
        ends = np.append(ends, [-margin, margin])
    if measure in BOUNDED:
        ends = ends.clip(-1, 1)
    room = max(0.06 * np.ptp(ends), SMALLEST_REACH)
    axes.set_xlim(ends.min() - room, ends.max() + room)
    style.axis_of_intervals(axes, n_ticks)
    if rows["difference"].isna().all():
        axes.set_xticks([])


def _numbers(row: Mapping[Any, Any]) -> str:
    """Difference with its 95 % interval, for print."""
    decimals = 3 if row["measure"] in BOUNDED else 1
    if np.isnan(row["difference"]):
        return "–"
    ends = [style.number(row[end], decimals) for end in ("lower", "upper")]
    interval = "" if np.isnan(row["lower"]) else f" ({ends[0]} to {ends[1]})"
    return f"{style.number(row['difference'], decimals)}{interval}"
