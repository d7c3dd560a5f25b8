"""Every procedure beside R: tests/fixtures/statistics_references.R has the calls, and made the values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from headct.statistics.comparison.detection import detection
from headct.statistics.comparison.equivalence import volume_equivalence
from headct.statistics.comparison.paired import critical_difference, effects, friedman, sign_flip, wilcoxon
from headct.statistics.comparison.raters import against_rater, p_of_worse
from headct.statistics.comparison.varying_limits import varying_limits
from headct.statistics.core.agreement import bland_altman, concordance
from headct.statistics.core.group_tests import benjamini_hochberg
from headct.statistics.core.order_statistics import exact_upper_bound, median_interval, unseen_share
from headct.statistics.core.precision import of_independent
from headct.statistics.core.sites import mean_over_sites
from headct.statistics.core.summaries import describe
from headct.statistics.replication.cohort_tests import chi_squared, independent_t, mann_whitney
from headct.statistics.replication.lesion_size import spearman
from headct.statistics.replication.rater_statistics import icc
from support.site_differences import BALANCED, UNBALANCED

FIXTURES = Path(__file__).parents[1] / "fixtures"
Values = Mapping[str, float]


def read(name: str) -> pd.DataFrame:
    return pd.read_csv(FIXTURES / f"{name}.tsv", sep="\t")


REFERENCES = read("statistics_references").astype({"quantity": str})
SLEEP = np.array(
    [
        [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0],
        [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4],
    ]
)
"""R's data set ``sleep``."""
CARS = np.array(
    [
        [4, 2],
        [4, 10],
        [7, 4],
        [7, 22],
        [8, 16],
        [9, 10],
        [10, 18],
        [10, 26],
        [10, 34],
        [11, 17],
        [11, 28],
        [12, 14],
        [12, 20],
        [12, 24],
        [12, 28],
        [13, 26],
        [13, 34],
        [13, 34],
        [13, 46],
        [14, 26],
        [14, 36],
        [14, 60],
        [14, 80],
        [15, 20],
        [15, 26],
        [15, 54],
        [16, 32],
        [16, 40],
        [17, 32],
        [17, 40],
        [17, 50],
        [18, 42],
        [18, 56],
        [18, 76],
        [18, 84],
        [19, 36],
        [19, 46],
        [19, 68],
        [20, 32],
        [20, 48],
        [20, 52],
        [20, 56],
        [20, 64],
        [22, 66],
        [23, 54],
        [24, 70],
        [24, 92],
        [24, 93],
        [24, 120],
        [25, 85],
    ],
    dtype=float,
)
"""R's data set ``cars``: speed, dist."""
P_VALUES = np.array([0.001, 0.2, 0.013, 0.04, 0.9, 0.013])
PRATT = np.array([0, 2, 3, 6, 7, 8, 9, 11, 14, 15, 17, -18.0])
DEPRESSION = np.array([1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30]) - np.array(
    [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29]
)
ERRORS = np.array([[5, -5, 5, -5, 6, -6, 4, -4], [1.5, 1, 0.5, 1, 1.5, 0.5, 1, 1]])
MAIZE = np.array([49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48.0])
PRECISION = of_independent(0.301, 174)
MODEL = np.array([0.91, 0.88, 0.93, 0.79, 0.90, 0.86, 0.92, 0.84])
RATER = np.array([0.90, 0.91, 0.92, 0.83, 0.92, 0.85, 0.93, 0.88])
TIES = np.array([[9, 9, 5], [8, 7, 7], [10, 10, 10], [3, 6, 6], [2, 1, 4], [0, 0, 3.0]])


def friedman_of(values: np.ndarray) -> Values:
    found = friedman(values)
    return {key: float(found[key]) for key in ("q", "p")}


def pefr() -> tuple[np.ndarray, np.ndarray]:
    table = read("pefr_1986")
    return table["wright_1"].to_numpy(float), table["mini_1"].to_numpy(float)


def wilson() -> Values:
    found = {}
    for part, whole in ((81, 263), (15, 148), (0, 20), (1, 29)):
        present = np.repeat([True, False], [whole, 10])
        predicted = np.concatenate([np.arange(whole) < part, np.zeros(10, bool)])
        row = detection(present, predicted, np.arange(whole + 10), 10)
        found |= {f"{end} {part}/{whole}": row[f"sensitivity_{end}"] for end in ("lower", "upper")}
    return found


def flips_of_errors() -> Values:
    a, b = ERRORS
    differences = {"signed": a - b, "absolute": np.abs(a) - np.abs(b)}
    return {kind: sign_flip(of[:, None], np.arange(8), 1, 1)[0] for kind, of in differences.items()}


def two_one_sided() -> Values:
    found = volume_equivalence(np.zeros(10), SLEEP[0], np.zeros(10, bool), np.arange(10), 2)
    return {"lower": found["bias_lower_ml"], "upper": found["bias_upper_ml"], "p": found["tost_p"]}


def regression_limits() -> Values:
    average, difference = CARS[:, 0] + 100, CARS[:, 1]  # both volumes above 0
    row = varying_limits(average - difference / 2, average + difference / 2, np.array([115.0]))[0]
    return {"lower": row["lower_ml"], "upper": row["upper_ml"]}


def difference_from_rater() -> Values:
    found = against_rater(MODEL[None, :, None], RATER[None, :, None], np.arange(8))
    return {
        "difference": found.estimate[0],
        "error": found.standard_error()[0][0],
        "lower": found.interval(0.95)[0][0],
        **{f"p of {margin}": p_of_worse(found, float(margin))[0] for margin in (".03", ".05")},
    }


