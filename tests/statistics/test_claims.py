"""The paper's claims on planted results: each verdict is the one that was planted."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from headct.settings import published
from headct.settings.analysis_plan import PARTICIPANT, SITE
from headct.statistics.comparison.paired import estimated
from headct.statistics.core.agreement import ALL_SCANS
from headct.statistics.core.clusters import Clusters
from headct.statistics.core.group_tests import dunn_table
from headct.statistics.replication.claim_evidence import FAILS, HOLDS, UNCLEAR, UNTESTED, Results, overall
from headct.statistics.replication.claim_kinds import KINDS
from headct.statistics.replication.claims import AT_HAND, claims_table, results_of
from headct.statistics.replication.cohort_tests import cohort_tests
from support.label_sets import LABELS
from support.planned_cases import PLAN
from support.simulated_scores import cohort, each_scan_alone

TEN = list(published.model_names())
CLAIMS = published.claims()
FOCAL, DICECE, TOPK = "nnunet-3d-focal", "nnunet-3d-dicece", "nnunet-3d-dicetopk"

PLANTED: dict[str, dict[str, float]] = {
    **{model: {"ICH": 0.9, "PHE": 0.6, "IVH": 0.8} for model in TEN},
    "blast-ct": {"ICH": 0.8, "PHE": 0.4, "IVH": 0.4},
    "deeplabv3plus": {"ICH": 0.8, "PHE": 0.4, "IVH": 0.4},
    "unet": {"ICH": 0.9, "PHE": 0.6, "IVH": 0.6},
    "nnunet-2d": {"ICH": 0.9, "PHE": 0.6, "IVH": 0.5},
    "nnunet-3d-tversky": {"ICH": 0.9, "PHE": 0.6, "IVH": 0.5},
}

ALIKE = {model: {"ICH": 0.9, "PHE": 0.6, "IVH": 0.8} for model in TEN}

VOLUME_FACTORS = {"ICH": 1.0, "PHE": 1.8, "IVH": 1.0}
"""Of predicted volumes: PHE is off."""


def scores(
    planted: Mapping[str, Mapping[str, float]],
    n: int = 60,
    noise: float = 0.01,
    random_state: int = 1,
    seeds: Sequence[int] = (0,),
) -> pd.DataFrame:
    """Dice around the planted means; every fourth scan has no IVH. Volumes: from 2 to 40 mL."""
    rng = np.random.default_rng(random_state)
    size = np.geomspace(2, 40, n)[np.random.default_rng(7).permutation(n)]
    tables = []
    for model, means in planted.items():
        for seed in seeds:
            for label in LABELS:
                reference = np.where((np.arange(n) % 4 == 0) & (label == "IVH"), 0.0, size)
                factors = VOLUME_FACTORS[label] + rng.uniform(-0.03, 0.03, n)
                table = {
                    "scan_id": [f"{i:03d}" for i in range(n)],
                    "dice": np.clip(rng.normal(means[label], noise, n), 0, 1),
                    "reference_header_ml": reference,
                    "predicted_header_ml": reference * factors,
                    "intersection_ml": reference * np.minimum(factors, 1),
                }
                key = {"role": "family", "model": model, "seed": seed, "label": label, "failure": ""}
                tables.append(pd.DataFrame(table).assign(**key))
    return pd.concat(tables, ignore_index=True)


BALANCED = cohort_tests(cohort(1500, 1500), LABELS)


def results(scans: pd.DataFrame, clusters: Clusters | None = None, **changes: Any) -> Results:
    """What claims are held against; each scan is a cluster of its own, unless others are given."""
    other = {f"{name}_ml": scans[f"{name}_header_ml"] for name in ("reference", "predicted")}
    table = scans.assign(**other, volume_error_ml=scans["predicted_header_ml"] - scans["reference_header_ml"])
    by_scan = table.groupby(["role", "model", "scan_id", "label"], sort=False)["dice"].mean().reset_index()
    given = {"cohort_tests": BALANCED, "plan": PLAN, **changes}
    if "dunn" not in given:
        given["dunn"] = dunn_table(by_scan, LABELS)
    return results_of(table, clusters or each_scan_alone(scans), labels=LABELS, **given)


def verdicts(scans: pd.DataFrame, clusters: Clusters | None = None, **changes: Any) -> pd.DataFrame:
    return claims_table(CLAIMS, results(scans, clusters, **changes)).set_index("claim")


def judged(claim: str, scans: pd.DataFrame, clusters: Clusters | None = None, **changes: Any) -> pd.Series:
    """The row of one claim."""
    return claims_table(CLAIMS[CLAIMS["claim"] == claim], results(scans, clusters, **changes)).iloc[0]


def set_dice(scans: pd.DataFrame, model: str, label: str, values: Any) -> None:
    """Plant the Dice of one model on one lesion, in the order of the scans."""
    scans.loc[(scans["model"] == model) & (scans["label"] == label), "dice"] = values


@pytest.fixture(scope="module")
def found() -> pd.DataFrame:
    return verdicts(scores(PLANTED))


def test_every_claim_is_of_a_known_kind_and_every_kind_is_needed() -> None:
    assert set(CLAIMS["kind"]) == set(KINDS)
    assert CLAIMS["claim"].is_unique
    named = {model for column in ("models", "against") for models in CLAIMS[column] for model in models}
    assert named <= set(TEN)


def test_the_papers_words_are_judged_by_its_tests_and_equality_is_our_addition() -> None:
    ours = CLAIMS[CLAIMS["source"] == "our addition"]
    assert set(ours["kind"]) == {"equal", "balanced", "harder_present"}
    quoted = CLAIMS[CLAIMS["kind"].isin(["no_evidence", "no_evidence_of_imbalance"])]
    assert quoted["statement"].str.lower().str.contains("no evidence of (?:statistical )?differences").all()


@pytest.mark.parametrize(
    ("claim", "verdict"),
    [
        ("nnunet-beats-others", HOLDS),
        ("nnunet-beats-others-ich-ivh", HOLDS),
        ("ivh-leaders", HOLDS),
        ("focal-beats-five-ivh", HOLDS),
        ("unet-family-no-evidence", HOLDS),
        ("unet-family-equal", HOLDS),
        ("focal-losses-no-evidence-ivh", HOLDS),
        ("focal-losses-equal-ivh", HOLDS),
        ("concordance-high-but-phe", HOLDS),
        ("bias-low-but-phe", HOLDS),
        ("phe-harder-than-ivh", HOLDS),
        ("phe-harder-where-present", HOLDS),
        ("weak-ivh-bimodal", FAILS),
        ("focal-best-mean-of-means", UNCLEAR),
        ("focal-smallest-ivh-iqr", UNCLEAR),
        ("focal-detects-small-ivh", UNCLEAR),
        ("none-best-everywhere", UNCLEAR),
        ("sets-do-not-differ", HOLDS),
        ("sets-alike", HOLDS),
    ],
)
def test_planted_results_get_the_planted_verdicts(found: pd.DataFrame, claim: str, verdict: str) -> None:
    assert found.loc[claim, "verdict"] == verdict, found.loc[claim, "evidence"]


def test_evidence_counts_the_pairs(found: pd.DataFrame) -> None:
    assert found.loc["ivh-leaders", "evidence"] == "of 20 pairs 20 as claimed, 0 otherwise, 0 undecided"
    assert found.loc["unet-family-equal", "evidence"].startswith("of 56 pairs")


def test_contrary_results_refute() -> None:
    """Focal worse, all equal to 2D on IVH, one network best everywhere, volumes off."""
    worse = {model: {"ICH": 0.9, "PHE": 0.6, "IVH": 0.5} for model in TEN}
    worse[FOCAL] = {"ICH": 0.7, "PHE": 0.5, "IVH": 0.3}
    worse["unet"] = {"ICH": 0.95, "PHE": 0.7, "IVH": 0.9}
    scans = scores(worse)
    ich = scans["label"] == "ICH"
    scans.loc[ich, "predicted_header_ml"] = 30 + 0.1 * scans.loc[ich, "reference_header_ml"]
    table = verdicts(scans)
    refuted = [
        "unet-family-no-evidence",
        "unet-family-equal",
        "nnunet-beats-others",
        "ivh-leaders",
        "focal-losses-no-evidence-ivh",
        "focal-losses-equal-ivh",
        "focal-best-mean-of-means",
        "dicece-best-mean-of-medians",
        "none-best-everywhere",
        "concordance-high-but-phe",
        "bias-low-but-phe",
        "phe-harder-than-ivh",
    ]
    assert list(table.loc[refuted, "verdict"]) == [FAILS] * len(refuted)
    assert table.loc["none-best-everywhere", "evidence"].startswith("unet is better than each of 9 others")


def test_best_network_and_narrowest_range_are_shown() -> None:
    best = {**PLANTED, FOCAL: {"ICH": 0.93, "PHE": 0.58, "IVH": 0.99}}
    scans = scores(best)
    set_dice(scans, FOCAL, "IVH", 0.99 + 0.0001 * np.random.default_rng(0).normal(size=60))
    table = verdicts(scans)
    shown = ["focal-best-mean-of-means", "focal-smallest-ivh-iqr", "none-best-everywhere"]
    assert list(table.loc[shown, "verdict"]) == [HOLDS] * 3
    assert table.loc["none-best-everywhere", "evidence"] == "10 of 10 models are surpassed on some lesion"


def test_two_humps_are_seen() -> None:
    scans = scores(PLANTED)
    weak = scans["model"].isin(["blast-ct", "deeplabv3plus", "nnunet-2d", "nnunet-3d-tversky"])
    hump = np.where(scans["scan_id"].astype(int) % 2, 0.02, 0.98)
    scans["dice"] = np.where(weak & (scans["label"] == "IVH"), hump, scans["dice"])
    row = judged("weak-ivh-bimodal", scans)
    assert row["verdict"] == HOLDS
    assert "blast-ct 30/0/30" in row["evidence"]
    first = scans.assign(dice=scans["dice"].mask(weak & scans["scan_id"].eq("002"), 0.02), seed=1)
    of_seeds = judged("weak-ivh-bimodal", pd.concat([scans, first, scans.assign(seed=2)]))
    assert re.search(r"blast-ct 30\.3/0/29\.7", of_seeds["evidence"]), "a mean over seeds has one decimal"


# --- too few scans, and results without spread


def test_one_scan_tests_no_claim_about_models() -> None:
    table = verdicts(scores(PLANTED, n=1))
    assert set(table.loc[~table.index.str.startswith("sets"), "verdict"]) == {UNTESTED}
    lacking = [f"test scans with {label}: {n}, needs 10" for label, n in (("ICH", 1), ("PHE", 1), ("IVH", 0))]
    assert table.loc["none-best-everywhere", "evidence"] == "; ".join(lacking)
    assert table.loc["concordance-high-but-phe", "evidence"] == "; ".join(lacking)


def test_three_identical_models_are_not_called_equal() -> None:
    row = judged("focal-losses-equal-ivh", scores(ALIKE, n=3, noise=0))
    assert (row["verdict"], row["evidence"]) == (UNTESTED, "test scans with IVH: 2, needs 10")


def scores_without_ivh() -> pd.DataFrame:
    """The planted results on scans of which none has IVH; some models see some."""
    scans = scores(PLANTED)
    ivh = scans["label"] == "IVH"
    volumes = ["reference_header_ml", "predicted_header_ml"]
    scans.loc[ivh, volumes] = 0.0
    scans.loc[ivh, "dice"] = (scans.loc[ivh, "dice"] > 0.65).astype(float)
    return scans


def test_claims_of_a_lesion_that_no_scan_has_are_not_testable() -> None:
    table = verdicts(scores_without_ivh())
    about_ivh = CLAIMS.loc[["IVH" in labels for labels in CLAIMS["labels"]], "claim"]
    assert {"ivh-leaders", "focal-beats-five-ivh", "concordance-high-but-phe"} <= set(about_ivh)
    assert set(table.loc[about_ivh, "verdict"]) == {UNTESTED}
    assert set(table.loc[["unet-family-no-evidence", "unet-family-equal"], "verdict"]) == {HOLDS}


@pytest.mark.parametrize(("n", "verdict"), [(9, UNTESTED), (10, HOLDS)])
def test_ten_scans_with_the_lesion_are_enough(n: int, verdict: str) -> None:
    scans = scores(PLANTED)
    first = scans["scan_id"].isin([f"{i:03d}" for i in range(n)])
    reference = scans["reference_header_ml"].where(first | (scans["label"] != "IVH"), 0.0)
    reference = reference.mask(first & (scans["label"] == "IVH"), 5.0)
    row = judged("focal-beats-five-ivh", scans.assign(reference_header_ml=reference))
    assert row["verdict"] == verdict, row["evidence"]


def test_phe_is_not_harder_than_what_no_scan_has() -> None:
    scans = scores_without_ivh()
    for claim, needed in (
        ("phe-harder-than-ivh", "test scans with IVH"),
        ("phe-harder-where-present", "test scans with PHE and IVH"),
        ("focal-detects-small-ivh", "test scans with IVH below its median volume"),
        ("bias-low-but-phe", "test scans with IVH"),
    ):
        row = judged(claim, scans)
        assert (row["verdict"], row["evidence"]) == (UNTESTED, f"{needed}: 0, needs 10")


def test_five_perfect_predictions_have_no_interval_of_zero_width() -> None:
    low, high = results(scores(ALIKE, n=5, noise=0)).differences([(FOCAL, DICECE)], "ICH").ends(0.05)
    # None of five differs: up to 1 − .05^(1/5) of scans may, by 1 at most.
    assert (low[0], high[0]) == pytest.approx((-0.450720, 0.450720), abs=1e-6)
    assert judged("unet-family-equal", scores(ALIKE, n=5, noise=0))["verdict"] == UNTESTED


def test_identical_models_tie() -> None:
    """None is best, highest, narrowest, or worse; that they are equal is shown by enough scans only."""
    tied = ["focal-best-mean-of-means", "dicece-best-mean-of-medians", "focal-smallest-ivh-iqr"]
    few, many = (verdicts(scores(ALIKE, n=n, noise=0)) for n in (60, 174))
    for table in (few, many):
        assert set(table.loc[[*tied, "none-best-everywhere"], "verdict"]) == {UNCLEAR}
        assert table.loc["unet-family-no-evidence", "verdict"] == UNCLEAR, "all are equal: there is no P"
    assert few.loc["unet-family-equal", "verdict"] == UNCLEAR, "1 − .05^(1/60) = .049 > .02"
    assert many.loc["unet-family-equal", "verdict"] == HOLDS, "1 − .05^(1/174) = .017 < .02"


def test_few_clusters_are_too_few_whatever_they_hold() -> None:
    scans = scores(PLANTED)
    ids = scans["scan_id"].unique()
    four = Clusters(SITE, pd.Series([f"site {i % 4}" for i in range(60)], ids))
    assert judged("phe-harder-than-ivh", scans, four)["verdict"] == UNTESTED
    assert judged("none-best-everywhere", scans, four)["evidence"].startswith(
        "sites of the test scans with ICH: 4, needs 5; sites of the test scans with PHE: 4"
    )
    assert judged("unet-family-no-evidence", scans, four)["verdict"] == HOLDS, "Dunn's test knows no clusters"


def test_scans_of_one_participant_count_once() -> None:
    """Six participants with ten copies of one scan each: what 60 scans show, 6 don't."""
    rng = np.random.default_rng(4)
    scans = scores(ALIKE)
    for label, mean in (("PHE", 0.55), ("IVH", 0.6)):
        set_dice(scans, FOCAL, label, np.repeat(rng.normal(mean, 0.06, 6), 10))
    ids = scans["scan_id"].unique()
    six = Clusters(PARTICIPANT, pd.Series(np.repeat([f"p{i}" for i in range(6)], 10), ids))
    assert judged("phe-harder-than-ivh", scans)["verdict"] == HOLDS
    assert judged("phe-harder-than-ivh", scans, six)["verdict"] == UNCLEAR


