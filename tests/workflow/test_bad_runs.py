"""Faults inside the files: each scan's is told, all in one table, and nothing is trained."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import snake
import yaml

FAULTS = ("unknown label", "wrong matrix", "empty mask", "no mask file", "no DICOM", "mask of another scan")


@pytest.fixture
def small(demo: Path, tmp_path: Path) -> Path:
    """A study of the demo's first scans, one for each fault, and one that is good."""
    trial = tmp_path / "trial"
    lines = (demo / "trial/scans.tsv").read_text(encoding="utf-8").splitlines()[: len(FAULTS) + 2]
    for line in lines[1:]:
        scan = line.split("\t")[0]
        shutil.copytree(demo / "trial/dicom" / scan, trial / "dicom" / scan)
    shutil.copytree(demo / "trial/masks", trial / "masks")
    (trial / "scans.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path


def run(small: Path, *arguments: str):
    return snake.run("--directory", small, "--configfile", "config/demo.yaml", "--cores", "2", *arguments)


def change_mask(path: Path, change) -> None:
    image = sitk.ReadImage(str(path))
    changed = sitk.GetImageFromArray(change(sitk.GetArrayFromImage(image)))
    if changed.GetSize() == image.GetSize():
        changed.CopyInformation(image)
    sitk.WriteImage(changed, str(path))


def test_faults_of_all_scans_are_told_together_before_any_training(small: Path) -> None:
    masks = [small / f"trial/masks/scan-{number:04d}.nii.gz" for number in range(1, len(FAULTS) + 1)]
    change_mask(masks[0], lambda labels: np.where(labels == 1, 7, labels).astype(np.uint8))
    change_mask(masks[1], lambda labels: labels[:, ::2, ::2])
    change_mask(masks[2], np.zeros_like)
    (small / "trial/dicom/scan-0005/notes.txt").write_text("no image")
    for file in (small / "trial/dicom/scan-0005").glob("*.dcm"):
        file.unlink()
    shutil.copyfile(small / "trial/masks/scan-0007.nii.gz", masks[5])
    done = run(small, "results/metrics/unet.tsv")
    assert done.returncode == 1
    table = done.stdout[done.stdout.index("problems:") :]
    for scan, words in (
        ("0001", "7"),
        ("0002", "matrix"),
        ("0003", "empty"),
        ("0005", "DICOM"),
        ("0006", "fit"),
    ):
        row = next(line for line in table.splitlines() if scan in line)
        assert words in row
    assert not (small / "results/models").exists()
    assert not (small / "work").exists()


def test_a_missing_mask_file_ends_before_any_job(small: Path) -> None:
    (small / "trial/masks/scan-0004.nii.gz").unlink()
    done = run(small)
    assert done.returncode == 1
    assert "row 5" in done.stdout
    assert "scan-0004.nii.gz" in done.stdout
    assert not (small / "results").exists()


def test_results_of_another_study_are_left_alone(small: Path) -> None:
    assert run(small, "results/cohort/cohort.tsv").returncode == 0
    config = yaml.safe_load((snake.REPOSITORY / "config/demo.yaml").read_text(encoding="utf-8"))
    config["study"]["name"] = "another"
    other = small / "other.yaml"
    other.write_text(yaml.safe_dump(config), encoding="utf-8")
    done = snake.run("--directory", small, "--configfile", other, "--cores", "1")
    assert done.returncode == 1
    assert "one folder per study" in done.stdout


def test_a_file_in_place_of_results_ends_before_any_job(small: Path) -> None:
    (small / "results").touch()
    done = run(small)
    assert done.returncode == 1
    assert "is a file" in done.stdout


def test_a_gpu_that_is_not_there_is_an_error_and_no_fallback(demo: Path, small: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    shutil.copytree(demo / "results", small / "results")
    done = run(
        small,
        "--config",
        "device=cuda",
        "--forcerun",
        "train",
        "--until",
        "train",
        "results/models/unet/seed-1/fold-all/train.json",
    )
    assert done.returncode == 1
    assert "no GPU is visible" in done.stdout
