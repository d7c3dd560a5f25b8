"""How precisely the plan's endpoints were answered: ``results/statistics/precision.tsv``.

What the scans at hand can show, from the standard error that the interval of ``endpoints.tsv`` has,
clusters and seeds included. One row per endpoint × model that it is against:

    status, endpoint, measure, label, scans, model, against
    n, n_clusters           scans, and clusters of these
    sd                      SD of the paired differences of the scans
    effective_n             independent scans of this SD that would have the same standard error, at most n:
                            that clusters differ by chance less than scans do tells nothing more
    half_width              of the 95 % interval
    alpha                   level at which the row is decided
    half_width_adjusted     of the interval at that level
    detectable              smallest true difference that 80 % of such studies find at that level; empty if
                            it is larger than any difference of the measure can be
    note

Before the study ``headct plan`` says the same from an SD that the plan expects
(:mod:`headct.run.study_precision`).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from headct.contracts.declarations import PublishedStatistic
from headct.settings.analysis_plan import Plan
from headct.statistics.comparison.endpoints import Compared, columns_of, compared, paired_differences
from headct.statistics.comparison.paired import NO_VARIANCE
from headct.statistics.comparison.score_arrays import ScoreArrays, bounds_of
from headct.statistics.core.precision import MeanError

NONE_DETECTABLE = "no difference that is possible would be found in 80% of such studies"

PRECISION = PublishedStatistic(
    name="precision",
    help="how small a difference the plan's endpoints can show",
    step="paired-analysis",
    columns="status endpoint measure label scans model against n n_clusters sd effective_n half_width alpha"
    " half_width_adjusted detectable note",
    keys="model against endpoint label measure scans status",
)


def precision_table(data: ScoreArrays, plan: Plan) -> pd.DataFrame:
    """Every endpoint; the columns are listed at the top of this module."""
    rows = [{**one.name, **_row(data, one)} for one in compared(data, plan)]
    return pd.DataFrame(rows, columns=PRECISION.header)


def _row(data: ScoreArrays, one: Compared) -> dict[str, Any]:
    chosen = data.chosen(one.endpoint.label, one.endpoint.scans)
    n = int(chosen.sum())
    if one.means is None:
        return {"n": n, "note": one.problem}
    sd = float(np.std(paired_differences(data, one.endpoint, one.against), ddof=1))
    row: dict[str, Any] = {
        "n": n,
        "n_clusters": len(set(data.clusters_of(chosen))),
        "sd": sd,
        "alpha": one.alpha,
    }
    own, other = columns_of(data, one.endpoint, one.against)
    found = one.means.differences([own], [other])
    if found.constant()[0]:
        return {**row, "note": NO_VARIANCE}
    (error,), (df,) = found.standard_error()
    precision = MeanError(float(error), float(df))
    detectable = precision.detectable(one.alpha)
    low, high = bounds_of(one.endpoint.measure)
    if detectable > high - low:
        row |= {"note": NONE_DETECTABLE}
        detectable = math.nan
    return {
        **row,
        "effective_n": min((sd / precision.error) ** 2, n),
        "half_width": precision.half_width(),
        "half_width_adjusted": precision.half_width(1 - one.alpha),
        "detectable": detectable,
    }
