"""Sites as a random effect: the mean over sites, of which those at hand are a sample, and a new site's.

value of a scan = μ + effect of its site + rest; both normal, with variances σ²_u and σ². A mean over scans
speaks of these sites in these proportions; μ speaks of a site that is yet to come. :func:`mean_over_sites`
takes the values of all scans, as paired differences are compared. :func:`new_site` takes the mean of each
site with its standard error, as a meta-analysis does, and says where the mean of a further site may lie.
Why the variances are not fitted by statsmodels' MixedLM, and why there are two ways:
docs/decisions/site-variances.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy

from headct.contracts.plurals import counted
from headct.statistics.core.jackknife import RELATIVE_NOISE

LEVEL = 0.95
MINIMUM_SITES = 3
NO_SITE_VARIANCE = "no variance between sites was found"


@dataclass(frozen=True)
class SiteMean:
    """The mean μ over sites, with its 95 % interval; ``note`` says what could not be estimated, and why.

    ``between`` is the variance σ²_u of the sites' effects, ``within`` that of scans of one site, σ²;
    ``icc``, the intraclass correlation, is the share of the former in their sum.
    """

    n: int
    n_sites: int
    mean: float = math.nan
    error: float = math.nan
    lower: float = math.nan
    upper: float = math.nan
    between: float = math.nan
    within: float = math.nan
    icc: float = math.nan
    note: str = ""


def mean_over_sites(values: np.ndarray, sites: np.ndarray) -> SiteMean:
    """μ of values (n,) of scans of ``sites`` (n,).

    Variances by restricted maximum likelihood, μ and its standard error by generalised least squares at
    these, the interval by Student's t with sites − 1 degrees of freedom. Laird NM, Ware JH. Biometrics
    1982;38:963-974. R: ``nlme::lme(value ~ 1, random = ~ 1 | site)``; Python: ``statsmodels``' MixedLM.
    """
    names, of_scan = np.unique(np.asarray(sites, dtype=str), return_inverse=True)
    n, k, sizes = len(values), len(names), np.bincount(of_scan)
    means = np.bincount(of_scan, values) / sizes
    squares_within = float(((values - means[of_scan]) ** 2).sum())
    if problem := _cannot(values, sizes, squares_within):
        return SiteMean(n, k, note=problem)
    icc = _most_likely_icc(sizes, means, squares_within)
    mean, weights, squares = _given(icc, sizes, means, squares_within)
    total = squares / (n - 1)  # the variance of a scan, σ²_u + σ²
    error = math.sqrt(total / weights.sum())
    half = float(scipy.stats.t.isf((1 - LEVEL) / 2, k - 1)) * error
    note = "" if icc else NO_SITE_VARIANCE
    ends = (mean - half, mean + half)
    return SiteMean(n, k, mean, error, *ends, icc * total, (1 - icc) * total, icc, note)


def _cannot(values: np.ndarray, sizes: np.ndarray, squares_within: float) -> str:
    """Why sites can't be a random effect here; empty if they can."""
    noise = RELATIVE_NOISE * max(1.0, float((values**2).sum()))
    if len(sizes) < MINIMUM_SITES:
        return f"{counted(len(sizes), 'site')}: their variance needs {MINIMUM_SITES}"
    if sizes.max() < 2:
        return "one scan of each site: the variance between sites can't be told from that within them"
    if squares_within <= noise:
        return "the scans of each site are equal in this: no variance within sites"
    return ""


def _given(
    icc: float, sizes: np.ndarray, means: np.ndarray, squares_within: float
) -> tuple[float, np.ndarray, float]:
    """μ, the weights (k,) of sites in it, and the weighted sum of squares, given the intraclass correlation.

    A weight is the variance of a scan over that of a site's mean.
    """
    weights = sizes / (1 - icc + sizes * icc)
    mean = float(weights @ means / weights.sum())
    return mean, weights, float(squares_within / (1 - icc) + weights @ (means - mean) ** 2)


