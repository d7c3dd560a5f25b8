"""Where slices are: gaps, coverage, tilt, orientation, coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from cases.library import (
    COLUMNS,
    FIRST_ORIGIN,
    GAP_MM,
    PIXEL_MM,
    ROWS,
    SLICES,
    Expected,
    at_heights,
    both,
    case,
    excluded,
    family,
    head,
    included,
    level_origins,
    misspell,
    on,
    setting,
    write,
)


def at(heights: Sequence[float], root: Path, **options: Any) -> NDArray[np.float64]:
    """Write one slice of ``head`` at each of these heights; their origins."""
    origins = at_heights(heights)
    write(root, head(len(heights)), origins=origins, **options)
    return origins


def thick(thickness_mm: Sequence[float]):
    """Slice Thickness of each slice."""

    def change(index: int, dataset: Dataset) -> None:
        dataset.SliceThickness = thickness_mm[index]

    return change


FIVE_AND_TEN = [*np.arange(0, 75, 5), *np.arange(77.5, 150, 10)]
"""15 slices of 5 mm through the posterior fossa, 8 of 10 mm above; 7.5 mm between the last and the first."""
THICK_FIVE_AND_TEN = [5.0] * 15 + [10.0] * 8


@case("one slice missing")
def missing_slice(root: Path) -> Expected:
    at([*range(0, 60, 5), *range(65, 145, 5)], root)
    return excluded("missing section", r"10\.00 mm between instance 12 and instance 13")


@case("one slice missing under tilt")
def missing_slice_tilted(root: Path) -> Expected:
    at([*range(0, 60, 5), *range(65, 145, 5)], root, orientation=tilted(18.5))
    return excluded("missing section", r"9\.48 mm between instance 12 and instance 13")


@case("5 mm below, 10 mm above, by protocol (github.com/icometrix/dicom2nifti/issues/58)")
def five_and_ten(root: Path) -> Expected:
    origins = at(FIVE_AND_TEN, root, change=thick(THICK_FIVE_AND_TEN))
    return included(head(23), "uneven_gaps", origins=origins)


@case("5 mm below, 10 mm above, a slice missing in the 5 mm part: its gap is as wide as the others")
def missing_in_five_of_ten(root: Path) -> Expected:
    heights, thickness = list(FIVE_AND_TEN), list(THICK_FIVE_AND_TEN)
    del heights[6], thickness[6]
    at(heights, root, change=thick(thickness))
    return excluded("missing section", "between instance 6 and instance 7")


@case("5 mm below, 10 mm above, a slice missing in the 10 mm part")
def missing_in_ten_of_five(root: Path) -> Expected:
    heights, thickness = list(FIVE_AND_TEN), list(THICK_FIVE_AND_TEN)
    del heights[18], thickness[18]
    at(heights, root, change=thick(thickness))
    return excluded("missing section", "between instance 18 and instance 19")


@case("few slices of 5 mm, many of 10: more than half of the gaps are the wide ones")
def mostly_ten(root: Path) -> Expected:
    heights = [*np.arange(0, 30, 5), *np.arange(32.5, 150, 10)]
    origins = at(heights, root, change=thick([5.0] * 6 + [10.0] * 12))
    return included(head(18), "uneven_gaps", origins=origins)


@case("4 mm and 7 mm with a small step between the parts, as on real GE scanners")
def four_and_seven(root: Path) -> Expected:
    heights = [*np.arange(0, 56, 4), *(53.08 + 7 * np.arange(14))]
    origins = at(heights, root, change=thick([4.0] * 14 + [7.0] * 14))
    return included(head(28), "uneven_gaps", origins=origins)


@case("5 mm below, 10 mm above, and no Slice Thickness to tell the change from a loss")
def five_and_ten_without_thickness(root: Path) -> Expected:
    at(FIVE_AND_TEN, root, change=setting(SliceThickness=None))
    return excluded("missing section")


@case("overlapping slices, 5 mm thick every 2.5 mm")
def overlapping(root: Path) -> Expected:
    origins = at(np.arange(0, 140, 2.5), root)
    return included(head(56), "face_may_be_recognisable", origins=origins)


@case("a slice missing among overlapping slices: the gap is but the thickness")
def missing_among_overlapping(root: Path) -> Expected:
    heights = list(np.arange(0, 140, 2.5))
    del heights[30]
    at(heights, root)
    return excluded("missing section", r"5\.00 mm between instance 30 and instance 31")


@case("every second slice lost: even gaps of twice the thickness; numbers 1, 3, 5 tell")
def every_second_slice(root: Path) -> Expected:
    origins = at_heights(np.arange(0, 140, 10))
    write(root, head(14), origins=origins, change=lambda i, d: setattr(d, "InstanceNumber", 2 * i + 1))
    return included(head(14), "instance_numbers_not_consecutive", origins=origins)


@case("5 mm slices 10 mm apart by protocol, numbered 1, 2, 3: sampled sparsely, but complete")
def sparse_by_protocol(root: Path) -> Expected:
    origins = at_heights(np.arange(0, 140, 10))
    write(root, head(14), origins=origins, change=setting(SpacingBetweenSlices=10))
    return included(head(14), origins=origins)


@case("the vertex is missing, and an attribute announces more slices")
def fewer_than_announced(root: Path) -> Expected:
    write(root, change=setting(ImagesInAcquisition=32))
    return excluded("slices missing", "18 of 32")


@case("fewer slices than announced, which the settings allow")
def fewer_than_announced_allowed(root: Path) -> Expected:
    write(root, change=setting(ImagesInAcquisition=32))
    return included(None, "fewer_slices_than_announced", rules={"require_announced_images": False})


@case("the announced count covers two reconstructions: both are there, nothing is missing")
def announced_for_two_kernels(root: Path) -> Expected:
    announced = setting(ImagesInAcquisition=36)
    write(root, into="soft", series=2, change=announced)
    write(root, into="bone", series=3, change=both(announced, setting(ConvolutionKernel="H60s")))
    return included(None, "other_series_in_folder")


@case("instance numbers with a hole where positions have none")
def number_gap(root: Path) -> Expected:
    write(root, change=on(range(10, SLICES), lambda i, d: setattr(d, "InstanceNumber", i + 6)))
    return included(None, "instance_numbers_not_consecutive")


@case("a scan of 84 mm")
def little_coverage(root: Path) -> Expected:
    write(root, head(12))
    return included(head(12), "little_coverage")


@case("nine slices")
def too_few(root: Path) -> Expected:
    write(root, head(9))
    return excluded("too few slices", "9 of at least 10")


@case("one slice")
def single_slice(root: Path) -> Expected:
    write(root, head(1))
    return excluded("too few slices", "1 of at least 10")


def tilted(degrees: float) -> tuple[float, ...]:
    """Image orientation under a gantry tilt, rows along x, with the digits that DICOM has room for."""
    radians = np.radians(degrees)
    return (1.0, 0.0, 0.0, 0.0, float(np.round(np.cos(radians), 9)), float(np.round(-np.sin(radians), 9)))


family(
    "tilt",
    "gantry tilt of {member} degrees (github.com/rordenlab/dcm2niix/issues/253 and 259)",
    [("20", 20.0), ("-20", -20.0), ("30", 30.0), ("0.5", 0.5)],
    lambda root, member: build_tilted(root, member[1]),
)


def build_tilted(root: Path, degrees: float) -> Expected:
    write(root, orientation=tilted(degrees))
    column = tilted(degrees)[3:]
    return included(None, "tilted", directions=((1, 0, 0), column))


@case("the tag says 20 degrees, but the slices are straight: resampled by the scanner")
def tilt_tag_of_straightened_scan(root: Path) -> Expected:
    write(root, change=setting(GantryDetectorTilt=20))
    return included()


@case("the tag says no tilt, but slices are tilted (github.com/rordenlab/dcm2niix/issues/590)")
def tilt_without_tag(root: Path) -> Expected:
    write(root, orientation=tilted(-6.7842), change=setting(GantryDetectorTilt=0))
    return included(None, "tilted", directions=((1, 0, 0), tilted(-6.7842)[3:]))


@case("a table that sags sideways: sheared along both axes")
def sheared_both_ways(root: Path) -> Expected:
    origins = level_origins() + np.outer(np.arange(SLICES), [0.4, 0.9, 0])
    write(root, origins=origins)
    return included(None, "tilted", origins=origins)


@case("positions rounded to hundredths of a millimetre (github.com/icometrix/dicom2nifti/issues/36)")
def rounded_positions(root: Path) -> Expected:
    origins = np.round(at_heights(np.arange(SLICES) * 6.876), 2)
    write(root, origins=origins)
    return included(None, origins=origins)


@case("positions rounded to tenths of a millimetre at thin gaps: uneven, says the flag")
def coarsely_rounded_positions(root: Path) -> Expected:
    origins = np.round(at_heights(np.arange(60) * 2.344), 1)
    write(root, head(60), origins=origins, change=setting(SliceThickness=2.344))
    return included(head(60), "face_may_be_recognisable", "uneven_gaps", origins=origins)


@case(
    "origins that jitter by hundredths of a millimetre (github.com/InsightSoftwareConsortium/ITK/issues/1607)"
)
def jittering_origins(root: Path) -> Expected:
    jitter = np.random.default_rng(1).uniform(-0.01, 0.01, (SLICES, 3))
    origins = np.round(level_origins() + jitter, 4)
    write(root, origins=origins)
    return included(None, origins=origins)


@case("direction cosines that jitter in their last digits from slice to slice")
def jittering_orientation(root: Path) -> Expected:
    def jitter(index: int, dataset: Dataset) -> None:
        small = 1e-6 * (index % 5)
        dataset.ImageOrientationPatient = [1, small, 0, -small, 1, 0]

    write(root, change=jitter)
    return included()


@case("tilt that changes half-way through the head: no one volume")
def two_tilts(root: Path) -> Expected:
    upper = on(range(10, 20), setting(ImageOrientationPatient=list(tilted(12))))
    write(root, head(20), change=upper)
    return excluded("slices missing")


def stored_as(row: Sequence[float], column: Sequence[float], transpose: bool, flip_x: bool, flip_y: bool):
    """A storage order: the stored axes, and the moves that bring them to left and posterior."""
    return np.array(row, float), np.array(column, float), transpose, flip_x, flip_y


ORDERS = [
    ("prone", *stored_as((-1, 0, 0), (0, -1, 0), False, True, True)),
    ("feet first, rows to the right", *stored_as((-1, 0, 0), (0, 1, 0), False, True, False)),
    ("seen from above", *stored_as((1, 0, 0), (0, -1, 0), False, False, True)),
    ("rows and columns exchanged", *stored_as((0, 1, 0), (1, 0, 0), True, False, False)),
    ("on the side, left", *stored_as((0, 1, 0), (-1, 0, 0), True, True, False)),
    ("on the side, right", *stored_as((0, -1, 0), (1, 0, 0), True, False, True)),
    ("exchanged and both reversed", *stored_as((0, -1, 0), (-1, 0, 0), True, True, True)),
]


def build_stored(root: Path, member: tuple[Any, ...]) -> Expected:
    """Stored in another order, with pixels that are not square; the truth is worked out by hand here."""
    _, row, column, transpose, flip_x, flip_y = member
    between_rows, between_columns = 4.0, 5.0
    hounsfield, origins = head(), level_origins()
    write(
        root,
        hounsfield,
        origins=origins,
        orientation=(*row, *column),
        spacing=(between_rows, between_columns),
    )
    truth, x, y, size = hounsfield, row, column, (COLUMNS * between_columns, ROWS * between_rows)
    spacing = (between_columns, between_rows)
    if transpose:
        truth, x, y, size, spacing = truth.transpose(0, 2, 1), y, x, size[::-1], spacing[::-1]
    first = origins.copy()
    if flip_x:
        truth, first, x = truth[:, :, ::-1], first + (size[0] - spacing[0]) * x, -x
    if flip_y:
        truth, first, y = truth[:, ::-1], first + (size[1] - spacing[1]) * y, -y
    return included(
        truth, "moved_in_plane", origins=first, spacing_xy_mm=spacing, directions=(tuple(x), tuple(y))
    )


family(
    "storage order",
    "{member}: turned so that x runs to the left and y to posterior "
    "(github.com/rordenlab/dcm2niix/issues/594)",
    ORDERS,
    build_stored,
)


@case("prone under tilt")
def prone_and_tilted(root: Path) -> Expected:
    row, column = np.array((-1.0, 0, 0)), -np.array(tilted(15)[3:])
    write(root, orientation=(*row, *column))
    first = level_origins() + (COLUMNS - 1) * PIXEL_MM * row + (ROWS - 1) * PIXEL_MM * column
    return included(
        head()[:, ::-1, ::-1],
        "moved_in_plane",
        "tilted",
        origins=first,
        directions=((1, 0, 0), tuple(-column)),
    )


@case("head turned by 15 degrees within the slice")
def turned_in_plane(root: Path) -> Expected:
    cosine, sine = float(np.cos(np.radians(15))), float(np.sin(np.radians(15)))
    row, column = (round(cosine, 9), round(sine, 9), 0.0), (round(-sine, 9), round(cosine, 9), 0.0)
    write(root, orientation=(*row, *column))
    return included(None, directions=(row, column))


@case("oblique reformat, stacked along its own normal: nothing is sheared")
def oblique(root: Path) -> Expected:
    orientation = tilted(20)
    normal = np.cross(orientation[:3], orientation[3:])
    origins = np.asarray(FIRST_ORIGIN) + np.outer(np.arange(SLICES) * GAP_MM, normal)
    write(root, origins=origins, orientation=orientation)
    return included(None, origins=origins, directions=((1, 0, 0), orientation[3:]))


family(
    "not axial",
    "slices are {member}",
    [
        ("coronal", (1, 0, 0, 0, 0, -1), (0, 5.0, 0)),
        ("sagittal", (0, 1, 0, 0, 0, -1), (5.0, 0, 0)),
        ("tipped by 60 degrees", tilted(60), (0, 0, 5.0)),
    ],
    lambda root, member: build_not_axial(root, member[1], member[2]),
)


def build_not_axial(root: Path, orientation: Sequence[float], step: Sequence[float]) -> Expected:
    write(root, origins=np.asarray(FIRST_ORIGIN) + np.outer(np.arange(SLICES), step), orientation=orientation)
    return excluded("not axial")


@case("no position in any slice")
def no_position(root: Path) -> Expected:
    write(root, change=setting(ImagePositionPatient=None))
    return excluded("no image position or orientation")


@case("no orientation in any slice")
def no_orientation(root: Path) -> Expected:
    write(root, change=setting(ImageOrientationPatient=None))
    return excluded("no image position or orientation")


@case("no position in one slice amid the others")
def no_position_in_one_slice(root: Path) -> Expected:
    write(root, change=on([13], setting(ImagePositionPatient=None)))
    return excluded("no image position or orientation", "instance 14")


@case("no position in the last slice, where no gap would betray it")
def no_position_in_the_last_slice(root: Path) -> Expected:
    write(root, change=on([17], setting(ImagePositionPatient=None)))
    return excluded("no image position or orientation", "instance 18")


@case("positions with a decimal comma (github.com/dcmjs-org/dcmjs/issues/287)")
def comma_in_position(root: Path) -> Expected:
    for index, path in enumerate(write(root)):
        misspell([path], "ImagePositionPatient", f"-85,0\\-75,0\\{7 * index - 40}"[:18])
    return excluded("no image position or orientation")


@case("pixel spacing with a decimal comma")
def comma_in_spacing(root: Path) -> Expected:
    misspell(write(root, spacing=(5.0, 5.0)), "PixelSpacing", "5,0\\5,0")
    return excluded("no pixel spacing")


@case("only Imager Pixel Spacing (github.com/cornerstonejs/cornerstoneWADOImageLoader/pull/261)")
def imager_pixel_spacing(root: Path) -> Expected:
    write(root, change=setting(PixelSpacing=None, ImagerPixelSpacing=[PIXEL_MM, PIXEL_MM]))
    return excluded("no pixel spacing")


@case("pixel spacing of zero")
def zero_pixel_spacing(root: Path) -> Expected:
    write(root, change=setting(PixelSpacing=[0, 0]))
    return excluded("no pixel spacing")


@case("pixels that are not square (github.com/dgobbi/vtk-dicom/issues/171)")
def oblong_pixels(root: Path) -> Expected:
    write(root, spacing=(6.0, 4.5))
    return included(spacing_xy_mm=(4.5, 6.0))


@case("direction cosines all zero")
def zero_orientation(root: Path) -> Expected:
    write(root, orientation=(0, 0, 0, 0, 0, 0))
    return excluded("invalid image orientation")


@case("directions that are not perpendicular")
def skewed_orientation(root: Path) -> Expected:
    write(root, orientation=(1, 0, 0, 0.5, 0.8660254, 0))
    return excluded("invalid image orientation")


@case("table coordinates of kilometres, with all 16 characters used")
def huge_coordinates(root: Path) -> Expected:
    origins = level_origins() + np.array([-90000.125, 81234.5, -1234567.25])
    write(root, origins=origins)
    return included(None, origins=origins)


@case("numbers as text with exponents, signs and spaces")
def spelt_numbers(root: Path) -> Expected:
    def spell(_: int, dataset: Dataset) -> None:
        x, y, z = (float(value) for value in dataset.ImagePositionPatient)
        dataset.add_new("ImagePositionPatient", "DS", f" {x:+.3e} \\{y:+.1f}\\ {z:.4E}")
        dataset.add_new("ImageOrientationPatient", "DS", "1\\ 0.0\\0e0\\ -0\\+1.0 \\0")
        dataset.add_new("PixelSpacing", "DS", " 5.0e+0 \\5.000 ")

    write(root, change=spell)
    return included()


@case("Slice Location and Spacing Between Slices that contradict the positions; they are not believed")
def contradicting_attributes(root: Path) -> Expected:
    def contradict(index: int, dataset: Dataset) -> None:
        dataset.SliceLocation, dataset.SpacingBetweenSlices = -index * 3, -7
        dataset.PatientPosition = "FFP"

    write(root, change=contradict)
    return included()


@case("one position for all slices (github.com/rordenlab/dcm2niix/issues/782)")
def one_position_for_all(root: Path) -> Expected:
    write(root, origins=np.repeat([FIRST_ORIGIN], SLICES, axis=0))
    return excluded("different slices at the same position")


@case("two different slices two thousandths of a millimetre apart")
def nearly_one_position(root: Path) -> Expected:
    origins = level_origins()
    origins[5, 2] = origins[4, 2] + 0.002
    write(root, origins=origins)
    return excluded("different slices at the same position")


@case("positions copied from the neighbour in one slice: two at one place, one place empty")
def copied_position(root: Path) -> Expected:
    origins = level_origins()
    origins[11] = origins[12]
    write(root, origins=origins)
    return excluded("different slices at the same position")


@case("positions in words")
def words_for_numbers(root: Path) -> Expected:
    misspell(write(root), "ImagePositionPatient", "here\\there\\up")
    return excluded("no image position or orientation")


@case("positions of infinity and NaN")
def no_number_positions(root: Path) -> Expected:
    misspell(write(root), "ImagePositionPatient", "nan\\inf\\-inf")
    return excluded("no image position or orientation")


@case("the slice at the change from 5 to 10 mm missing: its gap passes, its number tells")
def missing_at_the_change(root: Path) -> Expected:
    heights, thickness, numbers = list(FIVE_AND_TEN), list(THICK_FIVE_AND_TEN), list(range(1, 24))
    for each in (heights, thickness, numbers):
        del each[14]
    numbered = both(thick(thickness), lambda i, d: setattr(d, "InstanceNumber", numbers[i]))
    origins = at(heights, root, change=numbered)
    return included(head(22), "instance_numbers_not_consecutive", "uneven_gaps", origins=origins)


@case("field of view moved sideways halfway: no straight stack, and no tilt either")
def field_of_view_moved(root: Path) -> Expected:
    origins = level_origins()
    origins[9:, 0] += 25
    write(root, origins=origins)
    return excluded("slices not in one straight stack", "instance 9 and instance 10")
