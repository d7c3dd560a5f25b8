"""Models compared scan by scan: Friedman, Wilcoxon, sign flips, differences with intervals, effect sizes.

``results/statistics/paired.tsv`` has one row per line of the plan's families × lesion × pair:

    measure, scans, label, model_a, model_b
    status                  planned for pairs of the compared models, exploratory for others
    n                       scans
    estimate_a, estimate_b  means, or concordance correlation coefficients
    difference, lower, upper                                a − b, with the 95 % interval
    p, p_adjusted           of the interval; Benjamini-Hochberg over the planned pairs
    median_difference, median_lower, median_upper           with the interval by order statistics
    wilcoxon_p, wilcoxon_p_adjusted                         of these networks: seeds add nothing to it
    sign_flip_p, sign_flip_p_adjusted                       likewise
    standardised            mean difference / SD of the differences
    rank_biserial           (sum of positive − negative ranks) / their sum; zeros ranked, not counted
    superiority             share of scans in which a is higher; ties count half
    scope                   what the statement is about
    note
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import combinations, product

import numpy as np
import pandas as pd
import scipy

from headct.contracts.declarations import MadeOf, PublishedStatistic
from headct.settings.analysis_plan import EXPLORATORY, PLANNED, Family, Plan
from headct.statistics.comparison.score_arrays import ScoreArrays, at_hand, bounds_of, scope
from headct.statistics.core import jackknife
from headct.statistics.core.group_tests import ALPHA, benjamini_hochberg
from headct.statistics.core.jackknife import Estimated
from headct.statistics.core.order_statistics import median_interval
from headct.statistics.core.scores import EXTRA, FAMILY

LEVEL = 0.95
MINIMUM_SCANS = 3
EXACT_UP_TO = 15
"""Clusters of scans up to which all sign flips are tried."""

NO_VARIANCE = "no variance between clusters: no interval"

FRIEDMAN = PublishedStatistic(
    name="friedman",
    help="whether the compared models differ at all, scan by scan",
    step="paired-analysis",
    columns="measure scans label q df p kendall_w n_models n_scans note",
    keys="label measure scans",
)

RANKS = PublishedStatistic(
    name="ranks",
    help="mean ranks of the compared models within scans",
    step="paired-analysis",
    columns="measure scans label model mean_rank critical_difference n_scans",
    keys="model label measure scans",
    made_of=(MadeOf(models="all compared"),),
)

PAIRED = PublishedStatistic(
    name="paired",
    help="differences of each pair of models, scan by scan",
    step="paired-analysis",
    columns="measure scans label model_a model_b status n estimate_a estimate_b difference lower upper"
    " p p_adjusted median_difference median_lower median_upper wilcoxon_p wilcoxon_p_adjusted sign_flip_p"
    " sign_flip_p_adjusted standardised rank_biserial superiority scope note",
    keys="model_a model_b label measure scans status",
)


def sign_flip(differences: np.ndarray, clusters: np.ndarray, n_permutations: int, seed: int) -> np.ndarray:
    """P (k,), two-sided, of mean differences (n, k) if those of a cluster might as well have the other sign.

    Exact up to :data:`EXACT_UP_TO` clusters, else over the same random flips for all columns. Fisher RA. The
    Design of Experiments. Oliver & Boyd, 1935, section 21; whole clusters: Canay IA, Romano JP, Shaikh AM.
    Econometrica 2017;85:1013-1030. Of zeros and ones, each scan a cluster, it is McNemar's exact test. R:
    ``coin::symmetry_test``; SciPy: ``permutation_test(permutation_type="samples")``.

    Args:
        differences: of each scan, a column per pair.
        clusters: number of each scan's cluster, from 0.
        n_permutations: number of random flips.
        seed: of these.
    """
    sums = sums_of_clusters(differences, clusters)
    n = len(sums)
    found = np.abs(sums.sum(axis=0))
    signs = _signs(n, n_permutations, seed)
    noise = jackknife.RELATIVE_NOISE * np.abs(sums).sum(axis=0)
    as_large = (np.abs(signs @ sums) >= found - noise).sum(axis=0)
    if n <= EXACT_UP_TO:
        return as_large / len(signs)
    p: np.ndarray = (as_large + 1) / (len(signs) + 1)
    return p


@lru_cache(maxsize=4)
def _signs(n: int, n_permutations: int, seed: int) -> np.ndarray:
    if n <= EXACT_UP_TO:
        return np.array(list(product((-1.0, 1.0), repeat=n)))
    return np.random.default_rng([seed, n, 2]).choice((-1.0, 1.0), (n_permutations, n))


def sums_of_clusters(values: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    """Sum of values (n, k) over each cluster: (clusters, k)."""
    membership = clusters == np.arange(int(clusters.max()) + 1)[:, None]
    sums: np.ndarray = membership.astype(float) @ values
    return sums


def wilcoxon(differences: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    """P (k,), two-sided, of Wilcoxon's signed-rank test of (n, k) differences; 1 where all are 0.

    Zeros are ranked and then left out: Pratt JW. J Am Stat Assoc 1959;54:655-667. The sum of the signed ranks
    over its standard error from the sums of the clusters, by the normal approximation: Larocque D. Stat
    Neerl 2005;59:41-48. R, where each scan is a cluster: ``coin::wilcoxsign_test(zero.method = "Pratt")``.
    """
    ranks = scipy.stats.rankdata(np.abs(differences), axis=0) * np.sign(differences)
    sums = sums_of_clusters(ranks, clusters)
    error = np.sqrt((sums**2).sum(axis=0))
    z = np.divide(sums.sum(axis=0), error, out=np.zeros_like(error), where=error > 0)
    p: np.ndarray = 2 * scipy.stats.norm.sf(np.abs(z))
    return p


def friedman(values: np.ndarray) -> dict[str, float | str]:
    """Friedman's test of (n, k) values: q df p kendall_w note; ties corrected, NaN where undefined.

    Friedman M. J Am Stat Assoc 1937;32:675-701; W: Kendall MG, Babington Smith B. Ann Math Stat
    1939;10:275-287. R: ``friedman.test(values)``.
    """
    n, k = values.shape
    nothing = {"q": math.nan, "df": max(k - 1, 0), "p": math.nan, "kendall_w": math.nan}
    if k < 3 or n < 2:
        return {**nothing, "note": f"needs 3 models and 2 scans, there are {k} and {n}"}
    if (np.ptp(values, axis=1) == 0).all():
        return {**nothing, "note": "in every scan all models are equal"}
    q, p = map(float, scipy.stats.friedmanchisquare(*values.T))
    return {"q": q, "df": k - 1, "p": p, "kendall_w": q / (n * (k - 1)), "note": ""}


def mean_ranks(values: np.ndarray) -> np.ndarray:
    """Mean rank (k,) over the scans of (n, k) values; 1 is the highest, ties share their mean rank."""
    ranks: np.ndarray = scipy.stats.rankdata(-values, axis=1).mean(axis=0)
    return ranks


def critical_difference(n_models: int, n_scans: int) -> float:
    """Least difference of mean ranks that Nemenyi's test finds (5 %).

    q · √(k(k + 1) / 6N), q the Studentised range over √2. Demšar J. J Mach Learn Res 2006;7:1-30. For a
    picture only: ranks depend on which models are in the pool. R: ``PMCMRplus::frdAllPairsNemenyiTest``.
    """
    q = scipy.stats.studentized_range.ppf(1 - ALPHA, n_models, math.inf) / math.sqrt(2)
    return float(q * math.sqrt(n_models * (n_models + 1) / (6 * n_scans)))


def friedman_table(data: ScoreArrays, plan: Plan) -> pd.DataFrame:
    """Per family that has a test, and lesion: measure scans label q df p kendall_w n_models n_scans note."""
    columns = data.indices(FAMILY)
    rows = [
        {
            "measure": family.measure,
            "scans": family.scans,
            "label": label,
            **found,
            "n_models": len(columns),
            "n_scans": len(values),
            "note": found["note"] or f"scans count as independent; about {at_hand(data.n_seeds)}",
        }
        for family, label, values in _tested(data, plan)
        for found in [friedman(values[:, columns])]
    ]
    return pd.DataFrame(rows, columns=FRIEDMAN.header)


def ranks_table(data: ScoreArrays, plan: Plan) -> pd.DataFrame:
    """Mean ranks of the compared models, 1 the highest value: what a critical-difference diagram shows.

    Columns: measure scans label model mean_rank critical_difference n_scans.
    """
    columns = data.indices(FAMILY)
    rows = []
    for family, label, values in _tested(data, plan):
        n = len(values)
        if len(columns) < 2 or n < 2:
            continue
        difference = critical_difference(len(columns), n)
        rows += [
            {
                "measure": family.measure,
                "scans": family.scans,
                "label": label,
                "model": data.models[column],
                "mean_rank": rank,
                "critical_difference": difference,
                "n_scans": n,
            }
            for column, rank in zip(columns, mean_ranks(values[:, columns]), strict=True)
        ]
    return pd.DataFrame(rows, columns=RANKS.header)


def _tested(data: ScoreArrays, plan: Plan) -> list[tuple[Family, str, np.ndarray]]:
    """Each family with tests × lesion, and the values (scans, models), averaged over seeds."""
    return [
        (family, label, data.values(family.measure, label).mean(axis=0)[data.chosen(label, family.scans)])
        for family in plan.families
        if family.measure != "ccc"
        for label in data.labels
    ]


def pairs_of(data: ScoreArrays) -> list[tuple[int, int, str]]:
    """Columns and status of all pairs: of compared models, then of these with any other."""
    family = data.indices(FAMILY)
    beyond = data.indices(EXTRA)
    pairs = [(a, b, PLANNED) for a, b in combinations(family, 2)]
    return pairs + [(a, b, EXPLORATORY) for a in beyond for b in family]


def too_few(n: int) -> str:
    """Why so many scans give no interval; nothing if they do."""
    return "" if n >= MINIMUM_SCANS else f"an interval needs {MINIMUM_SCANS} scans, there are {n}"


def estimated(data: ScoreArrays, measure: str, label: str, scans: str) -> Estimated:
    """Mean of a measure, CCC, or pooled Dice, of all models.

    Args:
        data: scores of all models.
        measure: a column of the metrics table, ``ccc``, or ``dice_pooled``.
        label: of the lesion.
        scans: which scans count.
    """
    chosen = data.chosen(label, scans)
    clusters, alike = data.clusters_of(chosen), data.indices(FAMILY)
    reference, predicted = data.reference_ml(label)[chosen], data.arrays[label, "predicted_ml"][:, chosen]
    if measure == "ccc":
        return jackknife.evaluate(jackknife.ccc(reference, predicted), clusters, fisher=True, alike=alike)
    if measure == "dice_pooled":
        shared = data.arrays[label, "intersection_ml"][:, chosen]
        statistic = jackknife.pooled_dice(reference, predicted, shared)
        return jackknife.evaluate(statistic, clusters, bounds=bounds_of("dice"), alike=alike)
    values = data.values(measure, label)[:, chosen]
    return jackknife.evaluate(jackknife.mean(values), clusters, bounds=bounds_of(measure), alike=alike)


def paired_table(data: ScoreArrays, plan: Plan) -> pd.DataFrame:
    """Every line of the plan's families, over all pairs; the columns are listed at the top of this module."""
    pairs = pairs_of(data)
    tables = [
        compare(data, plan, family, label, pairs)
        for family in plan.families
        for label in data.labels
        if pairs
    ]
    columns = PAIRED.header
    return pd.concat(tables, ignore_index=True)[columns] if tables else pd.DataFrame(columns=columns)


