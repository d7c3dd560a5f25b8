"""One head filed under several series, and several patients, studies or days in one folder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import SecondaryCaptureImageStorage, generate_uid

from cases.library import (
    GAP_MM,
    PIXEL_MM,
    SLICES,
    Change,
    Expected,
    at_heights,
    both,
    case,
    drawn,
    error,
    excluded,
    family,
    head,
    included,
    itk_header,
    level_origins,
    on,
    save,
    setting,
    write,
)

UPPER = range(11, SLICES)
OTHER_ZOOM = setting(PixelSpacing=[PIXEL_MM * 0.9, PIXEL_MM * 0.9], ConvolutionKernel="H60s")


def own_series(number: int = 3) -> Change:
    """A series of its own within the study."""
    return setting(SeriesInstanceUID=generate_uid(), SeriesNumber=number)


def write_part(root: Path, heights: Sequence[float], into: str, number: int, *changes: Change) -> None:
    """Those slices of one large head that lie at these heights (whole 5 mm), as a series of their own."""
    whole = head(30)
    some = whole[[round(height / 5) for height in heights]]
    write(root, some, origins=at_heights(heights), into=into, series=number, change=both(*changes))


def fives(first: int, last: int, step: int = 5) -> list[int]:
    """Heights in mm, the last one excluded."""
    return list(range(first, last, step))


def whole_of(slices: int = 30, *flags: str) -> Expected:
    return included(head(30)[:slices], *flags, origins=at_heights(fives(0, 5 * slices)))


family(
    "upper slices",
    "the upper slices have {member} of their own, within one study and frame of reference: one head",
    [
        ("a kernel", setting(ConvolutionKernel="H40s")),
        ("a sharp kernel", setting(ConvolutionKernel="H60s")),
        ("no kernel", setting(ConvolutionKernel=None)),
        ("a Series Instance UID", setting(SeriesInstanceUID=generate_uid())),
        ("a Series Number", setting(SeriesNumber=9)),
        ("a series and a kernel", both(own_series(), setting(ConvolutionKernel="H40s"))),
        ("a series and a type", both(own_series(), setting(ImageType=["DERIVED", "PRIMARY", "AXIAL"]))),
    ],
    lambda root, member: build_upper(root, member[1]),
)


def build_upper(root: Path, change: Change, slices: Iterable[int] = UPPER) -> Expected:
    write(root, change=on(slices, change))
    return included(None, "joined_series", numbers=list(range(1, SLICES + 1)))


@case("two halves of nine slices, each too small to be a head")
def halves_below_the_minimum(root: Path) -> Expected:
    return build_upper(root, own_series(), range(9, SLICES))


@case("a mask on all slices of a head whose upper half has another kernel")
def joined_with_mask(root: Path) -> Expected:
    write(root)
    mask = save(root, itk_header(root, drawn()))
    for path in (root / "dicom").iterdir():
        dataset = pydicom.dcmread(path)
        dataset.ConvolutionKernel = "H31s" if dataset.InstanceNumber < 10 else "H40s"
        dataset.save_as(path)
    return included(None, "joined_series", labels=drawn(), masks=(mask,))


def build_of_others(root: Path, member: tuple[str, Change]) -> Expected:
    name, change = member
    write(root, change=on(UPPER, change))
    return error(f"differ in {name}")


family(
    "not joined",
    "the upper slices have another {member}: they are never joined, and never left out",
    [
        ("Patient ID", setting(PatientID="CANARY-OTHER")),
        ("Study Instance UID", setting(StudyInstanceUID=generate_uid())),
        ("Frame of Reference UID", both(own_series(), setting(FrameOfReferenceUID=generate_uid()))),
    ],
    build_of_others,
)


@case("each slice of another study, as an anonymiser leaves it that makes each UID anew")
def study_uid_per_slice(root: Path) -> Expected:
    write(root, change=lambda i, d: setattr(d, "StudyInstanceUID", generate_uid()))
    return error("differ in Study Instance UID")


@case("three parts in three series with three kernels")
def three_parts(root: Path) -> Expected:
    for number, (first, last) in enumerate([(0, 40), (40, 90), (90, 150)], start=2):
        kernel = setting(ConvolutionKernel=f"H{20 + number}s")
        write_part(root, fives(first, last), str(number), number, kernel)
    return whole_of(30, "joined_series")


@case("a section of the head in a series of its own, such as slices scanned again after a movement")
def section_in_another_series(root: Path) -> Expected:
    write_part(root, [*fives(0, 60), *fives(80, 150)], "a", 2)
    write_part(root, fives(60, 80), "b", 3, setting(ConvolutionKernel="H40s"))
    return whole_of(30, "joined_series")


@case("base and vertex as two series, each reconstructed for soft tissue and for bone")
def two_parts_twice(root: Path) -> Expected:
    for number, (first, last) in ((2, (0, 70)), (3, (70, 150))):
        write_part(root, fives(first, last), f"soft{number}", number)
        bone = setting(ConvolutionKernel="H60s")
        write_part(root, fives(first, last), f"bone{number}", number + 10, bone)
    return whole_of(30, "joined_series", "other_series_in_folder")


@case("soft tissue in two kernels in one series, bone in two kernels in another")
def two_kernels_twice(root: Path) -> Expected:
    for into, number, kernels in (("soft", 2, ("H31s", "H40s")), ("bone", 3, ("H60s", "H70s"))):

        def change(index: int, dataset: Dataset, kernels: tuple[str, str] = kernels) -> None:
            dataset.ConvolutionKernel = kernels[index >= 15]

        write_part(root, fives(0, 150), into, number, change)
    return whole_of(30, "joined_series", "other_series_in_folder")


@case(
    "4 mm at the base and 7 mm above in series of their own, a step of 1 mm between them, as on GE scanners"
)
def thin_base_in_its_own_series(root: Path) -> Expected:
    lower, upper = list(np.arange(0, 56, 4.0)), list(53.08 + 7 * np.arange(14))
    origins, whole = at_heights([*lower, *upper]), head(28)
    base = setting(SliceThickness=4, ConvolutionKernel="DETAIL")
    write(root, whole[:14], origins=origins[:14], into="a", series=2, change=base)
    write(root, whole[14:], origins=origins[14:], into="b", series=3, change=setting(SliceThickness=7))
    return included(whole, "joined_series", "uneven_gaps", origins=origins)


@case("parts under tilt")
def tilted_parts(root: Path) -> Expected:
    column = (0.0, round(float(np.cos(np.radians(18))), 9), round(float(-np.sin(np.radians(18))), 9))
    orientation = (1.0, 0.0, 0.0, *column)
    write(root, orientation=orientation, change=on(UPPER, own_series()))
    return included(None, "joined_series", "tilted", directions=((1, 0, 0), column))


@case("the seam's slice sent with both parts, with the same pixels")
def seam_sent_twice(root: Path) -> Expected:
    write_part(root, fives(0, 80), "a", 2)
    write_part(root, fives(75, 150), "b", 3)
    return whole_of(30, "duplicates_dropped", "joined_series")


@case("parts that overlap by three slices with other kernels: which is right there?")
def overlapping_kernels(root: Path) -> Expected:
    write_part(root, fives(0, 85), "a", 2)
    write(
        root,
        head(30)[14:] + 3,
        origins=at_heights(fives(70, 150)),
        into="b",
        series=3,
        change=setting(ConvolutionKernel="H60s"),
    )
    return excluded("slices missing", "overlap or alternate")


@case("every second slice with another kernel: half of the slices are no head")
def alternating_kernels(root: Path) -> Expected:
    write_part(root, fives(0, 150), "a", 2, on(range(1, 30, 2), setting(ConvolutionKernel="H60s")))
    return excluded("slices missing", "overlap or alternate")


def build_other_zoom_above(root: Path, member: tuple[str, int]) -> Expected:
    """The lower part ends before the height that the member has, in mm; the upper one begins at 80 mm."""
    write_part(root, fives(0, member[1]), "a", 2)
    write_part(root, fives(80, 150), "b", 3, OTHER_ZOOM)
    return excluded("slices missing", "pixel size")


family(
    "other zoom above",
    "the upper part as another series with other pixel sizes, {member}",
    [("beginning where the lower part ends", 80), ("its first slice where the lower part has its last", 85)],
    build_other_zoom_above,
)


@case("the upper part as another series that is stored as seen from above, its normal turned round")
def upper_part_seen_from_above(root: Path) -> Expected:
    write_part(root, fives(0, 80), "a", 2)
    seen = setting(ImageOrientationPatient=[1, 0, 0, 0, -1, 0], ConvolutionKernel="H60s")
    write_part(root, fives(80, 150), "b", 3, seen)
    return excluded("slices missing", "orientation")


@case(
    "the vertex in a series of its own, with another tilt: its slices lie next to the others at their centres"
)
def other_tilt_above(root: Path) -> Expected:
    write_part(root, fives(0, 80), "a", 2)
    cosine, sine = float(np.cos(np.radians(15))), float(np.sin(np.radians(15)))
    orientation = [1, 0, 0, 0, round(cosine, 9), round(-sine, 9)]
    raised = at_heights(fives(80, 150)) + np.array([0, 0, 15.5 * PIXEL_MM * sine])
    sharp = setting(ConvolutionKernel="H60s")
    upper = head(30)[16:]
    write(root, upper, origins=raised, orientation=orientation, into="b", series=3, change=sharp)
    return excluded("slices missing", "orientation")


@case("a slice amid the others with a kernel of its own: not missing, but not to be joined")
def one_kernel_amid(root: Path) -> Expected:
    write(root, change=on([9], setting(ConvolutionKernel="H60s")))
    return excluded("slices missing", "a single slice")


@case("a part moved sideways by 20 mm in a series of its own")
def part_moved_sideways(root: Path) -> Expected:
    write_part(root, fives(0, 75), "a", 2)
    origins = at_heights(fives(75, 150)) + np.array([20.0, 0, 0])
    write(root, head(30)[15:], origins=origins, into="b", series=3, change=setting(ConvolutionKernel="B60"))
    return excluded("slices missing", "in line")


@case("parts in two series with two slices lost between them")
def lost_between_parts(root: Path) -> Expected:
    write_part(root, fives(0, 75), "a", 2)
    write_part(root, fives(85, 150), "b", 3, setting(ConvolutionKernel="H40s"))
    return excluded("missing section", r"15\.00 mm between instance 15 and instance 1\b")


@case("the last slice in a series of its own: it belongs there, or is a test shot; nobody can tell")
def last_slice_in_another_series(root: Path) -> Expected:
    write(root, change=on([SLICES - 1], own_series()))
    return excluded("slices missing", "a single slice")


@case("soft tissue of the lower half only, bone of the whole head at the same places")
def soft_tissue_cut_short(root: Path) -> Expected:
    write_part(root, fives(0, 75), "soft", 2)
    write_part(root, fives(0, 150), "bone", 3, setting(ConvolutionKernel="H60s"))
    return excluded("slices missing", "15 more beyond the ends")


@case("bone reconstructed for a slice more at either end")
def bone_a_little_longer(root: Path) -> Expected:
    write_part(root, fives(5, 145), "soft", 2)
    write_part(root, fives(0, 150), "bone", 3, setting(ConvolutionKernel="H60s"))
    return included(head(30)[1:-1], "other_series_in_folder", origins=at_heights(fives(5, 145)))


@case("a neck of other pixel size whose range overlaps the head's, as after an injury")
def neck_beside_head(root: Path) -> Expected:
    write(root, into="head", series=2)
    neck = setting(PixelSpacing=[3.0, 3.0], SliceThickness=2, ConvolutionKernel="H60s")
    write(root, head(60), origins=at_heights(np.arange(-110, 10, 2.0)), into="neck", series=3, change=neck)
    return included(None, "other_series_in_folder")


@case("pictures of one place in the neck, by which the contrast agent is awaited")
def bolus_tracking(root: Path) -> Expected:
    write(root, into="head", series=2)
    for number in range(3, 9):
        tracking = both(setting(SliceThickness=10), lambda i, d: setattr(d, "SeriesInstanceUID", "1.2.3"))
        write(
            root,
            head(1) + number,
            origins=at_heights([-60]),
            into=str(number),
            series=3,
            change=tracking,
        )
    return included(None, "other_series_in_folder")


@case("a body scan on the same grid, 300 mm below the head")
def another_part_of_the_body(root: Path) -> Expected:
    write(root, into="head", series=2)
    sharp = setting(ConvolutionKernel="H60s")
    write(root, origins=at_heights(np.arange(SLICES) * GAP_MM - 450), into="body", series=3, change=sharp)
    return included(None, "other_series_in_folder")


FIRST_STUDY = setting(StudyInstanceUID=generate_uid(), StudyDate="20200310", StudyTime="101500")
SECOND_STUDY = setting(StudyInstanceUID=generate_uid(), StudyDate="20200311", StudyTime="080000")


@case(
    "the baseline sent again as DERIVED, the follow-up of the next day as ORIGINAL, and a mask that fits both"
)
def baseline_and_follow_up(root: Path) -> Expected:
    derived = setting(ImageType=["DERIVED", "PRIMARY", "AXIAL"])
    write(root, head() + 2, into="follow-up", series=2, change=SECOND_STUDY)
    write(root, into="baseline", series=5, change=both(FIRST_STUDY, derived))
    mask = save(root, itk_header(root, drawn(), "baseline"))
    order = "order of date: series number 5, .*; series number 2, "
    return error("differ in Study Instance UID", order, masks=(mask,))


@case("soft tissue of one study, bone of another")
def kernels_of_two_studies(root: Path) -> Expected:
    write(root, into="a", series=2, change=FIRST_STUDY)
    write(root, head() + 2, into="b", series=3, change=both(SECOND_STUDY, setting(ConvolutionKernel="H60s")))
    return error("differ in Study Instance UID")


@case("soft tissue of one patient, bone of another, under one Study Instance UID")
def kernels_of_two_patients(root: Path) -> Expected:
    write(root, into="a", series=2)
    other = setting(PatientID="CANARY-OTHER", ConvolutionKernel="H60s")
    write(root, head() + 2, into="b", series=3, change=other)
    return error("differ in Patient ID")


def build_two_days(root: Path, keyword: str) -> Expected:
    for number, day in ((2, "20200311"), (3, "20200310")):
        bone = setting(ConvolutionKernel="H60s") if number == 3 else setting()
        change = both(setting(**{keyword: day}), bone)
        write(root, head() + number, into=str(number), series=number, change=change)
    return error("order of date: series number 3, .*; series number 2, ")


family(
    "two days",
    "two scans of one Study Instance UID, told apart by {member} only",
    ["StudyDate", "AcquisitionDate"],
    build_two_days,
)


@case("scout, test slices and report of another study beside the scan: they compete with nothing")
def leavings_of_another_study(root: Path) -> Expected:
    scout = setting(ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    write(root, head(2), into="scout", series=1, change=both(SECOND_STUDY, scout))
    write(root, head(4), origins=level_origins()[5:9], into="test", series=4, change=SECOND_STUDY)
    write(root, into="scan", series=2, change=FIRST_STUDY)
    return included(None, "other_series_in_folder")


@case("a study sent twice, with the same pixels under other UIDs")
def study_sent_again(root: Path) -> Expected:
    for into, study in (("first", FIRST_STUDY), ("again", SECOND_STUDY)):
        write(root, into=into, series=2, change=study)
        bone = both(study, setting(ConvolutionKernel="H60s"))
        write(root, head() + 4, into=f"{into}-bone", series=3, change=bone)
    return included(None, "other_series_in_folder")


@case("a scan over midnight")
def over_midnight(root: Path) -> Expected:
    def date(index: int, dataset: Dataset) -> None:
        dataset.AcquisitionDate = "20200310" if index < 9 else "20200311"

    write(root, into="a", series=2, change=date)
    write(root, head() + 4, into="b", series=3, change=both(date, setting(ConvolutionKernel="H60s")))
    return included(None, "other_series_in_folder")


def build_perfusion(root: Path, times: int) -> Expected:
    """Many pictures of the same places, as perfusion makes them."""
    same: dict[str, Any] = {"SeriesInstanceUID": generate_uid()}
    for time in range(times):
        numbered = setting(**same, AcquisitionNumber=time)
        write(root, head(12)[:, ::4, ::4] + time, into=str(time), series=2, change=numbered)
    return error("^image 30 series are equally good.{1,1500}$", "and 25 more")


@case("perfusion alone: the message names a few of its many volumes")
def perfusion(root: Path) -> Expected:
    return build_perfusion(root, 30)


OTHER_SIZE = setting(PixelSpacing=[PIXEL_MM * 1.002, PIXEL_MM * 1.002])

family(
    "not joined in two ways",
    "the upper slices are a series of other pixel size and of another {member}: never left out",
    [
        ("Patient ID", both(OTHER_SIZE, setting(PatientID="CANARY-OTHER"))),
        ("Study Instance UID", both(OTHER_SIZE, setting(StudyInstanceUID=generate_uid()))),
        ("Frame of Reference UID", both(OTHER_SIZE, setting(FrameOfReferenceUID=generate_uid()))),
    ],
    lambda root, member: build_of_others(root, (member[0], both(own_series(), member[1]))),
)


def as_picture(_: int, dataset: Dataset) -> None:
    """Secondary capture without a place, as archives re-wrap."""
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    del dataset.ImagePositionPatient


def build_unlike(root: Path, member: tuple[str, Change, str]) -> Expected:
    _, change, says = member
    write(root, change=on(UPPER, both(own_series(), change)))
    return excluded("slices missing", says)


family(
    "not slices by their headers",
    "the upper slices are a series of their own with {member}: half a head is not taken for the whole",
    [
        ("no pixel size", setting(PixelSpacing=None), "no pixel spacing"),
        ("no position", setting(ImagePositionPatient=None), "places are unknown: no image position"),
        (
            "no position and another type",
            setting(ImagePositionPatient=None, ImageType=["DERIVED", "SECONDARY"]),
            "no image position",
        ),
        ("another object class and no position", as_picture, "places are unknown"),
        (
            "another object class, another type and no position",
            both(as_picture, setting(ImageType=["DERIVED", "SECONDARY"])),
            "places are unknown",
        ),
        ("no orientation", setting(ImageOrientationPatient=None), "no image position or orientation"),
        (
            "an invalid orientation",
            setting(ImageOrientationPatient=[1, 1, 0, 0, 1, 0]),
            "invalid image orientation",
        ),
        ("no modality", setting(Modality=None), "not CT: modality unknown"),
        ("another modality", setting(Modality="OT"), "not CT: modality OT"),
        ("the type of a scout", setting(ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]), "scout view"),
        ("another modality and no pixel size", setting(Modality="OT", PixelSpacing=None), "modality OT"),
    ],
    build_unlike,
)


@case("soft tissue of the lower slices, bone of the upper ones, ten in common: neither is the head")
def overlapping_reconstructions(root: Path) -> Expected:
    write_part(root, fives(0, 100), "soft", 2)
    write_part(root, fives(50, 140), "bone", 3, setting(ConvolutionKernel="H60s"))
    return excluded("slices missing", "the same slices and 8 more beyond the ends")


@case("a mask that fits the longer of two overlapping series, which the other goes beyond")
def overlapping_series_decided_by_mask(root: Path) -> Expected:
    write_part(root, fives(0, 120), "lower", 2)
    write(root, head(30)[14:28] + 3, origins=at_heights(fives(70, 140)), into="upper", series=3)
    mask = save(root, itk_header(root, drawn(24), "lower"))
    return excluded("slices missing", "4 more beyond the ends", masks=(mask,))


@case("lower slices of soft tissue, and overlapping upper ones of bone in another frame of reference")
def overlapping_frames(root: Path) -> Expected:
    write_part(root, fives(0, 100), "soft", 2)
    other = both(setting(ConvolutionKernel="H60s"), setting(FrameOfReferenceUID=generate_uid()))
    write_part(root, fives(50, 140), "bone", 3, other)
    return error("differ in Frame of Reference UID")


@case("lower slices of soft tissue, and overlapping upper ones of bone that are filed as another modality")
def overlapping_modalities(root: Path) -> Expected:
    write_part(root, fives(0, 100), "soft", 2)
    write_part(root, fives(50, 140), "bone", 3, setting(ConvolutionKernel="H60s", Modality="OT"))
    return excluded("slices missing", "modality OT")


@case("5 mm of soft tissue and 1 mm of bone: the thin slices begin and end nearer to the edge")
def thin_bone_to_the_edge(root: Path) -> Expected:
    write_part(root, fives(5, 145), "soft", 2)
    bone = setting(ConvolutionKernel="H60s", SliceThickness=1)
    heights = np.arange(3.0, 143.0)
    write(root, np.repeat(head(28), 5, axis=0), origins=at_heights(heights), into="b", series=3, change=bone)
    return included(head(30)[1:-1], "other_series_in_folder", origins=at_heights(fives(5, 145)))


@case(
    "scouts beyond the ends of the scan, seen from the side and from the front, and a report of three pages"
)
def scouts_and_report(root: Path) -> Expected:
    write(root)
    scout = setting(ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"], SliceThickness=None)
    for number, orientation in ((90, (1, 0, 0, 0, 0, -1)), (91, (0, 1, 0, 0, 0, -1))):
        beyond = at_heights(fives(90, 105))
        write(
            root,
            head(3),
            origins=beyond,
            orientation=orientation,
            into=str(number),
            series=number,
            change=scout,
        )
    page = setting(
        ImagePositionPatient=None, ImageOrientationPatient=None, ImageType=["DERIVED", "SECONDARY"]
    )
    write(root, head(3), into="report", series=99, change=page)
    return included(None, "other_series_in_folder")


def build_days_without_acquisition_date(root: Path, keyword: str) -> Expected:
    """Both lack Acquisition Date; the older one is DERIVED, so that a criterion would decide."""
    for number, day in ((2, "20200311"), (3, "20200310")):
        told = {
            "StudyDate": "20200310",
            "AcquisitionDate": None,
            keyword: f"{day}101500" if keyword.endswith("Time") else day,
        }
        kind = setting(ImageType=["DERIVED" if number == 3 else "ORIGINAL", "PRIMARY", "AXIAL"])
        write(root, head() + number, into=str(number), series=number, change=both(setting(**told), kind))
    return error("no criterion decides between patients, studies", "series number 3, .*; series number 2, ")


family(
    "two days without Acquisition Date",
    "two scans of one Study Instance UID and Study Date, told apart by {member} only",
    ["AcquisitionDateTime", "ContentDate", "SeriesDate"],
    build_days_without_acquisition_date,
)


@case("bone reconstructed on the day after the scan: one day of acquisition")
def reconstructed_later(root: Path) -> Expected:
    acquired = setting(AcquisitionDate="20200310", SeriesDate="20200310", ContentDate="20200310")
    later = setting(
        AcquisitionDate="20200310", SeriesDate="20200311", ContentDate="20200311", ConvolutionKernel="H60s"
    )
    write(root, into="soft", series=2, change=acquired)
    write(root, head() + 4, into="bone", series=3, change=later)
    return included(None, "other_series_in_folder")


@case("nine slices of the baseline, and the whole follow-up of another study: which one did the rater see?")
def baseline_cut_short(root: Path) -> Expected:
    write(root, head(9), into="baseline", series=2, change=FIRST_STUDY)
    write(root, head() + 3, into="follow-up", series=3, change=SECOND_STUDY)
    return error("differ in Study Instance UID")


def with_air_above(slices: int, tissue: int) -> NDArray[np.int16]:
    """A head of so many slices, of which only the lowest hold tissue."""
    image = head(slices)
    image[tissue:] = -1000
    return image


def build_upper_part_left(root: Path, member: tuple[str, Sequence[float], Change]) -> Expected:
    """Soft tissue up to 95 mm is chosen; another series of the same scan holds the vertex."""
    _, heights, change = member
    write_part(root, fives(0, 100), "soft", 2)
    upper = both(setting(ConvolutionKernel="H60s"), change)
    write(root, head(len(heights)) + 3, origins=at_heights(heights), into="bone", series=3, change=upper)
    return excluded("slices missing", r"the head goes on above .* \d+ mm above")


family(
    "vertex in another series only",
    "soft tissue without the vertex, which only {member} holds: half a head is not taken for the whole",
    [
        ("an overlapping series between its slices", np.arange(42.5, 142, 5), setting()),
        ("an overlapping series of other pixel size", fives(50, 150), OTHER_ZOOM),
        ("a series of other pixel size beyond a gap", fives(110, 150), OTHER_ZOOM),
        ("a series of other pixel size beyond a wide gap", fives(220, 290), OTHER_ZOOM),
        ("a thin series of the whole head", np.arange(0.0, 145, 2), setting(SliceThickness=2)),
        (
            "a series under another tilt beyond a gap",
            fives(110, 150),
            setting(ImageOrientationPatient=[1, 0, 0, 0, 0.965925826, -0.258819045]),
        ),
    ],
    build_upper_part_left,
)


@case(
    "soft tissue of 80 mm, and the base in a series of other pixel size beyond a gap: a neck, or half a head?"
)
def base_of_other_zoom_beyond_a_gap(root: Path) -> Expected:
    write_part(root, fives(70, 150), "soft", 2)
    write_part(root, fives(0, 50), "bone", 3, OTHER_ZOOM)
    return excluded("slices missing", r"may go on below .* 80 mm, .*minimum_coverage_mm")


@case("soft tissue of 90 mm, and bone of the base that overlaps it between its slices")
def base_between_the_slices(root: Path) -> Expected:
    write_part(root, fives(60, 150), "soft", 2)
    bone = setting(ConvolutionKernel="H60s")
    write(root, head(20), origins=at_heights(np.arange(7.5, 107, 5)), into="b", series=3, change=bone)
    return excluded("slices missing", "may go on below")


@case("a neck in a soft-tissue kernel and the head in a sharp one: the neck is not taken for the head")
def neck_of_the_better_kernel(root: Path) -> Expected:
    write(root, into="head", series=2, change=setting(ConvolutionKernel="H60s"))
    neck = setting(PixelSpacing=[3.0, 3.0], SliceThickness=2)
    write(root, head(60), origins=at_heights(np.arange(-150, -30, 2.0)), into="neck", series=3, change=neck)
    return excluded("slices missing", "the head goes on above")


@case("an angiography from the neck up into the air above the head, thin and of other pixel size")
def angiography_into_air(root: Path) -> Expected:
    write(root, into="head", series=2)
    vessels = setting(PixelSpacing=[4.5, 4.5], SliceThickness=1, ConvolutionKernel="B60f")
    heights = np.arange(-150, 160, 2.0)  # the head ends at 119 mm
    image = with_air_above(len(heights), tissue=137)
    write(root, image, origins=at_heights(heights), into="cta", series=3, change=vessels)
    return included(None, "other_series_in_folder")


@case("an angiography of the circle of Willis, which ends below the vertex, and slabs of perfusion")
def angiography_and_perfusion_within_the_head(root: Path) -> Expected:
    write(root, into="head", series=2)
    vessels = setting(PixelSpacing=[4.5, 4.5], SliceThickness=1, ConvolutionKernel="B60f")
    write(root, head(40), origins=at_heights(np.arange(0, 80, 2.0)), into="cta", series=3, change=vessels)
    for time in range(3):
        slab = setting(PixelSpacing=[4.5, 4.5], SliceThickness=10, AcquisitionNumber=time)
        write(
            root, head(4) + time, origins=at_heights([40, 50, 60, 70]), into=f"p{time}", series=4, change=slab
        )
    return included(None, "other_series_in_folder")


@case("a tilted head and an untilted angiography that goes a little higher at the middle")
def tilted_head_and_angiography(root: Path) -> Expected:
    column = (0.0, round(float(np.cos(np.radians(18))), 9), round(float(-np.sin(np.radians(18))), 9))
    write(root, orientation=(1.0, 0.0, 0.0, *column), into="head", series=2)
    vessels = setting(PixelSpacing=[4.5, 4.5], SliceThickness=1, ConvolutionKernel="B60f")
    heights = np.arange(-150, 140, 2.0)
    image = with_air_above(len(heights), tissue=125)
    write(root, image, origins=at_heights(heights), into="cta", series=3, change=vessels)
    return included(None, "other_series_in_folder", "tilted", directions=((1, 0, 0), column))


@case(
    "a scan before and one after contrast agent, the later one 10 mm lower, and sinuses of another pixel size"
)
def contrast_phases_and_sinuses(root: Path) -> Expected:
    write(root, into="before", series=2)
    derived = setting(ImageType=["DERIVED", "PRIMARY", "AXIAL"])
    lower = level_origins() - np.array([0, 0, 10.0])
    write(root, head() + 3, origins=lower, into="after", series=3, change=derived)
    sinuses = setting(PixelSpacing=[3.0, 3.0], SliceThickness=1, ConvolutionKernel="H60s")
    write(root, head(50), origins=at_heights(np.arange(-40, 60, 2.0)), into="sinus", series=4, change=sinuses)
    return included(None, "other_series_in_folder")


def build_two_frames(root: Path, first: Change, second: Change, shift: int = 3) -> None:
    """Two series over the same stretch, each in a frame of reference of its own."""
    for number, change in ((2, first), (3, second)):
        frame = setting(FrameOfReferenceUID=generate_uid())
        write(
            root, head() + (number - 2) * shift, into=str(number), series=number, change=both(frame, change)
        )


@case("two scans of one head in one study, the patient laid anew between them: no criterion decides")
def two_frames_of_reference(root: Path) -> Expected:
    build_two_frames(root, setting(), setting(ImageType=["DERIVED", "PRIMARY", "AXIAL"]))
    return error("differ in Frame of Reference UID", "series number 2, .*; series number 3, ")


@case("an original and a derived series, which tells no frame of reference")
def derived_without_frame_of_reference(root: Path) -> Expected:
    untold = setting(ImageType=["DERIVED", "PRIMARY", "AXIAL"], FrameOfReferenceUID=None)
    build_two_frames(root, setting(), untold)
    return included(None, "other_series_in_folder")


@case("soft tissue and bone, each in a frame of reference of its own, as some de-identification leaves them")
def kernels_of_two_frames(root: Path) -> Expected:
    build_two_frames(root, setting(), setting(ConvolutionKernel="H60s"))
    return included(None, "other_series_in_folder")


@case("a series sent again with the same pixels in another frame of reference, as DERIVED")
def sent_again_in_another_frame(root: Path) -> Expected:
    build_two_frames(root, setting(), setting(ImageType=["DERIVED", "PRIMARY", "AXIAL"]), shift=0)
    return included(None, "other_series_in_folder")


@case("head and neck, the patient laid anew between them, and a mask on the head: places are not comparable")
def neck_in_another_frame(root: Path) -> Expected:
    write(root, into="head", series=2)
    neck = setting(PixelSpacing=[3.0, 3.0], SliceThickness=2, FrameOfReferenceUID=generate_uid())
    write(root, head(60), origins=at_heights(np.arange(60, 180, 2.0)), into="neck", series=3, change=neck)
    mask = save(root, itk_header(root, drawn(), "head"))
    return included(None, "other_series_in_folder", labels=drawn(), masks=(mask,))


@case("pictures of the screen, eight in grey and eight in colour, of the scan's size and without places")
def pictures_of_the_screen(root: Path) -> Expected:
    write(root)
    page = both(as_picture, setting(ImageOrientationPatient=None, ImageType=["DERIVED", "SECONDARY"]))

    def in_colour(_: int, dataset: Dataset) -> None:
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 3, "RGB"

    write(root, head(8), into="grey", series=98, change=both(page, setting(PixelSpacing=None)))
    write(root, head(8), into="colour", series=99, change=both(page, in_colour))
    return included(None, "other_series_in_folder")
