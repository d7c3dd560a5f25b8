"""Paired tests, effect sizes, detection, equivalence, limits, subgroups: each against published values."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from headct.statistics.comparison.detection import detection
from headct.statistics.comparison.endpoints import can_decide
from headct.statistics.comparison.equivalence import (
    DIFFERENT,
    EQUIVALENT,
    TOO_FEW,
    UNCLEAR,
    interval_of_differences,
    share_within_verdict,
    unseen_half_width,
    verdict,
    volume_equivalence,
)
from headct.statistics.comparison.paired import (
    critical_difference,
    effects,
    friedman,
    mean_ranks,
    sign_flip,
    wilcoxon,
)
from headct.statistics.comparison.subgroups import levels, of_any_level, pooled
from headct.statistics.comparison.varying_limits import CUBE_ROOT, REGRESSION, varying_limits
from headct.statistics.core import jackknife
from headct.statistics.core.jackknife import degrees_of_freedom
from headct.statistics.core.order_statistics import exact_upper_bound, unseen_share

RNG = np.random.default_rng(11)

SLEEP = np.array(
    [
        [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0],
        [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4],
    ]
)
"""Hours of sleep gained on two drugs (Student 1908), R's data set ``sleep``."""


def test_friedman_on_sachs_diuretics() -> None:
    # Sachs L. Angewandte Statistik, 8th ed. 1997, p. 670, as in PMCMRplus. R: friedman.test(y)
    y = np.array(
        [
            [3.88, 5.64, 5.76, 4.25, 5.91, 4.33],
            [30.58, 30.14, 16.92, 23.19, 26.74, 10.91],
            [25.24, 33.52, 25.45, 18.85, 20.45, 26.67],
            [4.44, 7.94, 4.04, 4.40, 4.23, 4.36],
            [29.41, 30.72, 32.92, 28.23, 23.35, 12.00],
            [38.87, 33.12, 39.15, 28.06, 38.23, 26.65],
        ]
    ).T
    found = friedman(y)
    assert found["q"] == pytest.approx(23.333333, abs=5e-7)
    assert (found["df"], found["p"]) == (5, pytest.approx(stats.chi2.sf(23 + 1 / 3, 5)))
    assert found["kendall_w"] == pytest.approx(23.333333 / 30)


def test_friedman_where_it_is_undefined() -> None:
    assert friedman(np.ones((5, 2)))["note"] == "needs 3 models and 2 scans, there are 2 and 5"
    assert friedman(np.ones((5, 3)))["note"] == "in every scan all models are equal"


def test_critical_difference_as_in_demsar() -> None:
    """Demšar 2006: section 3.2.2 (4 classifiers, 14 data sets: 1.25), and q.05 of table 5(a)."""
    assert critical_difference(4, 14) == pytest.approx(1.25, abs=0.005)
    for n_models, q in ((2, 1.960), (3, 2.343), (5, 2.728), (10, 3.164)):
        unit = np.sqrt(n_models * (n_models + 1) / 6)
        assert critical_difference(n_models, 1) == pytest.approx(q * unit, abs=0.001 * unit)


def test_best_dice_has_rank_1_and_ties_share() -> None:
    dice = np.array([[0.9, 0.5, 0.7], [1.0, 1.0, 0.0]])
    assert list(mean_ranks(dice)) == [1.25, 2.25, 2.5]


def test_wilcoxon_with_pratts_zeros() -> None:
    # The sample of Pratt 1959. By hand (Cureton, J Am Stat Assoc 1967;62:1068): −18 has rank 12 of 12; with
    # n = 12 and one zero E = (12·13 − 1·2)/4 = 38.5, Var = (12·13·25 − 1·2·3)/24 = 162.25.
    # R: coin::wilcoxsign_test(x ~ rep(0, 12), zero.method = "Pratt") has the same Z.
    x = np.array([0, 2, 3, 6, 7, 8, 9, 11, 14, 15, 17, -18.0])
    z = (12 - 38.5) / np.sqrt(162.25)
    assert wilcoxon(x[:, None], np.arange(12))[0] == pytest.approx(2 * stats.norm.cdf(z), rel=1e-12)
    without = (11 - 33) / np.sqrt(11 * 12 * 23 / 24)
    assert wilcoxon(x[1:, None], np.arange(11))[0] == pytest.approx(2 * stats.norm.cdf(without), rel=1e-12)


