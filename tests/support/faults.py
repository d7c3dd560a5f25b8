"""What a cluster does to jobs: each function here does one such thing to the training of one model.

A fault is over when it returns: what it ends has ended.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from support import cluster
from support.cluster import Study, slurm
from support.holds import wait_for

GPU_NODE = "gpu01"
PID_FILES = Path("/run/slurm-tests")


def cancelled(study: Study, model: str) -> None:
    """`scancel` of the job."""
    job = study.job_of(model)
    _scancel(job)
    wait_for(lambda: job not in study.live_jobs(), "the end of a cancelled job", 60)


def training_killed(study: Study, model: str) -> None:
    """`kill -9` of the training itself; its data workers are left alone."""
    for pid in study.processes("train", model):
        if "multiprocessing" not in Path(f"/proc/{pid}/cmdline").read_text():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    _wait_for_the_end_of(study, model)


def step_killed(study: Study, model: str) -> None:
    """`kill -9` of all processes of the job step."""
    _scancel("--signal=KILL", f"{study.job_of(model)}.0")
    _wait_for_the_end_of(study, model)


def warned(study: Study, model: str) -> None:
    """The signal that announces the end of the job's time (`sbatch --signal`), at another time."""
    with _requeued(study, [model]):
        _scancel("--signal=TERM", study.job_of(model))


def preempted(study: Study, model: str) -> None:
    """A job of a partition with higher priority needs all GPUs for two seconds."""
    wants = ("--partition=gpu_hi", "--gpus=2", "--mem=500", "--time=1", "--output=/dev/null")
    with _requeued(study, study.in_training()):
        slurm("sbatch", *wants, "--wrap", "sleep 2")


def controller_restarted(study: Study, model: str) -> None:
    """slurmctld ends and is started again."""
    pid = int((PID_FILES / "slurmctld.pid").read_text())
    os.kill(pid, signal.SIGTERM)
    wait_for(lambda: not Path(f"/proc/{pid}").exists(), "end of slurmctld", 60)
    subprocess.run(["slurmctld"], check=True, env=_environment())
    wait_for(lambda: subprocess.run(["sinfo"], capture_output=True).returncode == 0, "slurmctld", 60)


def daemon_killed(study: Study, model: str) -> None:
    """`kill -9` of the node's slurmd, which is started again."""
    _kill_daemon()
    _start_daemon()


def node_lost(study: Study, model: str) -> None:
    """The node is gone, with all that ran on it; Slurm gives it up, and later it comes back."""
    _kill_daemon()
    for pid in [*_step_daemons(study.live_jobs()), *study.processes()]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    slurm("scontrol", "update", f"NodeName={GPU_NODE}", "State=DOWN", "Reason=test")
    _start_daemon()
    slurm("scontrol", "update", f"NodeName={GPU_NODE}", "State=RESUME")


def snakemake_killed(study: Study, model: str) -> None:
    """`kill -9` of Snakemake, whose jobs go on; it is started again once they are over."""
    live = study.live_jobs()
    study.kill()
    study.resume()
    if live:
        wait_for(lambda: "jobs of the former run" in study.output(), "make resume to wait for live jobs", 60)


def _scancel(*words: str) -> None:
    """`scancel`, again for as long as Slurm answers "can not be altered now, try again later"."""

    def is_taken() -> bool:
        done = subprocess.run(["scancel", *words], text=True, capture_output=True)
        if done.returncode and "try again later" not in done.stderr:
            raise RuntimeError(f"scancel {' '.join(words)}: {done.stderr}")
        return done.returncode == 0

    wait_for(is_taken, "Slurm to take a signal", 60)


@contextlib.contextmanager
def _requeued(study: Study, models: list[str]) -> Iterator[None]:
    """What happens within has Slurm requeue the jobs of some trainings, and end their processes."""
    restarts = {model: study.restarts(model) for model in models}
    processes = {pid for model in models for pid in study.processes("train", model)}
    yield
    wait_for(
        lambda: all(study.restarts(model) > number for model, number in restarts.items()),
        "the requeue of trainings",
        60,
    )
    wait_for(lambda: not processes & set(study.processes()), "the end of requeued trainings", 60)


def _wait_for_the_end_of(study: Study, model: str) -> None:
    wait_for(lambda: not study.trains(model), f"the end of the training of {model}", 60)


SURVIVED = (controller_restarted, daemon_killed, snakemake_killed)
"""Faults that a training does not notice."""


@contextlib.contextmanager
def without_environment() -> Iterator[None]:
    """Within the block the GPU node does not see the environment of the jobs, as if it were not mounted."""
    _kill_daemon()
    subprocess.run(
        [
            "unshare",
            "--mount",
            "sh",
            "-c",
            f'mount -t tmpfs tmpfs "$1" && slurmd -N {GPU_NODE}',
            "sh",
            sys.prefix,
        ],
        check=True,
        env=_environment(),
    )
    try:
        yield
    finally:
        _kill_daemon()
        _start_daemon()


def _step_daemons(jobs: list[str]) -> list[int]:
    found = subprocess.run(
        ["pgrep", "--full", "^slurmstepd: "], capture_output=True, text=True
    ).stdout.split()
    titles = {int(pid): Path(f"/proc/{pid}/cmdline").read_text() for pid in found}
    return [pid for pid, title in titles.items() if any(f"[{job}." in title for job in jobs)]


def _kill_daemon() -> None:
    pid = int((PID_FILES / f"slurmd.{GPU_NODE}.pid").read_text())
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not Path(f"/proc/{pid}").exists(), "end of slurmd", 60)


def _start_daemon() -> None:
    subprocess.run(["slurmd", "-N", GPU_NODE], check=True, env=_environment())


def _environment() -> dict[str, str]:
    return os.environ | {"PATH": cluster.SEARCHED}
