"""Summaries of Dice, detection and overlap over the test scans, per model and lesion.

All take the result of :func:`headct.statistics.core.scores.mean_over_seeds`. Quantiles are of type 7
(Hyndman & Fan 1996), the default of R and NumPy, which the paper's printed quartiles fit.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from headct.contracts.declarations import MadeOf, PublishedStatistic
from headct.contracts.labels import LabelSet
from headct.statistics.core.resampling import QUARTILES

DICE_SUMMARY = PublishedStatistic(
    name="dice_summary",
    help="Dice of each model and lesion over all scans",
    step="statistics",
    columns="model role label mean median q1 q3 n n_seeds n_failed n_crashed",
    keys="model label",
)

DICE_PRESENT_SUMMARY = PublishedStatistic(
    name="dice_present_summary",
    help="Dice over the scans that have the lesion, and how often it is detected",
    step="statistics",
    columns="model role label n_present mean median q1 q3 true_positives sensitivity n_absent true_negatives"
    " specificity note",
    keys="model label",
    made_of=(
        MadeOf(columns="n_present mean median q1 q3 true_positives sensitivity", scans="with lesion"),
        MadeOf(columns="n_absent true_negatives specificity", scans="without lesion"),
        MadeOf(),
    ),
)

VOLUME_OVERLAP = PublishedStatistic(
    name="volume_overlap",
    help="volumes that reference and prediction share, and false positives",
    step="statistics",
    columns="model role label n n_present reference_ml intersection_ml intersection_percent"
    " intersection_percent_median false_positive_ml false_positive_ml_median n_false_positive"
    " n_absent n_false_lesion note",
    keys="model label",
    made_of=(
        MadeOf(columns="n_present intersection_percent_median", scans="with lesion"),
        MadeOf(columns="n_absent n_false_lesion", scans="without lesion"),
        MadeOf(),
    ),
)

SEED_SPREAD = PublishedStatistic(
    name="seed_spread",
    help="how far the mean Dice of a model differs between its seeds",
    step="statistics",
    columns="model role label n_seeds mean sd lowest highest note",
    keys="model label",
)

MEAN = "mean"
"""Label of the rows that hold the mean of the lesions' summaries."""


def describe(values: pd.Series | np.ndarray) -> dict[str, float]:
    """Mean, median and quartiles (type 7) of numbers; NaN where there are none."""
    array = np.asarray(values, dtype=float)
    if array.size == 0:
        return dict.fromkeys(("mean", "median", "q1", "q3"), np.nan)
    q1, median, q3 = np.quantile(array, list(QUARTILES.values()))
    return {"mean": float(array.mean()), "median": median, "q1": q1, "q3": q3}


def by_model_and_label(scans: pd.DataFrame) -> Iterator[tuple[dict[str, str], pd.DataFrame]]:
    """Each model × label: the columns that name it, and its rows."""
    for (model, label), rows in scans.groupby(["model", "label"], sort=False):
        yield {"model": str(model), "role": str(rows["role"].iloc[0]), "label": str(label)}, rows


def dice_by_scan(scans: pd.DataFrame, labels: LabelSet) -> dict[str, pd.DataFrame]:
    """Dice of each model, one row per scan (in one order for all) and one column per lesion."""
    return {
        str(model): rows.pivot(index="scan_id", columns="label", values="dice")[list(labels)]
        for model, rows in scans.groupby("model", sort=False)
    }


def dice_summary(scans: pd.DataFrame, labels: LabelSet) -> pd.DataFrame:
    """Dice over all test scans, by the paper's convention (Table 1).

    Columns: model role label mean median q1 q3 n n_seeds, n_failed (scans in which some seed
    has no prediction: Dice 0), n_crashed (of these, not refused).
    The rows with label ``mean`` hold the mean of the lesions' means and medians; quartiles have no such mean.
    """
    rows = [
        {
            **name,
            **describe(values["dice"]),
            "n": len(values),
            "n_seeds": values["n_seeds"].max(),
            "n_failed": int(values["failed"].sum()),
            "n_crashed": int(values["crashed"].sum()),
        }
        for name, values in by_model_and_label(scans)
    ]
    lesions = pd.DataFrame(rows)
    overall = (
        lesions.groupby(["model", "role"], sort=False)
        .agg(
            mean=("mean", "mean"),
            median=("median", "mean"),
            n=("n", "first"),
            n_seeds=("n_seeds", "first"),
            n_failed=("n_failed", "first"),
            n_crashed=("n_crashed", "first"),
        )
        .reset_index()
        .assign(label=MEAN)
    )
    both = pd.concat([lesions, overall], ignore_index=True)
    models, shown = list(lesions["model"].unique()), [*labels, MEAN]
    order = both["model"].map(models.index) * len(shown) + both["label"].map(shown.index)
    return both.loc[order.sort_values().index, list(lesions.columns)].reset_index(drop=True)


