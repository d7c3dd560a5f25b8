"""External sets beside the internal one: against SciPy, a worked example, and by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from headct.contracts.artefacts import read_tsv, write_tsv
from headct.contracts.labels import Extent
from headct.contracts.problems import BadInput
from headct.settings import analysis_plan
from headct.settings.analysis_plan import Plan
from headct.statistics.comparison import external_sets
from headct.statistics.comparison.endpoints import endpoints_table
from headct.statistics.comparison.external_sets import EXTERNAL_SETS, set_table
from headct.statistics.comparison.paired import paired_table
from headct.statistics.comparison.score_arrays import ScoreArrays, score_arrays_of
from headct.statistics.core.clusters import Clusters
from headct.statistics.core.independent_means import SampleMeans, combined
from support.label_sets import LABELS
from support.planned_cases import PLAN
from support.simulated_scores import simulated, with_role

CUTS = {"ICH": [8.0, 20.0]}
"""mL; the simulated volumes have a mean of 16."""


def six(value: float) -> object:
    return pytest.approx(value, abs=5e-7)


def of_values(*values: float) -> np.ndarray:
    return np.array(values)


def test_the_worked_example_of_a_standardised_mean() -> None:
    """Issue 18: .2 × .90 + .3 × .84 + .5 × .70, and the root of .04 × .0004 + .09 × .0009 + .25 × .0025."""
    means, variances = (0.90, 0.84, 0.70), (0.0004, 0.0009, 0.0025)
    groups = [
        SampleMeans(of_values(m), of_values(v**0.5), of_values(20.0))
        for m, v in zip(means, variances, strict=True)
    ]
    found = combined((0.2, 0.3, 0.5), groups)
    assert found.value[0] == six(0.782)
    assert found.error[0] == six(0.026870)


@settings(max_examples=30, deadline=None)
@given(st.integers(3, 30), st.integers(3, 30), st.integers(0, 999))
def test_the_interval_of_a_difference_is_that_of_welch(n: int, m: int, state: int) -> None:
    rng = np.random.default_rng(state)
    samples = rng.normal(size=n), rng.normal(1, 3, size=m)
    means = [
        SampleMeans(of_values(x.mean()), of_values(x.std(ddof=1) / len(x) ** 0.5), of_values(len(x) - 1.0))
        for x in samples
    ]
    lower, upper = combined((1, -1), means).interval(0.95)
    theirs = stats.ttest_ind(*samples, equal_var=False).confidence_interval(0.95)
    assert (lower[0], upper[0]) == pytest.approx((theirs.low, theirs.high))


def test_what_does_not_vary_or_is_not_known_gives_no_interval() -> None:
    varying = SampleMeans(of_values(0.5), of_values(0.1), of_values(9.0))
    constant, unknown = (replace(varying, error=of_values(error)) for error in (0.0, np.nan))
    assert np.isnan(constant.interval(0.95)).all()
    assert np.isnan(combined((1, -1), (varying, unknown)).interval(0.95)).all()
    assert combined((0.5, 0.5), (varying, constant)).error[0] == pytest.approx(0.05), (
        "a group may be constant"
    )


def arrays(n: int, seed: int, each: int = 1, models: tuple[str, ...] = ("a", "b")) -> ScoreArrays:
    """Scores of n scans, each participant with so many."""
    scores = with_role(simulated(models, n, random_state=seed), models)
    scans = np.sort(scores["scan_id"].unique())
    return score_arrays_of(scores, LABELS, Clusters("participant", pd.Series(np.arange(n) // each, scans)))


def row_of(table: pd.DataFrame, model: str = "a", label: str = "ICH") -> pd.Series:
    return table.set_index(["model", "label"]).loc[(model, label)]


def test_each_set_is_measured_beside_the_internal_one() -> None:
    of_set, own = arrays(40, 1), arrays(60, 2)
    table = set_table(of_set, own, PLAN, CUTS)
    row = row_of(table)
    here, there = (data.arrays["ICH", "dice"][0, :, 0] for data in (of_set, own))
    assert (row["n"], row["n_participants"], row["internal_n"]) == (40, 40, 60)
    assert row["dice_mean"] == pytest.approx(here.mean())
    assert row["internal_mean"] == pytest.approx(there.mean())
    assert row["difference"] == pytest.approx(here.mean() - there.mean())
    theirs = stats.ttest_ind(here, there, equal_var=False).confidence_interval(0.95)
    width = row["difference_upper"] - row["difference_lower"]
    assert width == pytest.approx(theirs.high - theirs.low, rel=0.05), "but for degrees of freedom"
    assert row["difference_lower"] < row["difference"] < row["difference_upper"]
    assert set(table.columns) == set(EXTERNAL_SETS.header) - {"set"}
    assert list(table["model"].unique()) == list(of_set.models)


def test_scans_of_a_participant_are_left_out_together() -> None:
    own = arrays(60, 2)
    once = arrays(20, 1)
    twice = replace(
        once,
        scans=np.concatenate([once.scans, [f"{scan}-again" for scan in once.scans]]),
        arrays={key: np.concatenate([values, values], axis=1) for key, values in once.arrays.items()},
        failed=np.concatenate([once.failed, once.failed]),
        clusters=np.concatenate([once.clusters, once.clusters]),
    )
    names = ["dice_mean", "lower", "upper", "difference_lower", "difference_upper", "standardised_error"]
    one, two = (set_table(data, own, PLAN, CUTS)[names].astype(float) for data in (once, twice))
    np.testing.assert_allclose(two, one, rtol=1e-9)


def test_a_set_at_its_own_mix_has_its_own_mean_and_at_another_that_of_the_groups() -> None:
    of_set, own = arrays(90, 1), arrays(60, 2)
    volumes, dice = of_set.reference_ml("ICH"), of_set.arrays["ICH", "dice"][0, :, 0]
    groups = [volumes == 0, (volumes > 0) & (volumes <= 8), (volumes > 8) & (volumes <= 20), volumes > 20]
    shares = [float(inside.mean()) for inside in groups]
    at_own = row_of(set_table(of_set, own, replace(PLAN, size_mix={"ICH": shares}), CUTS))
    assert at_own["standardised_mean"] == pytest.approx(dice.mean())
    wanted = [0.0, 0.5, 0.25, 0.25]
    row = row_of(set_table(of_set, own, replace(PLAN, size_mix={"ICH": wanted}), CUTS))
    by_hand = sum(w * dice[inside].mean() for w, inside in zip(wanted, groups, strict=True) if w)
    assert row["standardised_mean"] == pytest.approx(by_hand)
    variance = sum(
        w**2 * dice[inside].var(ddof=1) / inside.sum() for w, inside in zip(wanted, groups, strict=True) if w
    )
    assert row["standardised_error"] == pytest.approx(variance**0.5)
    counts = [int(inside.sum()) for inside in groups]
    assert row["mix"] == (
        f"no lesion 0 ({counts[0]}), up to 8 0.5 ({counts[1]}), above 8 to 20 0.25 ({counts[2]}),"
        f" above 20 0.25 ({counts[3]})"
    )


def test_the_mix_is_that_of_the_internal_test_set_unless_the_plan_states_one() -> None:
    of_set, own = arrays(90, 1), arrays(60, 2)
    volumes = own.reference_ml("ICH")
    shares = [
        float(inside.mean())
        for inside in (
            volumes == 0,
            (volumes > 0) & (volumes <= 8),
            (volumes > 8) & (volumes <= 20),
            volumes > 20,
        )
    ]
    by_default, stated = (
        set_table(of_set, own, replace(PLAN, size_mix=mix), CUTS) for mix in ({}, {"ICH": shares})
    )
    pd.testing.assert_frame_equal(by_default, stated)


def test_sizes_that_a_set_lacks_are_named_and_it_has_no_mean_at_such_a_mix() -> None:
    of_set, own = arrays(30, 1), arrays(60, 2)
    below_all = float(f"{of_set.reference_ml('ICH').min() * 0.9:.2g}")
    halves = replace(PLAN, size_mix={"ICH": [0.0, 0.5, 0.5]})
    row = row_of(set_table(of_set, own, halves, {"ICH": [below_all]}))
    assert np.isnan(row["standardised_mean"])
    assert row["note"] == f"no mean at the mix, which has scans that the set has not: up to {below_all:g}"
    without_sizes = row_of(set_table(of_set, own, PLAN, {}))
    assert "the plan has no subgroups of lesion size" in without_sizes["note"]


def test_few_participants_and_constant_scores_have_no_interval() -> None:
    own = arrays(60, 2)
    two = row_of(set_table(arrays(2, 1), own, PLAN, CUTS))
    assert np.isnan([two["lower"], two["difference_lower"]]).all()
    assert not np.isnan(two["difference"])
    assert two["note"].startswith("an interval needs 3 participants")
    nothing = row_of(set_table(arrays(30, 1), own, PLAN, CUTS), "predicts-nothing")
    assert nothing["note"].startswith(
        "no variance between clusters: no interval; internal test set: no variance"
    )
    assert np.isnan(nothing["difference_upper"])


@given(st.integers(0, 99))
@settings(max_examples=10, deadline=None)
def test_a_rival_changes_no_row_of_the_others(state: int) -> None:
    with_rival, without = (
        set_table(arrays(30, state, models=models), arrays(40, state + 1, models=models), PLAN, CUTS)
        for models in (("a", "b", "rival"), ("a", "b"))
    )
    kept = with_rival[with_rival["model"] != "rival"].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, without)


def test_the_planned_comparison_of_a_set_is_that_of_its_scans_alone(tmp_path: Path) -> None:
    """The endpoints and pairs that its scans would have as a test set of their own."""
    models = ["nnunet-3d-focal", "nnunet-3d-dicece"]
    of_set, own = (simulated(models, n, random_state=state) for n, state in ((24, 1), (30, 2)))
    for folder, scores in ((tmp_path / "far", of_set), (tmp_path / "internal", own)):
        for model, rows in scores.groupby("model"):
            write_tsv(rows, folder / f"{model}.tsv")
    scans = sorted({*of_set["scan_id"], *own["scan_id"]})
    volumes = {f"{label}_ml": 10.0 for label in LABELS}
    cohort = {"scan_id": scans, "participant_id": scans, "site": "A", **volumes}
    write_tsv(pd.DataFrame(cohort), tmp_path / "cohort.tsv")
    write_tsv(pd.DataFrame({"scan_id": scans, "set": "test"}), tmp_path / "split.tsv")
    external_sets.main(
        labels=LABELS.written(Extent.GROUPS),
        internal=sorted((tmp_path / "internal").glob("*.tsv")),
        external=sorted((tmp_path / "far").glob("*.tsv")),
        plan=analysis_plan.SHIPPED,
        cohort=tmp_path / "cohort.tsv",
        split=tmp_path / "split.tsv",
        models=models,
        out=tmp_path,
    )
    participants = Clusters("participant", pd.Series(range(24), sorted(of_set["scan_id"].unique())))
    data = score_arrays_of(with_role(of_set, models), LABELS, participants)
    plan = analysis_plan.load(analysis_plan.SHIPPED).of_run(models)
    for name, expected in (
        ("external_endpoints", endpoints_table(data, plan)),
        ("external_paired", paired_table(data, plan)),
    ):
        table = read_tsv(tmp_path / f"{name}.tsv")
        assert set(table["set"]) == {"far"}
        numbers = expected.select_dtypes("number")
        assert len(table) == len(expected) > 0
        np.testing.assert_allclose(table[numbers.columns].astype(float), numbers, rtol=1e-8, equal_nan=True)


def written(folder: Path, **changes: Any) -> Path:
    """The shipped plan with other keys."""
    content = yaml.safe_load(analysis_plan.SHIPPED.read_text(encoding="utf-8"))
    path = folder / "plan.yaml"
    path.write_text(yaml.safe_dump(content | changes), encoding="utf-8")
    return path


def test_a_plan_may_state_the_mix(tmp_path: Path) -> None:
    mix = {"ICH": [0, 0.2, 0.3, 0.5]}
    assert analysis_plan.load(written(tmp_path, size_mix=mix)).size_mix == mix
    assert PLAN.size_mix == {}


@pytest.mark.parametrize(
    ("mix", "told"),
    [
        ([0.1, 0.2, 0.3], r"must have 4 shares"),
        ([0.1, 0.2, 0.3, 0.3], "must sum to 1"),
        ([-0.1, 0.3, 0.3, 0.5], "at least 0"),
    ],
)
def test_a_mix_that_is_none_is_refused(tmp_path: Path, mix: list[float], told: str) -> None:
    with pytest.raises(BadInput, match=told):
        analysis_plan.load(written(tmp_path, size_mix={"ICH": mix}))


def test_a_mix_needs_sizes(tmp_path: Path) -> None:
    subgroups = {"minimum_scans": 10, "of": [{"name": "site", "column": "site"}]}
    with pytest.raises(BadInput, match="needs a subgroup of reference_ml"):
        analysis_plan.load(written(tmp_path, size_mix={"ICH": [0, 0.2, 0.8]}, subgroups=subgroups))


def test_sizes_are_those_of_the_plan() -> None:
    cohort = pd.DataFrame(
        {"scan_id": list("abcdef"), "ICH_ml": [0.0, 1, 2, 3, 4, 99], "PHE_ml": 0.0, "IVH_ml": 0.0}
    )
    split = pd.DataFrame({"scan_id": list("abcdef"), "set": ["train"] * 5 + ["test"]})
    cuts = external_sets.size_cuts(PLAN, cohort, split, LABELS)
    assert cuts == {"ICH": pytest.approx([2.0, 3.0], abs=1e-3)}, "of training scans with the lesion"
    fixed = tuple(
        replace(one, training_quantiles=(), cut_points=(10, 30)) if one.column == "reference_ml" else one
        for one in PLAN.subgroups
    )
    of_plan: Plan = replace(PLAN, subgroups=fixed)
    assert external_sets.size_cuts(of_plan, cohort, split, LABELS)["IVH"] == [10, 30]
    assert external_sets.size_cuts(replace(PLAN, subgroups=()), cohort, split, LABELS) == {}
