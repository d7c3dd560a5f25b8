"""Resamples of scans and the standard errors that come from them.

Scans are the unit: each resample draws as many scans as there are, with replacement, and all models
and lesions are read off the same draw, so that what belongs together stays together.
Efron B, Tibshirani RJ. An Introduction to the Bootstrap. Chapman & Hall, 1993.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

N_RESAMPLES = 2000
SEED = 2022

QUARTILES = {"q1": 0.25, "median": 0.5, "q3": 0.75}


@lru_cache(maxsize=4)
def resamples(n: int) -> np.ndarray:
    """Indices of the scans of each resample, (N_RESAMPLES, n); the same for the same ``n``."""
    drawn: np.ndarray = np.random.default_rng([SEED, n]).integers(0, n, (N_RESAMPLES, n))
    drawn.flags.writeable = False  # it is shared
    return drawn


def means_of_resamples(values: np.ndarray) -> np.ndarray:
    """Mean of each column over each resample of the rows: (n, k) to (N_RESAMPLES, k)."""
    means: np.ndarray = counts(resamples(len(values)), len(values)) @ values / len(values)
    return means


def counts(drawn: np.ndarray, n: int) -> np.ndarray:
    """How often each of ``n`` units is drawn, per row of indices: (B, m) to (B, n)."""
    rows = np.arange(len(drawn))[:, None] * n + drawn
    return np.bincount(rows.ravel(), minlength=len(drawn) * n).reshape(len(drawn), n)


def se_of_mean(values: np.ndarray) -> float:
    """SD / √n; NaN below two values or without variance."""
    return _positive(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else math.nan


def se_of_sd(values: np.ndarray) -> float:
    """By the bootstrap; NaN below three values or without variance."""
    if len(values) < 3:
        return math.nan
    return _positive(values[resamples(len(values))].std(axis=1, ddof=1).std(ddof=1))


def se_of_quartiles(values: np.ndarray) -> dict[str, float]:
    """Bootstrap standard errors ``q1_se median_se q3_se`` of the quartiles (type 7).

    NaN where all resamples agree: ties (a Dice of exactly 1, say) hide the variation, and a
    standard error of 0 would be a claim to certainty.
    """
    if len(values) < 3:
        return {f"{name}_se": math.nan for name in QUARTILES}
    drawn = np.quantile(values[resamples(len(values))], list(QUARTILES.values()), axis=1)
    return {f"{name}_se": _positive(row.std(ddof=1)) for name, row in zip(QUARTILES, drawn, strict=True)}


def _positive(standard_error: float) -> float:
    """NaN for 0, rounding noise of equal values included."""
    return float(standard_error) if standard_error > 1e-12 else math.nan
