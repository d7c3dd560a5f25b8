"""What failed in a run: told once at its end, with the log of each job, and remembered for the next run."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from headct.contracts.artefacts import read_json, write_json
from headct.contracts.plurals import counted
from headct.contracts.terminal import visible_lines

LAST_LINES = 10
WIDTH = 300
"""Characters of a line that are shown; a traceback may quote a long command."""
MEMORY = Path(".snakemake/failures.json")
"""Beside what Snakemake itself remembers, and lost with it: then every job is looked at again anyway."""


@dataclass(frozen=True, order=True)
class Failed:
    """A job that failed, at its last try; ``number`` is Snakemake's own of it."""

    rule: str
    wildcards: tuple[tuple[str, str], ...]
    logs: tuple[str, ...]
    number: int

    @classmethod
    def of(cls, rule: str, wildcards: Mapping[str, str], logs: Sequence[str], number: int) -> Failed:
        """A job, as Snakemake tells of it.

        Args:
            rule: its name.
            wildcards: their values, by name.
            logs: its log files.
            number: how often it has failed.
        """
        return cls(rule, tuple(wildcards.items()), tuple(map(str, logs)), number)


def remember(jobs: Sequence[Failed]) -> None:
    """Note at the end of a run that these jobs have failed.

    Snakemake puts former outputs marked update() back after a failure, and takes them for made. As a
    parameter of the rule, the time of its last failure brings such a job back. Only a run's end
    changes it: within a run it is the same for Snakemake itself and for its jobs on the nodes of a cluster.
    """
    now = time.time_ns()
    write_json(remembered() | {name_of(job.rule, dict(job.wildcards)): now for job in jobs}, MEMORY)


def remembered() -> dict[str, int]:
    """By the name of a job, when it last failed (nanoseconds since 1970)."""
    try:
        known = read_json(MEMORY)
    except (OSError, ValueError):  # no job has failed yet, or the file is damaged
        return {}
    return known if isinstance(known, dict) else {}


def report(jobs: Sequence[Failed], snakemake_log: str) -> str:
    """A block per job, with the ends of its own log and of the scheduler's, if Snakemake names one."""
    count = f"{counted(len(jobs), 'job')} failed"
    blocks = [
        block
        for job in sorted(jobs)
        for block in (f"Failed: {name_of(job.rule, dict(job.wildcards))}", *endings(job, snakemake_log), "")
    ]
    return "\n".join(
        [f"{count}; what did not depend on {'them' if len(jobs) > 1 else 'it'} was kept.", "", *blocks]
    )


def name_of(rule: str, wildcards: Mapping[str, str]) -> str:
    """The rule of a job and its wildcards."""
    return " ".join([rule, *(f"{name}={value}" for name, value in wildcards.items())])


def endings(job: Failed, snakemake_log: str) -> list[str]:
    """The last lines of each log of a job."""
    lines = []
    for log in dict.fromkeys([*job.logs, *logs_named(job.number, snakemake_log)]):
        path = Path(log)
        if path.is_file():
            last = path.read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_LINES:]
            lines += [f"  {log} ends:", *(f"    | {visible_lines(line[:WIDTH])}" for line in last)]
        else:
            lines.append(f"  {log} was not written")
    return lines or ["  it has no log"]


def logs_named(number: int, snakemake_log: str) -> list[str]:
    """The logs that Snakemake names in its last message of an error in a job."""
    named: list[str] = []
    for block in snakemake_log.split("\nError in rule ")[1:]:
        found = re.search(
            rf"^    jobid: {number}$(?:\n    .*)*?\n    log: (.*?)(?: \(check log file.*)?$", block, re.M
        )
        named = found[1].split(", ") if found else named
    return named
