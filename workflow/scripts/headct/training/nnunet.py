"""nnU-Net v2, driven through its own classes: planning, preprocessing, trainer, loss.

What is ours is the loop around nnU-Net's training step: numbered batches, checkpoints that survive a
kill, our own split, no validation by whole images, no plots.
"""

from __future__ import annotations

import logging
import math
import time
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from nnunetv2.training.lr_scheduler.polylr import PolyLRScheduler
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from torch import nn

from headct.labels import LABELS
from headct.training import checkpoints, randomness
from headct.training.job import TrainedModel, TrainingJob
from headct.training.nnunet_batches import training_batches, validation_batches
from headct.training.nnunet_data import PreparedData, case_name, dataset_json, set_environment
from headct.training.nnunet_layout import in_fast_layout
from headct.training.nnunet_plans import plans_of_configuration
from headct.training.nnunet_trainers.loss_trainers import (
    DiceTopKTrainer,
    FocalTrainer,
    FocalTverskyTrainer,
    TverskyTrainer,
)

logger = logging.getLogger(__name__)

TRAINERS: dict[str, type[nnUNetTrainer]] = {
    "dice_ce": nnUNetTrainer,
    "tversky": TverskyTrainer,
    "focal_tversky": FocalTverskyTrainer,
    "dice_topk": DiceTopKTrainer,
    "focal": FocalTrainer,
}
"""nnU-Net trainer of each loss."""

PROGRESS_SECONDS = 5


def train(job: TrainingJob, folder: Path) -> TrainedModel:
    """Train one nnU-Net, from the last checkpoint in ``folder`` where there is one.

    Raises:
        BadInput: the settings do not fit the scans.
        FloatingPointError: the loss is no longer a number.
    """
    settings = job.settings
    configuration = settings["configuration"]
    data = PreparedData(job.shared_folder, (*job.training_scans, *job.validation_scans), settings)
    set_environment(data.raw, data.preprocessed, folder / "nnunet", settings["compile"])
    plans = plans_of_configuration(
        data.plans(job.threads), configuration, settings["plan_changes"].get(configuration)
    )
    cases = data.preprocess(plans, configuration, job.threads)
    trainer = make_trainer(job, plans)
    history = fit(job, trainer, cases, folder)
    return TrainedModel(
        weights=bare(trainer.network).state_dict(),
        fixed={
            "plans": plans,
            "dataset_json": trainer.dataset_json,
            "configuration": configuration,
            "loss": settings["loss"],
            "tile_step_size": settings["tile_step_size"],
            "test_time_mirroring": settings["test_time_mirroring"],
        },
        history=history,
        record=record(trainer, settings),
    )


def make_trainer(job: TrainingJob, plans: dict[str, Any]) -> nnUNetTrainer:
    """nnU-Net's trainer with the job's settings, its network freshly initialised."""
    settings = job.settings
    trainer = TRAINERS[settings["loss"]](
        plans={**plans, "continue_training": False},
        configuration=settings["configuration"],
        fold=job.fold if job.fold == "all" else int(job.fold),
        dataset_json=dataset_json(len(job.training_scans)),
        device=torch.device(job.device),
    )
    trainer.num_epochs = settings["epochs"]
    trainer.num_iterations_per_epoch = settings["iterations_per_epoch"]
    trainer.num_val_iterations_per_epoch = settings["validation_iterations_per_epoch"]
    trainer.initial_lr = settings["initial_learning_rate"]
    trainer.weight_decay = settings["weight_decay"]
    trainer.oversample_foreground_percent = settings["foreground_oversampling"]
    randomness.initialise(job.seed, job.fold)
    trainer.initialize()
    trainer.network = in_fast_layout(trainer.network, job.device)
    if settings["optimiser"] == "adamw":
        trainer.optimizer = torch.optim.AdamW(
            trainer.network.parameters(), trainer.initial_lr, weight_decay=trainer.weight_decay
        )
        trainer.lr_scheduler = PolyLRScheduler(trainer.optimizer, trainer.initial_lr, trainer.num_epochs)
    return trainer


