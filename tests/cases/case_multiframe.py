"""Enhanced multi-frame CT: positions, rescale and order in functional groups, one file for all slices."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import RLELossless, generate_uid

from cases.library import (
    COLUMNS,
    PIXEL_MM,
    ROWS,
    SLICES,
    Expected,
    at_heights,
    case,
    excluded,
    head,
    included,
    level_origins,
    write,
)
from support.ct_series import AXIAL

ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"
LEGACY_CONVERTED_CT = "1.2.840.10008.5.1.4.1.1.2.2"
MULTIFRAME_CAPTURE = "1.2.840.10008.5.1.4.1.1.7.3"


def item(**values: object) -> list[Dataset]:
    """A sequence of one item."""
    dataset = Dataset()
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return [dataset]


def decimals(values: Sequence[float]) -> list[Any]:
    return [pydicom.valuerep.DSfloat(float(value), auto_format=True) for value in values]


def enhanced(
    root: Path,
    hounsfield: NDArray[Any],
    origins: NDArray[np.float64],
    *,
    orientation: Sequence[float] = AXIAL,
    intercepts: Sequence[float] | None = None,
    slopes: Sequence[float] | None = None,
    geometry_per_frame: bool = False,
    rescale_shared: bool = False,
    name: str = "enhanced.dcm",
    series_uid: str = "",
    number: int = 1,
) -> FileDataset:
    """Build an enhanced CT file of the frames in the order given; ``save`` writes it.

    Shared functional groups hold orientation, pixel measures and, if asked for, rescale; per-frame
    groups hold position and the rest.
    """
    (path,) = write(root, head(1), into="template")
    dataset = pydicom.dcmread(path)
    path.unlink()
    path.parent.rmdir()
    for keyword in (
        "ImagePositionPatient",
        "ImageOrientationPatient",
        "PixelSpacing",
        "SliceThickness",
        "RescaleSlope",
        "RescaleIntercept",
        "ConvolutionKernel",
    ):
        delattr(dataset, keyword)
    count = len(hounsfield)
    intercepts = [-1024.0] * count if intercepts is None else intercepts
    slopes = [1.0] * count if slopes is None else slopes
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = ENHANCED_CT
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.SeriesInstanceUID = series_uid or generate_uid()
    dataset.InstanceNumber, dataset.NumberOfFrames = number, count
    plane_orientation = item(ImageOrientationPatient=decimals(orientation))
    measures = item(PixelSpacing=decimals([PIXEL_MM, PIXEL_MM]), SliceThickness=5)
    kernel = item(ConvolutionKernel="H31s")
    shared = item(
        CTReconstructionSequence=kernel, CTImageFrameTypeSequence=item(FrameType=list(dataset.ImageType))
    )
    frames, stored = [], []
    for index in range(count):
        (frame,) = item(
            FrameContentSequence=item(
                StackID="1", InStackPositionNumber=index + 1, DimensionIndexValues=[1, index + 1]
            ),
            PlanePositionSequence=item(ImagePositionPatient=decimals(origins[index])),
        )
        rescale = item(RescaleSlope=slopes[index], RescaleIntercept=intercepts[index], RescaleType="HU")
        if rescale_shared:
            shared[0].PixelValueTransformationSequence = rescale
        else:
            frame.PixelValueTransformationSequence = rescale
        geometry = frame if geometry_per_frame else shared[0]
        geometry.PlaneOrientationSequence, geometry.PixelMeasuresSequence = plane_orientation, measures
        frames.append(frame)
        stored.append(np.rint((hounsfield[index] - intercepts[index]) / slopes[index]).astype("<u2"))
    dataset.SharedFunctionalGroupsSequence = shared
    dataset.PerFrameFunctionalGroupsSequence = frames
    dataset.PixelData = np.stack(stored).tobytes()
    dataset.filename = str(root / "dicom" / name)
    return dataset


def save(dataset: FileDataset) -> Path:
    path = Path(dataset.filename)
    dataset.save_as(path, enforce_file_format=True)
    return path


@case("enhanced CT, one file of many frames (github.com/icometrix/dicom2nifti/issues/140)")
def enhanced_plain(root: Path) -> Expected:
    save(enhanced(root, head(), level_origins()))
    return included(None, "multi_frame", frames=list(range(1, SLICES + 1)), numbers=[1] * SLICES)


@case("all geometry per frame, rescale shared")
def enhanced_geometry_per_frame(root: Path) -> Expected:
    save(enhanced(root, head(), level_origins(), geometry_per_frame=True, rescale_shared=True))
    return included(None, "multi_frame")


@case(
    "frames in random order (github.com/horosproject/horos/issues/543, "
    "github.com/rordenlab/dcm2niix/issues/839)"
)
def enhanced_out_of_order(root: Path) -> Expected:
    order = [i * 11 % SLICES for i in range(SLICES)]
    save(enhanced(root, head()[order], level_origins()[order]))
    return included(None, "multi_frame", frames=[order.index(i) + 1 for i in range(SLICES)])


@case("rescale of its own in each frame (github.com/rordenlab/dcm2niix/issues/853)")
def enhanced_rescale_per_frame(root: Path) -> Expected:
    intercepts = [-1024.0 - 2 * i for i in range(SLICES)]
    save(enhanced(root, head(), level_origins(), intercepts=intercepts, slopes=[1.0, 0.5] * (SLICES // 2)))
    return included(None, "multi_frame")


@case("a frame missing amid the others")
def enhanced_missing_frame(root: Path) -> Expected:
    kept = np.delete(np.arange(SLICES), 11)
    save(enhanced(root, head()[kept], level_origins()[kept]))
    return excluded("missing section", r"14\.00 mm between frame 11 of instance 1 and frame 12")


@case("enhanced CT under tilt")
def enhanced_tilted(root: Path) -> Expected:
    orientation = (1.0, 0, 0, 0, 0.939692621, -0.342020143)
    save(enhanced(root, head(), level_origins(), orientation=orientation))
    return included(None, "multi_frame", "tilted", directions=((1, 0, 0), orientation[3:]))


@case("enhanced CT with compressed frames")
def enhanced_compressed(root: Path) -> Expected:
    dataset = enhanced(root, head(), level_origins())
    dataset.compress(RLELossless, generate_instance_uid=False)
    save(dataset)
    return included(None, "multi_frame")


@case("classic CT that an archive converted to one enhanced file")
def legacy_converted(root: Path) -> Expected:
    dataset = enhanced(root, head(), level_origins())
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = LEGACY_CONVERTED_CT
    save(dataset)
    return included(None, "multi_frame")


@case("enhanced CT in two files of one series, as a concatenation")
def enhanced_in_two_files(root: Path) -> Expected:
    uid = generate_uid()
    for part, slices in enumerate((slice(0, 9), slice(9, 18)), start=1):
        dataset = enhanced(
            root, head()[slices], level_origins()[slices], name=f"{part}.dcm", series_uid=uid, number=part
        )
        save(dataset)
    return included(None, "multi_frame", frames=[*range(1, 10)] * 2, numbers=[1] * 9 + [2] * 9)


@case("fewer frames of pixels than the header lists")
def enhanced_fewer_pixels(root: Path) -> Expected:
    dataset = enhanced(root, head(), level_origins())
    dataset.PixelData = dataset.PixelData[: (SLICES - 2) * ROWS * COLUMNS * 2]
    save(dataset)
    return excluded("truncated or damaged pixels")


@case("an enhanced file cut off")
def enhanced_truncated(root: Path) -> Expected:
    path = save(enhanced(root, head(), level_origins()))
    path.write_bytes(path.read_bytes()[:-3000])
    return excluded("truncated or damaged pixels")


@case("more frames than the per-frame groups describe")
def enhanced_fewer_groups(root: Path) -> Expected:
    dataset = enhanced(root, head(), level_origins())
    del dataset.PerFrameFunctionalGroupsSequence[-1]
    save(dataset)
    return excluded("multi-frame without positions of its frames")


@case("one frame without position (github.com/rordenlab/dcm2niix/issues/372)")
def enhanced_frame_without_position(root: Path) -> Expected:
    dataset = enhanced(root, head(), level_origins())
    del dataset.PerFrameFunctionalGroupsSequence[5].PlanePositionSequence
    save(dataset)
    return excluded("multi-frame without positions of its frames")


@case("the last frame without position, where no gap would betray it")
def enhanced_last_frame_without_position(root: Path) -> Expected:
    dataset = enhanced(root, head(), level_origins())
    del dataset.PerFrameFunctionalGroupsSequence[-1].PlanePositionSequence
    save(dataset)
    return excluded("multi-frame without positions of its frames")


@case("two phases in one file: each position twice")
def enhanced_two_phases(root: Path) -> Expected:
    twice = np.concatenate([head(), head() + 4])
    save(enhanced(root, twice, np.concatenate([level_origins(), level_origins()])))
    return excluded("different slices at the same position")


@case("frames with a position of their own, 4 mm below and 7 mm above")
def enhanced_uneven(root: Path) -> Expected:
    origins = at_heights([*np.arange(0, 56, 4), *(53.08 + 7 * np.arange(14))])
    dataset = enhanced(root, head(28), origins, geometry_per_frame=True)
    for index, frame in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        (measures,) = item(PixelSpacing=decimals([PIXEL_MM, PIXEL_MM]), SliceThickness=4 if index < 14 else 7)
        frame.PixelMeasuresSequence = [measures]
    save(dataset)
    return included(head(28), "multi_frame", "uneven_gaps", origins=origins)


@case("multi-frame secondary capture: a film loop without positions")
def film_loop(root: Path) -> Expected:
    dataset = enhanced(root, head(), level_origins())
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = MULTIFRAME_CAPTURE
    del dataset.SharedFunctionalGroupsSequence, dataset.PerFrameFunctionalGroupsSequence
    save(dataset)
    return excluded("multi-frame without positions of its frames")


@case("an enhanced and a classic copy of the same scan in one folder")
def enhanced_beside_classic(root: Path) -> Expected:
    write(root, series=2)
    save(enhanced(root, head(), level_origins()))
    return included(None, "multi_frame", "other_series_in_folder")


@case("an enhanced file with one frame for each slice, a file each")
def enhanced_single_frames(root: Path) -> Expected:
    uid = generate_uid()
    for index in range(SLICES):
        dataset = enhanced(
            root,
            head()[index : index + 1],
            level_origins()[index : index + 1],
            name=f"{index}.dcm",
            series_uid=uid,
            number=index + 1,
        )
        save(dataset)
    return included(None, "multi_frame", numbers=list(range(1, SLICES + 1)))