def test_no_claim_holds_where_a_leader_is_narrow() -> None:
    """One model is better by .02 than nine equal ones, on each lesion: rarely shown, and never denied."""
    leading = {**ALIKE, "unet": {"ICH": 0.92, "PHE": 0.62, "IVH": 0.82}}
    studies = [scores(leading, n=40, noise=0.2, random_state=i) for i in range(20)]
    rows = [judged("none-best-everywhere", study, dunn=pd.DataFrame()) for study in studies]
    assert HOLDS not in {row["verdict"] for row in rows}


# --- single kinds


def test_a_share_of_small_lesions_that_only_focal_finds() -> None:
    scans = scores(ALIKE, n=80)
    volume = scans.groupby("scan_id")["reference_header_ml"].max()
    small = (scans["label"] == "IVH") & (scans["reference_header_ml"] < volume.median())
    missed = small & scans["model"].isin([DICECE, TOPK]) & (scans["scan_id"].astype(int) % 2 == 1)
    claim = "focal-detects-small-ivh"
    row = judged(claim, scans.assign(predicted_header_ml=scans["predicted_header_ml"].mask(missed, 0.0)))
    assert row["verdict"] == HOLDS
    assert row["evidence"].startswith("100% of 30 scans with IVH below")
    assert f"; detected share less that of {DICECE}: 0." in row["evidence"]
    assert f", less that of {TOPK}: 0." in row["evidence"]
    turned = small & (scans["model"] == FOCAL) & (scans["scan_id"].astype(int) % 2 == 1)
    contrary = scans.assign(predicted_header_ml=scans["predicted_header_ml"].mask(turned, 0.0))
    assert judged(claim, contrary)["verdict"] == FAILS


