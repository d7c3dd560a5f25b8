"""Tables that a user hands over and a schema describes: tab-separated text, a line of names, a row a line.

The sample sheet is not read by it: people make that in spreadsheets, and its faults are told at more length.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from headct.contracts.artefacts import without_mark
from headct.contracts.problems import BadInput, Problem
from headct.contracts.terminal import visible
from headct.settings.configuration import schema_problems

NUMBER = re.compile(r"[0-9]*\.?[0-9]+(e-?[0-9]+)?")


def read(
    path: Path, schema: Mapping[str, Any], unreadable: str
) -> tuple[list[tuple[int, dict[str, Any]]], list[Problem]]:
    """The rows that have a cell for each column, with their numbers in the file, and the faults of all rows.

    A row maps every column that the schema knows to its value: text, a number where the column has numbers,
    None where the cell is empty or the column not there. Blank rows are none.

    Args:
        path: of the table.
        schema: of one row.
        unreadable: what is said of a file that can't be read, with ``{reason}`` in it.

    Raises:
        BadInput: no such file, no text, no such table, or one without rows.
    """
    file = str(path)
    lines = list(_lines(path, unreadable))
    (_, header), *rest = lines or [(1, [])]
    if problems := list(_header_problems(header, schema, file)):
        raise BadInput(problems)
    if not rest:
        message = "has no row below the names of its columns: write some, or name another file, or none"
        raise BadInput([Problem(file, message, "1")])
    rows = []
    for number, cells in rest:
        if len(cells) != len(header):
            message = f"has {len(cells)} cells, the first line {len(header)}: write one for each column"
            problems.append(Problem(file, message, str(number)))
            continue
        named = _typed_row(dict(zip(header, cells, strict=True)), schema["properties"])
        row = dict.fromkeys(schema["properties"]) | named
        problems += _row_problems(row, schema, file, number)
        rows.append((number, row))
    return rows, problems


def one_spelling(name: str) -> str:
    """A person's name in the one spelling by which it is told: accents composed, one blank between words."""
    return " ".join(unicodedata.normalize("NFC", name).split())


def _row_problems(row: dict[str, Any], schema: Mapping[str, Any], file: str, number: int) -> list[Problem]:
    found = schema_problems(row, dict(schema), file, str(number))
    found = [_of_an_empty_cell(problem) if row[problem.key] is None else problem for problem in found]
    hidden = "has a character that does not show, here written as an escape"
    found += [
        Problem(file, hidden, str(number), name, cell)
        for name, cell in row.items()
        if isinstance(cell, str) and visible(cell) != cell
    ]
    return list(dict.fromkeys(found))


def _of_an_empty_cell(problem: Problem) -> Problem:
    """What the schema says of None, as it is to be said of an empty cell."""
    description = problem.message.partition(". ")[2]
    return replace(problem, value="", message=f"must not be empty. {description}")


def _lines(path: Path, unreadable: str) -> Iterator[tuple[int, list[str]]]:
    """The cells of each line that is not blank, with its number."""
    file = str(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise BadInput([Problem(file, unreadable.format(reason=reason))]) from error
    # strict: else a lone quotation mark swallows the rows below it, without a word
    reader = csv.reader(io.StringIO(text, newline=""), delimiter="\t", strict=True)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, cells
    except csv.Error as error:
        message = f"a quotation mark too many or too few: {error}"
        raise BadInput([Problem(file, message, str(reader.line_num))]) from error


def _header_problems(header: Sequence[str], schema: Mapping[str, Any], file: str) -> Iterator[Problem]:
    known = list(schema["properties"])
    for separator, named in ((";", "semicolons"), (",", "commas")):
        if len(header) == 1 and set(header[0].split(separator)) & set(known) - set(header):
            message = f"its cells are separated by {named}: save it with tabs between them, as UTF-8 text"
            yield Problem(file, message, "1")
            return
    for name in schema["required"]:
        if name not in header:
            yield Problem(file, "column is missing", "1", name)
    for name in header:
        if name not in known:
            yield Problem(file, f"unknown column; known: {', '.join(known)}", "1", name)
    for name in known:
        if header.count(name) > 1:
            yield Problem(file, "column stands twice", "1", name)


def _typed_row(cells: dict[str, str], properties: dict[str, Any]) -> dict[str, Any]:
    """A row's cells by column: numbers where the column has numbers, None where empty."""

    def value(name: str, text: str) -> Any:
        if "number" in properties[name]["type"] and NUMBER.fullmatch(text):
            return float(text)  # else it stays text, and the schema says what is wrong with it
        return without_mark(text) or None

    return {name: value(name, text.strip()) for name, text in cells.items()}
