"""Training against test set (Table 2): summaries, the study's tests, standardised differences.

Each characteristic is tested as the paper says, chi-squared for shares and the independent t test
for means; the Mann-Whitney test, which it does not name, stands by the medians. Age and sex count
each participant once (by the first scan), everything else each scan. Lesion volumes are those of
the scans that have the lesion, as printed in the paper.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy

from headct.contracts.declarations import MadeOf, PublishedStatistic
from headct.contracts.labels import LabelSet
from headct.contracts.problems import BadInput, Problem
from headct.contracts.sets import SETS
from headct.statistics.core.summaries import describe

COHORT_TESTS = PublishedStatistic(
    name="cohort_tests",
    help="training against test set: Table 2 in numbers",
    step="statistics",
    columns="characteristic statistic train_n train_count train_percent train_mean train_sd train_min"
    " train_max train_median train_q1 train_q3 test_n test_count test_percent test_mean test_sd test_min"
    " test_max test_median test_q1 test_q3 test_name value df p smd note",
    keys="characteristic statistic",
    made_of=(MadeOf(rows="cohort"),),
)

COUNT, SHARE, MEAN_SD, MEDIAN_IQR = "n", "n (%)", "mean (SD) range", "median (IQR)"
"""Kinds of rows, as ``resources/published/table2_cohort.tsv`` names them."""


@dataclass(frozen=True)
class TestResult:
    """One two-sample test; NaN where undefined, with the reason in ``note``."""

    __test__ = False  # not a class of tests, whatever pytest makes of the name

    name: str
    value: float = math.nan
    df: float = math.nan
    p: float = math.nan
    note: str = ""


def cohort_of_split(
    cohort: pd.DataFrame, split: pd.DataFrame, true_ages: Mapping[str, float | None]
) -> pd.DataFrame:
    """Included scans with their ``set``, and with their true ages, by scan, for the cohort's capped ones.

    Raises:
        BadInput: scans of the split that the cohort does not have.
    """
    absent = sorted(set(split["scan_id"]) - set(cohort["scan_id"]))
    if absent:
        message = "scan of the split is not in the cohort"
        raise BadInput([Problem("--split", message, key="scan_id", value=scan) for scan in absent])
    scans = cohort.merge(split[["scan_id", "set"]], on="scan_id", how="inner")
    return scans.assign(age=scans["scan_id"].map(true_ages).astype(float))


@dataclass(frozen=True)
class Characteristic:
    """What a row of Table 2 is about: ``values`` are scan_id, set and the known ``value`` of each.

    The value of a share is whether it is so; those of age and sex are of each participant's first scan.
    """

    name: str
    statistic: str
    values: pd.DataFrame

    def of_sets(self) -> dict[str, np.ndarray]:
        """The values, as numbers, of the training and the test set."""
        return by_set(self.values, "value")


def characteristics(scans: pd.DataFrame, labels: LabelSet) -> list[Characteristic]:
    """Those of Table 2, in its order, from one row per scan: as :func:`cohort_tests` takes them."""
    participants = scans.drop_duplicates("participant_id")
    known_sex = participants[participants["sex"].notna()]
    found: list[tuple[str, str, pd.DataFrame, Any]] = [
        ("participants", COUNT, participants, 1.0),
        ("scans", COUNT, scans, 1.0),
        ("age_years", MEAN_SD, participants, participants["age"]),
        ("sex_men", SHARE, known_sex, known_sex["sex"] == "M"),
        ("sex_women", SHARE, known_sex, known_sex["sex"] == "F"),
        ("onset_to_ct_hours", MEDIAN_IQR, scans, scans["onset_to_ct_h"]),
    ]
    for label in labels:
        present = scans[scans[f"{label}_ml"] > 0]
        found.append((label, SHARE, scans, scans[f"{label}_ml"] > 0))
        for statistic in (MEDIAN_IQR, MEAN_SD):
            found.append((f"{label}_volume_ml", statistic, present, present[f"{label}_ml"]))
    return [
        Characteristic(name, statistic, of[["scan_id", "set"]].assign(value=value).dropna(subset="value"))
        for name, statistic, of, value in found
    ]


def cohort_tests(scans: pd.DataFrame, labels: LabelSet) -> pd.DataFrame:
    """Table 2 in numbers.

    Takes one row per scan: participant_id set age sex onset_to_ct_h and each lesion's ``…_ml``.

    Columns: those of :data:`COHORT_TESTS`; ``{set}_n`` counts those that have a value.
    """
    rows = []
    for one in characteristics(scans, labels):
        row: dict[str, object] = {"characteristic": one.name, "statistic": one.statistic}
        if one.statistic == COUNT:
            row |= {f"{name}_n": len(values) for name, values in one.of_sets().items()}
        elif one.statistic == SHARE:
            row |= _share_cells(one.of_sets())
        else:
            row |= _quantity_cells(one.statistic, one.of_sets())
        if one.name == "sex_women":  # the test of one sex is that of the other; it is told once, as in print
            row |= {"test_name": "", "value": math.nan, "df": math.nan, "p": math.nan, "note": ""}
        rows.append(row)
    return pd.DataFrame(rows).reindex(columns=COHORT_TESTS.header)


def chi_squared(hits: tuple[int, int], totals: tuple[int, int]) -> TestResult:
    """Pearson's chi-squared test of two shares, with Yates' correction (R: ``chisq.test``)."""
    name = "chi-squared (Yates)"
    table = np.array([hits, np.subtract(totals, hits)])
    if min(totals) == 0:
        return TestResult(name, note="a set has no values")
    if (table.sum(axis=1) == 0).any():
        return TestResult(name, note="all or none in both sets")
    result = scipy.stats.chi2_contingency(table, correction=True)
    return TestResult(name, float(result.statistic), float(result.dof), float(result.pvalue))


def independent_t(a: np.ndarray, b: np.ndarray) -> TestResult:
    """Student's t test with equal variances (R: ``t.test(a, b, var.equal = TRUE)``)."""
    name = "independent t"
    if min(len(a), len(b)) < 2:
        return TestResult(name, note="a set has fewer than 2 values")
    if np.ptp(a) == 0 and np.ptp(b) == 0:
        return TestResult(name, note="no variance")
    result = scipy.stats.ttest_ind(a, b)
    return TestResult(name, float(result.statistic), float(result.df), float(result.pvalue))


