"""Fixed thresholds: the best range of HU on the training scans, and what it predicts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from headct.frameworks.base import find_framework
from headct.frameworks.threshold.inference import ThresholdPredictor
from headct.frameworks.threshold.training import ScanCounts, best_range
from headct.frameworks.train import save_weights
from headct.settings import models
from support import families
from support.label_sets import LABELS

LOWEST, N_HU = -3, 8

voxels = st.lists(st.tuples(st.integers(LOWEST, LOWEST + N_HU - 1), st.booleans()), min_size=1, max_size=30)


def dice_of(hu: NDArray[np.int64], lesion: NDArray[np.bool_], lowest: int, highest: int) -> float:
    """By its definition."""
    found = (hu >= lowest) & (hu <= highest)
    total = np.count_nonzero(found) + np.count_nonzero(lesion)
    return 2 * np.count_nonzero(found & lesion) / total if total else 1.0


@given(st.lists(voxels, min_size=1, max_size=4))
@settings(deadline=None, max_examples=60)
def test_no_range_is_better(scans: list[list[tuple[int, bool]]]) -> None:
    arrays = [tuple(map(np.array, zip(*scan, strict=True))) for scan in scans]
    found = best_range(
        [
            ScanCounts(
                np.bincount(hu - LOWEST, minlength=N_HU),
                np.bincount(hu[lesion] - LOWEST, minlength=N_HU),
                np.count_nonzero(lesion),
            )
            for hu, lesion in arrays
        ],
        LOWEST,
    )
    every = {
        (low, high): np.mean([dice_of(hu, lesion, low, high) for hu, lesion in arrays])
        for low in range(LOWEST, LOWEST + N_HU)
        for high in range(low, LOWEST + N_HU)
    }
    assert found.dice == pytest.approx(max(every.values()))
    assert every[found.lowest, found.highest] == pytest.approx(found.dice)


def test_a_scan_is_predicted_by_the_ranges_that_were_found(tmp_path: Path) -> None:
    job = families.job("threshold", tmp_path)
    framework = find_framework("threshold")
    trained = families.train("threshold", job, tmp_path / "run")
    save_weights(trained, tmp_path / "run/final.pth")
    settings_of = models.merged(framework.predicts_by, "threshold")
    predictor = framework.load(tmp_path / "run", "cpu", settings_of, job.labels)
    ct = sitk.ReadImage(str(job.training_scans[0].ct))
    hu, probabilities = sitk.GetArrayFromImage(ct), predictor(ct)
    assert probabilities.shape == (job.labels.n_classes, *hu.shape)
    assert (probabilities.sum(axis=0) == 1).all()
    within = [(hu >= low) & (hu <= high) for low, high in trained.weights["hu"].tolist()]
    assert ((probabilities[0] == 0) == np.any(within, axis=0)).all()
    for lesion, of_range in zip(probabilities[1:], within, strict=True):
        assert of_range[lesion == 1].all()


def test_where_ranges_cross_the_one_that_scored_best_counts() -> None:
    weights = {"hu": torch.tensor([[0, 10], [5, 20], [5, 5]]), "dice": torch.tensor([0.5, 0.7, 0.1])}
    predictor = ThresholdPredictor(weights, LABELS)
    found = predictor(sitk.GetImageFromArray(np.array([[[-1, 0, 5, 15, 21]]], dtype=np.int16)))
    assert found.argmax(axis=0).ravel().tolist() == [0, 1, 2, 2, 0]
