"""Losses against formulas written out here in double precision, and against nnU-Net's own classes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from nnunetv2.training.loss.compound_losses import DC_and_topk_loss
from nnunetv2.training.loss.deep_supervision import DeepSupervisionWrapper
from nnunetv2.training.loss.dice import MemoryEfficientSoftDiceLoss, SoftDiceLoss
from nnunetv2.utilities.helpers import softmax_helper_dim1
from torch import Tensor, nn

from headct import losses

SHAPES = [(2, 4, 5, 6), (2, 4, 3, 4, 5)]
LABELS = {
    "all classes": (0, 1, 2, 3),
    "no ICH": (0, 2, 3),
    "no IVH": (0, 1, 2),
    "all background": (0,),
    "no background": (1, 2, 3),
}


def batch(shape: tuple[int, ...], classes: tuple[int, ...], seed: int = 0) -> tuple[Tensor, Tensor]:
    """Double-precision logits and labels of the given classes, in nnU-Net's type, (batch, 1, …)."""
    rng = np.random.default_rng(seed)
    logits = torch.tensor(rng.normal(0, 2, shape), dtype=torch.float64, requires_grad=True)
    labels = torch.tensor(rng.choice(classes, (shape[0], 1, *shape[2:])), dtype=torch.int16)
    return logits, labels


