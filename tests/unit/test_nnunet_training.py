"""Training of the real nnU-Net in miniature: repeatable, resumable, whatever the number of workers."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import nnunet_miniature as miniature
import numpy as np
import pytest
import torch
from nnunetv2.utilities.find_objects import recursive_find_trainer_class_by_name

from headct.training import checkpoints, nnunet
from headct.training.job import TrainedModel, TrainingJob, TrainingScan
from headct.training.nnunet_batches import VALIDATION, NumberedLoader

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


def equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def test_the_model_holds_what_inference_and_tables_need(trained: TrainedModel) -> None:
    json.dumps([trained.fixed, trained.history, trained.record], allow_nan=False)
    assert trained.record["iterations"] == 8
    assert trained.record["loss_constants"]["dc.smooth"] == 1e-5
    assert trained.record["parameters"] > 1000
    assert [entry["epoch"] for entry in trained.history] == [0, 1]
    assert trained.history[1]["learning_rate"] == pytest.approx(5e-3 * 0.5**0.9)
    assert set(trained.fixed["plans"]["configurations"]) == {"3d_fullres"}
    assert "scans" not in json.dumps(trained.fixed), "no path may leave the scratch folders"


def test_two_runs_are_equal(trained: TrainedModel, job: TrainingJob, tmp_path: Path) -> None:
    again = nnunet.train(job, tmp_path)
    assert equal(again.weights, trained.weights)
    assert again.history == trained.history
    assert again.record == trained.record


def test_another_seed_is_another_run(trained: TrainedModel, job: TrainingJob, tmp_path: Path) -> None:
    other = nnunet.train(dataclasses.replace(job, seed=2), tmp_path)
    assert not equal(other.weights, trained.weights)


@pytest.mark.parametrize("saved", [3, 4], ids=["within an epoch", "at an epoch's end"])
def test_an_interrupted_run_ends_like_an_undisturbed_one(
    trained: TrainedModel,
    job: TrainingJob,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    saved: int,
) -> None:
    job = dataclasses.replace(job, settings=job.settings | {"checkpoint_interval_minutes": 0})
    real = checkpoints.save

    def save_and_stop(folder: Path, state: dict[str, Any], step: int) -> None:
        real(folder, state, step)
        if step == saved:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "save", save_and_stop)
        with pytest.raises(KeyboardInterrupt):
            nnunet.train(job, tmp_path)
    resumed = nnunet.train(job, tmp_path)
    assert equal(resumed.weights, trained.weights)
    assert resumed.history == trained.history


def test_a_finished_run_is_not_trained_again(
    trained: TrainedModel, job: TrainingJob, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nnunet, "training_batches", None)
    again = nnunet.train(job, data / "undisturbed")
    assert equal(again.weights, trained.weights)
    assert again.history == trained.history


@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.slow), 3])
def test_any_number_of_workers_makes_the_same_run(
    trained: TrainedModel, job: TrainingJob, tmp_path: Path, workers: int
) -> None:
    with_workers = dataclasses.replace(job, settings=job.settings | {"workers": workers})
    other = nnunet.train(with_workers, tmp_path)
    assert equal(other.weights, trained.weights)
    assert other.history == trained.history


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
    assert model.record["optimiser"] == "SGD"


def test_a_fold_learns_nothing_from_held_out_scans(
    job: TrainingJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: dict[bool, set[str]] = {True: set(), False: set()}
    real = NumberedLoader.generate_train_batch

    def note(loader: NumberedLoader) -> dict[str, Any]:
        batch: dict[str, Any] = real(loader)
        drawn[loader.batch < VALIDATION] |= set(batch["keys"])
        return batch

    monkeypatch.setattr(NumberedLoader, "generate_train_batch", note)
    job = dataclasses.replace(
        job,
        fold="0",
        training_scans=job.training_scans[:2],
        validation_scans=job.training_scans[2:],
    )
    nnunet.train(job, tmp_path)
    assert drawn[True] == {"S00.ct", "S01.ct"}
    assert drawn[False] == {"S02.ct"}


def test_a_loss_that_is_no_number_stops_the_run(
    job: TrainingJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        nnunet.nnUNetTrainer, "train_step", lambda *_: {"loss": np.float32("nan")}, raising=True
    )
    with pytest.raises(FloatingPointError, match="batch 0"):
        nnunet.train(job, tmp_path)
    assert checkpoints.load_latest(tmp_path) is None


RUN = """
import sys, torch
from pathlib import Path
import nnunet_miniature as miniature
from headct.training import nnunet
from headct.training.job import TrainingScan
torch.set_num_threads(1)
data, folder, workers = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
scans = tuple(
    TrainingScan(f.name, f / "ct.nii.gz", f / "labels.nii.gz", sha256=f.name)
    for f in sorted((data / "scans").iterdir())
)
changes = dict(epochs=10, iterations_per_epoch=10, workers=workers, checkpoint_interval_minutes=0)
model = nnunet.train(miniature.job(scans, data / "shared", **changes), folder)
torch.save(model.weights, folder / "weights.pth")
"""


def start(data: Path, folder: Path, workers: int) -> subprocess.Popen[bytes]:
    folder.mkdir(exist_ok=True)
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    return subprocess.Popen(
        [sys.executable, "-c", RUN, str(data), str(folder), str(workers)],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.DEVNULL,
    )


def children(parent: int) -> list[int]:
    text = Path(f"/proc/{parent}/task/{parent}/children").read_text()
    return [int(pid) for pid in text.split()]


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_killed_at_random_moments_it_ends_the_same(
    data: Path, scans: Scans, tmp_path: Path, workers: int
) -> None:
    assert start(data, tmp_path / "undisturbed", 0).wait() == 0
    folder, rng, kills = tmp_path / "killed", np.random.default_rng(workers), 0
    for _ in range(5):
        process = start(data, folder, workers)
        before = latest(folder)
        while process.poll() is None and latest(folder) <= before:
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.5))
        orphans = children(process.pid) if process.poll() is None else []
        assert len(orphans) >= workers or process.poll() is not None
        process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
        time.sleep(3)
        assert not any(Path(f"/proc/{pid}").exists() for pid in orphans)
    assert kills >= 3
    assert start(data, folder, workers).wait() == 0
    undisturbed, resumed = (
        torch.load(f / "weights.pth", weights_only=True) for f in (tmp_path / "undisturbed", folder)
    )
    assert equal(undisturbed, resumed)


def latest(folder: Path) -> int:
    return max((int(path.name.split("-")[1]) for path in folder.glob("checkpoint-*-*.pth")), default=0)
