"""Real series handed in as DICOM, and as files that dcm2niix and SimpleITK make of them: the same volumes.

Where a format lost what that takes, a message or a flag says so. Where the series come from: test_real_ct.py.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import dcm2niix
import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from headct.cohort import conversion
from headct.imaging import fitness
from support.label_sets import LABELS, MASK_RULES
from support.real_ct import HEAD_ABOVE_HU, NAMES, REAL_CT, needed

pytestmark = needed
COS = float(np.cos(np.radians(18.5)))

VOXEL_MM3 = {
    "philips_5mm": 0.451171875**2 * 5,
    "philips_tilted": 0.482421875**2 * 2.5 * COS,  # .5518
    "ge_head_uneven": 0.4882812**2 * 144.088313 / 27,  # mean gap 5.337
}


def ingested(image: Path, mask: Path, out: Path) -> conversion.ScanRecord:
    scan = conversion.SheetScan("s1", image, {"mask": mask}, MASK_RULES, LABELS)
    return conversion.ingest(scan, fitness.SeriesRules(), out)


def voxel_mm3(record: conversion.ScanRecord) -> float:
    assert record.geometry is not None
    return float(np.prod(record.geometry["spacing_mm_xyz"]))


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], conversion.ScanRecord]:
    """Records by series and by what was handed in; the mask is all that is denser than -200 HU."""
    records = {}
    for name in NAMES:
        root = tmp_path_factory.mktemp(name)
        reader = sitk.ImageSeriesReader()
        reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(REAL_CT / name)))
        itk = reader.Execute()
        mask = root / "itk_mask.nii.gz"
        sitk.WriteImage(sitk.Cast(itk > HEAD_ABOVE_HU, sitk.sitkUInt8), str(mask))
        records[name, "dicom"] = ingested(REAL_CT / name, mask, root / "dicom")
        for suffix in ("nii", "mha", "nrrd"):
            sitk.WriteImage(itk, str(root / f"itk.{suffix}"))
            records[name, suffix] = ingested(root / f"itk.{suffix}", mask, root / suffix)
        options = ["-g", "i", "-b", "n", "-z", "n", "-f", "ct", "-o", str(root)]
        subprocess.run([dcm2niix.bin, *options, str(REAL_CT / name)], check=True, capture_output=True)
        (root / "alone").mkdir()
        shutil.copy(root / "ct.nii", root / "alone")
        ct = nibabel.load(root / "ct.nii")
        header = ct.header.copy()
        header.set_data_dtype(np.uint8)
        drawn = (np.asanyarray(ct.dataobj) > HEAD_ABOVE_HU).astype(np.uint8)
        nibabel.save(nibabel.Nifti1Image(drawn, ct.affine, header), root / "mask.nii.gz")
        for how, image in (("dcm2niix", root / "ct.nii"), ("dcm2niix, moved", root / "alone/ct.nii")):
            records[name, how] = ingested(image, root / "mask.nii.gz", root / how)
    return records


@pytest.mark.parametrize("name", NAMES)
def test_dicom_has_the_true_voxel(converted: dict, name: str) -> None:
    assert voxel_mm3(converted[name, "dicom"]) == pytest.approx(VOXEL_MM3[name], rel=1e-6)


@pytest.mark.parametrize(
    ("name", "how"),
    [
        *(("philips_5mm", how) for how in ("nii", "mha", "nrrd", "dcm2niix", "dcm2niix, moved")),
        ("philips_tilted", "dcm2niix"),
        ("philips_tilted", "dcm2niix, moved"),
    ],
)
def test_what_a_file_still_holds_gives_the_volumes_of_the_series(
    converted: dict, name: str, how: str
) -> None:
    series, file = converted[name, "dicom"], converted[name, how]
    assert file.status == "included", file.reason
    assert voxel_mm3(file) == pytest.approx(VOXEL_MM3[name], rel=1e-5)
    assert file.volumes_ml["ICH"] == pytest.approx(series.volumes_ml["ICH"], rel=1e-5)
    assert file.pixels_sha256 == series.pixels_sha256, "the same voxels in the same order"
    assert ("tilted" in file.flags) == ("tilted" in series.flags)


@pytest.mark.parametrize("suffix", ["nii", "mha", "nrrd"])
def test_a_tilt_that_itk_dropped_is_flagged(converted: dict, suffix: str) -> None:
    """Its spacing is the way of the table: nothing in the file tells that from slices that far apart."""
    file = converted["philips_tilted", suffix]
    assert file.status == "included", file.reason
    assert "leaning_slices" in file.flags
    assert voxel_mm3(file) == pytest.approx(VOXEL_MM3["philips_tilted"] / COS, rel=1e-5)


@pytest.mark.parametrize("suffix", ["mha", "nrrd"])
def test_uneven_gaps_that_itk_noted_are_refused(converted: dict, suffix: str) -> None:
    record = converted["ge_head_uneven", suffix]
    assert record.status == "error"
    assert "slices lie up to 4.48741 mm off the even grid" in record.reason
    assert "places were lost" in record.reason


def test_uneven_gaps_that_dcm2niix_noted_are_refused(converted: dict) -> None:
    """By the copy that it evened out; without it, nothing but the flag of every such file is left."""
    record = converted["ge_head_uneven", "dcm2niix"]
    assert record.status == "error"
    assert "one gap for all, 4.002 mm; the places of the slices were lost" in record.reason
    for how in ("nii", "dcm2niix, moved"):
        assert converted["ge_head_uneven", how].status == "included"
        assert "header_spacing" in converted["ge_head_uneven", how].flags
