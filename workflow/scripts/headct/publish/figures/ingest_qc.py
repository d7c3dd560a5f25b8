"""Contact sheet of the cohort: one slice of each included scan with its mask; then what is put aside.

Leafing through it shows what no check sees: a mask on the wrong side, a head upside down, HU that are none.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from headct.contracts.artefacts import read_tsv
from headct.contracts.declarations import MadeOf, PublishedFigure
from headct.contracts.labels import LabelSet
from headct.publish.figures import style
from headct.publish.figures.lesions_on_ct import (
    WINDOW_LEVEL_HU,
    WINDOW_WIDTH_HU,
    draw_outlines,
    lesion_legend,
)
from headct.publish.figures.slices import Slice, head_box_mm, load_slice
from headct.publish.options import Options

FIGURE = PublishedFigure(
    name="ingest_qc",
    help="contact sheet of all scans",
    on_cluster=True,
    shows_ct=True,
    pictures=False,  # a page for each 30 scans
    inputs={"cohort": "cohort/cohort.tsv", "data": "scans of all sets"},
    given={"labels": "lesions in print", "study_title": "study title"},
    columns="page scan_id status slice n_slices slice_position_mm lesion_area_mm2 tilt_deg mean_gap_mm"
    " flags reason",
    keys="scan_id reason status page",
    made_of=(MadeOf(rows="sheet"),),
)

COLUMNS, ROWS = 6, 5
GAP_MM = 1.4
ROW_GAP_MM = 2.5
CAPTION_GAP_MM = 0.6
FIELD_MM = np.array([190.0, 230.0])
"""Width and height that a panel shows: all heads have one scale, so a wrong pixel size stands out."""

MARGIN_MM = 3.0
"""At least so much is seen around head and mask."""

SAMPLE_MM = 0.9
"""Smaller pixels are averaged to about this size: 200 dots per inch on the page."""

SCALE_BAR_MM = 50.0
FINE_PT = style.SMALLEST_PT
PANEL_MM = np.array([1.0, FIELD_MM[1] / FIELD_MM[0]]) * ((style.WIDTH_MM + GAP_MM) / COLUMNS - GAP_MM)

LIST_MM = 225.0
LIST_COLUMNS_MM = {"scan_id": 40.0, "status": 18.0, "reason": style.WIDTH_MM - 58.0}
LIST_ROW_GAP_MM = 1.0
STATUSES_LISTED = {"error": "in error", "excluded": "excluded"}


def draw(options: Options) -> style.Pages:
    """The figure from its files."""
    return draw_pages(read_tsv(options.cohort), options.data, options.labels, options.study_title)


class GreyImage(AxesImage):
    """A grey image of one byte a pixel: the PDF's writer keeps all images until the file is closed."""

    def to_rgba(self, x: Any, *args: Any, **kwargs: Any) -> np.ndarray:
        """The values with one channel, which is written in the PDF's grey colour space."""
        return np.asarray(x)[..., np.newaxis]


def view_box_mm(shown: Slice) -> np.ndarray:
    """Left, right, top and bottom edge, in mm, of what a panel shows of a slice.

    ``FIELD_MM`` with head and mask in the middle; larger, in equal proportions, where these are.
    """
    boxes = [head_box_mm(shown.ct_hu, shown.pixel_mm)]
    if shown.truth.any():
        dx, dy = shown.pixel_mm
        rows, columns = (np.flatnonzero(shown.truth.any(axis=axis)) for axis in (1, 0))
        boxes.append((columns[0] * dx, (columns[-1] + 1) * dx, rows[0] * dy, (rows[-1] + 1) * dy))
    low, high = np.min(boxes, axis=0)[[0, 2]], np.max(boxes, axis=0)[[1, 3]]
    zoom = max(1.0, *((high - low + 2 * MARGIN_MM) / FIELD_MM))
    middle, half = (low + high) / 2, zoom * FIELD_MM / 2
    return np.stack([middle - half, middle + half], axis=1).ravel()


