"""Smooth random fields that are functions of position in mm, whatever the grid they are sampled on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headct.simulate.acquisition import Floats, Samples

EXTENT_MM = 140.0
"""Fields are defined for coordinates of -EXTENT_MM to EXTENT_MM (constant beyond)."""


def bspline_basis(position: NDArray[np.float32], spacing: float, n_knots: int) -> Floats:
    """Weights of the uniform cubic B-splines at each position: shape (*position.shape, n_knots).

    Knot i stands at (i - (n_knots - 1) / 2) * spacing. See Unser, IEEE Signal Process Mag
    1999;16(6):22.
    """
    at = _knot_coordinate(position, spacing, n_knots)
    base = np.floor(at).astype(np.intp)
    t = at - base
    weights = np.zeros((*position.shape, n_knots), dtype=np.float32)
    pieces = ((1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3)
    for offset, piece in enumerate(pieces):
        np.put_along_axis(weights, (base + offset - 1)[..., None], (piece / 6)[..., None], axis=-1)
    return weights


def _knot_coordinate(position: NDArray[np.float32], spacing: float, n_knots: int) -> Floats:
    at = position / np.float32(spacing) + np.float32((n_knots - 1) / 2)
    return np.clip(at, 1, n_knots - 2.001).astype(np.float32)


def _knots_in_reach(position: NDArray[np.float32], spacing: float, n_knots: int) -> slice:
    ends = np.array([position.min(), position.max()], dtype=np.float32)
    first, last = np.floor(_knot_coordinate(ends, spacing, n_knots)).astype(int)
    return slice(first - 1, last + 3)


@dataclass(frozen=True)
class SmoothField:
    """A tensor-product cubic B-spline with random coefficients (z, y, x); mean 0, SD about 1."""

    coefficients: Floats
    spacing_mm: float

    @classmethod
    def random(cls, random: np.random.Generator, spacing_mm: float) -> SmoothField:
        """A field whose bumps are about ``spacing_mm`` apart."""
        n = 2 * int(np.ceil(EXTENT_MM / spacing_mm)) + 3
        # the squared weights of a cubic B-spline average to 151/315 per axis
        scale = (315 / 151) ** 1.5
        return cls(random.standard_normal((n, n, n), dtype=np.float32) * np.float32(scale), spacing_mm)

    def on(self, samples: Samples) -> Floats:
        """Values at all samples, shape (planes, rows, columns).

        Axis by axis, since the samples are separable: the cost is one small matrix product. Knots
        out of reach of the samples are left out.
        """
        n = len(self.coefficients)
        axes = (samples.z_mm, samples.y_mm, samples.x_mm)
        near = tuple(_knots_in_reach(axis, self.spacing_mm, n) for axis in axes)
        planes, rows, columns = (
            bspline_basis(axis, self.spacing_mm, n)[..., knots]
            for axis, knots in zip(axes, near, strict=True)
        )
        n_z, _, n_x = (knots.stop - knots.start for knots in near)
        coefficients = self.coefficients[near].transpose(1, 0, 2).reshape(rows.shape[1], n_z * n_x)
        by_row = (rows @ coefficients).reshape(-1, n_z, n_x)
        by_plane = np.ascontiguousarray(planes.transpose(1, 0, 2)) @ by_row
        flat = np.ascontiguousarray(by_plane.transpose(1, 0, 2)).reshape(-1, n_x)
        values: Floats = (flat @ np.ascontiguousarray(columns.T)).reshape(samples.shape)
        return values

    def lattice(self, extent_mm: float, step_mm: float) -> Floats:
        """The field on a cubic lattice from -extent to +extent, axes (z, y, x), for look-ups."""
        axis = np.arange(-extent_mm, extent_mm + step_mm / 2, step_mm, dtype=np.float32)
        return self.on(Samples(axis, axis, np.repeat(axis[:, None], len(axis), axis=1)))
