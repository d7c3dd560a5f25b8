"""The cross-check with dcm2niix: what it agrees on, and that it sees each kind of difference."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
from pydicom.dataset import Dataset

from headct.cohort import conversion, crosscheck
from headct.contracts.artefacts import read_json, read_tsv, write_json, write_tsv
from headct.imaging import nifti
from headct.imaging.fitness import SeriesRules
from support.ct_series import PIXEL_MM, head, table_origins, tilted, write_series
from support.label_sets import LABELS, MASK_RULES

CANARIES = ("canary", "/dicom", "Time=")


def converted(folder: Path, **series: Any) -> Path:
    """A scan "a" with its DICOM in ``folder/dicom``, ingested into ``folder/data/a``."""
    write_series(folder / "dicom", **series)
    scan = conversion.SheetScan("a", folder / "dicom", {"mask": mask_of(folder)}, MASK_RULES, LABELS)
    record = conversion.ingest(scan, SeriesRules(), folder / "data" / "a")
    assert record.status == "included", record.reason
    return folder


def mask_of(folder: Path) -> Path:
    """A mask as ITK-SNAP would draw it on this series."""
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder / "dicom")))
    path = folder / "mask.nii.gz"
    sitk.WriteImage(sitk.Cast(reader.Execute() > 20, sitk.sitkUInt8), str(path))
    return path


def row_of(folder: Path) -> pd.Series:
    scans = [{"scan_id": "a", "image": str(folder / "dicom")}]
    table = crosscheck.crosscheck(scans, folder / "data", folder)
    assert list(table.columns) == list(crosscheck.COLUMNS)
    assert not list(folder.glob(".dcm2niix-*")), "what dcm2niix wrote must be gone"
    assert not any(word in table.to_csv().lower() for word in CANARIES)
    return table.iloc[0]


def change(folder: Path, edit: Callable[[np.ndarray], None]) -> None:
    """Edit the voxels of our volume behind the ingest's back."""
    path = folder / "data" / "a" / "ct.nii.gz"
    old = sitk.ReadImage(str(path))
    voxels = sitk.GetArrayFromImage(old)
    edit(voxels)
    new = sitk.GetImageFromArray(voxels)
    new.CopyInformation(old)
    nifti.write(new, path)


UNEVEN = np.array([(-30, -30, z) for z in np.cumsum([10, *[4] * 6, *[6] * 5])], dtype=float)


@pytest.mark.parametrize(
    "series",
    [
        {},
        {"slope": 0.5, "intercept": -1000.25},
        {"origins": table_origins()[::-1]},
        {"orientation": tilted(18.5)},
        {"orientation": (-1.0, 0.0, 0.0, 0.0, -1.0, 0.0), "origins": table_origins(start=(30, 30, 10))},
        {"hounsfield": np.where(head() == 200, 5000, head()).astype(np.int16)},  # metal, clipped by both
    ],
    ids=["plain", "half HU", "superior first", "tilted", "turned", "beyond the range"],
)
def test_agrees(tmp_path: Path, series: dict[str, Any]) -> None:
    row = row_of(converted(tmp_path, **series))
    assert (row.agrees, row.finding, row.voxels_differ) == ("yes", "every voxel is the same", 0)
    assert row.matrix == row.matrix_dcm2niix == "16 x 16 x 12"
    assert row.head_ml == pytest.approx(row.head_tags_ml, rel=1e-9)
    assert row.head_dcm2niix_ml == pytest.approx(row.head_tags_ml, rel=1e-5)


def test_uneven_gaps_make_the_header_wrong_and_not_the_voxels(tmp_path: Path) -> None:
    row = row_of(converted(tmp_path, origins=UNEVEN))
    weights = np.array([4] * 6 + [5] + [6] * 5)
    true_ml = np.count_nonzero(head() > -200, axis=(1, 2)) @ weights * PIXEL_MM**2 / 1000
    assert row.head_ml == row.head_tags_ml == pytest.approx(true_ml, rel=1e-9)
    assert (row.agrees, row.z_spacing_mm) == ("yes", pytest.approx(54 / 11, rel=1e-6))
    assert row.z_spacing_dcm2niix_mm == pytest.approx(4)  # its header has the first gap
    assert row.finding == (
        f"every voxel is the same; dcm2niix's z spacing makes the head {1 - 48 / weights.sum():.1%} "
        "smaller than it is"
    )


