"""Kruskal-Wallis and Dunn against R, their flavours, and that only the family counts."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scikit_posthocs
from hypothesis import given, settings
from hypothesis import strategies as st

from headct.contracts.artefacts import read_tsv
from headct.contracts.references import PREDICTS_NOTHING
from headct.statistics.core.group_tests import (
    benjamini_hochberg,
    bh_without_monotonicity,
    differs,
    dunn,
    dunn_table,
    kruskal_wallis,
    kruskal_wallis_table,
)
from headct.statistics.core.summaries import dice_present_summary, dice_summary, volume_overlap
from headct.statistics.replication.lesion_size import lesion_size_table
from support.label_sets import LABELS
from support.simulated_scores import FAMILY, per_scan, simulated

FIXTURES = Path(__file__).parents[1] / "fixtures"
few = settings(max_examples=4)


@pytest.fixture(scope="module")
def ponds() -> dict[str, np.ndarray]:
    table = read_tsv(FIXTURES / "zar_ponds.tsv")
    return {str(pond): values.to_numpy() for pond, values in table.groupby("pond")["ph"]}


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


def test_kruskal_wallis_and_dunn_on_zars_ponds(ponds: dict[str, np.ndarray]) -> None:
    # R: kruskal.test(pH ~ pond, ponds); FSA::dunnTest(pH ~ pond, ponds, method = "bh")
    # UniStat's Bonferroni (FSA's own test): 4-1 .0166, 3-1 .0191, 2-1 .1956.
    assert kruskal_wallis(ponds).h == pytest.approx(11.943539, abs=5e-7)
    table = dunn(ponds).set_index(["group_a", "group_b"])
    raw = {("1", "2"): 0.0325975, ("1", "4"): 0.0027733}
    for pair, p in raw.items():
        assert table.loc[pair, "p"] == pytest.approx(p, abs=5e-8)
    for pair, p in {("1", "4"): 0.0166, ("1", "3"): 0.0191, ("1", "2"): 0.1956}.items():
        assert 6 * table.loc[pair, "p"] == pytest.approx(p, abs=5e-5)
    assert table.loc[("1", "3"), "p_adjusted"] == pytest.approx(0.0095533, abs=5e-8)
    # R: dunn.test(pH, pond, method = "bh", altp = TRUE)$altP.adjusted; one-sided by default: half of it
    for pair, p in {("1", "4"): 0.0166398, ("2", "3"): 0.5643930}.items():
        assert table.loc[pair, "p_adjusted_dunn_test"] == pytest.approx(p / 2, abs=5e-8)


def test_adjustment_of_dunn_test_falls_as_p_rises(ponds: dict[str, np.ndarray]) -> None:
    table = dunn(ponds).set_index(["group_a", "group_b"])
    smaller, larger = table.loc[("1", "4")], table.loc[("1", "3")]
    assert smaller["p"] < larger["p"]
    assert smaller["p_adjusted_dunn_test"] > larger["p_adjusted_dunn_test"]
    assert smaller["p_adjusted"] == larger["p_adjusted"]
    assert list(bh_without_monotonicity(np.array([0.02, 0.02, 0.9]))) == [0.03, 0.06, 0.9]
    assert bh_without_monotonicity(np.array([])).size == 0


def test_pairs_that_a_flavour_decides_otherwise_are_named() -> None:
    # Two-sided p of 1-2: one-sided .016 is above alpha / 2 after correction, below alpha.
    pairs = pd.DataFrame({"p_adjusted": [0.01, 0.06, 0.04], "p_adjusted_dunn_test": [0.005, 0.03, 0.026]})
    assert list(differs(pairs, "default")) == [True, False, True]
    assert list(differs(pairs, "dunn.test")) == [True, False, False]
    assert list(differs(pairs, "dunn.test read at .05")) == [True, True, True]


def test_pond_that_a_reader_of_dunn_test_would_call_different(ponds: dict[str, np.ndarray]) -> None:
    table = dunn(ponds).set_index(["group_a", "group_b"])
    assert table.loc[("1", "2"), "p_adjusted"] == pytest.approx(0.065195, abs=5e-7)
    assert table.loc[("1", "2"), "decision_changes_under"] == "dunn.test read at .05"
    assert set(table.drop(("1", "2"))["decision_changes_under"]) == {""}


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
        ({name: np.array([float(i)]) for i, name in enumerate("abc")}, "each group has one value"),
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
    h, h_other = kruskal_wallis_table(plain, LABELS), kruskal_wallis_table(other, LABELS)
    pd.testing.assert_frame_equal(h, h_other)
    z = {
        (r.label, r.model_a, r.model_b): (r.z, r.p_adjusted, r.p_adjusted_dunn_test)
        for r in dunn_table(plain, LABELS).itertuples()
    }
    for row in dunn_table(other, LABELS).itertuples():
        sign, key = 1, (row.label, row.model_a, row.model_b)
        if key not in z:
            sign, key = -1, (row.label, row.model_b, row.model_a)
        assert (sign * row.z, row.p_adjusted, row.p_adjusted_dunn_test) == pytest.approx(z[key])


@few
@given(st.integers(0, 1000))
def test_trivial_and_extra_rows_change_nothing_in_the_family(random_state: int) -> None:
    metrics = simulated([*FAMILY, "extra"], n_scans=5, random_state=random_state)
    alone = metrics[metrics["model"].isin(FAMILY)]
    for table in (kruskal_wallis_table, dunn_table):
        pd.testing.assert_frame_equal(table(per_scan(metrics), LABELS), table(per_scan(alone), LABELS))
    summary = partial(dice_summary, labels=LABELS)
    for table in (summary, dice_present_summary, volume_overlap, lesion_size_table):
        both, one = table(per_scan(metrics)), table(per_scan(alone))
        pd.testing.assert_frame_equal(both[both["role"] == "family"].reset_index(drop=True), one)


def test_trivial_row_stays_out_even_if_named_in_the_family() -> None:
    named = per_scan(simulated(), [*FAMILY, PREDICTS_NOTHING])
    pd.testing.assert_frame_equal(dunn_table(named, LABELS), dunn_table(per_scan(simulated()), LABELS))
