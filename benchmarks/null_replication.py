"""Where another study's numbers are to be expected: held against another simulated study."""

from __future__ import annotations

import numpy as np
from promises import Found, Promise, Truth
from simulated_studies import FOCAL, LABELS, Setting, Study, study

from headct.statistics.core.prediction import (
    Interval,
    Sample,
    of_ccc,
    of_mean,
    of_quantile,
    of_share,
)

LEVEL = 0.95


def _promise(words: str) -> Promise:
    return Promise(f"another study's {words}", "replication", LEVEL, of_all_networks=False)


REPLICATION_PROMISES = {
    "other_mean": _promise("mean Dice"),
    "other_median": _promise("median Dice"),
    "other_q1": _promise("first quartile of Dice"),
    "other_q3": _promise("third quartile of Dice"),
    "other_ccc": _promise("concordance"),
    "other_bias": _promise("mean volume error"),
    "other_share": _promise("share of scans with the lesion"),
    "other_volume": _promise("mean volume of lesions"),
}


def of_replication(rng: np.random.Generator, setting: Setting, true: Truth) -> Found:
    """Of the model that the paper chose, in two studies of as many scans."""
    one, other = (study(rng, setting) for _ in range(2))
    clusters = one.scores(setting.cluster).clusters
    found: Found = {}
    for label in LABELS:
        both = zip(_numbers(one, label).items(), _numbers(other, label).values(), strict=True)
        expected = _expected(one, label, clusters)
        for (name, ours), theirs in both:
            # What scatters over pairs of studies is the difference, so that is what an oracle knows of.
            if name == "other_share" and label != "IVH":  # nearly all scans have the others
                continue
            low, high = expected[name]
            found[name, label] = np.array([[theirs - ours], [low - ours], [high - ours], [theirs - ours]])
    return found


def _values(one: Study, label: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Dice, reference and predicted volumes (n,)."""
    dice = one.arrays[label, "dice"].mean(axis=0)[:, FOCAL]
    reference, predicted = (one.arrays[label, name][0, :, FOCAL] for name in ("reference_ml", "predicted_ml"))
    return dice, reference, predicted


def _numbers(one: Study, label: str) -> dict[str, float]:
    """What a study prints."""
    dice, x, y = _values(one, label)
    covariance = np.mean((x - x.mean()) * (y - y.mean()))
    q1, median, q3 = np.quantile(dice, (0.25, 0.5, 0.75))
    found = {
        "other_mean": dice.mean(),
        "other_median": median,
        "other_q1": q1,
        "other_q3": q3,
        "other_ccc": 2 * covariance / (x.var() + y.var() + (x.mean() - y.mean()) ** 2),
        "other_bias": (y - x).mean(),
        "other_share": (x > 0).mean(),
        "other_volume": x[x > 0].mean(),
    }
    return {name: float(value) for name, value in found.items()}


def _expected(one: Study, label: str, clusters: np.ndarray) -> dict[str, Interval]:
    """Where a study of as many scans expects those of another one."""
    dice, x, y = _values(one, label)
    n, present = len(dice), x > 0
    of_dice = Sample(dice, clusters, (0.0, 1.0))
    errors = Sample(y - x, clusters, reference=x)
    volumes = Sample(x[present], np.unique(clusters[present], return_inverse=True)[1], (0.0, np.inf))
    return {
        "other_mean": of_mean(of_dice, n, LEVEL),
        "other_median": of_quantile(of_dice, 0.5, n, LEVEL),
        "other_q1": of_quantile(of_dice, 0.25, n, LEVEL),
        "other_q3": of_quantile(of_dice, 0.75, n, LEVEL),
        "other_ccc": of_ccc(errors, n, LEVEL),
        "other_bias": of_mean(errors, n, LEVEL),
        "other_share": of_share(Sample(present.astype(float), clusters), n, LEVEL),
        "other_volume": of_mean(volumes, int(present.sum()), LEVEL),
    }
