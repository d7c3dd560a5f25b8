"""Lesions one by one: planted ones, and SciPy's components matched the plain way."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from headct.metrics import lesion_matching

pairs = array_shapes(min_dims=3, max_dims=3, max_side=6).flatmap(
    lambda shape: arrays(bool, (2, *shape), elements=st.sampled_from([True, False, False, False]))
)


def test_found_missed_split_and_invented() -> None:
    reference, predicted = np.zeros((2, 5, 30, 30), bool)
    reference[1, 2:6, 2:6] = True  # 16 voxels, found in two parts of 4
    predicted[1, 2:6, 2], predicted[1, 2:6, 5] = True, True
    reference[1, 10:14, 10:14] = True  # 16 voxels, found shifted by one row: 12 shared
    predicted[1, 11:15, 10:14] = True
    reference[3, 20, 20] = True  # missed
    predicted[3, 25, 25], predicted[3, 28, 2] = True, True  # invented
    assert lesion_matching.measure(reference, predicted, 26) == pytest.approx(
        {
            "reference_lesions": 3,
            "predicted_lesions": 5,
            "found_lesions": 2,
            "false_lesions": 2,
            "lesion_f1": 2 * 2 / (3 + 2 + 2),
            "lesion_dice": (2 * 8 / (16 + 8) + 2 * 12 / (16 + 16) + 0) / 3,
        }
    )


def test_one_prediction_over_two_lesions_finds_both() -> None:
    reference, predicted = np.zeros((2, 1, 3, 9), bool)
    reference[0, 1, :3], reference[0, 1, 6:] = True, True
    predicted[0, 1] = True  # 9 voxels
    found = lesion_matching.measure(reference, predicted, 26)
    assert (found["reference_lesions"], found["predicted_lesions"], found["found_lesions"]) == (2, 1, 2)
    assert found["lesion_f1"] == 1
    assert found["lesion_dice"] == pytest.approx(2 * 3 / (3 + 9))


@pytest.mark.parametrize(("connectivity", "count"), [(6, 3), (18, 2), (26, 1)])
def test_connectivity(connectivity: int, count: int) -> None:
    chain = np.zeros((3, 3, 3), bool)
    chain[0, 0, 0] = chain[0, 1, 1] = chain[1, 2, 2] = True  # first by an edge, then by a corner
    assert lesion_matching.measure(chain, chain, connectivity)["reference_lesions"] == count


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 3, 1), (3, 1, 1)])
def test_two_voxels_in_one_row(shape: tuple[int, int, int]) -> None:
    # cc3d 4.1.1: "maximum length exception" if the mask is boolean.
    ends = np.array([True, False, True]).reshape(shape)
    assert lesion_matching.measure(ends, ends, 26)["reference_lesions"] == 2


@pytest.mark.parametrize(
    ("reference", "predicted", "f1", "dice"),
    [(False, False, math.nan, math.nan), (True, False, 0, 0), (False, True, 0, math.nan)],
)
def test_empty_masks(reference: bool, predicted: bool, f1: float, dice: float) -> None:
    found = lesion_matching.measure(np.full((2, 2, 2), reference), np.full((2, 2, 2), predicted), 26)
    assert found["lesion_f1"] == pytest.approx(f1, nan_ok=True)
    assert found["lesion_dice"] == pytest.approx(dice, nan_ok=True)


@settings(max_examples=100)
@given(pairs)
def test_as_plain_matching_of_scipys_components(pair: np.ndarray) -> None:
    reference, predicted = pair
    (r, n), (p, m) = (ndimage.label(mask, np.ones((3, 3, 3))) for mask in (reference, predicted))
    dices = []
    for i in range(1, n + 1):
        touching = np.isin(p, [j for j in range(1, m + 1) if ((r == i) & (p == j)).any()])
        dices.append(2 * ((r == i) & touching).sum() / ((r == i).sum() + touching.sum()))
    true = sum(dice > 0 for dice in dices)
    false = sum(not (reference & (p == j)).any() for j in range(1, m + 1))
    found = lesion_matching.measure(reference, predicted, 26)
    assert (found["reference_lesions"], found["predicted_lesions"]) == (n, m)
    assert (found["found_lesions"], found["false_lesions"]) == (true, false)
    if n:
        assert found["lesion_dice"] == pytest.approx(np.mean(dices))
    if n + m:
        assert found["lesion_f1"] == pytest.approx(true / (true + (n - true + false) / 2))
