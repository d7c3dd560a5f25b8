"""Intervals and P by leaving out clusters, and by counts: against SciPy, R, the literature and by hand."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from headct.statistics.core import jackknife
from headct.statistics.core.clusters import clusters, default_kind
from headct.statistics.core.jackknife import ccc, evaluate, mean, variance_between_seeds
from headct.statistics.core.order_statistics import (
    effective_number,
    exact_upper_bound,
    median_interval,
    wilson,
)

RNG = np.random.default_rng(7)


def test_of_normal_values_it_is_students_t() -> None:
    # R: t.test(x); the degrees of freedom by the kurtosis of 400 normal values differ little from 399
    x = RNG.normal(0.1, 1, size=(1, 400, 1))
    found = evaluate(mean(x), np.arange(400))
    theirs = stats.ttest_1samp(x[0, :, 0], 0)
    assert np.ravel(found.interval(0.95)) == pytest.approx(theirs.confidence_interval(0.95), rel=0.005)
    assert found.p_value()[0] == pytest.approx(theirs.pvalue, rel=0.02)
    assert found.standard_error()[0] == pytest.approx(x.std(ddof=1) / 20)


def test_few_scans_that_differ_leave_few_degrees_of_freedom() -> None:
    few = np.zeros((1, 50, 1))
    few[0, :2] = 1.0
    found = evaluate(mean(few), np.arange(50))
    kurtosis = stats.kurtosis(few[0, :, 0], fisher=False)
    half = stats.t.ppf(0.975, 2 * 50 / (kurtosis - 1)) * few.std(ddof=1) / np.sqrt(50)
    assert np.ravel(found.interval(0.95)) == pytest.approx([0.04 - half, 0.04 + half])


@settings(max_examples=30, deadline=None)
@given(st.integers(4, 40), st.floats(0.5, 0.999), st.integers(0, 999))
def test_an_interval_and_its_p_never_disagree(n: int, level: float, state: int) -> None:
    values = np.random.default_rng(state).exponential(size=(1, n, 1)) - 0.7
    found = evaluate(mean(values), np.arange(n) // 2)
    (low,), (high,) = found.interval(level)
    assert (low > 0 or high < 0) == (found.p_value()[0] < 1 - level)


def test_copies_of_scans_in_one_cluster_add_nothing() -> None:
    values = RNG.normal(size=(1, 20, 1))
    single = evaluate(mean(values), np.arange(20))
    copied = evaluate(mean(np.repeat(values, 3, axis=1)), np.repeat(np.arange(20), 3))
    np.testing.assert_allclose(copied.interval(0.9), single.interval(0.9))
    alone = evaluate(mean(np.repeat(values, 3, axis=1)), np.arange(60))
    assert np.ptp(alone.interval(0.9)) < 0.65 * np.ptp(single.interval(0.9))


def test_unequal_clusters_count_by_their_effective_number() -> None:
    """Σn = 12, Σn² = 64 + 4: 12² / 68 clusters."""
    sizes = [8, 1, 1, 1, 1]
    found = evaluate(mean(RNG.normal(size=(1, 12, 1))), np.repeat(np.arange(5), sizes))
    assert found.cluster_df == pytest.approx(144 / 68 - 1)
    assert found.standard_error()[1] <= max(found.cluster_df, 1)


def test_the_jackknife_of_a_mean_by_hand() -> None:
    """Clusters of 1, 1 and 2 scans: means without each, and (3 − 1) times their variance over 3."""
    values = np.array([1.0, 4.0, 2.0, 3.0])
    found = evaluate(mean(values[None, :, None]), np.array([0, 1, 2, 2]))
    without = np.array([3.0, 2.0, 2.5])
    np.testing.assert_allclose(found.left_out[:, 0], without)
    assert found.standard_error()[0][0] == pytest.approx(np.sqrt(2 * without.var()))


def lins_ccc(x: np.ndarray, y: np.ndarray) -> float:
    """Biometrics 1989;45:255-268, equation 3, moments over n."""
    covariance = np.cov(x, y, ddof=0)[0, 1]
    return float(2 * covariance / (x.var() + y.var() + (x.mean() - y.mean()) ** 2))


def test_ccc_of_weights_is_lins_of_the_resample() -> None:
    x = RNG.gamma(2, 10, 20)
    y = x[:, None] * RNG.uniform(0.5, 1.5, (20, 2)) + [0, 1000]
    drawn = RNG.integers(0, 20, 20)
    weights = np.stack([np.full(20, 1 / 20), np.bincount(drawn, minlength=20) / 20])
    found = jackknife.ccc(x, y[None])(weights)[0]
    for model in range(2):
        wanted = [lins_ccc(x, y[:, model]), lins_ccc(x[drawn], y[drawn, model])]
        np.testing.assert_allclose(found[:, model], wanted, rtol=1e-9)
    assert np.isnan(jackknife.ccc(np.ones(4), np.ones((1, 4, 1)))(np.full((1, 4), 0.25))).all()


def test_a_concordance_has_its_interval_on_fishers_scale() -> None:
    x = RNG.gamma(2, 10, 15)
    statistic = jackknife.ccc(x, (x * RNG.uniform(0.7, 1.3, 15))[None, :, None])
    found = evaluate(statistic, np.arange(15), fisher=True)
    low, high = map(np.arctanh, np.ravel(found.interval(0.95)))
    assert (low + high) / 2 == pytest.approx(np.arctanh(found.estimate[0]))
    assert found.p_value(found.estimate[0])[0] == pytest.approx(1)


def test_contrast_of_means_and_log_sd_by_hand() -> None:
    values = RNG.normal(size=(1, 9, 2))
    inside = np.arange(9) < 4
    even = np.full((1, 9), 1 / 9)
    found = jackknife.contrast_of_means(values, inside)(even)[0, 0]
    np.testing.assert_allclose(found, values[0, :4].mean(axis=0) - values[0, 4:].mean(axis=0))
    np.testing.assert_allclose(jackknife.log_sd(values)(even)[0, 0], np.log(values[0].std(axis=0)))


def test_no_variance_is_no_certainty() -> None:
    values = RNG.normal(size=(1, 30, 1))
    both = np.concatenate([values, values + 0.5, values], axis=2)
    difference = evaluate(mean(both), np.arange(30)).differences([1, 0], [0, 2])
    assert difference.constant().all(), "models that differ by a constant differ by it without any scan"
    assert np.isnan(difference.interval(0.95)).all()
    assert math.isnan(difference.p_value()[0])
    assert difference.p_value()[1] == 1
    # R: binom.test(30, 30)$p.value
    assert difference.p_of_difference() == pytest.approx([stats.binomtest(30, 30).pvalue, 1])


def test_variance_between_seeds_counts_with_its_few_degrees_of_freedom() -> None:
    seeds = np.array([0.1, 0.4, 0.3])
    values = seeds[:, None, None] + 1e-4 * RNG.normal(size=(3, 40, 1))
    found = evaluate(mean(values), np.arange(40))
    half = stats.t.ppf(0.975, 2) * seeds.std(ddof=1) / np.sqrt(3)
    centre = seeds.mean()
    assert np.ravel(found.interval(0.95)) == pytest.approx([centre - half, centre + half], abs=2e-3)
    two = evaluate(mean(values[:2]), np.arange(40))
    assert np.ptp(np.ravel(two.interval(0.95))) < 1e-3, "two seeds say nothing about their spread"


def test_variance_between_seeds_is_pooled_over_models_that_vary_alike() -> None:
    by_seed = np.array([[0.1, 0.5, 0.0, 0.7], [0.4, 0.5, 0.3, 0.7], [0.3, 0.5, 0.3, 0.1]])
    nothing = np.zeros(4)
    variance, df = variance_between_seeds(by_seed, nothing, alike=[0, 1, 2])
    pooled = (np.var([0.1, 0.4, 0.3], ddof=1) + np.var([0.0, 0.3, 0.3], ddof=1)) / 2 / 3
    assert variance == pytest.approx([pooled, 0, pooled, np.var([0.7, 0.7, 0.1], ddof=1) / 3])
    assert df == pytest.approx([4, 2, 4, 2]), "equal trainings tell nothing; one beyond them is alone"
    assert variance_between_seeds(by_seed[:2], nothing, alike=[0, 1, 2])[0] == pytest.approx(nothing)
    assert variance_between_seeds(by_seed, 1 + nothing, alike=[0, 1, 2])[0] == pytest.approx(nothing)


def test_a_difference_has_the_variance_of_both_models_trainings() -> None:
    values = RNG.normal(size=(3, 1, 4)) + 1e-4 * RNG.normal(size=(3, 40, 4))
    found = evaluate(mean(values), np.arange(40), alike=range(3))
    variance = found.seed_variance
    assert variance[:3] == pytest.approx(np.mean(found.by_seed.var(axis=0, ddof=1)[:3]) / 3, rel=1e-4)
    pairs = found.differences([0, 0], [1, 3])
    assert pairs.seed_variance == pytest.approx([2 * variance[0], variance[0] + variance[3]])
    assert pairs.seed_df == pytest.approx([6, 2]), "with one beyond them it is as little known as that one's"
    half = stats.t.ppf(0.975, 6) * np.sqrt(2 * variance[0])
    assert (pairs.interval(0.95)[1] - pairs.estimate)[0] == pytest.approx(half, rel=1e-4)


def test_a_difference_of_coefficients_has_the_variance_between_seeds_on_its_own_scale() -> None:
    reference = RNG.gamma(2, 5, 60)
    scale = np.array([[[1.0, 1.2]], [[1.02, 1.22]], [[0.98, 1.18]]])
    predicted = reference[:, None] * scale + RNG.normal(size=(1, 60, 2))
    found = evaluate(ccc(reference, predicted), np.arange(60), fisher=True)
    difference = found.differences([0], [1])
    assert difference.seed_variance == pytest.approx(found.by_seed.var(axis=0, ddof=1).sum() / 3, rel=0.05)


def test_errors_of_scans_count_once_whatever_the_number_of_trainings() -> None:
    """Trainings that differ in single scans only: the variance is that of the mean of all values."""
    rng, scans = np.random.default_rng(3), np.arange(50)
    many = [evaluate(mean(rng.normal(size=(3, 50, 10))), scans, alike=range(10)) for _ in range(100)]
    variance = np.mean([np.square(one.standard_error()[0]) for one in many])
    assert 1 / 150 < variance < 1.3 / 150, "a variance below 0 counts as 0"


def test_a_diverged_training_changes_no_other_model() -> None:
    rng = np.random.default_rng(5)
    values = 0.8 + rng.normal(0, 0.1, (1, 60, 6)) + rng.normal(0, 0.01, (3, 1, 6))
    diverged = values.copy()
    diverged[2, :, 5] = 0.0
    plain, other = (evaluate(mean(of), np.arange(60), alike=range(6)) for of in (values, diverged))
    np.testing.assert_allclose(
        other.differences([0], [1]).interval(0.95), plain.differences([0], [1]).interval(0.95), rtol=0.1
    )
    assert other.seed_df[5] == 2
    assert other.seed_df[0] == 10
    assert np.ptp(other.differences([0], [5]).interval(0.95)) > 1


@settings(max_examples=20, deadline=None)
@given(st.integers(3, 60), st.floats(-5, 5), st.floats(0.1, 10))
def test_intervals_move_with_the_values(n: int, shift: float, factor: float) -> None:
    values = np.random.default_rng(n).normal(size=(1, n, 1))
    scans = np.arange(n)
    plain = np.ravel(evaluate(mean(values), scans).interval(0.9))
    moved = np.ravel(evaluate(mean(factor * values + shift), scans).interval(0.9))
    np.testing.assert_allclose(moved, factor * plain + shift, rtol=1e-6, atol=1e-6)
    turned = np.ravel(evaluate(mean(-values), scans).interval(0.9))
    np.testing.assert_allclose(turned, -plain[::-1], rtol=1e-6, atol=1e-6)


def test_intervals_end_where_the_measure_does() -> None:
    shares = np.array([[1.0, 0.0], [0.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    free, held = (
        evaluate(mean(shares[None]), np.arange(4), bounds=bounds) for bounds in (jackknife.UNBOUNDED, (0, 1))
    )
    assert free.interval(0.95)[1][0] > 1
    assert held.interval(0.95)[1][0] == 1
    assert held.differences([1], [0]).interval(0.95)[0][0] == -1


@pytest.mark.parametrize(
    ("n", "low", "high"), [(6, 1, 6), (10, 2, 9), (20, 6, 15), (50, 18, 33), (100, 40, 61)]
)
def test_ranks_of_the_median_interval(n: int, low: int, high: int) -> None:
    """Altman DG et al. Statistics with Confidence, 2nd ed. 2000, table 18.3 (95 %).

    R: DescTools::MedianCI(1:n, method = "exact").
    """
    assert median_interval(RNG.permutation(np.arange(1, n + 1)), np.arange(n)) == (low, high)


def test_median_interval_of_few_or_tied_values_and_of_clusters() -> None:
    assert all(map(math.isnan, median_interval(np.arange(5), np.arange(5))))
    assert all(map(math.isnan, median_interval(np.zeros(0), np.zeros(0, int))))
    assert median_interval(np.array([0.2, *[1.0] * 30]), np.arange(31)) == (1, 1)
    values = RNG.normal(size=100)
    pairs = np.repeat(values, 2), np.repeat(np.arange(100), 2)
    together, apart = median_interval(*pairs), median_interval(pairs[0], np.arange(200))
    assert np.ptp(together) > 1.2 * np.ptp(apart)


def test_copies_of_scans_in_one_cluster_are_one_scan() -> None:
    hits = np.repeat((np.arange(40) < 12).astype(float), 2)
    number = effective_number(hits, np.repeat(np.arange(40), 2))
    assert number == pytest.approx(40, rel=0.05), "the design effect is 2"
    assert effective_number(hits, np.arange(80)) == 80
    assert effective_number(hits, np.zeros(80, int)) == 1
    assert effective_number(np.tile([1.0, 0.0], 6), np.repeat(np.arange(6), 2)) == 12, "clusters all alike"
    assert wilson(hits, np.repeat(np.arange(40), 2), 0.95) == pytest.approx(
        wilson(hits[::2], np.arange(40), 0.95), abs=0.01
    )
    assert exact_upper_bound(hits, np.repeat(np.arange(40), 2), 0.95) == pytest.approx(
        stats.binomtest(12, 40).proportion_ci(0.90, "exact").high, abs=0.01
    )


def test_sites_are_the_clusters_if_five_have_two_scans() -> None:
    sites = pd.Series([*"aabbccdde"])
    assert default_kind(sites) == "participant"
    assert default_kind(pd.concat([sites, pd.Series(["e"])])) == "site"


def test_clusters_of_the_cohort() -> None:
    cohort = pd.DataFrame(
        {
            "scan_id": ["1", "2", "3", "4"],
            "participant_id": ["P", "P", "Q", "R"],
            "site": ["a", "a", np.nan, np.nan],
        }
    )
    numbers = {
        kind: list(clusters(kind, cohort).of(["1", "2", "3", "4"])) for kind in ("site", "participant")
    }
    assert numbers["participant"] == [0, 0, 1, 2]
    assert len(set(numbers["site"])) == 3, "scans without a site are not one site"
    assert list(clusters("scan", cohort).of(["3", "1"])) == [1, 0]
