"""The cohort: every scan of the sheet has its row, a broken one stops no other, too many stop the run."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from headct.cohort import gathering as cohort
from headct.contracts.artefacts import read_tsv, write_json
from headct.contracts.problems import BadInput
from headct.settings.reviews import Review
from support.label_sets import GIVEN
from support.reviews import review, written
from support.study_files import make_sheet

INCLUDED: dict[str, Any] = {
    "status": "included",
    "reason": "",
    "problems": [],
    "flags": [],
    "geometry": {"size_xyz": [64, 64, 20], "spacing_mm_xyz": [3.5, 3.5, 6.0], "tilt_deg": 12.0},
    "acquisition": {"manufacturer": "Phantom Imaging", "kernel": "H30s"},
    "instances": [{"number": 1, "sha256": hashlib.sha256(b"").hexdigest()}],  # the sheet's folders hold it
    "series": {"chosen": {"series_number": None}},
    "volumes_ml": {"ICH": 30.0, "PHE": 20.0, "IVH": 5.0},
    "sha256": {"ct.nii.gz": "c0", "labels.nii.gz": "l0"},
}
EXCLUDED = INCLUDED | {
    "status": "excluded",
    "geometry": None,
    "volumes_ml": {},
    "sha256": {},
    "pixels_sha256": "",
    "drawings_sha256": {},
}


def faulty(value: str) -> dict[str, Any]:
    """A scan in error, for an unknown label value in its mask."""
    problem = {"file": "m.nii.gz", "row": "", "key": "mask", "value": value, "message": "unknown label"}
    return EXCLUDED | {"status": "error", "reason": f"unknown label: {value}", "problems": [problem]}


def refused(key: str) -> dict[str, Any]:
    """A scan whose id holds an identifier of its DICOM."""
    problem = {"file": "", "row": "", "key": key, "value": "SMITH", "message": "contains the patient's name"}
    return EXCLUDED | {"status": "refused", "reason": problem["message"], "problems": [problem]}


def run(
    folder: Path,
    *records: dict[str, Any],
    changes: dict[int, dict[str, str]] | None = None,
    columns: tuple[str, ...] = (),
    max_excluded: float = 1.0,
    reviewed: Sequence[Review] = (),
) -> SimpleNamespace:
    """The cohort of as many scans as there are records, each each different unless it says so."""
    sheet = make_sheet(folder, *[(changes or {}).get(i, {}) for i in range(len(records))], add=columns)
    for number, record in enumerate(records):
        own = {"pixels_sha256": f"pixels {number}", "drawings_sha256": {"mask": f"drawing {number}"}}
        content = own | record
        write_json(content, folder / "data" / f"s{number}" / "scan.json")
    args = SimpleNamespace(
        labels=GIVEN[1],
        sheet=sheet,
        data=folder / "data",
        max_excluded=max_excluded,
        age_cap_years=90.0,
        trust_sheet=False,
        different_patients="[]",
        quality_review=written(folder / "quality.tsv", *reviewed) if reviewed else None,
        cohort=folder / "cohort.tsv",
        flow=folder / "flow.tsv",
    )
    cohort.main(**vars(args))
    return args


def test_each_scan_has_its_row_whatever_became_of_it(tmp_path: Path) -> None:
    gaps = [EXCLUDED | {"reason": f"missing section: {gap} mm"} for gap in (12, 17)]
    flagged = INCLUDED | {"flags": ["tilted", "uneven_gaps"]}
    args = run(tmp_path, flagged, *gaps, faulty("7"))
    table = read_tsv(args.cohort).set_index("scan_id")
    assert table["status"].tolist() == ["included", "excluded", "excluded", "error"]
    shown = ["ICH_ml", "spacing_z_mm", "ct_sha256", "flags", "pixels_sha256"]
    assert table.loc["s0", shown].tolist() == [30.0, 6.0, "c0", "tilted,uneven_gaps", "pixels 0"]
    assert table.loc["s1", "reason"] == "missing section: 12 mm"
    flow = read_tsv(args.flow).fillna("")
    assert flow.to_numpy().tolist() == [
        ["in sheet", "", 4, 4],
        ["excluded", "missing section", 2, 2],  # one reason, whatever the gap
        ["error", "unknown label", 1, 1],
        ["included", "", 1, 1],
    ]


def quality(reviewer: str, scan: str, decision: str = "keep", **more: str) -> Review:
    return review(reviewer, scan, decision, kind="quality", **more)


def test_a_quality_review_excludes_what_most_reviewers_exclude_and_flags_the_rest(tmp_path: Path) -> None:
    flagged = INCLUDED | {"flags": ["tilted"]}
    args = run(
        tmp_path,
        *[INCLUDED, INCLUDED, flagged, INCLUDED, EXCLUDED | {"reason": "not axial"}],
        reviewed=[
            quality("A", "s0", "exclude", reason="motion: blurred"),
            quality("B", "s0", "exclude", reason="motion"),
            quality("C", "s0", "flag"),
            quality("A", "s1", "exclude"),
            quality("B", "s1"),
            quality("A", "s2", "redraw"),
            quality("A", "s3"),
            quality("A", "s4", "exclude"),
        ],
    )
    table = read_tsv(args.cohort).fillna("").set_index("scan_id")
    assert table[["status", "reason", "flags"]].to_numpy().tolist() == [
        ["excluded", "quality review: motion: blurred; motion", ""],
        ["included", "", "quality_review_exclude"],
        ["included", "", "quality_review_redraw,tilted"],
        ["included", "", ""],
        ["excluded", "not axial", ""],
    ]
    flow = read_tsv(args.flow).fillna("").to_numpy().tolist()
    assert ["excluded", "quality review", 1, 1] in flow
    assert table.loc["s0", "ICH_ml"] == 30, "what is known of it stays"


def test_a_quality_review_of_other_scans_or_of_results_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        run(tmp_path, INCLUDED, reviewed=[quality("A", "s0"), quality("A", "s7"), review("B", "s0")])
    assert [(one.row, one.key) for one in caught.value.problems] == [("4", "kind"), ("3", "scan_id")]
    assert not (tmp_path / "cohort.tsv").exists()


def test_a_cohort_without_exclusions(tmp_path: Path) -> None:
    flow = read_tsv(run(tmp_path, INCLUDED, INCLUDED).flow)
    assert flow["scans"].tolist() == [2, 2]


def test_errors_are_put_aside_in_one_table_that_names_the_rows(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run(tmp_path, faulty("7"), INCLUDED, faulty("9"))
    (warning,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    lines = warning.getMessage().splitlines()
    assert lines[0].startswith("2 scans have errors")
    assert [("2 of scans.tsv" in line, "7" in line) for line in lines[3:4]] == [(True, True)]
    assert [("4 of scans.tsv" in line, "9" in line) for line in lines[4:5]] == [(True, True)]


def test_flags_of_included_scans_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    tilted = {"flags": ["tilted"]}
    run(tmp_path, INCLUDED | tilted, INCLUDED | tilted, EXCLUDED | tilted | {"reason": "not axial"})
    assert any(line.split()[1:] == ["flag", "2", "scans", "tilted"] for line in caplog.messages)


@pytest.mark.parametrize(("max_excluded", "stops"), [(0.5, False), (0.49, True), (0.0, True)])
def test_too_many_lost_scans_end_the_run_with_counts_and_names(
    tmp_path: Path, max_excluded: float, stops: bool
) -> None:
    records = INCLUDED, EXCLUDED | {"reason": "missing section: 12 mm"}, faulty("7"), INCLUDED
    if not stops:
        run(tmp_path, *records, max_excluded=max_excluded)
        return
    with pytest.raises(BadInput) as caught:
        run(tmp_path, *records, max_excluded=max_excluded)
    message = str(caught.value)
    assert "2 of 4 baseline scans (50.0%)" in message
    assert "missing section (1); unknown label (1)" in message
    for words in ("s1", "excluded: missing section: 12 mm", "s2", "error: unknown label: 7"):
        assert words in message
    assert not (tmp_path / "cohort.tsv").exists()


def test_a_refused_scan_ends_the_run_and_its_id_is_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        run(tmp_path, INCLUDED, refused("scan_id"), refused("participant_id"))
    message = str(caught.value)
    rows = [line.split()[1:3] for line in message.splitlines()[2:]]
    assert rows == [["3", "scan_id"], ["4", "participant_id"]]
    for secret in ("SMITH", "s1", "p1", "s2", "p2"):
        assert secret not in message.replace(str(tmp_path), "")
    assert not (tmp_path / "cohort.tsv").exists()


def test_scans_that_are_not_baseline_are_excluded_without_being_read(tmp_path: Path) -> None:
    follow_up = {"timepoint": "follow-up", "dicom": "", "mask": "", "participant_id": "p0"}
    write_later = run(
        tmp_path, INCLUDED, INCLUDED, columns=("timepoint",), changes={1: follow_up}, max_excluded=0.0
    )
    (tmp_path / "data" / "s1" / "scan.json").unlink()
    cohort.main(**vars(write_later))
    table = read_tsv(write_later.cohort).set_index("scan_id")
    assert table.loc["s1", ["status", "reason"]].tolist() == ["excluded", "not a baseline scan"]
    flow = read_tsv(write_later.flow)
    assert flow["scans"].tolist() == [2, 1, 1]
    assert flow["participants"].tolist() == [1, 1, 1]


def test_a_scan_that_is_left_out_is_counted_with_its_reason(tmp_path: Path) -> None:
    left_out = {"left_out": "spacing unknown: 69 slices", "image": "", "mask": ""}
    args = run(tmp_path, INCLUDED, INCLUDED, columns=("left_out",), changes={1: left_out}, max_excluded=0.0)
    (tmp_path / "data" / "s1" / "scan.json").unlink()
    cohort.main(**vars(args))
    table = read_tsv(args.cohort).set_index("scan_id")
    assert table.loc["s1", ["status", "reason"]].tolist() == ["excluded", "spacing unknown: 69 slices"]
    flow = read_tsv(args.flow).fillna("")
    assert flow[["status", "reason", "scans"]].to_numpy().tolist() == [
        ["in sheet", "", 2],
        ["excluded", "spacing unknown", 1],
        ["included", "", 1],
    ]


def test_ages_are_capped_in_the_record(tmp_path: Path) -> None:
    ages = {0: {"age": "97"}, 1: {"age": "90"}, 2: {"age": ""}, 3: {"age": "41"}}
    table = read_tsv(run(tmp_path, *[INCLUDED] * 4, changes=ages).cohort)
    assert table["age"].fillna(-1).tolist() == [90, 90, -1, 41]


SAME = {"pixels_sha256": "same"}


def test_same_pixels_of_one_participant_are_kept_once(tmp_path: Path) -> None:
    changes = {1: {"participant_id": "p0"}, 2: {"participant_id": "p0"}}
    args = run(tmp_path, INCLUDED | SAME, INCLUDED | SAME, INCLUDED, changes=changes)
    table = read_tsv(args.cohort).set_index("scan_id")
    assert table["status"].tolist() == ["included", "excluded", "included"]
    assert table.loc["s1", "reason"] == "same pixels as another scan: s0"
    assert "same pixels as another scan" in read_tsv(args.flow)["reason"].tolist()


def test_the_first_by_id_is_kept_whatever_the_order_of_the_sheet(tmp_path: Path) -> None:
    # s9 stands in the first row, and its record is that of the first.
    of_s9 = INCLUDED | SAME | {"drawings_sha256": {}}
    write_json(of_s9, tmp_path / "data" / "s9" / "scan.json")
    changes = {0: {"scan_id": "s9", "participant_id": "p1"}}
    table = read_tsv(run(tmp_path, INCLUDED, INCLUDED | SAME, changes=changes).cohort).set_index("scan_id")
    assert table["status"].to_dict() == {"s9": "excluded", "s1": "included"}


def test_same_pixels_of_two_participants_are_an_error_of_all(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    changes = {1: {"participant_id": "p0"}}
    records = [INCLUDED | SAME, INCLUDED | SAME, INCLUDED, INCLUDED | SAME]
    args = run(tmp_path, *records, changes=changes)
    table = read_tsv(args.cohort).set_index("scan_id")
    assert table["status"].tolist() == ["error", "error", "included", "error"]
    reason = "same pixels as a scan of another participant: s0 (row 2), s1 (row 3)"
    assert table.loc["s3", "reason"] == reason
    assert "whose are they?" in caplog.text
    flow = read_tsv(args.flow).set_index("status")["scans"]
    assert flow["error"] == 3


EXTERNAL = {"set": "external:ashby"}


def test_external_scans_are_in_the_cohort_and_counted_by_themselves(tmp_path: Path) -> None:
    changes = {1: EXTERNAL, 2: EXTERNAL, 3: EXTERNAL}
    records = [INCLUDED, INCLUDED, INCLUDED, EXCLUDED | {"reason": "not axial"}]
    args = run(tmp_path, *records, changes=changes, columns=("set",))
    table = read_tsv(args.cohort)
    assert table["external_set"].fillna("").tolist() == ["", "ashby", "ashby", "ashby"]
    flow = read_tsv(args.flow).fillna("")
    assert flow.to_numpy().tolist() == [
        ["in sheet", "", 4, 4],
        ["excluded", "not axial", 1, 1],
        ["external", "ashby", 2, 2],
        ["included", "", 1, 1],
    ]


def test_what_two_sets_share_ends_the_run_in_one_table_and_takes_no_scan_out(tmp_path: Path) -> None:
    """Pixels of s0 and s3, a drawing of s1 and s4; within a set such scans are put aside."""
    records = [INCLUDED | SAME, drawn_as(mask="same"), INCLUDED, INCLUDED | SAME, drawn_as(mask="same")]
    changes = {3: EXTERNAL, 4: EXTERNAL | {"set": "external:other"}}
    with pytest.raises(BadInput) as caught:
        run(tmp_path, *records, changes=changes, columns=("set",))
    told = {problem.row: problem.message for problem in caught.value.problems}
    assert told.keys() == {"2", "3", "5", "6"}
    assert told["2"].startswith("same pixels as a scan of another participant: s3 (row 5)")
    assert told["6"].startswith("same drawing as a scan of another participant: s1 (row 3)")
    assert not (tmp_path / "cohort.tsv").exists()


def test_a_class_or_a_scan_of_external_sets_alone_can_not_be_learnt(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no voxel of IVH in the masks of all 1 included scans"):
        run(tmp_path, without("IVH"), INCLUDED, changes={1: EXTERNAL}, columns=("set",))
    with pytest.raises(BadInput, match="no scan is eligible"):
        run(tmp_path, EXCLUDED | {"reason": "not axial"}, INCLUDED, changes={1: EXTERNAL}, columns=("set",))


def test_excluded_scans_share_no_pixels(tmp_path: Path) -> None:
    """No digest is no digest: scans that were never converted are no duplicates of each other."""
    table = read_tsv(run(tmp_path, INCLUDED, *[EXCLUDED | {"reason": "not axial"}] * 2).cohort)
    assert table["reason"].tolist()[1:] == ["not axial"] * 2


def drawn_as(**digests: str) -> dict[str, Any]:
    return INCLUDED | {"drawings_sha256": digests}


def test_one_drawing_of_two_participants_is_an_error_of_all(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whichever rater's it is; scans of one participant may share a drawing, as two reconstructions do."""
    records = [
        drawn_as(mask="same"),
        drawn_as(mask="own", mask_inter="same"),
        drawn_as(mask="own as well"),
        drawn_as(mask="same"),
        drawn_as(mask="of one participant"),
        drawn_as(mask="of one participant"),
    ]
    changes = {
        1: {"mask_inter": "second.nii.gz"},
        3: {"participant_id": "p0"},
        5: {"participant_id": "p4"},
    }
    args = run(tmp_path, *records, changes=changes, columns=("mask_inter",))
    table = read_tsv(args.cohort).set_index("scan_id")
    assert table["status"].tolist() == ["error", "error", "included", "error", "included", "included"]
    assert table.loc["s0", "reason"] == "same drawing as a scan of another participant: s1 (row 3)"
    assert table.loc["s1", "reason"].endswith(": s0 (row 2), s3 (row 5)")
    assert "whose is it?" in caplog.text
    (table_of_errors,) = (text for text in caplog.messages if "have errors" in text)
    columns = [line.split()[2] for line in table_of_errors.splitlines()[3:]]
    assert columns == ["mask", "mask_inter", "mask"]


