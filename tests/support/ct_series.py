"""Small CT series written by pydicom, for the tests of ingest; each argument breaks one thing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
PIXEL_MM = 4.0
STUDY_UID, FRAME_UID = "1.2.826.0.1.3680043.8.498.1", "1.2.826.0.1.3680043.8.498.2"
"""Study and frame of reference of whatever is written, unless a change says otherwise."""


def tilted(degrees: float) -> tuple[float, ...]:
    """Image orientation under a gantry tilt, rows along x."""
    radians = np.radians(degrees)
    return (1.0, 0.0, 0.0, 0.0, float(np.cos(radians)), float(-np.sin(radians)))


def head(slices: int = 12, rows: int = 16, columns: int = 16) -> NDArray[np.int16]:
    """A block of tissue in air with a calcified corner, in HU; no symmetry, each slice different."""
    hounsfield = np.full((slices, rows, columns), -1000, dtype=np.int16)
    hounsfield[:, 4:-4, 4:-4] = 30 + np.arange(slices, dtype=np.int16)[:, None, None]
    hounsfield[:, 4, 5:7] = 200
    return hounsfield


def table_origins(
    slices: int = 12, gap_mm: float = 5.0, start: Sequence[float] = (-30.0, -30.0, 10.0)
) -> NDArray[np.float64]:
    """Origins of slices that a moving table stacks along z, tilt or no tilt."""
    return np.asarray(start) + np.outer(np.arange(slices) * gap_mm, [0.0, 0.0, 1.0])


def write_series(
    folder: Path,
    hounsfield: NDArray[np.int16] | None = None,
    origins: NDArray[np.float64] | None = None,
    orientation: Sequence[float] = AXIAL,
    *,
    spacing: Sequence[float] = (PIXEL_MM, PIXEL_MM),
    slope: float = 1.0,
    intercept: float = -1024.0,
    series: int = 1,
    change: Callable[[int, Dataset], None] | None = None,
) -> list[Path]:
    """Write one file per slice; ``change(index, dataset)`` edits each before it is written.

    ``spacing`` is as in DICOM: between rows, between columns. Names say nothing of the order.
    """
    hounsfield = head() if hounsfield is None else hounsfield
    origins = table_origins(len(hounsfield)) if origins is None else origins
    folder.mkdir(parents=True, exist_ok=True)
    series_uid = generate_uid()
    paths = []
    for index, (image, origin) in enumerate(zip(hounsfield, origins, strict=True)):
        dataset = _header(orientation, spacing, slope, intercept, origin)
        dataset.SeriesInstanceUID, dataset.StudyInstanceUID = series_uid, STUDY_UID
        dataset.FrameOfReferenceUID = FRAME_UID
        dataset.SeriesNumber, dataset.InstanceNumber = series, index + 1
        dataset.Rows, dataset.Columns = image.shape
        stored = np.rint((image - intercept) / slope).astype("<u2")
        dataset.PixelData = stored.tobytes()
        if change is not None:
            change(index, dataset)
        path = folder / f"{(index * 7919 + series * 31) % 100003:06d}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def _header(
    orientation: Sequence[float],
    spacing: Sequence[float],
    slope: float,
    intercept: float,
    origin: NDArray[np.float64],
) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    dataset.Modality = "CT"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.Manufacturer, dataset.ConvolutionKernel = "Maker", "H31s"
    dataset.PatientName, dataset.PatientID = "Canary^Name", "CANARY-ID"
    dataset.SliceThickness = 5.0
    dataset.ImageOrientationPatient = [pydicom.valuerep.DSfloat(v, auto_format=True) for v in orientation]
    dataset.ImagePositionPatient = [pydicom.valuerep.DSfloat(v, auto_format=True) for v in origin]
    dataset.PixelSpacing = [pydicom.valuerep.DSfloat(v, auto_format=True) for v in spacing]
    dataset.RescaleSlope, dataset.RescaleIntercept = slope, intercept
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    dataset.PixelRepresentation = 0
    return dataset
