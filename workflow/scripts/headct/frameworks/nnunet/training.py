"""nnU-Net v2, driven through its own classes: planning, preprocessing, trainer, loss.

What is not nnU-Net's is the loop around its training step (``headct.engine.loop``), the numbered
batches, and the split; there is no validation by whole images.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from nnunetv2.training.lr_scheduler.polylr import PolyLRScheduler
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from torch import Tensor, nn

from headct.contracts.labels import LabelSet
from headct.engine import seeding, starts
from headct.engine.batches import NumberedBatches
from headct.engine.loop import fit
from headct.engine.pseudo_dice import pseudo_dice
from headct.engine.training_job import ModelFacts, TrainedModel, TrainingJob, TrainingScan
from headct.frameworks.nnunet import trainer_names
from headct.frameworks.nnunet.data import PreparedData, case_name, dataset_json, set_environment
from headct.frameworks.nnunet.layout import in_fast_layout
from headct.frameworks.nnunet.plans import plans_of_configuration
from headct.frameworks.nnunet.seeded_batches import training_batches, validation_batches
from headct.frameworks.nnunet.settings import NnunetPreparation, NnunetTraining, PlanChange
from headct.frameworks.nnunet.trainers.loss_trainers import (
    DiceTopKTrainer,
    FocalTrainer,
    FocalTverskyTrainer,
    TverskyTrainer,
)

T = TypeVar("T")

TRAINERS: dict[str, type[nnUNetTrainer]] = {
    "dice_ce": nnUNetTrainer,
    "tversky": TverskyTrainer,
    "focal_tversky": FocalTverskyTrainer,
    "dice_topk": DiceTopKTrainer,
    "focal": FocalTrainer,
}
"""nnU-Net trainer of each loss."""

OPTIMISERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "sgd": partial(torch.optim.SGD, momentum=0.99, nesterov=True),
    "adamw": torch.optim.AdamW,
}
"""Optimisers with their fixed options; ``sgd`` is as in nnU-Net."""

GRADIENT_NORM = 12
"""Gradients are clipped to this norm, as in nnU-Net."""


def prepare(
    scans: Sequence[TrainingScan],
    settings: NnunetPreparation,
    shared_folder: Path,
    threads: int,
    labels: LabelSet,
) -> dict[str, Any]:
    """Plan, and preprocess what is not there yet; nnU-Net's own plans, for the record.

    Args:
        scans: of the training set.
        settings: of the model, those of its preparation.
        shared_folder: of what several trainings share.
        threads: that may be used.
        labels: the label set.

    Raises:
        BadInput: nnU-Net plans no such configuration for these scans.
    """
    plans, _ = _prepared(scans, settings, shared_folder, threads, labels, changes=None)
    return {"plans": plans}


def _prepared(
    scans: Sequence[TrainingScan],
    settings: NnunetPreparation,
    shared_folder: Path,
    threads: int,
    labels: LabelSet,
    changes: PlanChange | None,
) -> tuple[dict[str, Any], Path]:
    """The plans of the configuration, changed, and the folder of the volumes, which no change concerns."""
    configuration = settings.configuration
    data = PreparedData(shared_folder, scans, settings, labels)
    set_environment(data.raw, data.preprocessed)
    plans = plans_of_configuration(data.plans(threads), configuration, changes)
    return plans, data.preprocess(plans, configuration, threads)


def train(job: TrainingJob[NnunetTraining], folder: Path) -> TrainedModel:
    """Train one nnU-Net, from the last checkpoint in ``folder`` where there is one.

    Raises:
        BadInput: the settings do not fit the scans.
        Exception: what :func:`headct.engine.loop.fit` raises.
    """
    settings = job.settings
    scans = (*job.training_scans, *job.validation_scans)
    changes = settings.plan_changes.get(settings.configuration)
    plans, cases = _prepared(scans, settings, job.shared_folder, job.threads, job.labels, changes)
    trainer = make_trainer(job, plans, folder / "nnunet")
    starts.begin(settings, uncompiled(trainer.network), partial(_network, trainer), job.labels)
    at = fit(job, NnunetLearner(job, trainer, cases), folder)
    return TrainedModel(
        weights=uncompiled(trainer.network).state_dict(),
        fixed={
            "plans": plans,
            "dataset_json": trainer.dataset_json,
            "configuration": settings.configuration,
            "loss": settings.loss,
            **mirrored(trainer, settings),
        },
        history=at.history,
        facts=facts(trainer, settings, at.iteration),
        seconds=at.seconds,
        seconds_waiting=at.seconds_waiting,
    )


def mirrored(trainer: nnUNetTrainer, settings: NnunetTraining) -> dict[str, Any]:
    """The axes on which predictions may be mirrored, where a trainer of nnU-Net says it."""
    if settings.trainer is None:
        return {}
    axes = trainer.inference_allowed_mirroring_axes
    return {"mirroring_axes": None if axes is None else list(axes)}


def make_trainer(job: TrainingJob[NnunetTraining], plans: dict[str, Any], results: Path) -> nnUNetTrainer:
    """nnU-Net's trainer with the job's settings, its network freshly initialised.

    ``results`` is where nnU-Net would put what it writes; nothing of it is read.
    """
    settings = job.settings
    os.environ |= {"nnUNet_results": str(results), "nnUNet_compile": str(settings.compile)}
    trainer = trainer_class(settings)(
        plans={**plans, "continue_training": False},
        configuration=settings.configuration,
        fold=job.fold if job.fold == "all" else int(job.fold),
        dataset_json=dataset_json(len(job.training_scans), job.labels),
        device=torch.device(job.device),
    )
    trainer.num_epochs = settings.epochs
    trainer.num_iterations_per_epoch = settings.iterations_per_epoch
    trainer.num_val_iterations_per_epoch = settings.validation_iterations_per_epoch
    trainer.initial_lr = settings.initial_learning_rate
    trainer.weight_decay = settings.weight_decay
    trainer.oversample_foreground_percent = settings.foreground_oversampling
    seeding.initialise(job.seed, job.fold)
    trainer.initialize()
    trainer.network = in_fast_layout(trainer.network, job.device)
    trainer.optimizer = OPTIMISERS[settings.optimiser](
        trainer.network.parameters(),
        trainer.initial_lr,
        weight_decay=trainer.weight_decay,
        fused=job.device == "cuda",  # else the gradient scaler waits for the GPU at every step
    )
    trainer.lr_scheduler = PolyLRScheduler(trainer.optimizer, trainer.initial_lr, trainer.num_epochs)
    return trainer


def _network(trainer: nnUNetTrainer, n_classes: int) -> nn.Module:
    """The untrained network of a trainer, for so many classes."""
    network: nn.Module = trainer.build_network_architecture(
        trainer.plans_manager,
        trainer.configuration_manager,
        trainer.num_input_channels,
        n_classes,
        trainer.enable_deep_supervision,
    )
    return network


def trainer_class(settings: NnunetTraining) -> type[nnUNetTrainer]:
    """nnU-Net's trainer that is named, or the one of the loss."""
    if settings.trainer is None:
        return TRAINERS[settings.loss]
    module = import_module(f"{trainer_names.PACKAGE}.{trainer_names.trainers()[settings.trainer]}")
    found: type[nnUNetTrainer] = getattr(module, settings.trainer)
    return found


