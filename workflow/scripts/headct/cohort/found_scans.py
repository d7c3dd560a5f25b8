"""Scans and masks that lie below some folders, before there is a sheet: which series, whose, which mask fits.

Of DICOM and NIfTI headers are read, no pixels. What tells a patient is kept in memory only, to put scans
together.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from headct.contracts.folders import contents
from headct.contracts.problems import BadInput, Ineligible
from headct.imaging import dicom, fitness, identifiers, nifti, nifti_geometry, scan_files, series, sources
from headct.imaging.geometry import Geometry
from headct.imaging.header_grid import HeaderGrid
from headct.imaging.mask_files import SUFFIXES
from headct.imaging.masks import Mask, Mismatch, on_grid
from headct.imaging.sources import zip_archive
from headct.imaging.volume_file import VolumeFile

EFFECT = "speed"  # a sheet is proposed, which somebody reads before it is used

MASK_WORDS = r"masks?|labels?(?:tr|ts)?|labelmaps?|seg|dseg|segmentations?|annotations?|rois?|gt|truths?"
OF_MASKS = re.compile(rf"(?<![a-z])({MASK_WORDS})(?![a-z])", re.IGNORECASE)
"""Words of names of files and folders that hold masks."""

NIFTI = (".nii", ".nii.gz")
SUFFIXES_OF_VOLUMES = (*NIFTI, ".hdr", ".nrrd", ".nhdr", ".mha", ".mhd")

WHAT_IT_IS = rf"0000|ct|ncct|images?|img|scan|volume|dicom|nifti|{MASK_WORDS}"
"""Words of names that say what a file is, not whose."""

NO_PART_OF_A_NAME = re.compile(
    rf"([_.\s-]+({WHAT_IT_IS})|_(label|desc|seg|space)-[a-z0-9]+)+$", re.IGNORECASE
)
"""Ends of file names that say what the file is; the second are entities of BIDS."""

SAYS_ONLY_WHAT = re.compile(WHAT_IT_IS, re.IGNORECASE)


@dataclass(frozen=True)
class FoundSeries:
    """One series of a study, in words that tell no patient, and why it can't be the one to segment."""

    words: str
    unfit: str


@dataclass
class FoundImage:
    """One study of DICOM, or one file.

    Attributes:
        path: what the sheet's column ``image`` would say.
        patient: what tells the patient apart: Patient ID and birth date, or a part of the path.
        names: words by which masks and clinical tables may call it.
        date: of the study, to put those of a patient in order; never written.
        age, sex: as the header says, or empty.
        series: of a study; none of a file.
        grids: of the series that can be segmented, or of the file.
    """

    path: Path
    patient: str
    names: list[str]
    date: str = ""
    age: str = ""
    sex: str = ""
    series: list[FoundSeries] = field(default_factory=list)
    grids: list[Geometry] = field(default_factory=list)


@dataclass
class Found:
    """Images, masks, and in words what else lay there or could not be read.

    ``left_out`` are folders, whose names may tell a patient.
    """

    images: list[FoundImage] = field(default_factory=list)
    left_out: list[Path] = field(default_factory=list)
    masks: dict[Path, Mask] = field(default_factory=dict)
    open: list[str] = field(default_factory=list)


def look(paths: Sequence[Path], masks: Sequence[Path]) -> Found:
    """Look through folders and files; what lies under ``masks``, or is called so, is a mask."""
    found = Found()
    of_masks = {file for path in masks for file in _files(path)}
    files = sorted({file for path in paths for file in _files(path)} - of_masks)
    for file in [file for file in files if _is_called_mask(file, paths)]:
        of_masks.add(file)
    _add_images([file for file in files if file not in of_masks], found)
    for file in sorted(of_masks):
        if file.name.lower().endswith(SUFFIXES):
            _add_mask(file, found)
    return found


