"""Agreement of readers who put scans into categories, beyond what chance would make of it.

Each coefficient is (observed agreement − that of chance) / (1 − that of chance), and they differ in what they
take for chance:

- Cohen's kappa, of two readers: each has shares of the categories of their own (Educ Psychol Meas
  1960;20:37-46).
- Fleiss' kappa, of any number: all have the same shares (Psychol Bull 1971;76:378-382).
- Gwet's AC1, of any number: only part of the scans leave any doubt (Br J Math Stat Psychol 2008;61:29-48).
  Where nearly all scans are of one category, kappa is near 0 however well readers agree, and AC1 is not.

A reader need not have seen all scans: agreement is over the pairs of readers of each scan that two or more
saw, and shares are over all scans that anyone saw, as in Gwet KL. Handbook of Inter-Rater Reliability,
4th ed. Advanced Analytics, 2014. R: ``irrCAC``'s ``gwet.ac1.raw``, ``fleiss.kappa.raw``, ``kappa2.table``.
Intervals leave out whole clusters of scans (:mod:`headct.statistics.core.jackknife`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from headct.statistics.core.jackknife import RELATIVE_NOISE, Statistic

COHEN, FLEISS, AC1 = "Cohen's kappa", "Fleiss' kappa", "Gwet's AC1"

NOT_SEEN = -1
"""In place of a category, where a reader has not seen a scan."""

BOUNDS = (-math.inf, 1.0)
"""Of every coefficient; with readers who have not seen all scans, Fleiss' kappa may lie below −1."""


def observed_agreement(ratings: np.ndarray, n_categories: int) -> Statistic:
    """Share of the pairs of readers that agree, the mean over scans that two or more saw.

    Args:
        ratings: category (n, readers) of each scan by each reader, from 0, or :data:`NOT_SEEN`.
        n_categories: of the scale, whether used or not.
    """
    counts = _counts(ratings, n_categories)
    readers = counts.sum(axis=1)
    pairs = readers * (readers - 1)
    agreeing = (counts * (counts - 1)).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        of_scan = np.where(pairs > 0, agreeing / pairs, 0.0)
    twice = (pairs > 0).astype(float)

    def statistic(weights: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):
            found: np.ndarray = (weights @ of_scan) / (weights @ twice)
        return found[None, :, None]

    return statistic


def cohen(ratings: np.ndarray, n_categories: int) -> Statistic:
    """Cohen's kappa of two readers, over the scans that both saw; NaN where chance alone makes them agree.

    Args: as of :func:`observed_agreement`.
    """
    both = (ratings != NOT_SEEN).all(axis=1)
    shares = [np.eye(n_categories)[ratings[:, reader]] * both[:, None] for reader in (0, 1)]
    seen = both.astype(float)

    def chance(weights: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):
            first, second = ((weights @ share) / (weights @ seen)[:, None] for share in shares)
        return (first * second).sum(axis=1)

    return _beyond(chance, ratings, n_categories)


def fleiss(ratings: np.ndarray, n_categories: int) -> Statistic:
    """Fleiss' kappa of any number of readers; NaN where all is of one category.

    Args: as of :func:`observed_agreement`.
    """
    shares = _shares(ratings, n_categories)
    return _beyond(lambda weights: (shares(weights) ** 2).sum(axis=1), ratings, n_categories)


def ac1(ratings: np.ndarray, n_categories: int) -> Statistic:
    """Gwet's AC1 of any number of readers.

    Args: as of :func:`observed_agreement`.
    """
    shares = _shares(ratings, n_categories)

    def chance(weights: np.ndarray) -> np.ndarray:
        found = shares(weights)
        return (found * (1 - found)).sum(axis=1) / (n_categories - 1)

    return _beyond(chance, ratings, n_categories)


COEFFICIENTS: Mapping[str, Callable[[np.ndarray, int], Statistic]] = {COHEN: cohen, FLEISS: fleiss, AC1: ac1}


def _beyond(chance: Callable[[np.ndarray], np.ndarray], ratings: np.ndarray, n_categories: int) -> Statistic:
    """The coefficient for an agreement by chance, of weights (r, n) to (r,)."""
    observed = observed_agreement(ratings, n_categories)

    def statistic(weights: np.ndarray) -> np.ndarray:
        by_chance = chance(weights)[None, :, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            found: np.ndarray = (observed(weights) - by_chance) / (1 - by_chance)
        found = np.where(np.abs(found) > RELATIVE_NOISE, found, 0 * found)
        return np.where(1 - by_chance > RELATIVE_NOISE, found, np.nan)

    return statistic


def _counts(ratings: np.ndarray, n_categories: int) -> np.ndarray:
    """How many readers put each scan into each category: (n, categories)."""
    found: np.ndarray = (ratings[:, :, None] == np.arange(n_categories)).sum(axis=1).astype(float)
    return found


def _shares(ratings: np.ndarray, n_categories: int) -> Callable[[np.ndarray], np.ndarray]:
    """Share (r, categories) of each category for weights (r, n), over scans that anyone saw."""
    counts = _counts(ratings, n_categories)
    readers = counts.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        of_scan = np.where(readers > 0, counts / readers, 0.0)
    seen = (readers[:, 0] > 0).astype(float)
    return lambda weights: (weights @ of_scan) / (weights @ seen)[:, None]
