"""Training and test set, and folds within the training set: ``python -m headct.split --help``.

Participants, not scans, are drawn, so nobody stands on both sides.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from headct import command
from headct.artefacts import read_tsv, write_tsv
from headct.problems import BadInput, Problem

logger = logging.getLogger("headct.split")  # __name__ is "__main__" here


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="headct.split", description=__doc__)
    parser.add_argument("--cohort", required=True, type=Path, help="cohort.tsv")
    parser.add_argument("--settings", required=True, type=json.loads, help="JSON: the config's 'split'")
    parser.add_argument("--out", required=True, type=Path, help="split.tsv to write")
    return parser


def main(args: argparse.Namespace) -> None:
    cohort = read_tsv(args.cohort)
    included = cohort[cohort["status"] == "included"]
    split = split_scans(included, args.settings, str(args.cohort))
    write_tsv(split, args.out)
    counts = split["set"].value_counts()
    logger.info("split  %d scans to train on, %d to test on", counts["train"], counts["test"])


def split_scans(scans: pd.DataFrame, settings: dict[str, Any], file: str = "cohort.tsv") -> pd.DataFrame:
    """Divide included scans into a test set and a training set with folds.

    The test set holds ceil(``test_fraction`` × participants) participants, shared out over the
    strata by largest remainder; a participant's stratum is that of the first scan.

    Raises:
        BadInput: too few participants for a test set or for the folds.
    """
    strata = stratum_of_participants(scans, settings)
    n_test = math.ceil(round(settings["test_fraction"] * len(strata), 9))
    n_train = len(strata) - n_test
    if n_train < settings["folds"]:
        raise BadInput(
            [
                Problem(
                    file,
                    f"{len(strata)} participants leave {n_train} to train on, too few for the folds",
                    key="split.folds",
                    value=str(settings["folds"]),
                )
            ]
        )
    generator = np.random.default_rng(settings["seed"])
    shuffled = strata.iloc[generator.permutation(len(strata))]
    quota = largest_remainder(strata.value_counts().sort_index(), n_test)
    rank = shuffled.groupby(shuffled).cumcount()
    in_test = rank < shuffled.map(quota)
    train = shuffled[~in_test].sort_values(kind="stable")
    fold = pd.Series(np.arange(len(train)) % settings["folds"], index=train.index)
    participant = scans["participant_id"]
    return pd.DataFrame(
        {
            "scan_id": scans["scan_id"],
            "participant_id": participant,
            "stratum": participant.map(strata),
            "set": np.where(participant.map(in_test), "test", "train"),
            "fold": participant.map(fold).astype("Int64"),
            "ct_sha256": scans["ct_sha256"],
            "labels_sha256": scans["labels_sha256"],
        }
    ).reset_index(drop=True)


def stratum_of_participants(scans: pd.DataFrame, settings: dict[str, Any]) -> pd.Series:
    """The stratum of each participant, in words; the index is sorted, whatever the sheet's order."""
    first = scans.sort_values("scan_id").groupby("participant_id").first().sort_index()
    groups = settings["ich_volume_groups"]
    size = np.ceil(first["ICH_ml"].rank(method="first") / len(first) * groups).astype(int)
    described = {
        "ivh": np.where(first["IVH_ml"] > 0, "IVH", "no IVH"),
        "ich_volume": "ICH volume group " + size.astype(str) + f"/{groups}",
        "site": "site " + first["site"].astype(str),
    }
    stratum = pd.Series([""] * len(first), index=first.index)
    for name in settings["stratify_by"]:
        stratum = stratum + np.where(stratum == "", "", ", ") + described[name]
    return stratum.replace("", "all")


def largest_remainder(sizes: pd.Series, seats: int) -> pd.Series:
    """Share ``seats`` out in proportion to ``sizes``: whole parts first, then largest remainders.

    Ties go to the stratum that comes first.
    """
    exact = sizes * seats / sizes.sum()
    whole = np.floor(exact.round(9)).astype(int)
    remainder = (exact - whole).sort_values(ascending=False, kind="stable")
    whole[remainder.index[: seats - whole.sum()]] += 1
    return whole


if __name__ == "__main__":
    command.run(main, arguments())
