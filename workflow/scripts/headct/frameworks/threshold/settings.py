"""The settings of fixed thresholds; what each means, its default and its range: ``config/README.md``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

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

    def lasting(self, _steps: int, /) -> Mapping[str, Any]:
        return {}  # it has one step and no other


@dataclass(frozen=True, kw_only=True)
class ThresholdInference(models.Inference):
    """Nothing: a voxel is within the range or not."""
