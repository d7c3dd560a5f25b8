"""Balance of the sets: counts, means and standardised differences, against worked numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from headct.contracts.artefacts import read_tsv, write_tsv
from headct.statistics.replication import balance as balance_step
from headct.statistics.replication.balance import balance
from support.label_sets import GIVEN, LABELS
from support.study_files import make_sheet


def scans() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "scan_id": [f"s{i}" for i in range(8)],
            "participant_id": ["p0", "p0", "p1", "p2", "p3", "p4", "p5", "p6"],
            "set": ["train"] * 5 + ["test"] * 3,
            "age": [60, 60, 70, 80, np.nan, 65, 75, 85],
            "sex": ["M", "M", "F", "M", None, "F", "F", "M"],
            "onset_to_ct_h": [1.0, 9, 2, 3, 4, 2, 3, 4],
            "ICH_ml": [10.0, 20, 30, 40, 50, 30, 40, 50],
            "PHE_ml": [5.0] * 8,
            "IVH_ml": [0.0, 0, 0, 4, 6, 0, 3, 9],
            "n_slices": [30, 30, 32, 34, 34, 28, 30, 32],
            "spacing_z_mm": [5.0] * 8,
            "tilt_deg": [0.0, 0, 10, 20, 20, 0, 0, 15],
        }
    )


def test_against_numbers_by_hand() -> None:
    table = balance(scans(), LABELS).set_index("characteristic")
    age = table.loc["age_years"]  # participants p0, p1, p2 (p3 unknown): 60, 70, 80 against 65, 75, 85
    assert age[["train_n", "train_mean", "train_sd", "test_mean", "smd"]].tolist() == [3, 70, 10, 75, -0.5]
    men = table.loc["sex_men"]
    assert men[["train_n", "train_count", "test_n", "test_count"]].tolist() == [3, 2, 3, 1]
    # shares 2/3 and 1/3, p(1 - p) = 2/9 in both: (1/3) / sqrt(2/9)
    assert men["smd"] == pytest.approx((1 / 3) / np.sqrt(2 / 9))
    present = table.loc["IVH_present"]
    assert present[["train_percent", "test_percent"]].tolist() == pytest.approx([40, 200 / 3])
    # volumes of scans that have the lesion: 4, 6 against 3, 9; variances 2 and 18
    assert table.loc["IVH_volume_ml", "smd"] == pytest.approx((5 - 6) / np.sqrt(10))
    assert table.loc["slices", ["train_mean", "test_mean"]].tolist() == [32, 30]


def test_what_does_not_vary_has_no_difference() -> None:
    table = balance(scans(), LABELS).set_index("characteristic")
    assert np.isnan(table.loc[["slice_spacing_mm", "PHE_present", "PHE_volume_ml"], "smd"]).all()
    alone = balance(scans().query("set == 'train' or scan_id == 's5'"), LABELS)
    assert alone["test_n"].max() == 1


def test_the_true_age_counts_and_not_the_capped_one(tmp_path: Path) -> None:
    sheet = make_sheet(tmp_path, *[{"age": str(age)} for age in (97, 60, 70, 80, 50, 99, 75, 85)])
    write_tsv(scans().drop(columns="set").assign(age=90), tmp_path / "cohort.tsv")
    write_tsv(scans()[["scan_id", "set"]], tmp_path / "split.tsv")
    out = tmp_path / "b.tsv"
    balance_step.main(
        labels=GIVEN[1], sheet=sheet, cohort=tmp_path / "cohort.tsv", split=tmp_path / "split.tsv", out=out
    )
    age = read_tsv(out).set_index("characteristic").loc["age_years"]
    # participants by their first scan: p0 97, p1 70, p2 80, p3 50; p4 99, p5 75, p6 85
    assert age["train_mean"] == np.mean([97, 70, 80, 50])
    assert age["test_mean"] == pytest.approx(np.mean([99, 75, 85]))
