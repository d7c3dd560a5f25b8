"""Concordance, Bland-Altman, intraclass correlation: against R, their properties, degenerate input."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from headct.command_line import run_step
from headct.contracts.artefacts import read_tsv, write_tsv
from headct.contracts.problems import BadInput
from headct.contracts.references import PREDICTS_NOTHING
from headct.settings import analysis_plan
from headct.statistics.core import scores as scores_of
from headct.statistics.core.agreement import agreement_row, agreement_table, bland_altman, concordance
from headct.statistics.core.clusters import Clusters
from headct.statistics.replication.rater_statistics import icc, icc_a1_of_weights, rater_agreement
from support.label_sets import LABELS
from support.simulated_scores import cohort, each_scan_alone, simulated, with_role

FIXTURES = Path(__file__).parents[1] / "fixtures"
few = settings(max_examples=4)


@pytest.fixture(scope="module")
def pefr() -> pd.DataFrame:
    return read_tsv(FIXTURES / "pefr_1986.tsv")


def test_bland_altman_on_peak_flow(pefr: pd.DataFrame) -> None:
    # R: blandr::blandr.statistics(pefr$wright_1, pefr$mini_1)
    found = bland_altman(pefr["mini_1"].to_numpy(), pefr["wright_1"].to_numpy(), np.arange(17))
    assert found.n == 17
    assert found.bias == pytest.approx(-2.117647, abs=5e-7)
    assert found.sd == pytest.approx(38.765130, abs=5e-7)
    assert (found.lower_limit, found.upper_limit) == pytest.approx((-78.097302, 73.862007), abs=5e-7)
    # By hand: kurtosis (moments over n) 2.357837, 2 · 17 / 1.357837 = 25.0 > 16 degrees of freedom
    assert found.bias_interval == pytest.approx((-22.048838, 17.813544), abs=5e-7), "as t.test"


def test_concordance_on_peak_flow(pefr: pd.DataFrame) -> None:
    # R: epiR::epi.ccc(pefr$wright_1, pefr$mini_1)$rho.c; the interval by the formula, written out
    x, y = pefr["wright_1"].to_numpy(), pefr["mini_1"].to_numpy()
    found = concordance(x, y, np.arange(17))
    assert found.ccc == pytest.approx(0.9427424, abs=5e-8)
    without = [_ccc(np.delete(x, i), np.delete(y, i)) for i in range(17)]
    z = np.arctanh(without)
    deviation = z - z.mean()
    kurtosis = 17 * (deviation**4).sum() / (deviation**2).sum() ** 2
    half = stats.t.ppf(0.975, min(16, 34 / (kurtosis - 1))) * math.sqrt(16 * z.var())
    wanted = np.tanh(math.atanh(found.ccc) + np.array([-half, half]))
    assert found.interval == pytest.approx(tuple(wanted), abs=1e-9)


def _ccc(x: np.ndarray, y: np.ndarray) -> float:
    """Lin 1989, equation 3."""
    covariance = np.cov(x, y, ddof=0)[0, 1]
    return float(2 * covariance / (x.var() + y.var() + (x.mean() - y.mean()) ** 2))


def test_intervals_of_agreement_leave_out_clusters() -> None:
    """Four sites whose scans err alike say less than sixteen scans."""
    rng = np.random.default_rng(5)
    site = np.repeat(np.arange(4), 4)
    reference = rng.gamma(1, 17, 16)
    predicted = reference + rng.normal(0, 5, 4)[site] + rng.normal(0, 0.1, 16)
    alone, together = (agreement_row(reference, predicted, of) for of in (np.arange(16), site))
    for name in ("ccc", "bias"):
        unit = "_ml" if name == "bias" else ""
        widths = [row[f"{name}_upper{unit}"] - row[f"{name}_lower{unit}"] for row in (alone, together)]
        assert widths[1] > 1.5 * widths[0]
    for column in ("ccc", "bias_ml", "sd_ml", "loa_lower_ml", "loa_upper_ml"):
        assert alone[column] == together[column]


@few
@given(st.integers(0, 10_000), st.floats(0.01, 100))
def test_concordance_is_symmetric_and_without_unit(random_state: int, scale: float) -> None:
    x, y = np.random.default_rng(random_state).gamma(1, 20, (2, 12))
    scans = np.arange(12)
    plain, other = concordance(x, y, scans), concordance(y * scale, x * scale, scans)
    assert (other.ccc, *other.interval) == pytest.approx((plain.ccc, *plain.interval))
    assert plain.interval[0] <= plain.ccc <= plain.interval[1]


@pytest.mark.parametrize(
    ("reference", "measured", "ccc", "note"),
    [
        ([], [], math.nan, "needs 2 scans, there are 0"),
        ([3.0], [4.0], math.nan, "needs 2 scans, there are 1"),
        ([3.3] * 3, [3.3] * 3, math.nan, "all volumes are equal"),
        ([1.0, 2.0, 3.0], [0.1] * 3, 0.0, "predicted volumes are all equal"),
        ([0.1] * 3, [1.0, 2.0, 3.0], 0.0, "reference volumes are all equal"),
        ([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], 1.0, "undefined at a CCC of 1"),
        ([1.0, 2.0], [1.0, 3.0], 1 / 1.5, "needs 3 clusters of scans, there are 2"),
        ([1.0, 1.0, 2.0], [1.0, 1.0, 3.0], 4 / 5.5, "undefined without some scans"),
    ],
)
def test_degenerate_agreement_says_why(
    reference: list[float], measured: list[float], ccc: float, note: str
) -> None:
    found = concordance(np.array(reference), np.array(measured), np.arange(len(reference)))
    assert found.ccc == pytest.approx(ccc, nan_ok=True)
    assert math.isnan(found.interval[0])
    assert note in found.note
    bland_altman(np.array(reference), np.array(measured), np.arange(len(reference)))


def test_bland_altman_of_one_scan_and_of_equal_differences() -> None:
    one = bland_altman(np.array([2.0]), np.array([3.0]), np.arange(1))
    assert (one.n, one.bias) == (1, 1.0)
    assert math.isnan(one.upper_limit)
    assert "need 2 scans" in one.note
    equal = bland_altman(np.array([0.1, 0.2, 0.7]), np.array([0.1, 0.2, 0.7]), np.arange(3))
    assert (equal.sd, equal.upper_limit) == (0, 0)
    assert np.isnan(equal.bias_interval).all(), "three equal differences are no certainty"
    assert "all differences are equal" in equal.note
    of_one_site = bland_altman(np.array([0.1, 0.2, 0.7]), np.array([0.1, 0.3, 0.7]), np.zeros(3, int))
    assert of_one_site.note == "all scans are of one cluster: no interval of the bias"


def test_agreement_table_has_the_documented_columns() -> None:
    table = agreement_table(with_role(simulated()), each_scan_alone(simulated()))
    assert list(table.columns) == [
        "model",
        "role",
        "label",
        "volumes",
        "scans",
        "n",
        "ccc",
        "ccc_lower",
        "ccc_upper",
        "bias_ml",
        "bias_lower_ml",
        "bias_upper_ml",
        "sd_ml",
        "loa_lower_ml",
        "loa_upper_ml",
        "note",
    ]
    nothing = table[table["model"] == PREDICTS_NOTHING]
    assert list(nothing["ccc"]) == [0] * 12
    assert nothing["note"].str.contains("predicted volumes are all equal").all()


def test_scans_without_the_lesion_can_be_left_out() -> None:
    table = agreement_table(with_role(simulated()), each_scan_alone(simulated())).query(
        "volumes == 'weighted'"
    )
    table = table.set_index(["model", "label", "scans"]).sort_index()
    assert table.loc[("a", "IVH"), "n"].to_dict() == {"all": 8, "with lesion": 4}
    truth = with_role(simulated()).query("model == 'a' and label == 'IVH' and reference_ml > 0")
    alone = concordance(truth["reference_ml"].to_numpy(), truth["predicted_ml"].to_numpy(), np.arange(4))
    assert table.loc[("a", "IVH", "with lesion"), "ccc"] == alone.ccc


def test_agreement_is_of_the_first_seed_alone() -> None:
    metrics = simulated(seeds=(3, 1))
    scans = each_scan_alone(metrics)
    first = agreement_table(scores_of.first_seed(with_role(metrics)), scans)
    alone = agreement_table(with_role(metrics[metrics["seed"].fillna(1) == 1]), scans)
    pd.testing.assert_frame_equal(first, alone)


# Raters


def test_intraclass_correlations_of_shrout_and_fleiss() -> None:
    # R: psych::ICC(sf, lmer = FALSE): ICC1 .17, ICC2 .29, ICC3 .71
    ratings = read_tsv(FIXTURES / "shrout_fleiss_1979.tsv").drop(columns="target").to_numpy(float)
    found = icc(ratings)
    wanted = {"ICC(1,1)": 0.165742, "ICC(A,1)": 0.289764, "ICC(C,1)": 0.714841}
    assert found == pytest.approx(wanted, abs=5e-7)


def test_intraclass_correlation_of_the_jackknife_is_the_one_that_is_printed() -> None:
    rng = np.random.default_rng(1)
    first = rng.gamma(1, 17, 9)
    second = first * rng.uniform(0.6, 1.5, 9) + 3
    left_out = 1 - np.eye(9)
    weights = np.vstack([np.full(9, 1 / 9), left_out / 8])
    found = icc_a1_of_weights(first, second)(weights)[0, :, 0]
    chosen = [np.ones(9, bool), *(left_out > 0)]
    wanted = [icc(np.column_stack([first, second])[scans])["ICC(A,1)"] for scans in chosen]
    np.testing.assert_allclose(found, wanted, rtol=1e-9)


def test_absolute_agreement_sees_a_bias_that_consistency_does_not() -> None:
    first = np.random.default_rng(0).gamma(1, 20, 30)
    found = icc(np.column_stack([first, first + 10]))
    assert found["ICC(C,1)"] == pytest.approx(1)
    assert found["ICC(A,1)"] < 0.95


def second_readings(n: int = 12) -> pd.DataFrame:
    """Second readings as the metrics table has them: by the same and by another rater."""
    table = simulated(["second-reading-inter", "second-reading-intra"], n_scans=n)
    return table[table["model"] != PREDICTS_NOTHING]


def test_agreement_of_raters_per_kind_lesion_and_choice_of_scans() -> None:
    readings = second_readings()
    table = rater_agreement(readings, each_scan_alone(readings))
    assert len(table) == 2 * 3 * 2
    row = table.set_index(["model", "label", "scans"]).loc[("second-reading-intra", "IVH", "all")]
    own = readings.query("model == 'second-reading-intra' and label == 'IVH'")
    assert row["n"] == 12
    assert row["dice_median"] == own["dice"].median()
    assert row["bias_ml"] == pytest.approx((own["predicted_ml"] - own["reference_ml"]).mean())
    ratings = own[["reference_ml", "predicted_ml"]].to_numpy()
    assert row["icc_a1"] == pytest.approx(icc(ratings)["ICC(A,1)"])
    assert row["icc_a1_lower"] < row["icc_a1"] < row["icc_a1_upper"] < 1
    sites = Clusters("site", pd.Series(np.arange(12) // 2, each_scan_alone(readings).of_scan.index))
    of_sites = rater_agreement(readings, sites).set_index(["model", "label", "scans"]).loc[row.name]
    assert of_sites["icc_a1"] == row["icc_a1"]
    assert of_sites["icc_a1_lower"] != row["icc_a1_lower"]


@pytest.mark.parametrize(("n", "note"), [(2, "ICC needs 3 scans, there are 2"), (0, None)])
def test_few_second_readings_say_why(n: int, note: str | None) -> None:
    readings = second_readings(n)
    table = rater_agreement(readings, each_scan_alone(readings))
    assert {"icc_a1", "ccc", "note"} <= set(table.columns)
    if note:
        assert table["note"].str.contains(note).any()
        assert table.loc[table["icc_a1"].isna(), "note"].ne("").all()


def test_equal_readings_agree_without_an_interval() -> None:
    readings = second_readings()
    scans = each_scan_alone(readings)
    table = rater_agreement(readings.assign(predicted_ml=readings["reference_ml"]), scans)
    assert set(table["icc_a1"]) == {1.0}
    assert table["icc_a1_lower"].isna().all()
    nothing = rater_agreement(readings.assign(predicted_ml=0.0, reference_ml=0.0), scans)
    assert nothing["note"].str.contains("no ICC|needs 3").all()


def test_command_of_the_raters(tmp_path: Path) -> None:
    write_tsv(second_readings(), tmp_path / "second-reading.tsv")
    table = cohort(6, 6)
    write_tsv(table.drop(columns="set"), tmp_path / "cohort.tsv")
    write_tsv(table[["scan_id", "set"]], tmp_path / "split.tsv")
    line = ["--metrics", str(tmp_path / "second-reading.tsv"), "--out", str(tmp_path / "raters.tsv")]
    line += [f"--{name}={tmp_path / name}.tsv" for name in ("cohort", "split")]
    line += ["--plan", str(analysis_plan.SHIPPED)]
    run_step("raters", line)
    assert len(read_tsv(tmp_path / "raters.tsv")) == 4 * len(LABELS)
    write_tsv(pd.DataFrame({"model": ["x"]}), tmp_path / "second-reading.tsv")
    with pytest.raises(BadInput, match="no column 'dice'"):
        run_step("raters", line)
    readings = second_readings()
    readings.loc[[1, 2], "predicted_ml"] = None
    write_tsv(readings, tmp_path / "second-reading.tsv")
    with pytest.raises(BadInput) as error:
        run_step("raters", line)
    first = readings.loc[1]
    assert [(one.row.rpartition(" (")[2], one.key) for one in error.value.problems] == [
        ("line 3)", "predicted_ml"),
        ("line 4)", "predicted_ml"),
    ]
    assert f"{first['scan_id']}, {first['label']} (line 3)" in error.value.problems[0].row
