"""Faults inside the files: each scan's is told, all in one table; few are put aside, many end the run."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import yaml

from headct.contracts.artefacts import read_tsv
from headct.publish.page.case_content import TRUTH
from support import seeded, snake
from support.case_studies import read_case

FAULTS = ("unknown label", "wrong matrix", "empty mask", "no mask file", "no DICOM", "mask of another scan")


@pytest.fixture(scope="session")
def trial() -> Path:
    """The simulated trial of the demo, which needs no results (seconds if it has not been made yet)."""
    folder = snake.REPOSITORY / "demo/trial"
    simulate = ["-m", "headct", "simulate", "--configfile", "config/demo.yaml", "--out", str(folder)]
    subprocess.run([sys.executable, *simulate], cwd=snake.REPOSITORY, check=True)
    return folder


@pytest.fixture
def small(trial: Path, tmp_path: Path) -> Path:
    """A study of the trial's first scans, one for each fault, and one that is good."""
    return first_scans(trial, tmp_path)


@pytest.fixture(scope="module")
def ingested(trial: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, and its cohort was made: for several tests, which leave it so that it can be made anew."""
    folder = first_scans(trial, tmp_path_factory.mktemp("ingested"))
    done = run(folder, "results/cohort/cohort.tsv")
    assert done.returncode == 0, done.stdout
    return folder


def first_scans(trial: Path, folder: Path) -> Path:
    """Copy the trial's first scans into a folder; the folder."""
    copy = folder / "trial"
    lines = (trial / "scans.tsv").read_text(encoding="utf-8").splitlines()[: len(FAULTS) + 2]
    for line in lines[1:]:
        scan = line.split("\t")[0]
        shutil.copytree(trial / "dicom" / scan, copy / "dicom" / scan)
    for name in ("masks", "outside_model"):
        shutil.copytree(trial / name, copy / name)
    (copy / "scans.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def run(small: Path, *arguments: str, config: Path | None = None):
    used = config or changed_config(small, lambda config: None)
    return snake.run("--directory", small, "--configfile", used, "--cores", "2", *arguments)


def changed_config(folder: Path, change: Callable[[dict], None], shards: int = 1) -> Path:
    """The demo's configuration with a change, and one job to ingest the few scans."""
    config = yaml.safe_load((snake.REPOSITORY / "config/demo.yaml").read_text(encoding="utf-8"))
    config["resources"]["ingest"]["jobs"] = shards
    change(config)
    path = folder / "changed.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


def tolerant(folder: Path, max_excluded: float, shards: int = 1) -> Path:
    return changed_config(folder, lambda config: config.update(cohort={"max_excluded": max_excluded}), shards)


def change_mask(path: Path, change) -> None:
    image = sitk.ReadImage(str(path))
    changed = sitk.GetImageFromArray(change(sitk.GetArrayFromImage(image)))
    if changed.GetSize() == image.GetSize():
        changed.CopyInformation(image)
    sitk.WriteImage(changed, str(path))


def test_faults_of_all_scans_are_told_together_before_any_training_and_can_be_looked_at(small: Path) -> None:
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
    assert "5 of 7 baseline scans (71.4%) are lost" in done.stdout
    assert not (small / "results/cohort/split.tsv").exists()
    assert not (small / "results/models").exists()
    assert not (small / "work").exists()

    done = run(small, "qc")
    assert done.returncode == 0, done.stdout
    assert "nothing could be trained on these scans" in done.stdout
    statuses = read_tsv(small / "qc/ingest_qc.tsv")["status"]
    assert statuses.value_counts().to_dict() == {"error": 5, "included": 2}
    assert read_tsv(small / "qc/flow.tsv").set_index("status")["scans"]["included"] == 2
    assert (small / "qc/ingest_qc.pdf").read_bytes().startswith(b"%PDF")
    assert not (small / "results/cohort/cohort.tsv").exists(), "a look lets no run go on"
    page = (small / "qc/report/index.html").read_text(encoding="utf-8")
    assert 'id="review"' in page
    cases = read_tsv(small / "qc/report/cases.tsv")
    assert cases["scan_id"].tolist() == ["scan-0004", "scan-0007"]
    for path in cases["path"]:
        assert list(read_case((small / "qc" / path).read_text()).maps) == [TRUTH]
    for name in ("predictions", "cohort/split.tsv", "audit/test_set_ledger.tsv"):
        assert not (small / "results" / name).exists(), "nothing was predicted, and no test set opened"
    assert snake.planned(run(small, "-n", "qc")) == {}
    shutil.rmtree(small / "qc/report/cases")
    assert snake.planned(run(small, "-n", "qc")) == {"qc": 1}


def test_a_broken_scan_stops_no_other_and_joins_them_when_it_is_mended(small: Path) -> None:
    mask = small / "trial/masks/scan-0004.nii.gz"
    mask.rename(mask.with_name("elsewhere"))
    shutil.rmtree(small / "trial/dicom/scan-0005")
    config = tolerant(small, 2 / 7)
    done = run(small, "results/cohort/split.tsv", config=config)
    assert done.returncode == 0, done.stdout
    assert "2 scans have errors and are put aside" in done.stdout
    for words in ("5 of scans.tsv", "masks/scan-0004.nii.gz", "6 of scans.tsv"):
        assert words in done.stdout
    cohort = read_tsv(small / "results/cohort/cohort.tsv").set_index("scan_id")["status"]
    assert cohort.index[cohort == "error"].tolist() == ["scan-0004", "scan-0005"]
    before = read_tsv(small / "results/cohort/split.tsv").set_index("scan_id")[["set", "fold"]]
    assert set(before.index) == set(cohort.index[cohort == "included"])

    mask.with_name("elsewhere").rename(mask)
    done = run(small, "results/cohort/split.tsv", config=config)
    assert done.returncode == 0, done.stdout
    after = read_tsv(small / "results/cohort/split.tsv").set_index("scan_id")[["set", "fold"]]
    assert set(after.index) - set(before.index) == {"scan-0004"}
    assert after.reindex(before.index).equals(before), "and moves none of them"


def test_a_scan_whose_conversion_fails_touches_no_other_and_the_same_images_twice_are_found(
    small: Path,
) -> None:
    shutil.rmtree(small / "trial/dicom/scan-0002")
    shutil.copytree(small / "trial/dicom/scan-0001", small / "trial/dicom/scan-0002")
    shutil.copyfile(small / "trial/masks/scan-0001.nii.gz", small / "trial/masks/scan-0002.nii.gz")
    obstacle = small / "results/data/scan-0003/ct.nii.gz"  # a folder where a file must be
    obstacle.mkdir(parents=True)
    shards = tolerant(small, 0.5, shards=2)
    done = run(small, "--keep-going", "--retries", "1", "results/cohort/cohort.tsv", config=shards)
    assert done.returncode == 1
    end = done.stdout[done.stdout.index("1 job failed") :]
    assert end.count("Failed: ingest shard=") == 1
    assert "results/logs/ingest/" in end
    assert "| scan-0003: IsADirectoryError" in end
    converted = {path: path.stat().st_mtime_ns for path in small.glob("results/data/*/scan.json")}
    assert len(converted) == 6
    obstacle.rmdir()
    done = run(small, "results/cohort/cohort.tsv", config=shards)
    assert done.returncode == 0, done.stdout
    assert {path: path.stat().st_mtime_ns for path in converted} == converted, "none is converted again"
    assert (small / "results/data/scan-0003/scan.json").exists()
    assert "same pixels as a scan of another participant: scan-0002 (row 3)" in done.stdout
    status = read_tsv(small / "results/cohort/cohort.tsv").set_index("scan_id")["status"]
    assert status.index[status == "error"].tolist() == ["scan-0001", "scan-0002"]


def test_a_changed_mask_converts_its_scan_alone_and_a_lost_file_is_noticed(ingested: Path) -> None:
    small = ingested
    before = {path: path.stat().st_mtime_ns for path in small.glob("results/data/*/scan.json")}
    change_mask(small / "trial/masks/scan-0003.nii.gz", lambda labels: np.minimum(labels, 1))
    done = run(small, "results/cohort/cohort.tsv")
    assert done.returncode == 0, done.stdout
    changed = [path.parent.name for path, time in before.items() if path.stat().st_mtime_ns != time]
    assert changed == ["scan-0003"]
    assert snake.planned(run(small, "-n", "results/cohort/cohort.tsv")) == {}
    next((small / "trial/dicom/scan-0001").iterdir()).unlink()
    assert snake.planned(run(small, "-n", "results/cohort/cohort.tsv")) == {"ingest": 1, "cohort": 1}


def test_a_wrong_base_path_ends_before_any_job(small: Path) -> None:
    (small / "trial/masks").rename(small / "trial/elsewhere")
    done = run(small)
    assert done.returncode == 1
    assert "7 of 7 baseline scans lack a folder or file" in done.stdout
    for number in range(1, 8):
        assert f"masks/scan-{number:04d}.nii.gz" in done.stdout
    assert not (small / "results").exists()


def test_results_of_another_study_are_left_alone(ingested: Path) -> None:
    other = changed_config(ingested, lambda config: config["study"].update(name="another"))
    done = run(ingested, config=other)
    assert done.returncode == 1
    assert "one folder per study" in done.stdout


def test_a_file_in_place_of_results_ends_before_any_job(small: Path) -> None:
    (small / "results").touch()
    done = run(small)
    assert done.returncode == 1
    assert "is a file" in done.stdout


def test_a_gpu_that_is_not_there_is_an_error_and_no_fallback(demo: Path, tmp_path: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    seeded.demo_without(demo, tmp_path, "models/unet")
    cuda = ("--configfile", seeded.DEMO, "--config", "device=cuda", "--cores", "1")
    done = snake.run("results/models/unet/seed-1/fold-all/train.json", "--directory", tmp_path, *cuda)
    assert done.returncode == 1
    end = done.stdout[done.stdout.index("1 job failed") :]
    assert (
        "Failed: train model=unet seed=1 fold=all\n  results/logs/train/unet/seed-1/fold-all.log ends:" in end
    )
    assert "no GPU is visible" in end
