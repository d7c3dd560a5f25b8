"""Trains BLAST-CT's DeepMedic with the parts of the package ``blast_ct`` and a loop of our own.

Network, loss, optimiser, schedule, sampling and augmentation are blast_ct's (Monteiro et al.,
Lancet Digital Health 2020;2:e314-22). Its own loop can't be resumed, isn't repeatable, goes on after
NaN, and takes a folder left by a killed run for a finished one; hence this one.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch
from blast_ct.read_config import get_loss, get_model, get_optimizer
from torch.utils.data import DataLoader

from headct.labels import LABELS, N_CLASSES
from headct.problems import BadInput, Problem
from headct.training import checkpoints, randomness
from headct.training.blastct_data import (
    TrainingBatches,
    elastic_noise,
    require_noise_covers,
    resampled_scans,
)
from headct.training.job import TrainedModel, TrainingJob

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_REPORTS = 5.0
IN_PLANE = [2, 1]  # axes of (z, y, x) within which blast_ct rotates and flips


def train(job: TrainingJob, folder: Path) -> TrainedModel:
    """Train to the last epoch, from the newest checkpoint in ``folder`` if there is one.

    Raises:
        BadInput: the input patch size doesn't fit the network, or a scan the elastic noise.
        FloatingPointError: the loss is not finite.
    """
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(job.threads)
    settings = job.settings
    configuration = package_configuration(settings)
    randomness.initialise(job.seed, job.fold)
    model = get_model(configuration)
    output_patch_size = output_size(model, configuration)
    scans = resampled_scans(
        job.training_scans, settings["spacing_mm"], settings["hu_window"], job.shared_folder
    )
    noise = elastic_noise(
        settings["elastic_noise_size_voxels"],
        settings["elastic_noise_periods"],
        settings["elastic_amplitude_voxels"],
        job.shared_folder,
    )
    require_noise_covers(scans, noise)
    batches = TrainingBatches(scans, configuration, noise, output_patch_size, seed=job.seed, fold=job.fold)
    run = Run(job, folder, model.to(job.device), configuration, batches)
    run.to_the_end()
    return TrainedModel(
        weights={name: tensor.cpu() for name, tensor in model.state_dict().items()},
        fixed={
            "configuration": {part: configuration[part] for part in ("model", "data")},
            "input_patch_size": list(settings["patch_size_voxels"]),
            "batch_size": settings["inference_batch_size"],
        },
        history=run.history,
        record=record(job, model, output_patch_size, run.n_batches),
    )


def package_configuration(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings in the form of ``blast_ct/data/config.json``, for the package's own readers."""
    foreground = settings["foreground_probability"] / len(LABELS)
    flip = settings["flip_probability"]
    return {
        "model": {
            "DeepMedic": {
                "feature_maps": list(settings["feature_maps"]),
                "fully_connected": list(settings["fully_connected_maps"]),
                "dropout": list(settings["dropout"]),
            }
        },
        "data": {
            "resolution": [float(mm) for mm in settings["spacing_mm"]],
            "transformation": {
                "IntensityWindowNormalization": {
                    "lower_bound": float(settings["hu_window"][0]),
                    "upper_bound": float(settings["hu_window"][1]),
                }
            },
            "input_channels": 1,
            "num_classes": N_CLASSES,
        },
        "training": {
            "batch_size": settings["batch_size"],
            "patches_per_image": settings["patches_per_image"],
            "images_per_epoch": settings["images_per_epoch"],
            "input_patch_size": list(settings["patch_size_voxels"]),
            "sampler": {
                "ConditionalPatchSampler": {
                    "class_probabilities": [1 - settings["foreground_probability"]]
                    + [foreground] * len(LABELS),
                    "n_tries": settings["sampling_tries"],
                }
            },
            "elastic_probability": settings["elastic_probability"],
            "patch_augmentation": {
                "RandomHistogramDeformation": {"prob": settings["histogram_probability"]},
                "RandomPatchRotation": {
                    "prob": settings["rotation_probability"],
                    "allowed_planes": [IN_PLANE],
                },
                "RandomPatchFlip": {"prob": flip, "allowed_axis": IN_PLANE},
            },
        },
        "loss": {"CrossEntropyLoss": {}},
        "optimizer": {
            "RMSprop": {
                "lr": settings["learning_rate"],
                "momentum": settings["momentum"],
                "alpha": settings["rmsprop_smoothing"],
                "weight_decay": settings["weight_decay"],
            }
        },
        "scheduler": {
            "MultiStepLR": {
                "milestones": milestones(settings),
                "gamma": settings["learning_rate_factor"],
            }
        },
    }


