"""A zip archive takes no more room than a scan may, and leaves nothing behind, whatever happens to it."""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from headct.contracts.problems import BadInput
from headct.imaging import sources
from headct.imaging.fitness import SeriesRules
from headct.imaging.sources import zip_archive
from headct.imaging.sources.image_source import ImageFacts
from support import ct_series


def archive(root: Path, **entries: bytes) -> Path:
    path = root / "scan.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in entries.items():
            made.writestr(name, content)
    return path


def scratch() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("headct-zip-*"))


def refusal(path: Path) -> str:
    with pytest.raises(BadInput) as caught:
        sources.find(path, "s1").read(SeriesRules(), lambda _grid: True, ImageFacts())
    return str(caught.value)


def test_a_bomb_is_refused_by_what_comes_out_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sizes that its directory claims are not believed: bytes are counted as they come."""
    monkeypatch.setattr(zip_archive, "LARGEST_MB", 1)
    before = scratch()
    path = archive(tmp_path, zeros=bytes(3 << 20))
    assert path.stat().st_size < 1 << 13
    assert "it holds more than 1 MB" in refusal(path)
    assert scratch() == before


def test_too_many_files_are_refused_before_one_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zip_archive, "MOST_FILES", 3)
    path = archive(tmp_path, **{f"im{k}": b"x" for k in range(4)})
    assert "4 files are more than the 3" in refusal(path)


def test_nothing_is_left_and_the_same_patient_is_read_again(tmp_path: Path) -> None:
    paths = ct_series.write_series(tmp_path / "dicom")
    path = archive(tmp_path, **{file.name: file.read_bytes() for file in paths})
    before = scratch()
    source, folder = sources.find(path, "s1"), sources.find(tmp_path / "dicom", "s1")
    ids = {"scan_id": "canary-id", "participant_id": "p1"}
    assert source.refusals(ids, False) == folder.refusals(ids, False) != []
    found, same = ({}, {})
    for one, into in ((source, found), (folder, same)):
        facts = ImageFacts()
        into["hu"] = one.read(SeriesRules(), lambda _grid: True, facts).hu
        into["facts"] = facts
        into["patient"] = one.patient({"instances": facts.instances, "series": facts.series})
    np.testing.assert_array_equal(found["hu"], same["hu"])
    assert found["facts"] == same["facts"]
    assert found["patient"] == same["patient"]
    assert found["patient"]["PatientID"] == "CANARY-ID"
    assert scratch() == before
    path.write_bytes(path.read_bytes()[:-200])
    assert source.patient({"instances": [], "series": {}}) is None
    assert scratch() == before


def test_a_volume_of_an_archive_is_that_of_its_file(tmp_path: Path) -> None:
    image = sitk.GetImageFromArray(ct_series.head())
    image.SetSpacing((4.0, 4.0, 5.0))
    sitk.WriteImage(image, str(tmp_path / "ct.nii.gz"))
    path = archive(tmp_path, **{"deep/ct.nii.gz": (tmp_path / "ct.nii.gz").read_bytes()})
    volumes = [
        sources.find(one, "s1").read(SeriesRules(), lambda _grid: True, ImageFacts())
        for one in (path, tmp_path / "ct.nii.gz")
    ]
    np.testing.assert_array_equal(volumes[0].hu, volumes[1].hu)
    for name, volume in zip(("a", "b"), volumes, strict=True):
        volume.grid.write((volume.hu > 0).astype(np.uint8), tmp_path / f"{name}.nii.gz")
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()
