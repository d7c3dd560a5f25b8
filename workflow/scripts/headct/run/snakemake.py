"""All that is asked of Snakemake's internals, which other versions of it may have in other places."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from headct.contracts.declarations import Published

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
