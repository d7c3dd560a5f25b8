"""From label maps to the table, and what becomes of damaged, missing and wrong predictions."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from headct.command_line import run_step
from headct.contracts.artefacts import read_json, read_tsv, sha256_of, write_json, write_tsv
from headct.contracts.problems import BadInput, WrongOptions
from headct.contracts.references import ANOTHER_RATER
from headct.metrics import COLUMNS, predictions, tolerance
from headct.metrics import measure as metrics
from support import metric_cases as cases
from support.label_sets import GIVEN, LABELS

SHAPE = (3, 5, 4)
GAPS_MM = (4.0, 2.5)
(POOLED,) = (pool.name for pool in LABELS.pools)
ALL_LABELS = (*LABELS, POOLED)

# From files to the table


def write_map(labels: np.ndarray, path: Path, spacing: tuple[float, float, float] = (0.5, 0.5, 4)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = sitk.GetImageFromArray(labels)
    image.SetSpacing(spacing)
    sitk.WriteImage(image, str(path))


def truth(i: int) -> np.ndarray:
    labels = np.zeros(SHAPE, np.uint8)
    labels[0, 1:3, 1:3] = 1
    labels[1, 1:4, 1:4] = 2
    labels[2, 0, 0] = 3 if i == 0 else 0
    return labels


class Study:
    """Three scans (two in the test set) and perfect predictions of two seeds."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.data, self.split, self.out = folder / "data", folder / "split.tsv", folder / "metrics.tsv"
        rows = [("010", "test"), ("002", "train"), ("001", "test")]
        write_tsv(pd.DataFrame(rows, columns=["scan_id", "set"]), self.split)
        for i, (scan, _) in enumerate(rows):
            path = self.data / scan / "labels.nii.gz"
            write_map(truth(i), path)
            self.write_record(scan)
        for seed in (0, 1):
            for i, scan in ((0, "010"), (2, "001")):
                write_map(truth(i), self.prediction(scan, seed))
            self.write_manifest(seed)

    def write_record(self, scan: str) -> None:
        """``scan.json`` of the label maps that the scan's folder holds."""
        folder = self.data / scan
        kinds = [kind for kind in ("intra", "inter") if (folder / f"labels_{kind}.nii.gz").exists()]
        record = {
            "geometry": cases.record(SHAPE, (0.5, 0.5), GAPS_MM),
            "sha256": {path.name: sha256_of(path) for path in folder.glob("*.nii.gz")},
            "second_readings": {kind: {} for kind in kinds},
        }
        write_json(record, folder / "scan.json")

    def prediction(self, scan: str, seed: int = 0) -> Path:
        return self.folder / "predictions" / f"seed-{seed}" / f"{scan}.nii.gz"

    def manifest(self, seed: int = 0) -> Path:
        return self.folder / "predictions" / f"seed-{seed}.tsv"

    def write_manifest(self, seed: int = 0, failed: dict[str, str] | None = None) -> None:
        failed = failed or {}
        rows = [
            {
                "scan_id": scan,
                "path": "" if scan in failed else f"seed-{seed}/{scan}.nii.gz",
                "sha256": "" if scan in failed else sha256_of(self.prediction(scan, seed)),
                "seconds": 0.1,
                "reason": failed.get(scan, ""),
            }
            for scan in ("001", "010")
        ]
        write_tsv(pd.DataFrame(rows), self.manifest(seed))

    def run(self, *source: str, settings: Mapping[str, Any] = cases.SETTINGS) -> None:
        places = ["--split", str(self.split), "--data", str(self.data), "--out", str(self.out)]
        run_step("measure", [*GIVEN, "--model", "m", *source, *places, "--settings", json.dumps(settings)])

    def measure(self, *manifests: Path) -> pd.DataFrame:
        self.run(*(["--predictions", *map(str, manifests)] if manifests else ["--predicts-nothing"]))
        return read_tsv(self.out, failure=str)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study(tmp_path)


def test_table_has_a_row_per_seed_test_scan_and_label(study: Study) -> None:
    table = study.measure(study.manifest(0), study.manifest(1))
    assert list(table.columns) == list(COLUMNS)
    keys = list(table[["seed", "scan_id", "label"]].itertuples(index=False, name=None))
    assert keys == [(s, scan, lesion) for s in (0, 1) for scan in ("010", "001") for lesion in ALL_LABELS]
    assert (table["dice"] == 1).all()
    assert set(table["surface_dice"].dropna()) == {1}
    assert table["failure"].isna().all()
    assert table.loc[0, "reference_ml"] == pytest.approx(0.25 * 4 * 4 / 1000)


