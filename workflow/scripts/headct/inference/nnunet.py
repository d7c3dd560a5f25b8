"""Class probabilities of a trained nnU-Net on a scan's own grid.

nnU-Net's own preprocessing, sliding window and resampling, from the plans in the model folder; its
trainers and folders are not needed, nor any process beside this one.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch
from nnunetv2.inference.export_prediction import (
    convert_predicted_logits_to_segmentation_with_correct_shape,
)
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.utilities.get_network_from_plans import get_network_from_plans
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from headct.training.nnunet_layout import in_fast_layout


def load(folder: Path, device: str) -> Callable[[sitk.Image], np.ndarray]:
    """Predictor of the model in ``folder``: from a CT in HU to float32 of shape (4, z, y, x)."""
    saved = torch.load(folder / "final.pth", map_location="cpu", weights_only=True)
    predictor = make_predictor(saved["weights"], saved["fixed"], device)
    return lambda image: probabilities(predictor, image)


def make_predictor(weights: dict[str, torch.Tensor], fixed: dict[str, Any], device: str) -> nnUNetPredictor:
    """nnU-Net's predictor with the given weights.

    Args:
        weights: of the network, as trained (with deep supervision).
        fixed: plans, dataset_json, configuration, tile_step_size, test_time_mirroring.
        device: ``cpu`` or ``cuda``.
    """
    plans = PlansManager(fixed["plans"])
    configuration = plans.get_configuration(fixed["configuration"])
    network = get_network_from_plans(
        configuration.network_arch_class_name,
        configuration.network_arch_init_kwargs,
        configuration.network_arch_init_kwargs_req_import,
        input_channels=len(fixed["dataset_json"]["channel_names"]),
        output_channels=plans.get_label_manager(fixed["dataset_json"]).num_segmentation_heads,
        allow_init=False,
        deep_supervision=False,
    )
    predictor = nnUNetPredictor(
        tile_step_size=fixed["tile_step_size"],
        use_mirroring=fixed["test_time_mirroring"],
        device=torch.device(device),
        allow_tqdm=False,
    )
    predictor.manual_initialization(
        network=in_fast_layout(network, device),
        plans_manager=plans,
        configuration_manager=configuration,
        parameters=[weights],
        dataset_json=fixed["dataset_json"],
        trainer_name="",  # only named in nnU-Net's own model folders
        inference_allowed_mirroring_axes=tuple(range(len(configuration.patch_size))),
    )
    return predictor


def probabilities(predictor: nnUNetPredictor, image: sitk.Image) -> np.ndarray:
    """Softmax over the classes at every voxel of ``image``, float32, shape (4, z, y, x)."""
    configuration = predictor.configuration_manager
    voxels, _, properties = configuration.preprocessor_class(verbose=False).run_case_npy(
        sitk.GetArrayFromImage(image)[None],
        None,
        {"spacing": list(image.GetSpacing())[::-1]},
        predictor.plans_manager,
        configuration,
        predictor.dataset_json,
    )
    logits = predictor.predict_logits_from_preprocessed_data(torch.from_numpy(voxels))
    _, softmax = convert_predicted_logits_to_segmentation_with_correct_shape(
        logits,
        predictor.plans_manager,
        configuration,
        predictor.label_manager,
        properties,
        return_probabilities=True,
        num_threads_torch=torch.get_num_threads(),
    )
    return np.ascontiguousarray(softmax, dtype=np.float32)
