"""The planned comparison, on the same scans: ``python -m headct paired-analysis --help``.

Writes, into the folder given, each statistic that is declared (:class:`.PublishedStatistic`) with the step
``paired-analysis``; each is described at the top of its module. Only the compared models enter families and
corrections. What is undefined is empty, with the reason in the column ``note``.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from headct.contracts import labels as label_sets
from headct.contracts.artefacts import read_tsv, write_tsv
from headct.contracts.declarations import MadeOf, PublishedStatistic
from headct.contracts.labels import LabelSet
from headct.contracts.no_prediction import MISSING_SCORED, reasons_in_words
from headct.contracts.problems import BadInput, Problem
from headct.settings import analysis_plan
from headct.settings.analysis_plan import DEVIATION, EXPLORATORY, PARTICIPANT, SITE, Plan
from headct.statistics.comparison.detection import DETECTION, detection_table
from headct.statistics.comparison.endpoint_precision import PRECISION, precision_table
from headct.statistics.comparison.endpoints import ENDPOINTS, SENSITIVITY, endpoints_table, sensitivity_table
from headct.statistics.comparison.equivalence import (
    EQUIVALENCE,
    VOLUME_EQUIVALENCE,
    equivalence_table,
    volume_equivalence_table,
)
from headct.statistics.comparison.estimates import ESTIMATES, estimates_table
from headct.statistics.comparison.paired import (
    FRIEDMAN,
    PAIRED,
    RANKS,
    friedman_table,
    paired_table,
    ranks_table,
)
from headct.statistics.comparison.raters import RATERS, raters_table
from headct.statistics.comparison.score_arrays import (
    NEEDED,
    ScoreArrays,
    scope,
    score_arrays_of,
    second_readings,
    with_training_mean,
)
from headct.statistics.comparison.site_effects import SITE_EFFECTS, site_effects_table
from headct.statistics.comparison.subgroups import (
    SUBGROUPS,
    facts,
    is_known,
    size_cut_points,
    subgroups_table,
)
from headct.statistics.comparison.varying_limits import LIMITS, limits_table
from headct.statistics.core import scores as scores_of
from headct.statistics.core.clusters import MINIMUM_CLUSTERS, clusters, planned_clusters, worth
from headct.statistics.core.scores import EXTRA, FAMILY

logger = logging.getLogger(__name__)

PLAN = PublishedStatistic(
    name="plan",
    help="the analysis plan, what deviates from it, and what is beyond it",
    step="paired-analysis",
    columns="kind item value",
    keys="item kind",
    made_of=(MadeOf(rows="nothing measured"),),
)

REPORTED = "reported"

NEEDED_OF_READINGS = ("model", "seed", "scan_id", "label", *NEEDED, "failure")
"""Columns of the metrics table of second readings."""


def main(
    *,
    labels: str,
    plan: Path,
    metrics: list[Path],
    second_readings: Path | None = None,
    cohort: Path,
    split: Path,
    data: Path,
    models: list[str],
    out: Path,
) -> None:
    """The planned comparison, on the same scans.

    Args:
        labels: JSON: the lesion classes, in their order, with roles and groups.
        plan: analysis plan (YAML).
        metrics: metrics tables, one per model.
        second_readings: metrics table of second readings, the human ceiling.
        cohort: cohort.tsv.
        split: split.tsv.
        data: folder of the converted scans.
        models: the models that are compared, in order.
        out: folder of the tables to write.
    """
    planned = analysis_plan.load(plan)
    lesions = label_sets.read(labels)
    scores = scores_of.read(metrics, models, lesions)
    scans = read_tsv(cohort)
    absent = sorted(set(scores["scan_id"]) - set(scans["scan_id"]))
    if absent:
        message = "a measured scan is not in the cohort"
        raise BadInput([Problem(str(cohort), message, key="scan_id", value=scan) for scan in absent])
    readings = scores_of.read_table(second_readings, NEEDED_OF_READINGS) if second_readings else None
    known = facts(scans, data, scores["scan_id"].unique())
    tables = analysis(planned, scores, scans, read_tsv(split), known, lesions, readings)
    for name, table in tables.items():
        write_tsv(table, out / f"{name}.tsv")
    logger.info(
        "planned comparison of %d models on %d test scans: %s",
        len(models),
        scores["scan_id"].nunique(),
        out,
    )


def analysis(
    plan: Plan,
    scores: pd.DataFrame,
    cohort: pd.DataFrame,
    split: pd.DataFrame,
    known: pd.DataFrame,
    labels: LabelSet,
    readings: pd.DataFrame | None = None,
) -> dict[str, pd.DataFrame]:
    """Every table by the name of its file.

    Takes what ``scores.read`` and ``facts`` give, cohort, split, and the metrics of second readings.

    Args:
        plan: the analysis plan.
        scores: what ``scores.read`` gives.
        cohort, split: the tables of those names.
        known: facts of the scans, as ``facts`` gives them.
        labels: the label set.
        readings: metrics of second readings, where there are any.
    """
    plan = plan.of_run(list(dict.fromkeys(scores.loc[scores["role"] == FAMILY, "model"])))
    known = known.loc[np.sort(scores["scan_id"].unique())]
    drawn = planned_clusters(plan, cohort, known.index.to_numpy())
    participants, sites = clusters(PARTICIPANT, cohort), clusters(SITE, cohort)
    data = score_arrays_of(with_training_mean(scores, cohort, split, labels), labels, drawn)
    humans = [] if readings is None or readings.empty else second_readings(readings, labels, drawn)
    parts = [data, *humans]
    cut_points = size_cut_points(plan, cohort, split, labels)
    return {
        PLAN.name: plan_table(plan, data, known, scores),
        ENDPOINTS.name: endpoints_table(data, plan),
        SENSITIVITY.name: sensitivity_table(data, plan, participants if drawn.kind == SITE else sites),
        SITE_EFFECTS.name: site_effects_table(data, plan, sites),
        PRECISION.name: precision_table(data, plan),
        ESTIMATES.name: estimates_table(parts),
        FRIEDMAN.name: friedman_table(data, plan),
        RANKS.name: ranks_table(data, plan),
        PAIRED.name: paired_table(data, plan),
        EQUIVALENCE.name: equivalence_table(data, plan),
        VOLUME_EQUIVALENCE.name: volume_equivalence_table(parts, plan),
        DETECTION.name: detection_table(parts, plan),
        RATERS.name: raters_table(data, humans, plan),
        SUBGROUPS.name: subgroups_table(data, plan, known, cut_points, participants),
        LIMITS.name: limits_table(parts),
    }


def plan_table(plan: Plan, data: ScoreArrays, known: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """The plan's identity, what deviates from it, and what is beyond it: kind item value.

    Args:
        plan: the analysis plan.
        data: the scores as arrays.
        known: facts of the scans.
        scores: what ``scores.read`` gives.
    """
    keys = ("file", "sha256", "date", "comparison", "seed", "permutations")
    rows = [("plan", key, getattr(plan, key)) for key in keys]
    rows += [
        ("plan", "primary", f"{plan.primary.name}, {plan.primary.model} − {plan.primary.against[0]}"),
        ("plan", "subgroups", "; ".join(one.name for one in plan.subgroups)),
        ("plan", "statements are about", scope(data.n_seeds)),
        ("plan", "clusters", f"{len(set(data.clusters))} {data.cluster}s{_worth(data)}, {_chosen(plan)}"),
        ("plan", "multiplicity", plan.multiplicity.rule),
    ]
    for _, endpoint in plan.endpoints():
        named = (endpoint.model, *endpoint.against)
        rows += [
            (DEVIATION, f"endpoint {endpoint.name}", f"{model} is not part of this run")
            for model in named
            if model not in data.models
        ]
    rows += [
        (DEVIATION, f"subgroup {one.name}", f"no column {one.column} in this study")
        for one in plan.subgroups
        if not is_known(one, known)
    ]
    planned = _planned_models(plan)
    rows += [
        (EXPLORATORY, model, "measured, but not among the compared models") for model in data.of_role(EXTRA)
    ]
    rows += [
        (EXPLORATORY, model, "compared in families, but the plan's endpoints do not name it")
        for model in data.of_role(FAMILY)
        if model not in planned
    ]
    rows += [(REPORTED, model, words) for model, words in missing_predictions(scores).items()]
    return pd.DataFrame(rows, columns=PLAN.header)


def missing_predictions(scores: pd.DataFrame) -> dict[str, str]:
    """By model, how many of its predictions are missing, of which kind, and how they are scored."""
    predictions = scores.drop_duplicates(["model", "seed", "scan_id"])
    words = {}
    for model, of_model in predictions.groupby("model", sort=False):
        reasons = [reason for reason in of_model["failure"] if reason]
        if reasons:
            missing = f"predictions missing, of {len(of_model)}: {reasons_in_words(reasons)}"
            words[str(model)] = f"{missing}, each {MISSING_SCORED}"
    return words


def _worth(data: ScoreArrays) -> str:
    """What clusters of unequal size are worth, where that is too little to tell how far they lie apart."""
    n = worth(data.clusters)
    return f", which are worth {n:.1f} of equal size" if n < MINIMUM_CLUSTERS else ""


def _chosen(plan: Plan) -> str:
    return "as planned" if plan.cluster else "chosen by the number of sites"


def _planned_models(plan: Plan) -> Sequence[str]:
    return [name for _, endpoint in plan.endpoints() for name in (endpoint.model, *endpoint.against)]
