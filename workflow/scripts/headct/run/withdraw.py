"""Delete the data of scans whose participant withdrew consent: ``python -m headct withdraw --help``.

Nothing is deleted without ``--yes``, but shown. The trial's own sheet, images and masks are never touched.
"""

from __future__ import annotations

import logging
from pathlib import Path

from headct.contracts.problems import BadInput, Problem
from headct.contracts.terminal import say
from headct.provenance import withdrawal
from headct.provenance.withdrawal import StudyFolder
from headct.provenance.withdrawal_in_words import in_words
from headct.run.cluster.queue import NoAnswer, jobs_of
from headct.run.cluster.resume import running_snakemake

logger = logging.getLogger(__name__)


def main(*scans: str, reason: str, study: Path = Path(), yes: bool = False) -> None:
    """Delete the data of scans from results and work folder, and record that.

    Args:
        scans: all scans of each participant who withdrew.
        reason: why, in one line that points at nobody; it stays in the results.
        study: folder of the study.
        yes: do it; without, what would be done is shown.
    """
    of_study = StudyFolder(study)
    refuse_while_jobs_run(study)
    if left := withdrawal.begun(of_study.results):
        say(f"A withdrawal of {', '.join(left.scans)} was begun on {left.date[:10]} and not finished.")
        if not yes:
            say("Nothing was done. --yes finishes it.")
            return
        tell(left.root, withdrawal.finish(of_study))
        scans = tuple(scan for scan in scans if scan not in left.scans)
        if not scans:
            return
        of_study = StudyFolder(study)
    withdrawal.check(of_study, scans, reason)
    found = withdrawal.plan(of_study, scans, reason)
    say(in_words(of_study, found))
    if not yes:
        say("\nNothing was deleted. Do it with --yes.")
        return
    withdrawal.begin(of_study, found)
    say("")
    tell(found.root, withdrawal.finish(of_study))


def tell(before: str, after: str) -> None:
    """Say that it was done, and the root digests."""
    if before:
        say(f"Done. Root digest before: {before}\n                    now: {after}")
        say("Print, publish or sign the new one, as you did with the one before.")
    else:
        say("Done. The results were not sealed, or not since their last job: the next run seals them.")


def refuse_while_jobs_run(study: Path) -> None:
    """End where Snakemake, or a job of its, may be at work in the study, or was killed there.

    Raises:
        BadInput: it says which.
    """
    problems = []
    if (pid := running_snakemake(study)) is not None:
        problems.append(Problem(f"process {pid}", "Snakemake is at work in this folder: wait for its end"))
    elif any((study / ".snakemake/locks").glob("*")):
        message = (
            "Snakemake is at work in this folder, from another machine perhaps, or was killed. Where none of "
            "its jobs is left, 'snakemake --unlock' takes the lock away"
        )
        problems.append(Problem(str(study / ".snakemake/locks"), message))
    try:
        jobs = jobs_of(study)
    except NoAnswer as error:
        logger.warning("Slurm does not answer (%s); whether it has jobs of this study is not known", error)
    else:
        if jobs:
            message = f"{len(jobs)} jobs of this study are in Slurm's queue: wait for their end"
            problems.append(Problem("squeue", message))
    if problems:
        raise BadInput(problems)
