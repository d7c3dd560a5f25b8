"""Class probabilities of a trained nnU-Net on a scan's own grid.

nnU-Net's own preprocessing and sliding window, from the plans in the model folder; its trainers and
folders are not needed, nor any process beside this one. The way back to the scan's grid is ours: the
same interpolation in PyTorch, slice by slice, where nnU-Net calls scikit-image in double precision. On a
GPU a scan is resampled both ways, and stays there until it is a label map.
"""

from __future__ import annotations

import hashlib
import json
import logging
import pydoc
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch
from nnunetv2.inference.export_prediction import (
    convert_predicted_logits_to_segmentation_with_correct_shape,
)
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.inference.sliding_window_prediction import compute_gaussian
from nnunetv2.preprocessing.resampling.default_resampling import determine_do_sep_z_and_axis
from nnunetv2.utilities.get_network_from_plans import get_network_from_plans
from nnunetv2.utilities.plans_handling.plans_handler import ConfigurationManager, PlansManager
from torch import Tensor, nn
from torch.nn import functional

from headct.contracts.labels import LabelSet
from headct.frameworks.nnunet.channels_last import for_single_tiles
from headct.frameworks.nnunet.cubic_resampling import BY_SHAPE, ResampledOnGpu
from headct.frameworks.nnunet.settings import NnunetInference
from headct.frameworks.predictor import Predictor, on_gpu_first

logger = logging.getLogger("headct.inference")

LAYER = re.compile(r"(torch\.nn|dynamic_network_architectures)(\.[a-z_0-9]+)*\.[A-Z][A-Za-z0-9]*")
"""Full names of classes of which nnU-Net builds a network."""

LINEAR = {"is_seg": False, "order": 1, "order_z": 0}
"""nnU-Net's default way of resampling probabilities, the one that is done here."""

Prepared = tuple[np.ndarray | Tensor, dict[str, Any]]
"""A preprocessed volume, (1, z, y, x), on the GPU where there is one, and what nnU-Net knows of it."""


def load(folder: Path, device: str, settings: NnunetInference, labels: LabelSet) -> NnunetPredictor:
    """The predictor of the trained model in ``folder``, with the config's settings for inference.

    Args:
        folder: of the trained model.
        device: on which it predicts.
        settings: all by which it predicts.
        labels: the label set that its network knows.
    """
    saved = torch.load(folder / "final.pth", map_location="cpu", weights_only=True)
    return NnunetPredictor(saved["weights"], saved["fixed"], settings, device)


