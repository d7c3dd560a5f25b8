"""The sample sheet: one row per scan, every fault in every row told at once."""

from __future__ import annotations

import csv
import io
import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from headct.contracts.problems import BadInput, Problem
from headct.contracts.repository import SCHEMAS
from headct.contracts.terminal import visible
from headct.settings.configuration import load_schema, schema_problems

EFFECT = "print"  # what it says of a scan stands in that scan's own definition

SCHEMA = SCHEMAS / "scans.schema.yaml"
MASK_COLUMNS = ("mask", "mask_intra", "mask_inter")
PATHS = ("image", *MASK_COLUMNS)
FORMER_NAMES = {"dicom": "image"}
"""What columns were called before, which sheets may go on to say."""

CODES = ("scan_id", "participant_id", "site", "rater")
"""Columns whose words are told apart; two that differ in case alone are a slip of the hand."""

NUMBER = re.compile(r"-?[0-9]*\.?[0-9]+")
NOT_BASELINE = "not a baseline scan"
MAXIMUM_AGE_DIFFERENCE_YEARS = 2
"""Between baseline scans of one participant."""

LONGEST_PATH_SHOWN = 100
"""Characters of a path in the table of faults."""

FOLDERS_BESIDE_SCANS = ("shards",)
"""Names in ``results/data``, where each scan has a folder of its name."""

DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}
"""What Windows takes for a device, in any case of letters: no file there can be called so."""

NOT_TEXT = {
    b"PK\x03\x04": "a workbook or an archive",
    b"\xd0\xcf\x11\xe0": "a workbook of an old Excel",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
}
"""First bytes of what spreadsheets save, other than text in UTF-8."""

SAVE_AS = "save it as text in UTF-8, its columns separated by tabs"


def load(path: Path) -> list[dict[str, Any]]:
    """Read and check the sample sheet; paths in it become relative to the working directory.

    Returns one mapping per row: text, numbers where the schema says so, None for an empty cell, and
    as ``row`` the row's number in the sheet. Whether the files exist is not looked at.

    Raises:
        BadInput: no sheet, or every fault found in it.
    """
    schema = load_schema(SCHEMA)
    file = str(path)
    header, lines = _cells(path)
    columns, problems = _columns(header, schema, file)
    rows = []
    for number, cells in lines:
        problems += _stray_cells(cells, columns, file, number)
        named = {name: cell for name, cell in zip(columns, cells, strict=False) if name}
        row = _typed(named, schema["properties"])
        hidden = _hidden_characters(row, file, number)
        problems += hidden
        already_reported = {fault.key for fault in hidden}
        problems += [
            _of_an_empty_cell(problem) if row[problem.key] is None else problem
            for problem in schema_problems(row, schema, file, row=str(number))
            if problem.key in columns and problem.key not in already_reported
        ]
        rows.append(row | {"row": number})
    problems += [
        *_duplicates(rows, file),
        *_taken_names(rows, file),
        *_case_twins(rows, file),
        *_unlike_themselves(rows, file),
        *_unusable_paths(rows, path),
        *_same_readings(rows, path),
    ]
    if not rows:
        problems.append(Problem(file, "the sheet has a header but no scan"))
    elif not baseline(rows):
        problems.append(Problem(file, "the sheet has no baseline scan", key="timepoint"))
    if problems:
        raise BadInput(problems)
    for row in rows:
        for column in PATHS:
            if row[column] is not None:
                row[column] = str(_as_on_disk(path.parent / row[column]))
    return rows


