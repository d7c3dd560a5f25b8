"""Going on after a kill -9 of Snakemake, with a real one; on a real Slurm: tests/slurm."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import headct
from headct.cluster.resume import running_snakemake, study_folder

SNAKEFILE = """
rule all:
    input: "done.txt"

rule slow:
    output: "slow.txt"
    shell: "echo once >> runs.log; touch begun; sleep $(cat seconds); touch {output}"

rule last:
    input: "slow.txt"
    output: "done.txt"
    shell: "touch {output}"
"""
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(headct.__file__).parents[1])}


@pytest.fixture
def study(tmp_path: Path) -> Path:
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    (tmp_path / "seconds").write_text("60")
    return tmp_path


def begin(study: Path) -> subprocess.Popen:
    snakemake = subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--cores", "1"],
        cwd=study,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    while not (study / "begun").exists():
        assert snakemake.poll() is None
        time.sleep(0.05)
    return snakemake


def resume(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "headct.cluster.resume", "--", "--cores", "1", *words]
    return subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False)


def test_a_study_whose_snakemake_was_killed_goes_on(study: Path) -> None:
    snakemake = begin(study)
    assert running_snakemake(study) == snakemake.pid
    refused = resume(study)
    assert refused.returncode == 1
    assert "Snakemake is at work in this folder" in refused.stderr
    assert (study / "runs.log").read_text() == "once\n"
    os.killpg(snakemake.pid, 9)
    snakemake.wait()
    assert running_snakemake(study) is None
    (study / "seconds").write_text("0")
    resumed = resume(study)
    assert resumed.returncode == 0, resumed.stderr
    assert (study / "done.txt").exists()


def test_it_is_found_from_another_folder_too(study: Path) -> None:
    snakemake = begin(study)
    refused = resume(study.parent, "--directory", str(study))
    os.killpg(snakemake.pid, 9)
    snakemake.wait()
    assert "Snakemake is at work in this folder" in refused.stderr


def test_the_folder_of_a_study_is_where_snakemake_works() -> None:
    assert study_folder(["--profile", "slurm"]) == Path()
    assert study_folder(["--profile", "slurm", "--directory", "trial"]) == Path("trial")
    assert study_folder(["-d", "trial", "--cores", "1"]) == Path("trial")
