"""The sample sheet: one row per scan, every fault in every row told at once."""

from __future__ import annotations

import contextlib
import csv
from pathlib import Path
from typing import Any

from headct.configuration import load_schema, schema_problems
from headct.problems import BadInput, Problem

SCHEMA = Path(__file__).parents[2] / "schemas" / "scans.schema.yaml"
MASK_COLUMNS = ("mask", "mask_intra", "mask_inter")


def load(path: Path) -> list[dict[str, Any]]:
    """Read and check the sample sheet; paths in it become relative to the working directory.

    Returns one mapping per row: text, numbers where the schema says so, None for an empty cell.

    Raises:
        BadInput: no sheet, or every fault found in it.
    """
    if not path.is_file():
        raise BadInput(
            [
                Problem(
                    file=str(path),
                    key="sheet",
                    message="there is no sample sheet. Make one as docs/data.md describes and name it under "
                    "'sheet:' in the config; or see the whole workflow on simulated data with 'make demo'",
                )
            ]
        )
    schema = load_schema(SCHEMA)
    try:
        with open(path, encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, delimiter="\t", restkey="(beyond the last column)")
            header = list(reader.fieldnames or [])
            cells = list(reader)
    except UnicodeDecodeError as error:
        raise BadInput([Problem(str(path), f"not a UTF-8 text table: {error.reason}")]) from error
    problems = _header_problems(header, schema, str(path))
    if problems:
        raise BadInput(problems)
    if not cells:
        raise BadInput([Problem(str(path), "the sheet has a header but no scan")])
    rows = [_typed(row, schema["properties"]) for row in cells]
    for number, row in enumerate(rows, start=2):
        problems += schema_problems(row, schema, str(path), row=str(number))
    problems = problems or [*_duplicates(rows, str(path)), *_missing_files(rows, path)]
    if problems:
        raise BadInput(problems)
    for row in rows:
        for column in ("dicom", *MASK_COLUMNS):
            if row[column] is not None:
                row[column] = str(path.parent / row[column])
    return rows


def participants(rows: list[dict[str, Any]]) -> dict[str, str]:
    """The participant of each scan."""
    return {row["scan_id"]: row["participant_id"] for row in rows}


def _header_problems(header: list[str], schema: dict[str, Any], file: str) -> list[Problem]:
    known = schema["properties"]
    absent = dict.fromkeys(name for name in known if name not in header)
    unknown = [name for name in header if name not in known]
    repeated = {name for name in header if header.count(name) > 1}
    described = {name: known[name].get("description", "") for name in absent}
    hint = " Columns are separated by tabs." if len(header) == 1 else ""
    return [
        *(
            Problem(file, f"column is missing. {described[name]}{hint}", row="1", key=name)
            for name in absent
            if name in schema["required"]
        ),
        *(Problem(file, f"unknown column; known: {', '.join(known)}", row="1", key=name) for name in unknown),
        *(Problem(file, "column stands twice", row="1", key=name) for name in sorted(repeated)),
    ]


def _typed(cells: dict[str, Any], columns: dict[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(columns)
    for name, text in cells.items():
        text = text.strip() if isinstance(text, str) else text
        if not text:
            continue
        kinds = columns.get(name, {}).get("type", "string")
        row[name] = text
        if "number" in kinds:
            with contextlib.suppress(ValueError):  # stays text: the schema says what is wrong with it
                row[name] = float(text)
    return row


def _duplicates(rows: list[dict[str, Any]], file: str) -> list[Problem]:
    first: dict[str, int] = {}
    problems = []
    for number, row in enumerate(rows, start=2):
        if row["scan_id"] in first:
            message = f"stands in row {first[row['scan_id']]} already; each scan has one row"
            problems.append(Problem(file, message, str(number), "scan_id", row["scan_id"]))
        first.setdefault(row["scan_id"], number)
    return problems


def _missing_files(rows: list[dict[str, Any]], path: Path) -> list[Problem]:
    problems = []

    def missing(number: int, row: dict[str, Any], column: str, message: str) -> None:
        problems.append(Problem(str(path), message, str(number), column, row[column]))

    for number, row in enumerate(rows, start=2):
        folder = path.parent / row["dicom"]
        if not folder.is_dir():
            missing(number, row, "dicom", f"there is no such folder below {path.parent}")
        elif next(folder.iterdir(), None) is None:
            missing(number, row, "dicom", "the DICOM folder is empty")
        for column in MASK_COLUMNS:
            if row[column] is not None and not (path.parent / row[column]).is_file():
                missing(number, row, column, f"there is no such file below {path.parent}")
    return problems
