"""Models against another rater, and how well raters agree, in simulated studies."""

from __future__ import annotations

import numpy as np
from promises import Found, Promise, Truth, interval, of
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
from headct.statistics.comparison.score_arrays import ScoreArrays
from headct.statistics.core import jackknife
from headct.statistics.core.agreement import ALL_SCANS, LEAST_CLUSTERS, WITH_LESION, bland_altman, concordance
from headct.statistics.core.agreement import LEVEL as AGREEMENT_LEVEL
from headct.statistics.core.order_statistics import NOTHING
from headct.statistics.replication.rater_statistics import icc_a1_of_weights

MARGINS = load(SHIPPED).not_worse_than_a_rater.dice_margin

N_TWICE = 60
"""Scans that another rater read."""

N_READINGS = 40
"""Scans by which the agreement of raters is looked at."""

READINGS = (*((label, ALL_SCANS) for label in LABELS), ("IVH", WITH_LESION))
"""Choices of scans: nearly all have the other lesions."""

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
    "reading_icc": Promise(f"ICC(A,1) of {N_READINGS} second readings", "rater_agreement", AGREEMENT_LEVEL),
    "reading_ccc": Promise(
        f"concordance of {N_READINGS} second readings", "rater_agreement", AGREEMENT_LEVEL
    ),
    "reading_bias": Promise(
        f"mean difference of {N_READINGS} second readings", "rater_agreement", AGREEMENT_LEVEL
    ),
}


def true_of_raters(setting: Setting, n_scans: int) -> Truth:
    """γ of volumes, and how well two raters agree."""
    many = population(setting, n_scans, seed=4, equal=True)
    found: Truth = {}
    for label in LABELS:
        first, predicted = many.arrays[label, "reference_ml"][0, :, 0], many.arrays[label, "predicted_ml"][0]
        second, models = predicted[:, RATER], predicted[:, FOCAL]
        squares = ((models - first) ** 2 + (models - second) ** 2) / 2 - (first - second) ** 2
        found["gamma", label] = np.array(squares.mean())
        for scans in (scans for of_label, scans in READINGS if of_label == label):
            chosen = np.ones_like(first, dtype=bool) if scans == ALL_SCANS else first > 0
            x, y = first[chosen], second[chosen]
            covariance = np.mean((x - x.mean()) * (y - y.mean()))
            alike = np.full((1, len(x)), 1 / len(x))
            found["reading_icc", label, scans] = icc_a1_of_weights(x, y)(alike)[0, 0]
            found["reading_ccc", label, scans] = np.array(
                [2 * covariance / (x.var() + y.var() + (x.mean() - y.mean()) ** 2)]
            )
            found["reading_bias", label, scans] = np.array([np.mean(y - x)])
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
    return found | _of_readings(data, true)


def _of_readings(data: ScoreArrays, true: Truth) -> Found:
    """Another rater's volumes of the first scans held against the first rater's."""
    found: Found = {}
    for label, scans in READINGS:
        some = data.chosen(label, scans) & (np.arange(len(data.scans)) < N_READINGS)
        if not some.any():  # then the table has no number
            continue
        clusters, first = data.clusters_of(some), data.reference_ml(label)[some]
        second = data.arrays[label, "predicted_ml"][0, some, RATER]
        lin, limits = concordance(first, second, clusters), bland_altman(first, second, clusters)
        icc = jackknife.evaluate(icc_a1_of_weights(first, second), clusters, fisher=True)
        enough = clusters.max() + 1 >= LEAST_CLUSTERS
        ends_of_icc = [float(end[0]) for end in icc.interval(AGREEMENT_LEVEL)] if enough else NOTHING
        for key, estimate, ends in (
            ("reading_icc", float(icc.estimate[0]), ends_of_icc),
            ("reading_ccc", lin.ccc, lin.interval),
            ("reading_bias", limits.bias, limits.bias_interval),
        ):
            pair = [np.array([end]) for end in ends]
            found[key, of(label, scans)] = interval(np.array([estimate]), pair, true[key, label, scans])
    return found
