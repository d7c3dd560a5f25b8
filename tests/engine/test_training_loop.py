"""What every framework's training must do alike: repeat, survive, stop in good order, say what is wrong."""

from __future__ import annotations

import dataclasses
import errno
import logging
import multiprocessing
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from headct.contracts.problems import Stopped
from headct.engine import checkpoints, kept_weights
from headct.engine.faults import explained
from headct.engine.progress import Progress
from headct.engine.training_job import TrainedModel, TrainingJob
from headct.frameworks.base import find_framework
from headct.frameworks.train import train as session
from headct.run.command import STOPPED
from support import families
from support.families import FAMILIES, changed, equal, train

AT_EVERY_BATCH = {"checkpoint_interval_minutes": 0}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def job(family: str, data: Path) -> TrainingJob:
    return families.job(family, data / family)


@pytest.fixture(scope="module")
def undisturbed(data: Path) -> Callable[[str], TrainedModel]:
    """The model of a family's miniature, trained without a break."""
    models: dict[str, TrainedModel] = {}

    def model(family: str) -> TrainedModel:
        if family not in models:
            one = families.job(family, data / family)
            models[family] = train(family, one, data / family / "undisturbed")
        return models[family]

    return model


def test_two_runs_are_equal_and_another_seed_is_another(family, job, undisturbed, tmp_path) -> None:
    torch.rand(5)  # the state that a run finds must not matter
    assert equal(train(family, job, tmp_path / "again"), undisturbed(family))
    other = train(family, dataclasses.replace(job, seed=99), tmp_path / "other")
    assert not equal(other, undisturbed(family))


def test_a_budget_of_as_many_steps_as_the_epochs_have_makes_the_same_run(
    family, job, undisturbed, tmp_path
) -> None:
    steps = undisturbed(family).facts.iterations
    assert equal(train(family, dataclasses.replace(job, steps=steps), tmp_path), undisturbed(family))


def test_a_budget_ends_within_an_epoch_and_a_run_that_was_stopped_ends_there_too(
    family, job, tmp_path, monkeypatch
) -> None:
    per_epoch = job.settings.steps_of_epoch(3)
    within = changed(dataclasses.replace(job, steps=2 * per_epoch + 1), epochs=3)
    whole = train(family, within, tmp_path / "whole")
    assert whole.facts.iterations == 2 * per_epoch + 1
    assert [entry["epoch"] for entry in whole.history] == [1, 2, 3]
    assert whole.history[-1]["learning_rate"] <= whole.history[0]["learning_rate"]
    with monkeypatch.context() as patch:
        patch.setattr(Progress, "tell", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
        with pytest.raises(Stopped):
            train(family, within, tmp_path / "stopped")
    assert equal(train(family, within, tmp_path / "stopped"), whole)


def test_weights_that_are_kept_change_nothing_and_are_those_after_their_step(
    family, job, undisturbed, tmp_path, monkeypatch
) -> None:
    """Those after all steps of the first epoch are those of the checkpoint there; a stop loses none."""
    expected = undisturbed(family)
    per_epoch = expected.facts.iterations // expected.facts.epochs
    keeping = dataclasses.replace(job, kept_steps=(1, per_epoch, expected.facts.iterations))
    with monkeypatch.context() as patch:
        patch.setattr(Progress, "tell", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
        with pytest.raises(Stopped):
            train(family, keeping, tmp_path)
    found = checkpoints.load_latest(tmp_path)
    assert found is not None
    at_checkpoint = found[1]["learner"]["network"]
    assert equal(train(family, keeping, tmp_path), expected)
    kept = {step: kept_weights.load(tmp_path, step) for step in keeping.kept_steps}
    assert all(torch.equal(kept[per_epoch][0][name], tensor) for name, tensor in at_checkpoint.items())
    last = kept[expected.facts.iterations][0]
    assert last.keys() == expected.weights.keys()
    assert all(torch.equal(last[name], expected.weights[name]) for name in last)
    seconds = [kept[step][1] for step in keeping.kept_steps]
    assert 0 < seconds[0] < seconds[1] < seconds[2]


@pytest.mark.parametrize("workers", [1, 3])
def test_any_number_of_workers_makes_the_same_run(family, job, undisturbed, tmp_path, workers: int) -> None:
    assert equal(train(family, changed(job, workers=workers), tmp_path), undisturbed(family))


def test_a_finished_run_is_not_trained_again(family, job, undisturbed, data, monkeypatch) -> None:
    undisturbed(family)
    monkeypatch.setattr("headct.engine.loop.in_order", None)
    assert equal(train(family, job, data / family / "undisturbed"), undisturbed(family))


def start(family: str, job: TrainingJob, folder: Path, waits_before: int | None = None) -> BaseProcess:
    """Train in a process of its own, which leads a process group; it may wait for ever before a step."""

    def save(
        folder: Path, state: dict[str, Any], step: int, really: Callable[..., None] = checkpoints.save
    ) -> None:
        while step == waits_before:
            time.sleep(60)
        really(folder, state, step)

    def run() -> None:
        os.setpgid(0, 0)
        checkpoints.save = save
        try:
            train(family, job, folder)
        except Stopped:
            sys.exit(STOPPED)

    folder.mkdir(parents=True, exist_ok=True)
    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    return process


def test_killed_at_ten_random_moments_it_ends_the_same(family, job, undisturbed, tmp_path) -> None:
    """None comes too late, on any machine: the training waits before its last checkpoint."""
    expected = undisturbed(family)
    job = changed(job, **AT_EVERY_BATCH)
    begun = time.monotonic()
    whole = start(family, job, tmp_path / "whole")
    whole.join()
    assert whole.exitcode == 0
    seconds, moments = time.monotonic() - begun, random.Random(family)
    for number in range(10):
        last = expected.facts.iterations
        process = start(family, changed(job, workers=number % 3), tmp_path / "killed", waits_before=last)
        process.join(moments.uniform(0, seconds))
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
    assert equal(train(family, job, tmp_path / "killed"), expected)


STOP_SIGNALS = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT])


