"""The demo's trainings, killed at any moment, go on and end in the weights of the undisturbed ones.

These are drills. In each run of the tests, all three frameworks are killed ten times in
``tests/engine/test_training_loop.py``, and under Snakemake and Slurm in ``tests/slurm/test_faults.py``.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from headct.contracts.artefacts import read_json
from headct.frameworks.base import find_framework
from headct.settings import models
from headct.settings.blocks import configured
from support import snake
from support.holds import Holds, wait_for
from support.label_sets import GIVEN

ONE_OF_EACH = ("nnunet-3d-focal", "nnunet-2d", "unet", "blast-ct")


@pytest.fixture
def holds(tmp_path: Path) -> Holds:
    return Holds(tmp_path / "holds")


def command(demo: Path, model: str, folder: Path) -> list[str]:
    """The command by which the demo trains a model, with other folders and more checkpoints."""
    config = configured(read_json(demo / "results/config.json"))
    settings = find_framework(config.models[model].framework).settings_of(config.models[model])
    options = {
        "model": model,
        "settings": json.dumps(models.having(settings, *models.OF_TRAINING)),
        "speed": json.dumps(models.having(settings, "speed") | {"checkpoint_interval_minutes": 0}),
        "labels": GIVEN[1],
        "split": demo / "results/cohort/split.tsv",
        "data": demo / "results/data",
        "seed": 1,
        "fold": "all",
        "device": "cpu",
        "threads": 1,
        "work": folder / "work",
        "out": folder / "out",
        "log": folder / "log",
    }
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    return [sys.executable, "-m", "headct", "train", *words]


def start(words: list[str], holds: Holds) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        **holds.environment,
        "PYTHONPATH": f"{holds.environment['PYTHONPATH']}:{snake.REPOSITORY / 'workflow/scripts'}",
        "OMP_NUM_THREADS": "1",
        "OMP_WAIT_POLICY": "PASSIVE",
    }
    return subprocess.Popen(words, env=environment, start_new_session=True)


def to_the_end(words: list[str], holds: Holds) -> None:
    holds.release()
    assert start(words, holds).wait(900) == 0


def started_until(iteration: int, model: str, words: list[str], holds: Holds) -> subprocess.Popen[bytes]:
    """A training that waits after an iteration, once it does."""
    holds.at(model, iteration)
    process = start(words, holds)
    what = f"iteration {iteration} of {model}"
    wait_for(lambda: holds.is_waiting(model, iteration) or process.poll() is not None, what, 900)
    return process


def kill(process: subprocess.Popen[bytes]) -> None:
    assert process.poll() is None, "it waits, so it can't be over"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def weights(folder: Path) -> str:
    return json.loads((folder / "train.json").read_text())["sha256"]


def undisturbed(demo: Path, model: str) -> tuple[str, int]:
    """The digest of its weights, and its number of iterations."""
    record = json.loads((demo / f"results/models/{model}/seed-1/fold-all/train.json").read_text())
    return record["sha256"], record["record"]["iterations"]


@pytest.mark.slow
@pytest.mark.parametrize("model", ONE_OF_EACH)
def test_killed_halfway_and_before_publishing_it_ends_in_the_same_weights(
    demo: Path, tmp_path: Path, holds: Holds, model: str
) -> None:
    expected, iterations = undisturbed(demo, model)
    words = command(demo, model, tmp_path)
    kill(started_until(iterations // 2, model, words, holds))
    kill(started_until(iterations, model, words, holds))
    to_the_end(words, holds)
    assert weights(tmp_path / "out") == expected
    log = (tmp_path / "log").read_text()
    first, second = (
        f"goes on where session {n} stopped, at iteration {at}"
        for n, at in ((1, iterations // 2), (2, iterations))
    )
    assert first in log
    assert "epoch 1/" not in log.split(second)[1], "all is done but the publishing"


@pytest.mark.slow
@pytest.mark.parametrize("model", ONE_OF_EACH)
def test_five_kills_at_random_moments(demo: Path, tmp_path: Path, holds: Holds, model: str) -> None:
    """Each up to a second after a random iteration. It waits at the next one, so no kill comes too late."""
    expected, iterations = undisturbed(demo, model)
    moments = random.Random(model)
    words = command(demo, model, tmp_path)
    for iteration, following in pairwise([*sorted(moments.sample(range(iterations - 1), 5)), iterations - 1]):
        process = started_until(iteration, model, words, holds)
        holds.at(model, following)
        time.sleep(moments.uniform(0, 1))
        kill(process)
    to_the_end(words, holds)
    assert weights(tmp_path / "out") == expected
