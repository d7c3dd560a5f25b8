"""Take the data of scans out of a study, because somebody withdrew consent, and record that it was done.

What holds data of a scan is found by what the contracts say: volumes and label maps by their names, rows by
the column ``scan_id``, drawings by the table beside them, what is in the work folder by what it says of
itself. The plan is written down first; whatever ends the work, doing it again goes on with the same plan.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from headct.contracts import amendments, run_records, untrusted
from headct.contracts.amendments import BEGUN, Amendment
from headct.contracts.artefacts import (
    CONFIG,
    STUDY,
    read_json,
    read_tsv,
    sha256_of,
    write_atomically,
    write_json,
)
from headct.contracts.problems import BadInput, Problem
from headct.contracts.untrusted import Unusable
from headct.engine import workfolder
from headct.engine.training_job import NAME_DIGITS, prepared_from, training_scans
from headct.frameworks.outside.maps_folder import OF_EACH_SCAN, OUTSIDE
from headct.frameworks.registry import frameworks
from headct.provenance import amending, crate, former, manifest, rows

COHORT, SPLIT, EXTERNAL = "cohort/cohort.tsv", "cohort/split.tsv", "cohort/external"
QC = ("cohort.tsv", "flow.tsv", "ingest_qc.pdf", "ingest_qc.tsv", "qc.log", "report")
"""Files of qc/, beside the results, and the folder of its page (workflow/rules/qc.smk)."""
SAME_PERSON = "is of the same participant, and consent is a person's: name this scan, too"
DEFINED_BY = ("training scans", "validation scans")
"""What the definition of a training says of scans: digests by scan."""


@dataclass(frozen=True)
class StudyFolder:
    """A study's folder, in which ``results/`` is."""

    folder: Path

    @property
    def results(self) -> Path:
        """Everything that counts."""
        return self.folder / "results"

    @cached_property
    def config(self) -> dict[str, Any]:
        """The configuration of the last run."""
        config: dict[str, Any] = read_json(self.results / CONFIG)
        return config

    @property
    def work(self) -> Path:
        """Scratch: checkpoints, preprocessed scans."""
        return self.folder / str(self.config["work_dir"])

    @cached_property
    def participants(self) -> dict[str, str]:
        """The participant of each scan that the study ever had, and has not withdrawn."""
        known: dict[str, str] = {}
        if (self.results / COHORT).is_file():
            cohort = read_tsv(self.results / COHORT)
            known |= dict(zip(cohort["scan_id"], cohort["participant_id"], strict=True))
        if (self.results / STUDY).is_file():
            known |= read_json(self.results / STUDY)["participants"]
        return known


@dataclass(frozen=True)
class Withdrawal:
    """A plan: what is done with which files of the results, by path below them.

    Attributes:
        number, date, reason, scans, participants, root: as of an :class:`Amendment`.
        deleted: digest of each file that is deleted.
        changed: digest of each file that loses what it says of the scans.
        words: scans and participants, which lines of logs may name.
    """

    number: int
    date: str
    reason: str
    scans: Sequence[str]
    participants: int
    root: str
    deleted: dict[str, str] = field(default_factory=dict)
    changed: dict[str, str] = field(default_factory=dict)
    words: Sequence[str] = ()


# -- what can't be done ------------------------------------------------------------------------------


def check(study: StudyFolder, scans: Sequence[str], reason: str) -> None:
    """Whether these scans can be withdrawn.

    Raises:
        BadInput: everything that is against it.
    """
    if not (study.results / CONFIG).is_file():
        message = "no run has begun in this folder, so it holds no data of any scan"
        raise BadInput([Problem(str(study.results / CONFIG), message)])
    problems = [] if scans else [Problem("withdraw", "name the scans that are withdrawn")]
    if not reason.strip() or not reason.isprintable():
        message = "say why in one line, without a name or a number of the patient: it stays in the results"
        problems.append(Problem("withdraw", message, key="--reason", value=reason))
    before = amendments.withdrawn(amendments.load(study.results))
    for scan in dict.fromkeys(scans):
        if scan in before:
            message = f"was withdrawn before: {before[scan].in_words()} ({before[scan].path})"
            problems.append(Problem("withdraw", message, value=scan))
        elif scan not in study.participants:
            message = "the study has, and had, no such scan (its scans are listed in results/study.json)"
            problems.append(Problem("withdraw", message, value=scan))
    problems += _others_of_participants(study, scans)
    if not problems:
        problems += _links(study)
    if problems:
        raise BadInput(problems)


