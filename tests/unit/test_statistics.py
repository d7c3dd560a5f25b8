"""Statistics against printed examples and R, their properties, and degenerate input."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scikit_posthocs
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from simulated_scores import FAMILY, cohort, per_scan, rows, simulated, with_role
from test_bad_input import make_sheet

from headct.artefacts import read_tsv, write_tsv
from headct.labels import LABELS
from headct.metrics import PREDICTS_NOTHING
from headct.problems import BadInput
from headct.statistics import scores as scores_of
from headct.statistics.__main__ import arguments, main, statistics
from headct.statistics.agreement import agreement_table, bland_altman, concordance
from headct.statistics.cohort_tests import (
    chi_squared,
    cohort_of_split,
    cohort_tests,
    independent_t,
    mann_whitney,
    smd_of_means,
    smd_of_shares,
)
from headct.statistics.group_tests import (
    benjamini_hochberg,
    dunn,
    dunn_table,
    kruskal_wallis,
    kruskal_wallis_table,
)
from headct.statistics.summary import (
    MEAN,
    describe,
    dice_present_summary,
    dice_summary,
    volume_overlap,
)

FIXTURES = Path(__file__).parents[1] / "fixtures"
few = settings(max_examples=4)


@pytest.fixture(scope="module")
def ozone() -> dict[str, np.ndarray]:
    table = read_tsv(FIXTURES / "airquality_ozone.tsv").dropna()
    return {str(month): values.to_numpy() for month, values in table.groupby("month")["ozone"]}


@pytest.fixture(scope="module")
def pefr() -> pd.DataFrame:
    return read_tsv(FIXTURES / "pefr_1986.tsv")


# Kruskal-Wallis and Dunn


def test_kruskal_wallis_on_air_quality(ozone: dict[str, np.ndarray]) -> None:
    # R: kruskal.test(Ozone ~ Month, data = airquality)
    result = kruskal_wallis(ozone)
    assert result.h == pytest.approx(29.266576, abs=5e-7)
    assert result.p == pytest.approx(6.900714e-06, rel=1e-6)
    assert (result.df, result.note) == (4, "")


def test_dunn_on_air_quality(ozone: dict[str, np.ndarray]) -> None:
    # R: FSA::dunnTest(Ozone ~ factor(Month), data = airquality, method = "bh")
    table = dunn(ozone).set_index(["group_a", "group_b"])
    for pair, p in {("5", "6"): 0.4436043, ("5", "7"): 9.894296e-05, ("8", "9"): 0.0086717}.items():
        assert table.loc[pair, "p_adjusted"] == pytest.approx(p, rel=1e-5)
    assert len(table) == 10
    assert table.loc[("5", "7"), "z"] < 0 < table.loc[("8", "9"), "z"]


def test_dunn_z_is_that_of_the_formula(ozone: dict[str, np.ndarray]) -> None:
    # Dunn 1964, equation 4, with the correction for ties.
    pooled = np.concatenate(list(ozone.values()))
    n, (_, ties) = len(pooled), np.unique(pooled, return_counts=True)
    variance = n * (n + 1) / 12 - (ties**3 - ties).sum() / (12 * (n - 1))
    for row in dunn(ozone).itertuples():
        z = (row.mean_rank_a - row.mean_rank_b) / math.sqrt(variance * (1 / row.n_a + 1 / row.n_b))
        assert row.z == pytest.approx(z, rel=1e-9)


def test_benjamini_hochberg_is_monotone() -> None:
    # R: p.adjust(c(.01, .02, .021, .9), "BH") = .028 .028 .028 .9
    assert benjamini_hochberg(np.array([0.02, 0.9, 0.01, 0.021])) == pytest.approx([0.028, 0.9, 0.028, 0.028])


def test_equal_adjusted_p_as_scikit_posthocs(ozone: dict[str, np.ndarray]) -> None:
    matrix = scikit_posthocs.posthoc_dunn(list(ozone.values()), p_adjust="fdr_bh")
    expected = [matrix.iloc[i, j] for i in range(5) for j in range(i + 1, 5)]
    assert list(dunn(ozone)["p_adjusted"]) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("groups", "note"),
    [
        ({}, "needs 2 groups"),
        ({"a": np.array([1.0, 2.0])}, "needs 2 groups"),
        ({"a": np.ones(3), "b": np.ones(4)}, "all values are equal"),
        ({"a": np.ones(1), "b": np.zeros(1)}, "cannot differ"),
        ({"a": np.ones(3), "b": np.array([])}, "needs 2 groups"),
    ],
)
def test_undefined_comparisons_say_why(groups: dict[str, np.ndarray], note: str) -> None:
    result = kruskal_wallis(groups)
    assert math.isnan(result.h)
    assert math.isnan(result.p)
    assert note in result.note
    assert all(row.note and math.isnan(row.p_adjusted) for row in dunn(groups).itertuples())


def test_empty_group_leaves_the_others_tested(ozone: dict[str, np.ndarray]) -> None:
    table = dunn({**ozone, "10": np.array([])}).set_index(["group_a", "group_b"])
    assert table.loc[("5", "10"), "note"] == "10: no values"
    assert table.loc[("5", "7"), "p_adjusted"] == pytest.approx(9.894296e-05, rel=1e-5)


def test_infinite_scores_are_a_fault_of_the_caller() -> None:
    with pytest.raises(ValueError, match="finite"):
        kruskal_wallis({"a": np.array([1.0, np.inf]), "b": np.ones(2)})


@few
@given(st.permutations(FAMILY), st.integers(0, 1000))
def test_order_of_models_changes_no_test(order: list[str], random_state: int) -> None:
    metrics = simulated(n_scans=5, random_state=random_state)
    plain, other = per_scan(metrics), per_scan(metrics, order)
    h, h_other = kruskal_wallis_table(plain), kruskal_wallis_table(other)
    pd.testing.assert_frame_equal(h, h_other)
    z = {(r.label, r.model_a, r.model_b): (r.z, r.p_adjusted) for r in dunn_table(plain).itertuples()}
    for row in dunn_table(other).itertuples():
        sign, key = 1, (row.label, row.model_a, row.model_b)
        if key not in z:
            sign, key = -1, (row.label, row.model_b, row.model_a)
        assert (sign * row.z, row.p_adjusted) == pytest.approx(z[key])


@few
@given(st.integers(0, 1000))
def test_trivial_and_extra_rows_change_nothing_in_the_family(random_state: int) -> None:
    metrics = simulated([*FAMILY, "extra"], n_scans=5, random_state=random_state)
    alone = metrics[metrics["model"].isin(FAMILY)]
    for table in (kruskal_wallis_table, dunn_table):
        pd.testing.assert_frame_equal(table(per_scan(metrics)), table(per_scan(alone)))
    for table in (dice_summary, dice_present_summary, volume_overlap):
        both, one = table(per_scan(metrics)), table(per_scan(alone))
        pd.testing.assert_frame_equal(both[both["role"] == "family"].reset_index(drop=True), one)


def test_trivial_row_stays_out_even_if_named_in_the_family() -> None:
    named = per_scan(simulated(), [*FAMILY, PREDICTS_NOTHING])
    pd.testing.assert_frame_equal(dunn_table(named), dunn_table(per_scan(simulated())))


# Agreement


def test_bland_altman_on_peak_flow(pefr: pd.DataFrame) -> None:
    # R: blandr::blandr.statistics(pefr$wright_1, pefr$mini_1)
    found = bland_altman(reference=pefr["mini_1"].to_numpy(), measured=pefr["wright_1"].to_numpy())
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
        *("model", "role", "label", "n", "ccc", "ccc_lower", "ccc_upper"),
        *("bias_ml", "bias_lower_ml", "bias_upper_ml", "sd_ml", "loa_lower_ml", "loa_upper_ml"),
        *("loa_lower_ci_low_ml", "loa_lower_ci_high_ml", "loa_upper_ci_low_ml", "loa_upper_ci_high_ml"),
        "note",
    ]
    nothing = table[table["model"] == PREDICTS_NOTHING]
    assert list(nothing["ccc"]) == [0, 0, 0]
    assert nothing["note"].str.contains("predicted volumes are all equal").all()


def test_agreement_is_of_the_first_seed_alone() -> None:
    metrics = simulated(seeds=(3, 1))
    first = agreement_table(scores_of.first_seed(with_role(metrics)))
    alone = agreement_table(with_role(metrics[metrics["seed"].fillna(1) == 1]))
    pd.testing.assert_frame_equal(first, alone)


# Summaries


def test_quartiles_are_those_of_r(ozone: dict[str, np.ndarray]) -> None:
    # R: summary(airquality$Ozone): 18.00 31.50 42.13 63.25
    found = describe(np.concatenate(list(ozone.values())))
    assert (found["q1"], found["median"], found["q3"]) == (18.0, 31.5, 63.25)
    assert found["mean"] == pytest.approx(42.13, abs=0.005)
    assert all(math.isnan(value) for value in describe(np.array([])).values())


def test_mean_row_is_the_mean_of_the_lesions_summaries() -> None:
    table = dice_summary(per_scan(simulated())).set_index(["model", "label"])
    assert list(table.index[:4]) == [("a", label) for label in (*LABELS, MEAN)]
    for column in ("mean", "median"):
        assert table.loc[("b", MEAN), column] == pytest.approx(
            table.loc["b"].loc[list(LABELS), column].mean()
        )
    assert math.isnan(table.loc[("b", MEAN), "q1"])


def test_model_that_never_predicts_ivh_scores_the_share_of_scans_without() -> None:
    # The paper's test set: 126 of 174 scans have no IVH, Dice 0.724 for predicting nothing.
    has_ivh = np.arange(174) < 48
    truth = {label: np.ones(174) if label != "IVH" else has_ivh.astype(float) for label in LABELS}
    nothing = {label: np.zeros(174) for label in LABELS}
    metrics = pd.DataFrame(rows(PREDICTS_NOTHING, truth, nothing, None))
    scans = per_scan(metrics)
    ivh = dice_summary(scans).set_index("label").loc["IVH"]
    assert ivh["mean"] == pytest.approx(126 / 174)
    assert round(ivh["mean"], 3) == 0.724
    present = dice_present_summary(scans).set_index("label")
    assert present.loc["IVH", ["mean", "sensitivity", "specificity"]].to_list() == [0, 0, 1]
    assert present.loc["IVH", ["n_present", "n_absent"]].to_list() == [48, 126]
    assert math.isnan(present.loc["ICH", "specificity"])
    assert "no specificity" in present.loc["ICH", "note"]


def test_overlap_of_known_volumes() -> None:
    truth = {"ICH": np.array([10.0, 20.0, 0.0]), "PHE": np.zeros(3), "IVH": np.ones(3)}
    guess = {"ICH": np.array([5.0, 26.0, 3.0]), "PHE": np.zeros(3), "IVH": np.ones(3)}
    table = volume_overlap(per_scan(pd.DataFrame(rows("a", truth, guess, 0)))).set_index("label")
    ich = table.loc["ICH"]
    assert ich["intersection_ml"] == pytest.approx(25 / 3)
    assert ich["intersection_percent"] == pytest.approx(100 * 25 / 30)
    assert ich["intersection_percent_median"] == pytest.approx(75)
    assert ich["false_positive_ml"] == pytest.approx(9 / 3)
    assert (ich["n_false_positive"], ich["n_absent"], ich["n_false_lesion"]) == (2, 1, 1)
    assert math.isnan(table.loc["PHE", "intersection_percent"])
    assert "no percentage" in table.loc["PHE", "note"]


def test_seeds_are_averaged_per_scan_before_any_summary() -> None:
    metrics = simulated(seeds=(0, 1))
    scans = per_scan(metrics)
    assert len(scans) == 4 * 8 * 3
    one = scans[(scans["model"] == "a") & (scans["scan_id"] == "003") & (scans["label"] == "IVH")].iloc[0]
    raw = metrics[(metrics["model"] == "a") & (metrics["scan_id"] == "003") & (metrics["label"] == "IVH")]
    assert one["dice"] == pytest.approx(raw["dice"].mean())
    summary = dice_summary(scans).set_index("model")
    assert set(summary.loc["a", "n"]) == {8}
    assert set(summary.loc["a", "n_seeds"]) == {2}


def test_failed_predictions_are_counted() -> None:
    metrics = simulated(seeds=(0, 1))
    hit = (metrics["model"] == "b") & (metrics["scan_id"] == "002") & (metrics["seed"] == 1)
    metrics.loc[hit, "failure"] = "RuntimeError: killed"
    table = dice_summary(per_scan(metrics)).set_index(["model", "label"])
    assert table.loc[("b", "ICH"), "n_failed"] == 1
    assert table.loc[("a", "ICH"), "n_failed"] == 0


# Table 2


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
    table = cohort_tests(cohort(n_train=4, n_test=n_test).assign(IVH_ml=0.0, age=70.0))
    by_name = table.set_index(["characteristic", "statistic"])
    assert by_name.loc[("participants", "n"), "test_n"] == n_test
    untested = table[table["test_name"].fillna("").ne("") & table["p"].isna()]
    assert len(untested) >= 6
    assert untested["note"].ne("").all()


def test_participants_count_once_and_scans_each() -> None:
    scans = cohort(n_train=20, n_test=10)
    again = scans.assign(scan_id=scans["scan_id"] + "b")
    table = cohort_tests(pd.concat([scans, again])).set_index(["characteristic", "statistic"])
    assert table.loc[("participants", "n"), ["train_n", "test_n"]].to_list() == [20, 10]
    assert table.loc[("scans", "n"), ["train_n", "test_n"]].to_list() == [40, 20]
    assert table.loc[("age_years", "mean (SD) range"), "train_n"] == 20
    assert table.loc[("ICH_volume_ml", "median (IQR)"), "train_n"] == 40


def test_unknown_age_and_sex_are_left_out_of_their_counts() -> None:
    scans = cohort()
    scans.loc[[0, 12], ["age", "sex"]] = [None, None]
    table = cohort_tests(scans).set_index(["characteristic", "statistic"])
    assert table.loc[("age_years", "mean (SD) range"), ["train_n", "test_n"]].to_list() == [11, 5]
    assert table.loc[("sex_men", "n (%)"), ["train_n", "test_n"]].to_list() == [11, 5]


def test_split_and_cohort_must_fit() -> None:
    split = pd.DataFrame({"scan_id": ["000", "zzz"], "set": ["train", "test"]})
    with pytest.raises(BadInput, match="zzz"):
        cohort_of_split(cohort().drop(columns="set"), split, {})


# The command


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """A study on disk; returns the command's arguments but for the models and the output."""
    metrics = simulated([*FAMILY, "extra"])
    for model, table in metrics.groupby("model"):
        write_tsv(table, tmp_path / f"{model}.tsv")
    scans = cohort()
    write_tsv(scans.drop(columns="set").assign(age=60), tmp_path / "cohort.tsv")
    sheet = make_sheet(
        tmp_path,
        *({"scan_id": row.scan_id, "age": f"{row.age:g}"} for row in scans.itertuples()),
    )
    write_tsv(scans[["scan_id", "set"]], tmp_path / "split.tsv")
    measured = [str(tmp_path / f"{model}.tsv") for model in metrics["model"].unique()]
    places = ["--sheet", str(sheet), "--cohort", str(tmp_path / "cohort.tsv")]
    places += ["--split", str(tmp_path / "split.tsv")]
    return ["--metrics", *measured, *places]


