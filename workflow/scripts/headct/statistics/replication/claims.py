"""The claims of the paper, each judged on this test set.

``holds``: what the claim says is shown. ``does not hold``: the contrary is shown. ``cannot tell``: the scans
at hand, or the models that were run, decide neither way. ``not testable``: there are fewer scans than this
kind of claim needs. How each kind is judged: :mod:`headct.statistics.replication.claim_kinds`, and the table.

Where the paper found "no evidence of differences", its own words are judged, by its own tests. That there is
no difference is a claim of ours, in a row of its own. ``python -m headct claims --help``; a study of its own
(``comparison: own`` in the plan) has none of this.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import pandas as pd

from headct.contracts import labels as label_sets
from headct.contracts.artefacts import read_tsv, write_tsv
from headct.contracts.declarations import PublishedStatistic
from headct.contracts.labels import LabelSet
from headct.settings import analysis_plan
from headct.settings import published as published_numbers
from headct.settings import sheet as sample_sheet
from headct.settings.analysis_plan import REANALYSIS, Plan
from headct.statistics.comparison.score_arrays import score_arrays_of
from headct.statistics.core import scores as scores_of
from headct.statistics.core.agreement import PUBLISHED_VOLUMES, VOLUMES
from headct.statistics.core.clusters import Clusters, planned_clusters
from headct.statistics.core.group_tests import FLAVOURS
from headct.statistics.core.jackknife import SEEDS_COUNT_FROM
from headct.statistics.core.scores import FAMILY
from headct.statistics.replication.claim_evidence import HOLDS, UNCLEAR, UNTESTED, Claim, Evidence, Results
from headct.statistics.replication.claim_kinds import KINDS
from headct.statistics.replication.cohort_tests import cohort_of_split
from headct.statistics.replication.intervals import REPLICATION, replication, samples_of
from headct.statistics.replication.selection import SELECTION, selection_table

logger = logging.getLogger(__name__)

CLAIMS = PublishedStatistic(
    name="claims",
    help="each claim of the paper, judged on this test set",
    step="claims",
    columns="claim statement source restated verdict evidence verdict_dunn_test verdict_dunn_test_at_05"
    " changes_under note",
    keys="claim",
)

AT_HAND = "about the networks at hand, not about others that are trained so"


def main(
    *,
    labels: str,
    metrics: list[Path],
    statistics: Path,
    sheet: Path,
    cohort: Path,
    split: Path,
    plan: Path,
    published: Path = published_numbers.FOLDER,
    models: list[str],
    out: Path,
) -> None:
    """The paper's claims, its printed numbers, and its way of choosing a model, on this test set.

    Args:
        labels: JSON: the lesion classes, in their order, with roles and groups.
        metrics: metrics tables, one per model.
        statistics: folder of agreement.tsv, cohort_tests.tsv, dice_summary.tsv and dunn.tsv.
        sheet: sample sheet, for the true ages.
        cohort: cohort.tsv.
        split: split.tsv.
        plan: analysis plan, for its margins and clusters.
        published: folder of the published numbers.
        models: the models that are compared, in the order of the tables.
        out: folder of the tables to write.
    """
    lesions, planned = label_sets.read(labels), analysis_plan.load(plan)
    scores = scores_of.read(metrics, models, lesions)
    scans = cohort_of_split(read_tsv(cohort), read_tsv(split), sample_sheet.true_ages(sheet))
    drawn = planned_clusters(planned, scans, scores["scan_id"].unique())
    names = ("agreement", "cohort_tests", "dice_summary", "dunn")
    found = {name: read_tsv(statistics / f"{name}.tsv") for name in names}
    results = results_of(scores, drawn, found["dunn"], found["cohort_tests"], planned, lesions)
    tables = held_against_the_paper(scores, results, published)
    printed, samples = published_numbers.numbers(published), samples_of(scores, scans, drawn, lesions)
    tables[REPLICATION.name] = replication(printed, found, samples, planned.comparison != REANALYSIS)
    for name, table in tables.items():
        write_tsv(table, out / f"{name}.tsv")
    logger.info("%d claims of the paper: %s", len(tables[CLAIMS.name]), out)


def held_against_the_paper(
    scores: pd.DataFrame, results: Results, published: Path = published_numbers.FOLDER
) -> dict[str, pd.DataFrame]:
    """The claims, and the choice of a model, by the name of their file."""
    scans, stages = scores_of.mean_over_seeds(scores), published_numbers.selection(published)
    return {
        CLAIMS.name: claims_table(published_numbers.claims(published), results),
        SELECTION.name: selection_table(scans, stages, results.data.labels),
    }


def results_of(
    scores: pd.DataFrame,
    clusters: Clusters,
    dunn: pd.DataFrame,
    cohort_tests: pd.DataFrame,
    plan: Plan,
    labels: LabelSet,
) -> Results:
    """What the claims are held against: the compared models, by the volumes that stand beside the paper's.

    Args:
        scores: what :func:`headct.statistics.core.scores.read` gives.
        clusters: what the test scans are left out with.
        dunn, cohort_tests: the tables of those names.
        plan: the analysis plan.
        labels: the study's lesions; the claims are about the paper's, by the paper's names.
    """
    reference, predicted = VOLUMES[PUBLISHED_VOLUMES]
    family = scores[scores["role"] == FAMILY]
    family = family.assign(
        reference_ml=family[reference],
        predicted_ml=family[predicted],
        volume_error_ml=family[predicted] - family[reference],
    )
    return Results(score_arrays_of(family, labels, clusters), dunn, cohort_tests, plan)


def claims_table(claims: pd.DataFrame, results: Results) -> pd.DataFrame:
    """One row per claim of :func:`headct.settings.published.claims`; only the compared models are looked at.

    Columns: claim statement source; restated, how it is judged; verdict evidence; the verdicts under R's
    ``dunn.test``, judged rightly and at .05, where the kind rests on Dunn's test; changes_under, the flavours
    under which the verdict changes; note.
    """
    rows = [_row(claim, results) for _, claim in claims.iterrows()]
    return pd.DataFrame(rows, columns=CLAIMS.header)


def _row(claim: Claim, results: Results) -> dict[str, str]:
    kind = KINDS[claim["kind"]]
    default = judge(claim, results)
    others = list(FLAVOURS)[1:] if kind.by_dunn else []
    verdict_under = {flavour: judge(claim, replace(results, flavour=flavour)).verdict for flavour in others}
    changes = [flavour for flavour, verdict in verdict_under.items() if verdict != default.verdict]
    missing = results.missing(claim)
    n_seeds = results.data.n_seeds
    at_hand = n_seeds > 1 and bool(claim["models"]) and not (kind.of_seeds and n_seeds >= SEEDS_COUNT_FROM)
    notes = [claim["note"], f"not run: {', '.join(missing)}" if missing else "", AT_HAND if at_hand else ""]
    as_listed = {name: claim[name] for name in ("claim", "statement", "source")}
    return {
        **as_listed,
        "restated": kind.restated(results.plan),
        "verdict": default.verdict,
        "evidence": default.text,
        "verdict_dunn_test": verdict_under.get("dunn.test", ""),
        "verdict_dunn_test_at_05": verdict_under.get("dunn.test read at .05", ""),
        "changes_under": "; ".join(changes),
        "note": "; ".join(filter(None, notes)),
    }


def judge(claim: Claim, results: Results) -> Evidence:
    """Verdict on one claim.

    A claim about models that were not all run is at best refuted, never shown; one about lesions that the
    study does not have can't be told.
    """
    if unknown := [label for label in claim["labels"] if label not in results.data.labels]:
        return Evidence(UNCLEAR, f"this study has no {' or '.join(unknown)}")
    for models, whose in ((claim["models"], "the models"), (claim["against"], "the other models")):
        if models and not results.run(models):
            return Evidence(UNCLEAR, f"none of {whose} was run")
    kind = KINDS[claim["kind"]]
    if too_few := kind.too_few(claim, results):
        return Evidence(UNTESTED, "; ".join(too_few))
    found = kind.judge(claim, results)
    # Among all models a missing one might be the best; elsewhere a counterexample stays one.
    if results.missing(claim) and (found.verdict == HOLDS or claim["kind"] == "none_best"):
        return Evidence(UNCLEAR, found.text)
    return found
