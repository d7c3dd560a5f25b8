"""Clinical tables as people export them: workbooks, another encoding, semicolons, decimal commas, words.

Nothing is guessed: a column counts by the words that are listed here, and what can't be understood is told.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from headct.contracts.problems import BadInput, Problem

EFFECT = "speed"  # a sheet is proposed, which somebody reads before it is used

MEANINGS = {
    "age": {"age", "age years", "age at scan", "alter", "alter jahre", "age y", "patient age"},
    "sex": {"sex", "gender", "geschlecht", "patient sex"},
    "onset_to_ct_h": {"onset to ct h", "onset to ct hours", "hours to ct", "time to ct h", "onset to scan h"},
    "site": {"site", "centre", "center", "zentrum", "hospital"},
}
"""By the sheet's column, names of columns that mean it, in small letters without brackets."""

SEXES = {
    **dict.fromkeys(("f", "female", "w", "weiblich", "woman"), "F"),
    **dict.fromkeys(("m", "male", "männlich", "man"), "M"),
}
UNKNOWN = {"", "-", "?", "n/a", "na", "nan", "none", "null", "unknown", "unbekannt", "missing", "#n/a"}
"""What stands for a value that is not known."""

WORKBOOK, OLD_WORKBOOK = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
"""First bytes; those of the old Excel are also those of a workbook with a password."""

SEPARATORS = ("\t", ";", ",")


@dataclass
class ClinicalTable:
    """What a table says of patients.

    Attributes:
        rows: by the value of the key column, the sheet's columns with their values.
        open: what could not be understood, in words that name no patient.
    """

    rows: dict[str, dict[str, str]] = field(default_factory=dict)
    open: list[str] = field(default_factory=list)


def read(path: Path, key: str) -> ClinicalTable:
    """Read a table whose column ``key`` tells the patient.

    Raises:
        BadInput: no table of text, or no such column.
    """
    header, *lines = _cells(path)
    plain = [_plain(name) for name in header]
    if plain.count(_plain(key)) != 1:
        message = f"one column must be called so; there are {', '.join(filter(None, header))}"
        raise BadInput([Problem(str(path), message, key="--key", value=key)])
    keys = [row[plain.index(_plain(key))].strip() for row in lines]
    columns: dict[str, int] = {}
    found = ClinicalTable()
    for place, name in enumerate(plain):
        meant = next((column for column, words in MEANINGS.items() if name in words), "")
        if meant in columns:
            found.open.append(f"Two columns mean {meant}; the first, '{header[columns[meant]]}', was taken.")
        elif meant:
            columns[meant] = place
    taken = {*columns.values(), plain.index(_plain(key))}
    unused = [name.strip() for place, name in enumerate(header) if place not in taken and name.strip()]
    if unused:
        found.open.append(f"Columns of the clinical table that were not used: {', '.join(unused)}.")
    twice = {value for value, n in Counter(keys).items() if n > 1 and value}
    if twice:
        found.open.append(
            f"{len(twice)} patients have several rows in the clinical table: none of these was used."
        )
    for number, (value, row) in enumerate(zip(keys, lines, strict=True), start=2):
        if value and value not in twice:
            found.rows[value] = _understood(row, columns, number, found.open)
    return found


def _understood(
    row: list[str], columns: Mapping[str, int], number: int, problems: list[str]
) -> dict[str, str]:
    values = {}
    for column, place in columns.items():
        cell = row[place].strip()
        if cell.casefold() in UNKNOWN:
            continue
        value = _value(column, cell)
        if value:
            values[column] = value
        else:
            problems.append(f"Row {number} of the clinical table: {column} could not be understood.")
    return values


def _value(column: str, cell: str) -> str:
    """A cell as the sheet has it; empty where it can't be understood."""
    if column == "sex":
        return SEXES.get(cell.casefold(), "")
    if column == "site":
        return cell
    number = re.fullmatch(r"(\d+)(?:[.,](\d+))?(?: ?(?:y|years|jahre|j|h))?", cell.casefold())
    if number is None:
        return ""
    return number[1] if number[2] is None else f"{number[1]}.{number[2]}"


def _plain(name: str) -> str:
    """A column's name in small letters, its brackets, line breaks and underscores as blanks."""
    return " ".join(re.sub(r"[\W_]+", " ", name.casefold()).split())


def _cells(path: Path) -> list[list[str]]:
    """Rows of equal length, the header first."""
    content = path.read_bytes() if path.is_file() else b""
    if content.startswith(OLD_WORKBOOK):
        message = "a workbook of an old Excel, or with a password: save it as .xlsx without one, or as text"
        raise BadInput([Problem(str(path), message, key="--clinical")])
    if content.startswith(WORKBOOK):
        lines = _cells_of_workbook(path)
    else:
        text = _decoded(content)
        lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text)))
    rows = [row for row in lines if any(cell.strip() for cell in row)]
    if len(rows) < 2 or len(rows[0]) < 2:
        message = "no table: a line of column names and one for each patient, separated by tab, ; or ,"
        raise BadInput([Problem(str(path), message, key="--clinical")])
    width = len(rows[0])
    return [[*row, *[""] * (width - len(row))][:width] for row in rows]


def _cells_of_workbook(path: Path) -> list[list[str]]:
    """The cells of a workbook's one sheet, as text.

    Raises:
        BadInput: no workbook, several sheets with values, or formulas of which no value is stored.
    """
    import openpyxl  # takes a while, and few tables are workbooks
    from openpyxl.utils.exceptions import InvalidFileException

    def problem(message: str) -> BadInput:
        return BadInput([Problem(str(path), message, key="--clinical")])

    try:
        values = openpyxl.load_workbook(path, read_only=True, data_only=True)
        sheets = [[list(row) for row in sheet.iter_rows(values_only=True)] for sheet in values.worksheets]
        formulas = openpyxl.load_workbook(path, read_only=True)
        written = [[list(row) for row in sheet.iter_rows(values_only=True)] for sheet in formulas.worksheets]
    except (OSError, KeyError, ValueError, TypeError, zipfile.BadZipFile, InvalidFileException) as error:
        raise problem("no workbook of Excel (.xlsx) that can be read: save it as text") from error
    filled = [place for place, rows in enumerate(sheets) if _has_values(rows) or _has_values(written[place])]
    if len(filled) != 1:
        raise problem(f"{len(filled)} of its sheets have values, where one is expected: save that one alone")
    (place,) = filled
    for values_of_row, written_in_row in zip(sheets[place], written[place], strict=True):
        cells = zip(values_of_row, written_in_row, strict=True)
        if any(value is None and cell is not None for value, cell in cells):
            raise problem(
                "has formulas without a stored value: open and save it in Excel, or save it as text"
            )
    return [[_as_text(cell) for cell in row] for row in sheets[place]]


def _has_values(rows: Sequence[Sequence[Any]]) -> bool:
    return any(cell is not None for row in rows for cell in row)


def _as_text(cell: Any) -> str:
    """A cell as it would stand in text; whole numbers without a point."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell)


def _decoded(content: bytes) -> str:
    """The text: UTF-16 by its mark, else UTF-8, else Windows' Western European, which reads any byte."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", errors="replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def _separator(text: str) -> str:
    """What divides the first line into most cells; a comma last, since it may be a decimal one."""
    first = text.lstrip().splitlines()[0] if text.strip() else ""
    return max(SEPARATORS, key=first.count)
