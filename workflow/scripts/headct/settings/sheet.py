"""The sample sheet: one row per scan, every fault in every row told at once."""

from __future__ import annotations

import csv
import io
import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from headct.contracts.problems import LISTED, BadInput, Problem, first_few
from headct.contracts.repository import SCHEMAS
from headct.contracts.sets import EXTERNAL, LOCKED
from headct.contracts.terminal import visible
from headct.settings.configuration import load_schema, schema_problems

EFFECT = "print"  # what it says of a scan stands in that scan's own definition

SCHEMA = SCHEMAS / "scans.schema.yaml"
READINGS = ("mask", "mask_intra", "mask_inter")
"""Columns of masks that hold all lesions. A reading may have a column for each lesion instead: mask:ICH."""

FORMER_NAMES = {"dicom": "image"}
"""What columns were called before, which sheets may go on to say."""

CODES = ("scan_id", "participant_id", "site", "rater", "set")
"""Columns whose words are told apart; two that look alike (:func:`_look`) are a slip of the hand."""

NUMBER = re.compile(r"-?[0-9]*\.?[0-9]+")
NO_VALUE = re.compile(r"#[A-Z][A-Z/0]+[!?]?")
"""What spreadsheets write where a formula has no value: #N/A, #REF!, #NAME?, in their own language."""

NOT_BASELINE = "not a baseline scan"
LOCKED_SET = "locked set"
MAXIMUM_AGE_DIFFERENCE_YEARS = 2
"""Between baseline scans of one participant."""

LONGEST_PATH_SHOWN = 100
"""Characters of a path in the table of faults."""

FOLDERS_BESIDE_SCANS = ("shards",)
"""Names in ``results/data``, where each scan has a folder of its name."""

WORDS_OF_SETS = ("all", "both", "external", "internal", "locked", "none", "test", "train", "training")
"""What tables, ledger and reports call the study's own sets, or several of them, in any case of letters."""

OF_A_TRAINING = re.compile(r"(seed|fold)-(\d+|all)", re.IGNORECASE)
"""What folders and files of trainings and of their predictions are called."""

DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}
"""What Windows takes for a device, in any case of letters: no file there can be called so."""

NOT_TEXT = {
    b"PK\x03\x04": "a workbook or an archive",
    b"\xd0\xcf\x11\xe0": "a workbook of an old Excel",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
    b"{\\rtf": "a formatted document (RTF)",
    b"%PDF": "a PDF",
}
"""First bytes of what spreadsheets save, other than text in UTF-8."""

POINTER = b"version https://git-lfs"
"""First bytes of what Git leaves in place of a file that lies elsewhere."""

NOT_WRITTEN_OUT = {
    r"~": "~ is not replaced by your home here: write the path out",
    r"\$|%\w+%": "variables of the shell are not replaced here: write the path out",
    r"\w{2,}://": "an address is no path: write the path of a folder or file on this machine",
    r"[A-Za-z]:(?!/?$)": "a drive of Windows: write the path as it is here, its names separated by /",
    r".*\\": "names in a path are separated by / here, not by \\: write it so",
}
"""What a path that leads nowhere begins with, and what is to be said of it."""

SAVE_AS = "save it as text in UTF-8, its columns separated by tabs"

NO_FILE_OF_LESION = (
    "is empty, and nothing tells whether the scan is free of this lesion or nobody drew it: name a file, or "
    "set ingest.empty_masks to lesion_free, where a scan without one is free of it"
)

"""Of an empty cell in the column of one lesion."""

ONE_LESION_EACH = (
    "a column of one lesion names the file of that lesion alone; a file of several stands in mask"
)
DRAWN_ANEW = "a second reading is a drawing of its own"
NAME_ITS_OWN = "Name it, or leave the cell empty"
"""Why two columns can't have one file, or one drawing."""


@dataclass(frozen=True)
class Lesions:
    """What a study says of the lesions that columns of masks may be of.

    Attributes:
        names: of its labels.
        may_be_absent: whether an empty cell in the column of a lesion is that of a scan which is free of it.
    """

    names: Collection[str]
    may_be_absent: bool


def of_column(column: str) -> tuple[str, str]:
    """The reading that a column of masks is of, and the lesion that its files outline alone, "" for all."""
    reading, _, lesion = column.partition(":")
    return reading, lesion


