"""Cases with the best and the worst Dice, on CT, beside the truth (Figures E2 and E3 of the study)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Patch, PathPatch, Rectangle
from matplotlib.path import Path as Outline

from headct.figures import scores as metrics
from headct.figures import style
from headct.figures.slices import Slice, head_box_mm, load_slice, runs_to_show
from headct.labels import LABELS
from headct.problems import BadInput, Problem

WINDOW_LEVEL_HU, WINDOW_WIDTH_HU = 40, 80
MARGIN_MM = 5.0
SCALE_BAR_MM = 20.0
GAP_MM = 1.4
LARGEST_PANEL_MM = 42.0


def ranked(scores: pd.DataFrame, model: str, best: bool, n: int) -> pd.Series:
    """Mean Dice over the lesions of the ``n`` best (or worst) scans by ``model``, in that order.

    Dice as in the metrics table (1 where a lesion is in neither mask). Scans without a prediction
    are left out: there is nothing to look at. Ties are broken by scan id.
    """
    own = scores[(scores["model"] == model) & (scores["failure"] == "")]
    mean_dice = own.groupby("scan_id")["dice"].mean().dropna().sort_index()
    return mean_dice.sort_values(ascending=not best, kind="stable").head(n)


def outline(mask: np.ndarray, pixel_mm: tuple[float, float]) -> Outline:
    """The edges between pixels in and out of a mask (y, x), in mm: the mask as it is, not smoothed."""
    padded = np.pad(mask.astype(bool), 1)
    y, x = np.nonzero(padded[1:-1, 1:] != padded[1:-1, :-1])
    upright = np.stack([np.stack([x, y], 1), np.stack([x, y + 1], 1)], 1)
    y, x = np.nonzero(padded[1:, 1:-1] != padded[:-1, 1:-1])
    level = np.stack([np.stack([x, y], 1), np.stack([x + 1, y], 1)], 1)
    vertices = np.concatenate([upright, level]).reshape(-1, 2) * np.asarray(pixel_mm)
    codes = np.tile([Outline.MOVETO, Outline.LINETO], len(vertices) // 2)
    return Outline(vertices, codes)


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


def _draw_mask(axes: Axes, mask: np.ndarray, pixel_mm: tuple[float, float]) -> None:
    """Lesions as tinted areas with outlines on the pixel edges."""
    tint = np.zeros((*mask.shape, 4))
    for label, value in LABELS.items():
        tint[mask == value] = to_rgba(style.LESION_COLOURS[label], 0.3)
    dx, dy = pixel_mm
    extent = (0, mask.shape[1] * dx, mask.shape[0] * dy, 0)
    axes.imshow(tint, extent=extent, interpolation="nearest")
    draw_outlines(axes, mask, pixel_mm, width_pt=0.8)


def draw_outlines(axes: Axes, mask: np.ndarray, pixel_mm: tuple[float, float], width_pt: float) -> None:
    """Outline of each lesion on the pixel edges; axes in mm from the corner of the slice."""
    for label in ("PHE", "IVH", "ICH"):
        lesion = mask == LABELS[label]
        if lesion.any():
            edges, colour = outline(lesion, pixel_mm), style.LESION_COLOURS[label]
            axes.add_patch(PathPatch(edges, fc="none", ec=colour, lw=width_pt, capstyle="projecting"))


def lesion_legend(fill: float) -> list[Patch]:
    """Colours and names of the lesions; ``fill``: opacity inside of the outlines."""
    return [
        Patch(fc=to_rgba(colour, fill), ec=colour, lw=1, label=f"{label} {style.LESION_NAMES[label].lower()}")
        for label, colour in style.LESION_COLOURS.items()
    ]


def _draw_scale_bar(axes: Axes, box: np.ndarray) -> None:
    left, bottom = box[0] + 4, box[3] - 6
    axes.add_patch(Rectangle((left, bottom), SCALE_BAR_MM, 2, fc="white", ec="none"))
    words = f"{SCALE_BAR_MM / 10:g} cm"
    axes.text(left, bottom - 1.5, words, color="white", size=style.SMALL_PT, va="bottom")


def _draw_case(
    page: style.Page, top_mm: float, panel_mm: tuple[float, float], box: np.ndarray, shown: Slice
) -> None:
    """The panels of one case: CT, truth, predictions; ``box`` is what of the slice is seen, in mm."""
    masks: list[np.ndarray | None] = [None, shown.truth, *shown.predictions.values()]
    width, height = panel_mm
    for column, mask in enumerate(masks):
        axes = page.axes(column * (width + GAP_MM), top_mm, width, height)
        axes.set_facecolor("black")
        _draw_ct(axes, shown)
        if mask is not None:
            _draw_mask(axes, mask, shown.pixel_mm)
        elif column:
            how: dict[str, Any] = {
                "color": "white",
                "ha": "center",
                "bbox": {"fc": "black", "ec": "none", "pad": 2},
            }
            axes.text(0.5, 0.1, "no prediction", transform=axes.transAxes, **how)
        axes.set(xlim=box[:2], ylim=(box[3], box[2]))
        if column == 0:
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
    scores: pd.DataFrame, chosen: pd.Series, slices: Mapping[str, Slice], show: Mapping[str, str]
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
    lesions = pd.DataFrame({"label": list(LABELS)})
    grid = cases.merge(shown, how="cross").merge(lesions, how="cross")
    measures = scores[["model", "scan_id", "label", "dice", "reference_ml", "predicted_ml", "failure"]]
    return grid.merge(measures, how="left", on=["model", "scan_id", "label"])


def _dice_words(row: Mapping[Any, Any]) -> str:
    """Dice for print; a lesion in neither mask is said to be absent, though it counts as 1."""
    if row["failure"]:
        return "–"
    absent = row["reference_ml"] == 0 and row["predicted_ml"] == 0
    return "absent" if absent else style.number(row["dice"])


def draw_cases(
    scores: pd.DataFrame,
    manifests: Sequence[Path],
    data: Path,
    select_by: str,
    show: Mapping[str, str],
    best: bool,
    n: int,
    study_title: str,
) -> tuple[Figure, pd.DataFrame]:
    """One row per case: the CT, the truth on it, then each model's prediction on it.

    Args:
        scores: rows of metrics tables, as of :func:`headct.statistics.scores.read`.
        manifests: predictions manifests, at ``{model}/seed-{seed}.tsv``.
        data: folder of scan folders with ``ct.nii.gz``, ``labels.nii.gz`` and ``scan.json``.
        select_by: the model by whose mean Dice cases are chosen.
        show: title of each model to show, from left to right.
        best: the best cases, or the worst.
        n: number of cases.
        study_title: printed in the corner.

    Returns:
        The figure, and the numbers in it.

    Raises:
        BadInput: a model has no manifest, the selecting model has no case to show, or a prediction
            can't be used.
    """
    scores, seed_words = metrics.first_seed(scores)
    chosen = ranked(scores, select_by, best, n)
    if chosen.empty:
        message = "gave no prediction of any scan: there is no case to show"
        raise BadInput([Problem("--metrics", message, key="model", value=select_by)])
    runs = runs_to_show(manifests, list(show))
    slices = {scan: load_slice(data / scan, runs) for scan in chosen.index}
    table = _table(scores, chosen, slices, show)

    columns = ["CT", "Truth", *show.values()]
    panel_width = min(LARGEST_PANEL_MM, (style.WIDTH_MM + GAP_MM) / len(columns) - GAP_MM)
    boxes = _view_boxes(list(slices.values()))
    left, right, front, back = boxes[0]
    panel_mm = (panel_width, panel_width * (back - front) / (right - left))
    line_mm = style.line_height_mm(style.SMALL_PT)
    titles = [style.wrap(words, panel_width, style.TEXT_PT) for words in columns]
    titles_mm = max(len(lines) for lines in titles) * style.line_height_mm(style.TEXT_PT)
    case_mm = 2.1 + 3 * line_mm + panel_mm[1]
    body_mm = titles_mm + case_mm * len(chosen) + 1

    selector = show.get(select_by, select_by)
    own = scores[scores["model"] == select_by]
    notes = [
        f"Mean Dice of {selector} over {', '.join(LABELS)} of the whole scan; a lesion in neither mask",
        "(“absent”) counts as 1.",
        f"Slice with the largest lesion area in the truth. Window {WINDOW_LEVEL_HU}/{WINDOW_WIDTH_HU} HU.",
        "R: the patient's right.",
        metrics.failure_words(own, "not among the cases"),
        seed_words,
    ]
    legend = lesion_legend(fill=0.45)
    heading = f"Cases with the {'best' if best else 'worst'} mean Dice by {selector}"
    sheet = style.sheet(heading, study_title, body_mm, legend, notes)
    page = style.Page(sheet.body, body_mm)
    for column, lines in enumerate(titles):
        middle = column * (panel_width + GAP_MM) + panel_width / 2
        how = {"ha": "center", "va": "bottom", "weight": "bold", "size": style.TEXT_PT}
        page.text(middle, titles_mm, "\n".join(lines), **how)
    for (rank, (scan, mean)), box in zip(enumerate(chosen.items()), boxes, strict=True):
        top = titles_mm + rank * case_mm + 1.5
        shown = slices[scan]
        where = f"slice {shown.index + 1} of {shown.count}, at {style.number(shown.position_mm, 1)} mm"
        page.text(0, top, f"{rank + 1}. {scan}, {where}, mean Dice {style.number(mean)}")
        _draw_case(page, top + line_mm, panel_mm, box, shown)
        _write_dice(
            page, top + line_mm + panel_mm[1] + 1.0, panel_width, table[table["scan_id"] == scan], show
        )
    return sheet.figure, table


def _write_dice(
    page: style.Page, top_mm: float, panel_width: float, rows: pd.DataFrame, show: Mapping[str, str]
) -> None:
    """Dice per lesion under each model's panel, the lesions' names on a line above."""
    line_mm = style.line_height_mm(style.SMALL_PT)
    page.text(panel_width * 2 + GAP_MM - 0.5, top_mm + line_mm, "Dice", ha="right")
    for column, model in enumerate(show, start=2):
        for part, row in enumerate(rows[rows["model"] == model].to_dict("records")):
            middle = column * (panel_width + GAP_MM) + panel_width * (part + 0.5) / len(LABELS)
            page.text(middle, top_mm, row["label"], ha="center", color=style.GREY)
            page.text(middle, top_mm + line_mm, _dice_words(row), ha="center")
