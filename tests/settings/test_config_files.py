"""Several configuration files: a fault is in the one that said it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from headct.contracts.problems import BadInput
from headct.settings import config_files, configuration

REPOSITORY = Path(__file__).parents[2]


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_the_last_source_with_most_of_a_key_is_named(tmp_path: Path) -> None:
    first = write(tmp_path, "first.yaml", "nnunet: {epochs: 1}\nfolds: [{a: 1}]\n")
    second = write(tmp_path, "second.yaml", "nnunet: {workers: x}\n")
    sources = config_files.read([first, second], {"nnunet": {"workers": "2"}, "device": "tpu"})
    named = {
        key: sources.name_of(key)
        for key in ("nnunet.epochs", "nnunet.workers", "folds.0.a", "device", "sheet", "nnunet.other")
    }
    assert named == {
        "nnunet.epochs": str(first),
        "nnunet.workers": config_files.COMMAND_LINE,
        "folds.0.a": str(first),
        "device": config_files.COMMAND_LINE,
        "sheet": f"{first}, {second}",
        "nnunet.other": config_files.COMMAND_LINE,
    }
    assert sources.merged()["nnunet"] == {"epochs": 1, "workers": "2"}


def test_what_snakemake_merged_is_held_against_the_files(tmp_path: Path) -> None:
    sources = config_files.read([write(tmp_path, "a.yaml", "a: 1\nb: 2\n")], {})
    config_files.check_merged(sources, {"a": 1, "b": 2})
    with pytest.raises(BadInput, match="key b: Snakemake read something else"):
        config_files.check_merged(sources, {"a": 1, "b": 3})


def test_faults_of_all_files_are_told_together(tmp_path: Path) -> None:
    files = [write(tmp_path, f"{i}.yaml", "a: 1\na: 2\n") for i in range(2)]
    with pytest.raises(BadInput, match="2 problems"):
        config_files.read([*files], {})


def test_a_fault_names_its_file(tmp_path: Path) -> None:
    demo = REPOSITORY / "config/demo.yaml"
    small = write(tmp_path, "small.yaml", "monai: {epochs: none}\ntitles: {}\n")
    sources = config_files.read([demo, small], {})
    with pytest.raises(BadInput) as caught:
        configuration.complete(sources.merged(), sources.name_of)
    assert {problem.file for problem in caught.value.problems} == {str(small)}


def test_configurations_can_be_checked_by_hand(tmp_path: Path) -> None:
    twice = write(tmp_path, "twice.yaml", "device: cpu\ndevice: cuda\n")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "headct",
            "configuration",
            "--check",
            str(REPOSITORY / "config/demo.yaml"),
            str(twice),
        ],
        env={"PYTHONPATH": str(REPOSITORY / "workflow/scripts")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert (
        done.stderr.strip() == f"{twice}, key device: stands twice, in line 1 and in line 2; keep one of them"
    )


def test_a_key_that_is_a_number_is_told_with_its_file(tmp_path: Path) -> None:
    for name, text in (("top", "1: a\n"), ("within", "nnunet: {1: a, epochs: 1}\n")):
        path = write(tmp_path, f"{name}.yaml", text)
        with pytest.raises(BadInput, match=f"{name}.yaml, key .*1: a key must be text"):
            config_files.read([REPOSITORY / "config/demo.yaml", path], {})
