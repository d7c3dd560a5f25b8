"""The benchmark of training: every way of training still runs, on equal batches, and the table adds up."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def turn(patches_per_s: float, trainer_cpu_s: float, workers_cpu_s: float) -> dict[str, Any]:
    """What one turn of one way of training measured."""
    return {
        "patches_per_s": patches_per_s,
        "trainer_cpu_s": trainer_cpu_s,
        "workers_cpu_s": workers_cpu_s,
        "start_up_s": 1.5,
        "utilisation": None,
        "shape": [2, 1, 16, 32, 32],
    }


def test_ratios_are_of_the_fastest_turns_and_of_the_process_that_holds_up_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    from training import cells

    record = {
        "workers": 2,
        "ours": [turn(10, 0.030, 0.040), turn(8, 0.032, 0.036)],  # bound by the training process: 30 ms
        "peer": [turn(5, 0.030, 0.120)],  # by its workers: 60 ms
        "ceiling": [turn(16, 0.024, 0.0)],
    }
    assert cells(record) == [
        "2 × 16×32×32",
        "10.0 (8.0)",
        "5.0 (5.0)",
        "16.0 (16.0)",
        "2.00",
        "0.62",
        "30.0 + 36.0",
        "30.0 + 120.0",
        "24.0",
        "2.00",
        "0.80",
        "1.5",
        "1.5",
        "–",
        "–",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("model", ["unet", "blast-ct", "nnunet-2d", "nnunet-3d-focal"])
def test_ours_peer_and_ceiling_are_timed_on_equal_batches(model: str) -> None:
    """The program itself refuses to go on where the three had batches of different shapes."""
    command = [sys.executable, BENCHMARKS / "training.py", "--models", model, "--rounds", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (row,) = [line for line in done.stdout.splitlines() if line.startswith(f"| {model} |")]
    numbers = [[float(number) for number in re.findall(r"[\d.]+", cell)] for cell in row.split("|")[3:-1]]
    ours_cpu, peer_cpu, ceiling_cpu = numbers[5:8]
    assert len(ours_cpu) == len(peer_cpu) == 2, "the data workers' time is counted"
    assert min(*ours_cpu, *peer_cpu, *ceiling_cpu, *(rate for rates in numbers[:3] for rate in rates)) > 0
    assert all(seconds > 0 for (seconds,) in numbers[10:12]), "start-up"
