"""Predict with a network trained with MONAI: sliding window, Gaussian weights, native grid."""

from __future__ import annotations

from pathlib import Path

import SimpleITK as sitk
import torch
from monai.inferers.utils import sliding_window_inference
from torch import Tensor, nn
from torch.nn import functional

from headct.contracts.labels import LabelSet
from headct.frameworks.monai import networks
from headct.frameworks.monai.data import PreprocessedImage, Preprocessing, array_and_spacing, preprocess
from headct.frameworks.monai.settings import MonaiInference, MonaiNetwork
from headct.frameworks.predictor import Predictor, with_fallback
from headct.settings.typed import typed

TILES_AT_ONCE = 4
"""Tiles in one forward pass; the value of MONAI's tutorials. No result depends on it."""


def load(folder: Path, device: str, settings: MonaiInference, labels: LabelSet) -> MonaiPredictor:
    """The predictor of a trained-model folder, with the config's settings for inference.

    Args:
        folder: of the trained model.
        device: on which it predicts.
        settings: all by which it predicts.
        labels: the label set that its network knows.
    """
    stored = torch.load(folder / "final.pth", map_location="cpu", weights_only=True)
    return MonaiPredictor(stored["weights"], typed(MonaiNetwork, stored["fixed"]), settings, device, labels)


class MonaiPredictor(Predictor):
    """A network with its preprocessing; ``trained`` says how it was trained."""

    def __init__(
        self,
        weights: dict[str, Tensor],
        trained: MonaiNetwork,
        settings: MonaiInference,
        device: str,
        labels: LabelSet,
    ):
        self.network = networks.build(trained, labels.n_classes)
        self.network.load_state_dict(weights)
        self.network.to(device).eval()
        self.preprocessing = Preprocessing.from_settings(trained)
        self.preparation = repr(self.preprocessing)
        self.tile = trained.patch_size_xyz[::-1]
        self.overlap = settings.tile_overlap
        self.device = device

    def prepare(self, ct: sitk.Image) -> PreprocessedImage:
        """The cropped, resampled, scaled volume."""
        return preprocess(*array_and_spacing(ct), self.preprocessing)

    def infer(self, prepared: PreprocessedImage) -> Tensor:
        """Probabilities on the network's grid, (classes, z, y, x)."""
        volume = torch.from_numpy(prepared.image)[None, None]
        return with_fallback(
            lambda way: slide(
                self.network, volume.to(way[0]), self.tile, self.overlap, self.device, tiles_at_once=way[1]
            ),
            {
                "the whole volume on the device": (self.device, TILES_AT_ONCE),
                "one tile at a time, results gathered on the CPU": ("cpu", 1),
            },
        )

    def restore(self, prepared: PreprocessedImage, inferred: Tensor) -> Tensor:
        """Interpolate linearly; outside of the box that was cropped, the background has probability 1."""
        return with_fallback(
            lambda device: to_native_grid(inferred.to(device), prepared),
            {
                "resampling where the network ran": inferred.device,
                "resampling on the CPU": torch.device("cpu"),
            },
        )


@torch.inference_mode()
def slide(
    network: nn.Module,
    volume: Tensor,
    tile: tuple[int, ...],
    overlap: float,
    device: str,
    tiles_at_once: int = TILES_AT_ONCE,
) -> Tensor:
    """Softmax of the tiles' logits, which are averaged with Gaussian weights; (classes, z, y, x).

    A volume smaller than the tile is padded with zeros, the lower end of the intensity window.
    Results are gathered where ``volume``, (1, 1, z, y, x), lies; the network runs on ``device``.

    Args:
        network: logits of a batch of tiles.
        volume: shape (1, 1, z, y, x).
        tile: z, y, x, in voxels.
        overlap: of neighbouring tiles, as a share of their edge.
        device: on which the network runs.
        tiles_at_once: tiles of a batch.
    """
    logits = sliding_window_inference(
        volume,
        tile,
        tiles_at_once,
        network,
        overlap=overlap,
        mode="gaussian",
        sw_device=device,
        device=volume.device,
    )
    assert isinstance(logits, Tensor)
    return logits.softmax(dim=1)[0]


def to_native_grid(probabilities: Tensor, source: PreprocessedImage) -> Tensor:
    """Class probabilities (classes, z, y, x) of a preprocessed image on the grid of its CT, float32."""
    native = torch.zeros((len(probabilities), *source.native_shape), device=probabilities.device)
    native[0] = 1
    size = tuple(side.stop - side.start for side in source.box)
    native[:, *source.box] = functional.interpolate(
        probabilities[None], size, mode="trilinear", align_corners=False
    )[0]
    return native
