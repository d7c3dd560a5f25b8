"""Endpoints where predictions are missing, and their other analyses, in simulated studies.

Some predictions of each model are missing, whatever the scan. In the table of endpoints a missing one counts
as the worst; what would have been without them is the truth that complete cases, and the worst and the best
case together, have to hold.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from promises import Found, Promise, Truth, errors, of_endpoint, table_interval
from simulated_studies import DICECE, FOCAL, LABELS, MODELS, Setting, Study, study

from headct.settings.analysis_plan import PARTICIPANT, SHIPPED, SITE, WITHOUT_LESION, Endpoint, Plan, load
from headct.statistics.comparison.endpoints import (
    COMPLETE,
    SMALL_AS_NONE,
    endpoints_table,
    sensitivity_table,
)
from headct.statistics.comparison.missing_predictions import (
    BEST_CASE,
    WORST_CASE,
    is_bounded,
    worst_and_best,
)
from headct.statistics.comparison.score_arrays import ScoreArrays
from headct.statistics.core.agreement import ALL_SCANS
from headct.statistics.core.clusters import Clusters

SHARE_MISSING = 0.03

SMALL_ML = 0.1
"""The plan's threshold of detection that is above 0."""


def _against_one(plan: Plan) -> Plan:
    """Its endpoints against one other model."""

    def one(endpoint: Endpoint) -> Endpoint:
        return replace(endpoint, against=(MODELS[DICECE],))

    return replace(plan, primary=one(plan.primary), key_secondary=tuple(map(one, plan.key_secondary)))


PLAN = _against_one(load(SHIPPED))

MAIN, OTHER_CLUSTERS, SMALL = "as in the plan", "other clusters", SMALL_AS_NONE.format(SMALL_ML)

KEYS = {
    MAIN: "with_missing",
    COMPLETE: "complete",
    WORST_CASE: "worst_case",
    BEST_CASE: "best_case",
    SMALL: "small_as_none",
    OTHER_CLUSTERS: "other_clusters",
}
"""Promises by the analysis."""

MISSING_PROMISES = {
    "with_missing": Promise(
        f"difference, {100 * SHARE_MISSING:g} % of predictions missing", "endpoints", 0.95
    ),
    "complete": Promise("the same, complete cases", "sensitivity", 0.95),
    "worst_case": Promise("the same, worst case", "sensitivity", 0.95),
    "best_case": Promise("the same, best case", "sensitivity", 0.95),
    "small_as_none": Promise(
        f"the same, predictions up to {SMALL_ML:g} mL count as none", "sensitivity", 0.95
    ),
    "other_clusters": Promise("the same, by clusters of the other kind", "sensitivity", 0.95),
    "beyond_cases": Promise(
        "difference had none been missing, beyond both the worst and the best case",
        "sensitivity",
        0.05,
        is_interval=False,
    ),
}


def true_of_missing(many: Study) -> Truth:
    """Differences of Focal and Dice with cross-entropy where small predictions of IVH count as none."""
    dice, reference, predicted = (
        many.arrays["IVH", name][0][:, [FOCAL, DICECE]] for name in ("dice", "reference_ml", "predicted_ml")
    )
    absent, is_called = reference == 0, predicted > SMALL_ML
    shares = is_called.mean(axis=0, where=absent)
    means = np.where(is_called, dice, absent).mean(axis=0)
    return {
        ("small as none", "IVH", ALL_SCANS): np.array([means[0] - means[1]]),
        ("small as none", "IVH", WITHOUT_LESION): np.array([shares[0] - shares[1]]),
    }


def of_missing(rng: np.random.Generator, setting: Setting, true: Truth) -> Found:
    """Of the paper's models: each interval of both tables, and the bounds of what is missing."""
    one = study(rng, setting)
    data = one.scores(setting.cluster)
    data = with_missing(data, rng.random((len(data.scans), len(MODELS))) < SHARE_MISSING)
    kind, of_scan = (SITE, one.site) if setting.cluster == PARTICIPANT else (PARTICIPANT, one.participant)
    others = Clusters(kind, pd.Series(of_scan, data.scans))
    tables = [endpoints_table(data, PLAN).assign(analysis=MAIN), sensitivity_table(data, PLAN, others)]
    rows_of = pd.concat(tables).replace({"analysis": {f"clusters: {kind}s": OTHER_CLUSTERS}})
    found: Found = {}
    for _, endpoint in PLAN.endpoints():
        rows = rows_of[rows_of["endpoint"] == endpoint.name].set_index("analysis")
        truths_of = truths(endpoint, true)
        for analysis in rows.index:
            cells = rows.loc[[analysis]]
            found[KEYS[analysis], of_endpoint(endpoint)] = table_interval(
                cells, "difference lower upper", truths_of[analysis]
            )
        if WORST_CASE in rows.index:
            ends = rows.loc[[WORST_CASE, BEST_CASE], ["lower", "upper"]].to_numpy(float)
            is_beyond = not ends.min() <= truths_of[COMPLETE][0] <= ends.max()
            found["beyond_cases", of_endpoint(endpoint)] = errors([is_beyond])
    return found


def with_missing(data: ScoreArrays, missing: np.ndarray) -> ScoreArrays:
    """The same without some predictions (scans, models), of each network, as the package scores these."""
    arrays = dict(data.arrays)
    for label in LABELS:
        for measure in ("dice", "predicted_ml", "intersection_ml"):
            arrays[label, measure] = np.where(missing, 0, data.arrays[label, measure])
        reference = data.arrays[label, "reference_ml"]
        arrays[label, "volume_error_ml"] = arrays[label, "predicted_ml"] - reference
        arrays[label, "failed"] = np.broadcast_to(missing, reference.shape).astype(float)
    return replace(data, arrays=arrays, failed=missing)


def truths(endpoint: Endpoint, true: Truth) -> dict[str, np.ndarray]:
    """The difference (1,) that each analysis estimates, where missing predictions are so by chance.

    A missing one counts the same for both models, so that what counts it leaves a share of the difference.
    """
    measure, label, scans = endpoint.measure, endpoint.label, endpoint.scans
    values = true["dice_mean" if measure == "dice" else measure, label, scans]
    complete = values[[FOCAL]] - values[[DICECE]]
    found = {
        COMPLETE: complete,
        MAIN: (1 - SHARE_MISSING) * complete,
        OTHER_CLUSTERS: (1 - SHARE_MISSING) * complete,
    }
    if is_bounded(measure):
        worst, best = worst_and_best(measure)
        found[WORST_CASE] = found[MAIN] + SHARE_MISSING * (worst - best)
        found[BEST_CASE] = found[MAIN] + SHARE_MISSING * (best - worst)
    if ("small as none", label, scans) in true:
        found[SMALL] = (1 - SHARE_MISSING) * true["small as none", label, scans]
    return found