def dice_present_summary(scans: pd.DataFrame) -> pd.DataFrame:
    """Dice over the scans that have the lesion, and how well the lesion is detected.

    A lesion is detected where at least one voxel is predicted (0 mL, as the study's Dice does); a missing
    prediction is wrong (:func:`headct.statistics.core.scores.calls_lesion`).
    Columns: model role label n_present mean median q1 q3 true_positives sensitivity n_absent
    true_negatives specificity note. With several seeds counts are means over seeds.
    """
    rows = []
    for name, values in by_model_and_label(scans):
        present = values[values["reference_ml"] > 0]
        absent = values[values["reference_ml"] == 0]
        true_positives = present["predicts_lesion"].sum()
        true_negatives = (1 - absent["predicts_lesion"]).sum()
        missing = [
            words
            for words, group in (
                ("no scan has the lesion: no sensitivity", present),
                ("every scan has the lesion: no specificity", absent),
            )
            if group.empty
        ]
        rows.append(
            {
                **name,
                "n_present": len(present),
                **describe(present["dice"]),
                "true_positives": true_positives,
                "sensitivity": true_positives / len(present) if len(present) else np.nan,
                "n_absent": len(absent),
                "true_negatives": true_negatives,
                "specificity": true_negatives / len(absent) if len(absent) else np.nan,
                "note": "; ".join(missing),
            }
        )
    return pd.DataFrame(rows)


def volume_overlap(scans: pd.DataFrame) -> pd.DataFrame:
    """Intersection and false-positive volumes (Table E2, which the paper names but does not define).

    Columns: model role label n n_present reference_ml (mean), intersection_ml (mean over all scans),
    intersection_percent (Σ intersection / Σ reference · 100), intersection_percent_median (median
    over scans with the lesion of the scan's own percentage), false_positive_ml (mean over all
    scans), false_positive_ml_median, n_false_positive (scans with any false-positive voxel),
    n_absent, n_false_lesion (scans without the lesion in which it is predicted, or in which the prediction
    is missing; its volumes are 0 mL), note.
    """
    rows = []
    for name, values in by_model_and_label(scans):
        present = values[values["reference_ml"] > 0]
        absent = values[values["reference_ml"] == 0]
        percent = 100 * present["intersection_ml"] / present["reference_ml"]
        total_ml = values["reference_ml"].sum()
        rows.append(
            {
                **name,
                "n": len(values),
                "n_present": len(present),
                "reference_ml": values["reference_ml"].mean(),
                "intersection_ml": values["intersection_ml"].mean(),
                "intersection_percent": (
                    100 * values["intersection_ml"].sum() / total_ml if total_ml else np.nan
                ),
                "intersection_percent_median": describe(percent)["median"],
                "false_positive_ml": values["false_positive_ml"].mean(),
                "false_positive_ml_median": describe(values["false_positive_ml"])["median"],
                "n_false_positive": int((values["false_positive_ml"] > 0).sum()),
                "n_absent": len(absent),
                "n_false_lesion": int((absent["predicts_lesion"] > 0).sum()),
                "note": "" if len(present) else "no scan has the lesion: no percentage",
            }
        )
    return pd.DataFrame(rows)


def seed_spread(scores: pd.DataFrame) -> pd.DataFrame:
    """How far the networks of one model lie apart that differ by their seed alone.

    Takes the result of :func:`headct.statistics.core.scores.read`. Columns: model role label, n_seeds, and
    of the seeds' mean Dice over the test scans: mean, sd (n - 1), lowest, highest. With one seed the
    sd is empty, which is said in ``note``.
    """
    means = scores.groupby(["model", "role", "label", "seed"], sort=False, dropna=False)["dice"].mean()
    spread = means.groupby(["model", "role", "label"], sort=False).agg(
        n_seeds="size", mean="mean", sd="std", lowest="min", highest="max"
    )
    one = spread["n_seeds"] == 1
    return spread.assign(note=np.where(one, "one seed: the spread is not known", "")).reset_index()
