"""What becomes of a prediction that is missing: in every table, and in the bounds of what it could change."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from headct.contracts.artefacts import write_tsv
from headct.publish.tables.planned_comparison import planned_comparison
from headct.settings.analysis_plan import PRIMARY
from headct.statistics.comparison.endpoints import SMALL_AS_NONE
from headct.statistics.comparison.missing_predictions import (
    BEST_CASE,
    NO_BOUNDS,
    WORST_CASE,
    extreme_cases,
    is_bounded,
)
from headct.statistics.core.scores import calls_lesion, read
from headct.statistics.core.summaries import dice_present_summary, dice_summary, volume_overlap
from support.label_sets import LABELS
from support.missing_cases import DICECE, FOCAL, without_predictions
from support.planned_cases import PLAN, analysed
from support.planned_cases import rows as planned_rows
from support.simulated_scores import FAMILY, per_scan, simulated

# -- scoring -----------------------------------------------------------------------------------------


def test_a_missing_prediction_is_wrong_about_the_lesion_at_each_threshold() -> None:
    reference, predicted = np.array([0.0, 0.05, 5.0, 0.0, 5.0]), np.array([0.0, 0.0, 0.0, 0.05, 0.2])
    missing = np.array([True, True, True, False, False])
    assert list(calls_lesion(reference, predicted, missing)) == [True, False, False, True, True]
    assert list(calls_lesion(reference, predicted, missing, 0.1)) == [True, True, False, False, True]


def test_metrics_tables_are_read_with_missing_predictions_at_0(tmp_path: Path) -> None:
    metrics = without_predictions(simulated(), "b", ["000", "003"])
    write_tsv(metrics, tmp_path / "all.tsv")
    scores = read([tmp_path / "all.tsv"], FAMILY, LABELS)
    missing = scores["failure"] != ""
    assert set(scores.loc[missing, "scan_id"]) == {"000", "003"}
    assert (scores.loc[missing, "dice"] == 0).all()
    assert metrics.loc[metrics["failure"] != "", "dice"].max() == 1, "as measured: 000 has no IVH"
    pd.testing.assert_series_equal(
        scores.loc[missing, "volume_error_ml"], -scores.loc[missing, "reference_ml"], check_names=False
    )


def test_a_model_that_fails_on_all_scans_scores_nothing() -> None:
    scans = per_scan(without_predictions(simulated(), "b"))
    dice = dice_summary(scans, LABELS).set_index(["model", "label"]).loc["b"]
    assert (dice[["mean", "median", "q1", "q3"]].fillna(0) == 0).all(axis=None)
    assert (dice[["n_failed", "n_crashed"]] == 8).all(axis=None)
    found = dice_present_summary(scans).set_index(["model", "label"]).loc["b"]
    assert (found["sensitivity"] == 0).all()
    assert (found.loc["IVH", "n_absent"], found.loc["IVH", "specificity"]) == (4, 0)
    overlap = volume_overlap(scans).set_index(["model", "label"]).loc[("b", "IVH")]
    assert (overlap["n_absent"], overlap["n_false_lesion"], overlap["n_false_positive"]) == (4, 4, 0)


def test_a_refused_scan_is_no_crash() -> None:
    metrics = without_predictions(simulated(seeds=(0, 1)), "b", ["001"])
    metrics = without_predictions(metrics, "b", ["002", "004"], reason="the slices are 40 mm apart")
    dice = dice_summary(per_scan(metrics), LABELS).set_index(["model", "label"])
    assert list(dice.loc[("b", "ICH"), ["n_failed", "n_crashed"]]) == [3, 1]
    assert list(dice.loc[("a", "ICH"), ["n_failed", "n_crashed"]]) == [0, 0]


@pytest.mark.parametrize("failing", [FOCAL, DICECE])
def test_a_model_that_fails_on_all_scans_wins_no_endpoint(failing: str) -> None:
    """It would never predict IVH where there is none, were a missing prediction an empty map."""
    metrics = simulated([FOCAL, DICECE], n_scans=60)
    invented = (metrics["label"] == "IVH") & metrics["scan_id"].isin(
        ["000", "004", "008", "012", "016", "020"]
    )
    metrics.loc[invented & metrics["model"].isin([FOCAL, DICECE]), ["predicted_ml", "dice"]] = 5.0, 0.0
    tables = analysed(without_predictions(metrics, failing), (FOCAL, DICECE))
    sign = 1 if failing == FOCAL else -1
    endpoints = tables["endpoints"].set_index(["endpoint", "against"])
    false_positive = endpoints.loc[("IVH predicted where there is none", DICECE)]
    shares = [false_positive["estimate_model"], false_positive["estimate_against"]]
    assert sorted(shares) == pytest.approx([6 / 30, 1])
    assert sign * false_positive["difference"] == pytest.approx(24 / 30)
    assert false_positive["verdict"] == ("higher" if failing == FOCAL else "lower")
    dice = endpoints.loc[[("IVH Dice", DICECE), ("IVH Dice where there is IVH", DICECE)]]
    assert (sign * dice["difference"] < -0.5).all()
    detection = tables["detection"].query("model == @failing")
    assert set(detection["threshold_ml"]) == {0, 0.1}
    assert (detection[["tp", "tn"]] == 0).all(axis=None)
    assert (detection["fp"] == detection["n_absent"]).all()


# -- bounds ------------------------------------------------------------------------------------------

NA = np.nan
MODEL = np.array([1, 0.8, NA, 1, 0.6, NA, 0, 1, 0.9, NA])
OTHER = np.array([1, 0.7, 0.9, 0, 0.65, 1, 0, 1, 0.85, 0])
LESION = np.array([0, 1, 1, 0, 1, 0, 0, 0, 1, 0])


def worked_example() -> pd.DataFrame:
    """Metrics of two models whose IVH Dice are those above; volumes follow from the Dice."""
    truth = {label: np.where(LESION, 10.0, 0.0) if label == "IVH" else np.full(10, 10.0) for label in LABELS}
    tables = []
    for model, dice in ((FOCAL, MODEL), (DICECE, OTHER)):
        guess = {label: volume.copy() for label, volume in truth.items()}
        guess["IVH"] = np.where(LESION, 10.0, np.where(np.nan_to_num(dice) == 1, 0.0, 1.0))
        table = planned_rows(model, truth, guess, guess)
        table.loc[table["label"] == "IVH", "dice"] = dice
        tables.append(without_predictions(table, model, [f"{i:03d}" for i in np.flatnonzero(np.isnan(dice))]))
    return pd.concat(tables, ignore_index=True)


def test_the_worked_example_of_ten_scans() -> None:
    tables = analysed(worked_example(), (FOCAL, DICECE))
    primary = tables["endpoints"].iloc[0]
    assert (primary["status"], primary["n"]) == (PRIMARY, 10)
    assert primary["difference"] == pytest.approx(-0.08, abs=5e-7)
    found = tables["sensitivity"].query("endpoint == 'IVH Dice'").set_index("analysis")
    small = SMALL_AS_NONE.format(0.1)
    assert list(found.index) == ["complete cases", WORST_CASE, BEST_CASE, small, "clusters: sites"]
    wanted = {"complete cases": 0.157143, WORST_CASE: -0.08, BEST_CASE: 0.22, "clusters: sites": -0.08}
    wanted[small] = -0.08  # what is missing stays wrong, and the false positives have 1 mL
    for analysis, difference in wanted.items():
        assert found.loc[analysis, "difference"] == pytest.approx(difference, abs=5e-7), analysis
    assert list(found["n"]) == [7, 10, 10, 10, 10]
    assert (found["lower"] < found["difference"]).all()


def test_bounds_hold_whatever_the_missing_ones_would_have_been() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random((2, 30, 2))
    missing = rng.random(truth.shape) < 0.3
    for measure, sign in (("dice", 1), ("false_positive", -1), ("surface_dice", 1)):
        cases = extreme_cases(np.where(missing, np.nan, truth), missing, measure)
        worst, best = (sign * np.diff(cases[case][..., ::-1]).mean() for case in (WORST_CASE, BEST_CASE))
        assert worst < sign * np.diff(truth[..., ::-1]).mean() < best
        np.testing.assert_array_equal(cases[WORST_CASE][~missing], truth[~missing])
    assert not is_bounded("volume_error_ml")


def test_bounds_stand_where_a_prediction_is_missing_and_the_measure_has_bounds() -> None:
    metrics = without_predictions(simulated([FOCAL, DICECE], n_scans=30), DICECE, ["000", "002", "003"])
    table = analysed(metrics, (FOCAL, DICECE))["sensitivity"]
    by = table.set_index(["endpoint", "analysis"])
    bias = table[table["endpoint"] == "PHE volume error"].set_index("analysis")
    assert list(bias.index) == ["complete cases", "clusters: participants"]
    assert bias.loc["complete cases", "note"] == NO_BOUNDS
    name = "IVH predicted where there is none"
    differences = [by.loc[(name, case), "difference"] for case in (WORST_CASE, BEST_CASE)]
    assert differences == [0, pytest.approx(-2 / 15)], "a share: lower is better"
    whole = analysed(simulated([FOCAL, DICECE], n_scans=30), (FOCAL, DICECE))["sensitivity"]
    assert not set(whole["analysis"]) & {WORST_CASE, BEST_CASE}


def test_the_page_shows_bounds_only_where_a_prediction_is_missing() -> None:
    whole = analysed(simulated([FOCAL, DICECE], n_scans=30), (FOCAL, DICECE))
    panels = len(planned_comparison(whole, {}, LABELS).panels)
    *others, panel = planned_comparison(analysed(worked_example(), (FOCAL, DICECE)), {}, LABELS).panels
    assert len(others) == panels
    rows = [[cell.text for cell in row] for row in panel.rows]
    pair = f"{FOCAL} − {DICECE}"
    assert rows[0][:3] == ["IVH Dice", pair, "7"]
    assert [text.partition(" ")[0] for text in rows[0][3:]] == ["0.157", "−0.080", "0.220"]
    assert rows[-1][:2] == ["PHE volume error", pair]
    assert rows[-1][4:] == ["–", "–"]


def test_of_several_seeds_only_the_missing_ones_are_bounded() -> None:
    metrics = simulated([FOCAL, DICECE], n_scans=10, seeds=(1, 2))
    metrics = without_predictions(metrics, FOCAL, ["001"], seed=2)
    plan = replace(PLAN, key_secondary=())
    found = analysed(metrics, (FOCAL, DICECE), plan=plan)["sensitivity"].set_index("analysis")
    assert found.loc[BEST_CASE, "difference"] - found.loc[WORST_CASE, "difference"] == pytest.approx(1 / 20)
    assert found.loc["complete cases", "n"] == 9
