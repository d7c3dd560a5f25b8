"""Run one job of the workflow: ``python -m headct.run.job --rule split … -- split --cohort …``.

What follows ``--`` is the step, as it is run by hand: it knows nothing of jobs and their records. It runs in
this very process, which then records what was imported, how long it took and how much memory it needed.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from headct import command_line
from headct.contracts.problems import WrongOptions
from headct.provenance import record
from headct.run import command
from headct.run.cluster.requeue import requeue_if_warned, wait_for_the_end

logger = logging.getLogger("headct.run.job")


def run(job: record.Job) -> int:
    """Run a job and record it; the step's exit status. One that is done once may have been done before."""
    inputs = job.input_digests()
    if job.once and record.was_done(job, inputs):
        command.open_log(job.log)
        logger.info("%s: done before, and all of it is as it was", " ".join(map(str, job.outputs)))
        return 0
    job.record.unlink(missing_ok=True)
    return _run_step(job) or command.status_of(record.write, job, inputs)


def _run_step(job: record.Job) -> int:
    """Run the step of a job; its exit status. A training that Slurm warned goes back to the queue."""
    try:
        status = command.run(job.step, job.words, job.log)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    if status == command.STOPPED and requeue_if_warned():
        wait_for_the_end()
    return status


Paths = Annotated[list[Path] | None, Parameter(consume_multiple=True)]


def run_and_record(
    *step: str,
    rule: str,
    wildcards: str = "",
    inputs: Paths = None,
    outputs: Paths = None,
    log: Path,
    once: bool = False,
) -> None:
    """Run one job of the workflow and leave a record of it; exits with the status of the step.

    Args:
        step: after --, the step and its options.
        rule: of the job.
        wildcards: as name=value,…
        inputs: of the job.
        outputs: of the job.
        log: in results/logs; the record is named as it.
        once: not again where the former record says that just this was done.
    """
    if not step:
        raise WrongOptions("give the step and its options after --")
    job = record.Job(
        rule=rule.strip("{}"),
        wildcards=dict(pair.split("=", 1) for pair in wildcards.split(",") if pair),
        inputs=inputs or [],
        outputs=outputs or [],
        log=log,
        step=step[0],
        words=step[1:],
        once=once,
    )
    sys.exit(run(job))


def main() -> None:
    """``python -m headct.run.job OPTION … -- STEP OPTION …``."""
    try:
        command_line.parsed(command_line.app_of("headct.run.job", run_and_record), sys.argv[1:]).run()
    except WrongOptions as error:
        print(f"headct.run.job: {error}", file=sys.stderr)
        sys.exit(command.WRONG_OPTIONS)


if __name__ == "__main__":
    main()
