"""A text without what it says of some scans: rows of a table, lines of a log, names in a list."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Collection, Iterator

from headct.contracts.artefacts import without_mark

SCAN = "scan_id"
"""The column that says whose row it is."""


def rows_of(text: str) -> Iterator[tuple[str, list[str]]]:
    """Each row of a table as it is written, with its cells; the first is the header.

    Raises:
        ValueError: quotation marks don't match.
    """
    lines = lines_of(text)
    try:
        reader = csv.reader(lines, delimiter="\t", strict=True)
        begins = 0
        for cells in reader:
            yield "".join(lines[begins : reader.line_num]), cells
            begins = reader.line_num
    except csv.Error as error:
        raise ValueError(f"no table that can be read: {error}") from error


def scans_in(text: str) -> set[str]:
    """The scans that have a row in a table; none where it has no such column."""
    return {scan for _, scan in _with_scan(text) if scan}


def without_rows(text: str, scans: Collection[str]) -> str:
    """A table without the rows of some scans; what is left has the same bytes as before."""
    return "".join(row for row, scan in _with_scan(text) if scan not in scans)


def _with_scan(text: str) -> Iterator[tuple[str, str]]:
    """Each row as it is written, with its scan; "" for the header, and for rows of no scan."""
    place = None
    for number, (row, cells) in enumerate(rows_of(text)):
        if number == 0:
            place = cells.index(SCAN) if SCAN in cells else None
            yield row, ""
        else:
            yield row, without_mark(cells[place]) if place is not None and place < len(cells) else ""


def names(text: str, words: Collection[str]) -> bool:
    """Whether a text names one of some scans or participants, as a word of its own."""
    return any(word in text for word in words) and bool(_word(words).search(text))


def without_lines(text: str, words: Collection[str]) -> str:
    """A text without the lines that name one of some scans or participants."""
    word = _word(words)
    return "".join(line for line in lines_of(text) if not word.search(line))


def lines_of(text: str) -> list[str]:
    """The lines of a text with their ends; nothing but a line feed ends one."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def _word(words: Collection[str]) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, sorted(words)))})(?![\w-])")


def without_participants(text: str, scans: Collection[str]) -> str:
    """``study.json`` without some scans, as :func:`headct.contracts.artefacts.write_json` writes it."""
    content = json.loads(text)
    left = {scan: whose for scan, whose in content["participants"].items() if scan not in scans}
    return json.dumps(content | {"participants": left}, sort_keys=True, indent=1, ensure_ascii=False) + "\n"
