"""The benchmark of ingest: what its breakdown times is still what converts a scan."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from support.ct_series import write_series
from support.masked_scan import drawn, write_mask

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "ingest.py"


def test_each_step_of_the_breakdown_takes_time(tmp_path: Path) -> None:
    dicom, mask, out = tmp_path / "dicom", tmp_path / "mask.nii.gz", tmp_path / "out"
    write_series(dicom)
    write_mask(dicom, mask, drawn())
    out.mkdir()
    timed = [sys.executable, BENCHMARK, "steps", dicom, mask, out]
    seconds = json.loads(subprocess.run(timed, check=True, capture_output=True, text=True).stdout)
    steps = {name: taken for name, taken in seconds.items() if name not in ("imports", "all", "wall")}
    assert set(steps) == {
        "headers of all files",
        "grouping into series, choice of one",
        "pixels to HU, SHA-256 of the files",
        "mask",
        "mask on the grid",
        "NIfTI and gzip",
    }
    assert all(taken > 0 for taken in steps.values())
    assert sum(steps.values()) <= seconds["all"]


def test_a_nifti_file_is_held_against_reading_and_writing_it(tmp_path: Path) -> None:
    write_series(tmp_path / "dicom")
    for words in (
        ("simpleitk", tmp_path / "dicom", tmp_path),
        ("nifti", tmp_path / "ct.nii.gz", tmp_path, "2"),
    ):
        done = subprocess.run([sys.executable, BENCHMARK, *words], check=True, capture_output=True, text=True)
    found = json.loads(done.stdout)
    assert set(found) == {
        "headct ingest of NIfTI",
        "headct's own reading and writing",
        "nibabel",
        "SimpleITK",
    }
    assert all(own["wall"] > 0 for own in found.values())
