"""The sealed list of all files of a results folder, and its digest, the root.

``audit/manifest.tsv`` has one line per file, sorted by path: path below results/, size in bytes,
SHA-256, and the record of the job that made it. ``audit/root.sha256`` holds the SHA-256 of that list, as
``sha256sum`` writes it; who knows the root can tell whether anything has changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from headct.contracts import amendments, untrusted
from headct.contracts.artefacts import sha256_of, write_atomically
from headct.contracts.run_records import Record, is_sha256
from headct.contracts.untrusted import Unusable

MANIFEST = "audit/manifest.tsv"
ROOT = "audit/root.sha256"
STATEMENT = "audit/signed.txt"
SIGNATURE = f"{STATEMENT}.sig"
SIGNATURE_BY_HAND = f"{ROOT}.sig"
"""Of the root's file itself, as releases before 30 November 2026 told to make it."""
CRATE = amendments.CRATE
SIGNED = (STATEMENT, SIGNATURE, SIGNATURE_BY_HAND)
"""What a person adds who signs the root (:mod:`headct.provenance.signing`)."""
OUTSIDE = frozenset({MANIFEST, ROOT, *SIGNED})
"""The only files that the list can't have: itself, its digest, and signatures of that."""

COLUMNS = ("path", "size", "sha256", "made_by")
LINE = re.compile(r"(?P<path>[^\t]+)\t(?P<size>[0-9]{1,18})\t(?P<sha256>[0-9a-f]{64})\t(?P<made_by>[^\t]*)")
SHA256_LENGTH = 64


@dataclass(frozen=True)
class Entry:
    """One file: path below results/, size in bytes, SHA-256, what made it ("" where nothing tells)."""

    path: str
    size: int
    sha256: str
    made_by: str


def files_in(results: Path) -> dict[str, int]:
    """Size in bytes of the regular files of a results folder, by path below it; without :data:`OUTSIDE`."""
    return {
        path: size for path, size in untrusted.everything_in(results).sizes.items() if path not in OUTSIDE
    }


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
    with write_atomically(results / MANIFEST) as temporary:
        temporary.write_text(text_of(entries), encoding="utf-8", newline="")
    root = sha256_of(results / MANIFEST)
    with write_atomically(results / ROOT) as temporary:
        temporary.write_text(line_of(root), encoding="ascii")
    return root


def text_of(entries: Iterable[Entry]) -> str:
    """The list as it is written."""
    rows = ["\t".join(map(str, (entry.path, entry.size, entry.sha256, entry.made_by))) for entry in entries]
    return "\n".join(["\t".join(COLUMNS), *rows]) + "\n"


def read(results: Path) -> dict[str, Entry]:
    """The list by path.

    Raises:
        Unusable: it is not there, can't be read, or is no such list.
    """
    return parsed(untrusted.text_of(results / MANIFEST))


def parsed(text: str) -> dict[str, Entry]:
    """The list from its text; raises Unusable where it is none."""
    head, *lines = text.removesuffix("\n").split("\n")
    if head != "\t".join(COLUMNS):
        raise Unusable("is no list of files: its first line names other columns")
    entries: dict[str, Entry] = {}
    for number, line in enumerate(lines, start=2):
        entry = LINE.fullmatch(line)
        if not entry:
            raise Unusable(f"is no list of files: line {number} is not path, size, SHA-256 and record")
        if entry["path"] in entries:
            raise Unusable(f"is no list of files: line {number} names a file for the second time")
        entries[entry["path"]] = Entry(entry["path"], int(entry["size"]), entry["sha256"], entry["made_by"])
    return entries


def line_of(root: str) -> str:
    """The content of the file that holds the root."""
    return f"{root}  {Path(MANIFEST).name}\n"


def root_of(results: Path) -> str:
    """The root that the folder states; "" where it states none."""
    try:
        text = untrusted.text_of(results / ROOT)
    except Unusable:
        return ""
    root = text[:SHA256_LENGTH]
    return root if is_sha256(root) and text == line_of(root) else ""
