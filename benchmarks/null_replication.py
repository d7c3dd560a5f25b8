"""Where another study's numbers are to be expected: held against another simulated study."""

from __future__ import annotations

import numpy as np
import pandas as pd
from promises import ALL, Found, Key, Promise, Truth, errors
from simulated_studies import AGE_MEAN, AGE_SD, FOCAL, LABELS, N_SCANS, Setting, Study, study

from headct.statistics.comparison.varying_limits import varying_limits
from headct.statistics.core.agreement import bland_altman
from headct.statistics.core.prediction import (
    Interval,
    Sample,
    of_ccc,
    of_mean,
    of_quantile,
    of_sd,
    of_share,
)

LEVEL = 0.95

OVER_LESIONS = "mean of the lesions"


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
    "other_sd": _promise("SD of ages"),
    "other_family": Promise(
        "any number of one model and its test set outside, corrected for their number",
        "replication",
        1 - LEVEL,
        is_interval=False,
        of_all_networks=False,
    ),
    "beyond_limits": Promise(
        "errors of another study beyond the limits of agreement",
        "agreement",
        1 - LEVEL,
        is_interval=False,
        of_all_networks=False,
    ),
    "beyond_varying_limits": Promise(
        "errors of another study beyond limits that vary with size",
        "limits",
        1 - LEVEL,
        is_interval=False,
        of_all_networks=False,
    ),
}


def of_replication(rng: np.random.Generator, setting: Setting, true: Truth) -> Found:
    """Of the model that the paper chose, in two studies of as many scans."""
    one, other = (study(rng, setting) for _ in range(2))
    ours, theirs = _numbers(one), _numbers(other)
    found = {
        # What scatters over pairs of studies is the difference, so that is what an oracle knows of.
        key: np.array(
            [[theirs[key] - ours[key]], *([end - ours[key]] for end in ends), [theirs[key] - ours[key]]]
        )
        for key, ends in _expected(one, setting, LEVEL).items()
    }
    found["other_sd", "age"] = _of_ages(rng, setting)
    for label in LABELS:
        limits = bland_altman(*_values(one, label)[1:], one.scores(setting.cluster).clusters)
        _, x, y = _values(other, label)
        is_within = (limits.lower_limit <= y - x) & (y - x <= limits.upper_limit)
        found["beyond_limits", label] = errors([1 - is_within.mean()])
    return found


def of_whole_replication(rng: np.random.Generator, setting: Setting, true: Truth) -> Found:
    """Whether any number of the one study lies outside, corrected for their number; limits by size."""
    one, other = (study(rng, setting) for _ in range(2))
    theirs = _numbers(other)
    expected = _expected(one, setting, 1 - (1 - LEVEL) / len(theirs))
    outside = [not ends[0] <= theirs[key] <= ends[1] for key, ends in expected.items()]
    found: Found = {("other_family", ALL): errors([any(outside)])}
    for label in LABELS:
        _, x, y = _values(one, label)
        _, their_x, their_y = _values(other, label)
        present = their_x > 0
        rows = pd.DataFrame(varying_limits(x, y, their_x[present]))
        for method, limits in rows.groupby("method"):
            error, ends = (their_y - their_x)[present], limits[["lower_ml", "upper_ml"]].to_numpy().T
            is_given = np.isfinite(ends[0])  # none where the fitted spread is negative
            is_within = ((ends[0] <= error) & (error <= ends[1]))[is_given]
            found["beyond_varying_limits", f"{label}, {method}"] = errors([1 - is_within.mean()])
    return found


def _of_ages(rng: np.random.Generator, setting: Setting) -> np.ndarray:
    """The SD of normal ages of participants, which nothing of a site changes."""
    n = N_SCANS // setting.scans_of_a_participant
    ours, theirs = rng.normal(AGE_MEAN, AGE_SD, (2, n))
    sd = ours.std(ddof=1)
    low, high = of_sd(Sample(ours, np.arange(n), (0.0, np.inf)), n, LEVEL)
    off = theirs.std(ddof=1) - sd
    return np.array([[off], [low - sd], [high - sd], [off]])


def _values(one: Study, label: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Dice, reference and predicted volumes (n,)."""
    dice = one.arrays[label, "dice"].mean(axis=0)[:, FOCAL]
    reference, predicted = (one.arrays[label, name][0, :, FOCAL] for name in ("reference_ml", "predicted_ml"))
    return dice, reference, predicted


def _numbers(one: Study) -> dict[Key, float]:
    """What a study prints."""
    found: dict[Key, float] = {}
    for label in LABELS:
        dice, x, y = _values(one, label)
        covariance = np.mean((x - x.mean()) * (y - y.mean()))
        q1, median, q3 = np.quantile(dice, (0.25, 0.5, 0.75))
        numbers = {
            "other_mean": dice.mean(),
            "other_median": median,
            "other_q1": q1,
            "other_q3": q3,
            "other_ccc": 2 * covariance / (x.var() + y.var() + (x.mean() - y.mean()) ** 2),
            "other_bias": (y - x).mean(),
            "other_volume": x[x > 0].mean(),
        }
        found |= {(name, label): float(value) for name, value in numbers.items()}
    found["other_share", "IVH"] = float((_values(one, "IVH")[1] > 0).mean())  # nearly all have the others
    found["other_mean", OVER_LESIONS] = float(_mean_of_lesions(one).mean())
    return found


def _mean_of_lesions(one: Study) -> np.ndarray:
    """Dice (n,) of each scan, the mean over its lesions."""
    found: np.ndarray = np.mean([_values(one, label)[0] for label in LABELS], axis=0)
    return found


def _expected(one: Study, setting: Setting, level: float) -> dict[Key, Interval]:
    """Where a study of as many scans expects the numbers of another one."""
    clusters = one.scores(setting.cluster).clusters
    found: dict[Key, Interval] = {}
    for label in LABELS:
        dice, x, y = _values(one, label)
        n, present = len(dice), x > 0
        of_dice = Sample(dice, clusters, (0.0, 1.0))
        of_errors = Sample(y - x, clusters, reference=x)
        volumes = Sample(x[present], np.unique(clusters[present], return_inverse=True)[1], (0.0, np.inf))
        expected = {
            "other_mean": of_mean(of_dice, n, level),
            "other_median": of_quantile(of_dice, 0.5, n, level),
            "other_q1": of_quantile(of_dice, 0.25, n, level),
            "other_q3": of_quantile(of_dice, 0.75, n, level),
            "other_ccc": of_ccc(of_errors, n, level),
            "other_bias": of_mean(of_errors, n, level),
            "other_volume": of_mean(volumes, int(present.sum()), level),
        }
        found |= {(name, label): ends for name, ends in expected.items()}
    has_ivh = (_values(one, "IVH")[1] > 0).astype(float)
    found["other_share", "IVH"] = of_share(Sample(has_ivh, clusters), len(has_ivh), level)
    over_lesions = Sample(_mean_of_lesions(one), clusters, (0.0, 1.0))
    found["other_mean", OVER_LESIONS] = of_mean(over_lesions, len(has_ivh), level)
    return found
