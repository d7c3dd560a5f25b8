"""Train the toy, on one scan per iteration."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch
from monai.losses.dice import DiceCELoss
from monai.networks.nets.basic_unet import BasicUNet
from torch import Tensor

from headct.contracts.labels import LabelSet
from headct.engine import seeding
from headct.engine.loop import fit
from headct.engine.pseudo_dice import lesion_counts, pseudo_dice
from headct.engine.training_job import ModelFacts, TrainedModel, TrainingJob, TrainingScan
from headct.frameworks.toy.settings import ToyPreparation, ToyTraining


def on_grid(image: sitk.Image, grid_xyz: Sequence[int], interpolator: int) -> np.ndarray:
    """The image, (z, y, x), on so many voxels of the same extent."""
    ratio = [n / grid for n, grid in zip(image.GetSize(), grid_xyz, strict=True)]
    spacing = [mm * part for mm, part in zip(image.GetSpacing(), ratio, strict=True)]
    resampled = sitk.Resample(
        image,
        list(grid_xyz),
        sitk.Transform(),
        interpolator,
        image.GetOrigin(),
        spacing,
        image.GetDirection(),
    )
    return sitk.GetArrayFromImage(resampled)


def scaled(ct: sitk.Image, grid_xyz: Sequence[int], hu_window: Sequence[float]) -> np.ndarray:
    """What the network is fed: float32 (z, y, x), the intensity window as 0...1."""
    lowest, highest = hu_window
    hu = on_grid(ct, grid_xyz, sitk.sitkLinear)
    return ((hu.astype(np.float32) - lowest) / (highest - lowest)).clip(0, 1)


def prepare(
    scans: Sequence[TrainingScan],
    settings: ToyPreparation,
    shared_folder: Path,
    threads: int,
    labels: LabelSet,
) -> dict[str, Any]:
    """Write each scan on the grid."""
    shared_folder.mkdir(parents=True, exist_ok=True)
    for scan in scans:
        path = shared_folder / f"{scan.sha256}.npz"
        if not path.exists():
            labels = on_grid(sitk.ReadImage(str(scan.labels)), settings.grid_xyz, sitk.sitkNearestNeighbor)
            ct = sitk.ReadImage(str(scan.ct))
            np.savez(path, image=scaled(ct, settings.grid_xyz, settings.hu_window), labels=labels)
    return {"grid_xyz": settings.grid_xyz}


def network_of(width: int, n_classes: int) -> BasicUNet:
    """The untrained network."""
    return BasicUNet(3, 1, n_classes, features=(width,) * 6)


class Batches:
    """One scan each, in turn."""

    def __init__(self, job: TrainingJob[ToyTraining]):
        self.paths = [job.shared_folder / f"{scan.sha256}.npz" for scan in job.training_scans]

    def __getitem__(self, number: int) -> tuple[np.ndarray, ...]:
        with np.load(self.paths[number % len(self.paths)]) as scan:
            return scan["image"][None, None], scan["labels"][None, None]


class ToyLearner:
    """The network, Adam, and Dice + cross-entropy."""

    validation_batches = ()
    validation_iterations_per_epoch = 0

    def __init__(self, job: TrainingJob[ToyTraining]):
        self.epochs = job.settings.epochs
        self.iterations_per_epoch = job.settings.iterations_per_epoch
        self.training_batches = Batches(job)
        self.labels = job.labels
        seeding.initialise(job.seed, job.fold)
        self.network = network_of(job.settings.width, job.labels.n_classes).to(job.device).train()
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=job.settings.learning_rate)
        self.loss = DiceCELoss(to_onehot_y=True, softmax=True)
        self.counts = torch.zeros(len(job.labels), 3, dtype=torch.int64, device=job.device)

    def learn(self, images: Tensor, *targets: Tensor) -> Tensor:
        self.optimiser.zero_grad()
        logits = self.network(images)
        loss = self.loss(logits, targets[0])
        loss.backward()
        self.optimiser.step()
        self.counts += lesion_counts(logits.detach(), targets[0], self.labels)
        return loss.detach()

    def end_epoch(self, epoch: int, validation: Iterable[list[Tensor]]) -> dict[str, Any]:
        dice = pseudo_dice(self.counts.tolist(), self.labels)
        self.counts.zero_()
        return {"learning_rate": self.optimiser.param_groups[0]["lr"], "pseudo_dice": dice}

    def state(self) -> dict[str, Any]:
        return {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "counts": self.counts,
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.counts.copy_(state["counts"])


def train(job: TrainingJob[ToyTraining], folder: Path) -> TrainedModel:
    """Train to the end, from the last checkpoint in ``folder`` if there is one."""
    prepare(job.training_scans, job.settings, job.shared_folder, job.threads, job.labels)
    learner = ToyLearner(job)
    at = fit(job, learner, folder)
    settings = job.settings
    return TrainedModel(
        weights=learner.network.state_dict(),
        fixed={"width": settings.width, "grid_xyz": settings.grid_xyz, "hu_window": settings.hu_window},
        history=at.history,
        facts=ModelFacts(
            network="a narrow U-Net",
            loss="Dice + cross-entropy",
            parameters=sum(parameter.numel() for parameter in learner.network.parameters()),
            patch_size_xyz=settings.grid_xyz,
            hu_window=settings.hu_window,
            batch_size=1,
            epochs=settings.epochs,
            iterations=settings.epochs * settings.iterations_per_epoch,
            optimiser="Adam",
            learning_rate=settings.learning_rate,
            further={"whole_scans": True},
        ),
        seconds=at.seconds,
        seconds_waiting=at.seconds_waiting,
    )
