"""The paper's claims, judged in simulated studies where what is said of them would be false.

All models are equally good, but for what a claim is about: it is moved to the edge of being true, where a
verdict is wrong most often.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from unittest import mock

import numpy as np
import pandas as pd
from promises import ALL, Found, Promise, Truth
from scipy import optimize
from simulated_studies import LABELS, MODELS, Setting, Study, population, study

from headct.settings import published
from headct.settings.analysis_plan import SHIPPED, load
from headct.statistics.comparison.score_arrays import ScoreArrays
from headct.statistics.core.group_tests import dunn
from headct.statistics.replication import claim_kinds
from headct.statistics.replication.claim_evidence import FAILS, HOLDS, Results, resampled_test_sets
from headct.statistics.replication.claim_kinds import HIGH_CCC
from headct.statistics.replication.claims import judge

PLAN = load(SHIPPED)

CLAIMS = published.claims().set_index("claim", drop=False)
FOCAL = MODELS.index("nnunet-3d-focal")
N_RESAMPLES = 400
BY_RESAMPLING = ("dicece-best-mean-of-medians", "focal-smallest-ivh-iqr")


def claim_promise(words: str, of_all_networks: bool = True) -> Promise:
    """A verdict on a claim is wrong in 5 % at most."""
    return Promise(f"claim {words}", "claims", 0.05, False, of_all_networks)


CLAIM_PROMISES = {
    "none_best_02": claim_promise("“none best everywhere”, of a true leader by .02: holds"),
    "none_best_005": claim_promise("“none best everywhere”, of a true leader by .005: holds"),
    "none_best_equal": claim_promise("“none best everywhere”, of equal models: does not hold"),
    "highest_mean_holds": claim_promise("“best mean”, of equal models: holds"),
    "highest_mean_fails": claim_promise("“best mean”, of a true leader by .005: does not hold"),
    "detects_small_holds": claim_promise("“detects small”, of equal models: holds"),
    "detects_small_fails": claim_promise("“detects small”, of equal models: does not hold"),
    "equal_holds": claim_promise("“equal”, one model lower by the margin: holds"),
    "equal_fails": claim_promise("“equal”, of equal models: does not hold"),
    "no_evidence_fails": claim_promise(
        "“no evidence of differences”, of equal models: does not hold", of_all_networks=False
    ),
    "better_fails": claim_promise("“better”, by the margin: does not hold", of_all_networks=False),
    "concordance_holds": claim_promise("“concordance high but for PHE”, one at .95: holds"),
    "concordance_fails": claim_promise("“concordance high but for PHE”, all at .95: does not hold"),
    "low_bias_holds": claim_promise("“difference low but for PHE”, one at the margin: holds"),
    "low_bias_fails": claim_promise("“difference low but for PHE”, all at the margin: does not hold"),
    "harder_holds": claim_promise("“PHE harder than IVH”, neither is: holds"),
    "harder_fails": claim_promise("“PHE harder than IVH”, neither is: does not hold"),
    "bimodal_holds": claim_promise("“bimodal”, of even Dice: holds"),
    "bimodal_fails": claim_promise("“bimodal”, of even Dice: does not hold"),
    "highest_median_holds": claim_promise("“best median”, of equal models: holds", of_all_networks=False),
    "highest_median_fails": claim_promise(
        "“best median”, of equal models: does not hold", of_all_networks=False
    ),
    "smallest_iqr_holds": claim_promise("“smallest range”, of equal models: holds", of_all_networks=False),
    "smallest_iqr_fails": claim_promise(
        "“smallest range”, of equal models: does not hold", of_all_networks=False
    ),
}


def edges(setting: Setting, n_scans: int) -> Truth:
    """What brings a claim to the edge of being true."""
    many = population(setting, n_scans, seed=3, equal=True)
    dice = {label: many.arrays[label, "dice"][0, :, FOCAL] for label in LABELS}
    reference = {label: many.arrays[label, "reference_ml"][0, :, FOCAL] for label in LABELS}
    both = (reference["PHE"] > 0) & (reference["IVH"] > 0)
    found: Truth = {
        ("harder", "PHE"): np.mean(dice["PHE"] - dice["IVH"]),
        ("harder where both are", "PHE"): np.mean(dice["PHE"][both] - dice["IVH"][both]),
        ("quantiles of Dice", "PHE"): np.quantile(dice["PHE"], np.linspace(0, 1, 2001)),
    }
    for label in LABELS:
        x, error = reference[label], many.arrays[label, "volume_error_ml"][0, :, FOCAL]
        found["bias", label] = error[x > 0].mean()
        found["error factor", label] = np.array(optimize.brentq(_above_high(x, error), 0.05, 50))
    return found


def _above_high(x: np.ndarray, error: np.ndarray) -> Callable[[float], float]:
    """By how much the concordance exceeds what counts as high, if errors were so many times as large."""

    def above(factor: float) -> float:
        y = x + factor * error
        covariance = np.mean((x - x.mean()) * (y - y.mean()))
        return float(2 * covariance / (x.var() + y.var() + (x.mean() - y.mean()) ** 2) - HIGH_CCC)

    return above


def results_of(data: ScoreArrays, dunn_table: pd.DataFrame | None = None) -> Results:
    """What claims are held against."""
    nothing = pd.DataFrame()
    return Results(data, nothing if dunn_table is None else dunn_table, nothing, PLAN)


def changed(data: ScoreArrays, arrays: Mapping[tuple[str, str], np.ndarray]) -> ScoreArrays:
    """The same with some measures replaced."""
    return replace(data, arrays={**data.arrays, **arrays})


def of_claims(rng: np.random.Generator, setting: Setting, at: Truth) -> Found:
    """Whether each verdict is wrong that is made without resampling."""

    def drawn(better_by: float = 0.0) -> ScoreArrays:
        better = {(label, FOCAL): better_by for label in LABELS}
        one: Study = study(rng, setting, equal=True, better_by=better)
        return one.scores(setting.cluster)

    found: Found = {}

    def look(key: str, verdicts: Mapping[str, str], wrong: str) -> None:
        for of, verdict in verdicts.items():
            found[key, of] = np.array([float(verdict == wrong)])

    def of(claim: str, data: ScoreArrays) -> str:
        return judge(CLAIMS.loc[claim], results_of(data)).verdict

    equal, leader, narrow_leader = drawn(), drawn(0.02), drawn(0.005)
    look("none_best_02", {ALL: of("none-best-everywhere", leader)}, HOLDS)
    look("none_best_005", {ALL: of("none-best-everywhere", narrow_leader)}, HOLDS)
    look("none_best_equal", {ALL: of("none-best-everywhere", equal)}, FAILS)
    look("highest_mean_holds", {ALL: of("focal-best-mean-of-means", equal)}, HOLDS)
    look("highest_mean_fails", {ALL: of("focal-best-mean-of-means", narrow_leader)}, FAILS)
    small = {"IVH": of("focal-detects-small-ivh", equal)}
    look("detects_small_holds", small, HOLDS)
    look("detects_small_fails", small, FAILS)
    equal_ones = {"IVH": "focal-losses-equal-ivh", "ICH and PHE": "unet-family-equal"}
    look("equal_fails", {name: of(claim, equal) for name, claim in equal_ones.items()}, FAILS)
    lower = changed(equal, {(label, "dice"): _lowered(equal, label, [FOCAL]) for label in LABELS})
    look("equal_holds", {name: of(claim, lower) for name, claim in equal_ones.items()}, HOLDS)
    found |= _better(equal) | _agreement(equal, at)
    dice = {label: equal.arrays[label, "dice"] for label in LABELS}
    for claim, name, words in (
        ("phe-harder-than-ivh", "harder", "all scans"),
        ("phe-harder-where-present", "harder where both are", "where both are"),
    ):
        verdict = of(claim, changed(equal, {("PHE", "dice"): dice["PHE"] - at[name, "PHE"]}))
        look("harder_holds", {words: verdict}, HOLDS)
        look("harder_fails", {words: verdict}, FAILS)
    quantiles = at["quantiles of Dice", "PHE"]
    even = np.interp(dice["PHE"], quantiles, np.linspace(0, 1, len(quantiles)))
    verdict = of("weak-ivh-bimodal", changed(equal, {("IVH", "dice"): even}))
    look("bimodal_holds", {"IVH": verdict}, HOLDS)
    look("bimodal_fails", {"IVH": verdict}, FAILS)
    return found


def _lowered(data: ScoreArrays, label: str, models: list[int]) -> np.ndarray:
    """Dice of which some models' is lower by the margin."""
    dice = data.arrays[label, "dice"].copy()
    dice[:, :, models] -= PLAN.dice_margin[label]
    return dice