def mask_columns(columns: Iterable[str]) -> list[str]:
    """Those that name masks, by reading, then by lesion in the order of the alphabet."""
    named = [column for column in columns if of_column(column)[0] in READINGS]
    return sorted(named, key=lambda column: (READINGS.index(of_column(column)[0]), column))


def path_columns(columns: Iterable[str]) -> list[str]:
    """Those that name files or folders."""
    return ["image", *mask_columns(columns)]


def is_read_twice(row: Mapping[str, Any]) -> bool:
    """Whether a scan has a second reading."""
    return any(row[column] for column in mask_columns(row) if of_column(column)[0] != READINGS[0])


def load(path: Path, lesions: Lesions | None = None) -> list[dict[str, Any]]:
    """Read and check the sample sheet; paths in it become relative to the working directory.

    Returns one mapping per row: text, numbers where the schema says so, None for an empty cell, and
    as ``row`` the row's number in the sheet. Whether the files exist is not looked at.

    Args:
        path: of the sheet.
        lesions: what columns of one lesion are held against; None where no configuration is at hand.

    Raises:
        BadInput: no sheet, or every fault found in it.
    """
    rows, problems = _read(path, lesions)
    if problems:
        raise BadInput(together(problems))
    return rows


def check(path: Path, why_no_image: Callable[[Path], str]) -> list[dict[str, Any]]:
    """As :func:`load`, and every folder and file that is named is looked for as well.

    Args:
        path: of the sheet.
        why_no_image: why what lies at a path can't be a scan's image; empty where it may be one.

    Raises:
        BadInput: no sheet, or every fault found in it and in what it names.
    """
    rows, problems = _read(path)
    already_told = {(problem.row, problem.key) for problem in problems}
    missing = [fault for row in baseline(rows) for fault in _missing_files(row, str(path), why_no_image)]
    problems += [fault for fault in missing if (fault.row, fault.key) not in already_told]
    if problems:
        raise BadInput(together(problems))
    return rows


def _read(path: Path, lesions: Lesions | None = None) -> tuple[list[dict[str, Any]], list[Problem]]:
    """The rows as :func:`load` returns them, and all faults of header, rows and table."""
    schema = load_schema(SCHEMA)
    file = str(path)
    header, lines = _cells(path)
    columns, problems = _columns(header, schema, file, lesions)
    names = [name for name in columns if name]
    there = {*names, *(of_column(name)[0] for name in mask_columns(names))}
    rows = []
    for number, cells in lines:
        if [cell.strip() for cell in cells] == [name.strip() for name in header]:
            problems.append(
                Problem(file, "the names of the columns stand here again: take the row out", str(number))
            )
            continue
        problems += _stray_cells(cells, columns, file, number)
        named = {name: cell for name, cell in zip(columns, cells, strict=False) if name}
        row = dict.fromkeys([*schema["properties"], *names]) | _typed(named, schema["properties"])
        unreadable = _unreadable_cells(row, file, number)
        problems += unreadable
        already_reported = {fault.key for fault in unreadable}
        problems += [
            _of_an_empty_cell(problem) if row[problem.key] is None else problem
            for problem in schema_problems(row, schema, file, row=str(number))
            if problem.key in there
            and problem.key not in already_reported
            and not (problem.key in READINGS and row[problem.key] is None and _drawn_apart(row, problem.key))
        ]
        rows.append(row | {"row": number})
    problems += [
        *_duplicates(rows, file),
        *_taken_names(rows, file),
        *_twins(rows, file),
        *_unlike_themselves(rows, file),
        *_in_several_sets(rows, file),
        *_locked_in_part(rows, file),
        *_unusable_paths(rows, path),
        *_same_files(rows, path),
        *_two_forms(rows, file),
    ]
    if lesions is not None and not lesions.may_be_absent:
        problems += _without_file(rows, file)
    if not rows:
        problems.append(Problem(file, "the sheet has a header but no scan: add a row for each"))
    elif not baseline(rows):
        message = "there is no baseline scan that is not left out: mend timepoint or left_out"
        problems.append(Problem(file, message, key="timepoint"))
    elif all(external_set(row) for row in baseline(rows)):
        message = (
            "all baseline scans are in external sets, and the study itself has none: leave set empty in some"
        )
        problems.append(Problem(file, message, key="set"))
    unusable = {(problem.row, problem.key) for problem in problems}
    for row in rows:
        for column in path_columns(row):
            if row[column] is not None and (str(row["row"]), column) not in unusable:
                row[column] = str(_as_on_disk(path.parent / row[column]))
    return rows, problems


