"""Close a finished results folder: copy the workflow into it, list every file with its digest.

Files that a job made are listed with the digest that its record has, taken when they were written; only
the rest (logs, records, the copy of the workflow) is hashed here. What was changed between is therefore
found by ``verify``, and terabytes are not read again.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable
from pathlib import Path

from headct.artefacts import UNFINISHED, read_json, sha256_of, write_json
from headct.audit import ledger, manifest, records
from headct.audit.manifest import Entry
from headct.problems import BadInput, Problem

logger = logging.getLogger("headct.audit")

WORKFLOW = "audit/workflow"
COPIED = ("Snakefile", "pyproject.toml", "workflow", "config", "resources", "slurm")
RUN = "start of the run"
SEAL = "seal"
STARTED = frozenset({"study.json", "config.json", "audit/start.json"})
"""Files that Snakemake's main process writes when a run starts."""
STATE = "audit/seal.json"


def seal(results: Path, repository: Path, settings: Iterable[Path], plan: Path, number: int) -> str:
    """Seal a results folder.

    Args:
        results: the folder.
        repository: where the Snakefile is.
        settings: the configuration files that were used.
        plan: the analysis plan that was used.
        number: how often the folder was sealed again because a job had run since.

    Returns:
        The root digest.

    Raises:
        BadInput: a record can't be read, or a file has a name that no list can hold.
    """
    from headct.audit import crate  # the Snakefile imports this module, and need not wait for the crate's

    for left in results.rglob(f".*.{UNFINISHED}*"):  # of jobs that were killed; none runs beside this one
        left.unlink()
        logger.info("seal  removed %s: a job was killed while it wrote it", left.relative_to(results))
    copy_workflow(repository, results / WORKFLOW, [*settings, plan])
    write_json({"number": number}, results / STATE)
    crate.write(results)
    try:
        return manifest.write(results, entries(results))
    except ValueError as error:
        raise BadInput([Problem(str(results), str(error))]) from error


def copy_workflow(repository: Path, to: Path, used: Iterable[Path]) -> None:
    """Copy the workflow, in the layout in which it runs, and files of the configuration from elsewhere."""
    shutil.rmtree(to, ignore_errors=True)
    ignore = shutil.ignore_patterns("__pycache__", "*.pyc")
    for name in COPIED:
        source = repository / name
        if source.is_dir():
            shutil.copytree(source, to / name, ignore=ignore)
        elif source.is_file():
            to.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, to / name)
    for path in used:
        inside = path.resolve().is_relative_to(repository.resolve())
        place = to / (path.resolve().relative_to(repository.resolve()) if inside else f"config/{path.name}")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)


def entries(results: Path) -> list[Entry]:
    """One entry per file of the folder, sorted; hashed here is what no record has the digest of.

    Raises:
        ValueError: a record can't be read, or a path holds a character that the list can't.
    """
    found = records.load(results)
    made = manifest.makers(found)
    made_by = {record.path: record.path for record in found}
    made_by |= {manifest.below_results(record.log): record.path for record in found}
    listed = []
    for path, size in manifest.files_in(results).items():
        if any(character in path for character in "\t\n\r\\"):
            raise ValueError(f"a file name holds a tab, line break or backslash: {path!r}")
        if record := made.get(path):
            listed.append(Entry(path, size, record.outputs[f"results/{path}"], record.path))
        else:
            listed.append(Entry(path, size, sha256_of(results / path), made_by.get(path) or _by(path)))
    return listed


def _by(path: str) -> str:
    if path in STARTED:
        return RUN
    if path == ledger.LEDGER:
        return "jobs that scored"
    return SEAL if path.startswith(f"{WORKFLOW}/") or path in (STATE, manifest.CRATE) else ""


def number(results: Path) -> int:
    """How often the folder was sealed again, and one more where a job has run since the last time.

    As a parameter of the rule that seals, it makes a folder be sealed anew after a part of it was built
    again, and leaves it as it is after a run that had nothing to do.
    """
    try:
        listed = manifest.read(results)
        state = read_json(results / STATE)["number"]
    except (OSError, ValueError, KeyError):
        return 0
    folder = results / "audit" / "runs"
    now = {path.relative_to(results).as_posix(): sha256_of(path) for path in folder.rglob("*.json")}
    before = {path: entry.sha256 for path, entry in listed.items() if path.startswith("audit/runs/")}
    return int(state) + (now != before)
