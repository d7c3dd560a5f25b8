"""Three real CT series as we and dcm2niix convert them: the same HU on the same grid, voxel for voxel.

Where the series come from: test_real_ct.py. Here dcm2niix is called afresh, without
``headct.cohort.crosscheck``; that its own verdict on the same series is right is the last test.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import dcm2niix
import nibabel
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from headct.cohort import conversion, crosscheck
from headct.contracts.artefacts import read_json
from headct.imaging import fitness, nifti, nifti_geometry, scan_selection, series
from headct.imaging.dicom import read_folder
from support.label_sets import LABELS, MASK_RULES
from support.real_ct import HEAD_ABOVE_HU, NAMES, REAL_CT, needed

pytestmark = needed


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with our conversion of each series; the mask is all that is denser than -200 HU."""
    data = tmp_path_factory.mktemp("data")
    for name in NAMES:
        reader = sitk.ImageSeriesReader()
        reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(REAL_CT / name)))
        mask = data / f"{name}.nii.gz"
        sitk.WriteImage(sitk.Cast(reader.Execute() > HEAD_ABOVE_HU, sitk.sitkUInt8), str(mask))
        scan = conversion.SheetScan(name, REAL_CT / name, {"mask": mask}, MASK_RULES, LABELS)
        conversion.ingest(scan, fitness.SeriesRules(), data / name)
    return data


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, sitk.Image]:
    """Of each series what dcm2niix writes before it un-shears and evens out, axes in LPS order."""
    images = {}
    for name in NAMES:
        out = tmp_path_factory.mktemp(name)
        options = ["-g", "i", "-b", "n", "-z", "n", "-f", "ct", "-o", str(out)]
        subprocess.run([dcm2niix.bin, *options, str(REAL_CT / name)], check=True, capture_output=True)
        images[name] = sitk.DICOMOrient(sitk.ReadImage(str(out / "ct.nii")), "LPS")
    return images


def voxels(image: sitk.Image) -> np.ndarray:
    return sitk.GetArrayViewFromImage(image)


@pytest.mark.parametrize("name", NAMES)
def test_a_mask_drawn_on_their_image_is_taken_voxel_for_voxel(ours: Path, tmp_path: Path, name: str) -> None:
    """Of uneven gaps their header has the first (4.00 mm, mean 5.34); of a tilted series it is sheared."""
    options = ["-z", "y", "-b", "n", "-f", "ct", "-o", str(tmp_path)]
    subprocess.run([dcm2niix.bin, *options, str(REAL_CT / name)], check=True, capture_output=True)
    ct = nibabel.load(tmp_path / "ct.nii.gz")
    header = ct.header.copy()
    header.set_data_dtype(np.uint8)
    drawn = (np.asanyarray(ct.dataobj) > HEAD_ABOVE_HU).astype(np.uint8)
    nibabel.save(nibabel.Nifti1Image(drawn, ct.affine, header), tmp_path / "mask.nii.gz")
    scan = conversion.SheetScan(name, REAL_CT / name, {"mask": tmp_path / "mask.nii.gz"}, MASK_RULES, LABELS)
    record = conversion.ingest(scan, fitness.SeriesRules(), tmp_path / "out")
    assert record.status == "included", record.reason
    labels, expected = (sitk.ReadImage(str(at / "labels.nii.gz")) for at in (tmp_path / "out", ours / name))
    np.testing.assert_array_equal(voxels(labels), voxels(expected))


@pytest.mark.parametrize("name", NAMES)
def test_hounsfield_units_equal_voxel_for_voxel(ours: Path, theirs: dict, name: str) -> None:
    ct = sitk.ReadImage(str(ours / name / "ct.nii.gz"))
    assert ct.GetSize() == theirs[name].GetSize()
    np.testing.assert_allclose(ct.GetSpacing()[:2], theirs[name].GetSpacing()[:2], rtol=1e-6)
    np.testing.assert_allclose(ct.GetOrigin(), theirs[name].GetOrigin(), atol=1e-4)
    np.testing.assert_array_equal(voxels(ct), np.clip(voxels(theirs[name]), -1024, 3071))
    assert np.ptp(voxels(ct)) > 1500, "two empty volumes would be equal too"


