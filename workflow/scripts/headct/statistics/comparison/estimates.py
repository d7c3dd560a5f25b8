"""Each model by itself, with intervals: ``results/statistics/estimates.tsv``.

One row per model × lesion × choice of scans × measure:

    model, role, status     references among them: nothing predicted, mean training volume, second readings
    label, scans            all, with the lesion, or without it
    measure                 mean, median and pooled Dice, CCC, volume bias; HD95 and surface Dice if measured
    n, n_failed             scans; of these without a prediction, which has Dice 0 and 0 mL
    estimate, lower, upper  with a 95 % interval: t of the jackknife, or order statistics for medians
    scope, note             a median is about the networks at hand: seeds add nothing to its interval

Mean Dice over all scans has two parts, each with its share of the scans as weight: the mean over scans with
the lesion, and that over scans without it, where Dice of a network is 1 or 0, so that it is the share of
these that was kept free of the lesion (with Wilson's interval). Pooled Dice is 2 Σ intersection / Σ
(reference + predicted) over all scans: each mL counts the same, whichever scan it is in.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from headct.contracts.declarations import PublishedStatistic
from headct.settings.analysis_plan import WITHOUT_LESION
from headct.statistics.comparison.paired import LEVEL, MINIMUM_SCANS, NO_VARIANCE, estimated, too_few
from headct.statistics.comparison.score_arrays import (
    OPTIONAL,
    ScoreArrays,
    at_hand,
    scope,
    status_of,
)
from headct.statistics.core.agreement import ALL_SCANS, WITH_LESION
from headct.statistics.core.clusters import numbered
from headct.statistics.core.jackknife import Estimated
from headct.statistics.core.order_statistics import median_interval, wilson
from headct.statistics.core.scores import REFERENCE

MEASURES = {
    "dice_mean": "dice",
    "dice_pooled": "dice_pooled",
    "volume_error_ml_mean": "volume_error_ml",
    "ccc": "ccc",
}
"""Measures of the table that are not medians, and what they are computed from."""

OF_MAPS = ("dice_mean", "dice_pooled")
"""Those that need a label map."""

UNDEFINED = {
    "dice_pooled": "no scan has the lesion, in reference or prediction",
    "ccc": "all volumes are equal: no concordance",
}
"""Why a measure has no value."""

ESTIMATES = PublishedStatistic(
    name="estimates",
    help="each model's measures with intervals",
    step="paired-analysis",
    columns="model role status label scans measure n n_failed estimate lower upper scope note",
    keys="model label measure scans status",
)


def estimates_table(parts: list[ScoreArrays]) -> pd.DataFrame:
    """All models of all parts (the test set; each kind of second reading on its own scans)."""
    rows = [
        row
        for data in parts
        for label in data.labels
        for row in (*_rows(data, label), *_kept_free(data, label))
    ]
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
            name: _with_interval(estimated(data, measure, label, scans), name) if enough else None
            for name, measure in MEASURES.items()
            if name != "dice_pooled" or scans == ALL_SCANS
        }
        for i, role in enumerate(data.roles):
            named = _named(data, i, label, scans)
            these = {**named, "scope": at_hand(data.n_seeds) if role != REFERENCE else ""}
            has_dice = _has_dice(data, i, label)
            for name, table in found.items():
                if has_dice or name not in OF_MAPS:
                    cells = {"note": too_few(n)} if table is None else dict(table.iloc[i])
                    yield {**named, "measure": name, **cells}
            if has_dice:
                dice = data.arrays[label, "dice"].mean(axis=0)[chosen, i]
                yield {**these, "measure": "dice_median", **_median(dice, clusters)}
            if scans == WITH_LESION:
                for measure in OPTIONAL:
                    if (label, measure) in data.arrays:
                        values = data.arrays[label, measure][:, chosen, i].mean(axis=0)
                        is_defined = np.isfinite(values)
                        defined = values[is_defined]
                        yield {
                            **these,
                            "measure": f"{measure}_median",
                            "n": len(defined),
                            **_median(defined, numbered(clusters[is_defined])),
                        }


def _named(data: ScoreArrays, i: int, label: str, scans: str) -> dict[str, Any]:
    """What a row of model ``i`` begins with."""
    chosen, role = data.chosen(label, scans), data.roles[i]
    return {
        "model": data.models[i],
        "role": role,
        "status": status_of(role),
        "label": label,
        "scans": scans,
        "n": int(chosen.sum()),
        "n_failed": int(data.failed[chosen, i].sum()),
        "scope": scope(data.n_seeds) if role != REFERENCE else "",
    }


def _has_dice(data: ScoreArrays, i: int, label: str) -> bool:
    return bool(np.isfinite(data.arrays[label, "dice"][0, :, i]).all())


def _kept_free(data: ScoreArrays, label: str) -> Iterator[dict[str, Any]]:
    """Mean Dice over the scans without the lesion: the share of them that was kept free of it."""
    chosen = data.chosen(label, WITHOUT_LESION)
    clusters = data.clusters_of(chosen)
    for i, role in enumerate(data.roles):
        if not _has_dice(data, i, label):
            continue
        named = _named(data, i, label, WITHOUT_LESION)
        cells: dict[str, Any] = {"measure": "dice_mean", "note": too_few(named["n"])}
        if role != REFERENCE:
            cells["scope"] = at_hand(data.n_seeds)
        if not cells["note"]:
            dice = data.arrays[label, "dice"].mean(axis=0)[chosen, i]
            lower, upper = wilson(dice, clusters, LEVEL)
            cells |= {"estimate": dice.mean(), "lower": lower, "upper": upper}
        yield {**named, **cells}


def _with_interval(statistic: Estimated, measure: str) -> pd.DataFrame:
    lower, upper = statistic.interval(LEVEL)
    table = pd.DataFrame({"estimate": statistic.estimate, "lower": lower, "upper": upper, "note": ""})
    table.loc[np.isnan(statistic.estimate), "note"] = UNDEFINED.get(measure, "")
    table.loc[statistic.constant(), "note"] = NO_VARIANCE
    return table


def _median(values: np.ndarray, clusters: np.ndarray) -> dict[str, Any]:
    lower, upper = median_interval(values, clusters, LEVEL)
    note = "" if not math.isnan(lower) else f"no interval of a median from {len(values)} scans"
    estimate = float(np.median(values)) if len(values) else math.nan
    return {"estimate": estimate, "lower": lower, "upper": upper, "note": note}
