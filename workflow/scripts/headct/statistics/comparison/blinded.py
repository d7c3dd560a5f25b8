"""Maps judged by raters who did not know whose they were: ``python -m headct blinded-analysis --help``.

``results/statistics/blinded.tsv`` has one row per model, the reference first, × question:

    model                   its key, or ``reference``
    question                accepted (would you accept it as it is) or best (is it the best of all maps)
    n, n_clusters, raters   cases that were judged, clusters of these, raters
    share, lower, upper     share of the judgements that say so: the mean over cases of the share of their
                            raters, with the 95 % interval by the jackknife's t
    difference, difference_lower, difference_upper      share − that of the reference, likewise
    note

Where a rater calls no map the best, none is. Intervals leave out whole clusters of scans, as the plan has
them; they are about these raters.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from headct.contracts.artefacts import read_tsv, write_tsv
from headct.contracts.declarations import MadeOf, PublishedStatistic
from headct.settings import analysis_plan
from headct.settings.ratings import REFERENCE, Key, Rating, load, read_key
from headct.statistics.comparison.paired import LEVEL, NO_VARIANCE, too_few
from headct.statistics.core import jackknife
from headct.statistics.core.clusters import Clusters, planned_clusters

BLINDED = PublishedStatistic(
    name="blinded",
    help="which maps raters accept and prefer who do not know whose they are",
    step="blinded-analysis",
    columns="model question n n_clusters raters share lower upper difference difference_lower"
    " difference_upper note",
    keys="model question",
    made_of=(MadeOf(rows="what people said"),),
)

ACCEPTED, BEST = "accepted", "best"
SHARE = (0.0, 1.0)


def main(*, ratings: list[Path], key: Path, plan: Path, cohort: Path, out: Path) -> None:
    """Which maps raters accept and prefer who do not know whose they are.

    Args:
        ratings: files that the blinded page exported.
        key: what its letters stand for.
        plan: analysis plan (YAML), for its clusters.
        cohort: cohort.tsv.
        out: folder of the table to write.
    """
    of_letters = read_key(key)
    judged = load(ratings, of_letters)
    scans = sorted({of_letters.scan_of[rating.case] for rating in judged})
    clusters = planned_clusters(analysis_plan.load(plan), read_tsv(cohort), scans)
    write_tsv(blinded_table(judged, of_letters, clusters), out / f"{BLINDED.name}.tsv")


def blinded_table(judged: Sequence[Rating], key: Key, clusters: Clusters) -> pd.DataFrame:
    """Shares of judgements by model; the columns are listed at the top of this module.

    Args:
        judged: ratings of cases of the key.
        key: what the letters stand for.
        clusters: of the scans.
    """
    cases = sorted({rating.case for rating in judged})
    of_case = clusters.of([key.scan_of[case] for case in cases])
    models = key.models
    rows: list[dict[str, Any]] = []
    for question in (ACCEPTED, BEST):
        values = shares(judged, key, cases, question)
        found = jackknife.evaluate(jackknife.mean(values[None]), of_case, bounds=SHARE)
        place = list(models).index(REFERENCE)
        beside = found.differences(range(len(models)), [place] * len(models))
        ends, apart = (estimated.interval(LEVEL) for estimated in (found, beside))
        for i, model in enumerate(models):
            row = {
                "model": model,
                "question": question,
                "n": len(cases),
                "n_clusters": len(set(of_case)),
                "raters": len({rating.rater for rating in judged}),
                "share": found.estimate[i],
                "note": too_few(len(cases)) or (NO_VARIANCE if found.constant()[i] else ""),
            }
            if not too_few(len(cases)):
                row |= {"lower": ends[0][i], "upper": ends[1][i]}
            if model != REFERENCE:
                row["difference"] = beside.estimate[i]
                if not too_few(len(cases)):
                    row |= {"difference_lower": apart[0][i], "difference_upper": apart[1][i]}
            rows.append(row)
    order = {model: place for place, model in enumerate(models)}
    table = pd.DataFrame(rows, columns=BLINDED.header)
    return table.sort_values("model", key=lambda column: column.map(order), kind="stable", ignore_index=True)


def shares(judged: Sequence[Rating], key: Key, cases: Sequence[str], question: str) -> np.ndarray:
    """Of each case, the share of its raters who accept, or prefer, the map of each model: (cases, models).

    Args:
        judged: ratings.
        key: what the letters stand for.
        cases: in their order.
        question: accepted, or best.
    """
    models = list(key.models)
    sums, counts = np.zeros((len(cases), len(models))), np.zeros(len(cases))
    for rating in judged:
        place = cases.index(rating.case)
        counts[place] += 1
        best = [rating.best] if rating.best else []
        chosen = rating.accepted_letters if question == ACCEPTED else best
        for letter in chosen:
            sums[place, models.index(key.model_of[rating.case, letter])] += 1
    found: np.ndarray = sums / counts[:, None]
    return found
