"""Raters' masks: values mapped, put on the scan's axes, matched to its grid, re-stamped.

Masks are drawn in ITK-SNAP, whose z spacing is the distance between slice origins; converters that know of
tilt write the perpendicular gap, or shear the grid; dcm2niix takes the first gap of an uneven series for all.
Each is accepted, the voxels are what counts. A mask that was cropped, by slices or in plane, is placed by its
origin. A mask drawn on another grid, such as an un-sheared image, is refused with the measured mismatch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from headct.contracts import plurals
from headct.contracts.labels import LabelSet
from headct.contracts.problems import BadInput, Problem, gathered
from headct.imaging import label_names, mask_files, nifti
from headct.imaging.geometry import Geometry, Vector, angle_deg
from headct.imaging.mask_files.stored import StoredMask, one_map
from headct.imaging.nifti_geometry import Trusted

ORIGIN_TOLERANCE_MM = 0.1
"""Headers store float32 or a few decimals; a shifted mask is off by a pixel (0.4 mm) or a slice."""

SPACING_TOLERANCE = 0.01
"""Relative. Tilt of 8.1 degrees already makes the two accepted z spacings differ by 1 %."""

AXES_TOLERANCE_DEG = 0.5
SUM_TOLERANCE = 0.01
"""How far the probabilities of all classes may be from 1 in sum, as those in half precision are."""

LISTED_VALUES = 30
"""Unknown label values that a message lists; an interpolated mask has thousands."""

NOT_ONE_MAP = "it is not one 3-D label map"


class Mismatch(Exception):
    """The mask does not lie on the scan's grid; the message has the measured difference."""


@dataclass(frozen=True)
class Mask:
    """A mask as its file has it, with axes in LPS order.

    Attributes:
        labels: shape (z, y, x).
        affine: 4 x 4, index (x, y, z, 1) to LPS in mm; its third axis may be sheared.
        ignored: number of voxels by the value that they had in the file, of values that mean no lesion.
        by_names: whether the names of its segments told the lesions, where its values say otherwise.
        origins: where each slice's first voxel lies, shape (z, 3), of files that say so for each; they
            leave out slices on which nothing was drawn.
        drawn_on: SOP Instance UIDs of the images that it was drawn on, of files that say so.
    """

    labels: NDArray[np.uint8]
    affine: Vector
    ignored: Mapping[int, int] = field(default_factory=dict)
    by_names: bool = False
    origins: Vector | None = None
    drawn_on: frozenset[str] = frozenset()

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


def read(path: Path, rules: MaskRules, key: str, labels: LabelSet, trusted: Trusted = "none") -> Mask:
    """Read a mask and map its values to those of the label set.

    Args:
        path: a file of a format in :mod:`headct.imaging.mask_files`, or the folder of a DICOM segmentation.
        rules: what the values in this file mean; 0 is background.
        key: the sample sheet's column, for messages.
        labels: the set, which has the classes that ``rules`` names.
        trusted: what is believed of a NIfTI file whose transforms contradict each other.

    Raises:
        BadInput: the file is missing or unreadable, not a map of whole numbers, holds values
            that ``rules`` does not name (all are listed) or names of its own that contradict them, or is
            empty and may not be.
    """
    stored = _stored(path, rules, key, trusted)
    meant = held_against_names(stored, rules, str(path), key, labels)
    return _mapped(stored, meant, str(path), key, labels, by_names=meant is not rules)


