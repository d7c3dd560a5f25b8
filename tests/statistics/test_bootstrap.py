"""Intervals by resampling and by order statistics: against SciPy, the literature and planted truths."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from headct.statistics.core import bootstrap
from headct.statistics.core.agreement import concordance
from headct.statistics.core.bootstrap import draws_of_clusters, draws_of_scans, evaluate, mean

RNG = np.random.default_rng(7)


def test_bca_is_scipys_on_the_same_resamples() -> None:
    values = RNG.exponential(size=(25, 3))
    theirs = stats.bootstrap((values,), np.mean, n_resamples=999, method="BCa", rng=1, confidence_level=0.9)
    ours = evaluate(mean(values[None]), draws_of_scans(25, 999, 1))
    same = replace(ours, resampled=theirs.bootstrap_distribution.T)
    np.testing.assert_allclose(same.bca(0.9), theirs.confidence_interval, rtol=1e-12)


def test_bca_on_the_spatial_test_data() -> None:
    """Efron & Tibshirani 1993, table 14.2: variance (over n) of 26 children's test A, BCa 90 %: 115.8, 259.6.

    R: bootstrap::bcanon(spatial$A, 2000, function(x) mean((x - mean(x))^2), alpha = c(.05, .95)). The book
    has a = .061 and 2000 resamples, whose ends have a standard error of 2 or so.
    """
    a = "48 36 20 29 42 42 20 42 22 41 45 14 6 0 33 28 34 4 32 24 47 41 24 26 30 41"
    x = np.array(a.split(), float)
    found = evaluate(lambda w: (w @ x**2 - (w @ x) ** 2)[None, :, None], draws_of_scans(26, 20_000, 1))
    assert found.estimate[0] == pytest.approx(171.534, abs=5e-4)
    deviation = found.left_out.mean() - found.left_out
    acceleration = (deviation**3).sum() / (6 * (deviation**2).sum() ** 1.5)
    assert acceleration == pytest.approx(0.061, abs=5e-4)
    low, high = found.bca(0.9)
    assert (low[0], high[0]) == pytest.approx((115.8, 259.6), abs=3)


def test_ccc_of_weights_is_lins_of_the_resample() -> None:
    x = RNG.gamma(2, 10, 20)
    y = x[:, None] * RNG.uniform(0.5, 1.5, (20, 2)) + [0, 1000]
    drawn = RNG.integers(0, 20, 20)
    weights = np.stack([np.full(20, 1 / 20), np.bincount(drawn, minlength=20) / 20])
    found = bootstrap.ccc(x, y[None])(weights)[0]
    for model in range(2):
        wanted = [concordance(x, y[:, model]).ccc, concordance(x[drawn], y[drawn, model]).ccc]
        np.testing.assert_allclose(found[:, model], wanted, rtol=1e-9)
    assert np.isnan(bootstrap.ccc(np.ones(4), np.ones((1, 4, 1)))(np.full((1, 4), 0.25))).all()


def test_the_same_scans_are_drawn_for_all_models() -> None:
    values = RNG.normal(size=(1, 30, 1))
    both = np.concatenate([values, values + 0.5], axis=2)
    difference = evaluate(mean(both), draws_of_scans(30, 1000, 1)).differences([1], [0])
    assert difference.constant().all(), "models that differ by a constant differ by it in each resample"
    assert np.isnan(difference.interval(0.95)).all(), "no variance is no certainty"


def test_three_seeds_are_resampled_and_keep_their_variance() -> None:
    """The variance of a mean over seeds alone is s²/3; drawing 3 of 3 would give two thirds of it."""
    seeds = np.array([0.1, 0.4, 0.3])
    values = np.broadcast_to(seeds[:, None, None], (3, 10, 1))
    found = evaluate(mean(values), draws_of_scans(10, 20_000, 1, n_seeds=3))
    assert found.estimate[0] == pytest.approx(seeds.mean())
    assert found.resampled.var() == pytest.approx(seeds.var(ddof=1) / 3, rel=0.05)
    two = evaluate(mean(values[:2]), draws_of_scans(10, 1000, 1, n_seeds=2))
    assert two.resampled.var() == pytest.approx(0), "two seeds say nothing about their spread"


def test_clusters_are_drawn_whole() -> None:
    clusters = ["a", "a", "b", "c", "c", "c"]
    draws = draws_of_clusters(clusters, 500, 1)
    weights = draws.resamples
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    assert (weights[:, 0] == weights[:, 1]).all()
    assert (weights[:, 3] == weights[:, 5]).all()
    np.testing.assert_allclose(
        draws.left_out,
        np.array([[0, 0, 1, 1, 1, 1], [1, 1, 0, 1, 1, 1], [1, 1, 1, 0, 0, 0]]) / [[4], [5], [3]],
    )
    # A site's own level widens the interval of sites, not that of scans.
    sites = np.repeat(np.arange(12), 10)
    values = (RNG.normal(size=12)[sites] + RNG.normal(0, 0.1, 120))[None, :, None]
    widths = [
        np.ptp(np.ravel(evaluate(mean(values), draws).interval(0.95)))
        for draws in (draws_of_clusters(list(map(str, sites)), 2000, 1), draws_of_scans(120, 2000, 1))
    ]
    assert widths[0] > 2 * widths[1]


@pytest.mark.parametrize(
    ("n", "low", "high"), [(6, 1, 6), (10, 2, 9), (20, 6, 15), (50, 18, 33), (100, 40, 61)]
)
def test_ranks_of_the_median_interval(n: int, low: int, high: int) -> None:
    """Altman DG et al. Statistics with Confidence, 2nd ed. 2000, table 18.3 (95 %).

    R: DescTools::MedianCI(1:n, method = "exact").
    """
    assert bootstrap.median_interval(RNG.permutation(np.arange(1, n + 1))) == (low, high)


def test_median_interval_of_few_or_tied_values() -> None:
    assert all(map(math.isnan, bootstrap.median_interval(np.arange(5))))
    assert all(map(math.isnan, bootstrap.median_interval(np.zeros(0))))
    assert bootstrap.median_interval(np.array([0.2, *[1.0] * 30])) == (1, 1)


def test_t_with_the_degrees_of_freedom_that_the_variance_has() -> None:
    """Of normal values it is Student's t; where two scans of fifty differ, a t with one or two."""
    # R: t.test(x)$conf.int; jackknife::, bootstrap::jackknife(x, mean)$jack.se is sd(x)/sqrt(n)
    x = RNG.normal(size=(1, 400, 1))
    found = evaluate(mean(x), draws_of_scans(400, 500, 1))
    wanted = stats.ttest_1samp(x[0, :, 0], 0).confidence_interval(0.95)
    assert np.ravel(found.student(0.95)) == pytest.approx(np.ravel(wanted), rel=0.005)
    assert found.method() == ["BCa"]
    np.testing.assert_array_equal(found.interval(0.95), found.bca(0.95))
    few = np.zeros((1, 50, 1))
    few[0, :2] = 1.0
    found = evaluate(mean(few), draws_of_scans(50, 500, 1))
    kurtosis = stats.kurtosis(few[0, :, 0], fisher=False)
    half = stats.t.ppf(0.975, 2 * 50 / (kurtosis - 1)) * few.std(ddof=1) / np.sqrt(50)
    assert found.method() == ["t"]
    assert np.ravel(found.interval(0.95)) == pytest.approx([0.04 - half, 0.04 + half])