def softmax_and_one_hot(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Both of shape (batch, classes, voxels)."""
    p = logits.exp() / logits.exp().sum(1, keepdim=True)
    y = torch.stack([(labels[:, 0] == c).double() for c in range(logits.shape[1])], 1)
    return p.flatten(2), y.flatten(2)


def tversky_index(logits: Tensor, labels: Tensor) -> Tensor:
    p, y = softmax_and_one_hot(logits, labels)
    indices = []
    for c in (1, 2, 3):
        tp, fp = (p[:, c] * y[:, c]).sum(), (p[:, c] * (1 - y[:, c])).sum()
        fn = ((1 - p[:, c]) * y[:, c]).sum()
        indices.append((tp + 1e-5) / (tp + 0.3 * fp + 0.7 * fn + 1e-5))
    return sum(indices) / 3


def focal(logits: Tensor, labels: Tensor) -> Tensor:
    p, y = softmax_and_one_hot(logits, labels)
    q = (p * y).sum(1) + 1e-5
    return (-0.5 * (1 - q) ** 2 * torch.log(q)).mean()


def dice_top_k(logits: Tensor, labels: Tensor) -> Tensor:
    p, y = softmax_and_one_hot(logits, labels)
    dice = (2 * (p * y).sum((0, 2)) + 1e-5) / (p.sum((0, 2)) + y.sum((0, 2)) + 1e-5)
    cross_entropy = -torch.log((p * y).sum(1)).flatten()
    worst = cross_entropy.sort(descending=True).values[: int(0.1 * cross_entropy.numel())]
    return worst.mean() - dice[1:].mean()


CASES: dict[str, tuple[nn.Module, Callable[[Tensor, Tensor], Tensor]]] = {
    "tversky": (losses.TverskyLoss(), lambda x, y: -tversky_index(x, y)),
    "focal tversky": (losses.FocalTverskyLoss(), lambda x, y: (1 - tversky_index(x, y)) ** 0.75),
    "focal": (losses.FocalLoss(), focal),
    "dice and top k": (losses.DiceTopKLoss(batch_dice=True), dice_top_k),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("classes", LABELS.values(), ids=LABELS)
@pytest.mark.parametrize("shape", SHAPES, ids=["2-D", "3-D"])
def test_value_and_gradient_are_those_of_the_formula(
    name: str, classes: tuple[int, ...], shape: tuple[int, ...]
) -> None:
    loss, formula = CASES[name]
    logits, labels = batch(shape, classes)
    ours, expected = loss(logits, labels), formula(logits, labels)
    (gradient,) = torch.autograd.grad(ours, logits)
    (expected_gradient,) = torch.autograd.grad(expected, logits)
    assert ours.item() == pytest.approx(expected.item(), rel=1e-6, abs=1e-6)
    torch.testing.assert_close(gradient, expected_gradient, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("shape", [(2, 4, 3, 3), (1, 4, 2, 3, 2)], ids=["2-D", "3-D"])
def test_gradient_is_the_numerical_one(name: str, shape: tuple[int, ...]) -> None:
    logits, labels = batch(shape, (0, 1, 3))
    assert torch.autograd.gradcheck(lambda x: CASES[name][0](x, labels), logits)


@pytest.mark.parametrize("batch_dice", [True, False])
@pytest.mark.parametrize("classes", LABELS.values(), ids=LABELS)
def test_dice_and_top_k_are_nnunets(classes: tuple[int, ...], batch_dice: bool) -> None:
    kwargs = {"batch_dice": batch_dice, "smooth": 1e-5, "do_bg": False, "ddp": False}
    logits, labels = batch((2, 4, 8, 8, 8), classes)
    logits = logits.detach().float().requires_grad_()
    pairs = [
        (losses.DiceTopKLoss(batch_dice), DC_and_topk_loss(kwargs, {"k": 10})),
        (losses.SoftDiceLoss(batch_dice), SoftDiceLoss(softmax_helper_dim1, **kwargs)),
        (losses.SoftDiceLoss(batch_dice), MemoryEfficientSoftDiceLoss(softmax_helper_dim1, **kwargs)),
    ]
    for ours, theirs in pairs:
        values = ours(logits, labels), theirs(logits, labels)
        gradients = [torch.autograd.grad(value, logits)[0] for value in values]
        torch.testing.assert_close(values[0], values[1], rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize("name", CASES)
def test_deep_supervision_is_the_weighted_sum(name: str) -> None:
    loss, _ = CASES[name]
    pyramid = [batch((2, 4, n, 2 * n, 2 * n), (0, 1, 2, 3), seed=n) for n in (4, 2, 1)]
    wrapped = DeepSupervisionWrapper(loss, [2 / 3, 1 / 3, 0])
    total = wrapped([logits for logits, _ in pyramid], [labels for _, labels in pyramid])
    expected = 2 / 3 * loss(*pyramid[0]) + 1 / 3 * loss(*pyramid[1])
    assert total.item() == pytest.approx(expected.item(), rel=1e-12)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("sign", [1, -1], ids=["right", "wrong"])
@pytest.mark.parametrize("classes", [(0, 1, 2, 3), (0,)], ids=["all classes", "all background"])
def test_certain_predictions_have_finite_gradients(name: str, sign: int, classes: tuple[int, ...]) -> None:
    _, labels = batch((2, 4, 3, 4, 5), classes)
    logits = torch.zeros(2, 4, 3, 4, 5).scatter_(1, labels.long(), sign * 1000.0).requires_grad_()
    value = CASES[name][0](logits, labels)
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("precision", [torch.float16, torch.bfloat16])
def test_half_precision_logits_are_summed_in_single(name: str, precision: torch.dtype) -> None:
    loss, _ = CASES[name]
    logits, labels = batch((2, 4, 48, 48, 32), (0, 0, 0, 0, 0, 0, 1, 2, 3))
    rounded = logits.detach().to(precision).requires_grad_()
    value, exact = loss(rounded, labels), loss(rounded.detach().double(), labels)
    value.backward()
    assert value.item() == pytest.approx(exact.item(), rel=1e-5)
    assert rounded.grad.dtype == precision
    assert torch.isfinite(rounded.grad).all()


@pytest.mark.parametrize("name", ["tversky", "focal tversky", "focal"])
def test_backward_keeps_logits_and_labels_and_nothing_else_of_their_size(name: str) -> None:
    logits, labels = batch((1, 4, 16, 16, 16), (0, 1, 2, 3))
    kept: list[Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        CASES[name][0](logits, labels)
    large = [t for t in kept if t.numel() >= labels.numel() and t.data_ptr() != logits.data_ptr()]
    assert [t.dtype for t in large] == [torch.uint8]


def test_labels_may_come_without_a_channel_axis() -> None:
    logits, labels = batch((2, 4, 3, 4, 5), (0, 1, 2, 3))
    for loss, _ in CASES.values():
        assert loss(logits, labels) == loss(logits, labels[:, 0])


def test_a_patch_of_few_voxels_still_has_a_worst_one() -> None:
    logits, labels = batch((1, 4, 1, 3), (0, 1))
    assert torch.isfinite(losses.DiceTopKLoss(batch_dice=True)(logits, labels))
