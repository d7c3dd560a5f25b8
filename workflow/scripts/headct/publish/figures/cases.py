"""Cases with the best and the worst Dice, on CT, beside the truth (Figures E2 and E3 of the study)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from headct.contracts.declarations import MadeOf, PublishedFigure
from headct.contracts.labels import LabelSet
from headct.contracts.problems import BadInput, Problem
from headct.publish.figures import shown_scores, style
from headct.publish.figures.lesions_on_ct import (
    WINDOW_LEVEL_HU,
    WINDOW_WIDTH_HU,
    draw_outlines,
    lesion_legend,
)
from headct.publish.figures.slices import Slice, head_box_mm, load_slice, runs_to_show
from headct.publish.options import Options
from headct.statistics.core import scores as metrics

BEST = PublishedFigure(
    name="best_cases",
    help="cases with the best Dice, on CT",
    shows_ct=True,
    inputs={
        "metrics": "metrics of the shown models",
        "predictions": "predictions of the shown models",
        "data": "scans",
    },
    given={
        "labels": "lesions in print",
        "select_by": "model that ranks cases",
        "show": "titles of the shown models",
        "n": "number of cases",
        "rank_by": "Dice that ranks cases",
        "study_title": "study title",
        "width_mm": "width in mm",
    },
    columns="rank scan_id mean_dice slice n_slices slice_position_mm model title label dice"
    " reference_ml predicted_ml failure",
    keys="model title label rank scan_id dice",
    made_of=(
        MadeOf(columns="rank", models="that ranks cases", seeds="first"),
        MadeOf(columns="mean_dice", models="that ranks cases", seeds="first", lesions="all"),
        MadeOf(seeds="first"),
    ),
)
WORST = PublishedFigure(
    name="worst_cases",
    help="cases with the worst Dice, on CT",
    shows_ct=True,
    inputs={
        "metrics": "metrics of the shown models",
        "predictions": "predictions of the shown models",
        "data": "scans",
    },
    given={
        "labels": "lesions in print",
        "select_by": "model that ranks cases",
        "show": "titles of the shown models",
        "n": "number of cases",
        "rank_by": "Dice that ranks cases",
        "study_title": "study title",
        "width_mm": "width in mm",
    },
    columns="rank scan_id mean_dice slice n_slices slice_position_mm model title label dice"
    " reference_ml predicted_ml failure",
    keys="model title label rank scan_id dice",
    made_of=(
        MadeOf(columns="rank", models="that ranks cases", seeds="first"),
        MadeOf(columns="mean_dice", models="that ranks cases", seeds="first", lesions="all"),
        MadeOf(seeds="first"),
    ),
)

MARGIN_MM = 5.0
SCALE_BAR_MM = 20.0
GAP_MM = 1.4
LARGEST_PANEL_MM = 42.0
PANELS_PER_ROW = 3
"""Where panels go below each other, for one column of print."""
BELOW_PANELS_MM = 1.0
DICE_MM = 2 * style.line_height_mm(style.SMALL_PT)
"""Names and Dice of a few lesions side by side."""
BETWEEN_NAMES_MM = 1.2
ABSENT = "absent"
"""Below a panel, of a lesion that is in neither mask."""
AFTER_CASE_MM = 2.1

RULES = {
    "dice": "a lesion in neither mask (“absent”) counts as 1",
    "dice_present": "of those that the reference has (“absent”: in neither mask)",
}
"""How cases are ranked, by the mean of these Dice over the lesions, in words."""
RULES_OF_ONE = {**RULES, "dice_present": "scans without it in the reference are left out"}
"""As :data:`RULES`, in a study of one lesion."""


def draw(options: Options) -> style.Pages:
    """Either figure."""
    return draw_cases(
        metrics.read(options.metrics, [options.select_by, *options.show], options.labels),
        options.predictions,
        options.data,
        options.select_by,
        options.show,
        options.figure == BEST.name,
        options.n,
        options.labels,
        options.study_title,
        options.width_mm,
        options.rank_by,
    )


def _draw_ct(axes: Axes, shown: Slice) -> None:
    height, width = shown.ct_hu.shape
    dx, dy = shown.pixel_mm
    low = WINDOW_LEVEL_HU - WINDOW_WIDTH_HU / 2
    axes.imshow(
        shown.ct_hu,
        cmap="gray",
        vmin=low,
        vmax=low + WINDOW_WIDTH_HU,
        extent=(0, width * dx, height * dy, 0),
        interpolation="bilinear",
    )


def _draw_mask(axes: Axes, mask: np.ndarray, pixel_mm: tuple[float, float], labels: LabelSet) -> None:
    """Lesions as tinted areas with outlines on the pixel edges."""
    tint = np.zeros((*mask.shape, 4))
    for label in labels.labels:
        tint[mask == label.value] = to_rgba(label.colour, 0.3)
    dx, dy = pixel_mm
    extent = (0, mask.shape[1] * dx, mask.shape[0] * dy, 0)
    axes.imshow(tint, extent=extent, interpolation="nearest")
    draw_outlines(axes, mask, pixel_mm, 0.8, labels)


def _draw_scale_bar(axes: Axes, box: np.ndarray) -> None:
    left, bottom = box[0] + 4, box[3] - 6
    axes.add_patch(Rectangle((left, bottom), SCALE_BAR_MM, 2, fc="white", ec="none"))
    words = f"{SCALE_BAR_MM / 10:g} cm"
    axes.text(left, bottom - 1.5, words, color="white", size=style.SMALL_PT, va="bottom")


@dataclass(frozen=True)
class Layout:
    """Where the panels of a case go: CT, truth, then the models; sizes in mm."""

    titles: list[list[str]]  # lines of each panel's title
    per_row: int
    panel_mm: tuple[float, float]
    titles_mm: float
    below_mm: float

    @property
    def one_row(self) -> bool:
        """All panels side by side: titles stand once, above the first case of a page."""
        return len(self.titles) <= self.per_row

    @property
    def row_mm(self) -> float:
        """Height of a row of panels with what stands below them, and above them if titles do."""
        return self.panel_mm[1] + self.below_mm + (0.0 if self.one_row else self.titles_mm)

    @property
    def case_mm(self) -> float:
        """Height of a case with its line of words."""
        n_rows = math.ceil(len(self.titles) / self.per_row)
        return style.line_height_mm(style.SMALL_PT) + n_rows * self.row_mm + AFTER_CASE_MM

    def corner(self, panel: int) -> tuple[float, float]:
        """Upper left corner of a panel, from that of its case's panels."""
        row, column = divmod(panel, self.per_row)
        top = row * self.row_mm + (0.0 if self.one_row else self.titles_mm)
        return column * (self.panel_mm[0] + GAP_MM), top


