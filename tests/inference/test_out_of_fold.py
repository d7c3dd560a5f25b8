"""Training scans, each predicted by the network that did not learn from it: prediction, measures, summary."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
import torch

from headct.command_line import run_step
from headct.contracts.artefacts import read_tsv, sha256_of, write_json, write_tsv
from headct.contracts.problems import BadInput
from headct.contracts.repository import REPOSITORY
from headct.engine.training_job import TrainingJob, TrainingScan
from headct.frameworks.monai import training
from headct.frameworks.train import save_weights
from headct.inference import pipeline
from headct.statistics.comparison import out_of_fold
from headct.statistics.core.clusters import Clusters
from support import metric_cases as cases
from support import monai_miniature as miniature
from support.changed_settings import changed
from support.label_sets import GIVEN, LABELS
from support.simulated_scores import simulated, with_role

FOLDS = {"0": ["s0", "s1"], "1": ["s2", "s3"]}
TEST = "s4"
SHAPE = (14, 20, 22)
MEMBERS = ("unet", "unet-b")


def write_scan(folder: Path, seed: int) -> None:
    """A bright box in a grey one in air, and its mask."""
    rng = np.random.default_rng(seed)
    hu = np.full(SHAPE, -1000, np.int16)
    hu[1:-1, 2:-2, 2:-2] = rng.normal(30, 4, SHAPE)[1:-1, 2:-2, 2:-2]
    z, y, x = rng.integers(2, 8, 3)
    labels = np.zeros(SHAPE, np.uint8)
    labels[z : z + 4, y : y + 6, x : x + 7] = LABELS["ICH"]
    hu[labels > 0] += 30
    folder.mkdir(parents=True)
    for name, array in (("ct", hu), ("labels", labels)):
        image = sitk.GetImageFromArray(array)
        image.SetSpacing((4.0, 4.0, 6.0))
        sitk.WriteImage(image, str(folder / f"{name}.nii.gz"))
    record = {
        "geometry": cases.record(SHAPE, (4.0, 4.0), (6.0,) * (SHAPE[0] - 1)),
        "sha256": {"labels.nii.gz": sha256_of(folder / "labels.nii.gz")},
        "second_readings": {},
    }
    write_json(record, folder / "scan.json")


def train(folder: Path, data: Path, model: str, fold: str, seed: int) -> None:
    """One miniature network, trained without the scans of a fold."""
    learnt = [scan for other, scans in FOLDS.items() if other != fold for scan in scans]
    scans = tuple(
        TrainingScan(scan, data / scan / "ct.nii.gz", data / scan / "labels.nii.gz", scan * 32)
        for scan in learnt
    )
    folder.mkdir(parents=True)
    settings = changed(miniature.SETTINGS, epochs=2)
    job = TrainingJob(model, settings, scans, (), seed, fold, "cpu", 1, folder / "shared", LABELS)
    digest = save_weights(training.train(job, folder), folder / "final.pth")
    record = {"framework": "monai", "model": model, "fold": fold, "sha256": digest}
    write_json(record, folder / "train.json")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five scans, a split, and two models, each of two folds."""
    torch.set_num_threads(1)
    folder: Path = tmp_path_factory.mktemp("study")
    rows: list[dict[str, Any]] = [
        {"scan_id": scan, "participant_id": f"P{scan}", "set": "train", "fold": fold}
        for fold, scans in FOLDS.items()
        for scan in scans
    ]
    rows.append({"scan_id": TEST, "participant_id": f"P{TEST}", "set": "test", "fold": ""})
    write_tsv(pd.DataFrame(rows).assign(ct_sha256="0" * 64), folder / "split.tsv")
    for number, row in enumerate(rows):
        write_scan(folder / "data" / row["scan_id"], number)
    for seed, model in enumerate(MEMBERS):
        for fold in FOLDS:
            train(folder / model / fold, folder / "data", model, fold, seed)
    return folder


def predict(study: Path, members: tuple[str, ...], folds: tuple[str, ...] = ("0", "1")) -> Path:
    manifest = study / "-".join(members) / "out-of-fold" / "seed-1.tsv"
    words = ["--model", members[0], "--split", study / "split.tsv", "--data", study / "data"]
    words += ["--device", "cpu", "--threads", 1, "--manifest", manifest, "--out-of-fold", "0", "1"]
    words += ["--work", study / "work" / "-".join(members)]
    for member in members:
        words += ["--member", *(study / member / fold for fold in folds)]
    run_step("predict", [str(word) for word in words])
    return manifest


def voxels(path: Path) -> np.ndarray:
    return sitk.GetArrayFromImage(sitk.ReadImage(str(path)))