@STOP_SIGNALS
def test_asked_to_stop_it_finishes_the_batch_and_saves(
    family, job, undisturbed, tmp_path, monkeypatch, number: signal.Signals
) -> None:
    expected = undisturbed(family)
    iterations = expected.facts.iterations
    with monkeypatch.context() as patch:
        patch.setattr(Progress, "tell", lambda *_: os.kill(os.getpid(), number))
        with pytest.raises(Stopped, match=rf"stopped by {number.name} after \d+ of {iterations} iterations"):
            train(family, changed(job, checkpoint_interval_epochs=1000), tmp_path)
    assert checkpoints.latest_step(tmp_path) == iterations // expected.facts.epochs
    assert equal(train(family, job, tmp_path), expected)


def in_full_swing(family: str, job: TrainingJob, folder: Path) -> BaseProcess:
    """A training with two data workers and without an end in sight, after its first batches."""
    endless = changed(job, epochs=10**5, checkpoint_interval_epochs=10**6, workers=2)
    process = start(family, changed(endless, **AT_EVERY_BATCH), folder)
    while checkpoints.latest_step(folder) < 3:
        assert process.is_alive()
        time.sleep(0.01)
    return process


def children(process: BaseProcess) -> list[int]:
    text = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    return [int(pid) for pid in text.split()]


