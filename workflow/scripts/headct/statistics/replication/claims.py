"""The claims of the paper, each restated as a test, with a verdict.

``holds``: what the test asks for is shown. ``does not hold``: the contrary is shown. ``cannot tell``: the
scans at hand, or the models that were run, decide neither way. How each kind is restated is said in
:data:`RESTATED`, and in the table. A claim about several pairs holds only if each pair does, so the
parts need no correction beyond the one that Dunn's test has; it does not hold as soon as one part is
refuted, with Bonferroni's correction over the parts; only pairs of models are refuted one by one, each
at its own error rate (docs/reference/statistics.md).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

import numpy as np
import pandas as pd
import scipy

from headct.contracts.declarations import PublishedStatistic
from headct.contracts.labels import LabelSet
from headct.statistics.core.agreement import as_published
from headct.statistics.core.group_tests import ALPHA, FLAVOURS, differs
from headct.statistics.core.resampling import means_of_resamples, resamples
from headct.statistics.core.scores import FAMILY
from headct.statistics.core.summaries import dice_by_scan

HOLDS, FAILS, UNCLEAR = "holds", "does not hold", "cannot tell"

SMALL_SMD = 0.2
"""A standardised difference below this is small (Cohen 1988)."""

HIGH_CCC = 0.95
"""Concordance from here on is substantial (McBride GB. NIWA report HAM2005-062, 2005)."""

EQUIVALENCE_LEVEL = 0.90
"""Two one-sided tests at 5 % each are an interval of 90 %."""

CLAIMS = PublishedStatistic(
    name="claims",
    help="each claim of the paper, restated as a test, with a verdict",
    step="statistics",
    columns="claim statement source restated verdict evidence verdict_dunn_test verdict_dunn_test_at_05"
    " changes_under note",
    keys="claim",
)

PAIRWISE = ("better", "equal")
"""Kinds that rest on Dunn's test."""

RESTATED = {
    "better": "Dunn's test (P < .05) finds each pair to differ in the stated direction; refuted by a"
    " significant difference the other way, or by a 90% interval of the paired mean difference that ends"
    " below +margin ({margins})",
    "equal": "the 90% interval of each pair's paired mean difference lies within ±margin ({margins});"
    " refuted by Dunn's test (P < .05); a P above .05 alone shows nothing",
    "balanced": "the 90% interval of each standardised difference lies within ±0.2; refuted by a P < .05"
    " after Bonferroni's correction",
    "smallest_iqr": "its interquartile range is smaller than each other model's in 95% of resampled test"
    " sets",
    "highest_mean": "it exceeds each other model in 95% of resampled test sets",
    "highest_median": "it exceeds each other model in 95% of resampled test sets",
    "bimodal": "fewer scans score in the middle third of Dice than in the lower, and than in the upper one"
    " (one-sided binomial tests), in each model",
    "harder": "mean Dice is lower (one-sided paired t test)",
    "harder_present": "mean Dice is lower over the scans that have both (one-sided paired t test)",
    "none_best": "in 95% of resampled test sets no model has the best mean on all three lesions",
    "concordance": "the 95% interval of the CCC lies above .95 for ICH and IVH, and below it for PHE",
}
"""Each kind of claim as a test, in words; ``{margins}`` are those of the analysis plan."""


@dataclass(frozen=True)
class Evidence:
    """A verdict and what it rests on."""

    verdict: str
    text: str


@dataclass(frozen=True)
class Results:
    """What the claims are held against; ``dice`` and ``present`` are per model, scan × lesion."""

    dice: Mapping[str, pd.DataFrame]
    present: pd.DataFrame
    dunn: pd.DataFrame
    agreement: pd.DataFrame
    cohort_tests: pd.DataFrame
    margins: Mapping[str, float]


Claim = Mapping[str, Any] | pd.Series
"""One row of :func:`headct.settings.published.claims`."""


