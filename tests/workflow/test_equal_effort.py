"""A whole study whose networks have the same budget of patches, and Dice in the course of their trainings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from headct.contracts.artefacts import read_json, read_tsv, sha256_of
from support import planned_disk, snake, warm_python
from support.audit_study import forked_command
from support.nifti_study import NiftiStudy

pytestmark = pytest.mark.slow  # a study of its own, of 50 to 100 s

FOLDS = (0, 1)
SHARES = ("0.25", "0.5")
STEPS = {"unet": 12, "twice": 6}
"""Of 24 patches, two and four at a step; epochs have five steps."""

OF_UNET = {
    "framework": "monai",
    "network": "basicunet",
    "features": [4, 4, 4, 8, 8, 4],
    "patch_size_xyz": [32, 32, 16],
    "spacing_mm_xyz": [4, 4, 6],
}

STUDY = NiftiStudy(
    name="equal-effort",
    labels={"ICH": 1, "PHE": 2, "IVH": 3},
    drawn=lambda truth, number: truth,
    scans=12,
    steps=5,
    models={
        "unet": {"title": "U-Net", **OF_UNET},
        "twice": {"title": "U-Net, twice the batch", **OF_UNET, "patches_per_scan": 2},
        "both": {"title": "Both", "framework": "ensemble", "members": ["unet", "twice"]},
    },
    settings={
        "split": {"test_fraction": 0.4, "folds": len(FOLDS)},
        "training": {
            "folds": list(FOLDS),
            "budget": {"patches": 24},
            "effort_curve": {"shares": [float(share) for share in SHARES]},
        },
        "report": {"cases": "none"},
    },
)


def write(folder: Path) -> Path:
    """Write the study, whose plan compares the two networks; its configuration's path."""
    configfile = STUDY.write(folder)
    plan = STUDY.plan()
    for endpoint in (plan["primary"], *plan["key_secondary"]):
        endpoint["against"] = ["twice"]
    (folder / "plan.yaml").write_text(yaml.safe_dump(plan), encoding="utf-8")
    return configfile


