"""The settings of BLAST-CT's models; what each means, its default and its range: ``config/README.md``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from headct.settings import models

EFFECT = "speed"  # which settings a model has stands in the parameters of each job


@dataclass(frozen=True, kw_only=True)
class BlastctPreparation(models.Preparation):
    """What decides the resampled scans and the elastic noise."""

    spacing_mm: tuple[float, ...]
    hu_window: tuple[float, ...]
    elastic_amplitude_voxels: float
    elastic_noise_size_voxels: int
    elastic_noise_periods: int


@dataclass(frozen=True, kw_only=True)
class BlastctTraining(BlastctPreparation, models.TrainingFromWeights):
    """What a training needs."""

    images_per_epoch: int
    patches_per_image: int
    batch_size: int
    patch_size_voxels: tuple[int, ...]
    feature_maps: tuple[int, ...]
    fully_connected_maps: tuple[int, ...]
    dropout: tuple[float, ...]
    foreground_probability: float
    sampling_tries: int
    learning_rate: float
    momentum: float
    rmsprop_smoothing: float
    weight_decay: float
    milestone_fractions: tuple[float, ...]
    learning_rate_factor: float
    elastic_probability: float
    histogram_probability: float
    rotation_probability: float
    flip_probability: float

    RATED_BY = ("batch_size", "patch_size_voxels", "feature_maps", "fully_connected_maps")

    def steps_of_epoch(self, _scans: int, /) -> int:
        return math.ceil(self.images_per_epoch * self.patches_per_image / self.batch_size)

    def patches_of_step(self, _preparation: Mapping[str, Any], /) -> int:
        return self.batch_size

    def epoch_of(self, steps: int, /) -> Mapping[str, Any]:
        # Images and not patches of each, since an image is deformed once, whatever is cut from it.
        return {"images_per_epoch": math.ceil(steps * self.batch_size / self.patches_per_image)}


@dataclass(frozen=True, kw_only=True)
class BlastctInference(models.Inference):
    """What only predictions need."""

    inference_batch_size: int
