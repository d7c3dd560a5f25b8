"""The study's comparison of models: Kruskal-Wallis, then Dunn with false-discovery-rate correction.

It treats models scored on the same scans as independent groups, as the paper did. That costs power;
it is here because it is what was published. Only the family is ranked.

The paper does not name the R package that ran Dunn's test, and the two common ones differ. FSA (and
rstatix, and this module by default) gives two-sided p values, adjusted as by R's ``p.adjust``.
``dunn.test`` 1.3 prints one-sided p values, to be judged at alpha / 2, times m / rank and no more: its
adjusted p can fall as p rises. Its asterisks, but not its numbers, restore the order.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
import scipy

from headct.contracts.declarations import MadeOf, PublishedStatistic
from headct.contracts.labels import LabelSet
from headct.statistics.core.scores import FAMILY

KRUSKAL_WALLIS = PublishedStatistic(
    name="kruskal_wallis",
    help="whether Dice differs between the compared models at all",
    step="statistics",
    columns="label h df p n_models n_scans note",
    keys="label",
)

DUNN = PublishedStatistic(
    name="dunn",
    help="Dunn's test of each pair of compared models",
    step="statistics",
    columns="label model_a model_b n_a n_b mean_rank_a mean_rank_b z p p_adjusted p_adjusted_dunn_test"
    " decision_changes_under note",
    keys="model_a model_b label",
    made_of=(MadeOf(models="all compared"),),
)

ALPHA = 0.05

FLAVOURS: dict[str, tuple[str, float]] = {
    "default": ("p_adjusted", ALPHA),
    "dunn.test": ("p_adjusted_dunn_test", ALPHA / 2),
    "dunn.test read at .05": ("p_adjusted_dunn_test", ALPHA),
}
"""Ways to judge a pair: the column, and the level below which (in it, for dunn.test) models differ.

The last one is a reader's mistake that "P < .05" invites, since ``dunn.test`` prints one-sided p.
"""

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
    h, p = scipy.stats.kruskal(*filled.values())
    return KruskalWallis(float(h), df, float(p), _left_out(groups))


def dunn(groups: Groups) -> pd.DataFrame:
    """Dunn's test of all pairs of groups, two-sided, Benjamini-Hochberg over the pairs.

    Dunn OJ. Technometrics 1964;6:241-252, by scikit-posthocs, ties corrected; the correction is
    monotone (as R's ``p.adjust``, FSA and rstatix; unlike ``dunn.test``).

    Columns: group_a group_b n_a n_b mean_rank_a mean_rank_b z p p_adjusted p_adjusted_dunn_test
    decision_changes_under note; z is positive where group a ranks higher. ``p_adjusted_dunn_test`` is
    what R's ``dunn.test(method = "bh")`` prints, and ``decision_changes_under`` names the flavours
    (:data:`FLAVOURS`) that decide otherwise than the default. Undefined values are NaN, with the
    reason in ``note``.
    """
    filled = _filled(groups)
    why_none = _why_undefined(filled)
    pooled = pd.DataFrame(
        [(name, value) for name, values in filled.items() for value in values],
        columns=["group", "value"],
    )
    mean_ranks = pooled["value"].rank().groupby(pooled["group"]).mean()
    if not why_none:
        import scikit_posthocs  # with seaborn, which takes half a second that no other job needs

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
                "z": math.copysign(float(scipy.stats.norm.isf(p / 2)), rank_a - rank_b),
                "p": p,
                "p_adjusted": math.nan,
                "p_adjusted_dunn_test": math.nan,
                "decision_changes_under": "",
                "note": note,
            }
        )
    table = pd.DataFrame(rows)
    if rows:
        tested = table["p"].notna()
        table.loc[tested, "p_adjusted"] = benjamini_hochberg(table.loc[tested, "p"].to_numpy())
        # dunn.test lists pairs by the names of its groups; of equal p, the later one ranks lower.
        first, second = table["group_a"], table["group_b"]
        listed = sorted(table.index[tested], key=lambda i: sorted((first[i], second[i]), reverse=True))
        table.loc[listed, "p_adjusted_dunn_test"] = bh_without_monotonicity(
            table.loc[listed, "p"].to_numpy() / 2
        )
        default = differs(table, "default")
        for flavour in list(FLAVOURS)[1:]:
            changed = table.index[differs(table, flavour) != default]
            table.loc[changed, "decision_changes_under"] = [
                f"{earlier}; {flavour}" if earlier else flavour
                for earlier in table.loc[changed, "decision_changes_under"]
            ]
    return table


def differs(pairs: pd.DataFrame, flavour: str) -> pd.Series:
    """Whether each pair of a table of Dunn's test differs, under one of :data:`FLAVOURS`."""
    column, level = FLAVOURS[flavour]
    return pairs[column] < level if column == "p_adjusted" else pairs[column] <= level


def benjamini_hochberg(p: np.ndarray) -> np.ndarray:
    """Adjusted p values, monotone. Benjamini Y, Hochberg Y. J R Stat Soc B 1995;57:289-300."""
    adjusted: np.ndarray = scipy.stats.false_discovery_control(p, method="bh") if len(p) else p
    return adjusted


def bh_without_monotonicity(p: np.ndarray) -> np.ndarray:
    """p · m / rank, at most 1, as R's ``dunn.test`` 1.3.5 adjusts; of equal p, the later ranks lower."""
    m = len(p)
    rank = np.empty(m)
    rank[np.argsort(-p, kind="stable")] = np.arange(m, 0, -1)
    adjusted: np.ndarray = np.minimum(1, p * m / rank)
    return adjusted


def kruskal_wallis_table(scans: pd.DataFrame, labels: LabelSet) -> pd.DataFrame:
    """Dice of the family compared, per label: label h df p n_models n_scans note."""
    rows = []
    for label, groups in _dice_of_family(scans, labels).items():
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


def dunn_table(scans: pd.DataFrame, labels: LabelSet) -> pd.DataFrame:
    """All pairs of the family, per label; corrected within each label (45 pairs of ten models).

    Columns: :data:`DUNN`, described at :func:`dunn`.
    """
    tables = [
        dunn(groups).rename(columns={"group_a": "model_a", "group_b": "model_b"}).assign(label=label)
        for label, groups in _dice_of_family(scans, labels).items()
    ]
    filled = [table for table in tables if not table.empty]
    if not filled:
        return pd.DataFrame(columns=DUNN.header)
    return pd.concat(filled, ignore_index=True)[DUNN.header]


def _dice_of_family(scans: pd.DataFrame, labels: LabelSet) -> dict[str, dict[str, np.ndarray]]:
    family = scans[scans["role"] == FAMILY]
    models = list(dict.fromkeys(family["model"]))

    def dice(model: str, label: str) -> np.ndarray:
        return family.loc[(family["model"] == model) & (family["label"] == label), "dice"].to_numpy()

    return {label: {model: dice(model, label) for model in models} for label in labels}


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
    if len(pooled) == len(filled):
        return "each group has one value, so its ranks tell nothing"
    if np.ptp(pooled) == 0:
        return "all values are equal"
    return ""