def test_a_concordance_without_interval_decides_nothing_and_says_why() -> None:
    scans = scores(PLANTED)
    nothing = (scans["model"] == FOCAL) & (scans["label"] == "IVH")
    empty = scans["predicted_header_ml"].mask(nothing, 0.0)
    row = judged("concordance-high-but-phe", scans.assign(predicted_header_ml=empty))
    assert row["verdict"] == UNCLEAR
    assert "IVH 0.00 (no interval: all predicted volumes are equal)" in row["evidence"]
    ich, volumes = scans["label"] == "ICH", ["predicted_header_ml", "reference_header_ml"]
    row = judged(
        "concordance-high-but-phe", scans.assign(**dict.fromkeys(volumes, scans[volumes[0]].mask(ich, 7.0)))
    )
    assert "ICH not defined (no interval: all reference volumes are equal)" in row["evidence"]
    perfect = scans["predicted_header_ml"].mask(ich, scans["reference_header_ml"])
    row = judged("concordance-high-but-phe", scans.assign(predicted_header_ml=perfect))
    assert "ICH 1.00 (no interval: it is undefined at a CCC of 1)" in row["evidence"]


def test_two_scans_with_a_lesion_show_no_concordance() -> None:
    """In the other 58 both volumes are 0 mL, which makes the CCC."""
    scans = scores(PLANTED)
    absent = (scans["label"] == "IVH") & ~scans["scan_id"].isin(["001", "002"])
    volumes = ["predicted_header_ml", "reference_header_ml"]
    scans[volumes] = scans[volumes].mask(absent, 0.0)
    row = judged("concordance-high-but-phe", scans)
    assert (row["verdict"], row["evidence"]) == (UNTESTED, "test scans with IVH: 2, needs 10")


