"""What the label maps of a model that was made elsewhere come from, and whether a list was made of just that.

Looked at whenever Snakemake starts, so nothing here reads an image.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from headct.contracts.artefacts import digest_of_path
from headct.contracts.folders import files_at
from headct.contracts.plurals import counted
from headct.contracts.problems import BadInput, Problem
from headct.settings.outside import Command, External

OUTSIDE = "outside"
"""Folder below the scratch folder, of what commands made."""

OF_EACH_SCAN = "*/*/*"
"""Pattern of that, below it: a folder of each model and definition, a file called by the digest of the CT."""

ENDS = ("", ".nii", ".nii.gz", ".nrrd", ".seg.nrrd", ".mha", ".dcm")
"""What follows the ``scan_id`` in the name of a label map; nothing in that of the folder of a DICOM-SEG."""


def called(folder: Path, name: str) -> list[Path]:
    """What lies in a folder under a name, with any of the endings of label maps."""
    return [path for end in ENDS if (path := folder / f"{name}{end}").exists()]


def find(settings: External, scans: Iterable[str], key: str) -> dict[str, Path]:
    """The label map of each scan that has one.

    Args:
        settings: of the model.
        scans: identifiers of the scans.
        key: of the setting of the folder, for messages.

    Raises:
        BadInput: there is no such folder; every scan with several label maps, or with fewer networks than
            another.
    """
    folder = Path(settings.folder)
    if not folder.is_dir():
        message = "there is no such folder: it is where the label maps of this model lie, called by scan_id"
        raise BadInput([Problem(str(folder), message, key=key)])
    found: dict[str, Path] = {}
    problems = []
    for scan in scans:
        files = called(folder, scan)
        if len(files) > 1:
            names = ", ".join(path.name for path in files)
            message = "several label maps of one scan: take all but one out of the folder"
            problems.append(Problem(str(folder), message, row=scan, key=key, value=names))
        if files:
            found[scan] = files[0]
    if settings.has_probabilities:
        problems += _fewer_networks(found, key)
    if problems:
        raise BadInput(problems)
    return found


def _fewer_networks(found: Mapping[str, Path], key: str) -> Iterator[Problem]:
    """Scans that lack files of some networks, whose average would be another model's."""
    numbers = {scan: len(files_at(path)) for scan, path in found.items()}
    most = max(numbers.values(), default=0)
    for scan, number in numbers.items():
        if number < most:
            message = f"has {counted(number, 'file')} of probabilities, others have {most}: add the rest"
            yield Problem(str(found[scan]), message, row=scan, key=key)


def digest_of(settings: Command) -> str:
    """SHA-256 of what the label maps of a command depend on beside the scans: its words and its files.

    Raises:
        OSError: a file is not there, or can't be read.
    """
    digests = [digest_of_path(file) for file in settings.files or ()]
    return hashlib.sha256(json.dumps([settings.command, digests]).encode()).hexdigest()


def revision(manifest: Path, settings: External | Command) -> int:
    """How often a list of predictions was made again because what it was made of had changed.

    As a parameter of its rule, this number brings the job back: it is that of the list while label maps, or
    the files of a command, are those that it was made of, and one more once one is new, lost or another.

    Args:
        manifest: the list of predictions.
        settings: of the model.
    """
    if not manifest.is_file():
        return 0
    with open(manifest, encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    is_there = all((manifest.parent / row["path"]).is_file() for row in rows if row["path"])
    holds = is_there and _is_of(rows, settings, manifest.stat().st_mtime_ns)
    return max((int(row["revision"]) for row in rows), default=0) + (not holds)


def _is_of(rows: Sequence[Mapping[str, str]], settings: External | Command, made_at: int) -> bool:
    """Whether the rows of a list were made of what is there; what is not newer than the list is not read."""
    if isinstance(settings, Command):
        made_of = {row["source_sha256"] for row in rows}
        newer = [file for file in settings.files or () if not _is_older(file, made_at)]
        is_there = all(Path(file).exists() for file in newer)
        return not newer or (is_there and made_of == {digest_of(settings)})
    folder = Path(settings.folder)
    for row in rows:
        files = called(folder, row["scan_id"])
        if len(files) != bool(row["source_sha256"]):
            return False
        if any(
            not _is_older(file, made_at) and digest_of_path(file) != row["source_sha256"] for file in files
        ):
            return False
    return True


def _is_older(path: str | Path, made_at: int) -> bool:
    """Whether a file, or all files in a folder, were last written before a time (ns); no file is not."""
    files = files_at(path)
    return bool(files) and all(entry.st_mtime_ns <= made_at for entry in files.values())
