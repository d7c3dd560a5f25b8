"""Detection of each lesion, scan by scan: ``results/statistics/detection.tsv``.

    model, role, status, label
    threshold_ml            the lesion is there if its volume is above this, in both maps
    n, n_present, n_absent  scans
    tp, fn, fp, tn          scans; a missing prediction is wrong at every threshold
    sensitivity, specificity, ppv, npv      each with _lower and _upper, 95 % intervals (Wilson)
    note                    why something is not estimable

Intervals: :func:`headct.statistics.core.order_statistics.wilson`. Of the first seed's
network: a mean of counts over networks is no count. Predictive values are those at this test set's
prevalence.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from headct.contracts.declarations import MadeOf, PublishedStatistic
from headct.contracts.references import TRAINING_MEAN
from headct.settings.analysis_plan import Plan
from headct.statistics.comparison.paired import LEVEL
from headct.statistics.comparison.score_arrays import ScoreArrays, status_of
from headct.statistics.core.clusters import numbered
from headct.statistics.core.order_statistics import wilson

DETECTION = PublishedStatistic(
    name="detection",
    help="detection of each lesion, scan by scan",
    step="paired-analysis",
    columns="model role status label threshold_ml n n_present n_absent tp fn fp tn sensitivity"
    " sensitivity_lower sensitivity_upper specificity specificity_lower specificity_upper ppv"
    " ppv_lower ppv_upper npv npv_lower npv_upper note",
    keys="model label threshold_ml status",
    made_of=(MadeOf(seeds="first"),),
)

SHARES = ("sensitivity", "specificity", "ppv", "npv")
NOT_ESTIMABLE = "not estimable"


def detection_table(parts: list[ScoreArrays], plan: Plan) -> pd.DataFrame:
    """All models that draw lesions, at all thresholds of the plan."""
    rows = []
    for data in (part.first_seed() for part in parts):
        for i, (model, role) in enumerate(zip(data.models, data.roles, strict=True)):
            for label in data.labels if model != TRAINING_MEAN else ():
                for threshold in plan.detection_thresholds_ml:
                    cells = detection(
                        data.reference_ml(label) > threshold,
                        data.calls(label, threshold)[0, :, i],
                        data.clusters,
                        plan.detection_minimum,
                    )
                    name = {"model": model, "role": role, "status": status_of(role), "label": label}
                    rows.append({**name, "threshold_ml": threshold, **cells})
    return pd.DataFrame(rows)


def detection(
    present: np.ndarray, predicted: np.ndarray, clusters: np.ndarray, minimum: int
) -> dict[str, Any]:
    """Counts, and shares with their intervals; below ``minimum`` scans of a kind none that need it.

    Args:
        present: which scans (n,) have the lesion.
        predicted: which scans (n,) are called so.
        clusters: number of each scan's cluster.
        minimum: number of scans.
    """
    tp, fn = int((present & predicted).sum()), int((present & ~predicted).sum())
    fp, tn = int((~present & predicted).sum()), int((~present & ~predicted).sum())
    n_present, n_absent = tp + fn, fp + tn
    right = present == predicted
    among = {"sensitivity": present, "specificity": ~present, "ppv": predicted, "npv": ~predicted}
    row: dict[str, Any] = {"n": len(present), "n_present": n_present, "n_absent": n_absent}
    row |= {"tp": tp, "fn": fn, "fp": fp, "tn": tn}
    notes = []
    for name in SHARES:
        hits = right[among[name]].astype(float)
        lacking = [
            f"{found} scans {words} the lesion"
            for words, found, needs in (
                ("with", n_present, name != "specificity"),
                ("without", n_absent, name != "sensitivity"),
            )
            if needs and found < minimum
        ]
        if not lacking and not len(hits):
            lacking = ["no scan is called " + ("positive" if name == "ppv" else "negative")]
        if lacking:
            shown = name.upper() if len(name) == 3 else name
            notes.append(f"{shown} {NOT_ESTIMABLE}: {' and '.join(lacking)}")
            row |= dict.fromkeys((name, f"{name}_lower", f"{name}_upper"), np.nan)
            continue
        lower, upper = wilson(hits, numbered(clusters[among[name]]), LEVEL)
        row |= {name: hits.mean(), f"{name}_lower": lower, f"{name}_upper": upper}
    return {**row, "note": "; ".join(notes)}
