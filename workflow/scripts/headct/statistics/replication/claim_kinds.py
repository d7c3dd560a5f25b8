"""The kinds of claims: how each is judged, how many scans that needs, and why (:data:`KINDS`).

A claim of several parts holds only if each part does, so that showing it needs no correction; it does not
hold as soon as one part is refuted, with Bonferroni's correction over the parts. Intervals leave out whole
clusters, as the analysis plan has them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
import scipy

from headct.contracts.sets import SCANS_OF_A_VERDICT
from headct.settings.analysis_plan import Plan
from headct.statistics.comparison.paired import estimated
from headct.statistics.core.agreement import ALL_SCANS
from headct.statistics.core.clusters import MINIMUM_CLUSTERS
from headct.statistics.core.group_tests import ALPHA
from headct.statistics.core.jackknife import RELATIVE_NOISE
from headct.statistics.replication.claim_evidence import (
    FAILS,
    HOLDS,
    UNCLEAR,
    Claim,
    Dunn,
    Evidence,
    PairBounds,
    Results,
    bounds_of_pairs,
    dunn_of_pairs,
    number,
    overall,
    p_value,
    resampled_test_sets,
    verdict,
)
from headct.statistics.replication.cohort_tests import COUNT

SMALL_SMD = 0.2
"""A standardised difference below this is small (Cohen 1988)."""

HIGH_CCC = 0.95
"""Concordance from here on is substantial (McBride GB. NIWA report HAM2005-062, 2005)."""

EXCEPTED = "PHE"
"""The lesion of which the paper does not say that its volumes agree well."""

ONE_IN_TEN = "of smaller test sets more than a third miss a failure of every tenth scan (.9¹⁰ = .35)"
NO_POWER = "in smaller groups not even a difference of 1.3 SD is found in 80% of studies"
"""Why fewer are not enough: to judge a mean; to find no evidence (a two-sided t test at 5 %)."""

ERRS_MORE = "in simulated studies up to 11%"
"""Of kinds that err in more than 6.5 % of such simulated studies (benchmarks/null_studies.md)."""


@dataclass(frozen=True)
class Counted:
    """What a claim needs enough of.

    Attributes:
        in_words: what is counted, for any claim of the kind.
        indices: of one claim: indices of scans, say, by what they are called.
    """

    in_words: str
    indices: Callable[[Claim, Results], Mapping[str, Sequence[int] | np.ndarray]]


@dataclass(frozen=True)
class Kind:
    """How claims of a kind are judged.

    Attributes:
        judge: gives the verdict on a claim.
        in_words: the test; ``{margins}`` and ``{margins_ml}`` are those of the analysis plan.
        counted: what there must be enough of.
        minimum: so many of each.
        why: so few are not enough.
        by_dunn: whether it rests on Dunn's test, whose flavours may change the verdict.
        by_clusters: whether whole clusters are left out or drawn, of which there must be enough, too.
        of_seeds: whether it counts the variance between trainings.
    """

    judge: Callable[[Claim, Results], Evidence]
    in_words: str
    counted: Counted
    minimum: int = SCANS_OF_A_VERDICT
    why: str = ONE_IN_TEN
    by_dunn: bool = False
    by_clusters: bool = True
    of_seeds: bool = True

    def restated(self, plan: Plan) -> str:
        """How a claim is judged, with the margins of the plan."""
        margins = [f"{f'{size:g}'.removeprefix('0')} {label}" for label, size in plan.dice_margin.items()]
        volumes = [f"{size:g} mL {label}" for label, size in plan.volume_margin_ml.items()]
        test = self.in_words.format(margins=", ".join(margins), margins_ml=", ".join(volumes))
        return f"{test}; not testable below {self.minimum} {self.counted.in_words}: {self.why}"

    def too_few(self, claim: Claim, results: Results) -> list[str]:
        """What there is too little of; nothing if there is enough."""
        lacking = []
        for name, indices in self.counted.indices(claim, results).items():
            if len(indices) < self.minimum:
                lacking.append(f"{name}: {len(indices)}, needs {self.minimum}")
            elif self.by_clusters:
                n = int(results.data.clusters_of(np.asarray(indices)).max()) + 1
                if n < MINIMUM_CLUSTERS:
                    lacking.append(f"{results.data.cluster}s of the {name}: {n}, needs {MINIMUM_CLUSTERS}")
        return lacking


def _better(claim: Claim, results: Results) -> Evidence:
    def of_pair(dunn: Dunn, bounds: PairBounds) -> str:
        if dunn.differ:
            return HOLDS if dunn.first_higher else FAILS
        return FAILS if bounds.most < bounds.margin else UNCLEAR

    both = zip(dunn_of_pairs(claim, results), bounds_of_pairs(claim, results), strict=True)
    return _counted([of_pair(*pair) for pair in both])


def _equal(claim: Claim, results: Results) -> Evidence:
    def of_pair(pair: PairBounds) -> str:
        within = -pair.margin < pair.low and pair.high < pair.margin
        return verdict(holds=within, fails=pair.least >= pair.margin or pair.most <= -pair.margin)

    return _counted([of_pair(pair) for pair in bounds_of_pairs(claim, results)])


def _counted(found: Sequence[str]) -> Evidence:
    text = (
        f"of {len(found)} pairs {found.count(HOLDS)} as claimed, {found.count(FAILS)} otherwise,"
        f" {found.count(UNCLEAR)} undecided"
    )
    return Evidence(overall(found), text)


def _no_evidence(claim: Claim, results: Results) -> Evidence:
    pairs = dunn_of_pairs(claim, results)
    p = [pair.p for pair in pairs if not math.isnan(pair.p)]
    differ = sum(pair.differ for pair in pairs)
    found = verdict(holds=not differ and bool(p) and len(p) == len(pairs), fails=differ > 0)
    least = f"least P {p_value(min(p))}" if p else "no P"
    return Evidence(found, f"of {len(pairs)} pairs {differ} differ by Dunn's test; {least}")


def _no_evidence_of_imbalance(claim: Claim, results: Results) -> Evidence:
    tested = results.cohort_tests.dropna(subset=["p"])
    if tested.empty:
        return Evidence(UNCLEAR, "nothing can be compared")
    least = tested.sort_values("p", kind="stable").iloc[0]
    threshold = ALPHA / len(tested)
    differs = bool(least["p"] < threshold)
    text = (
        f"least of {len(tested)} P: {p_value(least['p'])} ({least['characteristic']}, {least['test_name']});"
        f" below {threshold:.2g} it would be evidence"
    )
    return Evidence(verdict(holds=not differs, fails=differs), text)


def _balanced(claim: Claim, results: Results) -> Evidence:
    """Hedges LV, Olkin I. Statistical Methods for Meta-Analysis. Academic Press, 1985, chapter 5."""
    table = results.cohort_tests
    # The difference of the other sex is the same, and both rows of a volume have one.
    table = table[(table["test_name"] != "") & table["smd"].notna()].drop_duplicates("characteristic")
    if table.empty:
        return Evidence(UNCLEAR, "nothing can be compared")
    table = table.set_index("characteristic")
    size, of_counts = table["smd"].abs(), 1 / table["train_n"] + 1 / table["test_n"]
    error = np.sqrt(of_counts + size**2 / (2 * (table["train_n"] + table["test_n"])))
    once, corrected = (float(scipy.stats.norm.isf(alpha)) for alpha in (ALPHA, ALPHA / len(table)))
    narrow = once * np.sqrt(of_counts) <= SMALL_SMD
    within = bool(narrow.any() and (size + once * error < SMALL_SMD)[narrow].all())
    outside = size - corrected * error >= SMALL_SMD
    found = ", ".join(f"{name} {size[name]:.2f} SD" for name in table.index[outside])
    texts = [f"shown to differ by more than {SMALL_SMD:g} SD: {found}"] if found else []
    if narrow.any():
        largest, where = size[narrow].max(), size[narrow].idxmax()
        texts.append(f"largest of {narrow.sum()} differences: {largest:.2f} SD ({where})")
    if not narrow.all():
        texts.append(f"can't be shown at this n: {', '.join(table.index[~narrow])}")
    return Evidence(verdict(holds=within, fails=bool(outside.any())), "; ".join(texts))


def _highest_mean(claim: Claim, results: Results) -> Evidence:
    others = results.run(claim["against"])
    of_lesions = [
        results.values("dice", claim["models"], label) - results.values("dice", others, label)
        for label in claim["labels"]
    ]
    means = results.means(np.mean(of_lesions, axis=0))
    corrected = ALPHA / len(others)
    low, most = means.ends(ALPHA)[0], means.ends(corrected)[1]
    fails = bool((most < 0).any())
    strongest = int(np.argmin(most if fails else low))
    difference = means.in_words(strongest, corrected if fails else ALPHA)
    text = f"mean difference from {others[strongest]}, the strongest of {len(others)} others: {difference}"
    return Evidence(verdict(holds=bool((low > 0).all()), fails=fails), text)


def _highest_median(claim: Claim, results: Results) -> Evidence:
    def mean_of_medians(dice: np.ndarray) -> np.ndarray:
        medians: np.ndarray = np.median(dice, axis=0).mean(axis=0)
        return medians

    return _by_resampling(claim, results, mean_of_medians, ("higher", "lower"))


def _smallest_iqr(claim: Claim, results: Results) -> Evidence:
    def narrowness(dice: np.ndarray) -> np.ndarray:
        q1, q3 = np.quantile(dice[:, 0], [0.25, 0.75], axis=0)
        width: np.ndarray = q1 - q3
        return width

    return _by_resampling(claim, results, narrowness, ("smaller", "larger"))


def _by_resampling(
    claim: Claim, results: Results, statistic: Callable[[np.ndarray], np.ndarray], words: tuple[str, str]
) -> Evidence:
    """Whether a statistic of the one model exceeds that of each other one in 95 % of resampled test sets.

    Args:
        claim: about one model against others.
        results: the measures.
        statistic: of Dice (scans, lesions, models), one per model.
        words: how the one model is then called, and the contrary.
    """
    others = results.run(claim["against"])
    models = [*claim["models"], *others]
    dice = [results.values("dice", models, label).mean(axis=0) for label in claim["labels"]]
    by_scan = np.stack(dice, axis=1)
    found = np.array([statistic(by_scan[scans]) for scans in resampled_test_sets(results.data.clusters)])
    difference = found[:, :1] - found[:, 1:]
    above = (difference > RELATIVE_NOISE).mean(axis=0)
    below = (difference < -RELATIVE_NOISE).mean(axis=0)
    fails = bool((below >= 1 - ALPHA / len(others)).any())
    strongest = int(np.argmax(below) if fails else np.argmin(above))
    text = (
        f"{words[0]} than {others[strongest]}, the strongest of {len(others)} others, in"
        f" {100 * above[strongest]:.1f}% of resampled test sets, {words[1]} in {100 * below[strongest]:.1f}%"
    )
    return Evidence(verdict(holds=bool((above >= 1 - ALPHA).all()), fails=fails), text)


def _none_best(claim: Claim, results: Results) -> Evidence:
    """For each model, that it is best everywhere must be refuted.

    Of a true leader it is in 5 % of studies at most, and without that the claim does not hold. So the number
    of models needs no correction (Berger RL. Technometrics 1982;24:295-300).
    """
    models = results.run(claim["models"])
    pairs = list(permutations(models, 2))
    if not pairs:
        return Evidence(UNCLEAR, "only one of the models was run")
    corrected = ALPHA / (len(claim["labels"]) * (len(models) - 1))
    surpassed: set[str] = set()
    not_leading: set[str] = set()
    for label in claim["labels"]:
        means = results.differences(pairs, label)
        for (a, b), low, least in zip(pairs, means.ends(ALPHA)[0], means.ends(corrected)[0], strict=True):
            surpassed |= {b} if least > 0 else set()
            not_leading |= set() if low > 0 else {a}
    if leaders := set(models) - not_leading:
        (leader,) = leaders
        return Evidence(FAILS, f"{leader} is better than each of {len(models) - 1} others on each lesion")
    text = f"{len(surpassed)} of {len(models)} models are surpassed on some lesion"
    undecided = [model for model in models if model not in surpassed]
    if undecided:
        return Evidence(UNCLEAR, f"{text}; not shown for {', '.join(undecided)}")
    return Evidence(HOLDS, text)


def _bimodal(claim: Claim, results: Results) -> Evidence:
    (label,) = claim["labels"]
    models = results.run(claim["models"])
    dice = results.values("dice", models, label)
    thirds = [part.astype(float) for part in (dice < 1 / 3, (dice >= 1 / 3) & (dice <= 2 / 3), dice > 2 / 3)]
    low, middle, high = thirds
    means = results.means(np.concatenate([low - middle, high - middle], axis=2))
    shown = bool((means.ends(ALPHA)[0] > 0).all())
    refuted = bool((means.ends(ALPHA / (2 * len(models)))[1] < 0).any())
    counts = zip(models, *(part.mean(axis=0).sum(axis=0) for part in thirds), strict=True)
    texts = [f"{model} {'/'.join(f'{n:.1f}'.removesuffix('.0') for n in of)}" for model, *of in counts]
    text = f"scans in the lower/middle/upper third of Dice: {', '.join(texts)}"
    return Evidence(verdict(holds=shown, fails=refuted), text)


def _harder(claim: Claim, results: Results) -> Evidence:
    return _lower(claim, results, results.all_scans())


def _harder_present(claim: Claim, results: Results) -> Evidence:
    return _lower(claim, results, results.scans_with(claim["labels"]))


def _lower(claim: Claim, results: Results, scans: np.ndarray) -> Evidence:
    harder, easier = (results.values("dice", claim["models"], label) for label in claim["labels"])
    means = results.means(harder - easier, scans)
    (low,), (high,) = means.ends(ALPHA)
    text = f"mean difference {' − '.join(claim['labels'])} {means.in_words(0)}, {len(scans)} scans"
    return Evidence(verdict(holds=high < 0, fails=low > 0), text)


def _detects_small(claim: Claim, results: Results) -> Evidence:
    (label,), (model,), others = claim["labels"], claim["models"], results.run(claim["against"])
    scans, median = results.small(label)
    detected = (results.values("predicted_ml", [model, *others], label) > 0).astype(float)
    means = results.means(detected[:, :, :1] - detected[:, :, 1:], scans)
    low, most = means.ends(ALPHA)[0], means.ends(ALPHA / len(others))[1]
    share = detected[:, scans, 0].mean()
    differences = [f"that of {other}: {means.in_words(i)}" for i, other in enumerate(others)]
    text = (
        f"{share:.0%} of {len(scans)} scans with {label} below {median:.3g} mL; detected share less"
        f" {', less '.join(differences)}"
    )
    return Evidence(verdict(holds=bool((low > 0).all()), fails=bool((most < 0).any())), text)


def _low_bias(claim: Claim, results: Results) -> Evidence:
    parts, texts = [], []
    for label in claim["labels"]:
        scans, margin = results.scans_with([label]), results.plan.volume_margin_ml[label]
        errors = results.values("volume_error_ml", claim["models"], label)
        means = results.means(errors, scans, are_differences=False)
        once, corrected = (
            (bool(-margin < low[0] and high[0] < margin), bool(low[0] >= margin or high[0] <= -margin))
            for low, high in (means.ends(ALPHA), means.ends(ALPHA / len(claim["labels"])))
        )
        parts.append(_agreement_of(label, once, corrected))
        texts.append(f"{label} {means.in_words(0, decimals=2)}, {len(scans)} scans")
    return Evidence(overall(parts), f"mean difference in mL: {'; '.join(texts)}")


def _concordance(claim: Claim, results: Results) -> Evidence:
    (model,) = claim["models"]
    column = results.data.models.index(model)
    parts, texts = [], []
    for label in claim["labels"]:
        found = estimated(results.data, "ccc", label, ALL_SCANS)
        once, corrected = (
            (bool(low[column] >= HIGH_CCC), bool(high[column] < HIGH_CCC))
            for low, high in (found.interval(1 - ALPHA), found.interval(1 - ALPHA / len(claim["labels"])))
        )
        parts.append(_agreement_of(label, once, corrected))
        lower, upper = (float(end[column]) for end in found.interval(1 - ALPHA))
        estimate, interval = float(found.estimate[column]), f"{number(lower, 2)} to {number(upper, 2)}"
        if math.isnan(lower):
            reference, predicted = (
                results.values(name, [model], label) for name in ("reference_ml", "predicted_ml")
            )
            interval = f"no interval: {_why_none(reference, predicted, estimate)}"
        shown = "not defined" if math.isnan(estimate) else number(estimate, 2)
        texts.append(f"{label} {shown} ({interval})")
    return Evidence(overall(parts), f"CCC {', '.join(texts)}")


def _agreement_of(label: str, once: tuple[bool, bool], corrected: tuple[bool, bool]) -> str:
    """Verdict on one lesion: its volumes agree well, but for the excepted one.

    Args:
        label: the lesion.
        once: whether good agreement is shown, and whether the contrary is, by themselves.
        corrected: the same, corrected for the number of lesions.
    """
    claimed, contrary = (1, 0) if label == EXCEPTED else (0, 1)
    return verdict(holds=once[claimed], fails=corrected[contrary])


def _why_none(reference: np.ndarray, predicted: np.ndarray, ccc: float) -> str:
    """Why a CCC has no interval."""
    for name, volumes in (("reference", reference), ("predicted", predicted)):
        if np.ptp(volumes) == 0:
            return f"all {name} volumes are equal"
    if math.isclose(abs(ccc), 1):
        return f"it is undefined at a CCC of {ccc:g}"
    return "it is not defined without some of the scans"


def _scans_with_each(claim: Claim, results: Results) -> dict[str, np.ndarray]:
    return {f"test scans with {label}": results.scans_with([label]) for label in claim["labels"]}


def _scans_with_all(claim: Claim, results: Results) -> dict[str, np.ndarray]:
    return {f"test scans with {' and '.join(claim['labels'])}": results.scans_with(claim["labels"])}


def _scans_with_small(claim: Claim, results: Results) -> dict[str, np.ndarray]:
    (label,) = claim["labels"]
    return {f"test scans with {label} below its median volume": results.small(label)[0]}


def _participants(claim: Claim, results: Results) -> dict[str, range]:
    table = results.cohort_tests
    participants = (table["characteristic"] == "participants") & (table["statistic"] == COUNT)
    sets = {"training": "train_n", "test": "test_n"}
    n = {name: int(table.loc[participants, column].sum()) for name, column in sets.items()}
    return {f"participants of the {name} set": range(count) for name, count in n.items()}


WITH_EACH = Counted("test scans with each of its lesions", _scans_with_each)
"""In scans without a lesion its Dice is 0 or 1: that tells of false positives, not of how it is drawn."""

WITH_ALL = Counted("test scans with all of its lesions", _scans_with_all)
WITH_SMALL = Counted("test scans with the lesion below its median volume", _scans_with_small)
PARTICIPANTS = Counted("participants of either set", _participants)

KINDS: dict[str, Kind] = {
    "better": Kind(
        _better,
        "Dunn's test (P < .05) finds each pair to differ in the stated direction; refuted by a significant"
        " difference the other way, or by a mean difference below +margin ({margins}; one-sided, 5% over all"
        " pairs)",
        WITH_EACH,
        by_dunn=True,
        of_seeds=False,
    ),
    "no_evidence": Kind(
        _no_evidence,
        "Dunn's test (P < .05) finds no pair to differ, which is what the paper says; it does not show that"
        " there is no difference",
        WITH_EACH,
        why=NO_POWER,
        by_dunn=True,
        by_clusters=False,
        of_seeds=False,
    ),
    "equal": Kind(
        _equal,
        "the 90% interval of each pair's mean difference lies within ±margin ({margins}); refuted by one"
        " wholly outside, corrected for the number of pairs",
        WITH_EACH,
    ),
    "no_evidence_of_imbalance": Kind(
        _no_evidence_of_imbalance,
        "no P of Table 2 is below .05 after Bonferroni's correction, without which ten tests would find a"
        " difference in 40% of random splits",
        PARTICIPANTS,
        why=NO_POWER,
        by_clusters=False,
    ),
    "balanced": Kind(
        _balanced,
        "the 90% interval of each standardised difference lies within ±0.2, but for characteristics that so"
        " few scans have that a difference of 0 has a wider one; refuted by one wholly outside, corrected for"
        " the number of characteristics",
        PARTICIPANTS,
        minimum=68,
        why="in smaller sets no interval lies within ±0.2, however large the other set is",
        by_clusters=False,
    ),
    "smallest_iqr": Kind(
        _smallest_iqr,
        "its interquartile range is smaller than each other model's in 95% of resampled test sets; refuted if"
        " it is larger than another's in 95%, corrected for the number of models; a tie is neither",
        WITH_EACH,
        of_seeds=False,
    ),
    "highest_mean": Kind(
        _highest_mean,
        "its mean exceeds each other model's (one-sided, 5%); refuted if another's exceeds it, corrected for"
        " the number of models; a tie is neither",
        WITH_EACH,
    ),
    "highest_median": Kind(
        _highest_median,
        "it is higher than each other model's in 95% of resampled test sets; refuted if it is lower than"
        " another's in 95%, corrected for the number of models; a tie is neither",
        WITH_EACH,
        of_seeds=False,
    ),
    "none_best": Kind(
        _none_best,
        "for each model, another has a higher mean on some lesion (one-sided, 5% over all others and all"
        " lesions); refuted if one has a higher mean than each other on each lesion (one-sided, 5% each)",
        WITH_EACH,
    ),
    "bimodal": Kind(
        _bimodal,
        "in each model fewer scans score in the middle third of Dice than in the lower, and than in the upper"
        f" one (one-sided, 5% each); refuted if more do, corrected for their number ({ERRS_MORE})",
        WITH_EACH,
    ),
    "harder": Kind(_harder, f"mean Dice is lower (one-sided, 5%, {ERRS_MORE})", WITH_EACH),
    "harder_present": Kind(
        _harder_present,
        f"mean Dice is lower over the scans that have both (one-sided, 5%, {ERRS_MORE})",
        WITH_ALL,
    ),
    "detects_small": Kind(
        _detects_small,
        "of the scans with the lesion below its median volume it detects (any voxel) a larger share than each"
        " of the others (one-sided, 5%); refuted if a smaller one than one of them, corrected for their"
        " number; this cut of small is ours, and contrast is not measured",
        WITH_SMALL,
    ),
    "low_bias": Kind(
        _low_bias,
        "the 90% interval of the mean volume difference over scans with the lesion lies within ±margin"
        " ({margins_ml}; this cut of low is ours), but wholly outside for PHE; refuted by the contrary in"
        " one, corrected for the number of lesions",
        WITH_EACH,
    ),
    "concordance": Kind(
        _concordance,
        "the 95% interval of the CCC lies above .95, but below it for PHE; refuted by the contrary in one,"
        " corrected for the number of lesions",
        WITH_EACH,
    ),
}
"""How each kind of claim is judged."""