def table_of_columns() -> str:
    """The columns as the table of ``docs/how-to/data.md``: what must be there, an example, what it is."""
    schema = load_schema(SCHEMA)
    of_baseline = schema["then"]["properties"]
    lines = ["| column | must it be there? | example | what |", "|---|---|---|---|"]
    for name, part in schema["properties"].items():
        must = "optional" if name not in schema["required"] else "the column; a value if known"
        if name in of_baseline or "null" not in part["type"]:
            must = "the column, and a value in each row"
        if name in READINGS and name in schema["required"]:
            must += f", unless there are {_written(schema)}"
        lines.append(_line_of_column(name, must, part))
    for part in schema["patternProperties"].values():
        lines.append(_line_of_column(part["x-written"], "optional", part))
    return "\n".join(lines) + "\n"


def _line_of_column(name: str, must: str, part: Mapping[str, Any]) -> str:
    what = " ".join(part["description"].split())
    return f"| `{name}` | {must} | `{part['examples'][0]}` | {what} |"


def _written(schema: Mapping[str, Any]) -> str:
    """How the names of columns that a lesion is part of are written."""
    return ", ".join(part["x-written"] for part in schema["patternProperties"].values())


def baseline(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of baseline scans that are neither left out nor locked, the only ones that are ingested."""
    return [row for row in rows if not why_not_ingested(row)]


def external_set(row: Mapping[str, Any]) -> str:
    """Name of the external set that a scan is in; empty where it is in none."""
    return _name_behind(EXTERNAL, row)


def locked_set(row: Mapping[str, Any]) -> str:
    """Name of the set that a scan is kept in, of which nothing is read yet; empty where it is in none."""
    return _name_behind(LOCKED, row)


def _name_behind(kind: str, row: Mapping[str, Any]) -> str:
    value = str(row.get("set") or "")
    return value.removeprefix(kind) if value.startswith(kind) else ""


def external_sets(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Names of the external sets that rows are in, in the order of the alphabet."""
    return sorted(set(map(external_set, rows)) - {""})


def why_not_ingested(row: Mapping[str, Any]) -> str:
    """Why a scan is not ingested, as the sheet says; empty where it is."""
    if row.get("left_out") is not None:
        return str(row["left_out"])
    if row["timepoint"] not in (None, "baseline"):
        return NOT_BASELINE
    return f"{LOCKED_SET} {locked_set(row)}" if locked_set(row) else ""


def locked(rows: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Identifiers, in alphabetical order, of the scans that are kept in each locked set, by its name."""
    found = defaultdict(list)
    for row in rows:
        if is_locked(row):
            found[locked_set(row)].append(str(row["scan_id"]))
    return {name: sorted(found[name]) for name in sorted(found)}


def is_locked(row: Mapping[str, Any]) -> bool:
    """Whether a scan would be ingested, were its set not locked."""
    return bool(locked_set(row)) and not why_not_ingested({**row, "set": None})


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
            f"{lacking} of {len(scans)} baseline scans lack a folder or file, more than may be lost: mend the"
            f" paths, which are relative to the sheet's own folder, {path.parent.absolute()}"
        )
        raise BadInput(
            [Problem(str(path), message, "", "cohort.max_excluded", f"{max_excluded:g}"), *problems]
        )


def _missing_files(row: dict[str, Any], file: str, why_no_image: Callable[[Path], str]) -> list[Problem]:
    lacking = {}
    if row["image"] is not None:
        image = Path(row["image"])
        lacking["image"] = _why_missing(image) or why_no_image(image)
    for name in mask_columns(row):
        if row[name] is not None:
            lacking[name] = _why_missing(Path(row[name]))
    return [
        Problem(file, reason, str(row["row"]), name, row[name]) for name, reason in lacking.items() if reason
    ]


def _why_missing(path: Path) -> str:
    """Why nothing is found at a path, and what to do; empty where something is."""
    if path.exists():
        return ""
    if path.is_symlink():
        return "a broken link: what it points to is not there; bring it back, or name the file itself"
    return "there is no such file or folder: mend the path, which leads on from the sheet's own folder"


def _cells(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The header, and the cells of each row that is not blank, with the row's number in the sheet.

    Raises:
        BadInput: no sheet, no text, or no table.
    """
    file = str(path)
    lines = _lines(_text(path), file)
    if not lines:
        raise BadInput([Problem(file, "the sheet is empty: write one as docs/how-to/data.md describes")])
    (first, header), *rest = lines
    if len(header) == 1:
        apart = {";": "semicolons", ",": "commas"}
        found = next((f", which {words} divide" for mark, words in apart.items() if mark in header[0]), "")
        message = f"the first line has one column only{found}, and should name them all: {SAVE_AS}"
        raise BadInput([Problem(file, message, str(first))])
    known = {_plain(name) for name in load_schema(SCHEMA)["properties"]}
    if known.isdisjoint(map(_plain, header)):
        message = (
            "the first line names no column of a sample sheet: make it the line of their names, as"
            " docs/how-to/data.md lists them"
        )
        raise BadInput([Problem(file, message, str(first), value=first_few(header))])
    return header, rest


def _text(path: Path) -> str:
    """The sheet's text; BadInput where there is none, or none in UTF-8."""
    file = str(path)
    if not path.is_file():
        what = "there is no sample sheet"
        if path.exists():
            what = "a folder or a device is no sample sheet"
        elif path.is_symlink():
            what = "a broken link: the sample sheet that it points to is not there"
        message = (
            f"{what}. Make one as docs/how-to/data.md describes and name it under 'sheet:' "
            "in the config; or see the whole workflow on simulated data with 'make demo'"
        )
        raise BadInput([Problem(file, message, key="sheet")])
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadInput([Problem(file, f"the sheet can't be read: {error.strerror}")]) from error
    if content.startswith(POINTER):
        message = "a pointer of Git LFS, not the sheet itself: fetch it with 'git lfs pull'"
        raise BadInput([Problem(file, message)])
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
            message = f"a quotation mark too many or too few ({error}): take it out, or write its other half"
        raise BadInput([Problem(file, message, str(begins))]) from error
    return lines


def _columns(
    header: list[str], schema: dict[str, Any], file: str, lesions: Lesions | None
) -> tuple[list[str | None], list[Problem]]:
    """What each column is, and the faults of the header: "" has no name, None is told as a fault."""
    columns: list[str | None] = []
    problems = []
    given = [unicodedata.normalize("NFC", name.strip()) for name in header]
    both = {former for former, name in FORMER_NAMES.items() if former in given and name in given}
    problems += [
        Problem(file, f"the former name of {FORMER_NAMES[name]}, which stands here too: keep one", "1", name)
        for name in sorted(both)
    ]
    written = [name if name in both else FORMER_NAMES.get(name, name) for name in given]
    of_a_lesion = [
        name for name in written if any(re.search(one, name) for one in schema["patternProperties"])
    ]
    possible = of_a_lesion if lesions is None else _columns_of_lesions(READINGS, lesions)
    known = [*schema["properties"], *possible]
    for name in written:
        alike = [
            FORMER_NAMES.get(column, column)
            for column in (*known, *FORMER_NAMES)
            if _plain(column) == _plain(name) and column not in written
        ]
        if name and name in columns:
            problems.append(Problem(file, "column stands twice: keep one", "1", name))
            columns.append(None)
        elif name in known or not name:
            columns.append(name)
        elif name in both:
            columns.append(None)
        elif alike and alike[0] not in columns:
            problems.append(Problem(file, f"this column must be called {alike[0]}", "1", name))
            columns.append(alike[0])
        elif lesions is not None and name in of_a_lesion:
            message = (
                f"no such lesion among the labels, which are {', '.join(lesions.names)}: add it to labels: in"
                " the configuration, or take the column out"
            )
            problems.append(Problem(file, message, "1", name))
            columns.append(name)
        else:
            listed = ", ".join([*schema["properties"], _written(schema)])
            message = f"unknown column: take it out, or call it as one of {listed}"
            problems.append(Problem(file, message, "1", name))
            columns.append(None)
    apart = {of_column(name)[0] for name in columns if name and name in known and of_column(name)[1]}
    problems += [
        Problem(file, f"column is missing: add it. {schema['properties'][name]['description']}", "1", name)
        for name in schema["required"]
        if name not in columns and name not in apart
    ]
    if lesions is not None:
        message = "column is missing: add it. Where one lesion of the labels has a column of files, all have"
        wanted = _columns_of_lesions(sorted(apart), lesions)
        problems += [Problem(file, message, "1", name) for name in wanted if name not in columns]
    return columns, problems


def _columns_of_lesions(readings: Iterable[str], lesions: Lesions) -> list[str]:
    return [f"{reading}:{lesion}" for reading in readings for lesion in lesions.names]


def _plain(name: str) -> str:
    """A column's name without what people write otherwise: case, blanks, hyphens."""
    return re.sub(r"[\W_]+", "", name.casefold())


def _stray_cells(cells: list[str], columns: list[str | None], file: str, row: int) -> list[Problem]:
    """Values that stand in a column without a name, or beyond the last one."""
    beyond = [""] * (len(cells) - len(columns))
    return [
        Problem(
            file,
            f"column {number} has a value here, but no name in the first line: write one, or take it out",
            str(row),
            "",
            cell,
        )
        for number, (name, cell) in enumerate(zip([*columns, *beyond], cells, strict=False), start=1)
        if name == "" and cell.strip()
    ]


def _typed(cells: dict[str, str], properties: dict[str, Any]) -> dict[str, Any]:
    """A row's cells that are not empty; text in composed letters, so that equal words are equal."""
    row: dict[str, Any] = {}
    paths = path_columns(cells)
    for name, cell in cells.items():
        text = cell.strip()
        if not text:
            continue
        row[name] = text if name in paths else unicodedata.normalize("NFC", text)
        if name not in paths and "number" in properties[name]["type"] and NUMBER.fullmatch(text):
            row[name] = float(text)  # else it stays text, and the schema says what is wrong with it
    return row


def _unreadable_cells(row: dict[str, Any], file: str, number: int) -> list[Problem]:
    """Cells that do not hold what somebody meant to write: line breaks, lost letters, errors of formulas."""
    cells = [(name, cell) for name, cell in row.items() if isinstance(cell, str)]
    return [
        Problem(file, message, str(number), name, cell)
        for name, cell in cells
        if (message := _why_unreadable(cell))
    ]


def _why_unreadable(cell: str) -> str:
    """What is wrong with the characters of a cell, and what to do; empty where nothing is."""
    if visible(cell) != cell:
        return "has a character that does not show or breaks the line, here written as an escape: take it out"
    if "\ufffd" in cell:
        return "has a mark in place of a letter that was lost when the table was converted: write it again"
    if NO_VALUE.fullmatch(cell):
        return "a spreadsheet's formula that has no value: write the value itself, or leave the cell empty"
    if (meant := _misread(cell)) != cell:
        return (
            f"UTF-8 that was read in another encoding; it was probably {meant}: write it again, and {SAVE_AS}"
        )
    return ""


def _misread(cell: str) -> str:
    """The text that a cell had before its UTF-8 was read as Windows' Western one; itself if it was not."""
    try:
        return cell.encode("cp1252").decode("utf-8")
    except UnicodeError:
        return cell


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
            message = (
                f"stands in row {first[scan]} already: give this scan an id of its own, or take the row out"
            )
            problems.append(Problem(file, message, str(row["row"]), "scan_id", scan))
        elif scan is not None:
            first[scan] = row["row"]
    return problems


def _taken_names(rows: list[dict[str, Any]], file: str) -> list[Problem]:
    """Scans and sets whose names mean something else here, or can't be those of files everywhere."""
    on_windows = dict.fromkeys(DEVICES, "no file can have this name on Windows, where it is a device")
    of_trainings = "the files of a training are called so"
    beside_scans = dict.fromkeys(FOLDERS_BESIDE_SCANS, "a folder beside those of the scans has this name")
    own_words = dict.fromkeys(WORDS_OF_SETS, "tables call the study's own sets, or several of them, so")
    scans = [(row, "scan_id", str(row["scan_id"]), on_windows | beside_scans) for row in rows]
    of_sets = [(row, "set", external_set(row) or locked_set(row), on_windows | own_words) for row in rows]
    problems = []
    for row, column, name, reasons in (*scans, *of_sets):
        reason = reasons.get(name.casefold())
        if column == "set" and OF_A_TRAINING.fullmatch(name):
            reason = of_trainings
        if reason:
            message = f"{reason}; choose another one"
            problems.append(Problem(file, message, str(row["row"]), column, row[column]))
    return problems


def _twins(rows: list[dict[str, Any]], file: str) -> list[Problem]:
    """Words that look alike: two names of one thing, or one file name of two."""
    problems = []
    for column in CODES:
        first: dict[str, dict[str, Any]] = {}
        for row in rows:
            word = row[column]
            if word is None:
                continue
            twin = first.setdefault(_look(word), row)
            if twin[column] != word:
                message = (
                    f"differs from row {twin['row']} ({twin[column]}) in upper and lower case, blanks, "
                    "hyphens or leading zeros only: write both alike, or tell them apart by more"
                )
                problems.append(Problem(file, message, str(row["row"]), column, word))
    return problems


def _look(word: str) -> str:
    """A word without what hands and spreadsheets change: case, kinds of blanks and hyphens, leading zeros."""
    return re.sub(r"(?<![0-9])0+(?=[0-9])", "", re.sub(r"[\s_-]+", "-", word.casefold()))


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
                        f"the same participant has another {column} in row {held_against['row']}: is it one"
                        " person? Mend the value, or give each person an id of their own"
                    )
                    problems.append(Problem(file, message, str(row["row"]), column, f"{row[column]}"))
    return problems


def _in_several_sets(rows: list[dict[str, Any]], file: str) -> list[Problem]:
    """Scans of participants who have others in another set, a locked one too: models would know them."""
    problems = []
    first: dict[str, dict[str, Any]] = {}
    for row in rows:
        if row["participant_id"] is None or (why_not_ingested(row) and not is_locked(row)):
            continue
        other = first.setdefault(row["participant_id"], row)
        if other["set"] != row["set"]:
            message = (
                f"participant {row['participant_id']} is in several sets: {row['scan_id']} in"
                f" {row['set'] or 'none of them'}, {other['scan_id']} (row {other['row']}) in"
                f" {other['set'] or 'none of them'}; give all scans of a participant one set, or none"
            )
            problems.append(Problem(file, message, str(row["row"]), "set", row["set"] or ""))
    return problems


def _locked_in_part(rows: list[dict[str, Any]], file: str) -> list[Problem]:
    """Scans of a set that is locked in some rows and opened in others: no part of it may be looked at."""
    problems = []
    first: dict[str, dict[str, Any]] = {}
    for row in rows:
        name = external_set(row) or locked_set(row)
        if not name:
            continue
        other = first.setdefault(_look(name), row)
        if bool(locked_set(row)) != bool(locked_set(other)):
            state = "locked" if locked_set(other) else "opened"
            message = (
                f"the set {name} is {state} in row {other['row']}: a set is locked, or opened, as a whole;"
                " write the same in all of its rows, or give the other scans a set of their own"
            )
            problems.append(Problem(file, message, str(row["row"]), "set", row["set"]))
    return problems


def _may_be_one_person(one: str | float, other: str | float) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return abs(other - one) <= MAXIMUM_AGE_DIFFERENCE_YEARS
    return one == other


def _unusable_paths(rows: list[dict[str, Any]], path: Path) -> list[Problem]:
    """Paths that the system refuses, or as no system here writes them; whether others exist is not told.

    A name that is odd is let through where it exists.
    """
    problems = []
    for row in rows:
        for column in path_columns(row):
            cell = row[column] or ""
            message = ""
            try:
                if not (path.parent / cell).exists():
                    advice = (words for begin, words in NOT_WRITTEN_OUT.items() if re.match(begin, cell))
                    message = next(advice, "")
            except OSError as error:  # too long, or in a folder that may not be read
                message = f"this path can't be used: {error.strerror}; name another one"
            if message:
                shown = cell if len(cell) <= LONGEST_PATH_SHOWN else f"{cell[:LONGEST_PATH_SHOWN]}…"
                problems.append(Problem(str(path), message, str(row["row"]), column, shown))
    return problems


def _same_files(rows: list[dict[str, Any]], path: Path) -> list[Problem]:
    """A file that is given twice, as when a column is filled down.

    In one row as image and mask, as two readings or two lesions; in several baseline rows as the mask of two
    scans. What one image under two ids means is told once its pixels are read.
    """
    problems = []
    first: dict[str, dict[str, Any]] = {}
    for row in baseline(rows):
        own: dict[str, str] = {}
        for column in path_columns(row):
            if row[column] is None:
                continue
            file = os.path.normpath(row[column])
            earlier = own.setdefault(file, column)
            message = ""
            if earlier != column:
                message = f"the same file as {earlier}: {_what_differs(earlier, column)}. {NAME_ITS_OWN}"
            elif column != "image" and first.setdefault(file, row)["scan_id"] != row["scan_id"]:
                message = f"a mask of row {first[file]['row']}, too: each scan has its own. {NAME_ITS_OWN}"
            if message:
                problems.append(Problem(str(path), message, str(row["row"]), column, row[column]))
    return problems


def _what_differs(column: str, mask: str) -> str:
    """Why the file of a column can't be that of a column of masks as well."""
    if column == "image":
        return "a mask is another file than the image that it was drawn on"
    if of_column(column)[0] == of_column(mask)[0]:
        return ONE_LESION_EACH
    return DRAWN_ANEW


def _drawn_apart(row: Mapping[str, Any], reading: str) -> list[str]:
    """The columns of one lesion in which a row names files of a reading."""
    return [column for column in row if column.startswith(f"{reading}:") and row[column] is not None]


def _two_forms(rows: list[dict[str, Any]], file: str) -> list[Problem]:
    """Rows with a file of all lesions beside those of one lesion, or a label map where it means nothing."""
    problems = []
    for row in rows:
        apart = {reading: _drawn_apart(row, reading) for reading in READINGS}
        for reading, columns in apart.items():
            if columns and row[reading] is not None:
                message = f"a file of all lesions beside those of {', '.join(columns)}: keep one or the other"
                problems.append(Problem(file, message, str(row["row"]), reading, row[reading]))
        if row["labels"] is not None and any(apart.values()) and not any(map(row.get, READINGS)):
            message = (
                "a label map tells values in a file of all lesions, which this row has not: leave it empty"
            )
            problems.append(Problem(file, message, str(row["row"]), "labels", row["labels"]))
    return problems


def _without_file(rows: list[dict[str, Any]], file: str) -> list[Problem]:
    """Lesions that have no file of their own in baseline rows in which others have one."""
    return [
        Problem(file, NO_FILE_OF_LESION, str(row["row"]), column)
        for row in baseline(rows)
        for column in mask_columns(row)
        if row[column] is None and column not in READINGS and _drawn_apart(row, of_column(column)[0])
    ]


def together(problems: Sequence[Problem]) -> list[Problem]:
    """The faults; those of one kind that more than a few rows have stand in one line, with all their rows.

    All of those that more than a few have name a row of the sheet.
    """
    of_kind: dict[tuple[str, str], list[Problem]] = defaultdict(list)
    for problem in problems:
        of_kind[problem.key, problem.message].append(problem)
    shown = []
    for problem in problems:
        alike = of_kind[problem.key, problem.message]
        if len(alike) <= LISTED:
            shown.append(problem)
        elif problem is alike[0]:
            rows = _ranges(sorted({int(one.row) for one in alike}))
            values = first_few(list(dict.fromkeys(one.value for one in alike)))
            message = f"{problem.message} ({len(alike)} rows)"
            shown.append(replace(problem, row=rows, value=values, message=message))
    return shown


def _ranges(numbers: Sequence[int]) -> str:
    """Numbers in ascending order, those that follow one another as a range: 2-4, 7."""
    ranges: list[tuple[int, int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1] = ranges[-1][0], number
        else:
            ranges.append((number, number))
    return ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in ranges)


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