def baseline(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of baseline scans, the only ones that are ingested."""
    return [row for row in rows if row["timepoint"] in (None, "baseline")]


def participants(rows: list[dict[str, Any]]) -> dict[str, str]:
    """The participant of each scan."""
    return {row["scan_id"]: row["participant_id"] for row in rows}


def true_ages(path: Path) -> dict[str, float | None]:
    """Age of each scan's participant as the sheet has it; ``cohort.tsv`` has it capped."""
    return {row["scan_id"]: row["age"] for row in load(path)}


def check_files(
    rows: list[dict[str, Any]],
    path: Path,
    max_excluded: float,
    why_no_image: Callable[[Path], str] = lambda _path: "",
) -> None:
    """End a run whose base path is wrong before it starts thousands of jobs; one lost scan is let through.

    Args:
        rows: of the sheet, as :func:`load` gives them.
        path: of the sheet.
        max_excluded: share of the baseline scans that may lack something.
        why_no_image: why what lies at a path can't be a scan's image; empty where it may be one.

    Raises:
        BadInput: all missing folders and files, where the share of baseline scans that lack one
            exceeds ``max_excluded``.
    """
    scans = baseline(rows)
    problems = [problem for row in scans for problem in _missing_files(row, str(path), why_no_image)]
    lacking = len({problem.row for problem in problems})
    if lacking > max_excluded * len(scans):
        message = (
            f"{lacking} of {len(scans)} baseline scans lack a folder or file, more than may be lost. "
            f"Paths in the sheet are relative to its own folder, {path.parent.absolute()}"
        )
        raise BadInput(
            [Problem(str(path), message, "", "cohort.max_excluded", f"{max_excluded:g}"), *problems]
        )


def _missing_files(row: dict[str, Any], file: str, why_no_image: Callable[[Path], str]) -> list[Problem]:
    lacking = {
        "image": _why_missing(Path(row["image"]), "file or folder") or why_no_image(Path(row["image"]))
    }
    for name in MASK_COLUMNS:
        if row[name] is not None and not Path(row[name]).is_file():
            lacking[name] = _why_missing(Path(row[name]), "file") or "a folder, where a file should be"
    return [
        Problem(file, reason, str(row["row"]), name, row[name]) for name, reason in lacking.items() if reason
    ]


def _why_missing(path: Path, what: str) -> str:
    """Why nothing is found at a path; empty where something is."""
    if path.exists():
        return ""
    return (
        "a broken link: what it points to is not there" if path.is_symlink() else f"there is no such {what}"
    )


def _cells(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The header, and the cells of each row that is not blank, with the row's number in the sheet.

    Raises:
        BadInput: no sheet, no text, or no table.
    """
    file = str(path)
    lines = _lines(_text(path), file)
    if not lines:
        raise BadInput([Problem(file, "the sheet is empty")])
    (_, header), *rest = lines
    if len(header) == 1:
        message = f"the first line has one column only, and should name them all: {SAVE_AS}"
        raise BadInput([Problem(file, message, "1")])
    return header, rest


def _text(path: Path) -> str:
    """The sheet's text; BadInput where there is none, or none in UTF-8."""
    file = str(path)
    if not path.is_file():
        message = (
            "there is no sample sheet. Make one as docs/how-to/data.md describes and name it under 'sheet:' "
            "in the config; or see the whole workflow on simulated data with 'make demo'"
        )
        raise BadInput([Problem(file, message, key="sheet")])
    content = path.read_bytes()
    for signature, what in NOT_TEXT.items():
        if content.startswith(signature):
            raise BadInput([Problem(file, f"the sheet is {what}: {SAVE_AS}")])
    if b"\0" in content:
        raise BadInput([Problem(file, f"the sheet is no text, or text in UTF-16: {SAVE_AS}")])
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = str(len((content[: error.start] + b".").splitlines()))
        raise BadInput([Problem(file, f"not UTF-8: {SAVE_AS}", row)]) from error


def _lines(text: str, file: str) -> list[tuple[int, list[str]]]:
    """The cells of each line that is not blank, with its number; BadInput where quotation marks are wrong."""
    # strict: else a lone quotation mark swallows the rows below it, without a word
    reader = csv.reader(io.StringIO(text, newline=""), delimiter="\t", strict=True)
    lines, begins = [], 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                lines.append((reader.line_num, cells))
            begins = reader.line_num + 1
    except csv.Error as error:
        if "field limit" in str(error):
            message = (
                f"a cell is longer than {csv.field_size_limit()} characters, which no value is: shorten it,"
                " or end the quotation mark that it begins with"
            )
        else:
            message = f"a quotation mark too many or too few: {error}"
        raise BadInput([Problem(file, message, str(begins))]) from error
    return lines


def _columns(header: list[str], schema: dict[str, Any], file: str) -> tuple[list[str | None], list[Problem]]:
    """What each column is, and the faults of the header: "" has no name, None is told as a fault."""
    known = schema["properties"]
    columns: list[str | None] = []
    problems = []
    given = [unicodedata.normalize("NFC", name.strip()) for name in header]
    both = {former for former, name in FORMER_NAMES.items() if former in given and name in given}
    problems += [
        Problem(file, f"the former name of {FORMER_NAMES[name]}, which stands here too: keep one", "1", name)
        for name in sorted(both)
    ]
    written = [name if name in both else FORMER_NAMES.get(name, name) for name in given]
    for name in written:
        alike = [
            FORMER_NAMES.get(column, column)
            for column in (*known, *FORMER_NAMES)
            if _plain(column) == _plain(name) and column not in written
        ]
        if name and name in columns:
            problems.append(Problem(file, "column stands twice", "1", name))
            columns.append(None)
        elif name in known or not name:
            columns.append(name)
        elif name in both:
            columns.append(None)
        elif alike and alike[0] not in columns:
            problems.append(Problem(file, f"this column must be called {alike[0]}", "1", name))
            columns.append(alike[0])
        else:
            message = f"unknown column; known: {', '.join(known)}"
            problems.append(Problem(file, message, "1", name))
            columns.append(None)
    problems += [
        Problem(file, f"column is missing. {known[name].get('description', '')}", "1", name)
        for name in schema["required"]
        if name not in columns
    ]
    return columns, problems


def _plain(name: str) -> str:
    """A column's name without what people write otherwise: case, blanks, hyphens."""
    return re.sub(r"[\W_]+", "", name.casefold())


def _stray_cells(cells: list[str], columns: list[str | None], file: str, row: int) -> list[Problem]:
    """Values that stand in a column without a name, or beyond the last one."""
    beyond = [""] * (len(cells) - len(columns))
    return [
        Problem(file, f"column {number} has a value here, but no name in the first line", str(row), "", cell)
        for number, (name, cell) in enumerate(zip([*columns, *beyond], cells, strict=False), start=1)
        if name == "" and cell.strip()
    ]


def _typed(cells: dict[str, str], properties: dict[str, Any]) -> dict[str, Any]:
    """A row's cells by column, None where empty; text in composed letters, so that equal words are equal."""
    row: dict[str, Any] = dict.fromkeys(properties)
    for name, cell in cells.items():
        text = cell.strip()
        if not text:
            continue
        row[name] = text if name in PATHS else unicodedata.normalize("NFC", text)
        if "number" in properties[name]["type"] and NUMBER.fullmatch(text):
            row[name] = float(text)  # else it stays text, and the schema says what is wrong with it
    return row


def _hidden_characters(row: dict[str, Any], file: str, number: int) -> list[Problem]:
    """Cells with line breaks, control characters or marks that turn the direction of writing."""
    message = "has a character that does not show or breaks the line, here written as an escape: take it out"
    return [
        Problem(file, message, str(number), name, cell)
        for name, cell in row.items()
        if isinstance(cell, str) and visible(cell) != cell
    ]


def _of_an_empty_cell(problem: Problem) -> Problem:
    """What the schema says of None, as it is to be said of an empty cell."""
    description = problem.message.partition(". ")[2]
    return replace(problem, value="", message=f"must not be empty. {description}")


def _duplicates(rows: list[dict[str, Any]], file: str) -> list[Problem]:
    first: dict[str, int] = {}
    problems = []
    for row in rows:
        scan = row["scan_id"]
        if scan in first:
            message = f"stands in row {first[scan]} already; each scan has one row"
            problems.append(Problem(file, message, str(row["row"]), "scan_id", scan))
        elif scan is not None:
            first[scan] = row["row"]
    return problems


def _taken_names(rows: list[dict[str, Any]], file: str) -> list[Problem]:
    """Scans that could have no file or folder of their name everywhere."""
    reasons = {
        **dict.fromkeys(FOLDERS_BESIDE_SCANS, "a folder beside those of the scans has this name"),
        **dict.fromkeys(DEVICES, "no file can have this name on Windows, where it is a device"),
    }
    return [
        Problem(file, f"{reason}; choose another one", str(row["row"]), "scan_id", row["scan_id"])
        for row in rows
        if (reason := reasons.get(str(row["scan_id"]).casefold()))
    ]


def _case_twins(rows: list[dict[str, Any]], file: str) -> list[Problem]:
    """Words that differ in upper and lower case only: two names of one thing, or one file name of two."""
    problems = []
    for column in CODES:
        first: dict[str, dict[str, Any]] = {}
        for row in rows:
            word = row[column]
            if word is None:
                continue
            twin = first.setdefault(word.casefold(), row)
            if twin[column] != word:
                message = (
                    f"differs from row {twin['row']} ({twin[column]}) in upper and lower case only: write "
                    "both alike, or tell them apart by more"
                )
                problems.append(Problem(file, message, str(row["row"]), column, word))
    return problems


def _unlike_themselves(rows: list[dict[str, Any]], file: str) -> list[Problem]:
    """Participants of two sexes, or of baseline ages that can't be those of one person."""
    problems = []
    for column, among, kind in (("sex", rows, str), ("age", baseline(rows), float)):
        of_participant: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in among:
            if row["participant_id"] is not None and isinstance(row[column], kind):
                of_participant[row["participant_id"]].append(row)
        for own in of_participant.values():
            held_against = min(own, key=lambda row: row["age"]) if column == "age" else own[0]
            for row in own:
                if not _may_be_one_person(held_against[column], row[column]):
                    message = (
                        f"the same participant has another {column} in row {held_against['row']}: "
                        "is it one person?"
                    )
                    problems.append(Problem(file, message, str(row["row"]), column, f"{row[column]}"))
    return problems


def _may_be_one_person(one: str | float, other: str | float) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return abs(other - one) <= MAXIMUM_AGE_DIFFERENCE_YEARS
    return one == other


def _unusable_paths(rows: list[dict[str, Any]], path: Path) -> list[Problem]:
    """Paths that the system refuses, or as Windows writes them; whether the others exist is not told.

    A name that holds a backslash is let through where it exists.
    """
    problems = []
    for row in rows:
        for column in PATHS:
            cell = row[column] or ""
            message = ""
            try:
                if not (path.parent / cell).exists() and "\\" in cell:
                    message = "names in a path are separated by / here, not by \\"
            except OSError as error:  # too long, or in a folder that may not be read
                message = f"this path can't be used: {error.strerror}"
            if message:
                shown = cell if len(cell) <= LONGEST_PATH_SHOWN else f"{cell[:LONGEST_PATH_SHOWN]}…"
                problems.append(Problem(str(path), message, str(row["row"]), column, shown))
    return problems


def _same_readings(rows: list[dict[str, Any]], path: Path) -> list[Problem]:
    """A file that is given as two readings of one scan, as when a column is filled down."""
    problems = []
    for row in rows:
        first: dict[str, str] = {}
        for column in MASK_COLUMNS:
            if row[column] is None:
                continue
            earlier = first.setdefault(os.path.normpath(row[column]), column)
            if earlier != column:
                message = f"the same file as {earlier}: a second reading is a drawing of its own"
                problems.append(Problem(str(path), message, str(row["row"]), column, row[column]))
    return problems


def _as_on_disk(path: Path) -> Path:
    """The path, its accents written as the file system has them, where that alone hides it."""
    if path.exists() or str(path).isascii():
        return path
    found = Path(path.anchor)
    for part in path.relative_to(path.anchor).parts:
        alike = [found / part]
        if not alike[0].exists() and found.is_dir():
            composed = unicodedata.normalize("NFC", part)
            alike = [
                entry for entry in found.iterdir() if unicodedata.normalize("NFC", entry.name) == composed
            ]
        if len(alike) != 1:
            return path
        found = alike[0]
    return found
