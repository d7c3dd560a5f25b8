"""Where a file comes from: the jobs behind it, back to the raw series, as the run records tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from headct.contracts import run_records, untrusted
from headct.contracts.problems import BadInput, Problem
from headct.contracts.run_records import Record
from headct.contracts.untrusted import Unusable
from headct.provenance import seal
from headct.provenance.inside import located

TRAININGS = ("train", "train_learning_curve")
"""Rules whose jobs train a network."""

PREDICTIONS = ("predict", "outside")
"""What names of rules begin with whose jobs list label maps, of networks and of models made elsewhere."""

FEW = 3
"""How many files of one folder are named before they are counted."""

NEAR = 8
"""How many names a message lists of those that were meant, perhaps."""


@dataclass(frozen=True)
class Study:
    """A finished study: its results folder, which may have been moved, and its run records."""

    results: Path

    @cached_property
    def records(self) -> list[Record]:
        """All run records.

        Raises:
            BadInput: there are none, or one can't be read.
        """
        try:
            found = run_records.load(self.results)
        except (OSError, ValueError, RecursionError) as error:
            raise BadInput([Problem(str(self.results), str(error))]) from error
        if not found:
            message = "no run records: not a results folder, or one of a version that kept none"
            raise BadInput([Problem(str(self.results / "audit" / "runs"), message)])
        return found

    @cached_property
    def makers(self) -> Mapping[str, Record]:
        """The job that made each file, by the file's path in the records."""
        return {path: record for record in self.records for path in record.outputs}

    def maker(self, path: str) -> Record:
        """The job that made a file.

        Raises:
            BadInput: no record says so.
        """
        if path not in self.makers:
            message = (
                "is missing among the outputs of all records in audit/runs: no job made it, or its is gone"
            )
            raise BadInput([Problem(path, message)])
        return self.makers[path]

    def file(self, path: str) -> Path:
        """Where a file of the records is now: in the results folder, wherever that is, and nowhere else.

        What lay outside of results/ (plan, published numbers) is the copy that goes with the results.

        Raises:
            BadInput: the path leads out of the folder, or through a link, or to what is no file.
        """
        if path.startswith("results/"):
            return located(self.results, path.removeprefix("results/"))
        parts = [part for part in PurePosixPath(path).parts if part != ".."]
        return located(self.results, "/".join([seal.WORKFLOW, *parts[-3:]]))  # resources/published/FILE

    def recorded_path(self, given: str) -> str:
        """The path in the records of a file that a user names by its path here, or there.

        Raises:
            BadInput: no job made it, with the names that are near.
        """
        absolute = Path(given).absolute()
        choices = [given.removeprefix("./")]
        if absolute.is_relative_to(self.results.absolute()):
            choices.append(f"results/{absolute.relative_to(self.results.absolute()).as_posix()}")
        choices.append(f"results/{given}")
        for choice in choices:
            if choice in self.makers:
                return choice
        name = PurePosixPath(given).stem.casefold()
        near = [path for path in self.makers if name and name in path.casefold()][:NEAR]
        hint = (
            f"near: {', '.join(near)}" if near else "see results/tables, results/statistics, results/figures"
        )
        raise BadInput([Problem(given, f"no job of this study made this file; {hint}")])


@dataclass(frozen=True)
class Stage:
    """The jobs of one rule within a lineage; ``of`` are the rules whose files they read."""

    rule: str
    jobs: tuple[Record, ...]
    files: tuple[str, ...]
    of: tuple[str, ...]
    sources: tuple[str, ...]

    def when(self) -> str:
        """First and last start, in UTC, without a zone."""
        times = sorted(job.started[:19].replace("T", " ") for job in self.jobs)
        return times[0] if times[0] == times[-1] else f"{times[0]} to {times[-1]}"

    def hosts(self) -> str:
        """Machines and GPUs."""
        return ", ".join(sorted({machine(job) for job in self.jobs}))

    def commits(self) -> str:
        """Versions of the code."""
        return ", ".join(sorted({commit(job) for job in self.jobs}))

    def names(self) -> list[str]:
        """What tells the jobs apart: their wildcards."""
        return [wildcards_in_short(job) for job in self.jobs if job.wildcards]


def wildcards_in_short(job: Record) -> str:
    """A job's wildcards in short: ``model/seed/fold``, whatever their order in the record."""
    order = {name: i for i, name in enumerate(("model", "seed", "fold"))}
    return "/".join(
        job.wildcards[name] for name in sorted(job.wildcards, key=lambda n: (order.get(n, -1), n))
    )


