"""Weighted sums of means of independent samples: their difference, and their mean at another mix of groups.

value = Σ cᵢ meanᵢ, error² = Σ cᵢ² errorᵢ². Degrees of freedom of that error: Satterthwaite FE. Biometrics
1946;2:110-114; for the difference of two means it is the t of Welch BL. Biometrika 1947;34:28-35. R, where
each scan is independent: ``t.test(var.equal = FALSE)``; Python: ``scipy.stats.ttest_ind(equal_var=False)``.
Groups weighted by shares are a directly standardised mean, in the manner of rates by age.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy

from headct.statistics.core.jackknife import UNBOUNDED, Estimated


@dataclass(frozen=True)
class SampleMeans:
    """Means of k models on one sample.

    Attributes:
        value: of each (k,).
        error: standard error (k,); 0 where all values are equal, NaN where it is not known.
        df: degrees of freedom (k,) of the errors.
    """

    value: np.ndarray
    error: np.ndarray
    df: np.ndarray

    def varying(self) -> SampleMeans:
        """The same without errors of 0: that no scan at hand differs is no certainty about others."""
        return replace(self, error=np.where(self.error > 0, self.error, np.nan))

    def interval(
        self, level: float, bounds: tuple[float, float] = UNBOUNDED
    ) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper ends (k,); NaN where the error is 0 or not known.

        Args:
            level: such as .95.
            bounds: beyond which there is no value.
        """
        half = scipy.stats.t.isf((1 - level) / 2, self.df) * self.varying().error
        return np.clip(self.value - half, *bounds), np.clip(self.value + half, *bounds)


def of(found: Estimated) -> SampleMeans:
    """The means of one sample, by the jackknife."""
    error, df = found.standard_error()
    same = found.constant()
    return SampleMeans(found.estimate, np.where(same, 0.0, error), np.where(same, 1.0, df))


def combined(coefficients: Sequence[float], samples: Sequence[SampleMeans]) -> SampleMeans:
    """Σ coefficient · mean over independent samples of the same models.

    Args:
        coefficients: (1, −1) for a difference; the shares of groups for a standardised mean.
        samples: as many.
    """
    c = np.asarray(coefficients, dtype=float)[:, None]
    values = np.stack([one.value for one in samples])
    variances = c**2 * np.stack([one.error**2 for one in samples])
    df = np.stack([one.df for one in samples])
    variance = variances.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        freedom = variance**2 / (variances**2 / df).sum(axis=0)
    return SampleMeans((c * values).sum(axis=0), np.sqrt(variance), np.where(variance > 0, freedom, 1.0))
