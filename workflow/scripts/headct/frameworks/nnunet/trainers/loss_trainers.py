"""nnU-Net's trainer with another loss; all else is nnU-Net's default.

Class names are what nnU-Net's ``-tr`` takes.
"""

from __future__ import annotations

import numpy as np
from nnunetv2.training.loss.deep_supervision import DeepSupervisionWrapper
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from torch import nn

from headct.engine.losses import DiceTopKLoss, FocalLoss, FocalTverskyLoss, TverskyLoss


class _LossTrainer(nnUNetTrainer):
    def loss_at_one_resolution(self) -> nn.Module:
        """The loss, before deep supervision."""
        raise NotImplementedError

    def _build_loss(self) -> nn.Module:
        """The loss under nnU-Net's deep supervision.

        Each resolution counts half the one above it, the lowest not at all.
        """
        loss = self.loss_at_one_resolution()
        if not self.enable_deep_supervision:
            return loss
        weights = 0.5 ** np.arange(len(self._get_deep_supervision_scales()))
        weights[-1] = 0
        return DeepSupervisionWrapper(loss, weights / weights.sum())


class TverskyTrainer(_LossTrainer):
    """Tversky loss."""

    def loss_at_one_resolution(self) -> nn.Module:
        return TverskyLoss()


class FocalTverskyTrainer(_LossTrainer):
    """Focal Tversky loss."""

    def loss_at_one_resolution(self) -> nn.Module:
        return FocalTverskyLoss()


class FocalTrainer(_LossTrainer):
    """Focal loss."""

    def loss_at_one_resolution(self) -> nn.Module:
        return FocalLoss()


class DiceTopKTrainer(_LossTrainer):
    """Soft Dice and cross-entropy of the worst voxels; batch Dice as the plans say, as nnU-Net's."""

    def loss_at_one_resolution(self) -> nn.Module:
        return DiceTopKLoss(batch_dice=self.configuration_manager.batch_dice)
