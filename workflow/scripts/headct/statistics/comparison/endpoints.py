"""The plan's primary and key secondary endpoints, and how firm they are.

``results/statistics/endpoints.tsv`` has one row per endpoint × model that it is against:

    status, endpoint        primary or key secondary, and its name
    measure, label, scans, model, against
    n                       scans
    estimate_model, estimate_against        means over the scans, or shares of them
    difference, lower, upper, interval      model − against, with the 95 % interval, and how it was made
    test, p                 McNemar's exact test (shares, one seed), else sign flips
    p_holm                  over all key secondary rows; the primary one needs no correction
    verdict                 higher, lower, no difference shown, or nothing where it could not be done
    scope, note

The primary verdict goes by the interval, the others by Holm's P. ``sensitivity.tsv`` repeats each row's
difference and interval without scans in which one of the two predictions is missing (they count as empty
otherwise), and with whole sites drawn instead of scans.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from headct.contracts.declarations import PublishedStatistic
from headct.settings.analysis_plan import KEY_SECONDARY, PRIMARY, Endpoint, Plan
from headct.statistics.comparison.paired import LEVEL, NO_VARIANCE, sign_flip, too_few
from headct.statistics.comparison.score_arrays import ScoreArrays, bounds_of, scope
from headct.statistics.core import bootstrap
from headct.statistics.core.bootstrap import Sampled
from headct.statistics.core.group_tests import ALPHA

HIGHER, LOWER, NOT_SHOWN = "higher", "lower", "no difference shown"

MINIMUM_SITES = 10
"""Fewer sites make an interval that is too narrow (Cameron AC, Miller DL. J Hum Resour 2015;50:317-372)."""

COMPLETE, SITES = "complete cases", "sites drawn"

ENDPOINTS = PublishedStatistic(
    name="endpoints",
    help="the plan's endpoints, each with a verdict",
    step="paired-analysis",
    columns="status endpoint measure label scans model against n estimate_model estimate_against difference"
    " lower upper interval test p p_holm verdict scope note",
    keys="model against endpoint label measure scans status",
)

SENSITIVITY = PublishedStatistic(
    name="sensitivity",
    help="the endpoints by other analyses",
    step="paired-analysis",
    columns="status endpoint measure label scans model against analysis n n_sites difference lower upper"
    " interval note",
    keys="model against endpoint label measure scans analysis status",
)


def endpoints_table(data: ScoreArrays, plan: Plan) -> pd.DataFrame:
    """The endpoints; the columns are listed at the top of this module."""
    rows = [
        {"status": status, **_name(endpoint, against), **_compare(data, plan, endpoint, against)}
        for status, endpoint in plan.endpoints()
        for against in endpoint.against
    ]
    table = pd.DataFrame(rows).reindex(columns=ENDPOINTS.header)
    tested = (table["status"] == KEY_SECONDARY) & table["p"].notna()
    if tested.any():
        from statsmodels.stats.multitest import multipletests  # with all of SciPy's tests: a second

        table.loc[tested, "p_holm"] = multipletests(table.loc[tested, "p"], method="holm")[1]
    table["verdict"] = [_verdict(row) for row in table.to_dict("records")]
    return table


def sensitivity_table(data: ScoreArrays, plan: Plan, sites: Mapping[str, str]) -> pd.DataFrame:
    """Each endpoint under other choices; ``sites`` maps scan to site."""
    rows = []
    for status, endpoint in plan.endpoints():
        for against in endpoint.against:
            if not _missing(data, endpoint, against):
                name = {"status": status, **_name(endpoint, against)}
                rows += [{**name, **row} for row in _sensitivity(data, plan, endpoint, against, sites)]
    return pd.DataFrame(rows, columns=SENSITIVITY.header)


def mcnemar_exact(a: np.ndarray, b: np.ndarray) -> float:
    """P, two-sided, of two binary classifications (n,) of the same scans.

    McNemar Q. Psychometrika 1947;12:153-157. R: ``exact2x2::mcnemar.exact``.
    """
    from statsmodels.stats.contingency_tables import mcnemar  # as multipletests

    counts = [np.sum((a == i) & (b == j)) for i, j in ((1, 1), (1, 0), (0, 1), (0, 0))]
    return float(mcnemar(np.reshape(counts, (2, 2)), exact=True).pvalue)


def _name(endpoint: Endpoint, against: str) -> dict[str, str]:
    names = {key: getattr(endpoint, key) for key in ("measure", "label", "scans", "model")}
    return {"endpoint": endpoint.name, **names, "against": against}


def _missing(data: ScoreArrays, endpoint: Endpoint, against: str) -> list[str]:
    return [model for model in (endpoint.model, against) if model not in data.models]


def _pair(data: ScoreArrays, endpoint: Endpoint, against: str) -> tuple[np.ndarray, np.ndarray]:
    """Values (seeds, scans, 2) of the two models, and which scans the endpoint takes."""
    columns = [data.models.index(endpoint.model), data.models.index(against)]
    values = data.values(endpoint.measure, endpoint.label)[:, :, columns]
    return values, data.chosen(endpoint.label, endpoint.scans)


def _compare(data: ScoreArrays, plan: Plan, endpoint: Endpoint, against: str) -> dict[str, Any]:
    missing = _missing(data, endpoint, against)
    if missing:
        return {"note": f"not part of this run: {', '.join(missing)}"}
    values, chosen = _pair(data, endpoint, against)
    values = values[:, chosen]
    n = int(chosen.sum())
    row: dict[str, Any] = {"n": n, "scope": scope(data.n_seeds)}
    if too_few(n):
        return {**row, "note": too_few(n)}
    draws = bootstrap.draws_of_scans(n, plan.resamples, plan.seed, data.n_seeds)
    both = _means(endpoint, values, draws)
    of_scans = values.mean(axis=0)
    if endpoint.measure == "false_positive" and data.n_seeds == 1:
        test, p = "McNemar, exact", mcnemar_exact(*of_scans.T)
    else:
        difference = of_scans[:, :1] - of_scans[:, 1:]
        test, p = "sign flips", float(sign_flip(difference, plan.permutations, plan.seed)[0])
    return {
        **row,
        "estimate_model": both.estimate[0],
        "estimate_against": both.estimate[1],
        **_interval(both),
        "test": test,
        "p": p,
    }


def _means(endpoint: Endpoint, values: np.ndarray, draws: bootstrap.Draws) -> Sampled:
    return bootstrap.evaluate(bootstrap.mean(values), draws, bounds=bounds_of(endpoint.measure))


def _interval(both: Sampled) -> dict[str, Any]:
    found = both.differences([0], [1])
    lower, upper = found.interval(LEVEL)
    note = NO_VARIANCE if found.constant()[0] else ""
    ends = {"lower": lower[0], "upper": upper[0], "interval": found.method()[0]}
    return {"difference": found.estimate[0], **ends, "note": note}


def _verdict(row: Mapping[Hashable, Any]) -> str:
    if math.isnan(row["difference"]):
        return ""
    shown = row["p_holm"] < ALPHA
    if row["status"] == PRIMARY:
        shown = row["lower"] > 0 or row["upper"] < 0
    if not shown:
        return NOT_SHOWN
    return HIGHER if row["difference"] > 0 else LOWER


def _sensitivity(
    data: ScoreArrays, plan: Plan, endpoint: Endpoint, against: str, sites: Mapping[str, str]
) -> list[dict[str, Any]]:
    values, chosen = _pair(data, endpoint, against)
    columns = [data.models.index(endpoint.model), data.models.index(against)]
    complete = chosen & ~data.failed[:, columns].any(axis=1)
    rows = []
    for analysis, taken in ((COMPLETE, complete), (SITES, chosen)):
        n = int(taken.sum())
        row: dict[str, Any] = {"analysis": analysis, "n": n, "note": too_few(n)}
        if analysis == COMPLETE and not row["note"]:
            draws = bootstrap.draws_of_scans(n, plan.resamples, plan.seed, data.n_seeds)
            row |= _interval(_means(endpoint, values[:, taken], draws))
        elif analysis == SITES:
            of_scans = [sites[scan] for scan in data.scans[taken]]
            row["n_sites"] = len(set(of_scans))
            if row["n_sites"] < 2:
                row["note"] = "one site: none can be drawn"
            elif not row["note"]:
                draws = bootstrap.draws_of_clusters(of_scans, plan.resamples, plan.seed, data.n_seeds)
                row |= _interval(_means(endpoint, values[:, taken], draws))
                if row["n_sites"] < MINIMUM_SITES:
                    few = f"{row['n_sites']} sites are too few: the interval is too narrow"
                    row["note"] = "; ".join(filter(None, [row["note"], few]))
        rows.append(row)
    return rows
