"""Synthetic head CT and settings with which the real nnU-Net trains in seconds."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from headct.engine.training_job import TrainingJob, TrainingScan
from headct.frameworks.nnunet.settings import NnunetInference, NnunetTraining
from headct.settings.typed import typed
from support.changed_settings import changed
from support.label_sets import LABELS

SPACING_MM_XYZ = (3.5, 3.5, 6.0)

WORDS: dict[str, Any] = {
    "framework": "nnunet",
    "configuration": "3d_fullres",
    "loss": "dice_ce",
    "epochs": 2,
    "iterations_per_epoch": 4,
    "validation_iterations_per_epoch": 2,
    "optimiser": "adamw",
    "initial_learning_rate": 5e-3,
    "weight_decay": 3e-5,
    "foreground_oversampling": 0.66,
    "workers": 0,
    "compile": False,
    "checkpoint_interval_epochs": 1,
    "checkpoint_interval_minutes": 15,
    "planner": "ExperimentPlanner",
    "gpu_memory_target_gb": None,
    "target_spacing_mm_zyx": None,
    "fingerprint_voxels": 100_000,
    "plan_changes": {
        "2d": {"patch_size": [32, 32], "batch_size": 3, "features_per_stage": [4, 8, 8]},
        "3d_fullres": {"patch_size": [8, 32, 32], "batch_size": 2, "features_per_stage": [4, 8, 8]},
    },
}
"""As the configuration says them."""

SETTINGS = typed(NnunetTraining, WORDS)
OF_INFERENCE = NnunetInference(tile_step_size=1.0, test_time_mirroring=False)


def scan(seed: int, shape: tuple[int, int, int] = (16, 48, 48)) -> tuple[sitk.Image, sitk.Image]:
    """CT (HU) and labels of a round head with one bleed, its oedema and, mostly, blood in a ventricle."""
    rng = np.random.default_rng(seed)
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    head = np.sqrt(z**2 + y**2 + x**2)
    hu = np.full(shape, -1000.0)
    hu[head < 0.95], hu[head < 0.85] = 900, 32
    labels = np.zeros(shape, np.uint8)
    at = rng.uniform(-0.35, 0.35, 3)
    bleed = np.sqrt((z - at[0]) ** 2 + (y - at[1]) ** 2 + (x - at[2]) ** 2)
    radius = rng.uniform(0.2, 0.32)
    labels[bleed < radius + 0.12], labels[bleed < radius] = 2, 1
    if rng.random() < 0.7:
        ventricle = np.sqrt((z / 2) ** 2 + (y + 0.5 * np.sign(at[1])) ** 2 + x**2) < 0.16
        labels[ventricle & (labels == 0)] = 3
    for value, mean in {1: 60, 2: 18, 3: 52}.items():
        hu[labels == value] = mean
    images = [
        sitk.GetImageFromArray((hu + rng.normal(0, 5, shape)).round().astype(np.int16)),
        sitk.GetImageFromArray(labels),
    ]
    for image in images:
        image.SetSpacing(SPACING_MM_XYZ)
    return images[0], images[1]


def training_scans(folder: Path, n: int) -> tuple[TrainingScan, ...]:
    """``n`` scans below ``folder``, in the layout of the converted data; written unless they are there."""
    scans = []
    for number in range(n):
        paths = [folder / f"S{number:02d}" / name for name in ("ct.nii.gz", "labels.nii.gz")]
        if not paths[0].parent.exists():
            paths[0].parent.mkdir(parents=True)
            for image, path in zip(scan(number), paths, strict=True):
                sitk.WriteImage(image, str(path))
        digest = hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()
        scans.append(TrainingScan(f"S{number:02d}", *paths, sha256=digest))
    return tuple(scans)


def job(scans: tuple[TrainingScan, ...], shared: Path, **changes: Any) -> TrainingJob:
    """A run on all ``scans``, with ``changes`` of the settings."""
    return TrainingJob(
        model="miniature",
        settings=changed(SETTINGS, **changes),
        training_scans=scans,
        validation_scans=(),
        seed=1,
        fold="all",
        device="cpu",
        threads=1,
        shared_folder=shared,
        labels=LABELS,
    )
