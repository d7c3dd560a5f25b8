"""The plan's primary and key secondary endpoints, and how firm they are.

``results/statistics/endpoints.tsv`` has one row per endpoint × model that it is against:

    status, endpoint        primary or key secondary, and its name
    measure, label, scans, model, against
    n, n_clusters           scans, and clusters of these
    estimate_model, estimate_against        means over the scans, or shares of them
    bias_model_ml, bias_against_ml          of volumes: the mean error with its sign
    difference, lower, upper, p             model − against, with the 95 % interval and its P
    p_holm                  Holm's P over all key secondary rows
    lower_adjusted, upper_adjusted          the interval at the level at which the row is decided: of a key
                            secondary one at the error of all of them over their number (Bonferroni)
    verdict                 higher, lower, no difference shown, too few scans (or sites, or participants) to
                            decide, not judged, or nothing where it could not be done
    scope, note
    definition              in the manner of ICH E9(R1): which scans, what a missing prediction and an absent
                            lesion count as, which networks, what is left out as a whole

A row is decided by the P of its interval, Holm's for key secondary ones; where all scans differ by the same,
by that of the signs of the clusters, of which there must be enough. Where the plan's rule is
hierarchical, these are judged only if the primary endpoint is decided.

``sensitivity.tsv`` repeats each row's difference and interval without scans in which one of the two
predictions is missing, at the worst and the best that these could have scored, with lesions up to the plan's
thresholds of detection counted as none where scans without the lesion decide, and with other clusters, if
there are any. How trainings vary is pooled over the same models as there.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from headct.contracts.declarations import PublishedStatistic
from headct.settings.analysis_plan import (
    HIERARCHICAL,
    KEY_SECONDARY,
    PRIMARY,
    SCAN,
    WITHOUT_LESION,
    Endpoint,
    Plan,
)
from headct.statistics.comparison.missing_predictions import NO_BOUNDS, extreme_cases, is_bounded
from headct.statistics.comparison.paired import LEVEL, NO_VARIANCE, estimated, too_few
from headct.statistics.comparison.score_arrays import ScoreArrays, bounds_of, scope
from headct.statistics.core import jackknife
from headct.statistics.core.agreement import ALL_SCANS, WITH_LESION
from headct.statistics.core.clusters import MINIMUM_CLUSTERS, Clusters
from headct.statistics.core.jackknife import Estimated
from headct.statistics.core.scores import FAMILY

HIGHER, LOWER, NOT_SHOWN = "higher", "lower", "no difference shown"
TOO_FEW, NOT_JUDGED = "too few {}s to decide", "not judged"
TOO_FEW_SCANS = TOO_FEW.format(SCAN)

COMPLETE = "complete cases"

SMALL_AS_NONE = "predictions up to {:g} mL count as none"

ENDPOINTS = PublishedStatistic(
    name="endpoints",
    help="the plan's endpoints, each with a verdict",
    step="paired-analysis",
    columns="status endpoint measure label scans model against n n_clusters estimate_model estimate_against"
    " bias_model_ml bias_against_ml difference lower upper p p_holm lower_adjusted upper_adjusted verdict"
    " scope note definition",
    keys="model against endpoint label measure scans status",
)

SENSITIVITY = PublishedStatistic(
    name="sensitivity",
    help="the endpoints by other analyses",
    step="paired-analysis",
    columns="status endpoint measure label scans model against analysis n n_clusters difference lower upper"
    " note",
    keys="model against endpoint label measure scans analysis status",
)


class Compared(NamedTuple):
    """An endpoint against one other model.

    ``means`` are those of all models, None where there are none to be compared, which ``problem`` explains;
    ``alpha`` is the level that decides.
    """

    status: str
    endpoint: Endpoint
    against: str
    means: Estimated | None
    problem: str
    alpha: float

    @property
    def name(self) -> dict[str, str]:
        """The columns that name its row."""
        return {"status": self.status, **name_of(self.endpoint, self.against)}


def compared(data: ScoreArrays, plan: Plan) -> list[Compared]:
    """Each endpoint against each other model; key secondary ones share their level by Bonferroni."""
    found: list[tuple[str, Endpoint, str, Estimated | None, str]] = []
    for status, endpoint in plan.endpoints():
        undecidable = _too_few_of(data, endpoint)
        means = None if undecidable else estimated(data, endpoint.measure, endpoint.label, endpoint.scans)
        for against in endpoint.against:
            problem = not_run(data, endpoint, against) or undecidable
            found.append((status, endpoint, against, None if problem else means, problem))
    n_tested = sum(status == KEY_SECONDARY and not problem for status, _, _, _, problem in found)
    alphas = {
        PRIMARY: plan.multiplicity.primary_alpha,
        KEY_SECONDARY: plan.multiplicity.key_secondary_alpha / max(n_tested, 1),
    }
    return [Compared(*one, alphas[one[0]]) for one in found]


def endpoints_table(data: ScoreArrays, plan: Plan) -> pd.DataFrame:
    """The endpoints; the columns are listed at the top of this module."""
    rows = [{**one.name, **_row(data, one)} for one in compared(data, plan)]
    table = pd.DataFrame(rows).reindex(
        columns=[*ENDPOINTS.header, "error", "few_differ", "few_clusters", "cluster"]
    )
    table["p_holm"] = _holm(table)
    table["verdict"] = _verdicts(table, plan)
    return table[ENDPOINTS.header]


def sensitivity_table(data: ScoreArrays, plan: Plan, other: Clusters) -> pd.DataFrame:
    """Each endpoint under other choices; ``other`` are clusters of another kind than the analysis has."""
    rows = []
    for status, endpoint in plan.endpoints():
        for against in endpoint.against:
            if not _absent(data, endpoint, against):
                name = {"status": status, **name_of(endpoint, against)}
                found = _sensitivity(data, plan, endpoint, against, other)
                rows += [{**name, **row} for row in found]
    return pd.DataFrame(rows, columns=SENSITIVITY.header)


def definition(data: ScoreArrays, endpoint: Endpoint) -> str:
    """What an endpoint is, in one line: population, missing prediction, absent lesion, networks, clusters."""
    population = {
        ALL_SCANS: "all test scans",
        WITH_LESION: f"test scans with {endpoint.label}",
        WITHOUT_LESION: f"test scans without {endpoint.label}",
    }
    missing, absent = {
        "dice": ("Dice 0", "Dice 1 where none is predicted, else 0"),
        "false_positive": ("a false positive", "any voxel is a false positive"),
        "absolute_volume_error_ml": ("a predicted volume of 0 mL", ""),
    }[endpoint.measure]
    parts = [population[endpoint.scans], f"a missing prediction counts as {missing}"]
    if absent and endpoint.scans != WITH_LESION:
        parts.append(f"absent lesion: {absent}")
    parts += [scope(data.n_seeds), f"clusters: {data.cluster}s"]
    return "; ".join(parts)


def name_of(endpoint: Endpoint, against: str) -> dict[str, str]:
    """The columns that name an endpoint against one other model."""
    names = {key: getattr(endpoint, key) for key in ("measure", "label", "scans", "model")}
    return {"endpoint": endpoint.name, **names, "against": against}


def _absent(data: ScoreArrays, endpoint: Endpoint, against: str) -> list[str]:
    return [model for model in (endpoint.model, against) if model not in data.models]


def not_run(data: ScoreArrays, endpoint: Endpoint, against: str) -> str:
    """Which of the two models are not part of the run, as a note; empty where both are."""
    absent = _absent(data, endpoint, against)
    return f"not part of this run: {', '.join(absent)}" if absent else ""


def paired_differences(data: ScoreArrays, endpoint: Endpoint, against: str) -> np.ndarray:
    """Difference (n,) of the two models in each scan that the endpoint takes, the mean over seeds."""
    values = data.values(endpoint.measure, endpoint.label).mean(axis=0)
    own, other = values[data.chosen(endpoint.label, endpoint.scans)][:, columns_of(data, endpoint, against)].T
    found: np.ndarray = own - other
    return found


def columns_of(data: ScoreArrays, endpoint: Endpoint, against: str) -> list[int]:
    """Columns of the two models."""
    return [data.models.index(endpoint.model), data.models.index(against)]


def _too_few_of(data: ScoreArrays, endpoint: Endpoint) -> str:
    """Why an endpoint's scans have no interval: too few, or all of one cluster; nothing if they have."""
    chosen = data.chosen(endpoint.label, endpoint.scans)
    if note := too_few(int(chosen.sum())):
        return note
    one_cluster = len(set(data.clusters[chosen])) == 1
    return f"all scans are of one {data.cluster}: no interval" if one_cluster else ""