def test_tilted_and_numbered_downwards(tmp_path: Path) -> None:
    """dcm2niix goes back along the normal, not along the stack: its corner is 11 gaps of shear away."""

    def tell_tilt(_: int, dataset: Dataset) -> None:
        dataset.GantryDetectorTilt = 18.5

    downwards = table_origins()[::-1]
    row = row_of(converted(tmp_path, orientation=tilted(18.5), origins=downwards, change=tell_tilt))
    off = 11 * 5 * np.sin(np.radians(18.5))
    assert (row.agrees, row.voxels_differ) == ("yes", 0)
    assert row.corner_off_tags_mm == pytest.approx(0, abs=1e-5)
    assert row.corner_dcm2niix_off_tags_mm == pytest.approx(off, abs=1e-3)
    assert row.finding == (
        f"every voxel is the same; dcm2niix's header has the first slice {off:.3f} mm off the tags"
    )


def test_scaled_per_slice(tmp_path: Path) -> None:
    """Each slice with its own slope, which one NIfTI header can't hold."""

    def rescale(index: int, dataset: Dataset) -> None:
        slope = 1 + index % 3
        stored = np.rint((head()[index] + 1024) / slope).astype("<u2")
        dataset.RescaleSlope, dataset.PixelData = slope, stored.tobytes()

    row = row_of(converted(tmp_path, change=rescale))
    assert (row.agrees, row.finding) == ("yes", "every voxel is the same")


def test_sees_changed_voxels(tmp_path: Path) -> None:
    def add(voxels: np.ndarray) -> None:
        voxels[3, 5, 6:9] += (1, 7, -2)

    change(converted(tmp_path), add)
    row = row_of(tmp_path)
    assert (row.agrees, row.voxels_differ, row.largest_difference_hu) == ("no", 3, 7)
    assert row.finding == "3 of 3072 voxels differ, by up to 7 HU"


@pytest.mark.parametrize("axis", [0, 1, 2], ids=["slices", "rows", "columns"])
def test_sees_a_flip(tmp_path: Path, axis: int) -> None:
    def flip(voxels: np.ndarray) -> None:
        voxels[:] = np.flip(voxels, axis).copy()

    change(converted(tmp_path), flip)
    row = row_of(tmp_path)
    assert row.agrees == "no"
    assert "voxels differ" in row.finding


def test_sees_a_wrong_grid(tmp_path: Path) -> None:
    converted(tmp_path)
    path = tmp_path / "data" / "a" / "ct.nii.gz"
    image = sitk.ReadImage(str(path))
    image.SetSpacing((4.0, 4.001, 5.0))
    image.SetOrigin(np.add(image.GetOrigin(), (0.0, 0.0, 5.0)).tolist())
    nifti.write(image, path)
    row = row_of(tmp_path)
    assert row.agrees == "no"
    assert row.finding == (
        "pixels of 4.000000 x 4.001000 mm, by dcm2niix 4.000000 x 4.000000 mm; "
        "the first slice lies 5.000 mm off the tags"
    )


def test_sees_wrong_positions(tmp_path: Path) -> None:
    converted(tmp_path)
    path = tmp_path / "data" / "a" / "scan.json"
    record = read_json(path)
    record["geometry"]["slice_positions_mm"][4] += 0.01
    record["geometry"]["slice_weights_mm"] = [5.5] * 12
    write_json(record, path)
    row = row_of(tmp_path)
    assert row.agrees == "no"
    assert "slice positions are up to 0.01 mm off the tags; the head has" in row.finding


def test_sees_changed_files(tmp_path: Path) -> None:
    converted(tmp_path)
    sorted((tmp_path / "dicom").iterdir())[0].unlink()
    row = row_of(tmp_path)
    assert (row.agrees, row.finding) == ("no", "1 of the 12 converted DICOM files are changed or gone")
    assert np.isnan(row.voxels_differ)


