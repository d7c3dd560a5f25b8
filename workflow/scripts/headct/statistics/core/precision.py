"""What a study can show: half widths of intervals, smallest detectable differences, power.

Each is a function of the standard error of a mean paired difference and of its degrees of freedom: SD / √n
and n − 1 for n independent scans (:func:`of_independent`). With ``math.inf`` degrees of freedom it is the
normal approximation. Shares are means of zeros and ones, and taken as normal.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import scipy

LEVEL, ALPHA, WANTED_POWER = 0.95, 0.05, 0.8


@dataclass(frozen=True)
class MeanError:
    """Standard error of a mean paired difference, and its degrees of freedom."""

    error: float
    df: float

    def half_width(self, level: float = LEVEL) -> float:
        """Of the interval of the mean."""
        return self._critical((1 - level) / 2) * self.error

    def power(self, difference: float, alpha: float = ALPHA) -> float:
        """Chance that the t test, two-sided, finds a true difference.

        By the non-central t distribution. Cohen J. Statistical Power Analysis for the Behavioral Sciences,
        2nd ed. Erlbaum, 1988, section 2. R: ``power.t.test(type = "one.sample", strict = TRUE)``; Python:
        ``statsmodels.stats.power.TTestPower``.
        """
        critical, moved = self._critical(alpha / 2), difference / self.error
        if math.isinf(self.df):
            tails = scipy.stats.norm.sf(critical - moved) + scipy.stats.norm.cdf(-critical - moved)
        else:
            tails = sum(scipy.stats.nct.sf(critical, self.df, side * moved) for side in (1, -1))
        return float(tails)

    def detectable(self, alpha: float = ALPHA, wanted: float = WANTED_POWER) -> float:
        """The smallest true difference that the t test, two-sided, finds with the power that is wanted."""

        def lacking(errors: float) -> float:
            return self.power(errors * self.error, alpha) - wanted

        # At twice the critical value the estimated error would have to be twice the true one to miss it.
        beyond = 2 * self._critical(alpha / 2) + 3
        return float(scipy.optimize.brentq(lacking, 0, beyond, xtol=1e-10)) * self.error

    def equivalence_power(self, margin: float, alpha: float = ALPHA) -> float:
        """Chance that two one-sided t tests, at ``alpha`` each, show a true 0 to be within ± margin.

        Schuirmann DJ. J Pharmacokinet Biopharm 1987;15:657-680; exact power: Phillips KF, same journal,
        1990;18:137-144. R: ``TOSTER::power_t_TOST(type = "paired")``, ``PowerTOST::power.TOST``.
        """
        critical, within = self._critical(alpha), margin / self.error

        def given(estimated: float) -> float:
            """Chance where the error is estimated as so many times the true one."""
            return float(2 * scipy.stats.norm.cdf(within - critical * estimated) - 1)

        if math.isinf(self.df):
            return max(given(1), 0.0)
        ratio = scipy.stats.chi(self.df, scale=1 / math.sqrt(self.df))  # of the estimated to the true error
        low, high = ratio.ppf(1e-12), min(ratio.isf(1e-12), within / critical)
        return float(scipy.integrate.quad(lambda x: given(x) * ratio.pdf(x), low, max(low, high))[0])

    def _critical(self, tail: float) -> float:
        return float(scipy.stats.t.isf(tail, self.df))


def of_independent(sd: float, n: int) -> MeanError:
    """Of a mean of n independent differences with this SD."""
    return MeanError(sd / math.sqrt(n), n - 1)