def milestones(settings: dict[str, Any]) -> list[int]:
    """Epochs after which the learning rate falls: blast_ct's, scaled to the epochs asked for."""
    return [round(fraction * settings["epochs"]) for fraction in settings["milestone_fractions"]]


def output_size(model: Any, configuration: dict[str, Any]) -> tuple[int, ...]:
    """Voxels (z, y, x) that DeepMedic predicts from one input patch.

    Raises:
        BadInput: the network can't take a patch of the configured size.
    """
    patch_size = tuple(configuration["training"]["input_patch_size"])
    try:
        return tuple(model.get_output_size(patch_size))
    except (ValueError, AssertionError) as error:
        scale = max(model.scale_factors[0])
        border = 2 * scale * len(model.feature_maps)
        problem = Problem(
            file="config",
            key="blastct: patch_size_voxels",
            value=str(list(patch_size)),
            message=f"with {len(model.feature_maps)} layers each side must be "
            f"a multiple of {scale} and at least {border + scale}",
        )
        raise BadInput([problem]) from error


@dataclass
class Totals:
    """Sums over the batches of the epoch in progress."""

    loss: float = 0.0
    n_batches: int = 0
    confusion: list[int] = field(default_factory=lambda: [0] * N_CLASSES**2)

    def add(self, loss: float, logits: torch.Tensor, target: torch.Tensor) -> None:
        """Count one batch: its mean loss, and how often each label was given each class."""
        self.loss += loss
        self.n_batches += 1
        pairs = target * N_CLASSES + logits.argmax(dim=1)
        counts = torch.bincount(pairs.flatten(), minlength=N_CLASSES**2).tolist()
        self.confusion = [old + new for old, new in zip(self.confusion, counts, strict=True)]

    def summary(self) -> dict[str, Any]:
        """Mean loss and Dice per lesion class over all patches (None if it occurs in none)."""
        confusion = np.reshape(self.confusion, (N_CLASSES, N_CLASSES))
        sizes = confusion.sum(axis=0) + confusion.sum(axis=1)
        return {"train_loss": self.loss / self.n_batches} | {
            f"pseudo_dice_{name}": float(2 * confusion[k, k] / sizes[k]) if sizes[k] else None
            for name, k in LABELS.items()
        }


