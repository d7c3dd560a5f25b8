"""Scans in shards: which job converts a scan, and whether what it made of it still holds.

One job converts the scans of a shard, one after the other. It declares one file, a manifest with the digest
of each scan's record. The records and volumes themselves are not declared, so that Snakemake, which
removes what a failed or interrupted job declares, takes no finished scan away.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from headct.contracts.artefacts import digest_of_path, read_json, sha256_of, write_atomically
from headct.imaging.scan_files import files_of, root_of
from headct.settings.sheet import external_set, mask_columns

RECORD = "scan.json"
COLUMNS = ("scan_id", "sha256", "revision")
"""Of a manifest: the digest of each scan's record, and the shard's revision, the same in each row."""

OF_A_SCAN = ("scan_id", "participant_id", "image", "labels", "age", "sex")
"""What the sheet says of a scan that its conversion depends on, beside its masks."""


def name_of(scan_id: str, shards: int) -> str:
    """The shard of a scan, by its id alone: one that is added or removed moves no other."""
    number = int.from_bytes(hashlib.sha256(scan_id.encode()).digest()[:8], "big") % shards
    return f"{number:0{len(str(shards - 1))}}"


def divide(rows: Iterable[dict[str, Any]], shards: int) -> dict[str, list[dict[str, Any]]]:
    """Rows of the sheet by shard, both in alphabetical order; a shard without a scan is left out.

    Each external set has shards of its own, SET-NUMBER: its scans bring back no job of the study itself.
    """
    members = defaultdict(list)
    for row in sorted(rows, key=lambda row: str(row["scan_id"])):
        of_set, number = external_set(row), name_of(row["scan_id"], shards)
        members[f"{of_set}-{number}" if of_set else number].append(row)
    return dict(sorted(members.items()))


def definition(rows: Mapping[str, Any] | Sequence[Mapping[str, Any]], *others: Any) -> str:
    """SHA-256 of what one or several rows of the sheet say of their scans, and of anything else (as JSON)."""
    several = [rows] if isinstance(rows, Mapping) else rows
    content = [[[*(row[column] for column in OF_A_SCAN), masks_of(row)] for row in several], *others]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def masks_of(row: Mapping[str, Any]) -> dict[str, str]:
    """Paths of a scan's masks by column of the sheet."""
    return {column: row[column] for column in mask_columns(row) if row[column]}


def digests_of(files: Mapping[str, str | Path]) -> dict[str, str]:
    """SHA-256 of each file that can be read, by its key; of a folder, that of its files' digests."""
    digests = {}
    for key, path in files.items():
        with contextlib.suppress(OSError):
            if Path(path).is_file() or Path(path).is_dir():  # to open a pipe would wait for ever
                digests[key] = digest_of_path(path)
    return digests


def listing_of(folder: str | Path, files: Mapping[str, os.stat_result]) -> str:
    """SHA-256 of the names (below ``folder``) and sizes of its files (:func:`files_of`).

    What can't be read is not listed: once it can be, the listing differs.
    """
    above = len(os.path.join(root_of(Path(folder)), ""))  # noqa: PTH118
    listed = sorted((file[above:], entry.st_size) for file, entry in files.items())
    return hashlib.sha256(json.dumps(listed).encode()).hexdigest()


def holds(path: Path, image: str | Path) -> bool:
    """Whether a scan's record tells what its image (folder or file) consists of, and its volumes are there.

    Files of other names or sizes are noticed at once; one that is newer than the record is hashed,
    so that a copied folder, with new times and the same bytes, is no reason to convert again.
    """
    try:
        record, converted = read_json(path), path.stat().st_mtime_ns
        source, volumes, digests = record["source"], record["sha256"], set(record["other_files"])
        digests |= {instance["sha256"] for instance in record["instances"]}
    except (OSError, ValueError, KeyError):  # not there, damaged, or of another version
        return False
    files = files_of(image)
    if source != listing_of(image, files):
        return False
    if not all((path.parent / volume).is_file() for volume in volumes):
        return False
    in_error = record.get("status") == "error"  # a new permission, say, changes but the time of the entry
    newer = (
        file
        for file, entry in files.items()
        if (entry.st_ctime_ns if in_error else entry.st_mtime_ns) > converted
    )
    try:
        return all(sha256_of(file) in digests for file in newer)
    except OSError:  # a file that can't be read any more
        return False


def is_current(path: Path, row: Mapping[str, Any], defined_by: str) -> bool:
    """Whether a scan's record holds, and was made of these masks, by this definition."""
    if not holds(path, row["image"]):
        return False
    record = read_json(path)
    made_by = record.get("definition"), record.get("mask_sha256")
    return made_by == (defined_by, digests_of(masks_of(row)))


def revision(manifest: str | Path, data: Path, rows: Iterable[Mapping[str, Any]]) -> int:
    """How often a shard was run again because a scan of it did not hold any more.

    As a parameter of its rule, this number brings the job back: it is the manifest's while all records
    hold and are those that the manifest lists, and one more once they do not.
    """
    path = Path(manifest)
    if not path.is_file():
        return 0
    with open(path, encoding="utf-8", newline="") as stream:
        listed = {entry["scan_id"]: entry for entry in csv.DictReader(stream, delimiter="\t")}
    known = [row for row in rows if row["scan_id"] in listed]
    stale = not all(
        holds(record := data / row["scan_id"] / RECORD, row["image"])
        and sha256_of(record) == listed[row["scan_id"]]["sha256"]
        for row in known
    )
    return max((int(entry["revision"]) for entry in listed.values()), default=0) + stale


def write_manifest(path: Path, data: Path, scan_ids: Iterable[str], revision: int) -> None:
    """Write the manifest of a shard whose scans have all been converted.

    Args:
        path: of the manifest.
        data: folder of the converted scans.
        scan_ids: of the shard.
        revision: of the files that a conversion leaves.
    """
    with write_atomically(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, delimiter="\t", lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([scan, sha256_of(data / scan / RECORD), revision] for scan in scan_ids)