def test_a_concordance_of_three_trainings_has_the_interval_of_the_estimates() -> None:
    scans = scores(PLANTED, seeds=(0, 1, 2))
    scans["predicted_header_ml"] *= 1 + 0.1 * (scans["seed"] - 1)
    found = estimated(results(scans).data, "ccc", "ICH", ALL_SCANS)
    lower, upper = (end[TEN.index(FOCAL)] for end in found.interval(0.95))
    assert f"({lower:.2f} to {upper:.2f})" in judged("concordance-high-but-phe", scans)["evidence"]
    assert lower < 0.99, "or else two digits tell nothing"


def test_the_evidence_on_the_sets_states_what_p_is_held_against(found: pd.DataFrame) -> None:
    evidence = found.loc["sets-do-not-differ", "evidence"]
    n_tests, threshold = re.fullmatch(
        r"least of (\d+) P: .*; below (0\.\d+) it would be evidence", evidence
    ).groups()
    assert float(threshold) == pytest.approx(0.05 / int(n_tests), rel=0.05)


def test_perfect_volumes_have_no_interval_of_their_mean_error() -> None:
    scans = scores(PLANTED)
    ich = scans["label"] == "ICH"
    perfect = scans["predicted_header_ml"].mask(ich, scans["reference_header_ml"])
    row = judged("bias-low-but-phe", scans.assign(predicted_header_ml=perfect))
    assert row["verdict"] == UNCLEAR
    assert "ICH 0.00 (all scans are equal: no interval), 60 scans" in row["evidence"]


