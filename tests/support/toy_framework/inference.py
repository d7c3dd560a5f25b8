"""Predict with the toy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import SimpleITK as sitk
import torch
from torch import Tensor
from torch.nn import functional

from headct.contracts.labels import LabelSet
from headct.frameworks.predictor import Predictor
from headct.frameworks.toy.settings import ToyInference
from headct.frameworks.toy.training import network_of, scaled


def load(folder: Path, device: str, settings: ToyInference, labels: LabelSet) -> Predictor:
    """The predictor of a trained-model folder."""
    stored = torch.load(folder / "final.pth", map_location="cpu", weights_only=True)
    return ToyPredictor(stored["weights"], stored["fixed"], settings, device, labels)


class ToyPredictor(Predictor):
    """The network, and the way to its grid and back."""

    def __init__(
        self,
        weights: dict[str, Tensor],
        fixed: dict[str, Any],
        settings: ToyInference,
        device: str,
        labels: LabelSet,
    ):
        self.fixed, self.settings, self.device = fixed, settings, device
        self.network = network_of(fixed["width"], labels.n_classes)
        self.network.load_state_dict(weights)
        self.network.to(device).eval()
        self.preparation = repr([fixed["grid_xyz"], fixed["hu_window"]])

    def prepare(self, ct: sitk.Image) -> tuple[Tensor, tuple[int, ...]]:
        volume = torch.from_numpy(scaled(ct, self.fixed["grid_xyz"], self.fixed["hu_window"]))[None, None]
        return volume, ct.GetSize()[::-1]

    @torch.inference_mode()
    def infer(self, prepared: tuple[Tensor, tuple[int, ...]]) -> Tensor:
        logits = self.network(prepared[0].to(self.device)) / self.settings.temperature
        return logits.softmax(dim=1)

    def restore(self, prepared: tuple[Tensor, tuple[int, ...]], inferred: Tensor) -> Tensor:
        return functional.interpolate(inferred, prepared[1], mode="trilinear", align_corners=False)[0]
