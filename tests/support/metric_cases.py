"""Grids and masks for the tests of the measures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from headct.imaging import geometry
from headct.metrics import grid
from headct.metrics.measure import MeasureSettings

SETTINGS = {
    "presence_minimum_ml": 0.1,
    "surface_tolerance_mm": 1.0,
    "surface_elements": "area",
    "lesion_connectivity": 26,
}
AREA, VOXELS = (
    MeasureSettings(**{**SETTINGS, "surface_elements": elements}) for elements in ("area", "voxels")
)


def record(
    shape_zyx: tuple[int, int, int],
    pixel_mm: tuple[float, float] = (0.5, 0.5),
    gaps_mm: float | Sequence[float] = 5.0,
    tilt_deg: float = 0.0,
) -> dict[str, Any]:
    """The geometry block of a scan whose slices are tilted about x and stacked along z."""
    slices, rows, columns = shape_zyx
    tilt = np.radians(tilt_deg)
    positions = np.concatenate([[0.0], np.cumsum(np.broadcast_to(gaps_mm, slices - 1))])
    origins = np.array((-100, -90, 7)) + np.outer(positions / np.cos(tilt), (0, 0, 1))
    orientation = (1, 0, 0, 0, np.cos(tilt), np.sin(tilt))
    return geometry.from_slices(orientation, pixel_mm[::-1], rows, columns, origins).as_json()


def grid_of(*arguments: Any, **options: Any) -> grid.Grid:
    """The grid of :func:`record`."""
    return grid.from_record(record(*arguments, **options))


def regular(shape_zyx: tuple[int, int, int], spacing_zyx: Sequence[float]) -> grid.Grid:
    """An upright grid with even gaps."""
    dz, dy, dx = spacing_zyx
    return grid_of(shape_zyx, (dx, dy), dz)


def ball(centre_zyx: tuple[int, int, int], radius_mm: float) -> np.ndarray:
    """A ball on a grid of 12 x 40 x 40 voxels of 5 x 0.5 x 0.5 mm."""
    z, y, x = np.ogrid[:12, :40, :40]
    cz, cy, cx = centre_zyx
    return ((z - cz) * 5) ** 2 + ((y - cy) * 0.5) ** 2 + ((x - cx) * 0.5) ** 2 <= radius_mm**2


BALLS = (ball((6, 20, 20), 8), ball((6, 22, 21), 7))
"""The pair whose measures the project fixed beforehand: 1775 and 1199 voxels."""

BALL_SPACING = (5.0, 0.5, 0.5)
