"""Dice by site, and what a new site may expect: ``python -m headct new-site --help``.

Sites are those of the training scans, each predicted by networks that saw no scan of its site, where folds
hold out whole sites (``split.folds_by: site``); else those of the test set.
``results/statistics/site_dice.tsv`` has one row per model × lesion × choice of scans (all, with the lesion) ×
site:

    model, role, label, scans, site
    n, n_participants
    dice_mean               over its participants, of whom each counts with the mean over own scans
    error, lower, upper     its standard error, by the spread within all sites, and 95 % interval

``results/statistics/new_site.tsv`` has one row for all sites:

    source                  whose scans, and what their networks had seen
    n, n_participants, n_sites
    q, variance_between     Cochran's Q, and the variance τ² of the sites' true means
    dice_mean, error, lower, upper      the mean over sites, with standard error and 95 % interval
    new_error, new_lower, new_upper     the mean Dice of a new site: SD, and 95 % prediction interval
    least_dice, p_at_least  what the plan asks of a new site, and how likely one has it
    note                    what could not be estimated, and why; scans whose site is not known

All sites have the same variance within: a site's own, of few scans, is smallest where all went well, so that
weights by it favour high Dice (docs/decisions/site-variances.md). Intervals end at 0 and 1. Several seeds are
averaged: it is about the networks at hand. :func:`headct.statistics.core.sites.new_site`.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy

from headct.contracts import labels as label_sets
from headct.contracts.artefacts import read_tsv, write_tsv
from headct.contracts.declarations import MadeOf, PublishedStatistic
from headct.contracts.plurals import counted
from headct.contracts.problems import BadInput, Problem
from headct.contracts.sets import SETS
from headct.settings import analysis_plan
from headct.settings.analysis_plan import Plan
from headct.statistics.comparison.site_effects import NO_SITE
from headct.statistics.core import scores as scores_of
from headct.statistics.core.agreement import ALL_SCANS, WITH_LESION
from headct.statistics.core.clusters import MINIMUM_CLUSTERS
from headct.statistics.core.jackknife import RELATIVE_NOISE
from headct.statistics.core.sites import LEVEL, new_site

logger = logging.getLogger(__name__)

OF_TEST_SET = "test scans; the networks may have learnt from other scans of their sites"
OF_ALL_SCANS = "test scans; no scan was trained on here"
OF_OTHER_SITES = "test scans, of sites that have no training scans"
HELD_OUT = "training scans, each predicted by networks that saw no scan of its site"

TORN = (
    "training scans of this site are in several folds, so that networks that predict some have learnt from"
    " others: hand in the metrics of the test set, or set split.folds_by: site"
)

SITE_DICE = PublishedStatistic(
    name="site_dice",
    help="Dice by site",
    step="new-site",
    columns="model role label scans site n n_participants dice_mean error lower upper",
    keys="model label scans site",
    made_of=(MadeOf(rows="metrics that the job read"),),
)

NEW_SITE = PublishedStatistic(
    name="new_site",
    help="the mean Dice over sites, and where that of a new site may lie",
    step="new-site",
    columns="model role label scans source n n_participants n_sites q variance_between dice_mean error lower"
    " upper new_error new_lower new_upper least_dice p_at_least note",
    keys="model label scans",
    made_of=(MadeOf(rows="metrics that the job read"),),
)


@dataclass(frozen=True)
class OfSites:
    """Dice by site, in the order of their names: scans, participants and mean (k,) of each of k sites.

    ``within`` is the variance of participants of one site, from all sites together, with ``df`` degrees of
    freedom.
    """

    sites: tuple[str, ...]
    n: np.ndarray
    n_participants: np.ndarray
    means: np.ndarray
    within: float
    df: int

    @property
    def errors(self) -> np.ndarray:
        """Standard error (k,) of each mean."""
        found: np.ndarray = np.sqrt(self.within / self.n_participants)
        return found


def main(
    *,
    labels: str,
    metrics: list[Path],
    plan: Path,
    cohort: Path,
    split: Path,
    models: list[str],
    out: Path,
) -> None:
    """Dice by site, and the mean Dice of a new site with a prediction interval.

    Args:
        labels: JSON: the lesion classes, in their order, with roles and groups.
        metrics: metrics of the test scans or, where folds hold out whole sites, of the held-out ones.
        plan: analysis plan, for the least Dice of a new site.
        cohort: cohort.tsv.
        split: split.tsv.
        models: the compared models.
        out: folder of the tables to write.
    """
    scores = scores_of.read(metrics, models, label_sets.read(labels))
    scans = read_tsv(cohort)
    source = source_of(scores["scan_id"], read_tsv(split), scans)
    tables = tables_of(scores, scans, analysis_plan.load(plan), source)
    for name, table in tables.items():
        write_tsv(table, out / f"{name}.tsv")
    logger.info("Dice by site of %d scans: %s", scores["scan_id"].nunique(), out)


def source_of(scan_ids: pd.Series, split: pd.DataFrame, cohort: pd.DataFrame) -> str:
    """Whose scans they are, and what their networks had seen.

    Args:
        scan_ids: of those that were measured.
        split: ``split.tsv``.
        cohort: ``cohort.tsv``.

    Raises:
        BadInput: they are held-out scans, and a site stands in several folds.
    """
    scans = split.merge(cohort[["scan_id", "site"]], on="scan_id")
    training, tested = (scans[scans["set"] == name] for name in SETS)
    if training.empty:
        return OF_ALL_SCANS
    if scan_ids.isin(tested["scan_id"]).all():
        return OF_TEST_SET if tested["site"].isin(training["site"].dropna()).any() else OF_OTHER_SITES
    folds = training.groupby("site")["fold"].nunique()
    torn = folds.index[folds > 1]
    if len(torn):
        raise BadInput([Problem("--metrics", TORN, key="site", value=name) for name in torn])
    return HELD_OUT


def tables_of(scores: pd.DataFrame, cohort: pd.DataFrame, plan: Plan, source: str) -> dict[str, pd.DataFrame]:
    """Both tables by name; the columns are listed at the top of this module.

    Args:
        scores: as of :func:`headct.statistics.core.scores.read`.
        cohort: ``cohort.tsv``, sites as text.
        plan: the analysis plan.
        source: whose scans they are, in words.
    """
    belongs = cohort.set_index("scan_id")[["site", "participant_id"]]
    scans = scores_of.mean_over_seeds(scores).join(belongs, on="scan_id")
    by_site: list[dict[str, Any]] = []
    of_new: list[dict[str, Any]] = []
    for (model, role, label), rows in scans.groupby(["model", "role", "label"], sort=False):
        for choice, chosen in ((ALL_SCANS, rows), (WITH_LESION, rows[rows["reference_ml"] > 0])):
            key = {"model": model, "role": role, "label": label, "scans": choice}
            found = of_sites(chosen.dropna(subset="site"))
            by_site += [key | cells for cells in site_cells(found)]
            n_unknown = int(chosen["site"].isna().sum())
            of_new.append(
                key | {"source": source} | new_site_cells(found, plan.least_dice.get(str(label)), n_unknown)
            )
    return {
        SITE_DICE.name: pd.DataFrame(by_site, columns=SITE_DICE.header),
        NEW_SITE.name: pd.DataFrame(of_new, columns=NEW_SITE.header),
    }


def of_sites(scans: pd.DataFrame) -> OfSites:
    """Dice by site of scans with a site each, from their columns site, participant_id and dice."""
    people = scans.groupby(["site", "participant_id"])["dice"].mean()
    sites = people.groupby("site")
    deviations = people - sites.transform("mean")
    df = len(people) - sites.ngroups
    return OfSites(
        sites=tuple(map(str, sites.groups)),
        n=scans.groupby("site").size().to_numpy(),
        n_participants=sites.size().to_numpy(),
        means=sites.mean().to_numpy(),
        within=float((deviations**2).sum() / df) if df else math.nan,
        df=df,
    )


def site_cells(found: OfSites) -> Iterator[dict[str, Any]]:
    """The numbers of each site; no interval where nothing varies within sites, or can't."""
    known = found.within > RELATIVE_NOISE
    half = float(scipy.stats.t.isf((1 - LEVEL) / 2, found.df)) if known else math.nan
    for site, n, people, mean, error in zip(
        found.sites, found.n, found.n_participants, found.means, found.errors, strict=True
    ):
        yield {
            "site": site,
            "n": n,
            "n_participants": people,
            "dice_mean": mean,
            "error": error if known else math.nan,
            "lower": np.clip(mean - half * error, 0, 1),
            "upper": np.clip(mean + half * error, 0, 1),
        }


