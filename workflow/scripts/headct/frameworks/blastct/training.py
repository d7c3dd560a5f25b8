"""Trains BLAST-CT's DeepMedic with the parts of the package ``blast_ct`` in the project's own loop.

Network, loss, optimiser, schedule, sampling and augmentation are blast_ct's (Monteiro et al.,
Lancet Digital Health 2020;2:e314-22). Its own loop can't be resumed, isn't repeatable, goes on after
NaN, and takes a folder left by a killed run for a finished one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch
from blast_ct.read_config import get_loss, get_model, get_optimizer
from torch import Tensor

from headct.contracts.labels import LabelSet
from headct.contracts.problems import BadInput, Problem
from headct.engine import seeding, starts
from headct.engine.batches import NumberedBatches
from headct.engine.loop import fit
from headct.engine.pseudo_dice import lesion_counts, pseudo_dice
from headct.engine.training_job import ModelFacts, TrainedModel, TrainingJob, TrainingScan
from headct.frameworks.blastct.data import (
    ResampledScan,
    TrainingBatches,
    elastic_noise,
    require_noise_covers,
    resampled_scans,
)
from headct.frameworks.blastct.settings import BlastctPreparation, BlastctTraining

IN_PLANE = [2, 1]  # axes of (z, y, x) within which blast_ct rotates and flips


def prepare(
    scans: Sequence[TrainingScan],
    settings: BlastctPreparation,
    shared_folder: Path,
    threads: int,
    labels: LabelSet,
) -> dict[str, Any]:
    """Resample the scans and make the elastic noise, unless they are there; nothing more to say of it.

    Args:
        scans: of the training set.
        settings: of the model, those of its preparation.
        shared_folder: of what several trainings share.
        threads: that may be used.
        labels: the label set.

    Raises:
        BadInput: a scan that the intensity window leaves empty, or that is larger than the noise.
    """
    _prepared(scans, settings, shared_folder, threads)
    return {}


def _prepared(
    scans: Sequence[TrainingScan], settings: BlastctPreparation, shared_folder: Path, threads: int
) -> tuple[list[ResampledScan], np.ndarray]:
    resampled = resampled_scans(scans, settings.spacing_mm, settings.hu_window, shared_folder, threads)
    noise = elastic_noise(
        settings.elastic_noise_size_voxels,
        settings.elastic_noise_periods,
        settings.elastic_amplitude_voxels,
        shared_folder,
    )
    require_noise_covers(resampled, noise)
    return resampled, noise


def train(job: TrainingJob[BlastctTraining], folder: Path) -> TrainedModel:
    """Train to the last epoch, from the newest checkpoint in ``folder`` if there is one.

    Raises:
        BadInput: the input patch size doesn't fit the network, or a scan the elastic noise.
        Exception: what :func:`headct.engine.loop.fit` raises.
    """
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(job.threads)
    settings = job.settings
    configuration = package_configuration(settings, job.labels)
    seeding.initialise(job.seed, job.fold)
    model = get_model(configuration)
    output_patch_size = output_size(model, configuration)
    scans, noise = _prepared(job.training_scans, settings, job.shared_folder, job.threads)
    batches = TrainingBatches(scans, configuration, noise, output_patch_size, seed=job.seed, fold=job.fold)
    starts.begin(settings, model, partial(_network, configuration), job.labels)
    learner = BlastLearner(job, model.to(job.device), configuration, batches)
    at = fit(job, learner, folder)
    return TrainedModel(
        weights=model.state_dict(),
        fixed={
            "configuration": {part: configuration[part] for part in ("model", "data")},
            "input_patch_size": list(settings.patch_size_voxels),
        },
        history=at.history,
        facts=facts(job, model, output_patch_size, at.iteration),
        seconds=at.seconds,
        seconds_waiting=at.seconds_waiting,
    )


def package_configuration(settings: BlastctTraining, labels: LabelSet) -> dict[str, Any]:
    """The settings in the form of ``blast_ct/data/config.json``, for the package's own readers."""
    foreground = settings.foreground_probability / len(labels)
    flip = settings.flip_probability
    return {
        "model": {
            "DeepMedic": {
                "feature_maps": list(settings.feature_maps),
                "fully_connected": list(settings.fully_connected_maps),
                "dropout": list(settings.dropout),
            }
        },
        "data": {
            "resolution": [float(mm) for mm in settings.spacing_mm],
            "transformation": {
                "IntensityWindowNormalization": {
                    "lower_bound": float(settings.hu_window[0]),
                    "upper_bound": float(settings.hu_window[1]),
                }
            },
            "input_channels": 1,
            "num_classes": labels.n_classes,
        },
        "training": {
            "batch_size": settings.batch_size,
            "patches_per_image": settings.patches_per_image,
            "images_per_epoch": settings.images_per_epoch,
            "input_patch_size": list(settings.patch_size_voxels),
            "sampler": {
                "ConditionalPatchSampler": {
                    "class_probabilities": [1 - settings.foreground_probability] + [foreground] * len(labels),
                    "n_tries": settings.sampling_tries,
                }
            },
            "elastic_probability": settings.elastic_probability,
            "patch_augmentation": {
                "RandomHistogramDeformation": {"prob": settings.histogram_probability},
                "RandomPatchRotation": {
                    "prob": settings.rotation_probability,
                    "allowed_planes": [IN_PLANE],
                },
                "RandomPatchFlip": {"prob": flip, "allowed_axis": IN_PLANE},
            },
        },
        "loss": {"CrossEntropyLoss": {}},
        "optimizer": {
            "RMSprop": {
                "lr": settings.learning_rate,
                "momentum": settings.momentum,
                "alpha": settings.rmsprop_smoothing,
                "weight_decay": settings.weight_decay,
            }
        },
        "scheduler": {
            "MultiStepLR": {
                "milestones": milestones(settings),
                "gamma": settings.learning_rate_factor,
            }
        },
    }