def _most_likely_icc(sizes: np.ndarray, means: np.ndarray, squares_within: float) -> float:
    """The intraclass correlation at which the restricted likelihood is highest; 0 where none is higher.

    Given it, μ and the variance of a scan follow, so that one number is sought. Harville DA. J Am Stat Assoc
    1977;72:320-338.
    """
    n = int(sizes.sum())

    def misfit(icc: float) -> float:
        """−2 log restricted likelihood, but for a constant."""
        _, weights, squares = _given(icc, sizes, means, squares_within)
        determinant = np.log(sizes / weights).sum() + (n - len(sizes)) * math.log(1 - icc)
        return float(determinant + math.log(weights.sum()) + (n - 1) * math.log(squares))

    grid = np.linspace(0, 1, 101)[:-1]
    nearest = int(np.argmin([misfit(icc) for icc in grid]))
    ends = (grid[max(nearest - 1, 0)], (nearest + 1) / 100 - RELATIVE_NOISE)
    found = scipy.optimize.minimize_scalar(misfit, bounds=ends, method="bounded", options={"xatol": 1e-10})
    return float(found.x) if misfit(found.x) < misfit(0) - 1e-9 else 0.0


@dataclass(frozen=True)
class NewSite:
    """The mean μ over sites, and where that of a new site may lie.

    ``q`` is Cochran's Q; ``between`` the variance τ² of the sites' true means; ``error`` the standard error
    of μ by Hartung and Knapp, and by Sidik and Jonkman, with its 95 % interval ``lower`` to ``upper``;
    ``new_error`` the standard deviation of a new site's mean about μ, with its 95 % prediction interval
    ``new_lower`` to ``new_upper``.
    """

    n_sites: int
    q: float
    between: float
    mean: float
    error: float
    lower: float
    upper: float
    new_error: float
    new_lower: float
    new_upper: float

    def p_at_least(self, value: float) -> float:
        """How likely the mean of a new site is ``value`` or more, by the distribution of its interval."""
        t = (value - self.mean) / self.new_error
        return float(scipy.stats.t.sf(t, self.n_sites - 2))


def new_site(means: np.ndarray, errors: np.ndarray) -> NewSite:
    """From the means (k,) of k ≥ 3 sites and their standard errors (k,), all above 0.

    τ² by DerSimonian R, Laird N. Control Clin Trials 1986;7:177-188. Interval of μ by Hartung J, Knapp G.
    Stat Med 2001;20:1771-1782, and Sidik K, Jonkman JN. Stat Med 2002;21:3153-3159: t with k − 1 degrees of
    freedom. Prediction interval by Higgins JPT, Thompson SG, Spiegelhalter DJ. J R Stat Soc A
    2009;172:137-159: μ ± t of k − 2 degrees of freedom · √(τ² + squared classic standard error of μ). R:
    ``metafor::rma(method = "DL", test = "knha")``; Python:
    ``statsmodels.stats.meta_analysis.combine_effects``.
    """
    k, weights = len(means), errors**-2.0
    fixed = weights @ means / weights.sum()
    q = float(weights @ (means - fixed) ** 2)
    scale = weights.sum() - (weights**2).sum() / weights.sum()
    between = max(0.0, (q - (k - 1)) / scale)
    weights = 1 / (errors**2 + between)
    mean = float(weights @ means / weights.sum())
    error = math.sqrt(weights @ (means - mean) ** 2 / (k - 1) / weights.sum())
    new_error = math.sqrt(between + 1 / weights.sum())
    half, new_half = (
        float(scipy.stats.t.isf((1 - LEVEL) / 2, df)) * sd for df, sd in ((k - 1, error), (k - 2, new_error))
    )
    return NewSite(
        k,
        q,
        float(between),
        mean,
        error,
        mean - half,
        mean + half,
        new_error,
        mean - new_half,
        mean + new_half,
    )
