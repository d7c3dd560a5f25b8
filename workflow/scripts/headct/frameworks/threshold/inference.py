"""Predict with the range of HU of each lesion."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from headct.contracts.labels import LabelSet
from headct.frameworks.predictor import Predictor
from headct.frameworks.threshold.settings import ThresholdInference


def load(folder: Path, device: str, settings: ThresholdInference, labels: LabelSet) -> Predictor:
    """The predictor of a trained-model folder.

    Args:
        folder: of the trained model.
        device: unused: a comparison of numbers needs no GPU.
        settings: all by which it predicts.
        labels: the label set that its ranges are of.
    """
    stored = torch.load(folder / "final.pth", map_location="cpu", weights_only=True)
    return ThresholdPredictor(stored["weights"], labels)


class ThresholdPredictor(Predictor):
    """A range for each lesion; a voxel within several is of the one that scored best in training."""

    preparation = "HU"

    def __init__(self, weights: dict[str, Tensor], labels: LabelSet):
        self.hu, self.dice, self.n_classes = weights["hu"].tolist(), weights["dice"], labels.n_classes

    def prepare(self, ct: sitk.Image) -> NDArray[Any]:
        """HU (z, y, x)."""
        return sitk.GetArrayFromImage(ct)

    def infer(self, prepared: NDArray[Any]) -> Tensor:
        """The label map (z, y, x)."""
        found = np.zeros(prepared.shape, dtype=np.int64)
        for lesion in torch.argsort(self.dice, stable=True).tolist():
            lowest, highest = self.hu[lesion]
            found[(prepared >= lowest) & (prepared <= highest)] = lesion + 1
        return torch.from_numpy(found)

    def restore(self, prepared: NDArray[Any], inferred: Tensor) -> Tensor:
        """Probabilities 0 and 1, (classes, z, y, x)."""
        return functional.one_hot(inferred, self.n_classes).movedim(-1, 0).float()
