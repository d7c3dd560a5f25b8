"""Hounsfield units as the project stores them: whole numbers within the range of a 12-bit scanner."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Intensity = Literal["hounsfield", "windowed"]
"""What the values of a study's images are: Hounsfield units, or grey levels of a window for display."""

HU_RANGE = (-1024, 3071)
"""Hounsfield units that a 12-bit scanner stores; values outside are clipped."""

ABOVE_RANGE_SHARE = 0.001
"""Share of the voxels above the range from which on a scan is flagged."""


def to_int16(hounsfield: NDArray[Any]) -> NDArray[np.int16]:
    """Round to whole HU (halves to even) and clip to ``HU_RANGE``."""
    if not np.issubdtype(hounsfield.dtype, np.integer):
        hounsfield = np.rint(hounsfield)
    clipped: NDArray[np.int16] = np.clip(hounsfield, *HU_RANGE).astype(np.int16, copy=False)
    return clipped
