"""All statistics of the replication from the measures: ``python -m headct statistics --help``.

Writes, into the folder given, each statistic that is declared (:class:`.PublishedStatistic`) with the
step ``statistics``. With several seeds each scan's measures are first averaged over the seeds, except for
agreement, which is that of one network, the first seed's. What is undefined is empty, with the reason in
the column ``note``.
"""

from __future__ import annotations

import logging
from pathlib import Path

import pandas as pd

from headct.contracts import labels as label_sets
from headct.contracts.artefacts import read_tsv, write_tsv
from headct.contracts.labels import LabelSet
from headct.settings import analysis_plan
from headct.settings import sheet as sample_sheet
from headct.statistics.core import scores as scores_of
from headct.statistics.core.agreement import AGREEMENT, agreement_table
from headct.statistics.core.clusters import Clusters, planned_clusters
from headct.statistics.core.group_tests import DUNN, KRUSKAL_WALLIS, dunn_table, kruskal_wallis_table
from headct.statistics.core.summaries import (
    DICE_PRESENT_SUMMARY,
    DICE_SUMMARY,
    SEED_SPREAD,
    VOLUME_OVERLAP,
    dice_present_summary,
    dice_summary,
    seed_spread,
    volume_overlap,
)
from headct.statistics.replication.cohort_tests import COHORT_TESTS, cohort_of_split, cohort_tests
from headct.statistics.replication.lesion_size import LESION_SIZE, lesion_size_table
from headct.statistics.replication.prevalence import PREVALENCE, prevalence_table, with_imaged_volume

logger = logging.getLogger(__name__)


def main(
    *,
    labels: str,
    metrics: list[Path],
    sheet: Path,
    cohort: Path,
    split: Path,
    data: Path,
    plan: Path,
    models: list[str],
    out: Path,
) -> None:
    """All statistics of the replication from the measures.

    Args:
        labels: JSON: the lesion classes, in their order, with roles and groups.
        metrics: metrics tables, one per model.
        sheet: sample sheet, for the true ages.
        cohort: cohort.tsv.
        split: split.tsv.
        data: folder of the converted scans.
        plan: analysis plan, for its clusters.
        models: the models that are compared, in the order of the tables; any others that were measured are
            summarised below them, but enter no rank and no correction.
        out: folder of the tables to write.
    """
    lesions = label_sets.read(labels)
    scores = scores_of.read(metrics, models, lesions)
    scans = cohort_of_split(read_tsv(cohort), read_tsv(split), sample_sheet.true_ages(sheet))
    scans = with_imaged_volume(scans, data)
    drawn = planned_clusters(analysis_plan.load(plan), scans, scores["scan_id"].unique())
    for name, table in statistics(scores, scans, lesions, drawn).items():
        write_tsv(table, out / f"{name}.tsv")
    logger.info(
        "statistics of %d models on %d test scans: %s",
        scores["model"].nunique(),
        scores["scan_id"].nunique(),
        out,
    )


def statistics(
    scores: pd.DataFrame,
    cohort: pd.DataFrame,
    labels: LabelSet,
    clusters: Clusters,
) -> dict[str, pd.DataFrame]:
    """Every table by the name of its file.

    Args:
        scores: what ``scores.read`` gives.
        cohort: what ``cohort_of_split`` gives, with imaged volumes.
        labels: the label set.
        clusters: what intervals of agreement leave out.
    """
    scans = scores_of.mean_over_seeds(scores)
    dunn, tests = dunn_table(scans, labels), cohort_tests(cohort, labels)
    return {
        DICE_SUMMARY.name: dice_summary(scans, labels),
        DICE_PRESENT_SUMMARY.name: dice_present_summary(scans),
        VOLUME_OVERLAP.name: volume_overlap(scans),
        SEED_SPREAD.name: seed_spread(scores),
        KRUSKAL_WALLIS.name: kruskal_wallis_table(scans, labels),
        DUNN.name: dunn,
        AGREEMENT.name: agreement_table(scores_of.first_seed(scores), clusters),
        LESION_SIZE.name: lesion_size_table(scans),
        COHORT_TESTS.name: tests,
        PREVALENCE.name: prevalence_table(cohort, labels),
    }
