"""Each model by itself, with intervals: ``results/statistics/estimates.tsv``.

One row per model × lesion × choice of scans × measure:

    model, role, status     references among them: nothing predicted, mean training volume, second readings
    label, scans            all, or with the lesion
    measure                 mean and median of Dice, CCC, volume bias; HD95 and surface Dice if measured
    n, n_failed             scans; of these without a prediction, which has Dice 0 and 0 mL
    estimate, lower, upper  with a 95 % interval: t of the jackknife, or order statistics for medians
    scope, note             a median is about the networks at hand: seeds add nothing to its interval
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from headct.contracts.declarations import PublishedStatistic
from headct.statistics.comparison.paired import LEVEL, MINIMUM_SCANS, NO_VARIANCE, estimated, too_few
from headct.statistics.comparison.score_arrays import OPTIONAL, ScoreArrays, at_hand, scope, status_of
from headct.statistics.core.agreement import ALL_SCANS, WITH_LESION
from headct.statistics.core.jackknife import Estimated
from headct.statistics.core.order_statistics import median_interval
from headct.statistics.core.scores import REFERENCE

MEASURES = {"dice_mean": "dice", "volume_error_ml_mean": "volume_error_ml", "ccc": "ccc"}
"""Measures of the table that are not medians, and what they are computed from."""

ESTIMATES = PublishedStatistic(
    name="estimates",
    help="each model's measures with intervals",
    step="paired-analysis",
    columns="model role status label scans measure n n_failed estimate lower upper scope note",
    keys="model label measure scans status",
)


def estimates_table(parts: list[ScoreArrays]) -> pd.DataFrame:
    """All models of all parts (the test set; each kind of second reading on its own scans)."""
    rows = [row for data in parts for label in data.labels for row in _rows(data, label)]
    table = pd.DataFrame(rows, columns=ESTIMATES.header)
    models = list(dict.fromkeys(model for data in parts for model in data.models))
    order = table["model"].map(models.index).sort_values(kind="stable").index
    return table.loc[order].reset_index(drop=True)


def _rows(data: ScoreArrays, label: str) -> Iterator[dict[str, Any]]:
    for scans in (ALL_SCANS, WITH_LESION):
        chosen = data.chosen(label, scans)
        clusters = data.clusters_of(chosen)
        n = int(chosen.sum())
        enough = n >= MINIMUM_SCANS
        found = {
            name: _with_interval(estimated(data, measure, label, scans)) if enough else None
            for name, measure in MEASURES.items()
        }
        for i, (model, role) in enumerate(zip(data.models, data.roles, strict=True)):
            named = {
                "model": model,
                "role": role,
                "status": status_of(role),
                "label": label,
                "scans": scans,
                "n": n,
                "n_failed": int(data.failed[chosen, i].sum()),
                "scope": scope(data.n_seeds) if role != REFERENCE else "",
            }
            of_medians = named | {"scope": at_hand(data.n_seeds) if role != REFERENCE else ""}
            has_dice = bool(np.isfinite(data.arrays[label, "dice"][0, :, i]).all())
            for name, table in found.items():
                if has_dice or MEASURES[name] != "dice":
                    cells = {"note": too_few(n)} if table is None else dict(table.iloc[i])
                    yield {**named, "measure": name, **cells}
            if has_dice:
                dice = data.arrays[label, "dice"].mean(axis=0)[chosen, i]
                yield {**of_medians, "measure": "dice_median", **_median(dice, clusters)}
            if scans == WITH_LESION:
                for measure in OPTIONAL:
                    if (label, measure) in data.arrays:
                        values = data.arrays[label, measure][:, chosen, i].mean(axis=0)
                        is_defined = np.isfinite(values)
                        defined = values[is_defined]
                        yield {
                            **of_medians,
                            "measure": f"{measure}_median",
                            "n": len(defined),
                            **_median(defined, np.unique(clusters[is_defined], return_inverse=True)[1]),
                        }


def _with_interval(statistic: Estimated) -> pd.DataFrame:
    lower, upper = statistic.interval(LEVEL)
    table = pd.DataFrame({"estimate": statistic.estimate, "lower": lower, "upper": upper, "note": ""})
    table.loc[np.isnan(statistic.estimate), "note"] = "all volumes are equal: no concordance"
    table.loc[statistic.constant(), "note"] = NO_VARIANCE
    return table


def _median(values: np.ndarray, clusters: np.ndarray) -> dict[str, Any]:
    lower, upper = median_interval(values, clusters, LEVEL)
    note = "" if not math.isnan(lower) else f"no interval of a median from {len(values)} scans"
    estimate = float(np.median(values)) if len(values) else math.nan
    return {"estimate": estimate, "lower": lower, "upper": upper, "note": note}
