"""Which participants a pilot has: some of the study's training set, never one of its test set."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from headct.contracts.problems import BadInput, Problem

TEST_SHARE = 0.3
"""Of the pilot's participants, on whom its networks are tested: they are of the study's training set, too."""


@dataclass(frozen=True)
class Draw:
    """The scans of a pilot, those of a participant in one set."""

    train: tuple[str, ...]
    test: tuple[str, ...]


def draw(
    split: pd.DataFrame,
    cohort: pd.DataFrame,
    labels: Iterable[str],
    *,
    scans: int,
    seed: int,
    folds: int,
    file: str = "split.tsv",
) -> Draw:
    """Draw participants of the training set until they have so many scans.

    Of each lesion the first participant drawn who has it comes before all others, so that the pilot's
    networks have it to learn from; the last ones are those that the pilot tests on.

    Args:
        split: ``split.tsv`` of the study.
        cohort: ``cohort.tsv`` of the study.
        labels: the lesions.
        scans: how many at least; a participant's scans are taken together.
        seed: of the draw.
        folds: of the pilot's training set.
        file: the split, for messages.

    Raises:
        BadInput: too few scans to train on in the study, or too few asked for.
    """
    train, tested = (split[split["set"] == name] for name in ("train", "test"))
    train = train[
        ~train["participant_id"].isin(tested["participant_id"])
    ]  # nobody is in both; if so, no pilot's
    if len(train) < scans:
        message = (
            f"only {len(train)} scans are in the training set, from which a pilot is drawn: ask for fewer"
        )
        raise BadInput([Problem(file, message, key="--scans", value=str(scans))])
    scans_of = train.groupby("participant_id")["scan_id"].apply(list).sort_index()
    shuffled = np.random.default_rng(seed).permutation(scans_of.index.to_numpy(dtype=object))
    carriers = [carrier for label in labels for carrier in _first_with(label, shuffled, train, cohort)]
    order = list(dict.fromkeys([*carriers, *shuffled]))
    so_far = np.cumsum([len(scans_of[participant]) for participant in order])
    chosen = order[: int(np.searchsorted(so_far, scans)) + 1]
    n_test = math.ceil(round(TEST_SHARE * len(chosen), 9))
    learners, examined = chosen[:-n_test], chosen[-n_test:]
    if len(learners) < max(folds, len(set(carriers))):
        message = (
            f"{len(learners)} participants would be left to train on, too few for {folds} folds and one with "
            "each lesion: ask for more scans"
        )
        raise BadInput([Problem(file, message, key="--scans", value=str(scans))])
    return Draw(*(tuple(scan for one in group for scan in scans_of[one]) for group in (learners, examined)))


def _first_with(
    label: str, participants: Iterable[str], train: pd.DataFrame, cohort: pd.DataFrame
) -> list[str]:
    """The first of some participants who has a lesion, if one has."""
    present = cohort.loc[cohort[f"{label}_ml"] > 0, "scan_id"]
    having = set(train.loc[train["scan_id"].isin(present), "participant_id"])
    return [participant for participant in participants if participant in having][:1]
