"""The mean over sites: worked examples, other ways to the same numbers, and what can't be estimated."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from statsmodels.regression.mixed_linear_model import MixedLM

from headct.publish.tables import table_page
from headct.publish.tables.planned_comparison import planned_comparison
from headct.statistics.comparison.paired_analysis import analysis
from headct.statistics.core.sites import NO_SITE_VARIANCE, SiteMean, mean_over_sites
from support.label_sets import LABELS
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