def _layout(titles: Sequence[str], box: np.ndarray, width_mm: float, labels: LabelSet) -> Layout:
    """Panels as wide as the figure allows.

    Args:
        titles: of the panels of a case.
        box: what is seen of each slice, in mm.
        width_mm: of the figure.
        labels: whose Dice stand below the panels.
    """
    left, right, front, back = box
    per_row = min(len(titles), PANELS_PER_ROW) if style.is_narrow(width_mm) else len(titles)
    width = min(LARGEST_PANEL_MM, (width_mm + GAP_MM) / per_row - GAP_MM)
    lines = [style.wrap(words, width, style.TEXT_PT) for words in titles]
    titles_mm = max(map(len, lines)) * style.line_height_mm(style.TEXT_PT)
    size = (width, width * (back - front) / (right - left))
    below_mm = BELOW_PANELS_MM + DICE_MM * len(names_in_rows(labels, width))
    return Layout(lines, per_row, size, titles_mm, below_mm)


def names_in_rows(names: Iterable[str], width_mm: float) -> list[list[str]]:
    """Names in rows of equal columns, in order: as many beside each other as the longest word allows."""
    rows: list[list[str]] = []
    for name in names:
        row = [*rows[-1], name] if rows else [name]
        words_mm = [style.text_width_mm(words, style.SMALL_PT) for words in (*row, ABSENT)]
        if rows and len(row) * (max(words_mm) + BETWEEN_NAMES_MM) <= width_mm:
            rows[-1] = row
        else:
            rows.append([name])
    return rows


def _write_titles(page: style.Page, top_mm: float, layout: Layout) -> None:
    """Titles of all panels; ``top_mm``: where the panels begin, or, with several rows, their titles."""
    for panel, lines in enumerate(layout.titles):
        left, top = layout.corner(panel)
        how = {"ha": "center", "va": "bottom", "weight": "bold", "size": style.TEXT_PT}
        page.text(left + layout.panel_mm[0] / 2, top_mm + top, "\n".join(lines), **how)


