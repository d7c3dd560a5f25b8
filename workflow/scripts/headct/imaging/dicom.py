"""DICOM files of one scan: headers, facts that may be told, and pixels as Hounsfield units.

Headers and pixels are read by pydicom and its decoder plugins. Only attributes named in this module
are loaded at all, and only those in ``ACQUISITION_FACTS`` may reach an output, after a check that
their values are plain and repeat no identifier. Files are named by scan and instance number only.
"""

from __future__ import annotations

import hashlib
import io
import logging
import re
import struct
import warnings
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000TransferSyntaxes,
    JPEGLSTransferSyntaxes,
    JPEGTransferSyntaxes,
    MediaStorageDirectoryStorage,
)

from headct.contracts.folders import Contents, contents
from headct.contracts.problems import BadInput, Ineligible, Problem, first_few
from headct.imaging import identifiers
from headct.imaging.hounsfield import HU_RANGE

# pydicom quotes offending values, that is patients' names, in its warnings: they must reach no log.
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
logging.getLogger("pydicom").setLevel(logging.CRITICAL)
warnings.filterwarnings("ignore", category=UserWarning)  # "Unknown encoding '<value>'", for one

READ_ERRORS = (
    BytesLengthException,
    EOFError,
    OSError,
    ValueError,
    RuntimeError,
    AttributeError,
    LookupError,
    TypeError,
    struct.error,
    zlib.error,
)
"""What pydicom and its decoders raise for truncated or damaged files."""

ACQUISITION_FACTS = {
    "manufacturer": "Manufacturer",
    "model": "ManufacturerModelName",
    "kernel": "ConvolutionKernel",
    "kvp_kv": "KVP",
    "slice_thickness_mm": "SliceThickness",
    "gantry_tilt_tag_deg": "GantryDetectorTilt",
    "spacing_between_slices_mm": "SpacingBetweenSlices",
    "exposure_mas": "Exposure",
    "reconstruction_diameter_mm": "ReconstructionDiameter",
    "acquisition_type": "AcquisitionType",
    "patient_position": "PatientPosition",
    "modality": "Modality",
    "image_type": "ImageType",
}
"""Name in ``scan.json`` and DICOM keyword of every attribute that may reach an output."""

NEEDED = [
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "FrameOfReferenceUID",
    "StudyDate",
    "SeriesDate",
    "StudyTime",
    "AcquisitionDate",
    "AcquisitionTime",
    "AcquisitionDateTime",
    "ContentDate",
    "SeriesNumber",
    "AcquisitionNumber",
    "InstanceNumber",
    "Rows",
    "Columns",
    "NumberOfFrames",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "ImageOrientationPatient",
    "ImagePositionPatient",
    "PixelSpacing",
    "RescaleSlope",
    "RescaleIntercept",
    "LossyImageCompression",
    "RescaleType",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "ImagesInAcquisition",
    "TemporalPositionIndex",
    "BurnedInAnnotation",
]

ENDING_WITH_MARKER = frozenset({*JPEGTransferSyntaxes, *JPEGLSTransferSyntaxes, *JPEG2000TransferSyntaxes})
END_OF_CODESTREAM = b"\xff\xd9"

FRAME_GROUPS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
FRAME_KEYWORDS = {"FrameType": "ImageType", "FrameAcquisitionNumber": "AcquisitionNumber"}
"""What an enhanced CT image calls attributes that a single-frame one has under another name."""

ARCHIVES = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".7z", ".rar", ".iso")
VOLUMES = (".nii", ".nii.gz", ".hdr", ".nrrd", ".nhdr", ".mha", ".mhd")
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
"""Of a window for display; what a CT showed is in none of them."""

MARKS_NO_SLICE = re.compile(r"[._@~#$]|__MACOSX$")
"""How names of what systems and programs leave behind begin: .DS_Store, ._x, @eaDir, _SUCCESS, #recycle."""

PLAIN_TEXT = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._+/()-]{0,31}")


