"""A job that Slurm warns of its time limit goes back to the queue by itself, under the same number.

So a training that is longer than the time limit of its partition goes on until it is done, and no try
is spent on it: to Snakemake it is one job that takes long.
"""

from __future__ import annotations

import logging
import os
import subprocess
import time

from headct.run.cluster.queue import SECONDS_TO_ANSWER

logger = logging.getLogger(__name__)

SECONDS_TO_END = 60
"""Slurm signals the processes of a requeued job at once, and kills them after its KillWait (default 30 s)."""
OWN_JOB = "rule_train"
"""How Snakemake names a job that is one training; any other is somebody's, in which Snakemake itself runs."""


def requeue_if_warned() -> bool:
    """Put the Slurm job that this process belongs to back into the queue; whether that was done.

    A job that is still running when it is signalled was warned (``sbatch --signal``, the grace time of a
    preemption). One that is being cancelled, preempted or timed out is past that, and is left alone, as is
    a process outside Slurm. Where Slurm refuses, the job ends as failed and its next try goes on.
    """
    job = os.environ.get("SLURM_JOB_ID")
    if job is None:
        return False
    try:
        state, _, name = _answer("squeue", "--noheader", "--jobs", job, "--format", "%T %k").partition(" ")
        warned = state == "RUNNING" and name.startswith(OWN_JOB)
        if warned:
            _answer("scontrol", "requeue", job)
    except (OSError, subprocess.SubprocessError) as error:
        detail = getattr(error, "stderr", None) or error
        logger.warning("Slurm job %s could not be requeued: %s", job, str(detail).strip())
        return False
    if warned:
        logger.info("Slurm job %s goes back to the queue, to go on from here", job)
    return warned


def wait_for_the_end() -> None:
    """Wait until Slurm ends this process, as it does with all of a requeued job.

    A process that ended by itself would be a failed job to the Snakemake around it; where Slurm's signal
    comes while Snakemake (9.27.1) deals with that failure, its handler waits forever for a lock of its own
    thread.
    """
    time.sleep(SECONDS_TO_END)


def _answer(*words: str) -> str:
    result = subprocess.run(words, capture_output=True, text=True, check=True, timeout=SECONDS_TO_ANSWER)
    return result.stdout.strip()