def test_wilcoxon_on_the_depression_scores() -> None:
    # Hollander & Wolfe 1973, as in R's ?wilcox.test: V = 40;
    # R: coin::wilcoxsign_test(x ~ y): Z = 2.0732, p-value = 0.03815
    x = np.array([1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30])
    y = np.array([0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29])
    assert wilcoxon((x - y)[:, None], np.arange(9))[0] == pytest.approx(0.03815, abs=5e-6)
    assert effects((x - y)[:, None])["rank_biserial"][0] == pytest.approx((40 - 5) / 45)
    assert effects((x - y)[:, None])["superiority"][0] == pytest.approx(7 / 9)
    assert wilcoxon(np.zeros((4, 1)), np.arange(4))[0] == 1


def test_sign_flips_on_darwins_maize() -> None:
    # Fisher 1935, section 21: 863 of 32768 sums are as large as 314 (eighths of an inch), so P = 1726/32768.
    # R: exactRankTests::perm.test(x, paired = TRUE, y = 0 * x): p-value = 0.05267
    x = np.array([49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48.0])
    assert sign_flip(x[:, None], np.arange(len(x)), 1000, 1)[0] == 1726 / 32768


def test_sign_flips_drawn_agree_with_scipy_and_with_mcnemar() -> None:
    x = RNG.normal(0.3, 1, (40, 1))
    theirs = stats.permutation_test(
        (x[:, 0],), np.mean, permutation_type="samples", n_resamples=20_000, rng=1
    ).pvalue
    assert sign_flip(x, np.arange(40), 20_000, 1)[0] == pytest.approx(theirs, abs=0.01)
    binary = np.concatenate([np.ones(9), -np.ones(2), np.zeros(30)])[:, None]
    assert sign_flip(binary, np.arange(41), 50_000, 1)[0] == pytest.approx(134 / 2048, abs=0.005)
    assert sign_flip(np.zeros((40, 1)), np.arange(40), 1000, 1)[0] == 1


def test_sign_flips_of_the_sign_and_of_the_size_of_errors() -> None:
    """Errors that are large and even out against small ones of one sign."""
    a = np.array([5, -5, 5, -5, 6, -6, 4, -4.0])
    b = np.array([1.5, 1, 0.5, 1, 1.5, 0.5, 1, 1])
    signed, size = (a - b)[:, None], (np.abs(a) - np.abs(b))[:, None]
    assert (signed.mean(), size.mean()) == (-1, 4)
    assert sign_flip(signed, np.arange(8), 1000, 1)[0] == 0.625
    assert sign_flip(size, np.arange(8), 1000, 1)[0] == 0.0078125


def test_flips_and_ranks_of_clusters_are_those_of_their_sums() -> None:
    """Scans that are copies of each other tell no more than one of them."""
    x = RNG.normal(0.4, 1, (12, 1))
    clusters = np.repeat(np.arange(12), 3)
    assert sign_flip(np.repeat(x, 3, axis=0), clusters, 1000, 1) == sign_flip(x, np.arange(12), 1000, 1)
    copied = wilcoxon(np.repeat(x, 3, axis=0), clusters)
    assert copied == pytest.approx(wilcoxon(x, np.arange(12)), rel=0.05)
    assert (wilcoxon(np.repeat(x, 3, axis=0), np.arange(36)) < copied).all()


def test_how_many_clusters_can_decide() -> None:
    """Exact tests of signs: 11 scans, or discordant pairs, at .05 / 27; 6 at .05."""
    assert (can_decide(11, 0.05 / 27), can_decide(10, 0.05 / 27)) == (True, False)
    assert (can_decide(6, 0.05), can_decide(5, 0.05)) == (True, False)


def test_holm() -> None:
    # R: p.adjust(c(.01, .02, .03, .04, .05), "holm"): 0.05 0.08 0.09 0.09 0.09
    assert list(multipletests([0.01, 0.02, 0.03, 0.04, 0.05], method="holm")[1].round(10)) == [
        0.05,
        0.08,
        0.09,
        0.09,
        0.09,
    ]


