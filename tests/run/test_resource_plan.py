"""What ``make plan`` says of a study: hours and disk from rates whose product is known."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from headct.contracts.artefacts import write_json
from headct.frameworks.base import training_settings
from headct.run.cluster.resource_plan import disk_table, jobs_table, read_rates, trainings_table
from headct.settings import blocks
from headct.settings.blocks import Configuration
from headct.settings.typed import plain

REPOSITORY = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(REPOSITORY / "workflow/scripts")}


@pytest.fixture(scope="module")
def config() -> Configuration:
    return blocks.load(REPOSITORY / "config/config.yaml")


def job(model: str, rule: str = "train") -> tuple[str, str]:
    return rule, f"results/logs/{rule}/{model}/seed-1/fold-all.log"


def test_hours_are_rates_times_iterations(config: Configuration, tmp_path: Path) -> None:
    """1800 epochs of 250 iterations, at 9 h for 1000 such epochs: 16.2 h."""
    lines = list(trainings_table([job("nnunet-2d"), job("unet")], config, tmp_path, read_rates()))
    assert lines[1].split()[3] == "16.2"
    assert lines[2].split()[3] == "?"
    assert "no rate is known" in lines[2]
    assert lines[3] == "Sum: 16.2 GPU hours, and 1 of unknown length"


def test_a_training_that_was_finished_is_its_own_rate(config: Configuration, tmp_path: Path) -> None:
    settings = plain(training_settings(config.models["unet"])) | {"workers": 99}  # which decides no weight
    record = {"settings": settings, "seconds": 7200.0, "sessions": [{"device": "NVIDIA H100"}]}
    write_json(record, tmp_path / "results/models/unet/seed-1/fold-all/train.json")
    lines = list(trainings_table([job("unet")], config, tmp_path, read_rates()))
    assert lines[1].split()[3:] == ["2.0", "measured", "here,", "on", "NVIDIA", "H100"]
    write_json(
        record | {"settings": settings | {"epochs": 3}},
        tmp_path / "results/models/unet/seed-1/fold-all/train.json",
    )
    assert "no rate is known" in list(trainings_table([job("unet")], config, tmp_path, read_rates()))[1]


def test_a_rule_is_listed_with_what_its_jobs_ask_for(config: Configuration) -> None:
    lines = list(jobs_table([job("unet"), job("nnunet-2d"), ("table1", "a"), ("all", "b")], config.resources))
    assert lines[1].split() == ["train", "2", "8", "32000", "96.0", "1"]
    assert lines[2].split()[:2] == ["others", "2"]


def test_disk_grows_with_scans_and_every_configured_part_has_a_rate(
    config: Configuration, tmp_path: Path
) -> None:
    few, many = (list(disk_table(config, scans, tmp_path, read_rates())) for scans in (100, 1000))
    assert few[1].split() == ["results/data", "0.9"] or few[1].split() == ["results/data", "1.0"]
    assert many[1].split() == ["results/data", "9.5"]
    assert sum("work: nnunet" in line for line in few) == 2, "2d and 3d are prepared apart"


def test_a_new_network_or_framework_is_of_unknown_size_and_ends_nothing(
    config: Configuration, tmp_path: Path
) -> None:
    unet = config.models["unet"]
    beyond = replace(unet, settings={**unet.settings, "network": "segresnet"})
    with_it = replace(config, models={**config.models, "new": beyond})
    lines = list(disk_table(with_it, 100, tmp_path, read_rates()))
    before = list(disk_table(config, 100, tmp_path, read_rates()))
    said = [line.split("and 1 of")[0].split()[0] for line in lines if "and 1 of unknown size" in line]
    assert said == ["results/models", "work/training"]
    assert lines[-1].startswith(before[-1].split(";")[0] + ", and what is unknown;")


def plan(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "headct", "plan", "--directory", str(folder), *words]
    return subprocess.run(command, cwd=REPOSITORY, env=ENVIRONMENT, capture_output=True, text=True)


def test_without_a_sheet_one_line_says_what_is_missing(tmp_path: Path) -> None:
    planned = plan(tmp_path)
    assert planned.returncode == 1
    (line,) = planned.stderr.splitlines()
    assert str(tmp_path / "config/scans.tsv") in line
    assert "make plan SCANS=" in line
    assert not list(tmp_path.iterdir())


def test_a_number_of_scans_will_do_instead_of_a_sheet(tmp_path: Path) -> None:
    planned = plan(tmp_path, "--scans", "200")
    assert planned.returncode == 0, planned.stderr
    assert "200 scans, 10 models" in planned.stdout
    assert re.search(r"^train +9 ", planned.stdout, re.MULTILINE)
    assert re.search(r"^results/data +1\.9$", planned.stdout, re.MULTILINE)
    assert not (tmp_path / "config").exists(), "no sheet is left behind"