def run(files: list[str], out: Path, *models: str) -> None:
    main(arguments().parse_args([*files, "--models", *models, "--out", str(out)]))


def test_command_writes_every_table_in_the_same_bytes(files: list[str], tmp_path: Path) -> None:
    run(files, tmp_path / "one", *FAMILY)
    run([files[0], *reversed(files[1:6]), *files[6:]], tmp_path / "two", *FAMILY)
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert names == sorted(f"{name}.tsv" for name in statistics(with_role(simulated()), cohort()))
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    summary = read_tsv(tmp_path / "one" / "dice_summary.tsv")
    assert list(summary["model"].unique()) == [*FAMILY, "extra", PREDICTS_NOTHING]
    assert len(read_tsv(tmp_path / "one" / "dunn.tsv")) == 3 * 3
    tests = read_tsv(tmp_path / "one" / "cohort_tests.tsv").set_index("characteristic")
    assert tests.loc["age_years", "test_max"] == cohort().query("set == 'test'")["age"].max(), "not capped"


def test_model_without_metrics_is_named(files: list[str], tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no table has metrics of this model"):
        run(files, tmp_path / "out", *FAMILY, "nnunet-3d-focal")


def test_models_measured_on_different_scans_are_refused(files: list[str], tmp_path: Path) -> None:
    path = tmp_path / "b.tsv"
    table = read_tsv(path)
    write_tsv(table[table["scan_id"] != "003"], path)
    with pytest.raises(BadInput) as error:
        run(files, tmp_path / "out", *FAMILY)
    assert {problem.row for problem in error.value.problems} == {"b, seed 0"}
    assert len(error.value.problems) == len(LABELS)


def test_row_that_stands_twice_is_refused(files: list[str], tmp_path: Path) -> None:
    table = read_tsv(tmp_path / "b.tsv")
    write_tsv(pd.concat([table, table.head(1)]), tmp_path / "b.tsv")
    with pytest.raises(BadInput, match="stands twice"):
        run(files, tmp_path / "out", *FAMILY)


def test_table_that_is_no_metrics_table_is_refused(files: list[str], tmp_path: Path) -> None:
    write_tsv(pd.DataFrame({"model": ["b"]}), tmp_path / "b.tsv")
    with pytest.raises(BadInput, match="no column 'dice'"):
        run(files, tmp_path / "out", *FAMILY)
