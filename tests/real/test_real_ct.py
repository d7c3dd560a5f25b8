"""Ingest of three real CT series (neurolabusc/dcm_qa_ct, BSD-2-Clause) against the truth in their tags.

The series are public, and not part of the repository: get them from github.com/neurolabusc/dcm_qa_ct and name
their folder in ``HEADCT_REAL_CT`` (else they are looked for in ``../shared/data/real_ct``).
"""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from headct.cohort import conversion
from headct.contracts.artefacts import read_json
from headct.imaging import fitness
from support.label_sets import LABELS, MASK_RULES
from support.real_ct import HEAD_ABOVE_HU, NAMES, REAL_CT, needed

pytestmark = needed


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[sitk.Image, dict, sitk.Image]]:
    """Of each series: our CT, its record, and what ITK's reader makes of it.

    The mask is all that is denser than -200 HU, with ITK's header, as ITK-SNAP would save it.
    """
    results = {}
    for name in NAMES:
        out = tmp_path_factory.mktemp(name)
        reader = sitk.ImageSeriesReader()
        reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(REAL_CT / name)))
        itk = reader.Execute()
        sitk.WriteImage(sitk.Cast(itk > HEAD_ABOVE_HU, sitk.sitkUInt8), str(out / "mask.nii.gz"))
        scan = conversion.SheetScan(name, REAL_CT / name, {"mask": out / "mask.nii.gz"}, MASK_RULES, LABELS)
        conversion.ingest(scan, fitness.SeriesRules(), out)
        results[name] = (sitk.ReadImage(str(out / "ct.nii.gz")), read_json(out / "scan.json"), itk)
    return results


