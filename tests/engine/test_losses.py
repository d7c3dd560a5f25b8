"""Losses against formulas written out here in double precision, and against nnU-Net's and MONAI's classes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from operator import mul
from pathlib import Path

import monai.losses
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from nnunetv2.training.loss.compound_losses import DC_and_CE_loss, DC_and_topk_loss
from nnunetv2.training.loss.deep_supervision import DeepSupervisionWrapper
from nnunetv2.training.loss.dice import MemoryEfficientSoftDiceLoss, SoftDiceLoss
from nnunetv2.training.loss.robust_ce_loss import RobustCrossEntropyLoss, TopKLoss
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.utilities.helpers import softmax_helper_dim1
from nnunetv2.utilities.label_handling.label_handling import LabelManager
from nnunetv2.utilities.plans_handling.plans_handler import ConfigurationManager
from torch import Tensor, nn

from headct.engine import losses
from headct.frameworks.nnunet.trainers import loss_trainers

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "losses.py"
SHAPES = {"2-D": (2, 4, 5, 6), "3-D": (2, 4, 3, 4, 5)}
SEVERAL_SLABS = (2, 4, 300, 512)
LABELS = {
    "all classes": (0, 1, 2, 3),
    "no ICH": (0, 2, 3),
    "no PHE": (0, 1, 3),
    "no IVH": (0, 1, 2),
    "no background": (1, 2, 3),
    "all background": (0,),
}
PRECISIONS = [torch.float16, torch.bfloat16]

Loss = Callable[[Tensor, Tensor], Tensor]


def batch(shape: tuple[int, ...], classes: tuple[int, ...], seed: int = 0) -> tuple[Tensor, Tensor]:
    """Double-precision logits and labels of the given classes, in nnU-Net's type, (batch, 1, …)."""
    rng = np.random.default_rng(seed)
    logits = torch.tensor(rng.normal(0, 2, shape), dtype=torch.float64, requires_grad=True)
    labels = torch.tensor(rng.choice(classes, (shape[0], 1, *shape[2:])), dtype=torch.int16)
    return logits, labels


def value_and_gradient(
    loss: Callable[[Tensor, Tensor], Tensor], logits: Tensor, labels: Tensor
) -> list[Tensor]:
    """Of one loss, by one backward pass."""
    value = loss(logits, labels)
    return [value.detach(), *torch.autograd.grad(value, logits)]


def assert_equal(ours: Loss, theirs: Loss, logits: Tensor, labels: Tensor, rtol: float) -> None:
    """Values within ``rtol``, and gradients within ``rtol`` of the largest one."""
    value, gradient = value_and_gradient(ours, logits, labels)
    expected, expected_gradient = value_and_gradient(theirs, logits, labels)
    torch.testing.assert_close(value, expected.to(value), rtol=rtol, atol=0)
    largest = expected_gradient.abs().max().item()
    assert largest > 0
    torch.testing.assert_close(gradient, expected_gradient.to(gradient), rtol=rtol, atol=rtol * largest)


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


def dice(logits: Tensor, labels: Tensor, over: tuple[int, ...]) -> Tensor:
    p, y = (t[:, 1:] for t in softmax_and_one_hot(logits, labels))
    return ((2 * (p * y).sum(over) + 1e-5) / (p.sum(over) + y.sum(over) + 1e-5)).mean()


def worst_tenth(logits: Tensor, labels: Tensor) -> Tensor:
    p, y = softmax_and_one_hot(logits, labels)
    cross_entropy = -torch.log((p * y).sum(1)).flatten()
    return cross_entropy.sort(descending=True).values[: int(0.1 * cross_entropy.numel())].mean()


