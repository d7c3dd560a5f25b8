"""Dice per model and lesion as box-violins (Figure E1 of the study)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from scipy.stats import gaussian_kde

from headct.contracts.declarations import MadeOf, PublishedFigure
from headct.contracts.references import PREDICTS_NOTHING
from headct.contracts.references import TITLES as REFERENCE_TITLES
from headct.publish.figures import shown_scores, style
from headct.publish.options import Options
from headct.statistics.core import scores as metrics

ALL_SCANS = PublishedFigure(
    name="dice_box_violin",
    help="Dice per model and lesion",
    inputs={"metrics": "metrics of all models"},
    given={
        "labels": "lesions",
        "models": "titles of all models",
        "study_title": "study title",
        "width_mm": "width in mm",
    },
    columns="model title label element scan_id dice value",
    keys="model title label scan_id element dice",
    made_of=(MadeOf(seeds="first"),),
)
PRESENT = PublishedFigure(
    name="dice_box_violin_present",
    help="Dice per model and lesion, over the scans that have the lesion",
    inputs={"metrics": "metrics of all models"},
    given={
        "labels": "lesions",
        "models": "titles of all models",
        "study_title": "study title",
        "width_mm": "width in mm",
    },
    columns="model title label element scan_id dice value",
    keys="model title label scan_id element dice",
    made_of=(MadeOf(seeds="first", scans="with lesion"),),
)

ROW_MM, NARROW_ROW_MM = 8.5, 4.2
AROUND_ROWS_MM, NARROW_AROUND_ROWS_MM = 21.0, 19.0
"""Height of a panel's title and axis."""
NAME_MM, NARROW_NAME_MM = 34.0, 22.0
HALF_WIDTH = 0.42
"""Half the height of a violin or bar at its widest, in rows."""
FEWEST_FOR_DENSITY = 10
"""A density from fewer scans would show the kernel, not the data: then each scan is a dot."""
GRID = np.linspace(0, 1, 101)


def draw(options: Options) -> style.Pages:
    """Either figure."""
    scores = metrics.read(options.metrics, list(options.models), options.labels)
    present = options.figure == PRESENT.name
    words = (options.study_title, options.width_mm, present)
    return [
        draw_box_violins(scores, options.models, labels, *words) for labels in style.in_pages(options.labels)
    ]


@dataclass(frozen=True)
class Distribution:
    """What is drawn of one model's Dice on one lesion; shares are fractions of all scans."""

    dice: pd.Series  # by scan_id
    box: dict[str, float]  # mean, q1, median, q3, whisker_low, whisker_high
    share_at_0: float
    share_at_1: float
    density: np.ndarray | None  # on GRID, of the values between 0 and 1; area = their share

    def dots(self) -> pd.Series:
        """Scans drawn one by one, by scan_id: those between 0 and 1 that no other mark stands for."""
        inside = self.dice[(self.dice > 0) & (self.dice < 1)]
        if self.density is None:
            return inside
        return inside[(inside < self.box["whisker_low"]) | (inside > self.box["whisker_high"])]


def between_0_and_1(values: np.ndarray) -> np.ndarray | None:
    """Kernel density on ``GRID`` of values in the open interval (0, 1), none of it outside.

    The kernel is reflected at 0 and 1 (Schuster 1985, "boundary folding"), so the area within is 1.
    NaN beyond the values, where nothing was seen. None where there are too few values, or no
    spread, to estimate it.
    """
    if len(values) < FEWEST_FOR_DENSITY or np.ptp(values) == 0:
        return None
    kernel = gaussian_kde(values)
    density = kernel(GRID) + kernel(-GRID) + kernel(2 - GRID)
    seen = (values.min() <= GRID) & (values.max() >= GRID)
    return np.where(seen, density, np.nan)


def distribution(dice: pd.Series) -> Distribution:
    """Summarise the Dice of one model on one lesion (values by scan, NaN left out).

    Quartiles are of type 7, whiskers reach the furthest value within 1.5 interquartile ranges.
    """
    dice = dice.dropna()
    values = dice.to_numpy(float)
    if not len(values):
        return Distribution(dice, {}, np.nan, np.nan, None)
    q1, median, q3 = np.percentile(values, [25, 50, 75])
    reach = 1.5 * (q3 - q1)
    box = {
        "mean": float(values.mean()),
        "q1": float(q1),
        "median": float(median),
        "q3": float(q3),
        "whisker_low": float(values[values >= q1 - reach].min()),
        "whisker_high": float(values[values <= q3 + reach].max()),
    }
    inside = values[(values > 0) & (values < 1)]
    density = between_0_and_1(inside)
    return Distribution(
        dice,
        box,
        float(np.mean(values == 0)),
        float(np.mean(values == 1)),
        None if density is None else density * len(inside) / len(values),
    )


