"""What a verdict on a claim rests on: the measures, bounds of means over scans, and pairs of models."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

import numpy as np
import pandas as pd

from headct.settings.analysis_plan import Plan
from headct.statistics.comparison.equivalence import dice_differences, interval_of_differences
from headct.statistics.comparison.paired import NO_VARIANCE
from headct.statistics.comparison.score_arrays import ScoreArrays
from headct.statistics.core import jackknife
from headct.statistics.core.agreement import WITH_LESION
from headct.statistics.core.group_tests import ALPHA, FLAVOURS, differs
from headct.statistics.core.jackknife import UNBOUNDED, Estimated
from headct.statistics.core.resampling import resamples

DEFAULT = next(iter(FLAVOURS))

HOLDS, FAILS, UNCLEAR, UNTESTED = "holds", "does not hold", "cannot tell", "not testable"

Claim = Mapping[str, Any] | pd.Series
"""One row of :func:`headct.settings.published.claims`."""


@dataclass(frozen=True)
class Evidence:
    """A verdict and what it rests on."""

    verdict: str
    text: str


def overall(parts: Sequence[str]) -> str:
    """Verdict on the whole: each part must hold; one that does not refutes it."""
    if not parts:
        return UNCLEAR
    if FAILS in parts:
        return FAILS
    return HOLDS if set(parts) == {HOLDS} else UNCLEAR


def verdict(*, holds: bool, fails: bool) -> str:
    """What is refuted fails, whatever else was shown; what is neither shown nor refuted stays unclear."""
    if fails:
        return FAILS
    return HOLDS if holds else UNCLEAR


@dataclass(frozen=True)
class Means:
    """Means (k,) of values of scans, with one-sided bounds of any error.

    Attributes:
        found: the means.
        values: of each scan (n, k), the mean over seeds.
        clusters: number (n,) of each scan's cluster.
        are_differences: of Dice or of shares: at most 1, so that what is unseen has a bound.
    """

    found: Estimated
    values: np.ndarray
    clusters: np.ndarray
    are_differences: bool

    def ends(self, error: float) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper bounds (k,), each beyond the true mean with probability ``error``; NaN without."""
        level = 1 - 2 * error
        if self.are_differences:
            return interval_of_differences(self.found, self.values, self.clusters, level)
        return self.found.interval(level)

    def in_words(self, i: int, error: float = ALPHA, decimals: int = 3) -> str:
        """One of the means with its interval, each end wrong with probability ``error``."""
        low, high = (float(end[i]) for end in self.ends(error))
        mean = number(float(self.found.estimate[i]), decimals)
        if math.isnan(low):
            same = np.ptp(self.values[:, i]) == 0
            return f"{mean} ({'all scans are equal: no interval' if same else NO_VARIANCE})"
        level = f"{100 * (1 - 2 * error):.1f}".removesuffix(".0")
        return f"{mean} ({level}% interval {number(low, decimals)} to {number(high, decimals)})"


