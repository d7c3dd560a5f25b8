"""Training against test set (Table 2): the tests against R, who counts, and degenerate cohorts."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from headct.contracts.problems import BadInput
from headct.statistics.replication.cohort_tests import (
    chi_squared,
    cohort_of_split,
    cohort_tests,
    independent_t,
    mann_whitney,
    smd_of_means,
    smd_of_shares,
)
from support.label_sets import LABELS
from support.simulated_scores import cohort

FIXTURES = Path(__file__).parents[1] / "fixtures"


def test_chi_squared_on_the_papers_sexes() -> None:
    # R: chisq.test(matrix(c(872, 686, 102, 72), 2)); the paper prints P = .56
    result = chi_squared((872, 102), (1558, 174))
    assert result.p == pytest.approx(0.556, abs=5e-4)
    assert result.df == 1


def test_independent_t_on_student_sleep() -> None:
    # R: t.test(extra ~ group, data = sleep, var.equal = TRUE): t = -1.8608, df = 18, p = 0.07919
    # Student. Biometrika 1908;6:1-25.
    a = np.array([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0])
    b = np.array([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4])
    result = independent_t(a, b)
    assert (result.value, result.df) == (pytest.approx(-1.8608, abs=5e-5), 18)
    assert result.p == pytest.approx(0.07919, abs=5e-6)


def test_mann_whitney_on_air_quality(ozone: dict[str, np.ndarray]) -> None:
    # R: wilcox.test(Ozone ~ Month, data = airquality, subset = Month %in% c(5, 8)):
    # W = 127.5, p-value = 0.0001208
    result = mann_whitney(ozone["5"], ozone["8"])
    assert result.value == 127.5
    assert result.p == pytest.approx(0.0001208, abs=5e-8)


def test_standardised_differences() -> None:
    assert smd_of_means(np.array([1.0, 3.0]), np.array([0.0, 2.0])) == pytest.approx(1 / math.sqrt(2))
    assert smd_of_shares((5, 1), (10, 10)) == pytest.approx(0.4 / math.sqrt((0.25 + 0.09) / 2))
    assert math.isnan(smd_of_means(np.ones(3), np.ones(3)))
    assert math.isnan(smd_of_shares((3, 3), (3, 3)))


@pytest.mark.parametrize("n_test", [0, 1])
def test_cohort_of_nearly_nothing_says_why(n_test: int) -> None:
    table = cohort_tests(cohort(n_train=4, n_test=n_test).assign(IVH_ml=0.0, age=70.0), LABELS)
    by_name = table.set_index(["characteristic", "statistic"])
    assert by_name.loc[("participants", "n"), "test_n"] == n_test
    untested = table[table["test_name"].fillna("").ne("") & table["p"].isna()]
    assert len(untested) >= 6
    assert untested["note"].ne("").all()


def test_participants_count_once_and_scans_each() -> None:
    scans = cohort(n_train=20, n_test=10)
    again = scans.assign(scan_id=scans["scan_id"] + "b")
    table = cohort_tests(pd.concat([scans, again]), LABELS).set_index(["characteristic", "statistic"])
    assert table.loc[("participants", "n"), ["train_n", "test_n"]].to_list() == [20, 10]
    assert table.loc[("scans", "n"), ["train_n", "test_n"]].to_list() == [40, 20]
    assert table.loc[("age_years", "mean (SD) range"), "train_n"] == 20
    assert table.loc[("ICH_volume_ml", "median (IQR)"), "train_n"] == 40


def test_unknown_age_and_sex_are_left_out_of_their_counts() -> None:
    scans = cohort()
    scans.loc[[0, 12], ["age", "sex"]] = [None, None]
    table = cohort_tests(scans, LABELS).set_index(["characteristic", "statistic"])
    assert table.loc[("age_years", "mean (SD) range"), ["train_n", "test_n"]].to_list() == [11, 5]
    assert table.loc[("sex_men", "n (%)"), ["train_n", "test_n"]].to_list() == [11, 5]


def test_split_and_cohort_must_fit() -> None:
    split = pd.DataFrame({"scan_id": ["000", "zzz"], "set": ["train", "test"]})
    with pytest.raises(BadInput, match="zzz"):
        cohort_of_split(cohort().drop(columns="set"), split, {})
