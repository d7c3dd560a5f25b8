"""Several series in one folder, duplicates, repeats, other objects, other files, and ids."""

from __future__ import annotations

import os
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import SecondaryCaptureImageStorage, generate_uid

from cases.library import (
    PIXEL_MM,
    ROWS,
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

SCOUT = setting(ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"], SliceThickness=None)
BONE = setting(ConvolutionKernel="H60s")
CORONAL = (1, 0, 0, 0, 0, -1)
SAGITTAL = (0, 1, 0, 0, 0, -1)
ENHANCED_SR = "1.2.840.10008.5.1.4.1.1.88.22"
MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4"
PET_IMAGE = "1.2.840.10008.5.1.4.1.1.128"


def one_series() -> Change:
    """The same Series Instance UID for everything that is written with this change."""
    return setting(SeriesInstanceUID=generate_uid())


def as_object(sop_class: str, **values: object) -> Change:
    def change(_: int, dataset: Dataset) -> None:
        dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = sop_class
        for keyword, value in values.items():
            setattr(dataset, keyword, value)

    return change


def add_scout(root: Path, **options: Any) -> None:
    write(root, head(2), into="scout", orientation=CORONAL, series=1, change=SCOUT, **options)


def add_dose_report(root: Path) -> None:
    """A structured report and a picture of its page."""
    (path,) = write(root, head(1), into="report", series=999)
    report = pydicom.dcmread(path)
    for keyword in list(report.dir()):
        if keyword not in ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "PatientID"):
            delattr(report, keyword)
    report.SOPClassUID = report.file_meta.MediaStorageSOPClassUID = ENHANCED_SR
    report.Modality, report.SeriesNumber = "SR", 999
    report.save_as(path)
    page = setting(
        ImagePositionPatient=None, ImageOrientationPatient=None, ImageType=["DERIVED", "SECONDARY"]
    )
    write(root, head(1), into="page", series=998, change=page)


@case(
    "scout, dose report, bone kernel, thin slices, coronal reformat, derived axial reformat beside the "
    "series wanted"
)
def everything_in_one_folder(root: Path) -> Expected:
    add_scout(root)
    add_dose_report(root)
    write(root, into="bone", series=3, change=BONE)
    write(
        root,
        head(70),
        origins=level_origins(70, 2.0),
        into="thin",
        series=4,
        change=setting(SliceThickness=2),
    )
    derived = ["DERIVED", "SECONDARY", "MPR"]
    write(root, into="coronal", orientation=CORONAL, series=5, change=setting(ImageType=derived))
    write(root, head(), into="reformat", series=6, change=setting(ImageType=derived))
    write(root, head() + 1, into="wanted", series=2)
    return included(
        head() + 1,
        "other_series_in_folder",
        rules={"series_preference": ["soft_tissue_kernel", "complete", "original", "thicker_slices"]},
    )


@case("thick and thin reconstructions, and no rule that says which")
def thick_and_thin(root: Path) -> Expected:
    write(root, into="thick", series=4)
    write(
        root,
        head(70),
        origins=level_origins(70, 2.0),
        into="thin",
        series=2,
        change=setting(SliceThickness=2),
    )
    return error("2 series are equally good", "series number 4", "series number 2")


@case("thick and thin reconstructions, and a mask that was drawn on the thick one")
def thick_and_thin_decided_by_mask(root: Path) -> Expected:
    thin = setting(SliceThickness=2)
    write(root, head(70), origins=level_origins(70, 2.0), into="thin", series=2, change=thin)
    write(root, into="thick", series=4)
    mask = save(root, itk_header(root, drawn(), "thick"))
    return included(None, "other_series_in_folder", labels=drawn(), masks=(mask,))


@case("two series alike in all but pixels and UID, and a mask that fits both")
def two_equally_good_with_mask(root: Path) -> Expected:
    write(root, into="a", series=2)
    write(root, head() + 1, into="b", series=3)
    return error("2 series are equally good", masks=(save(root, itk_header(root, drawn(), "a")),))


@case("two series alike in all but their UID")
def two_equally_good(root: Path) -> Expected:
    write(root, into="a", series=2)
    write(root, head() + 1, into="b", series=3)
    return error("2 series are equally good", "series number 2", "series number 3")


@case("series numbers equal or absent, two series")
def two_without_numbers(root: Path) -> Expected:
    for index in range(2):
        write(root, head() + index, into=str(index), change=setting(SeriesNumber=None))
    return error("2 series are equally good")


@case("scout within the same series (github.com/icometrix/dicom2nifti/issues/60)")
def scout_within_the_series(root: Path) -> Expected:
    same = one_series()
    write(root, head(2), into="scout", orientation=CORONAL, series=2, change=both(same, SCOUT))
    write(root, into="axial", series=2, change=same)
    return included(None, "other_series_in_folder")


@case("scout that doesn't say so (github.com/rordenlab/dcm2niix/issues/731)")
def scout_in_disguise(root: Path) -> Expected:
    same = one_series()
    write(root, head(1), into="1", orientation=CORONAL, series=2, change=same)
    write(root, head(1), into="2", orientation=SAGITTAL, series=2, change=same)
    write(root, into="axial", series=2, change=same)
    return included(None, "other_series_in_folder")


@case("nothing but a scout")
def scout_only(root: Path) -> Expected:
    add_scout(root)
    return excluded("scout view")


@case("nothing but a dose report")
def report_only(root: Path) -> Expected:
    add_dose_report(root)
    (page,) = (root / "dicom" / "page").iterdir()
    page.unlink()
    return excluded("not CT", "SR")


@case("nothing but pictures of the screen, without position")
def screen_shots_only(root: Path) -> Expected:
    page = both(
        as_object(SecondaryCaptureImageStorage, ImageType=["DERIVED", "SECONDARY"]),
        setting(ImagePositionPatient=None, ImageOrientationPatient=None),
    )
    write(root, change=page)
    return excluded("no image position or orientation")


@case("magnetic resonance")
def magnetic_resonance(root: Path) -> Expected:
    write(root, change=as_object(MR_IMAGE, Modality="MR"))
    return excluded("not CT", "MR")


@case("positron emission")
def positron_emission(root: Path) -> Expected:
    write(root, change=as_object(PET_IMAGE, Modality="PT"))
    return excluded("not CT", "PT")


@case("CT and a larger PET series in one folder")
def ct_beside_pet(root: Path) -> Expected:
    write(root, head(40), into="pet", series=3, change=as_object(PET_IMAGE, Modality="PT"))
    write(root, into="ct", series=2)
    return included(None, "other_series_in_folder")


@case("original and derived axial series: the original is taken")
def original_over_derived(root: Path) -> Expected:
    write(root, head() + 3, into="a", series=1, change=setting(ImageType=["DERIVED", "PRIMARY", "AXIAL"]))
    write(root, into="b", series=2)
    return included(None, "other_series_in_folder")


@case("a broken-off series beside a complete one")
def complete_over_gappy(root: Path) -> Expected:
    write(root, head(28), origins=at_heights([*range(0, 70, 5), *range(90, 160, 5)]), into="a", series=1)
    write(root, into="b", series=2)
    return included(None, "other_series_in_folder")


@case("bone and soft tissue under one series, by kernel")
def two_kernels_in_one_series(root: Path) -> Expected:
    same = one_series()
    write(root, head() + 5, into="bone", change=both(same, BONE))
    write(root, into="soft", change=same)
    return included(None, "other_series_in_folder")


@case("kernel with two values, as of iterative reconstruction")
def kernel_of_two_values(root: Path) -> Expected:
    write(root, into="bone", series=1, change=setting(ConvolutionKernel=["Hr64h", "3"]))
    write(root, into="soft", series=2, change=setting(ConvolutionKernel=["Hr40f", "3"]))
    return included(None, "other_series_in_folder")


@case("each slice a series of its own (github.com/rordenlab/dcm2niix/issues/495)")
def series_uid_per_slice(root: Path) -> Expected:
    write(root, change=lambda i, d: setattr(d, "SeriesInstanceUID", generate_uid()))
    return excluded("too few slices")


@case("exposure that varies from slice to slice (github.com/rordenlab/dcm2niix/issues/468)")
def exposure_varies(root: Path) -> Expected:
    write(root, change=lambda i, d: setattr(d, "Exposure", 14 + i % 3))
    return included()


@case("an acquisition number for each slice (github.com/rordenlab/dcm2niix/issues/232)")
def acquisition_per_slice(root: Path) -> Expected:
    write(root, change=lambda i, d: setattr(d, "AcquisitionNumber", i + 1))
    return included()


@case("study times that differ between slices, as a careless anonymiser leaves them")
def times_vary(root: Path) -> Expected:
    write(root, change=lambda i, d: setattr(d, "StudyTime", f"{10 + i % 10}0000"))
    return included()


def two_matrices(root: Path, some: slice, others: slice) -> Expected:
    """One series of 28 slices, some of which have more rows than the others."""
    same = one_series()
    for into, part, rows in (("a", some, ROWS), ("b", others, ROWS + 4)):
        heights = (np.arange(28) * 5.0)[part]
        write(root, head(len(heights), rows), origins=at_heights(heights), into=into, change=same)
    return excluded("mixed image sizes in one series")


@case("two image sizes in turns within one series")
def mixed_matrix(root: Path) -> Expected:
    return two_matrices(root, slice(0, 28, 2), slice(1, 28, 2))


@case("another image size in the upper half of one series")
def matrix_changes_halfway(root: Path) -> Expected:
    return two_matrices(root, slice(14), slice(14, 28))


@case("another image size near the vertex: the rest of the head must not pass for all of it")
def matrix_changes_near_the_vertex(root: Path) -> Expected:
    return two_matrices(root, slice(22), slice(22, 28))


@case("two zooms in turns within one series")
def mixed_pixel_spacing(root: Path) -> Expected:
    zoom = on(range(1, 24, 2), setting(PixelSpacing=[PIXEL_MM / 2, PIXEL_MM / 2]))
    write(root, head(24), change=zoom)
    return excluded("mixed image sizes in one series")


@case("a copy of one file elsewhere in the folder")
def copied_file(root: Path) -> Expected:
    paths = write(root)
    (root / "dicom" / "old").mkdir()
    shutil.copy(paths[3], root / "dicom" / "old" / "copy (1).dcm")
    return included(None, "duplicates_dropped")


@case("the whole series exported twice (github.com/rordenlab/dcm2niix/issues/837)")
def exported_twice(root: Path) -> Expected:
    for path in write(root):
        shutil.copy(path, path.with_name(path.stem + "(1).dcm"))
    return included(None, "duplicates_dropped")


def write_copies(root: Path, slices: range, **values: object) -> None:
    """Copy slices of the series with the same pixels under instance UIDs of their own."""
    paths = write(root)
    for index in slices:
        dataset = pydicom.dcmread(paths[index])
        uid = generate_uid()
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = uid
        for keyword, value in values.items():
            setattr(dataset, keyword, value)
        dataset.save_as(paths[index].with_name(f"copy{index}.dcm"))


@case("all slices again with the same pixels under other UIDs, as after two de-identifications")
def same_pixels_other_uids(root: Path) -> Expected:
    write_copies(root, range(SLICES))
    return included(None, "duplicates_dropped")


@case("some slices again with the same pixels under other UIDs and instance numbers")
def some_pixels_again(root: Path) -> Expected:
    write_copies(root, range(5, 9), InstanceNumber=77)
    return included(None, "duplicates_dropped", numbers=list(range(1, SLICES + 1)))


@case("the whole series again as another series, same pixels")
def same_pixels_other_series(root: Path) -> Expected:
    write(root, into="a", series=2)
    write(root, into="b", series=3)
    return included(None, "other_series_in_folder")


@case("one instance UID for all slices (github.com/rordenlab/dcm2niix/issues/211)")
def one_uid_for_all(root: Path) -> Expected:
    write(root, change=setting(SOPInstanceUID="1.2.3"))
    return included()


@case("no instance UID in any slice")
def no_instance_uid(root: Path) -> Expected:
    write(root, change=setting(SOPInstanceUID=None))
    return included()


@case("one instance UID for two slices that differ")
def one_uid_for_two(root: Path) -> Expected:
    write(root, change=on([4, 5], setting(SOPInstanceUID="1.2.3.4")))
    return included()


@case("scanned again after the patient moved, first scan broken off, told apart by acquisition number")
def repeated_after_movement(root: Path) -> Expected:
    same = one_series()
    write(root, head(8) + 7, into="a", change=both(same, setting(AcquisitionNumber=1)))
    write(root, into="b", series=2, change=both(same, setting(AcquisitionNumber=2)))
    return included(None, "other_series_in_folder", "repeated_acquisition")


@case("two complete acquisitions in one series (github.com/erling6232/imagedata/issues/94)")
def two_acquisitions(root: Path) -> Expected:
    same = one_series()
    for number in (1, 2):
        change = both(same, setting(AcquisitionNumber=number))
        write(root, head() + number, into=str(number), series=number, change=change)
    return error("2 series are equally good", "acquisition number 1", "acquisition number 2")


@case(
    "two acquisitions in one series without numbers "
    "(github.com/Project-MONAI/monai-deploy-app-sdk/issues/532)"
)
def two_acquisitions_without_numbers(root: Path) -> Expected:
    same = one_series()
    for number in (1, 2):
        write(root, head() + number, into=str(number), series=number, change=same)
    return excluded("different slices at the same position")


@case("a few slices scanned again in the same series, without numbers")
def some_slices_repeated(root: Path) -> Expected:
    same = one_series()
    write(root, into="a", change=same)
    write(root, head(4) + 9, into="b", origins=level_origins()[10:14], series=2, change=same)
    return excluded("different slices at the same position")


@case("parts of one scan overlap by a slice, under two acquisition numbers")
def overlapping_parts(root: Path) -> Expected:
    same = one_series()
    lower = both(same, setting(AcquisitionNumber=1))
    upper = both(same, setting(AcquisitionNumber=2))
    write(root, head(11), into="a", change=lower)
    write(root, head(11) + 2, into="b", origins=level_origins(21)[10:], series=2, change=upper)
    return error("2 series are equally good")


@case("instance numbers from the vertex down")
def numbers_reversed(root: Path) -> Expected:
    write(root, change=lambda i, d: setattr(d, "InstanceNumber", SLICES - i))
    return included(numbers=list(range(SLICES, 0, -1)))


@case("no instance numbers (github.com/rordenlab/dcm2niix/issues/287)")
def no_numbers(root: Path) -> Expected:
    write(root, change=setting(InstanceNumber=None))
    return included(None, "instance_numbers_not_consecutive", numbers=[None] * SLICES)


@case("one instance number for all")
def one_number_for_all(root: Path) -> Expected:
    write(root, change=setting(InstanceNumber=1))
    return included(None, "instance_numbers_not_consecutive")


@case("instance numbers in no order of place (github.com/rordenlab/dcm2niix/issues/637)")
def numbers_shuffled(root: Path) -> Expected:
    shuffled = [i * 11 % SLICES + 1 for i in range(SLICES)]
    write(root, change=lambda i, d: setattr(d, "InstanceNumber", shuffled[i]))
    return included(numbers=shuffled)


@case("other files between the slices: index, desktop's leavings, notes, a report as PDF")
def other_files(root: Path) -> Expected:
    write(root, into="IMG/SER 00001")
    folder = root / "dicom"
    (folder / ".DS_Store").write_bytes(b"\0\0\0\1Bud1" + bytes(100))
    (folder / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0" + bytes(200))
    (folder / "liesmich.txt").write_text("Befund: siehe Brief")
    (folder / "report.pdf").write_bytes(b"%PDF-1.4\n" + bytes(100))
    (folder / "IMG" / "._slice.dcm").write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X" + bytes(60))
    (folder / "viewer.exe").write_bytes(b"MZ" + bytes(range(256)))
    index = Dataset()
    index.file_meta = pydicom.dataset.FileMetaDataset()
    index.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.1.3.10"
    index.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    index.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    index.FileSetID = "CANARY"
    index.DirectoryRecordSequence = []
    index.save_as(folder / "DICOMDIR", enforce_file_format=True)
    return included()


@case("file names that are not ASCII, with spaces, and without suffix")
def odd_file_names(root: Path) -> Expected:
    for index, path in enumerate(write(root)):
        path.rename(path.with_name(f"Canary Schädel {index} [1]#'é"))
    return included()


@case("links to files in a store elsewhere")
def links(root: Path) -> Expected:
    for path in write(root, into="../store"):
        (root / "dicom").mkdir(exist_ok=True)
        (root / "dicom" / path.name).symlink_to(path)
    return included()


@case("a file that may not be read (not to be shown to root, who may)")
def no_permission(root: Path) -> Expected:
    if os.geteuid() == 0:
        pytest.skip("root may read every file")
    write(root)[3].chmod(0)
    return error("can't be read|unreadable", "permission")


@case("slices of two patients in one folder")
def two_patients(root: Path) -> Expected:
    write(root, into="a", series=2)
    write(root, head() + 1, into="b", series=2, change=setting(PatientID="OTHER", PatientName="Other^One"))
    return error("2 series are equally good")


def build_identified(root: Path, member: tuple[str, str, str, dict[str, str]]) -> Expected:
    _, scan_id, participant_id, values = member
    write(root, change=setting(**values))
    return Expected("refused", None, ("contains",), scan_id=scan_id, participant_id=participant_id)


family(
    "refused",
    "an id of the sheet contains {member} of its DICOM",
    [
        ("the Patient ID", "scan-4711882", "p-7", {"PatientID": "4711882"}),
        ("a name", "scan-7", "p-mueller-7", {"PatientName": "Müller^Eva"}),
        ("a birth date", "scan-19500307", "p-7", {"PatientBirthDate": "19500307"}),
        ("an accession number", "A00912-x", "p-7", {"AccessionNumber": "A00912"}),
    ],
    build_identified,
)


@case("ids that contain none of the identifiers, though they share words and short numbers with them")
def ids_without_identifier(root: Path) -> Expected:
    write(root, change=setting(PatientID="12", PatientName="Scan^Li", PatientBirthDate="19500307"))
    return included(scan_id="scan-0012", participant_id="p-1950")


@case("an id that contains the Patient ID of a scan that isn't eligible either")
def excluded_identified(root: Path) -> Expected:
    write(root, head(5), change=setting(PatientID="4711882"))
    return Expected("refused", None, ("contains",), scan_id="scan-4711882")


@case("rows or columns of zero")
def no_rows(root: Path) -> Expected:
    write(root, change=setting(Rows=None))
    return excluded("not an image")


@case("a Modality that is missing")
def no_modality(root: Path) -> Expected:
    write(root, change=setting(Modality=None))
    return excluded("not CT", "unknown")


@case("secondary capture of CT with all geometry, as some archives re-wrap")
def rewrapped(root: Path) -> Expected:
    write(root, change=as_object(SecondaryCaptureImageStorage, ConversionType="WSD"))
    return included()


def build_odd_end(root: Path, member: tuple[str, Change]) -> Expected:
    write(root, change=on([SLICES - 1], member[1]))
    return excluded("slices missing")


family(
    "end slice",
    "the last slice differs by {member}: it must not be left behind as if it were another series",
    [
        ("a missing kernel", setting(ConvolutionKernel=None)),
        ("its orientation, a little", setting(ImageOrientationPatient=[1, 0, 0, 0, 0.999998, -0.002])),
    ],
    build_odd_end,
)


@case("pixel spacing written with fewer digits in some slices")
def spacing_of_fewer_digits(root: Path) -> Expected:
    shorter = on([16, 17], setting(PixelSpacing=[4.882849, 4.882849]))
    write(root, spacing=(4.88285, 4.88285), change=shorter)
    return included(spacing_xy_mm=(4.88285, 4.88285))


@case("two patients under one series UID, their slices interleaved: never one head of two")
def two_patients_in_one_series(root: Path) -> Expected:
    same = one_series()
    write(root, into="a", change=same)
    other = both(same, setting(PatientID="OTHER", PatientName="Other^One"))
    write(root, head() + 3, into="b", origins=level_origins() + np.array([0, 0, 3.5]), change=other)
    return error("2 series are equally good")


@case("two acquisitions in one series, the second half a gap higher: positions never repeat, ranges do")
def interleaved_acquisitions(root: Path) -> Expected:
    same = one_series()
    write(root, into="a", change=both(same, setting(AcquisitionNumber=1)))
    second = both(same, setting(AcquisitionNumber=2))
    write(root, head() + 3, into="b", origins=level_origins() + np.array([0, 0, 3.5]), change=second)
    return error("2 series are equally good")


@case("the path in the sheet is a file")
def path_is_a_file(root: Path) -> Expected:
    (root / "dicom").write_text("elsewhere")
    return error("no image: neither a MetaImage file .* nor a folder")


@case("the slices packed in one archive file")
def zipped(root: Path) -> Expected:
    paths = write(root)
    with zipfile.ZipFile(root / "dicom" / "all.zip", "w") as archive:
        for path in paths:
            archive.write(path, path.name)
            path.unlink()
    return error("no DICOM image")


@case("attributes that are there and empty")
def empty_attributes(root: Path) -> Expected:
    names = ("AcquisitionNumber", "SliceThickness", "ConvolutionKernel", "SeriesNumber", "KVP", "ImageType")
    write(root, change=setting(**dict.fromkeys(names, "")))
    return included()


@case("Number of Frames 1 in single-frame files")
def one_frame(root: Path) -> Expected:
    write(root, change=setting(NumberOfFrames=1))
    return included()


@case("interleaved acquisitions, no kernel tag anywhere: two scans, and none of them incomplete")
def interleaved_acquisitions_without_kernel(root: Path) -> Expected:
    same = both(one_series(), setting(ConvolutionKernel=None))
    write(root, into="a", change=both(same, setting(AcquisitionNumber=1)))
    second = both(same, setting(AcquisitionNumber=2))
    write(root, head() + 3, into="b", origins=level_origins() + np.array([0, 0, 3.5]), change=second)
    return error("2 series are equally good")
