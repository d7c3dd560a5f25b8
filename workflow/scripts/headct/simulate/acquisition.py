"""The acquisition: where the samples of each slice lie, and what the scanner makes of them.

A slice is sampled at sub-voxels: ``in_plane`` x ``in_plane`` per pixel, in ``through_plane`` planes
spread over the part of the table travel that is nearest to the slice. The sub-voxels of all slices
tile the scanned space without gap or overlap, also with tilted gantry and uneven gaps; so their
volumes add up to true volumes. (A real collimation may overlap a little or leave gaps.)

With a gantry tilted by t about the x axis, the columns of a slice point along (0, cos t, -sin t)
and its normal along (0, sin t, cos t), while the table moves the origin along (0, 0, 1): gaps
between origins are table increments, and the perpendicular gap is smaller by cos t.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from headct.simulate.random_streams import stream
from headct.simulate.settings import Site, TrialSettings

Floats = NDArray[np.floating[Any]]
"""Real numbers; float32 wherever there are many, to save time and memory."""

BOTTOM_MM, TOP_MM = -64.0, 86.0
"""Table positions scanned, about the head's centre: foramen magnum to vertex."""

THICK_SLICES_ABOVE_MM = -8.0
"""Where a site with two slice thicknesses changes from one to the other."""

FWHM_PER_SIGMA = 2.3548
"""Full width at half maximum of a Gaussian, in standard deviations."""


@dataclass(frozen=True)
class Samples:
    """Coordinates of the sub-voxels of some slices, separable but for the shear.

    ``x_mm`` has shape (columns,), ``y_mm`` (rows,), ``z_mm`` (planes, rows): with a tilted gantry
    z depends on the row too.
    """

    x_mm: Floats
    y_mm: Floats
    z_mm: Floats

    @property
    def shape(self) -> tuple[int, int, int]:
        """(planes, rows, columns)."""
        return (*self.z_mm.shape, len(self.x_mm))


@dataclass(frozen=True)
class AcquisitionGeometry:
    """One series. ``table_mm`` are the table positions of the slices, bottom to top."""

    matrix: int
    pixel_mm: float
    slice_thickness_mm: tuple[float, ...]
    table_mm: NDArray[np.float64]
    tilt_deg: float
    origin_xy_mm: tuple[float, float]
    in_plane: int
    through_plane: int

    @cached_property
    def _cos_sin(self) -> tuple[float, float]:
        tilt = np.radians(self.tilt_deg)
        return float(np.cos(tilt)), float(np.sin(tilt))

    @cached_property
    def edges_mm(self) -> NDArray[np.float64]:
        """Table positions between which each slice is sampled: slices + 1 values."""
        middle = (self.table_mm[1:] + self.table_mm[:-1]) / 2
        first = 2 * self.table_mm[0] - middle[0]
        last = 2 * self.table_mm[-1] - middle[-1]
        return np.concatenate([[first], middle, [last]])

    @cached_property
    def weights_mm(self) -> NDArray[np.float64]:
        """Perpendicular thickness that each slice stands for."""
        return np.diff(self.edges_mm) * self._cos_sin[0]

    @cached_property
    def subvoxel_ml(self) -> NDArray[np.float64]:
        """Volume of one sub-voxel, per slice."""
        area = (self.pixel_mm / self.in_plane) ** 2
        return area * self.weights_mm / self.through_plane / 1000.0

    @property
    def orientation(self) -> tuple[float, ...]:
        """The six cosines of Image Orientation (Patient)."""
        cos, sin = self._cos_sin
        return (1.0, 0.0, 0.0, 0.0, cos, -sin)

    def origin_mm(self, slice_index: int) -> tuple[float, float, float]:
        """Centre of the first pixel of a slice: Image Position (Patient).

        The table position of a slice is that of its central row.
        """
        cos, sin = self._cos_sin
        half = (self.matrix - 1) / 2 * self.pixel_mm
        x, y = self.origin_xy_mm
        return (x - half, y - half * cos, float(self.table_mm[slice_index]) + half * sin)

    def samples(self, slices: slice) -> Samples:
        """Sub-voxel centres of some slices; their planes lie one after the other."""
        cos, sin = self._cos_sin
        per_line = self.matrix * self.in_plane
        along = (np.arange(per_line) + 0.5 - per_line / 2) * self.pixel_mm / self.in_plane
        low, high = self.edges_mm[:-1][slices, None], self.edges_mm[1:][slices, None]
        fraction = (np.arange(self.through_plane) + 0.5) / self.through_plane
        planes = (low + (high - low) * fraction).ravel()
        return Samples(
            x_mm=(self.origin_xy_mm[0] + along).astype(np.float32),
            y_mm=(self.origin_xy_mm[1] + along * cos).astype(np.float32),
            z_mm=(planes[:, None] - along * sin).astype(np.float32),
        )

    def average(self, values: NDArray[Any]) -> Floats:
        """Mean over the sub-voxels of each voxel: (planes, rows, columns) to (z, y, x)."""
        t, s = self.through_plane, self.in_plane
        # a few strided sums are several times faster than one mean over short axes
        corners = [values[k::t, i::s, j::s] for k in range(t) for i in range(s) for j in range(s)]
        total = corners[0].astype(np.float32)
        for corner in corners[1:]:
            total += corner
        return total / np.float32(t * s * s)