def test_a_bias_is_not_diluted_by_scans_without_the_lesion() -> None:
    """IVH 1.2 mL too small in the 15 of 60 scans that have it: .3 mL over all."""
    scans = scores(PLANTED)
    ivh, has = scans["label"] == "IVH", scans["scan_id"].astype(int) % 4 == 1
    scans.loc[ivh, ["reference_header_ml", "predicted_header_ml"]] = 0.0
    scans.loc[ivh & has, "reference_header_ml"] = 5.0
    scans.loc[ivh & has, "predicted_header_ml"] = 3.8 + np.random.default_rng(1).normal(0, 0.01, 150)
    row = judged("bias-low-but-phe", scans)
    assert row["verdict"] == FAILS
    assert "IVH −1.20 (90% interval −1.2" in row["evidence"]
    assert row["evidence"].endswith("15 scans")


def test_sets_that_differ_refute() -> None:
    sets = cohort(400, 100)
    sets.loc[sets["set"] == "test", "age"] += 20
    for claim in ("sets-do-not-differ", "sets-alike"):
        row = judged(claim, scores(PLANTED), cohort_tests=cohort_tests(sets, LABELS))
        assert row["verdict"] == FAILS
    assert re.match(r"shown to differ by more than 0\.2 SD: age_years 1\.\d\d SD; ", row["evidence"])