def test_rebuilt_table_has_the_same_bytes(study: Study) -> None:
    study.measure(study.manifest(0), study.manifest(1))
    first = study.out.read_bytes()
    study.measure(study.manifest(1), study.manifest(0))
    assert study.out.read_bytes() == first


def test_failed_prediction_is_measured_as_empty_with_its_reason(study: Study) -> None:
    study.write_manifest(0, failed={"010": "ValueError: not finite"})
    table = study.measure(study.manifest(0)).set_index(["scan_id", "label"])
    assert set(table.loc["010", "failure"]) == {"ValueError: not finite"}
    assert list(table.loc["010", "dice"]) == [0, 0, 0, 0]
    assert (table.loc["010", "predicted_ml"] == 0).all()
    assert (table.loc["010", "surface_dice"] == 0).all()
    assert table.loc["010", ["hd95_mm", "mean_surface_distance_mm"]].isna().all(axis=None)
    assert table.loc["001", "failure"].isna().all()


def test_scan_that_the_manifest_leaves_out_is_measured_as_empty(study: Study) -> None:
    manifest = read_tsv(study.manifest(0))
    write_tsv(manifest[manifest["scan_id"] == "010"], study.manifest(0))
    table = study.measure(study.manifest(0)).set_index(["scan_id", "label"])
    assert table.loc[("001", "ICH"), "failure"] == "not in the manifest of predictions"
    assert table.loc[("001", "IVH"), "dice"] == 1  # absent from both


def test_predicting_nothing_needs_no_manifest(study: Study) -> None:
    table = study.measure()
    assert table["seed"].isna().all()
    assert table["failure"].isna().all()
    assert (table["predicted_ml"] == 0).all()
    assert list(table.loc[table["label"] == "IVH", "dice"]) == [0, 1]


def test_predictions_and_predicts_nothing_exclude_each_other(study: Study) -> None:
    with pytest.raises(WrongOptions, match="give one of"):
        study.run("--predicts-nothing", "--predictions", "seed-0.tsv")
    with pytest.raises(WrongOptions, match="give one of"):
        study.run()


def test_changed_and_vanished_predictions_are_all_told_at_once(study: Study) -> None:
    write_map(truth(1), study.prediction("010"))
    study.prediction("001", 1).unlink()
    with pytest.raises(BadInput) as error:
        study.measure(study.manifest(0), study.manifest(1))
    assert {Path(problem.file) for problem in error.value.problems} == {
        study.prediction("010"),
        study.prediction("001", 1),
    }
    assert not study.out.exists()


def test_wrong_grids_are_all_told_at_once(study: Study) -> None:
    write_map(truth(0), study.prediction("010"), spacing=(0.5, 0.5, 4.22))
    write_map(truth(2)[:2], study.prediction("001"))
    study.write_manifest(0)
    with pytest.raises(BadInput) as error:
        study.measure(study.manifest(0))
    assert {problem.key for problem in error.value.problems} == {"spacing", "size"}


def test_unknown_label_in_a_prediction_is_refused(study: Study) -> None:
    write_map(truth(0) + np.uint8(2), study.prediction("010"))
    study.write_manifest(0)
    with pytest.raises(BadInput, match="none of these"):
        study.measure(study.manifest(0))


def test_prediction_that_is_no_label_map_is_refused(study: Study) -> None:
    write_map(truth(0).astype(np.float32), study.prediction("010"))
    study.write_manifest(0)
    with pytest.raises(BadInput, match="uint8"):
        study.measure(study.manifest(0))


def test_labels_that_ingest_did_not_write_are_refused(study: Study) -> None:
    write_map(truth(1), study.data / "010" / "labels.nii.gz")
    with pytest.raises(BadInput, match="ingest this scan again"):
        study.measure(study.manifest(0))


def test_slice_weights_must_fit_the_slices(study: Study) -> None:
    path = study.data / "001" / "scan.json"
    record = read_json(path)
    record["geometry"] = cases.record((2, *SHAPE[1:]))
    write_json(record, path)
    with pytest.raises(BadInput, match="2 slice weights for 3 slices"):
        study.measure(study.manifest(0))


