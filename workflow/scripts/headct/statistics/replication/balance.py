"""Balance of training and test set: ``python -m headct balance --help``.

The standardised mean difference says how far the sets lie apart in units of the spread within
them, whatever their sizes: for means (m₁ − m₂) / √((s₁² + s₂²) / 2), for shares
(p₁ − p₂) / √((p₁(1 − p₁) + p₂(1 − p₂)) / 2); 1 is the training set, 2 the test set. Above 0.1 a difference
is often called relevant. Austin PC. Stat Med 2009;28:3083-3107, doi:10.1002/sim.3697.
"""

from __future__ import annotations

import logging
import math
from pathlib import Path

import numpy as np
import pandas as pd

from headct.contracts import labels as label_sets
from headct.contracts.artefacts import read_tsv, write_tsv
from headct.contracts.declarations import MadeOf, PublishedStatistic
from headct.contracts.labels import LabelSet
from headct.settings import sheet as sample_sheet
from headct.statistics.replication.cohort_tests import (
    by_set,
    cohort_of_split,
    smd_of_means,
    smd_of_shares,
)

logger = logging.getLogger(__name__)

BALANCE = PublishedStatistic(
    name="balance",
    help="standardised differences of training and test set",
    step="balance",
    folder="cohort",
    columns="characteristic train_n train_count train_percent train_mean train_sd test_n test_count"
    " test_percent test_mean test_sd smd",
    keys="characteristic",
    made_of=(MadeOf(rows="cohort"),),
)


def main(
    *,
    labels: str,
    sheet: Path,
    cohort: Path,
    split: Path,
    out: Path,
) -> None:
    """Balance of training and test set.

    Args:
        labels: JSON: the lesion classes, in their order.
        sheet: sample sheet, for the true ages.
        cohort: cohort.tsv.
        split: split.tsv.
        out: balance.tsv to write.
    """
    true_ages = sample_sheet.true_ages(sheet)
    scans = cohort_of_split(read_tsv(cohort), read_tsv(split), true_ages)
    table = balance(scans, label_sets.read(labels))
    write_tsv(table, out)
    known = table.dropna(subset=["smd"]).sort_values("smd", key=np.abs)
    for row in known.tail(1).itertuples():
        logger.info("balance  largest standardised mean difference %.2f (%s)", row.smd, row.characteristic)


def balance(scans: pd.DataFrame, labels: LabelSet) -> pd.DataFrame:
    """Training against test set, one characteristic per row.

    Takes one row per scan: scan_id participant_id set age sex onset_to_ct_h n_slices spacing_z_mm
    tilt_deg and each lesion's ``…_ml``. Age and sex count each participant once, by the first scan;
    lesion volumes are those of the scans that have the lesion.

    Columns: characteristic; for train and test ``{set}_`` n (with a value) and count percent, or
    mean sd; smd, empty where undefined.
    """
    scans = scans.sort_values("scan_id")
    participants = scans.drop_duplicates("participant_id")
    sex = participants.dropna(subset=["sex"])
    rows = [
        _means("age_years", by_set(participants, "age")),
        _shares("sex_men", by_set(sex.assign(hit=sex["sex"] == "M"), "hit")),
        _means("onset_to_ct_hours", by_set(scans, "onset_to_ct_h")),
    ]
    for label in labels:
        present = scans.assign(hit=scans[f"{label}_ml"] > 0)
        rows.append(_shares(f"{label}_present", by_set(present, "hit")))
        rows.append(_means(f"{label}_volume_ml", by_set(present[present["hit"]], f"{label}_ml")))
    rows += [
        _means("slices", by_set(scans, "n_slices")),
        _means("slice_spacing_mm", by_set(scans, "spacing_z_mm")),
        _means("tilt_deg", by_set(scans, "tilt_deg")),
    ]
    return pd.DataFrame(rows, columns=BALANCE.header)


def _means(characteristic: str, values: dict[str, np.ndarray]) -> dict[str, object]:
    row: dict[str, object] = {"characteristic": characteristic}
    for name, array in values.items():
        row[f"{name}_n"] = len(array)
        row[f"{name}_mean"] = float(array.mean()) if len(array) else math.nan
        row[f"{name}_sd"] = float(array.std(ddof=1)) if len(array) > 1 else math.nan
    return row | {"smd": smd_of_means(values["train"], values["test"])}


def _shares(characteristic: str, hits: dict[str, np.ndarray]) -> dict[str, object]:
    row: dict[str, object] = {"characteristic": characteristic}
    for name, array in hits.items():
        row[f"{name}_n"] = len(array)
        row[f"{name}_count"] = int(array.sum())
        row[f"{name}_percent"] = 100 * float(array.mean()) if len(array) else math.nan
    counts = int(hits["train"].sum()), int(hits["test"].sum())
    return row | {"smd": smd_of_shares(counts, (len(hits["train"]), len(hits["test"])))}
