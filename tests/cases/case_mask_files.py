"""Masks in files with segments, channels and frames: ``.seg.nrrd``, one-hot NIfTI, DICOM segmentations.

Their right value is the drawing that was put in; highdicom writes the DICOM segmentations, and the headers of
``.seg.nrrd`` are written by hand as 3D Slicer's documentation has them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom
import SimpleITK as sitk
from numpy.typing import NDArray
from pydicom.uid import RTStructureSetStorage, generate_uid

from cases.case_masks import fits, refuses, scan
from cases.library import (
    GAP_MM,
    PIXEL_MM,
    SLICES,
    Expected,
    case,
    drawn,
    error,
    family,
    head,
    included,
    itk_header,
    level_origins,
    save,
    write,
)
from support.segmentations import sorted_by_number, write_dicom_seg, write_slicer_seg

SLICER = (
    "3D Slicer's documentation of segmentations "
    "(slicer.readthedocs.io/en/latest/developer_guide/modules/segmentations.html)"
)
SEG = "DICOM PS3.3, section A.51; written by highdicom"
ONE_HOT = "nibabel and MONAI: channels in the last dimension (docs.monai.io/en/stable/data.html)"
IN_ORDER = [("ICH", 0, 1), ("PHE", 0, 2), ("IVH", 0, 3)]


def part(image: sitk.Image) -> tuple[sitk.Image, NDArray[np.uint8]]:
    """The extent that 3D Slicer keeps of a drawing."""
    cropped = image[9:20, 8:22, 4:15]
    return cropped, sitk.GetArrayFromImage(cropped)


@case("3D Slicer's own file: cropped to what was drawn, its origin moved with it", SLICER)
def mask_of_slicer(root: Path) -> Expected:
    cropped, values = part(itk_header(scan(root), drawn()))
    name = write_slicer_seg(root / "mask.seg.nrrd", values, cropped, IN_ORDER, (9, 8, 4))
    return fits(name, "mask_covers_part_of_plane", "mask_covers_part_of_slices")


@case("segments in another order than labels has them: told by their names", SLICER)
def mask_of_slicer_in_another_order(root: Path) -> Expected:
    like = itk_header(scan(root), drawn())
    renumbered = np.array([0, 3, 1, 2], dtype=np.uint8)[drawn()]
    segments = [("Perihaematomal oedema", 0, 1), ("IVH", 0, 2), ("Intracerebral hemorrhage", 0, 3)]
    return fits(write_slicer_seg(root / "mask.seg.nrrd", renumbered, like, segments), "mask_read_by_names")


@case("values that labels does not know, names that it does", SLICER)
def mask_of_slicer_with_other_values(root: Path) -> Expected:
    like = itk_header(scan(root), drawn())
    segments = [("ICH", 0, 10), ("PHE", 0, 20), ("IVH", 0, 30)]
    return fits(write_slicer_seg(root / "mask.seg.nrrd", drawn() * 10, like, segments), "mask_read_by_names")


@case("two segments whose names mean one lesion, beside values that mean two", "by hand")
def mask_of_slicer_with_two_bleeds(root: Path) -> Expected:
    like = itk_header(scan(root), drawn())
    segments = [("ICH", 0, 1), ("haematoma", 0, 2), ("IVH", 0, 3)]
    return refuses(write_slicer_seg(root / "mask.seg.nrrd", drawn(), like, segments), "calls 2 'haematoma'")


@case("values unknown and segments without names of lesions: all values are listed", "by hand")
def mask_of_slicer_without_names(root: Path) -> Expected:
    like = itk_header(scan(root), drawn())
    segments = [("Segment_1", 0, 10), ("Segment_2", 0, 20), ("Segment_3", 0, 30)]
    return refuses(
        write_slicer_seg(root / "mask.seg.nrrd", drawn() * 10, like, segments), "unknown label values"
    )


def layered(root: Path, one: NDArray[Any], other: NDArray[Any], names: tuple[str, str]) -> str:
    layers = np.stack([one, other]).astype(np.uint8)
    segments = [(names[0], 0, 1), (names[1], 1, 1)]
    return write_slicer_seg(root / "mask.seg.nrrd", layers, itk_header(scan(root), drawn()), segments)


@case("two layers that do not overlap, in each of which values begin at 1", SLICER)
def mask_of_slicer_in_layers(root: Path) -> Expected:
    labels = np.where(drawn() == 3, 0, drawn())
    name = layered(root, labels == 1, labels == 2, ("ICH", "PHE"))
    return fits(name, "mask_read_by_names", labels=labels)


@case("two layers that overlap: the pair and the voxels are told", SLICER)
def mask_of_slicer_that_overlaps(root: Path) -> Expected:
    both = (drawn() == 1) | (drawn() == 3)
    number = int((drawn() == 3).sum())
    return refuses(
        layered(root, both, drawn() == 3, ("ICH", "IVH")),
        f"segment 'ICH' and segment 'IVH' overlap in {number} voxel",
    )


@case("two layers with the same values, and no names that tell", "by hand")
def mask_of_slicer_in_nameless_layers(root: Path) -> Expected:
    return refuses(layered(root, drawn() == 1, drawn() == 2, ("a", "b")), "same value in several layers")


@case("a .seg.nrrd that calls an ignored part by no lesion's name and a lesion by its own", "by hand")
def mask_of_slicer_with_a_value_more(root: Path) -> Expected:
    like = itk_header(scan(root), drawn())
    labels = drawn()
    labels[8, 17, 15:18] = 9
    segments = [*IN_ORDER, ("Ventricle wall, to be checked", 0, 9)]
    return refuses(write_slicer_seg(root / "mask.seg.nrrd", labels, like, segments), r"9 \(3 voxels\)")


def channels(root: Path, values: NDArray[Any], suffix: str = ".nii.gz") -> str:
    """Channels (channel, z, y, x) as the last dimension of a NIfTI."""
    like = save(root, itk_header(scan(root), drawn()), "like")
    affine = nibabel.load(root / like).affine
    (root / like).unlink()
    stored = np.moveaxis(values, 0, -1).transpose(2, 1, 0, 3).astype(np.uint8)
    image = nibabel.Nifti1Image(stored, affine)
    image.set_qform(affine, 1)
    nibabel.save(image, root / f"mask{suffix}")
    return f"mask{suffix}"


def one_hot(first: int = 1) -> NDArray[np.bool_]:
    """A channel for each value, from ``first`` on."""
    return np.stack([drawn() == value for value in range(first, 4)])


family(
    "one-hot mask",
    "{member}",
    [("a channel for each lesion", 1), ("the background first, then each lesion", 0)],
    lambda root, member: fits(channels(root, one_hot(member[1]))),
)


@case("one-hot, written as a series of volumes by ITK", ONE_HOT)
def mask_one_hot_by_itk(root: Path) -> Expected:
    like = itk_header(scan(root), drawn())
    volumes = [itk_header(root, (drawn() == value).astype(np.uint8)) for value in (1, 2, 3)]
    sitk.WriteImage(sitk.JoinSeries(volumes), str(root / "mask.nii.gz"))
    assert like.GetSize() == volumes[0].GetSize()
    return fits("mask.nii.gz")


@case(
    "one-hot as the components of an NRRD's voxels",
    "NRRD's kind 'vector' (teem.sourceforge.net)",
)
def mask_one_hot_in_nrrd(root: Path) -> Expected:
    scan(root)
    volumes = [itk_header(root, (drawn() == value).astype(np.uint8)) for value in (1, 2, 3)]
    return fits(save(root, sitk.Compose(*volumes), suffix=".nrrd"))


@case("channels that overlap", ONE_HOT)
def mask_channels_overlap(root: Path) -> Expected:
    values = one_hot()
    values[0] |= values[2]
    number = int(values[2].sum())
    return refuses(channels(root, values), f"channel 1 and channel 3 overlap in {number} voxel")


@case("two channels for three lesions", "by hand")
def mask_of_too_few_channels(root: Path) -> Expected:
    return refuses(channels(root, one_hot()[:2]), "it has 2 channels.*must have 3")


@case("as many channels as lesions, and one must be the background", "by hand")
def mask_channels_fill_everything(root: Path) -> Expected:
    values = np.stack([drawn() == 0, drawn() == 1, drawn() > 1])
    return refuses(channels(root, values), "must be the background")


@case("probabilities in channels", "softmax, as networks leave it")
def mask_of_probabilities(root: Path) -> Expected:
    name = channels(root, one_hot())
    image = nibabel.load(root / name)
    soft = nibabel.Nifti1Image(np.asarray(image.dataobj, dtype=np.float32) * 0.7, image.affine)
    nibabel.save(soft, root / name)
    return refuses(name, "not of 0 and 1 alone")


def seg(root: Path, voxels: NDArray[Any] | None = None, kind: str = "BINARY", **names: int) -> str:
    """A DICOM segmentation of the scan that masks are drawn on."""
    scan(root)
    given = {number: name for name, number in (names or {"ICH": 1, "PHE": 2, "IVH": 3}).items()}
    files = sorted_by_number(root / "dicom")
    write_dicom_seg(root / "mask.ima", files, drawn() if voxels is None else voxels, given, kind)
    return "mask.ima"


family(
    "DICOM segmentation",
    "{member}, on a tilted series, empty frames left out",
    ["BINARY", "LABELMAP", "FRACTIONAL"],
    lambda root, kind: fits(
        seg(root, drawn() if kind != "FRACTIONAL" else np.moveaxis(one_hot(), 0, -1).astype(np.float32), kind)
    ),
)


@case("numbered as it was drawn, told by its names", SEG)
def mask_seg_in_another_order(root: Path) -> Expected:
    renumbered = np.array([0, 2, 1, 3], dtype=np.uint8)[drawn()]
    return fits(seg(root, renumbered, PHE=1, ICH=2, IVH=3), "mask_read_by_names")


@case("a file without suffix", SEG)
def mask_seg_without_suffix(root: Path) -> Expected:
    (root / seg(root)).rename(root / "mask")
    return fits("mask")


@case("the folder of one segmentation", "PACS export one folder per series")
def mask_seg_in_a_folder(root: Path) -> Expected:
    name = seg(root)
    (root / "mask").mkdir()
    (root / name).rename(root / "mask" / "IM000001")
    return fits("mask")


@case("a folder with two segmentations", "by hand")
def mask_seg_twice_in_a_folder(root: Path) -> Expected:
    content = (root / seg(root)).read_bytes()
    (root / "mask.ima").unlink()
    (root / "mask").mkdir()
    for number in (1, 2):
        (root / "mask" / f"IM{number}").write_bytes(content)
    return refuses("mask", "a folder with 2 DICOM segmentations")


@case("probabilities", SEG)
def mask_seg_of_fractions(root: Path) -> Expected:
    soft = np.moveaxis(one_hot(), 0, -1).astype(np.float32) * 0.5
    return refuses(
        seg(root, soft, "FRACTIONAL"), f"of fractions, which {int((drawn() > 0).sum())} voxels have"
    )


@case("segments that overlap", SEG)
def mask_seg_that_overlaps(root: Path) -> Expected:
    several = np.moveaxis(one_hot(), 0, -1).astype(np.uint8)
    several[..., 0] |= several[..., 2]
    number = int((drawn() == 3).sum())
    return refuses(seg(root, several), f"segment 1 and segment 3 overlap in {number} voxel")


@case("drawn on a series of the same places, by its UIDs another one", SEG)
def mask_seg_of_another_series(root: Path) -> Expected:
    name = seg(root)
    for file in sorted_by_number(root / "dicom"):
        image = pydicom.dcmread(file)
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        image.save_as(file)
    return refuses(name, "names other DICOM images")


@case("of another scan by its positions", SEG)
def mask_seg_of_another_place(root: Path) -> Expected:
    name = seg(root)
    dataset = pydicom.dcmread(root / name)
    for frame in dataset.PerFrameFunctionalGroupsSequence:
        position = frame.PlanePositionSequence[0].ImagePositionPatient
        position[2] = float(position[2]) + GAP_MM / 2
    dataset.save_as(root / name)
    return refuses(name, "of its 6 slices lie on no slice of the scan.*mm from the nearest")


@case("contours", "DICOM PS3.3, section A.19: RT Structure Set")
def mask_of_contours(root: Path) -> Expected:
    dataset = pydicom.dcmread(root / seg(root))
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = RTStructureSetStorage
    dataset.save_as(root / "mask.ima")
    return refuses("mask.ima", "contours")


@case("a slice of the CT in place of a segmentation", "by hand")
def mask_that_is_a_slice(root: Path) -> Expected:
    scan(root)
    (root / "mask.ima").write_bytes(sorted_by_number(root / "dicom")[0].read_bytes())
    return refuses("mask.ima", "no segmentation")


@case("a segmentation cut off", "by hand")
def mask_seg_truncated(root: Path) -> Expected:
    name = seg(root)
    content = (root / name).read_bytes()
    (root / name).write_bytes(content[: len(content) - 300])
    return refuses(name, "can't be read")


@case("names that contradict labels and tell no lesions apart: no text of the header is repeated", "by hand")
def mask_seg_with_a_name(root: Path) -> Expected:
    return refuses(seg(root, **{"canary oedema": 1, "canary": 2, "Canary": 3}), "calls 1 'PHE'")


@case("prone and uneven: frames turned and placed as the slices are", SEG)
def mask_seg_of_uneven_scan(root: Path) -> Expected:
    origins = level_origins()
    origins[SLICES // 2 :, 2] += 3.0
    write(root, origins=origins, orientation=(-1, 0, 0, 0, -1, 0))
    files = sorted_by_number(root / "dicom")
    write_dicom_seg(root / "mask.ima", files, drawn(), {1: "ICH", 2: "PHE", 3: "IVH"})
    turned = origins - [35 * PIXEL_MM, 31 * PIXEL_MM, 0]
    return included(
        head()[:, ::-1, ::-1],
        "moved_in_plane",
        "uneven_gaps",
        labels=drawn()[:, ::-1, ::-1],
        origins=turned,
        masks=("mask.ima",),
    )


@case("half as many columns and rows of twice the size: resampled, not cropped", "by hand")
def mask_resampled_in_plane(root: Path) -> Expected:
    whole = itk_header(scan(root), drawn())
    half = whole[::2, ::2, :]
    half.SetOrigin(whole.GetOrigin())
    return refuses(save(root, half), "resampled, not cropped")


@case("twice as many slices, half as far apart: resampled along z", "by hand")
def mask_resampled_along_z(root: Path) -> Expected:
    whole = itk_header(scan(root, 0.0), drawn())
    thin = sitk.GetImageFromArray(np.repeat(drawn(), 2, axis=0))
    thin.SetOrigin(whole.GetOrigin())
    thin.SetDirection(whole.GetDirection())
    thin.SetSpacing((PIXEL_MM, PIXEL_MM, GAP_MM / 2))
    return refuses(save(root, thin), f"{2 * SLICES} slices, the scan has {SLICES}.*resampled along z")


@case("cropped, and its origin left at the first voxel of the whole", "by hand")
def mask_cropped_without_origin(root: Path) -> Expected:
    whole = itk_header(scan(root), drawn())
    cropped = whole[9:20, 8:22, 4:15]
    cropped.SetOrigin(whole.GetOrigin())
    return refuses(save(root, cropped), "11 x 14, the scan has 36 x 32, and both start at the same voxel")


@case("a DICOM segmentation as a second reading, which is the first drawing again", SEG)
def second_reading_in_dicom_is_the_first(root: Path) -> Expected:
    (root / seg(root)).rename(root / "mask_intra.ima")
    first = save(root, itk_header(root, drawn()))
    return error("mask_intra the same drawing as mask", masks=(first, "mask_intra.ima"))
