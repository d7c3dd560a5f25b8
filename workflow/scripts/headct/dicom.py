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
import zlib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from headct.problems import BadInput, Problem

# pydicom quotes offending values, that is patients' names, in its warnings: they must reach no log.
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
logging.getLogger("pydicom").setLevel(logging.CRITICAL)

HU_RANGE = (-1024, 3071)
"""Hounsfield units that a 12-bit scanner stores; values outside are clipped."""

READ_ERRORS = (
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

IDENTIFIERS = [
    "PatientName",
    "PatientID",
    "OtherPatientIDs",
    "OtherPatientNames",
    "PatientBirthDate",
    "PatientAddress",
    "AccessionNumber",
    "StudyID",
    "InstitutionName",
    "InstitutionAddress",
    "InstitutionalDepartmentName",
    "StationName",
    "DeviceSerialNumber",
    "ReferringPhysicianName",
    "PerformingPhysicianName",
    "OperatorsName",
]
"""Attributes that are read for one purpose: to withhold an acquisition fact that repeats one."""

NEEDED = [
    "SOPClassUID",
    "SOPInstanceUID",
    "SeriesInstanceUID",
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
]

PLAIN_TEXT = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._+/()-]{0,31}")


class Ineligible(Exception):
    """The scan can't be part of the study; the message is the reason in the cohort table."""


@dataclass(frozen=True)
class Instance:
    """Header of one DICOM file. ``path`` is for reading only and never for messages."""

    path: Path
    header: Dataset = field(repr=False)

    @cached_property
    def number(self) -> int | None:
        """Instance Number (0020,0013), None where absent."""
        return self.whole("InstanceNumber")

    @property
    def name(self) -> str:
        """What messages call this file."""
        return f"instance {'without number' if self.number is None else self.number}"

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
class Folder:
    """Headers of all DICOM files below a folder, and how many other files lie between them."""

    instances: list[Instance]
    other_files: int


def read_folder(folder: Path, scan_id: str) -> Folder:
    """Read the headers of all files below ``folder``, whatever their names.

    Raises:
        BadInput: no such folder, nothing of DICOM in it, or a DICOM file that can't be read.
    """
    if not folder.is_dir():
        raise BadInput([Problem(scan_id, "there is no such DICOM folder", key="dicom")])
    instances, others, problems = [], 0, []
    paths = sorted(entry for entry in folder.rglob("*") if not entry.is_dir())
    for rank, path in enumerate(paths, start=1):
        try:
            header = _read_header(path)
        except READ_ERRORS:
            message = "can't be read (no permission, broken link, or damaged before its pixels)"
            number = f"file {rank} of {len(paths)} by name"
            problems.append(Problem(scan_id, message, key="dicom", value=number))
            continue
        if header is None:
            others += 1
        else:
            instances.append(Instance(path, header))
    if not instances and not problems:
        message = "the DICOM folder is empty" if not others else "no DICOM image among its files"
        problems.append(Problem(scan_id, message, key="dicom"))
    if problems:
        raise BadInput(problems)
    return Folder(instances, others)


def _read_header(path: Path) -> Dataset | None:
    """The needed attributes of one file; None where it is no DICOM object of a patient's study."""
    tags = [*NEEDED, *ACQUISITION_FACTS.values(), *IDENTIFIERS]
    try:
        header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(tags))
    except InvalidDicomError:
        # A bare data set without preamble is still DICOM if the attributes of one are in it.
        try:
            header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=tags, force=True)
        except Exception:  # forced on arbitrary bytes, the parser can raise anything
            return None
    return header if "SOPClassUID" in header and "SeriesInstanceUID" in header else None


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
    identifiers = {
        part.lower()
        for name in IDENTIFIERS
        for part in re.split(r"[\^=\\\s]+", instance.text(name))
        if len(part) >= 3
    }
    if any(identifier in raw.lower() for identifier in identifiers):
        return None
    return "\\".join(parts)


def acquisition_facts(instance: Instance) -> tuple[dict[str, Any], list[str]]:
    """The allow-listed facts of a scan, and the names of those withheld as not plain."""
    facts = {name: plain_fact(instance, keyword) for name, keyword in ACQUISITION_FACTS.items()}
    withheld = [
        name for name, keyword in ACQUISITION_FACTS.items() if facts[name] is None and instance.text(keyword)
    ]
    return {name: value for name, value in facts.items() if value is not None}, withheld


def read_slice(instance: Instance) -> tuple[NDArray[Any], str]:
    """Decode one slice: stored value * Rescale Slope + Rescale Intercept, of this very slice.

    Whole-number rescaling stays in int32; otherwise values are float64 and not rounded. Without
    rescale attributes stored values are taken as they are (``series.flags`` says so).

    Returns:
        HU before any clip, shape (rows, columns), and the SHA-256 of the file.

    Raises:
        Ineligible: the pixels are truncated or damaged, or not one grey image.
    """
    try:
        data = instance.path.read_bytes()
        stored = pydicom.dcmread(io.BytesIO(data), force=True).pixel_array
    except NotImplementedError as error:
        raise Ineligible(f"no decoder is installed for {instance.name}") from error
    except READ_ERRORS as error:
        raise Ineligible(f"{instance.name} is truncated or damaged") from error
    if stored.ndim != 2:
        raise Ineligible(f"{instance.name} is not one grey image")
    slope, intercept = rescale(instance)
    if slope == 0:
        raise Ineligible(f"{instance.name} has a rescale slope of 0")
    if slope.is_integer() and intercept.is_integer():
        hounsfield: NDArray[Any] = stored.astype(np.int32) * int(slope) + int(intercept)
    else:
        hounsfield = stored * slope + intercept
    return hounsfield, hashlib.sha256(data).hexdigest()


def rescale(instance: Instance) -> tuple[float, float]:
    """Rescale Slope and Intercept; 1 and 0 where absent, as DICOM readers have it."""
    slope, intercept = (instance.numeric(f"Rescale{part}") for part in ("Slope", "Intercept"))
    return 1.0 if slope is None else slope, 0.0 if intercept is None else intercept


def to_int16(hounsfield: NDArray[Any]) -> NDArray[np.int16]:
    """Round to whole HU (halves to even) and clip to ``HU_RANGE``."""
    if not np.issubdtype(hounsfield.dtype, np.integer):
        hounsfield = np.rint(hounsfield)
    clipped: NDArray[np.int16] = np.clip(hounsfield, *HU_RANGE).astype(np.int16)
    return clipped