def test_t_of_a_concordance_is_made_on_fishers_scale() -> None:
    x = RNG.gamma(2, 10, 15)
    found = evaluate(
        bootstrap.ccc(x, (x * RNG.uniform(0.7, 1.3, 15))[None, :, None]),
        draws_of_scans(15, 500, 1),
        fisher=True,
    )
    low, high = map(np.arctanh, np.ravel(found.student(0.95)))
    assert (low + high) / 2 == pytest.approx(np.arctanh(found.estimate[0]))


def test_variance_between_seeds_counts_with_its_few_degrees_of_freedom() -> None:
    seeds = np.array([0.1, 0.4, 0.3])
    values = seeds[:, None, None] + 1e-4 * RNG.normal(size=(3, 40, 1))
    found = evaluate(mean(values), draws_of_scans(40, 500, 1, n_seeds=3))
    half = stats.t.ppf(0.975, 2) * seeds.std(ddof=1) / np.sqrt(3)
    centre = seeds.mean()
    assert np.ravel(found.interval(0.95)) == pytest.approx([centre - half, centre + half], abs=2e-3)


@settings(max_examples=20, deadline=None)
@given(st.integers(3, 60), st.floats(-5, 5), st.floats(0.1, 10))
def test_intervals_move_with_the_values(n: int, shift: float, factor: float) -> None:
    values = np.random.default_rng(n).normal(size=(1, n, 1))
    draws = draws_of_scans(n, 200, 1)
    plain = np.ravel(evaluate(mean(values), draws).interval(0.9))
    moved = np.ravel(evaluate(mean(factor * values + shift), draws).interval(0.9))
    np.testing.assert_allclose(moved, factor * plain + shift, rtol=1e-6, atol=1e-6)
    turned = np.ravel(evaluate(mean(-values), draws).interval(0.9))
    np.testing.assert_allclose(turned, -plain[::-1], rtol=1e-6, atol=1e-6)


def test_intervals_end_where_the_measure_does() -> None:
    shares = np.array([[1.0, 0.0], [0.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    draws = bootstrap.draws_of_scans(4, 200, 1)
    free, held = (
        bootstrap.evaluate(bootstrap.mean(shares[None]), draws, bounds=bounds)
        for bounds in (bootstrap.UNBOUNDED, (0, 1))
    )
    assert free.interval(0.95)[1][0] > 1
    assert held.interval(0.95)[1][0] == 1
    assert held.interval(0.95)[0][0] == max(free.interval(0.95)[0][0], 0)
    against = held.differences([1], [0])
    assert against.interval(0.95)[0][0] == -1
    assert against.interval(0.95)[1][0] > 0
