"""Losses of the comparison, for logits of any number of spatial dimensions.

Every loss takes logits of shape (batch, classes, \\*spatial) and labels of shape (batch, 1,
\\*spatial) or (batch, \\*spatial) with class indices of any integer or floating type, and returns a
scalar of the logits' precision, or of single precision if theirs is lower. Deep supervision is left
to nnU-Net's ``DeepSupervisionWrapper``, which applies them once per resolution.

The constants are those of the public code that the study points to (SegLoss, Ma et al., Medical
Image Analysis 2021;71:102035); the article itself states none.

For the backward pass nothing is kept but the logits, which the network keeps anyway, and the labels:
probabilities are computed a second time instead of being stored, and there is no one-hot encoding.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional

SMOOTH = 1e-5
"""Added to numerator and denominator of Dice and Tversky indices, so that an absent class counts."""


def _sum_type(logits: Tensor) -> torch.dtype:
    """Single precision at least: sums over voxels overflow half precision."""
    return torch.promote_types(logits.dtype, torch.float32)


def _probabilities(logits: Tensor) -> Tensor:
    return torch.softmax(logits, 1, dtype=_sum_type(logits))


def _compact(labels: Tensor, logits: Tensor) -> Tensor:
    """Labels of shape (batch, 1, \\*spatial), one byte per voxel: what is kept for backward."""
    return (labels if labels.ndim == logits.ndim else labels.unsqueeze(1)).to(torch.uint8)


def _per_class(values: Tensor, labels: Tensor, n_classes: int) -> Tensor:
    """Sums of ``values`` over the voxels of each class, shape (batch, classes); one class at a time."""
    sums = [torch.where(labels == c, values, 0).flatten(1).sum(1) for c in range(n_classes)]
    return torch.stack(sums, 1)


def _softmax_backward(probabilities: Tensor, gradient: Tensor) -> Tensor:
    """Gradient by the logits, given that by the probabilities (which is overwritten)."""
    gradient -= (gradient * probabilities).sum(1, keepdim=True)
    return gradient.mul_(probabilities)


class _SoftCounts(Function):
    """Per sample and class: summed probability inside the true region, and in the whole patch."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(logits, labels)
        probabilities = _probabilities(logits)
        of_truth = probabilities.gather(1, labels.long())
        return _per_class(of_truth, labels, logits.shape[1]), probabilities.flatten(2).sum(2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        logits, labels = ctx.saved_tensors
        by_true_positives, by_predicted = gradients
        probabilities = _probabilities(logits)
        singletons = (1,) * (logits.ndim - 2)
        gradient = by_predicted.view(*by_predicted.shape, *singletons).expand_as(probabilities).clone()
        for c in range(logits.shape[1]):
            inside = by_true_positives[:, c].view(-1, *singletons)
            gradient[:, c] += torch.where(labels[:, 0] == c, inside, 0)
        return _softmax_backward(probabilities, gradient).to(logits.dtype), None


class _FocalMean(Function):
    """Mean over voxels of ``(1 - q)**gamma * -log(q)``, q the true class's probability + smooth."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Tensor, gamma: float, smooth: float) -> Tensor:
        ctx.save_for_backward(logits, labels)
        ctx.gamma, ctx.smooth = gamma, smooth
        q = _probabilities(logits).gather(1, labels.long()) + smooth
        return -((1 - q).clamp_min(0).pow(gamma) * q.log()).mean()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        logits, labels = ctx.saved_tensors
        probabilities = _probabilities(logits)
        p = probabilities.gather(1, labels.long())
        q = p + ctx.smooth
        rest = (1 - q).clamp_min(0)
        slope = ctx.gamma * rest.pow(ctx.gamma - 1) * q.log() - rest.pow(ctx.gamma) / q
        slope = slope * p * (gradients[0] / p.numel())
        gradient = probabilities.mul_(-slope)
        gradient.scatter_add_(1, labels.long(), slope)
        return gradient.to(logits.dtype), None, None, None


class _Counts(nn.Module):
    """True positives, false positives and false negatives of the lesion classes, softened."""

    def __init__(self, batch_dice: bool):
        super().__init__()
        self.batch_dice = batch_dice

    def forward(self, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Shape (lesion classes,) if ``batch_dice``, else (batch, lesion classes)."""
        labels = _compact(labels, logits)
        inside, predicted = _SoftCounts.apply(logits, labels)
        ones = torch.ones((), dtype=inside.dtype, device=inside.device)
        true = _per_class(ones, labels, logits.shape[1])
        if self.batch_dice:
            inside, predicted, true = inside.sum(0), predicted.sum(0), true.sum(0)
        inside, predicted, true = inside[..., 1:], predicted[..., 1:], true[..., 1:]
        return inside, predicted - inside, true - inside


class TverskyLoss(nn.Module):
    """Minus the Tversky index, TP / (TP + alpha FP + beta FN), averaged over the lesion classes.

    Counts are summed over the whole batch (batch Dice); background is left out. Source: Salehi et
    al., MLMI 2017, eq. 3, with the constants of SegLoss.
    """

    def __init__(self, alpha: float = 0.3, beta: float = 0.7, smooth: float = SMOOTH):
        super().__init__()
        self.alpha, self.beta, self.smooth = alpha, beta, smooth
        self.counts = _Counts(batch_dice=True)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        return -self.index(logits, labels)

    def index(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The Tversky index, averaged over the lesion classes."""
        tp, fp, fn = self.counts(logits, labels)
        weighted = tp + self.alpha * fp + self.beta * fn
        index: Tensor = ((tp + self.smooth) / (weighted + self.smooth)).mean()
        return index


class FocalTverskyLoss(nn.Module):
    """``(1 - TI)**gamma``, with TI the Tversky index averaged over the lesion classes.

    The average is inside the power, as in the public code that was run; in the article that proposed
    the loss (Abraham and Khan, ISBI 2019, eq. 4) it is outside, with the inverse exponent. The slope
    is infinite at TI = 1, so 1 − TI is kept above ``floor``.
    """

    def __init__(self, gamma: float = 0.75, floor: float = 1e-6):
        super().__init__()
        self.gamma, self.floor = gamma, floor
        self.tversky = TverskyLoss()

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        return (1 - self.tversky.index(logits, labels)).clamp_min(self.floor).pow(self.gamma)


class FocalLoss(nn.Module):
    """``-alpha (1 - q)**gamma log(q)``, averaged over voxels, q = true class's softmax + smooth.

    Lin et al., ICCV 2017, eq. 5. ``alpha`` is the same for every class, as in the public code, where
    0.5 makes both halves of its class balance equal: a constant factor.
    """

    def __init__(self, gamma: float = 2.0, alpha: float = 0.5, smooth: float = SMOOTH):
        super().__init__()
        self.gamma, self.alpha, self.smooth = gamma, alpha, smooth

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        mean: Tensor = _FocalMean.apply(logits, _compact(labels, logits), self.gamma, self.smooth)
        return self.alpha * mean


class SoftDiceLoss(nn.Module):
    """Minus the soft Dice coefficient, averaged over the lesion classes (and samples).

    Equal to nnU-Net's ``SoftDiceLoss`` with softmax, without background.
    """

    def __init__(self, batch_dice: bool, smooth: float = SMOOTH):
        super().__init__()
        self.smooth = smooth
        self.counts = _Counts(batch_dice)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        tp, fp, fn = self.counts(logits, labels)
        dice: Tensor = ((2 * tp + self.smooth) / (2 * tp + fp + fn + self.smooth)).mean()
        return -dice


class DiceTopKLoss(nn.Module):
    """Soft Dice plus the mean cross-entropy of the ``percent`` worst voxels of the batch.

    Equal to nnU-Net's ``DC_and_topk_loss`` (there ``k``), and defined where that is not: at least
    one voxel is always among the worst.
    """

    def __init__(self, batch_dice: bool, percent: float = 10.0):
        super().__init__()
        self.percent = percent
        self.dice = SoftDiceLoss(batch_dice)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        indices = _compact(labels, logits)[:, 0].long()
        log_odds = logits.to(_sum_type(logits))
        per_voxel = functional.cross_entropy(log_odds, indices, reduction="none").flatten()
        n_worst = max(1, int(per_voxel.numel() * self.percent / 100))
        worst: Tensor = per_voxel.topk(n_worst, sorted=False).values.mean()
        return self.dice(logits, labels) + worst
