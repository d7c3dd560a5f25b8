"""The mean over sites, and a new one: worked examples, other ways to them, and what can't be estimated."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from statsmodels.regression.mixed_linear_model import MixedLM
from statsmodels.stats.meta_analysis import combine_effects

from headct.command_line import run_step
from headct.contracts.artefacts import read_tsv, write_tsv
from headct.contracts.problems import BadInput
from headct.publish.tables import table_page
from headct.publish.tables.planned_comparison import planned_comparison
from headct.settings import analysis_plan
from headct.statistics.comparison.new_site import (
    HELD_OUT,
    OF_ALL_SCANS,
    OF_OTHER_SITES,
    OF_TEST_SET,
    source_of,
    tables_of,
)
from headct.statistics.comparison.paired_analysis import analysis
from headct.statistics.core.sites import NO_SITE_VARIANCE, SiteMean, mean_over_sites, new_site
from support.advice import says_what_to_do
from support.declared import assert_as_declared
from support.label_sets import GIVEN, LABELS
from support.planned_cases import MODELS, PLAN, analysed, cohort
from support.simulated_scores import simulated, with_role
from support.site_differences import BALANCED, UNBALANCED


def of(groups: Sequence[Sequence[float]], unit: float = 1) -> SiteMean:
    """The mean over sites whose scans are given; a warning is a failure."""
    sites = np.repeat([f"site {i}" for i in range(len(groups))], [len(group) for group in groups])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return mean_over_sites(unit * np.concatenate([np.array(group, float) for group in groups]), sites)


def six(value: float) -> object:
    return pytest.approx(value, abs=5e-7)


def test_balanced_worked_example() -> None:
    found = of(BALANCED)
    assert (found.n, found.n_sites, found.note) == (24, 6, "")
    assert found.mean == six(0.038750)
    assert found.error == six(0.014773)
    assert (found.lower, found.upper) == (six(0.000776), six(0.076724))
    assert found.between == pytest.approx(0.001186111, rel=1e-4)
    assert found.within == pytest.approx(0.000493056, rel=1e-4)
    assert found.icc == pytest.approx(0.706369, rel=1e-4)


def test_unbalanced_worked_example() -> None:
    found = of(UNBALANCED)
    assert found.mean == six(0.034098)
    assert found.error == six(0.016005)
    assert found.between == pytest.approx(0.001286712, rel=1e-4)
    assert found.within == pytest.approx(0.000568277, rel=1e-4)


def test_variances_of_balanced_sites_are_those_of_the_analysis_of_variance() -> None:
    rng = np.random.default_rng(3)
    values = rng.normal(0, 1, (12, 1)) + rng.normal(0, 2, (12, 9))
    found = of(values)
    within = values.var(axis=1, ddof=1).mean()
    assert found.within == pytest.approx(within, rel=1e-4)
    assert found.between == pytest.approx(values.mean(axis=1).var(ddof=1) - within / 9, rel=1e-4)
    assert found.mean == pytest.approx(values.mean())


@pytest.mark.parametrize("seed", range(6))
def test_variances_are_those_of_mixedlm(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 9, 14)
    groups = [rng.normal(0, 1) + rng.normal(0, 1.5, size) for size in sizes]
    found, sites = of(groups), np.repeat(np.arange(14), sizes)
    model = MixedLM(np.concatenate(groups), np.ones(sizes.sum()), groups=sites)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = model.fit(reml=True, method="powell", xtol=1e-10, ftol=1e-10)
    assert found.between == pytest.approx(float(fit.cov_re[0, 0]), rel=1e-4)
    assert found.within == pytest.approx(fit.scale, rel=1e-4)
    assert found.mean == pytest.approx(fit.fe_params[0], rel=1e-4)


def test_the_unit_changes_nothing_but_the_unit() -> None:
    one, other = of(BALANCED), of(BALANCED, 1000)
    assert other.mean == pytest.approx(1000 * one.mean, rel=1e-4)
    assert other.between == pytest.approx(1e6 * one.between, rel=1e-4)
    assert other.icc == pytest.approx(one.icc, rel=1e-4)


def test_sites_that_are_alike_have_no_variance_and_the_interval_is_that_of_the_scans() -> None:
    """Their means are nearer than chance alone would make them: the estimate lies on the boundary."""
    groups = [(-1, 1.1), (-1.1, 1), (-0.9, 1), (-1, 0.9)]
    found = of(groups)
    assert found.note == NO_SITE_VARIANCE
    assert (found.between, found.icc) == (0, 0)
    values = np.concatenate(groups)
    assert found.within == pytest.approx(values.var(ddof=1))
    assert found.mean == pytest.approx(values.mean())
    assert found.error == pytest.approx(values.std(ddof=1) / np.sqrt(8))


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        ([(1, 2), (3, 4)], "2 sites"),
        ([(1,), (2,), (3,), (5,)], "one scan of each site"),
        ([(1, 1), (1, 1), (1,)], "no variance within sites"),
        ([(1, 1), (2, 2), (4, 4, 4), (3,)], "no variance within sites"),
    ],
)
def test_what_cannot_be_estimated_is_said(groups: Sequence[Sequence[float]], said: str) -> None:
    found = of(groups)
    assert said in found.note
    assert np.isnan([found.mean, found.lower, found.upper, found.icc]).all()


@pytest.mark.parametrize("seed", range(10))
def test_hard_data_end_in_a_number_or_a_note(seed: int) -> None:
    """Nearly all differences are 0, most sites have one scan, some differ by nothing within."""
    rng = np.random.default_rng(seed)
    sites = rng.integers(0, 25, 40)
    values = np.where(rng.random(40) < 0.85, 0.0, rng.choice([-1.0, 0.4, 1.0], 40))
    groups = [values[sites == site] for site in np.unique(sites)]
    found = of(groups)
    assert found.note or found.lower < found.mean < found.upper


# A new site

DICE_OF_SITES = np.array([0.912, 0.887, 0.935, 0.861, 0.903, 0.842])
ERRORS = np.array([0.010, 0.014, 0.009, 0.018, 0.012, 0.021])


def test_a_new_site_of_the_worked_example() -> None:
    """Computed elsewhere, to six digits of the values that are printed so (issue 18)."""
    found = new_site(DICE_OF_SITES, ERRORS)
    assert found.q == six(28.178400)
    assert found.between == pytest.approx(0.000743895, abs=5e-10)
    assert (found.mean, found.error) == (six(0.893833), six(0.013574))
    assert (found.lower, found.upper) == (six(0.858939), six(0.928727))
    assert (found.new_lower, found.new_upper) == (six(0.810496), six(0.977169))
    assert np.sqrt(found.new_error**2 - found.between) == six(0.012532)
    assert found.p_at_least(0.85) == six(0.891008)


@pytest.mark.parametrize("seed", range(6))
def test_the_mean_of_sites_is_that_of_statsmodels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    k = int(rng.integers(3, 12))
    means, errors = rng.normal(0.8, 0.1, k), rng.uniform(0.01, 0.05, k)
    found = new_site(means, errors)
    other = combine_effects(means, errors**2, method_re="dl", use_t=True)
    assert found.q == pytest.approx(other.q)
    assert found.between == pytest.approx(other.tau2)
    assert found.mean == pytest.approx(other.mean_effect_re)
    assert found.error == pytest.approx(other.sd_eff_w_re_hksj)
    assert (found.lower, found.upper) == pytest.approx(other.conf_int(use_t=True)[3])
    assert found.new_error**2 - found.between == pytest.approx(other.sd_eff_w_re**2)


def test_sites_that_are_nearer_than_chance_would_have_them_have_one_mean() -> None:
    """Q is below its degrees of freedom: τ² ends at 0, and weights are those of the errors alone."""
    errors = np.array([0.02, 0.03, 0.04, 0.05])
    found = new_site(np.array([0.8, 0.81, 0.8, 0.79]), errors)
    assert found.q < 3
    assert found.between == 0
    assert found.mean == pytest.approx(np.average([0.8, 0.81, 0.8, 0.79], weights=errors**-2))
    assert found.new_error == pytest.approx((errors**-2.0).sum() ** -0.5)


def by_site(groups: dict[str, list[float]], **changes: object) -> dict[str, pd.DataFrame]:
    """Both tables of one model, a scan of each participant."""
    sites = np.repeat(list(groups), [len(group) for group in groups.values()])
    scans = [f"{i:03d}" for i in range(len(sites))]
    scores = simulated(["a"], n_scans=len(scans))
    scores = with_role(scores[scores["model"] == "a"], ("a",))
    dice = dict(zip(scans, np.concatenate(list(groups.values())), strict=True))
    scores = scores.assign(dice=scores["scan_id"].map(dice))
    table = pd.DataFrame({"scan_id": scans, "participant_id": scans, "site": sites}).assign(**changes)
    plan = replace(PLAN, least_dice={"ICH": 0.5})
    return tables_of(scores, table, plan, OF_TEST_SET)


GROUPS = {
    "a": [0.9, 0.8, 0.85],
    "b": [0.7, 0.75],
    "c": [0.95, 0.9, 0.85, 0.9],
    "d": [1.0, 1.0],
    "e": [0.6],
}


def test_dice_by_site_and_of_a_new_one() -> None:
    found = by_site(GROUPS)
    of_site = found["site_dice"].query("label == 'ICH' and scans == 'all'").set_index("site")
    assert list(of_site["n"]) == [3, 2, 4, 2, 1]
    assert list(of_site["dice_mean"]) == pytest.approx([np.mean(group) for group in GROUPS.values()])
    within = sum(np.var(group) * len(group) for group in GROUPS.values()) / (12 - 5)
    errors = np.sqrt(within / of_site["n"])
    assert list(of_site["error"]) == pytest.approx(list(errors)), "a site without spread has that of all"
    half = 2.3646 * errors["a"]  # t of 7 degrees of freedom
    assert of_site.loc["a", "upper"] == pytest.approx(0.85 + half, abs=1e-4)
    assert of_site.loc["d", "upper"] == 1
    row = found["new_site"].query("label == 'ICH' and scans == 'all'").iloc[0]
    new = new_site(of_site["dice_mean"].to_numpy(), errors.to_numpy())
    assert (row["n"], row["n_participants"], row["n_sites"]) == (12, 12, 5)
    assert (row["dice_mean"], row["new_lower"]) == pytest.approx((new.mean, new.new_lower))
    assert row["new_upper"] == min(1, new.new_upper)
    assert (row["least_dice"], row["p_at_least"]) == (0.5, pytest.approx(new.p_at_least(0.5)))
    assert row["source"] == OF_TEST_SET
    other = found["new_site"].query("label == 'PHE' and scans == 'all'").iloc[0]
    assert np.isnan(other["p_at_least"]), "the plan asks nothing of it"


def test_a_participant_counts_once() -> None:
    """Two equal scans of each participant say no more than one."""
    once, twice = by_site(GROUPS), {name: [v for v in of for _ in (0, 1)] for name, of in GROUPS.items()}
    people = np.repeat([f"p{i}" for i in range(12)], 2)
    doubled = by_site(twice, participant_id=people)
    for name in ("site_dice", "new_site"):
        one, two = (tables[name].query("scans == 'all'").drop(columns="n") for tables in (once, doubled))
        pd.testing.assert_frame_equal(one, two)


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        ({name: GROUPS[name] for name in "abcd"}, "4 sites with 11 participants: a new site's Dice needs 5"),
        ({name: of[:1] for name, of in GROUPS.items()}, "5 sites with 5 participants: "),
        ({name: [0.5, 0.5] for name in GROUPS}, "no variance within sites"),
    ],
)
def test_of_too_few_sites_nothing_is_said_of_a_new_one(groups: dict[str, list[float]], said: str) -> None:
    found = by_site(groups)
    row = found["new_site"].query("label == 'ICH' and scans == 'all'").iloc[0]
    assert said in row["note"]
    assert pd.isna(row[["dice_mean", "lower", "new_lower", "p_at_least"]]).all()
    assert len(found["site_dice"].query("label == 'ICH' and scans == 'all'")) == len(groups)


def test_the_step_writes_what_is_declared_of_whichever_scans_it_is_given(tmp_path: Path) -> None:
    table, split = cohort(40)
    fold = pd.factorize(table["site"])[0] % 3
    write_tsv(table, tmp_path / "cohort.tsv")
    write_tsv(split.assign(fold=fold), tmp_path / "split.tsv")
    metrics = simulated(MODELS[:2], n_scans=40)
    words = ["--plan", str(analysis_plan.SHIPPED), *GIVEN, "--models", *MODELS[:2]]
    words += ["--cohort", str(tmp_path / "cohort.tsv"), "--split", str(tmp_path / "split.tsv")]
    of_training = metrics["scan_id"].map(dict(zip(table["scan_id"], table["scan_id"][40:], strict=False)))
    for source, rows in ((OF_TEST_SET, metrics), (HELD_OUT, metrics.assign(scan_id=of_training))):
        files = []
        for model in MODELS[:2]:
            files.append(tmp_path / f"{model}.tsv")
            write_tsv(rows[rows["model"] == model], files[-1])
        run_step("new-site", [*words, "--metrics", *map(str, files), "--out", str(tmp_path / "out")])
        assert_as_declared(tmp_path / "out", "new-site")
        found = read_tsv(tmp_path / "out" / "new_site.tsv", note=str)
        assert set(found["source"]) == {source}
        assert list(found["model"].unique()) == list(MODELS[:2])


def test_whose_scans_they_are_follows_from_the_split_and_a_torn_site_is_refused() -> None:
    """What a fold holds out is of a new site only where none of its networks has learnt from that site."""
    table, split = cohort(40)
    of_training = split.loc[split["set"] == "train", "scan_id"]
    folds = split.assign(fold=np.arange(len(split)) % 2)
    tested = split["scan_id"][:40]
    assert source_of(tested, folds, table) == OF_TEST_SET
    other_sites = table["site"].where(table["scan_id"].isin(of_training), "an outside one")
    assert source_of(tested, folds, table.assign(site=other_sites)) == OF_OTHER_SITES
    assert source_of(tested, folds.assign(set="test"), table) == OF_ALL_SCANS
    with pytest.raises(BadInput) as caught:
        source_of(of_training, folds, table)
    assert {problem.value for problem in caught.value.problems} <= set(table["site"])
    assert all(says_what_to_do(problem.message) for problem in caught.value.problems)


def test_scans_whose_site_is_not_known_are_counted() -> None:
    sites = np.repeat(list(GROUPS), [len(group) for group in GROUPS.values()]).astype(object)
    sites[0] = None
    row = by_site(GROUPS, site=sites)["new_site"].query("label == 'ICH' and scans == 'all'").iloc[0]
    assert (row["n"], row["note"]) == (11, "1 scan of unknown site left out")
    nowhere = by_site(GROUPS, site=None)
    assert nowhere["site_dice"].empty
    assert nowhere["new_site"].loc[0, "note"] == "no site is known; 12 scans of unknown site left out"


def test_the_endpoints_stand_beside_with_sites_as_a_random_effect() -> None:
    """Planted: at each site the other model's Dice is lower by an amount of the site, from 0 to .3."""
    own, other = PLAN.primary.model, PLAN.primary.against[0]
    metrics = simulated([own], n_scans=90)
    site_of = cohort(90)[0].set_index("scan_id")["site"]
    amounts = dict(zip(sorted(set(site_of)), np.linspace(0, 0.3, 12), strict=True))
    noise = np.random.default_rng(2).normal(0, 0.05, len(metrics))
    lower = metrics["scan_id"].map(site_of).map(amounts) + noise
    twin = metrics.assign(model=other, dice=metrics["dice"] - lower)
    both = pd.concat([metrics, twin[metrics["model"] == own]], ignore_index=True)
    tables = analysed(both, (own, other))
    found = tables["site_effects"]
    assert list(found["against"]) == list(tables["endpoints"]["against"])
    primary = found.iloc[0]
    assert (primary["n"], primary["n_sites"], primary["note"]) == (90, 12, "")
    assert primary["mean"] == pytest.approx(0.15, abs=0.02)
    assert primary["icc"] > 0.5
    assert primary["lower"] < 0.15 < primary["upper"]
    assert found.iloc[1]["note"].startswith("not part of this run: ")
    page = table_page.html(planned_comparison(tables, {}, LABELS), "")
    assert f"95% interval, these networks (site_effects.tsv): {primary['mean']:.3f} (" in page
    assert (
        "over 12 sites (scans whose site is not known: one for each participant); intraclass correlation 0."
        in page
    )


def test_an_interval_over_sites_ends_where_differences_do() -> None:
    """Three sites that differ by much: t of two degrees of freedom goes far beyond ±1."""
    table, split = cohort(60)
    table["site"] = [f"site {i % 3}" for i in range(len(table))]
    metrics = simulated(MODELS, n_scans=60)
    of_site = metrics["scan_id"].astype(int) % 3
    dice = metrics["dice"].mask(metrics["model"] == MODELS[1], of_site * 0.4)
    known = table.set_index("scan_id").iloc[:60].assign(slice_thickness_mm=5.0)
    scores = with_role(metrics.assign(dice=dice), MODELS)
    found = analysis(PLAN, scores, table, split, known, LABELS)["site_effects"].query("measure == 'dice'")
    assert found["upper"].max() == 1
    assert found["lower"].min() >= -1


def test_what_was_not_run_is_said_on_the_page() -> None:
    tables = analysed(simulated(MODELS[:1], n_scans=8), MODELS[:1])
    page = table_page.html(planned_comparison(tables, {}, LABELS), "")
    assert "these networks (site_effects.tsv): not estimated; not part of this run: " in page