def claims_table(
    claims: pd.DataFrame,
    scans: pd.DataFrame,
    dunn: pd.DataFrame,
    agreement: pd.DataFrame,
    cohort_tests: pd.DataFrame,
    margins: Mapping[str, float],
    labels: LabelSet,
) -> pd.DataFrame:
    """One row per claim; only the family is looked at.

    Args:
        claims: :func:`headct.settings.published.claims`.
        scans: what :func:`headct.statistics.core.scores.mean_over_seeds` gives.
        dunn, agreement, cohort_tests: the tables of those names.
        margins: per lesion, differences of mean Dice that count as none, from the analysis plan.
        labels: the study's lesions; the claims are about the paper's, by the paper's names.

    Columns: claim statement source restated verdict evidence; the verdicts under R's ``dunn.test``,
    judged rightly and at .05, where the kind rests on Dunn's test; changes_under, the flavours under
    which the verdict changes; note.
    """
    family = scans[scans["role"] == FAMILY]
    volumes = family.pivot_table(index="scan_id", columns="label", values="reference_ml", aggfunc="first")
    results = Results(
        dice=dice_by_scan(family, labels),
        present=volumes.reindex(columns=list(labels)) > 0,
        dunn=dunn,
        agreement=as_published(agreement),
        cohort_tests=cohort_tests,
        margins=margins,
    )
    rows = [_row(claim, results) for _, claim in claims.iterrows()]
    return pd.DataFrame(rows, columns=CLAIMS.header)


def _row(claim: Claim, results: Results) -> dict[str, str]:
    default = judge(claim, results)
    others = list(FLAVOURS)[1:] if claim["kind"] in PAIRWISE else []
    verdict_under = {flavour: judge(claim, results, flavour).verdict for flavour in others}
    changes = [flavour for flavour, verdict in verdict_under.items() if verdict != default.verdict]
    missing = _missing(claim, results)
    notes = [claim["note"], f"not run: {', '.join(missing)}" if missing else ""]
    as_listed = {name: claim[name] for name in ("claim", "statement", "source")}
    return {
        **as_listed,
        "restated": RESTATED[claim["kind"]].format(margins=_in_words(results.margins)),
        "verdict": default.verdict,
        "evidence": default.text,
        "verdict_dunn_test": verdict_under.get("dunn.test", ""),
        "verdict_dunn_test_at_05": verdict_under.get("dunn.test read at .05", ""),
        "changes_under": "; ".join(changes),
        "note": "; ".join(filter(None, notes)),
    }


def _in_words(margins: Mapping[str, float]) -> str:
    return ", ".join(f"{f'{margin:g}'.removeprefix('0')} {label}" for label, margin in margins.items())


def judge(claim: Claim, results: Results, flavour: str = "default") -> Evidence:
    """Verdict on one claim under one of :data:`headct.statistics.core.group_tests.FLAVOURS`.

    A claim about models that were not all run is at best refuted, never shown; one about lesions that the
    study does not have can't be told.
    """
    if unknown := [label for label in claim["labels"] if label not in results.present]:
        return Evidence(UNCLEAR, f"this study has no {' or '.join(unknown)}")
    missing = _missing(claim, results)
    kind, named = claim["kind"], claim["models"]
    if named and not (set(named) - set(missing)):
        return Evidence(UNCLEAR, "none of the models was run")
    found = _pairs(claim, results, flavour) if kind in PAIRWISE else KINDS[kind](claim, results)
    # Among all models a missing one might be the best; elsewhere a counterexample stays one.
    if missing and (found.verdict == HOLDS or kind == "none_best"):
        return Evidence(UNCLEAR, found.text)
    return found


def _missing(claim: Claim, results: Results) -> list[str]:
    return [model for model in [*claim["models"], *claim["against"]] if model not in results.dice]


def overall(parts: Sequence[str]) -> str:
    """Verdict on the whole: each part must hold; one that does not refutes it."""
    if not parts:
        return UNCLEAR
    if FAILS in parts:
        return FAILS
    return HOLDS if set(parts) == {HOLDS} else UNCLEAR


def _verdict(*, holds: bool, fails: bool) -> str:
    """What is refuted fails, whatever else was shown; what is neither shown nor refuted stays unclear."""
    if fails:
        return FAILS
    return HOLDS if holds else UNCLEAR


