"""Close a finished results folder: copy the workflow into it, list every file with its digest.

Files that a job made are listed with the digest that its record has, taken when they were written; only
the rest (logs, records, the copy of the workflow) is hashed here. What was changed between is therefore
found by ``verify``, and terabytes are not read again.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path, PurePosixPath

from headct.contracts import amendments, run_records, untrusted
from headct.contracts.artefacts import (
    CONFIG,
    FORMULA,
    LEDGER,
    STUDY,
    UNFINISHED,
    read_json,
    sha256_of,
    write_atomically,
    write_json,
)
from headct.contracts.problems import BadInput, Problem
from headct.contracts.terminal import visible
from headct.provenance import amending, manifest
from headct.provenance.manifest import Entry

logger = logging.getLogger("headct.provenance")

WORKFLOW = "audit/workflow"
NOT_COPIED = "audit/not_copied.tsv"
"""Counts, by folder and kind, of the files beside those copied; no names, for they can be patients'."""

FOLDERS = ("config", "resources", "slurm", "workflow")
"""Folders of the workflow in which a study may have left files of its own."""

SOFTWARE = {
    "workflow/scripts/headct": (".py",),
    "workflow/rules": (".smk",),
    "workflow/schemas": (".yaml",),
    "workflow/envs": (".yaml", ".lock", "/Containerfile"),
    "workflow/report": (".rst",),
    "workflow/page": (
        ".ts",
        ".css",
        "/build.js",
        "/package.json",
        "/package-lock.json",
        "/tsconfig.json",
        "/biome.json",
    ),
}
"""Where the files of the software are, and how their names end."""

RESOURCES = (
    "resources/blast_ct_v1.sha256",
    "resources/rates.tsv",
    "resources/sizes.tsv",
    "resources/published/README.md",
    "resources/published/agreement_focal.tsv",
    "resources/published/claims.tsv",
    "resources/published/prior_work.tsv",
    "resources/published/selection.tsv",
    "resources/published/table1_dice.tsv",
    "resources/published/table2_cohort.tsv",
    "resources/reporting/claim-2024.yaml",
    "resources/reporting/consort-ai.yaml",
    "resources/reporting/stard-ai.yaml",
    "resources/reporting/tripod-ai.yaml",
)
"""The resources that go with the software; by name, since a study may have put files of its own there."""

OF_WORKFLOW = tuple(dict.fromkeys(chain.from_iterable(SOFTWARE.values())))
"""How the names of the files below workflow/ end that are copied."""

OF_SET_UP = ("workflow/page/node_modules", "workflow/page/bundle")
"""Folders that make fills at set-up: packages by their lock, and what is bundled from the sources."""

KINDS = frozenset(
    {
        ".csv",
        ".tsv",
        ".txt",
        ".md",
        ".json",
        ".yaml",
        ".yml",
        ".toml",
        ".ini",
        ".cfg",
        ".env",
        ".xml",
        ".xls",
        ".xlsx",
        ".ods",
        ".doc",
        ".docx",
        ".pdf",
        ".html",
        ".log",
        ".sh",
        ".r",
        ".ipynb",
        ".zip",
        ".gz",
        ".tar",
        ".dcm",
        ".nii",
        ".nrrd",
        ".png",
        ".svg",
        ".jpg",
        ".jpeg",
        ".tif",
        ".pkl",
        ".npz",
        ".pth",
    }
)
"""Endings of names that are told; any other could be a part of a patient's name or number."""

RUN = "start of the run"
SEAL = "seal"
STARTED = frozenset({STUDY, CONFIG, "audit/start.json"})
"""Files that Snakemake's main process writes when a run starts."""
STATE = "audit/seal.json"


def seal(
    results: Path,
    repository: Path,
    settings: Iterable[Path],
    plan: Path,
    number: int,
    requested: Sequence[str] = (),
) -> str:
    """Seal a results folder.

    Args:
        results: the folder.
        repository: where the Snakefile is.
        settings: the configuration files that were used.
        plan: the analysis plan that was used.
        number: how often the folder was sealed again because a job had run since.
        requested: the files that the run was to make, as in the records; all others but those behind them are
            former results (:mod:`headct.provenance.former`). Where none is given, there are none.

    Returns:
        The root digest.

    Raises:
        BadInput: a record can't be read, or there is anything that no list can hold.
    """
    from headct.provenance import (  # the Snakefile imports this module, and need not wait for those
        crate,
        former,
    )

    for left in results.rglob(f".*.{UNFINISHED}*"):  # of jobs that were killed; none runs beside this one
        left.unlink()
        logger.info("seal  removed %s: a job was killed while it wrote it", left.relative_to(results))
    if problems := [*unlistable(results), *withdrawn(results)]:
        raise BadInput(problems)
    copy_workflow(repository, results, [*settings, plan])
    try:
        remained = former.without_record(results, run_records.load(results))
        write_json({"number": number, "asked": sorted(requested), "former": remained}, results / STATE)
        crate.write(results, requested)
        return manifest.write(results, entries(results))
    except ValueError as error:
        raise BadInput([Problem(str(results), str(error))]) from error


