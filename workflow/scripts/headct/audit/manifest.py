"""The sealed list of all files of a results folder, and its digest, the root.

``audit/manifest.tsv`` has one line per file, sorted by path: path below results/, size in bytes,
SHA-256, and the record of the job that made it. ``audit/root.sha256`` holds the SHA-256 of that list, as
``sha256sum`` writes it; who knows the root can tell whether anything has changed.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from headct.artefacts import sha256_of, write_atomically
from headct.audit.records import Record

MANIFEST = "audit/manifest.tsv"
ROOT = "audit/root.sha256"
SIGNATURE = "audit/root.sha256.sig"
CRATE = "ro-crate-metadata.json"
OUTSIDE = frozenset({MANIFEST, ROOT, SIGNATURE})
"""The only files that the list can't have: itself, its digest, and the signature of that."""

COLUMNS = ("path", "size", "sha256", "made_by")
SHA256_LENGTH = 64


@dataclass(frozen=True)
class Entry:
    """One file: path below results/, size in bytes, SHA-256, what made it ("" where nothing tells)."""

    path: str
    size: int
    sha256: str
    made_by: str


def files_in(results: Path) -> dict[str, int]:
    """Size in bytes of every file of a results folder by its path below it; those of the list left out.

    Links are followed; one that leads nowhere counts as a file of size -1.
    """
    found = {}
    for parent, _, names in os.walk(results, followlinks=True):
        for name in names:
            file = os.path.join(parent, name)  # noqa: PTH118
            path = os.path.relpath(file, results)
            if path not in OUTSIDE:
                found[path] = os.stat(file).st_size if os.path.exists(file) else -1  # noqa: PTH110, PTH116
    return dict(sorted(found.items()))


def makers(records: Iterable[Record]) -> dict[str, Record]:
    """The record of the last job that made each file, by the file's path below results/."""
    made: dict[str, Record] = {}
    for record in sorted(records, key=lambda record: record.ended):
        made |= dict.fromkeys((path for output in record.outputs if (path := below_results(output))), record)
    return made


def below_results(path: str) -> str:
    """A path of a record (relative to the study's folder) below results/; "" for one that lies elsewhere."""
    return path.removeprefix("results/") if path.startswith("results/") else ""


def write(results: Path, entries: Iterable[Entry]) -> str:
    """Write the list and its root; returns the root."""
    rows = ["\t".join(map(str, (entry.path, entry.size, entry.sha256, entry.made_by))) for entry in entries]
    with write_atomically(results / MANIFEST) as temporary:
        temporary.write_text("\n".join(["\t".join(COLUMNS), *rows]) + "\n", encoding="utf-8", newline="")
    root = sha256_of(results / MANIFEST)
    with write_atomically(results / ROOT) as temporary:
        temporary.write_text(line_of(root), encoding="ascii")
    return root


def read(results: Path) -> dict[str, Entry]:
    """The list by path.

    Raises:
        ValueError: it is no such list.
        OSError: it is not there.
    """
    with open(results / MANIFEST, encoding="utf-8", newline="") as stream:
        rows = csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE, restkey="more")
        if tuple(rows.fieldnames or ()) != COLUMNS:
            raise ValueError("is no list of files: its first line names other columns")
        entries = [Entry(row["path"], int(row["size"]), row["sha256"], row["made_by"] or "") for row in rows]
    return {entry.path: entry for entry in entries}


def line_of(root: str) -> str:
    """The content of the file that holds the root."""
    return f"{root}  {Path(MANIFEST).name}\n"


def root_of(results: Path) -> str:
    """The root that the folder states; all of the file where it is no such line, "" where there is none."""
    path = results / ROOT
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    root = text[:SHA256_LENGTH]
    return root if text == line_of(root) else text