def _add_images(files: Sequence[Path], found: Found) -> None:
    """What is an image of some files: volumes, archives, and else folders of DICOM."""
    archives = [file for file in files if zip_archive.Source.is_named(file)]
    volumes = [file for file in files if file.name.lower().endswith(SUFFIXES_OF_VOLUMES)]
    beside = {scan_files.voxels_beside(file) for file in volumes}
    for file in volumes:
        _add_volume(file, found)
    for file in archives:
        _add_archive(file, found)
    others = set(files) - {*archives, *volumes, *beside}
    _add_studies(sorted({file.parent for file in others}), found)
    packed = [file for file in others if file.suffix.lower() in (".tar", ".tgz", ".gz", ".7z", ".rar")]
    if packed:
        found.open.append(f"{len(packed)} archives were not looked into: unpack them.")


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return [Path(name) for name in contents(path).files if not Path(name).name.startswith(".")]


def _is_called_mask(file: Path, roots: Iterable[Path]) -> bool:
    """Whether a file's name, or that of a folder below what was handed over, says that it is a mask."""
    if not file.name.lower().endswith(SUFFIXES):
        return False
    root = next((root for root in roots if root in file.parents), file.parent)
    return bool(OF_MASKS.search(str(file.relative_to(root)).replace("_", " ")))


def _add_volume(file: Path, found: Found) -> None:
    try:
        grid = _grid_of(file)
    except (nifti.Unreadable, Ineligible, ValueError, OSError) as error:
        found.open.append(f"{file.name} can't be used: {error}.")
        return
    name = name_of(file)
    subject = re.match(r"sub-[A-Za-z0-9]+", name)
    patient = subject[0] if subject else name
    names = [name, patient, Path(name).name]
    found.images.append(FoundImage(file, patient, names, date=name, grids=[grid]))


def _grid_of(file: Path) -> Geometry:
    """Where a volume's voxels lie. Of NIfTI in one file the header is read, of other formats all.

    Raises:
        nifti.Unreadable, Ineligible, ValueError, OSError: it is none, or can't be used.
    """
    if not file.name.lower().endswith(NIFTI):
        source = sources.find(file, file.name)
        if not isinstance(source, VolumeFile):
            raise nifti.Unreadable("no volume")
        return source.stored(fitness.SeriesRules()).grid.geometry
    header = nifti.read_header(file)
    x, y, z = (int(size) for size in header.get_data_shape()[:3])
    return HeaderGrid(header, nifti_geometry.placement(header, (x, y, z))).geometry


def _add_archive(file: Path, found: Found) -> None:
    """The one scan of a zip archive, which is unpacked to be looked at."""
    within = Found()
    try:
        with zip_archive.Source(file, file.name).unpacked() as folder:
            _add_images(sorted(_files(folder)), within)
    except BadInput as error:
        found.open += [
            f"An archive was left out, which stands with the pseudonyms: {p.message}." for p in error.problems
        ]
        found.left_out.append(file)
        return
    found.open += within.open
    if len(within.images) != 1:
        found.open.append(
            f"An archive was left out, which stands with the pseudonyms: it holds {len(within.images)} "
            "scans, where one is expected."
        )
        found.left_out.append(file)
        return
    (image,) = within.images
    name = name_of(file)
    is_study = bool(image.series)
    found.images.append(
        replace(image, path=file, patient=image.patient if is_study else name, names=[name, image.names[0]])
    )


def _add_studies(folders: Sequence[Path], found: Found) -> None:
    """The studies of DICOM folders; folders below another one that holds DICOM itself are part of it."""
    instances: dict[tuple[str, str], list[dicom.Instance]] = {}
    read: list[Path] = []
    for folder in folders:
        if any(parent in read for parent in (folder, *folder.parents)):
            continue
        has_more_below = any(folder in other.parents for other in folders)
        if has_more_below and not any(map(sources.is_part_of_scan, sorted(folder.glob("*")))):
            continue  # a list, say, beside the folders of patients
        try:
            files = dicom.read_folder(folder, folder.name)
        except BadInput:
            continue  # nothing of DICOM in it
        except Ineligible as error:
            found.open.append(f"A folder was left out, which stands with the pseudonyms: {error}.")
            found.left_out.append(folder)
            continue
        read.append(folder)
        for instance in files.instances:
            study = _patient(instance, folder), instance.text("StudyInstanceUID")
            instances.setdefault(study, []).append(instance)
    places = {study: {instance.path.parent for instance in of_study} for study, of_study in instances.items()}
    for study, of_study in instances.items():
        path = Path(os.path.commonpath(places[study]))
        elsewhere = [place for other, parts in places.items() if other != study for place in parts]
        image = _study(path, study[0], of_study)
        if any(path == place or path in place.parents for place in elsewhere):
            image.series.append(FoundSeries("", "its folder holds another study as well: give each its own"))
            image.grids = []
        found.images.append(image)


