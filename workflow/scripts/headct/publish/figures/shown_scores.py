"""Which scores a figure shows, and the words that say so."""

from __future__ import annotations

import pandas as pd

from headct.contracts.no_prediction import reasons_in_words
from headct.statistics.core import scores as statistics_scores


def first_seed(scores: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """The scores of each model's first seed, and the words that say so where there are more.

    A figure shows networks, not averages of networks: a mean over seeds would hide how often a
    Dice is exactly 0 or 1.
    """
    n_seeds = int(scores.groupby("model")["seed"].nunique().max())
    words = f"First of {n_seeds} seeds." if n_seeds > 1 else ""
    return statistics_scores.first_seed(scores), words


def failure_words(scores: pd.DataFrame, consequence: str) -> str:
    """Words on the predictions that are missing, if any: how many, and what the figure does with them."""
    missing = scores[scores["failure"] != ""].drop_duplicates(["model", "scan_id"])
    if missing.empty:
        return ""
    return f"Predictions missing: {reasons_in_words(list(missing['failure']))}; {consequence}."


def ranked(scores: pd.DataFrame, model: str, best: bool, n: int, rank_by: str = "dice") -> pd.Series:
    """Mean Dice over the lesions of the ``n`` best (or worst) scans by ``model``, in that order.

    Dice as in the metrics table (1 where a lesion is in neither mask), or, with ``rank_by``
    ``dice_present``, over the lesions that the reference has; scans without any are then left out.
    Scans without a prediction are left out: there is nothing to look at. Ties are broken by scan id.

    Args:
        scores: the metrics table.
        model: by whose Dice scans are ranked.
        best: whether the best come, not the worst.
        n: how many.
        rank_by: ``dice`` or ``dice_present``.
    """
    own = scores[(scores["model"] == model) & (scores["failure"] == "")]
    if rank_by == "dice_present":
        own = own[own["reference_ml"] > 0]
    mean_dice = own.groupby("scan_id")["dice"].mean().dropna().sort_index()
    return mean_dice.sort_values(ascending=not best, kind="stable").head(n)
