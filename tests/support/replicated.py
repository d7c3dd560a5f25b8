"""For tests: all statistics of a replication, the paper's claims among them."""

from __future__ import annotations

import pandas as pd

from headct.contracts.labels import LabelSet
from headct.settings.analysis_plan import REANALYSIS, Plan
from headct.settings.published import numbers
from headct.statistics.core.clusters import planned_clusters
from headct.statistics.replication.claims import held_against_the_paper, results_of
from headct.statistics.replication.intervals import replication, samples_of
from headct.statistics.replication.paper_analysis import statistics


def replicated(
    scores: pd.DataFrame, cohort: pd.DataFrame, plan: Plan, labels: LabelSet
) -> dict[str, pd.DataFrame]:
    """Every table by the name of its file."""
    drawn = planned_clusters(plan, cohort, scores["scan_id"].unique())
    found = statistics(scores, cohort, labels, drawn)
    results = results_of(scores, drawn, found["dunn"], found["cohort_tests"], plan, labels)
    found |= held_against_the_paper(scores, results)
    samples = samples_of(scores, cohort, drawn, labels)
    found["replication"] = replication(numbers(), found, samples, plan.comparison != REANALYSIS)
    return found
