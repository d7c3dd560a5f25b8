"""The paper's claims on planted results: each verdict is the one that was planted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest

from headct.settings import published
from headct.statistics.core.agreement import PUBLISHED_VOLUMES
from headct.statistics.core.group_tests import dunn_table
from headct.statistics.replication.claims import (
    FAILS,
    HOLDS,
    KINDS,
    PAIRWISE,
    RESTATED,
    UNCLEAR,
    claims_table,
    mean_difference_interval,
    overall,
)
from headct.statistics.replication.cohort_tests import cohort_tests
from support.label_sets import LABELS
from support.simulated_scores import DICE_MARGIN, cohort

TEN = list(published.model_names())
CLAIMS = published.claims()

PLANTED: dict[str, dict[str, float]] = {
    **{model: {"ICH": 0.9, "PHE": 0.6, "IVH": 0.8} for model in TEN},
    "blast-ct": {"ICH": 0.8, "PHE": 0.4, "IVH": 0.4},
    "deeplabv3plus": {"ICH": 0.8, "PHE": 0.4, "IVH": 0.4},
    "unet": {"ICH": 0.9, "PHE": 0.6, "IVH": 0.6},
    "nnunet-2d": {"ICH": 0.9, "PHE": 0.6, "IVH": 0.5},
    "nnunet-3d-tversky": {"ICH": 0.9, "PHE": 0.6, "IVH": 0.5},
}


def scores(
    planted: Mapping[str, Mapping[str, float]], n: int = 60, noise: float = 0.01, random_state: int = 1
) -> pd.DataFrame:
    """Dice per scan around the planted means; every fourth scan has no IVH."""
    rng = np.random.default_rng(random_state)
    rows = [
        {
            "role": "family",
            "model": model,
            "scan_id": f"{i:03d}",
            "label": label,
            "dice": value,
            "reference_ml": 0.0 if label == "IVH" and i % 4 == 0 else 10.0,
        }
        for model, means in planted.items()
        for label in LABELS
        for i, value in enumerate(np.clip(rng.normal(means[label], noise, n), 0, 1))
    ]
    return pd.DataFrame(rows)


def agreement(**ccc: tuple[float, float, float]) -> pd.DataFrame:
    columns = ["label", "ccc", "ccc_lower", "ccc_upper"]
    rows = pd.DataFrame([(label, *values) for label, values in ccc.items()], columns=columns)
    return rows.assign(model="nnunet-3d-focal", scans="all", volumes=PUBLISHED_VOLUMES)


AS_PRINTED = agreement(ICH=(0.98, 0.97, 0.985), PHE=(0.88, 0.85, 0.91), IVH=(0.99, 0.985, 0.992))


BALANCED = cohort_tests(cohort(1500, 1500), LABELS)


def verdicts(scans: pd.DataFrame, **changes: Any) -> pd.DataFrame:
    tables = {
        "agreement": AS_PRINTED,
        "cohort_tests": BALANCED,
        "dunn": dunn_table(scans, LABELS),
        "margins": DICE_MARGIN,
    }
    return claims_table(CLAIMS, scans, labels=LABELS, **{**tables, **changes}).set_index("claim")


@pytest.fixture(scope="module")
def found() -> pd.DataFrame:
    return verdicts(scores(PLANTED))


def test_every_claim_is_restated_and_of_a_known_kind() -> None:
    assert set(CLAIMS["kind"]) == set(RESTATED) == {*KINDS, *PAIRWISE}
    assert CLAIMS["claim"].is_unique
    named = {model for column in ("models", "against") for models in CLAIMS[column] for model in models}
    assert named <= set(TEN)


@pytest.mark.parametrize(
    ("claim", "verdict"),
    [
        ("nnunet-beats-others", HOLDS),
        ("nnunet-beats-others-ich-ivh", HOLDS),
        ("ivh-leaders", HOLDS),
        ("focal-beats-five-ivh", HOLDS),
        ("unet-family-equal", HOLDS),
        ("focal-losses-equal-ivh", HOLDS),
        ("concordance-high-but-phe", HOLDS),
        ("phe-harder-than-ivh", HOLDS),
        ("phe-harder-where-present", HOLDS),
        ("weak-ivh-bimodal", FAILS),
        ("focal-best-mean-of-means", UNCLEAR),
        ("focal-smallest-ivh-iqr", UNCLEAR),
        ("sets-do-not-differ", HOLDS),
    ],
)
def test_planted_results_get_the_planted_verdicts(found: pd.DataFrame, claim: str, verdict: str) -> None:
    assert found.loc[claim, "verdict"] == verdict, found.loc[claim, "evidence"]


def test_evidence_counts_the_pairs(found: pd.DataFrame) -> None:
    assert found.loc["ivh-leaders", "evidence"] == ("of 20 pairs 20 as claimed, 0 otherwise, 0 undecided")
    assert found.loc["unet-family-equal", "evidence"].startswith("of 56 pairs")


def test_contrary_results_refute() -> None:
    """Focal worse, all equal to 2D on IVH, one network best everywhere, volumes off."""
    worse = {model: {"ICH": 0.9, "PHE": 0.6, "IVH": 0.5} for model in TEN}
    worse["nnunet-3d-focal"] = {"ICH": 0.7, "PHE": 0.5, "IVH": 0.3}
    worse["unet"] = {"ICH": 0.95, "PHE": 0.7, "IVH": 0.9}
    off = agreement(ICH=(0.7, 0.6, 0.8), PHE=(0.88, 0.85, 0.91), IVH=(0.99, 0.985, 0.992))
    table = verdicts(scores(worse), agreement=off)
    refuted = [
        "unet-family-equal",
        "nnunet-beats-others",
        "ivh-leaders",
        "focal-losses-equal-ivh",
        "focal-best-mean-of-means",
        "dicece-best-mean-of-medians",
        "none-best-everywhere",
        "concordance-high-but-phe",
        "phe-harder-than-ivh",
    ]
    assert list(table.loc[refuted, "verdict"]) == [FAILS] * len(refuted)


def test_best_network_and_narrowest_range_are_shown() -> None:
    best = {**PLANTED, "nnunet-3d-focal": {"ICH": 0.93, "PHE": 0.58, "IVH": 0.99}}
    scans = scores(best)
    focal_ivh = (scans["model"] == "nnunet-3d-focal") & (scans["label"] == "IVH")
    scans.loc[focal_ivh, "dice"] = 0.99 + 0.01 * (scans.loc[focal_ivh, "dice"] - 0.99)
    table = verdicts(scans)
    shown = ["focal-best-mean-of-means", "focal-smallest-ivh-iqr", "none-best-everywhere"]
    assert list(table.loc[shown, "verdict"]) == [HOLDS] * 3


def test_two_humps_are_seen() -> None:
    scans = scores(PLANTED)
    weak = scans["model"].isin(["blast-ct", "deeplabv3plus", "nnunet-2d", "nnunet-3d-tversky"])
    hump = np.where(scans["scan_id"].astype(int) % 2, 0.02, 0.98)
    scans["dice"] = np.where(weak & (scans["label"] == "IVH"), hump, scans["dice"])
    assert verdicts(scans).loc["weak-ivh-bimodal", "verdict"] == HOLDS


def test_few_scans_show_nothing_about_equality() -> None:
    table = verdicts(scores(PLANTED, n=5, noise=0.2), cohort_tests=cohort_tests(cohort(8, 4), LABELS))
    assert table.loc["focal-losses-equal-ivh", "verdict"] == UNCLEAR
    assert table.loc["sets-do-not-differ", "verdict"] == UNCLEAR


def test_sets_that_differ_refute() -> None:
    sets = cohort(400, 100)
    sets.loc[sets["set"] == "test", "age"] += 20
    table = verdicts(scores(PLANTED, n=9), cohort_tests=cohort_tests(sets, LABELS))
    assert table.loc["sets-do-not-differ", "verdict"] == FAILS


def test_models_not_run_are_named_and_nothing_is_shown_without_them() -> None:
    few = {model: PLANTED[model] for model in ("blast-ct", "nnunet-3d-dicece", "nnunet-2d")}
    table = verdicts(scores(few))
    assert table.loc["nnunet-beats-others", "verdict"] == UNCLEAR
    assert "of 6 pairs 6 as claimed" in table.loc["nnunet-beats-others", "evidence"]
    assert "deeplabv3plus" in table.loc["nnunet-beats-others", "note"]
    assert table.loc["focal-best-mean-of-means", "evidence"] == "none of the models was run"
    assert table.loc["none-best-everywhere", "verdict"] == UNCLEAR
    assert table.loc["sets-do-not-differ", "verdict"] == HOLDS, "it is about no model"


def test_flavour_that_changes_a_verdict_is_named() -> None:
    scans = scores(PLANTED)
    dunn = dunn_table(scans, LABELS)
    pair = dunn["model_a"].eq("nnunet-3d-dicetopk") & dunn["model_b"].eq("nnunet-3d-focal")
    dunn.loc[pair & (dunn["label"] == "IVH"), ["p_adjusted", "p_adjusted_dunn_test"]] = [0.07, 0.035]
    row = verdicts(scans, dunn=dunn).loc["focal-losses-equal-ivh"]
    assert (row["verdict"], row["verdict_dunn_test"], row["verdict_dunn_test_at_05"]) == (HOLDS, HOLDS, FAILS)
    assert row["changes_under"] == "dunn.test read at .05"


def test_other_models_and_the_order_of_models_change_no_verdict(found: pd.DataFrame) -> None:
    scans = scores(PLANTED)
    other = scans[scans["model"] == "unet"].assign(model="mine", role="extra", dice=1.0)
    nothing = scans[scans["model"] == "unet"].assign(model="predicts-nothing", role="reference")
    pd.testing.assert_frame_equal(verdicts(pd.concat([scans, other, nothing])), found)
    reversed_models = pd.concat([scans[scans["model"] == model] for model in reversed(TEN)])
    pd.testing.assert_frame_equal(verdicts(reversed_models), found)


def test_interval_of_a_mean_difference() -> None:
    # R: t.test(sleep$extra[1:10], sleep$extra[11:20], paired = TRUE)$conf.int: -2.4598858 -0.7001142;
    # at 90 % its half width shrinks by qt(.95, 9) / qt(.975, 9) = 1.833113 / 2.262157.
    a = np.array([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0])
    b = np.array([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4])
    half = (2.4598858 - 0.7001142) / 2 * 1.833113 / 2.262157
    assert mean_difference_interval(a, b) == pytest.approx((-1.58 - half, -1.58 + half), abs=1e-6)
    assert mean_difference_interval(np.ones(3), np.ones(3)) == (0, 0)
    assert mean_difference_interval(np.ones(1), np.ones(1)) == (-np.inf, np.inf)


def test_the_whole_is_as_good_as_its_weakest_part() -> None:
    assert overall([HOLDS, HOLDS]) == HOLDS
    assert overall([HOLDS, UNCLEAR]) == UNCLEAR
    assert overall([HOLDS, UNCLEAR, FAILS]) == FAILS
    assert overall([]) == UNCLEAR


@pytest.mark.parametrize(("margin", "verdict"), [(1e-6, UNCLEAR), (0.1, HOLDS)])
def test_margins_of_the_plan_decide_and_are_told(margin: float, verdict: str) -> None:
    scans = scores(PLANTED)
    claim = CLAIMS[CLAIMS["claim"] == "focal-losses-equal-ivh"]
    margins = {**DICE_MARGIN, "IVH": margin}
    row = claims_table(claim, scans, dunn_table(scans, LABELS), AS_PRINTED, BALANCED, margins, LABELS).iloc[0]
    assert row["verdict"] == verdict
    assert f"within ±margin (.02 ICH, .02 PHE, {margin:g}".replace("0.1", ".1") in row["restated"]
