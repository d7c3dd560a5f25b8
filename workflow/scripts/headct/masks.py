"""Raters' masks: read, put on the scan's axes, matched to its grid, values mapped, re-stamped.

Masks are drawn in ITK-SNAP, whose z spacing is the distance between slice origins; converters that
know of tilt write the perpendicular gap. Either is accepted, the voxels are what counts. A mask
drawn on another grid, such as an un-sheared image, is refused with the measured mismatch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from headct import label_names
from headct.geometry import Geometry, angle_deg
from headct.labels import LABELS
from headct.problems import BadInput, Problem

SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".mha")
ORIGIN_TOLERANCE_MM = 0.1
"""Headers store float32 or a few decimals; a shifted mask is off by a pixel (0.4 mm) or a slice."""

SPACING_TOLERANCE = 0.01
"""Relative. Tilt of 8.1 degrees already makes the two accepted z spacings differ by 1 %."""

AXES_TOLERANCE_DEG = 0.5
LISTED_VALUES = 30
"""Unknown label values that a message lists; an interpolated mask has thousands."""


class Mismatch(Exception):
    """The mask does not lie on the scan's grid; the message has the measured difference."""


@dataclass(frozen=True)
class Mask:
    """A mask as its file has it, with axes in LPS order: labels of shape (z, y, x) and its grid."""

    labels: NDArray[np.uint8]
    spacing: NDArray[np.float64]
    origin: NDArray[np.float64]
    directions: NDArray[np.float64]

    @property
    def size_xyz(self) -> tuple[int, int, int]:
        """Columns, rows, slices."""
        slices, rows, columns = self.labels.shape
        return columns, rows, slices


def read(path: Path, values: Mapping[str, int], key: str) -> Mask:
    """Read a mask and map its values to those of ``headct.labels.LABELS``.

    Args:
        path: NIfTI, NRRD or MetaImage file.
        values: value of each class in this file; 0 is background.
        key: the sample sheet's column, for messages.

    Raises:
        BadInput: the file is missing or unreadable, not a 3-D map of whole numbers, holds values
            that ``values`` does not name (all are listed), or is empty.
    """
    if not path.is_file():
        raise BadInput([Problem(str(path), "there is no such mask file", key=key)])
    if not path.name.lower().endswith(SUFFIXES):
        message = f"a mask must be one of {', '.join(SUFFIXES)}"
        raise BadInput([Problem(str(path), message, key=key)])
    try:
        image = sitk.ReadImage(str(path))
    except RuntimeError as error:
        message = "the mask can't be read"
        if "orthonormal" in str(error):
            message += ": its axes are sheared; save it in ITK-SNAP on the original DICOM series"
        raise BadInput([Problem(str(path), message, key=key)]) from error
    if image.GetDimension() == 4 and image.GetSize()[3] == 1:
        image = image[..., 0]
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        message = "the mask is not one 3-D label map"
        if label_names.has_segments(image):
            message += ": its segments overlap, and lie in several layers; export them as one label map"
        raise BadInput([Problem(str(path), message, key=key)])
    refuse_other_names(path, image, values, key)
    image = sitk.DICOMOrient(image, "LPS")
    labels = map_values(sitk.GetArrayViewFromImage(image), values, str(path), key)
    return Mask(
        labels,
        np.array(image.GetSpacing()),
        np.array(image.GetOrigin()),
        np.array(image.GetDirection()).reshape(3, 3),
    )


def refuse_other_names(path: Path, image: sitk.Image, values: Mapping[str, int], key: str) -> None:
    """Hold the names that the file gives to its values against those of the ``labels`` setting.

    Raises:
        BadInput: one that has voxels is another class's.
    """
    named = label_names.in_file(path, image)
    if named:
        present = {int(value) for value in np.unique(sitk.GetArrayViewFromImage(image))}
        said = label_names.contradictions(named, values, present)
        if said:
            message = f"{'; '.join(said)}: mend the setting, or the values in the mask"
            raise BadInput([Problem(str(path), message, key=key)])


def map_values(stored: NDArray[Any], values: Mapping[str, int], file: str, key: str) -> NDArray[np.uint8]:
    """Map stored mask values to the project's, as uint8.

    Raises:
        BadInput: unknown values (listed, with their voxel counts), or no voxel is labelled.
    """
    lesion = stored[stored != 0]
    found, counts = np.unique(lesion, return_counts=True)
    unknown = [(v, n) for v, n in zip(found, counts, strict=True) if v not in values.values()]
    if unknown:
        expected = ", ".join(f"{value} {name}" for name, value in values.items())
        some = unknown[:LISTED_VALUES]
        listed = ", ".join(f"{value:g} ({n} voxels)" for value, n in some)
        more = f" and {len(unknown) - len(some)} more" if len(unknown) > len(some) else ""
        message = f"unknown label values: the labels setting knows {expected}"
        if any(value % 1 for value, _ in unknown):
            message += "; fractions come from resampling: hand in the mask as it was drawn"
        raise BadInput([Problem(file, message, key=key, value=listed + more)])
    if not len(found):
        raise BadInput([Problem(file, "the mask is empty: no voxel is labelled", key=key)])
    mapped = np.zeros(stored.shape, dtype=np.uint8)
    for name, value in values.items():
        mapped[stored == value] = LABELS[name]
    return mapped


