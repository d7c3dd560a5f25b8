"""For tests: all statistics of a replication, the paper's claims among them."""

from __future__ import annotations

import pandas as pd

from headct.contracts.labels import LabelSet
from headct.settings.analysis_plan import Plan
from headct.statistics.core.clusters import planned_clusters
from headct.statistics.replication.claims import held_against_the_paper, results_of
from headct.statistics.replication.paper_analysis import statistics


def replicated(
    scores: pd.DataFrame, cohort: pd.DataFrame, plan: Plan, labels: LabelSet
) -> dict[str, pd.DataFrame]:
    """Every table by the name of its file."""
    found = statistics(scores, cohort, labels)
    drawn = planned_clusters(plan, cohort, scores["scan_id"].unique())
    results = results_of(scores, drawn, found["dunn"], found["cohort_tests"], plan, labels)
    return found | held_against_the_paper(scores, results)
