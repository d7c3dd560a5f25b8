"""Ingest of one scan from the command line inwards: files, status, reasons, what must not leak."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from pydicom.dataset import Dataset

from headct.cohort import conversion, ingest
from headct.command_line import run_step
from headct.contracts.artefacts import read_json, sha256_of
from headct.contracts.problems import BadInput
from headct.contracts.repository import PACKAGE
from headct.imaging import fitness
from headct.imaging.fitness import SeriesRules
from headct.imaging.masks import MaskRules
from headct.imaging.scan_selection import CRITERION_NAMES
from headct.settings import blocks, configuration
from headct.settings.blocks import Ingest
from support.ct_series import PIXEL_MM, head, table_origins, tilted, write_series
from support.label_sets import GIVEN, LABELS, MASK_RULES, MASKS_GIVEN
from support.masked_scan import drawn, write_mask, write_sheet

TILT = 15.0


@pytest.fixture
def scan(tmp_path: Path) -> conversion.SheetScan:
    """A tilted scan of 12 slices and its mask."""
    write_series(tmp_path / "dicom", orientation=tilted(TILT))
    mask = write_mask(tmp_path / "dicom", tmp_path / "mask.nii.gz", drawn())
    return conversion.SheetScan("s1", tmp_path / "dicom", {"mask": mask}, MASK_RULES, LABELS)


def run(scan: conversion.SheetScan, out: Path) -> dict:
    conversion.ingest(scan, fitness.SeriesRules(), out)
    return read_json(out / "scan.json")


def test_included_scan(scan: conversion.SheetScan, tmp_path: Path) -> None:
    record = run(scan, tmp_path / "out")
    assert (record["status"], record["reason"], record["problems"]) == ("included", "", [])
    assert record["flags"] == ["bleed_not_dense", "little_coverage", "tilted"]
    ct, labels = (sitk.ReadImage(str(tmp_path / "out" / n)) for n in ("ct.nii.gz", "labels.nii.gz"))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(ct), head())
    np.testing.assert_array_equal(sitk.GetArrayFromImage(labels), drawn())
    assert (ct.GetPixelID(), labels.GetPixelID()) == (sitk.sitkInt16, sitk.sitkUInt8)
    gap = 5 * np.cos(np.radians(TILT))
    assert ct.GetSpacing() == pytest.approx((PIXEL_MM, PIXEL_MM, gap))
    for read in ("GetSpacing", "GetOrigin", "GetDirection"):
        assert getattr(ct, read)() == getattr(labels, read)()
    voxel_ml = PIXEL_MM**2 * gap / 1000
    expected = {"ICH": 64 * voxel_ml, "PHE": 32 * voxel_ml, "IVH": voxel_ml}
    assert record["volumes_ml"] == pytest.approx(expected)
    assert record["geometry"]["tilt_deg"] == pytest.approx(TILT)
    assert record["geometry"]["slice_weights_mm"] == pytest.approx([gap] * 12)
    assert record["geometry"]["header_spacing_z_mm"] == pytest.approx(5)
    for name, digest in record["sha256"].items():
        assert sha256_of(tmp_path / "out" / name) == digest
    files = {sha256_of(path) for path in scan.image.iterdir()}
    assert {instance["sha256"] for instance in record["instances"]} == files
    assert [instance["number"] for instance in record["instances"]] == list(range(1, 13))


def test_equal_input_gives_equal_bytes(scan: conversion.SheetScan, tmp_path: Path) -> None:
    for out in ("a", "b"):
        run(scan, tmp_path / out)
    assert len(list((tmp_path / "a").iterdir())) == 3
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()
    mtime = (tmp_path / "a" / "ct.nii.gz").read_bytes()[4:8]
    assert mtime == b"\0\0\0\0"


def test_second_readings(scan: conversion.SheetScan, tmp_path: Path) -> None:
    other = drawn()
    other[3] = 0
    second = write_mask(scan.image, tmp_path / "second.nii.gz", other)
    both = conversion.SheetScan("s1", scan.image, {**scan.masks, "mask_inter": second}, MASK_RULES, LABELS)
    record = run(both, tmp_path / "out")
    assert record["second_readings"]["inter"]["ICH"] == pytest.approx(record["volumes_ml"]["ICH"] * 3 / 4)
    assert "labels_inter.nii.gz" in record["sha256"]
    assert len(set(record["drawings_sha256"].values())) == 2
    stored = sitk.ReadImage(str(tmp_path / "out" / "labels_inter.nii.gz"))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(stored), other)


def test_a_drawing_has_one_digest_whatever_header_it_has(scan: conversion.SheetScan, tmp_path: Path) -> None:
    """A rater's array that was written again with the header of another patient's scan."""
    record = run(scan, tmp_path / "out")
    write_series(tmp_path / "upright", origins=table_origins(start=(0.0, -50.0, 30.0)))
    mask = write_mask(tmp_path / "upright", tmp_path / "upright.nii.gz", drawn())
    again = run(replace(scan, image=tmp_path / "upright", masks={"mask": mask}), tmp_path / "again")
    assert list(record["drawings_sha256"]) == ["mask"]
    assert record["drawings_sha256"] == again["drawings_sha256"]
    assert record["sha256"]["labels.nii.gz"] != again["sha256"]["labels.nii.gz"]


def test_prone_scan_and_its_mask_are_turned_together(tmp_path: Path) -> None:
    """Rows to the right and columns to anterior, as for a patient on the belly."""
    write_series(tmp_path / "dicom", orientation=(-1, 0, 0, 0, -1, 0))
    mask = write_mask(tmp_path / "dicom", tmp_path / "mask.nii.gz", drawn())
    record = run(
        conversion.SheetScan("s1", tmp_path / "dicom", {"mask": mask}, MASK_RULES, LABELS), tmp_path / "out"
    )
    assert record["flags"] == ["bleed_not_dense", "little_coverage", "moved_in_plane"]
    ct = sitk.ReadImage(str(tmp_path / "out" / "ct.nii.gz"))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(ct), head()[:, ::-1, ::-1])
    labels = sitk.ReadImage(str(tmp_path / "out" / "labels.nii.gz"))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(labels), drawn()[:, ::-1, ::-1])
    assert labels.GetDirection() == (1, 0, 0, 0, 1, 0, 0, 0, 1)
    assert labels.TransformIndexToPhysicalPoint((15, 15, 0)) == pytest.approx((-30, -30, 10))


def test_excluded_scan_leaves_its_record_only(scan: conversion.SheetScan, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(scan, out)
    write_series(tmp_path / "gap", origins=np.delete(table_origins(13), 6, axis=0))
    record = run(conversion.SheetScan("s1", tmp_path / "gap", scan.masks, MASK_RULES, LABELS), out)
    assert record["status"] == "excluded"
    assert record["reason"].startswith("missing section: 10.00 mm")
    assert record["problems"] == []
    assert [path.name for path in out.iterdir()] == ["scan.json"]


def test_an_excluded_scan_does_not_need_a_mask(tmp_path: Path) -> None:
    write_series(tmp_path / "dicom", head(5))
    nowhere = {"mask": tmp_path / "nowhere.nii.gz"}
    record = run(
        conversion.SheetScan("s1", tmp_path / "dicom", nowhere, MASK_RULES, LABELS), tmp_path / "out"
    )
    assert (record["status"], record["problems"]) == ("excluded", [])


def test_faults_of_folder_and_masks_are_reported_together(tmp_path: Path) -> None:
    (tmp_path / "dicom").mkdir()
    missing = {key: tmp_path / f"{key}.nii.gz" for key in ("mask", "mask_intra")}
    record = run(
        conversion.SheetScan("s1", tmp_path / "dicom", missing, MASK_RULES, LABELS), tmp_path / "out"
    )
    assert record["status"] == "error"
    assert [p["key"] for p in record["problems"]] == ["image", "mask", "mask_intra"]
    assert set(record["problems"][0]) == {"file", "row", "key", "value", "message"}
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["scan.json"]


def test_mask_of_another_scan(scan: conversion.SheetScan, tmp_path: Path) -> None:
    write_series(tmp_path / "other", origins=table_origins() + 33, orientation=tilted(TILT))
    record = run(
        conversion.SheetScan("s1", tmp_path / "other", scan.masks, MASK_RULES, LABELS), tmp_path / "out"
    )
    assert record["status"] == "error"
    assert "does not fit the scan: its origin is" in record["problems"][0]["message"]


def test_values_that_are_not_hounsfield_units_are_not_passed_on(tmp_path: Path) -> None:
    def forget(_: int, dataset: Dataset) -> None:
        del dataset.RescaleIntercept

    write_series(tmp_path / "stored", change=forget)
    write_series(tmp_path / "shifted", intercept=0, hounsfield=head() + 1000)
    no_rescale = run(conversion.SheetScan("s1", tmp_path / "stored", {}, MASK_RULES, LABELS), tmp_path / "1")
    assert no_rescale["reason"] == "pixel values are not HU: no air in view, no rescale"
    flagged = run(conversion.SheetScan("s1", tmp_path / "shifted", {}, MASK_RULES, LABELS), tmp_path / "2")
    assert flagged["flags"] == ["little_coverage", "no_air_in_view"]


def test_no_identifier_and_no_path_in_outputs_or_messages(scan: conversion.SheetScan, tmp_path: Path) -> None:
    broken = conversion.SheetScan("s2", tmp_path / "canary-folder", {}, MASK_RULES, LABELS)
    for path in write_series(tmp_path / "canary-folder")[:1]:
        path.write_bytes(path.read_bytes()[:-9])
    for index, each in enumerate((scan, broken)):
        run(each, tmp_path / str(index))
        for path in (tmp_path / str(index)).iterdir():
            content = path.read_bytes().lower()
            assert b"canary" not in content
            assert str(tmp_path).lower().encode() not in content


def test_settings_are_checked() -> None:
    with pytest.raises(BadInput) as caught:
        blocks.given(Ingest, '{"minimum": 3, "series_preference": ["best"], "sharp_kernels": ["("]}')
    assert [(p.key, p.value) for p in caught.value.problems] == [
        ("minimum", ""),
        ("series_preference.0", "best"),
        ("sharp_kernels.0", "("),
    ]
    assert "no regular expression: missing )" in str(caught.value)
    chosen = blocks.given(Ingest, '{"series_preference": ["more_slices"]}')
    assert ingest.rules_from(chosen) == SeriesRules(series_preference=("more_slices",))


def test_the_schema_has_the_same_defaults_and_criteria() -> None:
    assert ingest.rules_from(blocks.given(Ingest, "{}")) == SeriesRules()
    schema = configuration.load_schema()["properties"]["ingest"]["properties"]["series_preference"]
    assert sorted(schema["items"]["enum"]) == sorted(CRITERION_NAMES)


@pytest.mark.parametrize(
    "change", [{"ICH": None}, {"ICH": [2]}, {"ICH": [0]}, {"ICH": 1}, {"ignore": [3]}, {"ICH": ["1"]}]
)
def test_values_of_masks_are_checked(change: dict[str, Any]) -> None:
    values = {"ICH": [1], "PHE": [2], "IVH": [3], "ignore": []} | change
    given = {name: of for name, of in values.items() if of is not None}
    with pytest.raises(
        BadInput, match=r"key site-b, .*none of them twice, for each of ICH, PHE, IVH, ignore"
    ):
        ingest.mask_rules_from(json.dumps({"site-b": given}), LABELS)


def test_masks_of_one_source_have_other_values(scan: conversion.SheetScan, tmp_path: Path) -> None:
    """One drawing, in the values of each of two sources; a third source is not known."""
    other = sitk.ReadImage(str(scan.masks["mask"]))
    values = sitk.GetArrayFromImage(other)
    turned = sitk.GetImageFromArray(np.choose(values, [0, 12, 11, 10]).astype(np.uint8))
    turned.CopyInformation(other)
    sitk.WriteImage(turned, str(tmp_path / "b.nii.gz"))
    maps = {"labels": {"ICH": [1], "PHE": [2], "IVH": [3], "ignore": []}}
    maps["site-b"] = {"ICH": [12], "PHE": [11], "IVH": [10], "ignore": [1]}
    for name, label_map, mask in (("a", "", scan.masks["mask"]), ("b", "site-b", tmp_path / "b.nii.gz")):
        sheet = write_sheet(tmp_path / "scans.tsv", replace(scan, scan_id=name, masks={"mask": mask}))
        header, row = sheet.read_text(encoding="utf-8").splitlines()
        sheet.write_text(f"{header}\tlabels\n{row}\t{label_map}\n", encoding="utf-8")
        words = ["--sheet", sheet, *GIVEN, "--label-values", json.dumps(maps)]
        words += ["--data", tmp_path / "out", "--manifest", tmp_path / "m.tsv"]
        run_step("ingest", list(map(str, words)))
    first, second = (tmp_path / "out" / name for name in ("a", "b"))
    assert read_json(first / "scan.json")["status"] == "included"
    assert (first / "labels.nii.gz").read_bytes() == (second / "labels.nii.gz").read_bytes()
    with pytest.raises(BadInput, match="row 2, key labels, value site-b: no such name under label_maps"):
        ingest.rules_of_row({"labels": "site-b", "row": 2}, {"labels": MASK_RULES}, tmp_path)


def test_a_mask_without_a_lesion_is_a_fault_or_data(scan: conversion.SheetScan, tmp_path: Path) -> None:
    nothing = sitk.ReadImage(str(scan.masks["mask"])) * 0
    sitk.WriteImage(nothing, str(tmp_path / "empty.nii.gz"))
    empty = replace(scan, masks={"mask": tmp_path / "empty.nii.gz"})
    record = run(empty, tmp_path / "out")
    assert (record["status"], record["problems"][0]["key"]) == ("error", "mask")
    assert "set ingest.empty_masks to lesion_free" in record["reason"]
    record = run(replace(empty, mask_rules=replace(MASK_RULES, may_be_empty=True)), tmp_path / "out")
    assert (record["status"], "free_of_lesions" in record["flags"]) == ("included", True)
    assert record["volumes_ml"] == {"ICH": 0, "PHE": 0, "IVH": 0}
    assert record["drawings_sha256"] == {}


def test_values_that_are_ignored_are_counted_and_flagged(scan: conversion.SheetScan, tmp_path: Path) -> None:
    drawn = sitk.GetArrayFromImage(sitk.ReadImage(str(scan.masks["mask"])))
    rules = MaskRules({"ICH": (1,), "PHE": (2,), "IVH": ()}, ignored=(3,))
    record = run(replace(scan, mask_rules=rules), tmp_path / "out")
    assert "mask_has_ignored_values" in record["flags"]
    assert record["ignored_voxels"] == {"mask": {"3": int((drawn == 3).sum())}}
    assert record["volumes_ml"]["IVH"] == 0


def test_command_line(scan: conversion.SheetScan, tmp_path: Path) -> None:
    path = write_sheet(tmp_path / "scans.tsv", scan)
    command = [sys.executable, "-m", "headct", "ingest", "--sheet", path, *MASKS_GIVEN]
    command += ["--data", tmp_path / "out", "--manifest", tmp_path / "0.tsv", "--log", tmp_path / "log"]
    environment = {"PYTHONPATH": str(PACKAGE.parent)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "s1: included\n")
    assert read_json(tmp_path / "out/s1/scan.json")["status"] == "included"


def test_import_is_light() -> None:
    """No table or learning library may be loaded: a shard that is as it was should cost little."""
    # nibabel imports the name scipy, which loads none of its libraries: those are what takes time.
    heavy = ("pandas", "scipy.linalg", "scipy.ndimage", "scipy.sparse", "scipy.stats", "torch")
    code = f"import sys, headct.cohort.ingest; print([m for m in {heavy} if m in sys.modules])"
    environment = {"PYTHONPATH": str(PACKAGE.parent)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_the_mask_says_which_of_two_reconstructions_was_drawn_on(
    scan: conversion.SheetScan, tmp_path: Path
) -> None:
    thin = table_origins(25, 2.5)
    write_series(tmp_path / "dicom", head(25), thin, tilted(TILT), series=2)
    record = run(scan, tmp_path / "out")
    assert (record["status"], record["series"]["chosen"]["instances"]) == ("included", 12)
    assert record["series"]["rejected"][0]["reason"] == "another series is better by fits_mask"
    without = run(
        conversion.SheetScan("s1", tmp_path / "dicom", {}, MASK_RULES, LABELS), tmp_path / "without"
    )
    assert without["reason"].startswith("2 series are equally good")


def test_a_name_that_holds_the_patient_id_is_refused(scan: conversion.SheetScan, tmp_path: Path) -> None:
    named = replace(scan, participant_id="site1-canary-id")
    record = run(named, tmp_path / "out")
    assert record["status"] == "refused"
    assert [problem["key"] for problem in record["problems"]] == ["participant_id"] * len(record["problems"])
    assert "canary" not in str(record).lower()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["scan.json"]
