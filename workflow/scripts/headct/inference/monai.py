"""Predict with a network trained with MONAI: sliding window, Gaussian weights, native grid."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch
from monai.inferers.utils import sliding_window_inference
from torch import Tensor, nn

from headct import networks
from headct.training.monai_data import Preprocessing, array_and_spacing, preprocess, restore

TILES_AT_ONCE = 4
"""Tiles in one forward pass; the value of MONAI's tutorials. No result depends on it."""


def load(folder: Path, device: str) -> Callable[[sitk.Image], np.ndarray]:
    """The predictor of a trained-model folder.

    It maps a native CT (HU) to class probabilities, float32, (4, z, y, x), on the CT's grid.
    """
    stored = torch.load(folder / "final.pth", map_location="cpu", weights_only=True)
    settings = stored["fixed"]
    network = networks.build(settings)
    network.load_state_dict(stored["weights"])
    network.to(device).eval()
    preprocessing = Preprocessing.from_settings(settings)
    tile = tuple(settings["patch_size_xyz"][::-1])

    def predictor(ct: sitk.Image) -> np.ndarray:
        hu, spacing_mm = array_and_spacing(ct)
        source = preprocess(hu, spacing_mm, preprocessing)
        probabilities = slide(network, source.image, tile, settings["tile_overlap"], device)
        return restore(probabilities, source)

    return predictor


@torch.inference_mode()
def slide(
    network: nn.Module, image: np.ndarray, tile: tuple[int, ...], overlap: float, device: str
) -> np.ndarray:
    """Softmax of the tiles' logits, which are averaged with Gaussian weights; (4, z, y, x).

    A volume smaller than the tile is padded with zeros, the lower end of the intensity window.
    """
    volume = torch.from_numpy(image)[None, None].to(device)
    logits = sliding_window_inference(volume, tile, TILES_AT_ONCE, network, overlap=overlap, mode="gaussian")
    assert isinstance(logits, Tensor)
    return logits.softmax(dim=1)[0].cpu().numpy()
