"""Intervals of shares and of medians, which no t distribution describes, with clusters of scans.

Scans of one cluster that are alike tell less than as many scans of different ones. Both kinds of intervals
stand on counts, so the number of scans is replaced by the effective one: Korn EL, Graubard BI. Surv Methodol
1998;24:193-201, as the US National Center for Health Statistics judges its shares by (Vital Health Stat
2017;2(175)). Where each scan is a cluster of its own they are the usual intervals.
"""

from __future__ import annotations

import math

import numpy as np
import scipy

NOTHING = (math.nan, math.nan)

ASSUMED_CORRELATION = 0.05
"""Intraclass correlation of scans that all are equal: that of the simulated sites, for want of another."""


def effective_number(values: np.ndarray, clusters: np.ndarray) -> float:
    """How many independent scans would tell the mean of values (n,) as precisely; at most n.

    n over the design effect (variance of the mean with clusters over that without), times the squared ratio
    of the t quantiles of n − 1 and of clusters − 1 degrees of freedom. Where all scans are equal nothing
    tells how alike clusters are, and :data:`ASSUMED_CORRELATION` is taken. Scans of one cluster, however
    many, are one, for how far others lie apart is not known.

    Args:
        values: of each scan.
        clusters: number of each scan's cluster.
    """
    n, n_clusters = len(values), int(clusters.max()) + 1 if len(clusters) else 0
    deviation = values - values.mean() if n else values
    spread = float((deviation**2).sum())
    if n_clusters == 1:
        return 1.0
    if n_clusters in (n, 0):
        return float(n)
    if spread == 0:
        scans_beside = float((np.bincount(clusters) ** 2).sum()) / n - 1
        return n / (1 + scans_beside * ASSUMED_CORRELATION)
    clustered = n_clusters / (n_clusters - 1) * float((np.bincount(clusters, deviation) ** 2).sum())
    t = scipy.stats.t.ppf(0.975, [n - 1, n_clusters - 1])
    alone = n / (n - 1) * spread * float(t[0] / t[1]) ** 2
    return float(n) if clustered <= alone else n * alone / clustered


def wilson(hits: np.ndarray, clusters: np.ndarray, level: float) -> tuple[float, float]:
    """Interval of a share by Wilson's method (J Am Stat Assoc 1927;22:209-212); NaN without scans.

    R, where each scan is a cluster: ``prop.test(x, n, correct = FALSE)``.

    Args:
        hits: 0 or 1 (n,) of each scan.
        clusters: number of each scan's cluster.
        level: of the interval.
    """
    if not len(hits):
        return NOTHING
    n, share = effective_number(hits, clusters), float(hits.mean())
    z2 = scipy.stats.norm.ppf((1 + level) / 2) ** 2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = math.sqrt(z2 * share * (1 - share) / n + z2**2 / (4 * n**2)) / (1 + z2 / n)
    return max(0.0, centre - half), min(1.0, centre + half)


def exact_upper_bound(hits: np.ndarray, clusters: np.ndarray, confidence: float) -> float:
    """Upper bound of a share by Clopper and Pearson (Biometrika 1934;26:404-413); NaN without scans.

    R, where each scan is a cluster: ``binom.test(x, n, alternative = "less")``.

    Args:
        hits: 0 or 1 (n,) of each scan.
        clusters: number of each scan's cluster.
        confidence: one-sided.
    """
    if not len(hits):
        return math.nan
    n = effective_number(hits, clusters)
    successes = float(hits.mean()) * n
    if math.isclose(successes, n):
        return 1.0
    return float(scipy.stats.beta.ppf(confidence, successes + 1, n - successes))


def unseen_share(n: float, level: float) -> float:
    """Largest share of units that may be otherwise if none of ``n`` is, by one end of an interval.

    Hanley JA, Lippman-Hand A. JAMA 1983;249:1743-1745, there as 3 / n. R: ``binom.test(0, n, conf.level)``.
    """
    return float(1 - ((1 - level) / 2) ** (1 / n))


def median_interval(values: np.ndarray, clusters: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Interval of the median of values (n,) between two of them; NaN if there are too few.

    Conover WJ. Practical Nonparametric Statistics, 3rd ed. Wiley, 1999, section 3.2, with the effective
    number of scans. A bootstrap fails where many values are equal. R, where each scan is a cluster:
    ``DescTools::MedianCI(x, method = "exact")``.

    Args:
        values: of each scan.
        clusters: number of each scan's cluster.
        level: that the interval has at least.
    """
    n = len(values)
    if not n:
        return NOTHING
    effective = effective_number(np.sign(values - np.median(values)), clusters)
    # Of the effective number, as many lie outside at each end; the same share of all does.
    outside = int(scipy.stats.binom.ppf((1 - level) / 2, int(effective), 0.5))
    rank = int(n * outside / int(effective)) if effective >= 1 else 0
    if rank < 1:
        return NOTHING
    ordered = np.sort(values)
    return float(ordered[rank - 1]), float(ordered[n - rank])