def test_scans_without_a_lesion_share_no_drawing(tmp_path: Path) -> None:
    table = read_tsv(run(tmp_path, INCLUDED, drawn_as(), drawn_as()).cohort)
    assert set(table["status"]) == {"included"}


def test_a_drawing_is_known_though_its_first_scan_is_lost_for_another_reason(tmp_path: Path) -> None:
    """Of two participants with one volume and one drawing, and a third with the drawing, none may stay."""
    both = drawn_as(mask="same") | SAME
    table = read_tsv(run(tmp_path, both, both, drawn_as(mask="same"), INCLUDED).cohort).set_index("scan_id")
    assert table["status"].tolist() == ["error", "error", "error", "included"]
    assert table["reason"].dropna().str.split().str[1].tolist() == ["pixels", "pixels", "drawing"]


def test_no_eligible_scan_ends_the_run_with_the_reasons(tmp_path: Path) -> None:
    told = r"no scan is eligible: missing section \(2\); mend or add scans.*snakemake qc"
    with pytest.raises(BadInput, match=told):
        run(tmp_path, *[EXCLUDED | {"reason": "missing section: 12 mm"}] * 2)


def without(label: str, *others: str) -> dict[str, Any]:
    return INCLUDED | {"volumes_ml": {**INCLUDED["volumes_ml"], **dict.fromkeys([label, *others], 0.0)}}


