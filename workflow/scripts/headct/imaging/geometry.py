"""Where the slices of a scan really are: positions, tilt, gaps, weights and volumes.

Head CT is often acquired with a tilted gantry and with uneven gaps. The slices are then parallel,
but stacked along a direction that is not their normal, and no header of a regular grid describes
them. All volumes of the project come from the functions here, and none from a header.

Coordinates are DICOM patient coordinates (LPS: x to the left, y to posterior, z to superior) in mm.
Arrays are indexed (z, y, x), sizes and spacings are named (x, y, z).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Vector = NDArray[np.float64]

MM3_PER_ML = 1000.0
ORTHONORMAL_TOLERANCE = 1e-3
"""Largest accepted error of the direction cosines, which DICOM writes with at least 4 digits."""


def unit_directions(orientation: ArrayLike) -> tuple[Vector, Vector, Vector]:
    """Row, column and normal direction of a slice, exactly orthonormal.

    Args:
        orientation: the six direction cosines of Image Orientation (Patient) (0020,0037): the first
            three point along a row (increasing column index), the others down a column.

    Raises:
        ValueError: these are not two perpendicular unit vectors.
    """
    cosines = np.asarray(orientation, dtype=np.float64)
    if cosines.shape != (6,) or not np.isfinite(cosines).all():
        raise ValueError("image orientation does not have six numbers")
    row, column = cosines[:3], cosines[3:]
    errors = (row @ row - 1, column @ column - 1, row @ column)
    if max(abs(error) for error in errors) > ORTHONORMAL_TOLERANCE:
        raise ValueError("image orientation is not two perpendicular unit vectors")
    row = row / np.linalg.norm(row)
    normal = np.cross(row, column)
    normal /= np.linalg.norm(normal)
    return row, np.cross(normal, row), normal


def angle_deg(first: Vector, second: Vector) -> float:
    """Angle between two directions, 0 to 180 degrees; exact for small angles too."""
    return float(np.degrees(np.arctan2(np.linalg.norm(np.cross(first, second)), first @ second)))


def perpendicular_positions(origins: ArrayLike, normal: Vector) -> Vector:
    """Position of each slice along the normal, in mm; ``origins`` has shape (slices, 3)."""
    positions: Vector = np.asarray(origins, dtype=np.float64) @ normal
    return positions


def slice_weights(positions: ArrayLike) -> Vector:
    """Thickness that each slice stands for, in mm: half of the gap on either side of it.

    An end slice has one gap only and mirrors it. The weights of evenly spaced slices all equal the
    gap; in general they sum to (last - first) + half of the first and half of the last gap.

    Args:
        positions: strictly increasing perpendicular positions in mm, at least two.

    Raises:
        ValueError: fewer than two slices, or positions that do not increase.
    """
    gaps = np.diff(np.asarray(positions, dtype=np.float64))
    if gaps.size == 0:
        raise ValueError("a single slice has no thickness that its position could tell")
    if not (gaps > 0).all():
        raise ValueError("slice positions do not increase")
    below, above = np.concatenate([gaps[:1], gaps]), np.concatenate([gaps, gaps[-1:]])
    weights: Vector = (below + above) / 2
    return weights


def volume_ml(mask: NDArray[Any], spacing_xy_mm: ArrayLike, weights_mm: ArrayLike) -> float:
    """Volume of a mask, in mL: dx * dy * sum over slices of (weight * voxels in the slice).

    Args:
        mask: shape (slices, rows, columns); voxels that are not 0 count.
        spacing_xy_mm: pixel size (dx, dy) in mm; further numbers are not read.
        weights_mm: one thickness per slice, in the order of the array (:func:`slice_weights`).
    """
    weights = np.asarray(weights_mm, dtype=np.float64)
    if mask.ndim != 3 or len(weights) != len(mask):
        raise ValueError(f"{len(weights)} slice weights do not fit an array of shape {mask.shape}")
    dx, dy = np.asarray(spacing_xy_mm, dtype=np.float64)[:2]
    counts = np.count_nonzero(mask, axis=(1, 2))
    return float(dx * dy * (weights @ counts) / MM3_PER_ML)


@dataclass(frozen=True)
class InPlaneMoves:
    """Lossless moves that turn a stored slice so that x runs to the left and y to posterior."""

    transpose: bool
    flip_x: bool
    flip_y: bool

    @property
    def any(self) -> bool:
        """Whether the slice is stored in another way than LPS."""
        return self.transpose or self.flip_x or self.flip_y

    def apply(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """Turn one slice of shape (rows, columns); no value changes."""
        if self.transpose:
            pixels = pixels.T
        return pixels[:: -1 if self.flip_y else 1, :: -1 if self.flip_x else 1]


@dataclass(frozen=True)
class Geometry:
    """Geometry of one scan whose slices are stored from inferior to superior, in LPS order.

    Attributes:
        size_xyz: columns, rows, slices.
        spacing_xy_mm: pixel size (dx, dy).
        directions: 3 x 3, orthonormal; its columns are the directions of x, y and of the normal.
        origins: centre of the first voxel of each slice, shape (slices, 3).
        moves: what was done to each stored slice to get here.
    """

    size_xyz: tuple[int, int, int]
    spacing_xy_mm: tuple[float, float]
    directions: Vector
    origins: Vector
    moves: InPlaneMoves

    @property
    def positions_mm(self) -> Vector:
        """Perpendicular position of each slice: its origin, projected on the normal."""
        return perpendicular_positions(self.origins, self.directions[:, 2])

    @property
    def weights_mm(self) -> Vector:
        """Thickness that each slice stands for (:func:`slice_weights`)."""
        return slice_weights(self.positions_mm)

    @property
    def spacing_mm_xyz(self) -> tuple[float, float, float]:
        """Spacing of the orthonormal grid that approximates the scan: z is the mean gap."""
        positions = self.positions_mm
        mean_gap = (positions[-1] - positions[0]) / (len(positions) - 1)
        return (*self.spacing_xy_mm, float(mean_gap))

    @property
    def header_spacing_z_mm(self) -> float:
        """The z spacing that ITK's series reader (hence ITK-SNAP) writes for this scan.

        It is the distance between the first and the last slice's origins, over the number of gaps:
        too large by 1/cos(tilt) (itkImageSeriesReader.hxx).
        """
        return float(np.linalg.norm(self.origins[-1] - self.origins[0]) / (len(self.origins) - 1))

    @property
    def tilt_deg(self) -> float:
        """Angle between the direction in which slices are stacked and their normal, >= 0.

        It comes from positions. The sign of Gantry/Detector Tilt (0018,1120) differs by maker.
        """
        return angle_deg(self.origins[-1] - self.origins[0], self.directions[:, 2])

    @property
    def sheared_affine(self) -> Vector:
        """4 x 4, index (x, y, z, 1) to LPS mm, with the true stacking direction.

        Exact for even gaps; for uneven ones, the origins say where each slice is.
        """
        affine = np.eye(4)
        affine[:3, :2] = self.directions[:, :2] * np.asarray(self.spacing_xy_mm)
        affine[:3, 2] = (self.origins[-1] - self.origins[0]) / (len(self.origins) - 1)
        affine[:3, 3] = self.origins[0]
        return affine

    def volume_ml(self, mask: NDArray[Any]) -> float:
        """Volume of a mask on this grid (:func:`volume_ml`)."""
        return volume_ml(mask, self.spacing_xy_mm, self.weights_mm)

    def as_json(self) -> dict[str, Any]:
        """The ``geometry`` entry of ``scan.json``: plain numbers and lists, in mm and degrees."""
        return {
            "size_xyz": list(self.size_xyz),
            "spacing_mm_xyz": list(self.spacing_mm_xyz),
            "slice_positions_mm": self.positions_mm.tolist(),
            "slice_weights_mm": self.weights_mm.tolist(),
            "slice_origins_mm_lps": self.origins.tolist(),
            "directions_lps": self.directions.tolist(),
            "sheared_affine_lps": self.sheared_affine.tolist(),
            "tilt_deg": self.tilt_deg,
            "header_spacing_z_mm": self.header_spacing_z_mm,
            "moved_in_plane": self.moves.any,
        }


def from_json(entry: Mapping[str, Any]) -> Geometry:
    """The geometry in ``scan.json`` (:meth:`Geometry.as_json`), in which all is moved already.

    Args:
        entry: ``geometry`` of the file.
    """
    columns, rows, slices = entry["size_xyz"]
    dx, dy, _ = entry["spacing_mm_xyz"]
    return Geometry(
        size_xyz=(columns, rows, slices),
        spacing_xy_mm=(dx, dy),
        directions=np.array(entry["directions_lps"]),
        origins=np.array(entry["slice_origins_mm_lps"]),
        moves=InPlaneMoves(transpose=False, flip_x=False, flip_y=False),
    )


FitsMask = Callable[[Geometry], bool]
"""Whether the rater's mask lies on a grid."""


