"""Dice, volumes, presence and swap; nnU-Net, MONAI and SimpleITK are asked, too."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from headct.metrics import grid, overlap
from support import metric_cases as cases
from support.label_sets import LABELS

SHAPE = (3, 5, 4)
GAPS_MM = (4.0, 2.0)
"""Between slices; their weights are 4, 3 and 2 mm."""

label_maps = arrays(np.uint8, SHAPE, elements=st.integers(0, 3))
spacings = st.floats(0.2, 5)


def measured(reference: np.ndarray, predicted: np.ndarray, place: grid.Grid) -> dict[str, dict[str, Any]]:
    counts = overlap.confusion_per_slice(reference, predicted, LABELS.n_classes)
    return {
        label: overlap.measure(counts, (value,), place, 0.1, LABELS.haemorrhage_values())
        for label, value in LABELS.items()
    }


def test_two_balls_of_known_dice() -> None:
    # Vector agreed on for the project: MONAI's DiceMetric gives the same.
    reference, predicted = (mask.astype(np.uint8) for mask in cases.BALLS)
    ich = measured(reference, predicted, cases.regular(reference.shape, cases.BALL_SPACING))["ICH"]
    assert ich["dice"] == ich["dice_present"] == pytest.approx(0.804304, abs=5e-7)
    assert ich["reference_ml"] == ich["reference_header_ml"] == pytest.approx(1775 * 0.00125)
    assert ich["volume_error_ml"] == pytest.approx((1199 - 1775) * 0.00125)


@pytest.mark.parametrize(
    ("reference", "predicted", "intersection", "expected"),
    [(0, 0, 0, 1.0), (0, 3, 0, 0.0), (3, 0, 0, 0.0), (4, 4, 4, 1.0), (4, 2, 2, 2 / 3)],
)
def test_dice_conventions(reference: int, predicted: int, intersection: int, expected: float) -> None:
    assert overlap.dice(reference, predicted, intersection) == pytest.approx(expected)


def test_dice_over_present_lesions_is_empty_where_there_is_none() -> None:
    nothing, something = np.zeros(SHAPE, np.uint8), np.full(SHAPE, 3, np.uint8)
    place = cases.grid_of(SHAPE)
    for predicted, dice in ((nothing, 1.0), (something, 0.0)):
        ivh = measured(nothing, predicted, place)["IVH"]
        assert ivh["dice"] == dice
        assert math.isnan(ivh["dice_present"])


def test_slices_count_with_their_own_weights() -> None:
    reference, predicted = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, np.uint8)
    reference[0, 0, :2] = 1  # 2 voxels of 4 mm
    reference[2, 0, :1] = 1  # 1 voxel of 2 mm
    predicted[2, 0, :3] = 1  # 3 voxels of 2 mm, 1 of them right
    ich = measured(reference, predicted, cases.grid_of(SHAPE, (0.5, 0.4), GAPS_MM))["ICH"]
    assert ich["reference_ml"] == pytest.approx(0.2 * (2 * 4 + 2) / 1000)
    assert ich["predicted_ml"] == pytest.approx(0.2 * 3 * 2 / 1000)
    assert ich["intersection_ml"] == pytest.approx(0.2 * 2 / 1000)
    assert ich["false_positive_ml"] == pytest.approx(0.2 * 2 * 2 / 1000)
    assert ich["false_negative_ml"] == pytest.approx(0.2 * 2 * 4 / 1000)
    assert ich["dice"] == pytest.approx(2 * 1 / (3 + 3))  # Dice counts voxels


@pytest.mark.parametrize("tilt_deg", [0.0, 20.0])
def test_header_volumes_are_those_of_the_spacing_that_itk_reads(tilt_deg: float) -> None:
    reference, predicted = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, np.uint8)
    reference[0], predicted[0, :, :3], predicted[1, 0, 0] = 1, 1, 1  # 20 voxels; 15 of them, 1 beside
    place = cases.grid_of(SHAPE, (0.5, 0.4), GAPS_MM, tilt_deg)
    ich = measured(reference, predicted, place)["ICH"]
    # Distance between the first and the last slice's origins over the gaps; tilt stretches it.
    voxel_ml = 0.2 * 3 / math.cos(math.radians(tilt_deg)) / 1000
    for name, voxels in {
        "reference": 20,
        "predicted": 16,
        "intersection": 15,
        "false_positive": 1,
        "false_negative": 5,
        "volume_error": -4,
    }.items():
        assert ich[f"{name}_header_ml"] == pytest.approx(voxels * voxel_ml), name


@pytest.mark.parametrize(
    ("reference_ml", "predicted_ml", "at_zero", "at_minimum"),
    [
        (0, 0, "TN", "TN"),
        (0, 0.05, "FP", "TN"),
        (0, 0.2, "FP", "FP"),
        (0.2, 0, "FN", "FN"),
        (0.2, 0.05, "TP", "FN"),
        (0.05, 0.2, "TP", "FP"),
        (0.1, 0.1, "TP", "TN"),  # above the minimum, not at it
    ],
)
def test_presence(reference_ml: float, predicted_ml: float, at_zero: str, at_minimum: str) -> None:
    assert overlap.presence(reference_ml, predicted_ml, 0) == at_zero
    assert overlap.presence(reference_ml, predicted_ml, 0.1) == at_minimum


def test_presence_in_the_table_goes_by_volume() -> None:
    reference, predicted = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, np.uint8)
    reference[:], predicted[0, 0, 0] = 1, 1
    ich = measured(reference, predicted, cases.grid_of(SHAPE, (2.0, 2.0), 5.0))["ICH"]  # 0.02 mL a voxel
    assert (ich["presence"], ich["presence_at_minimum"]) == ("TP", "FN")


def test_swap_of_the_haemorrhages() -> None:
    reference, predicted = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, np.uint8)
    reference[0, 0, :3], predicted[0, 0, :3] = LABELS["ICH"], LABELS["IVH"]
    reference[1, 0, :2], predicted[1, 0, :2] = LABELS["IVH"], LABELS["ICH"]
    reference[2, 0, 0], predicted[2, 0, 0] = LABELS["ICH"], LABELS["PHE"]  # another fault
    place = cases.grid_of(SHAPE, (1.0, 1.0), GAPS_MM)
    found = measured(reference, predicted, place)
    assert found["ICH"]["swapped_ml"] == pytest.approx(3 * 4 / 1000)
    assert found["IVH"]["swapped_ml"] == pytest.approx(2 * 3 / 1000)
    assert math.isnan(found["PHE"]["swapped_ml"])
    counts = overlap.confusion_per_slice(reference, predicted, LABELS.n_classes)
    both = overlap.measure(counts, (LABELS["ICH"], LABELS["IVH"]), place, 0.1, LABELS.haemorrhage_values())
    assert both["swapped_ml"] == pytest.approx((3 * 4 + 2 * 3) / 1000)
    assert both["dice"] == pytest.approx(2 * 5 / (6 + 5))  # swapped blood is blood


def test_dice_and_counts_as_nnunet_monai_and_simpleitk(tmp_path: Path) -> None:
    import torch
    from monai.metrics import compute_dice
    from nnunetv2.evaluation.evaluate_predictions import compute_metrics
    from nnunetv2.imageio.simpleitk_reader_writer import SimpleITKIO

    reference, predicted = np.random.default_rng(0).integers(0, 4, (2, *SHAPE), dtype=np.uint8)
    images, paths = [], []
    for name, labels in (("reference", reference), ("predicted", predicted)):
        images.append(sitk.GetImageFromArray(labels))
        images[-1].SetSpacing((0.5, 0.5, 4))
        paths.append(str(tmp_path / f"{name}.nii.gz"))
        sitk.WriteImage(images[-1], paths[-1])
    nnunet = compute_metrics(*paths, SimpleITKIO(), list(LABELS.values()))["metrics"]
    itk = sitk.LabelOverlapMeasuresImageFilter()
    itk.Execute(*images)
    one_hot = [
        torch.from_numpy(np.stack([labels == value for value in LABELS.values()])[None])
        for labels in (predicted, reference)
    ]
    monai = compute_dice(*one_hot, include_background=True)[0].tolist()
    found = measured(reference, predicted, cases.grid_of(SHAPE, (0.5, 0.5), 4.0))
    for (label, value), by_monai in zip(LABELS.items(), monai, strict=True):
        ours, theirs = found[label], nnunet[value]
        assert ours["dice"] == pytest.approx(theirs["Dice"])
        assert ours["dice"] == pytest.approx(itk.GetDiceCoefficient(value))
        assert ours["dice"] == pytest.approx(by_monai)
        pairs = {
            "n_ref": "reference",
            "n_pred": "predicted",
            "TP": "intersection",
            "FP": "false_positive",
            "FN": "false_negative",
        }
        for theirs_name, ours_name in pairs.items():
            assert ours[f"{ours_name}_ml"] == pytest.approx(theirs[theirs_name] * 0.001)


@given(label_maps, label_maps)
def test_counts_are_those_of_a_plain_comparison(reference: np.ndarray, predicted: np.ndarray) -> None:
    counts = overlap.confusion_per_slice(reference, predicted, LABELS.n_classes)
    for k in range(SHAPE[0]):
        for a in range(4):
            for b in range(4):
                assert counts[k, a, b] == ((reference[k] == a) & (predicted[k] == b)).sum()


def test_different_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="shapes differ"):
        overlap.confusion_per_slice(np.zeros(SHAPE, np.uint8), np.zeros((1, 5, 4), np.uint8), 4)


@given(label_maps, label_maps)
def test_swapping_the_masks(reference: np.ndarray, predicted: np.ndarray) -> None:
    place = cases.grid_of(SHAPE, (0.6, 0.7), GAPS_MM, 12.0)
    one, other = measured(reference, predicted, place), measured(predicted, reference, place)
    for label in LABELS:
        assert one[label]["dice"] == other[label]["dice"]
        assert one[label]["false_positive_ml"] == other[label]["false_negative_ml"]
        assert one[label]["volume_error_ml"] == -other[label]["volume_error_ml"]
    assert one["ICH"]["swapped_ml"] == other["IVH"]["swapped_ml"]


@given(label_maps, label_maps)
def test_volumes_add_up(reference: np.ndarray, predicted: np.ndarray) -> None:
    place = cases.grid_of(SHAPE, (0.6, 0.7), GAPS_MM)
    whole = measured(reference, predicted, place)
    parts = [
        measured(reference[part], predicted[part], place.crop(part)) for part in (slice(0, 1), slice(1, 3))
    ]
    for label, values in whole.items():
        shared = values["intersection_ml"]
        assert values["reference_ml"] == pytest.approx(shared + values["false_negative_ml"])
        assert values["predicted_ml"] == pytest.approx(shared + values["false_positive_ml"])
        for name in ("reference_ml", "predicted_ml", "intersection_ml", "reference_header_ml"):
            assert values[name] == pytest.approx(sum(part[label][name] for part in parts))


@given(label_maps, label_maps, spacings, spacings, spacings)
def test_scaling_the_spacing_scales_volumes_and_not_dice(
    reference: np.ndarray, predicted: np.ndarray, x: float, y: float, z: float
) -> None:
    before = measured(reference, predicted, cases.grid_of(SHAPE, (0.5, 0.5), GAPS_MM))
    scaled = cases.grid_of(SHAPE, (0.5 * x, 0.5 * y), [gap * z for gap in GAPS_MM])
    after = measured(reference, predicted, scaled)
    for label in LABELS:
        assert after[label]["dice"] == before[label]["dice"]
        for name in ("reference_ml", "predicted_header_ml", "intersection_ml", "false_positive_ml"):
            assert after[label][name] == pytest.approx(before[label][name] * x * y * z, abs=1e-12)


@given(label_maps)
def test_bounding_box_loses_nothing(labels: np.ndarray) -> None:
    nothing = np.zeros_like(labels)
    box = grid.bounding_box(labels, nothing)
    assert labels[box].sum() == labels.sum()
    if labels.any():
        edges = np.nonzero(labels)
        assert [(at.start, at.stop) for at in box] == [(e.min(), e.max() + 1) for e in edges]
