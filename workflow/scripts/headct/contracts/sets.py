"""Which scans of ``split.tsv`` are predicted and measured: the test set, or what a fold held out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from headct.contracts.artefacts import read_tsv
from headct.contracts.problems import BadInput, Problem

SETS = ("train", "test")
"""The sets, as the column ``set`` names them."""

SCANS_OF_A_VERDICT = 10
"""Test scans that a verdict on equality needs: more than a third of smaller test sets have no failure where
every tenth scan is one (.9¹⁰ = .35)."""


def test_scans(split: Path) -> list[str]:
    """Identifiers of the test scans, in the order of the split.

    Raises:
        BadInput: there are none.
    """
    table = read_tsv(split)
    scans = [str(scan) for scan in table.loc[table["set"] == "test", "scan_id"]]
    if not scans:
        raise BadInput([Problem(str(split), "no scan is in the test set", key="set")])
    return scans


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
