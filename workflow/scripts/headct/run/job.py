"""Run one job of the workflow: ``python -m headct.run.job --rule split … -- split --cohort …``.

What follows ``--`` is the step, as it is run by hand: it knows nothing of jobs and their records. It runs in
this very process, which then records what was imported, how long it took and how much memory it needed.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

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
        status = command.run(job.step, [*job.words, "--log", str(job.log)])
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    if status == command.STOPPED and requeue_if_warned():
        wait_for_the_end()
    return status


def parsed(words: Sequence[str]) -> record.Job:
    """The job that a command line asks for."""
    parser = argparse.ArgumentParser(usage="%(prog)s [options] -- STEP …", allow_abbrev=False)
    parser.add_argument("--rule", required=True)
    parser.add_argument("--wildcards", default="", help="name=value,…")
    parser.add_argument("--inputs", nargs="*", type=Path, default=[])
    parser.add_argument("--outputs", nargs="*", type=Path, default=[])
    parser.add_argument("--log", type=Path, required=True, help="in results/logs; the record is named as it")
    parser.add_argument(
        "--once", action="store_true", help="not again where the former record says that just this was done"
    )
    own, step = list(words), list[str]()
    if "--" in own:
        own, step = own[: own.index("--")], own[own.index("--") + 1 :]
    options = parser.parse_args(own)
    if not step:
        parser.error("give the step and its options after --")
    wildcards = dict(pair.split("=", 1) for pair in options.wildcards.split(",") if pair)
    return record.Job(
        rule=options.rule.strip("{}"),
        wildcards=wildcards,
        inputs=options.inputs,
        outputs=options.outputs,
        log=options.log,
        step=step[0],
        words=step[1:],
        once=options.once,
    )


if __name__ == "__main__":
    sys.exit(run(parsed(sys.argv[1:])))
