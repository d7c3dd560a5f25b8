"""Agreement of readers on categories: published examples, other programs, what must hold of any readers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.inter_rater import aggregate_raters, cohens_kappa, fleiss_kappa

from headct.statistics.core import categories, jackknife
from headct.statistics.core.categories import AC1, COEFFICIENTS, COHEN, FLEISS, NOT_SEEN, observed_agreement
from headct.statistics.core.jackknife import Estimated, Statistic

NA = 0
FOUR_RATERS = (
    np.array(
        [
            [1, 1, NA, 1],
            [2, 2, 3, 2],
            [3, 3, 3, 3],
            [3, 3, 3, 3],
            [2, 2, 2, 2],
            [1, 2, 3, 4],
            [4, 4, 4, 4],
            [1, 1, 2, 1],
            [2, 2, 2, 2],
            [NA, 5, 5, 5],
            [NA, NA, 1, 1],
            [NA, NA, 3, NA],
        ]
    )
    - 1
)
"""12 subjects, 4 raters, 5 categories: Gwet 2014, page 120; ``cac.raw4raters`` of R's irrCAC 1.0."""

ABSTRACTORS = np.repeat([(a, b) for a in range(3) for b in range(3)], [13, 0, 0, 0, 20, 7, 0, 4, 56], axis=0)
"""100 cases by two abstractors, 3 categories: Gwet 2014; ``cont3x3abstractors`` of irrCAC."""


def value(statistic: Statistic, n: int) -> float:
    return float(statistic(np.full((1, n), 1 / n))[0, 0, 0])


def estimated(coefficient: str, ratings: np.ndarray, n_categories: int) -> Estimated:
    return jackknife.evaluate(COEFFICIENTS[coefficient](ratings, n_categories), np.arange(len(ratings)))


def test_four_raters_who_did_not_see_all_agree_as_published() -> None:
    """Gwet 2014; values and standard errors as irrCAC's vignette 'overview' prints them."""
    assert value(observed_agreement(FOUR_RATERS, 5), 12) == pytest.approx(0.81818, abs=5e-6)
    assert value(COEFFICIENTS[AC1](FOUR_RATERS, 5), 12) == pytest.approx(0.77544, abs=5e-6)
    assert value(COEFFICIENTS[FLEISS](FOUR_RATERS, 5), 12) == pytest.approx(0.76117, abs=5e-6)


def test_two_abstractors_agree_as_published() -> None:
    """irrCAC's vignette 'overview': .7964094 (SE .05891072) and .8493305 (SE .04321747)."""
    for coefficient, published, error in ((COHEN, 0.7964094, 0.05891072), (AC1, 0.8493305, 0.04321747)):
        found = estimated(coefficient, ABSTRACTORS, 3)
        assert found.estimate[0] == pytest.approx(published, abs=5e-8)
        assert found.standard_error()[0][0] == pytest.approx(error, rel=0.04)  # irrCAC's is of large samples


@pytest.mark.parametrize("random_state", range(3))
def test_cohen_and_fleiss_are_those_of_statsmodels(random_state: int) -> None:
    rng = np.random.default_rng(random_state)
    truth = rng.integers(0, 4, 300)
    ratings = np.stack([np.where(rng.random(300) < 0.7, truth, rng.integers(0, 4, 300)) for _ in range(3)], 1)
    found = estimated(COHEN, ratings[:, :2], 4)
    theirs = cohens_kappa(np.histogram2d(*ratings[:, :2].T, bins=4)[0])
    assert found.estimate[0] == pytest.approx(theirs.kappa)
    assert found.standard_error()[0][0] == pytest.approx(theirs.std_kappa, rel=0.03)
    counts = aggregate_raters(ratings, n_cat=4)[0]
    assert estimated(FLEISS, ratings, 4).estimate[0] == pytest.approx(fleiss_kappa(counts))


def test_where_nearly_all_is_kept_kappa_is_low_and_ac1_is_not() -> None:
    """The paradox that AC1 is for: Feinstein AR, Cicchetti DV. J Clin Epidemiol 1990;43:543-9."""
    ratings = np.array([[0, 0]] * 95 + [[0, 1]] * 2 + [[1, 0]] * 3)
    assert value(COEFFICIENTS[COHEN](ratings, 4), 100) == pytest.approx(-0.0246, abs=1e-4)
    assert value(COEFFICIENTS[AC1](ratings, 4), 100) > 0.94


RATINGS = st.integers(2, 4).flatmap(
    lambda readers: st.lists(
        st.lists(st.sampled_from([NOT_SEEN, 0, 1, 2, 3]), min_size=readers, max_size=readers),
        min_size=3,
        max_size=12,
    )
)


@given(RATINGS)
def test_what_must_hold_of_any_readers(listed: list[list[int]]) -> None:
    ratings = np.array(listed)
    n = len(ratings)
    for name, coefficient in COEFFICIENTS.items():
        if name == COHEN and ratings.shape[1] != 2:
            continue
        with np.errstate(invalid="ignore"):
            found = value(coefficient(ratings, 4), n)
            twice = value(coefficient(np.concatenate([ratings, ratings]), 4), 2 * n)
            swapped = value(coefficient(ratings[:, ::-1], 4), n)
        assert np.isnan(found) or found <= 1 + 1e-12
        if (ratings != NOT_SEEN).all() and not np.isnan(found):
            assert found >= -1
        assert found == pytest.approx(twice, nan_ok=True)  # more scans of the same kind are no more agreement
        assert found == pytest.approx(swapped, nan_ok=True)
        agree = [len(set(row) - {NOT_SEEN}) < 2 for row in listed]
        if all(agree) and not np.isnan(found):
            assert found == pytest.approx(1)


def test_a_coefficient_has_a_value_only_where_two_saw_a_scan() -> None:
    apart = np.array([[0, NOT_SEEN], [NOT_SEEN, 1], [2, NOT_SEEN]])
    with np.errstate(invalid="ignore"):
        assert all(np.isnan(value(of(apart, 4), 3)) for of in COEFFICIENTS.values())
    assert np.isnan(value(categories.cohen(np.zeros((5, 2), dtype=int), 4), 5))
