"""All that is asked of Snakemake's internals, which other versions of it may have in other places.

Snakemake itself is imported only by what needs all of it: the Snakefile uses this module as well.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from headct.contracts.declarations import Published
from headct.contracts.repository import REPOSITORY

ONCE = " --once "
"""What the command of a job that is done once has, in its shell command."""


def describe(rules: Any, published: Mapping[str, Published]) -> None:
    """Give rules that are made in a loop each its own line in ``snakemake --list``.

    Args:
        rules: those of the workflow, once all are declared.
        published: what they make, by the rule's name.
    """
    for rule in rules:
        if rule.name in published:
            rule.docstring = published[rule.name].help


def keep_outputs_of_jobs_done_once(rules: Any, last_failure: Callable[[str, Mapping[str, str]], int]) -> None:
    """Have Snakemake leave the outputs of such jobs where they are until the job itself replaces them.

    So the job can see whether they are what is asked for. After a failure Snakemake puts the former
    outputs back and takes them for made: the time of the last failure, as a parameter, brings the job back.

    Args:
        rules: those of the workflow, once all are declared.
        last_failure: of a rule's name and a job's wildcards, when this job last failed.
    """
    for rule in rules:
        if ONCE in (rule.shellcmd or ""):
            for output in rule.output:
                output.set_flags(output.flags | {"update": True})
            rule.set_params(last_failure=_of_wildcards(rule.name, last_failure))


def _of_wildcards(
    rule: str, last_failure: Callable[[str, Mapping[str, str]], int]
) -> Callable[[Mapping[str, str]], int]:
    """As a parameter of the wildcards alone: one that is made of the output starts no job when it changes."""
    return lambda wildcards: last_failure(rule, wildcards)


# -- what a Snakefile asks of its workflow -----------------------------------------------------------


def config_of_command_line(workflow: Any) -> Mapping[str, Any]:
    """What ``--config`` says."""
    given: Mapping[str, Any] = workflow.config_settings.config
    return given


def is_read_by_a_job(workflow: Any) -> bool:
    """Whether the Snakefile is read on behalf of one job, by the Snakemake that runs it."""
    return bool(workflow.remote_exec)


def failed_jobs(workflow: Any) -> Iterator[tuple[str, Mapping[str, str], Sequence[str], int]]:
    """Rule, wildcards, logs and Snakemake's number of each job that failed, at its last try."""
    for job in workflow.scheduler.failed:
        yield job.rule.name, job.wildcards_dict, job.log, workflow.dag.jobid(job)


# -- its plan ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PlannedJob:
    """A job that would run, with all that Snakemake knows of why.

    Attributes:
        rule: its rule.
        wildcards: by name.
        log: path of its log; empty if it has none.
        parameters: by name, as they are now.
        is_forced: whether a user asked for it.
        missing: outputs that are not there.
        is_half_made: whether a run was stopped while it made them.
        updated: inputs with other contents than before, which no job would make anew.
        changed_parameters: values that it had and has not now, and the reverse, as text (``repr``).
        reads_other_files: whether inputs were added or taken away.
        has_other_command: whether the command in its rule differs.
    """

    rule: str
    wildcards: Mapping[str, str]
    log: str
    parameters: Mapping[str, Any]
    is_forced: bool
    missing: Sequence[str]
    is_half_made: bool
    updated: Sequence[str]
    changed_parameters: tuple[Sequence[str], Sequence[str]] | None = None
    reads_other_files: bool = False
    has_other_command: bool = False


@dataclass(frozen=True)
class PlannedRun:
    """What Snakemake would do.

    Attributes:
        jobs: those that would run, in the order of their rules.
        n_jobs: how many there are in all.
        folder: the study's, where Snakemake works.
    """

    jobs: Sequence[PlannedJob]
    n_jobs: int
    folder: Path


def plan(words: Sequence[str]) -> PlannedRun:
    """What ``snakemake WORDS`` would do.

    Raises:
        SystemExit: Snakemake can't make a plan; it has said why.
    """
    from snakemake import api, cli

    found: list[PlannedRun] = []

    def instead_of_running(self: api.DAGApi, *_: Any, **__: Any) -> None:
        workflow = self.workflow_api._workflow
        workflow._prepare_dag(
            forceall=self.dag_settings.forceall, ignore_incomplete=True, lock_warn_only=True, nolock=True
        )
        workflow._build_dag()
        order = {rule.name: i for i, rule in enumerate(workflow.rules)}
        jobs = sorted(
            (job for job in workflow.dag.needrun_jobs() if job.output),
            key=lambda job: (order[job.rule.name], sorted(job.output)),
        )
        n_jobs = sum(bool(job.output) for job in workflow.dag.jobs)
        found.append(PlannedRun([_planned_job(workflow, job) for job in jobs], n_jobs, Path.cwd()))

    with (
        patch.object(api.DAGApi, "execute_workflow", instead_of_running),
        redirect_stdout(sys.stderr),  # what Snakemake says is not the answer
    ):
        parser, arguments = cli.parse_args(["--dry-run", "--quiet", "all", *_ours(words), *words])
        if not cli.args_to_api(arguments, parser) or not found:
            raise SystemExit(1)
    return found[0]


def _ours(words: Sequence[str]) -> list[str]:
    """This project's Snakefile, and no profile: Snakemake would run those that it finds where one stands."""
    known = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    known.add_argument("--snakefile", "-s")
    known.add_argument("--workflow-profile")
    given, _ = known.parse_known_args(words)
    snakefile = [] if given.snakefile else ["--snakefile", str(REPOSITORY / "Snakefile")]
    return snakefile if given.workflow_profile else [*snakefile, "--workflow-profile", "none"]


def _planned_job(workflow: Any, job: Any) -> PlannedJob:
    reason, memory = workflow.dag.reason(job), workflow.persistence
    made_anew = {str(path) for path in reason.updated_input_run}
    missing = sorted(str(path) for path in reason.missing_output if not Path(str(path)).exists())
    facts: dict[str, Any] = {
        "rule": job.rule.name,
        "wildcards": job.wildcards_dict,
        "log": str(next(iter(job.log), "")),
        "parameters": dict(job.params.items()),
        "is_forced": bool(reason.forced),
        "missing": missing,
        "is_half_made": bool(workflow.async_run(memory.incomplete(job))),
        "updated": sorted({str(path) for path in reason.updated_input} - made_anew),
    }
    if not missing and memory.has_metadata(job):
        if change := memory.params_changed(job):
            facts["changed_parameters"] = (sorted(change.only_old), sorted(change.only_new))
        facts["reads_other_files"] = any(memory.input_changed(job))
        facts["has_other_command"] = any(memory.code_changed(job))
    return PlannedJob(**facts)