class Run:
    """One training run: all that changes while it trains, saved and restored as a whole."""

    def __init__(
        self,
        job: TrainingJob,
        folder: Path,
        model: torch.nn.Module,
        configuration: dict[str, Any],
        batches: TrainingBatches,
    ):
        self.job, self.folder, self.model, self.batches = job, folder, model, batches
        self.loss = get_loss(configuration)
        self.schedule = get_optimizer(configuration, model)
        self.optimiser = self.schedule.optimizer
        self.n_batches = job.settings["epochs"] * batches.batches_per_epoch
        self.done = 0
        self.totals = Totals()
        self.history: list[dict[str, Any]] = []
        self._restore()

    def to_the_end(self) -> None:
        """Do all batches that are left."""
        self.model.train()
        start, first = time.monotonic(), self.done
        reported = saved = start
        for images, targets in self._remaining():
            self._step(images, targets)
            self.done += 1
            ends_epoch = self.done % self.batches.batches_per_epoch == 0
            if ends_epoch:
                self._end_epoch()
            now = time.monotonic()
            if self._is_due(ends_epoch, now - saved):
                self._save()
                saved = now
            is_last = self.done == self.n_batches
            if ends_epoch and (now - reported > SECONDS_BETWEEN_REPORTS or is_last):
                reported = now
                self._report((now - start) / (self.done - first))

    def _remaining(self) -> DataLoader[tuple[np.ndarray, np.ndarray]]:
        workers = self.job.settings["workers"]
        return DataLoader(
            self.batches,
            batch_size=None,
            sampler=range(self.done, self.n_batches),
            num_workers=workers,
            # arrays go through a pipe; tensors would need room in /dev/shm and hang without it
            collate_fn=_unchanged,
        )

    def _step(self, images: np.ndarray, targets: np.ndarray) -> None:
        image = torch.from_numpy(images).to(self.job.device)
        target = torch.from_numpy(targets).to(self.job.device, torch.int64)
        randomness.seed_batch(self.job.seed, self.job.fold, self.done)  # for dropout
        self.optimiser.zero_grad()
        logits, _ = self.model(image)
        loss = self.loss(logits, target)
        loss.backward()
        value = loss.item()
        if not np.isfinite(value):
            raise FloatingPointError(
                f"{self.job.model}: the loss is {value} in batch {self.done} "
                f"(epoch {len(self.history) + 1}); the last checkpoint in {self.folder} is kept"
            )
        self.optimiser.step()
        self.totals.add(value, logits.detach(), target)

    def _end_epoch(self) -> None:
        rate = self.optimiser.param_groups[0]["lr"]
        self.history.append({"epoch": len(self.history) + 1, "learning_rate": rate} | self.totals.summary())
        self.totals = Totals()
        self.schedule.step()

    def _is_due(self, ends_epoch: bool, seconds_since_last: float) -> bool:
        settings = self.job.settings
        by_epoch = ends_epoch and len(self.history) % settings["checkpoint_interval_epochs"] == 0
        by_time = seconds_since_last > 60 * settings["checkpoint_interval_minutes"]
        return by_epoch or by_time or self.done == self.n_batches

    def _save(self) -> None:
        state = {
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "epochs_scheduled": self.schedule.last_epoch,
            "totals": vars(self.totals),
            "history": self.history,
        }
        checkpoints.save(self.folder, state, self.done)

    def _restore(self) -> None:
        found = checkpoints.load_latest(self.folder)
        if found is None:
            return
        self.done, state = found
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])  # holds the learning rate, too
        self.schedule.last_epoch = state["epochs_scheduled"]
        self.totals = Totals(**state["totals"])
        self.history = state["history"]

    def _report(self, seconds_per_batch: float) -> None:
        epoch = self.history[-1]
        dice = " ".join(
            "-" if epoch[key] is None else f"{epoch[key]:.2f}"
            for key in (f"pseudo_dice_{name}" for name in LABELS)
        )
        minutes, seconds = divmod(round(seconds_per_batch * (self.n_batches - self.done)), 60)
        logger.info(
            "%s  epoch %d/%d  loss %.3f  pseudo-Dice %s  ETA %d:%02d",
            self.job.model,
            epoch["epoch"],
            self.job.settings["epochs"],
            epoch["train_loss"],
            dice,
            minutes,
            seconds,
        )


def _unchanged(batch: Any) -> Any:
    return batch


def record(
    job: TrainingJob, model: torch.nn.Module, output_patch_size: tuple[int, ...], n_batches: int
) -> dict[str, Any]:
    """What Table E1 says of the model."""
    settings = job.settings
    return {
        "architecture": "DeepMedic, 3 paths (blast_ct)",
        "n_parameters": sum(parameter.numel() for parameter in model.parameters()),
        "epochs": settings["epochs"],
        "iterations": n_batches,
        "batch_size": settings["batch_size"],
        "patch_size_voxels": list(settings["patch_size_voxels"]),
        "output_patch_size_voxels": list(output_patch_size),
        "spacing_mm": [float(mm) for mm in settings["spacing_mm"]],
        "hu_window": list(settings["hu_window"]),
        "loss": "cross-entropy",
        "optimiser": "RMSprop",
        "learning_rate": settings["learning_rate"],
        "learning_rate_milestones_epochs": milestones(settings),
        "augmentation": "elastic deformation; histogram shift and scale; in-plane rotation and flip",
    }
