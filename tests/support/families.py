"""A miniature of each framework's training that ends in a second, for what all of them must do alike."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import torch

from headct.engine.training_job import TrainedModel, TrainingJob
from headct.frameworks.base import find_framework
from headct.settings import models
from support import blastct_cases, changed_settings, monai_miniature, nnunet_miniature
from support.label_sets import LABELS


def nnunet_job(folder: Path, **changes: Any) -> TrainingJob:
    return nnunet_miniature.job(nnunet_miniature.training_scans(folder, 3), folder / "shared", **changes)


def monai_job(folder: Path, **changes: Any) -> TrainingJob:
    return monai_miniature.job(nnunet_miniature.training_scans(folder, 3), folder / "shared", **changes)


def threshold_job(folder: Path, **changes: Any) -> TrainingJob:
    settings = models.merged(find_framework("threshold").trains_by, "threshold", changes)
    scans = nnunet_miniature.training_scans(folder, 3)
    return TrainingJob("threshold", settings, scans, (), 0, "all", "cpu", 1, folder / "shared", LABELS)


MINIATURES = {
    "nnunet": nnunet_job,
    "monai": monai_job,
    "blastct": blastct_cases.small_job,
    "threshold": threshold_job,
}
"""Of each framework a run on the scans below a folder, written where they are not there yet."""

FAMILIES = tuple(
    name for name in MINIATURES if issubclass(find_framework(name).trains_by, models.TrainingInEpochs)
)
"""Those that the training loop trains."""


def job(family: str, folder: Path, **changes: Any) -> TrainingJob:
    """A run on the scans below ``folder``, with some settings changed."""
    return MINIATURES[family](folder, **changes)


HUGE_LEARNING_RATE = {
    "nnunet": {"initial_learning_rate": 1e30},
    "monai": {"learning_rate": 1e30},
    "blastct": {"learning_rate": 1e30},
}
"""Settings by which each framework's loss soon is no number."""


def changed(one: TrainingJob, **settings: Any) -> TrainingJob:
    """The run with some settings changed."""
    return dataclasses.replace(one, settings=changed_settings.changed(one.settings, **settings))


def train(family: str, one: TrainingJob, folder: Path) -> TrainedModel:
    """Train in this process, or go on."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    return find_framework(family).train(one, folder)


def equal(one: TrainedModel, other: TrainedModel) -> bool:
    """Whether weights and history are the same, bit for bit."""
    return (
        one.history == other.history
        and one.weights.keys() == other.weights.keys()
        and all(torch.equal(one.weights[name], other.weights[name]) for name in one.weights)
    )
