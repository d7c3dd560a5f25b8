"""Train a network with MONAI (BasicUNet, DeepLabv3+ or another): Dice + cross-entropy, Adam.

The set-up follows MONAI's spleen CT tutorial and bundle (see ``headct.frameworks.monai.data``); the
loss is MONAI's ``DiceCELoss`` over all classes, background included, on softmax outputs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from monai.losses.dice import DiceCELoss
from torch import Tensor, nn

from headct.contracts.labels import LabelSet
from headct.contracts.problems import BadInput
from headct.engine import seeding, starts
from headct.engine.batches import NumberedBatches
from headct.engine.loop import fit
from headct.engine.machine import single_precision
from headct.engine.pseudo_dice import lesion_counts, pseudo_dice
from headct.engine.training_job import ModelFacts, TrainedModel, TrainingJob, TrainingScan
from headct.frameworks.monai import networks
from headct.frameworks.monai.data import PreparedScan, Preprocessing, prepare_all
from headct.frameworks.monai.patches import PatchBatches, Sampling
from headct.frameworks.monai.settings import MonaiPreparation, MonaiTraining
from headct.settings.typed import plain

POLYNOMIAL_POWER = 0.9
FOR_INFERENCE = (
    "network",
    "arguments",
    "features",
    "width",
    "middle_blocks",
    "variant",
    "patch_size_xyz",
    "spacing_mm_xyz",
    "hu_window",
)
"""Settings that inference needs besides the weights."""


def prepare(
    scans: Sequence[TrainingScan],
    settings: MonaiPreparation,
    shared_folder: Path,
    threads: int,
    labels: LabelSet,
) -> dict[str, Any]:
    """Preprocess what is not there yet; there is nothing to say of it but the settings.

    Args:
        scans: of the training set.
        settings: of the model, those of its preparation.
        shared_folder: of what several trainings share.
        threads: that may be used.
        labels: the label set.
    """
    prepare_all(scans, Preprocessing.from_settings(settings), shared_folder, threads)
    return {}


def train(job: TrainingJob[MonaiTraining], folder: Path) -> TrainedModel:
    """Train to the end, from the last checkpoint in ``folder`` if there is one.

    Raises:
        BadInput: network, patch and batch size do not go together.
        Exception: what :func:`headct.engine.loop.fit` raises.
    """
    problems = list(networks.problems(job.settings))
    if problems:
        raise BadInput(problems)
    preprocessing = Preprocessing.from_settings(job.settings)
    scans = prepare_all(job.training_scans, preprocessing, job.shared_folder, job.threads)
    learner = MonaiLearner(job, scans)
    starts.begin(job.settings, learner.network, partial(networks.build, job.settings), job.labels)
    at = fit(job, learner, folder)
    settings = plain(job.settings)
    return TrainedModel(
        weights=learner.network.state_dict(),
        fixed={key: settings[key] for key in FOR_INFERENCE if key in settings},
        history=at.history,
        facts=facts(job, learner.network, learner.schedule),
        seconds=at.seconds,
        seconds_waiting=at.seconds_waiting,
    )


@dataclass(frozen=True)
class Schedule:
    """Length of a run and its learning rates; one iteration is one batch."""

    epochs: int
    iterations_per_epoch: int
    learning_rate: float
    learning_rate_schedule: str
    budget: int | None = None

    @classmethod
    def from_settings(cls, settings: MonaiTraining, n_scans: int, budget: int | None = None) -> Schedule:
        """An epoch shows each scan once, unless the config sets its iterations; ``budget`` is in steps."""
        return cls(
            settings.epochs,
            settings.steps_of_epoch(n_scans),
            settings.learning_rate,
            settings.learning_rate_schedule,
            budget,
        )

    @property
    def iterations(self) -> int:
        return self.budget or self.epochs * self.iterations_per_epoch

    def rate(self, step: int) -> float:
        """Learning rate of the iteration that ``step`` others precede.

        ``"polynomial"`` is the "poly" policy of the DeepLab papers (Chen 2018, section 4).
        """
        if self.learning_rate_schedule == "constant":
            return self.learning_rate
        return self.learning_rate * (1 - step / self.iterations) ** POLYNOMIAL_POWER


class MonaiLearner:
    """Network, Adam and DiceCE loss; pseudo-Dice is that of the epoch's training patches.

    ``counts`` gathers it on the device, which is not waited for.
    """

    validation_batches: NumberedBatches = ()
    validation_iterations_per_epoch = 0

    def __init__(self, job: TrainingJob[MonaiTraining], scans: Sequence[PreparedScan]):
        self.schedule = Schedule.from_settings(job.settings, len(job.training_scans), job.steps)
        self.epochs = self.schedule.epochs
        self.iterations_per_epoch = self.schedule.iterations_per_epoch
        self.training_batches: NumberedBatches = PatchBatches(
            scans, Sampling.from_settings(job.settings), job.seed, job.fold
        )
        seeding.initialise(job.seed, job.fold)
        self.network = networks.build(job.settings, job.labels.n_classes).to(job.device).train()
        self.optimiser = torch.optim.Adam(self.network.parameters(), fused=True)
        self.labels = job.labels
        self.loss = DiceCELoss(to_onehot_y=True, softmax=True)
        self.counts = torch.zeros(len(job.labels), 3, dtype=torch.int64, device=job.device)
        self.step = 0

    def learn(self, images: Tensor, *targets: Tensor) -> Tensor:
        """One step of Adam on images and labels of shape (N, 1, z, y, x)."""
        (labels,) = targets
        for group in self.optimiser.param_groups:
            group["lr"] = self.schedule.rate(self.step)
        self.optimiser.zero_grad(set_to_none=True)
        logits = self.network(images)
        loss: Tensor = self.loss(logits, labels)
        loss.backward()
        self.optimiser.step()
        self.counts += lesion_counts(logits.detach(), labels, self.labels)
        self.step += 1
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
            "step": self.step,
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.counts.copy_(state["counts"])
        self.step = state["step"]


def facts(job: TrainingJob[MonaiTraining], network: nn.Module, schedule: Schedule) -> ModelFacts:
    """What was trained."""
    settings = job.settings
    return ModelFacts(
        network=settings.network,
        loss="Dice + cross-entropy (MONAI DiceCELoss)",
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        spacing_mm_xyz=settings.spacing_mm_xyz,
        patch_size_xyz=settings.patch_size_xyz,
        hu_window=settings.hu_window,
        batch_size=settings.scans_per_batch * settings.patches_per_scan,
        epochs=schedule.epochs,
        iterations=schedule.iterations,
        optimiser="Adam",
        learning_rate=schedule.learning_rate,
        further={
            "iterations_per_epoch": schedule.iterations_per_epoch,
            "learning_rate_schedule": schedule.learning_rate_schedule,
            "augmentation": "mirroring left and right; intensity scale and shift",
            "precision": single_precision(job.device),
        },
    )