class NnunetPredictor(Predictor):
    """nnU-Net's predictor with the given weights.

    Args:
        weights: of the network, as trained (with deep supervision).
        fixed: plans, dataset_json, configuration.
        settings: of inference.
        device: ``cpu`` or ``cuda``.
    """

    def __init__(
        self, weights: dict[str, Tensor], fixed: dict[str, Any], settings: NnunetInference, device: str
    ):
        self.plans = PlansManager(fixed["plans"])
        self.configuration = self.plans.get_configuration(fixed["configuration"])
        self.device = torch.device(device)
        network = network_of(fixed)
        network.load_state_dict(weights)
        self.predictor = SlidingWindow(
            tile_step_size=settings.tile_step_size,
            use_mirroring=settings.test_time_mirroring,
            perform_everything_on_device=device == "cuda",
            device=self.device,
            allow_tqdm=False,
        )
        self.predictor.manual_initialization(
            network=for_single_tiles(network) if device == "cpu" else network.to(self.device),
            plans_manager=self.plans,
            configuration_manager=self.configuration,
            parameters=[weights],
            dataset_json=fixed["dataset_json"],
            trainer_name="",  # only named in nnU-Net's own model folders
            inference_allowed_mirroring_axes=fixed.get(
                "mirroring_axes", tuple(range(len(self.configuration.patch_size)))
            ),
        )
        # The mask of what is not 0 is resampled only to be dropped; its own grid will do.
        chosen = self.configuration.configuration | {
            "resampling_fn_seg": "no_resampling_hack",
            "resampling_fn_seg_kwargs": {},
        }
        self.preprocessing = (
            ConfigurationManager(chosen) if device == "cpu" else ResampledOnGpu(chosen, self.device)
        )
        text = json.dumps([fixed["plans"], fixed["configuration"]], sort_keys=True)
        self.preparation = hashlib.sha256(text.encode()).hexdigest()

    def prepare(self, ct: sitk.Image) -> Prepared:
        """nnU-Net's preprocessed volume, (1, z, y, x), and its properties."""
        voxels, _, properties = self.preprocessing.preprocessor_class(verbose=False).run_case_npy(
            sitk.GetArrayFromImage(ct)[None],
            None,
            {"spacing": list(ct.GetSpacing())[::-1]},
            self.plans,
            self.preprocessing,
            self.predictor.dataset_json,
        )
        return voxels, properties

    def infer(self, prepared: Prepared) -> Tensor:
        """Logits on the network's grid, float16, (classes, z, y, x); on a GPU while its memory suffices."""
        logits: Tensor = self.predictor.predict_sliding_window_return_logits(torch.as_tensor(prepared[0]))
        return logits

    def restore(self, prepared: Prepared, inferred: Tensor) -> Tensor:
        """Softmax over the classes at every voxel of the scan; what nnU-Net crops away is background."""
        return on_gpu_first(
            lambda device: self._restore(prepared[1], inferred.to(device)), "resampling on", self.device
        )

    def _restore(self, properties: dict[str, Any], logits: Tensor) -> Tensor:
        shape = properties["shape_after_cropping_and_before_resampling"]
        to_mm = [properties["spacing"][axis] for axis in self.plans.transpose_forward]
        from_mm = [*to_mm[: 3 - len(self.configuration.spacing)], *self.configuration.spacing]
        nearest = self._nearest_along_z(from_mm, to_mm)
        if nearest is None:
            return self._restore_by_nnunet(properties, logits)
        native = torch.zeros((len(logits), *properties["shape_before_cropping"]), device=logits.device)
        native[0] = 1
        box = (slice(None), *(slice(*side) for side in properties["bbox_used_for_cropping"]))
        softmax_resampled(logits, shape, nearest, out=native[box])
        return native.permute(0, *(1 + axis for axis in self.plans.transpose_backward))

    def _nearest_along_z(self, from_mm: Sequence[float], to_mm: Sequence[float]) -> bool | None:
        """Whether nnU-Net resamples each slice alone; None where it resamples in a way that is not ours."""
        settings = dict(self.configuration.configuration["resampling_fn_probabilities_kwargs"])
        separate, axis = determine_do_sep_z_and_axis(settings.pop("force_separate_z"), from_mm, to_mm)
        name = self.configuration.configuration["resampling_fn_probabilities"]
        if (name, settings) != (BY_SHAPE, LINEAR) or (separate and axis != 0):
            return None
        return bool(separate)

    def _restore_by_nnunet(self, properties: dict[str, Any], logits: Tensor) -> Tensor:
        _, probabilities = convert_predicted_logits_to_segmentation_with_correct_shape(
            logits.cpu(),
            self.plans,
            self.configuration,
            self.predictor.label_manager,
            properties,
            return_probabilities=True,
            num_threads_torch=torch.get_num_threads(),
        )
        return torch.from_numpy(np.ascontiguousarray(probabilities, dtype=np.float32))


