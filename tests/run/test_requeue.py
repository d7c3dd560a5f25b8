"""Which signalled jobs go back to the queue: with scripts as Slurm's commands (real ones: tests/slurm)."""

from __future__ import annotations

from pathlib import Path

import pytest

from headct.run.cluster.requeue import requeue_if_warned

TRAINING = "rule_train_wildcards_unet_1_all"


@pytest.fixture
def answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of PATH, within Slurm's job 7; `write` puts commands there."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    return tmp_path


def write(folder: Path, command: str, script: str) -> None:
    path = folder / command
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def slurm_says(folder: Path, state: str, requeue: str = "", name: str = TRAINING) -> Path:
    """Let squeue name state and job, and scontrol write its arguments to the file that is returned."""
    asked = folder / "asked"
    write(folder, "squeue", f"echo {state} {name}")
    write(folder, "scontrol", f'echo "$@" >> {asked}\n{requeue}')
    return asked


def test_a_job_that_is_warned_is_requeued(answers: Path) -> None:
    asked = slurm_says(answers, "RUNNING")
    assert requeue_if_warned()
    assert asked.read_text() == "requeue 7\n"


@pytest.mark.parametrize("state", ["COMPLETING", "CANCELLED", "TIMEOUT", "PREEMPTED", ""])
def test_a_job_that_is_being_ended_is_not(answers: Path, state: str) -> None:
    asked = slurm_says(answers, state)
    assert not requeue_if_warned()
    assert not asked.exists()


def test_a_job_that_is_not_the_trainings_own_is_not(answers: Path) -> None:
    """Snakemake itself, with all that it runs, in somebody's own job."""
    asked = slurm_says(answers, "RUNNING", name="")
    assert not requeue_if_warned()
    assert not asked.exists()


def test_a_process_outside_slurm_asks_nobody(answers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_JOB_ID")
    asked = slurm_says(answers, "RUNNING")
    assert not requeue_if_warned()
    assert not asked.exists()


@pytest.mark.parametrize("refusal", ["echo Requested operation is presently disabled >&2; exit 1", None])
def test_where_slurm_refuses_or_is_not_there_the_job_ends_as_failed(
    answers: Path, refusal: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    if refusal:
        slurm_says(answers, "RUNNING", refusal)
    assert not requeue_if_warned()
    assert ("disabled" if refusal else "squeue") in caplog.text
