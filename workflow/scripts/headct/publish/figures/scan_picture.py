"""A picture of one scan: a panel as those of the contact sheet, in pixels, for a page to show."""

from __future__ import annotations

import io
import math
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from headct.contracts.artefacts import write_atomically
from headct.contracts.labels import LabelSet
from headct.publish.figures import style
from headct.publish.figures.ingest_qc import PANEL_MM, draw_panel
from headct.publish.figures.slices import Slice, shown_slice

SCALE = 1.7
"""Of the sides of a panel of the contact sheet, whose letters keep their size."""

DPI = 250


def write(
    image: NDArray[np.int16],
    labels: NDArray[np.uint8],
    pixel_mm: tuple[float, float],
    label_set: LabelSet,
    path: Path,
) -> None:
    """Write the slice with the most lesion, outlined, as PNG; equal voxels give equal bytes.

    Args:
        image: HU in LPS order, shape (z, y, x).
        labels: the label map, of the image's shape.
        pixel_mm: size of a pixel (dx, dy).
        label_set: the lesions.
        path: of the PNG.
    """
    index = shown_slice([labels])
    # A panel outlines what stands in the place of the reference, and shows no position.
    shown = Slice(image[index], labels[index], {}, pixel_mm, index, len(image), position_mm=math.nan)
    with mpl.rc_context(style.PRINT):
        figure = Figure(figsize=tuple(PANEL_MM * SCALE / style.MM_PER_INCH), dpi=DPI)
        axes = figure.add_axes((0, 0, 1, 1), xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
        draw_panel(axes, shown, label_set)
        stream = io.BytesIO()
        FigureCanvasAgg(figure).print_png(stream, metadata={"Software": None})
    with write_atomically(path) as temporary:
        temporary.write_bytes(stream.getvalue())
