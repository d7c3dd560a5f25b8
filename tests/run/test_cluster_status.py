"""What ``make status`` says of trainings: real ones, in a folder laid out as a study's."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from filelock import FileLock

import headct
from headct.contracts.artefacts import read_json, write_json
from headct.contracts.problems import BadInput
from headct.engine import checkpoints
from headct.engine.training_job import TrainingJob
from headct.frameworks import train as training
from headct.frameworks.base import find_framework
from headct.run.cluster.queue import NoAnswer, QueuedJob, jobs_of
from headct.run.cluster.status import standings, table
from support import families

FRAMEWORK = "monai"
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(headct.__file__).parents[1])}
EVERY_EPOCH = {"checkpoint_interval_epochs": 1, "checkpoint_interval_minutes": 60}


@pytest.fixture
def study(tmp_path: Path) -> Path:
    models = {
        "unet": {"framework": FRAMEWORK},
        "zoo": {"framework": "blastct"},
        "both": {"framework": "ensemble", "members": ["unet", "zoo"]},
    }
    write_json(
        {"models": models, "training": {"seeds": [1], "folds": ["all"]}, "work_dir": "work"},
        tmp_path / "results/config.json",
    )
    return tmp_path


@pytest.fixture
def endless(study: Path, monkeypatch: pytest.MonkeyPatch) -> TrainingJob:
    monkeypatch.setattr("headct.engine.progress.SECONDS_BETWEEN_LINES", 0)
    job = families.job(FRAMEWORK, study / "work" / FRAMEWORK)
    return families.changed(job, epochs=10**5, **EVERY_EPOCH)


@pytest.fixture
def folder(study: Path) -> Path:
    return study / "work/training/unet/seed-1-fold-all/0123456789abcdef"


def begin(job: TrainingJob, folder: Path) -> BaseProcess:
    """Train in another process, as ``headct.engine`` does, until a new checkpoint is written."""

    def run() -> None:
        with FileLock(folder / "lock"):
            training.train(job, find_framework(FRAMEWORK), folder)

    folder.mkdir(parents=True, exist_ok=True)
    before = checkpoints.latest_step(folder)
    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    while checkpoints.latest_step(folder) == before:
        assert process.is_alive()
        time.sleep(0.01)
    return process


def test_a_training_is_followed_from_its_beginning_to_its_end(
    study: Path, endless: TrainingJob, folder: Path
) -> None:
    assert [row.state for row in standings(study, None)] == ["not begun", "not begun"]
    process = begin(endless, folder)
    row, other = standings(study, None)
    assert row.training == "unet seed 1 fold all"
    assert (row.state, other.state) == ("training", "not begun")
    assert int(row.epoch.split("/")[0]) >= 1
    assert row.epoch.endswith("/100000")
    assert float(row.loss) > 0
    assert ":" in row.eta
    assert row.last_checkpoint.endswith(" ago")
    process.kill()
    process.join()
    (row, _) = standings(study, None)
    assert row.state == "killed; run again to go on"
    assert row.eta == "–"
    process = begin(endless, folder)
    os.kill(process.pid or 0, signal.SIGTERM)
    process.join()
    (row, _) = standings(study, None)
    assert row.state == "stopped; run again to go on"


def test_networks_of_a_learning_curve_have_rows_of_their_own(
    study: Path, endless: TrainingJob, folder: Path
) -> None:
    """But for the one of all participants, which is the study's own, if the study holds out the same fold."""
    config = read_json(study / "results/config.json")
    config["training"]["folds"] = [0]
    curve = {"models": ["unet"], "sizes": [5, "all"], "seeds": [1, 2], "fold": 0}
    write_json(config | {"learning_curve": curve}, study / "results/config.json")
    process = begin(endless, study / "work/training/unet/size-5-seed-1-fold-0/0123456789abcdef")
    states = {row.training: row.state for row in standings(study, None)}
    process.kill()
    process.join()
    waiting = "not begun"
    assert states == {
        "unet seed 1 fold 0": waiting,
        "zoo seed 1 fold 0": waiting,
        "unet size 5 seed 1 fold 0": "training",
        "unet size 5 seed 2 fold 0": waiting,
        "unet size all seed 2 fold 0": waiting,
    }
    name = "rule_train_learning_curve_wildcards_unet_5_2_0"
    queued = [QueuedJob("7", "PENDING", "", "Resources", name)]
    assert {row.training for row in standings(study, queued) if "Resources" in row.state} == {
        "unet size 5 seed 2 fold 0"
    }


def test_the_queue_is_believed_before_the_files(study: Path, endless: TrainingJob, folder: Path) -> None:
    process = begin(endless, folder)
    process.kill()
    process.join()
    name = "rule_train_wildcards_unet_1_all"
    running = [QueuedJob("7", "RUNNING", "node3", "None", name)]
    (row, _) = standings(study, running)
    assert (row.state, row.node) == ("running", "node3")
    waiting = [QueuedJob("7", "PENDING", "", "Resources", name)]
    assert standings(study, waiting)[0].state == "queued (Resources)"
    assert standings(study, waiting)[1].state == "not begun"
    sessions = read_json(folder / "sessions.json")
    write_json([session | {"host": "node9"} for session in sessions], folder / "sessions.json")
    assert standings(study, None)[0].state == "training, or lost, on node9"
    assert standings(study, [])[0].state == "killed; run again to go on"


def test_columns_are_aligned(study: Path) -> None:
    lines = list(table(standings(study, None)))
    assert [line.index("not begun") for line in lines[1:]] == [lines[0].index("state")] * 2


def test_a_folder_in_which_nothing_ran_is_said_to_be_one(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no run has begun"):
        standings(tmp_path, None)


def test_where_slurm_is_installed_and_does_not_answer_the_files_are_read(
    study: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """As on this machine, if its Slurm is installed and not started: `squeue` ends with an error."""
    squeue = study / "bin/squeue"
    squeue.parent.mkdir()
    squeue.write_text("#!/bin/sh\necho 'squeue: error: Unable to contact slurm controller' >&2\nexit 1\n")
    squeue.chmod(0o755)
    monkeypatch.setenv("PATH", str(squeue.parent), prepend=os.pathsep)
    with pytest.raises(NoAnswer, match="Unable to contact slurm controller"):
        jobs_of(study)
    status = [sys.executable, "-m", "headct", "status", str(study)]
    told = subprocess.run(
        status, env=ENVIRONMENT | {"PATH": os.environ["PATH"]}, capture_output=True, text=True
    )
    assert told.returncode == 0
    assert told.stderr.count("\n") == 1
    assert "Slurm does not answer (squeue: error: Unable to contact slurm controller)" in told.stderr
    assert "unet seed 1 fold all  not begun" in told.stdout


def test_without_slurm_there_is_no_queue(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert jobs_of(tmp_path) is None
