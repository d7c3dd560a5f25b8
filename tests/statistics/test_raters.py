"""A model beside another rater: worked examples, and the table of what the plan says of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from headct.contracts.references import ANOTHER_RATER
from headct.publish.tables import table_page
from headct.publish.tables.planned_comparison import planned_comparison
from headct.settings.analysis_plan import EXPLORATORY, PLANNED, SCAN, SITE
from headct.statistics.comparison.equivalence import UNSEEN
from headct.statistics.comparison.raters import (
    NOT_SHOWN,
    NOT_WORSE,
    against_rater,
    individual_agreement,
    interchangeability,
    p_of_worse,
    raters_table,
    upper_end,
    williams_index,
)
from headct.statistics.comparison.score_arrays import score_arrays_of, second_readings
from headct.statistics.core.clusters import clusters
from headct.statistics.core.jackknife import Estimated
from support.label_sets import LABELS
from support.planned_cases import MODELS, PLAN, analysed, cohort, rows
from support.simulated_scores import simulated, with_role

MODEL = np.array([0.91, 0.88, 0.93, 0.79, 0.90, 0.86, 0.92, 0.84])
RATERS = np.array([0.90, 0.91, 0.92, 0.83, 0.92, 0.85, 0.93, 0.88])
MODEL_WITH_OTHER = np.array([0.89, 0.90, 0.91, 0.80, 0.91, 0.84, 0.93, 0.86])
VOLUMES = np.array([12.1, 30.5, 5.2, 44, 18.3, 25.9, 9.7, 61.2])[:, None]
FIRST = np.array([11, 32, 5.9, 40.1, 19, 24.5, 10.4, 65])
SECOND = np.array([12.4, 30.1, 5, 43.2, 17.6, 26.8, 9.1, 60.9])
SINGLE = np.arange(8)


def six(value: float) -> object:
    return pytest.approx([value], abs=5e-7)


def delta(model: np.ndarray, rater: np.ndarray, clusters: np.ndarray) -> Estimated:
    return against_rater(model[None, :, None], rater[None, :, None], clusters)


def test_worked_example_of_the_difference_from_a_rater() -> None:
    found = delta(MODEL, RATERS, SINGLE)
    assert (found.estimate, found.standard_error()[0]) == (six(-0.013750), six(0.007778))
    assert found.interval(0.95)[0] == six(-0.032141), "one-sided 97.5 %"
    assert p_of_worse(found, 0.03) == six(0.037522)
    assert p_of_worse(found, 0.05) == six(0.001156)


def test_worked_example_of_williams_index() -> None:
    found = williams_index(MODEL, MODEL_WITH_OTHER, RATERS, SINGLE)
    assert (found.estimate, found.standard_error()[0]) == (six(0.985294), six(0.005674))
    assert found.interval(0.95) == (six(0.971878), six(0.998710))


def test_worked_example_of_interchangeability() -> None:
    found = interchangeability(VOLUMES, FIRST, SECOND, SINGLE)
    assert (found.estimate, found.standard_error()[0]) == (six(-2.766250), six(1.031092))
    assert upper_end(found) == six(-0.812765)
    assert individual_agreement(VOLUMES, FIRST, SECOND) == six(2.128506)


def test_of_single_scans_it_is_students_t() -> None:
    found = delta(MODEL, RATERS, SINGLE)
    test = stats.ttest_1samp(MODEL - RATERS, -0.03, alternative="greater")
    assert p_of_worse(found, 0.03) == pytest.approx([test.pvalue])


def test_clusters_of_equal_size_are_as_their_means() -> None:
    twice = np.repeat(SINGLE, 2)
    found, alone = delta(MODEL[twice], RATERS[twice], twice), delta(MODEL, RATERS, SINGLE)
    assert found.estimate == pytest.approx(alone.estimate)
    assert np.ravel(found.interval(0.95)) == pytest.approx(np.ravel(alone.interval(0.95)))


def test_equal_readings_have_no_p() -> None:
    found = delta(MODEL, MODEL, SINGLE)
    assert np.isnan(p_of_worse(found, 0.03)).all()
    assert np.isnan(individual_agreement(FIRST[:, None], FIRST, FIRST)).all()


METRICS = simulated(MODELS[:3], n_scans=60)


def read_again(n: int, share: float) -> pd.DataFrame:
    """Metrics of another rater who drew this share of each lesion in ``n`` test scans and a training scan."""
    of_model = METRICS[METRICS["model"] == MODELS[0]]
    volumes = of_model.pivot(index="scan_id", columns="label", values="reference_ml").sort_index().iloc[:n]
    truth = {label: volumes[label].to_numpy() for label in LABELS}
    drawn = {label: truth[label] * np.linspace(share - 0.02, share, n) for label in LABELS}
    table = rows(ANOTHER_RATER, truth, drawn, drawn, seed=None)
    of_training = table[table["scan_id"] == "000"].assign(scan_id="t0")
    return pd.concat([table, of_training], ignore_index=True)


def beside(readings: pd.DataFrame | None, **changes: object) -> dict[str, pd.DataFrame]:
    """All tables of three models, and of these readings."""
    plan = replace(PLAN, **{"cluster": SCAN, **changes})
    return analysed(METRICS, MODELS[:3], plan=plan, readings=readings)


def test_models_are_compared_with_a_rater_on_the_test_scans_that_both_read() -> None:
    found = beside(read_again(30, 0.3))["rater_noninferiority"]
    assert len(found) == 9
    assert (set(found["n"]), set(found["n_test"])) == ({30}, {60}), "the training scan does not count"
    assert set(found["verdict"]) == {NOT_WORSE}, "a rater who draws a third is worse than any model"
    assert set(found["choice"]) == {"not stated in the plan"}
    assert (
        found["note"].str.endswith("γ's upper end does not hold where lesions are missed or invented").all()
    )
    judged = found.dropna(subset="p")
    assert len(judged)
    assert ((judged["p"] < 0.025) == (judged["verdict"] == NOT_WORSE)).all()
    first = METRICS[(METRICS["model"] == MODELS[0]) & (METRICS["label"] == "PHE")].head(30)
    row = found.set_index(["model", "label"]).loc[(MODELS[0], "PHE")]
    assert row["estimate_model"] == pytest.approx(first["dice"].mean())
    assert row["difference"] == pytest.approx(row["estimate_model"] - row["estimate_rater"])
    assert row["lower"] == pytest.approx(row["difference"] - stats.t.isf(0.025, 29) * row["error"], abs=1e-3)
    assert dict(zip(found["model"], found["status"], strict=True)) == {
        MODELS[0]: PLANNED,
        MODELS[1]: EXPLORATORY,
        MODELS[2]: EXPLORATORY,
    }


def test_a_model_that_is_worse_than_a_rater_is_not_shown_not_to_be() -> None:
    found = beside(read_again(30, 1.0))["rater_noninferiority"]
    assert set(found["verdict"]) == {NOT_SHOWN}
    assert (found["p"].dropna() > 0.3).all()
    assert (found["interchangeability_upper_ml2"] > found["interchangeability_ml2"]).all()
    assert (found["interchangeability_ml2"] > 0).all()
    assert (found["individual_agreement"] < 1).all()


@pytest.mark.parametrize(
    ("readings", "changes", "said"),
    [
        (read_again(19, 0.9), {}, "another rater read 19 of 60 test scans: 20 are needed"),
        (None, {}, "another rater read 0 of 60 test scans: 20 are needed"),
        (read_again(30, 0.9), {"not_worse_than_a_rater": None}, "the plan has no margin"),
    ],
)
def test_without_enough_scans_or_a_margin_one_row_says_so(
    readings: pd.DataFrame | None, changes: dict[str, object], said: str
) -> None:
    tables = beside(readings, **changes)
    (row,) = tables["rater_noninferiority"].to_dict("records")
    assert row["note"].startswith(said)
    assert np.isnan([row["difference"], row["p"], row["interchangeability_ml2"]]).all()
    page = table_page.html(planned_comparison(tables, {}, LABELS), "")
    assert f"not estimated; {said}" in page
    assert "H. Mean Dice" not in page


def test_few_clusters_decide_nothing_and_the_page_says_how_scans_were_chosen() -> None:
    margin = replace(PLAN.not_worse_than_a_rater, choice="each second one by date")
    alone = beside(read_again(30, 0.3), not_worse_than_a_rater=margin)
    page = table_page.html(planned_comparison(alone, {}, LABELS), "")
    assert "another rater read 30 of 60 test scans, chosen so: each second one by date." in page
    assert "H. Mean Dice with the first reading, less that of another rater" in page
    noted = alone | {"rater_noninferiority": alone["rater_noninferiority"].assign(note="all scans are equal")}
    page = table_page.html(planned_comparison(noted, {}, LABELS), "")
    assert "not estimated; all scans are equal" not in page, "a note of one row is not of all"
    table, _ = cohort(60)
    two_sites = table.assign(site=np.where(np.arange(len(table)) % 2, "a", "b"))
    drawn = clusters(SITE, two_sites)
    data = score_arrays_of(with_role(METRICS, MODELS[:3]), LABELS, drawn)
    second = second_readings(read_again(30, 0.3), LABELS, drawn)
    assert set(raters_table(data, second, PLAN)["verdict"]) == {"too few sites to decide"}


def test_the_page_tells_what_a_verdict_goes_by_where_many_scans_are_equal() -> None:
    dice = read_again(30, 1.0).drop_duplicates(["scan_id", "label"]).set_index(["scan_id", "label"])["dice"]
    as_read = METRICS.set_index(["scan_id", "label"]).index.map(dice)
    much_alike = METRICS.assign(dice=np.where(as_read.isna(), METRICS["dice"], as_read))
    plan = replace(PLAN, cluster=SCAN)
    tables = analysed(much_alike, MODELS[:3], plan=plan, readings=read_again(30, 0.999))
    found = tables["rater_noninferiority"].query("label == 'IVH'")  # in half of the scans nobody drew any
    assert set(found["verdict"]) == {NOT_SHOWN}
    assert found["p"].isna().all(), "that of the standard error alone is below .025"
    assert found["note"].str.startswith(UNSEEN).all()
    assert (found["lower"] < -found["margin"]).all()
    page = " ".join(planned_comparison(tables, {}, LABELS).notes)
    assert "“Not worse”: the 97.5% bound of the difference lies above −margin" in page
    assert "and there is no P." in page


def test_a_model_that_equals_the_rater_has_a_bound_by_what_is_unseen_and_says_so() -> None:
    readings = read_again(30, 0.8)
    dice = readings.drop_duplicates(["scan_id", "label"]).set_index(["scan_id", "label"])["dice"]
    as_read = METRICS.set_index(["scan_id", "label"]).index.map(dice)
    alike = METRICS.assign(dice=np.where(as_read.isna(), METRICS["dice"], as_read))
    tables = analysed(alike, MODELS[:3], plan=replace(PLAN, cluster=SCAN), readings=readings)
    found = tables["rater_noninferiority"]
    assert (found["difference"].abs() < 1e-12).all()
    assert np.isfinite(found["lower"]).all()
    assert found["p"].isna().all()
    assert found["note"].str.startswith(UNSEEN).all()
