"""Published numbers beside this run's, with an interval that says whether chance explains the gap.

Two studies that measure the same thing in different scans differ by chance alone with a standard
error of √(SE_ours² + SE_published²). The paper prints no standard errors; its own is taken from ours,
scaled by the numbers of scans: SE_published = SE_ours · √(n_ours / n_published). An interval that holds
0 is what a replication looks like (it is no proof that both are equal). Cumming G. Psychol Methods
2008;3:286-300 on what a replication may be expected to give.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import scipy

from headct.statistics.core.agreement import LIMITS_SD, as_published

Z = 1.96

KEY = ["table", "item", "label", "quantity"]

COLUMNS = (
    *KEY,
    "published",
    "reproduced",
    "difference",
    "lower",
    "upper",
    "outside",
    "outside_family",
    "se_reproduced",
    "se_published",
    "n_published",
    "n_reproduced",
    "note",
)

DICE_QUANTITIES = ("mean", "median", "q1", "q3")
COHORT_QUANTITIES = ("n", "count", "percent", "mean", "sd", "min", "max", "median", "q1", "q3")


def replication(published: pd.DataFrame, statistics: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Every published number with the one of this run, difference and replication interval.

    Args:
        published: :func:`headct.settings.published.numbers`.
        statistics: ``dice_summary``, ``agreement`` and ``cohort_tests``.

    Columns: table item label quantity; published reproduced; difference (reproduced − published) with
    the ends of its interval; outside (yes: 0 lies outside the 95 % interval); outside_family (the same with
    Bonferroni's correction over all intervals); standard errors; n of either; note. Numbers without
    a standard error (counts, extremes, P, quartiles at a tie) have no interval, and say so.
    """
    ours = pd.concat(
        [
            _from_dice(statistics["dice_summary"]),
            _from_agreement(statistics["agreement"]),
            _from_cohort(statistics["cohort_tests"]),
        ],
        ignore_index=True,
    )
    table = published.merge(ours, on=KEY, how="left", validate="one_to_one")
    run = set(statistics["dice_summary"]["model"])
    table["difference"] = table["reproduced"] - table["published"]
    table["se_published"] = table["se_reproduced"] * np.sqrt(table["n_reproduced"] / table["n_published"])
    spread = np.hypot(table["se_reproduced"], table["se_published"])
    table["lower"], table["upper"] = table["difference"] - Z * spread, table["difference"] + Z * spread
    tested = ~np.isnan(spread)
    family_z = scipy.stats.norm.isf(0.025 / max(int(tested.sum()), 1))
    for column, z in (("outside", Z), ("outside_family", family_z)):
        outside = table["difference"].abs() > z * spread
        table[column] = np.where(tested, np.where(outside, "yes", "no"), "")
    table["note"] = [_note(row, run) for row in table.to_dict("records")]
    return table[list(COLUMNS)]


def family_words(table: pd.DataFrame) -> str:
    """How many intervals there are, how many miss 0, and how many would by chance."""
    tested = table[table["outside"] != ""]
    if tested.empty:
        return "No number has a replication interval."
    missing, corrected = ((tested[name] == "yes").sum() for name in ("outside", "outside_family"))
    return (
        f"{len(tested)} numbers have a replication interval; {missing} of these do not hold 0 (about"
        f" {0.05 * len(tested):.0f} would by chance if all were replicated), {corrected} with Bonferroni's"
        " correction over all of them. The numbers are not independent: models share their scans."
    )


def _note(row: Mapping[Hashable, Any], run: set[str]) -> str:
    if row["table"] != "Table 2" and row["item"] not in run:
        why = "model not run"
    elif not np.isnan(row["reproduced"]) and np.isnan(row["lower"]):
        why = "no interval"
    else:
        why = ""
    return "; ".join(filter(None, [why, row["note"]]))


def _from_dice(summary: pd.DataFrame) -> pd.DataFrame:
    rows = [
        ("Table 1", row["model"], row["label"], name, row[name], row.get(f"{name}_se", np.nan), row["n"])
        for row in summary.to_dict("records")
        for name in DICE_QUANTITIES
    ]
    return _as_table(rows)


def _from_agreement(agreement: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for row in as_published(agreement).to_dict("records"):
        n, sd = row["n"], row["sd_ml"]
        se_of_bias = sd / np.sqrt(n) if sd > 0 else np.nan
        se_of_limit = sd * np.sqrt(1 / n + LIMITS_SD**2 / (2 * (n - 1))) if sd > 0 else np.nan
        standard_errors = {
            "ccc": row["ccc_se"],
            "bias_ml": se_of_bias,
            "loa_lower_ml": se_of_limit,
            "loa_upper_ml": se_of_limit,
        }
        rows += [
            ("Agreement", row["model"], row["label"], name, row[name], se, n)
            for name, se in standard_errors.items()
        ]
    return _as_table(rows)


def _from_cohort(cohort_tests: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for row in cohort_tests.to_dict("records"):
        item = f"{row['characteristic']}, {row['statistic']}"
        rows += [
            ("Table 2", item, group, name, row[f"{group}_{name}"], row.get(f"{group}_{name}_se", np.nan), n)
            for group, n in (("train", row["train_n"]), ("test", row["test_n"]))
            for name in COHORT_QUANTITIES
        ]
        # As in print, the test of a lesion's share is told with it.
        rows.append(("Table 2", item, "", "p", row["p"], np.nan, np.nan))
    return _as_table(rows)


def _as_table(rows: list[tuple[Any, ...]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=[*KEY, "reproduced", "se_reproduced", "n_reproduced"])
