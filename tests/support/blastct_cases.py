"""A network and scans small enough to train BLAST-CT within a test, and the study's own settings."""

from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from headct.contracts.artefacts import sha256_of
from headct.engine.training_job import TrainingJob, TrainingScan
from headct.frameworks.blastct.settings import BlastctInference, BlastctTraining
from headct.settings.typed import typed
from support.changed_settings import changed
from support.label_sets import LABELS

WORDS: dict[str, Any] = {
    "framework": "blastct",
    "epochs": 1800,
    "images_per_epoch": 50,
    "patches_per_image": 20,
    "batch_size": 10,
    "spacing_mm": [1, 1, 1],
    "hu_window": [-15, 100],
    "patch_size_voxels": [110, 110, 110],
    "feature_maps": [30, 30, 40, 40, 40, 40, 50, 50],
    "fully_connected_maps": [250, 250],
    "dropout": [0.0, 0.5, 0.5],
    "foreground_probability": 0.7,
    "sampling_tries": 5,
    "learning_rate": 0.001,
    "momentum": 0.6,
    "rmsprop_smoothing": 0.9,
    "weight_decay": 0.0001,
    "milestone_fractions": [0.366667, 0.533333, 0.666667, 0.75, 0.816667, 0.875],
    "learning_rate_factor": 0.5,
    "elastic_probability": 0.5,
    "elastic_amplitude_voxels": 20,
    "elastic_noise_size_voxels": 400,
    "elastic_noise_periods": 5,
    "histogram_probability": 0.5,
    "rotation_probability": 0.5,
    "flip_probability": 0.5,
    "workers": 5,
    "checkpoint_interval_epochs": 1,
    "checkpoint_interval_minutes": 15,
}
"""As the configuration says them."""

STUDY = typed(BlastctTraining, WORDS)
OF_INFERENCE = BlastctInference(inference_batch_size=32)

OF_SMALL = {
    "epochs": 3,
    "images_per_epoch": 4,
    "patches_per_image": 2,
    "batch_size": 3,
    "spacing_mm": [4, 4, 4],
    "patch_size_voxels": [30, 30, 30],
    "feature_maps": [4, 4],
    "fully_connected_maps": [6, 6],
    "elastic_amplitude_voxels": 4,
    "elastic_noise_size_voxels": 40,
    "workers": 0,
}
SMALL = changed(STUDY, **OF_SMALL)


def write_scan(folder: Path, scan_id: str, seed: int) -> TrainingScan:
    """A ball of brain (30 HU) with a lesion of each class, 24×24×12 voxels of 5×5×8 mm."""
    rng = np.random.default_rng(seed)
    z, y, x = np.indices((12, 24, 24))
    centre = rng.integers(-3, 4, size=3)
    radius = np.sqrt(((z - 6) * 8) ** 2 + ((y - 12) * 5) ** 2 + ((x - 12) * 5) ** 2)
    lesion = np.sqrt(
        ((z - 6 - centre[0]) * 8) ** 2 + ((y - 12 - centre[1]) * 5) ** 2 + ((x - 12 - centre[2]) * 5) ** 2
    )
    labels = np.select([lesion < 14, lesion < 22, radius < 14], [1, 2, 3], 0).astype(np.uint8)
    hu = np.where(radius < 55, np.choose(labels, [30, 60, 18, 52]), -1000) + rng.normal(0, 4, labels.shape)
    paths = []
    for name, array in (("ct", hu.round().astype(np.int16)), ("labels", labels)):
        paths.append(folder / f"{scan_id}-{name}.nii.gz")
        if paths[-1].exists():
            continue
        image = sitk.GetImageFromArray(array)
        image.SetSpacing([5.0, 5.0, 8.0])
        image.SetOrigin([-40.0, 13.0, 7.0])
        sitk.WriteImage(image, str(paths[-1]))
    return TrainingScan(scan_id, *paths, sha256=sha256_of(paths[0]) + sha256_of(paths[1]))


def small_job(folder: Path, **changes: Any) -> TrainingJob:
    """A job on five scans, written below ``folder``; ``changes`` go into its settings."""
    folder.mkdir(parents=True, exist_ok=True)
    return TrainingJob(
        model="blast-ct",
        settings=changed(SMALL, **changes),
        training_scans=tuple(write_scan(folder, f"scan-{k}", seed=k) for k in range(5)),
        validation_scans=(),
        seed=7,
        fold="all",
        device="cpu",
        threads=1,
        shared_folder=folder / "shared",
        labels=LABELS,
    )
