"""Our inference beside nnU-Net's own, for the same weights."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.preprocessing.resampling.default_resampling import resample_data_or_seg

from headct.engine.training_job import TrainedModel
from headct.frameworks.nnunet import cubic_resampling, inference, training
from headct.frameworks.nnunet.channels_last import for_single_tiles
from headct.frameworks.nnunet.cubic_resampling import ResampledOnGpu, cubic_resampled
from headct.frameworks.nnunet.settings import NnunetInference
from support import nnunet_miniature as miniature
from support.label_sets import LABELS

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
    settings = NnunetInference(test_time_mirroring=True, tile_step_size=0.5)
    predictor = inference.NnunetPredictor(model.weights, model.fixed, settings, "cpu")
    ours = predictor(image)
    voxels = sitk.GetArrayFromImage(image)[None].astype(np.float32)
    theirs = predictor.predictor.predict_single_npy_array(voxels, {"spacing": list(spacing[::-1])})
    np.testing.assert_array_equal(ours.argmax(0), theirs)
    assert len(np.unique(theirs)) > 1, "all background would prove nothing"


@pytest.mark.parametrize(
    "name", ["planted.Network", "os.system", "torch.hub.load", "torch.nn.modules.module.Any", "torch.nn.Gone"]
)
def test_plans_of_foreign_weights_name_layers_and_call_nothing_else(
    model: TrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "planted.py").write_text(f"open({str(tmp_path / 'executed')!r}, 'w')\nNetwork = dict\n")
    monkeypatch.syspath_prepend(tmp_path)
    configuration = model.fixed["configuration"]
    for key in ("network_class_name", "conv_op"):
        fixed = deepcopy(model.fixed)
        architecture = fixed["plans"]["configurations"][configuration]["architecture"]
        (architecture if key in architecture else architecture["arch_kwargs"])[key] = name
        with pytest.raises(ValueError, match="no layer of a network"):
            inference.network_of(fixed)
    assert not (tmp_path / "executed").exists()


def test_probabilities_are_on_the_scans_grid(model: TrainedModel, tmp_path: Path) -> None:
    torch.save({"weights": model.weights, "fixed": model.fixed}, tmp_path / "final.pth")
    image = grid(miniature.scan(101)[0], (2.0, 3.0, 7.0))
    values = inference.load(tmp_path, "cpu", miniature.OF_INFERENCE, LABELS)(image)
    assert values.dtype == np.float32
    assert values.shape == (4, *image.GetSize()[::-1])
    np.testing.assert_allclose(values.sum(0), 1, atol=1e-5)
    assert (values[0, 0] == 1).all(), "what nnU-Net crops away is background"


@pytest.mark.parametrize("change", [{"tile_step_size": 0.5}, {"test_time_mirroring": True}])
def test_settings_of_the_sliding_window_are_used(model: TrainedModel, change: dict[str, Any]) -> None:
    image = miniature.scan(102, SHAPE)[0]
    changed, usual = (
        inference.NnunetPredictor(model.weights, model.fixed, settings, "cpu")(image)
        for settings in (replace(miniature.OF_INFERENCE, **change), miniature.OF_INFERENCE)
    )
    assert (changed != usual).any()


@pytest.mark.parametrize("nearest", [True, False])
@pytest.mark.parametrize("shape", [(9, 20, 31), (4, 13, 8), (6, 16, 18), (1, 33, 7)])
def test_logits_are_resampled_as_nnunet_does(shape: tuple[int, ...], nearest: bool) -> None:
    """Beside nnU-Net's own function, scikit-image in double precision; up, down, and not at all."""
    logits = np.random.default_rng(0).normal(0, 3, (4, 6, 16, 18)).astype(np.float32)
    expected = resample_data_or_seg(
        logits.astype(float), shape, axis=0 if nearest else None, order=1, do_separate_z=nearest, order_z=0
    )
    found = torch.empty((4, *shape))
    inference.softmax_resampled(torch.from_numpy(logits), shape, nearest, out=found)
    np.testing.assert_allclose(found, torch.from_numpy(expected).softmax(0), atol=1e-5)


def test_tiles_are_averaged_to_the_logits_of_nnunet(model: TrainedModel) -> None:
    settings = NnunetInference(test_time_mirroring=False, tile_step_size=0.5)
    predictor = inference.NnunetPredictor(model.weights, model.fixed, settings, "cpu").predictor
    volume = torch.randn((1, *SHAPE), generator=torch.manual_seed(0))
    slicers = predictor._internal_get_sliding_window_slicers(SHAPE)
    assert len(slicers) > 1
    with torch.inference_mode():
        ours, theirs = (
            kind._internal_predict_sliding_window_return_logits(predictor, volume, slicers, False)
            for kind in (inference.SlidingWindow, nnUNetPredictor)
        )
    assert torch.equal(ours, theirs)
    assert ours.dtype == theirs.dtype == torch.half


