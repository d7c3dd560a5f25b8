"""nnU-Net's batches, each a pure function of (seed, fold, number of the batch).

Sampling and augmentation are nnU-Net's; what is added is that every batch is seeded by its number
before it is drawn, and that no step chooses its algorithm by how fast it ran.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from batchgeneratorsv2.transforms.noise.gaussian_blur import GaussianBlurTransform
from nnunetv2.training.dataloading.data_loader import nnUNetDataLoader
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

from headct.engine import seeding
from headct.frameworks.nnunet.one_thread import find_libraries_once

VALIDATION = 2**40
"""Number of the first validation batch: a stream that no training batch reaches."""


class NumberedLoader(nnUNetDataLoader):
    """nnU-Net's loader, whose batch number ``k`` is ``loader[k]``: images, then targets."""

    def __init__(self, *args: Any, seed: int, fold: str, offset: int, **kwargs: Any):
        super().__init__(*args, **kwargs)
        find_libraries_once()
        self.seed, self.fold, self.offset = seed, fold, offset

    def __getitem__(self, number: int) -> tuple[np.ndarray, ...]:
        seeding.seed_batch(self.seed, self.fold, self.offset + number)
        batch = self.generate_train_batch()
        targets = batch["target"] if isinstance(batch["target"], list) else [batch["target"]]
        return tuple(tensor.numpy() for tensor in (batch["data"], *targets))


def training_batches(
    trainer: nnUNetTrainer, folder: Path, cases: list[str], seed: int, fold: str
) -> NumberedLoader:
    """Augmented batches of an initialised trainer.

    Args:
        trainer: initialised.
        folder: of the preprocessed scans.
        cases: their names.
        seed, fold: with the number of a batch they decide its random numbers.
    """
    settings = trainer.configuration_manager
    rotation, dummy_2d, enlarged, mirror_axes = (
        trainer.configure_rotation_dummyDA_mirroring_and_inital_patch_size()
    )
    transforms = trainer.get_training_transforms(
        settings.patch_size,
        rotation,
        trainer._get_deep_supervision_scales(),  # noqa: SLF001 (nnU-Net has no public name for it)
        mirror_axes,
        dummy_2d,
        use_mask_for_norm=settings.use_mask_for_norm,
        foreground_labels=trainer.label_manager.foreground_labels,
    )
    for transform in within(transforms):
        if isinstance(transform, GaussianBlurTransform):
            transform.benchmark = False
    return _loader(trainer, folder, cases, enlarged, transforms, seed=seed, fold=fold, offset=0)


def within(transform: Any) -> Iterator[Any]:
    """A transform, and all that it may apply."""
    yield transform
    inner = [getattr(transform, "transform", None)]
    for several in ("transforms", "list_of_transforms"):
        inner += getattr(transform, several, [])
    for one in inner:
        if one is not None:
            yield from within(one)


def validation_batches(
    trainer: nnUNetTrainer, folder: Path, cases: list[str], seed: int, fold: str
) -> NumberedLoader:
    """Batches without augmentation, for the pseudo-Dice.

    Args:
        trainer: initialised.
        folder: of the preprocessed scans.
        cases: their names.
        seed, fold: with the number of a batch they decide its random numbers.
    """
    transforms = trainer.get_validation_transforms(
        trainer._get_deep_supervision_scales(),  # noqa: SLF001
        foreground_labels=trainer.label_manager.foreground_labels,
    )
    size = trainer.configuration_manager.patch_size
    return _loader(trainer, folder, cases, size, transforms, seed=seed, fold=fold, offset=VALIDATION)


def _loader(
    trainer: nnUNetTrainer,
    folder: Path,
    cases: list[str],
    drawn_size: Any,
    transforms: Any,
    **stream: Any,
) -> NumberedLoader:
    return NumberedLoader(
        trainer.dataset_class(str(folder), list(cases)),
        trainer.batch_size,
        drawn_size,
        trainer.configuration_manager.patch_size,
        trainer.label_manager,
        oversample_foreground_percent=trainer.oversample_foreground_percent,
        probabilistic_oversampling=trainer.probabilistic_oversampling,
        transforms=transforms,
        **stream,
    )
