"""A training that is killed at any moment goes on, and ends in the weights of the undisturbed one."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import snake

ONE_OF_EACH = ("nnunet-3d-focal", "nnunet-2d", "unet", "blast-ct")


def command(demo: Path, model: str, folder: Path) -> list[str]:
    """The command by which the demo trains a model, with other output and work folders."""
    config = json.loads((demo / "results/config.json").read_text(encoding="utf-8"))
    own = {key: value for key, value in config["models"][model].items() if key != "title"}
    options = {
        "model": model,
        "settings": json.dumps(config[own["framework"]] | own),
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
    return [sys.executable, "-m", "headct.training", *words]


def environment() -> dict[str, str]:
    return os.environ | {
        "PYTHONPATH": str(snake.REPOSITORY / "workflow/scripts"),
        "OMP_NUM_THREADS": "1",
        "OMP_WAIT_POLICY": "PASSIVE",
    }


def killed_after(words: list[str], seconds: float) -> bool:
    """Start the command and kill it and its children after some seconds; whether it was still running."""
    process = subprocess.Popen(words, env=environment(), start_new_session=True)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return True
    assert process.returncode == 0
    return False


def weights(folder: Path) -> str:
    return json.loads((folder / "train.json").read_text())["sha256"]


def undisturbed(demo: Path, model: str) -> tuple[str, float]:
    folder = demo / f"results/models/{model}/seed-1/fold-all"
    return weights(folder), json.loads((folder / "train.json").read_text())["seconds"]


@pytest.mark.parametrize("model", ["unet"])  # all three frameworks: tests/unit/test_training_loop.py
def test_a_killed_training_ends_in_the_same_weights(demo: Path, tmp_path: Path, model: str) -> None:
    expected, seconds = undisturbed(demo, model)
    words = command(demo, model, tmp_path)
    killed_after(words, 5 + 0.5 * seconds)
    assert not killed_after(words, 900)
    assert weights(tmp_path / "out") == expected


@pytest.mark.slow
@pytest.mark.parametrize("model", ONE_OF_EACH)
def test_five_kills_at_random_moments(demo: Path, tmp_path: Path, model: str) -> None:
    expected, seconds = undisturbed(demo, model)
    moments = random.Random(model)
    words = command(demo, model, tmp_path)
    kills = sum(killed_after(words, moments.uniform(2, 5 + 0.6 * seconds)) for _ in range(5))
    assert not killed_after(words, 900)
    assert kills > 0
    assert weights(tmp_path / "out") == expected


@pytest.mark.parametrize("model", ["blast-ct"])
def test_a_kill_between_the_last_checkpoint_and_publishing(demo: Path, tmp_path: Path, model: str) -> None:
    expected, _ = undisturbed(demo, model)
    words = command(demo, model, tmp_path)
    assert not killed_after(words, 900)
    for name in ("final.pth", "train.json"):
        next((tmp_path / "work/training").rglob(name)).unlink()
        (tmp_path / "out" / name).unlink()
    start = time.monotonic()
    assert not killed_after(words, 900)
    assert weights(tmp_path / "out") == expected
    assert "epoch 1/" not in (tmp_path / "log").read_text().split("goes on where")[-1]
    assert time.monotonic() - start < 60
