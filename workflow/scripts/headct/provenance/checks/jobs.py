"""Whether what the record of a job says of itself fits together: command, paths, times, seeds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import PurePosixPath

from headct.contracts.run_records import RESULTS, Record
from headct.provenance import former, rules
from headct.provenance.checks.copied_code import copy_of
from headct.provenance.checks.folder import Finding, ResultsFolder
from headct.provenance.manifest import below_results
from headct.steps import STEPS

ROUNDED_S = 2.0
"""Times are in whole seconds, and what took them in hundredths."""
STEPS_DECLARED = "headct.steps"
"""A module of all releases whose commands name a step."""
NAMED = (("--model", "model"), ("--seed", "seed"), ("--fold", "fold"))
"""Options that repeat a wildcard of the job."""

Contradictions = Iterator[str]


def jobs(folder: ResultsFolder) -> Iterator[Finding]:
    """Each record against itself."""
    plans: dict[str, str] = {}
    for record in folder.current:
        for check in (rules.contradictions, _paths, _times, _names):
            yield from (Finding(record.path, what) for what in check(record))
        yield from (Finding(record.path, what) for what in _code_of_step(record, folder))
        if not record.amended_by:  # of scans that were withdrawn, files that its command names are gone
            yield from (Finding(record.path, what) for what in _files(record, folder))
        for plan in record.option("--plan"):
            first = next(iter(plans), plan)
            if plan != first:
                yield Finding(record.path, f"was given the plan at another place than {plans[first]}")
            plans.setdefault(plan, record.path)


def _paths(record: Record) -> Contradictions:
    log = PurePosixPath(below_results(record.log)).with_suffix("")
    own = PurePosixPath(record.path).with_suffix("")
    if log.parts[:1] != ("logs",) or log.parts[1:] != own.parts[2:]:
        yield f"names the log of another job: {record.log}"


def _times(record: Record) -> Contradictions:
    began, ended = (datetime.fromisoformat(time) for time in (record.started, record.ended))
    ran_s = (ended - began).total_seconds()
    if ran_s < 0 or abs(ran_s - record.seconds) > ROUNDED_S:
        yield "states a duration that does not fit to when it began and ended"


def _names(record: Record) -> Contradictions:
    seeds = record.option("--seed")
    if seeds and seeds != [str(record.seeds.get("seed"))]:
        yield "states another seed than its command"
    for option, name in NAMED:
        given = record.option(option)
        if given and name in record.wildcards and given != [record.wildcards[name]]:
            yield f"has {option} {' '.join(given)} in its command, and is of {name} {record.wildcards[name]}"


def _code_of_step(record: Record, folder: ResultsFolder) -> Contradictions:
    """Whether the step that it names ran, as the modules tell, by the software that is copied here."""
    if not record.step and copy_of(folder, STEPS_DECLARED):
        yield "has a command of another release than the copy of the software"
    module = STEPS[record.step].path if record.step in STEPS else ""
    if module and copy_of(folder, module) and module not in record.workflow["modules"]:
        yield f"ran {record.step}, and does not name {module} among the code that ran"


def _files(record: Record, folder: ResultsFolder) -> Contradictions:
    known = record.inputs.keys() | record.outputs.keys()
    for path in _files_in(record.command):
        if path not in known and below_results(path) in folder.sizes:
            yield f"names {path} in its command, and neither read nor made it"
    for path in record.option("--plan"):
        if path not in record.inputs:
            yield f"was given the plan {path}, and says nothing of having read it"


def _files_in(command: list[str]) -> Iterator[str]:
    """Words, or values behind an equals sign, that are paths in the results."""
    for word in command:
        path = word.partition("=")[2] if word.startswith("--") else word
        if path.startswith(RESULTS):
            yield path


def makers_listed(folder: ResultsFolder) -> Iterator[Finding]:
    """What the list says made each file, against the records; and results that nothing made."""
    records = {record.path: record.path for record in folder.records}
    records |= {below_results(record.log): record.path for record in folder.records}
    results_before = set(folder.former)
    known_at_seal = set(folder.former_at_seal)
    of_results = {path.split("/")[0] for path in folder.makers if "/" in path} - {"audit", "logs"}
    for path, entry in folder.listed.items():
        is_result = path.split("/")[0] in of_results and "/" in path
        expected = records.get(path)
        if expected and entry.made_by != expected:
            yield Finding(path, f"is listed as made by {entry.made_by or 'nothing'}, and is of {expected}")
        elif entry.made_by == former.MADE_BY and path not in known_at_seal:
            yield Finding(path, "is listed as of a former run, and the seal does not know of it")
        elif path not in folder.makers and is_result and path not in results_before:
            yield Finding(path, "lies among the results, and no record tells what job made it")