def by_tags(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Area of a pixel and thickness that each slice stands for, from the tags, inferior to superior."""
    headers = [pydicom.dcmread(path, stop_before_pixels=True) for path in (REAL_CT / name).iterdir()]
    origins = np.array([header.ImagePositionPatient for header in headers], dtype=float)
    orientation = np.array(headers[0].ImageOrientationPatient, dtype=float)
    normal = np.cross(orientation[:3], orientation[3:])
    gaps = np.diff(np.sort(origins @ (normal / np.linalg.norm(normal))))
    weights = np.convolve(np.pad(gaps, 1, mode="edge"), [0.5, 0.5], mode="valid")
    return np.prod(np.array(headers[0].PixelSpacing, dtype=float)), weights


@pytest.mark.parametrize("name", NAMES)
def test_volume_of_the_head_is_true(ours: Path, theirs: dict, name: str) -> None:
    """Our volume of all above -200 HU, against dcm2niix's voxels and thicknesses from the tags."""
    area, weights = by_tags(name)
    head = np.count_nonzero(voxels(theirs[name]) > HEAD_ABOVE_HU, axis=(1, 2))
    true_ml = area * (weights @ head) / 1000
    record = read_json(ours / name / "scan.json")
    assert record["volumes_ml"]["ICH"] == pytest.approx(true_ml, rel=1e-6)
    x, y, z = record["geometry"]["spacing_mm_xyz"]
    steps = weights[1:-1].sum() + (weights[0] + weights[-1]) / 2  # first to last position
    assert x * y * z == pytest.approx(area * steps / (len(weights) - 1), rel=1e-6)


@pytest.mark.parametrize(
    ("name", "z_spacing_mm", "off"),
    [("ge_head_uneven", 4.001926, -0.216), ("philips_5mm", 5.0, 0.0), ("philips_tilted", 2.370809, 0.0)],
)
def test_crosscheck_says_so(ours: Path, tmp_path: Path, name: str, z_spacing_mm: float, off: float) -> None:
    """dcm2niix takes the first gap for the z spacing: right under tilt, wrong under uneven gaps."""
    scans = [{"scan_id": name, "image": str(REAL_CT / name)}]
    row = crosscheck.crosscheck(scans, ours, tmp_path).iloc[0]
    assert (row.agrees, row.voxels_differ, row.largest_difference_hu) == ("yes", 0, 0)
    assert row.positions_off_tags_mm <= 1e-6
    assert row.z_spacing_dcm2niix_mm == pytest.approx(z_spacing_mm, abs=1e-6)
    assert row.head_dcm2niix_ml / row.head_tags_ml - 1 == pytest.approx(off, abs=1e-3)
    assert "smaller than it is" in row.finding or off == 0


@pytest.mark.parametrize(
    ("name", "voxel_mm3", "by_sform_mm3"),
    [("philips_tilted", 0.5518, 0.5232), ("ge_head_uneven", 0.9541, 0.9048), ("philips_5mm", 1.0178, 1.0178)],
)
def test_the_slice_axis_that_dcm2niix_shortens_under_tilt_is_restored(
    tmp_path: Path, name: str, voxel_mm3: float, by_sform_mm3: float
) -> None:
    options = ["-g", "i", "-b", "n", "-z", "y", "-f", "ct", "-o", str(tmp_path)]
    subprocess.run([dcm2niix.bin, *options, str(REAL_CT / name)], check=True, capture_output=True)
    volume = nifti.read(tmp_path / "ct.nii.gz")
    found = nifti_geometry.placement(volume.header, volume.values.shape)
    assert abs(np.linalg.det(found.affine)) == pytest.approx(voxel_mm3, abs=5e-5)
    assert abs(np.linalg.det(volume.header.get_sform())) == pytest.approx(by_sform_mm3, abs=5e-5)
    if name == "ge_head_uneven":  # no affine transform tells where its slices are
        return
    instances = series.group(read_folder(REAL_CT / name, name).instances)
    grid = scan_selection.choose(instances, fitness.SeriesRules(), name).geometry
    image = found.image(found.to_lps(volume.values))
    np.testing.assert_allclose(image.GetSpacing(), grid.spacing_mm_xyz, rtol=1e-5)
    np.testing.assert_allclose(image.GetOrigin(), grid.origins[0], atol=1e-3)
    for index, origin in enumerate(grid.origins):
        np.testing.assert_allclose((found.lps_affine @ (0, 0, index, 1))[:3], origin, atol=1e-3)
