"""What reviewers decided, and what follows: ``python -m headct review-analysis --help``.

``results/statistics/review.tsv`` has one row per kind of review × reviewer:

    kind, reviewer          quality (image and mask alone) or results
    scans                   that were reviewed
    keep, flag, redraw, exclude             of these, by decision
    of_these_results        of these, looked at with the very results that are here (by their evidence digest)

``review_scans.tsv`` has one row per kind × scan: how many reviewers saw it, and how many decided so.

``review_agreement.tsv`` has one row per kind × pair of reviewers × coefficient, and per kind × all of them,
where there are more than two (:mod:`headct.statistics.core.categories`):

    kind, reviewers, coefficient
    n, n_clusters           scans that two or more of them saw, and clusters of these
    agreement               share of the pairs of reviewers that agree
    estimate, lower, upper  the coefficient with its 95 % interval, by the jackknife's t
    note                    why something is empty

``review_sensitivity.tsv`` repeats the planned primary comparison without the scans that reviewers of results
would exclude, or exclude or have drawn again. Reviewers had seen the predictions: these rows are post hoc,
and no verdict rests on them:

    status                  primary for the comparison as it was planned, else post hoc
    endpoint, measure, label, scans, model, against
    analysis                which scans are left out
    left_out                how many of the endpoint's scans these are
    n, n_clusters, difference, lower, upper, note           as in ``sensitivity.tsv``
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from headct.contracts import labels as label_sets
from headct.contracts.artefacts import read_json, read_tsv, write_tsv
from headct.contracts.declarations import MadeOf, PublishedStatistic
from headct.contracts.problems import BadInput
from headct.settings import analysis_plan, reviews
from headct.settings.analysis_plan import PRIMARY, Endpoint, Plan
from headct.settings.reviews import DECISIONS, EXCLUDE, REDRAW, Review
from headct.statistics.comparison.endpoints import columns_of, name_of, not_run, other_analysis
from headct.statistics.comparison.paired import LEVEL, NO_VARIANCE
from headct.statistics.comparison.score_arrays import ScoreArrays, score_arrays_of
from headct.statistics.core import categories, jackknife
from headct.statistics.core import scores as scores_of
from headct.statistics.core.categories import AC1, COEFFICIENTS, COHEN, FLEISS, NOT_SEEN
from headct.statistics.core.clusters import Clusters, planned_clusters
from headct.statistics.core.scores import FAMILY

logger = logging.getLogger(__name__)

REVIEW = PublishedStatistic(
    name="review",
    help="how many scans each reviewer decided on, and how",
    step="review-analysis",
    columns="kind reviewer scans keep flag redraw exclude of_these_results",
    keys="kind reviewer",
    made_of=(MadeOf(rows="what people said"),),
)

SCANS = PublishedStatistic(
    name="review_scans",
    help="how reviewers decided on each scan",
    step="review-analysis",
    columns="kind scan_id reviewers keep flag redraw exclude",
    keys="kind scan_id",
    made_of=(MadeOf(rows="what people said"),),
)

AGREEMENT = PublishedStatistic(
    name="review_agreement",
    help="how reviewers agree, beyond chance",
    step="review-analysis",
    columns="kind reviewers coefficient n n_clusters agreement estimate lower upper note",
    keys="kind reviewers coefficient",
    made_of=(MadeOf(rows="what people said"),),
)

SENSITIVITY = PublishedStatistic(
    name="review_sensitivity",
    help="the primary endpoint without scans that reviewers would leave out",
    step="review-analysis",
    columns="status endpoint measure label scans model against analysis left_out n n_clusters difference"
    " lower upper note",
    keys="model against endpoint label measure scans analysis status",
)

POST_HOC = "post hoc"
AS_PLANNED = "as planned"

WOULD = {"exclude": (EXCLUDE,), "exclude or redraw": (EXCLUDE, REDRAW)}
"""What reviewers would do with scans that an analysis leaves out, and the decisions that say so."""

TWO_SEE_NONE = "no scan was seen by two of them"
UNDEFINED = "all decisions are the same: chance alone makes them agree"


def main(
    *,
    reviewed: list[Path],
    labels: str,
    plan: Path,
    metrics: list[Path],
    cohort: Path,
    split: Path,
    evidence: Path,
    models: list[str],
    out: Path,
) -> None:
    """What reviewers decided, how they agree, and the primary comparison without what they would leave out.

    Args:
        reviewed: files of reviews that were imported.
        labels: JSON: the lesion classes, in their order, with roles and groups.
        plan: analysis plan (YAML).
        metrics: metrics tables, one per model.
        cohort: cohort.tsv.
        split: split.tsv.
        evidence: evidence.json, of the results.
        models: the models that are compared, in order.
        out: folder of the tables to write.
    """
    lesions = label_sets.read(labels)
    decided = [review for path in reviewed for review in reviews.load(path)]
    scores = scores_of.read(metrics, models, lesions)
    check_scans(decided, read_tsv(cohort), read_tsv(split))
    planned = analysis_plan.load(plan).of_run(models)
    drawn = planned_clusters(planned, read_tsv(cohort), np.sort(scores["scan_id"].unique()))
    data = score_arrays_of(scores, lesions, drawn)
    tables = {
        REVIEW.name: counts_table(decided, read_json(evidence)["sha256"]),
        SCANS.name: scans_table(decided),
        AGREEMENT.name: agreement_table(decided, drawn),
        SENSITIVITY.name: sensitivity_table(data, planned, decided),
    }
    for name, table in tables.items():
        write_tsv(table, out / f"{name}.tsv")
    logger.info("%d reviews of %d scans", len(decided), len({review.scan_id for review in decided}))


def check_scans(reviewed: Sequence[Review], cohort: pd.DataFrame, split: pd.DataFrame) -> None:
    """Refuse reviews of scans that the study does not have, or of results of no test scan.

    Raises:
        BadInput: each of them.
    """
    of_quality, of_results = (_of_kind(reviewed, kind) for kind in (reviews.QUALITY, reviews.RESULTS))
    test_set = set(split.loc[split["set"] == "test", "scan_id"])
    problems = reviews.unknown_scans(of_quality, set(cohort["scan_id"]), "is no scan of the cohort")
    problems += reviews.unknown_scans(of_results, test_set, "is no test scan")
    if problems:
        raise BadInput(problems)


def counts_table(reviewed: Sequence[Review], evidence: str) -> pd.DataFrame:
    """How each reviewer decided; ``evidence`` is the digest of the results that are here."""
    rows = []
    for kind, reviewer in sorted({(review.kind, review.reviewer) for review in reviewed}):
        own = [review for review in reviewed if (review.kind, review.reviewer) == (kind, reviewer)]
        rows.append(
            {
                "kind": kind,
                "reviewer": reviewer,
                "scans": len(own),
                **_by_decision(own),
                "of_these_results": sum(review.evidence == evidence for review in own),
            }
        )
    return pd.DataFrame(rows, columns=REVIEW.header)


def scans_table(reviewed: Sequence[Review]) -> pd.DataFrame:
    """How reviewers decided on each scan."""
    rows = [
        {"kind": kind, "scan_id": scan, "reviewers": len(of_scan), **_by_decision(of_scan)}
        for kind in _kinds(reviewed)
        for scan, of_scan in sorted(reviews.by_scan(_of_kind(reviewed, kind)).items())
    ]
    return pd.DataFrame(rows, columns=SCANS.header)


def agreement_table(reviewed: Sequence[Review], clusters: Clusters) -> pd.DataFrame:
    """How each pair of reviewers agrees, and all of them; ``clusters`` is what intervals leave out."""
    rows = [
        {"kind": kind, **row}
        for kind in _kinds(reviewed)
        for row in _agreement_of(_of_kind(reviewed, kind), clusters)
    ]
    return pd.DataFrame(rows, columns=AGREEMENT.header)


def _agreement_of(of_kind: Sequence[Review], clusters: Clusters) -> Iterator[dict[str, Any]]:
    reviewers = sorted({review.reviewer for review in of_kind})
    groups: list[tuple[str, ...]] = list(combinations(reviewers, 2))
    if len(reviewers) > 2:
        groups.append(tuple(reviewers))
    for group in groups:
        of_group = [review for review in of_kind if review.reviewer in group]
        scans = sorted({review.scan_id for review in of_group})
        ratings = ratings_of(of_group, scans, group)
        seen = (ratings != NOT_SEEN).sum(axis=1)
        of_scan = clusters.of(scans)
        named = {
            "reviewers": "; ".join(group),
            "n": int((seen > 1).sum()),
            "n_clusters": len(set(of_scan[seen > 1])),
        }
        for coefficient in (COHEN if len(group) == 2 else FLEISS, AC1):
            yield {**named, "coefficient": coefficient, **_agreement(coefficient, ratings, of_scan)}


def ratings_of(of_group: Sequence[Review], scans: Sequence[str], reviewers: Sequence[str]) -> np.ndarray:
    """Decision (scans, reviewers) by its place in :data:`DECISIONS`, or :data:`NOT_SEEN`."""
    found = np.full((len(scans), len(reviewers)), NOT_SEEN)
    for review in of_group:
        place = scans.index(review.scan_id), reviewers.index(review.reviewer)
        found[place] = DECISIONS.index(review.decision)
    return found


def _agreement(coefficient: str, ratings: np.ndarray, clusters: np.ndarray) -> dict[str, Any]:
    twice = (ratings != NOT_SEEN).sum(axis=1) > 1
    if not twice.any():
        return {"note": TWO_SEE_NONE}
    n = len(DECISIONS)
    share = categories.observed_agreement(ratings, n)(np.full((1, len(ratings)), 1 / len(ratings)))
    with np.errstate(invalid="ignore"):
        found = jackknife.evaluate(COEFFICIENTS[coefficient](ratings, n), clusters, bounds=categories.BOUNDS)
    (lower,), (upper,) = found.interval(LEVEL)
    row = {"agreement": share[0, 0, 0], "estimate": found.estimate[0], "lower": lower, "upper": upper}
    if np.isnan(found.estimate[0]):
        return {**row, "note": UNDEFINED}
    return {**row, "note": NO_VARIANCE if np.isnan(lower) else ""}


def sensitivity_table(data: ScoreArrays, plan: Plan, reviewed: Sequence[Review]) -> pd.DataFrame:
    """The plan's primary endpoint as planned, and without scans that reviewers of results would leave out.

    Args:
        data: the scores as arrays.
        plan: the analysis plan.
        reviewed: reviews; those of quality excluded their scans before.
    """
    endpoint, (against,) = plan.primary, plan.primary.against
    if not_run(data, endpoint, against):
        return pd.DataFrame(columns=SENSITIVITY.header)
    rows = []
    for analysis, scans in left_out(reviewed).items():
        row = _without(data, endpoint, against, scans)
        status = PRIMARY if analysis == AS_PLANNED else POST_HOC
        rows.append({"status": status, **name_of(endpoint, against), "analysis": analysis, **row})
    return pd.DataFrame(rows, columns=SENSITIVITY.header)


def left_out(reviewed: Sequence[Review]) -> dict[str, set[str]]:
    """The scans that each analysis leaves out; those of more than half only where reviewers are several."""
    of_results = _of_kind(reviewed, reviews.RESULTS)
    found: dict[str, set[str]] = {AS_PLANNED: set()}
    if not of_results:
        return found
    several = len({review.reviewer for review in of_results}) > 1
    for words, decisions in WOULD.items():
        by_any = reviews.decided_by_any(of_results, decisions)
        found[f"without scans that any reviewer would {words}"] = by_any
        if several:
            by_most = reviews.decided_by_most(of_results, decisions)
            found[f"without scans that most of their reviewers would {words}"] = by_most
    return found


def _without(data: ScoreArrays, endpoint: Endpoint, against: str, scans: set[str]) -> dict[str, Any]:
    chosen = data.chosen(endpoint.label, endpoint.scans)
    stays = chosen & ~np.isin(data.scans, sorted(scans))
    found = other_analysis(
        endpoint,
        data.values(endpoint.measure, endpoint.label)[:, stays],
        columns_of(data, endpoint, against),
        data.indices(FAMILY),
        data.clusters_of(stays),
        data.cluster,
    )
    return {"left_out": int(chosen.sum() - stays.sum()), **found}


def _kinds(reviewed: Sequence[Review]) -> list[str]:
    return sorted({review.kind for review in reviewed})


def _of_kind(reviewed: Sequence[Review], kind: str) -> list[Review]:
    return [review for review in reviewed if review.kind == kind]


def _by_decision(reviewed: Sequence[Review]) -> dict[str, int]:
    counts = Counter(review.decision for review in reviewed)
    return {decision: counts[decision] for decision in DECISIONS}
