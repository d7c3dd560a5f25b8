"""Lesions on a slice of CT, for all figures that show slices: brain window, outlines, legend."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.patches import Patch, PathPatch
from matplotlib.path import Path as Outline

from headct.contracts.labels import LabelSet

WINDOW_LEVEL_HU, WINDOW_WIDTH_HU = 40, 80


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


def draw_outlines(
    axes: Axes,
    mask: np.ndarray,
    pixel_mm: tuple[float, float],
    width_pt: float,
    labels: LabelSet,
) -> None:
    """Outline of each lesion on the pixel edges; axes in mm from the corner of the slice.

    Args:
        axes: in mm from the corner of the slice.
        mask: a slice of a label map, shape (y, x).
        pixel_mm: size of a pixel, x and y.
        width_pt: of the line.
        labels: the label set.
    """
    for label in labels.bottom_up:
        lesion = mask == label.value
        if lesion.any():
            edges, colour = outline(lesion, pixel_mm), label.colour
            axes.add_patch(PathPatch(edges, fc="none", ec=colour, lw=width_pt, capstyle="projecting"))


def lesion_legend(fill: float, labels: LabelSet) -> list[Patch]:
    """Colours and names of the lesions; ``fill``: opacity inside of the outlines."""
    return [
        Patch(
            fc=to_rgba(label.colour, fill),
            ec=label.colour,
            lw=1,
            label=label.name if label.title == label.name else f"{label.name} {label.title_in_sentence}",
        )
        for label in labels.labels
    ]