def read_one_lesion(
    path: Path, lesion: str, rules: MaskRules, key: str, labels: LabelSet, trusted: Trusted = "none"
) -> Mask:
    """Read a file that outlines one lesion alone, by whatever value, and map this to that of the label set.

    Args:
        path, key, labels, trusted: as of :func:`read`.
        lesion: that is outlined, by its name in ``labels``.
        rules: of which the values that mean no lesion count, and whether a mask may be empty.

    Raises:
        BadInput: the file is missing or unreadable, holds several values or one that is no whole number from
            1 on (all are listed), none but those to be ignored, a name of another lesion, or is empty and
            may not be.
    """
    file = str(path)
    stored = _stored(path, MaskRules({lesion: (1,)}), key, trusted)
    found = list(zip(*np.unique(stored.values[stored.values != 0], return_counts=True), strict=True))
    drawn = [value for value, _ in found if value not in rules.ignored]
    message = ""
    if len(drawn) > 1 or any(value < 1 or not float(value).is_integer() for value in drawn):
        message = (
            f"not one lesion: a file of {lesion} alone has one value there, a whole number from 1 on, and 0 "
            "elsewhere; a file of several lesions stands in the column of all"
        )
        message += _of_fractions(found)
    elif found and not drawn:
        message = "all that is drawn has values under ignore, which mean no lesion: which is right?"
    if message:
        raise BadInput([Problem(file, message, key=key, value=_values_in_words(found))])
    meant = replace(rules, values={lesion: tuple(map(int, drawn))})
    contradictions = label_names.contradictions(
        _quotable_names(stored, labels), meant.label_of, drawn, labels, said_by="its column"
    )
    if contradictions:
        message = f"{'; '.join(contradictions)}: mend the sheet, or the name in the mask"
        raise BadInput([Problem(file, message, key=key)])
    return _mapped(stored, meant, file, key, labels, by_names=False)


def read_probabilities(path: Path, rules: MaskRules, key: str, labels: LabelSet) -> Mask:
    """Read the probabilities of all classes, and make the label map of the most probable one of each voxel.

    Of equally probable ones the first counts.

    Args:
        path: of a file with a channel for each class, as of :func:`probabilities`; or of a folder with a file
            for each of several networks, such as those of the folds, which are averaged.
        rules: what the numbers of the classes mean.
        key: of the setting, for messages.
        labels: the set, which has the classes that ``rules`` names.

    Raises:
        BadInput: a file is missing or unreadable, or holds no such probabilities; all that are wrong with a
            folder's.
    """

    def of_classes(values: NDArray[Any]) -> NDArray[Any]:
        return probabilities(values, rules)

    files = sorted(path.iterdir()) if path.is_dir() else [path]
    if not files:
        raise BadInput([Problem(str(path), "the folder is empty: it is to hold probabilities", key=key)])
    problems: list[Problem] = []
    total: StoredMask | None = None
    for file in files:
        with gathered(problems):
            stored = _stored_as(of_classes, file, key, "none")
            total = _sum_of(total, stored, file, key) if total else stored
    if problems or total is None:
        raise BadInput(problems)
    most_probable = replace(total, values=total.values.argmax(axis=0))
    return _mapped(most_probable, rules, str(path), key, labels, by_names=False)


def _sum_of(total: StoredMask, stored: StoredMask, file: Path, key: str) -> StoredMask:
    """The sum of probabilities of several networks; BadInput where they lie on different grids."""
    if stored.values.shape != total.values.shape or not np.array_equal(stored.affine, total.affine):
        message = "it lies on another grid than the first file of its folder, with which it is to be averaged"
        raise BadInput([Problem(str(file), message, key=key)])
    return replace(total, values=np.add(total.values, stored.values, dtype=np.float32))


def probabilities(channels: NDArray[Any], rules: MaskRules) -> NDArray[Any]:
    """The same channels, which are probabilities of all classes.

    Args:
        channels: shape (class, z, y, x), the background's first.
        rules: which name all classes but the background by their numbers, 1, 2, 3, …

    Raises:
        Unreadable: another number of classes than the rules name, or values that are no probabilities.
    """
    named = sorted([*rules.label_of, *rules.ignored])
    n_classes = len(channels) if channels.ndim == 4 else 1
    if named != list(range(1, n_classes)) or n_classes == 1:
        raise nifti.Unreadable(
            f"it has {plurals.counted(n_classes, 'channel')} (the last dimension counts); probabilities have"
            " one for the background, and then one for each of the values that labels names, which must be"
            f" 1, 2, 3, … and are {', '.join(map(str, named))}"
        )
    if wrong := int(((channels < 0) | (channels > 1 + SUM_TOLERANCE)).sum()):
        ends = f"from {channels.min():g} to {channels.max():g}"
        values = plurals.counted(wrong, "value", "below 0 or above 1")
        raise nifti.Unreadable(f"{values} ({ends}): no probabilities")
    off = np.abs(channels.sum(axis=0) - 1)
    if wrong := int((off > SUM_TOLERANCE).sum()):
        raise nifti.Unreadable(
            f"in {plurals.counted(wrong, 'voxel')} the sum over its classes is not 1, but off by up to"
            f" {off.max():.3g}: no probabilities"
        )
    return channels


