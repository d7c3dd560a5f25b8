"""The study's comparison of models: Kruskal-Wallis, then Dunn with false-discovery-rate correction.

It treats models scored on the same scans as independent groups, as the paper did. That costs power
(DESIGN, "Statistics"); it is here because it is what was published. Only the family is ranked.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
import scikit_posthocs
from scipy import stats

from headct.labels import LABELS
from headct.statistics.scores import FAMILY

DUNN_COLUMNS = (
    *("label", "model_a", "model_b", "n_a", "n_b", "mean_rank_a", "mean_rank_b"),
    *("z", "p", "p_adjusted", "note"),
)

Groups = Mapping[str, np.ndarray]
"""Values of each group, in the order in which pairs are listed."""


@dataclass(frozen=True)
class KruskalWallis:
    """H with ties corrected, degrees of freedom and p; NaN where undefined."""

    h: float
    df: int
    p: float
    note: str = ""


def kruskal_wallis(groups: Groups) -> KruskalWallis:
    """Kruskal WH, Wallis WA. J Am Stat Assoc 1952;47:583-621. Groups without values are left out."""
    filled = _filled(groups)
    note = _why_undefined(filled)
    df = max(len(filled) - 1, 0)
    if note:
        return KruskalWallis(math.nan, df, math.nan, note)
    h, p = stats.kruskal(*filled.values())
    return KruskalWallis(float(h), df, float(p), _left_out(groups))


def dunn(groups: Groups) -> pd.DataFrame:
    """Dunn's test of all pairs of groups, two-sided, Benjamini-Hochberg over the pairs.

    Dunn OJ. Technometrics 1964;6:241-252, by scikit-posthocs, ties corrected; the correction is
    monotone (as R's ``p.adjust``, FSA and rstatix; unlike ``dunn.test``).

    Columns: group_a group_b n_a n_b mean_rank_a mean_rank_b z p p_adjusted note; z is positive
    where group a ranks higher. Undefined values are NaN, with the reason in ``note``.
    """
    filled = _filled(groups)
    why_none = _why_undefined(filled)
    pooled = pd.DataFrame(
        [(name, value) for name, values in filled.items() for value in values],
        columns=["group", "value"],
    )
    mean_ranks = pooled["value"].rank().groupby(pooled["group"]).mean()
    if not why_none:
        p_of = scikit_posthocs.posthoc_dunn(pooled, val_col="value", group_col="group")
    rows = []
    for a, b in combinations(groups, 2):
        empty = [name for name in (a, b) if name not in filled]
        note = f"{' and '.join(empty)}: no values" if empty else why_none
        p = math.nan if note else float(p_of.loc[a, b])
        rank_a, rank_b = (float(mean_ranks.get(name, math.nan)) for name in (a, b))
        rows.append(
            {
                "group_a": a,
                "group_b": b,
                "n_a": len(groups[a]),
                "n_b": len(groups[b]),
                "mean_rank_a": rank_a,
                "mean_rank_b": rank_b,
                "z": math.copysign(float(stats.norm.isf(p / 2)), rank_a - rank_b),
                "p": p,
                "p_adjusted": math.nan,
                "note": note,
            }
        )
    table = pd.DataFrame(rows)
    if rows:
        tested = table["p"].notna()
        table.loc[tested, "p_adjusted"] = benjamini_hochberg(table.loc[tested, "p"].to_numpy())
    return table


def benjamini_hochberg(p: np.ndarray) -> np.ndarray:
    """Adjusted p values, monotone. Benjamini Y, Hochberg Y. J R Stat Soc B 1995;57:289-300."""
    adjusted: np.ndarray = stats.false_discovery_control(p, method="bh") if len(p) else p
    return adjusted


def kruskal_wallis_table(scans: pd.DataFrame) -> pd.DataFrame:
    """Dice of the family compared, per label: label h df p n_models n_scans note."""
    rows = []
    for label, groups in _dice_of_family(scans).items():
        result = kruskal_wallis(groups)
        rows.append(
            {
                "label": label,
                "h": result.h,
                "df": result.df,
                "p": result.p,
                "n_models": len(groups),
                "n_scans": max((len(values) for values in groups.values()), default=0),
                "note": result.note,
            }
        )
    return pd.DataFrame(rows)


def dunn_table(scans: pd.DataFrame) -> pd.DataFrame:
    """All pairs of the family, per label; corrected within each label (45 pairs of ten models).

    Columns: label model_a model_b n_a n_b mean_rank_a mean_rank_b z p p_adjusted note.
    """
    tables = [
        dunn(groups).rename(columns={"group_a": "model_a", "group_b": "model_b"}).assign(label=label)
        for label, groups in _dice_of_family(scans).items()
    ]
    filled = [table for table in tables if not table.empty]
    if not filled:
        return pd.DataFrame(columns=list(DUNN_COLUMNS))
    return pd.concat(filled, ignore_index=True)[list(DUNN_COLUMNS)]


def _dice_of_family(scans: pd.DataFrame) -> dict[str, dict[str, np.ndarray]]:
    family = scans[scans["role"] == FAMILY]
    models = list(dict.fromkeys(family["model"]))
    return {
        label: {
            model: family.loc[(family["model"] == model) & (family["label"] == label), "dice"].to_numpy()
            for model in models
        }
        for label in LABELS
    }


def _filled(groups: Groups) -> dict[str, np.ndarray]:
    return {name: np.asarray(values, float) for name, values in groups.items() if len(values)}


def _left_out(groups: Groups) -> str:
    empty = [name for name, values in groups.items() if not len(values)]
    return f"left out, no values: {', '.join(empty)}" if empty else ""


def _why_undefined(filled: Groups) -> str:
    if len(filled) < 2:
        return f"a comparison needs 2 groups, there are {len(filled)}"
    pooled = np.concatenate(list(filled.values()))
    if not np.isfinite(pooled).all():
        raise ValueError("values are not all finite")
    if len(pooled) < 3:
        return f"ranks of {len(pooled)} values cannot differ"
    if np.ptp(pooled) == 0:
        return "all values are equal"
    return ""