def all_gone(pids: list[int], seconds: float) -> bool:
    """Whether all processes have ended (or wait to be reaped) within so many seconds."""
    deadline = time.monotonic() + seconds

    def alive(pid: int) -> bool:
        status = Path(f"/proc/{pid}/status")
        return status.exists() and "State:\tZ" not in status.read_text()

    while any(alive(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not any(alive(pid) for pid in pids)


def test_a_signal_to_the_whole_process_group_leaves_no_orphan_and_costs_no_batch(
    family, job, tmp_path
) -> None:
    process = in_full_swing(family, job, tmp_path)
    workers = children(process)
    assert len(workers) >= 2
    os.killpg(process.pid, signal.SIGTERM)
    process.join(60)
    assert process.exitcode == STOPPED
    assert all_gone(workers, 10)


def test_killed_alone_it_leaves_no_orphan(family, job, tmp_path) -> None:
    process = in_full_swing(family, job, tmp_path)
    workers = children(process)
    process.kill()
    process.join()
    assert all_gone(workers, 20)


def test_a_dead_data_worker_is_named_and_costs_no_batch(family, job, tmp_path, capfd) -> None:
    process = in_full_swing(family, job, tmp_path)
    os.kill(children(process)[0], signal.SIGKILL)
    process.join(60)
    assert process.exitcode == 1
    assert "a process that makes batches died" in capfd.readouterr().err
    assert checkpoints.load_latest(tmp_path) is not None


def test_a_loss_that_is_no_number_stops_the_run_and_its_batch_is_kept(family, job, tmp_path) -> None:
    job = changed(job, **families.HUGE_LEARNING_RATE[family], **AT_EVERY_BATCH, epochs=20)
    with pytest.raises(FloatingPointError, match=r"the loss of batch \d+ is (nan|inf)") as stopped:
        train(family, job, tmp_path)
    (dump,) = tmp_path.glob("not-finite-batch-*.pth")
    assert str(dump) in str(stopped.value)
    kept = torch.load(dump, weights_only=True)
    assert kept["tensors"][0].dtype == torch.float32
    assert checkpoints.latest_step(tmp_path) == kept["batch"], "the checkpoint is from just before"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a small file system needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_said_and_what_was_saved_is_kept(
    family, job, undisturbed, small_disk, tmp_path
) -> None:
    expected = undisturbed(family)
    job = changed(job, **AT_EVERY_BATCH)
    filler = small_disk / "filler"

    def fill_up(*_: object) -> None:
        with filler.open("wb", buffering=0) as stream, suppress(OSError):
            while stream.write(bytes(1000)):
                pass

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Progress, "tell", fill_up)
        with pytest.raises(OSError, match="no room for a checkpoint") as full:
            session(job, find_framework(family), small_disk)  # whose own record finds no room either
    assert full.value.errno == errno.ENOSPC
    assert not list(small_disk.glob(".checkpoint-*"))
    assert checkpoints.load_latest(small_disk) is not None
    filler.unlink()
    assert equal(train(family, job, small_disk), expected)


def test_memory_errors_become_advice(job) -> None:
    out_of_memory = pytest.raises(RuntimeError, match=r"the GPU ran out of memory at batch 7.*make the batch")
    with out_of_memory, explained(job, lambda: 7):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
    with pytest.raises(RuntimeError, match=r"raise resources\.train\.mem_mb"), explained(job, lambda: 7):
        torch.empty(2**50, dtype=torch.uint8)
    with pytest.raises(RuntimeError, match=r"^something else$"), explained(job, lambda: 7):
        raise RuntimeError("something else")


def test_each_epoch_is_told_in_the_log_and_in_tensorboard(family, job, tmp_path, monkeypatch, caplog) -> None:
    monkeypatch.setattr("headct.engine.progress.SECONDS_BETWEEN_LINES", 0)
    with caplog.at_level(logging.INFO, logger="headct"):
        model = train(family, job, tmp_path)
    lines = [record.message for record in caplog.records if record.name == "headct.engine.progress"]
    assert len(lines) == job.settings.epochs == len(model.history)
    assert "epoch 1/" in lines[0]
    assert "pseudo-Dice ICH" in lines[0]
    assert re.search(r"ETA \d+:\d\d:\d\d$", lines[0])
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    shown = [(event.step, event.value) for event in events.Scalars("train_loss")]
    assert [step for step, _ in shown] == [entry["epoch"] for entry in model.history]
    assert [value for _, value in shown] == pytest.approx([entry["train_loss"] for entry in model.history])
    assert "pseudo_dice/ICH" in events.Tags()["scalars"]