CASES: dict[str, tuple[Loss, Loss]] = {
    "tversky": (losses.TverskyLoss(), lambda x, y: -tversky_index(x, y)),
    "focal tversky": (losses.FocalTverskyLoss(), lambda x, y: (1 - tversky_index(x, y)) ** 0.75),
    "focal": (losses.FocalLoss(), focal),
    "dice of the batch and top k": (
        losses.DiceTopKLoss(batch_dice=True),
        lambda x, y: worst_tenth(x, y) - dice(x, y, (0, 2)),
    ),
    "dice of each sample and top k": (
        losses.DiceTopKLoss(batch_dice=False),
        lambda x, y: worst_tenth(x, y) - dice(x, y, (2,)),
    ),
}
LOSSES = pytest.mark.parametrize("loss", [loss for loss, _ in CASES.values()], ids=CASES)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("classes", LABELS.values(), ids=LABELS)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_value_and_gradient_are_those_of_the_formula(
    name: str, classes: tuple[int, ...], shape: tuple[int, ...]
) -> None:
    loss, formula = CASES[name]
    assert_equal(loss, formula, *batch(shape, classes), rtol=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_slabs_of_unequal_thickness(name: str) -> None:
    loss, formula = CASES[name]
    logits, labels = batch(SEVERAL_SLABS, (0, 0, 0, 1, 2, 3))
    thicknesses = [part.shape[2] for (part,) in losses._slabs(logits)]
    assert thicknesses == [256, 44]
    assert_equal(loss, formula, logits, labels, rtol=1e-6)


@LOSSES
@pytest.mark.parametrize("classes", [(0, 1, 3), (0,)], ids=["no PHE", "all background"])
@pytest.mark.parametrize("shape", [(2, 4, 3, 3), (1, 4, 2, 3, 2)], ids=["2-D", "3-D"])
def test_gradient_is_the_numerical_one(
    loss: nn.Module, classes: tuple[int, ...], shape: tuple[int, ...]
) -> None:
    logits, labels = batch(shape, classes)
    assert torch.autograd.gradcheck(lambda x: loss(x, labels), logits)


def nnunets_dice(batch_dice: bool, smooth: float = 1e-5) -> dict[str, object]:
    """nnU-Net's settings of its soft Dice."""
    return {"batch_dice": batch_dice, "smooth": smooth, "do_bg": False, "ddp": False}


NNUNET: dict[str, tuple[Loss, Loss]] = {
    f"{name}, batch_dice={batch_dice}": pair
    for batch_dice in (True, False)
    for name, pair in {
        "dice and top k": (
            losses.DiceTopKLoss(batch_dice),
            DC_and_topk_loss(nnunets_dice(batch_dice), {"k": 10}),
        ),
        "dice and the worst 100 % are dice and cross-entropy": (
            losses.DiceTopKLoss(batch_dice, percent=100),
            DC_and_CE_loss(nnunets_dice(batch_dice), {}, dice_class=MemoryEfficientSoftDiceLoss),
        ),
    }.items()
} | {
    "tversky of equal weights is dice": (
        losses.TverskyLoss(alpha=0.5, beta=0.5),
        SoftDiceLoss(softmax_helper_dim1, **nnunets_dice(True, smooth=2e-5)),
    ),
    "focal without focus is cross-entropy": (
        losses.FocalLoss(gamma=0, alpha=1, smooth=0),
        RobustCrossEntropyLoss(),
    ),
    "top k, without dice": (
        lambda x, y: losses.DiceTopKLoss(True)(x, y) + dice(x, y, (0, 2)),
        TopKLoss(k=10),
    ),
}
"""Ours, and the class of nnU-Net that must be equal to it."""


@pytest.mark.parametrize("name", NNUNET)
@pytest.mark.parametrize("classes", LABELS.values(), ids=LABELS)
def test_equal_to_nnunets(name: str, classes: tuple[int, ...]) -> None:
    ours, theirs = NNUNET[name]
    logits, labels = batch((2, 4, 8, 8, 8), classes)
    assert_equal(ours, theirs, logits, labels, rtol=1e-6)  # nnU-Net's sums are in single precision


@pytest.mark.parametrize("classes", LABELS.values(), ids=LABELS)
def test_equal_to_monais(classes: tuple[int, ...]) -> None:
    logits, labels = batch((2, 4, 8, 8, 8), classes)
    tversky = monai.losses.TverskyLoss(
        include_background=False, to_onehot_y=True, softmax=True, alpha=0.3, beta=0.7, batch=True
    )
    assert_equal(losses.TverskyLoss(), lambda x, y: tversky(x, y) - 1, logits, labels, rtol=1e-6)
    # MONAI averages over classes, too, of which all but the true one contribute nothing.
    unsmoothed = monai.losses.FocalLoss(to_onehot_y=True, use_softmax=True, gamma=2.0)
    ours = losses.FocalLoss(smooth=0)
    assert_equal(ours, lambda x, y: 0.5 * 4 * unsmoothed(x, y).double(), logits, labels, rtol=1e-5)


def built_loss(trainer_class: type[nnUNetTrainer], deep_supervision: bool) -> nn.Module:
    """What a trainer makes of a plan with four resolutions."""
    trainer = trainer_class.__new__(trainer_class)  # its constructor wants folders of preprocessed data
    trainer.device, trainer.is_ddp = torch.device("cpu"), False
    trainer.enable_deep_supervision = deep_supervision
    trainer.label_manager = LabelManager({"background": 0, "ICH": 1, "PHE": 2, "IVH": 3}, None)
    strides = [[1, 1, 1], [1, 2, 2], [2, 2, 2], [2, 2, 2], [2, 2, 2]]
    plan = {"batch_dice": False, "architecture": {"arch_kwargs": {"strides": strides}}}
    trainer.configuration_manager = ConfigurationManager(plan)
    return trainer._build_loss()


TRAINERS = {
    loss_trainers.TverskyTrainer: losses.TverskyLoss,
    loss_trainers.FocalTverskyTrainer: losses.FocalTverskyLoss,
    loss_trainers.FocalTrainer: losses.FocalLoss,
    loss_trainers.DiceTopKTrainer: losses.DiceTopKLoss,
}


@pytest.mark.parametrize("trainer_class", TRAINERS)
def test_trainers_supervise_as_nnunets_does(trainer_class: type[nnUNetTrainer]) -> None:
    plain = built_loss(trainer_class, False)
    assert type(plain) is TRAINERS[trainer_class]
    wrapped, stock = (built_loss(each, True) for each in (trainer_class, nnUNetTrainer))
    assert type(wrapped.loss) is type(plain)
    assert wrapped.weight_factors == pytest.approx(stock.weight_factors, rel=1e-12)


def test_top_k_takes_batch_dice_from_the_plan() -> None:
    assert built_loss(loss_trainers.DiceTopKTrainer, False).batch_dice is False


@LOSSES
def test_deep_supervision_is_the_weighted_sum(loss: nn.Module) -> None:
    pyramid = [batch((2, 4, n, 2 * n, 2 * n), (0, 1, 2, 3), seed=n) for n in (8, 4, 2)]
    outputs, labels = [logits for logits, _ in pyramid], [labels for _, labels in pyramid]
    weights = (2 / 3, 1 / 3)
    total = DeepSupervisionWrapper(loss, [*weights, 0])(outputs, labels)
    *gradients, unused = torch.autograd.grad(total, outputs, allow_unused=True)
    assert unused is None
    values, singles = zip(*(value_and_gradient(loss, *level) for level in pyramid[:2]), strict=True)
    torch.testing.assert_close(total, sum(map(mul, weights, values)))
    for gradient, expected in zip(gradients, map(mul, weights, singles), strict=True):
        torch.testing.assert_close(gradient, expected)


CERTAIN = {"tversky": -1.0, "focal tversky": 1e-6**0.75, "focal": 0.0}
"""Values at a perfect prediction, where those of Dice and top k are -1."""


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("precision", [torch.float64, torch.float32, *PRECISIONS])
@pytest.mark.parametrize("classes", LABELS.values(), ids=LABELS)
def test_perfect_prediction(name: str, precision: torch.dtype, classes: tuple[int, ...]) -> None:
    _, labels = batch((2, 4, 3, 4, 5), classes)
    logits = torch.zeros(2, 4, 3, 4, 5, dtype=precision).scatter_(1, labels.long(), 1e4)
    value, gradient = value_and_gradient(CASES[name][0], logits.requires_grad_(), labels)
    assert value.item() == pytest.approx(CERTAIN.get(name, -1.0), rel=1e-6, abs=1e-9)
    assert torch.isfinite(gradient).all()


def test_a_broken_power_of_a_perfect_prediction_is_nought() -> None:
    labels = torch.zeros(1, 1, 4, 4)
    logits = torch.zeros(1, 4, 4, 4).scatter_(1, labels.long(), 1e4).requires_grad_()
    value, gradient = value_and_gradient(losses.FocalLoss(gamma=1.5), logits, labels)
    assert value == 0
    assert torch.isfinite(gradient).all()


@LOSSES
@pytest.mark.parametrize("precision", [torch.float64, torch.float32, *PRECISIONS])
@pytest.mark.parametrize("classes", LABELS.values(), ids=LABELS)
def test_extreme_logits(loss: nn.Module, precision: torch.dtype, classes: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    _, labels = batch((2, 4, 3, 4, 5), classes)
    mixed = torch.tensor(rng.choice([-1e4, 0, 1e4], (2, 4, 3, 4, 5)), dtype=precision)
    wrong = torch.zeros_like(mixed).scatter_(1, labels.long(), -1e4)
    for logits in (mixed, wrong):
        value, gradient = value_and_gradient(loss, logits.requires_grad_(), labels)
        assert torch.isfinite(value)
        assert torch.isfinite(gradient).all()


@LOSSES
def test_a_nan_is_not_hidden(loss: nn.Module) -> None:
    logits, labels = batch((2, 4, 3, 4, 5), (0, 1, 2, 3))
    spoilt = logits.detach().clone()
    spoilt[0, 0, 0, 0, 0] = torch.nan
    assert torch.isnan(loss(spoilt, labels))


@LOSSES
@pytest.mark.parametrize("precision", PRECISIONS)
def test_half_precision_logits_are_summed_in_single(loss: nn.Module, precision: torch.dtype) -> None:
    logits, labels = batch((2, 4, 48, 48, 96), (0, 0, 0, 0, 0, 0, 1, 2, 3))
    rounded = logits.detach().to(precision).requires_grad_()
    value, gradient = value_and_gradient(lambda x, y: 2**16 * loss(x, y), rounded, labels)  # GradScaler's
    exact, exact_gradient = value_and_gradient(loss, rounded.detach().double().requires_grad_(), labels)
    assert value.dtype == torch.float32
    assert value.item() / 2**16 == pytest.approx(exact.item(), rel=1e-5)
    assert gradient.dtype == precision
    largest = 2**16 * exact_gradient.abs().max().item()
    one_in = 2 * torch.finfo(precision).eps
    torch.testing.assert_close(
        gradient.double(), 2**16 * exact_gradient, rtol=one_in, atol=one_in * 1e-3 * largest
    )


@LOSSES
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("dimensions", [2, 3])
def test_under_autocast(loss: nn.Module, precision: torch.dtype, dimensions: int) -> None:
    torch.manual_seed(0)
    network = (nn.Conv2d if dimensions == 2 else nn.Conv3d)(1, 4, 3, padding=1)
    image, labels = torch.randn(2, 1, *(8,) * dimensions), torch.randint(0, 4, (2, 1, *(8,) * dimensions))
    with torch.autocast("cpu", dtype=precision):
        logits = network(image)
        logits.retain_grad()
        value = loss(logits, labels)
    value.backward()
    assert logits.dtype == precision
    exact, gradient = value_and_gradient(loss, logits.detach().double().requires_grad_(), labels)
    assert value.item() == pytest.approx(exact.item(), rel=1e-5)
    largest = gradient.abs().max().item()
    torch.testing.assert_close(logits.grad.double(), gradient, rtol=0, atol=0.01 * largest)
    assert all(torch.isfinite(parameter.grad).all() for parameter in network.parameters())


@LOSSES
def test_labels_in_any_type_with_or_without_a_channel_axis(loss: nn.Module) -> None:
    logits, labels = batch((2, 4, 3, 4, 5), (0, 1, 2, 3))
    expected = loss(logits, labels)
    for dtype in (torch.uint8, torch.int32, torch.int64, torch.float16, torch.float32):
        assert loss(logits, labels.to(dtype)) == expected
    assert loss(logits, labels[:, 0]) == expected


@LOSSES
def test_channels_last(loss: nn.Module) -> None:
    logits, labels = batch((2, 4, 3, 4, 5), (0, 1, 2, 3))
    last = logits.detach().to(memory_format=torch.channels_last_3d).requires_grad_()
    for found, expected in zip(
        value_and_gradient(loss, last, labels), value_and_gradient(loss, logits, labels), strict=True
    ):
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-15)


@LOSSES
@pytest.mark.parametrize("label", [-1, 4])
def test_a_label_that_is_no_class_is_an_error(loss: nn.Module, label: int) -> None:
    logits, labels = batch((2, 4, 3, 4, 5), (0, 1, 2, 3))
    labels[1, 0, 2, 3, 4] = label
    with pytest.raises(RuntimeError, match="out of bounds"):
        loss(logits, labels)


@LOSSES
@pytest.mark.parametrize("shape", [(2, 1, 3, 4, 4), (1, 1, 3, 4, 5), (2, 4, 3, 4, 5), (2, 1, 2, 4, 5)])
def test_labels_of_other_voxels_are_an_error(loss: nn.Module, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="for logits of shape"):
        loss(torch.zeros(2, 4, 3, 4, 5), torch.zeros(shape))


@pytest.mark.parametrize("batch_dice", [True, False])
def test_a_patch_of_few_voxels_still_has_a_worst_one(batch_dice: bool) -> None:
    logits, labels = batch((1, 4, 1, 3), (0, 1))
    assert torch.isfinite(losses.DiceTopKLoss(batch_dice)(logits, labels))


@LOSSES
def test_nothing_is_copied_to_the_host(loss: nn.Module) -> None:
    """Tensors without values: whatever would ask for one fails."""
    logits = torch.zeros(2, 4, 30, 64, 64, device="meta", requires_grad=True)
    labels = torch.zeros(2, 1, 30, 64, 64, device="meta", dtype=torch.int16)
    loss(logits, labels).backward()
    assert logits.grad.shape == logits.shape


@LOSSES
def test_backward_keeps_logits_and_labels_and_nothing_else_of_their_size(loss: nn.Module) -> None:
    logits, labels = batch((1, 4, 16, 16, 16), (0, 1, 2, 3))
    kept: list[Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        loss(logits, labels)
    large = [t for t in kept if t.numel() >= labels.numel() and t.data_ptr() != logits.data_ptr()]
    assert [t.dtype for t in large] == [torch.uint8]


@LOSSES
def test_repeats_bit_for_bit(loss: nn.Module) -> None:
    logits, labels = batch(SEVERAL_SLABS, (0, 1, 2, 3))
    first, second = (value_and_gradient(loss, logits, labels) for _ in range(2))
    assert all(map(torch.equal, first, second))


SEEDS = st.integers(0, 2**32 - 1)
SPATIAL = st.lists(st.integers(1, 5), min_size=2, max_size=3).map(tuple)
PRESENT = st.sets(st.integers(0, 3), min_size=1).map(lambda classes: tuple(sorted(classes)))


@LOSSES
@settings(max_examples=20)
@given(seed=SEEDS, spatial=SPATIAL, classes=PRESENT)
def test_order_of_voxels_and_of_samples_is_of_no_account(
    loss: nn.Module, seed: int, spatial: tuple[int, ...], classes: tuple[int, ...]
) -> None:
    logits, labels = batch((2, 4, *spatial), classes, seed)
    rng = np.random.default_rng(seed)
    voxels, samples = rng.permutation(int(np.prod(spatial))), rng.permutation(2)
    shuffled = [t.flatten(2)[samples][..., voxels].view(t.shape) for t in (logits, labels)]
    assert loss(*shuffled).item() == pytest.approx(loss(logits, labels).item(), rel=1e-9)


@LOSSES
@settings(max_examples=20)
@given(seed=SEEDS, spatial=SPATIAL, classes=PRESENT, order=st.permutations([1, 2, 3]))
def test_order_of_lesion_classes_is_of_no_account(
    loss: nn.Module, seed: int, spatial: tuple[int, ...], classes: tuple[int, ...], order: list[int]
) -> None:
    logits, labels = batch((2, 4, *spatial), classes, seed)
    new = torch.tensor([0, *order])
    renamed = torch.empty_like(logits).index_copy(1, new, logits), new[labels.long()]
    assert loss(*renamed).item() == pytest.approx(loss(logits, labels).item(), rel=1e-9)


BOUNDS = {"tversky": (-1, 0), "focal tversky": (0, 1), "focal": (0, 0.5 * -np.log(1e-5))}
"""Those of Dice and top k are -1 and infinity."""


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=20)
@given(seed=SEEDS, spatial=SPATIAL, classes=PRESENT, scale=st.floats(0, 100))
def test_bounds(
    name: str, seed: int, spatial: tuple[int, ...], classes: tuple[int, ...], scale: float
) -> None:
    logits, labels = batch((2, 4, *spatial), classes, seed)
    least, most = BOUNDS.get(name, (-1, np.inf))
    assert least - 1e-9 <= CASES[name][0](scale * logits, labels).item() <= most + 1e-9


@settings(max_examples=50)
@given(
    found=st.integers(0, 20),
    wrong=st.integers(1, 20),
    alpha=st.floats(0.05, 0.45),
    loss_class=st.sampled_from(["tversky", "focal tversky"]),
)
def test_a_missed_voxel_costs_more_than_one_too_many(
    found: int, wrong: int, alpha: float, loss_class: str
) -> None:
    """Of two certain predictions with as many right voxels, one misses what the other adds."""
    tversky = losses.TverskyLoss(alpha=alpha, beta=1 - alpha)
    loss: nn.Module = tversky
    if loss_class == "focal tversky":
        loss = losses.FocalTverskyLoss()
        loss.tversky = tversky
    row = torch.zeros(1, 60, dtype=torch.int64)
    fewer, more = row.clone(), row.clone()
    fewer[:, :found], more[:, : found + wrong] = 1, 1

    def certain(labels: Tensor) -> Tensor:
        return torch.zeros(1, 4, 60, dtype=torch.float64).scatter_(1, labels[:, None], 1e4)

    missed, added = loss(certain(fewer), more), loss(certain(more), fewer)
    assert missed > added
    ich = [(found + 1e-5) / (found + weight * wrong + 1e-5) for weight in (1 - alpha, alpha)]
    expected = [(index + 2) / 3 for index in ich]  # PHE and IVH are absent and not found: 1 each
    values = [-x if loss is tversky else (1 - x) ** 0.75 for x in expected]
    assert [missed.item(), added.item()] == pytest.approx(values, rel=1e-6)


def test_benchmark_runs() -> None:
    """On a small patch; a row per pair of losses and number of threads."""
    command = [sys.executable, str(BENCHMARK), "--small"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    rows = [line.strip("|").split("|") for line in printed.splitlines() if line.startswith("| CPU")]
    assert {row[1].strip() for row in rows} == {type(loss).__name__ for loss, _ in CASES.values()}
    gradient_mb = 2
    for *_, time, its_time, _, _, _, _, of_tensors, its_tensors, _ in rows:
        assert float(time) > 0 < float(its_time)
        assert float(of_tensors) >= gradient_mb <= float(its_tensors)