def fit(job: TrainingJob, trainer: nnUNetTrainer, cases: Path, folder: Path) -> list[dict[str, Any]]:
    """Take the trainer's network through all iterations that are left; return one entry per epoch.

    As in nnU-Net, fold "all" has its pseudo-Dice from scans that are also learnt from.
    """
    per_epoch, n_epochs = trainer.num_iterations_per_epoch, trainer.num_epochs
    first, losses, history = _restore(trainer, folder)
    if first == per_epoch * n_epochs:
        return history
    stream, workers = {"seed": job.seed, "fold": job.fold}, job.settings["workers"]
    learnt = [case_name(scan.scan_id) for scan in job.training_scans]
    held_out = [case_name(scan.scan_id) for scan in job.validation_scans] or learnt
    batches = training_batches(trainer, cases, learnt, first, workers=workers, **stream)
    n_validation = trainer.num_val_iterations_per_epoch
    validation = validation_batches(
        trainer, cases, held_out, len(history) * n_validation, workers=(workers + 1) // 2, **stream
    )
    progress, schedule = _Progress(job.model, first, per_epoch, n_epochs), _Schedule(job.settings)
    try:
        for iteration in range(first, per_epoch * n_epochs):
            epoch, batch = divmod(iteration, per_epoch)
            if batch == 0 or iteration == first:
                trainer.network.train()
                trainer.lr_scheduler.step(epoch)
            losses.append(float(trainer.train_step(next(batches))["loss"]))
            if not math.isfinite(losses[-1]):
                raise FloatingPointError(f"{job.model}: the loss of batch {iteration} is {losses[-1]}")
            if epoch_ended := batch == per_epoch - 1:
                history.append(
                    {
                        "epoch": epoch,
                        "learning_rate": trainer.optimizer.param_groups[0]["lr"],
                        "train_loss": float(np.mean(losses)),
                        **validate(trainer, islice(validation, n_validation)),
                    }
                )
                losses = []
                progress.report(history[-1], iteration + 1)
            if schedule.is_due(len(history), epoch_ended, ended=len(history) == n_epochs):
                _save(trainer, folder, iteration + 1, losses, history)
    finally:
        batches.close()
        validation.close()
    return history


def validate(trainer: nnUNetTrainer, batches: Any) -> dict[str, Any]:
    """nnU-Net's loss and pseudo-Dice (all patches of the epoch taken as one volume) per lesion class.

    The pseudo-Dice of a class that is neither present nor predicted is None.
    """
    trainer.network.eval()
    with torch.no_grad():
        results = [trainer.validation_step(batch) for batch in batches]
    tp, fp, fn = (
        np.sum([result[key] for result in results], axis=0) for key in ("tp_hard", "fp_hard", "fn_hard")
    )
    size = 2 * tp + fp + fn
    return {
        "validation_loss": float(np.mean([result["loss"] for result in results])),
        "pseudo_dice": {
            label: float(2 * tp[i] / size[i]) if size[i] > 0 else None for i, label in enumerate(LABELS)
        },
    }


def bare(network: nn.Module) -> nn.Module:
    """The network under ``torch.compile``, whose parameters have their own names."""
    inner: nn.Module = getattr(network, "_orig_mod", network)
    return inner


