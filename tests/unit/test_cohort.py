"""The cohort: every scan of the sheet has its row; errors of all scans are told together."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
from test_bad_input import make_sheet

from headct import cohort
from headct.artefacts import read_tsv, write_json
from headct.problems import BadInput

INCLUDED: dict[str, Any] = {
    "status": "included",
    "reason": "",
    "problems": [],
    "geometry": {"size_xyz": [64, 64, 20], "spacing_mm_xyz": [3.5, 3.5, 6.0], "tilt_deg": 12.0},
    "acquisition": {"manufacturer": "Phantom Imaging", "kernel": "H30s"},
    "volumes_ml": {"ICH": 30.0, "PHE": 20.0, "IVH": 0.0},
    "sha256": {"ct.nii.gz": "c0", "labels.nii.gz": "l0"},
}
EXCLUDED = INCLUDED | {"status": "excluded", "geometry": None, "volumes_ml": {}, "sha256": {}}


def run(folder: Path, *records: dict[str, Any]) -> Namespace:
    sheet = make_sheet(folder, *[{}] * len(records))
    for number, record in enumerate(records):
        write_json(record, folder / "data" / f"s{number}" / "scan.json")
    args = Namespace(
        sheet=sheet, data=folder / "data", cohort=folder / "cohort.tsv", flow=folder / "flow.tsv"
    )
    cohort.main(args)
    return args


def test_included_and_excluded_scans_have_their_rows(tmp_path: Path) -> None:
    gaps = [EXCLUDED | {"reason": f"missing section: {gap} mm"} for gap in (12, 17)]
    args = run(tmp_path, INCLUDED, *gaps)
    table = read_tsv(args.cohort).set_index("scan_id")
    assert table["status"].tolist() == ["included", "excluded", "excluded"]
    assert table.loc["s0", ["ICH_ml", "spacing_z_mm", "ct_sha256"]].tolist() == [30.0, 6.0, "c0"]
    assert table.loc["s1", "reason"] == "missing section: 12 mm"
    flow = read_tsv(args.flow).set_index("status")["scans"]
    assert flow.to_dict() == {"in sheet": 3, "excluded": 2, "included": 1}, "one reason, whatever the gap"


def test_a_cohort_without_exclusions(tmp_path: Path) -> None:
    flow = read_tsv(run(tmp_path, INCLUDED, INCLUDED).flow)
    assert flow["scans"].tolist() == [2, 2]


def test_errors_of_all_scans_end_the_run_in_one_table(tmp_path: Path) -> None:
    def faulty(value: str) -> dict[str, Any]:
        problem = {"file": "m.nii.gz", "row": "", "key": "mask", "value": value, "message": "unknown label"}
        return EXCLUDED | {"status": "error", "reason": "unknown label", "problems": [problem]}

    with pytest.raises(BadInput) as caught:
        run(tmp_path, faulty("7"), INCLUDED, faulty("9"))
    assert str(caught.value).startswith("2 problems")
    assert not (tmp_path / "cohort.tsv").exists()


def test_no_eligible_scan_ends_the_run_with_the_reasons(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no scan is eligible: missing section \(2\)"):
        run(tmp_path, *[EXCLUDED | {"reason": "missing section: 12 mm"}] * 2)