def _others_of_participants(study: StudyFolder, scans: Sequence[str]) -> list[Problem]:
    whose = {study.participants[scan] for scan in scans if scan in study.participants}
    return [
        Problem("withdraw", SAME_PERSON, value=scan)
        for scan, participant in study.participants.items()
        if participant in whose and scan not in scans
    ]


def _links(study: StudyFolder) -> list[Problem]:
    """Links and the like, behind which data of a scan could stay, or data of others be deleted."""
    folders = [study.results, *(study.work / name for name in _own_in_work())]
    found = {folder: untrusted.everything_in(folder).others for folder in folders if folder.exists()}
    for folder, others in found.items():
        if folder != study.results and folder.is_symlink():
            others["."] = "is a link"
    advice = "nothing was deleted. Put the files themselves in its place, or take it away"
    return [
        Problem(str(folder / path), f"{what}; {advice}")
        for folder, others in found.items()
        for path, what in others.items()
    ]


def _own_in_work() -> tuple[str, ...]:
    """The folders that the workflow makes in the work folder."""
    return "training", "predictions", OUTSIDE, *frameworks()


# -- what holds data of the scans --------------------------------------------------------------------


def plan(study: StudyFolder, scans: Sequence[str], reason: str) -> Withdrawal:
    """What is to be done with the results.

    Raises:
        BadInput: a file is not as it was when it was sealed.
    """
    found = Withdrawal(
        number=len(amendments.load(study.results)) + 1,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        reason=reason.strip(),
        scans=sorted(set(scans)),
        participants=len({study.participants[scan] for scan in scans}),
        root=manifest.root_of(study.results) if is_sealed(study.results) else "",
        words=sorted({*scans, *(study.participants[scan] for scan in scans)}),
    )
    there = untrusted.everything_in(study.results).sizes
    changed = [path for path in there if _names(study.results, path, found)]
    drawn = {path.removesuffix(".tsv") for path in changed if path.endswith(".tsv")}
    deleted = [
        path
        for path in there
        if amendments.is_of(path, found.scans) or (path.endswith(amendments.DRAWN) and _stem(path) in drawn)
    ]
    found.deleted.update({path: sha256_of(study.results / path) for path in deleted})
    found.changed.update({path: sha256_of(study.results / path) for path in changed if path not in deleted})
    if found.root:
        _check_sealed(study.results, found)
    return found


def is_sealed(results: Path) -> bool:
    """Whether the list of files is that of the results as they are: no job has run since it was made."""
    try:
        listed = manifest.read(results)
    except Unusable:
        return False
    records = {path: entry.sha256 for path, entry in listed.items() if path.startswith(run_records.FOLDER)}
    there = (results / run_records.FOLDER).rglob("*.json")
    now = {path.relative_to(results).as_posix(): sha256_of(path) for path in there}
    return records == now and manifest.root_of(results) == sha256_of(results / manifest.MANIFEST)


def _check_sealed(results: Path, found: Withdrawal) -> None:
    listed = manifest.read(results)
    advice = "is not as it was sealed; find out why first (headct audit verify)"
    problems = [
        Problem(str(results / path), advice)
        for path, digest in {**found.deleted, **found.changed}.items()
        if path not in listed or listed[path].sha256 != digest
    ]
    if problems:
        raise BadInput(problems)


def _stem(path: str) -> str:
    return path.rpartition(".")[0]


def _names(results: Path, path: str, found: Withdrawal) -> bool:
    """Whether a file of the results holds rows, lines or names of the scans that it is to lose."""
    if not amendments.may_change(path) or path == manifest.CRATE:
        return False
    text = _text(results / path)
    if path.endswith(".tsv"):
        return not rows.scans_in(text).isdisjoint(found.scans)
    return rows.names(text, found.scans if path == STUDY else found.words)


