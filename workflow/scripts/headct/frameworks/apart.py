"""No training starts from weights that had learnt a scan on which its network is tested."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from headct.contracts.artefacts import read_tsv
from headct.contracts.problems import BadInput, Problem
from headct.engine.starts import Start

EFFECT = "speed"  # it refuses a training, and makes nothing


def check(start: Start, split: Path, fold: str, external: Sequence[Path]) -> None:
    """Refuse weights that were made from scans of the test set, of an external set, or of the held-out fold.

    A scan is known by the SHA-256 of its converted CT, whatever it is called in the other study. Weights
    whose scans are not recorded pass: tables and reports say that it is not known.

    Args:
        start: what the training starts from.
        split: split.tsv.
        fold: number of the held-out fold, or ``all`` for none.
        external: tables of external sets.

    Raises:
        BadInput: each scan that the weights were made from, and that the network is to be tested on.
    """
    learnt = start.scans() or frozenset()
    problems = []
    for path in (split, *external):
        scans = read_tsv(path, scan_id=str, fold=str, set=str)
        is_tested = scans["set"] != "train"
        if "fold" in scans:
            is_tested |= scans["fold"] == fold
        for scan in scans[is_tested & scans["ct_sha256"].isin(learnt)].itertuples():
            where = f"the held-out fold {fold}" if scan.set == "train" else f"the set '{scan.set}'"
            message = (
                f"is in {where}, and the weights in {start.file} had learnt it, by the record beside them:"
                " start from weights that have not seen it, or from random ones"
            )
            problems.append(Problem(str(path), message, row=str(scan.scan_id), key="ct_sha256"))
    if problems:
        raise BadInput(problems)
