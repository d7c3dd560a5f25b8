"""What ``make plan`` says of a study: hours and disk from rates whose product is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from headct import configuration
from headct.artefacts import write_json
from headct.cluster.plan import disk_table, jobs_table, read_rates, trainings_table

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def config() -> dict[str, Any]:
    return configuration.load(REPOSITORY / "config/config.yaml")


def job(model: str, rule: str = "train") -> tuple[str, str]:
    return rule, f"results/logs/{rule}/{model}/seed-1/fold-all.log"


def test_hours_are_rates_times_iterations(config: dict[str, Any], tmp_path: Path) -> None:
    """1800 epochs of 250 iterations, at 9 h for 1000 such epochs: 16.2 h."""
    lines = list(trainings_table([job("nnunet-2d"), job("unet")], config, tmp_path, read_rates()))
    assert lines[1].split()[3] == "16.2"
    assert lines[2].split()[3] == "?"
    assert "no rate is known" in lines[2]
    assert lines[3] == "Sum: 16.2 GPU hours, and 1 of unknown length"


def test_a_training_that_was_finished_is_its_own_rate(config: dict[str, Any], tmp_path: Path) -> None:
    settings = {**config["monai"], **config["models"]["unet"]}
    del settings["title"]  # no part of what defines a training run
    record = {"settings": settings, "seconds": 7200.0, "sessions": [{"device": "NVIDIA H100"}]}
    write_json(record, tmp_path / "results/models/unet/seed-1/fold-all/train.json")
    lines = list(trainings_table([job("unet")], config, tmp_path, read_rates()))
    assert lines[1].split()[3:] == ["2.0", "measured", "here,", "on", "NVIDIA", "H100"]
    write_json(
        record | {"settings": settings | {"epochs": 3}},
        tmp_path / "results/models/unet/seed-1/fold-all/train.json",
    )
    assert "no rate is known" in list(trainings_table([job("unet")], config, tmp_path, read_rates()))[1]


def test_a_rule_is_listed_with_what_its_jobs_ask_for(config: dict[str, Any]) -> None:
    lines = list(
        jobs_table([job("unet"), job("nnunet-2d"), ("table1", "a"), ("all", "b")], config["resources"])
    )
    assert lines[1].split() == ["train", "2", "8", "32000", "96.0", "1"]
    assert lines[2].split()[:2] == ["others", "2"]


def test_disk_grows_with_scans_and_every_configured_part_has_a_rate(
    config: dict[str, Any], tmp_path: Path
) -> None:
    few, many = (list(disk_table(config, scans, tmp_path, read_rates())) for scans in (100, 1000))
    assert few[1].split() == ["results/data", "0.9"] or few[1].split() == ["results/data", "1.0"]
    assert many[1].split() == ["results/data", "9.5"]
    assert sum("work: nnunet" in line for line in few) == 2, "2d and 3d are prepared apart"
