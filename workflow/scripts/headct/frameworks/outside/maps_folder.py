"""Label maps in a folder: which is of which scan, and whether a list of predictions was made of them.

Looked at whenever Snakemake starts, so nothing here reads an image.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

from headct.contracts.artefacts import digest_of_path
from headct.contracts.problems import BadInput, Problem

ENDS = ("", ".nii", ".nii.gz", ".nrrd", ".seg.nrrd", ".mha", ".dcm")
"""What follows the ``scan_id`` in the name of a label map; nothing in that of the folder of a DICOM-SEG."""


def find(folder: Path, scans: Iterable[str], key: str) -> dict[str, Path]:
    """The label map of each scan that has one.

    Args:
        folder: of the label maps.
        scans: identifiers of the scans.
        key: of the setting, for messages.

    Raises:
        BadInput: there is no such folder; every scan with several label maps.
    """
    if not folder.is_dir():
        message = "there is no such folder: it is where the label maps of this model lie, called by scan_id"
        raise BadInput([Problem(str(folder), message, key=key)])
    found: dict[str, Path] = {}
    problems = []
    for scan in scans:
        files = [path for end in ENDS if (path := folder / f"{scan}{end}").exists()]
        if len(files) > 1:
            names = ", ".join(path.name for path in files)
            message = "several label maps of one scan: take all but one out of the folder"
            problems.append(Problem(str(folder), message, row=scan, key=key, value=names))
        if files:
            found[scan] = files[0]
    if problems:
        raise BadInput(problems)
    return found


def revision(manifest: Path, folder: Path) -> int:
    """How often a list of predictions was made again because label maps in the folder had changed.

    As a parameter of its rule, this number brings the job back: it is that of the list while each scan has
    the label map that it was made of, and one more once one is new, lost or another.

    Args:
        manifest: the list of predictions.
        folder: of the label maps.
    """
    if not manifest.is_file():
        return 0
    with open(manifest, encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    made_at = manifest.stat().st_mtime_ns
    stale = not all(_holds(row, manifest, folder, made_at) for row in rows)
    return max((int(row["revision"]) for row in rows), default=0) + stale


def _holds(row: Mapping[str, str], manifest: Path, folder: Path, made_at: int) -> bool:
    """Whether a row was made of the label map that is there now, and what was made of it is there."""
    if row["path"] and not (manifest.parent / row["path"]).is_file():
        return False
    files = [path for end in ENDS if (path := folder / f"{row['scan_id']}{end}").exists()]
    if len(files) != bool(row["source_sha256"]):
        return False
    return all(
        path.stat().st_mtime_ns <= made_at or digest_of_path(path) == row["source_sha256"] for path in files
    )
