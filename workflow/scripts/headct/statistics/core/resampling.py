"""Resamples of scans.

Scans are the unit: each resample draws as many scans as there are, with replacement, and all models
and lesions are read off the same draw, so that what belongs together stays together.
Efron B, Tibshirani RJ. An Introduction to the Bootstrap. Chapman & Hall, 1993.
"""

from __future__ import annotations

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