def network_of(fixed: dict[str, Any]) -> nn.Module:
    """nnU-Net's network as planned, untrained, without the outputs of deep supervision.

    Raises:
        ValueError: the plans name something that is no layer: nnU-Net would import and call whatever it is.
    """
    plans = PlansManager(fixed["plans"])
    configuration = plans.get_configuration(fixed["configuration"])
    layers = [
        configuration.network_arch_init_kwargs[name]
        for name in configuration.network_arch_init_kwargs_req_import
    ]
    for name in filter(None, [configuration.network_arch_class_name, *layers]):
        layer = pydoc.locate(name) if LAYER.fullmatch(name) else None
        if not (isinstance(layer, type) and issubclass(layer, nn.Module)):
            raise ValueError("the plans that are stored with the weights name what is no layer of a network")
    network: nn.Module = get_network_from_plans(
        configuration.network_arch_class_name,
        configuration.network_arch_init_kwargs,
        configuration.network_arch_init_kwargs_req_import,
        input_channels=len(fixed["dataset_json"]["channel_names"]),
        output_channels=plans.get_label_manager(fixed["dataset_json"]).num_segmentation_heads,
        allow_init=False,
        deep_supervision=False,
    )
    return network


class SlidingWindow(nnUNetPredictor):
    """nnU-Net's predictor, which says so when it goes on with less GPU memory, and never waits in vain.

    nnU-Net cuts tiles in a thread of their own; if memory runs out there, it waits for the next tile for
    ever. Here they are cut where they are predicted, to the same logits.
    """

    def _internal_predict_sliding_window_return_logits(
        self, data: Tensor, slicers: list[Any], do_on_device: bool = True
    ) -> Tensor:
        if self.device.type == "cuda" and not do_on_device:
            logger.warning("out of GPU memory: goes on with the tiles' results gathered on the CPU")
        gathered_on = self.device if do_on_device else torch.device("cpu")
        tile = found = logits = weights = gaussian = None
        try:
            data = data.to(gathered_on)
            shape = data.shape[1:]
            heads = self.label_manager.num_segmentation_heads
            logits = torch.zeros((heads, *shape), dtype=torch.half, device=gathered_on)
            weights = torch.zeros(shape, dtype=torch.half, device=gathered_on)
            patch_size = tuple(self.configuration_manager.patch_size)
            gaussian = compute_gaussian(
                patch_size, sigma_scale=1 / 8, value_scaling_factor=10, device=gathered_on
            )
            for slicer in slicers:
                tile = torch.clone(data[slicer][None], memory_format=torch.contiguous_format).to(self.device)
                found = self._internal_maybe_mirror_and_predict(tile)[0].to(gathered_on)
                found *= gaussian
                logits[slicer] += found
                weights[slicer[1:]] += gaussian
            torch.div(logits, weights, out=logits)
            if torch.isinf(logits).any():
                raise RuntimeError("logits of overlapping tiles are too large for half precision")
            return logits
        except RuntimeError:  # of memory, too: nnU-Net goes on with less, once the tensors here are gone
            del data, tile, found, logits, weights, gaussian
            raise


def softmax_resampled(logits: Tensor, shape: Sequence[int], nearest_along_z: bool, out: Tensor) -> None:
    """Softmax of logits interpolated to ``shape``, written into ``out``, slice by slice.

    As nnU-Net does it (scikit-image's ``resize``, order 1): voxels have an extent, edges are
    repeated, in-plane linearly; along z linearly too, or from the nearest slice. Interpolated logits are
    rounded to the precision of the given ones, as nnU-Net stores them, so that ties fall alike.

    Args:
        logits: (classes, z, y, x).
        shape: (z, y, x) of the result.
        nearest_along_z: whether each slice comes from one slice alone.
        out: (classes, *shape), float32.
    """
    depth = logits.shape[1]
    for index in range(shape[0]):
        position = min(max(depth / shape[0] * (index + 0.5) - 0.5, 0), depth - 1)
        if nearest_along_z:
            plane = logits[:, int(position + 0.5)].float()
        else:
            below = int(position)
            above = min(below + 1, depth - 1)
            plane = torch.lerp(logits[:, below].float(), logits[:, above].float(), position - below)
        plane = functional.interpolate(plane[None], tuple(shape[1:]), mode="bilinear", align_corners=False)
        out[:, index] = plane[0].to(logits.dtype).float().softmax(dim=0)
