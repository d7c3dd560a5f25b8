"""The plan's endpoints with sites as a random effect: ``results/statistics/site_effects.tsv``.

A sensitivity analysis beside ``endpoints.tsv``: each site counts as one of a population of sites, however
many scans it has. One row per endpoint × model that it is against:

    status, endpoint, measure, label, scans, model, against
    n, n_sites              scans, and their sites; a scan whose site is not known counts with its participant
    mean, error, lower, upper       μ, the mean difference over sites, with its standard error and 95 %
                            interval by t with sites − 1 degrees of freedom
    variance_between, variance_within, icc      of sites and of scans of one site, and the intraclass
                            correlation of the differences
    note                    what could not be estimated; no variance between sites

An interval ends where the differences of its measure do.

:mod:`headct.statistics.core.sites`. Several seeds are averaged: it is about the networks at hand.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from headct.contracts.declarations import PublishedStatistic
from headct.settings.analysis_plan import SITE, Plan
from headct.statistics.comparison.endpoints import Compared, compared, not_run, paired_differences
from headct.statistics.comparison.score_arrays import ScoreArrays, bounds_of
from headct.statistics.core.clusters import Clusters
from headct.statistics.core.sites import mean_over_sites

NO_SITE = "no site is known"

SITE_EFFECTS = PublishedStatistic(
    name="site_effects",
    help="the endpoints with sites as a random effect",
    step="paired-analysis",
    columns="status endpoint measure label scans model against n n_sites mean error lower upper"
    " variance_between variance_within icc note",
    keys="model against endpoint label measure scans status",
)


def site_effects_table(data: ScoreArrays, plan: Plan, sites: Clusters) -> pd.DataFrame:
    """Every endpoint; the columns are listed at the top of this module.

    Args:
        data: scores of all models.
        plan: the analysis plan.
        sites: of the scans.
    """
    rows = [{**one.name, **_row(data, one, sites)} for one in compared(data, plan)]
    return pd.DataFrame(rows, columns=SITE_EFFECTS.header)


def _row(data: ScoreArrays, one: Compared, sites: Clusters) -> dict[str, Any]:
    if note := not_run(data, one.endpoint, one.against):
        return {"note": note}
    scans = data.scans[data.chosen(one.endpoint.label, one.endpoint.scans)]
    if sites.kind != SITE:
        return {"n": len(scans), "note": NO_SITE}
    low, high = bounds_of(one.endpoint.measure)
    found = mean_over_sites(paired_differences(data, one.endpoint, one.against), sites.of(scans))
    return {
        "n": found.n,
        "n_sites": found.n_sites,
        "mean": found.mean,
        "error": found.error,
        "lower": np.clip(found.lower, low - high, high - low),
        "upper": np.clip(found.upper, low - high, high - low),
        "variance_between": found.between,
        "variance_within": found.within,
        "icc": found.icc,
        "note": found.note,
    }
