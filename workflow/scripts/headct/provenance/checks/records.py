"""The records of jobs against one another, and against what is there."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from headct.provenance import seal
from headct.provenance.checks.folder import RUNS, Finding, ResultsFolder
from headct.provenance.manifest import below_results


def outputs(folder: ResultsFolder) -> Iterator[Finding]:
    """Each output against the record of the job that made it last."""
    for path, record in folder.makers.items():
        made = record.outputs[f"results/{path}"]
        if path not in folder.sizes:
            yield Finding(path, f"is missing, and {record.path} says that it was made")
        elif folder.digests[path] != made:
            yield Finding(path, f"is not what {record.path} says was made ({made[:12]}…)")
    for path, entry in folder.listed.items():
        maker = folder.makers.get(path)
        if entry.made_by.startswith(RUNS) and f"results/{path}" in getattr(maker, "outputs", {}):
            if maker and maker.path != entry.made_by:
                yield Finding(path, f"is listed as made by {entry.made_by}, and {maker.path} made it")
        elif entry.made_by.startswith(RUNS) and entry.made_by not in folder.sizes:
            yield Finding(path, f"has no record: {entry.made_by} is missing")


def inputs(folder: ResultsFolder) -> Iterator[Finding]:
    """Each input of each record against what is there now, and the job that made that."""
    for record in folder.current:
        for input_, digest in record.inputs.items():
            if not (path := below_results(input_)):
                continue
            maker = folder.makers.get(path)
            if path not in folder.sizes:
                yield Finding(record.path, f"was made from {path}, which is not there")
            elif folder.digests[path] != digest:
                yield Finding(record.path, f"was made from another {path} than the one there")
            elif maker and maker.outputs[f"results/{path}"] != digest:
                yield Finding(record.path, f"was made from another {path} than {maker.path} made")


def inputs_from_elsewhere(folder: ResultsFolder) -> Iterator[Finding]:
    """Sheet, plan and published numbers: the same for all jobs, and those of the copied workflow."""
    of: dict[str, Counter[str]] = defaultdict(Counter)
    for record in folder.current:
        for path, digest in record.inputs.items():
            if not below_results(path):
                of[path][digest] += 1
    copies: dict[tuple[str, ...], list[str]] = defaultdict(list)  # by the last two parts of their paths
    for path in folder.digests:
        if path.startswith(seal.WORKFLOW):
            copies[Path(path).parts[-2:]].append(path)
    for path, counts in of.items():
        usual = counts.most_common(1)[0][0]
        for record in folder.current:
            if record.inputs.get(path, usual) != usual:
                yield Finding(record.path, f"was made from another {Path(path).name} than other results")
        copy = copies.get(Path(path).parts[-2:], [])
        if copy and not any(folder.digests[name] in counts for name in copy):
            yield Finding(copy[0], f"is not the {Path(path).name} that the results were made with")


def logs(folder: ResultsFolder) -> Iterator[Finding]:
    """Each record has its log."""
    for record in folder.records:
        if below_results(record.log) not in folder.sizes:
            yield Finding(below_results(record.log) or record.log, f"is missing: the log of {record.path}")