def compare(
    data: ScoreArrays, plan: Plan, family: Family, label: str, pairs: list[tuple[int, int, str]]
) -> pd.DataFrame:
    """One line of the families, one lesion: a row per pair.

    Args:
        data: scores of all models.
        plan: the analysis plan.
        family: measure and scans of the line.
        label: of the lesion.
        pairs: numbers of two models each, and the status of their comparison.
    """
    first, second = [a for a, _, _ in pairs], [b for _, b, _ in pairs]
    chosen = data.chosen(label, family.scans)
    planned = np.array([status == PLANNED for _, _, status in pairs])
    table = pd.DataFrame(
        {
            "measure": family.measure,
            "scans": family.scans,
            "label": label,
            "model_a": [data.models[a] for a in first],
            "model_b": [data.models[b] for b in second],
            "status": [status for _, _, status in pairs],
            "n": chosen.sum(),
            "scope": scope(data.n_seeds) + _narrower(data.n_seeds, family),
            "note": too_few(chosen.sum()),
        }
    )
    if chosen.sum() < MINIMUM_SCANS:
        return table.reindex(columns=PAIRED.header)
    clusters = data.clusters_of(chosen)
    both = estimated(data, family.measure, label, family.scans)
    difference = both.differences(first, second)
    table["estimate_a"], table["estimate_b"] = both.estimate[first], both.estimate[second]
    table["difference"] = difference.estimate
    table["lower"], table["upper"] = difference.interval(LEVEL)
    table["p"] = difference.p_of_difference()
    table["p_adjusted"] = _adjusted(table["p"], planned)
    table.loc[difference.constant(), "note"] = NO_VARIANCE
    if family.measure == "ccc":
        table.loc[np.isnan(difference.estimate), "note"] = "all volumes are equal: no concordance"
        return table.reindex(columns=PAIRED.header)
    values = data.values(family.measure, label).mean(axis=0)[chosen]
    found = values[:, first] - values[:, second]
    medians = np.array([median_interval(column, clusters) for column in found.T])
    table["median_difference"] = np.median(found, axis=0)
    table["median_lower"], table["median_upper"] = medians.T
    table["wilcoxon_p"] = wilcoxon(found, clusters)
    table["sign_flip_p"] = sign_flip(found, clusters, plan.permutations, plan.seed)
    for test in ("wilcoxon_p", "sign_flip_p"):
        table[f"{test}_adjusted"] = _adjusted(table[test], planned)
    return table.assign(**effects(found)).reindex(columns=PAIRED.header)


