"""Dice and volumes, and what headct.metrics does with damaged, missing and wrong predictions."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from headct import metrics
from headct.artefacts import read_tsv, sha256_of, write_json, write_tsv
from headct.labels import LABELS
from headct.problems import BadInput

SHAPE = (3, 5, 4)
WEIGHTS_MM = (5.0, 4.0, 2.5)
label_maps = arrays(np.uint8, SHAPE, elements=st.integers(0, 3))
weights = arrays(float, SHAPE[0], elements=st.floats(0.1, 10))


def ball(centre_zyx: tuple[int, int, int], radius_mm: float) -> np.ndarray:
    z, y, x = np.ogrid[:12, :40, :40]
    cz, cy, cx = centre_zyx
    return ((z - cz) * 5) ** 2 + ((y - cy) * 0.5) ** 2 + ((x - cx) * 0.5) ** 2 <= radius_mm**2


def test_two_balls_of_known_dice() -> None:
    # Vector agreed on for the project: MONAI's DiceMetric gives the same.
    reference, predicted = (ball((6, 20, 20), 8).astype(np.uint8), ball((6, 22, 21), 7).astype(np.uint8))
    assert (reference.sum(), predicted.sum()) == (1775, 1199)
    voxel_ml = np.full(12, 5 * 0.5 * 0.5 / 1000)
    ich = metrics.measure(metrics.confusion_per_slice(reference, predicted), voxel_ml)["ICH"]
    assert ich["dice"] == pytest.approx(0.804304, abs=5e-7)
    assert ich["reference_ml"] == pytest.approx(1775 * 0.00125)
    assert ich["volume_error_ml"] == pytest.approx((1199 - 1775) * 0.00125)


@pytest.mark.parametrize(
    ("reference", "predicted", "intersection", "expected"),
    [(0, 0, 0, 1.0), (0, 3, 0, 0.0), (3, 0, 0, 0.0), (4, 4, 4, 1.0), (4, 2, 2, 2 / 3)],
)
def test_dice_conventions(reference: int, predicted: int, intersection: int, expected: float) -> None:
    assert metrics.dice(reference, predicted, intersection) == pytest.approx(expected)


def test_slices_count_with_their_own_weights() -> None:
    reference, predicted = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, np.uint8)
    reference[0, 0, :2] = 1  # 2 voxels of 5 mm
    reference[2, 0, :1] = 1  # 1 voxel of 2.5 mm
    predicted[2, 0, :3] = 1  # 3 voxels of 2.5 mm, 1 of them right
    geometry = {"spacing_mm_xyz": [0.5, 0.4, 99.0], "slice_weights_mm": WEIGHTS_MM}
    voxel_ml = metrics.slice_voxel_volumes_ml(geometry)
    ich = metrics.measure(metrics.confusion_per_slice(reference, predicted), voxel_ml)["ICH"]
    assert ich["reference_ml"] == pytest.approx(0.2 * (2 * 5 + 2.5) / 1000)
    assert ich["predicted_ml"] == pytest.approx(0.2 * 3 * 2.5 / 1000)
    assert ich["intersection_ml"] == pytest.approx(0.2 * 2.5 / 1000)
    assert ich["false_positive_ml"] == pytest.approx(0.2 * 2 * 2.5 / 1000)
    assert ich["false_negative_ml"] == pytest.approx(0.2 * 2 * 5 / 1000)
    assert ich["dice"] == pytest.approx(2 * 1 / (3 + 3))  # Dice counts voxels


@given(label_maps, label_maps)
def test_counts_are_those_of_a_plain_comparison(reference: np.ndarray, predicted: np.ndarray) -> None:
    counts = metrics.confusion_per_slice(reference, predicted)
    for k in range(SHAPE[0]):
        for a in range(4):
            for b in range(4):
                assert counts[k, a, b] == ((reference[k] == a) & (predicted[k] == b)).sum()


def test_different_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="shapes differ"):
        metrics.confusion_per_slice(np.zeros(SHAPE, np.uint8), np.zeros((1, 5, 4), np.uint8))


@given(label_maps, label_maps, weights)
def test_swapping_the_masks(reference: np.ndarray, predicted: np.ndarray, voxel_ml: np.ndarray) -> None:
    one = metrics.measure(metrics.confusion_per_slice(reference, predicted), voxel_ml)
    other = metrics.measure(metrics.confusion_per_slice(predicted, reference), voxel_ml)
    for label in LABELS:
        assert one[label]["dice"] == other[label]["dice"]
        assert one[label]["false_positive_ml"] == other[label]["false_negative_ml"]
        assert one[label]["volume_error_ml"] == -other[label]["volume_error_ml"]


@given(label_maps, label_maps, weights)
def test_volumes_add_up(reference: np.ndarray, predicted: np.ndarray, voxel_ml: np.ndarray) -> None:
    whole = metrics.measure(metrics.confusion_per_slice(reference, predicted), voxel_ml)
    parts = [
        metrics.measure(metrics.confusion_per_slice(reference[part], predicted[part]), voxel_ml[part])
        for part in (slice(0, 1), slice(1, 3))
    ]
    for label in LABELS:
        values = whole[label]
        shared = values["intersection_ml"]
        assert values["reference_ml"] == pytest.approx(shared + values["false_negative_ml"])
        assert values["predicted_ml"] == pytest.approx(shared + values["false_positive_ml"])
        for name in ("reference_ml", "predicted_ml", "intersection_ml"):
            assert values[name] == pytest.approx(sum(part[label][name] for part in parts))


@given(label_maps, label_maps, *(st.floats(0.2, 5) for _ in range(3)))
def test_scaling_the_spacing_scales_volumes_and_not_dice(
    reference: np.ndarray, predicted: np.ndarray, x: float, y: float, z: float
) -> None:
    counts = metrics.confusion_per_slice(reference, predicted)
    plain = {"spacing_mm_xyz": [0.5, 0.5, 4], "slice_weights_mm": WEIGHTS_MM}
    scaled = {"spacing_mm_xyz": [0.5 * x, 0.5 * y, 4], "slice_weights_mm": [w * z for w in WEIGHTS_MM]}
    before, after = (metrics.measure(counts, metrics.slice_voxel_volumes_ml(g)) for g in (plain, scaled))
    for label in LABELS:
        assert after[label]["dice"] == before[label]["dice"]
        for name in ("reference_ml", "predicted_ml", "intersection_ml", "false_positive_ml"):
            assert after[label][name] == pytest.approx(before[label][name] * x * y * z, abs=1e-12)


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
            geometry = {"spacing_mm_xyz": [0.5, 0.5, 4], "slice_weights_mm": list(WEIGHTS_MM)}
            digests = {"labels.nii.gz": sha256_of(path)}
            write_json({"geometry": geometry, "sha256": digests}, path.with_name("scan.json"))
        for seed in (0, 1):
            for i, scan in ((0, "010"), (2, "001")):
                write_map(truth(i), self.prediction(scan, seed))
            self.write_manifest(seed)

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

    def arguments(self, *manifests: Path) -> argparse.Namespace:
        source = ["--predictions", *map(str, manifests)] if manifests else ["--predicts-nothing"]
        places = ["--split", str(self.split), "--data", str(self.data), "--out", str(self.out)]
        return metrics.arguments().parse_args(["--model", "m", *source, *places])

    def measure(self, *manifests: Path) -> pd.DataFrame:
        metrics.main(self.arguments(*manifests))
        return read_tsv(self.out, failure=str)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study(tmp_path)


def test_table_has_a_row_per_seed_test_scan_and_label(study: Study) -> None:
    table = study.measure(study.manifest(0), study.manifest(1))
    assert list(table.columns) == list(metrics.COLUMNS)
    keys = list(table[["seed", "scan_id", "label"]].itertuples(index=False, name=None))
    assert keys == [(s, scan, lesion) for s in (0, 1) for scan in ("010", "001") for lesion in LABELS]
    assert (table["dice"] == 1).all()
    assert table["failure"].isna().all()
    assert table.loc[0, "reference_ml"] == pytest.approx(0.25 * 4 * 5 / 1000)


def test_rebuilt_table_has_the_same_bytes(study: Study) -> None:
    study.measure(study.manifest(0), study.manifest(1))
    first = study.out.read_bytes()
    study.measure(study.manifest(1), study.manifest(0))
    assert study.out.read_bytes() == first


def test_failed_prediction_counts_as_empty_with_its_reason(study: Study) -> None:
    study.write_manifest(0, failed={"010": "ValueError: not finite"})
    table = study.measure(study.manifest(0)).set_index(["scan_id", "label"])
    assert set(table.loc["010", "failure"]) == {"ValueError: not finite"}
    assert list(table.loc["010", "dice"]) == [0, 0, 0]
    assert (table.loc["010", "predicted_ml"] == 0).all()
    assert table.loc["001", "failure"].isna().all()


def test_scan_that_the_manifest_leaves_out_counts_as_empty(study: Study) -> None:
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
    with pytest.raises(SystemExit):
        metrics.arguments().parse_args(["--model", "m", "--predicts-nothing", "--predictions", "seed-0.tsv"])


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
    record = metrics.read_json(path)
    record["geometry"]["slice_weights_mm"] = [5.0, 5.0]
    write_json(record, path)
    with pytest.raises(BadInput, match="2 slice weights for 3 slices"):
        study.measure(study.manifest(0))


def test_manifests_tell_their_seed_once(study: Study, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere" / "seed-0.tsv"
    write_tsv(read_tsv(study.manifest(0)), other)
    with pytest.raises(BadInput) as error:
        metrics.read_runs([study.manifest(0), other, tmp_path / "predictions.tsv"])
    messages = [problem.message for problem in error.value.problems]
    assert messages == ["seed 0 is given twice", "a manifest is named seed-N.tsv"]


def test_scan_listed_twice_is_refused(study: Study) -> None:
    manifest = read_tsv(study.manifest(0))
    write_tsv(pd.concat([manifest, manifest]), study.manifest(0))
    with pytest.raises(BadInput, match="listed twice"):
        metrics.read_runs([study.manifest(0)])


def test_empty_test_set_is_refused(study: Study) -> None:
    write_tsv(read_tsv(study.split).assign(set="train"), study.split)
    with pytest.raises(BadInput, match="no scan is in the test set"):
        study.measure(study.manifest(0))