def unlistable(results: Path) -> list[Problem]:
    """What no list of files can hold: links and the like, names that tools take for something else."""
    found = untrusted.everything_in(results)
    advice = "only files can be sealed: put the file itself in its place, or take it away"
    others = [Problem(str(results / path), f"{what}; {advice}") for path, what in found.others.items()]
    message = "the list can't hold this name (characters that don't show, a backslash, a formula): rename it"
    return others + [
        Problem(str(results / path), message)
        for path in found.sizes
        if visible(path) != path or "\\" in path or FORMULA.match(path)
    ]


def withdrawn(results: Path) -> list[Problem]:
    """Data of scans that were withdrawn, and must not be sealed again."""
    scans = amendments.withdrawn(amendments.load(results))
    return [
        Problem(str(results / path), "is of a scan that was withdrawn, and can't be sealed again: delete it")
        for path in manifest.files_in(results)
        if amendments.is_of(path, scans)
    ]


def copy_workflow(repository: Path, results: Path, used: Iterable[Path]) -> None:
    """Copy the software, in the layout in which it runs, and the configuration and plan that were used.

    Nothing else is copied, whatever lies beside it (a sample sheet, credentials, images): it is counted in
    :data:`NOT_COPIED`. Links are not followed, but for the files that were used.
    """
    to = results / WORKFLOW
    shutil.rmtree(to, ignore_errors=True)
    there = _files(repository)
    copied = [
        path
        for path, place in there.items()
        if (path in RESOURCES or _is_of_workflow(path)) and place.is_file() and not place.is_symlink()
    ]
    for path in [*copied, "Snakefile"]:
        _copy(repository / path, to / path)
    own: list[str] = []
    for file in used:
        name = _place(file.absolute(), repository.absolute())
        own.append(name if name not in own else f"config/{len(own) + 1}/{file.name}")
        _copy(file, to / own[-1])
    left = Counter((path.split("/")[0], _kind(path)) for path in there.keys() - {*copied, *own})
    rows = [("folder", "kind", "files"), *((*key, str(n)) for key, n in sorted(left.items()))]
    with write_atomically(results / NOT_COPIED) as temporary:
        temporary.write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")
    if left:
        logger.info("seal  %d files beside the workflow were not copied: %s", left.total(), NOT_COPIED)


def software(repository: Path) -> list[str]:
    """The files of the software itself, without any that a study may have put beside them."""
    return ["Snakefile", *(path for path in _files(repository) if _is_software(path))]


def _is_software(path: str) -> bool:
    of_kind = (path.startswith(f"{folder}/") and path.endswith(ends) for folder, ends in SOFTWARE.items())
    return path in RESOURCES or any(of_kind)


def _files(repository: Path) -> dict[str, Path]:
    """Files in the workflow's folders, by path; what was compiled or is made at set-up left out."""
    found = []
    for folder in FOLDERS:
        for parent, folders, names in os.walk(repository / folder):
            folders[:] = [name for name in folders if not _is_of_set_up(Path(parent, name), repository)]
            inside = [Path(parent, name) for name in (*names, *folders)]
            found += [path for path in inside if path.name in names or path.is_symlink()]
    return {path.relative_to(repository).as_posix(): path for path in found}


def _is_of_set_up(folder: Path, repository: Path) -> bool:
    """Whether a folder is of what Python compiles, or of what make installs and bundles for the page."""
    return folder.name == "__pycache__" or folder.relative_to(repository).as_posix() in OF_SET_UP


def _is_of_workflow(path: str) -> bool:
    return path.startswith("workflow/") and path.endswith(OF_WORKFLOW)


def _copy(source: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, to)


def _place(path: Path, repository: Path) -> str:
    """Where the copy of a file that was used goes: as in the repository, or in config/ from elsewhere."""
    inside = os.path.relpath(path, repository)  # by the names that were given, whatever is a link
    return f"config/{path.name}" if inside.startswith("..") else Path(inside).as_posix()


def _kind(path: str) -> str:
    name = PurePosixPath(path).name.casefold()
    ends = name if name in KINDS else PurePosixPath(name).suffix
    return f"*{ends}" if ends in KINDS else "other"


def entries(results: Path) -> list[Entry]:
    """One entry per file of the folder, sorted; hashed here is what no record has the digest of.

    Raises:
        ValueError: a record can't be read.
    """
    from headct.provenance import former

    found = run_records.load(results)
    made = manifest.makers(found)
    made_by = dict.fromkeys(former.state(results)["former"], former.MADE_BY)
    made_by |= {record.path: record.path for record in found}
    made_by |= {manifest.below_results(record.log): record.path for record in found}
    listed = []
    for path, size in manifest.files_in(results).items():
        if record := made.get(path):
            listed.append(Entry(path, size, record.outputs[f"results/{path}"], record.path))
        else:
            listed.append(Entry(path, size, sha256_of(results / path), made_by.get(path) or by_itself(path)))
    return listed


def by_itself(path: str) -> str:
    """What makes a file that is no job's, as the list has it; "" where nothing tells."""
    if path in STARTED:
        return RUN
    if path == LEDGER:
        return "jobs that scored"
    if path.startswith(amendments.FOLDER):
        return amending.MADE_BY
    return SEAL if path.startswith(f"{WORKFLOW}/") or path in (STATE, NOT_COPIED, manifest.CRATE) else ""


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
