"""Compressed NIfTI: what is read back, what the header says, and the same bytes every time."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from numpy.typing import NDArray

from headct import nifti

TEXT_FIELDS = {
    "data_type": (4, 14),
    "db_name": (14, 32),
    "descrip": (148, 228),
    "aux_file": (228, 252),
    "intent_name": (328, 344),
}
"""Bytes of the free-text fields of a NIfTI-1 header (nifti1.h)."""


def picture(dtype: type = np.int16) -> NDArray:
    """A volume that compresses neither to nothing nor not at all, the same on every machine."""
    z, y, x = np.indices((5, 48, 64))
    return ((x * y + 37 * z) % 253 + (x * 7919 + y * 104729 + z) % 11).astype(dtype)


def image(dtype: type = np.int16) -> sitk.Image:
    result = sitk.GetImageFromArray(picture(dtype))
    result.SetSpacing((0.4882812, 0.4882812, 5.3366))
    result.SetOrigin((-125.0, -113.07737, -73.335167))
    result.SetDirection((1, 0, 0, 0, 0.9483236, 0.3173047, 0, -0.3173047, 0.9483236))
    return result


@pytest.mark.parametrize("dtype", [np.int16, np.uint8])
def test_round_trip(tmp_path: Path, dtype: type) -> None:
    nifti.write(image(dtype), tmp_path / "ct.nii.gz")
    found = sitk.ReadImage(str(tmp_path / "ct.nii.gz"))
    assert found.GetPixelID() == image(dtype).GetPixelID()
    np.testing.assert_array_equal(sitk.GetArrayViewFromImage(found), picture(dtype))
    np.testing.assert_allclose(found.GetSpacing(), image().GetSpacing(), rtol=1e-7)  # float32
    np.testing.assert_allclose(found.GetOrigin(), image().GetOrigin(), rtol=1e-6)
    np.testing.assert_allclose(found.GetDirection(), image().GetDirection(), atol=1e-6)


def test_same_header_and_voxels_as_simpleitk_writes(tmp_path: Path) -> None:
    nifti.write(image(), tmp_path / "ct.nii.gz")
    sitk.WriteImage(image(), str(tmp_path / "raw.nii"))
    assert gzip.decompress((tmp_path / "ct.nii.gz").read_bytes()) == (tmp_path / "raw.nii").read_bytes()


def test_no_text_reaches_the_header(tmp_path: Path) -> None:
    noted = image()
    for key in ("ITK_FileNotes", "descrip", "aux_file", "intent_name", "db_name", "0010|0010"):
        noted.SetMetaData(key, "Canary")
    sitk.WriteImage(noted, str(tmp_path / "by_itk.nii"))
    assert b"Canary" in (tmp_path / "by_itk.nii").read_bytes()[:352], "this test would see nothing"
    nifti.write(noted, tmp_path / "ct.nii.gz")
    content = gzip.decompress((tmp_path / "ct.nii.gz").read_bytes())
    assert b"Canary" not in content
    for name, (start, end) in TEXT_FIELDS.items():
        assert content[start:end].strip(b"\0 ") == b"", name
    assert noted.GetMetaData("ITK_FileNotes") == "Canary", "the caller's image must stay as it is"


def test_bytes_do_not_depend_on_name_or_time(tmp_path: Path) -> None:
    nifti.write(image(), tmp_path / "one" / "ct.nii.gz")
    first = (tmp_path / "one" / "ct.nii.gz").read_bytes()
    nifti.write(image(), tmp_path / "two" / "another_name.nii.gz")
    assert (tmp_path / "two" / "another_name.nii.gz").read_bytes() == first
    assert first[:4] == b"\x1f\x8b\x08\x00", "gzip without name, comment or extra field"
    assert first[4:8] == bytes(4), "gzip without time"


def test_bytes_are_those_of_every_machine(tmp_path: Path) -> None:
    """Fails where another CPU, or another version of a library, would change digests in a study."""
    nifti.write(image(), tmp_path / "ct.nii.gz")
    found = hashlib.sha256((tmp_path / "ct.nii.gz").read_bytes()).hexdigest()
    assert found == "499d4c67015310452b1a9128a5c9c125e8cb603566d66a2cdf47d217235b51ff"


def test_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    nifti.write(image(), tmp_path / "ct.nii.gz")
    before = (tmp_path / "ct.nii.gz").read_bytes()
    with pytest.raises(RuntimeError):
        nifti.write(sitk.Image([4, 4, 4], sitk.sitkLabelUInt8), tmp_path / "ct.nii.gz")  # no such NIfTI
    assert (tmp_path / "ct.nii.gz").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["ct.nii.gz"]
