"""Losses of the comparison, for logits of any number of spatial dimensions.

Every loss takes logits of shape (batch, classes, \\*spatial) and labels of shape (batch, 1,
\\*spatial) or (batch, \\*spatial) with class indices of any integer or floating type, and returns a
scalar of the logits' precision, or of single precision if theirs is lower. Deep supervision is left
to nnU-Net's ``DeepSupervisionWrapper``, which applies them once per resolution.

The constants are those of the public code that the study points to (SegLoss, Ma et al., Medical
Image Analysis 2021;71:102035); the article itself states none.

All are functions of a few sums over voxels. These are computed slab by slab, and their gradients by
going through the slabs a second time, so that probabilities and one-hot labels exist of one slab only:
kept for backward are the logits, which the network keeps anyway, and the labels in one byte per voxel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import repeat
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

SMOOTH = 1e-5
"""Added to numerator and denominator of Dice and Tversky indices, so that an absent class counts."""

Terms = Callable[[Tensor, Tensor], tuple[Tensor, ...]]
"""Of logits and labels: sums over voxels, of at most two dimensions, and maps, (batch, 1, \\*spatial)."""


def _slabs(logits: Tensor, *others: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """All cut alike along the first spatial axis; a sum, which has none, comes with every slab.

    A slab is small beside a patch, and on a GPU large enough to keep it busy.
    """
    voxels = 2**18 if logits.device.type == "cpu" else 2**20
    thickness = max(1, voxels * logits.shape[1] * logits.shape[2] // logits.numel())
    return zip(*(t.split(thickness, 2) if t.ndim > 2 else repeat(t) for t in (logits, *others)), strict=False)


def _precise(logits: Tensor) -> Tensor:
    """In single precision at least: sums over voxels overflow half precision."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


class _OverSlabs(Function):
    """``terms(logits, labels)`` of all voxels, computed and differentiated slab by slab."""

    @staticmethod
    def forward(ctx: Any, terms: Terms, logits: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
        """The sums over all slabs; ``ctx`` keeps ``terms``, ``logits`` and ``labels`` for the gradient."""
        ctx.terms = terms
        ctx.save_for_backward(logits, labels)
        by_slab = [terms(_precise(x), y) for x, y in _slabs(logits, labels)]
        return tuple(
            torch.cat(parts, 2) if parts[0].ndim > 2 else torch.stack(parts).sum(0)
            for parts in zip(*by_slab, strict=True)
        )

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *by_terms: Tensor) -> tuple[None, Tensor, None]:
        logits, labels = ctx.saved_tensors
        gradient = torch.empty_like(logits)
        for x, y, x_gradient, *by_slab_terms in _slabs(logits, labels, gradient, *by_terms):
            x = _precise(x).detach().requires_grad_()
            with torch.enable_grad():
                terms = ctx.terms(x, y)
            x_gradient.copy_(torch.autograd.grad(terms, x, by_slab_terms)[0])
        return None, gradient, None


def _over_slabs(terms: Terms, logits: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
    """The same, given labels as the losses take them.

    Raises:
        ValueError: labels and logits are not of the same voxels.
    """
    labels = labels if labels.ndim == logits.ndim else labels.unsqueeze(1)
    if labels.shape != (logits.shape[0], 1, *logits.shape[2:]):
        raise ValueError(f"labels of shape {tuple(labels.shape)} for logits of shape {tuple(logits.shape)}")
    summed: tuple[Tensor, ...] = _OverSlabs.apply(terms, logits, labels.to(torch.uint8))
    return summed


def _of_truth(values: Tensor, labels: Tensor) -> Tensor:
    """The true class's value in each voxel, (batch, 1, \\*spatial)."""
    return values.gather(1, labels.long())


def _soft_counts(probabilities: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """True positives, false positives and false negatives, softened, each (batch, lesion classes)."""
    one_hot = torch.zeros_like(probabilities).scatter_(1, labels.long(), 1)
    p, y = probabilities[:, 1:].flatten(2), one_hot[:, 1:].flatten(2)
    tp = (p * y).sum(2)
    return tp, p.sum(2) - tp, y.sum(2) - tp


class TverskyLoss(nn.Module):
    """Minus the Tversky index, TP / (TP + alpha FP + beta FN), averaged over the lesion classes.

    Counts are summed over the whole batch (batch Dice); background is left out. Source: Salehi et
    al., MLMI 2017, eq. 3, with the constants of SegLoss.
    """

    def __init__(self, alpha: float = 0.3, beta: float = 0.7, smooth: float = SMOOTH):
        super().__init__()
        self.alpha, self.beta, self.smooth = alpha, beta, smooth

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        return -self.index(logits, labels)

    def index(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The Tversky index, averaged over the lesion classes."""
        counts = _over_slabs(lambda x, y: _soft_counts(x.softmax(1), y), logits, labels)
        tp, fp, fn = (count.sum(0) for count in counts)
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
        (total,) = _over_slabs(self._sum, logits, labels)
        return self.alpha * total / labels.numel()

    def _sum(self, logits: Tensor, labels: Tensor) -> tuple[Tensor]:
        q = _of_truth(logits.softmax(1), labels) + self.smooth
        return (-((1 - q).clamp_min(0).pow(self.gamma) * q.log()).sum(),)


class DiceTopKLoss(nn.Module):
    """Minus soft Dice of the lesion classes, plus mean cross-entropy of the batch's ``percent`` worst voxels.

    Equal to nnU-Net's ``DC_and_topk_loss`` (there ``k``), and defined where that is not: at least
    one voxel is always among the worst.
    """

    def __init__(self, batch_dice: bool, percent: float = 10.0, smooth: float = SMOOTH):
        super().__init__()
        self.batch_dice, self.percent, self.smooth = batch_dice, percent, smooth

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        *counts, cross_entropy = _over_slabs(self._terms, logits, labels)
        tp, fp, fn = (count.sum(0) for count in counts) if self.batch_dice else counts
        dice = ((2 * tp + self.smooth) / (2 * tp + fp + fn + self.smooth)).mean()
        n_worst = max(1, int(cross_entropy.numel() * self.percent / 100))
        worst: Tensor = cross_entropy.flatten().topk(n_worst, sorted=False).values.mean()
        return worst - dice

    @staticmethod
    def _terms(logits: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
        log_p = logits.log_softmax(1)
        return *_soft_counts(log_p.exp(), labels), -_of_truth(log_p, labels)
