"""Label maps as raters would have drawn them, on the acquisition grid, with small plausible errors.

A rater's boundary lies outside the true one by a bias, and wavers about it smoothly. The share of
each voxel that a lesion fills, blurred a little, falls off across the boundary at a known slope, so
that a shift in mm is a shift of the threshold.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage

from headct.settings.blocks import Rater
from headct.simulate.acquisition import AcquisitionGeometry, Floats
from headct.simulate.settings import LESIONS

BLUR_MM = 1.2
"""SD of the blur that turns a boundary into a slope (the hand does not follow each voxel)."""

WAVE_PIXELS = 2.0
"""Correlation length of the boundary's wavering, in pixels; slices are drawn one by one."""

DIFFICULTY = {"ICH": 1.0, "PHE": 2.0, "IVH": 1.2}
"""How much larger a rater's errors are than for ICH: the border of oedema is faint."""


def draw(
    fractions: Floats, geometry: AcquisitionGeometry, rater: Rater, random: np.random.Generator
) -> NDArray[np.uint8]:
    """One reading: a label map with the values of :data:`headct.simulate.settings.LESIONS`, shape (z, y, x).

    A class that no voxel holds to at least a quarter is not seen. Outside brain nothing is drawn.

    Args:
        fractions: share of each voxel per class, shape (classes, z, y, x), background first.
        geometry: of the scan.
        rater: whose errors these are.
        random: from which they are drawn.
    """
    sigma = BLUR_MM / geometry.pixel_mm
    slope_per_mm = 1 / (np.sqrt(2 * np.pi) * BLUR_MM)
    scores = np.empty_like(fractions)
    scores[0] = _blur(fractions[0], sigma)
    for label, value in LESIONS.items():
        scores[value] = _blur(fractions[value], sigma)
        noise = ndimage.gaussian_filter(
            random.standard_normal(fractions.shape[1:], dtype=np.float32), (0, WAVE_PIXELS, WAVE_PIXELS)
        )
        noise *= rater.jitter_mm / noise.std()
        reach = scores[value] > 0.05
        # two classes compete at a boundary: half of the shift on each is the whole shift
        shift = 2 * slope_per_mm * DIFFICULTY[label] * (rater.bias_mm + noise)
        scores[value] += np.where(reach, shift, 0)
        if fractions[value].max() < 0.25:
            scores[value] = -np.inf
    drawn: NDArray[np.uint8] = scores.argmax(axis=0).astype(np.uint8)
    return drawn


def _blur(values: Floats, sigma: float) -> Floats:
    return np.asarray(ndimage.gaussian_filter(values, (0, sigma, sigma)), dtype=np.float32)


def write_mask(
    labels: NDArray[np.uint8],
    geometry: AcquisitionGeometry,
    slices: list[int],
    values: Mapping[str, int],
    path: Path,
) -> None:
    """Write a reading as ITK-SNAP saves it: uint8 NIfTI in the space that ITK's reader makes.

    That reader stacks slices along their normal at the mean distance of their origins, so under
    gantry tilt and with uneven gaps this header is not where the voxels are.

    Args:
        labels: label map, shape (z, y, x), bottom first.
        geometry: of the scan.
        slices: indices of those that the file has.
        values: by label, as the reading has them.
        path: of the NIfTI file.
    """
    lookup = np.zeros(1 + len(LESIONS), dtype=np.uint8)
    for label, value in LESIONS.items():
        lookup[value] = values[label]
    image = sitk.GetImageFromArray(lookup[labels[slices]])
    origins = np.array([geometry.origin_mm(k) for k in slices])
    gap = float(np.linalg.norm(origins[-1] - origins[0])) / (len(slices) - 1)
    row, column = np.reshape(geometry.orientation, (2, 3))
    image.SetSpacing((geometry.pixel_mm, geometry.pixel_mm, gap))
    image.SetOrigin([float(value) for value in origins[0]])
    image.SetDirection(np.stack([row, column, np.cross(row, column)], axis=1).ravel().tolist())
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(image, str(path), useCompression=True)
