"""Prediction intervals: their formulas, what they do at the ends of a measure, and how often they hold."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest
import scipy

from headct.statistics.core import prediction
from headct.statistics.core.prediction import Interval, Sample

DICE = (0.0, 1.0)


def alone(values: np.ndarray, **more: object) -> Sample:
    """Each scan is its own cluster."""
    return Sample(np.asarray(values, float), np.arange(len(values)), **more)  # type: ignore[arg-type]


def test_mean_of_others_is_students_t_of_two_samples() -> None:
    x = scipy.stats.norm.ppf((np.arange(20) + 0.5) / 20) * 13 + 68
    half = scipy.stats.t.ppf(0.975, 19) * x.std(ddof=1) * np.sqrt(1 / 20 + 1 / 174)
    assert prediction.of_mean(alone(x), 174, 0.95) == pytest.approx((x.mean() - half, x.mean() + half))


def test_sd_of_others_is_even_on_the_logarithmic_scale() -> None:
    x = np.random.default_rng(0).normal(68, 13, 174)
    lower, upper = prediction.of_sd(alone(x), 174, 0.95)
    assert np.sqrt(lower * upper) == pytest.approx(x.std(ddof=1))
    # Normal values: SE of log SD is 1/√(2(n − 1)), here of two samples
    assert np.log(upper / lower) / 2 == pytest.approx(1.97 / np.sqrt(2 * 173) * np.sqrt(2), rel=0.15)


def test_a_mean_of_dice_keeps_within_0_and_1() -> None:
    few = alone(np.array([0.99, 1, 1, 0.7]), bounds=DICE)
    lower, upper = prediction.of_mean(few, 174, 0.95)
    assert 0 < lower < upper == 1


@pytest.mark.parametrize(("n", "most"), [(174, 0.03), (12, 0.25)])
def test_equal_values_leave_room_for_the_unseen(n: int, most: float) -> None:
    """Dice 0 in all scans: .366 is not expected elsewhere, a little above 0 is."""
    lower, upper = prediction.of_mean(alone(np.zeros(n), bounds=DICE), 174, 0.95)
    assert lower == 0
    assert 0.01 < upper < most
    lower, upper = prediction.of_mean(alone(np.full(n, 0.75), bounds=DICE), 174, 0.95)
    assert 0.75 - 0.75 * most < lower < 0.75 < upper < 0.75 + 0.25 * most
    nothing = prediction.of_mean(alone(np.full(n, 3.0)), 174, 0.95)
    assert np.isnan(nothing).all(), "a volume error has no bounds"


@pytest.mark.parametrize(("n", "m", "share"), [(9, 5, 0.5), (9, 5, 0.25), (7, 7, 0.5)])
def test_a_quantile_of_others_holds_exactly_as_often_as_is_said(n: int, m: int, share: float) -> None:
    """Over all orders in which n values and m others can fall; ranks of the quantile are whole."""
    level, rank = 0.7, int(1 + share * (m - 1))
    sample = alone(np.arange(n), bounds=(-1, n))  # the i-th value is i
    lower, upper = prediction.of_quantile(sample, share, m, level)
    below = []  # how many of the n values are below the quantile of the others
    for places in combinations(range(n + m), m):
        below.append(places[rank - 1] - (rank - 1))
    counts = np.bincount(below, minlength=n + 1) / len(below)
    # It is above the values 0 … lower, and not above upper, …: lower + 1 to upper values are below it.
    assert counts[int(lower) + 1 : int(upper) + 1].sum() >= level
    assert counts[: int(lower) + 1].sum() <= (1 - level) / 2
    assert counts[int(lower) + 2 : int(upper)].sum() < level, "no wider than it must be"


def test_a_quantile_of_ties_is_one_of_them() -> None:
    ivh = np.repeat([0.0, 1.0], [40, 134])
    assert prediction.of_quantile(alone(ivh, bounds=DICE), 0.5, 174, 0.95) == (1, 1)
    assert prediction.of_quantile(alone(ivh, bounds=DICE), 0.25, 174, 0.95) == (0, 1)
    assert prediction.of_quantile(alone(ivh[:3], bounds=DICE), 0.25, 174, 0.95)[0] == 0


@pytest.mark.parametrize(("n", "m"), [(174, 174), (12, 174), (1558, 174)])
def test_a_share_of_others_holds_also_for_few_and_for_none(n: int, m: int) -> None:
    """Exactly, over all counts of both studies: on average over shares, and never far below."""
    shares = np.array([0.005, 0.01, 0.02, 0.05, 0.1, 0.28, 0.5, 0.99])
    ends = np.full((n + 1, 2), np.nan)
    for count in range(n + 1):
        ends[count] = prediction.of_share(alone(np.repeat([1.0, 0.0], [count, n - count])), m, 0.95)
    found = []
    for share in shares:
        p = scipy.stats.binom.pmf(np.arange(n + 1), n, share)
        others = scipy.stats.binom(m, share)
        held = others.cdf(np.round(ends[:, 1] * m)) - others.cdf(np.round(ends[:, 0] * m) - 1)
        found.append(float(p @ held))
    assert np.mean(found) > 0.95
    assert min(found) > 0.92


@pytest.mark.parametrize("of", [prediction.of_mean, prediction.of_ccc, prediction.of_sd])
def test_scans_of_one_site_tell_less(of: Callable[[Sample, float, float], Interval]) -> None:
    rng = np.random.default_rng(4)
    site = np.repeat(np.arange(8), 6)
    reference = rng.gamma(1, 17, 48)
    errors = rng.normal(0, 6, 8)[site] * (1 + site) / 4 + rng.normal(0, 1, 48)
    of_scans, of_sites = (
        of(Sample(errors, clusters, reference=reference), 48, 0.95) for clusters in (np.arange(48), site)
    )
    assert of_sites[1] - of_sites[0] > 1.3 * (of_scans[1] - of_scans[0])


def test_two_clusters_that_differ_leave_a_quantile_within_its_bounds() -> None:
    two = Sample(np.array([0.2, 0.3, 0.8, 0.9]), np.array([0, 0, 1, 1]), DICE)
    assert prediction.of_quantile(two, 0.5, 174, 0.95) == DICE


def test_concordance_of_skewed_volumes_is_held() -> None:
    """300 pairs of studies of log-normal volumes and errors in proportion; Lin's interval held .45 to .62."""
    rng = np.random.default_rng(2)

    def study() -> Sample:
        reference = np.exp(np.log(12.3) + 1.15 * rng.normal(size=100)).clip(0.5, 160)
        predicted = reference * np.exp(0.15 * rng.normal(size=100))
        return alone(predicted - reference, reference=reference)

    held = 0
    for _ in range(300):
        (lower, upper), other = prediction.of_ccc(study(), 100, 0.95), study()
        x, y = other.of_reference, other.of_reference + other.values
        ccc = 2 * np.cov(x, y, ddof=0)[0, 1] / (x.var() + y.var() + (x.mean() - y.mean()) ** 2)
        held += lower <= ccc <= upper
    # Binomial: 300 · .95 = 285, SD 3.8
    assert held > 272


def test_without_scans_or_of_one_cluster_there_is_nothing() -> None:
    none = alone(np.array([]), reference=np.array([]))
    for found in (
        prediction.of_mean(none, 174, 0.95),
        prediction.of_sd(none, 174, 0.95),
        prediction.of_share(none, 174, 0.95),
        prediction.of_quantile(none, 0.5, 174, 0.95),
        prediction.of_mean(Sample(np.array([0.5, 0.7]), np.zeros(2, int)), 174, 0.95),
    ):
        assert np.isnan(found).all()
