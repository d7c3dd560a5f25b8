"""The planned comparison, on the same scans: ``python -m headct paired-analysis --help``.

Writes, into the folder given, each statistic that is declared (:class:`.PublishedStatistic`) with the step
``paired-analysis``; each is described at the top of its module. Only the compared models enter families and
corrections. What is undefined is empty, with the reason in the column ``note``.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from headct.contracts.artefacts import read_tsv, write_tsv
from headct.contracts.declarations import MadeOf, PublishedStatistic
from headct.contracts.problems import BadInput, Problem
from headct.settings import plan as plan_of
from headct.settings.plan import DEVIATION, EXPLORATORY, Plan
from headct.statistics.comparison.detection import DETECTION, detection_table
from headct.statistics.comparison.endpoints import ENDPOINTS, SENSITIVITY, endpoints_table, sensitivity_table
from headct.statistics.comparison.equivalence import (
    EQUIVALENCE,
    VOLUME_EQUIVALENCE,
    dice_margins,
    equivalence_table,
    volume_equivalence_table,
)
from headct.statistics.comparison.estimates import ESTIMATES, estimates_table
from headct.statistics.comparison.limits import LIMITS, limits_table
from headct.statistics.comparison.paired import (
    FRIEDMAN,
    PAIRED,
    RANKS,
    friedman_table,
    paired_table,
    ranks_table,
)
from headct.statistics.comparison.score_arrays import (
    ScoreArrays,
    measured,
    scope,
    second_readings,
    with_training_mean,
)
from headct.statistics.comparison.subgroups import (
    SUBGROUPS,
    facts,
    is_known,
    size_cut_points,
    subgroups_table,
)
from headct.statistics.core import scores as scores_of
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


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plan", required=True, type=Path, help="analysis plan (YAML)")
    parser.add_argument(
        "--metrics", required=True, nargs="+", type=Path, help="metrics tables, one per model"
    )
    parser.add_argument(
        "--second-readings", type=Path, help="metrics table of second readings, the human ceiling"
    )
    parser.add_argument("--cohort", required=True, type=Path, help="cohort.tsv")
    parser.add_argument("--split", required=True, type=Path, help="split.tsv")
    parser.add_argument("--data", required=True, type=Path, help="folder of the converted scans")
    parser.add_argument(
        "--models", required=True, nargs="+", metavar="KEY", help="the models that are compared, in order"
    )
    parser.add_argument("--out", required=True, type=Path, help="folder of the tables to write")
    return parser


def main(args: argparse.Namespace) -> None:
    plan = plan_of.load(args.plan)
    scores = scores_of.read(args.metrics, args.models)
    cohort, split = read_tsv(args.cohort), read_tsv(args.split)
    absent = sorted(set(scores["scan_id"]) - set(cohort["scan_id"]))
    if absent:
        message = "a measured scan is not in the cohort"
        raise BadInput([Problem(str(args.cohort), message, key="scan_id", value=scan) for scan in absent])
    readings = read_tsv(args.second_readings, model=str, failure=str) if args.second_readings else None
    known = facts(cohort, args.data, scores["scan_id"].unique())
    for name, table in analysis(plan, scores, cohort, split, known, readings).items():
        write_tsv(table, args.out / f"{name}.tsv")
    logger.info(
        "planned comparison of %d models on %d test scans: %s",
        len(args.models),
        scores["scan_id"].nunique(),
        args.out,
    )


def analysis(
    plan: Plan,
    scores: pd.DataFrame,
    cohort: pd.DataFrame,
    split: pd.DataFrame,
    known: pd.DataFrame,
    readings: pd.DataFrame | None = None,
) -> dict[str, pd.DataFrame]:
    """Every table by the name of its file.

    Takes what ``scores.read`` and ``facts`` give, cohort, split, and the metrics of second readings.
    """
    data = measured(with_training_mean(scores, cohort, split))
    humans = [] if readings is None or readings.empty else second_readings(readings)
    margins = dice_margins(plan, humans)
    parts = [data, *humans]
    known = known.loc[data.scans]
    sites = dict(zip(known.index, known["site"].astype(str), strict=True))
    return {
        PLAN.name: plan_table(plan, data, known),
        ENDPOINTS.name: endpoints_table(data, plan),
        SENSITIVITY.name: sensitivity_table(data, plan, sites),
        ESTIMATES.name: estimates_table(parts, plan),
        FRIEDMAN.name: friedman_table(data, plan),
        RANKS.name: ranks_table(data, plan),
        PAIRED.name: paired_table(data, plan),
        EQUIVALENCE.name: equivalence_table(data, plan, margins),
        VOLUME_EQUIVALENCE.name: volume_equivalence_table(parts, plan),
        DETECTION.name: detection_table(parts, plan),
        SUBGROUPS.name: subgroups_table(data, plan, known, size_cut_points(plan, cohort, split)),
        LIMITS.name: limits_table(parts),
    }


def plan_table(plan: Plan, data: ScoreArrays, known: pd.DataFrame) -> pd.DataFrame:
    """The plan's identity, what deviates from it, and what is beyond it: kind item value."""
    rows = [
        *(("plan", key, getattr(plan, key)) for key in ("file", "sha256", "date", "seed")),
        *(("plan", key, getattr(plan, key)) for key in ("resamples", "permutations")),
        ("plan", "primary", f"{plan.primary.name}, {plan.primary.model} − {plan.primary.against[0]}"),
        ("plan", "subgroups", "; ".join(one.name for one in plan.subgroups)),
        ("plan", "statements are about", scope(data.n_seeds)),
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
        (EXPLORATORY, model, "measured, but not among the compared models")
        for model in (data.models[i] for i in data.indices(EXTRA))
    ]
    rows += [
        (EXPLORATORY, model, "compared in families, but the plan's endpoints do not name it")
        for model in (data.models[i] for i in data.indices(FAMILY))
        if model not in planned
    ]
    rows += [
        (REPORTED, model, f"{int(missing)} of {len(data.scans)} predictions missing, counted as empty")
        for model, missing in zip(data.models, data.failed.sum(axis=0), strict=True)
        if missing
    ]
    return pd.DataFrame(rows, columns=PLAN.header)


def _planned_models(plan: Plan) -> Sequence[str]:
    return [name for _, endpoint in plan.endpoints() for name in (endpoint.model, *endpoint.against)]