@pytest.mark.parametrize("members", [MEMBERS[:1], MEMBERS])
def test_each_scan_is_predicted_by_the_networks_that_did_not_see_it(
    study: Path, members: tuple[str, ...]
) -> None:
    manifest = predict(study, members)
    rows = read_tsv(manifest, reason=str).set_index("scan_id")
    assert list(rows.index) == ["s0", "s1", "s2", "s3"], "no test scan"
    assert rows["reason"].isna().all()
    others = []
    for fold, scans in FOLDS.items():
        for scan in scans:
            path = manifest.parent / rows.loc[scan, "path"]
            assert sha256_of(path) == rows.loc[scan, "sha256"]
            ct = sitk.ReadImage(str(study / "data" / scan / "ct.nii.gz"))
            own, other = (
                np.mean(
                    [pipeline.load_one(study / member / one, "cpu", {}, LABELS)(ct) for member in members], 0
                )
                for one in (fold, next(key for key in FOLDS if key != fold))
            )
            found = voxels(path)
            np.testing.assert_array_equal(found, own.argmax(0))
            others.append(np.array_equal(found, other.argmax(0)))
    assert not all(others), "networks that agree everywhere would prove nothing"


def test_a_network_that_saw_the_scans_is_refused(study: Path) -> None:
    with pytest.raises(BadInput, match="trained without fold 1, 0"):
        predict(study, MEMBERS[:1], ("1", "0"))


def test_held_out_scans_are_measured_and_summarised(study: Path) -> None:
    manifest = predict(study, MEMBERS[:1])
    table = study / "out-of-fold" / "unet.tsv"
    words = ["--model", "unet", "--predictions", str(manifest), "--out-of-fold", "0", "1"]
    words += ["--split", str(study / "split.tsv"), "--data", str(study / "data")]
    words += ["--settings", json.dumps(cases.SETTINGS), "--out", str(table)]
    run_step("measure", [*GIVEN, *words])
    measured = read_tsv(table)
    assert set(measured["scan_id"]) == {scan for scans in FOLDS.values() for scan in scans}
    words = ["--metrics", str(table), "--split", str(study / "split.tsv"), "--models", "unet"]
    scans = [scan for scans in FOLDS.values() for scan in scans] + [TEST]
    cohort = pd.DataFrame({"scan_id": scans, "participant_id": scans, "site": "a"})
    write_tsv(cohort, study / "cohort.tsv")
    words += ["--plan", str(REPOSITORY / "config/analysis_plan.yaml"), "--cohort", str(study / "cohort.tsv")]
    words += ["--out", str(study / "out_of_fold.tsv")]
    run_step("out-of-fold", [*GIVEN, *words])
    found = read_tsv(study / "out_of_fold.tsv").set_index(["label", "scans"])
    row = found.loc["ICH", "all"]
    assert (row["n"], row["n_participants"], row["n_folds"], row["n_seeds"]) == (4, 4, 2, 1)
    assert (row["clusters"], row["n_clusters"]) == ("participant", 4), "one site is no cluster"
    assert row["dice_mean"] == pytest.approx(measured.query("label == 'ICH'")["dice"].mean())
    absent = found.loc["IVH", "with lesion"]
    assert absent["note"] == "an interval needs 3 clusters of scans, there are 0"
    assert np.isnan(absent["dice_mean"])


def test_clusters_are_left_out_whole() -> None:
    """Two equal scans of each cluster say no more than one: the interval is that of one each."""
    once = with_role(simulated(("a", "b"), 20), ("a", "b"))
    twice = pd.concat([once, once.assign(scan_id=once["scan_id"] + "-again")])
    tables = []
    for scores in (once, twice):
        scans = np.sort(scores["scan_id"].unique())
        split = pd.DataFrame({"scan_id": scans, "set": "train", "fold": "0"})
        split["participant_id"] = split["scan_id"]
        of_scan = pd.Series(split["scan_id"].str.removesuffix("-again").to_numpy(), scans)
        tables.append(out_of_fold.out_of_fold_table(scores, split, Clusters("site", of_scan), LABELS))
    one, two = tables
    assert list(two["n"]) == list(2 * one["n"])
    assert set(two["clusters"]) == {"site"}
    names = ["n_clusters", "dice_mean", "lower", "upper"]
    np.testing.assert_allclose(two[names].astype(float), one[names].astype(float), rtol=1e-9)
    assert (one.query("scans == 'all'")["model"].unique() == ["a", "b", "predicts-nothing"]).all()


def test_a_scan_that_no_fold_held_out_is_refused() -> None:
    scores = with_role(simulated(("a",), 4), ("a",))
    split = pd.DataFrame({"scan_id": ["000"], "set": "train", "fold": "0", "participant_id": "p"})
    with pytest.raises(BadInput, match="is no training scan of a fold"):
        out_of_fold.out_of_fold_table(scores, split, Clusters("scan", split["scan_id"]), LABELS)
