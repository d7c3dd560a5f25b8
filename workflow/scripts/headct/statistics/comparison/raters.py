"""Whether a model is worse than another rater would be: ``results/statistics/rater_noninferiority.tsv``.

Over the test scans that another rater read, too. One row per compared model × lesion; one row without a
lesion that says why, where the plan has no margin or fewer than :data:`MINIMUM_SCANS` of these scans exist:

    status                  planned for the model of the plan's primary endpoint, exploratory for others
    label, model
    n, n_test               test scans that another rater read, and all test scans
    choice                  how they were chosen, in the plan's words
    estimate_model          mean Dice of the model with the first reading
    estimate_rater          mean Dice of the second reading with the first one
    difference, error       δ, the former − the latter, and its standard error
    lower                   lower end of δ, one-sided 97.5 %
    margin, p, verdict      of the plan; one-sided P that δ is −margin or less; not worse if δ's lower end is
                            above −margin, which is when P is below .025. No P where the end holds by what is
                            unseen (:func:`.interval_of_differences`), which has none
    interchangeability_ml2, interchangeability_error_ml2, interchangeability_upper_ml2
                            γ of volumes (:func:`interchangeability`), its standard error and its one-sided
                            upper 95 % end; exploratory, of the first seed's network
    individual_agreement    of volumes (:func:`individual_agreement`); exploratory
    scope, note

What a model shares with the second reading is not measured, so :func:`williams_index` is in no table.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import scipy

from headct.contracts.declarations import MadeOf, PublishedStatistic
from headct.contracts.references import ANOTHER_RATER
from headct.settings.analysis_plan import EXPLORATORY, PLANNED, Plan
from headct.statistics.comparison.endpoints import TOO_FEW
from headct.statistics.comparison.equivalence import UNSEEN, interval_of_differences
from headct.statistics.comparison.paired import NO_VARIANCE
from headct.statistics.comparison.score_arrays import ScoreArrays, scope
from headct.statistics.core import jackknife
from headct.statistics.core.clusters import MINIMUM_CLUSTERS
from headct.statistics.core.jackknife import Estimated
from headct.statistics.core.scores import FAMILY

LEVEL, UPPER_LEVEL = 0.975, 0.95
"""One-sided: of the lower end of δ, and of the upper end of γ."""

MINIMUM_SCANS = 20
"""Fewer scans that were read twice say too little of raters."""

NOT_WORSE, NOT_SHOWN = "not worse", "not shown"
GAMMA = "γ's upper end does not hold where lesions are missed or invented"
NOT_STATED = "not stated in the plan"

RATERS = PublishedStatistic(
    name="rater_noninferiority",
    help="whether models are worse than another rater",
    step="paired-analysis",
    columns="status label model n n_test choice estimate_model estimate_rater difference error lower margin p"
    " verdict interchangeability_ml2 interchangeability_error_ml2 interchangeability_upper_ml2"
    " individual_agreement scope note",
    keys="model label status",
    made_of=(
        MadeOf(
            columns="interchangeability_ml2 interchangeability_error_ml2 interchangeability_upper_ml2"
            " individual_agreement",
            models="of the row and another rater",
            scans="read twice",
            seeds="first",
        ),
        MadeOf(models="of the row and another rater", scans="read twice"),
    ),
)


def raters_table(data: ScoreArrays, readings: Sequence[ScoreArrays], plan: Plan) -> pd.DataFrame:
    """All compared models; the columns are listed at the top of this module.

    Args:
        data: scores of all models on the test scans.
        readings: second readings, of each kind.
        plan: the analysis plan.
    """
    second = next((kind for kind in readings if ANOTHER_RATER in kind.models), None)
    twice = np.isin(data.scans, [] if second is None else second.scans)
    n, margins = int(twice.sum()), plan.not_worse_than_a_rater
    numbers: dict[str, Any] = {"n": n, "n_test": len(data.scans)}
    if margins is None or second is None or n < MINIMUM_SCANS:
        why = f"another rater read {n} of {len(data.scans)} test scans: {MINIMUM_SCANS} are needed"
        note = why if margins else "the plan has no margin (not_worse_than_a_rater)"
        planned = {"status": PLANNED, "model": plan.primary.model}
        return pd.DataFrame([{**planned, **numbers, "note": note}], columns=RATERS.header)
    numbers |= {"choice": margins.choice or NOT_STATED, "scope": scope(data.n_seeds)}
    rows: list[dict[str, Any]] = []
    for label in data.labels:
        margin = margins.dice_margin[label]
        named = {**numbers, "label": label, "margin": margin}
        rows += [{**named, **row} for row in _of_lesion(data, second, twice, label, margin)]
    statuses = [PLANNED if row["model"] == plan.primary.model else EXPLORATORY for row in rows]
    return pd.DataFrame(rows).assign(status=statuses).reindex(columns=RATERS.header)


def _of_lesion(
    data: ScoreArrays, second: ScoreArrays, twice: np.ndarray, label: str, margin: float
) -> list[dict[str, Any]]:
    """A row per compared model."""
    reread = np.searchsorted(second.scans, data.scans[twice])
    clusters, columns = data.clusters_of(twice), data.indices(FAMILY)
    rater = second.arrays[label, "dice"][:, reread]
    model = data.arrays[label, "dice"][:, twice][:, :, columns]
    found = against_rater(model, rater, clusters)
    differences = (model - rater).mean(axis=0)
    lower, _ = interval_of_differences(found, differences, clusters, 2 * LEVEL - 1)
    seen, _ = found.interval(2 * LEVEL - 1)
    is_unseen = np.isfinite(lower) & ~(lower >= seen)
    p = np.where(is_unseen, math.nan, p_of_worse(found, margin))
    why = np.where(is_unseen, UNSEEN, np.where(np.isnan(lower), NO_VARIANCE, ""))
    first_ml, second_ml = data.reference_ml(label)[twice], second.arrays[label, "predicted_ml"][0, reread, 0]
    model_ml = data.arrays[label, "predicted_ml"][0, twice][:, columns]
    gamma = interchangeability(model_ml, first_ml, second_ml, clusters)
    rows = []
    for i, name in enumerate(np.array(data.models)[columns]):
        shown = NOT_WORSE if lower[i] > -margin else NOT_SHOWN
        rows.append(
            {
                "model": name,
                "estimate_model": model[:, :, i].mean(),
                "estimate_rater": rater.mean(),
                "difference": found.estimate[i],
                "error": found.standard_error()[0][i],
                "lower": lower[i],
                "p": p[i],
                "verdict": shown if len(set(clusters)) >= MINIMUM_CLUSTERS else TOO_FEW.format(data.cluster),
                "interchangeability_ml2": gamma.estimate[i],
                "interchangeability_error_ml2": gamma.standard_error()[0][i],
                "interchangeability_upper_ml2": upper_end(gamma)[i],
                "individual_agreement": individual_agreement(model_ml, first_ml, second_ml)[i],
                "note": "; ".join(filter(None, [why[i], GAMMA])),
            }
        )
    return rows


def against_rater(model: np.ndarray, rater: np.ndarray, clusters: np.ndarray) -> Estimated:
    """δ: mean Dice of models (seeds, n, k) with a reading − that of another rater (1, n, 1) with it."""
    alike = range(model.shape[2])
    return jackknife.evaluate(jackknife.mean(model - rater), clusters, bounds=(-1, 1), alike=alike)


def p_of_worse(found: Estimated, margin: float) -> np.ndarray:
    """One-sided P (k,) that the true difference is −margin or less; NaN for constant columns."""
    error, df = found.standard_error()
    with np.errstate(divide="ignore", invalid="ignore"):
        p = scipy.stats.t.sf((found.estimate + margin) / error, df)
    above: np.ndarray = np.where(found.constant(), math.nan, p)
    return above


def williams_index(
    model: np.ndarray, model_with_other: np.ndarray, raters: np.ndarray, clusters: np.ndarray
) -> Estimated:
    """How well a model agrees with two raters, over how well they agree with each other; 1 is as well.

    Williams GW. Biometrics 1976;32:619-627.

    Args:
        model: agreement (n,) of the model with the first rater.
        model_with_other: with the second rater.
        raters: of the two raters with each other.
        clusters: of the scans (n,).
    """
    both = (model + model_with_other) / 2

    def index(weights: np.ndarray) -> np.ndarray:
        ratio: np.ndarray = (weights @ both) / (weights @ raters)
        return ratio[None, :, None]

    return jackknife.evaluate(index, clusters)


def interchangeability(
    model: np.ndarray, first: np.ndarray, second: np.ndarray, clusters: np.ndarray
) -> Estimated:
    """γ: by how much squared differences grow if one of two raters gives way to a model.

    E[((m − a)² + (m − b)²) / 2 − (a − b)²] of measurements; 0 or less is interchangeable. Obuchowski NA,
    Subhas N, Schoenhagen P. Acad Radiol 2014;21:1483-1489.

    Args:
        model: measurements m of models (n, k).
        first, second: those of the raters (n,), a and b.
        clusters: of the scans (n,).
    """
    with_model, of_raters = _squares(model, first, second)
    return jackknife.evaluate(jackknife.mean((with_model - of_raters)[None]), clusters)


def upper_end(gamma: Estimated) -> np.ndarray:
    """Upper end (k,) of γ, one-sided 95 %, by Student's t with clusters − 1 degrees of freedom."""
    t = float(scipy.stats.t.isf(1 - UPPER_LEVEL, gamma.cluster_df))
    end: np.ndarray = gamma.estimate + t * gamma.standard_error()[0]
    return end


def individual_agreement(model: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Coefficient of individual agreement (k,): mean squared difference of raters over that from a model.

    1 is as with a rater, below it the model differs more; NaN where none differ. Barnhart HX, Kosinski AS,
    Haber MJ. J Biopharm Stat 2007;17:697-719.
    """
    with_model, of_raters = _squares(model, first, second)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio: np.ndarray = of_raters.mean(axis=0) / with_model.mean(axis=0)
    return ratio


def _squares(model: np.ndarray, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Squared differences of models (n, k) from a rater, the mean of both, and those of the raters (n, 1)."""
    a, b = first[:, None], second[:, None]
    return ((model - a) ** 2 + (model - b) ** 2) / 2, (a - b) ** 2
