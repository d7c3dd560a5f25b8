"""Masks as DICOM segmentations: frames placed by their own positions, segments told by number and name.

Read by pydicom (DICOM PS3.3, section A.51). Frames without a voxel are left out by most programs, so what
lies between the frames is background, not a part that was cropped. Nothing of the header is quoted: a
segment's name stands in messages as the lesions that it means, since any text may hold a patient's name.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import RTStructureSetStorage, SegmentationStorage

from headct.contracts.folders import contents
from headct.imaging import geometry
from headct.imaging.dicom import READ_ERRORS
from headct.imaging.mask_files.stored import StoredMask, one_map
from headct.imaging.nifti import Unreadable
from headct.imaging.nifti_geometry import Trusted

SEGMENTATIONS = (SegmentationStorage, "1.2.840.10008.5.1.4.1.1.66.7")
"""SOP classes: Segmentation Storage and Label Map Segmentation Storage, which pydicom has no name for."""

PREAMBLE, LETTERS = 128, b"DICM"
SAME_PLACE_DECIMALS = 3
"""Of positions in mm: frames of several segments on one slice repeat its position."""

Header = Dataset


def takes(start: bytes) -> bool:
    """Whether a file is DICOM, by its first bytes."""
    return start[PREAMBLE : PREAMBLE + len(LETTERS)] == LETTERS


def file_in(folder: Path) -> Path:
    """The one segmentation in a folder.

    Raises:
        Unreadable: there is none, or several.
    """
    found = [Path(name) for name in sorted(contents(folder).files)]
    segmentations = [path for path in found if _is_segmentation(path)]
    if len(segmentations) != 1:
        raise Unreadable(
            f"a folder with {len(segmentations)} DICOM segmentations, where one should be: name a file, "
            "which has all lesions of the reading"
        )
    return segmentations[0]


def _is_segmentation(path: Path) -> bool:
    try:
        header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["SOPClassUID"])
        return header.get("SOPClassUID") in SEGMENTATIONS
    except READ_ERRORS:
        return False


def read(path: Path, trusted: Trusted) -> StoredMask:  # noqa: ARG001  # one signature for all formats
    """Segments by their numbers, on slices with positions of their own.

    Raises:
        Unreadable: it is no segmentation of parallel slices, holds fractions, or is damaged.
    """
    try:
        dataset = pydicom.dcmread(path)
    except READ_ERRORS as error:
        raise Unreadable("a DICOM file that is truncated or damaged") from error
    _refuse_others(dataset)
    try:
        return _stored(dataset)
    except READ_ERRORS as error:
        raise Unreadable("a DICOM segmentation that is damaged, or lacks what places its frames") from error


def _refuse_others(dataset: Header) -> None:
    kind = dataset.get("SOPClassUID")
    if kind == RTStructureSetStorage:
        raise Unreadable(
            "an RT Structure Set: contours, which are not read here; save them as a label map, or as a DICOM "
            "segmentation"
        )
    if kind not in SEGMENTATIONS:
        raise Unreadable("a DICOM file, but no segmentation (SEG)")
    if "ConcatenationUID" in dataset:
        raise Unreadable("one of several files that hold a DICOM segmentation together: save it as one")


def _stored(dataset: Header) -> StoredMask:
    frames = _frames(dataset)
    groups = list(dataset.PerFrameFunctionalGroupsSequence)
    shared = dataset.SharedFunctionalGroupsSequence[0] if "SharedFunctionalGroupsSequence" in dataset else {}
    if len(groups) != len(frames):
        raise ValueError("another number of frames than of their descriptions")

    def facts(group: Header, sequence: str, keyword: str) -> tuple[float, ...]:
        item = (group if sequence in group else shared)[sequence][0]
        return tuple(float(number) for number in item[keyword].value)

    orientations = {facts(one, "PlaneOrientationSequence", "ImageOrientationPatient") for one in groups}
    spacings = {facts(one, "PixelMeasuresSequence", "PixelSpacing") for one in groups}
    if len(orientations) != 1 or len(spacings) != 1:
        raise Unreadable("its frames differ in orientation or pixel size: save it on the original series")
    positions = [facts(one, "PlanePositionSequence", "ImagePositionPatient") for one in groups]
    places = [tuple(np.round(position, SAME_PLACE_DECIMALS)) for position in positions]
    of_place = dict(zip(places, positions, strict=True))
    (orientation,), (spacing,) = orientations, spacings
    origins = np.array(list(of_place.values()))
    order = geometry.stacking_order(orientation, origins)
    rank = {list(of_place)[index]: slice_ for slice_, index in enumerate(order)}
    _, rows, columns = frames.shape
    grid = geometry.from_slices(orientation, spacing, rows, columns, origins[order])
    values = _numbers(dataset, groups, frames, [rank[place] for place in places])
    affine = np.eye(4)
    affine[:3, :3] = grid.directions * (*grid.spacing_xy_mm, 1.0)  # the third says nothing: origins do
    affine[:3, 3] = grid.origins[0]
    turned = np.stack([grid.moves.apply(plane) for plane in values])
    return StoredMask(
        turned,
        affine,
        _names(dataset),
        may_be_quoted=False,
        origins=grid.origins,
        drawn_on=_images(dataset),
    )


def _frames(dataset: Header) -> NDArray[Any]:
    """Voxels of each frame: whether they are its segment's, or, of a label map, the segments' numbers.

    Raises:
        Unreadable: fractions.
    """
    frames = dataset.pixel_array
    frames = frames[None] if frames.ndim == 2 else frames
    if dataset.get("SegmentationType") != "FRACTIONAL":
        return frames
    whole = int(dataset.MaximumFractionalValue)
    if n_parts := int(np.count_nonzero((frames != 0) & (frames != whole))):
        raise Unreadable(
            f"a DICOM segmentation of fractions, which {n_parts} voxels have: where a lesion ends is the "
            "rater's to say, so save it as BINARY or LABELMAP"
        )
    return frames == whole


def _numbers(
    dataset: Header, groups: list[Header], frames: NDArray[Any], slices: list[int]
) -> NDArray[np.int32]:
    """Numbers of segments, shape (slices, rows, columns), as stored in plane.

    Args:
        dataset: the file.
        groups: what it says of each frame.
        frames: as of :func:`_frames`.
        slices: the slice of each frame.

    Raises:
        Unreadable: segments overlap, or two frames lie on one slice.
    """
    shape = (max(slices) + 1, *frames.shape[1:])
    if dataset.get("SegmentationType") == "LABELMAP":
        numbers = [0] * len(slices)
    else:
        shared = dataset.get("SharedFunctionalGroupsSequence", [{}])[0]
        key = "SegmentIdentificationSequence"
        numbers = [int((one if key in one else shared)[key][0].ReferencedSegmentNumber) for one in groups]
    if len(set(zip(numbers, slices, strict=True))) < len(slices):
        raise Unreadable("two frames of one segment lie on one slice")
    if not any(numbers):
        values = np.zeros(shape, dtype=np.int32)
        values[slices] = frames
        return values
    voxels: dict[int, NDArray[np.bool_]] = defaultdict(lambda: np.zeros(shape, dtype=bool))
    for number, slice_, frame in zip(numbers, slices, frames, strict=True):
        voxels[number][slice_] = frame != 0
    return one_map(voxels, {number: f"segment {number}" for number in voxels})


def _names(dataset: Header) -> list[tuple[int, str]]:
    return [(int(one.SegmentNumber), str(one.get("SegmentLabel", ""))) for one in dataset.SegmentSequence]


def _images(dataset: Header) -> frozenset[str]:
    """SOP Instance UIDs of the images that it was drawn on, which messages never quote."""
    series = dataset.get("ReferencedSeriesSequence") or []
    images = [image for one in series for image in one.get("ReferencedInstanceSequence") or []]
    return frozenset(str(image.ReferencedSOPInstanceUID) for image in images)