@dataclass(frozen=True)
class Instance:
    """Header of one slice: a DICOM file, or one frame (from 1) of a multi-frame file.

    ``path`` is for reading only and never for messages.
    """

    path: Path
    header: Dataset = field(repr=False)
    frame: int | None = None

    @cached_property
    def number(self) -> int | None:
        """Instance Number (0020,0013), None where absent."""
        return self.whole("InstanceNumber")

    @property
    def name(self) -> str:
        """What messages call this file."""
        instance = f"instance {'without number' if self.number is None else self.number}"
        return instance if self.frame is None else f"frame {self.frame} of {instance}"

    def text(self, keyword: str) -> str:
        """An attribute as text, several values joined by a backslash, empty where absent."""
        value = self._value(keyword)
        if isinstance(value, pydicom.multival.MultiValue):
            return "\\".join(str(part).strip() for part in value)
        return "" if value is None else str(value).strip()

    def numbers(self, keyword: str, count: int) -> tuple[float, ...] | None:
        """An attribute as ``count`` finite numbers, None where it is absent or anything else."""
        try:
            value = self._value(keyword)
            values = () if value is None else tuple(float(part) for part in np.atleast_1d(value))
        except (ValueError, TypeError, OverflowError):
            return None
        return values if len(values) == count and np.isfinite(values).all() else None

    def numeric(self, keyword: str) -> float | None:
        """An attribute as one number, None where it is absent or anything else."""
        numbers = self.numbers(keyword, 1)
        return None if numbers is None else numbers[0]

    def whole(self, keyword: str) -> int | None:
        """An attribute as one whole number, None where it is absent or anything else."""
        number = self.numeric(keyword)
        return None if number is None or not number.is_integer() else int(number)

    def _value(self, keyword: str) -> Any:
        try:
            return self.header.get(keyword)
        except READ_ERRORS:  # pydicom converts on access: letters where a number should be, say
            return None

    @cached_property
    def orientation(self) -> tuple[float, ...] | None:
        """Image Orientation (Patient), six direction cosines."""
        return self.numbers("ImageOrientationPatient", 6)

    @cached_property
    def origin(self) -> tuple[float, ...] | None:
        """Image Position (Patient) in mm."""
        return self.numbers("ImagePositionPatient", 3)

    @cached_property
    def pixel_spacing(self) -> tuple[float, ...] | None:
        """Pixel Spacing in mm: between rows, then between columns."""
        spacing = self.numbers("PixelSpacing", 2)
        return spacing if spacing and min(spacing) > 0 else None

    @property
    def kernel(self) -> str:
        """Convolution Kernel (0018,1210)."""
        return self.text("ConvolutionKernel")


@dataclass
class DicomFiles:
    """Headers of all DICOM files below a folder, and how many other files lie between them."""

    instances: list[Instance]
    other_files: int


def read_folder(folder: Path, scan_id: str) -> DicomFiles:
    """Read the headers of all files below ``folder``, whatever their names; links are followed.

    Raises:
        BadInput: no such folder, nothing of DICOM in it, or a file or subfolder that can't be opened.
        Ineligible: a DICOM file is truncated or damaged before its pixels, or empty.
    """
    if not is_folder(folder):
        raise BadInput([Problem(scan_id, "no DICOM folder: there is none at the sheet's path", key="image")])
    found = contents(folder)
    paths = sorted([*map(Path, found.files), *map(Path, found.unreadable_files)])
    files = _sorted_out(folder, found)
    _check_readable(scan_id, files.unreadable, paths, len(found.unreadable_folders))
    if files.damaged:
        raise Ineligible(f"truncated or damaged file: {_positions(files.damaged, paths)}")
    if not files.instances:
        message = _without_images(files.others) if files.others else "empty folder: no file"
        raise BadInput([Problem(scan_id, message, key="image")])
    return DicomFiles(files.instances, len(files.others))


@dataclass
class _Files:
    """The files of a folder by what they are; ``slices`` are those that ``instances`` were read from."""

    instances: list[Instance] = field(default_factory=list)
    slices: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)
    damaged: list[Path] = field(default_factory=list)
    unreadable: list[Path] = field(default_factory=list)

    def add(self, path: Path) -> None:
        """Read the header of a file that is not empty."""
        try:
            header = _read_header(path)
        except OSError as error:
            is_damaged = isinstance(error, EOFError) or error.errno is None
            (self.damaged if is_damaged else self.unreadable).append(path)
        except READ_ERRORS:
            self.damaged.append(path)
        else:
            if header is None:
                self.others.append(path)
            else:
                self.slices.append(path)
                self.instances += _slices_of(path, header)


