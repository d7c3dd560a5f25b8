"""Dice over training scans, each predicted by networks that did not learn from it.

``python -m headct out-of-fold --help``. The predictions of all folds are pooled, then summarised;
nothing of the comparison on the test set uses them. ``results/statistics/out_of_fold.tsv`` has one row per
model × lesion × choice of scans (all, with the lesion):

    model, role, label, scans
    n, n_participants, n_folds, n_seeds
    clusters, n_clusters        what is left out as a whole: the plan's clusters, or what the test set allows
    dice_mean, lower, upper     with the 95 % interval
    note

Each scan counts once, but a network per fold made the predictions, and of k folds each learnt from (k − 1)/k
of the training scans: an estimate for networks trained on fewer scans than the final one. Their training sets
overlap, so an interval that takes scans as independent is approximate (Bengio Y, Grandvalet Y. J Mach Learn
Res 2004;5:1089-1105).
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from headct.contracts import labels as label_sets
from headct.contracts.artefacts import read_tsv, write_tsv
from headct.contracts.declarations import MadeOf, PublishedStatistic
from headct.contracts.labels import LabelSet
from headct.contracts.problems import BadInput, Problem
from headct.contracts.sets import test_scans
from headct.settings import analysis_plan
from headct.statistics.comparison.paired import LEVEL, NO_VARIANCE, too_few
from headct.statistics.comparison.score_arrays import ScoreArrays, bounds_of, score_arrays_of
from headct.statistics.core import jackknife
from headct.statistics.core import scores as scores_of
from headct.statistics.core.agreement import ALL_SCANS, WITH_LESION
from headct.statistics.core.clusters import Clusters, planned_clusters

logger = logging.getLogger(__name__)

OUT_OF_FOLD = PublishedStatistic(
    name="out_of_fold",
    help="Dice over training scans, each predicted by networks that did not learn from it",
    step="out-of-fold",
    columns="model role label scans n n_participants n_folds n_seeds clusters n_clusters dice_mean"
    " lower upper note",
    keys="model label scans",
    made_of=(MadeOf(rows="metrics of held-out scans"),),
)


def main(
    *,
    labels: str,
    metrics: list[Path],
    plan: Path,
    cohort: Path,
    split: Path,
    models: list[str],
    out: Path,
) -> None:
    """Dice over training scans, each predicted by networks that did not learn from it.

    Args:
        labels: JSON: the lesion classes, in their order, with roles and groups.
        metrics: metrics of the held-out scans, one per model.
        plan: analysis plan, for its clusters.
        cohort: cohort.tsv.
        split: split.tsv; the test set's sites decide on clusters that the plan leaves open.
        models: the compared models.
        out: table to write.
    """
    lesions = label_sets.read(labels)
    scores = scores_of.read(metrics, models, lesions)
    clusters = planned_clusters(analysis_plan.load(plan), read_tsv(cohort), test_scans(split))
    table = out_of_fold_table(scores, read_tsv(split, fold=str), clusters, lesions)
    write_tsv(table, out)
    logger.info("Dice of %d held-out scans: %s", scores["scan_id"].nunique(), out)


def out_of_fold_table(
    scores: pd.DataFrame, split: pd.DataFrame, clusters: Clusters, labels: LabelSet
) -> pd.DataFrame:
    """Pooled Dice; the columns are listed at the top of this module.

    Args:
        scores: as of :func:`headct.statistics.core.scores.read`, of training scans.
        split: ``split.tsv``, folds as text.
        clusters: of the whole cohort.
        labels: the lesions.

    Raises:
        BadInput: a scan that no fold held out.
    """
    of_scan = split[split["set"] == "train"].dropna(subset=["fold"]).set_index("scan_id")
    learnt = sorted(set(scores["scan_id"]) - set(of_scan.index))
    if learnt:
        message = "is no training scan of a fold"
        raise BadInput([Problem("--metrics", message, key="scan_id", value=scan) for scan in learnt])
    data = score_arrays_of(scores, labels, clusters)
    rows = []
    for label in labels:
        for scans in (ALL_SCANS, WITH_LESION):
            chosen = data.chosen(label, scans)
            units = of_scan.loc[data.scans[chosen]]
            counts = {
                "n": int(chosen.sum()),
                "n_participants": units["participant_id"].nunique(),
                "n_folds": units["fold"].nunique(),
                "n_seeds": data.n_seeds,
                "clusters": clusters.kind,
                "n_clusters": len(set(data.clusters_of(chosen))),
            }
            found = _dice(data, label, chosen)
            rows += [
                {"model": model, "role": role, "label": label, "scans": scans, **counts, **cells}
                for model, role, cells in zip(data.models, data.roles, found, strict=True)
            ]
    order = {model: place for place, model in enumerate(data.models)}
    table = pd.DataFrame(rows, columns=OUT_OF_FOLD.header)
    return table.sort_values("model", key=lambda of: of.map(order), kind="stable", ignore_index=True)


def _dice(data: ScoreArrays, label: str, chosen: np.ndarray) -> list[dict[str, Any]]:
    """Per model its mean Dice over the chosen scans, with an interval if there are enough clusters."""
    values = data.values("dice", label)[:, chosen]
    clusters = data.clusters_of(chosen)
    note = too_few(len(set(clusters))).replace("scans", "clusters of scans")
    if note:
        means = values.mean(axis=(0, 1)) if len(clusters) else np.full(len(data.models), np.nan)
        return [{"dice_mean": mean, "note": note} for mean in means]
    found = jackknife.evaluate(jackknife.mean(values), clusters, bounds=bounds_of("dice"))
    lower, upper = found.interval(LEVEL)
    cells = zip(found.estimate, lower, upper, found.constant(), strict=True)
    return [
        {
            "dice_mean": mean,
            "lower": low,
            "upper": high,
            "note": NO_VARIANCE if constant else "",
        }
        for mean, low, high, constant in cells
    ]
