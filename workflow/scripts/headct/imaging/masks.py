"""Raters' masks: read, put on the scan's axes, matched to its grid, values mapped, re-stamped.

Masks are drawn in ITK-SNAP, whose z spacing is the distance between slice origins; converters that know of
tilt write the perpendicular gap, or shear the grid; dcm2niix takes the first gap of an uneven series for all.
Each is accepted, the voxels are what counts. A mask that was cropped, by slices or in plane, is placed by its
origin. A mask drawn on another grid, such as an un-sheared image, is refused with the measured mismatch.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from headct.contracts.labels import LabelSet
from headct.contracts.problems import BadInput, Problem
from headct.imaging import label_names, nifti
from headct.imaging.geometry import Geometry, Vector, angle_deg
from headct.imaging.nifti_geometry import Trusted, placement

NIFTI_SUFFIXES = (".nii", ".nii.gz")
SUFFIXES = (*NIFTI_SUFFIXES, ".nrrd", ".mha")
DETACHED = re.compile(rb"(?im)^(data ?file:|ElementDataFile *= *+(?!LOCAL))")
"""Of NRRD and MetaImage: the voxels are in another file."""

ORIGIN_TOLERANCE_MM = 0.1
"""Headers store float32 or a few decimals; a shifted mask is off by a pixel (0.4 mm) or a slice."""

SPACING_TOLERANCE = 0.01
"""Relative. Tilt of 8.1 degrees already makes the two accepted z spacings differ by 1 %."""

AXES_TOLERANCE_DEG = 0.5
LISTED_VALUES = 30
"""Unknown label values that a message lists; an interpolated mask has thousands."""

ROUNDING = 1e-3
"""How far stored floating-point values may be from the whole numbers that they mean."""

NOT_ONE_MAP = "not one 3-D label map"
LARGEST_SCALED_ERROR = 0.05
"""The same where a header scales integers in steps that are wider."""


class Mismatch(Exception):
    """The mask does not lie on the scan's grid; the message has the measured difference."""


@dataclass(frozen=True)
class Mask:
    """A mask as its file has it, with axes in LPS order.

    Attributes:
        labels: shape (z, y, x).
        affine: 4 x 4, index (x, y, z, 1) to LPS in mm; its third axis may be sheared.
        ignored: number of voxels by the value that they had in the file, of values that mean no lesion.
    """

    labels: NDArray[np.uint8]
    affine: Vector
    ignored: Mapping[int, int] = field(default_factory=dict)

    @property
    def size_xyz(self) -> tuple[int, int, int]:
        """Columns, rows, slices."""
        slices, rows, columns = self.labels.shape
        return columns, rows, slices

    @property
    def pixel_mm(self) -> Vector:
        """Size (dx, dy) of a pixel."""
        size: Vector = np.linalg.norm(self.affine[:3, :2], axis=0)
        return size

    @property
    def step(self) -> Vector:
        """From a slice's first voxel to that of the next, in mm."""
        step: Vector = self.affine[:3, 2]
        return step

    @property
    def origin(self) -> Vector:
        """Centre of the first voxel."""
        origin: Vector = self.affine[:3, 3]
        return origin

    @property
    def directions(self) -> Vector:
        """3 x 3: directions of x and y, and the normal of the slices."""
        x, y = (self.affine[:3, :2] / self.pixel_mm).T
        return np.stack([x, y, np.cross(x, y)], axis=1)

    @property
    def is_sheared(self) -> bool:
        """Whether its slices are not stacked along their normal."""
        return angle_deg(self.step, self.directions[:, 2]) > AXES_TOLERANCE_DEG


@dataclass(frozen=True)
class MaskRules:
    """What the values of a study's masks mean.

    Attributes:
        values: of each lesion, by its name.
        ignored: values that mean none of them, and become background.
        may_be_empty: whether a mask without any lesion is that of a scan that is free of them, not a fault.
    """

    values: Mapping[str, Sequence[int]]
    ignored: Sequence[int] = ()
    may_be_empty: bool = False

    @property
    def label_of(self) -> dict[int, str]:
        """The lesion that each value means."""
        return {value: label for label, values in self.values.items() for value in values}


@dataclass(frozen=True)
class _Stored:
    """What a file holds: values (z, y, x) in LPS order, the grid's affine, and names of values."""

    values: NDArray[Any]
    affine: Vector
    named: list[tuple[int, str]]


