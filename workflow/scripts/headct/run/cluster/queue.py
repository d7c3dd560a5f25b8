"""What Slurm's queue holds of a study, by ``squeue``; nothing where there is no Slurm."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

SECONDS_TO_ANSWER = 60
LINE = "%i\t%T\t%N\t%r\t%Z\t%k"
"""Of squeue: id, state, nodes, reason, working directory, comment (where Snakemake names the job)."""


@dataclass(frozen=True)
class QueuedJob:
    """A job of Snakemake that Slurm has not ended yet.

    Attributes:
        job_id: Slurm's.
        state: PENDING, RUNNING, COMPLETING and so on.
        node: where it runs; empty while it waits.
        reason: why it waits.
        name: ``rule_train_wildcards_unet_1_all``.
    """

    job_id: str
    state: str
    node: str
    reason: str
    name: str


class NoAnswer(Exception):
    """Slurm's commands are installed here, but no Slurm answers them; the message is what they said."""


def jobs_of(study: Path) -> list[QueuedJob] | None:
    """This user's jobs that Snakemake submitted for the study in a folder; None where there is no Slurm.

    Their working directory is that folder, even if Snakemake was started elsewhere with ``--directory``.

    Raises:
        NoAnswer: ``squeue`` is there, and fails.
    """
    if shutil.which("squeue") is None:
        return None
    try:
        answer = subprocess.run(
            ["squeue", "--me", "--noheader", f"--format={LINE}"],
            capture_output=True,
            text=True,
            check=True,
            timeout=SECONDS_TO_ANSWER,
        )
    except subprocess.CalledProcessError as error:
        last_line = (error.stderr.strip().splitlines() or ["squeue failed"])[-1]
        raise NoAnswer(last_line) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoAnswer(f"squeue: {error}") from error
    lines = (line.split("\t", 5) for line in answer.stdout.splitlines())
    return [
        QueuedJob(job_id, state, node, reason, name)
        for job_id, state, node, reason, workdir, name in lines
        if name.startswith(("rule_", "group_")) and Path(workdir).resolve() == study.resolve()
    ]
