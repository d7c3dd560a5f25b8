"""The learning curve y = a − b · n^(−c), fitted by least squares.

Its end a is what no number of participants n goes beyond; b and c say how fast it is approached. Curves of
this form fit the errors of many learners (Cortes C, et al. Advances in Neural Information Processing Systems
1993;6:327-334; Figueroa RL, et al. BMC Med Inform Decis Mak 2012;12:8). For each c the best a and b are those
of a straight line in n^(−c); c is where the sum of squares has its minimum. Standard errors are those of the
linearised curve (the delta method), intervals Student's, with as many degrees of freedom as there are points
more than parameters. They tell what the points scatter about the curve, and take it that they follow one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

Values = NDArray[np.float64]

N_PARAMETERS = 3
LEAST_POINTS = N_PARAMETERS + 1
"""With three points the curve goes through all of them, and nothing says how well it fits."""

LEAST_RISE = 1e-9
"""A rise from the smallest number to the largest that is less is rounding."""

EXPONENTS = np.geomspace(0.05, 5.0, 400)
"""Exponents that are sought. At 0.05 a curve is nearly a logarithm, which has no end; at 5 it is a step."""

FURTHEST = 1000.0
"""Times the largest number of participants: how far the number is sought that a gain needs."""
N_STEPS = 2000


class NotFitted(Exception):
    """Why no curve is fitted to some points, as a clause."""


@dataclass(frozen=True)
class PowerLaw:
    """A fitted curve.

    Attributes:
        a, b, c: its parameters.
        covariance: of a, b and c (3, 3).
        sigma: standard deviation of the points about it, of the same unit as a.
        df: degrees of freedom of that.
    """

    a: float
    b: float
    c: float
    covariance: Values
    sigma: float
    df: int

    def at(self, n: Values | float) -> Values:
        """The curve at numbers of participants (k,)."""
        return np.asarray(self.a - self.b * np.asarray(n, float) ** -self.c)

    def standard_error(self, n: Values | float) -> Values:
        """Standard error (k,) of the curve at numbers of participants."""
        return self._error(_slopes(n, self.b, self.c))

    def interval(self, n: Values | float, level: float) -> tuple[Values, Values]:
        """Lower and upper ends (k,) of the interval of the curve at numbers of participants."""
        half = self._t(level) * self.standard_error(n)
        return self.at(n) - half, self.at(n) + half

    def interval_of_parameters(self, level: float) -> tuple[Values, Values]:
        """Lower and upper ends (3,) of the intervals of a, b and c."""
        centre = np.array([self.a, self.b, self.c])
        half = self._t(level) * np.sqrt(np.diag(self.covariance))
        return centre - half, centre + half

    def number_for(self, y: float) -> float:
        """The number of participants at which the curve reaches ``y``; infinite where it never does."""
        return float((self.b / (self.a - y)) ** (1 / self.c)) if y < self.a else np.inf

    def number_for_gain(self, gain: float, n: float, level: float) -> tuple[float, float, float]:
        """The number of participants at which the curve is ``gain`` above that at ``n``, with its interval.

        The interval begins where that of the gain first holds ``gain``, and ends where it lies wholly above.
        A number that is not within :data:`FURTHEST` times ``n`` is infinite.

        Args:
            gain: in the unit of y, above 0.
            n: number of participants from which it counts.
            level: of the interval.
        """
        there, t = _slopes(np.array([n]), self.b, self.c), self._t(level)

        def beyond(errors: float) -> Callable[[Values], Values]:
            def difference(log_n: Values) -> Values:
                more = np.exp(log_n)
                error = self._error(_slopes(more, self.b, self.c) - there)
                return self.at(more) - self.at(n) + errors * error - gain

            return difference

        steps = np.log(n) + np.linspace(0, np.log(FURTHEST), N_STEPS)
        needed, lower, upper = (_first_root(beyond(errors), steps) for errors in (0.0, t, -t))
        return needed, lower, upper

    def _t(self, level: float) -> float:
        return float(stats.t.ppf((1 + level) / 2, self.df))

    def _error(self, slopes: Values) -> Values:
        variance = np.einsum("i...,ij,j...->...", slopes, self.covariance, slopes)
        return np.sqrt(np.maximum(variance, 0.0))


def fit(n: Values, y: Values) -> PowerLaw:
    """The curve of least squares through points.

    Args:
        n: numbers of participants (k,), each above 0 and all different.
        y: what was reached with so many (k,), as the Dice.

    Raises:
        NotFitted: there are fewer than :data:`LEAST_POINTS`; y does not rise with n; the best exponent lies
            at an end of those sought; the curve ends above 1, which no Dice can be.
    """
    if len(n) < LEAST_POINTS:
        raise NotFitted(f"a curve needs {LEAST_POINTS} sizes or more, and there are {len(n)}")
    scale = float(n.max())  # powers of n / scale are near 1, so that a line through them is well defined
    squares = [float((_residuals(n / scale, y, c) ** 2).sum()) for c in EXPONENTS]
    best = int(np.argmin(squares))
    c = float(EXPONENTS[best])
    a, b = _line(n / scale, y, c)
    if b * ((n.min() / scale) ** -c - 1) < LEAST_RISE:
        raise NotFitted("Dice does not rise with the number of participants")
    if best in (0, len(EXPONENTS) - 1):
        rise = (
            "it rises as a logarithm does, without one" if best == 0 else "the second size is there already"
        )
        raise NotFitted(f"these sizes do not tell where the curve ends: {rise} (exponent {c:g})")
    c = float(
        optimize.brentq(
            lambda exponent: _slope_of_squares(n / scale, y, exponent),
            EXPONENTS[best - 1],
            EXPONENTS[best + 1],
            xtol=1e-14,
        )
    )
    a, b = _line(n / scale, y, c)
    if a > 1:
        raise NotFitted("the curve that fits best would end at a Dice above 1, which none can be")
    df = len(n) - N_PARAMETERS
    sigma = float(np.sqrt((_residuals(n / scale, y, c) ** 2).sum() / df))
    b *= scale**c
    slopes = _slopes(n, b, c)
    covariance = np.asarray(sigma**2 * np.linalg.inv(slopes @ slopes.T), np.float64)
    return PowerLaw(a, b, c, covariance, sigma, df)


def _slopes(n: Values | float, b: float, c: float) -> Values:
    """Derivatives of the curve by a, b and c (3, …)."""
    n = np.asarray(n, float)
    power = n**-c
    return np.stack([np.ones_like(power), -power, b * power * np.log(n)])


def _line(n: Values, y: Values, c: float) -> tuple[float, float]:
    """The best a and b of an exponent."""
    power = n**-c
    deviation = power - power.mean()
    b = -float((deviation * y).sum() / (deviation**2).sum())
    return float(y.mean() + b * power.mean()), b


def _residuals(n: Values, y: Values, c: float) -> Values:
    a, b = _line(n, y, c)
    return y - (a - b * n**-c)


def _slope_of_squares(n: Values, y: Values, c: float) -> float:
    """Half the derivative of the sum of squares by c, a and b being the best of it."""
    _, b = _line(n, y, c)
    return float(-(_residuals(n, y, c) * b * n**-c * np.log(n)).sum())


def _first_root(of: Callable[[Values], Values], steps: Values) -> float:
    """e to the first place at which a function of a logarithm reaches 0; infinite if it never does."""
    reached = np.flatnonzero(of(steps) >= 0)
    if not len(reached):
        return float(np.inf)
    place = max(int(reached[0]), 1)
    ends = steps[place - 1], steps[place]
    return float(np.exp(optimize.brentq(lambda log_n: of(np.array([log_n]))[0], *ends, xtol=1e-13)))
