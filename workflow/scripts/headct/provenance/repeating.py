"""Repeat all jobs of a results folder that take seconds, and find files that are not what their job makes.

Whoever changes measurements and makes every digest anew, but not what was computed from them, is found by
this alone. Nothing of the folder is run: see :mod:`headct.provenance.replay`, which repeats each job.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from headct.contracts.plurals import counted
from headct.contracts.run_records import Record
from headct.provenance.checks.folder import Finding, ResultsFolder
from headct.provenance.lineage import Study

if TYPE_CHECKING:
    from headct.provenance.replay import Replay

JobProgress = Callable[[int, int, str], None]
"""Takes how many jobs were repeated so far, how many in all, and the last one's rule."""

NOT_ASKED_FOR = (
    "That statistics, tables, figures and reports are what their jobs make of what these read: --repeat runs"
    " them again."
)
NEVER = (
    "What is never repeated: ingest, cohort, training, prediction, post-processing, measuring, the page of"
    " results and its cases."
)


@dataclass(frozen=True)
class Repeated:
    """What came of repeating jobs: how many of how many, in how many seconds, and what was found.

    ``not_repeated`` says for each reason which jobs were not.
    """

    n_done: int
    n_jobs: int
    seconds: float
    findings: tuple[Finding, ...]
    not_repeated: tuple[str, ...]
    lacking: tuple[str, ...]

    def in_words(self) -> str:
        """How much was done, for a report."""
        walls = f", not walled off here: {', '.join(self.lacking)}" if self.lacking else ""
        return f"{self.n_done} of {counted(self.n_jobs, 'job')}, {self.seconds:.0f} s{walls}"


def quick_jobs(folder: ResultsFolder) -> list[Record]:
    """Records of the jobs that are repeated, of those that results rest on."""
    from headct.provenance.replay import QUICK  # imports pandas, without which files are verified

    return [record for record in folder.current if record.step in QUICK or not record.step]


def repeat(
    folder: ResultsFolder,
    jobs: Sequence[Record],
    files: Sequence[Path] = (),
    on_progress: JobProgress = lambda _done, _all, _rule: None,
) -> Repeated:
    """Repeat jobs on their recorded inputs, as many at a time as there are processors.

    Args:
        folder: the results, which are not written to.
        jobs: records of it.
        files: inputs that no results hold: the sample sheet, reviews, ratings.
        on_progress: called after each job.
    """
    from headct.provenance.replay import replay

    began, study = time.monotonic(), Study(folder.results)
    done = []
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for one in pool.map(lambda job: replay(study, job, files), jobs):
            done.append(one)
            on_progress(len(done), len(jobs), one.record.rule)
    reasons = Counter((one.why_not, one.record.rule) for one in done if one.why_not and not one.refused)
    return Repeated(
        n_done=sum(not one.why_not for one in done),
        n_jobs=len(jobs),
        seconds=time.monotonic() - began,
        findings=tuple(finding for one in done for finding in _findings(one)),
        not_repeated=tuple(_not_repeated(reasons)),
        lacking=tuple(sorted({wall for one in done for wall in one.lacking})),
    )


def _findings(one: Replay) -> Iterator[Finding]:
    if one.refused:
        yield Finding(one.record.path, f"is no record of a job: {one.why_not}")
    for path, same in one.same.items():
        if not same:
            what = f"is not what {one.record.rule} makes of what it read, by {one.record.path}"
            yield Finding(path.removeprefix("results/"), what)


def _not_repeated(reasons: Counter[tuple[str, str]]) -> Iterator[str]:
    """A sentence for each reason, with the rules of its jobs."""
    for why in dict.fromkeys(why for why, _ in reasons):
        rules = [f"{n} × {rule}" if n > 1 else rule for (reason, rule), n in reasons.items() if reason == why]
        yield f"Not repeated: {', '.join(rules)}: {why}."
