"""The settings of nnU-Net's models; what each means, its default and its range: ``config/README.md``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from headct.settings import models

EFFECT = "speed"  # which settings a model has stands in the parameters of each job


@dataclass(frozen=True, kw_only=True)
class PlanChange:
    """What is changed in the plans of one configuration; None stays as planned."""

    patch_size: tuple[int, ...] | None = None
    batch_size: int | None = None
    features_per_stage: tuple[int, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class NnunetPreparation(models.Preparation):
    """What decides plans and preprocessed volumes."""

    configuration: str
    planner: str
    gpu_memory_target_gb: float | None
    target_spacing_mm_zyx: tuple[float, ...] | None
    fingerprint_voxels: int


@dataclass(frozen=True, kw_only=True)
class NnunetTraining(NnunetPreparation, models.TrainingFromWeights):
    """What a training needs."""

    loss: str
    iterations_per_epoch: int
    validation_iterations_per_epoch: int
    optimiser: str
    initial_learning_rate: float
    weight_decay: float
    foreground_oversampling: float
    compile: bool
    plan_changes: Mapping[str, PlanChange]
    trainer: str | None = None

    RATED_BY = ("configuration", "gpu_memory_target_gb", "plan_changes", "compile", "trainer")

    def steps_of_epoch(self, _scans: int, /) -> int:
        return self.iterations_per_epoch

    def patches_of_step(self, preparation: Mapping[str, Any], /) -> int | None:
        changes = self.plan_changes.get(self.configuration, PlanChange())
        planned = preparation.get("plans", {}).get("configurations", {}).get(self.configuration, {})
        patches: int | None = changes.batch_size or planned.get("batch_size")
        return patches

    def validation_steps(self) -> int:
        return self.epochs * self.validation_iterations_per_epoch

    def epoch_of(self, steps: int, /) -> Mapping[str, Any]:
        validation = round(steps * self.validation_iterations_per_epoch / self.iterations_per_epoch)
        return {"iterations_per_epoch": steps, "validation_iterations_per_epoch": max(1, validation)}


@dataclass(frozen=True, kw_only=True)
class NnunetInference(models.Inference):
    """What only predictions need."""

    tile_step_size: float
    test_time_mirroring: bool