def _better(equal: ScoreArrays) -> Found:
    claim = CLAIMS.loc["focal-beats-five-ivh"]
    others = [MODELS.index(model) for model in claim["against"]]
    lower = changed(equal, {("IVH", "dice"): _lowered(equal, "IVH", others)})
    verdict = judge(claim, results_of(lower, dunn_of(lower, "IVH"))).verdict
    return {("better_fails", "IVH"): np.array([float(verdict == FAILS)])}


def dunn_of(data: ScoreArrays, label: str) -> pd.DataFrame:
    """Dunn's test of all models on a lesion, as ``dunn.tsv`` has it."""
    dice = data.arrays[label, "dice"].mean(axis=0)
    table = dunn(dict(zip(MODELS, dice.T, strict=True)))
    return table.rename(columns={"group_a": "model_a", "group_b": "model_b"}).assign(label=label)


def of_no_evidence(equal: ScoreArrays, dunn_table: pd.DataFrame) -> Found:
    """Whether equally good models are said to differ, by Dunn's test of all lesions."""
    results = results_of(equal, dunn_table)
    claims = {"ICH and PHE": "unet-family-no-evidence", "IVH": "focal-losses-no-evidence-ivh"}
    verdicts = {of: judge(CLAIMS.loc[claim], results).verdict for of, claim in claims.items()}
    return {
        ("no_evidence_fails", of): np.array([float(verdict == FAILS)]) for of, verdict in verdicts.items()
    }