class NnunetLearner:
    """nnU-Net's trainer as a learner: its step without the wait for the loss, its pseudo-Dice.

    As in nnU-Net, fold "all" has its pseudo-Dice from scans that are also learnt from.
    """

    def __init__(self, job: TrainingJob[NnunetTraining], trainer: nnUNetTrainer, cases: Path):
        self.trainer, self.labels = trainer, job.labels
        self.epochs = trainer.num_epochs
        self.iterations_per_epoch = trainer.num_iterations_per_epoch
        self.validation_iterations_per_epoch = trainer.num_val_iterations_per_epoch
        learnt = [case_name(scan.scan_id) for scan in job.training_scans]
        held_out = [case_name(scan.scan_id) for scan in job.validation_scans] or learnt
        self.training_batches: NumberedBatches = training_batches(trainer, cases, learnt, job.seed, job.fold)
        self.validation_batches: NumberedBatches = validation_batches(
            trainer, cases, held_out, job.seed, job.fold
        )
        trainer.lr_scheduler.step(0)
        trainer.network.train()

    def learn(self, images: Tensor, *targets: Tensor) -> Tensor:
        """The step of ``nnUNetTrainer.train_step``."""
        trainer = self.trainer
        trainer.optimizer.zero_grad(set_to_none=True)
        with torch.autocast(images.device.type, enabled=images.is_cuda):
            loss: Tensor = trainer.loss(trainer.network(images), as_nnunet_expects(trainer, targets))
        if (scaler := trainer.grad_scaler) is not None:
            scaler.scale(loss).backward()
            scaler.unscale_(trainer.optimizer)
            nn.utils.clip_grad_norm_(trainer.network.parameters(), GRADIENT_NORM)
            scaler.step(trainer.optimizer)
            scaler.update()
        else:
            loss.backward()
            nn.utils.clip_grad_norm_(trainer.network.parameters(), GRADIENT_NORM)
            trainer.optimizer.step()
        return loss.detach()

    def end_epoch(self, epoch: int, validation: Iterable[list[Tensor]]) -> dict[str, Any]:
        learning_rate = self.trainer.optimizer.param_groups[0]["lr"]
        entry = {"learning_rate": learning_rate, **validate(self.trainer, validation, self.labels)}
        if epoch + 1 < self.epochs:
            self.trainer.lr_scheduler.step(epoch + 1)
        self.trainer.network.train()
        return entry

    def state(self) -> dict[str, Any]:
        scaler = self.trainer.grad_scaler
        return {
            "network": uncompiled(self.trainer.network).state_dict(),
            "optimiser": self.trainer.optimizer.state_dict(),  # the learning rate is in it
            "grad_scaler": {} if scaler is None else scaler.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        uncompiled(self.trainer.network).load_state_dict(state["network"])
        self.trainer.optimizer.load_state_dict(state["optimiser"])
        if self.trainer.grad_scaler is not None:
            self.trainer.grad_scaler.load_state_dict(state["grad_scaler"])


def as_nnunet_expects(trainer: nnUNetTrainer, targets: Sequence[Tensor]) -> Tensor | list[Tensor]:
    """One target per resolution under deep supervision, else just one."""
    return list(targets) if trainer.enable_deep_supervision else targets[0]


def validate(trainer: nnUNetTrainer, batches: Iterable[list[Tensor]], labels: LabelSet) -> dict[str, Any]:
    """nnU-Net's loss and pseudo-Dice (all patches of the epoch taken as one volume) per lesion class."""
    trainer.network.eval()
    with torch.no_grad():
        results = [
            trainer.validation_step({"data": images, "target": as_nnunet_expects(trainer, targets)})
            for images, *targets in batches
        ]

    def count(key: str) -> np.ndarray:
        return np.sum([result[key] for result in results], axis=0)

    tp, fp, fn = count("tp_hard"), count("fp_hard"), count("fn_hard")
    return {
        "validation_loss": float(np.mean([result["loss"] for result in results])),
        "pseudo_dice": pseudo_dice(np.stack([tp, tp + fn, tp + fp], axis=1).tolist(), labels),
    }


def uncompiled(network: nn.Module) -> nn.Module:
    """The network under ``torch.compile``, whose parameters have their own names."""
    inner: nn.Module = getattr(network, "_orig_mod", network)
    return inner


def facts(trainer: nnUNetTrainer, settings: NnunetTraining, iterations: int) -> ModelFacts:
    """What was trained, in so many batches."""
    plan = trainer.configuration_manager
    turned = trainer.plans_manager.transpose_forward
    loss = trainer.loss.loss if hasattr(trainer.loss, "loss") else trainer.loss
    named = {"trainer": settings.trainer} if settings.trainer else {}
    return ModelFacts(
        network=plan.network_arch_class_name.rsplit(".", 1)[-1],
        loss=in_print(settings, trainer_names.LOSSES, settings.loss),
        parameters=sum(p.numel() for p in trainer.network.parameters()),
        spacing_mm_xyz=along_xyz(plan.spacing, turned),
        patch_size_xyz=along_xyz(plan.patch_size, turned),
        batch_size=plan.batch_size,
        epochs=trainer.num_epochs,
        iterations=iterations,
        optimiser=type(trainer.optimizer).__name__,
        learning_rate=trainer.initial_lr,
        further={
            "pipeline": f"nnU-Net {version('nnunetv2')}",
            "configuration": settings.configuration,
            "planner": settings.planner,
            "features_per_stage": list(plan.network_arch_init_kwargs["features_per_stage"]),
            "iterations_per_epoch": trainer.num_iterations_per_epoch,
            "learning_rate_schedule": "polynomial, exponent 0.9",
            "weight_decay": trainer.weight_decay,
            "foreground_oversampling": trainer.oversample_foreground_percent,
            "augmentation": in_print(settings, trainer_names.AUGMENTATIONS, "nnU-Net default"),
            "loss_constants": loss_constants(loss),
        }
        | named,
    )


def in_print(settings: NnunetTraining, folders: Sequence[str], usual: str) -> str:
    """The name of the trainer where it is of one of these folders of nnU-Net, else what is usual."""
    trainer = settings.trainer
    return trainer if trainer is not None and trainer_names.folder_of(trainer) in folders else usual


def along_xyz(values: Sequence[T], turned: Sequence[int]) -> list[T]:
    """Values along nnU-Net's axes, in the order x, y, z.

    Args:
        values: along the last of nnU-Net's axes; a network of slices has two.
        turned: which of the axes z, y, x (0, 1, 2) each of nnU-Net's is, whose first has the widest spacing.
    """
    axes = zip(turned[-len(values) :], values, strict=True)
    return [value for _, value in sorted(axes, key=lambda axis: -axis[0])]


def loss_constants(loss: nn.Module) -> dict[str, float]:
    """Every number that a loss and its parts were made with, by its name."""
    return {
        f"{part}.{name}".lstrip("."): value
        for part, module in loss.named_modules()
        for name, value in vars(module).items()
        if isinstance(value, bool | int | float) and not name.startswith("_") and name != "training"
    }
