"""The settings of fixed thresholds; what each means, its default and its range: ``config/README.md``."""

from __future__ import annotations

from dataclasses import dataclass

from headct.settings import models

EFFECT = "speed"  # which settings a model has stands in the parameters of each job


@dataclass(frozen=True, kw_only=True)
class ThresholdPreparation(models.Preparation):
    """Nothing: HU are taken as they are."""


@dataclass(frozen=True, kw_only=True)
class ThresholdTraining(ThresholdPreparation, models.Training):
    """What the choice of thresholds needs."""

    hu_range: tuple[int, int]

    def steps(self, _scans: int, /) -> int:
        return 1


@dataclass(frozen=True, kw_only=True)
class ThresholdInference(models.Inference):
    """Nothing: a voxel is within the range or not."""
