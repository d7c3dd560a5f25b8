"""Which scans are predicted and measured: the test set, an external set, or what a fold held out.

``split.tsv`` has training and test set. Each external set has a table of its own, ``external/NAME.tsv``, so
that a scan from outside changes nothing that rests on the split (docs/decisions/external-sets.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from headct.contracts.artefacts import read_tsv
from headct.contracts.problems import BadInput, Problem

if TYPE_CHECKING:
    import pandas as pd

TEST = "test"
SETS = ("train", TEST)
"""The sets of ``split.tsv``, as its column ``set`` names them."""

EXTERNAL = "external:"
"""What the name of an external set stands behind in the column ``set``, of the sheet and of its own table."""

LOCKED = "locked:"
"""What the name of a set stands behind, in the sheet, of which nothing is read yet."""

SCANS_OF_A_VERDICT = 10
"""Test scans that a verdict on equality needs: more than a third of smaller test sets have no failure where
every tenth scan is one (.9¹⁰ = .35)."""


def test_scans(split: Path) -> list[str]:
    """Identifiers of the test scans, in the order of the split; raises as :func:`scans_of`."""
    return scans_of(split, TEST)


def scans_of(split: Path, in_set: str) -> list[str]:
    """Identifiers of the scans of a set, in the order of the table.

    Args:
        split: ``split.tsv``, or the table of an external set.
        in_set: as its column ``set`` names the scans.

    Raises:
        BadInput: there are none.
    """
    table = read_tsv(split)
    scans = [str(scan) for scan in table.loc[table["set"] == in_set, "scan_id"]]
    if not scans:
        of_set = "the test set" if in_set == TEST else "this set"
        raise BadInput([Problem(str(split), f"no scan is in {of_set}", key="set", value=in_set)])
    return scans


def of_study(cohort: pd.DataFrame) -> pd.DataFrame:
    """The rows of ``cohort.tsv`` of scans that are in no external set; older releases had none."""
    return cohort[cohort["external_set"].isna()] if "external_set" in cohort else cohort


def held_out(split: Path, folds: Sequence[int]) -> list[str]:
    """Identifiers of the training scans of some folds, fold by fold.

    Raises:
        BadInput: a fold has none.
    """
    table = read_tsv(split, fold=str)
    training = table[table["set"] == "train"]
    of_fold = {fold: training.loc[training["fold"] == str(fold), "scan_id"] for fold in folds}
    problems = [
        Problem(str(split), "no training scan is in this fold", key="fold", value=str(fold))
        for fold, scans in of_fold.items()
        if scans.empty
    ]
    if problems:
        raise BadInput(problems)
    return [str(scan) for scans in of_fold.values() for scan in scans]