def _sorted_out(folder: Path, found: Contents) -> _Files:
    """Read each file; an empty one is a lost slice if it is called as the slices are, else no image."""
    files = _Files(unreadable=[Path(path) for path in found.unreadable_files])
    empty = []
    for path in sorted(map(Path, found.files)):
        if found.files[str(path)].st_size == 0:
            empty.append(path)
        else:
            files.add(path)
    shapes = {_shape(path.name) for path in files.slices}
    for path in empty:
        is_lost = _seems_a_lost_slice(path.relative_to(folder), shapes)
        (files.damaged if is_lost else files.others).append(path)
    return files


def is_folder(path: Path) -> bool:
    """Whether there is a folder that can be seen."""
    try:
        return path.is_dir()
    except OSError:  # it lies in a folder that can't be opened
        return False


def _positions(paths: Iterable[Path], all_paths: list[Path]) -> str:
    """What messages call files that can't be read: their places by name, never the names."""
    ranks = {path: rank for rank, path in enumerate(all_paths, start=1)}
    return first_few([f"file {ranks[path]} of {len(all_paths)} by name" for path in sorted(paths)])


def _check_readable(scan_id: str, files: list[Path], all_paths: list[Path], folders: int) -> None:
    """Raise what can't be read in a folder: whatever is hidden there could be the better series."""
    problems = []
    if files:
        message = (
            "unreadable file: it can't be opened (no permission, a broken link, or no regular file). "
            "Mend it or take it out of the folder"
        )
        problems.append(Problem(scan_id, message, key="image", value=_positions(files, all_paths)))
    if folders:
        what = "a folder" if folders == 1 else f"{folders} folders"
        message = f"unreadable folder: {what} below can't be opened. Mend the permissions"
        problems.append(Problem(scan_id, message, key="image"))
    if problems:
        raise BadInput(problems)


def _seems_a_lost_slice(path: Path, shapes: set[str]) -> bool:
    """Whether an empty file, by its name and ``path`` below the scan's folder, stands for a lost slice.

    Markers such as ``_SUCCESS`` and the leavings of systems are no slices. Where the folder holds slices,
    a lost one is called alike.
    """
    if any(MARKS_NO_SLICE.match(part) for part in path.parts):
        return False
    return not shapes or _shape(path.name) in shapes


def _shape(name: str) -> str:
    """What the names of a series' files have in common: the suffix, else the name without its numbers."""
    suffix = Path(name).suffix.lower()
    if suffix[1:].isalpha():
        return suffix
    if re.fullmatch(r"[0-9A-Fa-f.-]+", name):  # a UID, or a digest
        return "#"
    return re.sub(r"[0-9]+", "#", name).lower()


def _without_images(others: list[Path]) -> str:
    """What a folder without a DICOM image holds instead, in words that say what to do."""
    archives = sum(path.name.lower().endswith(ARCHIVES) for path in others)
    volumes = sum(path.name.lower().endswith(VOLUMES) for path in others)
    pictures = sum(path.name.lower().endswith(PICTURES) for path in others)
    if volumes:
        return f"no DICOM image: the folder holds files of other formats ({volumes}); name this scan's own"
    if pictures:
        return (
            f"no DICOM image: the folder holds pictures ({pictures} of PNG, JPG or the like), which were "
            "windowed for display and tell no place; hand in the DICOM files, or a volume made of them"
        )
    if archives:
        which = "an archive" if archives == 1 else f"{archives} archives"
        return (
            f"no DICOM image: the folder holds {which}, not opened here: name the one of this scan if it is "
            "a zip archive, or unpack it"
        )
    if any(path.name.upper() == "DICOMDIR" for path in others):
        return (
            "no DICOM image: the folder holds a DICOMDIR, which is the index of a disc, and none of the "
            "files that it lists; copy the whole disc"
        )
    return f"no DICOM image: none of its files is one ({len(others)} in all)"


