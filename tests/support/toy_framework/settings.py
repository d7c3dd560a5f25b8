"""The settings of the toy; a field for each key of the schema."""

from __future__ import annotations

from dataclasses import dataclass

from headct.settings import models

EFFECT = "speed"  # which settings a model has stands in the parameters of each job


@dataclass(frozen=True, kw_only=True)
class ToyPreparation(models.Preparation):
    """Of effect ``preparation``."""

    grid_xyz: tuple[int, ...]
    hu_window: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class ToyTraining(ToyPreparation, models.TrainingInEpochs):
    """Of effect ``preparation``, ``weights`` and ``speed``."""

    iterations_per_epoch: int
    learning_rate: float
    width: int


@dataclass(frozen=True, kw_only=True)
class ToyInference(models.Inference):
    """Of effect ``inference``."""

    temperature: float