def test_a_refuted_balance_names_what_too_few_scans_have_to_show_it() -> None:
    table = pd.DataFrame(
        [
            {"characteristic": "participants", "statistic": "n", "train_n": 1558, "test_n": 174},
            of_printed_size("age_years", 1558, 174, 0.05),
            of_printed_size("IVH_volume_ml", 472, 48, -0.9),
        ]
    ).fillna({"test_name": ""})
    row = judged("sets-alike", scores(PLANTED), cohort_tests=table)
    assert row["verdict"] == FAILS
    assert row["evidence"].startswith("shown to differ by more than 0.2 SD: IVH_volume_ml 0.90 SD; ")


def of_printed_size(characteristic: str, train_n: int, test_n: int, smd: float) -> dict[str, object]:
    key = {"characteristic": characteristic, "statistic": "mean (SD) range", "test_name": "independent t"}
    return {**key, "train_n": train_n, "test_n": test_n, "smd": smd, "p": 0.5}


def test_ivh_volumes_cannot_be_shown_to_be_alike_at_the_papers_n() -> None:
    """Half width of the 90 % interval 1.644854 · √(1/472 + 1/48) = .2492; of age, 1558 and 174, .1315."""
    table = pd.DataFrame(
        [
            {"characteristic": "participants", "statistic": "n", "train_n": 1558, "test_n": 174},
            of_printed_size("age_years", 1558, 174, 0.05),
            of_printed_size("IVH_volume_ml", 472, 48, 0.002),
        ]
    ).fillna({"test_name": ""})
    row = judged("sets-alike", scores(PLANTED), cohort_tests=table)
    assert row["verdict"] == HOLDS
    assert row["evidence"] == (
        "largest of 1 differences: 0.05 SD (age_years); can't be shown at this n: IVH_volume_ml"
    )
    row = judged("sets-alike", scores(PLANTED), cohort_tests=table.assign(test_n=67))
    assert (row["verdict"], row["evidence"]) == (UNTESTED, "participants of the test set: 67, needs 68")


