"""The settings of MONAI's models; what each means, its default and its range: ``config/README.md``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from headct.settings import models

EFFECT = "speed"  # which settings a model has stands in the parameters of each job


@dataclass(frozen=True, kw_only=True)
class Volumes:
    """What decides preprocessed volumes."""

    spacing_mm_xyz: tuple[float, ...]
    hu_window: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """A network, one of the study's or a class of MONAI; what is None is as it was published."""

    network: str
    arguments: Mapping[str, Any] | None = None
    features: tuple[int, ...] | None = None
    width: float | None = None
    middle_blocks: int | None = None
    variant: str | None = None


@dataclass(frozen=True, kw_only=True)
class MonaiNetwork(Architecture, Volumes):
    """What a prediction needs to know of how the network was trained."""

    patch_size_xyz: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class MonaiPreparation(Volumes, models.Preparation):
    """What decides preprocessed volumes, and whose they are."""


@dataclass(frozen=True, kw_only=True)
class MonaiTraining(MonaiNetwork, MonaiPreparation, models.TrainingFromWeights):
    """What a training needs."""

    iterations_per_epoch: int | None
    scans_per_batch: int
    patches_per_scan: int
    foreground_fraction: float
    flip_probability: float
    intensity_scale: float
    intensity_shift_hu: float
    learning_rate: float
    learning_rate_schedule: str

    RATED_BY = (
        *(one.name for one in fields(Architecture) if one.name != "network"),
        "scans_per_batch",
        "patches_per_scan",
        "patch_size_xyz",
    )

    def steps_of_epoch(self, scans: int, /) -> int:
        return self.iterations_per_epoch or math.ceil(scans / self.scans_per_batch)

    def patches_of_step(self, _preparation: Mapping[str, Any], /) -> int:
        return self.scans_per_batch * self.patches_per_scan

    def epoch_of(self, steps: int, /) -> Mapping[str, Any]:
        return {"iterations_per_epoch": steps}


@dataclass(frozen=True, kw_only=True)
class MonaiInference(models.Inference):
    """What only predictions need."""

    tile_overlap: float
