"""Lesion size and Dice: Spearman's rank correlation, over the scans that have the lesion.

Small lesions score low for geometric reasons alone, so two test sets of different sizes are not
comparable by their Dice. P and interval take scans as independent: where several are of one participant
or site, the interval is too narrow and P too small.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import scipy

from headct.contracts.declarations import MadeOf, PublishedStatistic
from headct.statistics.core.summaries import by_model_and_label

LESION_SIZE = PublishedStatistic(
    name="lesion_size",
    help="rank correlation of Dice with the lesion's volume, scans as if independent",
    step="statistics",
    columns="model role label n rho lower upper p note",
    keys="model label",
    made_of=(MadeOf(scans="with lesion"),),
)


def spearman(x: np.ndarray, y: np.ndarray) -> dict[str, float | str]:
    """Rank correlation with p (t approximation, ties allowed) and 95 % interval: rho lower upper p note.

    R: ``cor.test(x, y, method = "spearman", exact = FALSE)``. The interval is that of Bonett DG,
    Wright TA. Psychometrika 2000;65:23-28: variance (1 + rho²/2) / (n − 3) on Fisher's scale.
    """
    nothing = dict.fromkeys(("rho", "lower", "upper", "p"), math.nan)
    if len(x) < 3:
        return {**nothing, "note": f"a rank correlation needs 3 scans, there are {len(x)}"}
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return {**nothing, "note": "all values are equal: no rank correlation"}
    rho, p = map(float, scipy.stats.spearmanr(x, y))
    if len(x) < 4 or math.isclose(abs(rho), 1):
        why = "needs 4 scans" if len(x) < 4 else f"is undefined at a correlation of {rho:g}"
        return {**nothing, "rho": rho, "p": p, "note": f"the interval {why}"}
    half = float(scipy.stats.norm.ppf(0.975)) * math.sqrt((1 + rho**2 / 2) / (len(x) - 3))
    z = math.atanh(rho)
    return {"rho": rho, "lower": math.tanh(z - half), "upper": math.tanh(z + half), "p": p, "note": ""}


def lesion_size_table(scans: pd.DataFrame) -> pd.DataFrame:
    """Per model × label: model role label n rho lower upper p note."""
    rows = []
    for name, values in by_model_and_label(scans):
        present = values[values["reference_ml"] > 0]
        found = spearman(present["reference_ml"].to_numpy(), present["dice"].to_numpy())
        rows.append({**name, "n": len(present), **found})
    return pd.DataFrame(rows)