def grey_values(shown: Slice, box_mm: np.ndarray) -> tuple[np.ndarray, tuple[float, float, float, float]]:
    """Grey values (y, x; 0 to 255) of the part of a slice in a box, and its extent in mm.

    Blocks of whole pixels are averaged in the brain window, so that thin bone stays white. The extent
    is (left, right, bottom, top), as Matplotlib has it.
    """
    sample_mm = SAMPLE_MM * (box_mm[1] - box_mm[0]) / FIELD_MM[0]
    parts, edges_mm, per_block = [], [], []
    for low, high, pixel_mm, n in zip(
        box_mm[[2, 0]], box_mm[[3, 1]], shown.pixel_mm[::-1], shown.ct_hu.shape, strict=True
    ):
        start, stop = max(0, math.floor(low / pixel_mm)), min(n, math.ceil(high / pixel_mm))
        block = max(1, round(sample_mm / pixel_mm))
        n_blocks = math.ceil((stop - start) / block)
        parts.append(slice(start, stop))
        edges_mm += [start * pixel_mm, (start + n_blocks * block) * pixel_mm]
        per_block.append((n_blocks, block))
    window = (shown.ct_hu[tuple(parts)] - (WINDOW_LEVEL_HU - WINDOW_WIDTH_HU / 2)) / WINDOW_WIDTH_HU
    (rows, high), (columns, wide) = per_block
    missing = [(0, rows * high - window.shape[0]), (0, columns * wide - window.shape[1])]
    whole_blocks = np.pad(np.clip(window, 0, 1), missing, mode="edge")
    mean = whole_blocks.reshape(rows, high, columns, wide).mean(axis=(1, 3))
    top, bottom, left, right = edges_mm
    return np.round(mean * 255).astype(np.uint8), (left, right, bottom, top)


def draw_panel(axes: Axes, shown: Slice, labels: LabelSet, kind: type[AxesImage] = AxesImage) -> None:
    """One slice in the brain window, patient's right on the left, with its outlines and slice number.

    Args:
        axes: that it fills.
        shown: the slice.
        labels: the lesions that are outlined.
        kind: of the image, where the file's writer takes grey ones.
    """
    box = view_box_mm(shown)
    grey, extent = grey_values(shown, box)
    axes.set_facecolor("black")
    axes.set(xlim=box[:2], ylim=box[:1:-1])
    image = kind(
        axes, cmap="gray", norm=Normalize(0, 255), interpolation="none", origin="upper", extent=extent
    )
    image.set_data(grey)
    image.set_clip_path(axes.patch)
    axes.add_image(image)
    draw_outlines(axes, shown.truth, shown.pixel_mm, 0.5, labels)
    unit = (box[1] - box[0]) / FIELD_MM[0]
    left, bottom = box[0] + 5 * unit, box[3] - 8 * unit
    axes.add_patch(Rectangle((left, bottom), SCALE_BAR_MM, 2 * unit, fc="white", ec="none"))
    ground = {"fc": "black", "ec": "none", "pad": 0.8}
    words: dict[str, Any] = {"color": "white", "size": FINE_PT, "transform": axes.transAxes, "bbox": ground}
    axes.text(0.03, 0.98, "R", va="top", **words)
    axes.text(0.97, 0.02, f"{shown.index + 1}/{shown.count}", ha="right", va="bottom", **words)


@dataclass(frozen=True)
class Caption:
    """Lines above a panel: the scan's id; in small print its tilt and mean gap, then its flags."""

    title: Sequence[str]
    fine: Sequence[str]

    @property
    def title_mm(self) -> float:
        """Height of the title."""
        return len(self.title) * style.line_height_mm(style.SMALL_PT)

    @property
    def height_mm(self) -> float:
        """Height of all lines."""
        return self.title_mm + len(self.fine) * style.line_height_mm(FINE_PT) + CAPTION_GAP_MM