class NoMemoryForTiles(torch.Tensor):
    """A volume on a GPU whose memory does not suffice to copy a part of it."""

    @classmethod
    def __torch_function__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function is torch.clone:
            raise torch.OutOfMemoryError
        return super().__torch_function__(function, types, args, kwargs or {})


def test_without_memory_to_cut_a_tile_nothing_is_waited_for(model: TrainedModel) -> None:
    """nnU-Net's own thread, which cuts tiles, would end, and the prediction never."""
    predictor = inference.NnunetPredictor(model.weights, model.fixed, miniature.OF_INFERENCE, "cpu").predictor
    slicers = predictor._internal_get_sliding_window_slicers(SHAPE)
    volume = torch.zeros((1, *SHAPE)).as_subclass(NoMemoryForTiles)
    with pytest.raises(torch.OutOfMemoryError):
        predictor._internal_predict_sliding_window_return_logits(volume, slicers, False)


@pytest.mark.parametrize("by_slice", [True, False])
@pytest.mark.parametrize("shape", [(9, 20, 31), (4, 13, 8), (6, 16, 18), (6, 11, 25), (1, 33, 7)])
def test_scans_are_resampled_as_nnunet_does(shape: tuple[int, int, int], by_slice: bool) -> None:
    """As above, by cubic splines; some overshoot, and are clipped."""
    volume = np.random.default_rng(0).normal(0, 3, (1, 6, 16, 18)).astype(np.float32)
    expected = resample_data_or_seg(
        volume, shape, axis=0 if by_slice else None, order=3, do_separate_z=by_slice, order_z=0
    )
    found = cubic_resampled(torch.from_numpy(volume), shape, by_slice)
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_a_scan_that_is_resampled_on_the_device_is_that_of_nnunet(
    model: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a GPU, but that the device is a CPU; without memory on it nnU-Net's own function does it."""
    image = grid(miniature.scan(103, SHAPE)[0], (2.6, 2.6, 9.0))
    predictor = inference.NnunetPredictor(model.weights, model.fixed, miniature.OF_INFERENCE, "cpu")
    expected, _ = predictor.prepare(image)
    labels = predictor(image).argmax(0)
    predictor.preprocessing = ResampledOnGpu(predictor.preprocessing.configuration, torch.device("cpu"))
    found, _ = predictor.prepare(image)
    assert isinstance(found, torch.Tensor)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    np.testing.assert_array_equal(predictor(image).argmax(0), labels)

    def exhausted(*_: Any) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(cubic_resampling, "cubic_resampled", exhausted)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    np.testing.assert_array_equal(predictor.prepare(image)[0], expected)


@pytest.mark.parametrize(
    "kwargs", [{"order": 0, "order_z": 0, "is_seg": False}, {"order": 1, "order_z": 1, "is_seg": False}]
)
def test_plans_that_resample_in_another_way_are_left_to_nnunet(
    model: TrainedModel, kwargs: dict[str, Any]
) -> None:
    fixed = deepcopy(model.fixed)
    chosen = fixed["plans"]["configurations"][fixed["configuration"]]
    chosen["resampling_fn_probabilities_kwargs"] = kwargs | {"force_separate_z": None}
    image = grid(miniature.scan(100, SHAPE)[0], (2.6, 2.6, 9.0))
    predictor = inference.NnunetPredictor(model.weights, fixed, miniature.OF_INFERENCE, "cpu")
    voxels = sitk.GetArrayFromImage(image)[None].astype(np.float32)
    theirs = predictor.predictor.predict_single_npy_array(voxels, {"spacing": [9.0, 2.6, 2.6]})
    np.testing.assert_array_equal(predictor(image).argmax(0), theirs)


def test_faster_layers_give_the_same_values(model: TrainedModel) -> None:
    network = inference.network_of(model.fixed)
    network.load_state_dict(model.weights, strict=False)
    flat = "2d" in model.fixed["configuration"]
    tile = torch.randn((1, 1, 64, 48) if flat else (1, 1, 8, 64, 48), generator=torch.manual_seed(0))
    with torch.inference_mode():
        expected = network(tile)
        found = for_single_tiles(network)(tile)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
    assert expected.std() > 0.1
