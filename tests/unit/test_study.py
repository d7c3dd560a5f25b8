"""When a scan is converted again: its DICOM folder is not what was converted, or a volume was lost."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from ct_series import write_series

from headct import ingest, study
from headct.artefacts import read_json
from headct.series import SeriesRules


@pytest.fixture
def record(tmp_path: Path) -> Path:
    """The record of a scan that was converted at revision 3."""
    write_series(tmp_path / "dicom")
    scan = ingest.Scan("s1", tmp_path / "dicom", {}, {"ICH": 1, "PHE": 2, "IVH": 3})
    ingest.ingest(scan, SeriesRules(), tmp_path / "out", revision=3)
    assert read_json(tmp_path / "out/scan.json")["status"] == "included"
    return tmp_path / "out/scan.json"


def test_nothing_changed(record: Path, tmp_path: Path) -> None:
    assert study.scan_revision(record, tmp_path / "dicom") == 3
    assert study.scan_revision(tmp_path / "other/scan.json", tmp_path / "dicom") == 0


def test_a_copy_with_new_times_is_no_change(record: Path, tmp_path: Path) -> None:
    shutil.copytree(tmp_path / "dicom", tmp_path / "copy", copy_function=shutil.copyfile)
    for path in (tmp_path / "copy").iterdir():
        os.utime(path, (2e9, 2e9))
    assert study.scan_revision(record, tmp_path / "copy") == 3


def test_another_pixel_in_place_is_noticed(record: Path, tmp_path: Path) -> None:
    path = next((tmp_path / "dicom").iterdir())
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    os.utime(path, (2e9, 2e9))
    assert study.scan_revision(record, tmp_path / "dicom") == 4


@pytest.mark.parametrize("change", ["added", "removed", "renamed", "gone"])
def test_other_files_are_noticed(record: Path, tmp_path: Path, change: str) -> None:
    path = next((tmp_path / "dicom").iterdir())
    if change == "added":
        shutil.copy2(path, path.with_name("again.dcm"))
    elif change == "removed":
        path.unlink()
    elif change == "renamed":
        path.rename(path.with_name("renamed.dcm"))
    else:
        shutil.rmtree(tmp_path / "dicom")
    assert study.scan_revision(record, tmp_path / "dicom") == 4


def test_a_lost_volume_is_noticed(record: Path, tmp_path: Path) -> None:
    record.with_name("ct.nii.gz").unlink()
    assert study.scan_revision(record, tmp_path / "dicom") == 4