def _row(data: ScoreArrays, one: Compared) -> dict[str, Any]:
    """Numbers of one row; ``error`` is the level that it is decided at, ``few_…`` help the verdict."""
    _, endpoint, against, means, problem, alpha = one
    if not_run(data, endpoint, against):
        return {"note": problem}
    chosen = data.chosen(endpoint.label, endpoint.scans)
    clusters = data.clusters_of(chosen)
    row: dict[str, Any] = {
        "n": int(chosen.sum()),
        "n_clusters": len(set(clusters)),
        "scope": scope(data.n_seeds),
        "definition": definition(data, endpoint),
        "error": alpha,
        "cluster": data.cluster,
    }
    if means is None:
        few = SCAN if too_few(row["n"]) else data.cluster
        return {**row, "verdict": TOO_FEW.format(few), "note": problem}
    columns, differences = columns_of(data, endpoint, against), paired_differences(data, endpoint, against)
    found = means.differences(columns[:1], columns[1:])
    (row["lower_adjusted"],), (row["upper_adjusted"],) = found.interval(1 - alpha)
    p = found.p_of_difference()[0]
    is_by_signs = bool(found.constant()[0]) and p < 1
    n_differ = int((np.abs(differences) > jackknife.RELATIVE_NOISE).sum())
    if endpoint.measure == "absolute_volume_error_ml":
        errors = data.values("volume_error_ml", endpoint.label)[:, chosen][:, :, columns]
        row["bias_model_ml"], row["bias_against_ml"] = errors.mean(axis=(0, 1))
    return {
        **row,
        "estimate_model": means.estimate[columns[0]],
        "estimate_against": means.estimate[columns[1]],
        **_interval(found),
        "p": p,
        "few_differ": not can_decide(n_differ, alpha),
        "few_clusters": is_by_signs and not can_decide(row["n_clusters"], alpha),
    }