@dataclass(frozen=True)
class Results:
    """What the claims are held against.

    Attributes:
        data: measures of the compared models; volumes are of the kind that is compared with the paper's.
        dunn: the table of that name.
        cohort_tests: the table of that name.
        plan: the analysis plan, for its margins.
        flavour: how Dunn's P are read, one of :data:`headct.statistics.core.group_tests.FLAVOURS`.
    """

    data: ScoreArrays
    dunn: pd.DataFrame
    cohort_tests: pd.DataFrame
    plan: Plan
    flavour: str = DEFAULT

    def run(self, models: Sequence[str]) -> list[str]:
        """Those of the models that were run."""
        return [model for model in models if model in self.data.models]

    def missing(self, claim: Claim) -> list[str]:
        """The models of a claim that were not run."""
        return [model for model in [*claim["models"], *claim["against"]] if model not in self.data.models]

    def values(self, measure: str, models: Sequence[str], label: str) -> np.ndarray:
        """A measure (seeds, scans, models)."""
        columns = [self.data.models.index(model) for model in models]
        return self.data.values(measure, label)[:, :, columns]

    def differences(self, pairs: Sequence[tuple[str, str]], label: str) -> Means:
        """Mean differences of Dice, first − second model of each pair."""
        models = self.data.models
        first, second = ([models.index(pair[i]) for pair in pairs] for i in (0, 1))
        found, differences = dice_differences(self.data, label, first, second)
        return Means(found, differences, self.data.clusters, are_differences=True)

    def means(
        self, values: np.ndarray, scans: np.ndarray | None = None, are_differences: bool = True
    ) -> Means:
        """Means of values (seeds, scans, k) over some of the scans, or all.

        Args:
            values: of all scans.
            scans: indices of those that count.
            are_differences: of Dice or of shares.
        """
        chosen = self.all_scans() if scans is None else scans
        clusters, taken = self.data.clusters_of(chosen), values[:, chosen]
        bounds = (-1.0, 1.0) if are_differences else UNBOUNDED
        found = jackknife.evaluate(jackknife.mean(taken), clusters, bounds=bounds)
        return Means(found, taken.mean(axis=0), clusters, are_differences)

    def all_scans(self) -> np.ndarray:
        """Indices of the test scans."""
        return np.arange(len(self.data.scans))

    def scans_with(self, labels: Sequence[str]) -> np.ndarray:
        """Indices of the scans that have all of the lesions."""
        present = [self.data.chosen(label, WITH_LESION) for label in labels]
        return np.flatnonzero(np.all(present, axis=0))

    def small(self, label: str) -> tuple[np.ndarray, float]:
        """Indices of the scans whose lesion is below the median of all that have it; and the median in mL."""
        volume = self.data.reference_ml(label)
        median = float(np.median(volume[volume > 0])) if (volume > 0).any() else 0.0
        return np.flatnonzero((volume > 0) & (volume < median)), median


@dataclass(frozen=True)
class PairBounds:
    """Of the mean difference of Dice of two models, with the margin within which it counts as none.

    ``low`` and ``high`` are each wrong in 5 %, ``least`` and ``most`` in 5 % over all pairs of the claim.
    """

    margin: float
    low: float
    high: float
    least: float
    most: float


@dataclass(frozen=True)
class Dunn:
    """Dunn's test of two models: P by a flavour, whether they differ, whether the first ranks higher."""

    p: float
    differ: bool
    first_higher: bool


def pairs_of(claim: Claim, results: Results) -> list[tuple[str, str]]:
    """The pairs of models that a claim is about, of those that were run."""
    models, against = results.run(claim["models"]), results.run(claim["against"])
    return list(product(models, against) if claim["against"] else combinations(models, 2))


def bounds_of_pairs(claim: Claim, results: Results) -> list[PairBounds]:
    """Of each pair on each lesion."""
    pairs, labels = pairs_of(claim, results), claim["labels"]
    corrected = ALPHA / max(len(pairs) * len(labels), 1)
    found = []
    for label in labels if pairs else ():
        means = results.differences(pairs, label)
        ends = zip(*means.ends(ALPHA), *means.ends(corrected), strict=True)
        found += [PairBounds(results.plan.dice_margin[label], *map(float, of)) for of in ends]
    return found


def dunn_of_pairs(claim: Claim, results: Results) -> list[Dunn]:
    """Of each pair on each lesion, in the order of :func:`bounds_of_pairs`."""
    column, _ = FLAVOURS[results.flavour]
    table = results.dunn.assign(differ=differs(results.dunn, results.flavour))
    by_pair = {}
    for row in table.to_dict("records"):
        label, a, b = row["label"], row["model_a"], row["model_b"]
        rank_a, rank_b = row["mean_rank_a"], row["mean_rank_b"]
        by_pair[label, a, b] = Dunn(row[column], row["differ"], rank_a > rank_b)
        by_pair[label, b, a] = Dunn(row[column], row["differ"], rank_b > rank_a)
    pairs = pairs_of(claim, results)
    return [by_pair[label, a, b] for label in claim["labels"] for a, b in pairs]


def resampled_test_sets(clusters: np.ndarray) -> Iterator[np.ndarray]:
    """Indices of the scans of each resample: whole clusters are drawn, as many as there are."""
    members = [np.flatnonzero(clusters == cluster) for cluster in np.unique(clusters)]
    for drawn in resamples(len(members)):
        yield np.concatenate([members[cluster] for cluster in drawn])


def number(value: float, decimals: int = 3) -> str:
    """A number as it is read, with a minus sign, but for 0."""
    return f"{round(value, decimals) + 0.0:.{decimals}f}".replace("-", "−")


def p_value(p: float) -> str:
    """A P as it is read."""
    return "< .001" if p < 0.001 else f"{p:.3f}"
