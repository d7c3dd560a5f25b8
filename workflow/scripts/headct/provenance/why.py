"""What would run again, and why, in plain words.

Snakemake's own plan is made, in this process and as for a dry run, from the same words that a user would
give it; its graph of jobs is then read, not its text. For each job that would run the graph says whether an
output is missing, an input is new, or its parameters differ from those of the last run, which Snakemake
keeps. Parameters are settings as JSON, and a digest of the step's code: which setting differs is found by
comparing, which module by the run record.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

from headct.contracts.code import file_of, module_digest
from headct.contracts.run_records import Record, load
from headct.provenance import snakemake
from headct.provenance.lineage import FEW, TRAININGS

SHOWN = 6
"""How many are named before the rest is counted."""

RETRAINED = (
    "a training whose settings, scans, seed, threads and deciding code are as before is published again from"
    " the work folder in seconds; any other starts anew"
)


@dataclass(frozen=True)
class Planned:
    """A job that would run, and each reason of its own (none: only what it reads is new)."""

    rule: str
    name: str
    reasons: tuple[str, ...]


def planned(words: Sequence[str]) -> tuple[list[Planned], int]:
    """The jobs that ``snakemake WORDS`` would run, and how many there are in all.

    Raises:
        SystemExit: Snakemake can't make a plan; it has said why.
    """
    plan = snakemake.plan(words)
    records = {record.log: record for record in load(plan.folder / "results")}
    modules = {name: digest for one in records.values() for name, digest in one.workflow["modules"].items()}
    return [
        Planned(
            job.rule, "/".join(job.wildcards.values()), tuple(_reasons(job, records.get(job.log), modules))
        )
        for job in plan.jobs
    ], plan.n_jobs


# -- one job -----------------------------------------------------------------------------------------


def _reasons(job: snakemake.PlannedJob, record: Record | None, modules: Mapping[str, str]) -> Iterator[str]:
    """What makes one job run, apart from the jobs before it; the same words for the same cause."""
    if job.is_forced:
        yield "it is forced (--force, --forceall or --forcerun)"
    if job.missing:
        yield "it was never made, or was removed"
    if job.is_half_made:
        yield "it was left half made by a run that was stopped"
    if job.updated:
        yield f"other contents in {_some(job.updated, FEW)}"
    if job.changed_parameters:
        own = record.workflow["modules"] if record else {}
        yield from _changed_parameters(job.parameters, *job.changed_parameters, own, modules)
    if job.reads_other_files:
        yield "it reads other files than before (models, scans or seeds were added or taken away)"
    if job.has_other_command:
        yield "its rule's command was edited (workflow/rules)"


def _changed_parameters(
    parameters: Mapping[str, Any],
    only_old: Sequence[str],
    only_new: Sequence[str],
    own: Mapping[str, str],
    modules: Mapping[str, str],
) -> Iterator[str]:
    named = {repr(value): name for name, value in parameters.items()}
    before = [_value(text) for text in only_old]
    after = [(named.get(text, "parameter"), _value(text)) for text in only_new]
    for name, new in after:
        old = _counterpart(new, before)
        if old is not None:
            before.remove(old)
        if name == "code":
            yield _changed_code(own, modules)
        else:
            yield from _difference(name, old, new)
    for old in before:
        if not _is_digest(old):
            yield f"a parameter is gone: {_short(old)}"


def _value(text: str) -> Any:
    """A parameter as Snakemake keeps it (its ``repr``), with JSON read."""
    value: Any = text
    with suppress(ValueError, SyntaxError):
        value = ast.literal_eval(text)
    if isinstance(value, str):
        with suppress(ValueError):
            return json.loads(value)
    return value


def _is_digest(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value) is not None


def _counterpart(new: Any, before: Sequence[Any]) -> Any:
    """The former value of a parameter: Snakemake keeps values without their names."""
    alike = [old for old in before if type(old) is type(new) and _is_digest(old) == _is_digest(new)]
    if isinstance(new, dict):
        return max(alike, key=lambda old: len(old.keys() & new.keys()), default=None)
    return next(iter(alike), None)


def _difference(name: str, old: Any, new: Any) -> Iterator[str]:
    """Sentences on a parameter that differs: each key of settings by itself."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        yield (
            f"the {name} was {_short(old)}, is {_short(new)}"
            if old is not None
            else f"the {name} is new: {_short(new)}"
        )
        return
    before, after = _flat(old), _flat(new)
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) != after.get(key):
            was = _short(before[key]) if key in before else "not there"
            is_now = _short(after[key]) if key in after else "not there"
            yield f"the {name.removesuffix('s')} {key} was {was}, is {is_now}"


def _flat(settings: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in settings.items():
        name = f"{above}{key}"
        found |= _flat(value, f"{name}.") if isinstance(value, dict) and value else {name: value}
    return found


def _short(value: Any, limit: int = 60) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= limit else f"{text[:limit]}…"


def _changed_code(own: Mapping[str, str], modules: Mapping[str, str]) -> str:
    """Modules that the job imported and that differ now; else those of any job, which it may use as well."""
    for recorded in (own, modules):
        if changed := _changed_modules(tuple(recorded.items())):
            return f"code of {_some(changed, SHOWN)} changed"
    return "code of its step changed"


@cache
def _changed_modules(recorded: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    return tuple(name for name, digest in recorded if file_of(name) is None or module_digest(name) != digest)


# -- all of them -------------------------------------------------------------------------------------


def in_words(jobs: Sequence[Planned], n_jobs: int) -> str:
    """The whole answer."""
    if not jobs:
        return f"Nothing would run: all {n_jobs} jobs are up to date."
    lines = [f"{len(jobs)} of {n_jobs} jobs would run."]
    causes = dict.fromkeys(reason for job in jobs for reason in job.reasons)
    for cause in causes:
        lines += ["", f"Because {cause}:" if cause.startswith("it ") else f"{cause[:1].upper()}{cause[1:]}:"]
        lines += _by_rule([job for job in jobs if cause in job.reasons])
    following = [job for job in jobs if not job.reasons]
    if following:
        lines += ["", "Because what they read would be made anew:", *_by_rule(following)]
    if any(job.rule in TRAININGS for job in jobs):
        lines += ["", f"Of the trainings: {RETRAINED}."]
    return "\n".join(lines)


def _by_rule(jobs: Sequence[Planned]) -> list[str]:
    rules = dict.fromkeys(job.rule for job in jobs)
    lines = []
    for rule in rules:
        names = sorted(job.name for job in jobs if job.rule == rule and job.name)
        count = sum(job.rule == rule for job in jobs)
        lines.append(f"  {count} × {rule}" + (f": {_some(names, SHOWN)}" if names else ""))
    return lines


def _some(names: Sequence[str], limit: int) -> str:
    shown = ", ".join(names[:limit])
    return shown + (f" and {len(names) - limit} more" if len(names) > limit else "")