def test_a_class_that_no_included_mask_has_ends_the_run(tmp_path: Path) -> None:
    with_ivh_but_lost = EXCLUDED | {"reason": "not axial", "volumes_ml": {"ICH": 1.0, "PHE": 1.0, "IVH": 1.0}}
    with pytest.raises(BadInput) as caught:
        run(tmp_path, without("IVH"), without("IVH", "PHE"), with_ivh_but_lost)
    (problem,) = caught.value.problems
    assert problem.key == "labels.IVH"
    assert "no voxel of IVH in the masks of all 2 included scans" in problem.message
    assert problem.message.endswith("take it out of labels")
    assert not (tmp_path / "cohort.tsv").exists()


def test_all_classes_that_no_mask_has_are_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        run(tmp_path, without("IVH", "PHE"))
    assert [problem.key for problem in caught.value.problems] == ["labels.PHE", "labels.IVH"]


def test_a_class_in_one_mask_is_enough(tmp_path: Path) -> None:
    assert run(tmp_path, without("IVH"), without("PHE")).cohort.is_file()


def test_files_that_are_gone_since_the_conversion_are_an_error(tmp_path: Path) -> None:
    gone = INCLUDED | {"instances": [{"number": 1, "sha256": "0" * 64}]}
    table = read_tsv(run(tmp_path, INCLUDED, gone).cohort).set_index("scan_id")
    assert table["status"].tolist() == ["included", "error"]
    assert table.loc["s1", "reason"] == "its files are not those that were converted"
