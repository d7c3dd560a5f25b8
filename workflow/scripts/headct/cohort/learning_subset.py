"""The scans that one network of a learning curve learns from: ``python -m headct learning-subset --help``.

The table has the columns of ``split.tsv``, and those of its rows that such a network needs: the training
scans of the first so many participants of an order, and the scans of the fold that is held out. No test scan
is in it. The order is drawn once from a seed, and every size takes its beginning: so a smaller subset lies
within a larger one, and another size changes none (docs/decisions/learning-curve.md).
"""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from headct.contracts.artefacts import read_tsv, write_tsv
from headct.contracts.problems import BadInput, Problem
from headct.settings.blocks import ALL_PARTICIPANTS

logger = logging.getLogger(__name__)


def main(*, split: Path, fold: int, size: str, seed: int, out: Path) -> None:
    """The scans that one network of a learning curve learns from, and those that it is measured on.

    Args:
        split: split.tsv.
        fold: number of the held-out fold.
        size: number of participants to learn from, or 'all'.
        seed: of the order in which participants are taken.
        out: table to write.
    """
    table = subset(read_tsv(split, fold=str), str(fold), size, seed, str(split))
    write_tsv(table, out)
    learnt = table[table["fold"] != str(fold)]
    people = learnt["participant_id"].nunique()
    logger.info("learning curve  %d participants, %d scans, to learn from", people, len(learnt))


def subset(split: pd.DataFrame, fold: str, size: str, seed: int, file: str = "split.tsv") -> pd.DataFrame:
    """The rows of ``split.tsv`` that one network needs, in their order.

    Args:
        split: ``split.tsv``, folds as text.
        fold: that is held out.
        size: number of participants, or ``all``.
        seed: of the order of participants.
        file: the split, for messages.

    Raises:
        BadInput: there is no such fold, or it leaves no more participants than ``size``.
    """
    training = split[split["set"] == "train"]
    held_out = training["fold"] == fold
    if not held_out.any():
        message = "no training scan is in this fold: set another learning_curve.fold"
        raise BadInput([Problem(file, message, key="fold", value=fold)])
    order = order_of(training[~held_out], seed)
    if size != ALL_PARTICIPANTS and int(size) >= len(order):
        message = (
            f"fold {fold} leaves {len(order)} participants to learn from, and the largest size of"
            " learning_curve.sizes that is all of them is called 'all': set smaller sizes, and 'all'"
        )
        raise BadInput([Problem(file, message, key="learning_curve.sizes", value=size)])
    chosen = order if size == ALL_PARTICIPANTS else order[: int(size)]
    return training[held_out | training["participant_id"].isin(chosen)].reset_index(drop=True)


def order_of(training: pd.DataFrame, seed: int) -> list[str]:
    """All participants of some training scans, in an order of which every beginning is balanced over strata.

    Within a stratum the order is drawn. The i-th of its m participants stands at (i − ½)/m, and all are
    sorted by that: so any beginning has of each stratum what is its share, to within rounding.

    Args:
        training: rows of ``split.tsv``, in any order.
        seed: of the draw.
    """
    stratum = training.groupby("participant_id")["stratum"].first().sort_index()
    shuffled = stratum.iloc[np.random.default_rng(seed).permutation(len(stratum))]
    within = shuffled.groupby(shuffled)
    place = (within.cumcount() + 0.5) / within.transform("size")
    return [str(participant) for participant in place.sort_values(kind="stable").index]
