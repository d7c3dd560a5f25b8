"""A reading in several files, each of which outlines one lesion alone: ``mask:ICH``, ``mask:PHE``, …

The right map is the drawing that was taken apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from cases.case_mask_files import ONE_HOT, SEG, SLICER, part
from cases.case_masks import fits, scan
from cases.library import VALUES, Expected, case, drawn, error, family, itk_header, save
from support.segmentations import sorted_by_number, write_dicom_seg, write_slicer_seg

ITK_SNAP = "ITK-SNAP and 3D Slicer: one drawing, saved for each lesion"
FREE = {"empty_masks": "lesion_free"}


def outline(lesion: str, value: float = 1) -> NDArray[Any]:
    """What is drawn of one lesion."""
    return (drawn() == VALUES[lesion]) * (
        np.uint8(value) if value % 1 == 0 and value > 0 else np.float32(value)
    )


def outlines(
    root: Path, changed: Mapping[str, NDArray[Any] | None] | None = None, reading: str = "mask"
) -> str:
    """A file for each lesion, or another drawing, or none; returns their names."""
    of_lesion: dict[str, NDArray[Any] | None] = {name: outline(name) for name in VALUES} | dict(changed or {})
    return " ".join(
        save(root, itk_header(root, array), f"{reading}:{name}")
        for name, array in of_lesion.items()
        if array is not None
    )


def taken(names: str, *flags: str, **facts: Any) -> Expected:
    """The files are taken, and become the drawing."""
    first, *others = names.split()
    expected = fits(first, *flags, **facts)
    return replace(expected, masks=(first, *others))


def refused(names: str, *says: str, **facts: Any) -> Expected:
    """The files, by names, are refused."""
    return error(*says, masks=tuple(names.split()), **facts)


@case("a file for each lesion", ITK_SNAP)
def lesions_in_a_file_each(root: Path) -> Expected:
    return taken(outlines(scan(root)))


@case(
    "each by a value of its own: any is the lesion",
    "ImageJ and scripts write 255, nnU-Net's regions their number",
)
def lesions_by_any_value(root: Path) -> Expected:
    scan(root)
    return taken(
        outlines(root, {"ICH": outline("ICH", 255), "PHE": outline("PHE", 3), "IVH": outline("IVH", 1)})
    )


@case("three formats in one row, one of them cropped to what was drawn", SLICER)
def lesions_in_several_formats(root: Path) -> Expected:
    scan(root)
    nifti = outlines(root, {"PHE": None, "IVH": None})
    cropped, values = part(itk_header(root, outline("PHE", 4)))
    slicer = write_slicer_seg(
        root / "mask:PHE.seg.nrrd", values, cropped, [("Perihaematomal oedema", 0, 4)], (9, 8, 4)
    )
    dicom = root / "mask:IVH.ima"
    write_dicom_seg(dicom, sorted_by_number(root / "dicom"), outline("IVH"), {1: "IVH"})
    flags = ("mask_covers_part_of_plane", "mask_covers_part_of_slices")
    return taken(f"{nifti} {slicer} {dicom.name}", *flags)


def in_channels(root: Path, member: tuple[str, int]) -> Expected:
    """ICH as one channel of a NIfTI, or as the second after the background."""
    names = outlines(scan(root))
    header = nibabel.load(root / "mask:ICH.nii.gz")
    voxels = np.asarray(header.dataobj)
    channels = np.stack([voxels == value for value in range(member[1], 2)], axis=-1).astype(np.uint8)
    image = nibabel.Nifti1Image(channels, header.affine)
    image.set_qform(header.affine, 1)
    nibabel.save(image, root / "mask:ICH.nii.gz")
    return taken(names)


family(
    "lesion in",
    "{member}",
    [("a channel of its own", 1), ("a channel, the background in another", 0)],
    in_channels,
)


@case("two files overlap: their columns and the voxels are told", "by hand; 3D Slicer lets segments overlap")
def lesions_that_overlap(root: Path) -> Expected:
    scan(root)
    too_wide = outline("IVH") | ((drawn() == VALUES["PHE"]) & (np.arange(18) == 8)[:, None, None])
    number = int((outline("PHE") & too_wide).sum())
    names = outlines(root, {"IVH": too_wide})
    return refused(names, f"^mask mask:PHE and mask:IVH overlap in {number} voxels: .*mend the drawing")


@case("one drawing under two names", "a file copied instead of drawn, by hand")
def lesions_of_one_drawing(root: Path) -> Expected:
    scan(root)
    names = outlines(root, {"PHE": outline("ICH", 2)})
    return refused(names, "^mask:PHE the same drawing as mask:ICH, voxel for voxel: a column of one lesion")


@case("all lesions in the file of one", "a column filled with the mask of all, by hand")
def lesion_file_of_all(root: Path) -> Expected:
    n_voxels = [int((drawn() == value).sum()) for value in (1, 2, 3)]
    listed = ", ".join(rf"{value} \({n} voxels\)" for value, n in enumerate(n_voxels, start=1))
    return refused(
        outlines(scan(root), {"ICH": drawn()}), f"^mask:ICH not one lesion: .* column of all {listed}"
    )


family(
    "lesion file of",
    "{member}: refused, with the value",
    [("fractions", 0.5, "fractions come from resampling.* 0.5"), ("a negative value", -1, "from 1 on.* -1")],
    lambda root, member: refused(
        outlines(scan(root), {"PHE": outline("PHE", member[1])}), f"^mask:PHE not one lesion.*{member[2]}"
    ),
)


@case("the lesion is 0 and all else is 1", "inverted by a threshold, by hand")
def lesion_file_inverted(root: Path) -> Expected:
    turned = 1 - outline("IVH")
    return refused(
        outlines(scan(root), {"IVH": turned}), "^mask:IVH the mask does not fit.*lie in air or bone"
    )


@case("a name in the file that is another lesion's", SLICER)
def lesion_file_named_otherwise(root: Path) -> Expected:
    names = outlines(scan(root), {"ICH": None})
    like = itk_header(root, outline("ICH"))
    slicer = write_slicer_seg(root / "mask:ICH.seg.nrrd", outline("ICH"), like, [("Edema", 0, 1)])
    return refused(f"{slicer} {names}", "^mask:ICH the file calls 1 'Edema', its column calls it ICH")


@case("the same of a DICOM segmentation, whose names are not quoted", SEG)
def lesion_file_of_dicom_named_otherwise(root: Path) -> Expected:
    names = outlines(scan(root), {"ICH": None})
    files = sorted_by_number(root / "dicom")
    write_dicom_seg(root / "mask:ICH.ima", files, outline("ICH"), {1: "canary's ventricular blood IVH"})
    return refused(f"mask:ICH.ima {names}", "^mask:ICH the file calls 1 'IVH', its column calls it ICH")


@case("a channel too many for one lesion", ONE_HOT)
def lesion_file_of_channels(root: Path) -> Expected:
    scan(root)
    names = outlines(root)
    volumes = [itk_header(root, outline(name)) for name in VALUES]
    sitk.WriteImage(sitk.JoinSeries(volumes), str(root / "mask:ICH.nii.gz"))
    return refused(names, "^mask:ICH the mask can't be read: .*it has 3 channels.*must have 1")


@case("an image that was shrunk: one of the files does not fit, and is named", "torchio, Resample")
def lesion_file_resampled(root: Path) -> Expected:
    scan(root)
    names = outlines(root)
    mask = itk_header(root, outline("ICH"))
    smaller = [size // 2 for size in mask.GetSize()[:2]] + [mask.GetSize()[2]]
    spacing = [2 * side for side in mask.GetSpacing()[:2]] + [mask.GetSpacing()[2]]
    resampled = sitk.Resample(
        mask,
        smaller,
        sitk.Transform(),
        sitk.sitkNearestNeighbor,
        mask.GetOrigin(),
        spacing,
        mask.GetDirection(),
    )
    save(root, resampled, "mask:ICH")
    return refused(names, "^mask:ICH the mask does not fit.*resampled, not cropped")


@case("a cropped file of one lesion that does not say from where", "by hand")
def lesion_file_cropped_without_place(root: Path) -> Expected:
    scan(root)
    names = outlines(root)
    cropped = itk_header(root, outline("PHE"))[4:30, 4:28, 2:]
    cropped.SetOrigin((0.0, 0.0, 0.0))
    save(root, cropped, "mask:PHE")
    return refused(
        names, "^mask:PHE the mask does not fit.*if it was cropped, its header does not say from where"
    )


@case("nothing is drawn of one lesion: a fault, as in a mask of all", "by hand")
def lesion_file_empty(root: Path) -> Expected:
    return refused(outlines(scan(root), {"PHE": drawn() * 0}), "^mask:PHE the mask is empty.*lesion_free")


def without_oedema() -> NDArray[np.uint8]:
    """The drawing without PHE."""
    return np.where(drawn() == VALUES["PHE"], 0, drawn()).astype(np.uint8)


@case("nothing is drawn of one lesion, and scans may be free of it", "by hand")
def lesion_file_empty_and_free(root: Path) -> Expected:
    return taken(outlines(scan(root), {"PHE": drawn() * 0}), labels=without_oedema(), rules=FREE)


@case("nothing is drawn of any lesion, and scans may be free of them", "healthy heads of CQ500")
def lesion_files_all_empty(root: Path) -> Expected:
    nothing = dict.fromkeys(VALUES, drawn() * 0)
    return taken(outlines(scan(root), nothing), "free_of_lesions", labels=drawn() * 0, rules=FREE)


@case("no file of one lesion: free of it, or not drawn?", "an empty cell of the sheet")
def lesion_without_file(root: Path) -> Expected:
    return refused(
        outlines(scan(root), {"PHE": None}), "^mask:PHE is empty, and nothing tells whether.*lesion_free"
    )


@case("no file of one lesion, and scans may be free of it", "an empty cell of the sheet")
def lesion_without_file_and_free(root: Path) -> Expected:
    names = outlines(scan(root), {"PHE": None})
    return taken(names, "lesion_without_file", labels=without_oedema(), rules=FREE)


@case("a second reading in files of one lesion is the first one, which is in one file", "by hand")
def lesions_of_a_second_reading_again(root: Path) -> Expected:
    first = save(scan(root), itk_header(root, drawn()))
    names = outlines(root, reading="mask_inter")
    return refused(
        f"{first} {names}", "^mask_inter the same drawing as mask, voxel for voxel: a second reading"
    )


@case("a second reading in files of one lesion lacks one", "by hand")
def lesions_of_a_second_reading_without_file(root: Path) -> Expected:
    names = outlines(scan(root))
    second = outlines(root, {"ICH": np.roll(outline("ICH"), 1, axis=2), "IVH": None}, reading="mask_intra")
    return refused(f"{names} {second}", "^mask_intra:IVH is empty, and nothing tells")