def _percent(share: float) -> str:
    """A share for print; "0" only where it is exactly 0."""
    if np.isnan(share):
        return "–"
    percent = 100 * share
    if 0 < percent < 0.5:
        return "<1"
    if 99.5 < percent < 100:
        return ">99"
    return f"{percent:.0f}"


def _draw_row(axes: Axes, row: float, drawn: Distribution, density_scale: float, colour: str) -> None:
    """One model's row: bars for the shares at 0 and 1, violin or dots between, box over both."""
    for at, share in ((0.0, drawn.share_at_0), (1.0, drawn.share_at_1)):
        half = HALF_WIDTH * share
        axes.plot([at, at], [row - half, row + half], color=colour, lw=3, solid_capstyle="butt", zorder=2)
    if drawn.density is not None:
        half_width = HALF_WIDTH * drawn.density * density_scale
        axes.fill_between(GRID, row - half_width, row + half_width, color=colour, alpha=0.35, lw=0, zorder=1)
    dots = drawn.dots()
    axes.plot(dots, np.full(len(dots), row), "o", ms=2.2, mfc=colour, mec="none", alpha=0.6, zorder=2)
    if drawn.box:
        statistics = {
            "med": drawn.box["median"],
            "q1": drawn.box["q1"],
            "q3": drawn.box["q3"],
            "whislo": drawn.box["whisker_low"],
            "whishi": drawn.box["whisker_high"],
            "mean": drawn.box["mean"],
        }
        axes.bxp(
            [statistics],
            positions=[row],
            widths=0.26,
            orientation="horizontal",
            showfliers=False,
            showmeans=True,
            showcaps=False,
            manage_ticks=False,
            boxprops={"lw": 0.7},
            whiskerprops={"lw": 0.7},
            medianprops={"color": style.BLACK, "lw": 1.8, "solid_capstyle": "butt"},
            meanprops={"marker": "D", "mfc": "white", "mec": style.BLACK, "mew": 0.7, "ms": 3},
            zorder=3,
        )
    for x, align, share in ((-0.06, "right", drawn.share_at_0), (1.06, "left", drawn.share_at_1)):
        axes.text(x, row, _percent(share), ha=align, va="center", size=style.SMALL_PT)


def _draw_lesion(
    axes: Axes, label: str, drawn: Mapping[str, Distribution], rows: Mapping[str, float]
) -> None:
    peak = max((np.nanmax(d.density) for d in drawn.values() if d.density is not None), default=1.0)
    for model, row in rows.items():
        colour = style.GREY if model == PREDICTS_NOTHING else style.BLUE
        _draw_row(axes, row, drawn[model], 1 / peak, colour)
    if PREDICTS_NOTHING in rows:
        axes.axhline(rows[PREDICTS_NOTHING] - 0.65, color=style.GREY, lw=0.6, ls=(0, (4, 3)))
    counts = sorted({len(d.dice) for d in drawn.values()})
    n = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    axes.set_title(f"{label}  (n = {n})", weight="bold", pad=12)
    for x, align, words in ((-0.06, "right", "% at 0"), (1.06, "left", "% at 1")):
        axes.text(
            x, min(rows.values()) - 0.62, words, ha=align, va="bottom", size=style.SMALL_PT, color=style.GREY
        )
    axes.set_xlim(-0.26, 1.26)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", ".25", ".5", ".75", "1"])
    axes.set_xlabel("Dice")
    axes.spines["bottom"].set_bounds(0, 1)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)


def _long(title: str, model: str, label: str, drawn: Distribution) -> pd.DataFrame:
    """The drawn numbers of one violin, one per row."""
    summary = {**drawn.box, "share_at_0": drawn.share_at_0, "share_at_1": drawn.share_at_1}
    dots = drawn.dots()
    parts = [
        pd.DataFrame({"element": "scan", "scan_id": dots.index, "dice": dots.to_numpy()}),
        pd.DataFrame({"element": list(summary), "value": list(summary.values())}),
    ]
    if drawn.density is not None:
        curve = pd.DataFrame({"element": "density", "dice": GRID, "value": drawn.density})
        parts.append(curve.dropna(subset=["value"]))
    return pd.concat(parts, ignore_index=True).assign(model=model, title=title, label=label)