def of_sites(sites: Sequence[Sequence[float]]) -> Values:
    names = np.repeat(np.arange(len(sites)), [len(of) for of in sites])
    found = mean_over_sites(np.concatenate([np.array(of, float) for of in sites]), names)
    return {key: getattr(found, key) for key in ("mean", "error", "between", "within")}


def months() -> dict[int, np.ndarray]:
    table = read("airquality_ozone").dropna()
    return {int(str(month)): of["ozone"].to_numpy(float) for month, of in table.groupby("month")}


def spearman_of_cars() -> Values:
    table = read("mtcars")
    found = spearman(table["wt"].to_numpy(), table["mpg"].to_numpy())
    return {key: float(found[key]) for key in ("rho", "p")}


def agreement_of_meters() -> Values:
    wright, mini = pefr()
    found = bland_altman(mini, wright, np.arange(len(mini)))
    return {
        "bias": found.bias,
        "sd": found.sd,
        "lower limit": found.lower_limit,
        "upper limit": found.upper_limit,
        **dict(zip(("bias lower", "bias upper"), found.bias_interval, strict=True)),
    }


def concordance_of_meters() -> Values:
    x, y = pefr()
    return {"ccc": concordance(x, y, np.arange(len(x))).ccc}


def icc_of_judges(kind: str) -> Values:
    ratings = read("shrout_fleiss_1979").drop(columns="target").to_numpy(float)
    return {"icc": icc(ratings)[kind]}


def quartiles() -> Values:
    found = describe(read("airquality_ozone")["ozone"].dropna())
    return {key: found[key] for key in ("q1", "median", "q3")}


def numbered(values: np.ndarray) -> Values:
    return {str(i): value for i, value in enumerate(values, start=1)}


OURS: dict[str, Callable[[], Values]] = {
    "friedman": lambda: friedman_of(read("sachs_diuretics").drop(columns="diuretic").to_numpy(float).T),
    "friedman with ties": lambda: friedman_of(TIES),
    "nemenyi": lambda: {f"{k} models, {n} scans": critical_difference(k, n) for k, n in ((4, 14), (10, 174))},
    "wilcoxon, pratt's zeros": lambda: {"p": wilcoxon(PRATT[:, None], np.arange(12))[0]},
    "wilcoxon": lambda: {"p": wilcoxon(DEPRESSION[:, None], np.arange(9))[0]},
    "effect sizes": lambda: {key: value[0] for key, value in effects(DEPRESSION[:, None]).items()},
    "sign flips": lambda: {"p": sign_flip(MAIZE[:, None], np.arange(15), 1, 1)[0]},
    "sign flips of errors": flips_of_errors,
    "clopper-pearson": lambda: {
        f"{beyond}/{n}": exact_upper_bound((np.arange(n) < beyond).astype(float), np.arange(n), 0.95)
        for beyond, n in ((3, 174), (4, 174), (0, 48))
    },
    "holm": lambda: numbered(multipletests(P_VALUES, method="holm")[1]),
    "benjamini-hochberg": lambda: numbered(benjamini_hochberg(P_VALUES)),
    "wilson": wilson,
    "median by order statistics": lambda: dict(
        zip(("lower", "upper"), median_interval(read("mtcars")["mpg"].to_numpy(), np.arange(32)), strict=True)
    ),
    "unseen share": lambda: {"upper": unseen_share(174, 0.9)},
    "two one-sided tests": two_one_sided,
    "limits by regression": regression_limits,
    "power": lambda: {".05": PRECISION.power(0.074), ".05/27": PRECISION.power(0.074, 0.05 / 27)},
    "detectable difference": lambda: {"difference": PRECISION.detectable()},
    "difference from a rater": difference_from_rater,
    "balanced sites": lambda: of_sites(BALANCED),
    "unbalanced sites": lambda: of_sites(UNBALANCED),
    "kruskal-wallis": lambda: dict(zip(("h", "p"), stats.kruskal(*months().values()), strict=True)),
    "spearman": spearman_of_cars,
    "mann-whitney": lambda: {"p": mann_whitney(months()[5], months()[8]).p},
    "chi-squared": lambda: {"p": chi_squared((872, 102), (1558, 174)).p},
    "student's t": lambda: {"p": independent_t(*SLEEP).p},
    "quartiles": quartiles,
    "ccc": concordance_of_meters,
    "bland-altman": agreement_of_meters,
    "icc(a,1)": lambda: icc_of_judges("ICC(A,1)"),
    "icc(c,1)": lambda: icc_of_judges("ICC(C,1)"),
}

TOLERANCE = {
    # R interpolates its distribution; SciPy integrates.
    "nemenyi": 1e-6,
    # Of the variance of a scan, .0017: where two optimisers stop.
    "balanced sites": 1e-8,
    "unbalanced sites": 1e-8,
}


def test_every_value_of_r_has_ours_beside_it() -> None:
    assert set(REFERENCES["procedure"]) == set(OURS)


@pytest.mark.parametrize("procedure", OURS)
def test_as_r_has_it(procedure: str) -> None:
    wanted = REFERENCES[REFERENCES["procedure"] == procedure].set_index("quantity")["value"].to_dict()
    found = OURS[procedure]()
    assert found.keys() == wanted.keys()
    tolerance = TOLERANCE.get(procedure)
    assert dict(found) == pytest.approx(wanted, rel=1e-7 if tolerance is None else 0, abs=tolerance or 1e-10)
