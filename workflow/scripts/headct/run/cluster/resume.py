"""Go on with a study whose Snakemake was killed: ``python -m headct resume --help``.

Jobs on a cluster outlive the Snakemake that submitted them. Their end is waited for, so that none is
submitted twice; then Snakemake's lock is taken away and Snakemake started again. What those jobs finished
is found: trainings and label maps in the scratch folder, converted scans by their records.
"""

from __future__ import annotations

import argparse
import logging
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import psutil

from headct.contracts.problems import BadInput, Problem
from headct.run.cluster.queue import NoAnswer, QueuedJob, jobs_of

logger = logging.getLogger(__name__)

SHOWN_JOBS = 5
SUBMITTED = "SLURM jobid"
"""What Snakemake logs of a job that it submitted to Slurm."""


def running_snakemake(folder: Path) -> int | None:
    """Process of a Snakemake of this machine that works in ``folder``, if there is one; no job of its."""
    for process in psutil.process_iter(["cmdline", "cwd"]):
        words = process.info["cmdline"] or []
        named = any(Path(word).name == "snakemake" for word in words[:2]) or words[1:3] == ["-m", "snakemake"]
        if named and "--target-jobs" not in words and process.info["cwd"] == str(folder.resolve()):
            return int(process.pid)
    return None


def study_folder(words: list[str]) -> Path:
    """Where Snakemake, started with these words, works."""
    option = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    option.add_argument("--directory", "-d", type=Path, default=Path())
    folder: Path = option.parse_known_args(words)[0].directory
    return folder


def was_on_slurm(folder: Path) -> bool:
    """Whether Snakemake's own logs say that it ever submitted a job of this study to Slurm."""
    logs = (folder / ".snakemake/log").glob("*.log")
    return any(SUBMITTED in log.read_text(encoding="utf-8", errors="replace") for log in logs)


def wait_for(folder: Path, seconds_between: float) -> None:
    """Wait until no job of the study in ``folder`` is left in the queue; Slurm may be away meanwhile.

    Raises:
        BadInput: jobs of the study were submitted to Slurm, which does not answer from the beginning.
    """
    last_job_ids: set[str] | None = None
    while True:
        try:
            jobs = jobs_of(folder)
        except NoAnswer as error:
            if last_job_ids is None:
                check_that_none_can_be_left(folder, error)
                return
            logger.info("Slurm does not answer for now (%s); it is asked again", error)
        else:
            if not jobs:
                return
            job_ids = {job.job_id for job in jobs}
            if job_ids != last_job_ids:
                logger.info("waiting for %d jobs of the former run: %s", len(jobs), in_words(jobs))
                last_job_ids = job_ids
        time.sleep(seconds_between)


def check_that_none_can_be_left(folder: Path, error: NoAnswer) -> None:
    """Without an answer of Slurm, only a study that never had a job there is sure to have none.

    Raises:
        BadInput: it had some.
    """
    if not was_on_slurm(folder):
        return
    message = (
        f"Slurm does not answer ({error}), so jobs of the former run may still be at work. Resume when it "
        "answers; if you know that none is left, run 'snakemake --unlock' and start Snakemake as usual"
    )
    raise BadInput([Problem("squeue", message)]) from error


def in_words(jobs: Iterable[QueuedJob]) -> str:
    """The most frequent names of jobs, and how many there are of each state."""
    jobs = list(jobs)
    names = sorted(job.name.removeprefix("rule_").replace("_wildcards_", " ") for job in jobs)
    counts = Counter(job.state for job in jobs)
    states = ", ".join(f"{count} {state.lower()}" for state, count in counts.items())
    more = f" and {len(names) - SHOWN_JOBS} more" if len(names) > SHOWN_JOBS else ""
    return f"{', '.join(names[:SHOWN_JOBS])}{more} ({states})"


def main(*snakemake: str, seconds: float = 30) -> None:
    """Go on with a study whose Snakemake was killed.

    Args:
        snakemake: Snakemake's own words, after --; without any: --profile slurm.
        seconds: between two looks at the queue.
    """
    words = list(snakemake) or ["--profile", "slurm"]
    folder = study_folder(words)
    if (pid := running_snakemake(folder)) is not None:
        message = "Snakemake is at work in this folder; there is nothing to resume"
        raise BadInput([Problem(f"process {pid}", message)])
    wait_for(folder, seconds)
    again = [sys.executable, "-m", "snakemake", *words]
    subprocess.run([*again, "--unlock"], check=True, stdout=subprocess.DEVNULL)
    sys.stdout.flush()
    os.execv(sys.executable, [*again, "--rerun-incomplete"])