def test_scan_that_dcm2niix_cannot_convert(tmp_path: Path) -> None:
    """Files that it takes for no DICOM: the row says so, and the next scan is compared all the same."""
    converted(tmp_path)
    path = tmp_path / "data" / "a" / "scan.json"
    record = read_json(path)
    for index, file in enumerate(sorted((tmp_path / "dicom").iterdir())):
        file.write_text(f"no DICOM {index}")
        record["instances"][index]["sha256"] = crosscheck.sha256_of(file)
    write_json(record, path)
    row = row_of(tmp_path)
    assert row.agrees == "no"
    assert row.finding.startswith("dcm2niix could not convert it (exit status ")


def test_draw() -> None:
    scans = [f"{number:03d}" for number in range(100)]
    drawn = crosscheck.draw(scans, 10, 1)
    assert drawn == sorted(drawn)
    assert len(set(drawn)) == 10
    assert drawn == crosscheck.draw(reversed(scans), 10, 1)
    assert drawn != crosscheck.draw(scans, 10, 2)
    assert crosscheck.draw(scans[:3], 10, 1) == scans[:3]
    assert len(set(drawn) - set(crosscheck.draw([*scans, "new"], 10, 1))) <= 1


def test_external_sets_have_samples_of_their_own() -> None:
    """A set that is added, however large, takes no place in the sample of the study's own scans."""
    own = [{"scan_id": f"{number:03d}", "set": None} for number in range(30)]
    outside = [{"scan_id": f"x{number:03d}", "set": "external:farnham"} for number in range(90)]
    few = [{"scan_id": "y1", "set": "external:few"}]
    drawn = crosscheck.sample_of([*outside, *own, *few], 10, 1)
    ids = [row["scan_id"] for row in drawn if row["set"] is None]
    assert ids == crosscheck.draw([row["scan_id"] for row in own], 10, 1)
    assert ids == [row["scan_id"] for row in crosscheck.sample_of(own, 10, 1)]
    assert [row["set"] for row in drawn] == [None] * 10 + ["external:farnham"] * 10 + ["external:few"]


def test_command_line(tmp_path: Path) -> None:
    """The included scan is compared, no excluded one and no file; the log names no patient and no path."""
    converted(tmp_path)
    write_json({"kind": "NIfTI file"}, tmp_path / "data/c/scan.json")
    cohort = pd.DataFrame({"scan_id": ["a", "b", "c"], "status": ["included", "excluded", "included"]})
    write_tsv(cohort, tmp_path / "cohort.tsv")
    names = ["scan_id", "participant_id", "site", "dicom", "mask", "age", "sex", "onset_to_ct_h", "rater"]
    scans = [["a", "p1", "x", "dicom", "mask.nii.gz", "", "", "", "r"]]
    scans += [["b", "p2", "x", "gone", "gone.nii.gz", "", "", "", "r"]]
    scans += [["c", "p3", "x", "c.nii.gz", "c-mask.nii.gz", "", "", "", "r"]]
    write_tsv(pd.DataFrame(scans, columns=names), tmp_path / "scans.tsv")
    out, log = tmp_path / "results" / "dcm2niix.tsv", tmp_path / "log.txt"
    words = ["--sheet", tmp_path / "scans.tsv", "--cohort", tmp_path / "cohort.tsv"]
    words += ["--data", tmp_path / "data", "--settings", json.dumps({"scans": 10, "seed": 1})]
    words += ["--out", out, "--log", log]
    ended = subprocess.run(
        [sys.executable, "-m", "headct", "crosscheck", *words], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    table = read_tsv(out)
    assert (list(table.scan_id), list(table.agrees)) == (["a"], ["yes"])
    assert "1 of 1 scans agree with dcm2niix" in ended.stderr
    assert "1 scans are not of DICOM folders" in ended.stderr
    for text in (ended.stdout, ended.stderr, log.read_text(), out.read_text()):
        assert not any(word in text.lower() for word in CANARIES)
