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
from headct.statistics.core import scores as scores_of
from headct.statistics.core.agreement import agreement_table, bland_altman, concordance
from headct.statistics.replication.rater_statistics import icc, rater_agreement
from support.label_sets import LABELS
from support.simulated_scores import simulated, with_role

FIXTURES = Path(__file__).parents[1] / "fixtures"
few = settings(max_examples=4)


@pytest.fixture(scope="module")
def pefr() -> pd.DataFrame:
    return read_tsv(FIXTURES / "pefr_1986.tsv")


def test_bland_altman_on_peak_flow(pefr: pd.DataFrame) -> None:
    # R: blandr::blandr.statistics(pefr$wright_1, pefr$mini_1)
    found = bland_altman(reference=pefr["mini_1"].to_numpy(), predicted=pefr["wright_1"].to_numpy())
    assert found.n == 17
    assert found.bias == pytest.approx(-2.117647, abs=5e-7)
    assert found.sd == pytest.approx(38.765130, abs=5e-7)
    assert (found.lower_limit, found.upper_limit) == pytest.approx((-78.097302, 73.862007), abs=5e-7)
    assert found.bias_ci == pytest.approx((-22.048838, 17.813544), abs=5e-7)


def test_standard_error_of_the_limits_as_in_bland_and_altman_1999() -> None:
    # Section 2.3: for samples that are not small, the variance of a limit is 1.71² s²/n.
    n = 20_000
    found = bland_altman(np.zeros(n), stats.norm.ppf((np.arange(n) + 0.5) / n))
    standard_error = (found.upper_limit_ci[1] - found.upper_limit) / stats.norm.ppf(0.975)
    assert standard_error * math.sqrt(n) / found.sd == pytest.approx(1.71, abs=0.005)
    for limit, interval in (
        (found.lower_limit, found.lower_limit_ci),
        (found.upper_limit, found.upper_limit_ci),
    ):
        assert limit - interval[0] == pytest.approx(interval[1] - limit)


def test_concordance_on_peak_flow(pefr: pd.DataFrame) -> None:
    # R: epiR::epi.ccc(pefr$wright_1, pefr$mini_1, ci = "z-transform")$rho.c
    found = concordance(pefr["wright_1"].to_numpy(), pefr["mini_1"].to_numpy())
    assert found.ccc == pytest.approx(0.9427424, abs=5e-8)
    assert (found.lower, found.upper) == pytest.approx((0.8504919, 0.9787263), abs=5e-8)


@few
@given(st.integers(0, 10_000), st.floats(0.01, 100))
def test_concordance_is_symmetric_and_without_unit(random_state: int, scale: float) -> None:
    x, y = np.random.default_rng(random_state).gamma(1, 20, (2, 12))
    plain, other = concordance(x, y), concordance(y * scale, x * scale)
    assert (other.ccc, other.lower, other.upper) == pytest.approx((plain.ccc, plain.lower, plain.upper))
    assert plain.lower <= plain.ccc <= plain.upper


@pytest.mark.parametrize(
    ("reference", "measured", "ccc", "note"),
    [
        ([], [], math.nan, "needs 2 scans, there are 0"),
        ([3.0], [4.0], math.nan, "needs 2 scans, there are 1"),
        ([3.3] * 3, [3.3] * 3, math.nan, "all volumes are equal"),
        ([1.0, 2.0, 3.0], [0.1] * 3, 0.0, "predicted volumes are all equal"),
        ([0.1] * 3, [1.0, 2.0, 3.0], 0.0, "reference volumes are all equal"),
        ([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], 1.0, "undefined at a CCC of 1"),
        ([1.0, 2.0], [1.0, 3.0], 1 / 1.5, "needs 3 scans"),
    ],
)
def test_degenerate_agreement_says_why(
    reference: list[float], measured: list[float], ccc: float, note: str
) -> None:
    found = concordance(np.array(reference), np.array(measured))
    assert found.ccc == pytest.approx(ccc, nan_ok=True)
    assert math.isnan(found.lower)
    assert note in found.note
    bland_altman(np.array(reference), np.array(measured))


def test_bland_altman_of_one_scan_and_of_equal_differences() -> None:
    one = bland_altman(np.array([2.0]), np.array([3.0]))
    assert (one.n, one.bias) == (1, 1.0)
    assert math.isnan(one.upper_limit)
    assert "need 2 scans" in one.note
    equal = bland_altman(np.array([0.1, 0.2, 0.7]), np.array([0.1, 0.2, 0.7]))
    assert (equal.sd, equal.upper_limit, equal.bias_ci) == (0, 0, (0, 0))
    assert "no width" in equal.note


def test_agreement_table_has_the_documented_columns() -> None:
    table = agreement_table(with_role(simulated()))
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
        "ccc_se",
        "bias_ml",
        "bias_lower_ml",
        "bias_upper_ml",
        "sd_ml",
        "loa_lower_ml",
        "loa_upper_ml",
        "loa_lower_ci_low_ml",
        "loa_lower_ci_high_ml",
        "loa_upper_ci_low_ml",
        "loa_upper_ci_high_ml",
        "note",
    ]
    nothing = table[table["model"] == PREDICTS_NOTHING]
    assert list(nothing["ccc"]) == [0] * 12
    assert nothing["note"].str.contains("predicted volumes are all equal").all()