def tags(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sorted slice positions along the normal, pixel spacing and slice origins, from the tags."""
    headers = [pydicom.dcmread(path, stop_before_pixels=True) for path in (REAL_CT / name).iterdir()]
    origins = np.array([header.ImagePositionPatient for header in headers], dtype=float)
    orientation = np.array(headers[0].ImageOrientationPatient, dtype=float)
    normal = np.cross(orientation[:3], orientation[3:])
    positions = origins @ (normal / np.linalg.norm(normal))  # cosines have 7 digits only
    order = np.argsort(positions)
    return positions[order], np.array(headers[0].PixelSpacing, dtype=float), origins[order]


@pytest.mark.parametrize("name", NAMES)
def test_positions_and_spacing_equal_the_tags(converted: dict, name: str) -> None:
    ct, record, _ = converted[name]
    positions, pixel, origins = tags(name)
    assert record["status"] == "included"
    found = record["geometry"]
    np.testing.assert_allclose(found["slice_positions_mm"], positions, atol=1e-6, rtol=0)
    np.testing.assert_allclose(found["slice_origins_mm_lps"], origins, atol=1e-6, rtol=0)
    spacing = (pixel[1], pixel[0], np.diff(positions).mean())
    np.testing.assert_allclose(found["spacing_mm_xyz"], spacing, rtol=1e-6)
    np.testing.assert_allclose(ct.GetSpacing(), spacing, rtol=1e-6)  # float32 in NIfTI
    np.testing.assert_allclose(ct.GetOrigin(), origins[0], atol=1e-4)


@pytest.mark.parametrize(
    ("name", "tilt_deg", "gap_mm", "itk_mm"),
    [
        ("ge_head_uneven", 18.5, 144.088313 / 27, 5.627407),
        ("philips_5mm", 0.0, 5.0, 5.0),
        ("philips_tilted", 18.5, 2.370809, 2.5),
    ],
)
def test_tilt_gap_and_header(
    converted: dict, name: str, tilt_deg: float, gap_mm: float, itk_mm: float
) -> None:
    ct, record, itk = converted[name]
    found = record["geometry"]
    assert found["tilt_deg"] == pytest.approx(tilt_deg, abs=1e-5)
    assert ct.GetSpacing()[2] == pytest.approx(gap_mm, rel=1e-6)
    assert found["header_spacing_z_mm"] == pytest.approx(itk_mm, rel=1e-6)
    assert itk.GetSpacing()[2] == pytest.approx(found["header_spacing_z_mm"], rel=1e-9)


def test_voxel_of_the_tilted_series(converted: dict) -> None:
    record = converted["philips_tilted"][1]
    x, y, z = record["geometry"]["spacing_mm_xyz"]
    assert x * y * z == pytest.approx(0.482421875**2 * 2.5 * np.cos(np.radians(18.5)), rel=1e-6)
    assert x * y * z == pytest.approx(0.5518, abs=5e-5)
    np.testing.assert_allclose(record["geometry"]["slice_weights_mm"], z, rtol=1e-6)


def test_weights_of_the_uneven_series(converted: dict) -> None:
    """14 slices of 4 mm, 14 of 7 mm, 1.08 mm between the two parts, all as in the tags."""
    positions, _, _ = tags("ge_head_uneven")
    gaps = np.diff(positions)
    assert (gaps.min(), gaps.max()) == pytest.approx((1.081, 6.999), abs=5e-4)
    weights = converted["ge_head_uneven"][1]["geometry"]["slice_weights_mm"]
    assert weights[0] == pytest.approx(gaps[0], rel=1e-6)
    assert weights[13] == pytest.approx((gaps[12] + gaps[13]) / 2, rel=1e-6)
    assert weights[-1] == pytest.approx(gaps[-1], rel=1e-6)
    assert weights[5] / 5.627407 - 1 == pytest.approx(1 / 1.406 - 1, abs=1e-3)


@pytest.mark.parametrize(
    ("name", "inflation"),
    [("ge_head_uneven", 0.102), ("philips_5mm", 0.0), ("philips_tilted", 1 / np.cos(np.radians(18.5)) - 1)],
)
def test_itk_inflates_the_volume_and_ingest_does_not(converted: dict, name: str, inflation: float) -> None:
    _, record, itk = converted[name]
    voxels = np.count_nonzero(sitk.GetArrayViewFromImage(itk) > HEAD_ABOVE_HU, axis=(1, 2))
    by_itk_ml = voxels.sum() * np.prod(itk.GetSpacing()) / 1000
    assert by_itk_ml / record["volumes_ml"]["ICH"] - 1 == pytest.approx(inflation, abs=5e-4)
    positions, pixel, _ = tags(name)
    gaps = np.diff(positions)
    weights = np.convolve(np.pad(gaps, 1, mode="edge"), [0.5, 0.5], mode="valid")
    true_ml = pixel.prod() * (weights @ voxels) / 1000
    assert record["volumes_ml"]["ICH"] == pytest.approx(true_ml, rel=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_hounsfield_units_equal_those_of_itk(converted: dict, name: str) -> None:
    ct, _, itk = converted[name]
    expected = np.clip(sitk.GetArrayViewFromImage(itk), -1024, 3071)
    np.testing.assert_array_equal(sitk.GetArrayViewFromImage(ct), expected)


@pytest.mark.parametrize("name", NAMES)
def test_facts_and_flags(converted: dict, name: str) -> None:
    record = converted[name][1]
    expected = {
        "ge_head_uneven": (
            ["bleed_not_dense", "mask_reaches_outside_head", "tilted", "uneven_gaps"],
            "GE MEDICAL SYSTEMS",
            "STD+",
        ),
        "philips_5mm": (["mask_reaches_outside_head"], "Philips", "UB"),
        "philips_tilted": (
            ["face_may_be_recognisable", "mask_reaches_outside_head", "tilted"],
            "Philips",
            "UB",
        ),
    }[name]
    facts = record["acquisition"]
    assert (record["flags"], facts["manufacturer"], facts["kernel"]) == expected
    assert len(record["instances"]) == record["geometry"]["size_xyz"][2]
    assert "NOTTINGHAM" not in str(record)