def _stored(path: Path, rules: MaskRules, key: str, trusted: Trusted) -> StoredMask:
    """What a mask's file holds, channels as one map; BadInput where it can't be read."""

    def as_one(values: NDArray[Any]) -> NDArray[Any]:
        return from_channels(values, rules) if values.ndim == 4 else values

    return _stored_as(as_one, path, key, trusted)


def _stored_as(
    as_one: Callable[[NDArray[Any]], NDArray[Any]], path: Path, key: str, trusted: Trusted
) -> StoredMask:
    """What a mask's file holds, made one map by a function that may raise Unreadable; BadInput if it does."""
    if not path.exists() and not path.is_symlink():
        raise BadInput(
            [Problem(str(path), "there is no such mask file: mend its path in the sheet", key=key)]
        )
    try:
        stored = mask_files.read(path, trusted)
        stored = replace(stored, values=as_one(stored.values))
    except nifti.Unreadable as error:
        raise BadInput([Problem(str(path), f"the mask can't be read: {error}", key=key)]) from error
    return stored


def _mapped(
    stored: StoredMask, meant: MaskRules, file: str, key: str, labels: LabelSet, by_names: bool
) -> Mask:
    mapped = map_values(stored.values, meant, file, key, labels)
    n_ignored = {value: int((stored.values == value).sum()) for value in meant.ignored}
    ignored = {value: number for value, number in n_ignored.items() if number}
    return Mask(mapped, stored.affine, ignored, by_names, stored.origins, stored.drawn_on)


def from_channels(channels: NDArray[Any], rules: MaskRules) -> NDArray[np.int32]:
    """One-hot channels, shape (channel, z, y, x), as the map of values that they were made of, (z, y, x).

    With the values 1, 2, 3, … in the order of ``labels``, channel and value are the same number, whether the
    background has a channel of its own, which then comes first, or none. Otherwise nothing is guessed.

    Raises:
        Unreadable: other values than 0 and 1, another number of channels, values in another order,
            or channels that overlap.
    """
    number, values = len(channels), [value for values in rules.values.values() for value in values]
    if not np.isin(channels, (0, 1)).all():
        raise nifti.Unreadable(f"{NOT_ONE_MAP}: it has {number} channels, and not of 0 and 1 alone")
    has_background = number == len(values) + 1 and bool((channels.sum(axis=0) == 1).all())
    if number != len(values) and not has_background:
        wanted = f"{len(values)} (a lesion each), or {len(values) + 1} that fill it, with background first"
        raise nifti.Unreadable(
            f"{NOT_ONE_MAP}: it has {number} channels (the last dimension counts), and to be read as lesions "
            f"it must have {wanted}"
        )
    if values != list(range(1, len(values) + 1)) or rules.ignored:
        raise nifti.Unreadable(
            f"{NOT_ONE_MAP}: it has {number} channels, and which is which is certain only where labels has "
            "the values 1, 2, 3, … in this order and ignores none: save it as one label map"
        )
    if not has_background and (channels.sum(axis=0) == 1).all():
        raise nifti.Unreadable(
            f"{NOT_ONE_MAP}: each voxel is in one of its {number} channels, so one must be the background: "
            "save it as one label map"
        )
    of_value = dict(zip(values, channels[-len(values) :] == 1, strict=True))
    return one_map(of_value, {value: f"channel {value}" for value in values})


def held_against_names(
    stored: StoredMask, rules: MaskRules, file: str, key: str, labels: LabelSet
) -> MaskRules:
    """What values mean once the names that the file gives them are heard (docs/decisions/mask-names.md).

    The values decide as long as no name contradicts them. Where one does, or the file's values are not those
    of the setting, the names decide, if each drawn segment has the name of one lesion, and no two the same.

    Args:
        stored: the mask, as its file has it.
        rules: of the ``labels`` setting.
        file, key: of the mask, for messages.
        labels: the set that the names are looked up in.

    Returns:
        ``rules`` itself where the values decide.

    Raises:
        BadInput: names contradict the setting, and do not tell all lesions apart.
    """
    if not stored.named:
        return rules
    named = _quotable_names(stored, labels)
    present = np.unique(stored.values[stored.values != 0]).tolist()
    contradictions = label_names.contradictions(named, rules.label_of, present, labels)
    is_known = all(value in rules.label_of or value in rules.ignored for value in present)
    if is_known and not contradictions and not stored.is_numbered_here:
        return rules
    of_lesions = [value for value in present if not _is_left_out(value, named, rules, labels)]
    meant = label_names.meant_by_names(named, of_lesions, labels)
    if meant and not set(meant) & set(rules.ignored) and all(rules.values[name] for name in meant.values()):
        of_name = {name: value for value, name in meant.items()}
        return replace(
            rules, values={name: (of_name[name],) if name in of_name else () for name in rules.values}
        )
    if stored.is_numbered_here:
        contradictions = [
            "its segments have the same value in several layers, and their names tell no lesions"
        ]
    if contradictions:
        message = f"{'; '.join(contradictions)}: mend the setting, or names and values in the mask"
        raise BadInput([Problem(file, message, key=key)])
    return rules