def test_manifests_tell_their_seed_once(study: Study, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere" / "seed-0.tsv"
    write_tsv(read_tsv(study.manifest(0)), other)
    with pytest.raises(BadInput) as error:
        predictions.read_runs([study.manifest(0), other, tmp_path / "predictions.tsv"])
    messages = [problem.message for problem in error.value.problems]
    assert messages == ["seed 0 is given twice", "a manifest is named seed-N.tsv"]


def test_scan_listed_twice_is_refused(study: Study) -> None:
    manifest = read_tsv(study.manifest(0))
    write_tsv(pd.concat([manifest, manifest]), study.manifest(0))
    with pytest.raises(BadInput, match="listed twice"):
        predictions.read_runs([study.manifest(0)])


def test_empty_test_set_is_refused(study: Study) -> None:
    write_tsv(read_tsv(study.split).assign(set="train"), study.split)
    with pytest.raises(BadInput, match="no scan is in the test set"):
        study.measure(study.manifest(0))


def test_second_readings_of_all_scans_are_measured_as_predictions(study: Study) -> None:
    write_map(truth(0), study.data / "010" / "labels_inter.nii.gz")
    write_map(truth(1), study.data / "010" / "labels_intra.nii.gz")  # misses the blood in the ventricle
    write_map(truth(1), study.data / "002" / "labels_inter.nii.gz")  # a training scan
    for scan in ("010", "002"):
        study.write_record(scan)
    study.run("--second-readings")
    table = read_tsv(study.out)
    found = table.drop_duplicates(["model", "scan_id"])[["model", "scan_id"]]
    assert list(found.itertuples(index=False, name=None)) == [
        ("m-inter", "010"),
        ("m-inter", "002"),
        ("m-intra", "010"),
    ]
    assert table["seed"].isna().all()
    wrong = table[table["dice"] < 1].set_index(["model", "label"])
    assert set(wrong.index) == {("m-intra", "IVH"), ("m-intra", POOLED)}
    assert wrong.loc[("m-intra", "IVH"), "presence"] == "FN"


def test_a_trial_without_second_readings_has_an_empty_table(study: Study) -> None:
    study.run("--second-readings")
    assert study.out.read_text(encoding="utf-8") == "\t".join(COLUMNS) + "\n"


def moved(i: int) -> np.ndarray:
    """The truth, one pixel (0.5 mm) further along a row."""
    return np.roll(truth(i), 1, axis=2)


def test_tolerance_of_the_surface_dice_is_what_raters_differ_by(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tolerance, "MINIMUM_SCANS", 2)
    for i, scan in ((0, "010"), (1, "002")):
        write_map(moved(i), study.data / scan / "labels_inter.nii.gz")
        write_map(truth(i), study.data / scan / "labels_intra.nii.gz")  # of no account
        study.write_record(scan)
    out = study.folder / "surface_tolerance.tsv"
    words = ["--split", str(study.split), "--data", str(study.data), "--out", str(out), "--settings"]
    left_open = json.dumps(cases.SETTINGS | {"surface_tolerance_mm": None})
    run_step("tolerance", [*GIVEN, *words, left_open])
    found = read_tsv(out).set_index("label")
    assert found["source"].to_dict() == {
        **dict.fromkeys(ALL_LABELS, "raters"),
        "IVH": "default",  # one scan alone has any
    }
    assert found["n"].to_dict() == {"ICH": 2, "PHE": 2, "IVH": 1, POOLED: 2}
    assert found.loc["ICH", "tolerance_mm"] == pytest.approx(0.5, abs=0.1)
    assert found.loc["IVH", "tolerance_mm"] == metrics.DEFAULT_TOLERANCE_MM

    for scan, i in (("010", 0), ("001", 2)):
        write_map(moved(i), study.prediction(scan))
    study.write_manifest()
    measured = []
    for table in ([], ["--surface-tolerance", str(out)]):
        given = cases.SETTINGS | {"surface_tolerance_mm": None if table else 0.1}
        study.run("--predictions", str(study.manifest()), *table, settings=given)
        measured.append(read_tsv(study.out).query("label == 'ICH'")["surface_dice"].to_numpy())
    strict, as_raters = measured
    assert (strict < 0.9).all()
    assert (as_raters > 0.94).all(), "a model that differs as raters do is right"


def test_few_readings_leave_the_default_tolerance() -> None:
    readings = pd.DataFrame({"model": ANOTHER_RATER, "label": "ICH", "hd95_mm": [2.0] * 9 + [np.nan]})
    table = tolerance.tolerance_table(readings, 1.5, LABELS).set_index("label")
    assert table.loc["ICH"].to_dict() == {"tolerance_mm": 1.5, "n": 9, "source": "default"}
    readings["hd95_mm"] = [1.0] * 4 + [2.0, 3.0] + [40.0] * 4
    table = tolerance.tolerance_table(readings, 1.5, LABELS).set_index("label")
    assert table.loc["ICH"].to_dict() == {"tolerance_mm": 2.5, "n": 10, "source": "raters"}


def test_second_reading_that_ingest_did_not_write_is_refused(study: Study) -> None:
    path = study.data / "010" / "labels_inter.nii.gz"
    write_map(truth(0), path)
    study.write_record("010")
    write_map(truth(1), path)
    with pytest.raises(BadInput, match="ingest this scan again"):
        study.run("--second-readings")


# All measures together


def test_planted_truth() -> None:
    # Bleeds that are right, shifted by two pixels, missed and invented; a bleed in the ventricle taken for
    # one in the tissue; oedema eroded by a pixel on either side.
    shape = (8, 60, 60)
    reference, predicted = np.zeros((2, *shape), np.uint8)
    reference[2, 10:20, 10:20], predicted[2, 10:20, 12:22] = 1, 1  # 100 voxels, 80 shared
    reference[5, 40:50, 40:50] = 1  # missed: 100 voxels
    predicted[5, 5:10, 50:60] = 1  # invented: 50 voxels
    reference[3, 30:34, 30:34], predicted[3, 30:34, 30:34] = 3, 1  # swapped: 16 voxels
    reference[6, 20:40, 2:12], predicted[6, 20:40, 3:11] = 2, 2  # 200 voxels, 160 of them predicted
    place = cases.grid_of(shape, (0.5, 0.5), 4.0, tilt_deg=15)
    voxel_ml = 0.5 * 0.5 * 4 / 1000
    found = metrics.measure(reference, predicted, place, cases.VOXELS, LABELS)

    ich = found["ICH"]
    assert ich["dice"] == pytest.approx(2 * 80 / (200 + 166))
    assert ich["false_positive_ml"] == pytest.approx((20 + 50 + 16) * voxel_ml)
    assert ich["false_negative_ml"] == pytest.approx(120 * voxel_ml)
    assert (ich["found_lesions"], ich["false_lesions"]) == (1, 2)
    assert ich["lesion_f1"] == pytest.approx(2 / (2 + 1 + 2))
    assert ich["lesion_dice"] == pytest.approx((0.8 + 0) / 2)
    assert ich["swapped_ml"] == 0

    ivh = found["IVH"]
    assert (ivh["dice"], ivh["presence"], ivh["presence_at_minimum"]) == (0, "FN", "TN")
    assert ivh["swapped_ml"] == pytest.approx(16 * voxel_ml)
    assert math.isnan(ivh["hd95_mm"])

    phe = found["PHE"]  # one slice: every voxel is on the border; 40 of 360 are one pixel off
    assert phe["dice"] == pytest.approx(2 * 160 / 360)
    assert phe["mean_surface_distance_mm"] == pytest.approx(0.5 * 40 / 360)
    assert phe["hd95_mm"] == pytest.approx(0.5)
    assert phe["surface_dice"] == 1

    total = found[POOLED]
    assert total["dice"] == pytest.approx(2 * 96 / (216 + 166))
    assert (total["reference_lesions"], total["predicted_lesions"], total["found_lesions"]) == (3, 3, 2)
    assert total["swapped_ml"] == pytest.approx(16 * voxel_ml)


label_maps = arrays(np.uint8, (3, 6, 5), elements=st.integers(0, 3))


@settings(max_examples=20)
@given(label_maps, label_maps, st.permutations([1, 2, 3]))
def test_labels_are_measured_each_for_itself(
    reference: np.ndarray, predicted: np.ndarray, order: list[int]
) -> None:
    place = cases.grid_of(reference.shape, (0.5, 0.7), (3.0, 5.0), tilt_deg=10)
    exchange = np.array([0, *order], np.uint8)
    plain = metrics.measure(reference, predicted, place, cases.AREA, LABELS)
    other = metrics.measure(exchange[reference], exchange[predicted], place, cases.AREA, LABELS)
    names = list(LABELS)
    for label, value in LABELS.items():
        exchanged = other[names[exchange[value] - 1]]
        for column, number in plain[label].items():
            if column != "swapped_ml":
                assert exchanged[column] == pytest.approx(number, nan_ok=True), column


@settings(max_examples=20)
@given(label_maps, label_maps)
def test_what_lies_around_changes_nothing(reference: np.ndarray, predicted: np.ndarray) -> None:
    around = ((1, 0), (4, 2), (3, 9))
    wide = [np.pad(labels, around) for labels in (reference, predicted)]
    measured = [
        metrics.measure(*maps, cases.grid_of(maps[0].shape, (0.5, 0.7), 4.0, 10.0), cases.AREA, LABELS)
        for maps in ((reference, predicted), wide)
    ]
    for label, column in itertools.product(ALL_LABELS, measured[0]["ICH"]):
        small, large = (found[label][column] for found in measured)
        assert large == pytest.approx(small, nan_ok=True), column