def draw_box_violins(
    scores: pd.DataFrame,
    titles: Mapping[str, str],
    labels: Collection[str],
    study_title: str,
    width_mm: float = style.WIDTH_MM,
    present: bool = False,
    heading: str = "Dice per model and lesion",
) -> tuple[Figure, pd.DataFrame]:
    """Box-violin of Dice, one panel per lesion, one row per model.

    Args:
        scores: rows of metrics tables, as of :func:`headct.statistics.core.scores.read`.
        titles: title of each model to show, in order from the top. The trivial model, where
            ``scores`` has it, comes last and apart.
        labels: the lesions, a panel each.
        study_title: printed in the corner.
        width_mm: of the figure in print.
        present: only scans that have the lesion in the reference; the heading says so.
        heading: of the figure.

    Returns:
        The figure, and the numbers in it.
    """
    scores, seed_words = shown_scores.first_seed(scores)
    found = set(scores["model"])
    if present:
        scores = scores[scores["reference_ml"] > 0]
    titles = {key: title for key, title in titles.items() if key in found and key != PREDICTS_NOTHING}
    if PREDICTS_NOTHING in found and not present:  # there it is 0 by definition
        titles[PREDICTS_NOTHING] = REFERENCE_TITLES[PREDICTS_NOTHING]
    rows = {model: float(i) for i, model in enumerate(titles)}
    if PREDICTS_NOTHING in rows:
        rows[PREDICTS_NOTHING] += 0.4
    notes = [
        "Bar at 0 and at 1: share of scans with exactly that Dice, full height = 100 %.",
        f"Dots: scans beyond the whiskers, or all if fewer than {FEWEST_FOR_DENSITY} are between 0 and 1.",
        "Scans with the lesion in the reference."
        if present
        else "Both lesion masks empty: 1; predicted but absent: 0.",
        shown_scores.failure_words(scores, "the Dice of each is 0"),
        seed_words,
    ]
    legend = [
        Patch(fc=style.BLUE, alpha=0.35, label="Density between 0 and 1"),
        Patch(fc="white", ec=style.BLACK, lw=0.7, label="Quartiles"),
        Line2D([], [], color=style.BLACK, lw=1.8, label="Median"),
        Line2D([], [], ls="", marker="D", mfc="white", mec=style.BLACK, mew=0.7, ms=3, label="Mean"),
        Line2D(
            [],
            [],
            ls="",
            marker="o",
            ms=2.2,
            mfc=style.BLUE,
            mec="none",
            label="One scan",
        ),
    ]
    narrow = style.is_narrow(width_mm)
    rows_mm = (NARROW_ROW_MM if narrow else ROW_MM) * (max(rows.values()) + 1)
    shape = (len(labels), 1) if narrow else (1, len(labels))
    around_mm = NARROW_AROUND_ROWS_MM if narrow else AROUND_ROWS_MM
    body_mm = shape[0] * (around_mm + rows_mm)
    heading += ", where the lesion is present" if present else ""
    page = style.sheet(heading, study_title, body_mm, legend, notes, width_mm)
    panels = page.body.subplots(*shape, sharey=True, squeeze=False).ravel()
    table = []
    for axes, label in zip(panels, labels, strict=True):
        of_label = scores[scores["label"] == label]
        drawn = {
            model: distribution(of_label[of_label["model"] == model].set_index("scan_id")["dice"])
            for model in titles
        }
        _draw_lesion(axes, label, drawn, rows)
        table += [_long(titles[model], model, label, drawn[model]) for model in titles]
    name_mm = NARROW_NAME_MM if narrow else NAME_MM
    names = [
        "\n".join(style.wrap(title, name_mm, style.TEXT_PT, most_lines=1 if narrow else 2))
        for title in titles.values()
    ]
    panels[0].set_yticks(list(rows.values()), names, size=style.TEXT_PT)
    panels[0].set_ylim(max(rows.values()) + 0.7, -0.7)
    columns = ["model", "title", "label", "element", "scan_id", "dice", "value"]
    return page.figure, pd.concat(table, ignore_index=True)[columns]
