"""Settings with which a network of MONAI trains in a second."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from headct.contracts.artefacts import write_json
from headct.engine.training_job import ModelFacts, TrainedModel, TrainingJob, TrainingScan
from headct.frameworks.monai import networks
from headct.frameworks.monai.settings import MonaiInference, MonaiTraining
from headct.frameworks.train import save_weights
from headct.settings.typed import plain, typed
from support.changed_settings import changed
from support.label_sets import LABELS

WORDS: dict[str, Any] = {
    "framework": "monai",
    "network": "basicunet",
    "features": [4, 4, 4, 4, 4, 4],
    "epochs": 3,
    "iterations_per_epoch": 2,
    "scans_per_batch": 2,
    "patches_per_scan": 1,
    "patch_size_xyz": [32, 16, 16],
    "spacing_mm_xyz": [4.0, 4.0, 6.0],
    "hu_window": [-15, 100],
    "foreground_fraction": 0.5,
    "flip_probability": 0.5,
    "intensity_scale": 0.1,
    "intensity_shift_hu": 5.0,
    "learning_rate": 1e-2,
    "learning_rate_schedule": "polynomial",
    "workers": 0,
    "checkpoint_interval_minutes": 15,
    "checkpoint_interval_epochs": 1,
}
"""As the configuration says them."""

SETTINGS = typed(MonaiTraining, WORDS)
OF_INFERENCE = MonaiInference(tile_overlap=0.25)


def job(scans: tuple[TrainingScan, ...], shared: Path, **changes: Any) -> TrainingJob:
    """A run on all ``scans``, with ``changes`` of the settings."""
    return TrainingJob("unet", changed(SETTINGS, **changes), scans, (), 0, "all", "cpu", 1, shared, LABELS)


def write_untrained(folder: Path, seed: int = 0, settings: MonaiTraining = SETTINGS) -> Path:
    """A network as it is before training: it finds something of each class everywhere."""
    torch.manual_seed(seed)
    weights = networks.build(settings, LABELS.n_classes).state_dict()
    folder.mkdir()
    model = TrainedModel(weights, plain(settings), [], ModelFacts(), 1.0, 0.0)
    digest = save_weights(model, folder / "final.pth")
    write_json({"framework": "monai", "model": "unet", "sha256": digest}, folder / "train.json")
    return folder
