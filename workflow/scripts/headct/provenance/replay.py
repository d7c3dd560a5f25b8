"""Repeat a recorded job on its recorded inputs, elsewhere, and compare what it makes.

Statistics, tables, figures, reports and metrics are pure functions of their inputs and cost seconds, so any
of their numbers can be made again from the results folder. The folder may come from anybody, so its records
are not obeyed: only the steps in :data:`REPEATED` are repeated, only by the installed code, and only if that
is the code that the record names; on copies of the inputs in a fresh folder, behind the walls of
:mod:`headct.provenance.walled`.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from headct.contracts.artefacts import CONFIG, sha256_of
from headct.contracts.code import file_of, module_digest
from headct.contracts.manifests import listed_by
from headct.contracts.problems import BadInput
from headct.contracts.repository import PACKAGE
from headct.contracts.run_records import FOLDER as RUNS
from headct.contracts.run_records import Record
from headct.provenance import seal
from headct.provenance.inside import copied, is_plain, located
from headct.provenance.lineage import Study
from headct.provenance.record import DESCRIPTIVE
from headct.provenance.walled import OUT, STUDY, TEMPORARY
from headct.settings.published import FOLDER as PUBLISHED
from headct.steps import STEPS

OF_NUMBERS = frozenset(
    (
        "statistics",
        "claims",
        "paired-analysis",
        "review-analysis",
        "blinded-analysis",
        "out-of-fold",
        "effort-curve",
        "new-site",
        "external-sets",
        "learning-subset",
        "learning-curve",
        "raters",
        "tables",
        "figures",
    )
)
"""Steps between the measurements and a number."""

QUICK = OF_NUMBERS | {"split", "external-set", "balance", "evidence", "report"}
"""Steps that take seconds, whatever the size of the study."""

REPEATED = QUICK | {"measure", "tolerance", "postprocessing"}
"""Steps that are repeated; ingest needs the raw series, training its days, and a page the bundled scripts."""

READ_BESIDE = {"report": (CONFIG, RUNS)}
"""Files and folders (with a slash) of the results that a step reads and no record has the digest of."""

READS_VOXELS = frozenset({"measure", "tolerance", "postprocessing", "figures"})
VOXELS = ".nii.gz"
LISTS = (".json", ".tsv")
"""Suffixes of the files, listed by an input, that a step reads as well."""

FURTHEST_UP = 30
"""Folders above the study's in which a sample sheet or a clone of the workflow may be."""

LONGEST_S = 1800
"""A step that takes longer is given up."""


class NotRepeated(Exception):
    """Why a job can't be repeated here."""


class RecordRefused(NotRepeated):
    """The record asks for what no job of the workflow does."""


@dataclass(frozen=True)
class Replay:
    """What came of repeating a job.

    ``same`` maps each output to whether it has the recorded bytes; ``made`` holds the bytes of those that
    have not. ``why_not`` says why it could not be done; ``refused`` that this is the record's fault, which
    asks for what no job of the workflow does. ``lacking`` names walls that this machine does not offer.
    """

    record: Record
    same: Mapping[str, bool] = field(default_factory=dict)
    made: Mapping[str, bytes] = field(default_factory=dict)
    why_not: str = ""
    refused: bool = False
    lacking: tuple[str, ...] = ()


def repeatable(record: Record) -> bool:
    """Whether a job is one of those that are repeated."""
    return record.step in REPEATED


def changed_modules(record: Record) -> tuple[str, ...]:
    """Modules of the step that are other here than when the job ran (comments do not count)."""
    recorded: Mapping[str, str] = record.workflow.get("modules", {})
    return tuple(
        name for name, digest in recorded.items() if file_of(name) is None or module_digest(name) != digest
    )


def replay(study: Study, record: Record, files: Sequence[Path] = ()) -> Replay:
    """Repeat one job; its inputs must have the recorded digests.

    Args:
        study: whose folder is not written to.
        record: of the job.
        files: named by the user, where an input may be that is not in the folder: the sample sheet, ratings.
    """
    try:
        _check(record)
        with tempfile.TemporaryDirectory(prefix="replay-") as scratch:
            folder = Path(scratch).resolve()
            start = _furnish(study, record, files, folder)
            lacking = tuple(_run(record, folder, start))
            same, made = _compare(record, folder / OUT)
            return Replay(record, same, made, lacking=lacking)
    except NotRepeated as reason:
        return Replay(record, why_not=str(reason), refused=isinstance(reason, RecordRefused))
    except OSError as error:  # no room for the copies; a name that is too long
        return Replay(record, why_not=f"files can't be copied or compared ({error.strerror})")


def _check(record: Record) -> None:
    """What the record says of itself, before anything is done."""
    if not record.step:
        raise NotRepeated("it was made by an older release")
    if not repeatable(record):
        raise NotRepeated(f"{record.rule} is not a matter of seconds")
    _check_paths(record)
    recorded = record.workflow.get("modules", {})
    changed = changed_modules(record)
    other = f"the code that is installed is not the code that ran: {_some(changed)}"
    other += "; install the version that the record names"
    if any(file_of(module) is None for module in changed):
        raise NotRepeated(f"it was made by an older release: {other}")
    if STEPS[record.step].path not in recorded:
        raise RecordRefused(f"it does not say which code of {record.step} ran")
    if changed:
        raise NotRepeated(other)


