"""Trainers that nnU-Net brings, by name: which can be had, and that they train in miniature."""

from __future__ import annotations

import inspect
from pathlib import Path

import numpy as np
import pytest
import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

from headct.engine.training_job import TrainedModel
from headct.frameworks.nnunet import inference, network_checks, trainer_names
from headct.frameworks.nnunet.training import trainer_class
from headct.frameworks.train import save_weights
from support import families
from support import nnunet_miniature as miniature
from support.changed_settings import changed
from support.label_sets import LABELS

CALLED = {
    "__init__",
    "_build_loss",
    "_set_batch_size_and_oversample",
    "configure_rotation_dummyDA_mirroring_and_inital_patch_size",
    "get_training_transforms",
}
"""Methods of nnU-Net's trainer that a training here calls, and that another trainer may bring anew."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


def train(data: Path, folder: Path, trainer: str | None = None) -> TrainedModel:
    settings = {} if trainer is None else {"trainer": trainer}
    job = families.job("nnunet", data, epochs=1, iterations_per_epoch=3, **settings)
    return families.train("nnunet", job, folder)


@pytest.fixture(scope="module")
def usual(data: Path) -> TrainedModel:
    return train(data, data / "usual")


def test_those_that_change_loss_augmentation_or_sampling_can_be_had() -> None:
    assert sorted(trainer_names.usable()) == [
        "nnUNetTrainerCELoss",
        "nnUNetTrainerDA5",
        "nnUNetTrainerDA5Segord0",
        "nnUNetTrainerDA5ord0",
        "nnUNetTrainerDiceCELoss_noSmooth",
        "nnUNetTrainerDiceLoss",
        "nnUNetTrainerDiceTopK10Loss",
        "nnUNetTrainerNoDA",
        "nnUNetTrainerNoMirroring",
        "nnUNetTrainerTopk10Loss",
        "nnUNetTrainerTopk10LossLS01",
        "nnUNetTrainer_DASegOrd0",
        "nnUNetTrainer_DASegOrd0_NoMirroring",
        "nnUNetTrainer_noDummy2DDA",
        "nnUNetTrainer_onlyMirror01",
        "nnUNetTrainer_onlyMirror01_DA5",
        "nnUNetTrainer_onlyMirror01_DASegOrd0",
        "nnUNetTrainer_probabilisticOversampling",
    ]


@pytest.mark.parametrize("trainer", trainer_names.usable())
def test_they_bring_nothing_anew_that_a_training_here_does_not_call(trainer: str) -> None:
    found = trainer_class(changed(miniature.SETTINGS, trainer=trainer))
    assert issubclass(found, nnUNetTrainer)
    assert found.__name__ == trainer
    own = [kind for kind in found.__mro__ if issubclass(kind, nnUNetTrainer) and kind is not nnUNetTrainer]
    brought = {
        name
        for kind in own
        for name, value in vars(kind).items()
        if inspect.isroutine(value) or isinstance(value, staticmethod)
    }
    assert brought <= CALLED


@pytest.mark.parametrize(
    "trainer",
    [
        "nnUNetTrainerTopk10LossLS01",
        "nnUNetTrainerDA5",
        "nnUNetTrainerNoDA",
        "nnUNetTrainer_probabilisticOversampling",
    ],
)
def test_they_train_and_repeat(data: Path, usual: TrainedModel, tmp_path: Path, trainer: str) -> None:
    model = train(data, tmp_path / "one", trainer)
    assert all(np.isfinite(entry["train_loss"]) for entry in model.history)
    assert families.equal(model, train(data, tmp_path / "again", trainer))
    assert not families.equal(model, usual)
    assert model.facts.further["trainer"] == trainer
    assert model.facts.loss == (trainer if "Loss" in trainer else "dice_ce")
    assert model.facts.further["augmentation"] == (trainer if "DA" in trainer else "nnU-Net default")
    assert "trainer" not in usual.facts.further
    assert "mirroring_axes" not in usual.fixed, "the bytes of other models are what they were"


@pytest.mark.parametrize(
    ("trainer", "axes"),
    [
        ("nnUNetTrainerNoMirroring", None),
        ("nnUNetTrainer_onlyMirror01", [0, 1]),
        ("nnUNetTrainerDA5", [0, 1, 2]),
    ],
)
def test_predictions_are_mirrored_as_patches_were(data: Path, tmp_path: Path, trainer: str, axes) -> None:
    model = train(data, tmp_path, trainer)
    assert model.fixed["mirroring_axes"] == axes
    save_weights(model, tmp_path / "final.pth")
    settings = changed(miniature.OF_INFERENCE, test_time_mirroring=True)
    predictor = inference.load(tmp_path, "cpu", settings, LABELS)
    assert predictor.predictor.allowed_mirroring_axes == axes
    patch = torch.rand(1, 1, 8, 32, 32)
    with torch.inference_mode():
        alone = predictor.predictor.network(patch)
        mirrored = predictor.predictor._internal_maybe_mirror_and_predict(patch)
    assert torch.equal(alone, mirrored) == (axes is None)


@pytest.mark.parametrize(
    ("changes", "key", "message"),
    [
        (
            {"trainer": "nnUNetTrainerDA6"},
            "trainer",
            "no trainer of this name; did you mean 'nnUNetTrainerDA5'",
        ),
        ({"trainer": "os.system"}, "trainer", "no trainer of this name; there are "),
        ({"trainer": "nnUNetTrainer_250epochs"}, "trainer", "which is nnunet.epochs here"),
        ({"trainer": "nnUNetTrainerAdam"}, "trainer", "which is nnunet.optimiser here"),
        ({"trainer": "nnUNetTrainerCosAnneal"}, "trainer", "it sets the learning rates"),
        ({"trainer": "nnUNetTrainerBN"}, "trainer", "it makes another network"),
        ({"trainer": "nnUNetTrainerCELoss_5epochs"}, "trainer", "it sets what nnunet.epochs"),
        ({"trainer": "nnUNetTrainer"}, "trainer", "default"),
        ({"trainer": "nnUNetTrainerDA5", "loss": "focal"}, "loss", "say loss: dice_ce beside it"),
    ],
)
def test_the_others_are_refused_with_the_reason(changes: dict[str, str], key: str, message: str) -> None:
    (problem,) = network_checks.problems(changed(miniature.SETTINGS, **changes))
    assert problem.key == key
    assert message in problem.message