def record(trainer: nnUNetTrainer, settings: dict[str, Any]) -> dict[str, Any]:
    """What was trained, for the table of implementations."""
    plan = trainer.configuration_manager
    loss = trainer.loss.loss if hasattr(trainer.loss, "loss") else trainer.loss
    return {
        "pipeline": f"nnU-Net {version('nnunetv2')}",
        "network": plan.network_arch_class_name.rsplit(".", 1)[-1],
        "configuration": settings["configuration"],
        "planner": settings["planner"],
        "patch_size": list(plan.patch_size),
        "spacing_mm": list(plan.spacing),
        "features_per_stage": list(plan.network_arch_init_kwargs["features_per_stage"]),
        "parameters": sum(p.numel() for p in trainer.network.parameters()),
        "batch_size": plan.batch_size,
        "epochs": trainer.num_epochs,
        "iterations_per_epoch": trainer.num_iterations_per_epoch,
        "iterations": trainer.num_epochs * trainer.num_iterations_per_epoch,
        "optimiser": type(trainer.optimizer).__name__,
        "initial_learning_rate": trainer.initial_lr,
        "learning_rate_schedule": "polynomial, exponent 0.9",
        "weight_decay": trainer.weight_decay,
        "foreground_oversampling": trainer.oversample_foreground_percent,
        "augmentation": "nnU-Net default",
        "loss": settings["loss"],
        "loss_constants": loss_constants(loss),
    }


def loss_constants(loss: nn.Module) -> dict[str, float]:
    """Every number that a loss and its parts were made with, by its name."""
    return {
        f"{part}.{name}".lstrip("."): value
        for part, module in loss.named_modules()
        for name, value in vars(module).items()
        if isinstance(value, bool | int | float) and not name.startswith("_") and name != "training"
    }


def _restore(trainer: nnUNetTrainer, folder: Path) -> tuple[int, list[float], list[dict[str, Any]]]:
    """Iterations done, losses of the epoch begun, and history; the trainer's state is put back."""
    found = checkpoints.load_latest(folder)
    if found is None:
        return 0, [], []
    iteration, state = found
    bare(trainer.network).load_state_dict(state["network"])
    trainer.optimizer.load_state_dict(state["optimiser"])
    if trainer.grad_scaler is not None:
        trainer.grad_scaler.load_state_dict(state["grad_scaler"])
    return iteration, state["losses"], state["history"]


def _save(
    trainer: nnUNetTrainer,
    folder: Path,
    iteration: int,
    losses: list[float],
    history: list[dict[str, Any]],
) -> None:
    scaler = trainer.grad_scaler
    state = {
        "network": bare(trainer.network).state_dict(),
        "optimiser": trainer.optimizer.state_dict(),
        "grad_scaler": {} if scaler is None else scaler.state_dict(),
        "losses": losses,
        "history": history,
    }
    checkpoints.save(folder, state, iteration)


class _Schedule:
    """When to write a checkpoint: after so many epochs, after so many minutes, and at the end."""

    def __init__(self, settings: dict[str, Any]):
        self.epochs = settings["checkpoint_interval_epochs"]
        self.seconds = 60 * settings["checkpoint_interval_minutes"]
        self.last = time.monotonic()

    def is_due(self, epochs_done: int, epoch_ended: bool, ended: bool) -> bool:
        by_epoch = epoch_ended and epochs_done % self.epochs == 0
        due = ended or by_epoch or time.monotonic() - self.last >= self.seconds
        if due:
            self.last = time.monotonic()
        return due


class _Progress:
    """One line per epoch in the log, or every few seconds if epochs are shorter."""

    def __init__(self, model: str, first: int, per_epoch: int, n_epochs: int):
        self.model, self.first, self.n_epochs = model, first, n_epochs
        self.total = per_epoch * n_epochs
        self.start = self.last = time.monotonic()

    def report(self, entry: dict[str, Any], done: int) -> None:
        now = time.monotonic()
        if now - self.last < PROGRESS_SECONDS and done < self.total:
            return
        self.last = now
        left = round((now - self.start) / (done - self.first) * (self.total - done))
        dice = "/".join("–" if d is None else f"{d:.2f}" for d in entry["pseudo_dice"].values())
        logger.info(
            "%s  epoch %d/%d  loss %.3f  pseudo-Dice %s %s  ETA %d:%02d:%02d",
            self.model,
            entry["epoch"] + 1,
            self.n_epochs,
            entry["train_loss"],
            "/".join(LABELS),
            dice,
            left // 3600,
            left // 60 % 60,
            left % 60,
        )
