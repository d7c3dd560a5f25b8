"""What the missing predictions of two models could change at most in the comparison of their means.

A missing prediction scores the worst value (:mod:`headct.statistics.core.scores`). Whatever it would have
been, the difference lies between the worst case, in which all missing ones of the model have the worst value
and all of the other model the best, and the best case, which is the reverse (Horowitz JL, Manski CF. J Am
Stat Assoc 2000;95:77-84). Nothing is assumed of why they are missing. A measure without bounds, such as the
error of a volume, has neither case.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from headct.statistics.comparison.score_arrays import bounds_of

WORST_CASE, BEST_CASE = "worst case", "best case"

NO_BOUNDS = "the error of a volume has no bounds, so there is no worst and no best case"

SMALL_IS_GOOD = ("false_positive",)
"""Bounded measures whose least value is the best one; of the others it is the worst."""


def is_bounded(measure: str) -> bool:
    """Whether a measure has a worst and a best value."""
    return all(map(math.isfinite, bounds_of(measure)))


def worst_and_best(measure: str) -> tuple[float, float]:
    """The worst and the best value of a measure that has them."""
    least, greatest = bounds_of(measure)
    return (greatest, least) if measure in SMALL_IS_GOOD else (least, greatest)


def extreme_cases(values: np.ndarray, missing: np.ndarray, measure: str) -> Mapping[str, np.ndarray]:
    """The values of a model and another one in the worst and in the best case for the model.

    Args:
        values: (seeds, scans, 2), the model's first; those that are missing do not count.
        missing: which of them have no prediction, of the same shape.
        measure: a measure with bounds.
    """
    worst, best = worst_and_best(measure)
    return {
        WORST_CASE: np.where(missing, [worst, best], values),
        BEST_CASE: np.where(missing, [best, worst], values),
    }