def test_scans_without_the_lesion_can_be_left_out() -> None:
    table = agreement_table(with_role(simulated())).query("volumes == 'weighted'")
    table = table.set_index(["model", "label", "scans"]).sort_index()
    assert table.loc[("a", "IVH"), "n"].to_dict() == {"all": 8, "with lesion": 4}
    truth = with_role(simulated()).query("model == 'a' and label == 'IVH' and reference_ml > 0")
    alone = concordance(truth["reference_ml"].to_numpy(), truth["predicted_ml"].to_numpy())
    assert table.loc[("a", "IVH", "with lesion"), "ccc"] == alone.ccc


def test_standard_error_of_the_ccc_is_what_its_interval_comes_from(pefr: pd.DataFrame) -> None:
    found = concordance(pefr["wright_1"].to_numpy(), pefr["mini_1"].to_numpy())
    half = (math.atanh(found.upper) - math.atanh(found.lower)) / 2
    assert found.se == pytest.approx(half * (1 - found.ccc**2) / stats.norm.ppf(0.975))


def test_agreement_is_of_the_first_seed_alone() -> None:
    metrics = simulated(seeds=(3, 1))
    first = agreement_table(scores_of.first_seed(with_role(metrics)))
    alone = agreement_table(with_role(metrics[metrics["seed"].fillna(1) == 1]))
    pd.testing.assert_frame_equal(first, alone)


# Raters


def test_intraclass_correlations_of_shrout_and_fleiss() -> None:
    # R: psych::ICC(sf, lmer = FALSE): ICC1 .17 (-.133, .72), ICC2 .29 (.019, .76), ICC3 .71 (.342, .95)
    ratings = read_tsv(FIXTURES / "shrout_fleiss_1979.tsv").drop(columns="target").to_numpy(float)
    found = icc(ratings)
    printed = {
        "ICC(1,1)": (0.165742, -0.133, 0.72),
        "ICC(A,1)": (0.289764, 0.019, 0.76),
        "ICC(C,1)": (0.714841, 0.342, 0.95),
    }
    for kind, (value, lower, upper) in printed.items():
        assert found[kind][0] == pytest.approx(value, abs=5e-7)
        assert found[kind][1:] == pytest.approx((lower, upper), abs=5e-3)
        assert round(found[kind][1], 2) != found[kind][1], "intervals are not rounded"


def test_absolute_agreement_sees_a_bias_that_consistency_does_not() -> None:
    first = np.random.default_rng(0).gamma(1, 20, 30)
    found = icc(np.column_stack([first, first + 10]))
    assert found["ICC(C,1)"][0] == pytest.approx(1)
    assert found["ICC(A,1)"][0] < 0.95


def second_readings(n: int = 12) -> pd.DataFrame:
    """Second readings as the metrics table has them: by the same and by another rater."""
    table = simulated(["second-reading-inter", "second-reading-intra"], n_scans=n)
    return table[table["model"] != PREDICTS_NOTHING]


def test_agreement_of_raters_per_kind_lesion_and_choice_of_scans() -> None:
    readings = second_readings()
    table = rater_agreement(readings)
    assert len(table) == 2 * 3 * 2
    row = table.set_index(["model", "label", "scans"]).loc[("second-reading-intra", "IVH", "all")]
    own = readings.query("model == 'second-reading-intra' and label == 'IVH'")
    assert row["n"] == 12
    assert row["dice_median"] == own["dice"].median()
    assert row["bias_ml"] == pytest.approx((own["predicted_ml"] - own["reference_ml"]).mean())
    ratings = own[["reference_ml", "predicted_ml"]].to_numpy()
    assert row["icc_a1"] == pytest.approx(icc(ratings)["ICC(A,1)"][0])


@pytest.mark.parametrize(("n", "note"), [(2, "ICC needs 3 scans, there are 2"), (0, None)])
def test_few_second_readings_say_why(n: int, note: str | None) -> None:
    table = rater_agreement(second_readings(n))
    assert {"icc_a1", "ccc", "note"} <= set(table.columns)
    if note:
        assert table["note"].str.contains(note).any()
        assert table.loc[table["icc_a1"].isna(), "note"].ne("").all()


def test_equal_readings_agree_without_an_interval() -> None:
    readings = second_readings()
    table = rater_agreement(readings.assign(predicted_ml=readings["reference_ml"]))
    assert set(table["icc_a1"]) == {1.0}
    assert table["icc_a1_lower"].isna().all()
    nothing = rater_agreement(readings.assign(predicted_ml=0.0, reference_ml=0.0))
    assert nothing["note"].str.contains("no ICC|needs 3").all()


def test_command_of_the_raters(tmp_path: Path) -> None:
    write_tsv(second_readings(), tmp_path / "second-reading.tsv")
    line = ["--metrics", str(tmp_path / "second-reading.tsv"), "--out", str(tmp_path / "raters.tsv")]
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
