"""The sample sheet: one row per scan, every fault in every row told at once."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

from headct.configuration import load_schema, schema_problems
from headct.problems import BadInput, Problem

SCHEMA = Path(__file__).parents[2] / "schemas" / "scans.schema.yaml"
MASK_COLUMNS = ("mask", "mask_intra", "mask_inter")
NUMBER = re.compile(r"-?[0-9]*\.?[0-9]+")
NOT_BASELINE = "not a baseline scan"


def load(path: Path) -> list[dict[str, Any]]:
    """Read and check the sample sheet; paths in it become relative to the working directory.

    Returns one mapping per row: text, numbers where the schema says so, None for an empty cell, and
    as ``row`` the row's number in the sheet. Whether the files exist is not looked at.

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
            # strict: else a lone quotation mark swallows the rows below it, without a word
            reader = csv.DictReader(stream, None, "(beyond the last column)", delimiter="\t", strict=True)
            header = list(reader.fieldnames or [])
            numbered = [(reader.line_num, cells) for cells in reader]
    except UnicodeDecodeError as error:
        raise BadInput([Problem(str(path), f"not a UTF-8 text table: {error.reason}")]) from error
    except csv.Error as error:
        raise BadInput([Problem(str(path), f"a quotation mark too many or too few: {error}")]) from error
    problems = _header_problems(header, schema, str(path))
    if problems:
        raise BadInput(problems)
    if not numbered:
        raise BadInput([Problem(str(path), "the sheet has a header but no scan")])
    rows = []
    for number, cells in numbered:
        row = _typed(cells, schema["properties"])
        problems += schema_problems(row, schema, str(path), row=str(number))
        rows.append(row | {"row": number})
    problems = problems or _duplicates(rows, str(path))
    if not problems and not baseline(rows):
        problems = [Problem(str(path), "the sheet has no baseline scan", key="timepoint")]
    if problems:
        raise BadInput(problems)
    for row in rows:
        for column in ("dicom", *MASK_COLUMNS):
            if row[column] is not None:
                row[column] = str(path.parent / row[column])
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


def check_files(rows: list[dict[str, Any]], path: Path, max_excluded: float) -> None:
    """End a run whose base path is wrong before it starts thousands of jobs; one lost scan is let through.

    Raises:
        BadInput: all missing folders and files, where the share of baseline scans that lack one
            exceeds ``max_excluded``.
    """
    scans = baseline(rows)
    problems = [problem for row in scans for problem in _missing_files(row, str(path))]
    lacking = len({problem.row for problem in problems})
    if lacking > max_excluded * len(scans):
        message = (
            f"{lacking} of {len(scans)} baseline scans lack a folder or file, more than may be lost. "
            f"Paths in the sheet are relative to its own folder, {path.parent.absolute()}"
        )
        raise BadInput(
            [Problem(str(path), message, "", "cohort.max_excluded", f"{max_excluded:g}"), *problems]
        )


def _missing_files(row: dict[str, Any], file: str) -> list[Problem]:
    lacking = [] if Path(row["dicom"]).is_dir() else ["dicom"]
    lacking += [name for name in MASK_COLUMNS if row[name] is not None and not Path(row[name]).is_file()]
    return [
        Problem(
            file,
            f"there is no such {'folder' if name == 'dicom' else 'file'}",
            str(row["row"]),
            name,
            row[name],
        )
        for name in lacking
    ]


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
        if "number" in kinds and isinstance(text, str) and NUMBER.fullmatch(text):
            row[name] = float(text)  # else it stays text, and the schema says what is wrong with it
    return row


def _duplicates(rows: list[dict[str, Any]], file: str) -> list[Problem]:
    first: dict[str, int] = {}
    problems = []
    for row in rows:
        if row["scan_id"] in first:
            message = f"stands in row {first[row['scan_id']]} already; each scan has one row"
            problems.append(Problem(file, message, str(row["row"]), "scan_id", row["scan_id"]))
        first.setdefault(row["scan_id"], row["row"])
    return problems