def can_decide(n: int, alpha: float) -> bool:
    """Whether n scans, or clusters, that all differ in one direction would convince an exact test of signs.

    Its least P, two-sided, is 2 / 2^n: 6 scans for .05, 11 for .05 / 27. Of fewer the t distribution is taken
    on trust, so that no verdict rests on it. How far clusters lie apart is in the t; of fewer than
    :data:`.MINIMUM_CLUSTERS` it is not known.
    """
    return 2.0 ** (1 - n) <= alpha


def _interval(found: Estimated) -> dict[str, Any]:
    lower, upper = found.interval(LEVEL)
    note = NO_VARIANCE if found.constant()[0] else ""
    return {"difference": found.estimate[0], "lower": lower[0], "upper": upper[0], "note": note}


def _holm(table: pd.DataFrame) -> pd.Series:
    adjusted = pd.Series(math.nan, table.index)
    tested = (table["status"] == KEY_SECONDARY) & table["p"].notna()
    if tested.any():
        from statsmodels.stats.multitest import multipletests  # with all of SciPy's tests: a second

        adjusted[tested] = multipletests(table.loc[tested, "p"], method="holm")[1]
    return adjusted


def _verdicts(table: pd.DataFrame, plan: Plan) -> list[str]:
    rows = table.to_dict("records")
    rule, alpha = plan.multiplicity, plan.multiplicity.key_secondary_alpha
    primary = [_verdict(row, row["p"] < rule.primary_alpha) for row in rows if row["status"] == PRIMARY]
    is_open = rule.rule != HIERARCHICAL or primary[0] in (HIGHER, LOWER)
    verdicts = list(primary)
    for row in rows[len(primary) :]:
        found = _verdict(row, row["p_holm"] < alpha)
        verdicts.append(NOT_JUDGED if found in (HIGHER, LOWER, NOT_SHOWN) and not is_open else found)
    return verdicts