def read(path: Path, rules: MaskRules, key: str, labels: LabelSet, trusted: Trusted = "none") -> Mask:
    """Read a mask and map its values to those of the label set.

    Args:
        path: NIfTI, NRRD or MetaImage, in one file.
        rules: what the values in this file mean; 0 is background.
        key: the sample sheet's column, for messages.
        labels: the set, which has the classes that ``rules`` names.
        trusted: what is believed of a NIfTI file whose transforms contradict each other.

    Raises:
        BadInput: the file is missing or unreadable, not a 3-D map of whole numbers, holds values
            that ``rules`` does not name (all are listed) or names of its own that contradict them, or is
            empty and may not be.
    """
    if not path.exists() and not path.is_symlink():
        raise BadInput([Problem(str(path), "there is no such mask file", key=key)])
    if not path.name.lower().endswith(SUFFIXES):
        message = f"a mask must be one of {', '.join(SUFFIXES)}, that is one file"
        raise BadInput([Problem(str(path), message, key=key)])
    try:
        is_nifti = path.name.lower().endswith(NIFTI_SUFFIXES)
        stored = _read_nifti(path, trusted) if is_nifti else _read_by_itk(path)
    except nifti.Unreadable as error:
        raise BadInput([Problem(str(path), f"the mask can't be read: {error}", key=key)]) from error
    refuse_other_names(stored, rules, str(path), key, labels)
    mapped = map_values(stored.values, rules, str(path), key, labels)
    n_ignored = {value: int((stored.values == value).sum()) for value in rules.ignored}
    return Mask(mapped, stored.affine, {value: number for value, number in n_ignored.items() if number})


def _read_nifti(path: Path, trusted: Trusted) -> _Stored:
    """NIfTI by its bytes, whatever its name says of compression. NaN is where nothing was drawn."""
    volume = nifti.read(path)
    placed = placement(volume.header, volume.values.shape, trusted)
    try:
        slope, _ = volume.header.get_slope_inter()
    except HeaderDataError as error:
        raise nifti.Unreadable(f"the header is damaged: {error}") from error
    drawn = whole_numbers(np.nan_to_num(volume.values), slope or 0.0)
    named = label_names.of_nifti(path, int(volume.header["vox_offset"]))
    return _Stored(placed.to_lps(drawn), placed.lps_affine, named)


def _read_by_itk(path: Path) -> _Stored:
    """NRRD and MetaImage."""
    if DETACHED.search(nifti.first_bytes(path)):
        raise nifti.Unreadable("its voxels lie in another file: save it as one")
    try:
        image = sitk.ReadImage(str(path))
    except RuntimeError as error:
        sheared = ": its axes are sheared; save it in ITK-SNAP on the original DICOM series"
        raise nifti.Unreadable(f"damaged{sheared if 'orthonormal' in str(error) else ''}") from error
    if image.GetDimension() == 4 and image.GetSize()[3] == 1:
        image = image[..., 0]
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        overlap = ": its segments overlap, and lie in several layers; export them as one label map"
        raise nifti.Unreadable(f"it is {NOT_ONE_MAP}{overlap if label_names.has_segments(image) else ''}")
    named = label_names.of_segments(image)
    image = sitk.DICOMOrient(image, "LPS")
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return _Stored(whole_numbers(sitk.GetArrayFromImage(image)), affine, named)


def whole_numbers(stored: NDArray[Any], step: float = 0.0) -> NDArray[Any]:
    """Values that all mean whole numbers as these; others as they are.

    Tools that save whole labels as floating-point numbers under an integer header scale them: 1 comes
    back as 0.996 or 1.000015, half a step off at most.

    Args:
        stored: of any shape.
        step: by which a header scales stored integers, 0 for none.
    """
    rounded = np.rint(stored)
    tolerance = max(ROUNDING, min(1.01 * abs(step) / 2, LARGEST_SCALED_ERROR))
    with np.errstate(invalid="ignore"):
        return rounded if (np.abs(stored - rounded) <= tolerance).all() else stored


def refuse_other_names(stored: _Stored, rules: MaskRules, file: str, key: str, labels: LabelSet) -> None:
    """Hold the names that the file gives to its values against those of the ``labels`` setting.

    Args:
        stored: the mask, as its file has it.
        rules: of the ``labels`` setting.
        file, key: of the mask, for messages.
        labels: the set that the names are looked up in.

    Raises:
        BadInput: one that has voxels is another class's.
    """
    if not stored.named:
        return
    present = np.unique(stored.values).tolist()
    if contradictions := label_names.contradictions(stored.named, rules.label_of, present, labels):
        message = f"{'; '.join(contradictions)}: mend the setting, or the values in the mask"
        raise BadInput([Problem(file, message, key=key)])


