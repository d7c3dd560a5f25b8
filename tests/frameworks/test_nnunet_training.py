"""Training of the real nnU-Net in miniature; what all frameworks share is in test_training_loop.py."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from nnunetv2.utilities.find_objects import recursive_find_trainer_class_by_name

from headct.engine.training_job import TrainedModel, TrainingJob, TrainingScan
from headct.frameworks.nnunet import training as nnunet
from headct.frameworks.nnunet.seeded_batches import VALIDATION, NumberedLoader
from support import nnunet_miniature as miniature

Scans = tuple[TrainingScan, ...]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def scans(data: Path) -> Scans:
    return miniature.training_scans(data / "scans", 3)


@pytest.fixture(scope="module")
def shared(data: Path) -> Path:
    return data / "shared"


@pytest.fixture
def job(scans: Scans, shared: Path) -> TrainingJob:
    return miniature.job(scans, shared)


@pytest.fixture(scope="module")
def trained(data: Path, scans: Scans, shared: Path) -> TrainedModel:
    torch.set_num_threads(1)
    return nnunet.train(miniature.job(scans, shared), made(data / "undisturbed"))


def made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder


def test_the_model_holds_what_inference_and_tables_need(trained: TrainedModel) -> None:
    json.dumps([trained.fixed, trained.history, dataclasses.asdict(trained.facts)], allow_nan=False)
    assert trained.facts.iterations == 8
    assert trained.facts.further["loss_constants"]["dc.smooth"] == 1e-5
    assert trained.facts.parameters > 1000
    assert [entry["epoch"] for entry in trained.history] == [1, 2]
    assert trained.history[1]["learning_rate"] == pytest.approx(5e-3 * 0.5**0.9)
    assert set(trained.fixed["plans"]["configurations"]) == {"3d_fullres"}
    assert "scans" not in json.dumps(trained.fixed), "no path may leave the scratch folders"


@pytest.mark.parametrize(
    ("configuration", "loss"),
    [("2d", "dice_ce"), ("2d", "dice_topk"), *(("3d_fullres", loss) for loss in nnunet.TRAINERS)],
)
def test_every_loss_trains(scans: Scans, shared: Path, tmp_path: Path, configuration: str, loss: str) -> None:
    changes = {"configuration": configuration, "loss": loss, "epochs": 1, "iterations_per_epoch": 2}
    model = nnunet.train(miniature.job(scans, shared, **changes), tmp_path)
    assert np.isfinite(model.history[0]["train_loss"])


def test_nnunet_finds_the_trainers_by_itself(trained: TrainedModel) -> None:
    ours = nnunet.TRAINERS["focal"]
    assert trained.fixed["loss"] == "dice_ce"
    found = recursive_find_trainer_class_by_name(ours.__name__)  # nnUNet_extTrainer is set by train
    assert found.__name__ == ours.__name__
    assert found.__module__ == "loss_trainers"


def test_the_default_optimiser_is_nnunets(scans: Scans, shared: Path, tmp_path: Path) -> None:
    changes = {"optimiser": "sgd", "initial_learning_rate": 1e-2, "epochs": 1}
    model = nnunet.train(miniature.job(scans, shared, **changes), tmp_path)
    assert model.facts.optimiser == "SGD"


def test_a_fold_learns_nothing_from_held_out_scans(
    job: TrainingJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: dict[int, set[str]] = {0: set(), VALIDATION: set()}
    real = NumberedLoader.generate_train_batch

    def note(loader: NumberedLoader) -> dict[str, Any]:
        batch: dict[str, Any] = real(loader)
        drawn[loader.offset] |= set(batch["keys"])
        return batch

    monkeypatch.setattr(NumberedLoader, "generate_train_batch", note)
    job = dataclasses.replace(
        job,
        fold="0",
        training_scans=job.training_scans[:2],
        validation_scans=job.training_scans[2:],
    )
    nnunet.train(job, tmp_path)
    assert drawn == {0: {"S00.ct", "S01.ct"}, VALIDATION: {"S02.ct"}}
