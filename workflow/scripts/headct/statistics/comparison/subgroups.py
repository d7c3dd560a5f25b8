"""Whether a difference between models depends on the scan: ``results/statistics/subgroups.tsv``.

The plan fixes subgroups; the model of its primary endpoint is compared on Dice with each other compared
model in each level:

    subgroup, level, label, model, against, status
    n                       scans of the level; levels below the plan's minimum are suppressed
    estimate_model, estimate_against
    difference, lower, upper                model − against in the level, 95 %
    interaction, interaction_lower, interaction_upper       difference in the level − that in the other
                            scans, 95 % interval
    p                       that no level differs from the other scans: the smallest P of these interactions
                            times the number of levels (Bonferroni; of two levels there is one interaction)
    p_adjusted              Benjamini-Hochberg over all subgroups, lesions and models
    note

A difference that is significant in one level and not in another is no interaction; only ``p`` and the
interval of the interaction speak of it. Sites with few scans are one level together.
"""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from headct.contracts.artefacts import read_json
from headct.contracts.declarations import PublishedStatistic
from headct.contracts.labels import LabelSet
from headct.settings.analysis_plan import PLANNED, SITE, Plan, Subgroup
from headct.statistics.comparison.paired import LEVEL, NO_VARIANCE
from headct.statistics.comparison.score_arrays import ScoreArrays, bounds_of
from headct.statistics.core import jackknife
from headct.statistics.core.clusters import Clusters
from headct.statistics.core.group_tests import benjamini_hochberg
from headct.statistics.core.scores import FAMILY

SIZE, THICKNESS = "reference_ml", "slice_thickness_mm"
UNKNOWN, NO_LESION = "unknown", "no lesion"

SUBGROUPS = PublishedStatistic(
    name="subgroups",
    help="the first model's differences in subgroups",
    step="paired-analysis",
    columns="subgroup level label model against status n estimate_model estimate_against difference lower"
    " upper interaction interaction_lower interaction_upper p p_adjusted note",
    keys="model against label subgroup level status",
)


def facts(cohort: pd.DataFrame, data: Path, scans: np.ndarray) -> pd.DataFrame:
    """What is known of each test scan, by scan: the columns of the cohort and the slice thickness."""
    thickness = [
        read_json(data / scan / "scan.json")["acquisition"].get("slice_thickness_mm") for scan in scans
    ]
    known = cohort.set_index("scan_id").loc[scans]
    return known.assign(**{THICKNESS: pd.Series(thickness, index=scans, dtype=float)})


def size_cut_points(
    plan: Plan, cohort: pd.DataFrame, split: pd.DataFrame, labels: LabelSet
) -> dict[tuple[str, str], list[float]]:
    """By subgroup and label, cut points (mL) from the training scans that have the lesion.

    Args:
        plan: the analysis plan.
        cohort, split: the tables of those names.
        labels: the label set.
    """
    training = cohort[cohort["scan_id"].isin(split.loc[split["set"] == "train", "scan_id"])]
    volumes = {label: training.loc[training[f"{label}_ml"] > 0, f"{label}_ml"] for label in labels}
    return {
        (one.name, label): list(np.quantile(volumes[label], one.training_quantiles))
        for one in plan.subgroups
        for label in labels
        if one.training_quantiles and len(volumes[label])
    }


def is_known(subgroup: Subgroup, known: pd.DataFrame) -> bool:
    """Whether the study has the column of a subgroup."""
    return subgroup.column == SIZE or subgroup.column in known


def levels(values: pd.Series, cut_points: list[float]) -> pd.Categorical:
    """Level of each value: the value itself, or between which cut points it lies (upper end included).

    The categories are in order, the unknown last. Cut points are rounded to three digits.
    """
    if not cut_points:
        known = sorted({*values.dropna().astype(str)} - {UNKNOWN})
        return pd.Categorical(values.astype(str).where(values.notna(), UNKNOWN), [*known, UNKNOWN])
    cuts = sorted({float(f"{cut:.3g}") for cut in cut_points})
    ends = [f"{cut:g}" for cut in cuts]
    names = [f"up to {ends[0]}"]
    names += [f"above {low} to {high}" for low, high in pairwise(ends)]
    names.append(f"above {ends[-1]}")
    numbers = values.to_numpy(float)
    codes = np.searchsorted(cuts, numbers, side="left")
    codes[np.isnan(numbers)] = len(names)
    return pd.Categorical(np.array([*names, UNKNOWN])[codes], [*names, UNKNOWN])


def size_levels(volumes_ml: np.ndarray, cut_points: list[float]) -> pd.Categorical:
    """Level of each volume (n,) of a lesion, as :func:`levels`; the last is of scans without it."""
    level_of = levels(pd.Series(volumes_ml), cut_points).add_categories([NO_LESION])
    level_of[volumes_ml == 0] = NO_LESION
    return level_of


