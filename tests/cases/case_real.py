"""Cases made from real series (github.com/neurolabusc/dcm_qa_ct), where they are at hand.

They are read where they lie; broken ones are links to most files and a changed copy of one.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import JPEG2000Lossless, RLELossless, generate_uid

from cases.library import Expected, case, clipped, error, excluded, family
from support.real_ct import ABSENT, REAL_CT


def real(name: str) -> list[Path]:
    """Files of a real series, inferior to superior."""
    if not REAL_CT.is_dir():
        pytest.skip(ABSENT)
    files = sorted((REAL_CT / name).iterdir())
    heights = [float(pydicom.dcmread(f, stop_before_pixels=True).ImagePositionPatient[2]) for f in files]
    return [files[index] for index in np.argsort(heights)]


def link(root: Path, files: list[Path], into: str = "") -> list[Path]:
    folder = root / "dicom" / into
    folder.mkdir(parents=True)
    links = [folder / f"{index:03d}" for index in range(len(files))]
    for new, old in zip(links, files, strict=True):
        new.symlink_to(old)
    return links


def truth(files: list[Path]) -> tuple[NDArray[np.int16], NDArray[np.float64], list[Dataset]]:
    """HU and origins, straight from stored values and tags."""
    slices = [pydicom.dcmread(f) for f in files]
    hounsfield = np.stack([s.pixel_array * float(s.RescaleSlope) + float(s.RescaleIntercept) for s in slices])
    origins = np.array([[float(v) for v in s.ImagePositionPatient] for s in slices])
    return clipped(np.rint(hounsfield)), origins, slices


def converted(files: list[Path], *flags: str) -> Expected:
    hounsfield, origins, (first, *_) = truth(files)
    row, column = np.array(first.ImageOrientationPatient, float).reshape(2, 3)
    between_rows, between_columns = (float(v) for v in first.PixelSpacing)
    normal = np.cross(row, column)
    column = np.cross(normal / np.linalg.norm(normal), row / np.linalg.norm(row))
    return Expected(
        flags=flags,
        hounsfield=hounsfield,
        origins=origins,
        directions=(tuple(row / np.linalg.norm(row)), tuple(column)),
        spacing_xy_mm=(between_columns, between_rows),
    )


@case("GE head, tilted, uneven, every third file compressed as JPEG 2000 and every third as RLE")
def real_recompressed(root: Path) -> Expected:
    files = real("ge_head_uneven")
    for index, path in enumerate(link(root, files)):
        dataset = pydicom.dcmread(path)
        if index % 3:
            dataset.compress([JPEG2000Lossless, RLELossless][index % 3 - 1], generate_instance_uid=False)
        path.unlink()
        dataset.save_as(path)
    return converted(files, "tilted", "uneven_gaps")


@case("GE head, a 4 mm slice lost: its gap of 8 mm is hardly wider than the 7 mm above")
def real_lost_thin_slice(root: Path) -> Expected:
    files = real("ge_head_uneven")
    lost = files.pop(5)
    assert float(pydicom.dcmread(lost, stop_before_pixels=True).SliceThickness) < 5
    link(root, files)
    return excluded("missing section")


@case("GE head, a 7 mm slice lost")
def real_lost_thick_slice(root: Path) -> Expected:
    files = real("ge_head_uneven")
    del files[20]
    link(root, files)
    return excluded("missing section")


@case("Philips tilted, a file cut off within its pixels")
def real_truncated(root: Path) -> Expected:
    files = real("philips_tilted")[:12]
    links = link(root, files)
    links[7].unlink()
    links[7].write_bytes(files[7].read_bytes()[:-4096])
    number = pydicom.dcmread(files[7], stop_before_pixels=True).InstanceNumber
    return excluded("truncated or damaged pixels", f"instance {number}\\b")


@case("Philips phantom, half of the slices again under other UIDs and numbers")
def real_copies(root: Path) -> Expected:
    files = real("philips_5mm")
    link(root, files)
    for index, path in enumerate(files[::2]):
        dataset = pydicom.dcmread(path)
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        dataset.InstanceNumber = 500 + index
        dataset.save_as(root / "dicom" / f"copy{index}")
    return converted(files, "duplicates_dropped")


@case("GE head and Philips phantom in one folder")
def real_two_scanners(root: Path) -> Expected:
    link(root, real("ge_head_uneven"), "a")
    link(root, real("philips_5mm"), "b")
    return error("2 series are equally good")


def with_kernels(root: Path, name: str, lower: int, kernels: tuple[str, str]) -> None:
    """Copies of a real series, its ``lower`` first slices and the others with a kernel each."""
    for index, path in enumerate(link(root, real(name))):
        dataset = pydicom.dcmread(path)
        dataset.ConvolutionKernel = kernels[index >= lower]
        path.unlink()
        dataset.save_as(path)


family(
    "real parts",
    "the lowest slices of a real head have another kernel than those above: {member}",
    [
        ("GE, 8 of the 14 thin ones", "ge_head_uneven", 8, ("DETAIL", "SOFT"), ("tilted", "uneven_gaps")),
        ("GE, all 14 thin ones", "ge_head_uneven", 14, ("DETAIL", "SOFT"), ("tilted", "uneven_gaps")),
        ("Philips, 20 of 28", "philips_5mm", 20, ("H31s", "H40s"), ()),
    ],
    lambda root, member: build_parts(root, *member[1:]),
)


def build_parts(
    root: Path, name: str, lower: int, kernels: tuple[str, str], flags: tuple[str, ...]
) -> Expected:
    with_kernels(root, name, lower, kernels)
    return converted(real(name), "joined_series", *flags)


@case("Philips, the upper slices under another Patient ID")
def real_upper_of_another_patient(root: Path) -> Expected:
    files = real("philips_5mm")
    for path in link(root, files)[20:]:
        dataset = pydicom.dcmread(path)
        dataset.PatientID = "CANARY-OTHER"
        path.unlink()
        dataset.save_as(path)
    return error("differ in Patient ID")