def _read_header(path: Path) -> Dataset | None:
    """The needed attributes of one file; None where it is no DICOM object of a patient's study.

    Where the data set lacks the SOP Class UID, that of the file meta information stands in.

    Raises:
        EOFError: a DICOM file that ends within its header.
    """
    tags = [*NEEDED, *ACQUISITION_FACTS.values(), *identifiers.IDENTIFYING_KEYWORDS, *FRAME_GROUPS]
    bare = False
    try:
        header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(tags))
    except InvalidDicomError:
        # A bare data set without preamble is still DICOM if the attributes of one are in it.
        try:
            header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=tags, force=True)
        except Exception:  # forced on arbitrary bytes, the parser can raise anything
            return None
        bare = True
    sop_class = header.file_meta.get("MediaStorageSOPClassUID")
    if sop_class == MediaStorageDirectoryStorage:
        return None
    if sop_class and "SOPClassUID" not in header:
        header.SOPClassUID = sop_class
    # Tags ascend: where Rows (0028,0010) is there, what lacks before it was never written.
    if "SeriesInstanceUID" in header and ("SOPClassUID" in header or "Rows" in header):
        return header
    if bare:
        return None
    if "Rows" in header:
        return header
    raise EOFError("a DICOM file without series: it ends within its header")


def _slices_of(path: Path, header: Dataset) -> Iterator[Instance]:
    """The file itself, or each frame of a multi-frame file with the frame's own attributes.

    A frame's functional groups (shared, then its own) are laid flat over the file's attributes, so
    that a frame reads like a file (DICOM PS3.3, C.7.6.16). Where the groups do not describe every
    frame, the file stays as it is, and is not eligible.
    """
    shared, per_frame = (header.get(keyword) or [] for keyword in FRAME_GROUPS)
    if not per_frame or len(per_frame) != header.get("NumberOfFrames"):
        yield Instance(path, header)
        return
    wanted = {*NEEDED, *ACQUISITION_FACTS.values(), *FRAME_KEYWORDS} - {"NumberOfFrames"}
    common = Dataset()
    for element in header:
        if element.keyword not in (*FRAME_GROUPS, "NumberOfFrames"):
            common.add(element)
    for number, own in enumerate(per_frame, start=1):
        frame = Dataset()
        frame.update(common)
        for element in _elements_of((*shared, own)):
            if element.keyword in wanted:
                setattr(frame, FRAME_KEYWORDS.get(element.keyword, element.keyword), element.value)
        yield Instance(path, frame, number)


def _elements_of(groups: Iterable[Dataset]) -> Iterator[DataElement]:
    """The attributes within functional groups, one after the other."""
    for group in groups:
        for macro in group:
            if macro.VR == "SQ":
                for item in macro.value:
                    yield from item


def plain_fact(instance: Instance, keyword: str) -> str | float | None:
    """An allow-listed attribute for an output: a number, or plain text that repeats no identifier.

    None where the attribute is absent or withheld.
    """
    raw = instance.text(keyword)
    if not raw:
        return None
    if pydicom.datadict.dictionary_VR(keyword) in {"DS", "IS", "FD", "FL", "US"}:
        return instance.numeric(keyword)
    parts = raw.split("\\")
    if not all(PLAIN_TEXT.fullmatch(part) for part in parts if part):
        return None
    if identifiers.repeats_identifier(raw, identifiers.in_headers([instance.header])):
        return None
    return "\\".join(parts)


def acquisition_facts(instance: Instance) -> tuple[dict[str, Any], list[str]]:
    """The allow-listed facts of a scan, and the names of those withheld as not plain."""
    facts = {name: plain_fact(instance, keyword) for name, keyword in ACQUISITION_FACTS.items()}
    withheld = [
        name for name, keyword in ACQUISITION_FACTS.items() if facts[name] is None and instance.text(keyword)
    ]
    return {name: value for name, value in facts.items() if value is not None}, withheld


@lru_cache(maxsize=1)
def _decoded(path: Path) -> tuple[NDArray[Any], str]:
    """Stored pixels of a file and its SHA-256; one file is kept, for its further frames."""
    data = path.read_bytes()
    dataset = pydicom.dcmread(io.BytesIO(data), force=True)
    if "TransferSyntaxUID" not in dataset.file_meta:  # a bare data set: as the parser found it
        implicit, little = dataset.original_encoding
        plain = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
        dataset.file_meta.TransferSyntaxUID = plain if little else ExplicitVRBigEndian
    if is_cut_off(dataset):
        raise EOFError("a codestream without its end")
    return dataset.pixel_array, hashlib.sha256(data).hexdigest()


