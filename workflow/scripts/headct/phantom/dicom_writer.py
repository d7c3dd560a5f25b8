"""Write a simulated series as single-frame CT Image Storage instances (DICOM PS3.3, A.3).

All identities are made up: the patient's name and ID say so, and dates lie in the year 2000.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from headct.phantom.acquisition import Geometry
from headct.phantom.randomness import stream
from headct.phantom.settings import Site
from headct.phantom.volumes import Clinical

INTERCEPT_HU = -1024
ORIENTATION_DIGITS = 7


def uid(*keys: object) -> str:
    """A UID that depends on the keys only."""
    return str(generate_uid(entropy_srcs=[str(key) for key in keys]))


def series_header(seed: int, participant: str, site: Site, clinical: Clinical, geometry: Geometry) -> Dataset:
    """What all instances of a series have in common, in every module of the CT Image IOD."""
    random = stream(seed, participant, "dicom")
    scanned = (date(2000, 1, 1) + timedelta(days=int(random.integers(366)))).strftime("%Y%m%d")
    birth_year = int(scanned[:4]) - clinical.age_years - 1
    at = f"{random.integers(24):02d}{random.integers(60):02d}{random.integers(60):02d}"
    pseudonym = hashlib.sha256(f"{seed}/{participant}".encode()).hexdigest()[:8].upper()
    header = Dataset()
    header.SpecificCharacterSet = "ISO_IR 100"
    header.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    header.SOPClassUID = CTImageStorage
    header.StudyDate = header.SeriesDate = header.AcquisitionDate = header.ContentDate = scanned
    header.StudyTime = header.SeriesTime = header.AcquisitionTime = header.ContentTime = at
    header.AccessionNumber = f"FICT{random.integers(10**8):08d}"
    header.Modality = "CT"
    header.Manufacturer = site.manufacturer
    header.ManufacturerModelName = site.model
    header.InstitutionName = f"{site.name} Imaginary Hospital"
    header.ReferringPhysicianName = "Nobody^Ever"
    header.StudyDescription = "CT HEAD SIMULATED"
    header.SeriesDescription = "HEAD PLAIN"
    header.PatientName = f"Fictitious^{pseudonym}"
    header.PatientID = f"FICT-{pseudonym}"
    header.PatientBirthDate = f"{birth_year}1231"
    header.PatientSex = clinical.sex
    header.PatientAge = f"{clinical.age_years:03d}Y"
    header.BodyPartExamined = "HEAD"
    header.ScanOptions = "AXIAL MODE"
    header.KVP = "120"
    header.DataCollectionDiameter = "250"
    header.ReconstructionDiameter = f"{geometry.pixel_mm * geometry.matrix:.1f}"
    header.GantryDetectorTilt = f"{geometry.tilt_deg:g}"
    header.TableHeight = "140"
    header.RotationDirection = "CW"
    header.ExposureTime = "1000"
    header.XRayTubeCurrent = "250"
    header.Exposure = "250"
    header.ConvolutionKernel = site.kernel
    header.PatientPosition = "HFS"
    header.StudyInstanceUID = uid(seed, participant, "study")
    header.SeriesInstanceUID = uid(seed, participant, "series")
    header.FrameOfReferenceUID = uid(seed, participant, "frame")
    header.StudyID = "1"
    header.SeriesNumber = "2"
    header.AcquisitionNumber = "1"
    header.PositionReferenceIndicator = "OM"
    header.ImageOrientationPatient = [f"{cosine:.{ORIENTATION_DIGITS}f}" for cosine in geometry.orientation]
    header.SamplesPerPixel = 1
    header.PhotometricInterpretation = "MONOCHROME2"
    header.Rows = header.Columns = geometry.matrix
    header.PixelSpacing = [f"{geometry.pixel_mm:.6f}"] * 2
    header.BitsAllocated = 16
    header.BitsStored = site.bits_stored
    header.HighBit = site.bits_stored - 1
    header.PixelRepresentation = 0
    header.WindowCenter, header.WindowWidth = "40", "80"
    header.RescaleIntercept, header.RescaleSlope, header.RescaleType = str(INTERCEPT_HU), "1", "HU"
    return header


def write_series(
    folder: Path,
    header: Dataset,
    image: NDArray[np.int16],
    geometry: Geometry,
    slices: Iterable[int],
    from_top: bool,
) -> None:
    """Write the given slices of an image (int16 HU, shape (z, y, x), bottom first) into a folder.

    Files are named after a digest, so that their order says nothing; instance numbers run from the
    top of the head or from its base, as both occur.
    """
    written = sorted(slices, reverse=from_top)
    folder.mkdir(parents=True, exist_ok=True)
    for number, k in enumerate(written, start=1):
        instance = uid(header.SeriesInstanceUID, k)
        header.SOPInstanceUID = instance
        header.InstanceNumber = str(number)
        header.SliceThickness = f"{geometry.slice_thickness_mm[k]:g}"
        header.ImagePositionPatient = [f"{value:.6f}" for value in geometry.origin_mm(k)]
        header.SliceLocation = f"{geometry.table_mm[k]:.3f}"
        header.PixelData = (image[k] - np.int16(INTERCEPT_HU)).astype("<u2").tobytes()
        header["PixelData"].VR = "OW"
        header.file_meta = FileMetaDataset()
        header.file_meta.MediaStorageSOPClassUID = CTImageStorage
        header.file_meta.MediaStorageSOPInstanceUID = instance
        header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        name = hashlib.sha256(instance.encode()).hexdigest()[:8].upper()
        header.save_as(folder / f"CT{name}.dcm", enforce_file_format=True)
