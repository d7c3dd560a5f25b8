"""Training and test set in simulated studies: whether they differ, and Dice over held-out training scans."""

from __future__ import annotations

import numpy as np
import pandas as pd
from null_claims import CLAIMS, PLAN, claim_promise
from promises import ALL, Found, Promise, Truth, errors, interval, of
from simulated_studies import (
    AGE_MEAN,
    AGE_SD,
    INDEPENDENT,
    LABELS,
    MODELS,
    N_SCANS,
    SHOWN,
    Setting,
    cohort,
    held_out,
    study,
)

from headct.settings.analysis_plan import PARTICIPANT
from headct.statistics.comparison.external_sets import mean_dice
from headct.statistics.comparison.paired import LEVEL
from headct.statistics.comparison.score_arrays import bounds_of
from headct.statistics.core import jackknife
from headct.statistics.core.agreement import ALL_SCANS, WITH_LESION
from headct.statistics.core.group_tests import ALPHA
from headct.statistics.core.independent_means import combined
from headct.statistics.replication.claim_evidence import FAILS, HOLDS, Results
from headct.statistics.replication.claim_kinds import SMALL_SMD
from headct.statistics.replication.claims import judge
from headct.statistics.replication.cohort_tests import cohort_tests

N_TRAINING = 1558
"""Training scans of the paper."""

N_HELD_OUT, N_FOLDS = 500, 5
"""Training scans of a study whose folds predict them."""

N_EXTERNAL = 60
"""Scans of an external set."""

SHARE_OF_MEN, HOURS_MEDIAN, HOURS_LOG_SD = 0.56, 1.9, 0.53
"""About those of the paper's participants; hours from onset to the scan."""

SET_PROMISES = {
    "held_out": Promise("mean Dice over held-out training scans", "out_of_fold", 0.95),
    "external_mean": Promise("mean Dice in an external set", "external_sets", 0.95, of_all_networks=False),
    "external_difference": Promise(
        "mean Dice in an external set − in the internal one", "external_sets", 0.95, of_all_networks=False
    ),
    "cohort_p": Promise("P of a characteristic of random sets", "cohort_tests", ALPHA, is_interval=False),
    "sets_differ": claim_promise("“sets do not differ”, of random sets: does not hold"),
    "sets_alike_holds": claim_promise("“sets are alike”, ages apart by .2 SD: holds"),
    "sets_alike_fails": claim_promise("“sets are alike”, all means apart by .2 SD: does not hold"),
}

ANY_SCORES = study(np.random.default_rng(0), INDEPENDENT, n_scans=4).scores(PARTICIPANT)
"""Claims about the sets look at no scores."""


def of_held_out(rng: np.random.Generator, setting: Setting, true: Truth) -> Found:
    """Of the paper's models: mean Dice over all folds."""
    one = held_out(rng, setting, N_HELD_OUT, N_FOLDS)
    data = one.scores(setting.cluster)
    found: Found = {}
    for label in LABELS:
        for scans in (ALL_SCANS, WITH_LESION) if label == "IVH" else (ALL_SCANS,):
            chosen = data.chosen(label, scans)
            dice = data.arrays[label, "dice"][:, chosen][:, :, SHOWN]
            means = jackknife.evaluate(
                jackknife.mean(dice), data.clusters_of(chosen), bounds=bounds_of("dice")
            )
            value = true["dice_mean", label, scans][SHOWN]
            found["held_out", of(label, scans)] = interval(means.estimate, means.interval(LEVEL), value)
    return found


def of_external(rng: np.random.Generator, setting: Setting, true: Truth) -> Found:
    """Of the paper's models: an external set of the same population, beside the internal one."""
    one = study(rng, setting, n_scans=N_SCANS + N_EXTERNAL)
    data = one.scores(PARTICIPANT)
    is_internal = np.arange(len(data.scans)) < N_SCANS
    found: Found = {}
    for label in LABELS:
        external, internal = (mean_dice(data, label, chosen) for chosen in (~is_internal, is_internal))
        difference = combined((1, -1), (external.varying(), internal.varying()))
        values = {
            "external_mean": (external, true["dice_mean", label, ALL_SCANS], bounds_of("dice")),
            "external_difference": (difference, np.zeros(len(MODELS)), (-1, 1)),
        }
        for key, (means, truth, bounds) in values.items():
            ends = [end[SHOWN] for end in means.interval(LEVEL, bounds)]
            found[key, label] = interval(means.value[SHOWN], ends, truth[SHOWN])
    return found


def true_of_cohort(setting: Setting, n_scans: int) -> Truth:
    """SD of the volumes of each lesion."""
    many = cohort(np.random.default_rng(6), setting, n_scans).reference_ml
    return {("SD of volumes", label): np.std(volumes[volumes > 0]) for label, volumes in many.items()}


def of_cohort(rng: np.random.Generator, setting: Setting, true: Truth) -> Found:
    """Sets that are chosen at random, and the same where means of the test set are moved; no networks."""
    if setting.n_seeds > 1:
        return {}
    table = cohort_tests(random_sets(rng, setting), LABELS)
    tested = table.dropna(subset=["p"])
    found: Found = {
        ("cohort_p", str(test)): errors([(rows["p"] < ALPHA).mean()])
        for test, rows in tested.groupby("test_name")
    }
    found["sets_differ", ALL] = errors([_verdict("sets-do-not-differ", table) == FAILS])
    sds: dict[str, float] = {"age_years": AGE_SD}
    sds |= {f"{label}_volume_ml": float(true["SD of volumes", label]) for label in LABELS}
    for key, moved, wrong in (
        ("sets_alike_holds", ["age_years"], HOLDS),
        ("sets_alike_fails", list(sds), FAILS),
    ):
        # A test set all of whose values are larger by so much has the same SD, and another difference.
        by = table["characteristic"].map({name: SMALL_SMD * sds[name] for name in moved}).fillna(0)
        scale = np.sqrt((table["train_sd"] ** 2 + table["test_sd"] ** 2) / 2)
        apart = table.assign(smd=table["smd"] - (by / scale).fillna(0))
        found[key, ALL] = errors([_verdict("sets-alike", apart) == wrong])
    return found


def random_sets(rng: np.random.Generator, setting: Setting) -> pd.DataFrame:
    """One row per scan of the paper's two sets, as :func:`.cohort_tests` takes them."""
    one = cohort(rng, setting, N_TRAINING + N_SCANS)
    participant, n = one.participant, len(one.participant)
    n_participants = int(participant.max()) + 1
    is_man = rng.random(n_participants) < SHARE_OF_MEN
    return pd.DataFrame(
        {
            "scan_id": [f"{scan:06d}" for scan in range(n)],
            "participant_id": participant,
            "set": np.where(np.arange(n) < N_TRAINING, "train", "test"),
            "age": rng.normal(AGE_MEAN, AGE_SD, n_participants)[participant],
            "sex": np.where(is_man, "M", "F")[participant],
            "onset_to_ct_h": HOURS_MEDIAN * np.exp(HOURS_LOG_SD * rng.normal(size=n)),
            **{f"{label}_ml": volumes for label, volumes in one.reference_ml.items()},
        }
    )


def _verdict(claim: str, table: pd.DataFrame) -> str:
    return judge(CLAIMS.loc[claim], Results(ANY_SCORES, pd.DataFrame(), table, PLAN)).verdict