def mann_whitney(a: np.ndarray, b: np.ndarray) -> TestResult:
    """Mann-Whitney U, normal approximation, ties and continuity corrected.

    R: ``wilcox.test(a, b, exact = FALSE)``; the value is U of ``a``, R's W.
    """
    name = "Mann-Whitney"
    if min(len(a), len(b)) == 0:
        return TestResult(name, note="a set has no values")
    if np.ptp(np.concatenate([a, b])) == 0:
        return TestResult(name, note="all values are equal")
    result = scipy.stats.mannwhitneyu(a, b, method="asymptotic", use_continuity=True)
    return TestResult(name, float(result.statistic), math.nan, float(result.pvalue))


def smd_of_means(a: np.ndarray, b: np.ndarray) -> float:
    """Standardised difference, (mean a − mean b) / √((var a + var b) / 2); NaN where undefined.

    Austin PC. Stat Med 2009;28:3083-3107, doi:10.1002/sim.3697.
    """
    if min(len(a), len(b)) < 2:
        return math.nan
    scale = math.sqrt((a.var(ddof=1) + b.var(ddof=1)) / 2)
    return float(a.mean() - b.mean()) / scale if scale > 0 else math.nan


def smd_of_shares(hits: tuple[int, int], totals: tuple[int, int]) -> float:
    """Standardised difference of two shares (Austin 2009); NaN where undefined."""
    if min(totals) == 0:
        return math.nan
    share_a, share_b = (hit / total for hit, total in zip(hits, totals, strict=True))
    scale = math.sqrt((share_a * (1 - share_a) + share_b * (1 - share_b)) / 2)
    return (share_a - share_b) / scale if scale > 0 else math.nan


def by_set(table: pd.DataFrame, column: str) -> dict[str, np.ndarray]:
    """The known values of a column, as numbers, for the training and the test set."""
    values = table.dropna(subset=[column])
    return {name: values.loc[values["set"] == name, column].to_numpy(dtype=float) for name in SETS}


def _share_cells(hits: dict[str, np.ndarray]) -> dict[str, object]:
    counts = int(hits["train"].sum()), int(hits["test"].sum())
    totals = len(hits["train"]), len(hits["test"])
    cells: dict[str, object] = {}
    for name, count, total in zip(SETS, counts, totals, strict=True):
        cells[f"{name}_n"] = total
        cells[f"{name}_count"] = count
        cells[f"{name}_percent"] = 100 * count / total if total else math.nan
    return {**cells, **_test_cells(chi_squared(counts, totals)), "smd": smd_of_shares(counts, totals)}


def _quantity_cells(statistic: str, values: dict[str, np.ndarray]) -> dict[str, object]:
    cells: dict[str, object] = {}
    for name, array in values.items():
        cells[f"{name}_n"] = len(array)
        cells |= {f"{name}_{key}": value for key, value in describe(array).items()}
        cells[f"{name}_sd"] = float(array.std(ddof=1)) if len(array) > 1 else math.nan
        cells[f"{name}_min"] = float(array.min()) if len(array) else math.nan
        cells[f"{name}_max"] = float(array.max()) if len(array) else math.nan
    train, test = values["train"], values["test"]
    result = independent_t(train, test) if statistic == MEAN_SD else mann_whitney(train, test)
    return {**cells, **_test_cells(result), "smd": smd_of_means(train, test)}


def _test_cells(result: TestResult) -> dict[str, object]:
    return {
        "test_name": result.name,
        "value": result.value,
        "df": result.df,
        "p": result.p,
        "note": result.note,
    }