def _check_paths(record: Record) -> None:
    """That it names files as jobs do, and none elsewhere."""
    for path in record.outputs:
        if not (is_plain(path) and path.startswith("results/")):
            raise RecordRefused(f"it names an output that is not below results/: {path}")
    for path in record.inputs:
        up = path.count("../")
        if up > FURTHEST_UP or not is_plain(path.removeprefix("../" * up)):
            raise RecordRefused(f"it names an input by a path that no job has: {path}")
        if not path.startswith("results/") and PurePosixPath(path).suffix not in DESCRIPTIVE:
            raise RecordRefused(f"it names an input that no job reads: {path}")


def _some(names: Sequence[str]) -> str:
    """The first five names, and how many more there are."""
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


# -- inputs ------------------------------------------------------------------------------------------


def _furnish(study: Study, record: Record, files: Sequence[Path], folder: Path) -> Path:
    """Copy what a job reads into ``folder/study``; returns the folder in which it is to start."""
    depth = max((path.split("/").count("..") for path in record.inputs), default=0)
    start = folder.joinpath(STUDY, *map(str, range(depth)))
    for made in (start, folder / OUT, folder / TEMPORARY):
        made.mkdir(parents=True)
    pending = dict(record.inputs)
    there: set[str] = set()
    lacking = []
    while pending:
        path, digest = pending.popitem()
        to = Path(os.path.normpath(start / path))
        if path in there:
            continue
        if _copy(_candidates(study, path, files), to, digest):
            there.add(path)
            pending |= _listed(record, path, to, start)
        else:
            lacking.append(path)
    for path in _read_beside(study, record):
        copied(study.file(path), start / path)
    if lacking:
        raise NotRepeated(f"not here as they were then: {_some(sorted(lacking))}")
    return start


def _read_beside(study: Study, record: Record) -> list[str]:
    """What a step reads beside its inputs: configuration, records of all jobs."""
    beside = READ_BESIDE.get(record.step, ())
    named = [f"results/{path}" for path in beside if not path.endswith("/")]
    return named + [f"results/{one.path}" for one in study.records if one.path.startswith(beside)]


def _candidates(study: Study, path: str, files: Sequence[Path]) -> Iterator[Path]:
    """Where an input may be: below results/ in the folder; any other in what goes with it, or was named."""
    if path.startswith("results/"):
        yield study.file(path)
        return
    yield from (file.resolve() for file in files)
    name = PurePosixPath(path).name
    for parent, _, names in os.walk(study.results / seal.WORKFLOW):
        if name in names:
            yield located(study.results, (Path(parent) / name).relative_to(study.results).as_posix())
    yield PUBLISHED / name


def _copy(candidates: Iterator[Path], to: Path, digest: str) -> bool:
    """Copy the one that has the recorded bytes; whether there is one."""
    try:
        for source in candidates:
            if source.is_file():
                if copied(source, to) == digest:
                    return True
                to.unlink()
    except BadInput as error:  # a path out of the folder, a link, a device
        raise RecordRefused(str(error)) from error
    except OSError as error:
        raise NotRepeated(f"an input can't be copied ({error.strerror or error})") from error
    return False


def _listed(record: Record, path: str, copy: Path, start: Path) -> dict[str, str]:
    """What an input lists, with the digests given there, of the kinds that the step reads."""
    kinds = (*LISTS, VOXELS) if record.step in READS_VOXELS else LISTS
    try:
        listed = {
            Path(os.path.relpath(file, start)).as_posix(): str(digest)
            for file, digest in listed_by(copy).items()
            if file.name.endswith(kinds)
        }
    except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError, csv.Error) as error:
        raise NotRepeated(f"{path} is no list of files ({type(error).__name__})") from error
    for name in listed:
        if not (is_plain(name) and name.startswith("results/")):
            raise RecordRefused(f"{path} lists a file that is not below results/: {name}")
    return listed


# -- the run -----------------------------------------------------------------------------------------


def _run(record: Record, folder: Path, start: Path) -> Sequence[str]:
    """Run the step in a process of its own; returns the walls that this machine does not offer."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment = own | {"PYTHONPATH": str(PACKAGE.parent), "TMPDIR": str(folder / TEMPORARY)}
    command = [sys.executable, "-P", "-m", "headct.provenance.walled", str(folder), *record.command[1:]]
    try:
        done = subprocess.run(
            command,
            cwd=start,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=LONGEST_S,
        )
        outcome: dict[str, Any] = json.loads(done.stdout)
    except subprocess.TimeoutExpired as error:
        raise NotRepeated(f"it took longer than {LONGEST_S} s") from error
    except (OSError, ValueError) as error:  # no process; or it was killed, for memory say
        raise NotRepeated("the step ended without a word, perhaps for want of memory") from error
    if "refused" in outcome:
        raise RecordRefused(f"its command is no job's: {outcome['refused']}")
    if "failed" in outcome:
        raise NotRepeated(str(outcome["failed"]))
    return list(outcome["lacking"])


def _compare(record: Record, out: Path) -> tuple[dict[str, bool], dict[str, bytes]]:
    made = {path: out / path for path in record.outputs}
    same = {path: file.is_file() and sha256_of(file) == record.outputs[path] for path, file in made.items()}
    differing = {
        path: made[path].read_bytes() for path, ok in same.items() if not ok and made[path].is_file()
    }
    return same, differing
