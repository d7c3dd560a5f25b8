"""The paper's choice of a model in two stages: the best existing one, then the best loss for it.

Both stages look at the test set, so the score of the model chosen is optimistic, the more so the
closer the candidates are. ``chosen_share`` says how firm each choice is: in what share of resampled
test sets the same rule picks the same model; single scans are drawn, as if they were
independent, so that the choice looks firmer than it is where several are of one participant or site.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from headct.contracts.declarations import PublishedStatistic
from headct.contracts.labels import LabelSet
from headct.statistics.core.resampling import N_RESAMPLES, means_of_resamples
from headct.statistics.core.scores import FAMILY
from headct.statistics.core.summaries import dice_by_scan

SELECTION = PublishedStatistic(
    name="selection",
    help="which model the paper's way of choosing would choose here, and how firmly if scans are independent",
    step="claims",
    columns="stage model mean rank chosen chosen_share published_mean published_rank published_chosen note",
    keys="model stage rank",
)


def selection_table(scans: pd.DataFrame, stages: pd.DataFrame, labels: LabelSet) -> pd.DataFrame:
    """Rank the candidates of each stage by the mean of the lesions' mean Dice.

    Args:
        scans: what :func:`headct.statistics.core.scores.mean_over_seeds` gives.
        stages: :func:`headct.settings.published.selection`: stage model published_mean.
        labels: the lesions that count.

    Columns: stage model mean rank chosen chosen_share published_mean published_rank
    published_chosen note. Ties share the better rank and are all chosen.
    """
    family = scans[scans["role"] == FAMILY]
    scores = {model: dice.to_numpy().mean(axis=1) for model, dice in dice_by_scan(family, labels).items()}
    tables = [_stage(candidates, scores) for _, candidates in stages.groupby("stage", sort=False)]
    table = pd.concat(tables, ignore_index=True)
    first, second = (set(rows["model"]) for _, rows in stages.groupby("stage", sort=False))
    tuned = first & second  # the network for which losses were tried
    best = set(table.loc[(table["stage"] == table["stage"].min()) & table["chosen"].eq("yes"), "model"])
    if best and not best & tuned:
        late = table["stage"] > table["stage"].min()
        note = f"losses were tried on {', '.join(sorted(tuned))}, which stage 1 does not choose here"
        table.loc[late & table["note"].eq(""), "note"] = note
    return table[SELECTION.header]


def _stage(candidates: pd.DataFrame, scores: dict[str, np.ndarray]) -> pd.DataFrame:
    table = candidates.copy()
    table["published_rank"] = table["published_mean"].rank(ascending=False, method="min")
    table["published_chosen"] = np.where(table["published_rank"] == 1, "yes", "no")
    run = [model for model in table["model"] if model in scores]
    table["mean"] = [scores[model].mean() if model in scores else np.nan for model in table["model"]]
    table["rank"] = table["mean"].rank(ascending=False, method="min")
    table["chosen"] = np.where(table["rank"] == 1, "yes", "no")
    table["note"] = ["" if model in scores else "model not run" for model in table["model"]]
    table["chosen_share"] = np.nan
    if run:
        values = np.column_stack([scores[model] for model in run])
        means = means_of_resamples(values)
        best = np.isclose(means, means.max(axis=1, keepdims=True), rtol=0, atol=1e-12)
        shares = best.sum(axis=0) / N_RESAMPLES
        table.loc[table["model"].isin(run), "chosen_share"] = shares
    return table