def _draw_case(
    page: style.Page, top_mm: float, layout: Layout, box: np.ndarray, shown: Slice, labels: LabelSet
) -> None:
    """The panels of one case: CT, truth, predictions; ``box`` is what of the slice is seen, in mm."""
    masks: list[np.ndarray | None] = [None, shown.truth, *shown.predictions.values()]
    for panel, mask in enumerate(masks):
        left, top = layout.corner(panel)
        axes = page.axes(left, top_mm + top, *layout.panel_mm)
        axes.set_facecolor("black")
        _draw_ct(axes, shown)
        if mask is not None:
            _draw_mask(axes, mask, shown.pixel_mm, labels)
        elif panel:
            how: dict[str, Any] = {
                "color": "white",
                "ha": "center",
                "bbox": {"fc": "black", "ec": "none", "pad": 2},
            }
            axes.text(0.5, 0.1, "no prediction", transform=axes.transAxes, **how)
        axes.set(xlim=box[:2], ylim=(box[3], box[2]))
        if panel == 0:
            _draw_scale_bar(axes, box)
            axes.text(0.03, 0.97, "R", color="white", va="top", transform=axes.transAxes)


def _view_boxes(slices: Sequence[Slice]) -> list[np.ndarray]:
    """What is seen of each slice (left, right, top, bottom in mm): equal in size, head in the middle.

    Equal sizes give all cases one scale.
    """
    heads = np.array([head_box_mm(shown.ct_hu, shown.pixel_mm) for shown in slices])
    half_width = np.ptp(heads[:, :2], axis=1).max() / 2 + MARGIN_MM
    half_height = np.ptp(heads[:, 2:], axis=1).max() / 2 + MARGIN_MM
    reach = np.array([-half_width, half_width, -half_height, half_height])
    return [np.repeat([head[:2].mean(), head[2:].mean()], 2) + reach for head in heads]


def _table(
    scores: pd.DataFrame,
    chosen: pd.Series,
    slices: Mapping[str, Slice],
    show: Mapping[str, str],
    labels: LabelSet,
) -> pd.DataFrame:
    """The numbers of the figure: one row per case × model × lesion."""
    cases = pd.DataFrame(
        {
            "rank": np.arange(1, len(chosen) + 1),
            "scan_id": chosen.index,
            "mean_dice": chosen.to_numpy(),
            "slice": [slices[scan].index + 1 for scan in chosen.index],
            "n_slices": [slices[scan].count for scan in chosen.index],
            "slice_position_mm": [slices[scan].position_mm for scan in chosen.index],
        }
    )
    shown = pd.DataFrame({"model": list(show), "title": list(show.values())})
    lesions = pd.DataFrame({"label": list(labels)})
    grid = cases.merge(shown, how="cross").merge(lesions, how="cross")
    measures = scores[["model", "scan_id", "label", "dice", "reference_ml", "predicted_ml", "failure"]]
    return grid.merge(measures, how="left", on=["model", "scan_id", "label"])


def _dice_words(row: Mapping[Any, Any]) -> str:
    """Dice for print; a lesion in neither mask is said to be absent, though it counts as 1."""
    if row["failure"]:
        return "–"
    absent = row["reference_ml"] == 0 and row["predicted_ml"] == 0
    return ABSENT if absent else style.number(row["dice"])


