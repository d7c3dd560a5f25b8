"""Whether models, or volumes, are the same for practical purposes: intervals within a margin.

That a difference is not significant never shows that there is none. Two one-sided tests at 5 % each are
an interval of 90 %: Schuirmann DJ. J Pharmacokinet Biopharm 1987;15:657-680.

``equivalence.tsv``, per lesion × pair of models, mean Dice over all scans: label model_a model_b status n
difference lower upper (90 %) interval margin margin_source verdict scope note.

``volume_equivalence.tsv``, per model × lesion, predicted − reference volume over all scans: model role
status label n margin_ml; bias_ml bias_lower_ml bias_upper_ml (90 %, t) tost_p mean_verdict; loa_lower_ml
loa_upper_ml limits_verdict, by the outer and inner ends of the limits' 95 % intervals; note. Of the first
seed's network, as all agreement.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import scipy

from headct.contracts.declarations import MadeOf, PublishedStatistic
from headct.contracts.labels import LabelSet
from headct.contracts.references import ANOTHER_RATER, SAME_RATER
from headct.settings.analysis_plan import Plan
from headct.statistics.comparison.paired import MINIMUM_SCANS, pairs_of, sampled, too_few
from headct.statistics.comparison.score_arrays import ScoreArrays, scope, status_of
from headct.statistics.core.agreement import ALL_SCANS, WITH_LESION, bland_altman
from headct.statistics.core.bootstrap import degrees_of_freedom

LEVEL = 0.90

EQUIVALENT, DIFFERENT, UNCLEAR = "equivalent", "different", "cannot tell"

EQUIVALENCE = PublishedStatistic(
    name="equivalence",
    help="whether models differ by less than raters do",
    step="paired-analysis",
    columns="label model_a model_b status n difference lower upper interval margin margin_source verdict"
    " scope note",
    keys="model_a model_b label status",
)

VOLUME_EQUIVALENCE = PublishedStatistic(
    name="volume_equivalence",
    help="whether predicted volumes are equivalent to reference volumes",
    step="paired-analysis",
    columns="model role status label n margin_ml bias_ml bias_lower_ml bias_upper_ml tost_p mean_verdict"
    " loa_lower_ml loa_upper_ml limits_verdict note",
    keys="model label status",
    made_of=(MadeOf(seeds="first"),),
)


ALL_EQUAL = "all scans differ by the same: interval by the largest share that may be otherwise"

Margins = Mapping[str, tuple[float, str]]
"""Margin of Dice per lesion, and where it is from."""


def dice_margins(plan: Plan, readings: list[ScoreArrays], labels: LabelSet) -> Margins:
    """What a change of rater costs in Dice, where enough scans tell; else the plan's margins.

    The cost is the mean Dice of second readings by the same rater minus that by another, over scans that
    have the lesion and both. A model within it of another differs less than raters do.
    """
    by_kind = {data.models[0]: data for data in readings}
    both = [by_kind[kind] for kind in (SAME_RATER, ANOTHER_RATER) if kind in by_kind]
    return {label: _margin(plan, label, both) for label in labels}


def _margin(plan: Plan, label: str, readings: list[ScoreArrays]) -> tuple[float, str]:
    default = plan.dice_margin[label], "plan"
    if len(readings) < 2:
        return default
    dice = [
        pd.Series(data.arrays[label, "dice"][0, :, 0], data.scans)[data.chosen(label, WITH_LESION)]
        for data in readings
    ]
    cost = (dice[0] - dice[1]).dropna()
    if len(cost) < plan.minimum_second_readings or cost.mean() <= 0:
        return default
    return float(cost.mean()), f"raters, {len(cost)} scans"


def verdict(lower: float, upper: float, margin: float) -> str:
    """Equivalent if the interval lies within ± margin, different if it lies wholly outside of it."""
    if -margin < lower and upper < margin:
        return EQUIVALENT
    return DIFFERENT if lower >= margin or upper <= -margin else UNCLEAR


def unseen_share(n: int) -> float:
    """Largest share of scans that may be otherwise, with 95 % confidence, if none of ``n`` is.

    A Dice differs by at most 1, so this bounds the mean difference where all ``n`` differences are equal
    and a bootstrap sees no variance. Hanley JA, Lippman-Hand A. JAMA 1983;249:1743-1745, there as 3 / n.
    """
    return float(1 - ((1 - LEVEL) / 2) ** (1 / n))


def equivalence_table(data: ScoreArrays, plan: Plan, margins: Margins) -> pd.DataFrame:
    """All pairs on Dice; the columns are listed at the top of this module."""
    pairs = pairs_of(data)
    first, second = [a for a, _, _ in pairs], [b for _, b, _ in pairs]
    tables = []
    for label in data.labels if pairs else ():
        margin, source = margins[label]
        table = pd.DataFrame(
            {
                "label": label,
                "model_a": [data.models[a] for a in first],
                "model_b": [data.models[b] for b in second],
                "status": [status for _, _, status in pairs],
                "n": len(data.scans),
                "margin": margin,
                "margin_source": source,
                "verdict": UNCLEAR,
                "scope": scope(data.n_seeds),
                "note": too_few(len(data.scans)),
            }
        )
        if len(data.scans) >= MINIMUM_SCANS:
            found = sampled(data, plan, "dice", label, ALL_SCANS).differences(first, second)
            table["difference"] = found.estimate
            table["lower"], table["upper"] = found.interval(LEVEL)
            table["interval"] = found.method()
            same = found.constant()
            bound = unseen_share(len(data.scans))
            table.loc[same, "lower"], table.loc[same, "upper"] = (
                table.loc[same, "difference"] + end for end in (-bound, bound)
            )
            ends = zip(table["lower"], table["upper"], strict=True)
            table["verdict"] = [verdict(lower, upper, margin) for lower, upper in ends]
            table.loc[same, "note"] = ALL_EQUAL
        tables.append(table.reindex(columns=EQUIVALENCE.header))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=EQUIVALENCE.header)


def against_others(paired: pd.DataFrame, equivalence: pd.DataFrame, model: str) -> pd.DataFrame:
    """Mean Dice of one model − each other one, over all scans, from ``paired`` and ``equivalence``.

    Columns: label against n difference lower upper (95 %) lower_90 upper_90 sign_flip_p_adjusted margin
    verdict.
    """
    keys = ["label", "model_a", "model_b"]
    of_dice = paired[(paired["measure"] == "dice") & (paired["scans"] == ALL_SCANS)]
    judged = equivalence[[*keys, "lower", "upper", "margin", "verdict"]]
    rows = of_dice.merge(judged, on=keys, suffixes=("", "_90"))
    rows = rows[(rows["model_a"] == model) | (rows["model_b"] == model)]
    turned = rows["model_b"] == model  # so that all differences are of this model
    found = rows.assign(
        against=rows["model_b"].mask(turned, rows["model_a"]),
        difference=rows["difference"].mask(turned, -rows["difference"]),
    )
    for low, high in (("lower", "upper"), ("lower_90", "upper_90")):
        found[low], found[high] = rows[low].mask(turned, -rows[high]), rows[high].mask(turned, -rows[low])
    numbers = ["n", "difference", "lower", "upper", "lower_90", "upper_90", "sign_flip_p_adjusted"]
    return found[["label", "against", *numbers, "margin", "verdict"]].reset_index(drop=True)


def volume_equivalence_table(parts: list[ScoreArrays], plan: Plan) -> pd.DataFrame:
    """All models and references; the columns are listed at the top of this module."""
    rows = []
    for data in (part.first_seed() for part in parts):
        for i, (model, role) in enumerate(zip(data.models, data.roles, strict=True)):
            for label in data.labels:
                predicted = data.arrays[label, "predicted_ml"][0, :, i]
                margin = plan.volume_margin_ml[label]
                cells = volume_equivalence(data.reference_ml(label), predicted, margin)
                name = {"model": model, "role": role, "status": status_of(role), "label": label}
                rows.append({**name, "n": len(predicted), "margin_ml": margin, **cells})
    return pd.DataFrame(rows, columns=VOLUME_EQUIVALENCE.header)


def volume_equivalence(reference_ml: np.ndarray, predicted_ml: np.ndarray, margin: float) -> dict[str, Any]:
    """Whether the mean error lies within the margin, and whether the limits of agreement do."""
    limits = bland_altman(reference_ml, predicted_ml)
    if len(reference_ml) < MINIMUM_SCANS:
        undecided = {"mean_verdict": UNCLEAR, "limits_verdict": UNCLEAR}
        return {"bias_ml": limits.bias, **undecided, "note": too_few(len(reference_ml))}
    (lower, upper), p = _tost(predicted_ml - reference_ml, margin)
    (outer_low, inner_low), (inner_high, outer_high) = limits.lower_limit_ci, limits.upper_limit_ci
    limits_verdict = UNCLEAR
    if -margin < outer_low and outer_high < margin:
        limits_verdict = EQUIVALENT
    elif inner_low <= -margin or inner_high >= margin:
        limits_verdict = DIFFERENT
    return {
        "bias_ml": limits.bias,
        "bias_lower_ml": lower,
        "bias_upper_ml": upper,
        "tost_p": p,
        "mean_verdict": verdict(lower, upper, margin),
        "loa_lower_ml": limits.lower_limit,
        "loa_upper_ml": limits.upper_limit,
        "limits_verdict": limits_verdict,
        "note": limits.note,
    }


def _tost(errors: np.ndarray, margin: float) -> tuple[tuple[float, float], float]:
    """90 % interval (t) of the mean, and P of two one-sided tests, R: ``TOSTER::t_TOST``.

    With the degrees of freedom that the variance has: errors of volumes have heavy tails.
    """
    mean, error = float(errors.mean()), float(errors.std(ddof=1) / math.sqrt(len(errors)))
    if np.ptp(errors) == 0:
        return (mean, mean), math.nan
    df = float(degrees_of_freedom(errors[:, None])[0])
    half = float(scipy.stats.t.ppf((1 + LEVEL) / 2, df)) * error
    p = float(scipy.stats.t.sf((margin - abs(mean)) / error, df))
    return (mean - half, mean + half), p