def _quotable_names(stored: StoredMask, labels: LabelSet) -> list[tuple[int, str]]:
    """Values and what messages may call them: the file's names, or the lesions that these mean."""
    if stored.may_be_quoted:
        return stored.named
    return [
        (value, " and ".join(sorted(label_names.classes_in(name, labels)))) for value, name in stored.named
    ]


def _is_left_out(value: int, named: Iterable[tuple[int, str]], rules: MaskRules, labels: LabelSet) -> bool:
    """Whether a value is to be ignored, and no name says that it is a lesion."""
    own = [name for of, name in named if of == value]
    return value in rules.ignored and not any(label_names.classes_in(name, labels) for name in own)


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
        message = f"unknown label values: the labels setting knows {expected}" + _of_fractions(unknown)
        raise BadInput([Problem(file, message, key=key, value=_values_in_words(unknown))])
    mapped = np.zeros(stored.shape, dtype=np.uint8)
    for value, name in label_of.items():
        mapped[stored == value] = labels[name]
    if not mapped.any() and not rules.may_be_empty:
        message = "the mask is empty: no voxel is labelled; where scans may be free of lesions, set"
        raise BadInput([Problem(file, f"{message} ingest.empty_masks to lesion_free", key=key)])
    return mapped


def _values_in_words(counted: Sequence[tuple[float, int]]) -> str:
    """Values with their numbers of voxels, as many as can be read."""
    some = counted[:LISTED_VALUES]
    listed = ", ".join(f"{value:g} ({number} voxels)" for value, number in some)
    return listed + (f" and {len(counted) - len(some)} more" if len(counted) > len(some) else "")


def _of_fractions(counted: Iterable[tuple[float, int]]) -> str:
    """The end of a message on values that are no whole numbers."""
    if all(float(value).is_integer() for value, _ in counted):
        return ""
    return "; fractions come from resampling: hand in the mask as it was drawn"


def on_grid(mask: Mask, grid: Geometry) -> NDArray[np.uint8]:
    """The mask's labels on the scan's grid, shape (slices, rows, columns); no resampling.

    What the mask does not cover is background.

    Raises:
        Mismatch: another matrix, pixel size, orientation, z spacing or place.
    """
    _check_plane(mask, grid)
    depth, height, width = mask.labels.shape
    if mask.origins is not None:
        column, row, slices = _first_voxels(mask, mask.origins, grid)
    else:
        column, row, first = _first_voxel(mask, grid)
        slices = np.arange(first, first + depth)
    columns, rows, n_slices = grid.size_xyz
    labels = np.zeros((n_slices, rows, columns), dtype=np.uint8)
    labels[slices, row : row + height, column : column + width] = mask.labels
    return labels


def covers_part(mask: Mask, grid: Geometry) -> tuple[bool, bool]:
    """Whether a mask was cropped by slices, and in plane.

    One that names the place of each slice leaves out those on which nothing was drawn, which is no crop.
    """
    size = mask.size_xyz
    return mask.origins is None and size[2] < grid.size_xyz[2], size[:2] != grid.size_xyz[:2]


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
        heights = depth * float(np.linalg.norm(mask.step)), slices * grid.header_spacing_z_mm
        if not resampled and np.isclose(*heights, rtol=SPACING_TOLERANCE):
            resampled = " over the same height: resampled along z"
        raise Mismatch(f"wrong matrix: {depth} slices, the scan has {slices}" + resampled)
    angle = max(angle_deg(mask.directions[:, i], grid.directions[:, i]) for i in range(3))
    if angle > AXES_TOLERANCE_DEG:
        raise Mismatch(f"its axes are turned by {angle:.1f} degrees against the scan's" + resampled)
    if not np.allclose(mask.pixel_mm, grid.spacing_xy_mm, rtol=SPACING_TOLERANCE / 10):
        ours, theirs = _pixel_in_words(grid.spacing_xy_mm), _pixel_in_words(mask.pixel_mm)
        if (width, height) != (columns, rows):
            sizes = f"{width} x {height} pixels of {theirs} mm, the scan has {columns} x {rows} of {ours} mm"
            raise Mismatch(f"wrong matrix: {sizes}" + _is_resampled(mask, grid))
        raise Mismatch(f"pixels of {theirs} mm, the scan has {ours} mm" + _is_resampled(mask, grid))


