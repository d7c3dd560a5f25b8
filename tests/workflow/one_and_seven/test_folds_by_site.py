"""Folds of whole sites, from the sheet to sealed results: Dice by site is of sites not seen before."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pytest

from headct.contracts import postprocessing
from headct.contracts.artefacts import read_json, read_tsv
from headct.statistics.comparison.new_site import HELD_OUT
from support import planned_disk
from support.audit_study import forked_command
from support.one_and_seven import FOLDS, SITES


@pytest.fixture
def results(finished: Mapping[str, Path]) -> Path:
    """Of the study of one lesion, whose plan asks something of a new site."""
    return finished["one"]


def test_each_fold_holds_out_whole_sites_which_its_network_has_not_seen(results: Path) -> None:
    split, cohort = (read_tsv(results / f"cohort/{name}.tsv") for name in ("split", "cohort"))
    scans = split.merge(cohort[["scan_id", "site"]], on="scan_id")
    training = scans[scans["set"] == "train"]
    assert set(training["site"]) == set(SITES)
    assert (training.groupby("site")["fold"].nunique() == 1).all()
    for fold in FOLDS:
        record = read_json(results / f"models/unet/seed-1/fold-{fold}/train.json")
        assert record["n_training_scans"] == (training["fold"] != fold).sum()
    measured = read_tsv(results / "metrics/out-of-fold/unet.tsv")
    assert set(measured["scan_id"]) == set(training["scan_id"])


def test_the_plan_has_the_networks_and_label_maps_that_the_study_made(results: Path) -> None:
    """Those of the learning curve, too; folds of whole sites hold out more or fewer scans than planned."""
    found = planned_disk.counts(results.parent / "study.yaml", scans=20)
    planned, made = found["networks"]
    assert planned == made == 2 * len(FOLDS) + 3
    planned, made = found["label maps"]
    assert planned == pytest.approx(made, rel=0.1)
    assert made == 2 * (4 + 16) + 4 * 6


def test_dice_by_site_is_of_what_was_held_out(results: Path) -> None:
    of_sites = read_tsv(results / "statistics/site_dice.tsv")
    assert set(of_sites["site"]) == set(SITES)
    row = read_tsv(results / "statistics/new_site.tsv", note=str).set_index(["model", "label", "scans"])
    row = row.loc["unet", "SDH", "all"]
    assert (row["source"], row["n"], row["n_sites"]) == (HELD_OUT, 16, 5)
    assert 0 <= row["new_lower"] <= row["lower"] <= row["dice_mean"] <= row["upper"] <= row["new_upper"] <= 1
    assert 0 <= row["p_at_least"] <= 1
    drawn = read_tsv(results / "figures/dice_by_site.tsv", note=str)
    assert set(drawn["site"].dropna()) == set(SITES)
    methods = (results / "audit/methods.md").read_text(encoding="utf-8")
    assert "each of whole sites" in methods
    assert f"95% prediction interval from {HELD_OUT}" in methods


@pytest.mark.parametrize(
    "number",
    [
        "results/statistics/site_dice.tsv, unet, SDH, all, 03, dice_mean",
        "results/statistics/new_site.tsv, unet, SDH, all, variance_between",
        "results/statistics/new_site.tsv, unet, SDH, all, new_lower",
        "results/figures/dice_by_site.tsv, a site, unet, SDH, all, north, dice_mean",
    ],
)
def test_a_number_is_traced_to_the_scans_that_were_held_out(results: Path, number: str) -> None:
    done = forked_command("trace", "--results", results, "--number", *number.split(", "))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "metrics/out-of-fold/unet.tsv" in done.stdout


@pytest.mark.parametrize(
    "number",
    [
        "results/tables/learning_curve.tsv, threshold, SDH, 3, dice_mean",
        "results/statistics/learning_curve.tsv, threshold, SDH, all, participants",
    ],
)
def test_a_learning_curve_is_traced_to_what_its_fold_held_out(results: Path, number: str) -> None:
    """More of it in test_learning_curve.py, whose study takes longer."""
    split = read_tsv(results / "cohort/split.tsv")
    held_out = split.loc[(split["set"] == "train") & (split["fold"] == 0), "scan_id"]
    assert set(read_tsv(results / "learning_curve/metrics/threshold/size-2.tsv")["scan_id"]) == set(held_out)
    networks = (results / "learning_curve/models/threshold").glob("size-*/seed-1/fold-0/train.json")
    assert sorted(read_json(path)["n_training_scans"] for path in networks) == [2, 3, 5]
    done = forked_command("trace", "--results", results, "--number", *number.split(", "))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "learning_curve/metrics/threshold/size-" in done.stdout
    assert "the same." in done.stdout


def test_held_out_scans_decide_on_post_processing_and_the_test_set_follows(results: Path) -> None:
    """Whatever they decide; more of it in tests/inference/test_postprocessing.py."""
    decision = postprocessing.read(results / "models/unet/seed-1/postprocessing.json")
    assert (decision.members, decision.held_out_scans) == (["unet"], 16)
    record = read_json(results / "audit/runs/predict/unet/seed-1.json")
    assert "results/models/unet/seed-1/postprocessing.json" in record["inputs"]
    of_held_out = read_json(results / "audit/runs/predict/unet/out-of-fold/seed-1.json")
    assert "--postprocessing" not in of_held_out["command"]
    shown = read_tsv(results / "tables/table_e1.tsv", unet=str, threshold=str).set_index("item")
    assert shown.loc[postprocessing.ITEM, "unet"] == decision.in_words()
    assert pd.isna(shown.loc[postprocessing.ITEM, "threshold"])
    for path in ("audit/methods.md", "report/models/unet.html"):
        text = " ".join((results / path).read_text(encoding="utf-8").split())
        rest = "Those of other models trained here were not post-processed."
        assert f"U-Net: {decision.in_words()}. {rest}" in text
        assert "without post-processing" not in text


def test_what_table_e1_says_of_post_processing_is_traced_and_decided_again(results: Path) -> None:
    number = f"results/tables/table_e1.tsv, {postprocessing.ITEM}, unet"
    done = forked_command("trace", "--results", results, "--number", *number.split(", "), "--repeat")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 rows of results/models/unet/seed-1/postprocessing.json: the whole decision" in done.stdout
    assert "postprocessing repeated on its recorded inputs: all 1 files are the same" in done.stdout
    assert "table_e1 repeated on its recorded inputs" in done.stdout