def on_grid(mask: Mask, grid: Geometry) -> NDArray[np.uint8]:
    """The mask's labels on the scan's grid, shape (slices, rows, columns); no resampling.

    Slices that the mask does not cover are background.

    Raises:
        Mismatch: another matrix, pixel size, orientation, z spacing or place.
    """
    _check_plane(mask, grid)
    first = _first_slice(mask, grid)
    columns, rows, slices = grid.size_xyz
    labels = np.zeros((slices, rows, columns), dtype=np.uint8)
    labels[first : first + len(mask.labels)] = mask.labels
    return labels


def _check_plane(mask: Mask, grid: Geometry) -> None:
    resampled = ""
    if grid.tilt_deg > AXES_TOLERANCE_DEG:
        resampled = (
            f"; the scan is tilted by {grid.tilt_deg:.1f} degrees and the mask seems drawn on a "
            "resampled (un-sheared) image: draw it on the original series"
        )
    (columns, rows, slices), mask_size = grid.size_xyz, mask.size_xyz
    if mask_size[:2] != (columns, rows):
        raise Mismatch(
            f"wrong matrix: {mask_size[0]} x {mask_size[1]}, the scan has {columns} x {rows}" + resampled
        )
    if mask_size[2] > slices:
        raise Mismatch(f"wrong matrix: {mask_size[2]} slices, the scan has {slices}" + resampled)
    angle = max(angle_deg(mask.directions[:, i], grid.directions[:, i]) for i in range(3))
    if angle > AXES_TOLERANCE_DEG:
        raise Mismatch(f"its axes are turned by {angle:.1f} degrees against the scan's" + resampled)
    if not np.allclose(mask.spacing[:2], grid.spacing_xy_mm, rtol=SPACING_TOLERANCE / 10):
        ours, theirs = (" x ".join(f"{v:.4f}" for v in s) for s in (grid.spacing_xy_mm, mask.spacing[:2]))
        raise Mismatch(f"pixels of {theirs} mm, the scan has {ours} mm")


def _first_slice(mask: Mask, grid: Geometry) -> int:
    """Index of the scan's slice on which the mask's first slice lies.

    A mask's header is either that of the whole scan as ITK wrote it, possibly cropped (slice k at
    origin + k * spacing * normal, from the slice at which ITK starts: the last one where the stored
    normal points down), or that of a part of the series (its first slice's true origin).
    """
    slices, normal = len(mask.labels), grid.directions[:, 2]
    last_start = grid.size_xyz[2] - slices
    starts, mismatches = set(), []
    for spacing in (grid.header_spacing_z_mm, grid.spacing_mm_xyz[2]):
        steps = np.outer(np.arange(grid.size_xyz[2]) * spacing, normal)
        for lattice in (grid.origins[0] + steps, grid.origins[-1] + steps - steps[-1]):
            distance = np.linalg.norm(lattice[: last_start + 1] - mask.origin, axis=1)
            nearest = int(np.argmin(distance))
            mismatches.append(float(distance[nearest]))
            if distance[nearest] <= ORIGIN_TOLERANCE_MM and _is_spacing(mask, spacing):
                starts.add(nearest)
    distance = np.linalg.norm(grid.origins[: last_start + 1] - mask.origin, axis=1)
    nearest = int(np.argmin(distance))
    mismatches.append(float(distance[nearest]))
    if distance[nearest] <= ORIGIN_TOLERANCE_MM and any(
        _is_spacing(mask, spacing) for spacing in _spacings_of_part(grid, nearest, slices)
    ):
        starts.add(nearest)
    if len(starts) == 1:
        return starts.pop()
    if starts:
        raise Mismatch(f"its first slice could be slice {min(starts) + 1} or {max(starts) + 1}")
    if min(mismatches) > ORIGIN_TOLERANCE_MM:
        raise Mismatch(
            f"its origin is {min(mismatches):.2f} mm from that of any slice of the scan "
            "(another scan, a shifted mask, or a header without position)"
        )
    expected = f"{grid.header_spacing_z_mm:.3f} mm (ITK) or {grid.spacing_mm_xyz[2]:.3f} mm"
    raise Mismatch(f"z spacing of {mask.spacing[2]:.3f} mm, expected {expected}")


def _is_spacing(mask: Mask, spacing: float) -> bool:
    """Whether the mask has this z spacing; the header of a single slice can't tell."""
    return len(mask.labels) == 1 or abs(mask.spacing[2] - spacing) <= SPACING_TOLERANCE * spacing


def _spacings_of_part(grid: Geometry, first: int, slices: int) -> list[float]:
    if slices == 1:
        return [grid.spacing_mm_xyz[2]]
    last, gaps = first + slices - 1, slices - 1
    positions = grid.positions_mm
    between_origins = float(np.linalg.norm(grid.origins[last] - grid.origins[first]))
    return [between_origins / gaps, float(positions[last] - positions[first]) / gaps]


def to_image(array: NDArray[Any], grid: Geometry) -> sitk.Image:
    """An image of the scan's grid: true pixel size, mean perpendicular gap, orthonormal axes.

    Free-text fields of the header stay blank, since the image is new.
    """
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(grid.spacing_mm_xyz)
    image.SetOrigin(grid.origins[0].tolist())
    image.SetDirection(grid.directions.ravel().tolist())
    return image