def stacking_order(orientation: ArrayLike, origins: ArrayLike) -> NDArray[np.intp]:
    """Order of the slices from inferior to superior; ``origins`` has shape (slices, 3)."""
    normal = unit_directions(orientation)[2]
    upwards = normal if normal[2] >= 0 else -normal
    return np.argsort(perpendicular_positions(origins, upwards), kind="stable")


def from_slices(
    orientation: ArrayLike,
    pixel_spacing: ArrayLike,
    rows: int,
    columns: int,
    origins: ArrayLike,
) -> Geometry:
    """Geometry of a stack of parallel slices, brought to LPS order by transposing and flipping.

    Args:
        orientation: Image Orientation (Patient), six direction cosines.
        pixel_spacing: Pixel Spacing (0028,0030) as DICOM has it: between rows (dy), then between
            columns (dx), in mm.
        rows: rows of each stored slice.
        columns: columns of each stored slice.
        origins: Image Position (Patient) of each slice, shape (slices, 3), in stacking order.

    Raises:
        ValueError: the orientation is invalid.
    """
    x, y, _ = unit_directions(orientation)
    dy, dx = (float(value) for value in np.asarray(pixel_spacing, dtype=np.float64))
    corners = np.array(origins, dtype=np.float64)
    transpose = abs(x[0]) < abs(y[0])
    if transpose:
        x, y, dx, dy, rows, columns = y, x, dy, dx, columns, rows
    flip_x, flip_y = bool(x[0] < 0), bool(y[1] < 0)
    if flip_x:
        corners += (columns - 1) * dx * x
        x = -x
    if flip_y:
        corners += (rows - 1) * dy * y
        y = -y
    return Geometry(
        size_xyz=(columns, rows, len(corners)),
        spacing_xy_mm=(dx, dy),
        directions=np.stack([x, y, np.cross(x, y)], axis=1) + 0.0,  # no negative zeros
        origins=corners,
        moves=InPlaneMoves(bool(transpose), flip_x, flip_y),
    )


def widest_gap(positions: ArrayLike) -> tuple[int, float, float]:
    """Index of the slice below the widest gap, that gap, and the median gap, in mm."""
    gaps = np.diff(np.asarray(positions, dtype=np.float64))
    below = int(np.argmax(gaps))
    return below, float(gaps[below]), float(np.median(gaps))
