"""Mean Dice in its two parts, pooled Dice, and what an estimate is about."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from headct.settings.analysis_plan import WITHOUT_LESION
from headct.statistics.comparison.endpoints import SMALL_AS_NONE
from headct.statistics.comparison.score_arrays import at_hand, scope
from headct.statistics.core import jackknife
from headct.statistics.core.agreement import ALL_SCANS, WITH_LESION
from headct.statistics.core.jackknife import RELATIVE_NOISE
from support.label_sets import LABELS
from support.planned_cases import MODELS, analysed, rows
from support.simulated_scores import simulated

FOCAL, DICECE = MODELS[0], "nnunet-3d-dicece"


@pytest.mark.parametrize("seeds", [(1,), (1, 2, 3)])
def test_mean_dice_is_the_weighted_sum_of_its_two_parts(seeds: tuple[int, ...]) -> None:
    table = analysed(simulated([FOCAL, DICECE], n_scans=30, seeds=seeds), (FOCAL, DICECE))["estimates"]
    means = table.query("measure == 'dice_mean'").set_index(["model", "label", "scans"])
    for model in (FOCAL, DICECE):
        whole, present, absent = (
            means.loc[(model, "IVH", scans)] for scans in (ALL_SCANS, WITH_LESION, WITHOUT_LESION)
        )
        assert whole["n"] == present["n"] + absent["n"] == 30
        parts = present["n"] * present["estimate"] + absent["n"] * absent["estimate"]
        assert whole["estimate"] == pytest.approx(parts / 30)
        assert absent["lower"] < absent["estimate"] <= absent["upper"] <= 1
        assert absent["scope"] == at_hand(len(seeds)), "Wilson's interval knows no seeds"
        assert present["scope"] == scope(len(seeds))


def test_the_part_without_the_lesion_is_the_share_that_was_kept_free() -> None:
    truth = {label: np.repeat([10.0, 0.0], [8, 12]) for label in LABELS}
    guess = {label: volume + np.where(np.arange(20) >= 17, 0.05, 0.0) for label, volume in truth.items()}
    shared = {label: np.minimum(truth[label], guess[label]) for label in LABELS}
    metrics = pd.concat([rows(model, truth, guess, shared) for model in (FOCAL, DICECE)], ignore_index=True)
    table = analysed(metrics, (FOCAL, DICECE))["estimates"]
    free = table.query("label == 'PHE' and scans == 'without lesion'").set_index("model")
    row = free.loc[FOCAL]
    assert (row["measure"], row["n"], row["estimate"]) == ("dice_mean", 12, 0.75)
    assert 0 < row["lower"] < 0.75 < row["upper"] < 1
    assert "training-mean" not in free.index, "it has no Dice"


def test_predictions_up_to_the_plans_threshold_count_as_none() -> None:
    """Of 12 scans without IVH the model invents .05 mL in three, and 5 mL in one; the other nothing."""
    truth = {label: np.repeat([10.0, 0.0], [8, 12]) for label in LABELS}
    small = np.select([np.arange(20) >= 17, np.arange(20) == 16], [0.05, 5.0], 0.0)
    tables = []
    for model, invented in ((FOCAL, small), (DICECE, 0 * small)):
        guess = {label: volume + invented for label, volume in truth.items()}
        tables.append(rows(model, truth, guess, truth))
    found = analysed(pd.concat(tables, ignore_index=True), (FOCAL, DICECE))["sensitivity"]
    found = found.set_index(["endpoint", "analysis"])
    name = SMALL_AS_NONE.format(0.1)
    as_measured, at_threshold = (
        found.loc[("IVH Dice", analysis), "difference"] for analysis in ("complete cases", name)
    )
    assert as_measured == pytest.approx(-4 / 20)
    assert at_threshold == pytest.approx(-1 / 20)
    share = "IVH predicted where there is none"
    assert found.loc[(share, "complete cases"), "difference"] == pytest.approx(4 / 12)
    assert found.loc[(share, name), "difference"] == pytest.approx(1 / 12)
    assert ("IVH Dice where there is IVH", name) not in found.index, "no scan without the lesion decides it"


def test_pooled_dice_weighs_by_volume() -> None:
    reference = np.array([50.0, 1.0, 0.0, 9.0])
    predicted = np.array([[[40.0], [0.0], [2.0], [10.0]]])
    shared = np.array([[[36.0], [0.0], [0.0], [8.0]]])
    found = jackknife.evaluate(
        jackknife.pooled_dice(reference, predicted, shared), np.arange(4), bounds=(0, 1)
    )
    assert found.estimate == pytest.approx([88 / 112])
    without = [16 / 22, 88 / 111, 88 / 110, 72 / 93]
    np.testing.assert_allclose(found.left_out[:, 0], without, rtol=RELATIVE_NOISE)
    empty = jackknife.pooled_dice(0 * reference, 0 * predicted, 0 * shared)
    assert np.isnan(jackknife.evaluate(empty, np.arange(4)).estimate).all()