def _verdict(row: Mapping[Hashable, Any], shown: bool) -> str:
    if math.isnan(row["difference"]):
        return row["verdict"] if isinstance(row["verdict"], str) else ""
    if not can_decide(row["n"], row["error"]) or (shown and row["few_differ"]):
        return TOO_FEW_SCANS
    if row["n_clusters"] < MINIMUM_CLUSTERS or row["few_clusters"]:
        return TOO_FEW.format(row["cluster"])
    if not shown:
        return NOT_SHOWN
    return HIGHER if row["difference"] > 0 else LOWER


def _sensitivity(
    data: ScoreArrays, plan: Plan, endpoint: Endpoint, against: str, other: Clusters
) -> list[dict[str, Any]]:
    columns, alike = columns_of(data, endpoint, against), data.indices(FAMILY)
    values = data.values(endpoint.measure, endpoint.label)
    missing = data.arrays[endpoint.label, "failed"][:, :, columns] > 0
    chosen = data.chosen(endpoint.label, endpoint.scans)

    def row(
        analysis: str, values: np.ndarray, scans: np.ndarray, clusters: Clusters | None = None
    ) -> dict[str, Any]:
        of_scan = clusters.of(data.scans[scans]) if clusters else data.clusters_of(scans)
        kind = clusters.kind if clusters else data.cluster
        found = other_analysis(endpoint, values[:, scans], columns, alike, of_scan, kind)
        return {"analysis": analysis, **found}

    rows = [row(COMPLETE, values, chosen & ~missing.any(axis=(0, 2)))]
    if missing[:, chosen].any():
        if is_bounded(endpoint.measure):
            for case, of_case in extreme_cases(values[:, :, columns], missing, endpoint.measure).items():
                replaced = values.copy()
                replaced[:, :, columns] = of_case
                rows.append(row(case, replaced, chosen))
        else:
            rows[0]["note"] = "; ".join(filter(None, [rows[0]["note"], NO_BOUNDS]))
    for threshold in plan.detection_thresholds_ml:
        if threshold > 0 and endpoint.scans != WITH_LESION and is_bounded(endpoint.measure):
            name = SMALL_AS_NONE.format(threshold)
            rows.append(row(name, _small_as_none(data, endpoint, threshold), chosen))
    if other.kind != data.cluster:
        rows.append(row(f"clusters: {other.kind}s", values, chosen, other))
    return rows


def _small_as_none(data: ScoreArrays, endpoint: Endpoint, threshold_ml: float) -> np.ndarray:
    """The endpoint's measure (seeds, scans, models) where predictions up to a volume count as empty."""
    called = data.calls(endpoint.label, threshold_ml)
    if endpoint.measure == "false_positive":
        return called.astype(float)
    absent = data.chosen(endpoint.label, WITHOUT_LESION)[:, None]
    values: np.ndarray = np.where(called, data.values(endpoint.measure, endpoint.label), absent)
    return values


def other_analysis(
    endpoint: Endpoint,
    values: np.ndarray,
    columns: Sequence[int],
    alike: Sequence[int],
    clusters: np.ndarray,
    kind: str,
) -> dict[str, Any]:
    """Difference and interval of two models, as the endpoints have them, of other scans, values, clusters.

    Args:
        endpoint: whose measure it is.
        values: of all models (seeds, scans, k).
        columns: of the two models.
        alike: columns of the models whose trainings vary alike.
        clusters: number of each scan's cluster, from 0.
        kind: of the clusters.
    """
    n, n_clusters = len(clusters), len(set(clusters))
    row: dict[str, Any] = {"n": n, "n_clusters": n_clusters, "note": too_few(n)}
    if n_clusters == 1:
        row["note"] = f"one {kind}: none can be left out"
    if not row["note"]:
        bounds, (own, against) = bounds_of(endpoint.measure), columns
        found = jackknife.evaluate(jackknife.mean(values), clusters, bounds=bounds, alike=alike)
        row |= _interval(found.differences([own], [against]))
    return row
