"""Each model by itself, with intervals: ``results/statistics/estimates.tsv``.

One row per model × lesion × choice of scans × measure:

    model, role, status     references among them: nothing predicted, mean training volume, second readings
    label, scans            all, or with the lesion
    measure                 mean and median of Dice, CCC, volume bias; HD95 and surface Dice if measured
    n, n_failed             scans; of these without a prediction, which counts as empty
    estimate, lower, upper  with a 95 % interval
    interval                how it was made: BCa, t, or order statistics for medians
    scope, note
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from headct.contracts.declarations import PublishedStatistic
from headct.settings.analysis_plan import Plan
from headct.statistics.comparison.paired import LEVEL, MINIMUM_SCANS, NO_VARIANCE, sampled, too_few
from headct.statistics.comparison.score_arrays import OPTIONAL, ScoreArrays, scope, status_of
from headct.statistics.core import bootstrap
from headct.statistics.core.agreement import ALL_SCANS, WITH_LESION
from headct.statistics.core.bootstrap import Sampled
from headct.statistics.core.scores import REFERENCE

ORDER = "order statistics"

SAMPLED = {"dice_mean": "dice", "volume_error_ml_mean": "volume_error_ml", "ccc": "ccc"}
"""Measures of the table that are resampled, and what they are computed from."""

ESTIMATES = PublishedStatistic(
    name="estimates",
    help="each model's measures with intervals",
    step="paired-analysis",
    columns="model role status label scans measure n n_failed estimate lower upper interval scope note",
    keys="model label measure scans status",
)


def estimates_table(parts: list[ScoreArrays], plan: Plan) -> pd.DataFrame:
    """All models of all parts (the test set; each kind of second reading on its own scans)."""
    rows = [row for data in parts for label in data.labels for row in _rows(data, plan, label)]
    table = pd.DataFrame(rows, columns=ESTIMATES.header)
    models = list(dict.fromkeys(model for data in parts for model in data.models))
    order = table["model"].map(models.index).sort_values(kind="stable").index
    return table.loc[order].reset_index(drop=True)


def _rows(data: ScoreArrays, plan: Plan, label: str) -> Iterator[dict[str, Any]]:
    for scans in (ALL_SCANS, WITH_LESION):
        chosen = data.chosen(label, scans)
        n = int(chosen.sum())
        enough = n >= MINIMUM_SCANS
        found = {
            name: _with_interval(sampled(data, plan, measure, label, scans)) if enough else None
            for name, measure in SAMPLED.items()
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
            has_dice = bool(np.isfinite(data.arrays[label, "dice"][0, :, i]).all())
            for name, table in found.items():
                if has_dice or SAMPLED[name] != "dice":
                    cells = {"note": too_few(n)} if table is None else dict(table.iloc[i])
                    yield {**named, "measure": name, **cells}
            if has_dice:
                dice = data.arrays[label, "dice"].mean(axis=0)[chosen, i]
                yield {**named, "measure": "dice_median", **_median(dice)}
            if scans == WITH_LESION:
                for measure in OPTIONAL:
                    if (label, measure) in data.arrays:
                        values = data.arrays[label, measure][:, chosen, i].mean(axis=0)
                        defined = values[np.isfinite(values)]
                        yield {
                            **named,
                            "measure": f"{measure}_median",
                            "n": len(defined),
                            **_median(defined),
                        }


def _with_interval(statistic: Sampled) -> pd.DataFrame:
    lower, upper = statistic.interval(LEVEL)
    table = pd.DataFrame({"estimate": statistic.estimate, "lower": lower, "upper": upper, "note": ""})
    table["interval"] = statistic.method()
    table.loc[np.isnan(statistic.estimate), "note"] = "all volumes are equal: no concordance"
    table.loc[statistic.constant(), "note"] = NO_VARIANCE
    return table


def _median(values: np.ndarray) -> dict[str, Any]:
    lower, upper = bootstrap.median_interval(values, LEVEL)
    note = "" if not math.isnan(lower) else f"no interval of a median from {len(values)} scans"
    estimate = float(np.median(values)) if len(values) else math.nan
    return {"estimate": estimate, "lower": lower, "upper": upper, "interval": ORDER, "note": note}
