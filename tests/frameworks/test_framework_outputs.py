"""What docs/reference/models.md calls a framework's own: from equal weights equal logits, losses, steps."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
import torch
from blast_ct.assets import get_config_path
from blast_ct.read_config import get_model
from monai.networks.nets.basic_unet import BasicUNet
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from torch import Tensor

from headct.engine.batches import in_order
from headct.frameworks.blastct import training as blastct
from headct.frameworks.monai import networks
from headct.frameworks.monai.data import Preprocessing, prepare_all
from headct.frameworks.monai.settings import Architecture
from headct.frameworks.monai.training import MonaiLearner
from headct.frameworks.nnunet import training as nnunet
from support import blastct_cases, monai_miniature, nnunet_miniature
from support.label_sets import LABELS

MODES = pytest.mark.parametrize("mode", ["evaluation", "training"])


def logits_of(network: torch.nn.Module, volume: Tensor, mode: str) -> Tensor:
    """Of a network whose random layers draw alike each time."""
    torch.manual_seed(5)
    made = network.train(mode == "training")(volume)
    return made[0] if isinstance(made, tuple) else made


@MODES
def test_unet_is_monais_with_its_defaults(mode: str) -> None:
    ours, monais = (
        networks.build(Architecture(network="basicunet"), LABELS.n_classes),
        BasicUNet(3, 1, LABELS.n_classes),
    )
    monais.load_state_dict(ours.state_dict())
    volume = torch.randn(2, 1, 32, 32, 32, generator=torch.Generator().manual_seed(1))
    assert torch.equal(logits_of(ours, volume, mode), logits_of(monais, volume, mode))


@MODES
def test_deepmedic_is_that_of_the_package_but_for_the_number_of_classes(mode: str) -> None:
    stock = get_model(json.loads(Path(get_config_path()).read_text()))
    ours = get_model(blastct.package_configuration(blastct_cases.STUDY, LABELS))
    weights = stock.state_dict()
    for name, tensor in ours.state_dict().items():
        if weights[name].shape != tensor.shape:  # the last layer, which has a map per class
            weights[name] = weights[name][: LABELS.n_classes].clone()
    ours.load_state_dict(weights)
    volume = torch.randn(2, 1, 85, 85, 85, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        theirs = logits_of(stock, volume, mode)[:, : LABELS.n_classes]
        torch.testing.assert_close(logits_of(ours, volume, mode), theirs, rtol=0, atol=1e-6)


def test_a_step_of_nnunet_is_that_of_its_trainer(tmp_path: Path) -> None:
    """Loss with deep supervision, clipping and optimiser: three steps end in equal weights."""
    torch.set_num_threads(1)
    changes = {"optimiser": "sgd", "initial_learning_rate": 0.01}
    job = nnunet_miniature.job(nnunet_miniature.training_scans(tmp_path, 3), tmp_path / "shared", **changes)
    plan_changes = job.settings.plan_changes["3d_fullres"]
    plans, cases = nnunet._prepared(
        job.training_scans, job.settings, job.shared_folder, 1, job.labels, plan_changes
    )
    ours, stock = (nnunet.make_trainer(job, plans, tmp_path / name) for name in ("ours", "stock"))
    assert type(stock) is nnUNetTrainer
    stock.network = copy.deepcopy(ours.network)
    stock.optimizer, _ = stock.configure_optimizers()
    learner = nnunet.NnunetLearner(job, ours, cases)
    stock.network.train()
    for images, *targets in in_order(learner.training_batches, 0, 3, 0, "cpu"):
        loss = learner.learn(images, *targets)
        theirs = stock.train_step({"data": images, "target": targets})
        assert loss.item() == pytest.approx(float(theirs["loss"]), rel=1e-6)
    for one, other in zip(ours.network.parameters(), stock.network.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-8)


def test_the_loss_of_monais_networks_is_the_documented_one(tmp_path: Path) -> None:
    """Dice of each patch and class, background among them, not squared, smooth 10⁻⁵, plus cross-entropy."""
    scans = nnunet_miniature.training_scans(tmp_path, 2)
    job = monai_miniature.job(scans, tmp_path / "shared")
    prepared = prepare_all(scans, Preprocessing.from_settings(job.settings), job.shared_folder, 1)
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(2, LABELS.n_classes, 6, 5, 4, dtype=torch.float64, generator=generator)
    labels = torch.randint(0, LABELS.n_classes, (2, 1, 6, 5, 4), generator=generator)
    p = logits.softmax(1).flatten(2)
    y = torch.nn.functional.one_hot(labels[:, 0], LABELS.n_classes).movedim(-1, 1).double().flatten(2)
    dice = (2 * (p * y).sum(2) + 1e-5) / (p.sum(2) + y.sum(2) + 1e-5)
    expected = (1 - dice).mean() - (y * p.log()).sum(1).mean()
    torch.testing.assert_close(MonaiLearner(job, prepared).loss(logits, labels), expected, rtol=1e-6, atol=0)
