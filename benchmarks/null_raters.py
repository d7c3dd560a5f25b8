"""Models against another rater, in simulated studies."""

from __future__ import annotations

import numpy as np
from promises import Found, Promise, Truth
from simulated_studies import DICECE, FOCAL, LABELS, Setting, population, study

from headct.settings.analysis_plan import SHIPPED, load
from headct.statistics.comparison.raters import (
    LEVEL,
    UPPER_LEVEL,
    against_rater,
    interchangeability,
    p_of_worse,
    upper_end,
)

MARGINS = load(SHIPPED).not_worse_than_a_rater.dice_margin

N_TWICE = 60
"""Scans that another rater read."""

RATER = 0
"""The column of the simulated models that stands for another rater; of equal models, one is as another."""

RATER_PROMISES = {
    "rater_difference": Promise("difference from another rater", "rater_noninferiority", 2 * LEVEL - 1),
    "not_worse": Promise(
        "“not worse” than a rater, worse by the margin", "rater_noninferiority", 1 - LEVEL, is_interval=False
    ),
    "interchangeable": Promise(
        "γ of volumes above its upper end", "rater_noninferiority", 1 - UPPER_LEVEL, is_interval=False
    ),
}


def true_of_raters(setting: Setting, n_scans: int) -> Truth:
    """γ of volumes."""
    many = population(setting, n_scans, seed=4, equal=True)
    found: Truth = {}
    for label in LABELS:
        first, predicted = many.arrays[label, "reference_ml"][0, :, 0], many.arrays[label, "predicted_ml"][0]
        second, models = predicted[:, RATER], predicted[:, FOCAL]
        squares = ((models - first) ** 2 + (models - second) ** 2) / 2 - (first - second) ** 2
        found["gamma", label] = np.array(squares.mean())
    return found


def of_raters(rng: np.random.Generator, setting: Setting, true: Truth) -> Found:
    """One column of equally good models is the other rater's reading of the first scans.

    A rater is no network that is trained again: where networks of a model differ, there is no such column.
    """
    if setting.seed_sd:
        return {}
    data = study(rng, setting, equal=True).scores(setting.cluster)
    some = np.arange(len(data.scans)) < N_TWICE
    clusters, models = data.clusters_of(some), [DICECE, FOCAL]
    found: Found = {}
    for label in LABELS:
        dice = data.arrays[label, "dice"][:, some]
        rater = dice[:1, :, [RATER]]
        delta = against_rater(dice[:, :, models], rater, clusters)
        ends = delta.interval(2 * LEVEL - 1)
        zero = np.zeros(len(models))
        found["rater_difference", label] = np.stack([delta.estimate, *ends, zero])
        worse = against_rater(dice[:, :, models] - MARGINS[label], rater, clusters)
        found["not_worse", label] = (p_of_worse(worse, MARGINS[label]) < 1 - LEVEL).astype(float)
        volumes = data.arrays[label, "predicted_ml"][0, some]
        gamma = interchangeability(
            volumes[:, models], data.reference_ml(label)[some], volumes[:, RATER], clusters
        )
        found["interchangeable", label] = (upper_end(gamma) < true["gamma", label]).astype(float)
    return found
