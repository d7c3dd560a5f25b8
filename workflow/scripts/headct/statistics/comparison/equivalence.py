"""Whether models, or volumes, are the same for practical purposes: intervals within a margin.

That a difference is not significant never shows that there is none. Two one-sided tests at 5 % each are
an interval of 90 %: Schuirmann DJ. J Pharmacokinet Biopharm 1987;15:657-680.

``equivalence.tsv``, per lesion × pair of models, mean Dice over all scans: label model_a model_b status n
difference lower upper (90 %) margin verdict scope note.

``volume_equivalence.tsv``, per model × lesion × choice of scans, predicted − reference volume: model role
status label scans n margin_ml; bias_ml bias_lower_ml bias_upper_ml (90 %) tost_p mean_verdict; loa_lower_ml
loa_upper_ml; n_beyond, scans whose error is beyond the margin, their share's exact 95 % upper bound
share_beyond_upper, and share_verdict: whether at least 95 % of scans like these are within it; note. Judged
are the scans that have the lesion: the others, on which most models agree at 0 mL, would dilute any error. Of
the first seed's network, as all agreement.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import scipy

from headct.contracts.declarations import MadeOf, PublishedStatistic
from headct.settings.analysis_plan import Plan
from headct.statistics.comparison.paired import NO_VARIANCE, estimated, pairs_of
from headct.statistics.comparison.score_arrays import ScoreArrays, scope, status_of
from headct.statistics.core import jackknife
from headct.statistics.core.agreement import ALL_SCANS, WITH_LESION, bland_altman
from headct.statistics.core.clusters import needed, numbered
from headct.statistics.core.jackknife import Estimated
from headct.statistics.core.order_statistics import effective_number, exact_upper_bound, unseen_share
from headct.statistics.core.scores import REFERENCE

LEVEL = 0.90

EQUIVALENT, DIFFERENT, UNCLEAR = "equivalent", "different", "cannot tell"
TOO_FEW = "too few scans to decide"

SHARE_WITHIN = 0.95
"""Share of scans whose volume is to be within the margin of the reference."""

EQUIVALENCE = PublishedStatistic(
    name="equivalence",
    help="whether models differ by less than the plan's margin",
    step="paired-analysis",
    columns="label model_a model_b status n difference lower upper margin verdict scope note",
    keys="model_a model_b label status",
)

VOLUME_EQUIVALENCE = PublishedStatistic(
    name="volume_equivalence",
    help="whether predicted volumes are equivalent to reference volumes",
    step="paired-analysis",
    columns="model role status label scans n margin_ml bias_ml bias_lower_ml bias_upper_ml tost_p"
    " mean_verdict loa_lower_ml loa_upper_ml n_beyond share_beyond_upper share_verdict note",
    keys="model label scans status",
    made_of=(MadeOf(seeds="first"),),
)


UNSEEN = "interval by the largest share of scans that may be otherwise: many scans have the same difference"
NOT_JUDGED_MEAN = "not judged"
NOT_JUDGED = "shown, not judged: scans without the lesion dilute the error"


def verdict(lower: float, upper: float, margin: float) -> str:
    """Equivalent if the interval lies within ± margin, different if it lies wholly outside of it."""
    if -margin < lower and upper < margin:
        return EQUIVALENT
    return DIFFERENT if lower >= margin or upper <= -margin else UNCLEAR


def dice_differences(
    data: ScoreArrays, label: str, first: Sequence[int], second: Sequence[int]
) -> tuple[Estimated, np.ndarray]:
    """Mean differences of Dice over all scans (k,), and those of each scan (n, k), the mean over seeds.

    Args:
        data: scores of all models.
        label: of the lesion.
        first, second: columns of the models of each pair.
    """
    found = estimated(data, "dice", label, ALL_SCANS).differences(first, second)
    dice = data.arrays[label, "dice"].mean(axis=0)
    return found, dice[:, first] - dice[:, second]


def interval_of_differences(
    found: Estimated, differences: np.ndarray, clusters: np.ndarray, level: float
) -> tuple[np.ndarray, np.ndarray]:
    """Ends (k,) of intervals of mean differences, each at most 1: no narrower than what is unseen allows.

    Args:
        found: the means of the differences, over scans and seeds.
        differences: of each scan (n, k), the mean over seeds.
        clusters: number (n,) of each scan's cluster.
        level: of the interval.
    """
    # Where all scans differ by the same there is no standard error: from there it may be further to ±1. Where
    # scans differ, and only their clusters do not, nothing bounds what others would.
    alike = (np.abs(differences - found.estimate) <= jackknife.RELATIVE_NOISE).all(axis=0)
    lower, upper = (np.where(alike, found.estimate, end) for end in found.interval(level))
    same = np.where(alike, found.estimate, 0)
    half = (1 + np.abs(same)) * unseen_half_width(differences - same, clusters, level)
    lower, upper = np.minimum(lower, found.estimate - half), np.maximum(upper, found.estimate + half)
    return np.clip(lower, -1, 1), np.clip(upper, -1, 1)


def unseen_half_width(differences: np.ndarray, clusters: np.ndarray, level: float) -> np.ndarray:
    """Least half width (k,) of an interval of mean differences (n, k), each at most 1, many of which are 0.

    Where m scans do not differ, at most 1 − .05^(1/m) of scans like these may differ, with 95 % confidence at
    each end of a 90 % interval (:func:`.unseen_share`), and each by 1 at most. A standard error sees none of
    this. It counts by the share of these scans; m is their effective number.

    Args:
        differences: of each scan, a column per pair.
        clusters: number of each scan's cluster.
        level: of the interval.
    """
    alike = np.abs(differences) <= jackknife.RELATIVE_NOISE
    half = np.zeros(differences.shape[1])
    for column in np.flatnonzero(alike.any(axis=0)):
        chosen = numbered(clusters[alike[:, column]])
        m = effective_number(np.zeros(len(chosen)), chosen)
        half[column] = alike[:, column].mean() * unseen_share(m, level)
    return half


def equivalence_table(data: ScoreArrays, plan: Plan) -> pd.DataFrame:
    """All pairs on Dice; the columns are listed at the top of this module."""
    pairs = pairs_of(data)
    first, second = [a for a, _, _ in pairs], [b for _, b, _ in pairs]
    n = len(data.scans)
    too_few = needed(n, data.clusters)
    tables = []
    for label in data.labels if pairs else ():
        margin = plan.dice_margin[label]
        table = pd.DataFrame(
            {
                "label": label,
                "model_a": [data.models[a] for a in first],
                "model_b": [data.models[b] for b in second],
                "status": [status for _, _, status in pairs],
                "n": n,
                "margin": margin,
                "verdict": TOO_FEW,
                "scope": scope(data.n_seeds),
                "note": too_few,
            }
        )
        if not too_few:
            found, differences = dice_differences(data, label, first, second)
            lower, upper = interval_of_differences(found, differences, data.clusters, LEVEL)
            table["difference"], table["lower"], table["upper"] = found.estimate, lower, upper
            table["verdict"] = [verdict(low, high, margin) for low, high in zip(lower, upper, strict=True)]
            seen_lower, seen_upper = found.interval(LEVEL)
            unseen = np.isfinite(lower) & ~((lower >= seen_lower) & (upper <= seen_upper))
            table["note"] = np.where(unseen, UNSEEN, np.where(np.isnan(lower), NO_VARIANCE, ""))
        tables.append(table.reindex(columns=EQUIVALENCE.header))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=EQUIVALENCE.header)


def against_others(paired: pd.DataFrame, equivalence: pd.DataFrame, model: str) -> pd.DataFrame:
    """Mean Dice of one model − each other one, over all scans, from ``paired`` and ``equivalence``.

    Columns: label against n difference lower upper (95 %) lower_90 upper_90 p_adjusted margin
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
    numbers = ["n", "difference", "lower", "upper", "lower_90", "upper_90", "p_adjusted"]
    return found[["label", "against", *numbers, "margin", "verdict"]].reset_index(drop=True)