def plan(settings: TrialSettings, site: Site, participant: str) -> AcquisitionGeometry:
    """Choose the geometry that the site's protocol gives this participant.

    Tilt is set anew for each patient at sites that tilt, field of view in steps, and the head never
    lies quite in its middle.
    """
    random = stream(settings.seed, participant, "geometry")
    tilt = site.tilt_deg + (round(random.normal(0, 1.5) * 2) / 2 if site.tilt_deg else 0.0)
    bottom = BOTTOM_MM + float(random.uniform(-4, 3))
    table, thickness = _table_positions(site, bottom, TOP_MM)
    diameter = site.reconstruction_diameter_mm + float(random.choice((0.0, 0.0, 4.0)))
    return AcquisitionGeometry(
        matrix=settings.matrix,
        pixel_mm=round(diameter / settings.matrix, 6),
        slice_thickness_mm=tuple(thickness),
        table_mm=np.round(table, 3),
        tilt_deg=tilt,
        origin_xy_mm=(round(float(random.normal(0, 1.5)), 3), round(float(random.normal(0, 2)), 3)),
        in_plane=settings.subvoxels_in_plane,
        through_plane=settings.subvoxels_through_plane,
    )


def _table_positions(site: Site, bottom: float, top: float) -> tuple[list[float], list[float]]:
    """Slice centres, bottom to top, and nominal thicknesses; slices abut along the table."""
    table, thickness = [bottom], [site.slice_thickness_mm]
    while table[-1] < top:
        is_upper = table[-1] >= THICK_SLICES_ABOVE_MM
        thickness.append(site.upper_slice_thickness_mm if is_upper else site.slice_thickness_mm)
        table.append(table[-1] + (thickness[-2] + thickness[-1]) / 2)
    return table, thickness


def scan(
    hu: Floats, geometry: AcquisitionGeometry, site: Site, random: np.random.Generator
) -> NDArray[np.int16]:
    """Turn ideal voxel values into an image: in-plane blur of the kernel, noise, rounding.

    The noise has the kernel's correlation and, whatever the matrix, the site's standard deviation;
    it is higher where the head is thicker (towards the centre), as photons are fewer there. The
    reconstruction circle is left at air, and values are kept within 12 bits.

    Args:
        hu: voxel averages, shape (z, y, x).
        geometry: of the scan, with its matrix and pixel size.
        site: whose scanner has this blur and this noise.
        random: from which the noise is drawn.
    """
    sigma = site.resolution_mm / FWHM_PER_SIGMA / geometry.pixel_mm
    blurred = ndimage.gaussian_filter(hu, (0, sigma, sigma), truncate=3)
    noise = random.standard_normal(hu.shape, dtype=np.float32)
    noise = ndimage.gaussian_filter(noise, (0, sigma * 0.8, sigma * 0.8), truncate=3)
    noise *= site.noise_hu / noise.std()
    half = (geometry.matrix - 1) / 2
    ramp = ((np.arange(geometry.matrix) - half) / half) ** 2
    radius2 = (ramp[:, None] + ramp[None, :]).astype(np.float32)
    noise *= 1.15 - 0.5 * np.minimum(radius2, 1)
    image = blurred + noise
    image[:, radius2 > 1] = -1000
    return np.clip(np.rint(image), -1024, 3071).astype(np.int16)
