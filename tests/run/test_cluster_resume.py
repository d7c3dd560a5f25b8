"""Going on after a kill -9 of Snakemake, with a real one; on a real Slurm: tests/slurm."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import headct
from headct.run.cluster.resume import running_snakemake, study_folder

pytestmark = pytest.mark.whole

SNAKEFILE = """
rule all:
    input: "done.txt"

rule slow:
    output: "slow.txt"
    shell: "echo once >> runs.log; touch begun; until [ -e go ]; do sleep 0.1; done; touch {output}"

rule last:
    input: "slow.txt"
    output: "done.txt"
    shell: "touch {output}"
"""
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(headct.__file__).parents[1])}


@pytest.fixture
def study(tmp_path: Path) -> Path:
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
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


@pytest.fixture
def silent_slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slurm's commands are installed, and no controller answers."""
    squeue = tmp_path / "bin/squeue"
    squeue.parent.mkdir()
    squeue.write_text("#!/bin/sh\necho 'squeue: error: Unable to contact slurm controller' >&2\nexit 1\n")
    squeue.chmod(0o755)
    monkeypatch.setitem(ENVIRONMENT, "PATH", f"{squeue.parent}:{os.environ['PATH']}")


def resume(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "headct", "resume", "--", "--cores", "1", *words]
    return subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False)


@pytest.mark.whole
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
    (study / "go").touch()
    resumed = resume(study)
    assert resumed.returncode == 0, resumed.stderr
    assert (study / "done.txt").exists()


@pytest.mark.usefixtures("silent_slurm")
def test_a_study_that_never_was_on_slurm_needs_no_answer_of_it(study: Path) -> None:
    (study / "go").touch()
    resumed = resume(study)
    assert resumed.returncode == 0, resumed.stderr
    assert (study / "done.txt").exists()


@pytest.mark.usefixtures("silent_slurm")
def test_jobs_on_a_slurm_that_does_not_answer_may_be_at_work(study: Path) -> None:
    log = study / ".snakemake/log/2026-01-01T120000.000000.snakemake.log"
    log.parent.mkdir(parents=True)
    log.write_text(
        "Job 3 has been submitted with SLURM jobid 17 (log: logs/slurm/rule_train/unet_1_all/17.log).\n"
    )
    (study / "go").touch()
    refused = resume(study)
    assert refused.returncode == 1
    (line,) = refused.stderr.splitlines()
    assert "Slurm does not answer (squeue: error: Unable to contact slurm controller)" in line
    assert "snakemake --unlock" in line
    assert not (study / "done.txt").exists()


@pytest.mark.whole
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