def _text(file: Path) -> str:
    """A text of the study's own; BadInput where it is none, since nobody knows then whom it names."""
    try:
        return untrusted.text_of(file)
    except Unusable as error:
        raise BadInput([Problem(str(file), f"{error}; nothing was deleted")]) from error


def without(path: str, text: str, found: Withdrawal) -> str:
    """A text of the results without what it says of the scans.

    Args:
        path: of its file, below the results.
        text: as it is.
        found: whose data it loses.
    """
    if path == STUDY:
        return rows.without_participants(text, found.scans)
    if path.endswith(".tsv"):
        return rows.without_rows(text, found.scans)
    return rows.without_lines(text, found.words)


def looked_at(study: StudyFolder) -> list[Path]:
    """What ``snakemake qc`` made, which shows every scan and is made again in a moment."""
    return [path for path in (study.folder / "qc" / name for name in QC) if path.exists()]


def prepared(study: StudyFolder, scans: Collection[str]) -> list[Path]:
    """What the work folder holds of the scans, and what does not say whose it is: files and folders.

    A training that knew one of them, to learn from or to be validated on, is never gone on with.
    """
    others = set()
    if (study.results / SPLIT).is_file():
        left = scans_in_sets(study.results)
        left = left[~left["scan_id"].isin(list(scans))]
        others = {scan.prepared_name for scan in training_scans(left, study.results / "data")}
        others |= {ct[:NAME_DIGITS] for ct in left["ct_sha256"]}
    patterns = {name: framework.prepared_at for name, framework in frameworks().items()}
    found = []
    for name, pattern in (patterns | {OUTSIDE: OF_EACH_SCAN}).items():
        for made in sorted((study.work / name).glob(pattern)):
            whose = prepared_from(made)
            if whose is None or not others.issuperset(whose):
                found.append(made)
    runs = sorted((study.work / "training").glob("*/*/*"))
    return found + [run for run in runs if run.is_dir() and _knew(run, scans)]


def scans_in_sets(results: Path) -> pd.DataFrame:
    """The rows of ``split.tsv``, and of the tables of external sets, which have no fold; folds as text."""
    files = [results / SPLIT, *sorted((results / EXTERNAL).glob("*.tsv"))]
    return pd.concat([read_tsv(file, fold=str) for file in files], ignore_index=True)


def _knew(run: Path, scans: Collection[str]) -> bool:
    try:
        defined_by = read_json(run / workfolder.KEY)
        return any(not scans_of.keys().isdisjoint(scans) for scans_of in map(defined_by.get, DEFINED_BY))
    except (OSError, ValueError, AttributeError):  # it does not say
        return True


def lists_of_predictions(study: StudyFolder, scans: Collection[str]) -> list[Path]:
    """Lists in the work folder of what need not be predicted again that name one of the scans."""
    found = sorted((study.work / "predictions").rglob("*.json"))
    return [path for path in found if not read_json(path).keys().isdisjoint(scans)]


# -- doing it ----------------------------------------------------------------------------------------


def begun(results: Path) -> Withdrawal | None:
    """The withdrawal that was begun and not finished, if there is one.

    Raises:
        BadInput: what is written there is no plan of a withdrawal, which is not followed.
    """
    path = results / BEGUN
    if not path.is_file():
        return None
    try:
        found = Withdrawal(**untrusted.json_of(path))
        planned = amendments.planned(asdict(found))
    except (Unusable, TypeError, AttributeError) as error:
        raise BadInput(
            [Problem(str(path), f"is no plan of a withdrawal ({error}): nothing is done")]
        ) from error
    wrong = [name for name in planned.deleted if not planned.may_delete(name)]
    wrong += [name for name in planned.changed if not amendments.may_change(name)]
    if wrong:
        message = "is no plan of a withdrawal: it names files of others; nothing is done"
        raise BadInput([Problem(str(path), message, value=name) for name in wrong])
    return found


