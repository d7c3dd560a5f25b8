"""The curve a − b · n^(−c): reference values, what is refused, and that the interval holds what it says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from headct.statistics.core import power_law
from headct.statistics.core.power_law import NotFitted, PowerLaw, fit

N = np.array([50, 100, 200, 400, 800, 1558], dtype=float)
DICE = np.array([0.702, 0.768, 0.815, 0.848, 0.872, 0.885])


def curve(n: np.ndarray, a: float, b: float, c: float) -> np.ndarray:
    return a - b * n**-c


def test_reference_values_of_the_issue() -> None:
    """Issue 18: least squares, standard error by the delta method, n by inversion of the curve."""
    found = fit(N, DICE)
    assert found.a == pytest.approx(0.923511, abs=5e-7)
    assert found.b == pytest.approx(1.676909, abs=5e-7)
    assert found.c == pytest.approx(0.517121, abs=5e-7)
    assert found.sigma == pytest.approx(0.001065, abs=5e-7)
    assert found.df == 3
    assert found.at(3116) == pytest.approx(0.897335, abs=5e-7)
    assert found.standard_error(3116) == pytest.approx(0.001243, abs=5e-7)
    assert found.number_for(0.89) == pytest.approx(1932.54, abs=5e-3)
    assert found.number_for(0.93) == np.inf


def test_it_is_what_scipys_curve_fit_finds() -> None:
    """Levenberg-Marquardt from another start, its covariance from the Jacobian."""
    found = fit(N, DICE)
    values, covariance = optimize.curve_fit(curve, N, DICE, p0=(0.9, 1.0, 0.5), xtol=1e-14, ftol=1e-14)
    assert (found.a, found.b, found.c) == pytest.approx(values, rel=1e-6)
    assert found.covariance == pytest.approx(covariance, rel=1e-4)


PARAMETERS = {
    "a": st.floats(0.5, 0.99),
    "gained": st.floats(0.05, 0.4),
    "c": st.floats(0.1, 2.0),
    "sizes": st.lists(st.integers(2, 3000), min_size=4, max_size=9, unique=True),
}


@given(**PARAMETERS)
@settings(deadline=None, max_examples=60)
def test_points_on_a_curve_give_that_curve(a: float, gained: float, c: float, sizes: list[int]) -> None:
    n = np.array(sorted(sizes), dtype=float)
    b = gained * n.min() ** c
    y = curve(n, a, b, c)
    if y.max() - y[0] < 0.01 or n.max() / n.min() < 4:
        return  # nothing to tell an exponent by
    found = fit(n, y)
    assert found.at(n) == pytest.approx(y, abs=1e-7)
    assert found.sigma == pytest.approx(0, abs=1e-7)
    assert found.c == pytest.approx(c, rel=1e-2)


@given(order=st.permutations(range(len(N))), times=st.floats(0.1, 50))
@settings(deadline=None, max_examples=30)
def test_order_and_unit_of_n_do_not_count(order: list[int], times: float) -> None:
    found, other = fit(N, DICE), fit(times * N[order], DICE[order])
    assert (other.a, other.c, other.sigma) == pytest.approx((found.a, found.c, found.sigma), rel=1e-6)
    assert other.number_for(0.89) == pytest.approx(times * found.number_for(0.89), rel=1e-6)


@pytest.mark.parametrize(
    ("n", "y", "why"),
    [
        (N[:3], DICE[:3], "needs 4 sizes or more, and there are 3"),
        (N, DICE[::-1], "Dice does not rise"),
        (N, np.full(6, 0.8), "Dice does not rise"),
        (N, 0.1 + 0.1 * np.log(N), "rises as a logarithm does, without one"),
        (N, np.array([0.2, 0.8, 0.8, 0.8, 0.8, 0.8]), "the second size is there already"),
        (N, curve(N, 1.2, 2.0, 0.3), "above 1, which none can be"),
    ],
)
def test_what_can_not_be_fitted_is_said(n: np.ndarray, y: np.ndarray, why: str) -> None:
    with pytest.raises(NotFitted, match=why):
        fit(n, y)


def test_the_interval_of_what_a_gain_needs_is_where_that_of_the_gain_holds_it() -> None:
    found = fit(N, DICE)
    needed, lower, upper = found.number_for_gain(0.01, 1558, 0.95)
    assert needed == pytest.approx(found.number_for(float(found.at(1558)) + 0.01), rel=1e-9)
    assert 1558 < lower < needed < upper
    for end, sign in ((lower, 1), (upper, -1)):
        t = 3.182446305284263  # R: qt(.975, 3)
        step = 1e-6
        slopes = [gain_of(found, end, step * sign_of, place) for place in range(3) for sign_of in (1, -1)]
        gradient = np.array([(slopes[2 * i] - slopes[2 * i + 1]) / (2 * step) for i in range(3)])
        error = np.sqrt(gradient @ found.covariance @ gradient)
        assert gain_of(found, end, 0, 0) + sign * t * error == pytest.approx(0.01, abs=1e-7)


def gain_of(found: PowerLaw, n: float, step: float, place: int) -> float:
    """The gain from 1558 to ``n`` where one parameter is larger by ``step``."""
    parameters = np.array([found.a, found.b, found.c])
    parameters[place] += step
    there, here = curve(np.array([n, 1558.0]), *parameters)
    return float(there - here)


def test_what_is_never_reached_is_infinite() -> None:
    found = fit(N, DICE)
    needed, lower, upper = found.number_for_gain(0.05, 1558, 0.95)
    assert needed == upper == np.inf
    assert lower == np.inf
    four = fit(N[:4], DICE[:4] + np.array([0, 0.002, 0, 0]))
    needed, lower, upper = four.number_for_gain(0.01, 400, 0.95)
    assert 400 < lower < needed < upper == np.inf, "one degree of freedom tells no upper end"


def test_intervals_hold_the_true_curve() -> None:
    """Of 400 noisy curves, at twice the largest size and at the largest: .95, to within chance."""
    rng = np.random.default_rng(18)
    truth = (0.92, 1.7, 0.52)
    held = np.zeros(2)
    fitted = 0
    at = np.array([1558.0, 3116.0])
    for _ in range(400):
        try:
            found = fit(N, curve(N, *truth) + rng.normal(0, 0.004, len(N)))
        except NotFitted:
            continue
        lower, upper = found.interval(at, 0.95)
        held += (lower <= curve(at, *truth)) & (curve(at, *truth) <= upper)
        fitted += 1
    assert fitted > 380
    assert (held / fitted > 0.91).all()
    assert (held / fitted < 0.98).all()
    assert power_law.LEAST_POINTS == 4
