"""The scans of one external set: ``python -m headct external-set --help``.

``results/cohort/external/NAME.tsv`` has a row per included scan, with those columns of ``split.tsv`` that
mean something for it: no stratum and no fold, since nothing is drawn.
"""

from __future__ import annotations

import logging
from pathlib import Path

import pandas as pd

from headct.contracts.artefacts import read_tsv, write_tsv
from headct.contracts.problems import BadInput, Problem
from headct.contracts.sets import EXTERNAL

logger = logging.getLogger(__name__)

COLUMNS = ["scan_id", "participant_id", "set", "ct_sha256", "labels_sha256"]


def main(*, name: str, cohort: Path, out: Path) -> None:
    """The scans of one external set.

    Args:
        name: of the set.
        cohort: cohort.tsv.
        out: table to write.
    """
    table = scans_of(read_tsv(cohort), name, str(cohort))
    write_tsv(table, out)
    logger.info("external set %s: %d scans", name, len(table))


def scans_of(cohort: pd.DataFrame, name: str, file: str = "cohort.tsv") -> pd.DataFrame:
    """The included scans of an external set, in the order of the cohort.

    Args:
        cohort: ``cohort.tsv``, names of external sets as text.
        name: of the set.
        file: the cohort, for messages.

    Raises:
        BadInput: all of its scans were excluded or are in error.
    """
    chosen = cohort[(cohort["external_set"] == name) & (cohort["status"] == "included")]
    if chosen.empty:
        message = (
            "no scan of this external set is eligible; each one's reason stands in this table: mend or add"
            " scans, or take the set out of the sheet"
        )
        raise BadInput([Problem(file, message, key="external_set", value=name)])
    return chosen.assign(set=f"{EXTERNAL}{name}")[COLUMNS].reset_index(drop=True)