def milestones(settings: BlastctTraining) -> list[int]:
    """Epochs after which the learning rate falls: blast_ct's, scaled to the epochs asked for."""
    return [round(fraction * settings.epochs) for fraction in settings.milestone_fractions]


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


def _network(configuration: dict[str, Any], n_classes: int) -> torch.nn.Module:
    """The untrained network of a configuration of the package, for so many classes."""
    network: torch.nn.Module = get_model(
        {**configuration, "data": {**configuration["data"], "num_classes": n_classes}}
    )
    return network


class BlastLearner:
    """blast_ct's network, loss, optimiser and schedule; pseudo-Dice is that of the epoch's patches.

    ``counts`` gathers it on the device, which is not waited for.
    """

    validation_batches: NumberedBatches = ()
    validation_iterations_per_epoch = 0

    def __init__(
        self,
        job: TrainingJob[BlastctTraining],
        model: torch.nn.Module,
        configuration: dict[str, Any],
        batches: TrainingBatches,
    ):
        self.model = model.train()
        self.epochs = job.settings.epochs
        self.iterations_per_epoch = batches.batches_per_epoch
        self.training_batches: NumberedBatches = batches
        self.labels = job.labels
        self.loss = get_loss(configuration)
        self.schedule = get_optimizer(configuration, model)
        self.optimiser = self.schedule.optimizer
        self.counts = torch.zeros(len(job.labels), 3, dtype=torch.int64, device=job.device)

    def learn(self, images: Tensor, *targets: Tensor) -> Tensor:
        """One step on images (N, 1, z, y, x) and the smaller targets (N, z, y, x)."""
        target = targets[0].long()
        self.optimiser.zero_grad()
        logits, _ = self.model(images)
        loss: Tensor = self.loss(logits, target)
        loss.backward()
        self.optimiser.step()
        self.counts += lesion_counts(logits.detach(), target, self.labels)
        return loss.detach()

    def end_epoch(self, epoch: int, validation: Iterable[list[Tensor]]) -> dict[str, Any]:
        rate, dice = self.optimiser.param_groups[0]["lr"], pseudo_dice(self.counts.tolist(), self.labels)
        self.counts.zero_()
        self.schedule.step()
        return {"learning_rate": rate, "pseudo_dice": dice}

    def state(self) -> dict[str, Any]:
        return {
            "network": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),  # holds the learning rate, too
            "epochs_scheduled": self.schedule.last_epoch,
            "counts": self.counts,
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.last_epoch = state["epochs_scheduled"]
        self.counts.copy_(state["counts"])


def facts(
    job: TrainingJob[BlastctTraining],
    model: torch.nn.Module,
    output_patch_size: tuple[int, ...],
    n_batches: int,
) -> ModelFacts:
    """What was trained; ``output_patch_size`` is z, y, x, in voxels.

    Args:
        job: the training.
        model: its network.
        output_patch_size: z, y, x, in voxels.
        n_batches: that it was trained on.
    """
    settings = job.settings
    return ModelFacts(
        network="DeepMedic, 3 paths (blast_ct)",
        loss="cross-entropy",
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        spacing_mm_xyz=[float(mm) for mm in settings.spacing_mm],
        patch_size_xyz=settings.patch_size_voxels[::-1],
        hu_window=list(settings.hu_window),
        batch_size=settings.batch_size,
        epochs=settings.epochs,
        iterations=n_batches,
        optimiser="RMSprop",
        learning_rate=settings.learning_rate,
        further={
            "output_patch_size_voxels": list(output_patch_size),
            "learning_rate_milestones_epochs": milestones(settings),
            "augmentation": "elastic deformation; histogram shift and scale; in-plane rotation and flip",
        },
    )