def _is_resampled(mask: Mask, grid: Geometry) -> str:
    """The end of a message on voxels of another size: such a mask was not cropped."""
    theirs = np.multiply(mask.size_xyz[:2], mask.pixel_mm)
    ours = np.multiply(grid.size_xyz[:2], grid.spacing_xy_mm)
    same_field = " (they cover the same field)" if np.allclose(theirs, ours, rtol=SPACING_TOLERANCE) else ""
    return f"{same_field}: resampled, not cropped. Hand in the mask on the voxels that it was drawn on"


def _pixel_in_words(size_mm: Iterable[float]) -> str:
    return " x ".join(f"{side:.4f}" for side in size_mm)


def _first_voxels(mask: Mask, origins: Vector, grid: Geometry) -> tuple[int, int, NDArray[np.intp]]:
    """Column and row of a mask's first voxel, and its slices, where each has an origin of its own.

    Raises:
        Mismatch: a slice lies on none of the scan's, two lie on one, or they are shifted against each other.
    """
    places, slices, apart = [], [], []
    for origin in origins:
        nearest, distances = _nearest_voxels(mask.size_xyz, origin, grid, grid.origins)
        index = int(np.argmin(distances))
        places.append((int(nearest[index][0]), int(nearest[index][1])))
        slices.append(index)
        apart.append(float(distances[index]))
    if off := sum(distance > ORIGIN_TOLERANCE_MM for distance in apart):
        raise Mismatch(
            f"{off} of its {len(apart)} slices lie on no slice of the scan: the origin of one is "
            f"{max(apart):.2f} mm from the nearest (another scan, or drawn on a resampled image)"
        )
    if len(set(places)) > 1 or len(set(slices)) < len(slices):
        raise Mismatch("its slices are shifted against each other, or two of them lie on one of the scan's")
    return *places[0], np.array(slices)


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
        places, apart = _nearest_voxels(mask.size_xyz, mask.origin, grid, origins[: slices - depth + 1])
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
        cropped = ""
        if mask.size_xyz != grid.size_xyz:
            cropped = (
                f"; it has {_in_words(mask)} of the scan's {_in_words(grid)} voxels, so if it was cropped, "
            )
            cropped += "its header does not say from where"
        raise Mismatch(
            f"its origin is {min(distances):.2f} mm from that of any slice of the scan "
            f"(another scan, a shifted mask, or a header without position){sheared}{cropped}"
        )
    expected = f"{grid.header_spacing_z_mm:.3f} mm (ITK) or {grid.spacing_mm_xyz[2]:.3f} mm"
    spacing = float(np.linalg.norm(mask.step))
    resampled = "" if mask.is_sheared else ": resampled along z, or of another series"
    raise Mismatch(f"z spacing of {spacing:.3f} mm, expected {expected}{sheared}{resampled}")


def _in_words(of: Mask | Geometry) -> str:
    return " x ".join(map(str, of.size_xyz))


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


def _nearest_voxels(
    size_xyz: tuple[int, int, int], origin: Vector, grid: Geometry, origins: Vector
) -> tuple[NDArray[np.intp], Vector]:
    """For each slice, column and row of the voxel nearest to an origin, and its distance in mm.

    Only voxels at which a mask of this matrix can start are looked at: the first, where it is not cropped.

    Args:
        size_xyz: of the mask.
        origin: of the mask's first voxel.
        grid: of the scan.
        origins: of the slices that are looked at.
    """
    offsets = origin - origins
    axes = grid.directions[:, :2] * grid.spacing_xy_mm
    room = np.subtract(grid.size_xyz[:2], size_xyz[:2])
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
