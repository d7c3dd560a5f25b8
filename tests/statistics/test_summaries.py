"""Summaries of Dice, overlap, prevalence, lesion size, resamples, and the choice of a model."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from headct.contracts.artefacts import read_tsv
from headct.contracts.references import PREDICTS_NOTHING
from headct.settings import published
from headct.statistics.core.resampling import means_of_resamples, resamples
from headct.statistics.core.summaries import (
    MEAN,
    describe,
    dice_present_summary,
    dice_summary,
    seed_spread,
    volume_overlap,
)
from headct.statistics.replication.lesion_size import lesion_size_table, spearman
from headct.statistics.replication.prevalence import imaged_ml, prevalence_table
from headct.statistics.replication.selection import selection_table
from support.label_sets import LABELS
from support.simulated_scores import cohort, per_scan, rows, simulated

FIXTURES = Path(__file__).parents[1] / "fixtures"


def test_quartiles_are_those_of_r(ozone: dict[str, np.ndarray]) -> None:
    # R: summary(airquality$Ozone): 18.00 31.50 42.13 63.25
    found = describe(np.concatenate(list(ozone.values())))
    assert (found["q1"], found["median"], found["q3"]) == (18.0, 31.5, 63.25)
    assert found["mean"] == pytest.approx(42.13, abs=0.005)
    assert all(math.isnan(value) for value in describe(np.array([])).values())


def test_mean_row_is_the_mean_of_the_lesions_summaries() -> None:
    table = dice_summary(per_scan(simulated()), LABELS).set_index(["model", "label"])
    assert list(table.index[:4]) == [("a", label) for label in (*LABELS, MEAN)]
    for column in ("mean", "median"):
        assert table.loc[("b", MEAN), column] == pytest.approx(
            table.loc["b"].loc[list(LABELS), column].mean()
        )
    assert math.isnan(table.loc[("b", MEAN), "q1"])


def test_model_that_never_predicts_ivh_scores_the_share_of_scans_without() -> None:
    # The paper's test set: 126 of 174 scans have no IVH, Dice 0.724 for predicting nothing.
    has_ivh = np.arange(174) < 48
    truth = {label: np.ones(174) if label != "IVH" else has_ivh.astype(float) for label in LABELS}
    nothing = {label: np.zeros(174) for label in LABELS}
    metrics = pd.DataFrame(rows(PREDICTS_NOTHING, truth, nothing, None))
    scans = per_scan(metrics)
    ivh = dice_summary(scans, LABELS).set_index("label").loc["IVH"]
    assert ivh["mean"] == pytest.approx(126 / 174)
    assert round(ivh["mean"], 3) == 0.724
    present = dice_present_summary(scans).set_index("label")
    assert present.loc["IVH", ["mean", "sensitivity", "specificity"]].to_list() == [0, 0, 1]
    assert present.loc["IVH", ["n_present", "n_absent"]].to_list() == [48, 126]
    assert math.isnan(present.loc["ICH", "specificity"])
    assert "no specificity" in present.loc["ICH", "note"]


def test_overlap_of_known_volumes() -> None:
    truth = {"ICH": np.array([10.0, 20.0, 0.0]), "PHE": np.zeros(3), "IVH": np.ones(3)}
    guess = {"ICH": np.array([5.0, 26.0, 3.0]), "PHE": np.zeros(3), "IVH": np.ones(3)}
    table = volume_overlap(per_scan(pd.DataFrame(rows("a", truth, guess, 0)))).set_index("label")
    ich = table.loc["ICH"]
    assert ich["intersection_ml"] == pytest.approx(25 / 3)
    assert ich["intersection_percent"] == pytest.approx(100 * 25 / 30)
    assert ich["intersection_percent_median"] == pytest.approx(75)
    assert ich["false_positive_ml"] == pytest.approx(9 / 3)
    assert (ich["n_false_positive"], ich["n_absent"], ich["n_false_lesion"]) == (2, 1, 1)
    assert math.isnan(table.loc["PHE", "intersection_percent"])
    assert "no percentage" in table.loc["PHE", "note"]


def test_seeds_are_averaged_per_scan_before_any_summary() -> None:
    metrics = simulated(seeds=(0, 1))
    scans = per_scan(metrics)
    assert len(scans) == 4 * 8 * 3
    one = scans[(scans["model"] == "a") & (scans["scan_id"] == "003") & (scans["label"] == "IVH")].iloc[0]
    raw = metrics[(metrics["model"] == "a") & (metrics["scan_id"] == "003") & (metrics["label"] == "IVH")]
    assert one["dice"] == pytest.approx(raw["dice"].mean())
    summary = dice_summary(scans, LABELS).set_index("model")
    assert set(summary.loc["a", "n"]) == {8}
    assert set(summary.loc["a", "n_seeds"]) == {2}


def test_failed_predictions_are_counted() -> None:
    metrics = simulated(seeds=(0, 1))
    hit = (metrics["model"] == "b") & (metrics["scan_id"] == "002") & (metrics["seed"] == 1)
    metrics.loc[hit, "failure"] = "RuntimeError: killed"
    table = dice_summary(per_scan(metrics), LABELS).set_index(["model", "label"])
    assert table.loc[("b", "ICH"), "n_failed"] == 1
    assert table.loc[("a", "ICH"), "n_failed"] == 0


def test_means_of_resamples_are_the_means_of_what_was_drawn() -> None:
    values = np.random.default_rng(0).random((7, 3))
    assert np.allclose(means_of_resamples(values), values[resamples(7)].mean(axis=1))


# Lesion size


def test_spearman_on_cars() -> None:
    # R: cor.test(mtcars$wt, mtcars$mpg, method = "spearman", exact = FALSE):
    # S = 10292, p-value = 1.488e-11, rho -0.886422
    cars = read_tsv(FIXTURES / "mtcars.tsv")
    found = spearman(cars["wt"].to_numpy(), cars["mpg"].to_numpy())
    assert found["rho"] == pytest.approx(-0.886422, abs=5e-7)
    assert found["p"] == pytest.approx(1.488e-11, rel=5e-4)
    # Bonett & Wright 2000: tanh(atanh(rho) ± 1.96 √((1 + rho²/2) / (n − 3)))
    half = 1.959964 * math.sqrt((1 + 0.886422**2 / 2) / 29)
    assert found["lower"] == pytest.approx(math.tanh(math.atanh(-0.886422) - half), abs=1e-6)


@pytest.mark.parametrize(
    ("x", "y", "note"),
    [
        ([1, 2], [1, 2], "needs 3 scans"),
        ([1, 1, 1], [1, 2, 3], "all values are equal"),
        ([1, 2, 3], [1, 3, 2], "needs 4 scans"),
        ([1, 2, 3, 4], [2, 3, 5, 9], "undefined at"),
    ],
)
def test_degenerate_rank_correlations_say_why(x: list[float], y: list[float], note: str) -> None:
    found = spearman(np.array(x, float), np.array(y, float))
    assert note in str(found["note"])
    assert math.isnan(float(found["lower"]))


def test_lesion_size_counts_scans_with_the_lesion_only() -> None:
    table = lesion_size_table(per_scan(simulated())).set_index(["model", "label"])
    assert table.loc[("a", "IVH"), "n"] == 4
    assert table.loc[("a", "ICH"), "n"] == 8


# Prevalence


def test_prevalence_by_scan_and_by_volume() -> None:
    scans = cohort(n_train=3, n_test=1).assign(
        ICH_ml=[10.0, 10, 10, 10], PHE_ml=[5.0, 5, 5, 0], IVH_ml=[0.0, 0, 5, 0], imaged_ml=100.0
    )
    table = prevalence_table(scans, LABELS).set_index(["set", "label"])
    train = table.loc["train"]
    assert list(train["n_with"]) == [3, 3, 3, 1]
    assert train["percent_of_volume"].to_list() == pytest.approx([250 / 3, 10, 5, 5 / 3])
    assert train.loc["IVH", "percent_of_labelled"] == pytest.approx(10)
    assert table.loc[("test", "PHE"), "percent_of_scans"] == 0
    sums = table.reset_index().groupby("set")["percent_of_volume"].sum()
    assert list(sums) == pytest.approx([100, 100, 100])


def test_imaged_volume_uses_the_weights_of_the_slices() -> None:
    geometry = {"size_xyz": [10, 20, 2], "spacing_mm_xyz": [0.5, 2, 9], "slice_weights_mm": [4.0, 6.0]}
    assert imaged_ml(geometry) == pytest.approx(10 * 0.5 * 20 * 2 * 10 / 1000)


# The choice of a model


def test_the_papers_own_choice_is_found_in_its_numbers() -> None:
    table = selection_table(per_scan(simulated()), published.selection(), LABELS)
    chosen = table.loc[table["published_chosen"] == "yes", ["stage", "model"]]
    assert chosen.to_numpy().tolist() == [[1, "nnunet-3d-dicece"], [2, "nnunet-3d-focal"]]
    assert set(table["note"]) == {"model not run"}, "none of these models is a, b or c"


def test_choice_of_the_better_of_two_and_how_firm_it_is() -> None:
    metrics = simulated(["nnunet-3d-dicece", "nnunet-3d-focal"], n_scans=30)
    metrics.loc[metrics["model"] == "nnunet-3d-focal", "dice"] += 0.5
    scans = per_scan(metrics, ["nnunet-3d-dicece", "nnunet-3d-focal"])
    table = selection_table(scans, published.selection(), LABELS).set_index(["stage", "model"])
    focal, dicece = table.loc[(2, "nnunet-3d-focal")], table.loc[(2, "nnunet-3d-dicece")]
    assert (focal["rank"], focal["chosen"], focal["chosen_share"]) == (1, "yes", 1)
    assert (dicece["rank"], dicece["chosen"], dicece["chosen_share"]) == (2, "no", 0)
    assert table.loc[(1, "nnunet-3d-dicece"), "chosen"] == "yes"


def test_losses_tried_on_another_network_than_the_best_are_noted() -> None:
    metrics = simulated(["unet", "nnunet-3d-dicece", "nnunet-3d-focal"], n_scans=9)
    metrics.loc[metrics["model"] == "unet", "dice"] += 1
    scans = per_scan(metrics, ["unet", "nnunet-3d-dicece", "nnunet-3d-focal"])
    table = selection_table(scans, published.selection(), LABELS).set_index(["stage", "model"])
    assert table.loc[(1, "unet"), "chosen"] == "yes"
    assert "stage 1 does not choose here" in table.loc[(2, "nnunet-3d-focal"), "note"]


def test_spread_of_seeds_is_that_of_their_means() -> None:
    scores = simulated(seeds=(1, 2, 3)).assign(role="family")
    spread = seed_spread(scores).set_index(["model", "label"])
    ours = scores[(scores["model"] == "b") & (scores["label"] == "PHE")]
    means = [rows["dice"].mean() for _, rows in ours.groupby("seed")]
    found = spread.loc[("b", "PHE")]
    assert found["n_seeds"] == 3
    assert found["sd"] == pytest.approx(np.std(means, ddof=1))
    assert (found["lowest"], found["highest"]) == pytest.approx((min(means), max(means)))
    assert found["note"] == ""
    alone = seed_spread(simulated(seeds=(1,)).assign(role="family"))
    assert alone["sd"].isna().all()
    assert (alone["note"] != "").all()
