"""Train a network with MONAI: BasicUNet or DeepLabv3+, Dice + cross-entropy, Adam.

The set-up follows MONAI's spleen CT tutorial and bundle (see ``headct.training.monai_data``); the
loss is MONAI's ``DiceCELoss`` over all classes, background included, on softmax outputs.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from monai.losses.dice import DiceCELoss
from torch import Tensor, nn

from headct import networks
from headct.labels import LABELS
from headct.problems import BadInput
from headct.training import checkpoints, randomness
from headct.training.job import TrainedModel, TrainingJob
from headct.training.monai_data import Preprocessing, prepare_all
from headct.training.monai_patches import PatchBatches, Sampling, loader

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_MESSAGES = 5.0
POLYNOMIAL_POWER = 0.9
FOR_INFERENCE = (
    "network",
    "features",
    "width",
    "middle_blocks",
    "variant",
    "patch_size_xyz",
    "spacing_mm_xyz",
    "hu_window",
    "tile_overlap",
)
"""Settings that inference needs besides the weights."""


def train(job: TrainingJob, folder: Path) -> TrainedModel:
    """Train to the end, from the last checkpoint in ``folder`` if there is one.

    Raises:
        BadInput: network, patch and batch size do not go together.
        FloatingPointError: the loss is not finite; the last checkpoint is from before.
    """
    problems = networks.settings_problems(job.settings)
    if problems:
        raise BadInput(problems)
    schedule = Schedule.from_settings(job.settings, len(job.training_scans))
    preprocessing = Preprocessing.from_settings(job.settings)
    scans = prepare_all(job.training_scans, preprocessing, job.shared_folder, job.model)
    run = Run.start(job)
    run.resume(folder)
    sampling = Sampling.from_settings(job.settings)
    batches = PatchBatches(scans, sampling, job.seed, job.fold, schedule.iterations)
    progress = Progress(job.model, schedule, run.step)
    saved = time.monotonic()
    for images, labels in loader(batches, run.step, job.settings["workers"]):
        run.learn_from(torch.from_numpy(images), torch.from_numpy(labels), schedule.rate(run.step))
        epoch, rest = divmod(run.step, schedule.iterations_per_epoch)
        if rest == 0:
            run.end_epoch(epoch, schedule.iterations_per_epoch)
            progress.tell(run)
        due = time.monotonic() - saved > 60 * job.settings["checkpoint_interval_minutes"]
        if due or (rest == 0 and epoch % job.settings["checkpoint_interval_epochs"] == 0):
            run.save(folder)
            saved = time.monotonic()
    run.save(folder)  # a kill between here and publishing costs nothing
    return TrainedModel(
        weights=run.network.state_dict(),
        fixed={key: job.settings[key] for key in FOR_INFERENCE if key in job.settings},
        history=run.history,
        record=record(job.settings, run.network, schedule),
    )


@dataclass(frozen=True)
class Schedule:
    """Length of a run and its learning rates; one iteration is one batch."""

    epochs: int
    iterations_per_epoch: int
    learning_rate: float
    learning_rate_schedule: str

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], n_scans: int) -> Schedule:
        """An epoch shows each scan once, unless the config sets its iterations."""
        per_epoch = settings["iterations_per_epoch"]
        if per_epoch is None:
            per_epoch = math.ceil(n_scans / settings["scans_per_batch"])
        return cls(
            settings["epochs"],
            per_epoch,
            settings["learning_rate"],
            settings["learning_rate_schedule"],
        )

    @property
    def iterations(self) -> int:
        return self.epochs * self.iterations_per_epoch

    def rate(self, step: int) -> float:
        """Learning rate of the iteration that ``step`` others precede.

        ``"polynomial"`` is the "poly" policy of the DeepLab papers (Chen 2018, section 4).
        """
        if self.learning_rate_schedule == "constant":
            return self.learning_rate
        return self.learning_rate * (1 - step / self.iterations) ** POLYNOMIAL_POWER


@dataclass
class Run:
    """State of a training run; ``step`` is the number of batches learnt from.

    ``sums`` gathers over the epoch, on the device and without waiting for it: the loss, then per
    lesion class the voxels that are true positive, in the reference, and in the prediction.
    """

    job: TrainingJob
    network: nn.Module
    optimiser: torch.optim.Optimizer
    sums: Tensor
    step: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    loss: nn.Module = field(default_factory=lambda: DiceCELoss(to_onehot_y=True, softmax=True))

    @classmethod
    def start(cls, job: TrainingJob) -> Run:
        """A run before its first batch, with the initial weights of its seed and fold."""
        randomness.initialise(job.seed, job.fold)
        network = networks.build(job.settings).to(job.device).train()
        optimiser = torch.optim.Adam(network.parameters(), fused=True)
        sums = torch.zeros(1 + 3 * len(LABELS), dtype=torch.float64, device=job.device)
        return cls(job, network, optimiser, sums)

    def learn_from(self, images: Tensor, labels: Tensor, learning_rate: float) -> None:
        """One step of the optimiser on images and labels of shape (N, 1, z, y, x)."""
        randomness.seed_batch(self.job.seed, self.job.fold, self.step)
        images, labels = images.to(self.job.device), labels.to(self.job.device)
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate
        self.optimiser.zero_grad(set_to_none=True)
        logits = self.network(images)
        loss = self.loss(logits, labels)
        loss.backward()
        self.optimiser.step()
        self.sums += epoch_terms(loss.detach(), logits.detach(), labels)
        self.step += 1

    def end_epoch(self, epoch: int, iterations: int) -> None:
        """Move the sums of the epoch into the history."""
        self.require_finite_loss()
        loss, *counts = self.sums.tolist()
        entry: dict[str, Any] = {"epoch": epoch, "train_loss": loss / iterations}
        for number, name in enumerate(LABELS):
            true_positive, reference, predicted = counts[3 * number : 3 * number + 3]
            present = reference + predicted > 0
            dice = 2 * true_positive / (reference + predicted) if present else None
            entry[f"pseudo_dice_{name}"] = dice
        self.history.append(entry)
        self.sums.zero_()

    def require_finite_loss(self) -> None:
        """Stop before a checkpoint of broken weights is written."""
        if not math.isfinite(self.sums[0].item()):
            raise FloatingPointError(
                f"{self.job.model}: the loss is not finite (by iteration {self.step}); the last "
                "checkpoint is from before that; a lower learning_rate may help"
            )

    def save(self, folder: Path) -> None:
        """Write a checkpoint."""
        self.require_finite_loss()
        state = {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "sums": self.sums,
            "history": self.history,
        }
        checkpoints.save(folder, state, self.step)

    def resume(self, folder: Path) -> None:
        """Go on from the newest checkpoint, if there is one."""
        found = checkpoints.load_latest(folder)
        if found is None:
            return
        self.step, state = found
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.sums.copy_(state["sums"])
        self.history = state["history"]


def epoch_terms(loss: Tensor, logits: Tensor, labels: Tensor) -> Tensor:
    """What one batch adds to ``Run.sums``."""
    predicted = logits.argmax(dim=1, keepdim=True)
    terms = [loss.double()]
    for value in LABELS.values():
        in_prediction, in_reference = predicted == value, labels == value
        both = in_prediction & in_reference
        terms += [mask.sum().double() for mask in (both, in_reference, in_prediction)]
    return torch.stack(terms)


class Progress:
    """Tells how a run goes, at the end of an epoch and not too often."""

    def __init__(self, model: str, schedule: Schedule, first_step: int) -> None:
        self.model = model
        self.schedule = schedule
        self.first_step = first_step
        self.started = self.told = time.monotonic()

    def tell(self, run: Run) -> None:
        now = time.monotonic()
        done = run.step == self.schedule.iterations
        if now - self.told < SECONDS_BETWEEN_MESSAGES and not done:
            return
        self.told = now
        entry = run.history[-1]
        each = (now - self.started) / (run.step - self.first_step)
        left = round(each * (self.schedule.iterations - run.step))
        dice = (entry[f"pseudo_dice_{name}"] for name in LABELS)
        logger.info(
            "%s  epoch %d/%d  loss %.3f  pseudo-Dice %s  ETA %d:%02d",
            self.model,
            entry["epoch"],
            self.schedule.epochs,
            entry["train_loss"],
            " ".join("-" if value is None else f"{value:.2f}" for value in dice),
            *divmod(left, 60),
        )


def record(settings: Mapping[str, Any], network: nn.Module, schedule: Schedule) -> dict[str, Any]:
    """What the table of implementations (Table E1) prints about the model."""
    return {
        **asdict(schedule),
        "iterations": schedule.iterations,
        "network": settings["network"],
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "batch_size": settings["scans_per_batch"] * settings["patches_per_scan"],
        "patch_size_xyz": settings["patch_size_xyz"],
        "spacing_mm_xyz": settings["spacing_mm_xyz"],
        "hu_window": settings["hu_window"],
        "loss": "Dice + cross-entropy (MONAI DiceCELoss)",
        "optimiser": "Adam",
        "augmentation": "mirroring left and right; intensity scale and shift",
        "precision": "float32",
    }
