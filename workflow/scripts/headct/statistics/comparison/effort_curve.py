"""Dice by effort: weights kept in the course of training, measured on the scans that folds held out.

``python -m headct effort-curve --help``. No test scan is predicted for it. ``statistics/effort_curve.tsv``
has one row per model × lesion × choice of scans (all, with the lesion) × share of the training:

    model, label, scans, share  of the steps of a training; 1 is its end
    steps, patches, hours       of one training up to there, the mean over its folds and seeds
    n, n_participants, n_folds, n_seeds, clusters, n_clusters, dice_mean, lower, upper, note
                                as in ``out_of_fold.tsv``, of the weights at that share

A schedule of learning rates runs over the whole training. So weights from its middle are not those of a
training that was planned to end there: a curve says whether a training had levelled off, and no more.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from headct.contracts import labels as label_sets
from headct.contracts.artefacts import read_json, read_tsv, write_tsv
from headct.contracts.declarations import MadeOf, PublishedStatistic
from headct.contracts.labels import LabelSet
from headct.contracts.problems import BadInput, Problem
from headct.contracts.sets import test_scans
from headct.settings import analysis_plan
from headct.statistics.comparison.out_of_fold import out_of_fold_table
from headct.statistics.core import scores as scores_of
from headct.statistics.core.clusters import Clusters, planned_clusters

logger = logging.getLogger(__name__)

EFFORT_CURVE = PublishedStatistic(
    name="effort_curve",
    help="Dice over held-out scans by share of the training: steps, patches and hours up to there",
    step="effort-curve",
    columns="model label scans share steps patches hours n n_participants n_folds n_seeds clusters n_clusters"
    " dice_mean lower upper note",
    keys="model label scans share",
    made_of=(
        MadeOf(columns="steps patches hours", rows="training records"),
        MadeOf(rows="metrics at a share of the training"),
    ),
)

END = "1"
"""The share of a whole training."""

SECONDS_PER_HOUR = 3600


def main(
    *,
    labels: str,
    metrics: list[Path],
    shares: list[str],
    train_records: list[Path],
    plan: Path,
    cohort: Path,
    split: Path,
    models: list[str],
    out: Path,
) -> None:
    """Dice by effort: weights kept in the course of training, measured on the scans that folds held out.

    Args:
        labels: JSON: the lesion classes, in their order, with roles and groups.
        metrics: metrics of the held-out scans, one per share and model.
        shares: the share that each of them is of, 1 for the last weights.
        train_records: train.json of all trainings that held out scans.
        plan: analysis plan, for its clusters.
        cohort: cohort.tsv.
        split: split.tsv; the test set's sites decide on clusters that the plan leaves open.
        models: the compared models.
        out: table to write.
    """
    if len(shares) != len(metrics):
        message = f"one is needed for each of the {len(metrics)} tables of metrics"
        raise BadInput([Problem("--shares", message, value=" ".join(shares))])
    lesions, folds = label_sets.read(labels), read_tsv(split, fold=str)
    clusters = planned_clusters(analysis_plan.load(plan), read_tsv(cohort), test_scans(split))
    records = [read_json(path) for path in train_records]
    parts = []
    for share in dict.fromkeys(shares):
        of_share = [path for path, one in zip(metrics, shares, strict=True) if one == share]
        scores = scores_of.read(of_share, models, lesions)
        parts.append(share_table(scores, folds, clusters, lesions, records, share))
    write_tsv(in_order(pd.concat(parts)), out)
    logger.info("Dice by effort at %d shares of the trainings: %s", len(parts), out)


def share_table(
    scores: pd.DataFrame,
    split: pd.DataFrame,
    clusters: Clusters,
    labels: LabelSet,
    records: Sequence[Mapping[str, Any]],
    share: str,
) -> pd.DataFrame:
    """The rows of one share; the columns are listed at the top of this module.

    Args:
        scores: as of :func:`headct.statistics.core.scores.read`, of held-out scans.
        split: ``split.tsv``, folds as text.
        clusters: of the whole cohort.
        labels: the lesions.
        records: ``train.json`` of each training.
        share: of the trainings.
    """
    table = out_of_fold_table(scores, split, clusters, labels).assign(share=float(share))
    runs = defaultdict[str, list[Mapping[str, Any]]](list)
    for record in records:
        runs[record["model"]].append(record)
    efforts = {model: effort_of(runs[model], share) for model in table["model"].unique()}
    for name in ("steps", "patches", "hours"):
        table[name] = [efforts[model][name] for model in table["model"]]
    return table[EFFORT_CURVE.header]


def effort_of(runs: Sequence[Mapping[str, Any]], share: str) -> dict[str, float]:
    """Steps, patches and hours of one training up to a share, the mean over some; NaN of what is unknown.

    Args:
        runs: ``train.json`` of the trainings of a model.
        share: of its steps.
    """
    steps, seconds, batches = [], [], []
    for run in runs:
        whole = {"steps": run["record"].get("iterations"), "seconds": run["seconds"]}
        reached = whole if share == END else run["shares"][share]
        steps.append(np.nan if reached["steps"] is None else reached["steps"])
        seconds.append(reached["seconds"])
        batches.append(run["record"].get("batch_size", np.nan))
    return {
        "steps": float(np.mean(steps)),
        "patches": float(np.mean(np.array(steps) * np.array(batches))),
        "hours": float(np.mean(seconds)) / SECONDS_PER_HOUR,
    }


def in_order(table: pd.DataFrame) -> pd.DataFrame:
    """Rows by model, lesion and scans, as they come first, then by share."""
    groups = [rows.sort_values("share") for _, rows in table.groupby(["model", "label", "scans"], sort=False)]
    return pd.concat(groups, ignore_index=True)
