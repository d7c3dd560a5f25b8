"""Sizes on disk, in MB: of a scan, a network, a label map. They depend on no card.

They stand in ``resources/sizes.tsv``, or in another file of the same columns; the schema says what each is
(``workflow/schemas/sizes.schema.yaml``).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from headct.contracts.artefacts import write_atomically
from headct.contracts.problems import BadInput
from headct.contracts.repository import RESOURCES, SCHEMAS
from headct.settings import tables
from headct.settings.configuration import load_schema

SIZES = RESOURCES / "sizes.tsv"
SCHEMA = SCHEMAS / "sizes.schema.yaml"
COLUMNS = ("quantity", "of", "mb", "source")

Sizes = Mapping[tuple[str, str], float]
"""MB by quantity and what they are of."""


def read(path: Path = SIZES) -> Sizes:
    """All rows of a file.

    Raises:
        BadInput: no such file, no text, other columns, or a size that is no number.
    """
    unreadable = "can't be read as a file of sizes ({reason}): 'headct pilot' writes one"
    rows, problems = tables.read(path, load_schema(SCHEMA), unreadable)
    if problems:
        raise BadInput(problems)
    return {(row["quantity"], row["of"]): row["mb"] for _, row in rows}


def write(sizes: Sizes, source: str, path: Path) -> None:
    """Write a file of sizes, in place of one that is there; ``source`` says what they were found by."""
    rows = [(quantity, of, f"{mb:.6g}", source) for (quantity, of), mb in sizes.items()]
    with write_atomically(path) as written:
        written.write_text("".join("\t".join(row) + "\n" for row in (COLUMNS, *rows)), encoding="utf-8")