def test_models_not_run_are_named_and_nothing_is_shown_without_them() -> None:
    few = {model: PLANTED[model] for model in ("blast-ct", DICECE, "nnunet-2d")}
    table = verdicts(scores(few))
    assert table.loc["nnunet-beats-others", "verdict"] == UNCLEAR
    assert "of 6 pairs 6 as claimed" in table.loc["nnunet-beats-others", "evidence"]
    assert "deeplabv3plus" in table.loc["nnunet-beats-others", "note"]
    assert table.loc["focal-best-mean-of-means", "evidence"] == "none of the models was run"
    assert table.loc["none-best-everywhere", "verdict"] == UNCLEAR
    assert table.loc["sets-do-not-differ", "verdict"] == HOLDS, "it is about no model"


def test_flavour_that_changes_a_verdict_is_named() -> None:
    scans = scores(PLANTED)
    dunn = results(scans).dunn
    pair = dunn["model_a"].eq(TOPK) & dunn["model_b"].eq(FOCAL)
    dunn.loc[pair & (dunn["label"] == "IVH"), ["p_adjusted", "p_adjusted_dunn_test"]] = [0.07, 0.035]
    row = judged("focal-losses-no-evidence-ivh", scans, dunn=dunn)
    assert (row["verdict"], row["verdict_dunn_test"], row["verdict_dunn_test_at_05"]) == (HOLDS, HOLDS, FAILS)
    assert row["changes_under"] == "dunn.test read at .05"
    assert judged("focal-losses-equal-ivh", scans, dunn=dunn)["verdict_dunn_test"] == "", "not by Dunn's test"


def test_several_trainings_are_counted_or_it_is_told_that_they_are_not() -> None:
    one, three = (verdicts(scores(PLANTED, seeds=seeds)) for seeds in ((0,), (0, 1, 2)))
    assert not one["note"].str.contains(AT_HAND).any()
    kinds = CLAIMS.set_index("claim")["kind"]
    at_hand = three.index[three["note"].str.contains(AT_HAND)]
    assert set(kinds[at_hand]) == {"better", "no_evidence", "smallest_iqr", "highest_median"}
    assert list(three["verdict"]) == list(one["verdict"])


def test_trainings_that_differ_widen_what_is_about_any_training() -> None:
    scans = scores(PLANTED, seeds=(0, 1, 2))
    shift = scans["seed"].map({0: -0.15, 1: 0.0, 2: 0.15})
    focal = (scans["model"] == FOCAL) & (scans["label"] == "PHE")
    scans["dice"] = scans["dice"] + shift.where(focal, 0.0)
    assert judged("phe-harder-than-ivh", scans)["verdict"] == UNCLEAR


def test_other_models_and_the_order_of_models_change_no_verdict(found: pd.DataFrame) -> None:
    scans = scores(PLANTED)
    other = scans[scans["model"] == "unet"].assign(model="mine", role="extra", dice=1.0)
    nothing = scans[scans["model"] == "unet"].assign(model="predicts-nothing", role="reference")
    pd.testing.assert_frame_equal(verdicts(pd.concat([scans, other, nothing])), found)
    reversed_models = pd.concat([scans[scans["model"] == model] for model in reversed(TEN)])
    pd.testing.assert_frame_equal(verdicts(reversed_models), found)


def test_the_whole_is_as_good_as_its_weakest_part() -> None:
    assert overall([HOLDS, HOLDS]) == HOLDS
    assert overall([HOLDS, UNCLEAR]) == UNCLEAR
    assert overall([HOLDS, UNCLEAR, FAILS]) == FAILS
    assert overall([]) == UNCLEAR


@pytest.mark.parametrize(("margin", "verdict"), [(1e-6, UNCLEAR), (0.1, HOLDS)])
def test_margins_of_the_plan_decide_and_are_told(margin: float, verdict: str) -> None:
    plan = replace(PLAN, dice_margin={**PLAN.dice_margin, "IVH": margin})
    row = judged("focal-losses-equal-ivh", scores(PLANTED), plan=plan)
    assert row["verdict"] == verdict
    assert f"within ±margin (.02 ICH, .02 PHE, {margin:g}".replace("0.1", ".1") in row["restated"]


def test_each_kind_says_what_it_needs_and_why() -> None:
    for kind in KINDS.values():
        assert kind.restated(PLAN).endswith(
            f"not testable below {kind.minimum} {kind.counted.in_words}: {kind.why}"
        )
