"""Raters' masks as people hand them in, on a tilted scan unless told otherwise."""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from cases.case_stacks import tilted
from cases.library import (
    COLUMNS,
    FIRST_ORIGIN,
    GAP_MM,
    PIXEL_MM,
    ROWS,
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

TILT = 15.0
COLUMN = tilted(TILT)[3:]
PERPENDICULAR_MM = GAP_MM * float(np.cos(np.radians(TILT)))


@cache
def files_of_scan(degrees: float) -> dict[str, bytes]:
    """The files of the scan on which masks are drawn: one for all cases, since writing takes a while."""
    with tempfile.TemporaryDirectory() as root:
        return {path.name: path.read_bytes() for path in write(Path(root), orientation=tilted(degrees))}


def scan(root: Path, degrees: float = TILT) -> Path:
    """Put the scan on which masks are drawn into ``root``."""
    (root / "dicom").mkdir()
    for name, content in files_of_scan(degrees).items():
        (root / "dicom" / name).write_bytes(content)
    return root


def fits(mask: str, *flags: str, labels: NDArray[Any] | None = None, **facts: Any) -> Expected:
    """The mask is taken; the scan is tilted."""
    facts.setdefault("directions", ((1, 0, 0), COLUMN))
    labels = drawn() if labels is None else labels
    return included(None, "tilted", *flags, labels=labels, masks=(mask,), **facts)


def refuses(mask: str, *says: str) -> Expected:
    return error(*says, masks=(mask,))


@case("header of ITK's reader, as ITK-SNAP saves it: z spacing between origins")
def mask_with_itk_spacing(root: Path) -> Expected:
    return fits(save(root, itk_header(scan(root), drawn())))


@case("header with the perpendicular gap")
def mask_with_perpendicular_spacing(root: Path) -> Expected:
    mask = itk_header(scan(root), drawn())
    mask.SetSpacing((PIXEL_MM, PIXEL_MM, PERPENDICULAR_MM))
    return fits(save(root, mask))


family(
    "mask format",
    "{member}",
    [".nii", ".nrrd", ".mha"],
    lambda root, suffix: fits(save(root, itk_header(scan(root), drawn()), suffix=suffix)),
)

family(
    "mask stored as",
    "{member}: axes in another order or direction, header true (github.com/rordenlab/dcm2niix/issues/564)",
    ["RAS", "LPI", "SLP", "PIR"],
    lambda root, order: fits(save(root, sitk.DICOMOrient(itk_header(scan(root), drawn()), order))),
)


@case("whole numbers in float64")
def mask_in_float(root: Path) -> Expected:
    return fits(save(root, itk_header(scan(root), drawn().astype(np.float64))))


@case("four dimensions, the last of length 1")
def mask_of_one_time_point(root: Path) -> Expected:
    mask = sitk.JoinSeries([itk_header(scan(root), drawn())])
    return fits(save(root, mask))


@case("q-form of code 0 with another origin, s-form right")
def mask_without_qform(root: Path) -> Expected:
    name = save(root, itk_header(scan(root), drawn()))
    image = nibabel.load(root / name)
    right = image.affine
    changed = nibabel.Nifti1Image(np.asanyarray(image.dataobj), right)
    elsewhere = right.copy()
    elsewhere[:3, 3] = 0
    changed.set_qform(elsewhere, 0)
    changed.set_sform(right, 1)
    nibabel.save(changed, root / name)
    return fits(name)


@case(
    "s-form and q-form that contradict each other by 40 mm: readers differ in which they believe "
    "(github.com/rordenlab/dcm2niix/issues/697)"
)
def mask_with_two_truths(root: Path) -> Expected:
    name = save(root, itk_header(scan(root), drawn()))
    image = nibabel.load(root / name)
    shifted = image.affine.copy()
    shifted[0, 3] += 40
    changed = nibabel.Nifti1Image(np.asanyarray(image.dataobj), image.affine)
    changed.set_qform(image.affine, 1)
    changed.set_sform(shifted, 1)
    nibabel.save(changed, root / name)
    return refuses(name, "mask")


def sheared(root: Path, origin: Sequence[float], gap_mm: float = GAP_MM) -> str:
    """A mask whose s-form stacks the slices as the table did, and that has no q-form."""
    scan(root)
    affine = np.eye(4)
    affine[:3, :3] = np.diag([-PIXEL_MM, -PIXEL_MM, 1]) @ np.array(
        [[1, 0, 0], [0, COLUMN[1], 0], [0, COLUMN[2] * PIXEL_MM, gap_mm]]
    )
    affine[:3, 3] = np.array([-1, -1, 1]) * origin
    image = nibabel.Nifti1Image(drawn().transpose(2, 1, 0), affine)
    image.set_sform(affine, 1)
    image.set_qform(None, 0)
    nibabel.save(image, root / "mask.nii.gz")
    return "mask.nii.gz"


@case("a sheared s-form, as tilt-aware converters write (github.com/SimpleITK/SimpleITK/issues/1433)")
def mask_with_sheared_axes(root: Path) -> Expected:
    return fits(sheared(root, FIRST_ORIGIN))


@case("a sheared s-form that places the slices elsewhere")
def mask_with_sheared_axes_elsewhere(root: Path) -> Expected:
    return refuses(sheared(root, (0, 0, 0)), "mm from that of any slice.*sheared")


@case("a sheared s-form with the gap of another protocol")
def mask_with_sheared_axes_of_another_gap(root: Path) -> Expected:
    return refuses(sheared(root, FIRST_ORIGIN, 5.0), r"z spacing of 5\.000 mm.*sheared")


@case("cropped in plane, and by slices, to what was drawn: 3D Slicer saves segmentations so")
def mask_cropped_in_plane(root: Path) -> Expected:
    whole = itk_header(scan(root), drawn())
    return fits(
        save(root, whole[9:20, 8:22, 4:15], suffix=".nrrd"),
        "mask_covers_part_of_plane",
        "mask_covers_part_of_slices",
    )


@case("cropped in plane alone, in NIfTI")
def mask_cropped_in_plane_alone(root: Path) -> Expected:
    whole = itk_header(scan(root), drawn())
    return fits(save(root, whole[0:30, 5:25, :]), "mask_covers_part_of_plane")


@case("cropped in plane and half a pixel aside: on no voxel of the scan")
def mask_cropped_between_voxels(root: Path) -> Expected:
    part = itk_header(scan(root), drawn())[9:20, 8:22, :]
    shift(part, 0, PIXEL_MM / 2)
    return refuses(save(root, part), r"2\.50 mm from")


@case("cropped, by its header beyond the edge of the scan")
def mask_cropped_beyond_the_edge(root: Path) -> Expected:
    part = itk_header(scan(root), drawn())[9:20, 8:22, :]
    shift(part, 0, 30 * PIXEL_MM)
    return refuses(save(root, part), "mm from")


def scaled(root: Path, kind: type[np.integer], labels: NDArray[Any]) -> str:
    """Whole labels, saved by nibabel as floating-point numbers under a header of integers."""
    name = save(root, itk_header(scan(root), labels))
    image = nibabel.load(root / name)
    header = image.header.copy()
    header.set_data_dtype(kind)
    saved = nibabel.Nifti1Image(np.array(image.dataobj, dtype=np.float64), image.affine, header)
    (root / name).unlink()
    nibabel.save(saved, root / name)
    return name


family(
    "mask of scaled integers",
    "{member}: 1 comes back as 0.996 or 1.000015 (github.com/nipy/nibabel/issues/1069)",
    [("uint8", np.uint8), ("int16", np.int16)],
    lambda root, member: fits(scaled(root, member[1], np.minimum(drawn(), 2)), labels=np.minimum(drawn(), 2)),
)


@case("fractions under a header that scales integers")
def mask_of_scaled_fractions(root: Path) -> Expected:
    return refuses(scaled(root, np.uint8, drawn() * 0.75), "resampling")


@case("called .nii.gz, and not compressed (github.com/nipy/nibabel/issues/898)")
def mask_not_compressed(root: Path) -> Expected:
    name = save(root, itk_header(scan(root), drawn()))
    (root / name).write_bytes(gzip.decompress((root / name).read_bytes()))
    return fits(name)


@case("called .nii, and compressed")
def mask_compressed(root: Path) -> Expected:
    name = save(root, itk_header(scan(root), drawn()), suffix=".nii")
    (root / name).write_bytes(gzip.compress((root / name).read_bytes()))
    return fits(name)


@case("an uncompressed file cut off: ITK reads zeros for what is missing, and says nothing")
def mask_truncated_uncompressed(root: Path) -> Expected:
    name = save(root, itk_header(scan(root), drawn()), suffix=".nii")
    content = (root / name).read_bytes()
    (root / name).write_bytes(content[: len(content) * 2 // 3])
    return refuses(name, "can't be read.*truncated")


@case("a MetaImage cut off")
def mask_truncated_metaimage(root: Path) -> Expected:
    name = save(root, itk_header(scan(root), drawn()), suffix=".mha")
    content = (root / name).read_bytes()
    (root / name).write_bytes(content[: len(content) * 2 // 3])
    return refuses(name, "can't be read")


NO_IMAGE: list[tuple[str, bytes, str]] = [
    (
        "a pointer of Git LFS",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n",
        "git lfs pull",
    ),
    ("nothing", b"", "an empty file"),
    ("a page of a download that failed", b"<!DOCTYPE html><html></html>", "a web page"),
    ("text", b"no gzip, no header", "by its first bytes"),
]


def something_else(root: Path, content: bytes, suffix: str = ".nii.gz") -> str:
    scan(root)
    (root / f"mask{suffix}").write_bytes(content)
    return f"mask{suffix}"


family(
    "mask file that holds",
    "{member}",
    NO_IMAGE,
    lambda root, member: refuses(something_else(root, member[1]), f"can't be read: .*{member[2]}"),
)


@case("a pointer of Git LFS, called .nrrd")
def mask_pointer_called_nrrd(root: Path) -> Expected:
    return refuses(something_else(root, NO_IMAGE[0][1], ".nrrd"), "git lfs pull")


@case("a link to a file that is not there, as of git-annex")
def mask_broken_link(root: Path) -> Expected:
    scan(root)
    (root / "mask.nii.gz").symlink_to("/nowhere/key-of-annex.nii.gz")
    return refuses("mask.nii.gz", "a broken link")


@case("an NRRD header whose voxels lie in another file, which may change unseen")
def mask_in_two_files(root: Path) -> Expected:
    sitk.WriteImage(itk_header(scan(root), drawn()), str(root / "mask.nhdr"))
    (root / "mask.nhdr").rename(root / "mask.nrrd")
    return refuses("mask.nrrd", "in another file")


@case("drawn on an un-sheared image: upright axes (github.com/rordenlab/dcm2niix/issues/324)")
def mask_unsheared(root: Path) -> Expected:
    mask = itk_header(scan(root), drawn())
    mask.SetDirection(np.eye(3).ravel().tolist())
    return refuses(save(root, mask), "un-sheared", r"15\.0 degrees")


@case("drawn on an un-sheared image, which is larger")
def mask_unsheared_and_enlarged(root: Path) -> Expected:
    larger = np.pad(drawn(), ((0, 0), (0, 7), (0, 0)))
    return refuses(save(root, itk_header_of(root, larger)), "un-sheared", f"{COLUMNS} x {ROWS + 7}")


def itk_header_of(root: Path, labels: NDArray[Any]) -> sitk.Image:
    """Labels of another size, with spacing, first origin and directions of the scan."""
    like = itk_header(scan(root), drawn())
    mask = sitk.GetImageFromArray(labels)
    mask.SetSpacing(like.GetSpacing())
    mask.SetOrigin(like.GetOrigin())
    mask.SetDirection(like.GetDirection())
    return mask


@case("an un-sheared image of the same matrix and upright mask, on a scan without tilt: nothing to refuse")
def mask_upright_on_level_scan(root: Path) -> Expected:
    mask = itk_header(scan(root, 0.0), drawn())
    mask.SetDirection(np.eye(3).ravel().tolist())
    return included(None, labels=drawn(), masks=(save(root, mask),))


def moved(root: Path, change: Callable[[sitk.Image], None]) -> str:
    mask = itk_header(scan(root), drawn())
    change(mask)
    return save(root, mask)


def shift(mask: sitk.Image, along: int, mm: float) -> None:
    """Move a mask's origin along one of its own axes."""
    direction = np.array(mask.GetDirection()).reshape(3, 3)[:, along]
    mask.SetOrigin((np.array(mask.GetOrigin()) + mm * direction).tolist())


SHIFTS = [
    ("one pixel along x", lambda m: shift(m, 0, PIXEL_MM), r"5\.00 mm"),
    ("one pixel along y", lambda m: shift(m, 1, -PIXEL_MM), "mm"),
    ("half a pixel, as if origins were corners (github.com/pyushkevich/itksnap/issues/19)",
     lambda m: (shift(m, 0, -PIXEL_MM / 2), shift(m, 1, -PIXEL_MM / 2)), "mm"),
    ("one slice", lambda m: shift(m, 2, GAP_MM), r"7\.00 mm from"),
    ("half a slice", lambda m: shift(m, 2, GAP_MM / 2), r"mm from"),
    ("the length of the scan, flipped in z (github.com/pyushkevich/itksnap/issues/87)",
     lambda m: shift(m, 2, (SLICES - 1) * GAP_MM), "mm from"),
    ("another scan's place", lambda m: m.SetOrigin((3.0, -7.0, 900.0)), "another scan"),
    ("no position at all", lambda m: m.SetOrigin((0.0, 0.0, 0.0)), "mm"),
]  # fmt: skip

family(
    "mask shifted by",
    "{member}",
    SHIFTS,
    lambda root, member: refuses(moved(root, member[1]), "mask.*does not fit|mask", member[2]),
)


@case("header that says right is left, voxels as they were")
def mask_with_flipped_header(root: Path) -> Expected:
    def flip(mask: sitk.Image) -> None:
        direction = np.array(mask.GetDirection()).reshape(3, 3)
        direction[:, 0] *= -1
        mask.SetDirection(direction.ravel().tolist())

    return refuses(moved(root, flip), "mask")


@case("header of unit spacing at the origin, as tools without headers write")
def mask_without_header(root: Path) -> Expected:
    scan(root)
    return refuses(save(root, sitk.GetImageFromArray(drawn())), "mask")


@case("z spacing of the slice thickness of another protocol")
def mask_with_other_spacing(root: Path) -> Expected:
    def change(mask: sitk.Image) -> None:
        mask.SetSpacing((PIXEL_MM, PIXEL_MM, 3.0))

    return refuses(moved(root, change), r"3\.000 mm")


@case("pixels of another size")
def mask_with_other_pixels(root: Path) -> Expected:
    def change(mask: sitk.Image) -> None:
        mask.SetSpacing((PIXEL_MM * 1.02, PIXEL_MM, GAP_MM))

    return refuses(moved(root, change), "pixels of")


@case("fewer slices, the empty ones above and below cut away: matched by origin, flagged")
def mask_of_fewer_slices(root: Path) -> Expected:
    part = drawn()[5:13]
    mask = itk_header_of(root, part)
    shift(mask, 2, 5 * GAP_MM)
    return fits(save(root, mask), "mask_covers_part_of_slices")


@case("fewer slices, with the true origin of the first of them")
def mask_of_a_part_of_the_series(root: Path) -> Expected:
    mask = itk_header_of(root, drawn()[5:13])
    mask.SetOrigin(level_origins()[5].tolist())
    return fits(save(root, mask), "mask_covers_part_of_slices")


@case("more slices than the scan")
def mask_of_more_slices(root: Path) -> Expected:
    more = np.concatenate([drawn(), drawn()[:2] * 0])
    return refuses(save(root, itk_header_of(root, more)), f"{SLICES + 2} slices, the scan has {SLICES}")


@case("rows and columns exchanged in the file, without telling")
def mask_transposed(root: Path) -> Expected:
    return refuses(save(root, itk_header_of(root, drawn().transpose(0, 2, 1))), "matrix")


@case("every second column and row")
def mask_downsampled(root: Path) -> Expected:
    return refuses(save(root, itk_header_of(root, drawn()[:, ::2, ::2])), "matrix")


@case("values that no one named: all are listed")
def mask_with_unknown_values(root: Path) -> Expected:
    labels = drawn().astype(np.int16)
    labels[8, 17, 15:18], labels[9, 17, 15] = 9, -4
    return refuses(save(root, itk_header(scan(root), labels)), r"-4 \(1 voxels?\)", r"9 \(3 voxels?\)")


@case("fractions, as interpolation leaves them")
def mask_with_fractions(root: Path) -> Expected:
    labels = drawn().astype(np.float32) * 0.75
    return refuses(save(root, itk_header(scan(root), labels)), "resampling")


def with_nan(root: Path) -> sitk.Image:
    return itk_header(scan(root), np.where(drawn() > 0, drawn(), np.nan).astype(np.float32))


@case("NaN where nothing was drawn, in NIfTI: its library reads NaN as 0, that is background")
def mask_with_nan(root: Path) -> Expected:
    return fits(save(root, with_nan(root)))


@case("NaN where nothing was drawn, in another format: read as NaN, which no one named")
def mask_with_nan_in_metaimage(root: Path) -> Expected:
    return refuses(save(root, with_nan(root), suffix=".mha"), "nan")


@case("values of 0 and 255, as an image editor saves them")
def mask_of_255(root: Path) -> Expected:
    return refuses(save(root, itk_header(scan(root), (drawn() > 0) * np.uint8(255))), "255")


@case("nothing drawn")
def mask_empty(root: Path) -> Expected:
    return refuses(save(root, itk_header(scan(root), drawn() * 0)), "empty")


@case("colours instead of labels")
def mask_in_colour(root: Path) -> Expected:
    mask = itk_header(scan(root), drawn())
    return refuses(save(root, sitk.Compose(mask, mask, mask), suffix=".nrrd"), "not one 3-D label map")


@case("two time points")
def mask_of_two_time_points(root: Path) -> Expected:
    mask = itk_header(scan(root), drawn())
    return refuses(save(root, sitk.JoinSeries([mask, mask])), "not one 3-D label map: it has 2 channels")


@case("a file cut off")
def mask_truncated(root: Path) -> Expected:
    name = save(root, itk_header(scan(root), drawn()))
    content = (root / name).read_bytes()
    (root / name).write_bytes(content[: len(content) // 2])
    return refuses(name, "can't be read")


@case("a mask that isn't there")
def mask_missing(root: Path) -> Expected:
    scan(root)
    return refuses("mask.nii.gz", "no such mask")


@case("some labels outside of the head")
def mask_partly_outside_head(root: Path) -> Expected:
    labels = drawn()
    labels[7:11, 0:2, 0:3] = 1
    return fits(save(root, itk_header(scan(root), labels)), "mask_reaches_outside_head", labels=labels)


@case("most labels outside of the head: a mask of another scan under a header that fits")
def mask_mostly_outside_head(root: Path) -> Expected:
    labels = drawn()
    labels[7:13, 0:6, 0:18] = 1
    return refuses(save(root, itk_header(scan(root), labels)), "air or bone")


@case("mirrored from left to right under a header that fits: only the density of the bleed tells")
def mask_mirrored(root: Path) -> Expected:
    labels = drawn()[:, :, ::-1]
    return fits(save(root, itk_header(scan(root), labels)), "bleed_not_dense", labels=labels)


@case("first reading fits, second doesn't: the second is named")
def second_reading_unfit(root: Path) -> Expected:
    first = save(root, itk_header(scan(root), drawn()))
    other = itk_header(root, drawn())
    shift(other, 0, PIXEL_MM)
    return error("mask_inter .*5.00 mm", masks=(first, save(root, other, "mask_inter")))


@case("two faults in two masks: both are told")
def two_masks_unfit(root: Path) -> Expected:
    scan(root)
    names = tuple(
        save(root, itk_header(root, drawn() * 0 + value), key)
        for key, value in (("mask", 0), ("mask_intra", 8))
    )
    return error("empty", rf"8 \({SLICES * ROWS * COLUMNS} voxels", masks=names)


@case("the first reading handed in again, in another format, as that of another rater")
def second_reading_is_the_first(root: Path) -> Expected:
    first = save(root, itk_header(scan(root), drawn()))
    again = save(root, itk_header(root, drawn()), "mask_inter", suffix=".nrrd")
    return error("mask_inter the same drawing as mask, voxel for voxel", masks=(first, again))


@case("two second readings that are one: each pair is told")
def second_readings_are_one(root: Path) -> Expected:
    first = save(root, itk_header(scan(root), drawn()))
    other = drawn()
    other[9, 20, 20] = 1
    names = (save(root, itk_header(root, other), key) for key in ("mask_intra", "mask_inter"))
    return error("mask_inter the same drawing as mask_intra", masks=(first, *names))


@case("mask of a prone scan: turned with it")
def mask_of_prone_scan(root: Path) -> Expected:
    write(root, orientation=(-1, 0, 0, 0, -1, 0))
    name = save(root, itk_header(root, drawn()))
    first = level_origins() - [(COLUMNS - 1) * PIXEL_MM, (ROWS - 1) * PIXEL_MM, 0]
    return included(
        head()[:, ::-1, ::-1],
        "moved_in_plane",
        labels=drawn()[:, ::-1, ::-1],
        origins=first,
        masks=(name,),
    )


@case("mask of a scan seen from above (rows up): turned with it")
def mask_of_scan_from_above(root: Path) -> Expected:
    write(root, orientation=(1, 0, 0, 0, -1, 0))
    name = save(root, itk_header(root, drawn()[::-1]))
    first = level_origins() - [0, (ROWS - 1) * PIXEL_MM, 0]
    return included(head()[:, ::-1], "moved_in_plane", labels=drawn()[:, ::-1], origins=first, masks=(name,))


def scan_from_above_tilted(root: Path) -> NDArray[np.float64]:
    """A tilted scan stored with its normal downwards, and the true origins as they end up."""
    column = -np.array(COLUMN)
    write(root, orientation=(1, 0, 0, *column))
    return level_origins() + (ROWS - 1) * PIXEL_MM * column


@case(
    "tilted scan whose normal points down: ITK stacks it from the top, so that its header is anchored at the "
    "vertex, and after the turn upwards no slice lies where the header has it"
)
def mask_of_tilted_scan_from_above(root: Path) -> Expected:
    first = scan_from_above_tilted(root)
    name = save(root, itk_header(root, drawn()[::-1]))
    return included(
        head()[:, ::-1],
        "moved_in_plane",
        "tilted",
        labels=drawn()[:, ::-1],
        origins=first,
        directions=((1, 0, 0), COLUMN),
        masks=(name,),
    )


@case("the same, its empty slices cut away")
def mask_of_tilted_scan_from_above_cropped(root: Path) -> Expected:
    first = scan_from_above_tilted(root)
    whole = itk_header(root, drawn()[::-1])
    name = save(root, whole[:, :, SLICES - 13 : SLICES - 5])
    return included(
        head()[:, ::-1],
        "mask_covers_part_of_slices",
        "moved_in_plane",
        "tilted",
        labels=drawn()[:, ::-1],
        origins=first,
        directions=((1, 0, 0), COLUMN),
        masks=(name,),
    )
