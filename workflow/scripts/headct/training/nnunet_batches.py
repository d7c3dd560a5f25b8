"""nnU-Net's batches, each a pure function of (seed, fold, number of the batch).

Sampling and augmentation are nnU-Net's; what is added is that every batch is seeded by its number
before it is drawn, that batches come in order however many processes make them, and that no step
chooses its algorithm by how fast it ran.
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import torch
from batchgenerators.dataloading.multi_threaded_augmenter import MultiThreadedAugmenter
from batchgeneratorsv2.transforms.noise.gaussian_blur import GaussianBlurTransform
from nnunetv2.training.dataloading.data_loader import nnUNetDataLoader
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

from headct.training import randomness

VALIDATION = 2**40
"""Number of the first validation batch: a stream that no training batch reaches."""


class NumberedLoader(nnUNetDataLoader):
    """nnU-Net's loader that draws batch ``first``, ``first + step``, … in each of ``step`` workers."""

    def __init__(self, *args: Any, seed: int, fold: str, first: int, step: int, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.seed, self.fold, self.batch, self.step = seed, fold, first, step

    def set_thread_id(self, thread_id: int) -> None:
        """Called once in each worker process, with its number."""
        super().set_thread_id(thread_id)
        self.batch += thread_id
        torch.set_num_threads(1)
        threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()

    def __next__(self) -> dict[str, Any]:
        randomness.seed_batch(self.seed, self.fold, self.batch)
        self.batch += self.step
        batch: dict[str, Any] = self.generate_train_batch()
        return batch


def _end_with_parent(parent: int) -> None:
    """End this worker once its parent is gone: killed, a parent can't end its workers itself."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


class Batches:
    """Iterator over batches ``first``, ``first + 1``, …, made by ``workers`` processes (0: in this)."""

    def __init__(self, loader: NumberedLoader, workers: int, pin_memory: bool):
        self._loader = loader
        self._processes = None
        if workers > 0:
            self._processes = MultiThreadedAugmenter(
                loader, None, workers, pin_memory=pin_memory, wait_time=0.002
            )
            self._processes._start()  # now, while this process is still small and has no GPU context

    def __iter__(self) -> Batches:
        return self

    def __next__(self) -> dict[str, Any]:
        return next(self._processes or self._loader)

    def close(self) -> None:
        """End the worker processes."""
        if self._processes is not None:
            self._processes._finish()


def training_batches(
    trainer: nnUNetTrainer, folder: Path, cases: list[str], first: int, **stream: Any
) -> Batches:
    """Augmented batches of an initialised trainer, from number ``first`` on.

    ``stream`` is ``seed``, ``fold`` and ``workers``.
    """
    settings = trainer.configuration_manager
    rotation, dummy_2d, enlarged, mirror_axes = (
        trainer.configure_rotation_dummyDA_mirroring_and_inital_patch_size()
    )
    transforms = trainer.get_training_transforms(
        settings.patch_size,
        rotation,
        trainer._get_deep_supervision_scales(),
        mirror_axes,
        dummy_2d,
        use_mask_for_norm=settings.use_mask_for_norm,
        foreground_labels=trainer.label_manager.foreground_labels,
    )
    for transform in transforms.transforms:
        inner = getattr(transform, "transform", None)
        if isinstance(inner, GaussianBlurTransform):
            inner.benchmark = False
    return _batches(trainer, folder, cases, enlarged, transforms, first, **stream)


def validation_batches(
    trainer: nnUNetTrainer, folder: Path, cases: list[str], first: int, **stream: Any
) -> Batches:
    """Batches without augmentation, for the pseudo-Dice, from number ``first`` on."""
    transforms = trainer.get_validation_transforms(
        trainer._get_deep_supervision_scales(),
        foreground_labels=trainer.label_manager.foreground_labels,
    )
    size = trainer.configuration_manager.patch_size
    return _batches(trainer, folder, cases, size, transforms, VALIDATION + first, **stream)


def _batches(
    trainer: nnUNetTrainer,
    folder: Path,
    cases: list[str],
    drawn_size: Any,
    transforms: Any,
    first: int,
    *,
    seed: int,
    fold: str,
    workers: int,
) -> Batches:
    loader = NumberedLoader(
        trainer.dataset_class(str(folder), list(cases)),
        trainer.batch_size,
        drawn_size,
        trainer.configuration_manager.patch_size,
        trainer.label_manager,
        oversample_foreground_percent=trainer.oversample_foreground_percent,
        probabilistic_oversampling=trainer.probabilistic_oversampling,
        transforms=transforms,
        seed=seed,
        fold=fold,
        first=first,
        step=max(1, workers),
    )
    return Batches(loader, workers, pin_memory=trainer.device.type == "cuda")
