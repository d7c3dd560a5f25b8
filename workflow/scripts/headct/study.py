"""What makes a results folder belong to one study, and what must hold before any job starts."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from pathlib import Path
from typing import Any

from headct.artefacts import read_json, read_tsv, sha256_of, write_json
from headct.manifests import files_listed
from headct.problems import Problem

RECORD = Path("results/study.json")
STAGES = ("data", "cohort", "models", "predictions", "metrics", "statistics", "tables", "figures", "logs")


def write_record(config: dict[str, Any], participant_of: dict[str, str]) -> None:
    """Record what the results folder belongs to, and the resolved configuration, at a run's start."""
    known = read_json(RECORD)["participants"] if RECORD.is_file() else {}
    record = {
        "name": config["study"]["name"],
        "labels": config["labels"],
        "participants": known | participant_of,  # a scan that left the sheet is not forgotten
    }
    write_json(record, RECORD)
    write_json(config, RECORD.with_name("config.json"))


def other_study(config: dict[str, Any], participant_of: dict[str, str]) -> list[Problem]:
    """Why results that are already here can't be those of this study; added scans are no reason."""
    if not RECORD.is_file():
        return []
    before = read_json(RECORD)
    advice = "keep one folder per study: run in another one with --directory, or move results/ away"
    problems = [
        Problem(str(RECORD), f"results here were made with {was}; {advice}", key=key, value=json.dumps(now))
        for key, was, now in (
            ("study.name", before["name"], config["study"]["name"]),
            ("labels", before["labels"], config["labels"]),
        )
        if was != now
    ]
    problems += [
        Problem(
            str(RECORD),
            f"results here were made with participant {before['participants'][scan]}; {advice}",
            key=f"participant_id of {scan}",
            value=participant,
        )
        for scan, participant in participant_of.items()
        if before["participants"].get(scan, participant) != participant
    ]
    return problems


def unwritable(work: str) -> list[Problem]:
    """Output folders that can't be made or written, found before hours are spent on their contents."""
    folders = [Path(work), *(Path("results") / stage for stage in STAGES)]
    problems = {}
    for folder in folders:
        nearest = next(path for path in (folder, *folder.absolute().parents) if os.path.lexists(path))
        if not nearest.is_dir():
            problems[nearest] = f"is a file, so {folder} can't be made; move it away"
        elif not os.access(nearest, os.W_OK | os.X_OK):
            problems[nearest] = f"is not writable for this user, so {folder} can't be made"
    return [Problem(str(path), message) for path, message in problems.items()]


def revision(record: str | Path) -> int:
    """How often ``record`` was made again because a file that it lists had been lost.

    Snakemake sees only declared outputs, and the volumes and weights behind a record are none. As
    a parameter of the rule that makes the record, this number brings it back: it is the recorded one
    while all files are there, and one more once a file is missing.
    """
    path = Path(record)
    if not path.is_file():
        return 0
    made = read_tsv(path)["revision"].max() if path.suffix == ".tsv" else read_json(path)["revision"]
    return int(made) + _any_lost(path)


def _any_lost(artefact: Path) -> bool:
    return not all(file.is_file() for file in files_listed(artefact))


def scan_revision(record: str | Path, dicom: str | Path) -> int:
    """As :func:`revision`, and one more once the scan's DICOM folder is not what was converted.

    Files of other names or sizes are noticed at once; one that is newer than the record is hashed,
    so that a copied folder, with new times and the same bytes, is no reason to convert again.
    """
    path = Path(record)
    if not path.is_file():
        return 0
    content, files = read_json(path), source_files(dicom)
    stale = content["source"] != listing_of(dicom, files) or _any_lost(path)
    if not stale:
        digests = {instance["sha256"] for instance in content["instances"]}
        converted = path.stat().st_mtime_ns
        newer = (file for file, entry in files.items() if entry.st_mtime_ns > converted)
        stale = any(sha256_of(file) not in digests for file in newer)
    return int(content["revision"]) + stale


def source_files(folder: str | Path) -> dict[str, os.stat_result]:
    """All files below a folder with their size and time; nothing where there is no such folder."""
    found = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):  # a broken link
                found[os.path.join(parent, name)] = os.stat(os.path.join(parent, name))  # noqa: PTH118, PTH116
    return found


def listing_of(folder: str | Path, files: dict[str, os.stat_result]) -> str:
    """SHA-256 of the names (below ``folder``) and sizes of files."""
    listed = sorted((os.path.relpath(file, folder), entry.st_size) for file, entry in files.items())
    return hashlib.sha256(json.dumps(listed).encode()).hexdigest()