def _agreement(equal: ScoreArrays, at: Truth) -> Found:
    """Of volumes; what is claimed of a lesion is plainly true where another one is at the edge."""
    scaled, moved = {}, {}
    for label in LABELS:
        reference, error = (equal.arrays[label, name] for name in ("reference_ml", "volume_error_ml"))
        edge = at["error factor", label]
        plain = edge * (1.6 if label == "PHE" else 0.4)
        scaled[label] = {is_edge: error * factor for is_edge, factor in ((True, edge), (False, plain))}
        shift = PLAN.volume_margin_ml[label] - at["bias", label]
        plain = 40.0 if label == "PHE" else -at["bias", label]
        present = reference > 0
        moved[label] = {
            is_edge: np.where(present, error + by, error) for is_edge, by in ((True, shift), (False, plain))
        }
    found: Found = {}
    for claim, key, errors in (
        ("concordance-high-but-phe", "concordance", scaled),
        ("bias-low-but-phe", "low_bias", moved),
    ):
        for edge in (*LABELS, ALL):
            arrays = {}
            for label in LABELS:
                error = errors[label][edge in (label, ALL)]
                arrays[label, "volume_error_ml"] = error
                arrays[label, "predicted_ml"] = equal.arrays[label, "reference_ml"] + error
            verdict = judge(CLAIMS.loc[claim], results_of(changed(equal, arrays))).verdict
            wrong, name = (FAILS, f"{key}_fails") if edge == ALL else (HOLDS, f"{key}_holds")
            found[name, edge] = np.array([float(verdict == wrong)])
    return found


def of_claims_by_resampling(rng: np.random.Generator, setting: Setting, at: Truth) -> Found:
    """Whether each verdict is wrong that is made by resampling, here by fewer resamples, to save time."""
    data = study(rng, setting, equal=True).scores(setting.cluster)
    found: Found = {}
    for claim, key in zip(BY_RESAMPLING, ("highest_median", "smallest_iqr"), strict=True):
        with mock.patch.object(claim_kinds, "resampled_test_sets", _some_resamples):
            verdict = judge(CLAIMS.loc[claim], results_of(data)).verdict
        for wrong, name in ((HOLDS, f"{key}_holds"), (FAILS, f"{key}_fails")):
            found[name, ALL] = np.array([float(verdict == wrong)])
    return found


def _some_resamples(clusters: np.ndarray) -> Iterator[np.ndarray]:
    return islice(resampled_test_sets(clusters), N_RESAMPLES)