def map_values(
    stored: NDArray[Any], rules: MaskRules, file: str, key: str, labels: LabelSet
) -> NDArray[np.uint8]:
    """Map stored mask values to those of the label set, as uint8.

    Args:
        stored: values of the mask, of any shape.
        rules: of the ``labels`` setting.
        file, key: of the mask, for messages.
        labels: the set whose values come back.

    Raises:
        BadInput: unknown values (listed, with their voxel counts), or no voxel is labelled and one must be.
    """
    label_of = rules.label_of
    found, counts = np.unique(stored[stored != 0], return_counts=True)
    unknown = [
        (value, number)
        for value, number in zip(found, counts, strict=True)
        if value not in label_of and value not in rules.ignored
    ]
    if unknown:
        expected = ", ".join(f"{value} {name}" for value, name in label_of.items())
        some = unknown[:LISTED_VALUES]
        listed = ", ".join(f"{value:g} ({number} voxels)" for value, number in some)
        more = f" and {len(unknown) - len(some)} more" if len(unknown) > len(some) else ""
        message = f"unknown label values: the labels setting knows {expected}"
        if any(value % 1 for value, _ in unknown):
            message += "; fractions come from resampling: hand in the mask as it was drawn"
        raise BadInput([Problem(file, message, key=key, value=listed + more)])
    mapped = np.zeros(stored.shape, dtype=np.uint8)
    for value, name in label_of.items():
        mapped[stored == value] = labels[name]
    if not mapped.any() and not rules.may_be_empty:
        message = "the mask is empty: no voxel is labelled; where scans may be free of lesions, set"
        raise BadInput([Problem(file, f"{message} ingest.empty_masks to lesion_free", key=key)])
    return mapped


def on_grid(mask: Mask, grid: Geometry) -> NDArray[np.uint8]:
    """The mask's labels on the scan's grid, shape (slices, rows, columns); no resampling.

    What the mask does not cover is background.

    Raises:
        Mismatch: another matrix, pixel size, orientation, z spacing or place.
    """
    _check_plane(mask, grid)
    column, row, first = _first_voxel(mask, grid)
    columns, rows, slices = grid.size_xyz
    labels = np.zeros((slices, rows, columns), dtype=np.uint8)
    depth, height, width = mask.labels.shape
    labels[first : first + depth, row : row + height, column : column + width] = mask.labels
    return labels


def _check_plane(mask: Mask, grid: Geometry) -> None:
    resampled = ""
    if grid.tilt_deg > AXES_TOLERANCE_DEG:
        resampled = (
            f"; the scan is tilted by {grid.tilt_deg:.1f} degrees and the mask seems drawn on a "
            "resampled (un-sheared) image: draw it on the original series"
        )
    (columns, rows, slices), (width, height, depth) = grid.size_xyz, mask.size_xyz
    if width > columns or height > rows:
        raise Mismatch(f"wrong matrix: {width} x {height}, the scan has {columns} x {rows}" + resampled)
    if depth > slices:
        raise Mismatch(f"wrong matrix: {depth} slices, the scan has {slices}" + resampled)
    angle = max(angle_deg(mask.directions[:, i], grid.directions[:, i]) for i in range(3))
    if angle > AXES_TOLERANCE_DEG:
        raise Mismatch(f"its axes are turned by {angle:.1f} degrees against the scan's" + resampled)
    if not np.allclose(mask.pixel_mm, grid.spacing_xy_mm, rtol=SPACING_TOLERANCE / 10):
        ours, theirs = _pixel_in_words(grid.spacing_xy_mm), _pixel_in_words(mask.pixel_mm)
        if (width, height) != (columns, rows):
            sizes = f"{width} x {height} pixels of {theirs} mm, the scan has {columns} x {rows} of {ours} mm"
            raise Mismatch(f"wrong matrix: {sizes}")
        raise Mismatch(f"pixels of {theirs} mm, the scan has {ours} mm")


def _pixel_in_words(size_mm: Iterable[float]) -> str:
    return " x ".join(f"{side:.4f}" for side in size_mm)