def begin(study: StudyFolder, found: Withdrawal) -> None:
    """Write the plan down, beside the list of files as it is sealed now."""
    own = study.results / amendments.FOLDER
    for suffix, source in amending.OF_SEAL.items():
        copy = own / f"{found.number}{suffix}"
        copy.unlink(missing_ok=True)  # of one that was not begun after all
        if found.root and (study.results / source).is_file():
            with write_atomically(copy) as temporary:
                shutil.copyfile(study.results / source, temporary)
    write_json(asdict(found), study.results / BEGUN)


def finish(study: StudyFolder, on_step: Callable[[str], None] = lambda _step: None) -> str:
    """Do what was begun, or what is left of it; returns the root digest after it, "" if nothing was sealed.

    ``on_step`` is called before each step, with what it works on.
    """
    found = begun(study.results)
    if found is None:
        raise ValueError("no withdrawal was begun")
    if problems := _links(study):
        raise BadInput(problems)
    for path in lists_of_predictions(study, found.scans):
        on_step(str(path))
        entries = read_json(path)
        write_json({scan: entry for scan, entry in entries.items() if scan not in found.scans}, path)
    for path in [*looked_at(study), *prepared(study, found.scans)]:
        on_step(str(path))
        _delete(path)
    for name in found.deleted:
        on_step(name)
        _delete(study.results / name)
        _delete_empty(study.results, name)
    for name in found.changed:
        on_step(name)
        text = without(name, _text(study.results / name), found)
        with write_atomically(study.results / name) as temporary:
            temporary.write_bytes(text.encode())
    on_step(amendments.FOLDER)
    root = _record(study.results, found, on_step)
    on_step(BEGUN)
    (study.results / BEGUN).unlink()
    return root


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _delete_empty(results: Path, name: str) -> None:
    """Delete the folder of a file, and those that it is in, where nothing is left in them."""
    for folder in (results / name).parents:
        if folder == results or not folder.is_dir() or any(folder.iterdir()):
            return
        folder.rmdir()


def _record(results: Path, found: Withdrawal, on_step: Callable[[str], None]) -> str:
    """Write the amendment, the crate without what is gone, and the list of files with its root."""
    amendment = _amendment(results, found, found.changed)
    write_json(asdict(amendment), results / amendment.path)
    if not found.root:
        for path in manifest.OUTSIDE:  # of another state of the results: the next run seals them
            (results / path).unlink(missing_ok=True)
        return ""
    before = manifest.parsed(untrusted.text_of(results / amendment.list_before))
    if manifest.CRATE in before:
        on_step(manifest.CRATE)
        crate.write(results, requested(results))
        of_crate = {manifest.CRATE: before[manifest.CRATE].sha256}
        amendment = _amendment(results, found, found.changed | of_crate)
        write_json(asdict(amendment), results / amendment.path)
    on_step(manifest.MANIFEST)
    for path in manifest.SIGNED:  # of the list before, where it is now
        (results / path).unlink(missing_ok=True)
    return manifest.write(results, amending.entries_after(before, amendment, _file_in(results)))


def requested(results: Path) -> list[str]:
    """What the run was to make, as the seal knows."""
    paths: list[str] = former.state(results)["asked"]
    return paths


def _file_in(results: Path) -> Callable[[str], tuple[int, str] | None]:
    def file(path: str) -> tuple[int, str] | None:
        there = results / path
        return (there.stat().st_size, sha256_of(there)) if there.is_file() else None

    return file


def _amendment(results: Path, found: Withdrawal, before: Mapping[str, str]) -> Amendment:
    """The record of what was done; ``before`` are the digests that the changed files had."""
    return Amendment(
        number=found.number,
        date=found.date,
        reason=found.reason,
        scans=found.scans,
        participants=found.participants,
        root=found.root,
        deleted=found.deleted,
        changed={path: _change(results / path, digest) for path, digest in before.items()},
    )


def _change(file: Path, before: str) -> dict[str, Any]:
    return {"before": before, "after": sha256_of(file), "size": file.stat().st_size}
