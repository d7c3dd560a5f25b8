"""Where the voxels of a label map are, in mm, and the volume that each stands for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headct.imaging.geometry import MM3_PER_ML

Box = tuple[slice, slice, slice]


@dataclass(frozen=True)
class Grid:
    """A stack of equal slices: parallel, but perhaps sheared (gantry tilt) and unevenly spaced.

    Attributes:
        pixel_mm: size of a pixel (dx, dy).
        slices_mm: position (along a row, down a column, along the normal) of the first voxel of each
            slice, with one slice added beyond either end at the distance of its neighbour; shape
            (slices + 2, 3). Only differences count.
        voxel_ml: volume of a voxel of each slice: dx · dy · slice weight; shape (slices,).
        header_voxel_ml: volume of a voxel by the header that ITK's reader writes.
    """

    pixel_mm: tuple[float, float]
    slices_mm: NDArray[np.float64]
    voxel_ml: NDArray[np.float64]
    header_voxel_ml: float

    def crop(self, slices: slice) -> Grid:
        """The grid of some slices; a crop within the slice moves nothing, since only differences count."""
        beyond = slice(slices.start, slices.stop + 2)
        return Grid(self.pixel_mm, self.slices_mm[beyond], self.voxel_ml[slices], self.header_voxel_ml)


def from_record(geometry: Mapping[str, Any]) -> Grid:
    """The grid of a scan, from the geometry block of its ``scan.json``."""
    dx, dy, _ = geometry["spacing_mm_xyz"]
    origins = np.asarray(geometry["slice_origins_mm_lps"], dtype=float)
    positions = origins @ np.asarray(geometry["directions_lps"], dtype=float)
    below, above = 2 * positions[0] - positions[1], 2 * positions[-1] - positions[-2]
    return Grid(
        pixel_mm=(dx, dy),
        slices_mm=np.vstack([below, positions, above]),
        voxel_ml=dx * dy * np.asarray(geometry["slice_weights_mm"], dtype=float) / MM3_PER_ML,
        header_voxel_ml=float(dx * dy * geometry["header_spacing_z_mm"] / MM3_PER_ML),
    )


def bounding_box(first: NDArray[Any], second: NDArray[Any]) -> Box:
    """The smallest box around all that is not 0 in either of two maps (z, y, x); the first voxel if none."""
    profiles = zip(_profiles(first), _profiles(second), strict=True)
    used = [np.flatnonzero(one | other) for one, other in profiles]
    z, y, x = (slice(int(at[0]), int(at[-1]) + 1) if at.size else slice(0, 1) for at in used)
    return z, y, x


def _profiles(labels: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """What is used along z, y and x: 0 where a whole slice, row or column of the map is 0."""
    across = np.bitwise_or.reduce(labels, axis=0)
    # Each slice as one long row is far faster than a maximum over two axes.
    return labels.reshape(len(labels), -1).max(axis=1), across.max(axis=1), across.max(axis=0)