def _narrower(n_seeds: int, family: Family) -> str:
    """What of a row is about the networks at hand only, although its interval is not."""
    if family.measure == "ccc" or scope(n_seeds) == at_hand(n_seeds):
        return ""
    return f"; Wilcoxon, sign flips, median and effect sizes: {at_hand(n_seeds)}"


def _adjusted(p: pd.Series, planned: np.ndarray) -> pd.Series:
    """P of the planned pairs, by Benjamini and Hochberg over those that have one; the others have none."""
    tested = planned & p.notna().to_numpy()
    adjusted = pd.Series(np.nan, p.index)
    adjusted[tested] = benjamini_hochberg(p[tested].to_numpy())
    return adjusted


def effects(differences: np.ndarray) -> dict[str, np.ndarray]:
    """Effect sizes (k,) of differences (n, k): standardised, rank_biserial, superiority.

    Kerby DS. Compr Psychol 2014;3:11.IT.3.1; Cohen J. Statistical Power Analysis, 1988, section 2.3.5.
    """
    ranks = scipy.stats.rankdata(np.abs(differences), axis=0) * (differences != 0)
    deviation = differences.std(axis=0, ddof=1)
    deviation[np.ptp(differences, axis=0) == 0] = 0
    with np.errstate(divide="ignore", invalid="ignore"):
        standardised = np.where(deviation > 0, differences.mean(axis=0) / deviation, np.nan)
        biserial = (ranks * np.sign(differences)).sum(axis=0) / ranks.sum(axis=0)
    return {
        "standardised": standardised,
        "rank_biserial": np.nan_to_num(biserial),
        "superiority": (np.sign(differences).mean(axis=0) + 1) / 2,
    }
