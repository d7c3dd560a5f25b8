"""Which files a scan consists of that was handed over as a folder, or as one file that may need others.

Looked at whenever Snakemake starts, so nothing here reads an image.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from headct.contracts.folders import files_at

INDEX = "DICOMDIR"
"""The index of a disc: the scan is in the files around it."""

LARGEST_HEADER = 1 << 16
"""Bytes of a text header that are searched for the name of the file with the voxels."""

VOXELS_OF_PAIR = (".img", ".img.gz")
NAMED_IN_HEADER = {
    ".nhdr": re.compile(rb"(?im)^data ?file: *(.+?) *\r?$"),
    ".mhd": re.compile(rb"(?m)^ElementDataFile *= *(.+?) *\r?$"),
}
"""Of headers that name the file with the voxels, by their suffix."""


def root_of(path: Path) -> Path:
    """Where a scan lies: the folder of a DICOMDIR that was handed over in its place, else the path itself."""
    return path.parent if path.name.upper() == INDEX and path.is_file() else path


def voxels_beside(header: Path) -> Path | None:
    """The file beside a header that holds the voxels; None where there is none, or the header names no such.

    Only a plain name is followed: a header that leads into other folders, or to many files, names none.
    """
    suffix = header.suffix.lower()
    if suffix == ".hdr":
        candidates = [header.with_suffix(end) for end in VOXELS_OF_PAIR]
    elif suffix in NAMED_IN_HEADER and header.is_file():
        with open(header, "rb") as stream:
            named = NAMED_IN_HEADER[suffix].search(stream.read(LARGEST_HEADER))
        name = os.fsdecode(named[1]) if named else ""
        candidates = [header.with_name(name)] if name and not re.search(r"[/\\%\0]", name) else []
    else:
        return None
    return next((path for path in candidates if path.is_file() and path != header), None)


def files_of(path: str | Path) -> dict[str, os.stat_result]:
    """The files of a scan, the one that was handed over first, with size and time."""
    root = root_of(Path(path))
    files = files_at(root)
    try:
        voxels = voxels_beside(root)
    except OSError:  # a header that can't be opened
        voxels = None
    return files | (files_at(voxels) if voxels else {})