def new_site_cells(found: OfSites, least_dice: float | None, n_unknown: int) -> dict[str, Any]:
    """The numbers of all sites, and of a new one.

    Args:
        found: of the sites at hand.
        least_dice: what the plan asks of a new site; None if it asks nothing.
        n_unknown: scans whose site is not known.
    """
    counts = {"n": found.n.sum(), "n_participants": found.n_participants.sum(), "n_sites": len(found.sites)}
    unknown = f"{counted(n_unknown, 'scan')} of unknown site left out" if n_unknown else ""
    if problem := cannot(found):
        return {**counts, "note": "; ".join(filter(None, [problem, unknown]))}
    new = new_site(found.means, found.errors)
    return {
        **counts,
        "q": new.q,
        "variance_between": new.between,
        "dice_mean": new.mean,
        "error": new.error,
        "lower": np.clip(new.lower, 0, 1),
        "upper": np.clip(new.upper, 0, 1),
        "new_error": new.new_error,
        "new_lower": np.clip(new.new_lower, 0, 1),
        "new_upper": np.clip(new.new_upper, 0, 1),
        "least_dice": least_dice,
        "p_at_least": None if least_dice is None else new.p_at_least(least_dice),
        "note": unknown,
    }


def cannot(found: OfSites) -> str:
    """Why nothing can be said of a new site; empty if something can."""
    if not found.sites:
        return NO_SITE
    if len(found.sites) < MINIMUM_CLUSTERS or found.df < MINIMUM_CLUSTERS:
        people = counted(int(found.n_participants.sum()), "participant")
        return (
            f"{counted(len(found.sites), 'site')} with {people}: a new site's Dice needs {MINIMUM_CLUSTERS}"
            f" sites, and {MINIMUM_CLUSTERS} participants more than sites"
        )
    if found.within <= RELATIVE_NOISE:
        return "the participants of each site are equal in this: no variance within sites"
    return ""