@pytest.mark.parametrize(
    ("part", "whole", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_intervals(part: int, whole: int, low: float, high: float) -> None:
    # Newcombe RG. Stat Med 1998;17:857-872, table I. R: prop.test(part, whole, correct = FALSE)$conf.int
    present = np.repeat([True, False], [whole, 10])
    predicted = np.concatenate([np.arange(whole) < part, np.zeros(10, bool)])
    found = detection(present, predicted, np.arange(len(present)), 10)
    assert found["sensitivity"] == part / whole
    assert (found["sensitivity_lower"], found["sensitivity_upper"]) == pytest.approx((low, high), abs=5e-5)


def test_detection_needs_scans_of_both_kinds() -> None:
    present = np.repeat([True, False], [30, 9])
    found = detection(present, present, np.arange(39), 10)
    assert (found["tp"], found["fn"], found["fp"], found["tn"]) == (30, 0, 0, 9)
    assert found["sensitivity"] == 1
    assert np.isnan([found["specificity"], found["ppv"], found["npv"]]).all()
    assert found["note"].startswith("specificity not estimable: 9 scans without the lesion; PPV not")
    nothing = detection(np.repeat([True, False], [30, 30]), np.zeros(60, bool), np.arange(60), 10)
    assert nothing["note"] == "PPV not estimable: no scan is called positive"
    assert (nothing["specificity"], nothing["npv"]) == (1, 0.5)


def test_verdict_of_an_interval() -> None:
    assert verdict(-0.019, 0.019, 0.02) == EQUIVALENT
    assert verdict(-0.021, 0.019, 0.02) == verdict(0.0, 0.5, 0.02) == UNCLEAR
    assert verdict(0.03, 0.5, 0.02) == verdict(-0.5, -0.02, 0.02) == DIFFERENT
    assert verdict(np.nan, np.nan, 0.02) == UNCLEAR


def test_share_that_was_not_seen() -> None:
    # R: binom.test(0, 174, conf.level = 0.90)$conf.int: 0 to 0.01706949 (1 - 0.05^(1/174))
    assert unseen_share(174, 0.9) == pytest.approx(stats.binomtest(0, 174).proportion_ci(0.90, "exact").high)


def test_what_was_not_seen_widens_without_a_jump() -> None:
    """The more scans do not differ, the more it counts; nothing where all do."""
    n = 174
    halves = []
    for n_equal in (0, 1, 5, 60, 173, 174):
        differences = np.where(np.arange(n) < n_equal, 0, 0.01)[:, None]
        halves.append(unseen_half_width(differences, np.arange(n), 0.90)[0])
    assert halves[0] == 0
    assert halves == sorted(halves)
    assert halves[-1] == pytest.approx(unseen_share(n, 0.9))
    assert halves[-2] == pytest.approx(halves[-1], rel=0.01)


def test_an_interval_of_differences_ends_at_one() -> None:
    """Of twelve scans that all differ by 1."""
    differences = np.ones((12, 1))
    found = jackknife.evaluate(jackknife.mean(differences[None]), np.arange(12), bounds=(-1, 1))
    lower, upper = interval_of_differences(found, differences, np.arange(12), 0.90)
    assert 0 < lower[0] < 1
    assert upper[0] == 1


def test_share_of_scans_within_the_margin() -> None:
    """Clopper and Pearson: at most 3 of 174 scans beyond it; of 48 scans not even none is enough.

    R: binom.test(3, 174, alternative = "less")$conf.int: 0.0439558; 4: 0.0518311; 0 of 48: 0.0605034.
    """
    bounds = {(3, 174): 0.0439558, (4, 174): 0.0518311, (0, 48): 0.0605034}
    for (beyond, n), bound in bounds.items():
        hits = (np.arange(n) < beyond).astype(float)
        assert exact_upper_bound(hits, np.arange(n), 0.95) == pytest.approx(bound, abs=5e-8)
    verdicts = [
        share_within_verdict((np.arange(n) < beyond).astype(float), np.arange(n))
        for beyond, n in ((3, 174), (4, 174), (20, 174), (0, 48), (9, 48))
    ]
    assert [found for found, _ in verdicts] == [EQUIVALENT, UNCLEAR, DIFFERENT, TOO_FEW, DIFFERENT]
    assert verdicts[3][1] == "if all 48 scans were within the margin, 6.1% might still be beyond"


def test_two_one_sided_tests() -> None:
    # R: t.test(sleep$extra[1:10])$conf.int: -0.5297804 2.0297804, mean .75, df 9; SE = 1.2797804/qt(.975, 9)
    # TOSTER::t_TOST(sleep$extra[1:10], eqb = 2): P = pt((2 - .75)/SE, 9, lower.tail = FALSE)
    error = 1.2797804 / 2.262157
    found = volume_equivalence(np.zeros(10), SLEEP[0], np.zeros(10, bool), np.arange(10), 2)
    half = error * 1.833113  # qt(.95, 9)
    assert (found["bias_lower_ml"], found["bias_upper_ml"]) == pytest.approx(
        (0.75 - half, 0.75 + half), abs=1e-6
    )
    assert found["tost_p"] == pytest.approx(stats.t.sf((2 - 0.75) / error, 9), rel=1e-6)
    assert (found["mean_verdict"], found["n_beyond"]) == (EQUIVALENT, 2)
    narrow = volume_equivalence(np.zeros(10), SLEEP[0], np.zeros(10, bool), np.arange(10), 0.5)
    assert (narrow["mean_verdict"], narrow["share_verdict"]) == (UNCLEAR, DIFFERENT)


def test_heavy_tails_leave_fewer_degrees_of_freedom() -> None:
    errors = np.array([0.1, -0.1, 0.2, -0.2, 0.1, -0.2, 0.2, -0.1, 0.0, 30.0])
    kurtosis = stats.kurtosis(errors, fisher=False)
    wanted = 2 * 10 / (kurtosis - 1)
    assert wanted < 4
    assert degrees_of_freedom(errors[:, None])[0] == pytest.approx(wanted)
    assert degrees_of_freedom(SLEEP[0][:, None])[0] == 9
    half = stats.t.ppf(0.95, wanted) * errors.std(ddof=1) / np.sqrt(10)
    found = volume_equivalence(np.zeros(10), errors, np.zeros(10, bool), np.arange(10), 5)
    assert found["bias_upper_ml"] - found["bias_ml"] == pytest.approx(half)


def test_p_of_any_level() -> None:
    assert of_any_level(pd.Series([0.02, 0.02])) == 0.02, "two levels have one contrast"
    assert of_any_level(pd.Series([0.02, 0.5, 0.6])) == pytest.approx(0.06)
    assert np.isnan(of_any_level(pd.Series([np.nan, np.nan])))


def test_sites_with_few_scans_are_one_level() -> None:
    sites = pd.Series(["a"] * 12 + ["b", "c", "d"] * 4)
    assert list(pooled(sites, 10).unique()) == ["a", "3 sites with few scans each"]


def test_limits_by_regression() -> None:
    # R: lm(dist ~ speed, cars): -17.5791, 3.9324, p = 1.49e-12, with the mean of both volumes for speed and
    # their difference for dist; the second line: lm(abs(residuals) ~ speed)
    speed = (
        "4 4 7 7 8 9 10 10 10 11 11 12 12 12 12 13 13 13 13 14 14 14 14 15 15 15 16 16 17 17 17 18 18 18 18"
    )
    speed += " 19 19 19 20 20 20 20 20 22 23 24 24 24 24 25"
    dist = (
        "2 10 4 22 16 10 18 26 34 17 28 14 20 24 28 26 34 34 46 26 36 60 80 20 26 54 32 40 32 40 50 42 56 76"
    )
    dist += " 84 36 46 68 32 48 52 56 64 66 54 70 92 93 120 85"
    average, difference = (np.array(text.split(), float) for text in (speed, dist))
    shift = 100  # both volumes above 0; it moves the intercept only
    x, y = average + shift - difference / 2, average + shift + difference / 2
    row = varying_limits(x, y, np.array([shift + 15.0]))[0]
    assert row["method"] == REGRESSION
    assert row["slope"] == pytest.approx(3.9324, rel=2e-3)
    assert row["intercept"] + shift * row["slope"] == pytest.approx(-17.5791, abs=5e-5)
    residual = np.abs(difference + 17.5791 - 3.9324 * average)
    c1, c0 = np.polyfit(average, residual, 1)
    half = 1.96 * np.sqrt(np.pi / 2) * (c0 + c1 * 15)
    assert (row["lower_ml"], row["upper_ml"]) == pytest.approx(
        (-17.5791 + 3.9324 * 15 - half, -17.5791 + 3.9324 * 15 + half), abs=5e-3
    )


def test_limits_that_grow_are_found_at_every_size() -> None:
    average = RNG.uniform(5, 100, 40_000)
    difference = 0.1 * average + RNG.normal(0, 0.1 * average)
    sizes = np.array([10.0, 80.0])
    rows = varying_limits(average - difference / 2, average + difference / 2, sizes)
    truth = 1.96 * 0.1 * sizes  # bias 0.1 · size, SD 0.1 · size
    for row, size, half in zip(rows[:2], sizes, truth, strict=True):
        assert row["bias_ml"] == pytest.approx(0.1 * size, rel=0.1)
        assert (row["upper_ml"] - row["lower_ml"]) / 2 == pytest.approx(half, rel=0.1)
    assert rows[0]["sd_slope"] == pytest.approx(0.1, abs=0.01)
    small, large = rows[2:]
    assert small["method"] == CUBE_ROOT
    assert large["upper_ml"] > 2 * small["upper_ml"]


def test_limits_with_volumes_of_zero_and_with_few_scans() -> None:
    x = np.array([0, 0, 0, *np.linspace(1, 20, 12)])
    rows = varying_limits(x, np.zeros_like(x), np.array([5.0]))
    assert [row["n"] for row in rows] == [12, 12], "absent from both says nothing"
    assert rows[1]["lower_ml"] == -5, "what is not predicted is lost, and no more"
    assert all(np.isfinite([row["lower_ml"], row["upper_ml"]]).all() for row in rows[1:])
    assert "needs 10 scans" in varying_limits(x[:6], x[:6], np.array([1.0]))[0]["note"]
    no_lesion = varying_limits(np.zeros(20), np.ones(20), np.array([]))
    assert {row["note"] for row in no_lesion} == {"no scan has the lesion"}


@pytest.mark.parametrize("factor", [0.0, 0.5, 1.0, 1.1])
def test_errors_that_grow_by_one_factor_have_no_spread(factor: float) -> None:
    x = np.random.default_rng(7).gamma(1, 17, 30) + 0.013
    rows = varying_limits(x, factor * x, np.array([0.02, 12.34]))
    for row in rows[:2]:
        assert row["note"] == ""
        assert row["lower_ml"] == row["bias_ml"] == row["upper_ml"]
        assert row["bias_ml"] == pytest.approx((factor - 1) / ((factor + 1) / 2) * row["size_ml"], abs=1e-9)


def test_levels_of_subgroups() -> None:
    found = levels(pd.Series([0.5, 2.5, 3, 7, np.nan]), [5, 2.5])
    assert list(found) == ["up to 2.5", "up to 2.5", "above 2.5 to 5", "above 5", "unknown"]
    assert list(levels(pd.Series(["b", None, "a"]), [])) == ["b", "unknown", "a"]


def test_superiority_and_standardised_difference_by_hand() -> None:
    a, b = np.array([3.0, 1, 2, 5]), np.array([1.0, 1, 4, 2])
    found = effects((a - b)[:, None])
    wins = [x > y for x, y in zip(a, b, strict=True)].count(True)
    assert found["superiority"][0] == (wins + 0.5) / 4
    assert found["standardised"][0] == pytest.approx(np.mean([2, 0, -2, 3]) / np.std([2, 0, -2, 3], ddof=1))
    assert np.isnan(effects(np.full((4, 1), 0.1))["standardised"][0])


def test_exact_flips_are_all_of_them() -> None:
    x = np.array([1.0, 2, 4, -3])
    sums = [abs(np.dot(signs, x)) for signs in product((-1, 1), repeat=4)]
    assert sign_flip(x[:, None], np.arange(len(x)), 1000, 1)[0] == np.mean([one >= 4 for one in sums])