def pooled(sites: pd.Series, minimum: int) -> pd.Series:
    """The sites, those with fewer than ``minimum`` scans under one name with their number."""
    counts = sites.map(sites.value_counts())
    small = sites[counts < minimum]
    return sites.where(~sites.isin(small), f"{small.nunique()} sites with few scans each")


def subgroups_table(
    data: ScoreArrays,
    plan: Plan,
    known: pd.DataFrame,
    sizes: dict[tuple[str, str], list[float]],
    participants: Clusters,
) -> pd.DataFrame:
    """All subgroups; the columns are listed at the top of this module.

    Args:
        data: scores of all models.
        plan: the analysis plan.
        known: facts of the scans.
        sizes: cut points (mL), by subgroup and label.
        participants: left out where sites are the levels.
    """
    family = data.of_role(FAMILY)
    model = plan.primary.model
    if model not in family or len(family) < 2:
        return pd.DataFrame(columns=SUBGROUPS.header)
    others = [other for other in family if other != model]
    tables = []
    for one in plan.subgroups:
        if not is_known(one, known):
            continue
        # A site that is a level as a whole cannot be left out of it.
        chosen = replace(data, clusters=participants.of(data.scans)) if one.column == SITE else data
        for label in data.labels:
            if one.column == SIZE:
                cut_points = sizes.get((one.name, label), list(one.cut_points))
                if not cut_points:  # no training scan has the lesion: none was trained on
                    continue
                level_of = size_levels(data.reference_ml(label), cut_points)
            else:
                column = known[one.column]
                if one.column == SITE:
                    column = pooled(column, plan.subgroup_minimum)
                level_of = levels(column, list(one.cut_points))
            table = _one_subgroup(chosen, plan, label, model, others, level_of)
            tables.append(table.assign(subgroup=one.name, label=label, model=model, status=PLANNED))
    if not tables:
        return pd.DataFrame(columns=SUBGROUPS.header)
    table = pd.concat(tables, ignore_index=True).reindex(columns=SUBGROUPS.header)
    tests = table.dropna(subset=["p"]).drop_duplicates(["subgroup", "label", "against"])
    adjusted = pd.Series(benjamini_hochberg(tests["p"].to_numpy()), index=tests.index)
    keys = ["subgroup", "label", "against"]
    table["p_adjusted"] = table.groupby(keys)["p"].transform(lambda p: adjusted.get(p.index[0], math.nan))
    return table


def _one_subgroup(
    data: ScoreArrays, plan: Plan, label: str, model: str, others: list[str], level_of: pd.Categorical
) -> pd.DataFrame:
    """One row per level × other model."""
    own, columns = data.models.index(model), [data.models.index(other) for other in others]
    dice = data.arrays[label, "dice"]
    sizes = level_of.value_counts()
    tables = []
    for level in sizes.index[sizes > 0]:
        inside = np.asarray(level_of == level)
        table = pd.DataFrame({"level": level, "against": others})
        if inside.sum() < plan.subgroup_minimum:
            note = f"fewer than {plan.subgroup_minimum} scans: suppressed"
            tables.append(table.assign(note=note))
            continue
        means = jackknife.evaluate(
            jackknife.mean(dice[:, inside][:, :, [own, *columns]]),
            data.clusters_of(inside),
            bounds=bounds_of("dice"),
            alike=range(len(others) + 1),
        )
        found = means.differences([0] * len(others), range(1, len(others) + 1))
        lower, upper = found.interval(LEVEL)
        table = table.assign(n=inside.sum(), estimate_model=means.estimate[0])
        table = table.assign(estimate_against=means.estimate[1:], difference=found.estimate)
        table = table.assign(lower=lower, upper=upper, note=np.where(found.constant(), NO_VARIANCE, ""))
        if (~inside).sum() >= plan.subgroup_minimum:
            statistic = jackknife.contrast_of_means(dice[:, :, [own, *columns]], inside)
            contrasts = jackknife.evaluate(statistic, data.clusters, alike=range(len(others) + 1))
            contrast = contrasts.differences([0] * len(others), range(1, len(others) + 1))
            ends = contrast.interval(LEVEL)
            table = table.assign(interaction=contrast.estimate, p_level=contrast.p_value())
            table = table.assign(interaction_lower=ends[0], interaction_upper=ends[1])
        tables.append(table)
    table = pd.concat(tables, ignore_index=True)
    if "p_level" in table:
        table["p"] = table.groupby("against")["p_level"].transform(of_any_level)
    return table


def of_any_level(p: pd.Series) -> float:
    """P that no level differs, from the P of each level against the other scans (Bonferroni).

    With two levels both have the same contrast, which is one test.
    """
    known = p.dropna()
    if known.empty:
        return math.nan
    return float(min(1.0, known.min() * (len(known) if len(known) > 2 else 1)))