def draw_cases(
    scores: pd.DataFrame,
    manifests: Sequence[Path],
    data: Path,
    select_by: str,
    show: Mapping[str, str],
    best: bool,
    n: int,
    labels: LabelSet,
    study_title: str,
    width_mm: float = style.WIDTH_MM,
    rank_by: str = "dice",
) -> list[tuple[Figure, pd.DataFrame]]:
    """One row per case: the CT, the truth on it, then each model's prediction on it.

    Args:
        scores: rows of metrics tables, as of :func:`headct.statistics.core.scores.read`.
        manifests: predictions manifests, at ``{model}/seed-{seed}.tsv``.
        data: folder of scan folders with ``ct.nii.gz``, ``labels.nii.gz`` and ``scan.json``.
        select_by: the model by whose mean Dice cases are chosen.
        show: title of each model to show, from left to right.
        best: the best cases, or the worst.
        n: number of cases.
        labels: the lesions.
        study_title: printed in the corner.
        width_mm: of the figure in print.
        rank_by: one of :data:`RULES`.

    Returns:
        Pages of at most ``style.TALLEST_MM``, each with the numbers in it.

    Raises:
        BadInput: a model has no manifest, the selecting model has no case to show, or a prediction
            can't be used.
    """
    scores, seed_words = shown_scores.first_seed(scores)
    chosen = shown_scores.ranked(scores, select_by, best, n, rank_by)
    if chosen.empty:
        message = "gave no prediction of any scan: there is no case to show"
        raise BadInput([Problem("--metrics", message, key="model", value=select_by)])
    runs = runs_to_show(manifests, list(show))
    slices = {scan: load_slice(data / scan, runs) for scan in chosen.index}
    table = _table(scores, chosen, slices, show, labels)
    boxes = dict(zip(slices, _view_boxes(list(slices.values())), strict=True))
    layout = _layout(["CT", "Truth", *show.values()], next(iter(boxes.values())), width_mm, labels)

    selector = show.get(select_by, select_by)
    own = scores[scores["model"] == select_by]
    several = len(labels) > 1
    ranking = (
        f"Mean Dice of {selector} over {', '.join(labels)} of the whole scan; {RULES[rank_by]}."
        if several
        else f"Dice of {selector} for {next(iter(labels))}, of the whole scan; {RULES_OF_ONE[rank_by]}."
    )
    notes = [
        ranking,
        "Below each prediction: its Dice.",
        f"Slice with the largest lesion area in the truth. Window {WINDOW_LEVEL_HU}/{WINDOW_WIDTH_HU} HU.",
        f"R: the patient's right. n = {own['scan_id'].nunique()} scans to choose from.",
        shown_scores.failure_words(own, "not among the cases"),
        seed_words,
    ]
    measure = "mean Dice" if several else "Dice"
    heading = f"Cases with the {'best' if best else 'worst'} {measure} by {selector}"
    n_that_fit = max(1, int((style.TALLEST_BODY_MM - layout.titles_mm) / layout.case_mm))
    n_pages = math.ceil(len(chosen) / n_that_fit)
    pages = []
    for scans in np.array_split(chosen.index.to_numpy(), n_pages):
        body_mm = (layout.titles_mm if layout.one_row else 0.0) + layout.case_mm * len(scans) + 1
        legend = lesion_legend(0.45, labels)
        sheet = style.sheet(heading, study_title, body_mm, legend, notes, width_mm)
        page = style.Page(sheet.body, body_mm, width_mm)
        rows = table[table["scan_id"].isin(scans)]
        _draw_page(page, layout, rows, slices, boxes, show, labels)
        pages.append((sheet.figure, rows))
    return pages


def _draw_page(
    page: style.Page,
    layout: Layout,
    table: pd.DataFrame,
    slices: Mapping[str, Slice],
    boxes: Mapping[str, np.ndarray],
    show: Mapping[str, str],
    labels: LabelSet,
) -> None:
    """The cases of one page, those of ``table``, one below the other."""
    line_mm = style.line_height_mm(style.SMALL_PT)
    top = 1.5
    if layout.one_row:
        top += layout.titles_mm
        _write_titles(page, layout.titles_mm, layout)
    for rank, rows in table.groupby("rank"):
        scan = str(rows["scan_id"].iloc[0])
        shown = slices[scan]
        where = f"slice {shown.index + 1} of {shown.count}, at {style.number(shown.position_mm, 1)} mm"
        measure = "mean Dice" if len(labels) > 1 else "Dice"
        words = f"{rank}. {scan}, {where}, {measure} {style.number(rows['mean_dice'].iloc[0])}"
        page.text(0, top, style.wrap(words, page.width_mm, style.SMALL_PT, most_lines=1)[0])
        if not layout.one_row:
            _write_titles(page, top + line_mm, layout)
        _draw_case(page, top + line_mm, layout, boxes[scan], shown, labels)
        for panel, model in enumerate(show, start=2):
            left, from_top = layout.corner(panel)
            below = top + line_mm + from_top + layout.panel_mm[1] + 1.0
            _write_dice(page, left, below, layout.panel_mm[0], rows[rows["model"] == model])
        top += layout.case_mm


def _write_dice(page: style.Page, left_mm: float, top_mm: float, width_mm: float, rows: pd.DataFrame) -> None:
    """Dice per lesion under one model's panel, the lesions' names on a line above; a few side by side."""
    line_mm = style.line_height_mm(style.SMALL_PT)
    by_label = {str(row["label"]): row for row in rows.to_dict("records")}
    for place, beside in enumerate(names_in_rows(by_label, width_mm)):
        top = top_mm + DICE_MM * place
        for part, label in enumerate(beside):
            middle = left_mm + width_mm * (part + 0.5) / len(beside)
            name = style.wrap(label, width_mm, style.SMALL_PT, most_lines=1)[0]
            page.text(middle, top, name, ha="center", color=style.GREY)
            page.text(middle, top + line_mm, _dice_words(by_label[label]), ha="center")
