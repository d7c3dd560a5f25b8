"""Dice in external sets, beside the internal test set: ``python -m headct external-sets --help``.

``results/statistics/external_sets.tsv`` has one row per external set × model × lesion:

    set, model, role, label
    n, n_participants, n_seeds, n_failed    scans, and those without a prediction of some seed
    dice_mean, lower, upper                 mean over scans, with the 95 % interval
    internal_n, internal_participants, internal_mean, internal_lower, internal_upper
                            the same of the internal test set
    difference, difference_lower, difference_upper      external − internal, of independent samples
    standardised_mean, standardised_error, standardised_lower, standardised_upper
                            the mean that the set would have with another mix of lesion sizes
    mix                     which: share of scans without the lesion, and of each size (mL), in the internal
                            test set, or as the plan states it (size_mix); in brackets the external scans
    note

``external_detection.tsv``, ``external_endpoints.tsv`` and ``external_paired.tsv`` have the columns of
``detection.tsv``, ``endpoints.tsv`` and ``paired.tsv`` for each set: the planned comparison on its scans,
each set by itself, so that Holm's P and the false-discovery rate are over the rows of one set. The plan
decides on the internal test set; here its endpoints are looked at once more.

What is left out as a whole is a participant, here and there: a set is often of one site. Several seeds are
averaged: it is about the networks at hand. A difference of means may be one of scanners, raters or sizes of
lesions; of the last the standardised mean is free, as far as its groups of size are alike. Nothing of the
comparison on the internal test set uses any of these scans.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from headct.contracts import labels as label_sets
from headct.contracts.artefacts import read_tsv, write_tsv
from headct.contracts.declarations import MadeOf, PublishedStatistic
from headct.contracts.labels import LabelSet
from headct.settings import analysis_plan
from headct.settings.analysis_plan import PARTICIPANT, Plan
from headct.statistics.comparison.detection import detection_table
from headct.statistics.comparison.endpoints import endpoints_table
from headct.statistics.comparison.paired import LEVEL, MINIMUM_SCANS, NO_VARIANCE, paired_table, too_few
from headct.statistics.comparison.score_arrays import ScoreArrays, bounds_of, score_arrays_of
from headct.statistics.comparison.subgroups import (
    NO_LESION,
    SIZE,
    UNKNOWN,
    size_cut_points,
    size_levels,
)
from headct.statistics.core import independent_means, jackknife
from headct.statistics.core import scores as scores_of
from headct.statistics.core.clusters import clusters
from headct.statistics.core.independent_means import SampleMeans

logger = logging.getLogger(__name__)

EXTERNAL_SETS = PublishedStatistic(
    name="external_sets",
    help="Dice in external sets, beside the internal test set",
    step="external-sets",
    columns="set model role label n n_participants n_seeds n_failed dice_mean lower upper internal_n"
    " internal_participants internal_mean internal_lower internal_upper difference difference_lower"
    " difference_upper standardised_mean standardised_error standardised_lower standardised_upper mix note",
    keys="set model label",
    made_of=(
        MadeOf(columns="internal_n internal_participants internal_mean internal_lower internal_upper"),
        MadeOf(
            columns="difference difference_lower difference_upper standardised_mean standardised_error"
            " standardised_lower standardised_upper mix",
            rows="metrics of the external set and the test set",
        ),
        MadeOf(rows="metrics of the external set"),
    ),
)

EXTERNAL_DETECTION = PublishedStatistic(
    name="external_detection",
    help="detection of each lesion in external sets",
    step="external-sets",
    columns="set model role status label threshold_ml n n_present n_absent tp fn fp tn sensitivity"
    " sensitivity_lower sensitivity_upper specificity specificity_lower specificity_upper ppv"
    " ppv_lower ppv_upper npv npv_lower npv_upper note",
    keys="set model label threshold_ml status",
    made_of=(MadeOf(rows="metrics of the external set", seeds="first"),),
)

EXTERNAL_ENDPOINTS = PublishedStatistic(
    name="external_endpoints",
    help="the plan's endpoints in external sets",
    step="external-sets",
    columns="set status endpoint measure label scans model against n n_clusters estimate_model"
    " estimate_against bias_model_ml bias_against_ml difference lower upper p p_holm lower_adjusted"
    " upper_adjusted verdict scope note definition",
    keys="set model against endpoint label measure scans status",
    made_of=(MadeOf(rows="metrics of the external set"),),
)

EXTERNAL_PAIRED = PublishedStatistic(
    name="external_paired",
    help="differences of each pair of models in external sets, scan by scan",
    step="external-sets",
    columns="set measure scans label model_a model_b status n estimate_a estimate_b difference lower upper"
    " p p_adjusted median_difference median_lower median_upper wilcoxon_p wilcoxon_p_adjusted sign_flip_p"
    " sign_flip_p_adjusted standardised rank_biserial superiority scope note",
    keys="set model_a model_b label measure scans status",
    made_of=(MadeOf(rows="metrics of the external set"),),
)

NO_SIZES = "no mean at a mix: the plan has no subgroups of lesion size, or no training scan has the lesion"


def main(
    *,
    labels: str,
    internal: list[Path],
    external: list[Path],
    plan: Path,
    cohort: Path,
    split: Path,
    models: list[str],
    out: Path,
) -> None:
    """Dice in external sets, beside the internal test set; the planned comparison on their scans.

    Args:
        labels: JSON: the lesion classes, in their order, with roles and groups.
        internal: metrics of the internal test set, one per model.
        external: metrics of external sets, SET/MODEL.tsv.
        plan: analysis plan (YAML).
        cohort: cohort.tsv.
        split: split.tsv.
        models: the compared models.
        out: folder of the tables to write.
    """
    lesions = label_sets.read(labels)
    scans = read_tsv(cohort)
    planned = analysis_plan.load(plan).of_run(models)
    participants = clusters(PARTICIPANT, scans)
    cuts = size_cuts(planned, scans, read_tsv(split), lesions)

    def arrays(paths: Sequence[Path]) -> ScoreArrays:
        return score_arrays_of(scores_of.read(paths, models, lesions), lesions, participants)

    own = arrays(internal)
    of_name: dict[str, list[Path]] = defaultdict(list)
    for path in external:
        of_name[path.parent.name].append(path)
    sets = {name: arrays(of_name[name]) for name in sorted(of_name)}
    made: Sequence[tuple[PublishedStatistic, Callable[[ScoreArrays], pd.DataFrame]]] = (
        (EXTERNAL_SETS, lambda of_set: set_table(of_set, own, planned, cuts)),
        (EXTERNAL_DETECTION, lambda of_set: detection_table([of_set], planned)),
        (EXTERNAL_ENDPOINTS, lambda of_set: endpoints_table(of_set, planned)),
        (EXTERNAL_PAIRED, lambda of_set: paired_table(of_set, planned)),
    )
    for declared, table_of in made:
        tables = [table_of(of_set).assign(set=name) for name, of_set in sets.items()]
        together = pd.concat(tables, ignore_index=True).reindex(columns=declared.header)
        write_tsv(together, out / f"{declared.name}.tsv")
    logger.info("external sets: %s", out)


def size_cuts(
    plan: Plan, cohort: pd.DataFrame, split: pd.DataFrame, labels: LabelSet
) -> dict[str, list[float]]:
    """By label, the cut points (mL) of the plan's first subgroup of lesion sizes; empty if it has none.

    Args:
        plan: the analysis plan.
        cohort, split: the tables of those names.
        labels: the label set.
    """
    sizes = next((one for one in plan.subgroups if one.column == SIZE), None)
    if sizes is None:
        return {}
    by_quantiles = size_cut_points(plan, cohort, split, labels)
    found = {label: by_quantiles.get((sizes.name, label), list(sizes.cut_points)) for label in labels}
    return {label: cuts for label, cuts in found.items() if cuts}


def set_table(
    of_set: ScoreArrays, own: ScoreArrays, plan: Plan, cuts: Mapping[str, list[float]]
) -> pd.DataFrame:
    """The rows of one external set, but for its name; the columns are listed at the top of this module.

    Args:
        of_set: scores of the set's scans; each scan's cluster is its participant.
        own: of the internal test set, likewise, of the same models.
        plan: the analysis plan, which may state a mix of sizes.
        cuts: cut points (mL) between sizes, by label; labels without any have no standardised mean.
    """
    tables = []
    for label in of_set.labels:
        external, internal = (mean_dice(one, label, np.full(len(one.scans), True)) for one in (of_set, own))
        cells: dict[str, Any] = {
            "model": of_set.models,
            "role": of_set.roles,
            "label": label,
            "n": len(of_set.scans),
            "n_participants": len(set(of_set.clusters)),
            "n_seeds": of_set.n_seeds,
            "n_failed": of_set.failed.sum(axis=0),
            "dice_mean": external.value,
            "internal_n": len(own.scans),
            "internal_participants": len(set(own.clusters)),
            "internal_mean": internal.value,
        }
        cells["lower"], cells["upper"] = external.interval(LEVEL, bounds_of("dice"))
        cells["internal_lower"], cells["internal_upper"] = internal.interval(LEVEL, bounds_of("dice"))
        difference = independent_means.combined((1, -1), (external.varying(), internal.varying()))
        cells["difference"] = difference.value
        cells["difference_lower"], cells["difference_upper"] = difference.interval(LEVEL, (-1, 1))
        standardised, mix, not_at_mix = at_mix(of_set, own, label, cuts.get(label, []), plan)
        cells["standardised_mean"], cells["standardised_error"] = standardised.value, standardised.error
        cells["standardised_lower"], cells["standardised_upper"] = standardised.interval(
            LEVEL, bounds_of("dice")
        )
        cells["mix"] = mix
        cells["note"] = [
            "; ".join(filter(None, [why_no_interval(here), _of_internal(why_no_interval(there)), not_at_mix]))
            for here, there in zip(external.error, internal.error, strict=True)
        ]
        tables.append(pd.DataFrame(cells))
    table = pd.concat(tables, ignore_index=True)
    order = {model: place for place, model in enumerate(of_set.models)}
    return table.sort_values("model", key=lambda of: of.map(order), kind="stable", ignore_index=True)


def mean_dice(data: ScoreArrays, label: str, chosen: np.ndarray) -> SampleMeans:
    """Mean Dice of each model over the chosen scans, seeds averaged; no error of too few participants."""
    dice = data.values("dice", label)[:, chosen].mean(axis=0, keepdims=True)
    participants = data.clusters_of(chosen)
    if too_few(len(set(participants))):
        unknown = np.full(len(data.models), np.nan)
        return SampleMeans(dice[0].mean(axis=0) if chosen.any() else unknown, unknown, unknown)
    return independent_means.of(jackknife.evaluate(jackknife.mean(dice), participants))


def why_no_interval(error: float) -> str:
    """Why a mean with this standard error has no interval; empty if it has one."""
    if np.isnan(error):
        return f"an interval needs {MINIMUM_SCANS} participants"
    return "" if error else NO_VARIANCE


def _of_internal(why: str) -> str:
    return f"internal test set: {why}" if why else ""


def at_mix(
    of_set: ScoreArrays, own: ScoreArrays, label: str, cut_points: list[float], plan: Plan
) -> tuple[SampleMeans, str, str]:
    """Mean Dice in a set, had it another mix of lesion sizes; that mix in words; what is lacking.

    Args:
        of_set: scores of the set's scans.
        own: of the internal test set.
        label: of the lesion.
        cut_points: between its sizes (mL).
        plan: the analysis plan; the mix is that of the internal test set where it states none.
    """
    unknown = np.full(len(of_set.models), np.nan)
    nothing = SampleMeans(unknown, unknown, unknown)
    if not cut_points:
        return nothing, "", NO_SIZES
    groups = {name: size_groups(one, label, cut_points) for name, one in (("set", of_set), ("own", own))}
    sizes = list(groups["own"].categories)
    shares = plan.size_mix.get(label) or [float((groups["own"] == size).mean()) for size in sizes]
    if len(shares) != len(sizes):
        lacking = f"the plan's size_mix has {len(shares)} shares, and there are {len(sizes)} groups"
        return nothing, ", ".join(sizes), lacking
    inside = {size: np.asarray(groups["set"] == size) for size in sizes}
    mix = ", ".join(
        f"{size} {share:.3g} ({inside[size].sum()})" for size, share in zip(sizes, shares, strict=True)
    )
    wanted = {size: share for size, share in zip(sizes, shares, strict=True) if share}
    empty = [size for size in wanted if not inside[size].any()]
    few = [size for size in wanted if too_few(len(set(of_set.clusters[inside[size]])))]
    lacking = f"too few participants for a standard error of the mix: {', '.join(few)}" if few else ""
    if empty:
        lacking = f"no mean at the mix, which has scans that the set has not: {', '.join(empty)}"
    means = [mean_dice(of_set, label, inside[size]) for size in wanted]
    return independent_means.combined(list(wanted.values()), means), mix, lacking


def size_groups(data: ScoreArrays, label: str, cut_points: list[float]) -> pd.Categorical:
    """The group of each scan: without the lesion, then by its volume, from the smallest."""
    found = size_levels(data.reference_ml(label), cut_points)
    sizes = [name for name in found.categories if name not in (NO_LESION, UNKNOWN)]
    return found.set_categories([NO_LESION, *sizes])
