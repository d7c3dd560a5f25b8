"""Former results: what stayed in the folder of models, seeds or scans that a study no longer asks for.

They are kept, since weights cost days and a model may come back, and are told apart from results: by the
seal, which knows what was asked for, and by ``verify``. ``python -I -m headct audit former results`` lists
and deletes them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from headct.contracts import run_records, untrusted
from headct.contracts.artefacts import CONFIG, read_json, sha256_of
from headct.contracts.problems import BadInput, Problem
from headct.contracts.run_records import Record
from headct.provenance import manifest, seal
from headct.provenance.manifest import CRATE, Entry, below_results

MADE_BY = "a former run"
"""What the list of files says of them."""


def records_behind(found: Iterable[Record], requested: Collection[str]) -> list[Record]:
    """The jobs that what was asked for rests on, each after all that read its files.

    Args:
        found: all records.
        requested: paths as in the records; where there are none, nothing is known, and all jobs count.
    """
    found = list(found)
    if not requested:
        return found
    makers = manifest.makers(found)
    wanted: dict[str, Record] = {}
    pending = [below_results(path) for path in requested]
    while pending:
        maker = makers.get(pending.pop())
        if maker and maker.path not in wanted:
            wanted[maker.path] = maker
            pending += [below_results(path) for path in maker.inputs]
    return list(wanted.values())


def files_of(jobs: Iterable[Record]) -> set[str]:
    """Outputs, logs and records of jobs, below results/."""
    return {
        path
        for job in jobs
        for path in (*map(below_results, job.outputs), below_results(job.log), job.path)
        if path
    }


def of_jobs(found: Iterable[Record], requested: Collection[str]) -> set[str]:
    """Files of jobs on which nothing that was asked for rests."""
    found = list(found)
    return files_of(found) - files_of(records_behind(found, requested))


def without_record(results: Path, found: Iterable[Record]) -> list[str]:
    """Files that a job made, as the seal before knew, and that no record names any more.

    The page of a model, say, whose job made its pages anew when another model was taken out.
    """
    known = files_of(found)
    there = manifest.files_in(results)
    return sorted(
        path
        for path in {*_described(results), *state(results)["former"]}
        if path in there and path not in known and not seal.by_itself(path)
    )


def _described(results: Path) -> list[str]:
    """The files that the crate of the seal before describes; it describes none that no job made."""
    if not (results / CRATE).is_file():
        return []
    return [unquote(entity["@id"]) for entity in untrusted.json_of(results / CRATE)["@graph"]]


def state(results: Path) -> dict[str, Any]:
    """What the seal before has kept: ``asked`` and ``former``, both paths; empty where it kept nothing."""
    sealed = read_json(results / seal.STATE) if (results / seal.STATE).is_file() else {}
    return {"asked": sealed.get("asked", []), "former": sealed.get("former", [])}


def files(results: Path) -> list[str]:
    """All former results of a sealed folder, below it.

    Raises:
        BadInput: the folder has changed since the seal, or the seal does not know what was asked for.
    """
    try:
        listed = manifest.read(results)
    except untrusted.Unusable as error:
        raise BadInput([Problem(str(results / manifest.MANIFEST), f"{error}; {FIRST}")]) from error
    there = manifest.files_in(results)
    decide = {path for path in (*listed, *there) if path.startswith(run_records.FOLDER)} | {
        CONFIG,
        seal.STATE,
    }
    changed = sorted(path for path in decide if not _is_as_listed(results, path, listed.get(path)))
    if changed or not state(results)["asked"]:
        what = "has changed since the seal" if changed else "does not say what was asked for"
        raise BadInput([Problem(str(results / (changed or [seal.STATE])[0]), f"{what}; {FIRST}")])
    found = of_jobs(run_records.load(results), state(results)["asked"])
    return sorted((found | set(state(results)["former"])) & there.keys())


def _is_as_listed(results: Path, path: str, entry: Entry | None) -> bool:
    return entry is not None and (results / path).is_file() and sha256_of(results / path) == entry.sha256


FIRST = "run the workflow to its end first, which seals the folder"


def delete(results: Path) -> None:
    """Delete the former results, and the seal, which no longer fits: the next run seals anew."""
    for path in files(results):
        (results / path).unlink()
        for folder in (results / path).parents:
            if folder == results or any(folder.iterdir()):
                break
            folder.rmdir()
    for path in manifest.OUTSIDE:
        (results / path).unlink(missing_ok=True)
