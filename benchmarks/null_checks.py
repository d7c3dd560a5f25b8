"""Each verdict and interval that is printed, made for simulated studies by the package's own procedures.

In some studies the models are the paper's, so that intervals have a truth to hold that is not 0: that of a
large population. In others they are equally good, so that each difference that is found is false, or lie
apart by just what must not be called equivalent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import combinations

import numpy as np
import pandas as pd
from null_claims import (
    CLAIM_PROMISES,
    dunn_of,
    edges,
    of_claims,
    of_claims_by_resampling,
    of_no_evidence,
)
from null_missing import MISSING_PROMISES, of_missing, true_of_missing
from null_precision import PRECISION_PROMISES, of_precision, true_of_precision
from null_raters import RATER_PROMISES, of_raters, true_of_raters
from null_replication import REPLICATION_PROMISES, of_replication, of_whole_replication
from null_sets import SET_PROMISES, of_cohort, of_external, of_held_out, true_of_cohort
from null_sites import SITE_PROMISES, of_new_site, of_paired_sites
from promises import ALL, Found, Promise, Truth, errors, interval, of, of_endpoint, table_interval
from scipy import stats
from simulated_studies import (
    DICECE,
    FOCAL,
    INDEPENDENT,
    LABELS,
    MODELS,
    SHOWN,
    Setting,
    Study,
    population,
    study,
)

from headct.settings.analysis_plan import (
    KEY_SECONDARY,
    PARTICIPANT,
    PRIMARY,
    SHIPPED,
    SITE,
    SPLIT,
    WITHOUT_LESION,
    Multiplicity,
    Plan,
    load,
)
from headct.statistics.comparison.detection import SHARES, detection
from headct.statistics.comparison.endpoints import HIGHER, LOWER, endpoints_table
from headct.statistics.comparison.equivalence import (
    DIFFERENT,
    EQUIVALENT,
    SHARE_WITHIN,
    interval_of_differences,
    volume_equivalence,
)
from headct.statistics.comparison.equivalence import LEVEL as EQUIVALENCE_LEVEL
from headct.statistics.comparison.equivalence import verdict as verdict_of
from headct.statistics.comparison.paired import (
    LEVEL,
    critical_difference,
    estimated,
    friedman,
    mean_ranks,
    sign_flip,
    wilcoxon,
)
from headct.statistics.comparison.score_arrays import ScoreArrays
from headct.statistics.comparison.subgroups import NO_LESION, subgroups_table
from headct.statistics.core import jackknife
from headct.statistics.core.agreement import ALL_SCANS, WITH_LESION
from headct.statistics.core.clusters import Clusters
from headct.statistics.core.group_tests import benjamini_hochberg, differs, kruskal_wallis
from headct.statistics.core.order_statistics import median_interval, wilson
from headct.statistics.replication.lesion_size import spearman

PLAN = replace(load(SHIPPED), permutations=1999)
"""As shipped, but for fewer sign flips: all P here are held against .05."""

BY_SIZE = replace(PLAN, subgroups=tuple(one for one in PLAN.subgroups if one.name == "lesion size"))

ALPHA = 0.05

CHOICES = (("ICH", ALL_SCANS), ("PHE", ALL_SCANS), ("IVH", ALL_SCANS), ("IVH", WITH_LESION))
"""All test scans have ICH, and nearly all PHE."""

FIRST, SECOND = (list(columns) for columns in zip(*combinations(range(len(SHOWN)), 2), strict=True))
"""Each pair of these."""

FEW_SCANS_EACH = "sites with few scans each"
"""How the level ends that holds all small sites."""

LEVELS = {-1: "no lesion", 0: "small", 1: "middling", 2: "large"}

BY_SPLIT = Multiplicity(SPLIT, primary_alpha=0.03)

N_SECONDARY = sum(len(endpoint.against) for endpoint in PLAN.key_secondary)


def verdict(words: str, where: str, of_all_networks: bool = True) -> Promise:
    """One that is to be wrong in 5 % at most."""
    return Promise(words, where, ALPHA, False, of_all_networks)


def at_hand(words: str, where: str, nominal: float = 0.95) -> Promise:
    """An interval that is about the networks at hand, as its table says."""
    return Promise(words, where, nominal, of_all_networks=False)


PROMISES = {
    "primary": Promise("difference, primary endpoint", "endpoints", 0.95),
    "secondary": Promise("difference, key secondary endpoints", "endpoints", 0.95),
    "secondary_adjusted": Promise(
        f"the same, adjusted to all {N_SECONDARY}",
        "endpoints",
        1 - PLAN.multiplicity.key_secondary_alpha / N_SECONDARY,
    ),
    "dice_mean": Promise("mean Dice", "estimates", 0.95),
    "dice_median": at_hand("median Dice (at least)", "estimates"),
    "kept_free": at_hand("mean Dice, scans without it", "estimates"),
    "dice_pooled": Promise("pooled Dice", "estimates", 0.95),
    "volume_error_ml_mean": Promise("mean volume error", "estimates", 0.95),
    "ccc": Promise("concordance", "estimates", 0.95),
    "dice": Promise("difference of mean Dice", "paired", 0.95),
    "median_difference": at_hand("median difference of Dice (at least)", "paired"),
    "absolute_volume_error_ml": Promise("difference of mean absolute volume error", "paired", 0.95),
    "volume_error_ml": Promise("difference of mean volume error", "paired", 0.95),
    "ccc_difference": Promise("difference of concordance", "paired", 0.95),
    "equivalence": Promise("difference of mean Dice, 90 %", "equivalence", 0.90),
    "bias": at_hand("mean volume error, 90 %", "volume_equivalence", 0.90),
    "agreement_ccc": at_hand("concordance", "agreement"),
    "agreement_bias": at_hand("mean volume error", "agreement"),
    **{share: at_hand(share, "detection") for share in SHARES},
    "level": Promise("difference in a level of lesion size", "subgroups", 0.95),
    "interaction": Promise("interaction with a level of lesion size", "subgroups", 0.95),
    "other_level": Promise("difference in a level, of equal models", "subgroups", 0.95),
    "other_interaction": Promise("interaction with a level, of equal models", "subgroups", 0.95),
    "spearman": at_hand("Spearman's correlation of size and Dice", "lesion_size"),
    "primary_error": verdict("primary endpoint decided", "endpoints"),
    "family_error": verdict(f"any of primary and {N_SECONDARY} key secondary decided", "endpoints"),
    "open_gate_error": verdict(
        "a false key secondary decided, where the primary difference is real", "endpoints"
    ),
    "split_error": verdict(
        f"any of these decided, errors split {BY_SPLIT.primary_alpha:g} + {BY_SPLIT.key_secondary_alpha:g}",
        "endpoints",
    ),
    "p": verdict("P of the interval, one pair", "paired"),
    "p_any": verdict("the same adjusted, any of 45 pairs", "paired"),
    "p_any_one": verdict("the same, one model's seeds vary by .05, others' by .002", "paired"),
    "p_any_half": verdict("the same, of half of the models by .04, of half by .01", "paired"),
    "wilcoxon_p": verdict("Wilcoxon (Pratt), one pair", "paired", of_all_networks=False),
    "wilcoxon_p_any": verdict("the same adjusted, any of 45 pairs", "paired", of_all_networks=False),
    "sign_flip_p": verdict("sign flips, one pair", "paired", of_all_networks=False),
    "sign_flip_p_any": verdict("the same adjusted, any of 45 pairs", "paired", of_all_networks=False),
    "friedman": verdict("Friedman", "friedman", of_all_networks=False),
    "noisy_equivalent": verdict("“equivalent”, all scans differ, by the margin on average", "equivalence"),
    "noisy_different": verdict("“different”, all scans differ, by the margin on average", "equivalence"),
    "failing_equivalent": verdict("“equivalent”, a few scans fail, by the margin on average", "equivalence"),
    "mean_equivalent": verdict(
        "mean volume “equivalent”, true error at the margin", "volume_equivalence", of_all_networks=False
    ),
    "mean_different": verdict(
        "mean volume “different”, true error at the margin", "volume_equivalence", of_all_networks=False
    ),
    "share_equivalent": verdict(
        "share of volumes “equivalent”, 95 % truly within", "volume_equivalence", of_all_networks=False
    ),
    "share_different": verdict(
        "share of volumes “different”, 95 % truly within", "volume_equivalence", of_all_networks=False
    ),
    "share_beyond": verdict(
        "share beyond the margin above its upper bound", "volume_equivalence", of_all_networks=False
    ),
    "interaction_p": verdict("P of a subgroup", "subgroups"),
    "interaction_p_any": verdict("P adjusted, any subgroup", "subgroups"),
    "kruskal_wallis": verdict("Kruskal–Wallis, as the paper", "kruskal_wallis", of_all_networks=False),
    "dunn_p": verdict("Dunn, one pair", "dunn", of_all_networks=False),
    "dunn": verdict("Dunn, adjusted, any of 45 pairs", "dunn", of_all_networks=False),
    "dunn_test": verdict("the same as R’s dunn.test adjusts", "dunn", of_all_networks=False),
    "nemenyi": verdict("mean ranks of any of 45 pairs beyond the critical difference", "ranks", False),
    "spearman_p": verdict("P of Spearman’s correlation, of none", "lesion_size", of_all_networks=False),
    **MISSING_PROMISES,
    **PRECISION_PROMISES,
    **SET_PROMISES,
    **CLAIM_PROMISES,
    **RATER_PROMISES,
    **SITE_PROMISES,
    **REPLICATION_PROMISES,
}
"""By name, in the order of the tables."""


def truth(setting: Setting, n_scans: int) -> Truth:
    """Of the paper's models, over all networks that they may be trained to."""
    many = population(setting, n_scans, seed=1)
    found: Truth = {}
    of_endpoints = {(one.label, one.scans) for _, one in PLAN.endpoints() if one.scans != WITHOUT_LESION}
    for label, scans in sorted({*CHOICES, *of_endpoints}):
        dice, x, y = (many.arrays[label, name][0] for name in ("dice", "reference_ml", "predicted_ml"))
        if scans == WITH_LESION:
            dice, x, y = (values[many.arrays[label, "reference_ml"][0, :, 0] > 0] for values in (dice, x, y))
        found |= {(name, label, scans): values for name, values in _true_values(dice, x, y).items()}
    for label in LABELS:
        found |= _true_subgroups(many, label)
    for threshold in PLAN.detection_thresholds_ml:
        present = many.arrays["IVH", "reference_ml"][0] > threshold
        called = many.arrays["IVH", "predicted_ml"][0] > threshold
        shares = {
            "sensitivity": called.mean(axis=0, where=present),
            "specificity": (~called).mean(axis=0, where=~present),
            "ppv": present.mean(axis=0, where=called),
            "npv": (~present).mean(axis=0, where=~called),
        }
        found |= {(share, "IVH", str(threshold)): values for share, values in shares.items()}
    found["false_positive", "IVH", WITHOUT_LESION] = 1 - found["specificity", "IVH", "0"]
    found |= edges(setting, n_scans // 2) | true_of_raters(setting, n_scans // 2)
    found |= true_of_precision(setting, n_scans // 2) | true_of_cohort(setting, n_scans // 2)
    return found | true_of_missing(many)


def _true_values(dice: np.ndarray, x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
    """Of Dice, reference and predicted volumes (n, k); medians of differences are of :data:`SHOWN`."""
    error = y - x
    covariance = np.mean((x - x.mean(axis=0)) * (y - y.mean(axis=0)), axis=0)
    shown = dice[:, SHOWN]
    return {
        "dice_mean": dice.mean(axis=0),
        "dice_median": np.median(dice, axis=0),
        "dice_pooled": (dice * (x + y)).sum(axis=0) / (x + y).sum(axis=0),
        "median_difference": np.median(shown[:, FIRST] - shown[:, SECOND], axis=0),
        "volume_error_ml_mean": error.mean(axis=0),
        "absolute_volume_error_ml": np.abs(error).mean(axis=0),
        "ccc": 2 * covariance / (x.var(axis=0) + y.var(axis=0) + error.mean(axis=0) ** 2),
        "within_ml": np.quantile(np.abs(error), SHARE_WITHIN, axis=0),
    }


def _true_subgroups(many: Study, label: str) -> Truth:
    """Cut points of lesion size, differences in its levels, and its correlation with Dice."""
    dice, reference = many.arrays[label, "dice"][0], many.arrays[label, "reference_ml"][0, :, 0]
    present = reference > 0
    cut_points = np.quantile(reference[present], (1 / 3, 2 / 3))
    correlations = [stats.spearmanr(reference[present], dice[present, model])[0] for model in SHOWN]
    found: Truth = {
        ("cut points", label, ""): cut_points,
        ("spearman", label, ""): np.array(correlations),
    }
    difference = dice[:, [FOCAL]] - dice[:, [model for model in SHOWN if model != FOCAL]]
    level_of = np.where(present, np.searchsorted(cut_points, reference), -1)
    for level, name in LEVELS.items():
        inside = level_of == level
        if inside.any():
            found["level", label, name] = difference[inside].mean(axis=0)
            found["interaction", label, name] = difference[inside].mean(axis=0) - difference[~inside].mean(
                axis=0
            )
    return found


def intervals(rng: np.random.Generator, setting: Setting, true: Truth) -> Found:
    """Of the paper's models: each interval that a main table prints."""
    data = study(rng, setting).scores(setting.cluster)
    return (
        _of_endpoints(data, true) | _of_means(data, true) | _of_medians(data, true) | _of_shares(data, true)
    )


def _of_endpoints(data: ScoreArrays, true: Truth) -> Found:
    found: Found = {}
    for status, endpoint in PLAN.endpoints():
        measure, label, scans = endpoint.measure, endpoint.label, endpoint.scans
        others = [MODELS.index(model) for model in endpoint.against]
        values = true["dice_mean" if measure == "dice" else measure, label, scans]
        value = values[FOCAL] - values[others]
        both = estimated(data, measure, label, scans)
        difference = both.differences([FOCAL] * len(others), others)
        name = of_endpoint(endpoint)
        key = "primary" if status == PRIMARY else "secondary"
        found[key, name] = interval(difference.estimate, difference.interval(LEVEL), value)
        if status == KEY_SECONDARY:
            ends = difference.interval(PROMISES["secondary_adjusted"].nominal)
            found["secondary_adjusted", name] = interval(difference.estimate, ends, value)
    return found


def _of_means(data: ScoreArrays, true: Truth) -> Found:
    """Means, concordances, their differences, and the intervals that show equivalence."""
    found: Found = {}
    first, second = ([SHOWN[i] for i in columns] for columns in (FIRST, SECOND))
    for label, scans in CHOICES:
        name = of(label, scans)
        for measure, key, of_pairs in (
            ("dice", "dice_mean", "dice"),
            ("volume_error_ml", "volume_error_ml_mean", "volume_error_ml"),
            ("ccc", "ccc", "ccc_difference"),
            ("dice_pooled", "dice_pooled", ""),
            ("absolute_volume_error_ml", "absolute_volume_error_ml", "absolute_volume_error_ml"),
        ):
            value, means = true[key, label, scans], estimated(data, measure, label, scans)
            if key != of_pairs:
                ends = [end[SHOWN] for end in means.interval(LEVEL)]
                found[key, name] = interval(means.estimate[SHOWN], ends, value[SHOWN])
            if of_pairs and (measure == "dice" or scans == ALL_SCANS):
                pairs, true_pairs = means.differences(first, second), value[first] - value[second]
                found[of_pairs, name] = interval(pairs.estimate, pairs.interval(LEVEL), true_pairs)
            if measure == "dice" and scans == ALL_SCANS:
                dice = data.arrays[label, "dice"].mean(axis=0)
                differences = dice[:, first] - dice[:, second]
                ends = interval_of_differences(pairs, differences, data.clusters, EQUIVALENCE_LEVEL)
                found["equivalence", name] = interval(pairs.estimate, ends, true_pairs)
    return found


def _of_medians(data: ScoreArrays, true: Truth) -> Found:
    found: Found = {}
    for label, scans in CHOICES:
        chosen = data.chosen(label, scans)
        clusters, dice = data.clusters_of(chosen), data.arrays[label, "dice"].mean(axis=0)[chosen][:, SHOWN]
        for key, values in (("dice_median", dice), ("median_difference", dice[:, FIRST] - dice[:, SECOND])):
            ends = np.array([median_interval(column, clusters, LEVEL) for column in values.T]).T
            value = true[key, label, scans]
            value = value if key == "median_difference" else value[SHOWN]
            found[key, of(label, scans)] = interval(np.median(values, axis=0), ends, value)
    return found


def _of_shares(data: ScoreArrays, true: Truth) -> Found:
    first, reference = data.first_seed(), data.reference_ml("IVH")
    found: Found = {}
    for threshold in PLAN.detection_thresholds_ml:
        calls = first.calls("IVH", threshold)[0]
        rows = [
            detection(reference > threshold, calls[:, model], data.clusters, PLAN.detection_minimum)
            for model in SHOWN
        ]
        for share in SHARES:
            estimate, *ends = np.array(
                [[row[share], row[f"{share}_lower"], row[f"{share}_upper"]] for row in rows]
            ).T
            value = true[share, "IVH", str(threshold)][SHOWN]
            found[share, f"IVH above {threshold:g} mL"] = interval(estimate, ends, value)
    chosen = data.chosen("IVH", WITHOUT_LESION)
    kept_free = data.arrays["IVH", "dice"].mean(axis=0)[chosen][:, SHOWN]
    pairs = [wilson(column, data.clusters_of(chosen), LEVEL) for column in kept_free.T]
    value = true["specificity", "IVH", "0"][SHOWN]
    found["kept_free", "IVH"] = interval(kept_free.mean(axis=0), np.array(pairs).T, value)
    return found


def models_of(data: ScoreArrays, columns: Sequence[int]) -> ScoreArrays:
    """The same with some of its models."""
    return replace(
        data,
        models=tuple(data.models[column] for column in columns),
        roles=tuple(data.roles[column] for column in columns),
        arrays={key: values[:, :, columns] for key, values in data.arrays.items()},
        failed=data.failed[:, columns],
    )


def verdicts(rng: np.random.Generator, setting: Setting, true: Truth) -> Found:
    """Of equally good models: each verdict and P that a main table prints."""
    data = study(rng, setting, equal=True).scores(setting.cluster)
    worse = study(rng, setting, equal=True, better_by={("IVH", DICECE): -0.3}).scores(setting.cluster)
    found = _verdicts_of_endpoints(data, worse) | _equivalence_at_the_margin(rng, data)
    first, second = (list(columns) for columns in zip(*combinations(range(len(MODELS)), 2), strict=True))
    for label, scans in CHOICES:
        dice, name = data.arrays[label, "dice"].mean(axis=0)[data.chosen(label, scans)], of(label, scans)
        found["friedman", name] = errors([friedman(dice)["p"] < ALPHA])
        differences, clusters = dice[:, first] - dice[:, second], data.clusters_of(data.chosen(label, scans))
        tests = {
            "p": estimated(data, "dice", label, scans).differences(first, second).p_value(),
            "wilcoxon_p": wilcoxon(differences, clusters),
            "sign_flip_p": sign_flip(differences, clusters, PLAN.permutations, PLAN.seed),
        }
        for test, p in tests.items():
            found[test, name] = errors(p < ALPHA)
            found[f"{test}_any", name] = errors([benjamini_hochberg(p).min() < ALPHA])
    return found


def _verdicts_of_endpoints(data: ScoreArrays, worse: ScoreArrays) -> Found:
    """Where no model differs, and where one is worse on IVH, so that the gate opens."""
    table = endpoints_table(data, PLAN)
    decided = table["verdict"].isin((HIGHER, LOWER))
    found: Found = {("primary_error", "IVH"): errors(decided[table["status"] == PRIMARY])}
    found["family_error", ALL] = errors([decided.any()])
    found["split_error", ALL] = errors([decided_by_split(table).any()])
    table = endpoints_table(worse, PLAN)
    is_real = (table["label"] == "IVH") & (table["against"] == MODELS[DICECE])
    found["open_gate_error", ALL] = errors([table.loc[~is_real, "verdict"].isin((HIGHER, LOWER)).any()])
    return found


def decided_by_split(table: pd.DataFrame) -> pd.Series:
    """Which endpoints would be decided if their errors were split; P are the same by any rule."""
    is_primary, rule = table["status"] == PRIMARY, BY_SPLIT
    decided: pd.Series = (table["p"] < rule.primary_alpha).where(
        is_primary, table["p_holm"] < rule.key_secondary_alpha
    )
    return decided


@lru_cache(maxsize=1)
def dice_of_equal_models() -> dict[str, float]:
    """Mean Dice by label."""
    many = population(INDEPENDENT, 50_000, seed=2, equal=True)
    return {label: float(many.arrays[label, "dice"].mean()) for label in LABELS}


def _equivalence_at_the_margin(rng: np.random.Generator, data: ScoreArrays) -> Found:
    """Three models, each against another that is lower, and against a copy that fails in a few scans."""
    k = 3
    found: Found = {}
    for label in LABELS:
        dice, margin = data.arrays[label, "dice"], PLAN.dice_margin[label]
        models, lower = dice[:, :, :k], dice[:, :, k : 2 * k] - margin
        fails = rng.random(models.shape[1:]) < margin / dice_of_equal_models()[label]
        for key, other in (("noisy_equivalent", lower), ("failing_equivalent", np.where(fails, 0, models))):
            differences = models - other
            means = jackknife.evaluate(jackknife.mean(differences), data.clusters, bounds=(-1, 1))
            ends = interval_of_differences(means, differences.mean(axis=0), data.clusters, EQUIVALENCE_LEVEL)
            verdicts = [verdict_of(low, high, margin) for low, high in zip(*ends, strict=True)]
            found[key, label] = errors([one == EQUIVALENT for one in verdicts])
            if key == "noisy_equivalent":
                found["noisy_different", label] = errors([one == DIFFERENT for one in verdicts])
    return found


def volumes(rng: np.random.Generator, setting: Setting, true: Truth) -> Found:
    """Of the paper's models: what is printed of their volumes, and that at the edge of what may be."""
    data = study(rng, setting).scores(setting.cluster)
    first = data.first_seed()
    found: Found = {}
    for label, scans in CHOICES:
        for key, measure, of_truth in (
            ("agreement_ccc", "ccc", "ccc"),
            ("agreement_bias", "volume_error_ml", "volume_error_ml_mean"),
        ):
            means = estimated(first, measure, label, scans)
            ends, value = [end[SHOWN] for end in means.interval(LEVEL)], true[of_truth, label, scans][SHOWN]
            found[key, of(label, scans)] = interval(means.estimate[SHOWN], ends, value)
        if label == "IVH" and scans == ALL_SCANS:  # shown, not judged
            continue
        name, margin = of(label, scans), PLAN.volume_margin_ml[label]
        bias, within_ml = (true[key, label, scans][SHOWN] for key in ("volume_error_ml_mean", "within_ml"))
        chosen = data.chosen(label, WITH_LESION)
        clusters, reference = data.clusters_of(chosen), data.reference_ml(label)[chosen]
        predicted = data.arrays[label, "predicted_ml"][0, chosen][:, SHOWN].T
        moved = predicted + margin - bias[:, None]
        failed = np.zeros(len(reference), bool)
        at_bias = [volume_equivalence(reference, one, failed, clusters, margin) for one in moved]
        at_share = [
            volume_equivalence(reference, one, failed, clusters, float(within))
            for one, within in zip(predicted, within_ml, strict=True)
        ]
        rows = pd.DataFrame(at_share)
        found["bias", name] = table_interval(rows, "bias_ml bias_lower_ml bias_upper_ml", bias)
        found["mean_equivalent", name] = errors([row["mean_verdict"] == EQUIVALENT for row in at_bias])
        found["mean_different", name] = errors([row["mean_verdict"] == DIFFERENT for row in at_bias])
        found["share_equivalent", name] = errors(rows["share_verdict"] == EQUIVALENT)
        found["share_different", name] = errors(rows["share_verdict"] == DIFFERENT)
        found["share_beyond", name] = errors(rows["share_beyond_upper"] < 1 - SHARE_WITHIN)
    return found


def rest(rng: np.random.Generator, setting: Setting, true: Truth) -> Found:
    """What no main table prints: subgroups, and tests of the replication."""
    sizes = {
        ("lesion size", label): [float(cut) for cut in true["cut points", label, ""]] for label in LABELS
    }
    real = study(rng, setting)
    some = models_of(real.scores(setting.cluster), SHOWN)
    found = _intervals_of_levels(_subgroups(rng, real, some, BY_SIZE, sizes), true)
    for label in LABELS:
        present = some.chosen(label, WITH_LESION)
        reference, dice = some.reference_ml(label)[present], some.arrays[label, "dice"].mean(axis=0)[present]
        cells = pd.DataFrame([spearman(reference, column) for column in dice.T])
        found["spearman", label] = table_interval(cells, "rho lower upper", true["spearman", label, ""])
    equal = study(rng, setting, equal=True)
    data = equal.scores(setting.cluster)
    table = _subgroups(rng, equal, data, PLAN, sizes)
    if setting.site_model_sd:  # there are interactions with the site
        table = table[table["subgroup"] != SITE]
    tests = table.dropna(subset=["p"]).drop_duplicates(["subgroup", "label", "against"])
    found |= _of_other_levels(table)
    for name, rows in tests.groupby("subgroup"):
        found["interaction_p", str(name)] = np.array([(rows["p"] < ALPHA).mean()])
    corrected = benjamini_hochberg(tests["p"].to_numpy())
    found["interaction_p_any", ALL] = errors([(corrected < ALPHA).any()])
    for label in LABELS:
        unrelated = data.reference_ml(label)[data.chosen(label, WITH_LESION)]
        dice = some.arrays[label, "dice"].mean(axis=0)[some.chosen(label, WITH_LESION)]
        n = min(len(unrelated), len(dice))
        tested = [spearman(unrelated[:n], column[:n]) for column in dice.T]
        found["spearman_p", label] = errors(pd.DataFrame(tested)["p"] < ALPHA)
        dice = data.arrays[label, "dice"].mean(axis=0)
        found["kruskal_wallis", label] = errors(
            [kruskal_wallis(dict(zip(MODELS, dice.T, strict=True))).p < ALPHA]
        )
    pairs = {label: dunn_of(data, label) for label in LABELS}
    for label, table in pairs.items():
        found["dunn_p", label] = errors(table["p"] < ALPHA)
        found["dunn", label] = errors([differs(table, "default").any()])
        found["dunn_test", label] = errors([differs(table, "dunn.test").any()])
    for label, scans in CHOICES:
        dice = data.arrays[label, "dice"].mean(axis=0)[data.chosen(label, scans)]
        least = critical_difference_of_one_scan() / np.sqrt(len(dice))
        found["nemenyi", of(label, scans)] = errors([np.ptp(mean_ranks(dice)) > least])
    return found | of_no_evidence(data, pd.concat(pairs.values()))


@lru_cache(maxsize=1)
def critical_difference_of_one_scan() -> float:
    """Of the mean ranks of all models; that of n scans is 1 / √n of it. Its quantile takes long."""
    return critical_difference(len(MODELS), 1)


def _of_other_levels(table: pd.DataFrame) -> Found:
    """Of equal models, whose difference is 0 in each level: raters, and sites that are one level together."""
    found: Found = {}
    is_pooled = table["level"].astype(str).str.endswith(FEW_SCANS_EACH)
    for name, chosen in (
        ("raters", table["subgroup"] == "rater"),
        ("sites with few scans", is_pooled),
    ):
        rows = table[chosen]
        if len(rows):
            zero = np.zeros(len(rows))
            found["other_level", name] = table_interval(rows, "difference lower upper", zero)
            columns = "interaction interaction_lower interaction_upper"
            found["other_interaction", name] = table_interval(rows, columns, zero)
    return found


def _subgroups(
    rng: np.random.Generator,
    one: Study,
    data: ScoreArrays,
    plan: Plan,
    sizes: dict[tuple[str, str], list[float]],
) -> pd.DataFrame:
    """With sites, and raters that have nothing to do with it."""
    raters = rng.choice(["r1", "r2", "r3"], len(one.site))
    known = pd.DataFrame({"site": one.site.astype(str), "rater": raters}, data.scans)
    participants = Clusters(PARTICIPANT, pd.Series(one.participant, data.scans))
    return subgroups_table(data, plan, known, sizes, participants)


def _intervals_of_levels(table: pd.DataFrame, true: Truth) -> Found:
    """By lesion the levels of its size side by side; NaN for a level that is not in the study."""
    levels = table["level"].astype(str).map(_size_level)
    found: Found = {}
    for label in LABELS:
        for key, columns in (
            ("level", "difference lower upper"),
            ("interaction", "interaction interaction_lower interaction_upper"),
        ):
            parts = []
            for name in LEVELS.values():
                rows = table[(table["label"] == label) & (levels == name)]
                value = true.get((key, label, name))
                if value is not None and len(rows):
                    parts.append(table_interval(rows, columns, value))
                elif value is not None:
                    parts.append(np.full((4, len(value)), np.nan))
            found[key, label] = np.concatenate(parts, axis=1)
    return found


def _size_level(level: str) -> str:
    """One of :data:`LEVELS`."""
    if level == NO_LESION:
        return LEVELS[-1]
    if level.startswith("up to"):
        return LEVELS[0]
    return LEVELS[1] if " to " in level else LEVELS[2]


def unequal_seeds(rng: np.random.Generator, setting: Setting, true: Truth) -> Found:
    """Of equally good models whose trainings do not vary alike, as the pooled variance of these assumes."""
    if not setting.seed_sd:
        return {}
    found: Found = {}
    half = len(MODELS) // 2
    for key, seed_sd in (
        ("p_any_one", (0.05,) + (0.002,) * (len(MODELS) - 1)),
        ("p_any_half", (0.04,) * half + (0.01,) * (len(MODELS) - half)),
    ):
        unequal = replace(setting, seed_sd=seed_sd)
        data = study(rng, unequal, equal=True).scores(setting.cluster)
        first, second = (list(columns) for columns in zip(*combinations(range(len(MODELS)), 2), strict=True))
        for label in LABELS:
            p = estimated(data, "dice", label, ALL_SCANS).differences(first, second).p_value()
            found[key, label] = errors([benjamini_hochberg(p).min() < ALPHA])
    return found


@dataclass(frozen=True)
class Block:
    """Promises that are looked at in the same studies.

    Attributes:
        check: what one study gives.
        n_studies: more where a main table prints them.
        in_other_settings: whether it is looked at where clusters are not those by default.
    """

    check: Callable[[np.random.Generator, Setting, Truth], Found]
    n_studies: int
    in_other_settings: bool = False


BLOCKS = {
    "intervals": Block(intervals, 1000, in_other_settings=True),
    "verdicts": Block(verdicts, 1000, in_other_settings=True),
    "volumes": Block(volumes, 1000),
    "rest": Block(rest, 400),
    "claims": Block(of_claims, 1000),
    "claims by resampling": Block(of_claims_by_resampling, 400),
    "raters": Block(of_raters, 1000),
    "sites": Block(of_paired_sites, 400),
    "new site": Block(of_new_site, 400),
    "replication": Block(of_replication, 1000),
    "missing predictions": Block(of_missing, 400),
    "precision": Block(of_precision, 400),
    "held-out scans": Block(of_held_out, 400),
    "cohort": Block(of_cohort, 400),
    "whole replication": Block(of_whole_replication, 400),
    "unequal seeds": Block(unequal_seeds, 1000),
    "external sets": Block(of_external, 400),
}