def volume_equivalence_table(parts: list[ScoreArrays], plan: Plan) -> pd.DataFrame:
    """All models and references; the columns are listed at the top of this module."""
    rows = []
    for data in (part.first_seed() for part in parts):
        for i, (model, role) in enumerate(zip(data.models, data.roles, strict=True)):
            for label, scans in product(data.labels, (ALL_SCANS, WITH_LESION)):
                chosen = data.chosen(label, scans)
                cells = volume_equivalence(
                    data.reference_ml(label)[chosen],
                    data.arrays[label, "predicted_ml"][0, chosen, i],
                    data.arrays[label, "failed"][0, chosen, i] > 0,
                    data.clusters_of(chosen),
                    plan.volume_margin_ml[label],
                )
                if scans == ALL_SCANS or role == REFERENCE:
                    note = NOT_JUDGED if scans == ALL_SCANS else ""
                    cells |= {"mean_verdict": "", "share_verdict": "", "note": note}
                name = {"model": model, "role": role, "status": status_of(role), "label": label}
                rows.append({**name, "scans": scans, **cells})
    return pd.DataFrame(rows, columns=VOLUME_EQUIVALENCE.header)


def volume_equivalence(
    reference_ml: np.ndarray,
    predicted_ml: np.ndarray,
    failed: np.ndarray,
    clusters: np.ndarray,
    margin: float,
) -> dict[str, Any]:
    """Whether the mean error lies within the margin, and whether nearly all errors do.

    A missing prediction is beyond the margin, however small the lesion, and a mean with one is not judged.

    Args:
        reference_ml: volume (n,) of the reference in each scan.
        predicted_ml: predicted volume (n,).
        failed: which scans (n,) have no prediction.
        clusters: number (n,) of each scan's cluster.
        margin: in mL.
    """
    errors = predicted_ml - reference_ml
    n, beyond = len(errors), (np.abs(errors) > margin) | failed
    limits = bland_altman(reference_ml, predicted_ml, clusters)
    row: dict[str, Any] = {
        "n": n,
        "margin_ml": margin,
        "bias_ml": limits.bias,
        "loa_lower_ml": limits.lower_limit,
        "loa_upper_ml": limits.upper_limit,
        "n_beyond": int(beyond.sum()),
    }
    if why := needed(n, clusters):
        return {**row, "mean_verdict": TOO_FEW, "share_verdict": TOO_FEW, "note": why}
    found = jackknife.evaluate(jackknife.mean(errors[None, :, None]), clusters)
    (lower,), (upper,) = found.interval(LEVEL)
    (error,), (df,) = found.standard_error()
    with np.errstate(divide="ignore"):
        p = float(scipy.stats.t.sf((margin - abs(limits.bias)) / error, df))
    judged, note = share_within_verdict(beyond.astype(float), clusters)
    return {
        **row,
        "bias_lower_ml": lower,
        "bias_upper_ml": upper,
        "tost_p": math.nan if math.isnan(lower) else p,
        "mean_verdict": NOT_JUDGED_MEAN if failed.any() else verdict(lower, upper, margin),
        "share_beyond_upper": exact_upper_bound(beyond.astype(float), clusters, SHARE_WITHIN),
        "share_verdict": judged,
        "note": "; ".join(filter(None, [limits.note, note, _missing(failed)])),
    }


def _missing(failed: np.ndarray) -> str:
    return f"predictions missing: {int(failed.sum())}, beyond the margin" if failed.any() else ""


def share_within_verdict(beyond: np.ndarray, clusters: np.ndarray) -> tuple[str, str]:
    """Whether at least 95 % of scans are within the margin, and a note.

    By exact bounds, one-sided at 5 %. With 174 scans 3 may be beyond it (upper bound .0440; of 4 it is
    .0518); with 48 not even none is enough (.0605).

    Args:
        beyond: 1 for each scan (n,) beyond the margin, else 0.
        clusters: number of each scan's cluster.
    """
    best = exact_upper_bound(np.zeros_like(beyond), clusters, SHARE_WITHIN)
    if exact_upper_bound(beyond, clusters, SHARE_WITHIN) < 1 - SHARE_WITHIN:
        return EQUIVALENT, ""
    if exact_upper_bound(1 - beyond, clusters, SHARE_WITHIN) < SHARE_WITHIN:
        return DIFFERENT, ""
    if best >= 1 - SHARE_WITHIN:
        return (
            TOO_FEW,
            f"if all {len(beyond)} scans were within the margin, {100 * best:.1f}% might still be beyond",
        )
    return UNCLEAR, ""