def from_outside(paths: Sequence[str]) -> list[str]:
    """Paths of files that no job made; many of one folder are counted."""
    folders = Counter(path.rpartition("/")[0] for path in paths)
    shown = [path for path in paths if folders[path.rpartition("/")[0]] <= FEW]
    return shown + [f"{n} files of {folder}/" for folder, n in sorted(folders.items()) if n > FEW]


def machine(job: Record) -> str:
    """Name of the host that ran a job, with its GPUs."""
    return " ".join([str(job.host["name"]), *(f"({gpu})" for gpu in job.host["gpus"])])


def commit(job: Record) -> str:
    """Commit of a job's code in short, with a word where the code differed from it."""
    name = job.workflow.get("commit")
    if not name:
        return f"version {job.workflow.get('version')}, no commit known"
    return str(name)[:10] + (" with uncommitted changes" if job.workflow.get("dirty") else "")


@dataclass(frozen=True)
class Lineage:
    """Everything behind one file.

    ``stages`` lead from the file back; ``sources`` are files that no job made, with the digest that was
    read; ``broken`` tells of inputs whose digest is not the one with which they were made;
    ``instances`` are sha256 of DICOM instances by scan; ``unread`` says by path why the scan.json that
    names them could not be read; ``withdrawn`` says of which scans data were read that are gone since.
    """

    artefact: str
    digest: str
    stages: tuple[Stage, ...]
    sources: Mapping[str, str]
    broken: tuple[str, ...]
    instances: Mapping[str, Sequence[str]]
    unread: Mapping[str, str]
    withdrawn: tuple[str, ...]


def jobs_behind(study: Study, artefact: str) -> list[Record]:
    """The jobs behind a file, each after all that read its files (the one that made the file first)."""
    depth: dict[str, int] = {}
    by_log = {record.log: record for record in study.records}
    frontier = {study.maker(artefact).log}
    step = 0
    while frontier and step <= len(study.records):
        depth |= dict.fromkeys(frontier, step)
        paths = {path for log in frontier for path in by_log[log].inputs}
        frontier = {study.makers[path].log for path in paths if path in study.makers}
        step += 1
    return [by_log[log] for log in sorted(depth, key=lambda log: (depth[log], log))]


def lineage(study: Study, artefact: str) -> Lineage:
    """The lineage of a file named as in the records."""
    jobs = jobs_behind(study, artefact)
    rules = list(dict.fromkeys(job.rule for job in jobs))
    last_of_rule = {rule: max(i for i, job in enumerate(jobs) if job.rule == rule) for rule in rules}
    read = {path: digest for job in jobs for path, digest in job.inputs.items()}
    stages = []
    for rule in sorted(rules, key=last_of_rule.__getitem__):
        own = tuple(job for job in jobs if job.rule == rule)
        inputs = {path for job in own for path in job.inputs}
        stages.append(
            Stage(
                rule=rule,
                jobs=own,
                files=tuple(path for job in own for path in job.outputs if path in read or path == artefact),
                of=tuple(sorted({study.makers[path].rule for path in inputs if path in study.makers})),
                sources=tuple(sorted(inputs - study.makers.keys())),
            )
        )
    broken = [
        f"{job.rule} read {path} with sha256 {digest[:12]}…, but {study.makers[path].rule} made it with"
        f" {study.makers[path].outputs[path][:12]}…"
        for job in jobs
        for path, digest in job.inputs.items()
        if path in study.makers and study.makers[path].outputs[path] != digest
    ]
    instances, unread = _instances(
        study, sorted(path for job in jobs for path in job.outputs if path.endswith("/scan.json"))
    )
    return Lineage(
        artefact=artefact,
        digest=study.maker(artefact).outputs[artefact],
        stages=tuple(stages),
        sources={path: digest for path, digest in sorted(read.items()) if path not in study.makers},
        broken=tuple(broken),
        instances=instances,
        unread=unread,
        withdrawn=withdrawn_behind(jobs),
    )


def withdrawn_behind(jobs: Iterable[Record]) -> tuple[str, ...]:
    """Of which scans, withdrawn since, jobs read data, in words; one of each amendment."""
    return tuple(dict.fromkeys(one.in_words() for job in jobs for one in job.amended_by))


def _instances(study: Study, scans: Sequence[str]) -> tuple[dict[str, list[str]], dict[str, str]]:
    """SHA-256 of the DICOM instances by scan; and why a scan.json could not be read, by its path."""
    found, unread = {}, {}
    for path in scans:
        try:
            instances = untrusted.json_of(study.file(path))["instances"]
            found[path.split("/")[-2]] = [str(instance["sha256"]) for instance in instances]
        except (Unusable, BadInput) as error:
            unread[path] = str(error)
        except (LookupError, TypeError):
            unread[path] = "does not list the DICOM instances of a scan"
    return found, unread
