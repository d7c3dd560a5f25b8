"""Estimates with intervals and P, by leaving out one cluster of scans at a time.

Each statistic is a function of weights of the scans, so that the estimate and its leave-one-out values come
from one formula: a matrix product. The interval is Student's: estimate ± t · jackknife standard error (Miller
RG. Biometrika 1974;61:1-15). Its degrees of freedom are the fewer of what

- the scatter of the leave-one-out values has, by its kurtosis (Satterthwaite FE. Biometrics 1946;2:110-114):
  a variance that a few missed lesions make is known to few;
- clusters of unequal size have: their effective number − 1 (Carter AV, Schnepel KT, Steigerwald DG. Rev Econ
  Stat 2017;99:698-709, at an intraclass correlation of 0).

From three trainings on it holds the variance between these as well, pooled over the compared models: it is
taken to be the same for all of them (:func:`variance_between_seeds`).

The P is of the same t, so an interval and a P cannot disagree. Chosen on simulated studies among the
bootstrap (BCa, bootstrap-t) and other degrees of freedom, by coverage and width: docs/decisions/jackknife.md.
R, for a mean where each scan is a cluster, but for the degrees of freedom: ``t.test``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy

from headct.statistics.core.clusters import worth

SEEDS_COUNT_FROM = 3
"""Trainings of a model from which on their variance is part of the standard error; fewer tell none."""

APART = 0.01
"""Chance that trainings of a model are said to vary more than those of the others if they do not."""

UNBOUNDED = (-math.inf, math.inf)

RELATIVE_NOISE = 1e-12
"""Differences below this are rounding noise."""

Statistic = Callable[[np.ndarray], np.ndarray]
"""Weights of scans (r, n), each row summing to 1, to values (seeds, r, k), of k models or pairs."""


@dataclass(frozen=True)
class Estimated:
    """A statistic of k models or pairs.

    Attributes:
        estimate: of each (k,), the mean over seeds.
        left_out: the same without each cluster (clusters, k).
        by_seed: of each training (seeds, k).
        seed_variance: of the mean over trainings (k,), by which these would differ.
        seed_df: degrees of freedom (k,) of the same.
        cluster_df: effective number of clusters − 1.
        fisher: a coefficient between −1 and 1, whose errors are even after atanh.
        bounds: beyond which the statistic has no value; an interval ends there.
    """

    estimate: np.ndarray
    left_out: np.ndarray
    by_seed: np.ndarray
    seed_variance: np.ndarray
    seed_df: np.ndarray
    cluster_df: float
    fisher: bool = False
    bounds: tuple[float, float] = UNBOUNDED

    def differences(self, a: Sequence[int], b: Sequence[int]) -> Estimated:
        """Columns ``a`` minus columns ``b``; trainings of one model tell nothing of another's."""
        first, second = list(a), list(b)
        parts = (self.estimate, self.left_out, self.by_seed)
        estimate, left_out, by_seed = (part[..., first] - part[..., second] for part in parts)
        # Differences of coefficients are not on Fisher's scale: there an error is (1 − r²) times as large.
        variance = self.seed_variance * (1 - self.estimate**2) ** 2 if self.fisher else self.seed_variance
        low, high = self.bounds
        return Estimated(
            estimate,
            left_out,
            by_seed,
            variance[first] + variance[second],
            np.minimum(self.seed_df[first], self.seed_df[second]),
            self.cluster_df,
            bounds=(low - high, high - low),
        )

    def constant(self) -> np.ndarray:
        """Which columns (k,) are the same without any cluster, and for each training that counts."""
        scale = RELATIVE_NOISE * np.maximum(1, np.abs(self.estimate))
        spread = np.ptp(self.left_out, axis=0)
        if len(self.by_seed) >= SEEDS_COUNT_FROM:
            spread = spread + np.ptp(self.by_seed, axis=0)
        same: np.ndarray = spread <= scale
        return same

    def standard_error(self) -> tuple[np.ndarray, np.ndarray]:
        """Standard error (k,), on Fisher's scale for a coefficient, and its degrees of freedom (k,).

        From :data:`SEEDS_COUNT_FROM` trainings on it holds the variance between these as well.
        """
        c = len(self.left_out)
        with np.errstate(divide="ignore", invalid="ignore"):
            values = self._scaled(self.left_out)
            df = np.minimum(degrees_of_freedom(values), max(self.cluster_df, 1.0))
            variance = (c - 1) * values.var(axis=0)
            if len(self.by_seed) >= SEEDS_COUNT_FROM:
                total = variance + self.seed_variance
                df = total**2 / (variance**2 / df + self.seed_variance**2 / self.seed_df)
                variance = total
        return np.sqrt(variance), df

    def interval(self, level: float | np.ndarray, widened: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper ends (k,).

        ``widened`` is what the standard error is multiplied by: √(1 + n/m) makes of it an interval of the
        same statistic of m other scans (:mod:`headct.statistics.core.prediction`).

        NaN where the estimate is not defined without some cluster, and for :meth:`constant` columns: that
        no scan at hand differs is no certainty about others.
        """
        error, df = self.standard_error()
        half = scipy.stats.t.ppf((1 + np.asarray(level)) / 2, df) * error * widened
        centre, to = self._scaled(self.estimate), np.tanh if self.fisher else np.asarray
        lower, upper = (np.where(self.constant(), np.nan, to(centre + end)) for end in (-half, half))
        return np.clip(lower, *self.bounds), np.clip(upper, *self.bounds)

    def p_value(self, null: float = 0.0) -> np.ndarray:
        """P (k,), two-sided, that the value is ``null``; 1 for constant columns that are."""
        error, df = self.standard_error()
        with np.errstate(divide="ignore", invalid="ignore"):
            t = (self._scaled(self.estimate) - self._scaled(np.asarray(null))) / error
        p = 2 * scipy.stats.t.sf(np.abs(t), df)
        found: np.ndarray = np.where(
            self.constant(), np.where(np.abs(self.estimate - null) <= RELATIVE_NOISE, 1.0, np.nan), p
        )
        return found

    def p_of_difference(self) -> np.ndarray:
        """P (k,), two-sided, of mean paired differences; where all scans differ by the same, of their signs.

        A jackknife sees no variance there, as where one model invents a lesion in each scan and the other in
        none; of n clusters that all differ in one direction the exact test of signs says 2 / 2^n.
        """
        differ = self.constant() & (np.abs(self.estimate) > RELATIVE_NOISE)
        found: np.ndarray = np.where(differ, 2.0 ** (1 - len(self.left_out)), self.p_value())
        return found

    def _scaled(self, values: np.ndarray) -> np.ndarray:
        return to_scale(values, self.fisher)


def to_scale(values: np.ndarray, fisher: bool) -> np.ndarray:
    """Values on the scale of their intervals."""
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled: np.ndarray = np.arctanh(values) if fisher else np.asarray(values)
    return scaled


def variance_between_seeds(
    by_seed: np.ndarray, of_scans: np.ndarray, alike: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Variance (k,) of the mean over trainings, by which these would differ, and its degrees of freedom (k,).

    Three trainings of one model say next to nothing of their variance, so that it is pooled over models whose
    trainings vary alike: with one degree of freedom per training beyond the first of each. A model that
    varies more than chance allows (1 %), a diverged training say, stands for itself and changes no other
    model. What is usual is taken from the median over the models, so that one that is not does not move it.

    Args:
        by_seed: of each training (seeds, k).
        of_scans: what (k,) the scans make of that variance, which leaving them out has counted already.
        alike: columns of the models that are pooled; each other column stands for itself.
    """
    s, k = by_seed.shape
    if s < SEEDS_COUNT_FROM:
        return np.zeros(k), np.ones(k)
    with np.errstate(invalid="ignore"):
        seen, df = by_seed.var(axis=0, ddof=1) / s, np.full(k, s - 1.0)
    variance = seen - of_scans
    differ = np.array([i for i in alike if np.ptp(by_seed[:, i]) > RELATIVE_NOISE], dtype=int)
    if len(differ):
        median, most = scipy.stats.chi2.ppf([0.5, 1 - APART], s - 1)
        pooled = differ[seen[differ] / np.median(seen[differ]) <= most / median]
        variance[pooled], df[pooled] = variance[pooled].mean(), df[pooled].sum()
    return np.maximum(variance, 0), df


def variance_of_scans_between_seeds(left_out: np.ndarray) -> np.ndarray:
    """What (k,) scans that are hard for one training and not for another add to the variance between these.

    From leave-one-out values of each training (seeds, clusters, k): by how much less the mean over trainings
    varies over clusters than one of them does, as in an analysis of variance of scans × trainings.
    """
    s, c, _ = left_out.shape
    if s < SEEDS_COUNT_FROM:
        return np.zeros(left_out.shape[2])
    of_each, of_mean = left_out.var(axis=1).mean(axis=0), left_out.mean(axis=0).var(axis=0)
    found: np.ndarray = (c - 1) * (of_each - of_mean) / (s - 1)
    return found


def degrees_of_freedom(values: np.ndarray) -> np.ndarray:
    """Degrees of freedom (k,) of the variance of values (n, k): 2n / (kurtosis − 1), by moments.

    At most n − 1, what normal values have. Satterthwaite FE. Biometrics 1946;2:110-114.
    """
    deviation = values - values.mean(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        kurtosis = len(values) * (deviation**4).sum(axis=0) / (deviation**2).sum(axis=0) ** 2
    found: np.ndarray = np.minimum(
        len(values) - 1, 2 * len(values) / np.maximum(kurtosis - 1, RELATIVE_NOISE)
    )
    return found


def evaluate(
    statistic: Statistic,
    clusters: np.ndarray,
    fisher: bool = False,
    bounds: tuple[float, float] = UNBOUNDED,
    alike: Sequence[int] = (),
) -> Estimated:
    """The statistic on all scans, and without each cluster; averaged over seeds.

    Args:
        statistic: that is computed.
        clusters: number (n,) of each scan's cluster, from 0; ``np.arange(n)`` where each is its own.
        fisher: whether intervals are made on Fisher's z scale.
        bounds: that the statistic keeps within.
        alike: columns of models whose trainings vary alike (:func:`variance_between_seeds`).
    """
    n, sizes = len(clusters), np.bincount(clusters)
    left_out = (clusters != np.arange(len(sizes))[:, None]).astype(float)
    with np.errstate(invalid="ignore"):  # of one cluster nothing is left
        left_out /= left_out.sum(axis=1, keepdims=True)
    by_seed = statistic(np.full((1, n), 1 / n))[:, 0]
    without = statistic(left_out)
    of_scans = variance_of_scans_between_seeds(to_scale(without, fisher))
    of_seeds = variance_between_seeds(to_scale(by_seed, fisher), of_scans, alike)
    return Estimated(
        by_seed.mean(axis=0), without.mean(axis=0), by_seed, *of_seeds, worth(clusters) - 1, fisher, bounds
    )


def mean(values: np.ndarray) -> Statistic:
    """Mean over scans of values (seeds, n, k)."""
    return lambda weights: weights @ values


def contrast_of_means(values: np.ndarray, inside: np.ndarray) -> Statistic:
    """Mean of values (seeds, n, k) over the scans ``inside`` (n,) − that over the others.

    NaN where a draw has none of either.
    """

    def statistic(weights: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):
            ends = [(weights * part) / (weights @ part)[:, None] for part in (inside, ~inside)]
        found: np.ndarray = (ends[0] - ends[1]) @ values
        return found

    return statistic


def ccc(reference: np.ndarray, predicted: np.ndarray) -> Statistic:
    """Lin's concordance correlation coefficient of (seeds, n, k) with the reference (n,).

    As :func:`headct.statistics.core.agreement.concordance`; NaN where all volumes are equal.
    """
    centre = reference.mean()
    x, y = reference - centre, predicted - centre  # digits are not lost to a large mean
    product, square = y * x[:, None], y**2

    def statistic(weights: np.ndarray) -> np.ndarray:
        mean_x, mean_y = (weights @ x)[:, None], weights @ y
        covariance = weights @ product - mean_x * mean_y
        scatter = (weights @ x**2)[:, None] - mean_x**2 + weights @ square - mean_y**2
        scatter += (mean_x - mean_y) ** 2
        with np.errstate(divide="ignore", invalid="ignore"):
            found: np.ndarray = np.where(scatter > RELATIVE_NOISE, 2 * covariance / scatter, np.nan)
        return found

    return statistic


def pooled_dice(reference: np.ndarray, predicted: np.ndarray, shared: np.ndarray) -> Statistic:
    """Dice of all scans' voxels together, 2 Σ shared / Σ (reference + predicted); NaN where both are empty.

    Args:
        reference: volume (n,) of each scan.
        predicted: volume (seeds, n, k).
        shared: volume (seeds, n, k) that is in both.
    """

    def statistic(weights: np.ndarray) -> np.ndarray:
        whole = (weights @ reference)[:, None] + weights @ predicted
        with np.errstate(divide="ignore", invalid="ignore"):
            found: np.ndarray = 2 * (weights @ shared) / whole
        return found

    return statistic


def log_sd(values: np.ndarray) -> Statistic:
    """Logarithm of the standard deviation of values (seeds, n, k), with n as the divisor."""

    def statistic(weights: np.ndarray) -> np.ndarray:
        variance = weights @ values**2 - (weights @ values) ** 2
        with np.errstate(divide="ignore", invalid="ignore"):
            found: np.ndarray = np.log(variance) / 2
        return found

    return statistic