def caption_of(scan: dict[str, Any]) -> Caption:
    """The caption of one row of the cohort; flags beyond two lines end in an ellipsis."""
    width = PANEL_MM[0]
    facts = f"tilt {style.number(scan['tilt_deg'], 1)}°, gap {style.number(scan['spacing_z_mm'])} mm"
    flags = scan["flags"].replace(",", ", ").replace("_", " ")
    fine = style.wrap(facts, width, FINE_PT, most_lines=1)
    if flags:
        fine += style.wrap(flags, width, FINE_PT, most_lines=2)
    return Caption(style.wrap(scan["scan_id"], width, style.SMALL_PT, weight="bold"), fine)


def _contact_page(
    scans: Sequence[dict[str, Any]], data: Path, labels: LabelSet, heading: str, study_title: str
) -> tuple[Figure, list[dict[str, Any]]]:
    """One page of panels, and what was measured in each; panels of a row stand side by side."""
    rows = [scans[first : first + COLUMNS] for first in range(0, len(scans), COLUMNS)]
    captions = [[caption_of(scan) for scan in row] for row in rows]
    above_mm = [max(caption.height_mm for caption in row) for row in captions]
    body_mm = GAP_MM + sum(above_mm) + len(rows) * (PANEL_MM[1] + ROW_GAP_MM)
    bar = Line2D([], [], color="black", lw=2, label=f"bar in a panel: {SCALE_BAR_MM / 10:g} cm")
    notes = [
        "The axial slice with the largest labelled area, its number from the lowest in the corner, seen from",
        f"below (R: the patient's right). Window {WINDOW_LEVEL_HU}/{WINDOW_WIDTH_HU} HU.",
        "Gap: mean distance of slices along their normal. Flags end in … where there are more.",
    ]
    sheet = style.sheet(heading, study_title, body_mm, [*lesion_legend(0, labels), bar], notes)
    page = style.Page(sheet.body, body_mm)
    measurements = []
    top = GAP_MM
    for row, row_captions, above in zip(rows, captions, above_mm, strict=True):
        panel_top = top + above
        for column, (scan, caption) in enumerate(zip(row, row_captions, strict=True)):
            x, y = column * (PANEL_MM[0] + GAP_MM), panel_top - caption.height_mm
            page.text(x, y, "\n".join(caption.title), weight="bold", linespacing=1.15)
            page.text(x, y + caption.title_mm, "\n".join(caption.fine), size=FINE_PT, linespacing=1.15)
            shown = load_slice(data / scan["scan_id"], {})
            draw_panel(page.axes(x, panel_top, *PANEL_MM), shown, labels, GreyImage)
            measurements.append(
                {
                    "slice": shown.index + 1,
                    "n_slices": shown.count,
                    "slice_position_mm": shown.position_mm,
                    "lesion_area_mm2": np.count_nonzero(shown.truth) * math.prod(shown.pixel_mm),
                }
            )
        top = panel_top + PANEL_MM[1] + ROW_GAP_MM
    return sheet.figure, measurements


@dataclass(frozen=True)
class ListRow:
    """A scan that is put aside: its cells, broken into lines."""

    cells: Sequence[Sequence[str]]

    @property
    def height_mm(self) -> float:
        """Height of the highest cell, and the gap below."""
        return max(map(len, self.cells)) * style.line_height_mm(style.TEXT_PT) + LIST_ROW_GAP_MM


def list_row(scan: dict[str, Any]) -> ListRow:
    """Id, status and reason of a scan, wrapped into their columns."""
    words = [scan["scan_id"], STATUSES_LISTED[scan["status"]], scan["reason"]]
    widths = LIST_COLUMNS_MM.values()
    return ListRow([style.wrap(w, mm - 2, style.TEXT_PT) for w, mm in zip(words, widths, strict=True)])


