"""Sizes on disk, in MB: of a scan, a network, a label map. They depend on no card.

They stand in ``resources/sizes.tsv``, or in another file of the same columns.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path

from headct.contracts.artefacts import write_atomically
from headct.contracts.problems import BadInput, Problem
from headct.contracts.repository import RESOURCES
from headct.settings.tables import NUMBER

SIZES = RESOURCES / "sizes.tsv"
COLUMNS = ("quantity", "of", "mb", "source")

Sizes = Mapping[tuple[str, str], float]
"""MB by quantity and what they are of."""


def read(path: Path = SIZES) -> Sizes:
    """All rows of a file.

    Raises:
        BadInput: no such file, no text, other columns, or a size that is no number.
    """
    file = str(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        message = f"can't be read as a file of sizes ({reason}): 'headct pilot' writes one"
        raise BadInput([Problem(file, message)]) from error
    header, *lines = list(csv.reader(io.StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE)) or [[]]
    if tuple(header) != COLUMNS:
        raise BadInput([Problem(file, f"its columns must be {', '.join(COLUMNS)}", "1")])
    problems, sizes = [], {}
    for number, cells in enumerate(lines, start=2):
        if len(cells) != len(COLUMNS) or not NUMBER.fullmatch(cells[2]):
            message = f"must have a cell for each of {', '.join(COLUMNS)}, and a number of MB"
            problems.append(Problem(file, message, str(number)))
        else:
            sizes[cells[0], cells[1]] = float(cells[2])
    if problems:
        raise BadInput(problems)
    return sizes


def write(sizes: Sizes, source: str, path: Path) -> None:
    """Write a file of sizes, in place of one that is there; ``source`` says what they were found by."""
    rows = [(quantity, of, f"{mb:.6g}", source) for (quantity, of), mb in sizes.items()]
    with write_atomically(path) as written:
        written.write_text("".join("\t".join(row) + "\n" for row in (COLUMNS, *rows)), encoding="utf-8")