def mean_difference_interval(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """90 % interval (t) of the mean paired difference a − b; a point if all differences are equal.

    R: ``t.test(a, b, paired = TRUE, conf.level = 0.90)$conf.int``.
    """
    difference = a - b
    if len(difference) < 2:
        return -math.inf, math.inf
    if np.ptp(difference) == 0:
        return float(difference[0]), float(difference[0])
    interval = scipy.stats.ttest_1samp(difference, 0).confidence_interval(EQUIVALENCE_LEVEL)
    return float(interval.low), float(interval.high)


def _pairs(claim: Claim, results: Results, flavour: str) -> Evidence:
    """Claims that models differ, or do not, pair by pair."""
    against = claim["against"]
    pairs = product(claim["models"], against) if against else combinations(claim["models"], 2)
    run = [(a, b) for a, b in pairs if a in results.dice and b in results.dice]
    rows = results.dunn.assign(significant=differs(results.dunn, flavour)).to_dict("records")
    by_pair = {(row["label"], row["model_a"], row["model_b"]): row for row in rows}
    found = []
    for label in claim["labels"]:
        for a, b in run:
            listed = (label, a, b) in by_pair
            row = by_pair[(label, a, b) if listed else (label, b, a)]
            higher = (row["mean_rank_a"] > row["mean_rank_b"]) == listed
            low, high = mean_difference_interval(
                results.dice[a][label].to_numpy(), results.dice[b][label].to_numpy()
            )
            margin = results.margins[label]
            if claim["kind"] == "equal":
                verdict = _verdict(holds=-margin < low and high < margin, fails=row["significant"])
            elif row["significant"]:
                verdict = HOLDS if higher else FAILS
            else:
                verdict = FAILS if high < margin else UNCLEAR
            found.append(verdict)
    text = (
        f"of {len(found)} pairs {found.count(HOLDS)} as claimed, {found.count(FAILS)} otherwise,"
        f" {found.count(UNCLEAR)} undecided"
    )
    return Evidence(overall(found), text)


def _balanced(claim: Claim, results: Results) -> Evidence:
    table = results.cohort_tests
    p = table["p"].dropna()
    sizes = table.dropna(subset=["smd"])
    if sizes.empty:
        return Evidence(UNCLEAR, "nothing can be compared")
    # Hedges LV, Olkin I. Statistical Methods for Meta-Analysis. Academic Press, 1985, chapter 5.
    total = sizes["train_n"] + sizes["test_n"]
    variance = total / (sizes["train_n"] * sizes["test_n"]) + sizes["smd"] ** 2 / (2 * total)
    ends = sizes["smd"].abs() + scipy.stats.norm.ppf((1 + EQUIVALENCE_LEVEL) / 2) * np.sqrt(variance)
    verdict = _verdict(holds=bool((ends < SMALL_SMD).all()), fails=bool((p < ALPHA / len(p)).any()))
    largest = sizes["smd"].abs().max()
    return Evidence(verdict, f"smallest of {len(p)} P: {p.min():.3f}; largest difference: {largest:.2f} SD")


def _by_resampling(wanted: Sequence[np.ndarray], what: str) -> Evidence:
    """Each statement, true or false per resample, must hold in 95 % of them."""
    shares = [float(np.mean(true)) for true in wanted]
    least = min(shares)
    verdict = _verdict(holds=least >= 1 - ALPHA, fails=least <= ALPHA / len(shares))
    return Evidence(verdict, f"{what} in {100 * least:.1f}% of resampled test sets")


def _against_others(
    claim: Claim, results: Results, statistic: Callable[[pd.DataFrame], np.ndarray], what: str
) -> Evidence:
    """Whether the statistic (per resample) of the one model exceeds each other's."""
    (model,) = claim["models"]
    others = [other for other in claim["against"] if other in results.dice]
    if not others:
        return Evidence(UNCLEAR, "none of the other models was run")
    own = statistic(results.dice[model])
    wanted = [own - statistic(results.dice[other]) > 1e-12 for other in others]
    return _by_resampling(wanted, f"{what} than the closest of {len(others)} models")


def _highest_mean(claim: Claim, results: Results) -> Evidence:
    def mean(dice: pd.DataFrame) -> np.ndarray:
        return means_of_resamples(dice.to_numpy()).mean(axis=1)

    return _against_others(claim, results, mean, "higher")


def _highest_median(claim: Claim, results: Results) -> Evidence:
    def mean_of_medians(dice: pd.DataFrame) -> np.ndarray:
        medians: np.ndarray = np.median(dice.to_numpy()[resamples(len(dice))], axis=1)
        return medians.mean(axis=1)

    return _against_others(claim, results, mean_of_medians, "higher")


def _smallest_iqr(claim: Claim, results: Results) -> Evidence:
    (label,) = claim["labels"]

    def narrowness(dice: pd.DataFrame) -> np.ndarray:
        values = dice[label].to_numpy()[resamples(len(dice))]
        q1, q3 = np.quantile(values, [0.25, 0.75], axis=1)
        difference: np.ndarray = q1 - q3
        return difference

    return _against_others(claim, results, narrowness, "smaller")


def _none_best(claim: Claim, results: Results) -> Evidence:
    run = [model for model in claim["models"] if model in results.dice]
    means = np.stack([means_of_resamples(results.dice[model].to_numpy()) for model in run])
    best = means >= means.max(axis=0) - 1e-12
    return _by_resampling([~best.all(axis=2).any(axis=0)], "no model is best on all lesions")


def _bimodal(claim: Claim, results: Results) -> Evidence:
    (label,) = claim["labels"]
    run = [model for model in claim["models"] if model in results.dice]
    p_values, texts = [], []
    for model in run:
        dice = results.dice[model][label]
        low, high = int((dice < 1 / 3).sum()), int((dice > 2 / 3).sum())
        middle = len(dice) - low - high
        texts.append(f"{model} {low}/{middle}/{high}")
        p_values += [
            (_binomial(outer, middle, "greater"), _binomial(outer, middle, "less")) for outer in (low, high)
        ]
    shown = all(more < ALPHA for more, _ in p_values)
    refuted = any(fewer < ALPHA / len(p_values) for _, fewer in p_values)
    verdict = _verdict(holds=shown, fails=refuted)
    return Evidence(verdict, f"scans in the lower/middle/upper third of Dice: {', '.join(texts)}")


def _binomial(outer: int, middle: int, alternative: str) -> float:
    if outer + middle == 0:
        return 1.0
    return float(scipy.stats.binomtest(outer, outer + middle, 0.5, alternative).pvalue)


def _harder(claim: Claim, results: Results, among: pd.Series | None = None) -> Evidence:
    (model,) = claim["models"]
    harder, easier = claim["labels"]
    dice = results.dice[model] if among is None else results.dice[model][among]
    if len(dice) < 2:
        return Evidence(UNCLEAR, f"{len(dice)} scans")
    low, high = mean_difference_interval(dice[harder].to_numpy(), dice[easier].to_numpy())
    verdict = _verdict(holds=high < 0, fails=low > 0)
    difference = (dice[harder] - dice[easier]).mean()
    return Evidence(
        verdict,
        f"mean difference {harder} − {easier} {_number(difference)}, 90% interval {_number(low)} to"
        f" {_number(high)}, {len(dice)} scans",
    )


def _harder_present(claim: Claim, results: Results) -> Evidence:
    return _harder(claim, results, results.present[claim["labels"]].all(axis=1))


def _concordance(claim: Claim, results: Results) -> Evidence:
    (model,) = claim["models"]
    rows = results.agreement[results.agreement["model"] == model].set_index("label")
    parts, texts = [], []
    for label in claim["labels"]:
        ccc, lower, upper = (float(rows.loc[label, name]) for name in ("ccc", "ccc_lower", "ccc_upper"))
        interval = "no interval" if math.isnan(lower) else f"{_number(lower, 2)} to {_number(upper, 2)}"
        texts.append(f"{label} {_number(ccc, 2)} ({interval})")
        high, low = lower >= HIGH_CCC, upper < HIGH_CCC
        wanted, unwanted = (low, high) if label == "PHE" else (high, low)
        parts.append(_verdict(holds=wanted, fails=unwanted))
    return Evidence(overall(parts), f"CCC {', '.join(texts)}")


def _number(value: float, decimals: int = 3) -> str:
    return f"{value:.{decimals}f}".replace("-", "−")


KINDS: dict[str, Callable[[Claim, Results], Evidence]] = {
    "balanced": _balanced,
    "smallest_iqr": _smallest_iqr,
    "highest_mean": _highest_mean,
    "highest_median": _highest_median,
    "none_best": _none_best,
    "bimodal": _bimodal,
    "harder": _harder,
    "harder_present": _harder_present,
    "concordance": _concordance,
}
