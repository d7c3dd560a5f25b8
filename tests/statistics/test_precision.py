"""Half widths, detectable differences, power: worked examples, statsmodels, simulated studies."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.power import TTestPower

from headct.settings.analysis_plan import PRIMARY, SCAN, SITE
from headct.statistics.comparison.endpoint_precision import NONE_DETECTABLE
from headct.statistics.comparison.paired import NO_VARIANCE
from headct.statistics.core.precision import MeanError, of_independent
from support.planned_cases import MODELS, PLAN, analysed, cohort
from support.simulated_scores import simulated

STUDENT = of_independent(0.301, 174)
NORMAL = MeanError(STUDENT.error, math.inf)


def six(value: float) -> object:
    return pytest.approx(value, abs=5e-7)


def test_worked_example_by_the_normal_approximation() -> None:
    assert NORMAL.error == six(0.022819)
    assert NORMAL.half_width() == six(0.044724)
    assert NORMAL.detectable() == six(0.063929)
    assert NORMAL.power(0.074) == six(0.900251)
    assert NORMAL.equivalence_power(0.05) == six(0.415159)


def test_worked_example_by_t() -> None:
    assert STUDENT.half_width() == six(0.045039)
    assert STUDENT.detectable() == six(0.064286)
    assert STUDENT.power(0.074) == six(0.897052)


@pytest.mark.parametrize(("n", "sd", "difference"), [(174, 0.301, 0.074), (12, 0.2, 0.1), (5, 1, 2)])
@pytest.mark.parametrize("alpha", [0.05, 0.05 / 27])
def test_power_and_detectable_differences_are_those_of_statsmodels(
    n: int, sd: float, difference: float, alpha: float
) -> None:
    own, other = of_independent(sd, n), TTestPower()
    assert own.power(difference, alpha) == pytest.approx(other.power(difference / sd, n, alpha), rel=1e-9)
    solved = other.solve_power(nobs=n, alpha=alpha, power=0.8)
    assert own.detectable(alpha) == pytest.approx(solved * sd, rel=1e-5), "its solver stops early"


def test_where_there_is_no_difference_power_is_the_error() -> None:
    for error in (STUDENT, NORMAL, MeanError(1, 4)):
        assert error.power(0) == pytest.approx(0.05)


@pytest.mark.parametrize(("n", "margin"), [(10, 1.0), (174, 0.15), (30, 0.2)])
def test_equivalence_is_shown_as_often_as_said(n: int, margin: float) -> None:
    """20 000 studies of independent normal differences whose mean is 0."""
    rng = np.random.default_rng(5)
    means, sds = rng.normal(0, 1 / math.sqrt(n), 20_000), np.sqrt(rng.chisquare(n - 1, 20_000) / (n - 1))
    half = stats.t.isf(0.05, n - 1) * sds / math.sqrt(n)
    shown = np.mean(np.abs(means) + half < margin)
    assert of_independent(1, n).equivalence_power(margin) == pytest.approx(shown, abs=0.012)


def test_many_degrees_of_freedom_are_the_normal_approximation() -> None:
    many = MeanError(NORMAL.error, 1e6)
    for of in (MeanError.half_width, MeanError.detectable):
        assert of(many) == pytest.approx(of(NORMAL), rel=1e-4)
    assert many.equivalence_power(0.05) == pytest.approx(NORMAL.equivalence_power(0.05), abs=1e-4)
    assert NORMAL.equivalence_power(0.01) == 0, "the interval is wider than the margin"


def test_hard_errors_have_a_detectable_difference() -> None:
    for df in (1, 1.3, 2, 400):
        error = MeanError(0.1, df)
        for alpha in (0.05, 0.05 / 27):
            assert error.power(error.detectable(alpha), alpha) == pytest.approx(0.8)


def precise(metrics: pd.DataFrame, cluster: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The tables of precision and of endpoints."""
    tables = analysed(metrics, MODELS, plan=replace(PLAN, cluster=cluster))
    return tables["precision"], tables["endpoints"]


def test_half_widths_are_those_of_the_intervals_of_the_endpoints() -> None:
    found, endpoints = precise(simulated(MODELS, n_scans=60), SCAN)
    varies = found["note"].isna()
    assert varies.sum() == 19, "no model invents IVH"
    found, endpoints = found[varies], endpoints[varies]
    for width, low, high in (
        ("half_width", "lower", "upper"),
        ("half_width_adjusted", "lower_adjusted", "upper_adjusted"),
    ):
        drawn = (endpoints[high] - endpoints[low]) / 2
        assert found[width].to_numpy() == pytest.approx(drawn.to_numpy())
    assert found["effective_n"].to_numpy() == pytest.approx(found["n"].to_numpy()), "scans are independent"
    assert (found["alpha"] == np.where(found["status"] == PRIMARY, 0.05, 0.05 / 27)).all()
    assert (found["detectable"] > found["half_width_adjusted"]).all()


def test_few_scans_find_no_difference_that_is_possible() -> None:
    found, _ = precise(simulated(MODELS, n_scans=6), SCAN)
    of_lesion = found[found["scans"].eq("with lesion") & found["label"].eq("IVH")]
    assert (of_lesion["n"] == 3).all()
    assert of_lesion["note"].eq(NONE_DETECTABLE).any()
    assert not (found.loc[found["measure"].eq("dice"), "detectable"] > 1).any()


def test_scans_that_are_alike_within_a_site_count_for_less() -> None:
    metrics = simulated(MODELS, n_scans=60)
    sites = cohort(60)[0].set_index("scan_id")["site"]
    shift = metrics["scan_id"].map(sites.isin(sorted(set(sites))[:6]) * 0.4)
    metrics["dice"] = metrics["dice"] * np.where(metrics["model"] == MODELS[0], 1 - shift, 1)
    alone, together = (precise(metrics, cluster)[0].iloc[0] for cluster in (SCAN, SITE))
    assert together["n_clusters"] < 13
    assert together["effective_n"] < 0.6 * alone["effective_n"]
    assert together["detectable"] > alone["detectable"]


def test_scans_that_balance_each_other_within_a_site_count_as_no_more_than_there_are() -> None:
    """Sites of which each has the same mean difference: their standard error is next to nothing."""
    metrics = simulated(MODELS[:1], n_scans=60).assign(dice=0.5)
    sites = cohort(60)[0].set_index("scan_id")["site"]
    place = sites.groupby(sites).cumcount() % 2
    twin = metrics[metrics["model"] == MODELS[0]].assign(model=PLAN.primary.against[0])
    twin["dice"] += twin["scan_id"].map(place) * 0.2 + np.random.default_rng(1).normal(0, 0.01, len(twin))
    found, _ = precise(pd.concat([metrics, twin], ignore_index=True), SITE)
    assert found.iloc[0]["effective_n"] == found.iloc[0]["n"] == 60


def test_models_that_are_the_same_have_a_note_and_no_width() -> None:
    metrics = simulated(MODELS[:1], n_scans=12)
    twin = metrics[metrics["model"] == MODELS[0]].assign(model=PLAN.primary.against[0])
    found, _ = precise(pd.concat([metrics, twin], ignore_index=True), SCAN)
    assert (found.iloc[0]["note"], found.iloc[0]["sd"]) == (NO_VARIANCE, 0)
    assert found[["half_width", "detectable"]].isna().all().all()
    assert found.iloc[-1]["note"].startswith("not part of this run: ")
