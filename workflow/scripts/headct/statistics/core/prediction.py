"""What another study would find in m other scans of the same kind, given the n of this one.

Prediction intervals: both studies err. Where the other one prints no standard errors, as the paper, its
errors are taken from this study's own, for its number of scans. Cumming G. Psychol Methods 2008;3:286-300 on
what a replication may be expected to give. An interval ends at values that its measure can have. Scans of one
cluster count as fewer (:mod:`headct.statistics.core.order_statistics`); the other study is taken to have
clusters alike.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy

from headct.statistics.core import jackknife
from headct.statistics.core.order_statistics import NOTHING, effective_number

Interval = tuple[float, float]


@dataclass(frozen=True)
class Sample:
    """What a number is made of.

    Attributes:
        values: of each scan (n,).
        clusters: number (n,) of each scan's cluster, counted from 0.
        bounds: least and greatest value that a scan can have.
        reference: of each scan (n,), where the values are differences from it.
    """

    values: np.ndarray
    clusters: np.ndarray
    bounds: tuple[float, float] = jackknife.UNBOUNDED
    reference: np.ndarray | None = None

    @property
    def of_reference(self) -> np.ndarray:
        """The reference, without which there is no concordance."""
        if self.reference is None:
            raise ValueError("a concordance needs the reference")
        return self.reference


def of_mean(sample: Sample, m: float, level: float) -> Interval:
    """Of the mean: the jackknife's t, with √(1 + n/m) times its standard error.

    Values that are all equal have no standard error. If they have bounds, these and the share of scans that
    may be otherwise (:func:`of_share` of none) limit the mean of others; else there is no interval.
    """
    values, (least, greatest) = sample.values, sample.bounds
    if not len(values):
        return NOTHING
    if np.ptp(values) > 0:
        return _by_jackknife(jackknife.mean(values[None, :, None]), sample, m, level)
    if not np.isfinite(sample.bounds).all():
        return NOTHING
    value = float(values[0])
    otherwise = of_share(Sample(np.zeros(len(values)), sample.clusters), m, level)[1]
    return value - otherwise * (value - least), value + otherwise * (greatest - value)


def of_sd(sample: Sample, m: float, level: float) -> Interval:
    """Of the standard deviation (n − 1), by the jackknife's t of its logarithm."""
    n = len(sample.values)
    if n < 2 or np.ptp(sample.values) == 0:
        return NOTHING
    centred = Sample(sample.values - sample.values.mean(), sample.clusters)
    lower, upper = _by_jackknife(jackknife.log_sd(centred.values[None, :, None]), centred, m, level)
    to_sd = math.sqrt(n / (n - 1))
    return to_sd * math.exp(lower), to_sd * math.exp(upper)


def of_ccc(sample: Sample, m: float, level: float) -> Interval:
    """Of the concordance of values with their reference, by the jackknife's t on Fisher's scale."""
    reference, predicted = sample.of_reference, sample.of_reference + sample.values
    return _by_jackknife(jackknife.ccc(reference, predicted[None, :, None]), sample, m, level, fisher=True)


def of_share(sample: Sample, m: float, level: float) -> Interval:
    """Of the share of values that are 1, and not 0: quantiles of the beta-binomial distribution.

    With Jeffreys' prior: Brown LD, Cai TT, DasGupta A. Stat Sci 2001;16:101-133. It holds for
    none of n as well.
    """
    hits = sample.values
    if not len(hits):
        return NOTHING
    n = effective_number(hits, sample.clusters)
    others, count = max(1, round(m * n / len(hits))), float(hits.mean()) * n
    found = scipy.stats.betabinom(others, count + 0.5, n - count + 0.5)
    lower, upper = (float(found.ppf(part)) / others for part in ((1 - level) / 2, (1 + level) / 2))
    return lower, upper


def of_quantile(sample: Sample, share: float, m: float, level: float) -> Interval:
    """Of the quantile (type 7) below which a ``share`` of the values lies, between two of them or its bounds.

    How many of n values lie below the r-th of m others has a beta-binomial distribution, whatever that of the
    values: Fligner MA, Wolfe DA. J Am Stat Assoc 1979;74:453-456.

    Args:
        sample: the values.
        share: .5 for the median.
        m: scans of the other study.
        level: of the interval.
    """
    n = len(sample.values)
    if not n:
        return NOTHING
    side = np.sign(sample.values - np.quantile(sample.values, share))
    effective = int(effective_number(side, sample.clusters))
    if effective < 1:
        return sample.bounds
    others = m * effective / n
    rank = 1 + share * (others - 1)
    below = scipy.stats.betabinom(effective, rank, others + 1 - rank)
    # Of the effective number, as many lie outside at each end; the same share of all does.
    low = int(n * float(below.ppf((1 - level) / 2)) / effective)
    high = int(n * (effective - float(below.ppf((1 + level) / 2))) / effective)
    ordered = np.sort(sample.values)
    lower = ordered[low - 1] if low else sample.bounds[0]
    upper = ordered[n - high] if high else sample.bounds[1]
    return float(lower), float(upper)


def _by_jackknife(
    statistic: jackknife.Statistic, sample: Sample, m: float, level: float, fisher: bool = False
) -> Interval:
    bounds = jackknife.UNBOUNDED if fisher else sample.bounds
    found = jackknife.evaluate(statistic, sample.clusters, fisher, bounds)
    (lower,), (upper,) = found.interval(level, math.sqrt(1 + len(sample.values) / m))
    return float(lower), float(upper)
