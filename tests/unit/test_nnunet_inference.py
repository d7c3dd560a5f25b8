"""Our inference beside nnU-Net's own, for the same weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nnunet_miniature as miniature
import numpy as np
import pytest
import SimpleITK as sitk
import torch

from headct.inference import nnunet as inference
from headct.training import nnunet as training
from headct.training.job import TrainedModel

SHAPE = (8, 64, 64)  # two patches of 32 across, three if they overlap by half


def grid(image: sitk.Image, spacing: tuple[float, float, float]) -> sitk.Image:
    """``image`` as if of another spacing, off the plans', with a border of exact zeros to crop."""
    image = sitk.ConstantPad(image, (3, 0, 1), (0, 5, 2), 0)
    image.SetSpacing(spacing)
    return image


@pytest.fixture(scope="module", params=["2d", "3d_fullres"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("model")
    scans = miniature.training_scans(folder / "scans", 3)
    changes = {"configuration": request.param, "iterations_per_epoch": 20, "loss": "tversky"}
    return training.train(miniature.job(scans, folder / "shared", **changes), folder)


def test_labels_are_those_of_nnunets_own_prediction(model: TrainedModel) -> None:
    spacing = (2.6, 2.6, 9.0)
    image = grid(miniature.scan(100, SHAPE)[0], spacing)
    fixed = model.fixed | {"test_time_mirroring": True, "tile_step_size": 0.5}
    predictor = inference.NnunetPredictor(model.weights, fixed, "cpu")
    ours = predictor(image)
    voxels = sitk.GetArrayFromImage(image)[None].astype(np.float32)
    theirs = predictor.predictor.predict_single_npy_array(voxels, {"spacing": list(spacing[::-1])})
    np.testing.assert_array_equal(ours.argmax(0), theirs)
    assert len(np.unique(theirs)) > 1, "all background would prove nothing"


def test_probabilities_are_on_the_scans_grid(model: TrainedModel, tmp_path: Path) -> None:
    torch.save({"weights": model.weights, "fixed": model.fixed}, tmp_path / "final.pth")
    image = grid(miniature.scan(101)[0], (2.0, 3.0, 7.0))
    values = inference.load(tmp_path, "cpu")(image)
    assert values.dtype == np.float32
    assert values.shape == (4, *image.GetSize()[::-1])
    np.testing.assert_allclose(values.sum(0), 1, atol=1e-5)
    assert (values[0, 0] == 1).all(), "what nnU-Net crops away is background"


@pytest.mark.parametrize("change", [{"tile_step_size": 0.5}, {"test_time_mirroring": True}])
def test_settings_of_the_sliding_window_are_used(model: TrainedModel, change: dict[str, Any]) -> None:
    image = miniature.scan(102, SHAPE)[0]
    changed, usual = (
        inference.NnunetPredictor(model.weights, fixed, "cpu")(image)
        for fixed in (model.fixed | change, model.fixed)
    )
    assert (changed != usual).any()