def _patient(instance: dicom.Instance, folder: Path) -> str:
    """What tells a patient: Patient ID and birth date, or the folder where no id points at anybody."""
    number = instance.text("PatientID")
    known = identifiers.patient_numbers({"PatientID": number})
    return f"{number} {instance.text('PatientBirthDate')}".strip() if known else f"folder {folder}"


def _study(path: Path, patient: str, instances: list[dicom.Instance]) -> FoundImage:
    first = instances[0]
    rules = fitness.SeriesRules()
    of_study, grids = [], []
    for one in series.group(instances):
        unfit = fitness.unfit(one, rules)
        of_study.append(FoundSeries(series.in_words(one), unfit))
        if not unfit:
            grids.append(series.stacked(one)[1])
    age = re.fullmatch(r"0*(\d+)Y", first.text("PatientAge"))
    sex = first.text("PatientSex")
    return FoundImage(
        path=path,
        patient=patient,
        names=[first.text("PatientID"), *reversed(path.parts), str(_telling(path))],
        date=f"{first.text('StudyDate')} {first.text('StudyTime')}",
        age=age[1] if age else "",
        sex=sex if sex in ("F", "M") else "",
        series=of_study,
        grids=grids,
    )


def name_of(file: Path) -> str:
    """A file's name without suffix and without what says only what it is; where no more is left, its folder.

    So the image of ``patient-7/ct.nii.gz`` and the mask of ``patient-7/masks/mask.nrrd`` have one name.
    """
    name = NO_PART_OF_A_NAME.sub("", sources.name_without_suffix(file.name))
    return str(_telling(file.parent)) if SAYS_ONLY_WHAT.fullmatch(name) else name


def _telling(folder: Path) -> Path:
    """The folder, or the first one above it whose name says more than what lies in it."""
    above = (one for one in (folder, *folder.parents) if not SAYS_ONLY_WHAT.fullmatch(one.name))
    return next(above, folder)


def _add_mask(file: Path, found: Found) -> None:
    """Where a mask lies; its voxels are not looked at."""
    try:
        if file.name.lower().endswith(NIFTI):
            header = nifti.read_header(file)
            x, y, z = (int(size) for size in header.get_data_shape()[:3])
            placed = nifti_geometry.placement(header, (x, y, z))
            columns, rows, slices = (int(size) for size in placed.lps_shape)
            affine = placed.lps_affine
        else:
            image = sitk.DICOMOrient(sitk.ReadImage(str(file)), "LPS")
            columns, rows, slices = image.GetSize()
            affine = np.eye(4)
            affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
            affine[:3, 3] = image.GetOrigin()
    except (nifti.Unreadable, RuntimeError, ValueError) as error:
        found.open.append(f"The mask {file.name} can't be read: {str(error).splitlines()[-1]}.")
        return
    found.masks[file] = Mask(np.zeros((slices, rows, columns), np.uint8), affine)


def fits(mask: Mask, image: FoundImage) -> str:
    """Why a mask does not lie on an image; empty where it does, on one of its series at least."""
    reasons = []
    for grid in image.grids:
        try:
            on_grid(mask, grid)
        except Mismatch as error:
            reasons.append(str(error))
        else:
            return ""
    return reasons[0] if reasons else "no series of it can be segmented"


def masks_by_image(found: Found) -> Mapping[int, list[Path]]:
    """The masks that may be each image's, by its place in the list: of its name, or else those that fit.

    Without the name, a mask counts only for an image that no mask has the name of.
    """
    of_image: dict[int, list[Path]] = {}
    for place, image in enumerate(found.images):
        of_image[place] = [file for file in found.masks if name_of(file) in image.names]
    named = {file for files in of_image.values() for file in files}
    free = [file for file in found.masks if file not in named]
    for place, image in enumerate(found.images):
        of_image[place] = of_image[place] or [file for file in free if not fits(found.masks[file], image)]
    return of_image