def _list_page(rows: Sequence[ListRow], heading: str, study_title: str) -> Figure:
    head_mm = style.line_height_mm(style.TEXT_PT) + 2 * LIST_ROW_GAP_MM
    body_mm = head_mm + sum(row.height_mm for row in rows)
    notes = ["In error: a fault in the files or the sheet that can be mended."]
    sheet = style.sheet(heading, study_title, body_mm, [], notes)
    page = style.Page(sheet.body, body_mm)
    starts = np.cumsum([0.0, *LIST_COLUMNS_MM.values()])
    for x, words in zip(starts, ("Scan", "Status", "Reason"), strict=False):
        page.text(x, LIST_ROW_GAP_MM, words, size=style.TEXT_PT, weight="bold")
    top = head_mm
    for row in rows:
        for x, lines in zip(starts, row.cells, strict=False):
            page.text(x, top, "\n".join(lines), size=style.TEXT_PT, linespacing=1.1)
        top += row.height_mm
    return sheet.figure


def list_pages(rows: Sequence[ListRow]) -> list[list[ListRow]]:
    """The rows of each page: as many as fit, at least one."""
    pages: list[list[ListRow]] = []
    left_mm = 0.0
    for row in rows:
        if row.height_mm > left_mm:
            pages.append([])
            left_mm = LIST_MM
        pages[-1].append(row)
        left_mm -= row.height_mm
    return pages


def draw_pages(
    cohort: pd.DataFrame, data: Path, labels: LabelSet, study_title: str
) -> Iterator[tuple[Figure, pd.DataFrame]]:
    """The pages one by one, each with its table; one scan at a time is in memory.

    Args:
        cohort: ``cohort.tsv``.
        data: folder of scan folders with ``ct.nii.gz``, ``labels.nii.gz`` and ``scan.json``.
        labels: the lesions that are outlined.
        study_title: printed in the corner of each page.

    Yields:
        Figure, and a table with the columns page, scan_id, status, slice (from 1, at the bottom),
        n_slices, slice_position_mm, lesion_area_mm2, tilt_deg, mean_gap_mm, flags, reason.
    """
    ordered = cohort.fillna({"flags": "", "reason": ""}).sort_values("scan_id")
    scans: list[dict[str, Any]] = [dict(row) for _, row in ordered.iterrows()]
    included = [scan for scan in scans if scan["status"] == "included"]
    aside = [scan for status in STATUSES_LISTED for scan in scans if scan["status"] == status]
    per_page = COLUMNS * ROWS
    contact = [included[first : first + per_page] for first in range(0, len(included), per_page)]
    listed = list_pages([list_row(scan) for scan in aside])
    n_pages = len(contact) + len(listed)
    for number, page in enumerate(contact, start=1):
        heading = f"Included scans ({len(included)}), page {number} of {n_pages}"
        figure, measurements = _contact_page(page, data, labels, heading, study_title)
        yield figure, _table(number, page, measurements)
    first = 0
    for number, rows in enumerate(listed, start=len(contact) + 1):
        heading = f"Scans that are excluded or in error ({len(aside)}), page {number} of {n_pages}"
        page = aside[first : first + len(rows)]
        first += len(rows)
        yield _list_page(rows, heading, study_title), _table(number, page, [{} for _ in page])


def _table(
    page: int, scans: Sequence[dict[str, Any]], measurements: Sequence[dict[str, Any]]
) -> pd.DataFrame:
    rows = [
        {
            "page": page,
            "scan_id": scan["scan_id"],
            "status": scan["status"],
            "slice": numbers.get("slice"),
            "n_slices": numbers.get("n_slices"),
            "slice_position_mm": numbers.get("slice_position_mm"),
            "lesion_area_mm2": numbers.get("lesion_area_mm2"),
            "tilt_deg": scan["tilt_deg"],
            "mean_gap_mm": scan["spacing_z_mm"],
            "flags": scan["flags"],
            "reason": scan["reason"],
        }
        for scan, numbers in zip(scans, measurements, strict=True)
    ]
    measures = ("slice_position_mm", "lesion_area_mm2", "tilt_deg", "mean_gap_mm")
    return pd.DataFrame(rows).astype(
        {"slice": "Int64", "n_slices": "Int64", **dict.fromkeys(measures, float)}
    )
