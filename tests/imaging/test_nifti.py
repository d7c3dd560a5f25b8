"""Compressed NIfTI: what is read back, what the header says, and the same bytes every time."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import os
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from headct.imaging import nifti, nifti_geometry
from headct.imaging.sources import nifti_file

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


def plain(dtype: type = np.int16) -> nibabel.Nifti1Image:
    """A small volume with both transforms, as nibabel writes it."""
    found = nibabel.Nifti1Image(picture(dtype).transpose(), np.diag([0.5, 0.5, 5, 1]))
    found.header.set_xyzt_units("mm")
    found.set_qform(found.affine, 1)
    return found


def written(path: Path, image: nibabel.Nifti1Image) -> Path:
    nibabel.save(image, path)
    return path


def reason(path: Path) -> str:
    with pytest.raises(nifti.Unreadable) as caught:
        nifti.read(path)
    assert str(path) not in str(caught.value), "a path may name a patient"
    return str(caught.value)


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize("endianness", ["<", ">"])
def test_both_versions_are_read_whatever_the_file_is_called(
    tmp_path: Path, kind: Any, endianness: str
) -> None:
    header = kind.header_class(endianness=endianness)
    whole = kind(picture().transpose(), np.diag([0.5, 0.5, 5, 1]), header)
    written(tmp_path / "ct.nii", whole)
    content = (tmp_path / "ct.nii").read_bytes()
    (tmp_path / "not-compressed.nii.gz").write_bytes(content)
    (tmp_path / "compressed.nii").write_bytes(gzip.compress(content))
    (tmp_path / "without-suffix").write_bytes(content)
    for path in tmp_path.iterdir():
        assert nifti_file.Source.takes(path)
        np.testing.assert_array_equal(nifti.read(path).values, picture().transpose(), path.name)


def test_values_are_scaled_and_not_repaired(tmp_path: Path) -> None:
    values = picture(np.float32).transpose()
    values[3, 4, 2] = np.nan
    found = nifti.read(written(tmp_path / "nan.nii.gz", nibabel.Nifti1Image(values, np.eye(4)))).values
    assert np.isnan(found[3, 4, 2])
    assert np.isfinite(found).sum() == values.size - 1
    scaled = plain(np.uint8)
    scaled.header.set_slope_inter(2, -1024)
    scaled = nibabel.Nifti1Image(np.zeros(scaled.shape), scaled.affine, scaled.header)
    path = written(tmp_path / "scaled.nii", scaled)
    content = bytearray(path.read_bytes())
    content[352:] = picture(np.uint8).transpose().tobytes(order="F")[: len(content) - 352]
    content[112:120] = np.array([2, -1024], np.float32).tobytes()
    path.write_bytes(content)
    np.testing.assert_array_equal(nifti.read(path).values, picture(np.uint8).transpose() * 2.0 - 1024)


def test_each_thing_that_is_no_volume_is_told_in_its_own_words(tmp_path: Path) -> None:
    found: dict[str, str] = {}

    def holds(name: str, content: bytes) -> None:
        (tmp_path / name).write_bytes(content)
        found[name] = reason(tmp_path / name)

    whole = written(tmp_path / "whole.nii.gz", plain()).read_bytes()
    bare = gzip.decompress(whole)
    holds("lfs.nii.gz", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n")
    holds("annex.nii.gz", b"/annex/objects/SHA256E-s5--0.nii.gz\n")
    holds("empty.nii.gz", b"")
    holds("empty_inside.nii.gz", gzip.compress(b""))
    holds("page.nii.gz", b"<!DOCTYPE html><html>404</html>")
    holds("text.nii", b"nothing")
    holds("dicom.nii", bytes(128) + b"DICM" + bytes(400))
    holds("nrrd.nii", b"NRRD0005\n" + bytes(400))
    holds("cut.nii.gz", whole[:-200])
    holds("cut.nii", bare[:-1])
    holds("cut_header.nii.gz", gzip.compress(bare[:347]))
    holds("flipped.nii.gz", whole[:2000] + bytes([whole[2000] ^ 8]) + whole[2001:])
    holds("dim.nii", bare[:40] + np.array([3, 65535, 65535, 5], ">u2").tobytes() + bare[48:])
    holds("huge.nii", bare[:40] + np.array([3, 32767, 32767, 32767], "<i2").tobytes() + bare[48:])
    holds("offset.nii", bare[:108] + np.float32(np.nan).tobytes() + bare[112:])
    holds("kind.nii", bare[:70] + np.array([77], "<i2").tobytes() + bare[72:])
    for name, kind in (("rgb", [("R", "u1"), ("G", "u1"), ("B", "u1")]), ("complex", np.complex64)):
        image = nibabel.Nifti1Image(np.zeros((4, 4, 4), kind), np.eye(4))
        found[name] = reason(written(tmp_path / f"{name}.nii", image))
    found["series"] = reason(
        written(tmp_path / "4d.nii", nibabel.Nifti1Image(np.zeros((4, 4, 4, 2)), np.eye(4)))
    )
    for name, kind in (("pair", nibabel.Nifti1Pair), ("analyze", nibabel.AnalyzeImage)):
        written(tmp_path / f"{name}.img", kind(np.zeros((4, 4, 4), np.int16), np.eye(4)))
        (tmp_path / f"{name}.img").rename(tmp_path / f"{name}.elsewhere")
        found[name] = reason(tmp_path / f"{name}.hdr")
        assert nifti_file.Source.takes(tmp_path / f"{name}.hdr")
    (tmp_path / "link.nii.gz").symlink_to("/nowhere/DOE_JANE.nii.gz")
    (tmp_path / "loop.nii.gz").symlink_to(tmp_path / "loop.nii.gz")
    (tmp_path / "folder.nii.gz").mkdir()
    os.mkfifo(tmp_path / "pipe.nii.gz")  # to open it would wait for ever
    for name in ("link", "gone", "loop", "folder", "pipe"):
        found[name] = reason(tmp_path / f"{name}.nii.gz")
    expected = {
        "lfs.nii.gz": "Git LFS pointer",
        "annex.nii.gz": "git-annex pointer",
        "empty.nii.gz": "empty file",
        "empty_inside.nii.gz": "empty file",
        "page.nii.gz": "web page",
        "text.nii": "can't be read as NIfTI",
        "dicom.nii": "but DICOM",
        "nrrd.nii": "but NRRD",
        "cut.nii.gz": "truncated or damaged",
        "cut.nii": f"truncated: {len(bare) - 1} of the {len(bare)} bytes",
        "cut_header.nii.gz": "can't be read as NIfTI",
        "flipped.nii.gz": "truncated or damaged",
        "dim.nii": "header is damaged: dim is",
        "huge.nii": "the file is truncated",
        "offset.nii": "header is damaged: voxels from byte nan",
        "kind.nii": "header is truncated or damaged",
        "rgb": "a colour image",
        "complex": "voxels of the kind complex64",
        "series": "not one volume: its size is 4 x 4 x 4 x 2",
        "pair": "one of a pair of files",
        "analyze": "Analyze 7.5, which has no orientation",
        "link": "a broken link",
        "gone": "no such file",
        "loop": "can't be opened",
        "folder": "a folder",
        "pipe": "not a regular file",
    }
    assert {name for name in expected if expected[name] not in found[name]} == set(), found
    assert found.keys() == expected.keys()
    assert "nowhere" not in found["link"]


def test_a_label_map_has_the_transforms_of_its_ct_and_none_of_its_text(tmp_path: Path) -> None:
    for kind in (nibabel.Nifti1Image, nibabel.Nifti2Image):
        sheared = np.array([[-0.5, 0, 0, 9], [0, 0.46, 0.1, 8], [0, 0.15, 5, 7], [0, 0, 0, 1]])
        ct = kind(picture().transpose(), sheared)
        ct.header.set_xyzt_units("mm", "sec")
        ct.set_sform(sheared, 2)
        ct.set_qform(np.diag([-0.5, 0.5, 5, 1]), 1)
        ct.header["descrip"], ct.header["aux_file"], ct.header["intent_name"] = (
            b"Canary",
            b"Canary",
            b"Canary",
        )
        ct.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"Canary"))
        source = nifti.read(written(tmp_path / "ct.nii", ct))
        assert b"Canary" in (tmp_path / "ct.nii").read_bytes(), "this test would see nothing"
        labels = (picture() % 4).astype(np.uint8).transpose()
        nifti.write_on_grid_of(source.header, labels, tmp_path / "labels.nii.gz")
        found = nibabel.load(tmp_path / "labels.nii.gz")
        assert type(found) is kind
        assert found.get_data_dtype() == np.uint8
        np.testing.assert_array_equal(np.asanyarray(found.dataobj), labels)
        for field in nifti.TRANSFORMS:
            np.testing.assert_array_equal(found.header[field], ct.header[field], field)
        assert b"Canary" not in gzip.decompress((tmp_path / "labels.nii.gz").read_bytes())


@example(place=487, value=96, version=nibabel.Nifti2Image, compressed=False)  # an sform of 1e200 mm
@settings(max_examples=400, deadline=None)
@given(
    place=st.integers(0, 351) | st.integers(0, 2000),
    value=st.integers(0, 255),
    version=st.sampled_from([nibabel.Nifti1Image, nibabel.Nifti2Image]),
    compressed=st.booleans(),
)
def test_any_damaged_byte_is_read_or_told(
    tmp_path_factory: pytest.TempPathFactory, place: int, value: int, version: Any, compressed: bool
) -> None:
    """No header makes a reader of many scans end with another error."""
    path = tmp_path_factory.getbasetemp() / f"damaged-{version.__name__}.nii"
    written(path, version(picture().transpose()[:8, :8], np.diag([0.5, 0.5, 5, 1])))
    content = bytearray(gzip.compress(path.read_bytes()) if compressed else path.read_bytes())
    content[place % len(content)] = value
    path.write_bytes(content)
    with contextlib.suppress(nifti.Unreadable):
        volume = nifti.read(path)
        nifti_geometry.placement(volume.header, volume.values.shape)