def is_cut_off(dataset: Dataset) -> bool:
    """Whether a JPEG, JPEG-LS or JPEG 2000 codestream lacks its end marker.

    Decoders fill what is missing and say nothing.
    """
    if dataset.file_meta.get("TransferSyntaxUID") not in ENDING_WITH_MARKER:
        return False
    frames = generate_frames(dataset.PixelData, number_of_frames=int(dataset.get("NumberOfFrames") or 1))
    return not all(frame.rstrip(b"\0").endswith(END_OF_CODESTREAM) for frame in frames)


def read_slice(instance: Instance) -> tuple[NDArray[Any], str]:
    """Decode one slice: stored value * Rescale Slope + Rescale Intercept, of this very slice.

    Whole-number rescaling stays in int32; otherwise values are float64 and not rounded. Without
    rescale attributes stored values are taken as they are (``series.flags`` says so). Padding that
    would read as metal becomes the lowest HU; unused high bits are cleared.

    Returns:
        HU before any clip, shape (rows, columns), and the SHA-256 of the file.

    Raises:
        Ineligible: the pixels are truncated or damaged, or not one grey image.
    """
    bits, high = instance.whole("BitsStored"), instance.whole("HighBit")
    if bits is not None and high is not None and high != bits - 1:
        raise Ineligible(f"unusual bit layout: {instance.name} has {bits} bits stored up to bit {high}")
    try:
        stored, digest = _decoded(instance.path)
        stored = stored if instance.frame is None or stored.ndim == 2 else stored[instance.frame - 1]
    except NotImplementedError as error:
        raise Ineligible(f"no decoder for its compression: {instance.name}") from error
    except READ_ERRORS as error:
        raise Ineligible(f"truncated or damaged pixels: {instance.name}") from error
    if stored.ndim != 2:
        raise Ineligible(f"not one grey image: {instance.name}")
    if bits is not None and np.issubdtype(stored.dtype, np.integer):
        unused = stored.dtype.itemsize * 8 - bits
        stored = stored << unused >> unused  # not all decoders clear what lies above the stored bits
    slope, intercept = rescale(instance)
    if slope == 0:
        raise Ineligible(f"rescale slope of 0: {instance.name}")
    if slope.is_integer() and intercept.is_integer() and np.issubdtype(stored.dtype, np.integer):
        hounsfield: NDArray[Any] = stored.astype(np.int32) * int(slope) + int(intercept)
    else:
        hounsfield = stored * slope + intercept
    padding = padding_hu(instance)
    if padding is not None and padding[0] > HU_RANGE[1]:
        hounsfield[(hounsfield >= padding[0]) & (hounsfield <= padding[1])] = HU_RANGE[0]
    return hounsfield, digest


def padding_hu(instance: Instance) -> tuple[float, float] | None:
    """Lowest and highest HU that the header declares to be padding, None where it declares none.

    Pixel Padding Value has the representation of the pixels, but is often written in the other one
    (63536 for -2000): it is wrapped into the stored bits, as the pixels are.
    """
    value = instance.whole("PixelPaddingValue")
    if value is None:
        return None
    limit = instance.whole("PixelPaddingRangeLimit")
    span = 1 << (instance.whole("BitsStored") or 16)
    lowest = -span // 2 if instance.whole("PixelRepresentation") == 1 else 0
    slope, intercept = rescale(instance)
    ends = [
        ((stored - lowest) % span + lowest) * slope + intercept
        for stored in (value, value if limit is None else limit)
    ]
    return min(ends), max(ends)


def has_rescale(instance: Instance) -> bool:
    """Whether the slice says how its stored values become HU."""
    return None not in (instance.numeric("RescaleSlope"), instance.numeric("RescaleIntercept"))


def rescale(instance: Instance) -> tuple[float, float]:
    """Rescale Slope and Intercept; 1 and 0 where absent, as DICOM readers have it."""
    slope, intercept = (instance.numeric(f"Rescale{part}") for part in ("Slope", "Intercept"))
    return 1.0 if slope is None else slope, 0.0 if intercept is None else intercept
