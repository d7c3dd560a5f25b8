"""Agreement of predicted with reference volumes: Bland–Altman and concordance plots.

The numbers come from :mod:`headct.statistics.core.agreement`, so figure and table can't differ. They are
computed again, not read from ``agreement.tsv``: that is of all models, of which a figure shows one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from headct.contracts.artefacts import read_tsv
from headct.contracts.declarations import MadeOf, PublishedFigure
from headct.publish.figures import shown_scores, style
from headct.publish.options import Options
from headct.settings import analysis_plan
from headct.statistics.core import scores as metrics
from headct.statistics.core.agreement import agreement_row
from headct.statistics.core.clusters import Clusters, planned_clusters

BLAND_ALTMAN = PublishedFigure(
    name="bland_altman",
    help="volume difference against mean volume, one model",
    inputs={
        "metrics": "metrics of the agreement model",
        "plan": "analysis plan",
        "cohort": "cohort/cohort.tsv",
    },
    given={
        "labels": "lesions",
        "model_title": "title of the agreement model",
        "study_title": "study title",
        "width_mm": "width in mm",
    },
    columns="label element scan_id x y ci_low ci_high",
    keys="label scan_id element x",
    made_of=(MadeOf(seeds="first"),),
)
CONCORDANCE = PublishedFigure(
    name="concordance",
    help="predicted against reference volume, one model",
    inputs={
        "metrics": "metrics of the agreement model",
        "plan": "analysis plan",
        "cohort": "cohort/cohort.tsv",
    },
    given={
        "labels": "lesions",
        "model_title": "title of the agreement model",
        "study_title": "study title",
        "width_mm": "width in mm",
    },
    columns="label element scan_id x y value ci_low ci_high",
    keys="label scan_id element x",
    made_of=(MadeOf(seeds="first"),),
)

Row = Mapping[str, Any]
"""Of ``agreement.tsv``."""

BIAS, NOT_ESTIMABLE = "bias", "not estimable"
SCAN, ABSENT = "scan", "scan without the lesion in either"
BODY_MM = 72.0
PANEL_MM = {"Bland-Altman": 62.0, "concordance": 66.0}
"""Height of a panel with its texts where panels go below each other."""
SMALLEST_RANGE_ML = 1e-3
"""Axes that would show less than this show rounding errors, not volumes."""
MISSING_VOLUME = "the volume of each counts as 0 mL"
DASHES = (0, (4, 2))
SCAN_MARKS: dict[str, Any] = {
    "ls": "",
    "marker": "o",
    "ms": 3,
    "mfc": style.BLUE,
    "mec": "none",
    "alpha": 0.6,
}
ABSENT_MARKS: dict[str, Any] = {
    "ls": "",
    "marker": "o",
    "ms": 5.5,
    "mfc": "none",
    "mec": style.VERMILLION,
    "mew": 0.9,
}


def volumes(scores: pd.DataFrame, label: str) -> pd.DataFrame:
    """Volumes of one lesion by scan: scan_id, reference_ml, predicted_ml, element.

    ``element`` tells whether the lesion is in neither mask. A missing prediction is 0 mL.
    """
    rows = scores.loc[scores["label"] == label, ["scan_id", "reference_ml", "predicted_ml"]]
    rows = rows.sort_values("scan_id")
    absent = (rows["reference_ml"] == 0) & (rows["predicted_ml"] == 0)
    return rows.assign(element=np.where(absent, ABSENT, SCAN)).reset_index(drop=True)


def draw(options: Options) -> style.Pages:
    """Either figure."""
    make = draw_bland_altman if options.figure == BLAND_ALTMAN.name else draw_concordance
    scores = metrics.read([options.metrics], [], options.labels)
    plan, cohort = analysis_plan.load(options.plan), read_tsv(options.cohort)
    clusters = planned_clusters(plan, cohort, scores["scan_id"].unique())
    words = (options.study_title, options.width_mm)
    return [
        make(scores, clusters, options.model_title, labels, *words)
        for labels in style.in_pages(options.labels)
    ]


def agreement_shown(scores: pd.DataFrame, labels: Collection[str], clusters: Clusters) -> Mapping[str, Row]:
    """Agreement of one model over all scans: per lesion, a row with columns as ``agreement.tsv`` has them."""
    rows = {}
    for label in labels:
        drawn = volumes(scores, label)
        reference, predicted = (drawn[name].to_numpy(float) for name in ("reference_ml", "predicted_ml"))
        rows[label] = agreement_row(reference, predicted, clusters.of(drawn["scan_id"]))
    return rows


def _draw_scans(axes: Axes, drawn: pd.DataFrame) -> None:
    """The scans as dots; those with the lesion in neither mask, all at 0, as one ring."""
    for element, marks in ((SCAN, SCAN_MARKS), (ABSENT, ABSENT_MARKS)):
        points = drawn[drawn["element"] == element]
        if points.empty:  # an empty line that is not clipped would drag the layout to the corner
            continue
        axes.plot(points["x"], points["y"], clip_on=False, zorder=4, **marks)


def _print_numbers(axes: Axes, label: str, drawn: pd.DataFrame, lines: Sequence[str]) -> None:
    """The lesion, the number of scans and the statistics, above the panel."""
    n_absent = int((drawn["element"] == ABSENT).sum())
    absent = f" ({n_absent} absent from both)" if n_absent else ""
    text = "\n".join([f"n = {len(drawn)}{absent}", *lines])
    how: dict[str, Any] = {
        "va": "bottom",
        "size": style.SMALL_PT,
        "linespacing": 1.25,
        "transform": axes.transAxes,
    }
    # Wider than the panel's axes: the layout must not shrink them for it.
    axes.text(0, 1.03, text, **how).set_in_layout(False)
    pad_mm = style.line_height_mm(style.SMALL_PT) * (len(lines) + 1) + 2
    axes.set_title(label, loc="left", weight="bold", pad=pad_mm * style.POINTS_PER_MM)


def _estimate(value: float, ci_low: float, ci_high: float, words: Callable[[float], str]) -> str:
    """An estimate with its confidence interval, for print."""
    if np.isnan(value):
        return NOT_ESTIMABLE
    interval = "no interval" if np.isnan(ci_low) else f"{words(ci_low)} to {words(ci_high)}"
    return f"{words(value)} ({interval})"


def _coefficient(value: float) -> str:
    """A coefficient for print; 1 only where it is exactly 1."""
    return ">0.999" if 0.9995 <= value < 1 else style.number(value, 3)


def _ticks(axes: Axes) -> None:
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}".replace("-", "−")))


def _sheet(
    figure: str,
    heading: str,
    labels: Collection[str],
    study_title: str,
    legend: Sequence[Artist],
    notes: Sequence[str],
    width_mm: float,
) -> tuple[Figure, list[Axes]]:
    """The sheet and one panel per lesion, side by side or one below the other."""
    n = len(labels)
    shape, body_mm = ((n, 1), n * PANEL_MM[figure]) if style.is_narrow(width_mm) else ((1, n), BODY_MM)
    page = style.sheet(heading, study_title, body_mm, legend, notes, width_mm)
    return page.figure, list(page.body.subplots(*shape, squeeze=False).flat)


def draw_bland_altman(
    scores: pd.DataFrame,
    clusters: Clusters,
    model_title: str,
    labels: Collection[str],
    study_title: str,
    width_mm: float = style.WIDTH_MM,
) -> tuple[Figure, pd.DataFrame]:
    """Difference (prediction − reference) against mean, one panel per lesion (Bland, Altman 1986).

    Args:
        scores: rows of one model's metrics table.
        clusters: what intervals leave out.
        model_title: printed in the heading.
        labels: the lesions, a panel each.
        study_title: printed in the corner.
        width_mm: of the figure in print.

    Returns:
        The figure, and the numbers in it.
    """
    scores, seed_words = shown_scores.first_seed(scores)
    heading = f"{model_title}: difference between predicted and reference volume"
    notes = [shown_scores.failure_words(scores, MISSING_VOLUME), seed_words]
    difference = "Prediction − reference"
    shown = agreement_shown(scores, labels, clusters)
    return bland_altman_page(scores, shown, heading, difference, notes, labels, study_title, width_mm)


def bland_altman_page(
    scores: pd.DataFrame,
    shown: Mapping[str, Row],
    heading: str,
    difference: str,
    notes: Sequence[str],
    labels: Collection[str],
    study_title: str,
    width_mm: float,
) -> tuple[Figure, pd.DataFrame]:
    """Bland-Altman plot of one set of volumes against the reference; ``difference`` names the axis.

    Args:
        scores: the metrics table of one model or kind of reading.
        shown: its agreement, per lesion, a row with columns as ``agreement.tsv`` has them.
        heading: of the page.
        difference: the name of the vertical axis.
        notes: sentences below the heading.
        labels: the label set.
        study_title: in the lower right corner.
        width_mm: of the figure.
    """
    legend = [
        Line2D([], [], label="One scan", **SCAN_MARKS),
        Line2D([], [], label="Absent from both", **ABSENT_MARKS),
        Line2D([], [], color=style.BLACK, label="Bias"),
        Line2D([], [], color=style.BLACK, ls=DASHES, label="Limits of agreement"),
        Patch(fc=style.SKY_BLUE, alpha=0.35, label="95% CI of the bias"),
    ]
    notes = ["Limits: bias ± 1.96 SD.", *notes]
    figure, panels = _sheet("Bland-Altman", heading, labels, study_title, legend, notes, width_mm)
    table = []
    for axes, label in zip(panels, labels, strict=True):
        drawn = volumes(scores, label)
        drawn["x"] = (drawn["predicted_ml"] + drawn["reference_ml"]) / 2
        drawn["y"] = drawn["predicted_ml"] - drawn["reference_ml"]
        lines = bland_altman_lines(shown[label])
        _draw_bland_altman(axes, label, drawn, lines)
        table.append(pd.concat([drawn, lines]).assign(label=label))
    for axes in panels if style.is_narrow(width_mm) else panels[:1]:
        axes.set_ylabel(f"{difference} (mL)")
    columns = ["label", "element", "scan_id", "x", "y", "ci_low", "ci_high"]
    return figure, pd.concat(table)[columns]


def bland_altman_lines(row: Row) -> pd.DataFrame:
    """The three horizontal lines, from the top: element, y, ci_low, ci_high (mL).

    The limits of agreement have no interval.
    """
    return pd.DataFrame(
        [
            ("upper limit", row["loa_upper_ml"], math.nan, math.nan),
            (BIAS, row["bias_ml"], row["bias_lower_ml"], row["bias_upper_ml"]),
            ("lower limit", row["loa_lower_ml"], math.nan, math.nan),
        ],
        columns=["element", "y", "ci_low", "ci_high"],
    )


def _draw_bland_altman(axes: Axes, label: str, drawn: pd.DataFrame, lines: pd.DataFrame) -> None:
    words = []
    for line in lines.to_dict("records"):
        is_bias = line["element"] == BIAS
        value = style.significant(line["y"]) if not np.isnan(line["y"]) else NOT_ESTIMABLE
        if is_bias:
            value = _estimate(line["y"], line["ci_low"], line["ci_high"], style.significant)
        words.append(f"{line['element'].capitalize()} {value}")
        if np.isnan(line["y"]):
            continue
        if not np.isnan(line["ci_low"]):
            axes.axhspan(line["ci_low"], line["ci_high"], color=style.SKY_BLUE, alpha=0.35, lw=0, zorder=1)
        axes.axhline(line["y"], color=style.BLACK, ls="-" if is_bias else DASHES, zorder=3)
    axes.axhline(0, color=style.GREY, lw=0.5, zorder=2)
    _draw_scans(axes, drawn)
    _print_numbers(axes, label, drawn, words)
    axes.set_xlim(0, None if drawn["x"].max() > 0 else 1)
    if np.ptp(axes.get_ylim()) < SMALLEST_RANGE_ML:
        axes.set_ylim(-1, 1)
    axes.set_xlabel("Mean of the two (mL)")
    _ticks(axes)


def draw_concordance(
    scores: pd.DataFrame,
    clusters: Clusters,
    model_title: str,
    labels: Collection[str],
    study_title: str,
    width_mm: float = style.WIDTH_MM,
) -> tuple[Figure, pd.DataFrame]:
    """Predicted against reference volume, one panel per lesion, with Lin's coefficient (Lin 1989).

    Args and returns: as of :func:`draw_bland_altman`.

    Args:
        scores: the metrics table of one model.
        clusters: what intervals leave out.
        model_title: in the heading.
        labels: the label set.
        study_title: in the lower right corner.
        width_mm: of the figure.
    """
    scores, seed_words = shown_scores.first_seed(scores)
    legend = [
        Line2D([], [], label="One scan", **SCAN_MARKS),
        Line2D([], [], label="Absent from both", **ABSENT_MARKS),
        Line2D([], [], color=style.GREY, ls=DASHES, label="Identity"),
        Line2D([], [], color=style.BLACK, label="Least-squares line"),
    ]
    notes = [
        "CCC: Lin's concordance correlation coefficient.",
        shown_scores.failure_words(scores, MISSING_VOLUME),
        seed_words,
    ]
    heading = f"{model_title}: predicted against reference volume"
    figure, panels = _sheet("concordance", heading, labels, study_title, legend, notes, width_mm)
    shown = agreement_shown(scores, labels, clusters)
    table = []
    for axes, label in zip(panels, labels, strict=True):
        drawn = volumes(scores, label)
        drawn["x"], drawn["y"] = drawn["reference_ml"], drawn["predicted_ml"]
        table.append(_draw_concordance(axes, label, drawn, shown[label]).assign(label=label))
    for axes in panels if style.is_narrow(width_mm) else panels[:1]:
        axes.set_ylabel("Predicted volume (mL)")
    columns = ["label", "element", "scan_id", "x", "y", "value", "ci_low", "ci_high"]
    return figure, pd.concat(table)[columns]


def _draw_concordance(axes: Axes, label: str, drawn: pd.DataFrame, row: Row) -> pd.DataFrame:
    """Draw one lesion; return what is drawn."""
    reference, predicted = drawn["x"].to_numpy(float), drawn["y"].to_numpy(float)
    ccc, lower, upper = (float(row[name]) for name in ("ccc", "ccc_lower", "ccc_upper"))
    largest = max([0.0, *reference, *predicted])
    top = 1.05 * largest if largest > SMALLEST_RANGE_ML else 1.0
    words = [f"CCC {_estimate(ccc, lower, upper, _coefficient)}"]
    elements: list[dict[str, Any]] = [{"element": "CCC", "value": ccc, "ci_low": lower, "ci_high": upper}]
    axes.plot([0, top], [0, top], color=style.GREY, ls=DASHES, zorder=2)
    if len(np.unique(reference)) > 1:
        slope, intercept = np.polyfit(reference, predicted, 1)
        x = np.array([reference.min(), reference.max()])
        axes.plot(x, intercept + slope * x, color=style.BLACK, zorder=3)
        elements += [{"element": "fitted line", "x": end, "y": intercept + slope * end} for end in x]
        sign = "+" if slope >= 0 else "−"
        words.append(f"y = {style.significant(intercept)} {sign} {style.significant(abs(slope))} x")
    else:
        words.append("No line: all reference volumes equal")
    _draw_scans(axes, drawn)
    _print_numbers(axes, label, drawn, words)
    axes.set(xlim=(0, top), ylim=(0, top), box_aspect=1, xlabel="Reference volume (mL)")
    _ticks(axes)
    return pd.concat([drawn, pd.DataFrame(elements)])