def _first_voxel(mask: Mask, grid: Geometry) -> tuple[int, int, int]:
    """Column, row and slice of the scan's voxel on which the mask's first voxel lies.

    A mask's header is either that of the whole scan, as some tool wrote it, possibly cropped (slice k at
    origin + k * step, from the slice at which the tool starts: for ITK the last one where the stored
    normal points down), or that of a part of the series (its first slice's true origin).
    """
    # A header tells an origin and a step, not which tool wrote it, and one tool's header of the whole scan
    # can look like another's of a part. So every way of writing is tried, and where two lead to different
    # voxels nothing is guessed. Distances are kept for the message: it tells the smallest.
    slices, depth = grid.size_xyz[2], len(mask.labels)
    found, distances = set(), []
    for origins, steps in _lattices(grid, depth):
        places, apart = _nearest_voxels(mask, grid, origins[: slices - depth + 1])
        nearest = int(np.argmin(apart))
        distances.append(float(apart[nearest]))
        fits = depth == 1 or any(_is_step(mask, step) for step in steps(nearest))
        if apart[nearest] <= ORIGIN_TOLERANCE_MM and fits:
            found.add((*places[nearest], nearest))
    if len(found) == 1:
        column, row, first = (int(index) for index in found.pop())
        if (column, row) == (0, 0) and mask.size_xyz[:2] != grid.size_xyz[:2]:
            sizes = (" x ".join(map(str, size[:2])) for size in (mask.size_xyz, grid.size_xyz))
            raise Mismatch(
                "wrong matrix: {}, the scan has {}, and both start at the same voxel".format(*sizes)
            )
        return column, row, first
    if found:
        firsts = sorted({first for *_, first in found})
        raise Mismatch(f"its first slice could be slice {firsts[0] + 1} or {firsts[-1] + 1}")
    sheared = "; its axes are sheared" if mask.is_sheared else ""
    if min(distances) > ORIGIN_TOLERANCE_MM:
        raise Mismatch(
            f"its origin is {min(distances):.2f} mm from that of any slice of the scan "
            f"(another scan, a shifted mask, or a header without position){sheared}"
        )
    expected = f"{grid.header_spacing_z_mm:.3f} mm (ITK) or {grid.spacing_mm_xyz[2]:.3f} mm"
    spacing = float(np.linalg.norm(mask.step))
    raise Mismatch(f"z spacing of {spacing:.3f} mm, expected {expected}{sheared}")


Lattice = tuple[Vector, Callable[[int], list[Vector]]]
"""Where each slice starts, shape (slices, 3), and the steps of a mask whose first slice is a given one."""


def _lattices(grid: Geometry, depth: int) -> Iterator[Lattice]:
    """All headers that tools give to this scan, for masks of ``depth`` slices."""
    slices = grid.size_xyz[2]
    for step in _steps(grid, 0, slices, of_one_slice=depth == 1):
        along = np.outer(np.arange(slices), step)
        yield grid.origins[0] + along, lambda _, step=step: [step]  # type: ignore[misc]
        yield grid.origins[-1] + along - along[-1], lambda _, step=step: [step]  # type: ignore[misc]
    yield grid.origins, lambda first: _steps(grid, first, depth) if depth > 1 else []


def _steps(grid: Geometry, first: int, count: int, of_one_slice: bool = False) -> list[Vector]:
    """From slice to slice, as tools write it for a stack: by all of it, or by its first or its last gap.

    Each along the normal with the distance of origins (ITK) or the perpendicular gap, or as it is
    (sheared). The header of a single slice can't tell which: for it there are ITK's and the perpendicular.
    """
    last, normal = first + count - 1, grid.directions[:, 2]
    ends = [(first, last)] if of_one_slice else [(first, last), (first, first + 1), (last - 1, last)]
    steps = []
    for start, end in ends:
        true = (grid.origins[end] - grid.origins[start]) / (end - start)
        steps += [np.linalg.norm(true) * normal, (true @ normal) * normal]
        steps += [] if of_one_slice else [true]
    return steps


def _nearest_voxels(mask: Mask, grid: Geometry, origins: Vector) -> tuple[NDArray[np.intp], Vector]:
    """For each slice, column and row of the voxel nearest to the mask's origin, and its distance in mm.

    Only voxels at which a mask of this matrix can start are looked at: the first, where it is not cropped.
    """
    offsets = mask.origin - origins
    axes = grid.directions[:, :2] * grid.spacing_xy_mm
    room = np.subtract(grid.size_xyz[:2], mask.size_xyz[:2])
    places = np.clip(np.rint(offsets @ axes / np.square(grid.spacing_xy_mm)), 0, room).astype(np.intp)
    return places, np.linalg.norm(offsets - places @ axes.T, axis=1)


def _is_step(mask: Mask, step: Vector) -> bool:
    length = float(np.linalg.norm(step))
    is_long_enough = abs(float(np.linalg.norm(mask.step)) - length) <= SPACING_TOLERANCE * length
    return is_long_enough and angle_deg(mask.step, step) <= AXES_TOLERANCE_DEG


def to_image(array: NDArray[Any], grid: Geometry) -> sitk.Image:
    """An image of the scan's grid: true pixel size, mean perpendicular gap, orthonormal axes.

    Free-text fields of the header stay blank, since the image is new.
    """
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(grid.spacing_mm_xyz)
    image.SetOrigin(grid.origins[0].tolist())
    image.SetDirection(grid.directions.ravel().tolist())
    return image