def run(folder: Path, configfile: Path, *words: str) -> Any:
    with warm_python.started() as python:
        done = snake.run(
            "--directory", folder, "--configfile", configfile, "--cores", "2", *words, python=python
        )
    assert done.returncode == 0, done.stdout[-4000:]
    return done


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the finished study."""
    folder = tmp_path_factory.mktemp("effort")
    run(folder, write(folder))
    return folder


@pytest.fixture(scope="module")
def results(study: Path) -> Path:
    return study / "results"


@pytest.mark.parametrize("model", STEPS)
def test_each_network_sees_as_many_patches_and_its_record_says_so(results: Path, model: str) -> None:
    for fold in FOLDS:
        record = read_json(results / f"models/{model}/seed-1/fold-{fold}/train.json")
        assert record["record"]["iterations"] * record["record"]["batch_size"] == 24
        assert record["budget"] == {
            "patches": 24,
            "steps": STEPS[model],
            "epochs": -(-STEPS[model] // 5),
            "steps_per_epoch": 5,
        }
        assert [entry["epoch"] for entry in record["history"]] == [*range(1, record["epochs"] + 1)]
        rates = [entry["learning_rate"] for entry in record["history"]]
        assert rates[-1] == pytest.approx(rates[0] / (1 - 4 / STEPS[model]) ** 0.9 / STEPS[model] ** 0.9)


def test_the_plan_has_the_networks_and_label_maps_that_the_study_made(study: Path) -> None:
    """Those that are kept and predicted in the course of the trainings among them."""
    found = planned_disk.counts(study / "study.yaml", scans=12)
    assert all(planned == made for planned, made in found.values()), found


def test_table_e1_has_the_budget_the_patches_and_the_sum_of_the_ensemble(results: Path) -> None:
    table = read_tsv(results / "tables/table_e1.tsv", **dict.fromkeys([*STEPS, "both"], str))
    shown = table.set_index("item")
    assert list(shown.loc["Patches seen", ["unet", "twice", "both"]]) == ["24", "24", "48"]
    assert list(shown.loc["Iterations", ["unet", "twice", "both"]]) == ["12", "6", "18"]
    assert shown.loc["Budget of a training", "unet"] == "24 patches"


@pytest.mark.parametrize("model", STEPS)
def test_the_curve_is_of_scans_that_were_held_out_by_weights_on_the_way(results: Path, model: str) -> None:
    table = read_tsv(results / "statistics/effort_curve.tsv", note=str)
    assert set(table["model"]) == set(STEPS), "an ensemble trains nothing of its own"
    own = table[(table["model"] == model) & (table["label"] == "ICH") & (table["scans"] == "all")]
    steps = [round(float(share) * STEPS[model]) for share in SHARES] + [STEPS[model]]
    assert list(own["share"]) == [0.25, 0.5, 1]
    assert list(own["steps"]) == steps
    assert list(own["patches"]) == [24 // STEPS[model] * step for step in steps]
    assert (own["hours"] > 0).all()
    split = read_tsv(results / "cohort/split.tsv").set_index("scan_id")
    for share, row in zip([*SHARES, None], own.to_dict("records"), strict=True):
        folder = f"effort/{share}" if share else "out-of-fold"
        measured = read_tsv(results / f"metrics/{folder}/{model}.tsv", failure=str)
        assert set(split.loc[measured["scan_id"].unique(), "set"]) == {"train"}
        of_lesion = measured[measured["label"] == "ICH"]
        assert row["dice_mean"] == pytest.approx(of_lesion["dice"].mean())
        assert row["n"] == len(of_lesion) == (split["set"] == "train").sum()


def test_weights_on_the_way_differ_and_are_listed_by_the_record_of_the_training(results: Path) -> None:
    folder = results / "models/unet/seed-1/fold-0"
    record = read_json(folder / "train.json")
    digests = {record["sha256"]}
    for share in SHARES:
        at_share = folder / f"share-{share}"
        assert sha256_of(at_share / "train.json") == record["shares"][share]["sha256"]
        digests.add(sha256_of(at_share / "final.pth"))
    assert len(digests) == 3


@pytest.mark.parametrize(
    "number",
    [
        "results/statistics/effort_curve.tsv, unet, ICH, all, 0.25, dice_mean",
        "results/statistics/effort_curve.tsv, twice, PHE, with lesion, 1, dice_mean",
        "results/statistics/effort_curve.tsv, unet, IVH, all, 0.5, patches",
        "results/statistics/effort_curve.tsv, twice, IVH, all, 1, hours",
        "results/figures/dice_by_effort.tsv, unet, PHE, all, 0.5, dice_mean",
        "results/figures/dice_by_effort.tsv, twice, PHE, all, 0.25, steps",
    ],
)
def test_a_number_is_traced_and_computed_again(results: Path, number: str) -> None:
    done = forked_command("trace", "--results", results, "--number", *number.split(", "))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the same" in done.stdout, done.stdout


def test_the_curve_can_be_computed_again_by_its_job(results: Path) -> None:
    number = "results/statistics/effort_curve.tsv, unet, ICH, all, 0.5, lower"
    done = forked_command("trace", "--results", results, "--number", *number.split(", "), "--repeat")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all 1 files are the same" in done.stdout, done.stdout


def test_it_is_verified_as_it_was_sealed_and_the_page_has_the_figure(results: Path) -> None:
    done = forked_command("verify", results)
    assert done.returncode == 0, done.stdout + done.stderr
    page = (results / "report/index.html").read_text(encoding="utf-8")
    assert 'id="figure-dice_by_effort"' in page


def test_without_a_curve_the_same_networks_are_trained(study: Path, tmp_path: Path) -> None:
    """Keeping weights changes no bit of the last ones."""
    config = yaml.safe_load((study / "study.yaml").read_text(encoding="utf-8"))
    del config["training"]["effort_curve"]
    for path in study.iterdir():
        if path.name not in ("results", "work", ".snakemake", "study.yaml", "logs"):
            (tmp_path / path.name).symlink_to(path)
    configfile = tmp_path / "study.yaml"
    configfile.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    run(tmp_path, configfile, "results/models/unet/seed-1/fold-0/train.json")
    folders = [each / "results/models/unet/seed-1/fold-0" for each in (study, tmp_path)]
    assert sha256_of(folders[0] / "final.pth") == sha256_of(folders[1] / "final.pth")
    assert "shares" not in read_json(folders[1] / "train.json")
    assert not list(folders[1].glob("share-*"))
    assert np.isfinite(read_json(folders[1] / "train.json")["history"][-1]["train_loss"])
